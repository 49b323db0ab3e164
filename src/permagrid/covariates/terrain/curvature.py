"""Curvatures of the ground along the slope, across it and along contours."""

import xarray as xr
from odc.geo.geobox import GeoBox

from permagrid.covariates.table import COVARIATES, Request
from permagrid.covariates.terrain.bending import Curvature, curvature
from permagrid.covariates.terrain.disk import cells_within, mean_filter
from permagrid.covariates.terrain.frame import Distances, frame_of
from permagrid.covariates.terrain.lazily import Analysis, Elevation, by_blocks, on_grid_or_source
from permagrid.covariates.terrain.limits import refuse_smoothing
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.grid import Window


@COVARIATES.register
@traits(unit="1/m", rasters=False)
def plan_curvature(
    request: Request,
    *,
    input: str = "elevation",
    smoothing: float = 0.0,
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
) -> xr.DataArray:
    """Return the curvature of the contour line: above 0 on spurs, below 0 in hollows [1/m].

    It has no bound where the slope is gentle; `tangential_curvature` has. Level ground has 0. See
    `permagrid.covariates.terrain.bending.curvature` for the formulas.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    input
        Name of the elevation covariate.
    smoothing
        Radius of the disk of cells whose mean is analysed instead of the elevation itself; 0 for none [cell].
    distances
        ``ellipsoid`` for true distances, ``plane`` for those that the grid's coordinates say.
    analysis
        ``grid`` brings the elevation to the grid of the study and analyses it there, ``source`` analyses it
        at its own resolution and averages the index to the grid of the study.

    Raises
    ------
    PermagridError
        If the smoothing is below 0, does not reach a neighbour, or is more than half of the DEM's longer side
        or than memory allows; if the elevation is not a length, has fewer than 3 x 3 cells or cannot be read;
        if it is to be analysed at its own resolution and is not one raster; if a grid of degrees is to be a
        plane.
    """
    return _made("plan", request, input, smoothing, distances, analysis)


@COVARIATES.register
@traits(unit="1/m", rasters=False)
def profile_curvature(
    request: Request,
    *,
    input: str = "elevation",
    smoothing: float = 0.0,
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
) -> xr.DataArray:
    """Return the curvature of the surface along the slope: above 0 where it steepens downwards [1/m].

    Parameters and errors as `plan_curvature`.
    """
    return _made("profile", request, input, smoothing, distances, analysis)


@COVARIATES.register
@traits(unit="1/m", rasters=False)
def cross_sectional_curvature(
    request: Request,
    *,
    input: str = "elevation",
    smoothing: float = 0.0,
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
) -> xr.DataArray:
    """Return the second derivative of the height across the slope: above 0 on spurs [1/m].

    Its sign is turned, so that it is above 0 where the ground is convex; the PlanC of compound analyses.

    Parameters and errors as `plan_curvature`.
    """
    return _made("cross_sectional", request, input, smoothing, distances, analysis)


@COVARIATES.register
@traits(unit="1/m", rasters=False)
def longitudinal_curvature(
    request: Request,
    *,
    input: str = "elevation",
    smoothing: float = 0.0,
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
) -> xr.DataArray:
    """Return the second derivative of the height along the slope: above 0 where convex [1/m].

    Its sign is turned, so that it is above 0 where the slope steepens downwards; the ProC of compound
    analyses.

    Parameters and errors as `plan_curvature`.
    """
    return _made("longitudinal", request, input, smoothing, distances, analysis)


@COVARIATES.register
@traits(unit="1/m", rasters=False)
def tangential_curvature(
    request: Request,
    *,
    input: str = "elevation",
    smoothing: float = 0.0,
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
) -> xr.DataArray:
    """Return the curvature of the surface across the slope: above 0 on spurs, below 0 in hollows [1/m].

    The plan curvature times the sine of the slope.

    Parameters and errors as `plan_curvature`.
    """
    return _made("tangential", request, input, smoothing, distances, analysis)


def _made(
    wanted: Curvature,
    request: Request,
    input: str,
    smoothing: float,
    distances: Distances,
    analysis: Analysis,
) -> xr.DataArray:
    if smoothing != 0.0 and smoothing < 1.0:
        raise PermagridError(
            f"covariate {request.covariate.name}: smoothing is the radius of a disk of cells, 0 for none or "
            f"at least 1; found {smoothing:g}"
        )
    reach = cells_within(smoothing)

    def index(elevation: Elevation, whole: GeoBox, window: Window) -> Elevation:
        rows, columns = window
        # The metric of a row is asked for with the rows beside it.
        frame = frame_of(whole, (slice(rows.start - 1, rows.stop + 1), columns), distances=distances)
        smooth = mean_filter(elevation, smoothing) if reach else elevation
        return curvature(smooth, frame, wanted, row=rows.start, column=columns.start)

    def make(each: Request) -> xr.DataArray:
        # What cannot be measured so is told now, not when the first block is computed.
        frame_of(each.whole, (slice(0, 1), slice(0, 1)), distances=distances)
        refuse_smoothing(each, input, smoothing)
        return by_blocks(each, input, index, halo=1 + reach)

    return on_grid_or_source(request, input, analysis, make)
