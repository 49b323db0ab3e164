"""Resampling of a lazily opened raster onto a GeoBox, exact at the pole and the antimeridian.

Values are looked up cell by cell instead of warped image by image: a warp that works on image
blocks gives other last digits for other block sizes, and average resampling with it is wrong along
the antimeridian and at the pole. Here a cell depends on nothing but its own place.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from pyproj import CRS, Geod, Transformer

from permagrid.grid import Float, centres

Resampling = Literal["auto", "nearest", "bilinear", "average", "mode"]
Kind = Literal["continuous", "class"]
_Method = Literal["nearest", "bilinear", "average", "mode"]

CHUNK = 512
"""Cells per side of a chunk of every lazy covariate and of the stack."""

_MOST_SUBCELLS = 16
_WINDOW_CELLS = 64_000_000


@dataclass(frozen=True)
class _Plan:
    """How every cell of one grid is looked up in one source."""

    method: _Method
    subcells: int
    coarsen: int


def onto(
    source: xr.DataArray,
    geobox: GeoBox,
    *,
    kind: Kind = "continuous",
    resampling: Resampling = "auto",
) -> xr.DataArray:
    """Return `source` on `geobox`, lazily, in chunks.

    Parameters
    ----------
    source
        Two-dimensional, georeferenced (``.odc.geobox``), NaN where it has no data.
    geobox
        The grid to bring it to.
    kind
        ``continuous`` values or ``class`` codes.
    resampling
        ``auto`` averages a continuous variable when the grid is at least half as coarse again as the
        source and interpolates it bilinearly otherwise; classes take the most frequent class or the
        nearest one. ``average`` and ``mode`` weigh source cells by their area in the target cell and
        need data on half of it. ``bilinear`` uses the valid neighbours only, and only where the
        nearest source cell is valid, so that no value is invented over nodata.

    Returns
    -------
    xarray.DataArray
        float32, NaN as nodata; lazy.
    """
    plan = _plan(source.odc.geobox, geobox, kind, resampling)
    rows, columns = geobox.shape
    chunks = (_chunk_sizes(rows), _chunk_sizes(columns))

    def one(
        block_info: dict[int | None, dict[str, list[tuple[int, int]]]] | None = None,
    ) -> NDArray[np.float32]:
        if block_info is None:
            return np.empty((0, 0), dtype="float32")
        (top, bottom), (left, right) = block_info[None]["array-location"]
        return _resample_block(source, geobox[top:bottom, left:right], plan)

    data = da.map_blocks(one, chunks=chunks, dtype="float32", meta=np.empty((0, 0), dtype="float32"))
    return xr.DataArray(data, coords=xr_coords(geobox), dims=geobox.dimensions, attrs=dict(source.attrs))


def _chunk_sizes(length: int) -> tuple[int, ...]:
    whole, rest = divmod(length, CHUNK)
    return (CHUNK,) * whole + ((rest,) if rest else ())


def _plan(source: GeoBox, geobox: GeoBox, kind: Kind, resampling: Resampling) -> _Plan:
    ratio = cell_size_metres(geobox) / cell_size_metres(source)
    if resampling == "auto":
        coarser = ratio >= 1.5
        pair: tuple[_Method, _Method] = ("mode", "nearest") if kind == "class" else ("average", "bilinear")
        resampling = pair[0] if coarser else pair[1]
    if resampling in {"nearest", "bilinear"}:
        return _Plan(resampling, 1, 1)
    coarsen = max(1, int(ratio * 2 / _MOST_SUBCELLS)) if resampling == "average" else 1
    limit = _MOST_SUBCELLS if resampling == "average" else 4 * _MOST_SUBCELLS
    return _Plan(resampling, int(np.clip(np.ceil(2 * ratio / coarsen), 3, limit)), coarsen)


@lru_cache(maxsize=64)
def cell_size_metres(geobox: GeoBox) -> float:
    """Return the median side of the cells of a grid on the ellipsoid [m].

    Examples
    --------
    >>> from permagrid.grid import make_geobox
    >>> round(cell_size_metres(make_geobox("EPSG:6931", 1000, bounds=(0, -2e6, 1e4, -1.99e6))))
    1000
    """
    rows, columns = geobox.shape
    to_globe = Transformer.from_crs(geobox.crs, "EPSG:4326", always_xy=True)
    row, column = np.meshgrid(np.linspace(0, rows, 18)[1:-1], np.linspace(0, columns, 18)[1:-1])
    affine = geobox.affine

    def place(d_row: float, d_column: float) -> tuple[Float, Float]:
        c, r = column + d_column, row + d_row
        x = affine.a * c + affine.b * r + affine.c
        y = affine.d * c + affine.e * r + affine.f
        longitude, latitude = to_globe.transform(x, y)
        return np.ravel(longitude), np.ravel(latitude)

    geod = Geod(ellps="WGS84")
    sides = []
    for step in ((0.5, 0.0), (0.0, 0.5)):
        lon1, lat1 = place(-step[0], -step[1])
        lon2, lat2 = place(*step)
        seen = np.isfinite(lon1) & np.isfinite(lon2)
        sides.append(geod.inv(lon1[seen], lat1[seen], lon2[seen], lat2[seen])[2])
    return float(np.median(np.sqrt(sides[0] * sides[1])))


@lru_cache(maxsize=16)
def _source_cells(source: GeoBox, block: GeoBox, subcells: int) -> tuple[Float, Float]:
    """Return fractional source (row, column) of the points of a block, NaN where unprojectable."""
    x, y = centres(block, subcells=subcells)
    if CRS.from_user_input(str(source.crs)) != CRS.from_user_input(str(block.crs)):
        x, y = Transformer.from_crs(block.crs, source.crs, always_xy=True).transform(x, y)
    inverse = ~source.affine
    column = inverse.a * x + inverse.b * y + inverse.c
    row = inverse.d * x + inverse.e * y + inverse.f
    if source.crs is not None and source.crs.geographic:
        turn = 360.0 / abs(source.affine.a)
        column = np.where(
            np.isfinite(column), np.mod(np.where(np.isfinite(column), column, 0.0), turn), np.nan
        )
    lost = ~(np.isfinite(row) & np.isfinite(column))
    return np.where(lost, np.nan, row), np.where(lost, np.nan, column)


def is_global(geobox: GeoBox) -> bool:
    """Return whether a lon/lat grid runs right around the globe, so that its first and last columns meet."""
    if geobox.crs is None or not geobox.crs.geographic:
        return False
    return bool(abs(geobox.shape[1] * geobox.affine.a) >= 360.0 - 0.5 * abs(geobox.affine.a))


def _resample_block(source: xr.DataArray, block: GeoBox, plan: _Plan) -> NDArray[np.float32]:
    row, column = _source_cells(source.odc.geobox, block, plan.subcells)
    look_up = _bilinear if plan.method == "bilinear" else _nearest
    values = look_up(source, row, column, plan.coarsen)
    if plan.subcells == 1:
        return values.astype("float32")
    rows, columns = block.shape
    lattice = values.reshape(rows, plan.subcells, columns, plan.subcells).swapaxes(1, 2)
    points = lattice.reshape(rows, columns, plan.subcells**2)
    return (_average if plan.method == "average" else _mode)(points).astype("float32")


def _average(points: Float) -> Float:
    valid = np.isfinite(points)
    count = valid.sum(axis=-1)
    total = np.where(valid, points, 0.0).sum(axis=-1)
    return np.where(2 * count >= points.shape[-1], total / np.maximum(count, 1), np.nan)


def _mode(points: Float) -> Float:
    best = np.zeros(points.shape[:-1], dtype=int)
    winner = np.full(points.shape[:-1], np.nan)
    for code in np.unique(points[np.isfinite(points)]):
        count = (points == code).sum(axis=-1)
        ahead = count > best
        best = np.where(ahead, count, best)
        winner = np.where(ahead, code, winner)
    return np.where(2 * np.isfinite(points).sum(axis=-1) >= points.shape[-1], winner, np.nan)


def _nearest(source: xr.DataArray, row: Float, column: Float, coarsen: int) -> Float:
    row, column = np.floor(row / coarsen), np.floor(column / coarsen)
    return _gather(source, row, column, coarsen)


def _bilinear(source: xr.DataArray, row: Float, column: Float, coarsen: int) -> Float:
    nearest = _gather(source, np.floor(row), np.floor(column), coarsen)
    top, left = np.floor(row - 0.5), np.floor(column - 0.5)
    down, across = row - 0.5 - top, column - 0.5 - left
    total, weight = np.zeros_like(row), np.zeros_like(row)
    for d_row, d_column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = (down if d_row else 1.0 - down) * (across if d_column else 1.0 - across)
        value = _gather(source, top + d_row, left + d_column, coarsen)
        seen = np.isfinite(value)
        total += np.where(seen, share * np.where(seen, value, 0.0), 0.0)
        weight += np.where(seen, share, 0.0)
    usable = np.isfinite(nearest) & (weight > 0)
    return np.where(usable, total / np.where(weight > 0, weight, 1.0), np.nan)


def _gather(source: xr.DataArray, row: Float, column: Float, coarsen: int) -> Float:
    """Return source values at whole (row, column), reading no more than the window they span."""
    rows, columns = (-(-size // coarsen) for size in source.shape)
    out = np.full(row.shape, np.nan)
    if is_global(source.odc.geobox):
        column = np.mod(column, columns)
    with np.errstate(invalid="ignore"):
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    if not inside.any():
        return out
    wanted_rows, wanted_columns = row[inside].astype(int), column[inside].astype(int)
    top, bottom = int(wanted_rows.min()), int(wanted_rows.max()) + 1
    values = np.empty(wanted_rows.shape)
    for left, right in _spans(wanted_columns, columns):
        here = (wanted_columns >= left) & (wanted_columns < right)
        if here.any():
            window = _read(source, (top, bottom), (left, right), coarsen)
            values[here] = window[wanted_rows[here] - top, wanted_columns[here] - left]
    out[inside] = values
    return out


def _spans(wanted: NDArray[np.int_], columns: int) -> list[tuple[int, int]]:
    """Return the column ranges to read: two when the wanted cells lie on both sides of a seam."""
    low, high = int(wanted.min()), int(wanted.max()) + 1
    middle = columns // 2
    if high - low < 0.9 * columns:
        return [(low, high)]
    west, east = wanted[wanted < middle], wanted[wanted >= middle]
    if not (west.size and east.size):
        return [(low, high)]
    return [(int(west.min()), int(west.max()) + 1), (int(east.min()), int(east.max()) + 1)]


def _read(source: xr.DataArray, rows: tuple[int, int], columns: tuple[int, int], coarsen: int) -> Float:
    if coarsen == 1:
        return _values(source, slice(*rows), slice(*columns))
    strips = []
    width = (columns[1] - columns[0]) * coarsen
    step = max(1, _WINDOW_CELLS // max(1, width * coarsen))
    for top in range(rows[0], rows[1], step):
        bottom = min(top + step, rows[1])
        fine = _values(
            source, slice(top * coarsen, bottom * coarsen), slice(columns[0] * coarsen, columns[1] * coarsen)
        )
        strips.append(_coarsened(fine, bottom - top, columns[1] - columns[0], coarsen))
    return np.concatenate(strips)


def _coarsened(fine: Float, rows: int, columns: int, coarsen: int) -> Float:
    padded = np.full((rows * coarsen, columns * coarsen), np.nan)
    padded[: fine.shape[0], : fine.shape[1]] = fine
    points = padded.reshape(rows, coarsen, columns, coarsen).swapaxes(1, 2).reshape(rows, columns, -1)
    return _average(points)


def _values(source: xr.DataArray, rows: slice, columns: slice) -> Float:
    window = source.isel({source.dims[-2]: rows, source.dims[-1]: columns})
    return np.asarray(window.compute(scheduler="synchronous").values, dtype=float)
