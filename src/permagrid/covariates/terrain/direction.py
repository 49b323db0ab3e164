"""Slope, aspect and roughness of an elevation covariate, true on any grid and at any latitude."""

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from permagrid.covariates.table import COVARIATES, Request
from permagrid.covariates.terrain import local
from permagrid.covariates.terrain.frame import Distances, frame_of
from permagrid.covariates.terrain.lazily import Analysis, Elevation, by_blocks, on_grid_or_source
from permagrid.covariates.terrain.local import Direction, Formula
from permagrid.covariates.traits import traits
from permagrid.grid import Float, Window


@COVARIATES.register
@traits(unit="degree", rasters=False)
def slope(
    request: Request,
    *,
    input: str = "elevation",
    formula: Formula = "zevenbergen_thorne",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
) -> xr.DataArray:
    """Return the slope of an elevation covariate [degree].

    Beside a missing neighbour the ground goes on as it is on the other side of the cell.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    input
        Name of the elevation covariate.
    formula
        ``zevenbergen_thorne`` for central differences (Zevenbergen and Thorne 1987,
        doi:10.1002/esp.3290120107), ``horn`` for means of three rows or columns (Horn 1981,
        doi:10.1109/PROC.1981.11918).
    distances
        ``ellipsoid`` for true distances, ``plane`` for those that the grid's coordinates say.
    analysis
        ``grid`` brings the elevation to the grid of the study and analyses it there, ``source`` analyses it
        at its own resolution and averages the index to the grid of the study.

    Raises
    ------
    PermagridError
        If the elevation is not a length, has fewer than 3 x 3 cells or cannot be read; if it is to be
        analysed at its own resolution and is not one raster; if a grid of degrees is to be a plane.
    """
    return _made("slope", request, input, formula, distances, analysis)


@COVARIATES.register
@traits(unit="degree", rasters=False)
def aspect(
    request: Request,
    *,
    input: str = "elevation",
    formula: Formula = "zevenbergen_thorne",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
) -> xr.DataArray:
    """Return the direction a slope faces, clockwise from true north; nodata where it is level [degree].

    Parameters and errors as `slope`. Aspects at the DEM's own resolution are averaged as vectors of unit
    length; level ground counts as none.
    """
    if analysis == "grid":
        return _made("aspect", request, input, formula, distances, analysis)
    sine, cosine = (_made(part, request, input, formula, distances, analysis) for part in _SINE_AND_COSINE)
    angle: xr.DataArray = xr.apply_ufunc(_angle, sine, cosine, dask="parallelized", output_dtypes=["float32"])
    return angle.assign_attrs(sine.attrs)


_SINE_AND_COSINE: tuple[Direction, Direction] = ("aspect_sine", "aspect_cosine")


def _angle(sine: Float, cosine: Float) -> Float:
    # The ground of a cell may face all ways alike.
    none = np.hypot(sine, cosine) < 1e-6
    return np.where(none, np.nan, np.mod(np.degrees(np.arctan2(sine, cosine)), 360.0)).astype("float32")


@COVARIATES.register
@traits(unit="1", rasters=False)
def aspect_sine(
    request: Request,
    *,
    input: str = "elevation",
    formula: Formula = "zevenbergen_thorne",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
) -> xr.DataArray:
    """Return the sine of the aspect: 1 where a slope faces east, -1 west, 0 where it is level [1].

    Parameters and errors as `slope`.
    """
    return _made("aspect_sine", request, input, formula, distances, analysis)


@COVARIATES.register
@traits(unit="1", rasters=False)
def aspect_cosine(
    request: Request,
    *,
    input: str = "elevation",
    formula: Formula = "zevenbergen_thorne",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
) -> xr.DataArray:
    """Return the cosine of the aspect: 1 where a slope faces north, -1 south, 0 where it is level [1].

    Parameters and errors as `slope`.
    """
    return _made("aspect_cosine", request, input, formula, distances, analysis)


@COVARIATES.register
@traits(unit="1", rasters=False)
def northness(
    request: Request,
    *,
    input: str = "elevation",
    formula: Formula = "zevenbergen_thorne",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
) -> xr.DataArray:
    """Return the cosine of the aspect times the sine of the slope: 1 for a north wall, 0 where level [1].

    Parameters and errors as `slope`.
    """
    return _made("northness", request, input, formula, distances, analysis)


@COVARIATES.register
@traits(unit="1", rasters=False)
def eastness(
    request: Request,
    *,
    input: str = "elevation",
    formula: Formula = "zevenbergen_thorne",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
) -> xr.DataArray:
    """Return the sine of the aspect times the sine of the slope: 1 for an east wall, 0 where level [1].

    Parameters and errors as `slope`.
    """
    return _made("eastness", request, input, formula, distances, analysis)


@COVARIATES.register
@traits(unit="m", rasters=False)
def roughness(request: Request, *, input: str = "elevation", analysis: Analysis = "grid") -> xr.DataArray:
    """Return the highest minus the lowest of a cell and its eight neighbours [m].

    Neighbours without data are left out (Wilson et al. 2007, doi:10.1080/01490410701295962).

    Parameters and errors as `slope`.
    """

    def index(elevation: Elevation, whole: GeoBox, window: Window) -> Elevation:
        del whole, window
        return local.roughness(elevation)

    return on_grid_or_source(request, input, analysis, lambda each: by_blocks(each, input, index))


def _made(
    wanted: Direction,
    request: Request,
    input: str,
    formula: Formula,
    distances: Distances,
    analysis: Analysis,
) -> xr.DataArray:
    def index(elevation: Elevation, whole: GeoBox, window: Window) -> Elevation:
        frame = frame_of(whole, window, distances=distances)
        rows, columns = window
        return local.direction(
            elevation, frame, wanted, row=rows.start, column=columns.start, formula=formula
        )

    def make(each: Request) -> xr.DataArray:
        # What cannot be measured so is told now, not when the first block is computed.
        frame_of(each.whole, (slice(0, 1), slice(0, 1)), distances=distances)
        return by_blocks(each, input, index)

    return on_grid_or_source(request, input, analysis, make)
