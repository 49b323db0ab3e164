"""Covariates from MODIS: vegetation indices and land surface temperature of months, summed up by season."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from permagrid.covariates.lookup import Resampling
from permagrid.covariates.surface.composite import Image, compose
from permagrid.covariates.surface.modis_layers import (
    VALID_INDEX,
    VALID_KELVIN,
    Quality,
    Source,
    certain,
    ends,
    images_of,
    kept,
    scale_faults,
    series_files,
)
from permagrid.covariates.surface.modis_series import Rules, Satellite, check_begun, monthly, of_epoch
from permagrid.covariates.surface.scenes import told
from permagrid.covariates.table import COVARIATES, Request, Years
from permagrid.covariates.times import as_ranges
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.grid import Float

_ROUNDING = 1e-9
"""By how much a product of scale and number may miss the end of its valid range."""


def _rules(how: str, months: Sequence[int], minimum_months: int | None, minimum_years: int) -> Rules:
    """Return how months are summed up; a mean needs them all unless stated, a maximum one."""
    wanted = tuple(sorted(set(months)))
    usual = len(wanted) if how == "mean" else 1
    return Rules(wanted, how, usual if minimum_months is None else minimum_months, minimum_years).checked()


def _stated_rules(settings: Mapping[str, Any]) -> Rules:
    least, years = settings["minimum_months"], settings["minimum_years"]
    return _rules(settings.get("composite", "mean"), settings["months"], least, years)


def _index_files(settings: Mapping[str, Any], epochs: Sequence[Years], root: Path) -> list[Path]:
    return series_files(("path", "quality_path"), settings, epochs, root)


def _index_faults(settings: Mapping[str, Any], files: Sequence[Path]) -> Iterator[str]:
    yield from told(partial(_stated_rules, settings))
    for file in ends(files, settings["path"], settings["quality_path"]):
        yield from scale_faults(file, settings, settings["variable"], VALID_INDEX)


@COVARIATES.register
@traits(unit="1", rasters=False, files=_index_files, faults=_index_faults)
def modis_vegetation_index(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    variable: str | int | None = None,
    months: Sequence[int] = (6, 7, 8),
    composite: Literal["mean", "maximum"] = "mean",
    statistic: Literal["composite", "observations"] = "composite",
    quality_path: str | None = None,
    quality_variable: str | int | None = None,
    quality_layer: Literal["reliability", "vi_quality"] = "reliability",
    keep: Sequence[Quality] = ("good", "marginal"),
    minimum_months: int | None = None,
    minimum_years: int = 1,
    satellite: Satellite = "terra",
    scale: float = 0.0001,
    resampling: Resampling = "auto",
    crs: str | None = None,
) -> xr.DataArray:
    """Return a vegetation index of the growing season from monthly layers such as those of MOD13A3 [1].

    Numbers of poor quality are left out at the layer's own resolution; then each layer is brought to the
    grid; then a month is the mean of its layers, a year the mean or the maximum of its months, and an epoch
    the mean of its years. Works for NDVI and EVI, of one month or of 16 days.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path
        GeoTIFFs with ``{year}`` and ``{month}`` in their names, or ``{year}{day}`` where the name tells the
        day of the year as MODIS does, and ``*`` where several tiles are to be joined; or a NetCDF file or
        Zarr store with a time axis. HDF4 files are not read.
    variable
        Name in a NetCDF file, or number of a band.
    months
        The growing season.
    composite
        ``mean`` or ``maximum`` of the months of a year.
    statistic
        ``observations`` gives the number of valid months instead.
    quality_path
        The quality layer, named like the index. Without one all valid numbers are taken.
    quality_variable
        Its name in a NetCDF file, or number of a band.
    quality_layer
        ``reliability`` is the layer "pixel reliability", ``vi_quality`` the layer "VI Quality" of 16 bits.
    keep
        Qualities to keep.
    minimum_months
        Valid months that a year must have; all for a mean, which would otherwise lean towards the months that
        are seen, and one for a maximum.
    minimum_years
        Such years that an epoch must have.
    satellite
        ``terra`` (MOD13) has data since February 2000, ``aqua`` (MYD13) since July 2002. An epoch that begins
        earlier is refused.
    scale
        By which stored numbers are multiplied, whatever the file declares; 1 for files scaled already.
    resampling, crs
        As for a raster.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [1].

    Raises
    ------
    PermagridError
        If the epoch begins before the satellite's data, or months are missing.
    """
    rules = _rules(composite, months, minimum_months, minimum_years)
    check_begun(request, satellite, rules.months)

    def formula(numbers: Mapping[str, Float]) -> Float:
        values = numbers["index"] * scale
        known = (values >= VALID_INDEX[0] - _ROUNDING) & (values <= VALID_INDEX[1] + _ROUNDING)
        if "quality" in numbers:
            known &= kept(numbers["quality"], quality_layer, keep)
        return np.where(known, values, np.nan)

    bands = {"index": Source(path, variable)}
    if quality_path is not None:
        bands["quality"] = Source(quality_path, quality_variable)
    found, years = images_of(request, bands, rules.months, formula, crs=crs, whole=scale != 1)

    def combine(stack: NDArray[np.float32], of: Sequence[Any]) -> NDArray[Any]:
        means = monthly(stack, of)
        if statistic == "observations":
            counts = [np.isfinite(mean) for mean in means.values()]
            return np.sum(counts, axis=0) if counts else np.zeros(stack.shape[1:])
        return of_epoch(means, rules, stack.shape[1:])

    masked_by = f"kept where {quality_layer} is {' or '.join(keep)}" if quality_path else "no quality mask"
    images = [Image(grid, when) for grid, when in found]
    return compose(request, images, combine, resampling=resampling).assign_attrs(
        analysis=f"each layer at its own resolution, {masked_by}, then brought to the grid; {composite} of "
        f"the months {', '.join(map(str, rules.months))}, mean of the years",
        valid_years=as_ranges(years),
    )


_VIEWS = ("day", "night")


def _check_views(day_path: str | None, night_path: str | None) -> None:
    if not (day_path or night_path):
        raise PermagridError("modis_land_surface_temperature needs day_path, night_path or both")


def _temperature_files(settings: Mapping[str, Any], epochs: Sequence[Years], root: Path) -> list[Path]:
    keys = [f"{view}_{what}" for view in _VIEWS for what in ("path", "quality_path")]
    return series_files(keys, settings, epochs, root)


def _temperature_faults(settings: Mapping[str, Any], files: Sequence[Path]) -> Iterator[str]:
    yield from told(partial(_stated_rules, settings))
    yield from told(partial(_check_views, settings["day_path"], settings["night_path"]))
    for view in _VIEWS:
        path, variable = settings[f"{view}_path"], settings[f"{view}_variable"]
        for file in ends(files, path, settings[f"{view}_quality_path"]) if path else ():
            yield from scale_faults(file, settings, variable, VALID_KELVIN)


@COVARIATES.register
@traits(unit="degC", rasters=False, files=_temperature_files, faults=_temperature_faults)
def modis_land_surface_temperature(  # noqa: PLR0913
    request: Request,
    *,
    day_path: str | None = None,
    night_path: str | None = None,
    day_variable: str | int | None = None,
    night_variable: str | int | None = None,
    day_quality_path: str | None = None,
    night_quality_path: str | None = None,
    day_quality_variable: str | int | None = None,
    night_quality_variable: str | int | None = None,
    maximum_error: Literal[1, 2, 3] = 2,
    months: Sequence[int] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
    minimum_months: int | None = None,
    minimum_years: int = 1,
    satellite: Satellite = "terra",
    scale: float = 0.02,
    resampling: Resampling = "auto",
    crs: str | None = None,
) -> xr.DataArray:
    """Return the mean land surface temperature from layers such as those of MOD11A1, A2 or C3 [degC].

    Numbers of poor quality are left out at the layer's own resolution; then each layer is brought to the
    grid; then a month is the mean of its day views and of its night views, each for itself, and the mean of
    both; a year is the mean of its months, an epoch that of its years. It is the temperature under clear
    skies, of the snow where there is snow: in winter colder than the ground, and colder than the mean of
    all days.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    day_path, night_path
        Layers of either view, named as in `modis_vegetation_index`. Where both are given a month needs both;
        with one of them the temperature is that of the day or of the night.
    day_variable, night_variable, day_quality_variable, night_quality_variable
        Name in a NetCDF file, or number of a band.
    day_quality_path, night_quality_path
        The layers QC_Day and QC_Night. Without them all valid numbers are taken.
    maximum_error
        Error up to which a value is kept by QC [K].
    months
        Months of the year that are taken.
    minimum_months
        Valid months that a year must have; all unless stated, as a year without its winter is too warm.
    minimum_years
        Such years that an epoch must have.
    satellite
        ``terra`` (MOD11) has data since February 2000, ``aqua`` (MYD11) since July 2002. An epoch that begins
        earlier is refused.
    scale
        Kelvin by which stored numbers are multiplied, whatever the file declares. 1 for files in kelvin.
    resampling, crs
        As for a raster.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [degC].

    Raises
    ------
    PermagridError
        If the epoch begins before the satellite's data, or months are missing.
    """
    _check_views(day_path, night_path)
    rules = _rules("mean", months, minimum_months, minimum_years)
    check_begun(request, satellite, rules.months)

    def formula(numbers: Mapping[str, Float]) -> Float:
        kelvin = numbers["temperature"] * scale
        known = (kelvin >= VALID_KELVIN[0] - _ROUNDING) & (kelvin <= VALID_KELVIN[1] + _ROUNDING)
        if "quality" in numbers:
            known &= certain(numbers["quality"], maximum_error)
        return np.where(known, kelvin - 273.15, np.nan)

    stated = {
        "day": (day_path, day_variable, day_quality_path, day_quality_variable),
        "night": (night_path, night_variable, night_quality_path, night_quality_variable),
    }
    images: list[Image] = []
    years: set[int] = set()
    for view, (path, variable, quality_path, quality_variable) in stated.items():
        if path is None:
            continue
        bands = {"temperature": Source(path, variable)}
        if quality_path is not None:
            bands["quality"] = Source(quality_path, quality_variable)
        found, of_years = images_of(request, bands, rules.months, formula, crs=crs, whole=scale != 1)
        images += [Image(grid, (view, *when)) for grid, when in found]
        years.update(of_years)
    given = [view for view in _VIEWS if stated[view][0] is not None]

    def combine(stack: NDArray[np.float32], of: Sequence[Any]) -> NDArray[Any]:
        each = [_of_view(stack, of, view) for view in given]
        shared = [month for month in each[0] if all(month in means for means in each)]
        means = {month: np.mean([view[month] for view in each], axis=0) for month in shared}
        return of_epoch(means, rules, stack.shape[1:])

    return compose(request, images, combine, resampling=resampling).assign_attrs(
        analysis="each layer at its own resolution, then brought to the grid; monthly means of the views by "
        f"{' and '.join(given)}, of the months {', '.join(map(str, rules.months))}, of the years",
        valid_years=as_ranges(sorted(years)),
    )


def _of_view(stack: NDArray[np.float32], of: Sequence[Any], view: str) -> dict[tuple[int, int], Float]:
    """Return monthly means of the day or of the night."""
    places = [place for place, observation in enumerate(of) if observation[0] == view]
    return monthly(stack[places], [of[place][1:] for place in places])
