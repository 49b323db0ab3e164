"""Covariates read from rasters: one file, one per year or epoch, or a time axis."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from permagrid.covariates.bands import declared_nodata
from permagrid.covariates.lookup import Resampling
from permagrid.covariates.resample import onto
from permagrid.covariates.sources import open_grid
from permagrid.covariates.table import COVARIATES, Request, Years, pointwise
from permagrid.covariates.times import as_run, years_and_months
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.units import conversion


@COVARIATES.register
def raster(
    request: Request,
    *,
    path: str,
    variable: str | int | None = None,
    time: float | None = None,
    stored_unit: str | None = None,
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
) -> xr.DataArray:
    """Return a raster on the grid, in the covariate's unit.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path
        File; ``{year}`` or ``{epoch}`` in it stands for each year of the epoch, or the epoch itself.
    variable
        Which layer: a name in a NetCDF file or Zarr store, the number of a band in a raster.
    time
        Coordinate on the file's time axis to take, such as -20000. Without it, a series is averaged
        over the years of the epoch, or altogether if the covariate does not change with time. Each step
        counts the same, and a cell that lacks one is nodata.
    stored_unit
        Unit of the numbers in the file, such as ``K`` or ``0.1 degC``; the covariate's unit if left out.
    resampling
        ``auto``, ``nearest``, ``bilinear``, ``average`` or ``mode``; ``auto`` chooses by the kind of
        the covariate and by the sizes of the cells.
    nodata
        A missing value that the file does not declare.
    crs
        The CRS, where the file does not say.

    Returns
    -------
    xarray.DataArray
        Lazy, float32.

    Raises
    ------
    PermagridError
        If a file cannot be read or does not hold the years of the epoch.
    """
    parts: list[xr.DataArray] = []
    for each in files_of(request, path):
        grid = open_grid(each, variable=variable, nodata=nodata, crs=crs)
        parts.append(_selected(grid, each, time, request.epoch))
    brought = [request.onto(part, resampling=resampling) for part in parts]
    steps = sum(part.shape[0] if part.ndim == 3 else 1 for part in brought)
    values = brought[0]
    if steps > 1 or values.ndim == 3:
        if request.covariate.kind == "class" and steps > 1:
            raise PermagridError(
                f"{path}: codes of {steps} times have no mean; choose one with the keyword time"
            )
        sums = [
            part.astype(float).sum(str(part.dims[0]), skipna=False) if part.ndim == 3 else part
            for part in brought
        ]
        values = sum(sums[1:], sums[0].astype(float)) / steps
    factor, offset = conversion(stored_unit or request.covariate.unit, request.covariate.unit)
    converted = values if (factor, offset) == (1.0, 0.0) else values * factor + offset
    return converted.astype("float32")


def files_of(request: Request, path: str, *, years_before: int = 0) -> list[str]:
    """Return the files that a path pattern names for the epoch.

    Parameters
    ----------
    request
        Epoch and root folder.
    path
        With ``{year}`` or ``{epoch}`` in it, if there are several.
    years_before
        How many years earlier than the epoch to begin with.

    Raises
    ------
    PermagridError
        If the pattern asks for years and the covariate has none.
    """
    full = request.path(path)
    if "{year}" not in path and "{epoch}" not in path:
        return [full]
    if request.epoch is None:
        raise PermagridError(
            f"covariate {request.covariate.name}: path {path!r} varies, but years are not stated"
        )
    first, last = request.epoch
    if "{epoch}" in path:
        full = full.replace("{epoch}", f"{first}-{last}")
    if "{year}" not in path:
        return [full]
    return [full.replace("{year}", str(year)) for year in range(first - years_before, last + 1)]


def _selected(grid: xr.DataArray, path: str, time: float | None, epoch: Years | None) -> xr.DataArray:
    """Return the one layer, or the steps to be averaged, of a file."""
    if grid.ndim == 2:
        if time is not None:
            raise PermagridError(f"{path}: has no time axis to take time {time:g} from")
        return grid
    axis = grid.dims[0]
    if time is not None:
        values = grid[axis].values.astype(float)
        found = np.flatnonzero(np.isclose(values, time))
        if found.size == 0:
            held = ", ".join(f"{value:g}" for value in values[:12])
            raise PermagridError(f"{path}: no time {time:g}; it holds {held}")
        return grid.isel({axis: int(found[0])})
    if epoch is None:
        return grid
    years, _ = years_and_months(grid, path)
    steps = {year: int((years == year).sum()) for year in range(epoch[0], epoch[1] + 1)}
    span = f"{epoch[0]}-{epoch[1]}"
    missing = [str(year) for year, count in steps.items() if count == 0]
    if missing:
        raise PermagridError(f"{path}: holds no data for {', '.join(missing)} of the epoch {span}")
    most = max(steps.values())
    short = [f"{year} ({count})" for year, count in steps.items() if count < most]
    # Daily data have a day more in a leap year.
    if most < 360 and short:
        raise PermagridError(f"{path}: years of {span} with fewer than {most} steps: {', '.join(short)}")
    inside = np.flatnonzero((years >= epoch[0]) & (years <= epoch[1]))
    return grid.isel({axis: as_run(inside.tolist())})


@COVARIATES.register
@traits(rasters=False)
def sum_of(request: Request, *, inputs: Sequence[str]) -> xr.DataArray:
    """Return the sum of other covariates, such as a climatology and the anomaly of an epoch.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    inputs
        Names of the covariates to add.

    Raises
    ------
    PermagridError
        If a covariate is unknown or none is given.
    """
    if not inputs:
        raise PermagridError(f"covariate {request.covariate.name}: inputs names no covariate")
    parts = [request.build(name, request.geobox) for name in inputs]
    return sum(parts[1:], parts[0]).astype("float32")


@COVARIATES.register
@traits(rasters=False)
def observation(
    request: Request, *, column: str, at: float | None = None, codes: Mapping[str, int] | None = None
) -> xr.DataArray:
    """Return a covariate that belongs to the observation, such as the depth of the sensor.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    column
        Column of the site table whose value it is at sites.
    at
        The constant that it is in maps [unit of the covariate]; only a study without grid goes without.
    codes
        Text in the column -> class code, in a study without grid; 1, 2, ... in alphabetical order if left
        out.

    Raises
    ------
    PermagridError
        If maps are to be made and `at` is not given.
    """
    del column, codes
    if at is None:
        raise PermagridError(
            f"covariate {request.covariate.name}: observation needs the keyword 'at', its value in maps"
        )
    return pointwise(request.geobox, lambda longitude, _: np.full(longitude.shape, at), whole=request.whole)


def class_mask(path: str, exclude: Sequence[int], geobox: GeoBox, *, crs: str | None = None) -> xr.DataArray:
    """Return 1 where a raster of classes holds one of the excluded codes and 0 elsewhere, lazily.

    Parameters
    ----------
    path
        The raster.
    exclude
        Class codes. Cells without a class are excluded too where the code that the file declares to be nodata
        is among them.
    geobox
        The grid.
    crs
        The CRS, where the file does not say.

    Raises
    ------
    PermagridError
        If the file cannot be read.
    """
    classes: xr.DataArray = onto(open_grid(path, crs=crs), geobox, kind="class")
    excluded = classes.isin(list(exclude))
    if declared_nodata(path) in exclude:
        excluded = excluded | classes.isnull()
    return excluded.astype("float32")
