"""Opening rasters lazily: GeoTIFF, COG, ESRI BIL, NetCDF and Zarr, local or by URL."""

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from rasterio.errors import RasterioError
from rasterio.windows import Window

from permagrid.errors import PermagridError

DRIVERS = ("GTiff", "EHdr", "ENVI", "AAIGrid", "HFA")
"""GDAL drivers whose files hold their own pixels: none that names other files or runs code, as VRT does."""

_ARRAY_FORMATS = {".nc": "netcdf4", ".nc4": "netcdf4", ".cdf": "netcdf4", ".zarr": "zarr"}
_LATITUDES = ("lat", "latitude", "y")
_LONGITUDES = ("lon", "longitude", "x")
_SENTINEL = -9998.0
_READ_CELLS = 2048


class _RasterWindowReader:
    """What dask needs to see of a raster band: shape, type and windows, read anew for each task."""

    def __init__(self, path: str, band: int, nodata: float | None, shape: tuple[int, int]) -> None:
        self.path, self.band, self.nodata, self.shape = path, band, nodata, shape
        self.dtype = np.dtype("float64")
        self.ndim = 2

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[np.float64]:
        rows, columns = (part.indices(size) for part, size in zip(key, self.shape, strict=True))
        window = Window(columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0])
        try:
            with rasterio.open(self.path) as raster:
                band = raster.read(self.band, window=window, masked=True)
                scale, offset = raster.scales[self.band - 1], raster.offsets[self.band - 1]
        except RasterioError as error:
            raise PermagridError(f"{self.path}: cannot be read ({_sentence(error)})") from error
        values = np.ma.filled(band.astype("float64"), np.nan)
        if self.nodata is not None:
            values[values == self.nodata] = np.nan
        values = values[:: rows[2], :: columns[2]]
        return values if (scale, offset) == (1.0, 0.0) else values * scale + offset


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
        A file, a Zarr folder, or a URL that GDAL or xarray can open.
    variable
        Name in a NetCDF file or Zarr store, or number of a band of a raster, from 1; may be left out
        when there is only one.
    nodata
        A value that means "no data" beside the one the file declares.
    crs
        The CRS, where the file does not say.

    Returns
    -------
    xarray.DataArray
        Dimensions ``(y, x)``, or ``(time, y, x)`` where the file has a third one; rows from north to
        south. ``attrs["units"]`` is the file's own unit, where it states one.

    Raises
    ------
    PermagridError
        If the file is missing, empty, truncated, of another format, has no CRS, or lacks the variable.
    """
    text = str(path)
    if "://" not in text and not Path(text).exists():
        raise PermagridError(f"{text}: no such file")
    engine = _ARRAY_FORMATS.get(Path(text).suffix.lower())
    if engine is not None:
        return _open_array(text, engine, None if variable is None else str(variable), nodata, crs)
    if not isinstance(variable, int | None):
        raise PermagridError(f"{text}: variable is the number of a band here, from 1; found {variable!r}")
    return _open_raster(text, variable or 1, nodata, crs)


def _open_raster(path: str, band: int, nodata: float | None, crs: str | None) -> xr.DataArray:
    try:
        with rasterio.open(path) as raster:
            if raster.driver not in DRIVERS:
                raise PermagridError(
                    f"{path}: format {raster.driver} is not read; allowed: {', '.join(DRIVERS)}"
                )
            if not 1 <= band <= raster.count:
                raise PermagridError(f"{path}: has no band {band}; bands: 1 to {raster.count}")
            found = crs or (raster.crs.to_wkt() if raster.crs else None)
            if found is None:
                raise PermagridError(
                    f"{path}: has no CRS; state it with the keyword crs, such as crs: EPSG:4326"
                )
            geobox = GeoBox(raster.shape, raster.transform, CRS(found))
            attrs: dict[str, Any] = {"units": raster.units[band - 1] or ""}
            attrs["long_name"] = raster.descriptions[band - 1] or ""
    except RasterioError as error:
        raise PermagridError(f"{path}: cannot be opened as a raster ({_sentence(error)})") from error
    _check_geobox(path, geobox)
    reader = _RasterWindowReader(path, band, nodata, tuple(geobox.shape))
    data = da.from_array(reader, chunks=(_READ_CELLS, _READ_CELLS), asarray=False, meta=np.empty((0, 0)))
    return xr.DataArray(data, coords=xr_coords(geobox), dims=geobox.dimensions, attrs=attrs)


def _check_geobox(path: str, geobox: GeoBox) -> None:
    if geobox.affine.e > 0 or geobox.affine.a < 0:
        raise PermagridError(f"{path}: rows must run from north to south and columns from west to east")
    if geobox.affine.b or geobox.affine.d:
        raise PermagridError(f"{path}: the raster is rotated; bring it to a north-up grid first")


def _open_array(
    path: str, engine: str, variable: str | None, nodata: float | None, crs: str | None
) -> xr.DataArray:
    try:
        dataset = xr.open_dataset(path, engine=engine, chunks=None, decode_times=False)
    except (OSError, ValueError, KeyError) as error:
        raise PermagridError(f"{path}: cannot be opened as {engine} ({_sentence(error)})") from error
    gridded = [str(name) for name, array in dataset.data_vars.items() if array.ndim >= 2]
    if variable is None and len(gridded) == 1:
        variable = gridded[0]
    if variable not in gridded:
        raise PermagridError(
            f"{path}: variable {variable!r} not found; it holds {', '.join(gridded) or 'none'}"
        )
    array = _north_up(path, dataset[variable], dataset)
    found = crs or _declared_crs(dataset, dataset[variable]) or _assumed_crs(array)
    if found is None:
        raise PermagridError(f"{path}: variable {variable} has no CRS; state it with the keyword crs")
    y, x = array[array.dims[-2]].values.astype(float), array[array.dims[-1]].values.astype(float)
    geobox = _regular_geobox(path, y, x, found)
    missing = [float(value) for value in (nodata, array.attrs.get("missing_value")) if value is not None]
    for value in missing:
        array = array.where(array != value)
    coords = xr_coords(geobox)
    renamed = array.rename({array.dims[-2]: geobox.dimensions[0], array.dims[-1]: geobox.dimensions[1]})
    named = renamed.drop_vars(
        [name for name in renamed.coords if name != renamed.dims[0] or renamed.ndim == 2]
    )
    return named.assign_coords(coords).assign_attrs(units=str(array.attrs.get("units", "")))


def _axis(path: str, array: xr.DataArray, names: tuple[str, ...], what: str) -> str:
    compass = "degrees_north" if what == "latitude" else "degrees_east"
    for dim in array.dims:
        attrs = array[dim].attrs if dim in array.coords else {}
        standard = str(attrs.get("standard_name", "")).lower()
        by_name = str(dim).lower() in names or standard in (what, f"projection_{names[-1]}_coordinate")
        if by_name or attrs.get("units") in (compass, compass.replace("degrees", "degree")):
            return str(dim)
    raise PermagridError(f"{path}: no {what} dimension among {', '.join(map(str, array.dims))}")


def _north_up(path: str, array: xr.DataArray, dataset: xr.Dataset) -> xr.DataArray:
    y, x = _axis(path, array, _LATITUDES, "latitude"), _axis(path, array, _LONGITUDES, "longitude")
    others = [str(dim) for dim in array.dims if dim not in (y, x)]
    for dim in [name for name in others if array.sizes[name] == 1 and len(others) > 1]:
        array = array.isel({dim: 0})
        others.remove(dim)
    if len(others) > 1:
        raise PermagridError(
            f"{path}: has the dimensions {', '.join(others)} beside its grid; one is allowed"
        )
    array = array.transpose(*others, y, x)
    if y not in array.coords or x not in array.coords:
        raise PermagridError(f"{path}: the dimensions {y} and {x} have no coordinates")
    if array.sizes[y] > 1 and float(array[y][1]) > float(array[y][0]):
        array = array.isel({y: slice(None, None, -1)})
    if array.sizes[x] > 1 and abs(float(array[x][-1]) - float(array[x][0]) - 360.0) < 1e-3:
        array = array.isel({x: slice(None, -1)})
    return array


def _declared_crs(dataset: xr.Dataset, array: xr.DataArray) -> str | None:
    name = array.attrs.get("grid_mapping") or array.encoding.get("grid_mapping")
    if name in dataset.variables:
        mapping = dataset.variables[name].attrs
        return mapping.get("crs_wkt") or mapping.get("spatial_ref")
    return None


def _assumed_crs(array: xr.DataArray) -> str | None:
    names = [str(dim).lower() for dim in array.dims[-2:]]
    units = [str(array[dim].attrs.get("units", "")).lower() for dim in array.dims[-2:]]
    named = names[0].startswith("lat") and names[1].startswith("lon")
    return "EPSG:4326" if named or (units[0].startswith("degree") and units[1].startswith("degree")) else None


def _regular_geobox(path: str, y: NDArray[np.float64], x: NDArray[np.float64], crs: str) -> GeoBox:
    steps = [np.diff(values) for values in (y, x)]
    for name, step in zip("yx", steps, strict=True):
        if step.size == 0 or np.ptp(step) > 1e-3 * abs(step.mean()):
            raise PermagridError(f"{path}: the {name} coordinates are not evenly spaced")
    dy, dx = float(steps[0].mean()), float(steps[1].mean())
    affine = rasterio.Affine(dx, 0.0, float(x[0]) - dx / 2, 0.0, dy, float(y[0]) - dy / 2)
    return GeoBox((y.size, x.size), affine, CRS(crs))


def undeclared_sentinel(grid: xr.DataArray) -> float | None:
    """Return a value such as -9999 that fills part of a decimated read without being declared nodata.

    Interpolating over an undeclared sentinel makes values that look real, so `permagrid check` asks.
    """
    sample = decimated(grid)
    strange = sample[np.isfinite(sample) & ((sample <= _SENTINEL) | (np.abs(sample) > 1e30))]
    return float(strange.flat[0]) if strange.size else None


def decimated(grid: xr.DataArray, *, most: int = 400) -> NDArray[np.float64]:
    """Return every n-th row and column of a lazy grid, at most `most` of each."""
    steps = [max(1, size // most) for size in grid.shape[-2:]]
    dims = grid.dims[-2:]
    thin = grid.isel({dims[0]: slice(None, None, steps[0]), dims[1]: slice(None, None, steps[1])})
    return np.asarray(thin.compute(scheduler="synchronous").values, dtype=float)


def _sentence(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
