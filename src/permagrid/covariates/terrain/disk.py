"""Kernels over all cells within a radius of every cell: their sum, the highest and the lowest of them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from permagrid.covariates.terrain.frame import Distances, between, frame_of, in_space
from permagrid.grid import Float, Window, lonlat_of

_TILE = 32
"""Columns of a projected grid, from a multiple of this number on, whose windows have one shape."""
_QUANTUM = 2.0**-17
"""Heights are summed in whole numbers of it, which gives the same sum in whatever order [m]."""
_NEARLY = 1e-9
"""What lies this little beyond the rim belongs to it, as no computed distance is exact [cell]."""


@dataclass(frozen=True)
class Reach:
    """How many cells a radius reaches beyond a part of a grid."""

    radius: float
    """Radius [m]."""
    distances: Distances
    """``ellipsoid`` or ``plane``, see `frame_of`."""

    def __call__(self, whole: GeoBox, window: Window) -> tuple[int, int]:
        """Return the cells up and down, and those to either side."""
        disk = disk_of(whole, window, self.radius, self.distances)
        return disk.down, disk.along


class Disk(NamedTuple):
    """Which cells lie within a radius of each cell of a part of a grid."""

    radius: float
    """Radius [m]."""
    down: int
    """Most rows that a disk reaches up and down."""
    along: int
    """Most columns that it reaches to either side."""
    edges: NDArray[np.int64]
    """First column of each tile, in the part of the grid, and one past the last."""
    width: Float
    """Length of a step along the row, shape ``(rows, tiles)`` [m]."""
    height: Float
    """Length at right angles to the row of a step down [m]."""
    shear: Float
    """Length along the row of a step down [m]."""
    halves: NDArray[np.int64]
    """On a grid of degrees, how many columns a disk reaches to either side in each row from `down` rows above
    to as many below, shape ``(rows, 2 * down + 1)``; below 0 for none. Elsewhere empty."""


def disk_of(whole: GeoBox, window: Window, radius: float, distances: Distances = "ellipsoid") -> Disk:
    """Return the disks around the cells of a part of a grid.

    On a grid of degrees distances are those between the places of the cells, so that disks widen towards a
    pole; elsewhere they are those of the axes of the cell in the middle, or one of its neighbours'.

    Parameters
    ----------
    whole
        The grid that rows and columns are counted in.
    window
        Rows and columns of the part.
    radius
        Radius, the rim included [m].
    distances
        ``ellipsoid`` or ``plane``, see `frame_of`.

    Raises
    ------
    PermagridError
        If the coordinates of a grid of degrees are to be distances.
    """
    rows, columns = window
    if distances == "ellipsoid" and whole.crs.geographic:
        return _disk_of_degrees(whole, window, radius)
    if distances == "plane":
        starts = np.array([columns.start])
        frame = frame_of(whole, window, distances=distances)
    else:
        starts = np.arange(columns.start // _TILE, (columns.stop - 1) // _TILE + 1) * _TILE
        reach = slice(int(starts[0]), int(starts[-1]) + _TILE)
        frame = frame_of(whole, (rows, reach), distances=distances)
    middles = starts + _TILE // 2
    width, height, shear = _middles(frame, rows.start, rows.stop - rows.start, middles)
    edges = np.append(np.maximum(starts, columns.start), columns.stop) - columns.start
    with np.errstate(invalid="ignore"):
        down, along = radius / height, radius * np.hypot(height, shear) / (width * height)
    most_down, most_along = (int(np.nanmax(each, initial=0.0) + _NEARLY) for each in (down, along))
    none = np.empty((0, 0), dtype=np.int64)
    return Disk(radius, most_down, most_along, edges, width, height, shear, none)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _middles(frame: Any, first: int, rows: int, columns: Any) -> Any:
    out = np.empty((3, rows, columns.shape[0]))
    for i in range(rows):
        for n in range(columns.shape[0]):
            out[0, i, n] = between(frame.width, frame, first + i, columns[n])
            out[1, i, n] = between(frame.height, frame, first + i, columns[n])
            out[2, i, n] = between(frame.shear, frame, first + i, columns[n])
    return out


def _disk_of_degrees(whole: GeoBox, window: Window, radius: float) -> Disk:
    rows, columns = window
    height = frame_of(whole, window).height
    down = int(radius / np.nanmin(height, initial=np.inf)) + 1
    reach = np.arange(rows.start - down, rows.stop + down)
    _, latitude = lonlat_of(whole, reach + 0.5, np.full(reach.shape, 0.5))
    x, _, z = np.moveaxis(in_space(np.zeros(reach.shape), latitude), -1, 0)
    own = np.arange(rows.stop - rows.start)[:, np.newaxis] + down
    other = own + np.arange(-down, down + 1)
    room = radius**2 - (x[own] - x[other]) ** 2 - (z[own] - z[other]) ** 2
    both = x[own] * x[other]
    with np.errstate(invalid="ignore", divide="ignore"):
        angle = 2.0 * np.arcsin(np.sqrt(np.clip(room / (4.0 * both), 0.0, 1.0)))
    turn = 360.0 / abs(whole.affine.a)
    most = np.minimum(np.degrees(angle) / 360.0 * turn + _NEARLY, (turn - 1.0) / 2.0)
    # Rows beyond a pole are no places; right at it all longitudes are one.
    there = (room >= 0.0) & (x[own] > 0.0) & (x[other] > 0.0)
    halves = np.where(there, np.floor(np.where(there, most, 0.0)), -1).astype(np.int64)
    edges = np.array([0, columns.stop - columns.start])
    none = np.empty((0, 0))
    return Disk(radius, down, max(0, int(halves.max(initial=0))), edges, none, none, none, halves)


def disk_sums(elevation: NDArray[Any], disk: Disk) -> tuple[Float, NDArray[np.int64]]:
    """Return the sum over each disk, its centre included, and how many cells with data it holds.

    Parameters
    ----------
    elevation
        Of the cells of the disks and `disk.down` rows, `disk.along` columns around them, NaN as nodata [m].
    disk
        The disks.

    Returns
    -------
    tuple of arrays
        Sum [m] and count, of the shape of the part of the grid. The sum is that of heights rounded to
        1/131072 m, and exact.
    """
    total, count = _sums(np.ascontiguousarray(elevation), disk)
    return total, count


def disk_range(elevation: NDArray[Any], disk: Disk) -> NDArray[np.float32]:
    """Return the highest minus the lowest cell of each disk, NaN where its centre is [m].

    Parameters as `disk_sums`.
    """
    return np.asarray(_ranges(np.ascontiguousarray(elevation), disk))


def rounded(elevation: NDArray[Any]) -> Float:
    """Return heights as `disk_sums` takes them [m]."""
    return np.asarray(np.round(np.asarray(elevation, dtype=float) / _QUANTUM) * _QUANTUM)


def cells_within(radius: float) -> int:
    """Return how many cells a disk reaches from its centre, those on the rim included.

    Examples
    --------
    >>> cells_within(1.5), cells_within(2.0), cells_within(np.nextafter(2.0, 0.0))
    (1, 2, 2)
    """
    return int(radius * (1.0 + _NEARLY) + _NEARLY)


def mean_filter(elevation: NDArray[Any], radius: float) -> Float:
    """Return the mean of all cells whose centres lie within a radius of each cell, its own included.

    Parameters
    ----------
    elevation
        Shape ``(rows + 2 * n, columns + 2 * n)`` with n as `cells_within` tells, NaN as nodata [m].
    radius
        Radius, the rim included [cell].

    Returns
    -------
    array
        Shape ``(rows, columns)``, float64; cells without data are left out of means, and have none.

    Examples
    --------
    >>> peak = np.zeros((3, 3))
    >>> peak[1, 1] = 10.0
    >>> mean_filter(peak, 1.0)
    array([[2.]])
    """
    n = cells_within(radius)
    rows, columns = elevation.shape[0] - 2 * n, elevation.shape[1] - 2 * n
    one = np.ones((rows, 1))
    edges, none = np.array([0, columns]), np.empty((0, 0), dtype=np.int64)
    total, count = disk_sums(elevation, Disk(float(radius), n, n, edges, one, one, 0.0 * one, none))
    missing = np.isnan(elevation[n : n + rows, n : n + columns])
    return np.where(missing, np.nan, total / np.maximum(count, 1))


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _span(disk: Any, i: int, tile: int, down: int) -> tuple[int, int]:
    """Return the first and the last column of a disk, from its centre, `down` rows below it."""
    if disk.halves.size > 0:
        half = disk.halves[i, down + disk.down]
        return -half, half
    across = disk.height[i, tile] * down
    room = disk.radius * disk.radius * (1.0 + _NEARLY) - across * across
    if not room >= 0.0:
        return 1, -1
    root, lean, width = np.sqrt(room), -disk.shear[i, tile] * down, disk.width[i, tile]
    return int(np.ceil((lean - root) / width - _NEARLY)), int(np.floor((lean + root) / width + _NEARLY))


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _sums(elevation: Any, disk: Any) -> Any:
    rows, columns = elevation.shape[0] - 2 * disk.down, elevation.shape[1] - 2 * disk.along
    total, count = np.zeros((rows, columns)), np.zeros((rows, columns), dtype=np.int64)
    heights = np.zeros(elevation.shape[1] + 1)
    counts = np.zeros(elevation.shape[1] + 1, dtype=np.int64)
    for line in range(elevation.shape[0]):
        for k in range(elevation.shape[1]):
            z = np.float64(elevation[line, k])
            lacking = np.isnan(z)
            heights[k + 1] = heights[k] + (0.0 if lacking else np.round(z / _QUANTUM) * _QUANTUM)
            counts[k + 1] = counts[k] + (0 if lacking else 1)
        for i in range(max(0, line - 2 * disk.down), min(rows, line + 1)):
            for tile in range(disk.edges.shape[0] - 1):
                first, last = _span(disk, i, tile, line - disk.down - i)
                if last < first:
                    continue
                start, end = disk.edges[tile], disk.edges[tile + 1]
                low, high = start + disk.along + first, start + disk.along + last + 1
                for k in range(end - start):
                    total[i, start + k] += heights[high + k] - heights[low + k]
                    count[i, start + k] += counts[high + k] - counts[low + k]
    return total, count


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _doubled(table: Any, highest: bool) -> None:
    """Fill rows 1, 2, ... of a table with the extremes of 2, 4, ... cells from each cell of row 0 on."""
    for level in range(1, table.shape[0]):
        half = 1 << (level - 1)
        for k in range(table.shape[1] - 2 * half + 1):
            one, other = table[level - 1, k], table[level - 1, k + half]
            table[level, k] = max(one, other) if highest else min(one, other)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _ranges(elevation: Any, disk: Any) -> Any:
    rows, columns = elevation.shape[0] - 2 * disk.down, elevation.shape[1] - 2 * disk.along
    kind = elevation.dtype
    low, high = np.full((rows, columns), np.inf, dtype=kind), np.full((rows, columns), -np.inf, dtype=kind)
    levels = 1
    while (1 << levels) <= 2 * disk.along + 1:
        levels += 1
    lows, highs = np.empty((2, levels, elevation.shape[1]), dtype=kind)
    for line in range(elevation.shape[0]):
        for k in range(elevation.shape[1]):
            z = elevation[line, k]
            lows[0, k], highs[0, k] = (np.inf, -np.inf) if np.isnan(z) else (z, z)
        _doubled(lows, False)
        _doubled(highs, True)
        for i in range(max(0, line - 2 * disk.down), min(rows, line + 1)):
            for tile in range(disk.edges.shape[0] - 1):
                first, last = _span(disk, i, tile, line - disk.down - i)
                if last < first:
                    continue
                level = 0
                while (2 << level) <= last - first + 1:
                    level += 1
                start, end = disk.edges[tile], disk.edges[tile + 1]
                left, right = start + disk.along + first, start + disk.along + last + 1 - (1 << level)
                for k in range(end - start):
                    low[i, start + k] = min(low[i, start + k], lows[level, left + k], lows[level, right + k])
                    high[i, start + k] = max(
                        high[i, start + k], highs[level, left + k], highs[level, right + k]
                    )
    out = np.empty((rows, columns), dtype=np.float32)
    for i in range(rows):
        for k in range(columns):
            lacking = np.isnan(elevation[i + disk.down, k + disk.along])
            out[i, k] = np.nan if lacking else high[i, k] - low[i, k]
    return out
