"""A virtual hemisphere with ground ice whose total is known, and the boreholes drilled into it."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from odc.geo.geobox import GeoBox
from scipy.special import expit, logit, ndtr

from permagrid.errors import PermagridError
from permagrid.world.climate import climate
from permagrid.world.ice_sites import drill
from permagrid.world.noise import Array, Field, places_of
from permagrid.world.region import COVARIATES, make_world
from permagrid.world.surface import surface
from permagrid.world.terrain import terrain
from permagrid.world.truth import ground, ice_content

EPOCH = "2000-2019"
"""Years whose climate the covariates show."""

EXTENT = 5_400_000.0
"""From the pole to each side of the hemisphere's grid [m]: 40 N; no cell south of it has permafrost."""

THICKNESS = 5.0
"""Thickness of the ground below the permafrost table whose ice is counted [m]."""

ICE_VARIABLES: dict[str, tuple[str, str]] = {
    "ndwi": ("1", "normalised difference water index in summer"),
    "permafrost_fraction": ("1", "share of the cell that is underlain by permafrost"),
    "truth_volumetric_ice_content": ("%", "volumetric ice content of the 5 m below the permafrost table"),
}
"""What a world with ground ice has beside `COVARIATES`: variable -> unit and long name."""

_SUBGRID = 1.5  # spread of the ground temperature within a cell [K]
_LEAST = 0.01  # share of permafrost below which a cell is taken to have none
# What no covariate shows, in logits: 1 is about 23 % ice where half of the ground is ice.
_UNEXPLAINED = (0.18, 0.24)
_LIFT, _STRETCH = 0.6, 1.15
_HISTORY = Field("ice history", 1100.0, octaves=4, gain=0.6)
_PATCHES = Field("ice patches", 45.0, octaves=1)  # as good as noise from cell to cell
_WATER = Field("water index", 110.0, octaves=3, gain=0.6)


class IceWorld(NamedTuple):
    """A hemisphere, its boreholes, and the ice that is there."""

    grid: xr.Dataset
    """Covariates and truth on the grid; the sea is NaN."""
    boreholes: pd.DataFrame
    """One volumetric ice content [%] a borehole, with the columns of the site table."""
    storage: float
    """Ice in the `THICKNESS` below the permafrost table of all permafrost [km3]."""


def ice_geobox(resolution: float = 25_000.0) -> GeoBox:
    """Return the grid of the hemisphere: EPSG:6931, equal-area, around the pole to 40 N and beyond.

    Parameters
    ----------
    resolution
        Side of a cell [m], at most a million; the extent is a whole number of cells.

    Raises
    ------
    PermagridError
        If the resolution is out of its range.

    Examples
    --------
    >>> ice_geobox(100_000.0).shape
    Shape2d(x=108, y=108)
    """
    if not 1000.0 <= resolution <= 1_000_000.0:
        raise PermagridError(
            f"the resolution of a hemisphere must be 1000 to 1000000 m, found {resolution:g}"
        )
    half = int(np.ceil(EXTENT / resolution))
    side = half * resolution
    return GeoBox.from_bbox((-side, -side, side, side), "EPSG:6931", shape=(2 * half, 2 * half), tight=True)


def make_ice_world(seed: int = 0, n_boreholes: int = 1178, resolution: float = 25_000.0) -> IceWorld:
    """Return a virtual hemisphere with ground ice: covariates, truth, boreholes and the true total.

    The ice content of a cell follows from geology, soil wetness, ground temperature and the last ice age
    as in `make_world`. What no covariate shows are waves of 1100 km and shorter, a part of the wetness, and
    noise from cell to cell; a borehole differs from its cell as well (`permagrid.world.ice_sites.drill`).
    A world of 25 km takes some two seconds, one of 100 km a fifth of one.

    Parameters
    ----------
    seed
        What the world is made from, 0 or more.
    n_boreholes
        Boreholes, in a few fields along roads as in reality; most of the permafrost has none.
    resolution
        Side of a cell [m].

    Raises
    ------
    PermagridError
        If the seed or the number is negative, or the resolution out of its range.

    Examples
    --------
    >>> world = make_ice_world(seed=1, n_boreholes=50, resolution=200_000.0)
    >>> len(world.boreholes), bool(10_000 < world.storage < 100_000)
    (50, True)
    """
    if n_boreholes < 0:
        raise PermagridError(f"the number of boreholes must be 0 or more, found {n_boreholes}")
    geobox = ice_geobox(resolution)
    whole = make_world(geobox, seed=seed, epochs=[EPOCH]).isel(epoch=0, drop=True)
    grid = whole[[*COVARIATES]]
    temperature = whole["truth_mean_annual_ground_temperature"].values.astype(np.float64)
    ice, water = _ice_and_water(geobox, whole, temperature, seed)
    share = ndtr(-temperature / _SUBGRID)
    share = np.where(share >= _LEAST, share, 0.0)
    layers = {
        "ndwi": np.where(np.isfinite(temperature), water, np.nan),
        "permafrost_fraction": np.where(np.isfinite(temperature), share, np.nan),
        "truth_volumetric_ice_content": np.where(share > 0.0, ice, np.nan),
    }
    for name, values in layers.items():
        units, long_name = ICE_VARIABLES[name]
        described = {"units": units, "long_name": long_name}
        grid[name] = (geobox.dimensions, values.astype(np.float32), described)
        grid[name].encoding["grid_mapping"] = "spatial_ref"
    return IceWorld(grid, drill(grid, seed=seed, count=n_boreholes), true_storage(grid))


def true_storage(grid: xr.Dataset) -> float:
    """Return the ice in the 5 m below the permafrost table [km3] of a grid of `make_ice_world`."""
    side = abs(float(grid.odc.geobox.resolution.x))
    share = grid["permafrost_fraction"].values.astype(np.float64)
    ice = grid["truth_volumetric_ice_content"].values.astype(np.float64) / 100.0
    return float(np.nansum(share * ice) * THICKNESS * side**2 / 1e9)


def _ice_and_water(geobox: GeoBox, whole: xr.Dataset, temperature: Array, seed: int) -> tuple[Array, Array]:
    """Return the ice content [%] as if there were permafrost everywhere, and the water index [1]."""
    places = places_of(geobox)
    # The terrain through which rivers are cut, as the covariates have it.
    elevation = np.nan_to_num(whole["elevation"].values.astype(np.float64))
    lie = terrain(places, seed=seed)._replace(elevation=elevation)
    cover = surface(places, lie, climate(places, elevation, lie.continentality, seed=seed), seed=seed)
    below = ground(places, cover, seed=seed)
    usual = np.clip(ice_content(np.nan_to_num(temperature), below), 0.5, 97.0) / 100.0
    broad, fine = _UNEXPLAINED
    hidden = broad * _HISTORY(places, seed=seed) + fine * _PATCHES(places, seed=seed)
    ice = 100.0 * expit(_LIFT + _STRETCH * logit(usual) + hidden)
    water = -0.5 + 0.9 * np.clip(cover.wetness + 0.08 * _WATER(places, seed=seed), 0.0, 1.0)
    return np.asarray(ice), np.asarray(water)
