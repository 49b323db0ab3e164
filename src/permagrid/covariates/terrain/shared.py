"""One terrain analysis of a whole grid for all layers, chunks and threads that ask for it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize
from numpy.typing import NDArray
from odc.geo.xr import xr_coords

from permagrid.covariates.resample import CHUNK, BlockInfo, chunked
from permagrid.covariates.table import Covariate, Request
from permagrid.covariates.terrain.analysis import TerrainAnalysis, Voids, refuse_large
from permagrid.covariates.terrain.frame import Distances
from permagrid.covariates.terrain.lazily import metres_of
from permagrid.covariates.traits import traits_of
from permagrid.errors import PermagridError
from permagrid.grid import blocks, place_in

Layer = NDArray[np.float32]


class _Shared:
    """An analysis that is made when the first value of it is wanted."""

    def __init__(self, make: Callable[[], TerrainAnalysis]) -> None:
        self._make, self._lock = make, Lock()
        self._analysis: TerrainAnalysis | None = None

    def __call__(self) -> TerrainAnalysis:
        with self._lock:
            if self._analysis is None:
                self._analysis = self._make()
            return self._analysis


# An analysis lives as long as a lazy layer that is made of it.
_KNOWN: WeakValueDictionary[str, _Shared] = WeakValueDictionary()
_LOCK = Lock()


def whole_grid_index(
    request: Request,
    input: str,
    index: Callable[[TerrainAnalysis], Layer],
    *,
    distances: Distances,
    voids: Voids,
    memory: float | None,
) -> xr.DataArray:
    """Return an index of the whole grid on the request's grid, lazily.

    The elevation of the whole grid is read and analysed once, when a value is first wanted, for all layers
    of the same elevation, grid and settings; what files it is read from is part of that, and so is when
    these were last changed. Cells beyond the whole grid are nodata.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    input
        Name of the elevation covariate.
    index
        Takes the index from the analysis.
    distances, voids, memory
        As for `TerrainAnalysis`.

    Raises
    ------
    PermagridError
        If the elevation is not in a unit of length, or memory does not suffice; what `TerrainAnalysis` and
        the index raise, when values are computed.
    """
    name, geobox, whole = request.covariate.name, request.geobox, request.whole
    with _named(name):
        refuse_large(whole, memory)
    # Faults in the files show now, not when the first block is computed.
    elevation = request.build(input, whole, whole=whole)
    factor = metres_of(request, input)
    recipe = tokenize(elevation.data.name, factor, distances, voids, list(_stamps(request, input)))

    def make() -> TerrainAnalysis:
        heights = np.empty(whole.shape, dtype="float32")
        for window in blocks(whole.shape, CHUNK):
            heights[window] = elevation.data[window].compute(scheduler="synchronous")
        if factor != 1.0:
            heights *= np.float32(factor)
        return TerrainAnalysis(heights, whole, distances=distances, voids=voids, memory=memory)

    with _LOCK:
        shared = _KNOWN.setdefault(recipe, _Shared(make))
    row, column = place_in(geobox, whole)

    def one(block_info: BlockInfo | None = None) -> Layer:
        if block_info is None:
            return np.empty((0, 0), dtype="float32")
        (top, bottom), (left, right) = block_info[None]["array-location"]
        with _named(name):
            values = index(shared())
        return _part(values, slice(row + top, row + bottom), slice(column + left, column + right))

    data = da.map_blocks(
        one,
        chunks=(chunked(geobox.shape[0]), chunked(geobox.shape[1])),
        dtype="float32",
        meta=np.empty((0, 0), dtype="float32"),
        name=f"{name}-of-whole-{uuid4().hex}",
    )
    return xr.DataArray(data, coords=xr_coords(geobox), dims=geobox.dimensions)


def _part(values: Layer, rows: slice, columns: slice) -> Layer:
    """Return a window of an array, NaN where it is beyond it."""
    inside = tuple(
        slice(min(max(part.start, 0), size), min(max(part.stop, 0), size))
        for part, size in zip((rows, columns), values.shape, strict=True)
    )
    found = values[inside]
    size = rows.stop - rows.start, columns.stop - columns.start
    if found.shape == size:
        return found.copy()
    out = np.full(size, np.nan, dtype="float32")
    at = inside[0].start - rows.start, inside[1].start - columns.start
    out[at[0] : at[0] + found.shape[0], at[1] : at[1] + found.shape[1]] = found
    return out


@contextmanager
def _named(covariate: str) -> Iterator[None]:
    """Say of a fault which covariate has it."""
    try:
        yield
    except PermagridError as error:
        raise PermagridError(f"covariate {covariate}: {error}") from error


def _stamps(request: Request, name: str) -> Iterator[tuple[str, int, int]]:
    """Yield the files that a covariate is read from, with size and time of the last change."""
    covariate = request.others.get(name)
    if covariate is None:
        return
    for path in sorted(_files(request, covariate)):
        if path.exists():
            status = path.stat()
            yield str(path), status.st_size, status.st_mtime_ns
    for other in covariate.inputs:
        yield from _stamps(request, other)


def _files(request: Request, covariate: Covariate) -> set[Path]:
    settings, listed = covariate.settings, traits_of(covariate.method).files
    if listed is not None:
        epochs = [] if request.epoch is None else [request.epoch]
        return set(listed(settings, epochs, request.root))
    found: set[Path] = set()
    for key, value in settings.items():
        if key in ("path", "paths") or key.endswith("_path"):
            for each in _texts(value):
                # A year or month in the name stands for any.
                path = Path(re.sub(r"\{\w+\}", "*", request.path(each))).absolute()
                found |= set(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    return found


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    return [text for each in value for text in _texts(each)] if isinstance(value, list | tuple) else []
