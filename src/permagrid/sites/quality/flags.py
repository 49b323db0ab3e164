"""What a quality test returns, the QARTOD codes, and the table of tests."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.registry import Table

GOOD, NOT_EVALUATED, SUSPECT, FAIL, MISSING = 1, 2, 3, 4, 9
"""Codes of the IOOS QARTOD manuals."""

VERDICTS: dict[int, str] = {SUSPECT: "suspect", FAIL: "fail", MISSING: "missing"}
"""Codes that need a reason -> the word that counts and reports use."""

Mask = NDArray[np.bool_]


class Flags(NamedTuple):
    """The result of one quality test, aligned to the rows that it was given."""

    codes: "pd.Series[int]"
    """QARTOD code of each row, uint8."""
    reasons: "pd.Series[str]"
    """Why a row is suspect, fails or is missing, in a few words; empty for the others."""


QUALITY: Table[Callable[..., Flags]] = Table("quality test")
"""The quality tests that a study may name: ``(sites, *, keywords with defaults) -> Flags``."""

_SEVERITY = {NOT_EVALUATED: 0, GOOD: 1, SUSPECT: 2, MISSING: 3, FAIL: 4}


class Verdicts:
    """Collects what a test finds; the most severe finding of a row gives its code and reason.

    Parameters
    ----------
    sites
        The rows under test. All start as `code`.
    code
        Code of rows about which nothing is found.

    Examples
    --------
    >>> rows = pd.DataFrame({"value": [1.0, 99.0]})
    >>> found = Verdicts(rows)
    >>> found.mark(rows["value"].to_numpy() > 50.0, FAIL, "above 50")
    >>> found.flags().codes.tolist(), found.flags().reasons.tolist()
    ([1, 4], ['', 'above 50'])
    """

    def __init__(self, sites: pd.DataFrame, code: int = GOOD) -> None:
        self._index = sites.index
        self._codes = np.full(len(sites), code, dtype=np.uint8)
        self._reasons = np.full(len(sites), "", dtype=object)

    def mark(self, mask: Mask, code: int, reason: str | NDArray[Any]) -> None:
        """Give `code` and `reason` to the rows of `mask` that have no finding as severe as this one.

        Parameters
        ----------
        mask
            Rows that are meant, shape (n,).
        code
            One of the QARTOD codes.
        reason
            One text for all, or one text a row, shape (n,).
        """
        level = np.array([_SEVERITY.get(c, 0) for c in range(10)])
        # NOT_EVALUATED is said about rows that nothing else is said about: it takes the place of GOOD.
        if code == NOT_EVALUATED:
            chosen = mask & (self._codes == GOOD)
        else:
            chosen = mask & (level[code] > level[self._codes])
        self._codes[chosen] = code
        self._reasons[chosen] = reason[chosen] if isinstance(reason, np.ndarray) else reason

    def flags(self) -> Flags:
        """Return the codes and reasons collected so far."""
        return Flags(
            pd.Series(self._codes.copy(), index=self._index, name="code"),
            pd.Series(self._reasons.copy(), index=self._index, name="reason", dtype=object),
        )


def wording(template: str, *columns: NDArray[Any], where: Mask) -> NDArray[Any]:
    """Return `template` filled row by row with `columns`, only where `where` is true.

    Examples
    --------
    >>> wording("{:g} m", np.array([1.5, 2.0]), where=np.array([True, False])).tolist()
    ['1.5 m', '']
    """
    texts = np.full(len(where), "", dtype=object)
    for row in np.flatnonzero(where):
        texts[row] = template.format(*(column[row] for column in columns))
    return texts


def numbers(sites: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """Return a column as floats, NaN where it is missing or where the table has no such column."""
    if column not in sites:
        return np.full(len(sites), np.nan)
    return sites[column].to_numpy(dtype=np.float64, na_value=np.nan)
