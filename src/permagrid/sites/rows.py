"""Observations that stand each for itself: one row of a table of samples, none joined with another."""

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd

from permagrid.errors import PermagridError
from permagrid.sites.fates import FATES, epoch_name
from permagrid.sites.identity import site_groups

_SORTED_BY = ("site_id", "variable", "depth", "file", "row", "value")


def observation_rows(
    sites: gpd.GeoDataFrame,
    *,
    epoch: tuple[int, int],
    depth_range: tuple[float, float] | None = None,
    same_place: float = 100.0,
) -> gpd.GeoDataFrame:
    """Return one row per observation that has a value, for learners that see its own columns.

    Nothing is averaged: samples of one borehole, even of one depth, stay apart, as each has its own
    covariates. Rows without a year belong to the epoch.

    Parameters
    ----------
    sites
        Site table of one variable, with any columns beside its own; rows whose ``kept`` (see `flag_sites`)
        is false are left out.
    epoch
        First and last year; rows of other years are left out.
    depth_range
        Least and greatest depth [m] of samples to use; without it rows of unknown depth count too.
    same_place
        Sites closer than this are one place [m], where they have coordinates.

    Returns
    -------
    geopandas.GeoDataFrame
        Sorted by site, depth and place in the file, whatever the order of `sites`: its columns, and
        ``epoch``, ``n_years`` (0 without a year), ``years``, ``n_censored`` and ``site_group``, the place,
        or the site where there are no coordinates.

    Raises
    ------
    PermagridError
        If no row is left, with why they fell away.

    Examples
    --------
    >>> from permagrid.sites.table import site_table
    >>> samples = site_table(pd.DataFrame({"site_id": "bh:1", "latitude": np.nan, "longitude": np.nan,
    ...     "variable": "excess_ice_content", "depth": [1.0, 1.0, 2.5], "value": [0.0, 12.0, 40.0]}))
    >>> rows = observation_rows(samples, epoch=(2010, 2019))
    >>> rows[["site_group", "epoch", "depth", "value"]].values.tolist()[1]
    ['bh:1', '2010-2019', 1.0, 12.0]
    """
    fate = _fates(sites, epoch, depth_range)
    used = pd.DataFrame(sites[fate == "used"]).drop(columns="geometry", errors="ignore")
    if used.empty:
        counts = pd.Series(fate).value_counts()
        why = "; ".join(f"{count} rows: {FATES[str(name)]}" for name, count in counts.items())
        raise PermagridError(f"no observation is left in {epoch_name(epoch)}: {why or 'there are none'}")
    by = [name for name in _SORTED_BY if name in used]
    used = used.sort_values(by, kind="stable").reset_index(drop=True)
    year = used["year"].to_numpy(dtype=float, na_value=np.nan)
    used = used.assign(
        epoch=epoch_name(epoch),
        n_years=np.isfinite(year).astype(int),
        years=[f"{y:.0f}" if np.isfinite(y) else "" for y in year],
        n_censored=(used["limit"] != "exact").astype(int),
    )
    points = gpd.points_from_xy(used["longitude"], used["latitude"])
    placed = gpd.GeoDataFrame(used, geometry=points, crs="EPSG:4326")
    return placed.assign(site_group=site_groups(placed, distance=same_place))


def _fates(
    sites: gpd.GeoDataFrame, epoch: tuple[int, int], depth_range: Sequence[float] | None
) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    """Return what becomes of each row: a word of `FATES`."""
    year = sites["year"].to_numpy(dtype=float, na_value=np.nan)
    depth = sites["depth"].to_numpy(dtype=float)
    kept = sites["kept"].to_numpy(bool) if "kept" in sites else np.ones(len(sites), dtype=bool)
    other = np.zeros(len(sites), dtype=bool)
    if depth_range is not None:
        other = ~((depth >= depth_range[0] - 1e-9) & (depth <= depth_range[1] + 1e-9))
    return np.select(
        [~kept, sites["value"].isna().to_numpy(), other, (year < epoch[0]) | (year > epoch[1])],
        ["flagged", "no_value", "other_depth", "other_epoch"],
        default="used",
    ).astype(object)
