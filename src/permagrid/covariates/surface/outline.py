"""Outlines on the globe: lines and edges of a layer as straight pieces in space, polygons without a seam."""

from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from permagrid.covariates.surface.vector_layer import Features, Shapes
from permagrid.grid import Float, transformed

_EQUATORIAL_RADIUS = 6378137.0
_ECCENTRICITY_SQUARED = 0.00669437999014
_BEND = 1.0
"""Farthest that the middle of a piece may lie from the line that it stands for [m]."""
_MOST_HALVINGS = 40
_ON = 1e-6
"""Vertices as near as this to a seam or a pole lie on it [degree]."""


class Pieces(NamedTuple):
    """Straight pieces in space; a point is a piece of no length."""

    start: Float
    """First ends, shape ``(n, 3)`` [m]."""
    end: Float
    """Last ends [m]."""


def in_space(longitude: Float, latitude: Float) -> Float:
    """Return places on WGS 84 in space, shape ``(..., 3)`` [m].

    Examples
    --------
    >>> in_space(np.array(90.0), np.array(0.0)).round().tolist()
    [0.0, 6378137.0, 0.0]
    """
    lon, lat = np.radians(longitude), np.radians(latitude)
    normal = _EQUATORIAL_RADIUS / np.sqrt(1.0 - _ECCENTRICITY_SQUARED * np.sin(lat) ** 2)
    return np.stack(
        [
            normal * np.cos(lat) * np.cos(lon),
            normal * np.cos(lat) * np.sin(lon),
            normal * (1.0 - _ECCENTRICITY_SQUARED) * np.sin(lat),
        ],
        axis=-1,
    )


def from_space(places: Float) -> tuple[Float, Float]:
    """Return longitude and latitude [degree] of places in space near the ellipsoid.

    Examples
    --------
    >>> longitude, latitude = from_space(in_space(np.array([-179.0]), np.array([71.5])))
    >>> longitude.round(9), latitude.round(9)
    (array([-179.]), array([71.5]))
    """
    x, y, z = np.moveaxis(places, -1, 0)
    latitude = np.arctan2(z, (1.0 - _ECCENTRICITY_SQUARED) * np.hypot(x, y))
    return np.degrees(np.arctan2(y, x)), np.degrees(latitude)


def pieces_of(features: Features, crs: str, *, boundary_of_union: bool = False) -> Pieces:
    """Return points, lines and the edges of polygons as straight pieces in space.

    A line runs straight between its vertices in the CRS of the layer. It is halved until the middle of a
    straight piece lies within 1 m of it.

    Parameters
    ----------
    features
        What the layer holds, its polygons from `seamless`.
    crs
        The CRS of the layer.
    boundary_of_union
        Whether edges between polygons are left out, as those of countries or tiles of land.

    Notes
    -----
    In longitudes and latitudes a line that jumps by more than 180 degrees goes the short way, over the
    antimeridian. Edges at which a layer around the whole globe is cut open, and those along a pole, bound
    nothing and are left out.
    """
    polygons = features.polygons
    if boundary_of_union and len(polygons):
        polygons = shapely.get_parts(shapely.union_all(polygons))
    geographic = _is_geographic(crs)
    rings = shapely.get_rings(polygons)
    start, end = _edges(rings)
    if geographic and len(start):
        real = ~_along_a_seam(start, end)
        start, end = start[real], end[real]
    line_start, line_end = _edges(features.lines)
    point = shapely.get_coordinates(features.points)
    start = np.concatenate([start, line_start, point])
    end = np.concatenate([end, line_end, point])
    if geographic:
        end = np.stack([start[:, 0] + _short_way(end[:, 0] - start[:, 0]), end[:, 1]], axis=1)
    return _straight(start, end, crs)


def _edges(lines: Shapes) -> tuple[Float, Float]:
    """Return the vertices where edges begin and those where they end, shape ``(n, 2)``."""
    vertices, line = shapely.get_coordinates(lines, return_index=True)
    same = line[1:] == line[:-1]
    return vertices[:-1][same], vertices[1:][same]


def _along_a_seam(start: Float, end: Float) -> NDArray[np.bool_]:
    """Return which edges of polygons lie where the globe was cut open to lay it flat, or along a pole."""
    along = (np.abs(start[:, 1]) > 90.0 - _ON) & (np.abs(end[:, 1]) > 90.0 - _ON)
    west, east = min(start[:, 0].min(), end[:, 0].min()), max(start[:, 0].max(), end[:, 0].max())
    if east - west > 360.0 - _ON:
        for side in (west, east, -180.0, 180.0):
            along |= (np.abs(start[:, 0] - side) < _ON) & (np.abs(end[:, 0] - side) < _ON)
    return np.asarray(along)


