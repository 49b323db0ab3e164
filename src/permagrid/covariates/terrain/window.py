"""Position and relief: a cell against all ground within a radius in metres."""

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from permagrid.covariates.table import COVARIATES, Request
from permagrid.covariates.terrain.disk import Reach, disk_of, disk_range, disk_sums, rounded
from permagrid.covariates.terrain.frame import Distances
from permagrid.covariates.terrain.lazily import Analysis, Elevation, Index, by_blocks, on_grid_or_source
from permagrid.covariates.terrain.limits import refuse_radius
from permagrid.covariates.traits import traits
from permagrid.grid import Window


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
        than there is; if the elevation is not a length, has fewer than 3 x 3 cells or cannot be read; if it
        is to be analysed at its own resolution and is not one raster; if a grid of degrees is to be a plane.
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
        refuse_radius(each, input, radius, distances)
        return by_blocks(each, input, index, halo=Reach(radius, distances))

    return on_grid_or_source(request, input, analysis, make)
