"""True lengths and directions within a grid: what a step to the next cell is on the ground."""

from typing import Any, Literal, NamedTuple

import numpy as np
from numba import njit
from odc.geo.geobox import GeoBox

from permagrid.grid import Float, Window, lonlat_of

Distances = Literal["ellipsoid", "plane"]

_EQUATORIAL_RADIUS = 6378137.0
_ECCENTRICITY_SQUARED = 0.00669437999014
_METRES_BETWEEN_NODES = 32_000.0
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
    cosine: Float
    """Cosine of the angle from true east to the x axis, counter-clockwise; not smooth at a pole [1]."""
    sine: Float
    """Sine of that angle [1]."""


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

    Examples
    --------
    >>> from permagrid.grid import make_geobox
    >>> frame = frame_of(make_geobox("EPSG:4326", 1, bounds=(0, 59, 3, 62)))
    >>> frame.width.round(-2)[:, 0], frame.height.round(-2)[:, 0]
    (array([53100., 54800., 56500.]), array([111400., 111400., 111400.]))
    """
    rows, columns = window or (slice(0, whole.shape[0]), slice(0, whole.shape[1]))
    if distances == "plane":
        metres = 1.0 if whole.crs.geographic else whole.crs.proj.axis_info[0].unit_conversion_factor
        size = abs(whole.affine.a) * metres, abs(whole.affine.e) * metres
        width, height = (np.full((1, 1), value) for value in size)
        return Frame(0, 0, 1, 1, width, height, np.zeros((1, 1)), np.ones((1, 1)), np.zeros((1, 1)))
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
    width, height, shear, cosine, sine = _steps(whole, row, column)
    first = int(node_rows[0]), int(node_columns[0])
    return Frame(*first, row_step, column_step, width, height, shear, cosine, sine)


def _nodes(part: slice, step: int) -> Any:
    first, last = part.start // step, -(-(part.stop - 1) // step)
    return np.arange(first, max(last, first + 1) + 1) * step


def _steps(whole: GeoBox, row: Float, column: Float) -> tuple[Float, Float, Float, Float, Float]:
    """Return the fields of a frame at fractional rows and columns."""
    across = _positions(whole, row, column + 0.5) - _positions(whole, row, column - 0.5)
    down = _positions(whole, row + 0.5, column) - _positions(whole, row - 0.5, column)
    longitude, latitude = lonlat_of(whole, row, column)
    lon, lat = np.radians(longitude), np.radians(latitude)
    with np.errstate(invalid="ignore"):
        east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)], axis=-1)
        north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=-1)
        width = np.sqrt((across**2).sum(-1))
        along = across / width[..., np.newaxis]
        shear = (down * along).sum(-1)
        height = np.sqrt(np.maximum((down**2).sum(-1) - shear**2, 0.0))
        cosine, sine = (along * east).sum(-1), (along * north).sum(-1)
        length = np.hypot(cosine, sine)
        return width, height, shear, cosine / length, sine / length


def _positions(whole: GeoBox, row: Float, column: Float) -> Float:
    """Return places in space, shape ``(..., 3)`` [m]."""
    longitude, latitude = lonlat_of(whole, row, column)
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
