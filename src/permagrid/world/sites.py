"""Observations of a virtual world: clustered sites, many depths and years, with measurement error."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist

from permagrid.errors import PermagridError
from permagrid.world.climate import air_temperature, climate, epoch_years
from permagrid.world.noise import Array, cell_size, generator, located_in, places_at
from permagrid.world.terrain import terrain

Mask = npt.NDArray[np.bool_]

COLUMNS: dict[str, str] = {
    **dict.fromkeys(("site_id", "original_id", "name"), "object"),
    **dict.fromkeys(("latitude", "longitude", "elevation"), "float64"),
    "variable": "object",
    "value": "float64",
    "limit": "object",
    **dict.fromkeys(("depth", "observation_limit"), "float64"),
    **dict.fromkeys(("year", "n_observations"), "Int64"),
    **dict.fromkeys(("method", "site_flags", "remark", "source", "citation", "licence", "file"), "object"),
    "row": "Int64",
}
"""Columns and types of the table of sites, as the site table has them."""

_DEPTHS = ((0.4, 0.8, 1.6, 3.2), (1.0, 3.0, 5.0, 10.0), (2.0, 5.0, 10.0, 15.0, 20.0))
_PROBES = {"probing": 1.5, "thaw tube": 2.5, "ground temperature": np.nan}
_GEOTHERMAL = 0.02  # [K m-1]


class Spot(NamedTuple):
    """Where a site stands."""

    row: int
    column: int
    latitude: float
    longitude: float
    elevation: float


def sample_sites(
    world: xr.Dataset,
    *,
    seed: int = 0,
    n_boreholes: int = 250,
    n_active_layer: int = 120,
    n_stations: int = 60,
) -> pd.DataFrame:
    """Return observations of a virtual world, as a field campaign of decades leaves them.

    Sites crowd around towns and along the roads between them, low and near the coast rather than high.
    Values carry what a point differs from its cell by, the weather of the year and the error of the
    instrument. Probes end at their length: thaw beyond it is censored (``limit`` "above").

    Parameters
    ----------
    world
        From `make_world`.
    seed
        Of the campaign; the world may have another.
    n_boreholes
        Sites with ground temperature [degC] at several depths; two fifths of them, where there is
        permafrost, also have a core with volumetric ice content [%].
    n_active_layer
        Sites with active-layer thickness [cm].
    n_stations
        Sites with annual mean air temperature [degC].

    Returns
    -------
    pandas.DataFrame
        One row an observation, with the columns of the site table.

    Raises
    ------
    PermagridError
        If the world has no land, no permafrost for its active-layer sites, or a number is negative.

    Examples
    --------
    >>> from permagrid.world import default_geobox, make_world
    >>> world = make_world(default_geobox(30, 50_000.0), seed=1)
    >>> sample_sites(world, n_boreholes=5, n_active_layer=5, n_stations=5)["site_id"].nunique()
    15
    """
    if min(n_boreholes, n_active_layer, n_stations) < 0:
        raise PermagridError("the numbers of sites of a virtual world must be 0 or more")
    random = generator(seed, "sites")
    presence = world["truth_permafrost_presence"].values
    land, frozen = presence[0] <= 1, (presence == 1).all(axis=0)
    roads = place_roads(random, world, land)
    drilled = place_sites(random, world, land, roads, n_boreholes)
    probed = place_sites(random, world, frozen, roads, n_active_layer)
    stations = place_sites(random, world, land, roads, n_stations)
    rows: list[dict[str, object]] = []
    for number, spot in enumerate(drilled, start=1):
        site = _site("B", number, spot)
        rows += _borehole(random, world, spot, site)
        if random.random() < 0.4:
            rows += _core(random, world, spot, site)
    for number, spot in enumerate(probed, start=1):
        rows += _active_layer(random, world, spot, _site("A", number, spot))
    for number, spot in enumerate(stations, start=1):
        rows += _station(random, world, spot, _site("S", number, spot))
    return observation_table(rows, int(world.attrs["seed"]))


def observation_table(rows: list[dict[str, object]], world_seed: int) -> pd.DataFrame:
    """Return rows with all columns of the site table, typed."""
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    texts = [name for name, dtype in COLUMNS.items() if dtype == "object"]
    frame["limit"] = frame["limit"].astype(object).fillna("exact")
    frame["source"] = "virtual world"
    frame["citation"] = f"permagrid virtual world, seed {world_seed}"
    frame["licence"] = "CC0-1.0"
    frame[texts] = frame[texts].astype(object).fillna("")
    return frame.astype(COLUMNS)


def place_roads(random: np.random.Generator, world: xr.Dataset, land: Mask) -> Array:
    """Return towns joined by a tree of roads, each road as (row, column, row, column)."""
    rows, columns = np.nonzero(land)
    if rows.size == 0:
        raise PermagridError("the virtual world has no land here; choose another grid or seed")
    elevation = world["elevation"].values[rows, columns]
    weight = np.exp(-elevation / 500.0) + 1e-6
    count = min(20, rows.size)
    towns = random.choice(rows.size, size=count, replace=False, p=weight / weight.sum())
    at = np.column_stack([rows[towns], columns[towns]]) + 0.5
    start, end = minimum_spanning_tree(cdist(at, at)).nonzero()
    if start.size == 0:
        return np.column_stack([at, at])
    return np.column_stack([at[start], at[end]])


def place_sites(
    random: np.random.Generator, world: xr.Dataset, allowed: Mask, roads: Array, count: int
) -> list[Spot]:
    """Return places of sites: half of them around towns, a third along roads, the others anywhere."""
    rows, columns = np.nonzero(allowed)
    if count and rows.size == 0:
        raise PermagridError("the virtual world has no permafrost here; choose another grid or seed")
    cell = cell_size(world.odc.geobox)
    found: list[Array] = []
    while sum(map(len, found)) < count:
        road = roads[random.integers(len(roads), size=4 * count)]
        share, kind = random.random((4 * count, 1)), random.random((4 * count, 1))
        along = road[:, :2] * (1.0 - share) + road[:, 2:] * share
        town = np.where(share < 0.5, road[:, :2], road[:, 2:])
        spread = np.where(kind < 0.5, 25.0, 4.0) / cell
        near = np.where(kind < 0.5, town, along) + spread * random.standard_normal((4 * count, 2))
        pick = random.integers(rows.size, size=4 * count)
        anywhere = np.column_stack([rows[pick], columns[pick]]) + 0.5
        at = np.where(kind < 0.85, near, anywhere)
        # Off the borders of cells, so that rounded coordinates stay in the cell.
        inside = np.floor(at) + random.uniform(0.05, 0.95, at.shape)
        row, column = np.floor(inside).astype(int).T
        shape = allowed.shape
        valid = (row >= 0) & (column >= 0) & (row < shape[0]) & (column < shape[1])
        valid[valid] = allowed[row[valid], column[valid]]
        found.append(inside[valid])
    return _located(random, world, np.concatenate(found)[:count]) if found else []


def _located(random: np.random.Generator, world: xr.Dataset, at: Array) -> list[Spot]:
    geobox = world.odc.geobox
    longitude, latitude = located_in(geobox, at[:, 1], at[:, 0], "EPSG:4326")
    longitude = np.mod(longitude + 180.0, 360.0) - 180.0
    row, column = np.floor(at).astype(int).T
    elevation = world["elevation"].values[row, column] + random.normal(0.0, 8.0, len(at))
    numbers = zip(row, column, latitude.round(4), longitude.round(4), elevation.round(0), strict=True)
    return [Spot(int(r), int(c), float(y), float(x), max(float(z), 1.0)) for r, c, y, x, z in numbers]


def _site(letter: str, number: int, spot: Spot) -> dict[str, object]:
    identity = f"{letter}{number:03d}"
    kind = {"B": "Borehole", "A": "Active-layer grid", "S": "Station"}[letter]
    return {
        "site_id": f"virtual:{identity}",
        "original_id": identity,
        "name": f"{kind} {number}",
        "latitude": spot.latitude,
        "longitude": spot.longitude,
        "elevation": spot.elevation,
    }


def _visits(random: np.random.Generator, world: xr.Dataset, mean: float) -> list[tuple[int, int]]:
    """Return the years of a site's record, each with the place of its epoch; later years are likelier."""
    years = [(y, e) for e, epoch in enumerate(world["epoch"].values) for y in epoch_years(str(epoch))]
    years.sort()
    length = min(int(1 + random.exponential(mean)), len(years))
    start = int((len(years) - length + 1) * random.random() ** 0.7)
    return years[start : start + length]


