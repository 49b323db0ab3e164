"""Quality test for one observation that came in twice, from one source or from two."""

import geopandas as gpd
import numpy as np
import pandas as pd

from permagrid.errors import PermagridError
from permagrid.sites.identity import near_components
from permagrid.sites.quality.flags import FAIL, NOT_EVALUATED, QUALITY, Flags, Verdicts, numbers, wording

_SAME_OBSERVATION = ["variable", "year", "depth"]


@QUALITY.register
def near_duplicates(
    sites: gpd.GeoDataFrame, *, distance: float = 250.0, tolerance: float = 0.05, min_agreement: float = 0.5
) -> Flags:
    """Fail all but the first of rows that tell the same observation again.

    Two rows tell the same when they have the same variable, year and depth, stand within steps of
    `distance` of each other under different site ids or sources, and their values differ by steps of at
    most `tolerance`. A chance agreement of neighbours is not a copy: at least `min_agreement` of the
    values of a site that can be compared must agree. Presence labels, which agree by nature, are
    compared only between sources. Rows of one site that are alike in all of this and in limit and method
    are copies as well. First is who comes first in the table, so sources are to be listed by trust.

    Rows that other tests exclude (column ``kept``) are not evaluated and stand for no one; `flag_sites`
    runs this test last for that reason.

    Parameters
    ----------
    sites
        Site table.
    distance
        Longest step [m] between copies.
    tolerance
        Largest step between the values of copies, in the unit of the variable.
    min_agreement
        Share of a site's comparable values that must agree, 0-1.

    Raises
    ------
    PermagridError
        If `distance` or `tolerance` is negative, or `min_agreement` is not a share.

    Examples
    --------
    >>> rows = gpd.GeoDataFrame({"site_id": ["rhm:1", "gtnp:9"], "source": ["RHM", "GTN-P"],
    ...     "latitude": [62.03, 62.031], "longitude": [129.73, 129.73], "variable": "ground_temperature",
    ...     "year": [2001, 2001], "depth": [3.2, 3.2], "value": [-2.31, -2.30], "limit": "exact",
    ...     "method": ""})
    >>> near_duplicates(rows).reasons.tolist()
    ['', 'same as rhm:1 (RHM), row 0']
    """
    if not tolerance >= 0.0:
        raise PermagridError(f"near_duplicates: tolerance must be 0 or more; found {tolerance}")
    if not 0.0 <= min_agreement <= 1.0:
        raise PermagridError(f"near_duplicates: min_agreement must lie in 0-1; found {min_agreement}")
    rows = _comparable_columns(sites, distance)
    rows["run"] = _runs(rows, tolerance)
    found = Verdicts(sites)
    found.mark(~rows["ready"].to_numpy(), NOT_EVALUATED, "")
    exact = [*_SAME_OBSERVATION, "site", "source", "value", "limit", "method", "place"]
    for copies in (_exact_copies(rows, exact), _copies_of_neighbours(rows, min_agreement)):
        first = copies.to_numpy(dtype=float, na_value=np.nan)
        mask = ~np.isnan(first)
        at = np.where(mask, first, 0.0).astype(int) if len(rows) else first.astype(int)
        name = rows["site"].to_numpy()[at]
        source, index = rows["source"].to_numpy()[at], sites.index.to_numpy()[at]
        found.mark(mask, FAIL, wording("same as {} ({}), row {}", name, source, index, where=mask))
    return found.flags()


def _comparable_columns(sites: gpd.GeoDataFrame, distance: float) -> pd.DataFrame:
    """Return what copies are known by, as plain columns with the row's position as index."""
    place = near_components(numbers(sites, "longitude"), numbers(sites, "latitude"), distance=distance)
    value = numbers(sites, "value")
    excluded = ~sites["kept"].to_numpy(dtype=bool) if "kept" in sites else np.zeros(len(sites), dtype=bool)
    rows = pd.DataFrame(
        {
            "variable": sites["variable"].astype(str).to_numpy(),
            # Groupings drop NaN: an unknown year or depth equals an unknown one here.
            "year": np.nan_to_num(numbers(sites, "year"), nan=-1.0),
            "depth": np.nan_to_num(np.round(numbers(sites, "depth"), 3), nan=-1.0),
            "value": value,
            "place": place,
            "ready": ~np.isnan(value) & ~excluded,
        }
    )
    for name, column in (("site", "site_id"), ("source", "source"), ("limit", "limit"), ("method", "method")):
        rows[name] = sites[column].astype(str).to_numpy()
    # A presence label is compared between sources: two plots that both have permafrost are no copies.
    identity = rows["source"].where(
        rows["variable"] == "permafrost_presence", rows["site"] + "\n" + rows["source"]
    )
    rows["identity"] = pd.factorize(identity)[0]
    return rows


def _exact_copies(rows: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Return for each row that repeats another in `columns` the position of the first such row."""
    ready = rows[rows["ready"]]
    position = pd.Series(ready.index, index=ready.index)
    first = position.groupby([ready[name] for name in columns]).transform("min")
    return first.where(first != position).reindex(rows.index)


def _runs(rows: pd.DataFrame, tolerance: float) -> pd.Series:
    """Return the number of each run of values close together in one place, variable, year and depth."""
    keys = ["place", *_SAME_OBSERVATION, "limit"]
    ready = rows[rows["ready"] & (rows["place"] >= 0)].sort_values([*keys, "value"], kind="stable")
    same = pd.Series(True, index=ready.index)
    for name in keys:
        same &= ready[name] == ready[name].shift()
    # A hair more than the tolerance: 0.1 - 0.05 is not 0.05 in binary.
    close = ready["value"].diff().abs() <= tolerance * (1.0 + 1e-9) + 1e-12
    return (~(same & close)).cumsum().reindex(rows.index)


def _copies_of_neighbours(rows: pd.DataFrame, min_agreement: float) -> pd.Series:
    """Return for each copy of another site's row the position of the first row of its run."""
    ready = rows[rows["run"].notna()]
    position = pd.Series(ready.index, index=ready.index)
    several = ready.groupby(["place", *_SAME_OBSERVATION])["identity"].transform("nunique") > 1
    agrees = ready.groupby("run")["identity"].transform("nunique") > 1
    series = [ready["identity"], ready["place"], ready["variable"]]
    share = agrees.groupby(series).transform("sum") / several.groupby(series).transform("sum")
    first = position.groupby(ready["run"]).transform("min")
    another = ready["identity"] != ready["identity"].reindex(first).to_numpy()
    return first.where(agrees & another & (share >= min_agreement)).reindex(rows.index)
