"""Composites of many images: each is brought to the grid on its own, then they are combined cell by cell."""

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from math import isqrt
from typing import Any, NamedTuple
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from permagrid.covariates.lazy import Key, lazy_grid
from permagrid.covariates.lookup import Resampling
from permagrid.covariates.resample import BlockInfo, chunked, onto
from permagrid.covariates.table import Request
from permagrid.grid import Float, blocks, cells_of, place_in, positions, transformed

STACK_BYTES = 64 * 2**20
"""Memory that the images of one part of the grid may take while they are combined."""

_SMALLEST = 32
"""Cells along the side of the smallest part."""
_COPIES = 4
"""How often the stack is held while it is sorted."""
_LATTICE = 33
"""Points per side by which is found where on the grid an image lies."""

Span = tuple[float, float]
Combine = Callable[[NDArray[np.float32], Sequence[Any]], NDArray[Any]]


class Image(NamedTuple):
    """One image of a composite."""

    grid: xr.DataArray
    """Its values, lazy, of dimensions ``(y, x)``, on a grid of its own."""
    observation: Hashable
    """What it is a view of, such as a day and a satellite. Images of one observation overlap without telling
    anything new: where they do, their mean counts once. Observations are sorted by this."""


def compose(
    request: Request, images: Sequence[Image], combine: Combine, *, resampling: Resampling = "auto"
) -> xr.DataArray:
    """Return what many images are combined to, lazily, in memory that does not grow with their number.

    The grid is worked on in parts, the smaller the more images there are; images that lie elsewhere are left
    alone. A cell's value does not depend on the parts.

    Parameters
    ----------
    request
        The grid.
    images
        At least one.
    combine
        From the observations of a part, float32 of shape ``(observations, rows, columns)``, NaN as nodata,
        and what each is of, to the values of shape ``(rows, columns)``.
    resampling
        As `permagrid.covariates.resample.onto`.

    Returns
    -------
    xarray.DataArray
        Lazy, float32.
    """
    groups = _groups(images)
    reaches = [reach(group[0].grid.odc.geobox, request.whole) for group in groups]
    sources = [_series([image.grid for image in group]) for group in groups]
    corner = place_in(request.geobox, request.whole)

    def one(block_info: BlockInfo | None = None) -> NDArray[np.float32]:
        if block_info is None:
            return np.empty((0, 0), dtype="float32")
        (top, bottom), (left, right) = block_info[None]["array-location"]
        out = np.empty((bottom - top, right - left), dtype="float32")
        here = _within(reaches, corner, (top, bottom), (left, right))
        for rows, columns in blocks(out.shape, _part(sum(len(groups[i]) for i in here))):
            part = (top + rows.start, top + rows.stop), (left + columns.start, left + columns.stop)
            near = _within(reaches, corner, *part)
            box = request.geobox[slice(*part[0]), slice(*part[1])]
            brought = [onto(sources[i], box, resampling=resampling, whole=request.whole).data for i in near]
            stacks = dask.compute(*brought, scheduler="synchronous")
            values, of = _observed([groups[i] for i in near], stacks, box.shape)
            out[rows, columns] = combine(values, of)
        return out

    data = da.map_blocks(
        one,
        chunks=(chunked(request.geobox.shape[0]), chunked(request.geobox.shape[1])),
        dtype="float32",
        meta=np.empty((0, 0), dtype="float32"),
        name=f"composite-{uuid4().hex}",
    )
    return xr.DataArray(data, coords=xr_coords(request.geobox), dims=request.geobox.dimensions)


def _groups(images: Sequence[Image]) -> list[list[Image]]:
    """Return images by their grids, so that each grid is looked up once."""
    found: dict[tuple[Any, ...], list[Image]] = {}
    for image in images:
        box = image.grid.odc.geobox
        found.setdefault((str(box.crs), tuple(box.affine), tuple(box.shape)), []).append(image)
    return list(found.values())


def _series(grids: Sequence[xr.DataArray]) -> xr.DataArray:
    """Return images of one grid as one lazy array of dimensions ``(image, y, x)``."""
    values = [grid.variable for grid in grids]

    def read(key: Key) -> Float:
        steps = np.arange(len(values))[key[0]]
        parts = [np.asarray(values[step][key[1:]].values, dtype=float) for step in np.atleast_1d(steps)]
        return np.stack(parts) if np.ndim(steps) else parts[0]

    return lazy_grid(read, grids[0].odc.geobox, {}, axis=xr.Variable("image", np.arange(len(values))))


