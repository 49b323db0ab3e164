"""Reduction of observations to one row per site and epoch."""

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError, did_you_mean
from permagrid.sites.fates import GROUP, DepthRule, epoch_name, in_use, rows_by_epoch
from permagrid.sites.identity import site_groups

STATISTICS = {"mean": "mean", "median": "median", "minimum": "min", "maximum": "max"}
"""Name of a statistic over years -> how pandas calls it."""

CARRIED = ("name", "method", "site_flags", "source", "citation", "licence", "label_basis")
"""Texts of the rows that a reduced row carries on, as far as the table has them."""


def reduce_sites(
    sites: gpd.GeoDataFrame,
    *,
    epochs: Sequence[tuple[int, int]],
    statistic: str = "mean",
    min_years: int = 1,
    depth_range: tuple[float, float] | None = None,
    depth_rule: DepthRule = "mean",
    depth: float | None = None,
    normals: bool = False,
) -> gpd.GeoDataFrame:
    """Return one row per site, variable and epoch (and sensor depth, where `depth_rule` is ``each``).

    First the sensors of a year are averaged, then the years: a year with many sensors weighs no more than
    one with few. Censored values stand back behind exact ones (``n_censored`` tells how many); where a
    site has none but censored values in an epoch, the reduced row keeps their limit: the greatest of the
    values ``above``, the least of the values ``below``. Epochs may overlap: a year counts in each.
    `row_fates` tells what becomes of each row.

    Parameters
    ----------
    sites
        Site table; rows whose ``kept`` (see `flag_sites`) is false are left out.
    epochs
        First and last year of each, both included.
    statistic
        Over the years of a site: mean, median, minimum or maximum.
    min_years
        Fewest years behind a reduced row.
    depth_range
        Least and greatest depth [m] of sensors to use. Only for `DEPTH_VARIABLES`; without a range the rows
        of unknown depth count too.
    depth_rule
        How several sensors of a site become one: ``each`` (a row a depth), ``mean`` (average of the annual
        means), ``deepest`` or ``nearest`` (to `depth`): among the sensors with at least `min_years` years
        in the epoch, the same one in all years.
    depth
        Depth [m] that ``nearest`` aims at; of two equally near sensors the deeper one is taken.
    normals
        Whether rows without a year count in every epoch in which their site has no years. They are
        exempt from `min_years` and have ``n_years`` 0.

    Returns
    -------
    geopandas.GeoDataFrame
        Sorted by site, variable, epoch and depth, whatever the order of `sites`. ``epoch`` (text such as
        ``1980-1984``), ``value``, ``limit``, ``n_years``, ``years`` (``1981,1983``), ``n_observations``,
        ``n_censored``, ``depth`` [m] (mean of the sensors), ``observation_limit`` [m] (the greatest),
        ``elevation`` [m] (median), the most frequent coordinates of the site [degree], ``site_group``, and
        the distinct texts of ``name``, ``method``, ``source``, ``citation``, ``licence`` (and
        ``label_basis``, for labels) joined by ``; ``, and all words of ``site_flags``.

    Raises
    ------
    PermagridError
        If an epoch, the statistic, the depth rule, the depth range or `min_years` makes no sense.

    Examples
    --------
    >>> from permagrid.sites.table import site_table
    >>> rows = site_table(pd.DataFrame({"site_id": "a", "latitude": 71.31, "longitude": -156.6,
    ...     "variable": "ground_temperature", "year": [1981, 1981, 1983], "depth": [5.0, 10.0, 10.0],
    ...     "value": [-6.0, -8.0, -9.0]}))
    >>> reduced = reduce_sites(rows, epochs=[(1980, 1984)])
    >>> reduced[["epoch", "value", "n_years", "years", "depth"]].values.tolist()
    [['1980-1984', -8.0, 2, '1981,1983', 8.75]]
    """
    if statistic not in STATISTICS:
        raise PermagridError(f"unknown statistic {statistic!r}: {did_you_mean(statistic, STATISTICS)}")
    long = rows_by_epoch(
        sites,
        epochs=epochs,
        min_years=min_years,
        depth_range=depth_range,
        depth_rule=depth_rule,
        depth=depth,
        normals=normals,
    )
    reduced = _reduced(long, statistic)
    return _with_places(reduced, sites, [epoch_name(epoch) for epoch in epochs])


