"""Covariates read from rasters: one file, one per year or epoch, or a time axis."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from permagrid.covariates.resample import Resampling, onto
from permagrid.covariates.sources import open_grid
from permagrid.covariates.table import COVARIATES, Request, Years, pointwise
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
        over the years of the epoch.
    stored_unit
        Unit of the numbers in the file, such as ``K`` or ``0.1 degC``; the covariate's unit if left out.
    resampling
        ``auto``, ``nearest``, ``bilinear``, ``average`` or ``mode``.
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
    layers: list[xr.DataArray] = []
    for each in files_of(request, path):
        grid = open_grid(each, variable=variable, nodata=nodata, crs=crs)
        layers += _slices(grid, each, time, request.epoch)
    covariate = request.covariate
    brought = [onto(one, request.geobox, kind=covariate.kind, resampling=resampling) for one in layers]
    values = brought[0] if len(brought) == 1 else sum(brought[1:], brought[0]) / len(brought)
    factor, offset = conversion(stored_unit or covariate.unit, covariate.unit)
    return values if (factor, offset) == (1.0, 0.0) else (values * factor + offset).astype("float32")


def files_of(request: Request, path: str) -> list[str]:
    """Return the files that a path pattern names for the epoch.

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
        return [full.replace("{epoch}", f"{first}-{last}")]
    return [full.replace("{year}", str(year)) for year in range(first, last + 1)]


def _slices(grid: xr.DataArray, path: str, time: float | None, epoch: Years | None) -> list[xr.DataArray]:
    if grid.ndim == 2:
        return [grid]
    axis = grid.dims[0]
    if time is not None:
        values = grid[axis].values if axis in grid.coords else np.arange(grid.sizes[axis])
        found = np.flatnonzero(np.isclose(values.astype(float), time))
        if found.size == 0:
            raise PermagridError(
                f"{path}: no time {time:g}; it holds {', '.join(f'{v:g}' for v in values[:12])}"
            )
        return [grid.isel({axis: int(found[0])})]
    if epoch is None:
        return [grid.isel({axis: index}) for index in range(grid.sizes[axis])]
    years, _ = years_and_months(grid, path)
    inside = np.flatnonzero((years >= epoch[0]) & (years <= epoch[1]))
    missing = sorted(set(range(epoch[0], epoch[1] + 1)) - set(years.tolist()))
    if missing:
        raise PermagridError(f"{path}: holds no data for {', '.join(map(str, missing))}, asked for {epoch}")
    return [grid.isel({axis: int(index)}) for index in inside]


def years_and_months(grid: xr.DataArray, path: str) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return year and month of every step of a lazy series.

    Raises
    ------
    PermagridError
        If its time axis cannot be understood.
    """
    axis = str(grid.dims[0])
    try:
        times = xr.decode_cf(xr.Dataset(coords={axis: grid[axis]}))[axis].dt
        return np.asarray(times.year), np.asarray(times.month)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
        raise PermagridError(
            f"{path}: its {axis} axis does not tell years (CF units such as 'days since')"
        ) from error


@COVARIATES.register
def sum_of(request: Request, *, inputs: Sequence[str]) -> xr.DataArray:
    """Return the sum of other covariates, such as a climatology and the anomaly of an epoch.

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
def observation(request: Request, *, column: str, at: float) -> xr.DataArray:
    """Return a covariate that belongs to the observation, such as the depth of the sensor.

    At sites it is the site table's `column`; in maps it is the constant `at`.
    """
    del column
    return pointwise(request.geobox, lambda longitude, _: np.full(longitude.shape, at))
