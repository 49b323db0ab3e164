"""Maps as small images: read through overviews, with their extent and CRS."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import odc.geo.xr  # noqa: F401  (gives DataArrays their geobox)
import rasterio
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from permagrid.errors import PermagridError
from permagrid.products.legend import CLASS_NODATA
from permagrid.report.basemap import Bounds


@dataclass(frozen=True)
class MapImage:
    """A map reduced to the size of a figure."""

    values: NDArray[np.float64]
    """Values, NaN where there is no data; row 0 is at the top of the map."""
    bounds: Bounds
    """Extent [unit of the CRS]."""
    crs: str
    """CRS as WKT."""

    @property
    def aspect(self) -> float:
        """Height over width of the map as it is drawn."""
        height = self.bounds.top - self.bounds.bottom
        return height * self.stretch / (self.bounds.right - self.bounds.left)

    @property
    def stretch(self) -> float:
        """How much taller than wide a unit is drawn: above 1 for longitude and latitude only."""
        if not rasterio.crs.CRS.from_wkt(self.crs).is_geographic:
            return 1.0
        middle = np.radians((self.bounds.top + self.bounds.bottom) / 2)
        return float(min(1.0 / np.cos(middle), 2.5))


def read_map(source: Path | xr.DataArray, *, max_pixels: int = 600_000) -> MapImage:
    """Read a map in at most `max_pixels` cells.

    Parameters
    ----------
    source
        A GeoTIFF, whose overviews are used, or an array with a geobox.
    max_pixels
        Upper bound of the cells that are read.

    Raises
    ------
    PermagridError
        If the file cannot be read, has no CRS, or its grid is rotated.

    Examples
    --------
    >>> from odc.geo.geobox import GeoBox
    >>> from odc.geo.xr import wrap_xr
    >>> grid = GeoBox.from_bbox((0, 60, 40, 80), "EPSG:4326", resolution=0.1)
    >>> read_map(wrap_xr(np.ones(grid.shape), grid), max_pixels=5000).values.shape
    (50, 100)
    """
    if isinstance(source, xr.DataArray):
        return _from_array(source, max_pixels)
    try:
        with rasterio.open(source) as dataset:
            if dataset.crs is None:
                raise PermagridError(f"{source}: has no CRS and cannot be drawn")
            step = _step(dataset.width * dataset.height, max_pixels)
            shape = (max(dataset.height // step, 1), max(dataset.width // step, 1))
            codes = dataset.dtypes[0] == "uint8"
            method = Resampling.mode if codes else Resampling.average
            values = dataset.read(1, out_shape=shape, masked=True, resampling=method)
            extent = _bounds(dataset.transform, dataset.width, dataset.height, str(source))
            upright = values if dataset.transform.e < 0 else values[::-1]
            return MapImage(
                np.ma.filled(upright.astype(np.float64), np.nan), extent, str(dataset.crs.to_wkt())
            )
    except RasterioError as error:
        raise PermagridError(f"cannot read the map {source}: {error}") from error


def _from_array(array: xr.DataArray, max_pixels: int) -> MapImage:
    geobox = array.odc.geobox
    if geobox is None or geobox.crs is None or array.ndim != 2:
        raise PermagridError(f"map {array.name!r}: needs two dimensions and a CRS, found {array.dims}")
    step = _step(array.size, max_pixels)
    values = np.asarray(array[step // 2 :: step, step // 2 :: step].values)
    numbers = values.astype(np.float64)
    if values.dtype == np.uint8:
        numbers[values == CLASS_NODATA] = np.nan
    if geobox.affine.e > 0:
        numbers = numbers[::-1]
    extent = _bounds(geobox.affine, geobox.width, geobox.height, repr(array.name))
    return MapImage(numbers, extent, str(geobox.crs.to_wkt()))


def _step(cells: int, max_pixels: int) -> int:
    return max(int(np.ceil(np.sqrt(cells / max_pixels))), 1)


def _bounds(transform: Affine, width: int, height: int, place: str) -> Bounds:
    if transform.b != 0 or transform.d != 0:
        raise PermagridError(f"map {place}: the grid is rotated and cannot be drawn; north-up grids can")
    x = (transform.c, transform.c + transform.a * width)
    y = (transform.f, transform.f + transform.e * height)
    return Bounds(min(x), min(y), max(x), max(y))
