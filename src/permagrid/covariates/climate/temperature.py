"""Mean, range and extremes of the year's temperature, from monthly means."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import xarray as xr

from permagrid.covariates.climate.index_formulas import sinusoid_of_months
from permagrid.covariates.climate.monthly import (
    CALENDAR_YEAR,
    Monthly,
    Span,
    added,
    mean_of_years,
    monthly_files,
    span_faults,
)
from permagrid.covariates.climate.moving_means import window_years
from permagrid.covariates.lookup import Resampling
from permagrid.covariates.table import COVARIATES, Request, pointwise
from permagrid.covariates.traits import traits
from permagrid.grid import Float
from permagrid.units import conversion

Definition = Literal["half_range", "harmonic"]
Index = Literal["conrad", "gorczynski"]

_KNOWN = {"reads": "degC", "years": window_years, "files": monthly_files, "faults": span_faults}


@COVARIATES.register
@traits(unit="degC", **_KNOWN)
def mean_annual_air_temperature(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    with_path: str | None = None,
    variable: str | int | None = None,
    stored_unit: str = "degC",
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
    window: int | None = None,
    minimum_years: int | None = None,
) -> xr.DataArray:
    """Return the mean annual temperature from monthly means, each by its days, January to December [degC].

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path
        Twelve files with ``{month}`` (01-12) or ``{m}`` (1-12) in the name for a climatology; or a NetCDF
        file or Zarr store with a step per month, of a climatology or a series; or a series in several
        files, with ``{year}`` in the name and the month too where a file holds one month.
    with_path
        A second one, as `path`: the mean of the two is taken month by month. So daily minima and maxima
        make means, where a data set has only those.
    variable
        Name, or number of a band, in the file.
    stored_unit
        Unit of the temperatures in the file.
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
        the epoch or window if left out.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [degC]. ``attrs["valid_years"]`` says which years of the files are complete, such as
        ``9 of 9: 1996-2004``.

    Raises
    ------
    PermagridError
        If months are missing or stand twice, too few years are complete, or the window reads years that the
        covariate does not cover, as it says.
    """
    source = Monthly(path, with_path, variable, resampling, nodata, crs, _taken_for(request))
    return _yearly(request, source, mean_of_months, stored_unit, Span(CALENDAR_YEAR, window, minimum_years))


@COVARIATES.register
@traits(unit="degC", **_KNOWN)
def warmest_month_temperature(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    with_path: str | None = None,
    variable: str | int | None = None,
    stored_unit: str = "degC",
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
    window: int | None = None,
    minimum_years: int | None = None,
) -> xr.DataArray:
    """Return the mean temperature of each calendar year's warmest month [degC].

    Parameters and errors as `mean_annual_air_temperature`. Which month it is may differ from cell to cell
    and from year to year.
    """
    source = Monthly(path, with_path, variable, resampling, nodata, crs, _taken_for(request))
    return _yearly(
        request,
        source,
        lambda months, _: months.max(axis=0),
        stored_unit,
        Span(CALENDAR_YEAR, window, minimum_years),
    )


@COVARIATES.register
@traits(unit="degC", **_KNOWN)
def coldest_month_temperature(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    with_path: str | None = None,
    variable: str | int | None = None,
    stored_unit: str = "degC",
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
    window: int | None = None,
    minimum_years: int | None = None,
) -> xr.DataArray:
    """Return the mean temperature of each calendar year's coldest month [degC].

    Parameters and errors as `mean_annual_air_temperature`.
    """
    source = Monthly(path, with_path, variable, resampling, nodata, crs, _taken_for(request))
    return _yearly(
        request,
        source,
        lambda months, _: months.min(axis=0),
        stored_unit,
        Span(CALENDAR_YEAR, window, minimum_years),
    )


@COVARIATES.register
@traits(unit="delta degC", **_KNOWN)
def annual_temperature_amplitude(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    definition: Definition = "half_range",
    with_path: str | None = None,
    variable: str | int | None = None,
    stored_unit: str = "degC",
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
    window: int | None = None,
    minimum_years: int | None = None,
) -> xr.DataArray:
    """Return the amplitude of the year's temperature: half of its swing from winter to summer [delta degC].

    Parameters and errors as `mean_annual_air_temperature`.

    Parameters
    ----------
    definition
        ``half_range`` is half the difference of the warmest and the coldest month of a calendar year.
        ``harmonic`` is the amplitude of the sinusoid of one year whose monthly means fit its twelve months
        best, the one that `air_freezing_index` takes for ``approximation: sinusoid``.
    """
    source = Monthly(path, with_path, variable, resampling, nodata, crs, _taken_for(request))
    measure = {"half_range": half_range, "harmonic": harmonic_amplitude}[definition]
    return _yearly(request, source, measure, stored_unit, Span(CALENDAR_YEAR, window, minimum_years))


@COVARIATES.register
@traits(unit="%", **_KNOWN)
def continentality(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    index: Index = "conrad",
    with_path: str | None = None,
    variable: str | int | None = None,
    stored_unit: str = "degC",
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
    window: int | None = None,
    minimum_years: int | None = None,
) -> xr.DataArray:
    """Return how continental the climate is: about 0 at the most oceanic places, 100 at the most inland [%].

    Parameters and errors as `mean_annual_air_temperature`.

    Parameters
    ----------
    index
        ``conrad`` is ``1.7 A / sin(latitude + 10°) - 14`` (Conrad 1946, Methods in Climatology, 296-300);
        ``gorczynski`` is ``1.7 A / sin(latitude) - 20.4`` (Gorczynski 1920, Geografiska Annaler 2,
        324-331), which has no value at the equator. A is the warmest less the coldest month of a calendar
        year; latitudes count from the equator.
    """
    source = Monthly(path, with_path, variable, resampling, nodata, crs, _taken_for(request))
    shift, less = {"conrad": (10.0, 14.0), "gorczynski": (0.0, 20.4)}[index]

    def per_degree(longitude: Float, latitude: Float) -> Float:
        del longitude
        height = np.sin(np.radians(np.abs(latitude) + shift))
        # Nearer to the equator than a kilometre the index of Gorczynski would be any number.
        return np.where(height > 1e-4, 1.7 / np.where(height > 1e-4, height, 1.0), np.nan)

    amplitude = _yearly(request, source, half_range, stored_unit, Span(CALENDAR_YEAR, window, minimum_years))
    factor = pointwise(request.geobox, per_degree, whole=request.whole)
    return (2.0 * amplitude * factor - less).assign_attrs(amplitude.attrs)


def mean_of_months(months: Float, days: Float) -> Float:
    """Return the mean over the first axis, each month by its days.

    Examples
    --------
    >>> mean_of_months(np.array([-10.0, 10.0]), np.array([31.0, 29.0]))
    np.float64(-0.3333333333333333)
    """
    return added(month * count for month, count in zip(months, days, strict=True)) / float(days.sum())


def half_range(months: Float, days: Float) -> Float:
    """Return half the difference of the warmest and the coldest month, along the first axis."""
    del days
    return np.asarray((months.max(axis=0) - months.min(axis=0)) / 2.0)


def harmonic_amplitude(months: Float, days: Float) -> Float:
    """Return the amplitude of the sinusoid of a year whose monthly means fit twelve months best."""
    return sinusoid_of_months(months, days)[1]


def _taken_for(request: Request) -> tuple[str, ...]:
    return () if "stored_unit" in request.covariate.keywords else ("degC",)


def _yearly(
    request: Request,
    source: Monthly,
    measure: Callable[[Float, Float], Float],
    stored_unit: str,
    span: Span,
) -> xr.DataArray:
    factor, offset = conversion(stored_unit, "degC")

    def one(months: Float, days: Float) -> Float:
        return measure(months * factor + offset, days)

    return mean_of_years(request, [source], one, span)