def _short_way(step: Float) -> Float:
    """Return steps of longitude, those that jump brought to the short way; a full turn is one."""
    jumps = (np.abs(step) > 180.0) & (np.abs(step) < 360.0 - _ON)
    return np.where(jumps, (step + 180.0) % 360.0 - 180.0, step)


def _straight(start: Float, end: Float, crs: str) -> Pieces:
    """Return lines straight in a CRS as pieces straight in space."""
    done: list[tuple[Float, Float]] = []
    first, last = _placed(start, crs), _placed(end, crs)
    # What cannot be projected lies nowhere.
    known = np.isfinite(first).all(axis=1) & np.isfinite(last).all(axis=1)
    start, end, first, last = start[known], end[known], first[known], last[known]
    for _ in range(_MOST_HALVINGS):
        halfway = (start + end) / 2
        middle = _placed(halfway, crs)
        bend = np.sqrt((((first + last) / 2 - middle) ** 2).sum(axis=1))
        bent = bend > _BEND
        done.append((first[~bent], last[~bent]))
        if not bent.any():
            break
        start, end = (
            np.concatenate([start[bent], halfway[bent]]),
            np.concatenate([halfway[bent], end[bent]]),
        )
        first, last = (
            np.concatenate([first[bent], middle[bent]]),
            np.concatenate([middle[bent], last[bent]]),
        )
    return Pieces(*(np.concatenate(parts) for parts in zip(*done, strict=True)))


def _placed(vertices: Float, crs: str) -> Float:
    longitude, latitude = transformed(vertices[:, 0], vertices[:, 1], crs, "EPSG:4326")
    lost = ~(np.isfinite(longitude) & np.isfinite(latitude))
    return in_space(np.where(lost, np.nan, longitude), np.where(lost, np.nan, latitude))


def seamless(features: Features, crs: str) -> Features:
    """Return features whose polygons are valid and, in longitudes and latitudes, do not jump.

    A ring that jumps by more than 180 degrees crosses the antimeridian: it is laid out beyond 180. One that
    runs right round the globe encloses the pole on its side: it is cut open at 180 and closed along the pole.
    """
    polygons = features.polygons
    if not len(polygons):
        return features
    if _is_geographic(crs):
        start, end = _edges(shapely.get_rings(polygons))
        step = np.abs(end[:, 0] - start[:, 0])
        if ((step > 180.0) & (step < 360.0 - _ON)).any():
            polygons = np.array([_laid_out(polygon) for polygon in polygons], dtype=object)
    polygons = np.where(shapely.is_valid(polygons), polygons, shapely.make_valid(polygons))
    parts = shapely.get_parts(shapely.get_parts(polygons))
    return features._replace(polygons=parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])


def _laid_out(polygon: Any) -> Any:
    shell, *holes = (_unwound(np.asarray(ring.coords)) for ring in (polygon.exterior, *polygon.interiors))
    centre = (shell[:, 0].min() + shell[:, 0].max()) / 2
    for hole in holes:
        hole[:, 0] += 360.0 * np.round((centre - hole[:, 0].mean()) / 360.0)
    return shapely.Polygon(shell, holes)


def _unwound(ring: Float) -> Float:
    """Return a closed ring without jumps."""
    steps = _short_way(np.diff(ring[:, 0]))
    longitude = ring[0, 0] + np.concatenate([[0.0], np.cumsum(steps)])
    turn = longitude[-1] - longitude[0]
    if abs(turn) < 180.0:
        return np.stack([longitude, ring[:, 1]], axis=1)
    # From one crossing of the antimeridian all the way round to the next.
    ring = np.stack([longitude, ring[:, 1]], axis=1)
    if turn < 0:
        ring = ring[::-1]
    count = len(ring) - 1
    twice = np.concatenate([ring, ring[1:] + np.array([360.0, 0.0])])
    seam = 180.0 + 360.0 * np.floor((ring[0, 0] + 180.0) / 360.0)
    next_one = int(np.argmax(twice[:, 0] >= seam))
    before, after = twice[next_one - 1], twice[next_one]
    crossing = before[1] + (after[1] - before[1]) * (seam - before[0]) / (after[0] - before[0])
    pole = np.copysign(90.0, ring[:, 1].mean())
    opened = np.array([[seam, pole], [seam, crossing]])
    closed = np.array([[seam + 360.0, crossing], [seam + 360.0, pole], [seam, pole]])
    whole = np.concatenate([opened, twice[next_one : next_one + count], closed])
    return np.asarray(whole - np.array([seam + 180.0, 0.0]))


def _is_geographic(crs: str) -> bool:
    return bool(CRS.from_user_input(crs).is_geographic)
