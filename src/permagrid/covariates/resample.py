"""Resampling of a lazily opened raster onto a GeoBox, exact at the pole and the antimeridian.

Values are looked up cell by cell instead of warped image by image: a warp that works on image
blocks gives other last digits for other block sizes, and average resampling with it is wrong along
the antimeridian and at the pole. Here a cell depends on nothing but its own place.
"""

from uuid import uuid4

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize
from numba import njit
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from scipy.sparse import csr_array

from permagrid.covariates.lookup import (
    WINDOW_CELLS,
    Cells,
    Kind,
    Lookup,
    Plan,
    Resampling,
    Span,
    find_lookup,
    plan_lookup,
)
from permagrid.grid import Float, Window, place_in

__all__ = ["CHUNK", "Kind", "Resampling", "chunked", "onto"]

CHUNK = 512
"""Cells per side of a chunk of every lazy covariate and of the stack."""

_STEPS_PER_CHUNK = 48
_STEPS_AT_A_TIME = 12

BlockInfo = dict[int | None, dict[str, list[tuple[int, int]]]]


def onto(
    source: xr.DataArray,
    geobox: GeoBox,
    *,
    kind: Kind = "continuous",
    resampling: Resampling = "auto",
    whole: GeoBox | None = None,
) -> xr.DataArray:
    """Return `source` on `geobox`, lazily, in chunks.

    Parameters
    ----------
    source
        Georeferenced (``.odc.geobox``), of dimensions ``(y, x)`` or ``(time, y, x)``, NaN where it has no
        data. Cells of the source are looked up once for all times.
    geobox
        The grid to bring it to.
    kind
        ``continuous`` values or ``class`` codes.
    resampling
        ``auto`` averages a continuous variable when the grid is at least half as coarse again as the
        source and interpolates it bilinearly otherwise; classes take the most frequent class or the
        nearest one. ``average`` and ``mode`` weigh source cells by their area in the target cell and
        need data on half of it; of classes equally frequent the lowest code is taken. ``bilinear`` uses
        the valid neighbours only, and only where the nearest source cell is valid, so that no value is
        invented over nodata.
    whole
        The grid that `geobox` is a part of, or a rim around, where it is one: cells then get the very
        values that they have in the whole.

    Returns
    -------
    xarray.DataArray
        float32, NaN as nodata; lazy. Its first axis is that of the source, if that has three.

    Raises
    ------
    PermagridError
        When values are computed, if the source's file cannot be read.
    """
    whole = geobox if whole is None else whole
    grid = source.odc.geobox
    plan = plan_lookup(grid, whole, kind, resampling)
    lookups = _lookups(grid, geobox, whole, plan)
    if source.ndim == 2:
        data = _brought(source, lookups, plan)[0]
        return xr.DataArray(data, coords=xr_coords(geobox), dims=geobox.dimensions, attrs=dict(source.attrs))
    axis = source.dims[0]
    starts = range(0, source.shape[0], _STEPS_PER_CHUNK)
    parts = [_brought(source.isel({axis: slice(t, t + _STEPS_PER_CHUNK)}), lookups, plan) for t in starts]
    coords = {**({axis: source[axis]} if axis in source.coords else {}), **xr_coords(geobox)}
    dims = (axis, *geobox.dimensions)
    return xr.DataArray(da.concatenate(parts), coords=coords, dims=dims, attrs=dict(source.attrs))


def chunked(length: int) -> tuple[int, ...]:
    """Return the sizes of the chunks that tile a length.

    Examples
    --------
    >>> chunked(1030)
    (512, 512, 6)
    """
    full, rest = divmod(length, CHUNK)
    return (CHUNK,) * full + ((rest,) if rest else ())


def _lookups(source: GeoBox, geobox: GeoBox, whole: GeoBox, plan: Plan) -> da.Array:
    """Return a chunk per chunk of the grid that holds its lookup.

    Its name says all that it depends on, so that dask makes it once for all layers of one source grid that
    are computed together, and drops it when the last of them is done.
    """
    row, column = place_in(geobox, whole)
    ingredients = [(str(box.crs), tuple(box.affine), tuple(box.shape)) for box in (source, geobox, whole)]

    def find(block_info: BlockInfo | None = None) -> Lookup | NDArray[np.object_]:
        if block_info is None:
            return np.empty((0, 0), dtype=object)
        (top, bottom), (left, right) = block_info[None]["array-location"]
        window = slice(row + top, row + bottom), slice(column + left, column + right)
        return find_lookup(source, whole, window, plan)

    return da.map_blocks(
        find,
        chunks=(chunked(geobox.shape[0]), chunked(geobox.shape[1])),
        dtype=object,
        meta=np.empty((0, 0), dtype=object),
        name=f"lookup-{tokenize(CHUNK, plan, ingredients)}",
    )


def _brought(source: xr.DataArray, lookups: da.Array, plan: Plan) -> da.Array:
    """Return a few times of a source on the grid, of dimensions ``(time, y, x)``."""
    rows, columns = lookups.chunks

    def bring(lookup: Lookup, block_info: BlockInfo | None = None) -> NDArray[np.float32]:
        if block_info is None:
            return np.empty((0, 0, 0), dtype="float32")
        _, (top, bottom), (left, right) = block_info[None]["array-location"]
        return _resample(source, lookup, plan, (bottom - top, right - left))

    return da.map_blocks(
        bring,
        lookups,
        new_axis=0,
        chunks=((_steps(source),), rows, columns),
        dtype="float32",
        meta=np.empty((0, 0, 0), dtype="float32"),
        name=f"onto-{uuid4().hex}",
    )


def _steps(source: xr.DataArray) -> int:
    return int(source.shape[0]) if source.ndim == 3 else 1


