"""Where a cell lies, as a covariate: longitude and latitude, and what of longitude has no seam."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from permagrid.covariates.table import COVARIATES, Request, pointwise
from permagrid.covariates.traits import traits
from permagrid.grid import Float


@COVARIATES.register
@traits(unit="degree", rasters=False)
def longitude(request: Request) -> xr.DataArray:
    """Return the longitude of each cell, -180 to 180 [degree].

    A position is no cause of anything: it names a place. A learner that sees it can know sites by heart,
    which folds drawn at random reward, and has nothing to say of places between and beyond them (Meyer et
    al. 2019, doi:10.1016/j.ecolmodel.2019.108815; Milà et al. 2024, doi:10.5194/gmd-17-6007-2024). Where
    the antimeridian is in the region, longitude jumps there: its sine and cosine do not.

    Parameters
    ----------
    request
        The grid.
    """
    return _position(request, lambda east, _: east)


@COVARIATES.register
@traits(unit="degree", rasters=False)
def latitude(request: Request) -> xr.DataArray:
    """Return the latitude of each cell [degree].

    It names a place, as `longitude` does; it may stand for the sun's height where nothing else does.

    Parameters
    ----------
    request
        The grid.
    """
    return _position(request, lambda _, north: north)


@COVARIATES.register
@traits(unit="1", rasters=False)
def sine_of_longitude(request: Request) -> xr.DataArray:
    """Return the sine of the longitude of each cell: 1 at 90 degrees east [1].

    It names a place, as `longitude` does, and has no seam.

    Parameters
    ----------
    request
        The grid.
    """
    return _position(request, lambda east, _: np.sin(np.radians(east)))


@COVARIATES.register
@traits(unit="1", rasters=False)
def cosine_of_longitude(request: Request) -> xr.DataArray:
    """Return the cosine of the longitude of each cell: 1 at the meridian of Greenwich [1].

    It names a place, as `longitude` does, and has no seam.

    Parameters
    ----------
    request
        The grid.
    """
    return _position(request, lambda east, _: np.cos(np.radians(east)))


def _position(request: Request, measure: Callable[[Float, Float], Float]) -> xr.DataArray:
    def measured(east: Float, north: Float) -> Float:
        # Corners of some projections lie nowhere.
        somewhere = np.isfinite(east) & np.isfinite(north)
        return np.where(somewhere, measure(np.where(somewhere, east, np.nan), north), np.nan)

    return pointwise(request.geobox, measured, whole=request.whole)
