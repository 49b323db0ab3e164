"""True lengths and directions within a grid: what a step to the next cell is on the ground."""

from typing import Any, Literal, NamedTuple

import numpy as np
from numba import njit
from odc.geo.geobox import GeoBox

from permagrid.errors import PermagridError
from permagrid.grid import Float, Window, lonlat_of

Distances = Literal["ellipsoid", "plane"]

_EQUATORIAL_RADIUS = 6378137.0
_ECCENTRICITY_SQUARED = 0.00669437999014
_METRES_BETWEEN_NODES = 16_000.0
_MOST_CELLS_BETWEEN_NODES = 64


class Frame(NamedTuple):
    """Steps between cells on the ground, known at nodes and bilinear between them.

    Every cell has axes of its own: x along its row, y at right angles to it, up the grid. A step of one
    column is ``(width, 0)`` in them, a step of one row down is ``(shear, -height)``. Nodes are cells whose
    numbers are multiples of the steps, so that a cell has the same frame whatever part of the grid is asked.
    Arrays have the shape of the nodes; those of a length of one hold for all cells.
    """

    row: int
    """Row of the first node in the whole grid."""
    column: int
    """Column of the first node in the whole grid."""
    row_step: int
    """Cells between nodes down the grid."""
    column_step: int
    """Cells between nodes along a row."""
    width: Float
    """Length of a step along the row [m]."""
    height: Float
    """Length at right angles to the row of a step down [m]."""
    shear: Float
    """Length along the row of a step down [m]."""
    north_x: Float
    """How far a vector towards true north, as long as the cosine of the latitude, goes along x [1]."""
    north_y: Float
    """How far it goes along y; that vector is smooth at a pole, where its direction is not [1]."""


def frame_of(whole: GeoBox, window: Window | None = None, *, distances: Distances = "ellipsoid") -> Frame:
    """Return the frame of a grid, or of a part of it.

    Parameters
    ----------
    whole
        The grid that rows and columns are counted in.
    window
        Rows and columns that are wanted, all if left out; they may lie outside the grid.
    distances
        ``ellipsoid`` for true distances on WGS 84, ``plane`` for those that the grid's own coordinates say,
        as programs that know no map projection take them.

    Raises
    ------
    PermagridError
        If the coordinates of a grid of degrees are to be distances.

    Examples
    --------
    >>> from permagrid.grid import make_geobox
    >>> frame = frame_of(make_geobox("EPSG:4326", 1, bounds=(0, 59, 3, 62)))
    >>> frame.width.round(-2)[:, 0], frame.height.round(-2)[:, 0]
    (array([53300., 55000., 56600.]), array([111400., 111400., 111400.]))
    """
    rows, columns = window or (slice(0, whole.shape[0]), slice(0, whole.shape[1]))
    if distances == "plane":
        return _plane(whole)
    if whole.crs.geographic:
        # A parallel looks the same all along, and cells narrow too fast near a pole to skip any.
        row_step, column_step = 1, 1
        node_rows, node_columns = np.arange(rows.start, rows.stop), np.zeros(1, dtype=int)
    else:
        metres = whole.crs.proj.axis_info[0].unit_conversion_factor
        cells = int(_METRES_BETWEEN_NODES / (abs(whole.affine.a) * metres))
        row_step = column_step = min(max(1, cells), _MOST_CELLS_BETWEEN_NODES)
        node_rows, node_columns = (_nodes(part, row_step) for part in (rows, columns))
    column, row = np.meshgrid(node_columns + 0.5, node_rows + 0.5)
    first = int(node_rows[0]), int(node_columns[0])
    return Frame(*first, row_step, column_step, *_fields(whole, row, column, row_step))


def _plane(whole: GeoBox) -> Frame:
    if whole.crs.geographic:
        raise PermagridError(
            "distances: plane takes coordinates for distances, which those of a grid of longitudes and "
            "latitudes are not; allowed here: ellipsoid"
        )
    metres = whole.crs.proj.axis_info[0].unit_conversion_factor
    width, height, none, one = (
        np.full((1, 1), value)
        for value in (abs(whole.affine.a) * metres, abs(whole.affine.e) * metres, 0.0, 1.0)
    )
    return Frame(0, 0, 1, 1, width, height, none, none, one)


