"""The fate of every row in a reduction: which rows stand behind a site and epoch, and why others do not."""

from collections.abc import Sequence
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError, did_you_mean

DepthRule = Literal["each", "mean", "deepest", "nearest"]

DEPTH_VARIABLES = ("ground_temperature", "soil_temperature", "volumetric_ice_content", "excess_ice_content")
"""Variables whose value belongs to the depth of a sensor or sample; the others have none."""

FATES: dict[str, str] = {
    "used": "part of at least one reduced row",
    "flagged": "excluded by a quality test",
    "no_value": "the value is missing",
    "other_depth": "the sensor has no depth or lies outside the depth range",
    "no_year": "a normal without year, and those are not asked for",
    "other_epoch": "the year lies in no epoch",
    "other_sensor": "another sensor of the site was chosen",
    "censored": "says only above or below, beside exact values",
    "contradictory_limits": "its site and epoch have values above and values below, and none exact",
    "normal_beside_series": "a normal without year, where the site has years in the epoch",
    "too_few_years": "its site and epoch have fewer years than asked for",
}
"""What can become of a row. A row that falls under several gets the one listed first."""

GROUP = ["site_id", "variable", "epoch"]
"""What a reduced row stands for; with ``level``, the depth in mm precision where each depth has its row."""


def row_fates(
    sites: gpd.GeoDataFrame,
    *,
    epochs: Sequence[tuple[int, int]],
    min_years: int = 1,
    depth_range: tuple[float, float] | None = None,
    depth_rule: DepthRule = "mean",
    depth: float | None = None,
    normals: bool = False,
) -> "pd.Series[str]":
    """Return what becomes of each row in `reduce_sites` with the same keywords: a word of `FATES`.

    Parameters
    ----------
    sites, epochs, min_years, depth_range, depth_rule, depth, normals
        As for `reduce_sites`.

    Returns
    -------
    pandas.Series
        Named ``fate``, with the index of `sites`. A row used in one of several epochs is used.

    Raises
    ------
    PermagridError
        As `reduce_sites`.

    Examples
    --------
    >>> from permagrid.sites.table import site_table
    >>> rows = site_table(pd.DataFrame({"site_id": "a", "latitude": 71.31, "longitude": -156.6,
    ...     "variable": "active_layer_thickness", "year": [1981, 1999], "value": [35.0, 42.0]}))
    >>> row_fates(rows, epochs=[(1980, 1984)]).value_counts().to_dict()
    {'used': 1, 'other_epoch': 1}
    """
    long = rows_by_epoch(
        sites,
        epochs=epochs,
        min_years=min_years,
        depth_range=depth_range,
        depth_rule=depth_rule,
        depth=depth,
        normals=normals,
    )
    rank = {fate: number for number, fate in enumerate(FATES)}
    worst = long["fate"].map(rank).groupby(long["position"]).min().reindex(range(len(sites)))
    fates = worst.map(dict(enumerate(FATES))).to_numpy(dtype=object)
    return pd.Series(fates, index=sites.index, name="fate", dtype=object)


def epoch_name(epoch: tuple[int, int]) -> str:
    """Return the text that names an epoch.

    Examples
    --------
    >>> epoch_name((1980, 1984))
    '1980-1984'
    """
    return f"{int(epoch[0])}-{int(epoch[1])}"


def rows_by_epoch(
    sites: gpd.GeoDataFrame,
    *,
    epochs: Sequence[tuple[int, int]],
    min_years: int,
    depth_range: tuple[float, float] | None,
    depth_rule: str,
    depth: float | None,
    normals: bool,
) -> pd.DataFrame:
    """Return each row once per epoch it may belong to, with its ``fate`` there.

    Beside what `reduce_sites` reads, a row has its ``position`` in `sites`, its ``epoch`` (empty for a row in
    none) and its ``level``. The order does not depend on that of `sites`, so that sums do not either.
    """
    _check_rules(epochs, min_years, depth_range, depth_rule, depth)
    rows = _plain_rows(sites)
    by_depth = rows["variable"].isin(DEPTH_VARIABLES)
    if depth_range is not None:
        beyond = by_depth & ~rows["depth"].between(depth_range[0] - 1e-9, depth_range[1] + 1e-9)
        _settle(rows, beyond, "other_depth")
    if not normals:
        _settle(rows, rows["year"].isna(), "no_year")
    parts = []
    for first, last in epochs:
        part = rows[rows["year"].isna() | rows["year"].between(first, last)]
        parts.append(part.assign(epoch=epoch_name((first, last))))
    never = rows["year"].notna() & ~rows.index.isin(pd.concat(parts).index)
    _settle(rows, never, "other_epoch")
    long = pd.concat([*parts, rows[never].assign(epoch="")], ignore_index=True)
    _settle_normals(long)
    one_level = np.full(len(long), depth_rule != "each") | ~long["variable"].isin(DEPTH_VARIABLES)
    long.loc[one_level, "level"] = 0.0
    if depth_rule in ("deepest", "nearest"):
        _settle_sensors(long, depth, min_years)
    _settle_censored(long)
    _settle_short(long, min_years)
    return long


