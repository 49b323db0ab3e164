"""Run quality tests over a site table, mark every row, delete none, and count what was found."""

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.sites.quality.duplicates import near_duplicates
from permagrid.sites.quality.flags import FAIL, MISSING, NOT_EVALUATED, QUALITY, VERDICTS, Flags

_PREFIX, _REASON, _KEPT = "flag_", "flag_reason", "kept"
_JOIN = " | "


def flag_sites(
    sites: gpd.GeoDataFrame,
    tests: Mapping[str, Mapping[str, Any] | None],
    *,
    exclude: Sequence[int] = (FAIL, MISSING),
) -> gpd.GeoDataFrame:
    """Return `sites` with the verdict of each test; no row is deleted.

    Parameters
    ----------
    sites
        Site table, with the columns of covariates that tests compare with. Flags of an earlier call are
        replaced.
    tests
        Name in `QUALITY` -> its keyword arguments. `near_duplicates` runs last, whatever its place, so that
        a row which another test excludes is not the one that is kept of two.
    exclude
        Codes that take a row out of what follows.

    Returns
    -------
    geopandas.GeoDataFrame
        With ``flag_<test>`` (uint8, QARTOD), ``flag_reason`` (``test: reason``, joined by `` | ``) and
        ``kept`` (bool).

    Raises
    ------
    PermagridError
        If a test or keyword is unknown, `exclude` holds something that is no code, or a test from
        elsewhere returns something else than `Flags` for all rows.

    Examples
    --------
    >>> rows = gpd.GeoDataFrame({"site_id": ["a", "b"], "latitude": [0.0, 71.31], "longitude": [0.0, 25.78]})
    >>> flagged = flag_sites(rows, {"coordinates": {}})
    >>> flagged[["flag_coordinates", "flag_reason", "kept"]].values.tolist()
    [[4, 'coordinates: exactly 0, 0', False], [1, '', True]]
    """
    faults = [fault for name, keywords in tests.items() for fault in QUALITY.faults(name, keywords or {})]
    strange = sorted(set(exclude) - {1, 2, 3, 4, 9})
    faults += [f"unknown quality code {code!r} in exclude; allowed: 1, 2, 3, 4, 9" for code in strange]
    if faults:
        raise PermagridError("; ".join(faults))
    columns = [name for name in sites.columns if not name.startswith(_PREFIX) and name != _KEPT]
    plain = sites[columns].copy()
    kept = np.ones(len(plain), dtype=bool)
    codes: dict[str, NDArray[Any]] = {}
    reasons: dict[str, NDArray[Any]] = {}
    for name in sorted(tests, key=near_duplicates.__name__.__eq__):
        flags = QUALITY[name](plain.assign(kept=kept), **(tests[name] or {}))
        codes[name], reasons[name] = _checked(name, flags, plain)
        kept &= ~np.isin(codes[name], list(exclude))
    added = {f"{_PREFIX}{name}": codes[name] for name in tests}
    joined = _joined_reasons({name: reasons[name] for name in tests}, len(plain))
    return plain.assign(**added, flag_reason=joined, kept=kept)


def _checked(name: str, flags: Flags, sites: gpd.GeoDataFrame) -> tuple[NDArray[Any], NDArray[Any]]:
    if not isinstance(flags, Flags) or not all(len(part) == len(sites) for part in flags):
        raise PermagridError(f"quality test {name} must return Flags(codes, reasons), one of each a row")
    codes = flags.codes.to_numpy(dtype=np.uint8)
    strange = sorted(set(codes.tolist()) - {1, 2, 3, 4, 9})
    if strange:
        raise PermagridError(f"quality test {name} returned the code {strange[0]}; allowed: 1, 2, 3, 4, 9")
    return codes, flags.reasons.to_numpy(dtype=object)


def _joined_reasons(reasons: Mapping[str, NDArray[Any]], rows: int) -> NDArray[Any]:
    joined = np.full(rows, "", dtype=object)
    for name, texts in reasons.items():
        for row in np.flatnonzero(texts != ""):
            said = f"{name}: {str(texts[row]).replace(_JOIN, ' / ')}"
            joined[row] = f"{joined[row]}{_JOIN}{said}" if joined[row] else said
    return joined


def tests_of(sites: gpd.GeoDataFrame) -> list[str]:
    """Return the tests whose verdicts a table from `flag_sites` holds, in order."""
    return [
        name.removeprefix(_PREFIX) for name in sites.columns if name.startswith(_PREFIX) and name != _REASON
    ]


def flag_counts(sites: gpd.GeoDataFrame) -> dict[str, dict[str, int]]:
    """Return how many rows each test found suspect, failed, missing, or could not judge.

    Parameters
    ----------
    sites
        A table from `flag_sites`.

    Examples
    --------
    >>> rows = gpd.GeoDataFrame({"flag_gross_range": np.array([1, 4, 3, 3], dtype="uint8")})
    >>> flag_counts(rows)
    {'gross_range': {'suspect': 2, 'fail': 1, 'missing': 0, 'not_evaluated': 0}}
    """
    counted = {**VERDICTS, NOT_EVALUATED: "not_evaluated"}
    return {
        test: {word: int((sites[_PREFIX + test] == code).sum()) for code, word in counted.items()}
        for test in tests_of(sites)
    }


def flagged_rows(sites: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return one line for each row and test that found something: what the report lists.

    Parameters
    ----------
    sites
        A table from `flag_sites`.

    Returns
    -------
    pandas.DataFrame
        ``test``, ``verdict`` (suspect, fail, missing), ``reason``, ``kept``, and what names the row:
        ``site_id``, ``name``, ``variable``, ``value``, ``year``, ``depth`` [m], ``source``, ``file``,
        ``row``, as far as the table has them.

    Examples
    --------
    >>> rows = gpd.GeoDataFrame({"site_id": ["a"], "latitude": [0.0], "longitude": [0.0]})
    >>> flagged_rows(flag_sites(rows, {"coordinates": {}}))[["site_id", "verdict", "reason"]].values.tolist()
    [['a', 'fail', 'exactly 0, 0']]
    """
    named = ("site_id", "name", "variable", "value", "year", "depth", "source", "file", "row")
    shown = [name for name in named if name in sites]
    parts = []
    for test in tests_of(sites):
        code = sites[_PREFIX + test]
        rows = sites[code.isin(list(VERDICTS))]
        start = f"{test}: "
        said = [
            next((part.removeprefix(start) for part in text.split(_JOIN) if part.startswith(start)), "")
            for text in rows[_REASON]
        ]
        part = pd.DataFrame(rows[shown]).assign(test=test, reason=said, kept=rows[_KEPT].to_numpy(dtype=bool))
        parts.append(part.assign(verdict=code.loc[rows.index].map(VERDICTS)))
    columns = ["test", "verdict", "reason", "kept", *shown]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
