"""Climate covariates: freezing and thawing indices, and zonal temperature anomalies."""

import re
from calendar import monthrange
from collections.abc import Sequence
from typing import Literal

import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr

from permagrid.covariates.raster import files_of, years_and_months
from permagrid.covariates.resample import Resampling, onto
from permagrid.covariates.sources import open_grid
from permagrid.covariates.table import COVARIATES, Request, Years, pointwise
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
    named after the year in which it ends. For an epoch it is the mean of the annual indices, not the
    index of the mean climate, which would be smaller in size.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path
        Twelve files with ``{month}`` (01-12) in the name for a climatology, or a NetCDF or Zarr
        series of months; ``{year}`` may stand for each year.
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
        If months are missing or too few seasons are complete.
    """
    options = _MonthlyOptions(path, variable, stored_unit, resampling, crs)
    return _index(request, options, sign=-1, minimum_years=minimum_years)


@COVARIATES.register
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
    options = _MonthlyOptions(path, variable, stored_unit, resampling, crs)
    return _index(request, options, sign=1, minimum_years=minimum_years)


class _MonthlyOptions:
    """Where monthly mean temperatures stand and how they are brought to the grid."""

    def __init__(
        self, path: str, variable: str | None, stored_unit: str, resampling: Resampling, crs: str | None
    ) -> None:
        self.path, self.variable, self.stored_unit = path, variable, stored_unit
        self.resampling, self.crs = resampling, crs


def _index(
    request: Request, options: _MonthlyOptions, *, sign: Literal[-1, 1], minimum_years: int
) -> xr.DataArray:
    months = _months(request, options, season=sign == -1)
    years = sorted(months)
    if len(years) < minimum_years:
        raise PermagridError(
            f"covariate {request.covariate.name}: {len(years)} complete years in {options.path}, "
            f"minimum_years is {minimum_years}"
        )
    factor, offset = conversion(options.stored_unit, "degC")
    annual = []
    for year in years:
        layers = [onto(g, request.geobox, resampling=options.resampling) for g in months[year][0]]
        monthly = da.stack([layer.data * factor + offset for layer in layers])
        annual.append(
            da.map_blocks(degree_days, monthly, months[year][1], sign=sign, drop_axis=0, dtype="float64")
        )
        template = layers[0]
    mean = sum(annual[1:], annual[0]) / len(annual)
    return template.copy(data=mean.astype("float32"))


def _months(
    request: Request, options: _MonthlyOptions, *, season: bool
) -> dict[int, tuple[list[xr.DataArray], Float]]:
    """Return complete years, each as twelve lazy grids with their days; year 0 is a climatology."""
    if "{month}" in options.path:
        paths = [options.path.replace("{month}", f"{month:02d}") for month in range(1, 13)]
        grids = [_open(file, options) for path in paths for file in files_of(request, path)]
        return {0: (grids, MONTH_DAYS)}
    if request.epoch is None:
        grid = _open(request.path(options.path), options)
        if grid.ndim != 3 or grid.shape[0] != 12:
            raise PermagridError(f"{options.path}: a climatology needs 12 months, found shape {grid.shape}")
        return {0: ([grid[month] for month in range(12)], MONTH_DAYS)}
    return _complete_years(request, options, request.epoch, season=season)


def _complete_years(
    request: Request, options: _MonthlyOptions, epoch: Years, *, season: bool
) -> dict[int, tuple[list[xr.DataArray], Float]]:
    found: dict[int, dict[int, tuple[xr.DataArray, float]]] = {}
    for file in files_of(request, options.path):
        grid = _open(file, options)
        if grid.ndim != 3:
            raise PermagridError(f"{file}: a monthly series needs a time axis, found shape {grid.shape}")
        for step, (year, month) in enumerate(zip(*years_and_months(grid, file), strict=True)):
            belongs = int(year) + (1 if season and month >= _FREEZING_SEASON_START else 0)
            days = float(monthrange(int(year), int(month))[1])
            found.setdefault(belongs, {})[int(month)] = (grid[step], days)
    return {
        year: ([months[m][0] for m in sorted(months)], np.array([months[m][1] for m in sorted(months)]))
        for year, months in found.items()
        if len(months) == 12 and epoch[0] <= year <= epoch[1]
    }


def _open(path: str, options: _MonthlyOptions) -> xr.DataArray:
    return open_grid(path, variable=options.variable, crs=options.crs)


_BAND = re.compile(r"^(?:(\d+)([NS])|EQU)-(?:(\d+)([NS])|EQU)$")


@COVARIATES.register
def zonal_anomaly(
    request: Request,
    *,
    path: str,
    bands: Sequence[str] = ("64N-90N", "44N-64N", "24N-44N"),
    reference: Years | None = None,
    blend: bool = True,
) -> xr.DataArray:
    """Return the temperature anomaly of latitude bands, averaged over the years of the epoch.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path
        A table in the layout of GISTEMP ``ZonAnn``: a column ``Year`` and one per band.
    bands
        Columns to use, such as ``64N-90N``.
    reference
        First and last year to count from, such as those of the climatology that the anomaly is
        added to. The table's own reference if left out.
    blend
        Whether the value changes linearly between the middles of the bands, so that a map has no
        step at their edges, or is constant within each band.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [delta degC].

    Raises
    ------
    PermagridError
        If a band is missing or the table ends before the epoch does.

    Notes
    -----
    Table and method: Lenssen et al. (2019), doi:10.1029/2018JD029522.
    """
    if request.epoch is None:
        raise PermagridError(f"covariate {request.covariate.name}: zonal_anomaly needs years and epochs")
    means = _band_means(request.path(path), bands, request.epoch)
    if reference is not None:
        means = means - _band_means(request.path(path), bands, (reference[0], reference[1]))
    south, north = np.array([_band_edges(band) for band in bands]).T
    order = np.argsort(south)
    south, north, means = south[order], north[order], means[order]

    def at(longitude: Float, latitude: Float) -> Float:
        del longitude
        if blend:
            return np.interp(latitude, (south + north) / 2, means)
        return np.asarray(means[np.clip(np.searchsorted(north, latitude, side="right"), 0, len(means) - 1)])

    return pointwise(request.geobox, at)


def _band_edges(band: str) -> tuple[float, float]:
    match = _BAND.match(band)
    if match is None:
        raise PermagridError(f"latitude band {band!r} is not written like 64N-90N")
    edges = [
        0.0 if number is None else float(number) * (1 if hemisphere == "N" else -1)
        for number, hemisphere in (match.groups()[:2], match.groups()[2:])
    ]
    return min(edges), max(edges)


def _band_means(path: str, bands: Sequence[str], years: Years) -> Float:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise PermagridError(f"{path}: cannot be read as a table ({error})") from error
    absent = [name for name in ("Year", *bands) if name not in table]
    if absent:
        raise PermagridError(f"{path}: missing column {', '.join(absent)}; found: {', '.join(table.columns)}")
    wanted = table[(table["Year"] >= years[0]) & (table["Year"] <= years[1])]
    if len(wanted) < years[1] - years[0] + 1:
        raise PermagridError(
            f"{path}: years {years[0]}-{years[1]} are not all there; it covers "
            f"{int(table['Year'].min())}-{int(table['Year'].max())}"
        )
    return np.asarray(wanted[list(bands)].apply(pd.to_numeric).mean(), dtype=float)
