"""Covariates made of others cell by cell: their mean, their difference."""

from collections.abc import Sequence

import xarray as xr

from permagrid.covariates.table import COVARIATES, Request
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.units import conversion, parse_unit


@COVARIATES.register
@traits(rasters=False)
def mean_of(request: Request, *, inputs: Sequence[str]) -> xr.DataArray:
    """Return the mean of other covariates, such as those of daily minima and maxima.

    Of values that are not proportional to temperature, as an index of degree days, the mean of two is not
    the value of the mean: use the keyword ``with_path`` of the climate covariates there.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    inputs
        Names of the covariates, of one dimension; each counts the same. A cell that lacks one is nodata.

    Raises
    ------
    PermagridError
        If a covariate is unknown, none is given, or they measure different things.
    """
    if not inputs:
        raise PermagridError(f"covariate {request.covariate.name}: inputs names no covariate")
    parts = [_in_unit(request, name, request.covariate.unit) for name in inputs]
    return (sum(parts[1:], parts[0]) / len(parts)).astype("float32")


@COVARIATES.register
@traits(rasters=False)
def difference_of(request: Request, *, inputs: tuple[str, str]) -> xr.DataArray:
    """Return one covariate less another, such as the climate of the Last Glacial Maximum less today's.

    Parameters
    ----------
    request
        Grid, epoch and root folder. The unit of the covariate is that of its inputs; of temperatures it is
        that of a difference, such as ``delta degC``.
    inputs
        Two names: the second is taken from the first.

    Raises
    ------
    PermagridError
        If a covariate is unknown, or the units do not go together.
    """
    first, second = inputs
    whole = request.build(first, request.geobox).astype(float)
    unit = request.others[first].unit
    difference = whole - _in_unit(request, second, unit)
    return (difference * _step(request, unit)).astype("float32")


def _step(request: Request, unit: str) -> float:
    """Return what a difference of one `unit` is in the unit of the covariate."""
    dimension, factor, _ = parse_unit(unit)
    wanted, own, _ = parse_unit(request.covariate.unit)
    differs = {"temperature": "temperature difference"}.get(dimension, dimension)
    if wanted != differs:
        fitting = "delta degC" if differs == "temperature difference" else unit
        raise PermagridError(
            f"covariate {request.covariate.name}: a difference of covariates in {unit!r} is not in "
            f"{request.covariate.unit!r}; set unit: {fitting}"
        )
    return factor / own


def _in_unit(request: Request, name: str, unit: str) -> xr.DataArray:
    """Return another covariate in a unit, in double precision."""
    array = request.build(name, request.geobox).astype(float)
    try:
        factor, offset = conversion(request.others[name].unit, unit)
    except PermagridError as error:
        raise PermagridError(f"covariate {request.covariate.name}: {name}: {error}") from error
    return array * factor + offset
