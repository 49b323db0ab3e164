"""Coastlines, borders and a graticule in any projection, right at the poles and the antimeridian."""

from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

Line = NDArray[np.float64]
"""Vertices of a line, shape (n, 2): longitude and latitude [degree], or x and y [unit of the CRS]."""

_STEP = 0.25
"""Longest piece of a line before it is projected [degree of arc]."""
_STRETCH = 10.0
"""A projected piece this many times longer than on the ground has jumped across the map."""
_METRES_PER_DEGREE = 111_195.0


class Bounds(NamedTuple):
    """Extent of a map [unit of its CRS]."""

    left: float
    bottom: float
    right: float
    top: float


@cache
def world_lines(layer: Literal["coastlines", "borders"]) -> tuple[Line, ...]:
    """Return the coastlines or country borders of Natural Earth 1:50 million in longitude and latitude.

    Examples
    --------
    >>> len(world_lines("borders")) > 300
    True
    """
    resource = files("permagrid.report").joinpath("data/natural_earth_50m.npz")
    with resource.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        steps = arrays[f"{layer}_steps"].astype(np.int32)
        lengths = arrays[f"{layer}_lengths"]
    pieces = np.split(steps, np.cumsum(lengths)[:-1])
    return tuple(np.cumsum(piece, axis=0) / 100.0 for piece in pieces)


def project_lines(lines: Sequence[Line], crs: str, bounds: Bounds) -> list[Line]:
    """Project lines given in longitude and latitude, cut where they leave the map, and clip them.

    Lines are densified first, so that a parallel becomes an arc; a piece that is far longer on the map
    than on the ground has crossed the seam of the projection and is left out.

    Parameters
    ----------
    lines
        Lines in longitude and latitude [degree].
    crs
        Any CRS that pyproj understands.
    bounds
        Extent of the map. Longitudes beyond 180 are understood in geographic CRS.

    Returns
    -------
    list of arrays
        Lines in `crs` within `bounds`.

    Examples
    --------
    >>> across = np.array([[170.0, 70.0], [-170.0, 70.0]])
    >>> len(project_lines([across], "EPSG:4326", Bounds(-180, 60, 180, 80)))
    2
    """
    return _project_dense([_densify(line) for line in lines], crs, bounds)


@lru_cache(maxsize=16)
def basemap(layer: Literal["coastlines", "borders"], crs: str, bounds: Bounds) -> tuple[Line, ...]:
    """Return the coastlines or country borders on a map; the maps of one report share their lines.

    Examples
    --------
    >>> len(basemap("borders", "EPSG:4326", Bounds(0, 60, 40, 80))) > 3
    True
    """
    return tuple(_project_dense(_dense_world(layer), crs, bounds))


@cache
def _dense_world(layer: Literal["coastlines", "borders"]) -> tuple[Line, ...]:
    return tuple(_densify(line) for line in world_lines(layer))


def _project_dense(dense: Sequence[Line], crs: str, bounds: Bounds) -> list[Line]:
    """Project lines without pieces longer than `_STEP`, cut them at the seam, and clip them."""
    if not dense:
        return []
    target = pyproj.CRS.from_user_input(crs)
    transformer = pyproj.Transformer.from_crs("EPSG:4326", target, always_xy=True)
    longitude, latitude = np.concatenate(dense).T
    x, y = transformer.transform(_wrap(longitude), latitude)
    xy = np.column_stack([x, y])
    starts = np.zeros(len(xy), dtype=bool)
    starts[np.cumsum([0, *map(len, dense[:-1])])] = True
    starts[1:] |= _jumps(longitude, latitude, xy, target)
    finite = np.isfinite(xy).all(axis=1)
    starts[1:] |= ~finite[1:] | ~finite[:-1]
    pieces = [piece for piece in np.split(xy, np.nonzero(starts)[0]) if len(piece) > 1]
    turns = (-360.0, 0.0, 360.0) if target.is_geographic else (0.0,)
    return [
        line for turn in turns for line in _clip([piece + np.array([turn, 0.0]) for piece in pieces], bounds)
    ]


def graticule(crs: str, bounds: Bounds) -> tuple[dict[float, list[Line]], dict[float, list[Line]]]:
    """Return meridians by longitude and parallels by latitude, at a spacing that suits the map.

    Parameters
    ----------
    crs
        CRS of the map.
    bounds
        Extent of the map.

    Returns
    -------
    tuple
        Two dictionaries from degree to the lines in `crs` within `bounds`.

    Examples
    --------
    >>> meridians, parallels = graticule("EPSG:4326", Bounds(0, 60, 40, 80))
    >>> sorted(meridians), sorted(parallels)
    ([10.0, 20.0, 30.0], [65.0, 70.0, 75.0])
    """
    west, east, south, north = _span(crs, bounds)
    by_longitude = _spacing(east - west, (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30))
    by_latitude = _spacing(north - south, (0.1, 0.2, 0.5, 1, 2, 5, 10, 20))
    meridians, parallels = {}, {}
    round_the_pole = east - west >= 360.0 and not pyproj.CRS.from_user_input(crs).is_geographic
    first = west - by_longitude / 2 if round_the_pole else west
    for degree in _multiples(by_longitude, first, min(east, first + 360.0)):
        # meridians end at the last parallel before the pole, where they would only blacken the map
        last = by_latitude * np.floor(89.9 / by_latitude)
        end = last if round_the_pole and north > 89.0 else 90.0
        line = np.column_stack([np.full(2, degree), (max(south - 1.0, -90.0), end)])
        meridians[_wrapped(degree)] = project_lines([line], crs, bounds)
    for degree in _multiples(by_latitude, south, min(north, 89.9)):
        ring = np.column_stack([np.linspace(-180.0, 180.0, 361), np.full(361, degree)])
        parallels[degree] = project_lines([ring], crs, bounds)
    return (
        {degree: found for degree, found in meridians.items() if found},
        {degree: found for degree, found in parallels.items() if found},
    )


