"""Precipitation of years and seasons, and of the months in which it falls as snow."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from permagrid.covariates.climate.monthly import (
    CALENDAR_YEAR,
    SNOW_YEAR,
    Monthly,
    Span,
    added,
    mean_of_years,
    monthly_files,
    span_faults,
)
from permagrid.covariates.climate.moving_means import window_years
from permagrid.covariates.lookup import Resampling
from permagrid.covariates.table import COVARIATES, Request
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.grid import Float
from permagrid.units import conversion, parse_unit

_RATE = "mm/day"


def _season_faults(settings: Mapping[str, Any], files: Sequence[Path] = ()) -> Iterator[str]:
    months = settings["months"]
    steps = {(after - before) % 12 for before, after in pairwise(months)}
    if not months or len(months) > 12 or not set(months) <= set(CALENDAR_YEAR) or steps - {1}:
        found = ", ".join(map(str, months)) or "none"
        yield f"months must be some of 1 to 12 that follow one another, such as 12, 1, 2; found {found}"
    yield from span_faults(settings, files)


def _snow_faults(settings: Mapping[str, Any], files: Sequence[Path] = ()) -> Iterator[str]:
    try:
        conversion(settings["temperature_unit"], "degC")
    except PermagridError as error:
        yield f"temperature_unit: {error}"
    yield from span_faults(settings, files)


_SUMS = {"unit": "mm", "reads": "mm", "or_reads": (_RATE,), "years": window_years}
_YEAR = {**_SUMS, "files": monthly_files, "faults": span_faults}
_SEASON = {**_YEAR, "faults": _season_faults}
_SNOW = {**_SUMS, "files": partial(monthly_files, first_month=7), "faults": _snow_faults, "rasters": False}


@COVARIATES.register
@traits(**_YEAR)
def annual_precipitation(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    variable: str | int | None = None,
    stored_unit: str = "mm",
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
    window: int | None = None,
    minimum_years: int | None = None,
) -> xr.DataArray:
    """Return the precipitation of a calendar year [mm].

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path
        Twelve files with ``{month}`` (01-12) or ``{m}`` (1-12) in the name for a climatology; or a NetCDF
        file or Zarr store with a step per month, of a climatology or a series; or a series in several
        files, with ``{year}`` in the name and the month too where a file holds one month.
    variable
        Name, or number of a band, in the file.
    stored_unit
        Unit in the file. A length (``mm``, ``0.1 mm``, ``m``) is the sum of the month; ``kg m-2`` is the
        same as ``mm``. A rate (``mm/day``, ``m/day``, ``kg/m2/s``) is its mean, and is multiplied by the
        days of the month. Monthly means of ERA5 and ERA5-Land are in ``m/day``, though their files say m.
    resampling
        As for a raster.
    nodata
        A missing value that the file does not declare.
    crs
        The CRS, where the file does not say.
    window
        Years of a window centred on the middle year of the epoch, an odd number: 9 is four years on either
        side. The epoch itself if left out.
    minimum_years
        Complete years that suffice, of the file as of each cell; a cell with fewer is nodata. All years of
        the epoch or window if left out. A year is complete with all of its twelve months.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [mm]. ``attrs["valid_years"]`` says which years of the files are complete, such as
        ``9 of 9: 1996-2004``.

    Raises
    ------
    PermagridError
        If months are missing or stand twice, too few years are complete, the unit is neither a length nor a
        rate, or the window reads years that the covariate does not cover, as it says.
    """
    source = Monthly(path, None, variable, resampling, nodata, crs, _taken_for(request))
    return _sum(request, source, stored_unit, Span(CALENDAR_YEAR, window, minimum_years))


@COVARIATES.register
@traits(**_SEASON)
def summer_precipitation(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    months: Sequence[int] = (6, 7, 8),
    variable: str | int | None = None,
    stored_unit: str = "mm",
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
    window: int | None = None,
    minimum_years: int | None = None,
) -> xr.DataArray:
    """Return the precipitation of a season, June to August unless stated [mm].

    Parameters and errors as `annual_precipitation`.

    Parameters
    ----------
    months
        The months of the season in their order, such as 5, 6, 7, 8 and 9.
    """
    source = Monthly(path, None, variable, resampling, nodata, crs, _taken_for(request))
    return _sum(request, source, stored_unit, Span(_season(request, months), window, minimum_years))


@COVARIATES.register
@traits(**_SEASON)
def winter_precipitation(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    months: Sequence[int] = (12, 1, 2),
    variable: str | int | None = None,
    stored_unit: str = "mm",
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
    window: int | None = None,
    minimum_years: int | None = None,
) -> xr.DataArray:
    """Return the precipitation of a winter, December to February unless stated [mm].

    Parameters and errors as `annual_precipitation`. A winter is named after the year in which it ends: the
    first of an epoch begins in the year before it.

    Parameters
    ----------
    months
        The months of the winter in their order, such as 10, 11, 12, 1, 2 and 3.
    """
    source = Monthly(path, None, variable, resampling, nodata, crs, _taken_for(request))
    return _sum(request, source, stored_unit, Span(_season(request, months), window, minimum_years))


@COVARIATES.register
@traits(**_SNOW)
def snow_season_precipitation(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    temperature_path: str,
    threshold: float = 0.0,
    variable: str | int | None = None,
    temperature_variable: str | int | None = None,
    stored_unit: str = "mm",
    temperature_unit: str = "degC",
    resampling: Resampling = "auto",
    crs: str | None = None,
    window: int | None = None,
    minimum_years: int | None = None,
) -> xr.DataArray:
    """Return the precipitation of the months colder than a threshold, July to June [mm].

    Both are brought to the grid before they are compared. A season is named after the year in which it
    ends. Other parameters, and errors, as `annual_precipitation`.

    Parameters
    ----------
    temperature_path
        Monthly mean temperatures, laid out in any of the ways of `path`.
    threshold
        Months whose mean temperature is below it count [degC].
    temperature_variable
        Name, or number of a band, in the file of temperatures.
    temperature_unit
        Unit of the temperatures in the file.
    """
    to_degrees, offset = conversion(temperature_unit, "degC")
    to_sums = _monthly_sums(request, stored_unit)
    degrees = () if "temperature_unit" in request.covariate.keywords else ("degC",)
    sources = [
        Monthly(path, None, variable, resampling, None, crs, _taken_for(request)),
        Monthly(temperature_path, None, temperature_variable, resampling, None, crs, degrees),
    ]

    def frozen(stored: Float, temperatures: Float, days: Float) -> Float:
        sums, levels = to_sums(stored, days), temperatures * to_degrees + offset
        cold = np.where(levels < threshold, sums, 0.0)
        return added(np.where(np.isfinite(levels) & np.isfinite(sums), cold, np.nan))

    return mean_of_years(request, sources, frozen, Span(SNOW_YEAR, window, minimum_years))


class _Sums:
    """Turns what files hold into sums of months."""

    def __init__(self, factor: float, *, rate: bool) -> None:
        self.factor, self.rate = factor, rate

    def __call__(self, stored: Float, days: Float) -> Float:
        """Return the sum of each month, shape as `stored` [mm]."""
        if not self.rate:
            return stored * self.factor
        return stored * (self.factor * days).reshape((-1,) + (1,) * (stored.ndim - 1))


def _taken_for(request: Request) -> tuple[str, ...]:
    return () if "stored_unit" in request.covariate.keywords else ("mm", _RATE)


def _monthly_sums(request: Request, stored_unit: str) -> _Sums:
    rate = parse_unit(stored_unit)[0] == parse_unit(_RATE)[0]
    try:
        return _Sums(conversion(stored_unit, _RATE if rate else "mm")[0], rate=rate)
    except PermagridError as error:
        raise PermagridError(
            f"covariate {request.covariate.name}: {stored_unit!r} is neither a sum of precipitation, such as "
            "mm, nor a rate, such as mm/day, m/day or kg/m2/s"
        ) from error


def _sum(request: Request, source: Monthly, stored_unit: str, span: Span) -> xr.DataArray:
    to_sums = _monthly_sums(request, stored_unit)

    def total(stored: Float, days: Float) -> Float:
        return added(to_sums(stored, days))

    return mean_of_years(request, [source], total, span)


def _season(request: Request, months: Sequence[int]) -> tuple[int, ...]:
    fault = next(_season_faults({"path": "", "months": months}), None)
    if fault is not None:
        raise PermagridError(f"covariate {request.covariate.name}: {fault}")
    return tuple(months)
