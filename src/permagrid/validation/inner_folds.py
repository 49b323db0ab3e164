"""Inner folds: how rows that train are split again, so that a choice never sees the outer test rows."""

import hashlib
import inspect
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from permagrid.errors import PermagridError
from permagrid.validation.folds import FOLDS, Folds

_MOST_KEPT = 512


@dataclass(frozen=True, eq=False)
class FoldsSpec:
    """A fold method and its keywords, for folds that are made later, of rows not yet known.

    Examples
    --------
    >>> rows = pd.DataFrame({"site_group": [1, 1, 2, 3], "longitude": [9.0, 9.0, 8.0, 7.0], "latitude": 60.0})
    >>> made, note = FoldsSpec("site", {"n_folds": 5}).made(rows)
    >>> len(made), note
    (3, '3 folds in place of 5, for want of sites')
    """

    method: str
    """Name in the table of fold methods."""
    keywords: Mapping[str, Any] = field(default_factory=dict)
    """Its keywords, the seed among them."""
    domain: pd.DataFrame | None = None
    """Prediction points, for methods that look at the map; they have no observed values."""

    @property
    def n_folds(self) -> int | None:
        """Folds that are asked for in a round; None where the rows decide."""
        parameter = FOLDS.keywords(self.method).get("n_folds")
        if parameter is None:
            return None
        asked = self.keywords.get("n_folds", parameter.default)
        return None if asked in (None, inspect.Parameter.empty) else int(asked)

    @property
    def n_pairs(self) -> int | None:
        """Folds that are asked for in all rounds together; None where the rows decide."""
        return None if self.n_folds is None else self.n_folds * int(self.keywords.get("repeats", 1))

    def made(self, rows: pd.DataFrame) -> tuple[Folds | None, str]:
        """Return folds of rows, and what is to be said of them; no folds where none can be made.

        Rows that cannot make as many folds as are asked for make as many as they can.

        Parameters
        ----------
        rows
            As the fold method needs them.
        """
        key = self._key(rows)
        if key not in _KEPT:
            _KEPT[key] = self._made(rows)
            while len(_KEPT) > _MOST_KEPT:
                _KEPT.popitem(last=False)
        _KEPT.move_to_end(key)
        return _KEPT[key]

    def _made(self, rows: pd.DataFrame) -> tuple[Folds | None, str]:
        why = ""
        # Fewer than two are asked of the method once, which says why there are none.
        asked = 2 if self.n_folds is None else self.n_folds
        for number in range(asked, min(1, asked - 1), -1):
            keywords = dict(self.keywords)
            if self.n_folds is not None:
                keywords["n_folds"] = number
            try:
                folds = FOLDS[self.method](rows, self.domain, **keywords)
            except PermagridError as error:
                why = why or str(error)
                continue
            fewer = self.n_folds is not None and number < self.n_folds
            return folds, f"{number} folds in place of {self.n_folds}, for want of sites" if fewer else ""
        return None, f"nothing could be tried: {why}"

    def _key(self, rows: pd.DataFrame) -> bytes:
        # Learners beside each other choose from the same rows, and some fold methods take seconds.
        told = hashlib.blake2b(repr((self.method, sorted(self.keywords.items()))).encode(), digest_size=16)
        for table in (rows, self.domain):
            if table is not None:
                told.update(repr(list(table.columns)).encode())
                told.update(np.asarray(pd.util.hash_pandas_object(table, index=False)).tobytes())
        return told.digest()


_KEPT: OrderedDict[bytes, tuple[Folds | None, str]] = OrderedDict()
