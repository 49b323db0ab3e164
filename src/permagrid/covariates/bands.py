"""Rasters that GDAL opens, band by band: GeoTIFF, COG, ESRI BIL, ENVI, ASCII grid, Erdas, JPEG 2000."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj.exceptions import CRSError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from permagrid.covariates.lazy import Key, lazy_grid, sentence, shown, without_nodata
from permagrid.errors import PermagridError
from permagrid.grid import Float

DRIVERS = ("GTiff", "EHdr", "ENVI", "AAIGrid", "HFA", "JP2OpenJPEG")
"""GDAL drivers whose files hold their own pixels: none that names other files or runs code, as VRT does."""

_REMOTE = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_TIMEOUT": "60",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "1",
}


def open_band(path: str, band: int, nodata: float | None, crs: str | None) -> xr.DataArray:
    """Return one band lazily; parameters and errors as `permagrid.covariates.sources.open_grid`."""
    try:
        with warnings.catch_warnings():
            # What has no place on the globe is told as a fault below.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            geobox, attrs = _described(path, band, crs)
    except RasterioError as error:
        why = (
            "format VRT is not read"
            if _is_virtual(path)
            else f"cannot be opened as a raster ({sentence(error)})"
        )
        allowed = f"{', '.join(DRIVERS)}, and .nc and .zarr for named variables"
        raise PermagridError(f"{shown(path)}: {why}; allowed: {allowed}") from error
    except CRSError as error:
        raise PermagridError(f"{shown(path)}: its CRS is not understood ({sentence(error)})") from error
    _check_geobox(shown(path), geobox)

    def read(key: Key) -> Float:
        return _read(path, band, nodata, key, geobox.shape)

    return lazy_grid(read, geobox, attrs)


def declared_nodata(path: str) -> float | None:
    """Return the value that a raster declares to be nodata; None if it declares none, or is no raster.

    Parameters
    ----------
    path
        The file.
    """
    try:
        with _environment(path), DatasetReader(path, driver=list(DRIVERS)) as raster:
            return None if raster.nodata is None else float(raster.nodata)
    except RasterioError:
        return None


def _described(path: str, band: int, crs: str | None) -> tuple[GeoBox, dict[str, Any]]:
    with _environment(path), DatasetReader(path, driver=list(DRIVERS)) as raster:
        if not 1 <= band <= raster.count:
            raise PermagridError(f"{shown(path)}: has no band {band}; bands: 1 to {raster.count}")
        found = crs or (raster.crs.to_wkt() if raster.crs else None)
        if found is None:
            raise PermagridError(
                f"{shown(path)}: has no CRS; state it with the keyword crs, such as crs: EPSG:4326"
            )
        attrs = {"units": raster.units[band - 1] or "", "long_name": raster.descriptions[band - 1] or ""}
        return GeoBox(raster.shape, raster.transform, CRS(found)), attrs


def _is_virtual(path: str) -> bool:
    """Return whether a local file only names other files, which GDAL is not let to follow."""
    if "://" in path or not Path(path).is_file():
        return path.lower().endswith(".vrt")
    with Path(path).open("rb") as file:
        return file.read(64).lstrip().startswith(b"<VRTDataset")


def _environment(path: str) -> rasterio.Env:
    return rasterio.Env(**(_REMOTE if "://" in path else {}))


def _read(path: str, band: int, nodata: float | None, key: Key, shape: tuple[int, int]) -> Float:
    # Opened anew each time: GDAL's handles must not be shared by threads.
    rows, columns = (_range(part, size) for part, size in zip(key, shape, strict=True))
    spans = [(part.start, part[-1] + 1 if len(part) else part.start) for part in (rows, columns)]
    window = Window.from_slices(*spans)
    try:
        with _environment(path), DatasetReader(path, driver=list(DRIVERS)) as raster:
            values = raster.read(band, window=window, masked=True)
            scale, offset = raster.scales[band - 1], raster.offsets[band - 1]
    except RasterioError as error:
        raise PermagridError(
            f"{shown(path)}: cannot be read; the file is damaged or incomplete ({sentence(error)})"
        ) from error
    numbers = without_nodata(np.ma.filled(values.astype("float64"), np.nan), nodata)
    numbers = numbers[:: rows.step, :: columns.step]
    if (scale, offset) != (1.0, 0.0):
        numbers = numbers * scale + offset
    whole = tuple(0 if isinstance(part, int | np.integer) else slice(None) for part in key)
    return np.asarray(numbers[whole])


def _range(part: int | slice, size: int) -> range:
    return range(size)[part] if isinstance(part, slice) else range(int(part), int(part) + 1)


def _check_geobox(path: str, geobox: GeoBox) -> None:
    affine = geobox.affine
    if affine.is_identity:
        raise PermagridError(f"{path}: has no place on the globe (no geotransform)")
    if affine.b or affine.d:
        raise PermagridError(f"{path}: the raster is rotated; bring it to a north-up grid first")
    if affine.e > 0 or affine.a < 0:
        raise PermagridError(f"{path}: rows must run from north to south and columns from west to east")
