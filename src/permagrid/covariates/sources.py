"""Opening rasters lazily: GeoTIFF, COG, ESRI BIL, NetCDF and Zarr, local or by URL."""

from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import xarray as xr

from permagrid.covariates.arrays import open_array
from permagrid.covariates.bands import DRIVERS, open_band
from permagrid.covariates.datasets import ENGINES
from permagrid.covariates.lazy import shown
from permagrid.errors import PermagridError
from permagrid.grid import Float

__all__ = ["DRIVERS", "decimated", "open_grid", "undeclared_sentinel"]

_SENTINELS = (-9999.0, -99999.0, -9999.9, -999.0, -999.9, -99.0, -32768.0, -32767.0, 32767.0, 65535.0, 1e20)
_READ_WHOLE = 4_000_000
_PATCHES, _PATCH = 10, 60


def open_grid(
    path: str | Path,
    *,
    variable: str | int | None = None,
    nodata: float | None = None,
    crs: str | None = None,
) -> xr.DataArray:
    """Return a raster as a lazy, georeferenced array with NaN where it has no data.

    Parameters
    ----------
    path
        A file, a Zarr folder, or a URL that GDAL or xarray can open; Zarr by ``http`` needs the packages
        fsspec and aiohttp.
    variable
        Name in a NetCDF file or Zarr store, or number of a band of a raster, from 1; may be left out
        when there is only one.
    nodata
        A stored number that means "no data" beside the one the file declares.
    crs
        The CRS, where the file does not say.

    Returns
    -------
    xarray.DataArray
        float64 of dimensions ``(y, x)``, or ``(time, y, x)`` where the file has a third one; rows from
        north to south. ``attrs["units"]`` is the file's own unit, where it states one. Values may be read
        from several threads; where the file turns out to be damaged, that raises `PermagridError` too.

    Raises
    ------
    PermagridError
        If the file is missing, empty, truncated, of another format, has no CRS, or lacks the variable.
    """
    text = str(path)
    remote = "://" in text
    if not remote and not Path(text).exists():
        raise PermagridError(f"{text}: no such file")
    engine = ENGINES.get(Path(urlsplit(text).path if remote else text).suffix.lower())
    if engine is not None:
        return open_array(text, None if variable is None else str(variable), nodata, crs, engine)
    if not isinstance(variable, int | None):
        raise PermagridError(
            f"{shown(text)}: variable is the number of a band here, from 1; found {variable!r}"
        )
    return open_band(text, 1 if variable is None else variable, nodata, crs)


def undeclared_sentinel(sample: Float) -> float | None:
    """Return a value such as -9999 that fills part of a grid without being declared nodata, or None.

    Interpolating over an undeclared sentinel makes values that look real, so `permagrid check` asks. A
    value counts as one if it is among those in use and lies farther from all others than they lie from
    each other: the depth of a sea may be -9999 m, but where it is, -9998 m is near.

    Parameters
    ----------
    sample
        Some of its cells, as `decimated` returns them.
    """
    values = np.unique(sample[np.isfinite(sample)])
    if values.size == 0:
        return None
    for value, others in ((values[0], values[1:]), (values[-1], values[:-1])):
        known = np.isclose(value, _SENTINELS, rtol=1e-6, atol=0).any()
        if known and (others.size == 0 or np.abs(others - value).min() > np.ptp(others)):
            return float(value)
    return None


def decimated(grid: xr.DataArray, *, most: int = 400) -> Float:
    """Return some cells of a lazy two-dimensional grid, in memory that does not grow with it.

    Every n-th row and column of a small grid, at most about `most` of each; of a large one, patches spread
    over it, as reading every n-th cell would read them all.
    """
    rows, columns = grid.shape
    y, x = grid.dims
    if rows * columns <= _READ_WHOLE:
        steps = max(1, rows // most), max(1, columns // most)
        thin = grid.variable.isel({y: slice(None, None, steps[0]), x: slice(None, None, steps[1])})
        return np.asarray(thin.compute(scheduler="synchronous").values, dtype=float)
    tops, lefts = ((np.linspace(0, max(0, size - _PATCH), _PATCHES)).astype(int) for size in (rows, columns))
    strips = []
    for top in tops:
        patches = [
            grid.variable.isel({y: slice(top, top + _PATCH), x: slice(left, left + _PATCH)}) for left in lefts
        ]
        strips.append(np.concatenate([np.asarray(part.values, dtype=float) for part in patches], axis=1))
    return np.concatenate(strips)
