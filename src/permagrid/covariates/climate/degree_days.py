"""Climate covariates made of monthly temperatures: freezing and thawing indices."""

from calendar import monthrange
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr
from odc.geo.xr import xr_coords

from permagrid.covariates.lookup import Resampling
from permagrid.covariates.raster import files_of
from permagrid.covariates.sources import open_grid
from permagrid.covariates.table import COVARIATES, Request, Years
from permagrid.covariates.times import as_run, years_and_months
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.grid import Float
from permagrid.units import conversion

MONTH_DAYS = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
"""Mean days of January to December."""

_FREEZING_SEASON_START = 7


def degree_days(monthly: Float, days: Float, *, sign: Literal[-1, 1]) -> Float:
    """Return the degree days of monthly mean temperatures, summed over the first axis.

    Parameters
    ----------
    monthly
        Monthly means, shape ``(months, ...)`` [degC].
    days
        Days of each month, shape ``(months,)`` [day].
    sign
        1 for thawing degree days, -1 for freezing degree days (a positive number).

    Returns
    -------
    array
        Shape ``(...)`` [degC day].

    Examples
    --------
    >>> degree_days(np.array([-10.0, 5.0]), np.array([31.0, 28.0]), sign=-1)
    array(310.)
    """
    shape = (-1,) + (1,) * (np.ndim(monthly) - 1)
    return np.asarray(np.sum(np.maximum(sign * monthly, 0.0) * np.reshape(days, shape), axis=0))


@COVARIATES.register
@traits(unit="degC day", reads="degC", earlier=1)
def freezing_index(
    request: Request,
    *,
    path: str,
    variable: str | None = None,
    stored_unit: str = "degC",
    resampling: Resampling = "auto",
    crs: str | None = None,
    minimum_years: int = 1,
) -> xr.DataArray:
    """Return the freezing index from monthly mean temperatures [degC day].

    The sum of days times temperature over the months below 0 °C of a freezing season, July to June,
    named after the year in which it ends: the first season of an epoch begins in the year before it. For
    an epoch it is the mean of the annual indices, not the index of the mean climate, which would be smaller.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path
        Twelve files with ``{month}`` (01-12) in the name for a climatology; or a NetCDF file or Zarr
        store with a step per month, of a climatology or a series; or a series in several files, with
        ``{year}`` in the name and ``{month}`` too where a file holds one month.
    variable
        Name in the file.
    stored_unit
        Unit of the temperatures in the file.
    resampling
        As for a raster.
    crs
        The CRS, where the file does not say.
    minimum_years
        Complete seasons that an epoch must have.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [degC day].

    Raises
    ------
    PermagridError
        If months are missing, stand twice, or too few seasons are complete.
    """
    options = _Options(path, variable, stored_unit, resampling, crs)
    return _index(request, options, sign=-1, minimum_years=minimum_years)


@COVARIATES.register
@traits(unit="degC day", reads="degC")
def thawing_index(
    request: Request,
    *,
    path: str,
    variable: str | None = None,
    stored_unit: str = "degC",
    resampling: Resampling = "auto",
    crs: str | None = None,
    minimum_years: int = 1,
) -> xr.DataArray:
    """Return the thawing index from monthly mean temperatures, January to December [degC day].

    Parameters and errors as `freezing_index`.
    """
    options = _Options(path, variable, stored_unit, resampling, crs)
    return _index(request, options, sign=1, minimum_years=minimum_years)


class _Options(NamedTuple):
    """Where monthly mean temperatures stand and how they are brought to the grid."""

    path: str
    variable: str | None
    stored_unit: str
    resampling: Resampling
    crs: str | None


class _Months(NamedTuple):
    """Months in one file."""

    grid: xr.DataArray
    """Temperatures, of dimensions ``(time, y, x)``, or ``(y, x)`` for a single month."""
    when: list[tuple[int, int]]
    """Year and month, 1 to 12, of each step."""
    days: Float
    """Days of each step."""