def _reduced(long: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """Return one line per group: sensors are averaged within a year, then years by `statistic`."""
    used = long[in_use(long)].copy()
    used["when"] = used["year"].fillna(-1.0)
    keys = [*GROUP, "level"]
    beside = long[long["fate"] == "censored"].groupby(keys).size()
    annual = used.groupby([*keys, "when"]).agg(value=("value", "mean"), depth=("depth", "mean"))
    by_group = annual.groupby(keys)
    groups = used.groupby(keys)
    reduced = groups.agg(
        limit=("limit", "first"),
        n_years=("year", "nunique"),
        observation_limit=("observation_limit", "max"),
        elevation=("elevation", "median"),
        greatest=("value", "max"),
        least=("value", "min"),
        positions=("position", tuple),
        years=("year", _listed_years),
    )
    exact = by_group["value"].agg(STATISTICS[statistic])
    value = exact.where(reduced["limit"] == "exact", reduced["greatest"])
    reduced["value"] = value.where(reduced["limit"] != "below", reduced["least"])
    reduced["depth"] = by_group["depth"].mean()
    rows_behind = groups.size()
    beside = beside.reindex(reduced.index, fill_value=0)
    reduced["n_censored"] = beside.where(reduced["limit"] == "exact", rows_behind).astype(int)
    reduced["n_observations"] = groups["n_observations"].sum(min_count=1).astype("Int64")
    return reduced.drop(columns=["greatest", "least"]).reset_index()


def _listed_years(years: "pd.Series[float]") -> str:
    return ",".join(str(int(year)) for year in sorted(set(years.dropna())))


def _with_places(reduced: pd.DataFrame, sites: gpd.GeoDataFrame, epochs: list[str]) -> gpd.GeoDataFrame:
    """Return the reduced rows with coordinates, place and provenance, in their final order."""
    rank = reduced["epoch"].map({name: number for number, name in enumerate(epochs)})
    table = reduced.assign(rank=rank).sort_values(["site_id", "variable", "rank", "depth"], kind="stable")
    table = table.drop(columns="rank").reset_index(drop=True)
    carried = [column for column in CARRIED if column in sites]
    for column in carried:
        texts = sites[column].astype(str).to_numpy(dtype=object)
        table[column] = [_joined(texts[list(rows)], column) for rows in table["positions"]]
    used = sorted({row for rows in table["positions"] for row in rows})
    places = _usual_places(sites.iloc[used]).reindex(table["site_id"])
    table["longitude"], table["latitude"] = places["longitude"].to_numpy(), places["latitude"].to_numpy()
    order = ["site_id", "latitude", "longitude", "elevation", "variable", "epoch", "value", "limit", "depth"]
    order += ["observation_limit", "n_years", "years", "n_observations", "n_censored", *carried]
    points = gpd.points_from_xy(table["longitude"], table["latitude"])
    placed = gpd.GeoDataFrame(table[order], geometry=points, crs="EPSG:4326")
    return placed.assign(site_group=site_groups(placed))


def _joined(texts: NDArray[Any], column: str) -> str:
    if column == "site_flags":
        return ",".join(sorted({word for text in texts for word in text.split(",") if word}))
    return "; ".join(sorted({text for text in texts if text}))


def _usual_places(sites: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the most frequent coordinates of each site; of equally frequent ones the smallest."""
    places = pd.DataFrame({name: sites[name].to_numpy() for name in ("site_id", "longitude", "latitude")})
    places["site_id"] = places["site_id"].astype(str)
    counted = places.groupby(["site_id", "longitude", "latitude"]).size().rename("rows").reset_index()
    counted = counted.sort_values(
        ["site_id", "rows", "longitude", "latitude"], ascending=[True, False, True, True]
    )
    return counted.groupby("site_id")[["longitude", "latitude"]].first()