def _at(world: xr.Dataset, name: str, epoch: int, spot: Spot) -> float:
    return float(world[name].values[epoch, spot.row, spot.column])


def _borehole(
    random: np.random.Generator, world: xr.Dataset, spot: Spot, site: dict[str, object]
) -> list[dict[str, object]]:
    """Return ground temperatures: from that of the surface to that of the permafrost table, then linear."""
    depths = np.array(_DEPTHS[random.choice(len(_DEPTHS), p=(0.4, 0.35, 0.25))])
    own = random.normal(0.0, 0.45)
    rows: list[dict[str, object]] = []
    for year, epoch in _visits(random, world, 7.0):
        surface = _at(world, "truth_mean_annual_ground_surface_temperature", epoch, spot)
        deep = _at(world, "truth_mean_annual_ground_temperature", epoch, spot)
        thaw = _at(world, "truth_active_layer_thickness", epoch, spot) / 100.0
        share = np.minimum(depths / (thaw if np.isfinite(thaw) else 1.5), 1.0)
        weather = random.normal(0.0, 0.4) * np.exp(-depths / 6.0)
        profile = surface + (deep - surface) * share + _GEOTHERMAL * np.maximum(depths - 10.0, 0.0)
        measured = profile + own + weather + random.normal(0.0, 0.08, depths.size)
        days = int(random.integers(300, 366))
        rows += [
            site
            | {"variable": "ground_temperature", "value": round(float(value), 2), "depth": float(depth)}
            | {"year": year, "n_observations": days, "method": "thermistor string"}
            for depth, value in zip(depths, measured, strict=True)
        ]
    return rows


