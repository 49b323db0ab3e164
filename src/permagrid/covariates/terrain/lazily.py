"""Terrain indices made lazily: rings of cells around blocks, on the study's grid or on that of the DEM."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal
from uuid import uuid4

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from permagrid.covariates.lookup import plan_lookup
from permagrid.covariates.resample import BlockInfo, chunked
from permagrid.covariates.table import Request
from permagrid.errors import PermagridError
from permagrid.grid import Window, place_in
from permagrid.units import conversion, parse_unit

Analysis = Literal["grid", "source"]
"""Whether a DEM is first brought to the study's grid and then analysed, or the other way round."""

Elevation = NDArray[np.float32]
Index = Callable[[Elevation, GeoBox, Window], NDArray[np.float32]]
"""``(elevation, whole, window)`` gives the index of the cells of a window of the whole grid; the elevation
[m] has as many more cells on each side as were asked for."""
Halo = int | Callable[[GeoBox, Window], tuple[int, int]]
"""Cells more on each side, or ``(whole, window)`` that gives them down and along the rows, and whose ``repr``
tells it from others."""


def on_grid_or_source(
    request: Request, input: str, analysis: Analysis, make: Callable[[Request], xr.DataArray]
) -> xr.DataArray:
    """Return an index of an elevation covariate on the request's grid, analysed where the user wants it.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    input
        Name of the elevation covariate.
    analysis
        ``grid`` brings the elevation to the grid of the study and analyses it there; ``source`` analyses it
        on the grid of its own file and brings the index to the grid of the study.
    make
        Makes the index lazily on the grid of the request that it is given; what it asks `Request.build`
        for is around that grid.

    Returns
    -------
    xarray.DataArray
        Lazy; its attribute ``analysis`` tells the order.

    Raises
    ------
    PermagridError
        If the DEM has fewer than 3 x 3 cells, or its own grid is wanted and it is not read from one raster.
    """
    _refuse_slivers(request, input)
    if analysis == "grid":
        return make(request).assign_attrs(analysis="analysed on the study grid")
    native = request.native(input)

    def around_native(name: str, box: GeoBox, *, whole: GeoBox = native) -> xr.DataArray:
        return request.build(name, box, whole=whole)

    made = make(replace(request, geobox=native, whole=native, build=around_native))
    averaged = plan_lookup(native, request.whole, request.covariate.kind, "auto").method == "average"
    order = f"at the DEM's own resolution, then {'averaged' if averaged else 'interpolated'}"
    return request.onto(made).assign_attrs(analysis=f"analysed {order}")


def _refuse_slivers(request: Request, input: str) -> None:
    try:
        rows, columns = request.native(input).shape
    except PermagridError:
        # Made of several files or of other covariates; what is wrong with it is told when it is built.
        return
    if min(rows, columns) < 3:
        path = request.others[input].keywords["path"]
        raise PermagridError(
            f"covariate {request.covariate.name}: {path} has {rows} x {columns} cells (rows x columns); "
            "the shape of the ground needs at least 3 x 3"
        )


def metres_of(request: Request, input: str) -> float:
    """Return by what an elevation covariate is multiplied to be in metres.

    Raises
    ------
    PermagridError
        If its unit is not one of length.
    """
    if input not in request.others:
        # What is wrong with the name is told when it is built.
        return 1.0
    unit = request.others[input].unit
    if parse_unit(unit)[0] != "length":
        raise PermagridError(
            f"covariate {request.covariate.name}: {input} is in {unit!r}, but the shape of the ground is "
            "made of heights, in a unit of length such as 'm'"
        )
    return conversion(unit, "m")[0]


def by_blocks(request: Request, input: str, index: Index, *, halo: Halo = 1) -> xr.DataArray:
    """Return an index of an elevation covariate on the request's grid, block by block.

    Indices of one elevation that are computed together read it once.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    input
        Name of the elevation covariate.
    index
        What is made of a block.
    halo
        Cells that it needs beyond the block on each side.

    Raises
    ------
    PermagridError
        If the elevation cannot be read, or is not in a unit of length.
    """
    geobox, whole = request.geobox, request.whole
    row, column = place_in(geobox, whole)

    def one(elevation: Elevation, block_info: BlockInfo | None = None) -> NDArray[np.float32]:
        if block_info is None:
            return np.empty((0, 0), dtype="float32")
        return index(elevation, whole, _window(block_info, row, column))

    rings = _surrounded(request, input, halo)
    data = da.map_blocks(
        one, rings, dtype="float32", meta=np.empty((0, 0), dtype="float32"), name=f"index-{uuid4().hex}"
    )
    return xr.DataArray(data, coords=xr_coords(geobox), dims=geobox.dimensions)


def _surrounded(request: Request, input: str, halo: Halo) -> da.Array:
    """Return a chunk per chunk of the grid that holds the elevation of it and of a ring around it [m]."""
    geobox, whole = request.geobox, request.whole
    # Faults in the files show now, not when the first block is computed.
    elevation = request.build(input, geobox)
    factor = metres_of(request, input)
    row, column = place_in(geobox, whole)
    chunks = chunked(geobox.shape[0]), chunked(geobox.shape[1])

    def read(block_info: BlockInfo | None = None) -> NDArray[Any]:
        if block_info is None:
            return np.empty((0, 0), dtype=object)
        rows, columns = _window(block_info, row, column)
        down, along = (halo, halo) if isinstance(halo, int) else halo(whole, (rows, columns))
        part = geobox[rows.start - row : rows.stop - row, columns.start - column : columns.stop - column]
        values = request.build(input, part.pad(along, down)).data.compute(scheduler="synchronous")
        return np.asarray(values * factor if factor != 1.0 else values, dtype="float32")

    return da.map_blocks(
        read,
        chunks=chunks,
        dtype=object,
        meta=np.empty((0, 0), dtype=object),
        name=f"surrounded-{tokenize(elevation.data.name, chunks, repr(halo))}",
    )


def _window(block_info: BlockInfo, row: int, column: int) -> Window:
    (top, bottom), (left, right) = block_info[None]["array-location"]
    return slice(row + top, row + bottom), slice(column + left, column + right)
