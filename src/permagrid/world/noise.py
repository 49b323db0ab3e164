"""Smooth random fields on the globe, evaluated point by point, so that any tile sees the same field."""

import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from permagrid.errors import PermagridError

Array = npt.NDArray[np.float64]

EARTH_RADIUS = 6371.0
"""Radius of the sphere on which fields live [km]."""

_GRADIENTS = np.array(
    [
        (1, 1, 0), (-1, 1, 0), (1, -1, 0), (-1, -1, 0), (1, 0, 1), (-1, 0, 1), (1, 0, -1), (-1, 0, -1),
        (0, 1, 1), (0, -1, 1), (0, 1, -1), (0, -1, -1), (1, 1, 0), (-1, 1, 0), (0, -1, 1), (0, -1, -1),
    ],
    dtype=np.float64,
)  # fmt: skip
_UNIT_DEVIATION = 3.58  # one over the standard deviation of one octave


class Places(NamedTuple):
    """Points on the globe as chord coordinates: no seam at the antimeridian, no singular pole."""

    x: Array
    """Chord coordinate towards 0 E on the equator [km]."""
    y: Array
    """Chord coordinate towards 90 E on the equator [km]."""
    z: Array
    """Chord coordinate towards the north pole [km]."""
    latitude: Array
    """Degrees north."""
    valid: npt.NDArray[np.bool_]
    """False where the grid leaves the globe, such as the corners of a polar projection."""
    cell: float
    """Cell size [km]; finer detail than two cells is left out of every field."""


def places_of(geobox: GeoBox) -> Places:
    """Return the cell centres of a grid in any CRS.

    Raises
    ------
    PermagridError
        If the grid has no CRS.

    Examples
    --------
    >>> from odc.geo.geobox import GeoBox
    >>> places_of(GeoBox.from_bbox((179, 60, 181, 61), "EPSG:4326", resolution=1.0)).latitude.tolist()
    [[60.5, 60.5]]
    """
    if geobox.crs is None:
        raise PermagridError("the grid of a virtual world has no CRS; give it one, such as EPSG:3995")
    longitude, latitude = centres_in(geobox, "EPSG:4326")
    return places_at(longitude, latitude, cell=cell_size(geobox))


def centres_in(geobox: GeoBox, crs: str) -> tuple[Array, Array]:
    """Return the cell centres of a grid in a CRS, each with the shape of the grid; east before north."""
    rows, columns = np.mgrid[0 : geobox.shape[0], 0 : geobox.shape[1]] + 0.5
    return located_in(geobox, columns, rows, crs)


def located_in(geobox: GeoBox, columns: Array, rows: Array, crs: str) -> tuple[Array, Array]:
    """Return points given in cells from the upper left corner of a grid in a CRS; east before north."""
    affine = geobox.affine
    # Rounded, as the origin of a tile differs from that of the whole in the last bit.
    decimals = 9 if geobox.crs.geographic else 3
    east = np.round(affine.a * columns + affine.b * rows + affine.c, decimals)
    north = np.round(affine.d * columns + affine.e * rows + affine.f, decimals)
    if str(geobox.crs) == crs:
        return east, north
    transformer = Transformer.from_crs(str(geobox.crs), crs, always_xy=True)
    there = transformer.transform(east, north)
    return np.asarray(there[0]), np.asarray(there[1])


def places_at(longitude: Array, latitude: Array, *, cell: float) -> Places:
    """Return points given in degrees; `cell` [km] is the resolution of the world that they belong to.

    Examples
    --------
    >>> east, west = (places_at(np.array([lon]), np.array([70.0]), cell=5.0) for lon in (190.0, -170.0))
    >>> bool(np.allclose(east.y, west.y))
    True
    """
    valid = np.isfinite(longitude) & np.isfinite(latitude) & (np.abs(latitude) <= 90.0)
    north = np.where(valid, latitude, 0.0)
    # Wrapped in degrees, so that 190 E and 170 W give the same bits.
    east = np.radians(np.mod(np.where(valid, longitude, 0.0) + 180.0, 360.0) - 180.0)
    up, across = np.sin(np.radians(north)), np.cos(np.radians(north))
    radius = EARTH_RADIUS
    return Places(
        radius * across * np.cos(east), radius * across * np.sin(east), radius * up, north, valid, cell
    )


def cell_size(geobox: GeoBox) -> float:
    """Return the cell size of a grid [km]; of a lon/lat grid, the north-south size."""
    step = abs(float(geobox.resolution.y))
    return step * np.pi / 180.0 * EARTH_RADIUS if geobox.crs.geographic else step / 1000.0


def generator(seed: int, name: str, *more: int) -> np.random.Generator:
    """Return the random generator that belongs to a seed and a name.

    Raises
    ------
    PermagridError
        If the seed is negative.

    Examples
    --------
    >>> generator(1, "soil").integers(100) == generator(1, "soil").integers(100)
    np.True_
    """
    if seed < 0:
        raise PermagridError(f"the seed of a virtual world must be 0 or more, found {seed}")
    return np.random.default_rng([seed, zlib.crc32(name.encode()), *more])


