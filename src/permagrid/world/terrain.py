"""Land and sea, mountains and plains, before rivers are cut: evaluated point by point."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from permagrid.world.noise import EARTH_RADIUS, Array, Field, Places, generator, places_of

CENTRE = (-450_000.0, 2_560_000.0)
"""Centre of the default region in EPSG:3995 [m]: at 66 N, 170 W; the antimeridian crosses its west.

Off the antimeridian, as a flipped longitude would otherwise stay in the region.
"""

REGION = 1_500_000.0
"""Extent of the default region [m]."""

_SEA_SHARE = 0.27
_COAST_WIDTH = 180.0  # [km] around the centre within which a coast is sure to pass
_CONTINENTS = Field("continents", 1400.0, octaves=3, gain=0.55)
_SHORES = Field("shores", 175.0, octaves=6, gain=0.55)
_RANGES = Field("ranges", 900.0, octaves=2)
_CRESTS = Field("crests", 150.0, octaves=7, gain=0.62, ridged=True)
_HILLS = Field("hills", 90.0, octaves=6, gain=0.55)


class Terrain(NamedTuple):
    """The lie of the land at each place."""

    land: npt.NDArray[np.bool_]
    """True on land."""
    coast: Array
    """Height above the shore in units of the continental noise: negative in the sea."""
    inland: Array
    """0 at the shore, towards 1 in the interior."""
    continentality: Array
    """0 maritime .. 1 continental; smooth across the shore."""
    ruggedness: Array
    """0 plains .. 1 crests."""
    elevation: Array
    """Height above the sea before rivers are cut [m]; 0 in the sea."""


def default_geobox(size: int = 300, resolution: float = 5000.0) -> GeoBox:
    """Return the square grid of the default region: EPSG:3995, across the antimeridian, around 66 N.

    Parameters
    ----------
    size
        Cells along each side.
    resolution
        Cell size [m].

    Examples
    --------
    >>> default_geobox(30, 50_000.0).shape
    Shape2d(x=30, y=30)
    """
    half = size * resolution / 2.0
    east, north = CENTRE
    return GeoBox.from_bbox(
        (east - half, north - half, east + half, north + half), "EPSG:3995", shape=(size, size), tight=True
    )


def terrain(places: Places, *, seed: int) -> Terrain:
    """Return land, coast, continentality, ruggedness and elevation at `places`.

    Examples
    --------
    >>> world = terrain(places_of(default_geobox(30, 50_000.0)), seed=1)
    >>> bool((world.elevation[world.land] > 0).all())
    True
    """
    broad, wildness = _broad(places, seed)
    coast = broad + 0.33 * wildness * _SHORES(places, seed=seed)
    inland = 1.0 - np.exp(-np.maximum(coast, 0.0) / 0.5)
    ranges = np.clip((_RANGES(places, seed=seed) + 0.35) / 1.5, 0.0, 1.0)
    crests = _CRESTS(places, seed=seed)
    envelope = ranges * ranges * (3.0 - 2.0 * ranges) * inland
    rolling = np.exp(0.6 * _HILLS(places, seed=seed))
    ruggedness = np.clip(envelope * (0.25 + 1.5 * crests), 0.0, 1.0)
    plains = 60.0 * np.maximum(coast, 0.0) ** 1.2 + 75.0 * inland * rolling
    elevation = 2.0 + plains + envelope * (200.0 + 2800.0 * crests)
    land = (coast > 0.0) & places.valid
    return Terrain(
        land=land,
        coast=coast,
        inland=inland,
        continentality=1.0 / (1.0 + np.exp(-1.8 * broad)),
        ruggedness=ruggedness,
        elevation=np.where(land, elevation, 0.0),
    )


def _broad(places: Places, seed: int) -> tuple[Array, Array]:
    """Return the continental noise above sea level, and how wild the shores may be.

    Near the default region's centre the noise is bent so that a coast passes: without it a small grid
    would be all land or all sea with most seeds. The sea level is a property of the seed, never of the
    grid, so that tiles agree: it drowns the stated share of the default region.
    """
    reference = places_of(default_geobox(40, REGION / 40.0))
    noise, profile, nearness = _CONTINENTS(reference, seed=seed), *_centre_coast(reference, seed)
    level = np.quantile(noise + nearness / (1.0 - nearness) * profile, _SEA_SHARE)
    profile, nearness = _centre_coast(places, seed)
    broad = (_CONTINENTS(places, seed=seed) - level) * (1.0 - nearness) + nearness * profile
    return broad, 1.0 - 0.6 * nearness


def _centre_coast(places: Places, seed: int) -> tuple[Array, Array]:
    """Return a straight coast through the default region's centre, and its weight there."""
    centre = places_of(default_geobox(1, 5000.0))
    dx, dy, dz = places.x - centre.x[0, 0], places.y - centre.y[0, 0], places.z - centre.z[0, 0]
    nearness = 0.95 * np.exp(-(dx**2 + dy**2 + dz**2) / _COAST_WIDTH**2)
    angle = generator(seed, "coast").uniform(0.0, 2.0 * np.pi)
    x, y, z = (axis[0, 0] / EARTH_RADIUS for axis in (centre.x, centre.y, centre.z))
    across = np.hypot(x, y)
    eastward = (x * dy - y * dx) / across
    northward = (dz * across**2 - z * (x * dx + y * dy)) / across
    inwards = np.cos(angle) * eastward + np.sin(angle) * northward
    return np.tanh(inwards / 90.0 + 0.3), nearness