def _core(
    random: np.random.Generator, world: xr.Dataset, spot: Spot, site: dict[str, object]
) -> list[dict[str, object]]:
    year, epoch = _visits(random, world, 0.0)[0]
    ice = _at(world, "truth_volumetric_ice_content", epoch, spot)
    if not np.isfinite(ice):
        return []
    value = round(float(np.clip(ice + random.normal(0.0, 5.0), 0.0, 98.0)), 1)
    core = {"variable": "volumetric_ice_content", "value": value, "depth": round(random.uniform(1.5, 4.0), 1)}
    return [site | core | {"year": year, "n_observations": int(random.integers(3, 20)), "method": "core"}]


def _active_layer(
    random: np.random.Generator, world: xr.Dataset, spot: Spot, site: dict[str, object]
) -> list[dict[str, object]]:
    method = str(random.choice(list(_PROBES), p=(0.7, 0.2, 0.1)))
    own, reach = np.exp(random.normal(0.0, 0.08)), _PROBES[method]
    rows: list[dict[str, object]] = []
    for year, epoch in _visits(random, world, 8.0):
        truth = _at(world, "truth_active_layer_thickness", epoch, spot)
        value = max(truth * own * np.exp(random.normal(0.0, 0.06)) + random.normal(0.0, 2.0), 8.0)
        beyond = value > 100.0 * reach
        reading = {
            "variable": "active_layer_thickness",
            "value": 100.0 * reach if beyond else float(round(value)),
            "limit": "above" if beyond else "exact",
            "observation_limit": reach,
            "year": year,
            "n_observations": 121 if method == "probing" else 1,
            "method": method,
        }
        rows.append(site | reading)
    return rows


def _station(
    random: np.random.Generator, world: xr.Dataset, spot: Spot, site: dict[str, object]
) -> list[dict[str, object]]:
    """Return annual means of the very weather that the world has in each year."""
    seed = int(world.attrs["seed"])
    places = places_at(
        np.array([spot.longitude]), np.array([spot.latitude]), cell=cell_size(world.odc.geobox)
    )
    inland = terrain(places, seed=seed).continentality
    elevation = world["elevation"].values[spot.row, spot.column].astype(np.float64).reshape(1)
    weather = climate(places, elevation, inland, seed=seed)
    own = random.normal(0.0, 0.3)
    rows: list[dict[str, object]] = []
    for year, _ in _visits(random, world, 20.0):
        mean = air_temperature(weather, range(year, year + 1), seed=seed).mean() + own
        value = round(float(mean + random.normal(0.0, 0.05)), 2)
        reading = {"variable": "air_temperature", "value": value, "year": year, "n_observations": 12}
        rows.append(site | reading | {"method": "screen at 2 m"})
    return rows