def kilometres_per_unit(crs: str, bounds: Bounds) -> float:
    """Return the length on the ground of one horizontal unit of the CRS, at the centre of the map [km].

    Examples
    --------
    >>> round(kilometres_per_unit("EPSG:4326", Bounds(0, 50, 20, 70)), 1)
    55.8
    """
    transformer = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    x, y = (bounds.left + bounds.right) / 2, (bounds.bottom + bounds.top) / 2
    half = (bounds.right - bounds.left) / 200.0
    (west, east), (south, north) = transformer.transform([x - half, x + half], [y, y])
    _, _, metres = pyproj.Geod(ellps="WGS84").inv(west, south, east, north)
    return float(metres) / (2.0 * half) / 1000.0


def _densify(line: Line) -> Line:
    """Return the line with unwrapped longitudes and no piece longer than `_STEP`."""
    longitude = np.unwrap(line[:, 0], period=360.0)
    latitude = line[:, 1]
    middle = np.cos(np.radians((latitude[1:] + latitude[:-1]) / 2))
    length = np.hypot(np.diff(longitude) * middle, np.diff(latitude))
    count = np.maximum(np.ceil(length / _STEP), 1).astype(int)
    piece = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count)
    position = np.append(piece + within / count[piece], float(len(count)))
    known = np.arange(len(line))
    return np.column_stack([np.interp(position, known, longitude), np.interp(position, known, latitude)])


def _wrap(longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return longitudes within -180..180, both ends kept."""
    outside = np.abs(longitude) > 180.0
    return np.where(outside, (longitude + 180.0) % 360.0 - 180.0, longitude)


def _jumps(
    longitude: NDArray[np.float64], latitude: NDArray[np.float64], xy: Line, crs: pyproj.CRS
) -> NDArray[np.bool_]:
    """Return, for each pair of neighbours, whether the map puts them far apart."""
    if crs.is_geographic:
        return np.abs(np.diff(xy[:, 0])) > 180.0
    metres_per_unit = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    middle = np.cos(np.radians((latitude[1:] + latitude[:-1]) / 2))
    ground = np.hypot(np.diff(longitude) * middle, np.diff(latitude)) * _METRES_PER_DEGREE
    with np.errstate(invalid="ignore"):
        drawn = np.hypot(*np.diff(xy, axis=0).T) * metres_per_unit
    return np.asarray(drawn > _STRETCH * np.maximum(ground, 2_000.0))


def _clip(pieces: Sequence[Line], bounds: Bounds) -> list[Line]:
    if not pieces:
        return []
    index = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    lines = shapely.linestrings(np.concatenate(pieces), indices=index)
    clipped = shapely.clip_by_rect(lines, *bounds)
    parts = shapely.get_parts(shapely.get_parts(clipped[~shapely.is_empty(clipped)]))
    return [shapely.get_coordinates(part) for part in parts if shapely.get_type_id(part) == 1]


def _span(crs: str, bounds: Bounds) -> tuple[float, float, float, float]:
    """Return the west, east, south and north [degree] of a map; east may exceed 180."""
    target = pyproj.CRS.from_user_input(crs)
    if target.is_geographic:
        return bounds.left, bounds.right, bounds.bottom, bounds.top
    inverse = pyproj.Transformer.from_crs(target, "EPSG:4326", always_xy=True)
    x, y = np.meshgrid(
        np.linspace(bounds.left, bounds.right, 101), np.linspace(bounds.bottom, bounds.top, 101)
    )
    longitude, latitude = inverse.transform(x.ravel(), y.ravel())
    inside = np.isfinite(longitude) & np.isfinite(latitude)
    longitude, latitude = longitude[inside], latitude[inside]
    forward = pyproj.Transformer.from_crs("EPSG:4326", target, always_xy=True)
    south, north = float(latitude.min()), float(latitude.max())
    for pole in (-90.0, 90.0):
        px, py = forward.transform(0.0, pole)
        if bounds.left <= px <= bounds.right and bounds.bottom <= py <= bounds.top:
            return -180.0, 180.0, min(south, pole), max(north, pole)
    # the widest gap between longitudes is what the map does not show
    turned = np.sort(longitude % 360.0)
    gaps = np.diff(turned, append=turned[0] + 360.0)
    west = float(turned[(int(np.argmax(gaps)) + 1) % len(turned)])
    width = 360.0 - float(gaps.max())
    west = west - 360.0 if west > 180.0 else west
    return west, west + width, south, north


def _spacing(width: float, allowed: Sequence[float]) -> float:
    """Return the spacing that gives about four lines."""
    return float(min(allowed, key=lambda step: abs(width / step - 4.5)))


def _multiples(step: float, low: float, high: float) -> list[float]:
    first, last = int(np.floor(low / step)) + 1, int(np.ceil(high / step)) - 1
    return [round(k * step, 6) for k in range(first, last + 1)]


def _wrapped(degree: float) -> float:
    return round((degree + 180.0) % 360.0 - 180.0, 6)