def _check_rules(
    epochs: Sequence[tuple[int, int]],
    min_years: int,
    depth_range: tuple[float, float] | None,
    depth_rule: str,
    depth: float | None,
) -> None:
    rules = ("each", "mean", "deepest", "nearest")
    if not epochs:
        raise PermagridError("reduction needs at least one epoch, such as (1980, 1984)")
    for epoch in epochs:
        if len(epoch) != 2 or epoch[0] > epoch[1]:
            raise PermagridError(f"an epoch is a first and a last year, in this order; found {tuple(epoch)}")
    if len({epoch_name(epoch) for epoch in epochs}) < len(epochs):
        raise PermagridError(f"epochs must differ; found {', '.join(map(epoch_name, epochs))}")
    if min_years < 1:
        raise PermagridError(f"min_years must be 1 or more; found {min_years}")
    if depth_range is not None and not (len(depth_range) == 2 and depth_range[0] <= depth_range[1]):
        raise PermagridError(f"depth_range must be (least, greatest) in m; found {tuple(depth_range)}")
    if depth_rule not in rules:
        raise PermagridError(f"unknown depth rule {depth_rule!r}: {did_you_mean(depth_rule, rules)}")
    if (depth is None) == (depth_rule == "nearest"):
        raise PermagridError(
            f"depth rule 'nearest' needs the keyword depth [m], and the others take none; "
            f"found {depth_rule!r} with depth {depth}"
        )


def _plain_rows(sites: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return what the reduction reads, sorted so that sums do not depend on the order of `sites`."""
    texts = ("site_id", "variable", "limit")
    floats = ("value", "depth", "year", "n_observations", "observation_limit", "elevation")
    columns = {name: sites[name].astype(str).to_numpy() for name in texts}
    columns |= {name: sites[name].to_numpy(dtype=float, na_value=np.nan) for name in floats}
    rows = pd.DataFrame(columns | {"position": np.arange(len(sites)), "fate": "used"})
    rows["depth"] = rows["depth"].round(3)
    rows["level"] = rows["depth"].fillna(-1.0)
    if "kept" in sites:
        _settle(rows, ~sites["kept"].to_numpy(dtype=bool), "flagged")
    _settle(rows, rows["value"].isna(), "no_value")
    order = [*texts, *floats]
    return rows.sort_values(order, kind="stable").reset_index(drop=True)


def _settle(rows: pd.DataFrame, mask: "pd.Series[bool] | NDArray[Any]", fate: str) -> None:
    """Give `fate` to those rows of `mask` that are still in use."""
    rows.loc[mask & (rows["fate"] == "used"), "fate"] = fate


def in_use(long: pd.DataFrame) -> "pd.Series[bool]":
    """Return which rows of `rows_by_epoch` stand behind a reduced row."""
    return long["fate"] == "used"


def _settle_normals(long: pd.DataFrame) -> None:
    has_years = (in_use(long) & long["year"].notna()).groupby([long[name] for name in GROUP]).transform("any")
    _settle(long, long["year"].isna() & has_years, "normal_beside_series")


def _settle_sensors(long: pd.DataFrame, depth: float | None, min_years: int) -> None:
    """Choose one sensor per site and epoch; the rows of the others are settled."""
    of_sensors = in_use(long) & long["variable"].isin(DEPTH_VARIABLES)
    if not of_sensors.any():
        return
    rows = long[of_sensors].copy()
    rows["sensor"], rows["normal"] = rows["depth"].fillna(-1.0), rows["year"].isna()
    sensors = rows.groupby([*GROUP, "sensor"]).agg(years=("year", "nunique"), normal=("normal", "any"))
    sensors = sensors.reset_index()
    sensors["short"] = (sensors["years"] < min_years) & ~sensors["normal"]
    known = sensors["sensor"].where(sensors["sensor"] >= 0.0)
    # The rule that has no depth to aim at is the deepest.
    sensors["badness"] = -known if depth is None else (known - depth).abs().round(6)
    best = sensors.sort_values(
        [*GROUP, "short", "badness", "sensor"], ascending=[True] * 5 + [False], na_position="last"
    )
    chosen = best.groupby(GROUP)["sensor"].first()
    wanted = chosen.reindex(pd.MultiIndex.from_frame(rows[GROUP])).to_numpy()
    others = rows.index[rows["sensor"].to_numpy() != wanted]
    _settle(long, long.index.isin(others), "other_sensor")


def _settle_censored(long: pd.DataFrame) -> None:
    """Keep exact values where there are any; else values that are all censored to one side."""
    keys = [long[name] for name in (*GROUP, "level")]
    used = in_use(long)
    some = {
        limit: (used & (long["limit"] == limit)).groupby(keys).transform("any")
        for limit in ("exact", "above", "below")
    }
    _settle(long, (long["limit"] != "exact") & some["exact"], "censored")
    _settle(long, ~some["exact"] & some["above"] & some["below"], "contradictory_limits")


def _settle_short(long: pd.DataFrame, min_years: int) -> None:
    used = in_use(long)
    keys = [long[name] for name in (*GROUP, "level")]
    years = long["year"].where(used).groupby(keys).transform("nunique")
    _settle(long, (years < min_years) & long["year"].notna(), "too_few_years")
