"""Freezing and thawing indices of air and surface: means of annual indices over an epoch or a window."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from odc.geo.xr import xr_coords

from permagrid.covariates.climate.annual_indices import annual_indices
from permagrid.covariates.climate.index_formulas import MONTH_DAYS, Sign, degree_days
from permagrid.covariates.climate.index_options import Approximation, Options, index_files, option_faults
from permagrid.covariates.climate.moving_means import mean_of_valid, valid_count, window_years
from permagrid.covariates.lookup import Resampling
from permagrid.covariates.table import COVARIATES, Request
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.grid import Float

__all__ = [
    "MONTH_DAYS",
    "air_freezing_index",
    "air_thawing_index",
    "degree_days",
    "surface_freezing_index",
    "surface_thawing_index",
    "valid_years",
]

SIGNS: dict[str, Sign] = {
    "air_freezing_index": -1,
    "air_thawing_index": 1,
    "surface_freezing_index": -1,
    "surface_thawing_index": 1,
}
"""Method -> 1 if it is a thawing index, -1 if it is a freezing index."""


def _faults(settings: Mapping[str, Any], files: Sequence[Path]) -> Iterator[str]:
    del files
    yield from option_faults(Options.of(settings))


_KNOWN = {"unit": "degC day", "reads": "degC", "faults": _faults, "years": window_years}
_FREEZING = {**_KNOWN, "files": partial(index_files, sign=-1)}
_THAWING = {**_KNOWN, "files": partial(index_files, sign=1)}


@COVARIATES.register
@traits(**_FREEZING)
def air_freezing_index(  # noqa: PLR0913
    request: Request,
    *,
    path: str | None = None,
    with_path: str | None = None,
    variable: str | int | None = None,
    stored_unit: str = "degC",
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
    approximation: Approximation = "monthly",
    standard_deviation: float | Sequence[float] | None = None,
    mean_input: str | None = None,
    amplitude_input: str | None = None,
    window: int | None = None,
    minimum_years: int | None = None,
) -> xr.DataArray:
    """Return the freezing index of the air, July to June [degC day].

    The sum of days times temperature below 0 °C of a freezing season, July to June, as a positive number. A
    season is named after the year in which it ends: the first one of an epoch begins in the year before it.
    For an epoch, or a window around its middle, it is the mean of the annual indices, not the index of the
    mean climate, which would be smaller.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path
        Twelve files with ``{month}`` (01-12) or ``{m}`` (1-12) in the name for a climatology; or a NetCDF
        file or Zarr store with a step per month (or day), of a climatology or a series; or a series in
        several files, with ``{year}`` in the name and the month too where a file holds one month.
    with_path
        A second one, as `path`, for daily minima and maxima: the mean of the two is taken step by step.
    variable
        Name, or number of a band, in the file.
    stored_unit
        Unit of the temperatures in the file.
    resampling
        As for a raster. Temperatures are brought to the grid before the index is made of them.
    nodata
        A missing value that the file does not declare.
    crs
        The CRS, where the file does not say.
    approximation
        ``daily`` sums daily means; ``monthly`` sums monthly means, each times its days;
        ``monthly_variance`` lets the days of a month scatter normally about its mean; ``sinusoid`` takes the
        year for one: of mean and first harmonic of the months, or of two other covariates.
    standard_deviation
        Of daily means within a month, for ``monthly_variance``: one number or twelve, January to December
        [degC].
    mean_input
        Covariate of mean annual temperature, for ``sinusoid`` without a path.
    amplitude_input
        Covariate of the annual amplitude, half the range of the sinusoid [delta degC].
    window
        Years of a window centred on the middle year of the epoch, an odd number: 9 is four years on either
        side. The epoch itself if left out.
    minimum_years
        Complete years that suffice, of the file as of each cell; a cell with fewer is nodata. All years of
        the epoch or window if left out.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [degC day]. ``attrs["valid_years"]`` says which years of the files are complete, such
        as ``9 of 9: 1996-2004``; a cell may have fewer, see `valid_years`.

    Raises
    ------
    PermagridError
        If keywords do not go together, months are missing or stand twice, too few years are complete, the
        window reads years that the covariate does not cover, as it says, or the file is not of temperatures.
    """
    options = Options(
        path, with_path, variable, stored_unit, resampling, nodata, crs,
        approximation, standard_deviation, mean_input, amplitude_input, window, minimum_years,
    )  # fmt: skip
    return _mean_index(request, options, -1)


@COVARIATES.register
@traits(**_THAWING)
def air_thawing_index(  # noqa: PLR0913
    request: Request,
    *,
    path: str | None = None,
    with_path: str | None = None,
    variable: str | int | None = None,
    stored_unit: str = "degC",
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
    approximation: Approximation = "monthly",
    standard_deviation: float | Sequence[float] | None = None,
    mean_input: str | None = None,
    amplitude_input: str | None = None,
    window: int | None = None,
    minimum_years: int | None = None,
) -> xr.DataArray:
    """Return the thawing index of the air, January to December [degC day].

    Parameters and errors as `air_freezing_index`. Its year is the calendar year.
    """
    options = Options(
        path, with_path, variable, stored_unit, resampling, nodata, crs,
        approximation, standard_deviation, mean_input, amplitude_input, window, minimum_years,
    )  # fmt: skip
    return _mean_index(request, options, 1)


@COVARIATES.register
@traits(**_FREEZING)
def surface_freezing_index(  # noqa: PLR0913
    request: Request,
    *,
    path: str | None = None,
    with_path: str | None = None,
    variable: str | int | None = None,
    stored_unit: str = "degC",
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
    approximation: Approximation = "monthly",
    standard_deviation: float | Sequence[float] | None = None,
    mean_input: str | None = None,
    amplitude_input: str | None = None,
    window: int | None = None,
    minimum_years: int | None = None,
) -> xr.DataArray:
    """Return the freezing index of the surface, July to June, from land surface temperature [degC day].

    Parameters and errors as `air_freezing_index`. The surface is that of the file: of a satellite, snow and
    canopy as well as soil; under a snow pack the ground freezes less.
    """
    options = Options(
        path, with_path, variable, stored_unit, resampling, nodata, crs,
        approximation, standard_deviation, mean_input, amplitude_input, window, minimum_years,
    )  # fmt: skip
    return _mean_index(request, options, -1)


@COVARIATES.register
@traits(**_THAWING)
def surface_thawing_index(  # noqa: PLR0913
    request: Request,
    *,
    path: str | None = None,
    with_path: str | None = None,
    variable: str | int | None = None,
    stored_unit: str = "degC",
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
    approximation: Approximation = "monthly",
    standard_deviation: float | Sequence[float] | None = None,
    mean_input: str | None = None,
    amplitude_input: str | None = None,
    window: int | None = None,
    minimum_years: int | None = None,
) -> xr.DataArray:
    """Return the thawing index of the surface, January to December, from land surface temperature [degC day].

    Parameters and errors as `air_freezing_index`. Its year is the calendar year.
    """
    options = Options(
        path, with_path, variable, stored_unit, resampling, nodata, crs,
        approximation, standard_deviation, mean_input, amplitude_input, window, minimum_years,
    )  # fmt: skip
    return _mean_index(request, options, 1)


@COVARIATES.register
@traits(unit="1", rasters=False)
def valid_years(request: Request, *, input: str) -> xr.DataArray:
    """Return of how many annual indices another covariate's mean is, cell by cell.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    input
        Name of a freezing or thawing index of the study that is made of a series of years.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [1]; nodata where no year is complete. Cells with fewer than the index's
        ``minimum_years`` are nodata in the index, and have their number here.

    Raises
    ------
    PermagridError
        If the covariate is no index, or has no years; or for what its own files lack.
    """
    name = request.covariate.name
    other = request.others[input]
    if other.method not in SIGNS:
        raise PermagridError(
            f"covariate {name}: {input} is made by {other.method}; years are counted of {', '.join(SIGNS)}"
        )
    epoch = request.epoch if other.years is not None and not other.static else None
    asked = replace(request, covariate=other, epoch=epoch)
    annual = annual_indices(asked, Options.of(other.settings), SIGNS[other.method])
    if not annual.wanted:
        raise PermagridError(f"covariate {name}: {input} is of one mean year, there are no years to count")
    return _on_grid(request, da.map_blocks(_count, *annual.indices, dtype=float), annual.attrs)


def _count(*annual: Float) -> Float:
    count = valid_count(*annual)
    return np.where(count > 0, count, np.nan)


def _mean_index(request: Request, options: Options, sign: Sign) -> xr.DataArray:
    annual = annual_indices(request, options, sign)
    minimum = options.minimum_years or annual.wanted or 1
    mean = da.map_blocks(mean_of_valid, *annual.indices, minimum=minimum, dtype=float)
    return _on_grid(request, mean, annual.attrs)


def _on_grid(request: Request, values: da.Array, attrs: Mapping[str, str]) -> xr.DataArray:
    return xr.DataArray(
        values.astype("float32"),
        coords=xr_coords(request.geobox),
        dims=request.geobox.dimensions,
        attrs=dict(attrs),
    )