def _resample(
    source: xr.DataArray, lookup: Lookup, plan: Plan, shape: tuple[int, int]
) -> NDArray[np.float32]:
    out = np.full((_steps(source), *shape), np.nan, dtype="float32")
    combine = {"nearest": _nearest, "bilinear": _bilinear, "average": _average, "mode": _mode}[plan.method]
    for cells in lookup():
        size = sum((b - t) * (r - le) for (t, b), (le, r) in cells.windows)
        steps = int(np.clip(WINDOW_CELLS // size, 1, _STEPS_AT_A_TIME))
        rows, columns = cells.place
        for start in range(0, out.shape[0], steps):
            times = slice(start, min(start + steps, out.shape[0]))
            values = _read(source, times, cells, plan.coarsen)
            out[(times, *cells.place)] = combine(values, cells).reshape(
                -1, rows.stop - rows.start, columns.stop - columns.start
            )
    return out


def _nearest(values: Float, cells: Cells) -> Float:
    return values[:, cells.index[:, 0]]


def _bilinear(values: Float, cells: Cells) -> Float:
    if cells.share is None or cells.own is None:
        raise ValueError("bilinear resampling needs shares")
    seen = np.isfinite(values)
    count, points = cells.index.shape
    matrix = csr_array(
        (cells.share.ravel(), cells.index.ravel(), np.arange(0, count * points + 1, points, dtype=np.int32)),
        shape=(count, values.shape[1]),
    )
    total = matrix @ np.where(seen, values, 0.0).T
    # Where all times lack the same cells, what their neighbours count for is found once.
    patterns = seen[:1] if bool((seen == seen[:1]).all()) else seen
    weight = matrix @ patterns.T.astype(float)
    usable = seen[:, cells.own] & (weight.T > 0)
    return np.where(usable, (total / np.where(weight > 0, weight, 1.0)).T, np.nan)


def _average(values: Float, cells: Cells) -> Float:
    return np.stack([_mean_of_half(step[cells.index]) for step in values])


def _mean_of_half(points: Float) -> Float:
    """Return the mean over the last axis where at least half of it is valid."""
    valid = np.isfinite(points)
    count = valid.sum(axis=-1)
    total = np.where(valid, points, 0.0).sum(axis=-1)
    return np.where(2 * count >= points.shape[-1], total / np.maximum(count, 1), np.nan)


def _mode(values: Float, cells: Cells) -> Float:
    return np.stack([_most_frequent(step[cells.index]) for step in values])


def _most_frequent(points: Float) -> Float:
    best = np.zeros(points.shape[:-1], dtype=int)
    winner = np.full(points.shape[:-1], np.nan)
    valid = np.isfinite(points)
    for code in np.unique(points[valid]):
        count = (points == code).sum(axis=-1)
        ahead = count > best
        best = np.where(ahead, count, best)
        winner = np.where(ahead, code, winner)
    return np.where(2 * valid.sum(axis=-1) >= points.shape[-1], winner, np.nan)


def _read(source: xr.DataArray, times: slice, cells: Cells, coarsen: int) -> Float:
    """Return the values of a lookup's windows, shape ``(time, cells + 1)``; the last one is nodata."""
    steps = times.stop - times.start
    parts = [_window(source, times, window, coarsen).reshape(steps, -1) for window in cells.windows]
    values = np.concatenate([*parts, np.full((steps, 1), np.nan)], axis=1)
    values[~np.isfinite(values)] = np.nan
    return values


def _window(source: xr.DataArray, times: slice, window: tuple[Span, Span], coarsen: int) -> Float:
    (first, last), (west, east) = window
    if coarsen == 1:
        return _values(source, times, (slice(first, last), slice(west, east)))
    out = np.empty((times.stop - times.start, last - first, east - west))
    most = max(1, WINDOW_CELLS // coarsen**2)
    width = min(east - west, most)
    height = max(1, most // width)
    for top in range(first, last, height):
        for left in range(west, east, width):
            bottom, right = min(top + height, last), min(left + width, east)
            fine = slice(top * coarsen, bottom * coarsen), slice(left * coarsen, right * coarsen)
            place = slice(top - first, bottom - first), slice(left - west, right - west)
            for step in range(times.start, times.stop):
                values = _values(source, slice(step, step + 1), fine)[0]
                out[(step - times.start, *place)] = _coarsened(values, (bottom - top, right - left), coarsen)
    return out


def _coarsened(fine: Float, shape: tuple[int, int], coarsen: int) -> Float:
    """Return means of squares of cells, of those that the source has, where half of them are valid."""
    out = np.empty(shape)
    _means_of_squares(fine, coarsen, out)
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _means_of_squares(fine: Float, coarsen: int, out: Float) -> None:
    # Added one after the other: the sums of arrays are taken in an order that depends on their shape.
    for row in range(out.shape[0]):
        bottom = min((row + 1) * coarsen, fine.shape[0])
        for column in range(out.shape[1]):
            right = min((column + 1) * coarsen, fine.shape[1])
            total, valid, there = 0.0, 0, 0
            for y in range(row * coarsen, bottom):
                for x in range(column * coarsen, right):
                    there += 1
                    if np.isfinite(fine[y, x]):
                        valid += 1
                        total += fine[y, x]
            out[row, column] = total / valid if valid > 0 and 2 * valid >= there else np.nan


def _values(source: xr.DataArray, times: slice, window: Window) -> Float:
    """Return part of a source, shape ``(time, rows, columns)``."""
    y, x = source.dims[-2:]
    part = source.variable.isel({y: window[0], x: window[1]})
    if source.ndim == 3:
        part = part.isel({source.dims[0]: times})
    values = np.asarray(part.compute(scheduler="synchronous").values, dtype=float)
    return values.reshape(-1, *values.shape[-2:])
