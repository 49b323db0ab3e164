"""Which cells of a source the cells of a grid take, and how much of each: found once, used by every layer."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from permagrid.grid import Float, Window, blocks, is_global, is_interrupted, lonlat_of, positions, transformed

Resampling = Literal["auto", "nearest", "bilinear", "average", "mode"]
Kind = Literal["continuous", "class"]
Method = Literal["nearest", "bilinear", "average", "mode"]
Span = tuple[int, int]

WINDOW_CELLS = 8_000_000
"""Cells of a source that are held in memory at a time."""

_MOST_SUBCELLS: dict[Method, int] = {"average": 8, "mode": 64}
_POINTS_AT_A_TIME = 1_000_000
_POINTS_KEPT = 20_000_000
_TIE = 1e-6
"""Positions so near to the edge or the middle of a source cell lie on it [cell]: no projection is exact."""


@dataclass(frozen=True)
class Plan:
    """How every cell of one grid is looked up in one source."""

    method: Method
    """How the source cells are combined."""
    subcells: int
    """Points per cell and direction."""
    coarsen: int
    """Source cells per direction that are averaged before they are looked up."""


@dataclass(frozen=True)
class Cells:
    """What some cells of a grid take from a source."""

    place: Window
    """Rows and columns within the block."""
    windows: tuple[tuple[Span, Span], ...]
    """Rows and columns of the source to read, one window after the other."""
    index: NDArray[np.int32]
    """Shape ``(cells, points)``: which of the cells read; one past the last where the source has none."""
    share: Float | None
    """Shape ``(cells, points)``: how much of each, where that differs."""
    own: NDArray[np.int32] | None
    """Shape ``(cells,)``: the nearest of them, where it decides whether there is a value at all."""


Lookup = Callable[[], Iterable[Cells]]
"""The cells of one block; calling it again gives the same."""


def plan_lookup(source: GeoBox, geobox: GeoBox, kind: Kind, resampling: Resampling) -> Plan:
    """Return how a source is brought to a grid; `resampling` as `permagrid.covariates.resample.onto`."""
    ratio = cells_per_cell(source, geobox)
    if resampling == "auto":
        pair: tuple[Method, Method] = ("mode", "nearest") if kind == "class" else ("average", "bilinear")
        resampling = pair[0] if ratio >= 1.5 - 1e-6 else pair[1]
    if resampling == "mode":
        return Plan(resampling, _subcells(2 * ratio, _MOST_SUBCELLS["mode"]), 1)
    if resampling == "average":
        most = _MOST_SUBCELLS["average"]
        least = max(1, int(np.ceil(ratio / most - 1e-6)))
        # Where one of two group sizes divides a cell evenly, its mean is exact.
        even = [size for size in (least, least + 1) if abs(ratio / size - round(ratio / size)) < 1e-6]
        coarsen = even[0] if even else least
        rest = ratio / coarsen
        return Plan(resampling, _subcells(2 * rest if 2 * rest <= most else rest, most), coarsen)
    return Plan(resampling, 1, 1)


def _subcells(wanted: float, most: int) -> int:
    return int(np.clip(np.ceil(wanted - 1e-6), 3, most))


def cells_per_cell(source: GeoBox, geobox: GeoBox) -> float:
    """Return how many source cells lie along the side of a grid cell: the median over the grid.

    Examples
    --------
    >>> from permagrid.grid import make_geobox
    >>> fine = make_geobox("EPSG:6931", 1000, bounds=(0, 0, 1e5, 1e5))
    >>> round(cells_per_cell(fine, make_geobox("EPSG:6931", 2500, bounds=(0, 0, 1e5, 1e5))), 6)
    2.5
    """
    rows, columns = geobox.shape
    row, column = (axis.ravel() for axis in np.meshgrid(_inner(rows), _inner(columns)))
    ends = [
        _source_position(source, geobox, row + d_row, column + d_column)
        for d_row, d_column in ((0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5))
    ]
    (down, across), (down_2, across_2) = (
        (ends[i][0] - ends[i + 1][0], _shortest(source, ends[i][1] - ends[i + 1][1])) for i in (0, 2)
    )
    area = np.abs(down * across_2 - down_2 * across)
    known = np.isfinite(area)
    return float(np.sqrt(np.median(area[known]))) if known.any() else 1.0


def _inner(length: int) -> Float:
    return np.linspace(0, length, 18)[1:-1]


def _shortest(source: GeoBox, columns: Float) -> Float:
    if not source.crs.geographic:
        return columns
    turn = 360.0 / abs(source.affine.a)
    return np.asarray(np.mod(columns + turn / 2, turn) - turn / 2)


def _source_position(source: GeoBox, geobox: GeoBox, row: Float, column: Float) -> tuple[Float, Float]:
    affine = geobox.affine
    x = affine.a * column + affine.b * row + affine.c
    y = affine.d * column + affine.e * row + affine.f
    return _in_source(source, *transformed(x, y, geobox.crs, source.crs))


def _in_source(source: GeoBox, x: Float, y: Float) -> tuple[Float, Float]:
    """Return fractional (row, column) of points in a source; NaN where they cannot be projected."""
    inverse = ~source.affine
    lost = ~(np.isfinite(x) & np.isfinite(y))
    x, y = np.where(lost, np.nan, x), np.where(lost, np.nan, y)
    row = _settled(inverse.d * x + inverse.e * y + inverse.f)
    column = inverse.a * x + inverse.b * y + inverse.c
    column = _settled(column)
    if source.crs.geographic:
        turn = 360.0 / abs(source.affine.a)
        beyond = (column < 0) | (column >= source.shape[1])
        column = np.where(beyond, np.mod(_settled(np.mod(column, turn)), turn), column)
    return row, column


def _settled(position: Float) -> Float:
    half = np.round(position * 2.0) / 2.0
    return np.where(np.abs(position - half) < _TIE, half, position)


def find_lookup(source: GeoBox, whole: GeoBox, window: Window, plan: Plan) -> Lookup:
    """Return what the cells in a window of a grid take from a source.

    Parameters
    ----------
    source
        Grid of the source.
    whole
        The grid; the window's rows and columns are counted in it and may lie outside.
    window
        Rows and columns.
    plan
        From `plan_lookup`.

    Returns
    -------
    Lookup
        Holds what it found, unless that is so much that it is found anew at each call.
    """
    make = partial(_find, source, whole, window, plan)
    rows, columns = window
    if (rows.stop - rows.start) * (columns.stop - columns.start) * plan.subcells**2 > _POINTS_KEPT:
        return make
    kept = list(make())
    return lambda: kept


def _find(source: GeoBox, whole: GeoBox, window: Window, plan: Plan) -> Iterator[Cells]:
    size = max(1, int(_POINTS_AT_A_TIME**0.5 / plan.subcells))
    shape = (window[0].stop - window[0].start, window[1].stop - window[1].start)
    for place in blocks(shape, size):
        yield from _find_tile(source, whole, (window[0].start, window[1].start), place, plan)


def _find_tile(
    source: GeoBox, whole: GeoBox, corner: tuple[int, int], place: Window, plan: Plan
) -> Iterator[Cells]:
    """Yield the cells of a tile, in four parts where together they need too much of the source."""
    tile = tuple(slice(at + part.start, at + part.stop) for at, part in zip(corner, place, strict=True))
    row, column = _points(source, whole, (tile[0], tile[1]), plan.subcells)
    own: NDArray[np.int32] | None = None
    share = None
    if plan.method == "bilinear":
        own_at = _on_the_globe(source, row, column)
        row, column, share = _neighbours(row[:, 0], column[:, 0])
        # The nearest cell is looked up as a fifth neighbour, and taken off again below.
        row, column = np.hstack([row, own_at[0]]), np.hstack([column, own_at[1]])
    elif plan.coarsen == 1:
        row, column = _on_the_globe(source, row, column)
    else:
        row, column = np.floor(row / plan.coarsen), np.floor(column / plan.coarsen)
    shape = tuple(-(-size // plan.coarsen) for size in source.shape)
    if is_global(source):
        row, column = _around(source, row, column, plan.coarsen)
    with np.errstate(invalid="ignore"):
        inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    if not inside.any():
        return
    flat = row[inside].astype(np.int64), column[inside].astype(np.int64)
    windows = _windows(*flat, shape[1])
    if sum((b - t) * (r - le) for (t, b), (le, r) in windows) > WINDOW_CELLS:
        if row.shape[0] > 1:
            for part in _quarters(place):
                yield from _find_tile(source, whole, corner, part, plan)
            return
        windows = tuple(
            ((r, r + 1), (c, c + 1)) for r, c in np.unique(np.stack(flat, axis=1), axis=0).tolist()
        )
    index = np.full(row.shape, sum((b - t) * (r - le) for (t, b), (le, r) in windows), dtype=np.int32)
    index[inside] = _packed(*flat, windows)
    if plan.method == "bilinear":
        index, own = index[:, :-1], index[:, -1]
    yield Cells(place, windows, index, share, own)


def _on_the_globe(source: GeoBox, row: Float, column: Float) -> tuple[Float, Float]:
    """Return the source cells that hold positions, as whole rows and columns.

    At the edge of a lobe of an interrupted projection the middle of that cell may lie nowhere, so that it
    holds no data: the nearest of its neighbours that lies somewhere stands in for it.
    """
    own_row, own_column = np.floor(row), np.floor(column)
    if not is_interrupted(str(source.crs)):
        return own_row, own_column
    down, right = np.sign(row - own_row - 0.5), np.sign(column - own_column - 0.5)
    lost = _nowhere(source, own_row, own_column)
    by_row = np.abs(row - own_row - 0.5) > np.abs(column - own_column - 0.5)
    steps = ((by_row, ~by_row), (~by_row, by_row), (True, True))
    for take_down, take_right in steps:
        if not lost.any():
            break
        next_row, next_column = own_row + down * take_down, own_column + right * take_right
        usable = lost & ~_nowhere(source, next_row, next_column)
        own_row, own_column = np.where(usable, next_row, own_row), np.where(usable, next_column, own_column)
        lost &= ~usable
    return own_row, own_column


def _nowhere(source: GeoBox, row: Float, column: Float) -> NDArray[np.bool_]:
    known = np.isfinite(row) & np.isfinite(column)
    places = (np.where(known, position, 0.0) + 0.5 for position in (row, column))
    longitude, latitude = lonlat_of(source, *places)
    return np.asarray(known & ~(np.isfinite(longitude) & np.isfinite(latitude)))


def _quarters(place: Window) -> Iterator[Window]:
    rows, columns = place
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    for row, column in blocks(shape, -(-max(shape) // 2)):
        yield (
            slice(rows.start + row.start, rows.start + row.stop),
            slice(columns.start + column.start, columns.start + column.stop),
        )


def _points(source: GeoBox, whole: GeoBox, tile: Window, subcells: int) -> tuple[Float, Float]:
    """Return fractional source (row, column) of the points of a tile, shape ``(cells, subcells**2)``."""
    x, y = positions(whole, tile, subcells=subcells)
    row, column = _in_source(source, *transformed(x, y, whole.crs, source.crs))
    rows, columns = row.shape[0] // subcells, row.shape[1] // subcells

    def by_cell(points: Float) -> Float:
        lattice = points.reshape(rows, subcells, columns, subcells).swapaxes(1, 2)
        return lattice.reshape(rows * columns, subcells**2)

    return by_cell(row), by_cell(column)


def _neighbours(row: Float, column: Float) -> tuple[Float, Float, Float]:
    """Return (row, column) of the four source cells around each point, and the share of each."""
    top, left = np.floor(row - 0.5), np.floor(column - 0.5)
    down, across = row - 0.5 - top, column - 0.5 - left
    share = np.stack(
        [(1.0 - down) * (1.0 - across), (1.0 - down) * across, down * (1.0 - across), down * across], axis=1
    )
    return np.stack([top, top, top + 1, top + 1], 1), np.stack([left, left + 1, left, left + 1], 1), share


def _around(source: GeoBox, row: Float, column: Float, coarsen: int) -> tuple[Float, Float]:
    """Bring cells beyond the seam, or beyond a pole, of a grid around the globe back onto it."""
    turn = round(360.0 / abs(source.affine.a))
    rows = source.shape[0]
    if coarsen == 1 and turn % 2 == 0:
        top, bottom = source.affine.f, source.affine.f + rows * source.affine.e
        for pole, beyond, mirrored in ((top - 90.0, row == -1, 0), (bottom + 90.0, row == rows, rows - 1)):
            if abs(pole) < 1e-3 * abs(source.affine.e):
                row = np.where(beyond, mirrored, row)
                column = np.where(beyond, column + turn // 2, column)
    beyond = (column < 0) | (column >= -(-source.shape[1] // coarsen))
    return row, np.where(beyond, np.mod(column, -(-turn // coarsen)), column)


def _windows(
    row: NDArray[np.int64], column: NDArray[np.int64], columns: int
) -> tuple[tuple[Span, Span], ...]:
    """Return the windows that hold some cells: two where a wide gap lies between, as at a seam."""
    rows = (int(row.min()), int(row.max()) + 1)
    seen = np.zeros(columns, dtype=bool)
    seen[column] = True
    used = np.flatnonzero(seen)
    gaps = np.diff(used)
    if gaps.size == 0 or gaps.max() <= 0.1 * columns:
        return ((rows, (int(used[0]), int(used[-1]) + 1)),)
    last = int(gaps.argmax())
    return (
        (rows, (int(used[0]), int(used[last]) + 1)),
        (rows, (int(used[last + 1]), int(used[-1]) + 1)),
    )


def _packed(
    row: NDArray[np.int64], column: NDArray[np.int64], windows: tuple[tuple[Span, Span], ...]
) -> NDArray[np.int64]:
    """Return the place of cells among those of the windows, read one after the other."""
    if len(windows) > 2:
        corners = np.array([(top, left) for (top, _), (left, _) in windows])
        width = int(corners[:, 1].max()) + 1
        return np.searchsorted(corners[:, 0] * width + corners[:, 1], row * width + column)
    place = np.zeros(row.shape, dtype=np.int64)
    start = 0
    for (top, bottom), (left, right) in windows:
        here = (row >= top) & (row < bottom) & (column >= left) & (column < right)
        place = np.where(here, start + (row - top) * (right - left) + column - left, place)
        start += (bottom - top) * (right - left)
    return place
