"""Covariates made of others cell by cell: their mean, their difference, what their classes stand for."""

from collections.abc import Mapping, Sequence

import numpy as np
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


@COVARIATES.register
@traits(rasters=False)
def class_values(
    request: Request, *, input: str, values: Mapping[int, float], other: float | None = None
) -> xr.DataArray:
    """Return the value that each class of another covariate stands for, such as 0.7 for "50-90 %".

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    input
        Covariate of kind class.
    values
        Code -> value [unit of the covariate], such as ``{1: 0.95, 2: 0.7}``.
    other
        Value of all other codes; they are nodata if left out.

    Raises
    ------
    PermagridError
        If the input is unknown or not of classes, or no code has a value.
    """
    name = request.covariate.name
    if not values:
        raise PermagridError(f"covariate {name}: values gives no code a value")
    classes = request.build(input, request.geobox)
    if request.others[input].kind != "class":
        raise PermagridError(f"covariate {name}: input {input!r} has no classes; it must be of kind class")
    found = xr.full_like(classes, np.nan) if other is None else xr.full_like(classes, other)
    found = found.where(classes.notnull())
    for code, value in values.items():
        # YAML keeps codes as numbers, JSON as texts.
        found = found.where(classes != float(code), value)
    return found.astype("float32")


def _in_unit(request: Request, name: str, unit: str) -> xr.DataArray:
    """Return another covariate in a unit, in double precision."""
    array = request.build(name, request.geobox).astype(float)
    try:
        factor, offset = conversion(request.others[name].unit, unit)
    except PermagridError as error:
        raise PermagridError(f"covariate {request.covariate.name}: {name}: {error}") from error
    return array * factor + offset
