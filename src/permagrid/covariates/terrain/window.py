"""Position and relief: a cell against all ground within a radius in metres."""

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from permagrid.covariates.resample import chunked
from permagrid.covariates.table import COVARIATES, Request
from permagrid.covariates.terrain.disk import Reach, disk_of, disk_range, disk_sums, rounded
from permagrid.covariates.terrain.frame import Distances, frame_of
from permagrid.covariates.terrain.lazily import Analysis, Elevation, Index, by_blocks, on_grid_or_source
from permagrid.covariates.terrain.memory import GIB, refuse_beyond
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.grid import Window

_BYTES_PER_CELL = 12
"""What a cell of a block and of the ring around it takes at most."""


@COVARIATES.register
@traits(unit="m", rasters=False)
def topographic_position_index(
    request: Request,
    *,
    radius: float,
    input: str = "elevation",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
) -> xr.DataArray:
    """Return how far a cell lies above the mean of the ground within a radius, itself left out [m].

    Above 0 on ridges, below 0 in valleys (Guisan et al. 1999, doi:10.1023/A:1009841519580). A cell all of
    whose neighbours lack data has 0. With the cell itself in the mean, as in some programs, the index of n
    cells would be (n - 1) / n times as large.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    radius
        Radius, the rim included [m]. Cells count whose centres lie within it.
    input
        Name of the elevation covariate.
    distances
        ``ellipsoid`` for true distances, ``plane`` for those that the grid's coordinates say.
    analysis
        ``grid`` brings the elevation to the grid of the study and analyses it there, ``source`` analyses it
        at its own resolution and averages the index to the grid of the study.

    Raises
    ------
    PermagridError
        If the radius is smaller than a cell, larger than half of the DEM's longer side, or needs more memory
        than there is; if the elevation is not a length, has fewer than 3 x 3 cells or
        cannot be read; if it is to be analysed at its own resolution and is not one raster; if a grid of
        degrees is to be a plane.
    """

    def index(elevation: Elevation, whole: GeoBox, window: Window) -> Elevation:
        disk = disk_of(whole, window, radius, distances)
        total, count = disk_sums(elevation, disk)
        rows, columns = total.shape
        height = rounded(elevation[disk.down : disk.down + rows, disk.along : disk.along + columns])
        mean = (total - height) / np.maximum(count - 1, 1)
        return np.where(count > 1, height - mean, 0.0 * height).astype("float32")

    return _within(radius, request, input, distances, analysis, index)


@COVARIATES.register
@traits(unit="m", rasters=False)
def relief_amplitude(
    request: Request,
    *,
    radius: float,
    input: str = "elevation",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
) -> xr.DataArray:
    """Return the highest minus the lowest of the ground within a radius [m].

    Parameters and errors as `topographic_position_index`.
    """

    def index(elevation: Elevation, whole: GeoBox, window: Window) -> Elevation:
        return disk_range(elevation, disk_of(whole, window, radius, distances))

    return _within(radius, request, input, distances, analysis, index)


def _within(
    radius: float, request: Request, input: str, distances: Distances, analysis: Analysis, index: Index
) -> xr.DataArray:
    def make(each: Request) -> xr.DataArray:
        _refuse_radius(each, input, radius, distances)
        return by_blocks(each, input, index, halo=Reach(radius, distances))

    return on_grid_or_source(request, input, analysis, make)


def _refuse_radius(request: Request, input: str, radius: float, distances: Distances) -> None:
    """Refuse a radius that reaches no neighbour, or farther than there is ground or memory."""
    whole, what = request.whole, f"covariate {request.covariate.name}: a radius of {radius:g} m"
    height, width = _largest_steps(whole, distances)
    cell = max(height, width)
    if not radius >= cell * (1.0 - 1e-6):
        raise PermagridError(
            f"{what} reaches no neighbour where cells are {cell:.4g} m long; it must be at least as long as a "
            "cell"
        )
    side = _longer_side(request, input)
    if side is not None and radius > side / 2.0:
        raise PermagridError(
            f"{what} is more than half of the longer side of {input}, {side:.4g} m, so that it lies within it "
            f"nowhere; it must be at most {side / 2.0:.4g} m"
        )
    # Degrees go round the Earth once.
    most = 360.0 / abs(whole.affine.a) if whole.crs.geographic else np.inf
    rows, columns = (max(chunked(size)) for size in whole.shape)
    cells = (rows + 2.0 * radius / height) * (columns + min(2.0 * radius / width, most))
    refuse_beyond(
        None,
        cells * _BYTES_PER_CELL / GIB,
        f"{what} around a block of {rows} x {columns} cells",
        "take a smaller radius, or with analysis: source a coarser DEM or analysis: grid",
    )


def _longer_side(request: Request, input: str) -> float | None:
    """Return the longer side of the DEM [m], or None where it is not one raster."""
    try:
        native = request.native(input)
    except PermagridError:
        return None
    steps = _largest_steps(native, "ellipsoid")
    return max(size * step for size, step in zip(native.shape, steps, strict=True))


def _largest_steps(whole: GeoBox, distances: Distances) -> tuple[float, float]:
    """Return the longest steps down and along a row in the corners and the middle of a grid [m]."""
    down: list[float] = []
    along: list[float] = []
    for row in {0, whole.shape[0] // 2, whole.shape[0] - 1}:
        for column in {0, whole.shape[1] // 2, whole.shape[1] - 1}:
            here = slice(row, row + 1), slice(column, column + 1)
            frame = frame_of(whole, here, distances=distances)
            down.append(float(np.nanmax(frame.height, initial=0.0)))
            along.append(float(np.nanmax(frame.width, initial=0.0)))
    return max(down), max(along)