def _part(images: int) -> int:
    """Return the cells along the side of a part in which so many images fit in memory."""
    return max(_SMALLEST, isqrt(STACK_BYTES // (4 * _COPIES * max(1, images))))


def _observed(
    groups: Sequence[Sequence[Image]], stacks: Sequence[NDArray[np.float32]], shape: tuple[int, int]
) -> tuple[NDArray[np.float32], list[Any]]:
    """Return a value per observation, the mean of its images, and the observations in order."""
    layers: dict[Hashable, list[NDArray[np.float32]]] = {}
    for group, stack in zip(groups, stacks, strict=True):
        for image, layer in zip(group, stack, strict=True):
            layers.setdefault(image.observation, []).append(layer)
    of: list[Any] = sorted(layers)
    out = np.empty((len(of), *shape), dtype="float32")
    for place, observation in enumerate(of):
        views = layers.pop(observation)
        out[place] = views[0] if len(views) == 1 else _mean(np.stack(views))
    return out, of


def _mean(views: NDArray[np.float32]) -> Float:
    seen = np.isfinite(views)
    total = np.where(seen, views, 0.0).sum(axis=0, dtype=float)
    return np.where(seen.any(axis=0), total / np.maximum(seen.sum(axis=0), 1), np.nan)


def _within(
    reaches: Sequence[tuple[Span, Span]], corner: tuple[int, int], *part: tuple[int, int]
) -> list[int]:
    """Return which images reach into rows and columns of the grid, which begins at a corner of the whole."""
    return [
        i
        for i, reached in enumerate(reaches)
        if all(
            low < at + last and high > at + first
            for (low, high), at, (first, last) in zip(reached, corner, part, strict=True)
        )
    ]


def combined(how: str, statistic: str, minimum: int) -> Combine:
    """Return how observations are combined: their ``median`` or ``maximum``, or how many there are.

    Parameters
    ----------
    how
        ``median`` or ``maximum``. The median of an even number is the mean of the middle two.
    statistic
        ``composite``, or ``observations`` for the number of those that are valid, 0 included.
    minimum
        Observations with fewer of which a cell of the composite is nodata.

    Examples
    --------
    >>> stack = np.array([[[0.1, np.nan]], [[0.4, np.nan]], [[0.2, 0.7]]], dtype="float32")
    >>> combined("median", "composite", 1)(stack, "abc").round(3)
    array([[0.2, 0.7]])
    >>> combined("maximum", "composite", 2)(stack, "abc").round(3)
    array([[0.4, nan]])
    >>> combined("median", "observations", 1)(stack, "abc")
    array([[3., 1.]])
    """

    def combine(stack: NDArray[np.float32], of: Sequence[Any]) -> NDArray[Any]:
        count = np.isfinite(stack).sum(axis=0)
        if statistic == "observations":
            return np.asarray(count, dtype=float)
        if not len(of):
            return np.full(stack.shape[1:], np.nan)
        # NaN is sorted behind all numbers.
        ranked = np.sort(stack, axis=0)
        last = np.maximum(count - 1, 0)
        places = (last,) if how == "maximum" else (last // 2, (last + 1) // 2)
        taken = [np.take_along_axis(ranked, place[np.newaxis], axis=0)[0].astype(float) for place in places]
        return np.where(count >= max(1, minimum), sum(taken) / len(taken), np.nan)

    return combine


@lru_cache(maxsize=1024)
def reach(source: GeoBox, whole: GeoBox) -> tuple[Span, Span]:
    """Return rows and columns of a grid outside which a source has no cell; wide where it is hard to tell.

    Examples
    --------
    >>> from permagrid.grid import make_geobox
    >>> grid = make_geobox("EPSG:6931", 1000, bounds=(0, 0, 100_000, 100_000))
    >>> image = make_geobox("EPSG:6931", 30, bounds=(0, 90_000, 9_000, 99_000))
    >>> (top, bottom), (left, right) = reach(image, grid)
    >>> top <= 1 and 10 <= bottom < 16 and left <= 0 and 9 <= right < 16
    True
    """
    everywhere = (-np.inf, np.inf), (-np.inf, np.inf)
    height, width = source.shape
    coarse = GeoBox(
        (_LATTICE, _LATTICE),
        source.affine * source.affine.scale(width / _LATTICE, height / _LATTICE),
        source.crs,
    )
    # The lattice holds the rim of the source: it begins half a step before it.
    x, y = positions(coarse, (slice(-1, _LATTICE + 1), slice(-1, _LATTICE + 1)))
    longitude, latitude = transformed(x, y, source.crs, "EPSG:4326")
    if not (np.isfinite(longitude) & np.isfinite(latitude)).all():
        return everywhere
    rows, columns = cells_of(whole, longitude, latitude)
    if not (np.isfinite(rows) & np.isfinite(columns)).all():
        return everywhere
    return _span(rows), _span(columns)


def _span(at: Float) -> Span:
    """Return the least and greatest position, and as much beyond as neighbours lie apart."""
    apart = max(float(np.abs(np.diff(at, axis=axis)).max()) for axis in (0, 1)) + 2.0
    return float(at.min()) - apart, float(at.max()) + apart