def _nodes(part: slice, step: int) -> Any:
    return np.arange(part.start // step, (part.stop - 1) // step + 2) * step


def _fields(whole: GeoBox, row: Float, column: Float, step: int) -> list[Float]:
    """Return the fields of a frame at nodes; of those beyond the edge of a map, from a place on it nearby."""
    fields = np.stack(_steps(whole, row, column))
    for part in (0.25, 0.5, 0.75, 1.0):
        for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
            lost = ~np.isfinite(fields).all(axis=0)
            if whole.crs.geographic or not lost.any():
                return list(fields)
            near = _steps(whole, row[lost] + down * part * step, column[lost] + right * part * step)
            fields[:, lost] = np.stack(near)
    return list(fields)


def _steps(whole: GeoBox, row: Float, column: Float) -> tuple[Float, Float, Float, Float, Float]:
    """Return the fields of a frame at fractional rows and columns."""
    across = _positions(whole, row, column + 0.5) - _positions(whole, row, column - 0.5)
    down = _positions(whole, row + 0.5, column) - _positions(whole, row - 0.5, column)
    with np.errstate(invalid="ignore", divide="ignore"):
        width = np.sqrt((across**2).sum(-1))
        x_axis = across / width[..., np.newaxis]
        shear = (down * x_axis).sum(-1)
        up = shear[..., np.newaxis] * x_axis - down
        height = np.sqrt((up**2).sum(-1))
        y_axis = up / height[..., np.newaxis]
        # At the pole of a grid of degrees a row has no length, and nothing is known along it.
        known = np.minimum(width, height) > 1e-9 * np.maximum(width, height)
        fields = (width, height, shear, x_axis[..., 2], y_axis[..., 2])
        return tuple(np.where(known, field, np.nan) for field in fields)  # type: ignore[return-value]


def _positions(whole: GeoBox, row: Float, column: Float) -> Float:
    return in_space(*lonlat_of(whole, row, column))


def in_space(longitude: Float, latitude: Float) -> Float:
    """Return places on the ellipsoid [degree] in space, shape ``(..., 3)`` [m]; NaN for what is nowhere."""
    nowhere = ~(np.isfinite(longitude) & np.isfinite(latitude))
    lon, lat = (np.radians(np.where(nowhere, np.nan, angle)) for angle in (longitude, latitude))
    normal = _EQUATORIAL_RADIUS / np.sqrt(1.0 - _ECCENTRICITY_SQUARED * np.sin(lat) ** 2)
    return np.stack(
        [
            normal * np.cos(lat) * np.cos(lon),
            normal * np.cos(lat) * np.sin(lon),
            normal * (1.0 - _ECCENTRICITY_SQUARED) * np.sin(lat),
        ],
        axis=-1,
    )


@njit(inline="always")  # type: ignore[untyped-decorator]
def between(values: Any, frame: Any, row: int, column: int) -> Any:
    """Return a field of a frame at a cell of the whole grid, bilinear between the nodes."""
    at_row, at_column, down, right = 0, 0, 0.0, 0.0
    if values.shape[0] > 1:
        at_row = (row - frame.row) // frame.row_step
        down = (row - frame.row - at_row * frame.row_step) / frame.row_step
    if values.shape[1] > 1:
        at_column = (column - frame.column) // frame.column_step
        right = (column - frame.column - at_column * frame.column_step) / frame.column_step
    upper, lower = values[at_row, at_column], 0.0
    if right > 0.0:
        upper += (values[at_row, at_column + 1] - upper) * right
    if down > 0.0:
        lower = values[at_row + 1, at_column]
        if right > 0.0:
            lower += (values[at_row + 1, at_column + 1] - lower) * right
        upper += (lower - upper) * down
    return upper
