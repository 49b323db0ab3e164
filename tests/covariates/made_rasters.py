"""Small rasters for the tests: fields whose value is known at every place on the globe."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from permagrid.covariates import COVARIATES, Covariate, build
from permagrid.covariates.table import Years
from permagrid.grid import lonlat, make_geobox

POLAR = {
    "stereographic": make_geobox("EPSG:3995", 50_000, bounds=(-1_000_000, -800_000, 1_200_000, 900_000)),
    "stereographic of the Americas": make_geobox(
        "EPSG:3413", 50_000, bounds=(-700_000, -600_000, 800_000, 900_000)
    ),
    "equal-area": make_geobox("EPSG:6931", 50_000, bounds=(-900_000, -700_000, 600_000, 800_000)),
}
"""Grids around the pole, which the antimeridian crosses."""

ALBERS = "+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +datum=WGS84 +units=m +type=crs"

GRIDS = {
    **POLAR,
    "Albers": make_geobox(ALBERS, 40_000, bounds=(-2_000_000, 3_000_000, 1_000_000, 5_500_000)),
    "lon/lat": make_geobox("EPSG:4326", 0.5, region=(-30, 60, 20, 90)),
    "lon/lat beyond 180": make_geobox("EPSG:4326", 0.3, region=(170, 55, -170, 72)),
}

GLOBE = make_geobox("EPSG:4326", 1.0, region=(-180, -90, 180, 90))
GLOBE_0_360 = make_geobox("EPSG:4326", 1.0, bounds=(0, -90, 360, 90))


def smooth(longitude: NDArray[Any], latitude: NDArray[Any]) -> NDArray[Any]:
    """Return a field that is smooth everywhere on the globe, at the poles and the antimeridian too."""
    lon, lat = np.radians(longitude), np.radians(latitude)
    return 8.0 * np.cos(lat) * np.cos(lon) - 5.0 * np.cos(lat) * np.sin(lon) + 3.0 * np.sin(lat)


def grid_of(values: Any, geobox: GeoBox) -> xr.DataArray:
    """Return values on a grid, as a source that is in memory."""
    values = np.asarray(values, dtype=float)
    dims = geobox.dimensions if values.ndim == 2 else ("time", *geobox.dimensions)
    return xr.DataArray(values, coords=xr_coords(geobox), dims=dims)


def smooth_grid(geobox: GeoBox) -> xr.DataArray:
    """Return the smooth field at the cell centres of a grid."""
    return grid_of(smooth(*lonlat(geobox)), geobox)


def write_tif(
    path: Path, values: Any, geobox: GeoBox, *, nodata: float | None = None, **profile: Any
) -> Path:
    """Write a GeoTIFF, or another format with `driver`."""
    values = np.asarray(values)
    options = {
        "driver": "GTiff",
        "height": geobox.shape[0],
        "width": geobox.shape[1],
        "count": 1,
        "dtype": values.dtype,
        "crs": str(geobox.crs),
        "transform": geobox.affine,
        "nodata": nodata,
        **profile,
    }
    scale, offset = options.pop("scale", 1.0), options.pop("offset", 0.0)
    with rasterio.open(path, "w", **options) as raster:
        raster.write(values, 1)
        if (scale, offset) != (1.0, 0.0):
            raster.scales, raster.offsets = (scale,), (offset,)
    return path


def made(
    covariate: Covariate, geobox: GeoBox, root: Path, *others: Covariate, epoch: Years | None = None
) -> xr.DataArray:
    """Return a covariate, computed on one thread."""
    everything = {one.name: one for one in (covariate, *others)}
    lazy = build(covariate.name, everything, geobox, epoch=epoch, root=root)
    return lazy.compute(scheduler="synchronous")


METHODS = tuple(COVARIATES.names())