@dataclass(frozen=True)
class Field:
    """A random field: octaves of gradient noise (Perlin 2002, doi:10.1145/566654.566636).

    Examples
    --------
    >>> pole = places_at(np.array([0.0, 77.0]), np.array([90.0, 90.0]), cell=5.0)
    >>> bool(np.ptp(Field("example", 300.0)(pole, seed=1)) < 1e-9)
    True
    """

    name: str
    """Tells the fields of one seed apart."""
    wavelength: float
    """Longest wavelength [km]."""
    octaves: int = 3
    """How often the wavelength is halved, at most: waves shorter than two cells are left out."""
    gain: float = 0.5
    """Amplitude of an octave relative to the octave before."""
    ridged: bool = False
    """Sharp crests in 0..1 instead of smooth waves with unit variance (Musgrave 1994)."""

    def __call__(self, places: Places, *, seed: int) -> Array:
        """Return the field at `places`."""
        gains = self.gain ** np.arange(self.octaves)
        whole = gains.sum() if self.ridged else np.sqrt((gains**2).sum()) / _UNIT_DEVIATION
        lengths = self.wavelength / 2.0 ** np.arange(self.octaves)
        resolved = max(1, int((lengths >= 2.0 * places.cell).sum()))
        random = generator(seed, self.name)
        frames = np.stack([_frame(random, length) for length in lengths])
        keys = random.integers(0, 2**32, size=self.octaves)
        points = (np.ravel(axis) for axis in (places.x, places.y, places.z))
        kernel = _ridges if self.ridged else _waves
        noise = kernel(*points, frames[:resolved], keys[:resolved], gains / whole)
        return np.asarray(noise).reshape(places.x.shape)


def _frame(random: np.random.Generator, wavelength: float) -> Array:
    """Return a random rotation over `wavelength`, and a random shift, as a 3 x 4 matrix."""
    quaternion = random.standard_normal(4)
    a, b, c, d = quaternion / np.sqrt((quaternion**2).sum())
    rotation = np.array(
        [
            [1 - 2 * (c * c + d * d), 2 * (b * c - d * a), 2 * (b * d + c * a)],
            [2 * (b * c + d * a), 1 - 2 * (b * b + d * d), 2 * (c * d - b * a)],
            [2 * (b * d - c * a), 2 * (c * d + b * a), 1 - 2 * (b * b + c * c)],
        ]
    )
    return np.column_stack([rotation / wavelength, random.uniform(0.0, 512.0, size=3)])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _corner(key: int, i: int, j: int, k: int, x: float, y: float, z: float) -> Any:
    h = (key ^ (i * 0x8DA6B343) ^ (j * 0xD8163841) ^ (k * 0xCB1AB31F)) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    h = ((h ^ (h >> 12)) * 0x297A2D39) & 0xFFFFFFFF
    g = (h ^ (h >> 15)) & 15
    return _GRADIENTS[g, 0] * x + _GRADIENTS[g, 1] * y + _GRADIENTS[g, 2] * z


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _octave(f: Array, key: int, px: float, py: float, pz: float) -> Any:
    """Gradient noise at one point, in the rotated and scaled frame `f`."""
    x = f[0, 0] * px + f[0, 1] * py + f[0, 2] * pz + f[0, 3]
    y = f[1, 0] * px + f[1, 1] * py + f[1, 2] * pz + f[1, 3]
    z = f[2, 0] * px + f[2, 1] * py + f[2, 2] * pz + f[2, 3]
    i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    x, y, z = x - i, y - j, z - k
    u = x * x * x * (x * (x * 6.0 - 15.0) + 10.0)
    v = y * y * y * (y * (y * 6.0 - 15.0) + 10.0)
    w = z * z * z * (z * (z * 6.0 - 15.0) + 10.0)
    n00 = (1 - u) * _corner(key, i, j, k, x, y, z) + u * _corner(key, i + 1, j, k, x - 1, y, z)
    n10 = (1 - u) * _corner(key, i, j + 1, k, x, y - 1, z) + u * _corner(
        key, i + 1, j + 1, k, x - 1, y - 1, z
    )
    z1, k1 = z - 1, k + 1
    n01 = (1 - u) * _corner(key, i, j, k1, x, y, z1) + u * _corner(key, i + 1, j, k1, x - 1, y, z1)
    n11 = (1 - u) * _corner(key, i, j + 1, k1, x, y - 1, z1) + u * _corner(
        key, i + 1, j + 1, k1, x - 1, y - 1, z1
    )
    return (1 - w) * ((1 - v) * n00 + v * n10) + w * ((1 - v) * n01 + v * n11)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _waves(px: Array, py: Array, pz: Array, frames: Array, keys: Any, gains: Array) -> Array:
    out = np.zeros(px.size)
    for n in range(px.size):
        for o in range(keys.size):
            out[n] += gains[o] * _octave(frames[o], keys[o], px[n], py[n], pz[n])
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _ridges(px: Array, py: Array, pz: Array, frames: Array, keys: Any, gains: Array) -> Array:
    out = np.zeros(px.size)
    for n in range(px.size):
        weight = 1.0
        for o in range(keys.size):
            crest = max(0.0, 1.0 - 1.7 * abs(_octave(frames[o], keys[o], px[n], py[n], pz[n])))
            crest = crest * crest * weight
            weight = min(1.0, 2.0 * crest)
            out[n] += gains[o] * crest
    return out