def _index(request: Request, options: _Options, *, sign: Literal[-1, 1], minimum_years: int) -> xr.DataArray:
    epoch = request.epoch
    if epoch is None or ("{month}" in options.path and "{year}" not in options.path):
        parts, years = _climatology(request, options), 1
    else:
        parts, years = _complete_years(_series(request, options, epoch, sign), options.path, epoch, sign)
        if years < max(1, minimum_years):
            seasons = "seasons, July to June," if sign == -1 else "years"
            raise PermagridError(
                f"covariate {request.covariate.name}: {years} complete {seasons} of {epoch[0]}-{epoch[1]} in "
                f"{options.path}, minimum_years is {max(1, minimum_years)}"
            )
    factor, offset = conversion(options.stored_unit, "degC")

    def summed(monthly: Float, days: Float) -> Float:
        return degree_days(monthly.astype(float) * factor + offset, days, sign=sign)

    sums = []
    for part in parts:
        brought = request.onto(part.grid, resampling=options.resampling).data
        series = brought if brought.ndim == 3 else brought[np.newaxis]
        # The mean of annual indices is the sum of all months by years: added up a chunk at a time.
        starts = np.cumsum([0, *series.chunks[0]]).tolist()
        sums += [
            da.map_blocks(
                summed, series[a:b], part.days[a:b], drop_axis=0, dtype=float, meta=np.empty((0, 0))
            )
            for a, b in pairwise(starts)
        ]
    mean = (sum(sums[1:], sums[0]) / years).astype("float32")
    return xr.DataArray(mean, coords=xr_coords(request.geobox), dims=request.geobox.dimensions)


def _climatology(request: Request, options: _Options) -> list[_Months]:
    path = files_of(request, options.path)[0]
    if "{month}" in path:
        return [_one_month(path, options, 0, month) for month in range(1, 13)]
    grid = _open(path, options)
    if grid.ndim != 3 or grid.shape[0] != 12:
        raise PermagridError(f"{path}: a climatology needs 12 months, found shape {grid.shape}")
    return [_Months(grid, [(0, month) for month in range(1, 13)], MONTH_DAYS)]


def _one_month(path: str, options: _Options, year: int, month: int) -> _Months:
    file = path.replace("{month}", f"{month:02d}")
    grid = _open(file, options)
    if grid.ndim == 3 and grid.shape[0] == 1:
        grid = grid[0]
    if grid.ndim != 2:
        raise PermagridError(f"{file}: one month is needed, found shape {grid.shape}")
    days = MONTH_DAYS[month - 1] if year == 0 else monthrange(year, month)[1]
    return _Months(grid, [(year, month)], np.array([days], dtype=float))


def _series(request: Request, options: _Options, epoch: Years, sign: int) -> list[_Months]:
    parts = []
    for file in files_of(request, options.path, years_before=int(sign == -1)):
        year = _year_in(request.path(options.path), file)
        # The season that ends in the first year has half of its months in the year before it.
        early = year is not None and year < epoch[0]
        names = [file.replace("{month}", f"{m:02d}") for m in (range(1, 13) if "{month}" in file else (0,))]
        if early and "://" not in file and not all(Path(name).exists() for name in names):
            continue
        if year is not None and "{month}" in file:
            parts += [_one_month(file, options, year, month) for month in range(1, 13)]
            continue
        grid = _open(file, options)
        if grid.ndim != 3:
            raise PermagridError(f"{file}: a monthly series needs a time axis, found shape {grid.shape}")
        years, months = (steps.tolist() for steps in years_and_months(grid, file))
        if min(months) < 1:
            raise PermagridError(f"{file}: its {grid.dims[0]} axis tells years but no months")
        days = [float(monthrange(*when)[1]) for when in zip(years, months, strict=True)]
        parts.append(_Months(grid, list(zip(years, months, strict=True)), np.array(days)))
    return parts


def _year_in(pattern: str, file: str) -> int | None:
    """Return the year that stands in a file's name for ``{year}``, or None where the pattern has none."""
    at = pattern.find("{year}")
    return None if at < 0 else int(file[at : at + 4])


def _complete_years(parts: list[_Months], path: str, epoch: Years, sign: int) -> tuple[list[_Months], int]:
    """Return the steps that belong to complete years (or seasons) of an epoch, and how many those are."""
    found: dict[int, set[int]] = {}
    for part in parts:
        for year, month in part.when:
            months = found.setdefault(_belongs(year, month, sign), set())
            if month in months:
                raise PermagridError(f"{path}: {year}-{month:02d} stands twice; monthly means are needed")
            months.add(month)
    complete = {y for y, months in found.items() if len(months) == 12 and epoch[0] <= y <= epoch[1]}
    chosen = []
    for part in parts:
        steps = [i for i, when in enumerate(part.when) if _belongs(*when, sign) in complete]
        if steps:
            grid = part.grid if part.grid.ndim == 2 else part.grid.isel({part.grid.dims[0]: as_run(steps)})
            chosen.append(_Months(grid, [part.when[i] for i in steps], part.days[steps]))
    return chosen, len(complete)


def _belongs(year: int, month: int, sign: int) -> int:
    return year + 1 if sign == -1 and month >= _FREEZING_SEASON_START else year


def _open(path: str, options: _Options) -> xr.DataArray:
    return open_grid(path, variable=options.variable, crs=options.crs)
