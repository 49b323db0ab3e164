"""Rasters of a virtual world on disk, on grids as various as those of real data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from rasterio.crs import CRS

from permagrid.files import replacing
from permagrid.world.climate import air_temperature, climate, epoch_years
from permagrid.world.noise import centres_in, places_of
from permagrid.world.region import CLASSES, VARIABLES, layers
from permagrid.world.surface import CLASS_NODATA
from permagrid.world.terrain import terrain

_ON_GRID = {"elevation": "dem", "bio12": "bio12", "geology": "geology"}
_PER_EPOCH = ("bio1", "bio10", "bio11", "snow_depth")
_SOILS = ("soil_sand", "soil_silt", "soil_clay", "soil_organic_carbon")
_SHORE = -0.1  # rasters on other grids reach this far into the sea, so that no land cell is lost
_DEGREE = 111_195.0  # length of a degree of latitude [m]


class Written(NamedTuple):
    """A file of the world, for the list in its README."""

    file: str
    """Path within the folder."""
    units: str
    """Unit of the values."""
    content: str
    """What it holds, on which grid."""


def write_grid_rasters(folder: Path, world: xr.Dataset) -> list[Written]:
    """Write what lies on the study grid: terrain, climate, geology, and the truth in its own folder."""
    geobox, epochs = world.odc.geobox, [str(epoch) for epoch in world["epoch"].values]
    written = []
    for name, base in _ON_GRID.items():
        _write(folder / f"{base}.tif", name, world[name].values, geobox)
        written.append(_listed(f"{base}.tif", name, "study grid"))
    truths = [name for name in world.data_vars if str(name).startswith("truth_")]
    for name in [*_PER_EPOCH, *map(str, truths)]:
        base = name.replace("truth_", "truth/")
        for number, epoch in enumerate(epochs):
            _write(folder / f"{base}_{epoch}.tif", name, world[name].values[number], geobox)
        written.append(_listed(f"{base}_{{epoch}}.tif", name, "study grid, one file an epoch"))
    return written


def write_other_rasters(folder: Path, geobox: GeoBox, *, seed: int) -> list[Written]:
    """Write what comes on grids of its own: soils, vegetation and palaeoclimate."""
    grids = (
        ("EPSG:6931, half the resolution", _equal_area_grid(geobox), _SOILS),
        ("longitude and latitude, longitudes 0-360", _degree_grid(geobox), ("ndvi",)),
        (
            "longitude and latitude, half a degree, all longitudes",
            _zone_grid(geobox),
            ("palaeo_temperature",),
        ),
    )
    written = []
    for where, grid, names in grids:
        places = places_of(grid)
        lie = terrain(places, seed=seed)
        # Palaeoclimate comes from a model that knows no sea.
        known = places.valid & ((lie.coast > _SHORE) | ("palaeo_temperature" in names))
        for name, _, values in layers(places, lie, (), seed=seed, with_truth=False):
            if name in names:
                _write(folder / f"{name}.tif", name, np.where(known, values, np.nan), grid)
                written.append(_listed(f"{name}.tif", name, where))
    return written


def write_monthly_series(folder: Path, geobox: GeoBox, epochs: Sequence[str], *, seed: int) -> list[Written]:
    """Write monthly air temperatures of all years as one CF NetCDF file, coarse and in Kelvin.

    It starts a year before the first epoch, so that the first winter is whole.
    """
    cells = max(4, geobox.shape[0] // 5)
    coarse = GeoBox.from_bbox(geobox.boundingbox, geobox.crs, shape=(cells, cells), tight=True)
    places = places_of(coarse)
    lie = terrain(places, seed=seed)
    weather = climate(places, lie.elevation, lie.continentality, seed=seed)
    spans = [epoch_years(epoch) for epoch in epochs]
    years = range(min(span.start for span in spans) - 1, max(span.stop for span in spans))
    months = [air_temperature(weather, range(year, year + 1), seed=seed) for year in years]
    values = np.round(np.concatenate(months) + 273.15, 2).astype(np.float32)
    time = pd.date_range(f"{years.start}-01-01", periods=12 * len(years), freq="MS") + pd.Timedelta(days=14)
    attributes = {
        "units": "K",
        "standard_name": "air_temperature",
        "long_name": VARIABLES["air_temperature"][1],
        "cell_methods": "time: mean",
    }
    coordinates = {"time": time, **xr_coords(coarse)}
    dataset = xr.Dataset(
        {"air_temperature": (("time", *coarse.dimensions), values, attributes)},
        coordinates,
        {"Conventions": "CF-1.10", "title": "permagrid virtual world"},
    )
    start = {"units": f"days since {years.start}-01-01", "calendar": "standard", "dtype": "int32"}
    packing = {"zlib": True, "complevel": 4, "_FillValue": np.float32(np.nan), "grid_mapping": "spatial_ref"}
    with replacing(folder / "air_temperature_monthly.nc") as part:
        dataset.to_netcdf(part, engine="netcdf4", encoding={"time": start, "air_temperature": packing})
    content = (
        f"monthly mean air temperature, {years.start}-{years.stop - 1}, study area, {cells} x {cells} cells"
    )
    return [Written("air_temperature_monthly.nc", "K", content)]


def _listed(file: str, name: str, where: str) -> Written:
    units, long_name = VARIABLES[name]
    labels = ", ".join(f"{code} {label}" for code, label in CLASSES.get(name, {}).items())
    return Written(file, units, f"{long_name} ({labels}); {where}" if labels else f"{long_name}; {where}")


def _write(path: Path, name: str, values: npt.NDArray[np.generic], geobox: GeoBox) -> None:
    """Write one variable of the region as `write_raster` does."""
    write_raster(path, values, geobox, described=VARIABLES[name], classes=CLASSES.get(name, {}))


def write_raster(
    path: Path,
    values: npt.NDArray[np.generic],
    geobox: GeoBox,
    *,
    described: tuple[str, str],
    classes: Mapping[int, str] | None = None,
) -> None:
    """Write one variable as a tiled GeoTIFF that states CRS, nodata, unit and meaning.

    Parameters
    ----------
    path
        Replaced if it is there.
    values
        (y, x); the sea is NaN, in classes `CLASS_NODATA`.
    geobox
        The grid.
    described
        Unit and long name.
    classes
        Code -> label, if the variable is one of classes.
    """
    units, long_name = described
    tags = {"long_name": long_name, "units": units}
    if classes:
        tags["classes"] = " ".join(f"{code}={label}" for code, label in classes.items())
    profile = {
        "driver": "GTiff",
        "height": geobox.shape[0],
        "width": geobox.shape[1],
        "count": 1,
        "dtype": "uint8" if classes else "float32",
        "crs": CRS.from_string(str(geobox.crs)),
        "transform": geobox.affine,
        "nodata": CLASS_NODATA if classes else np.nan,
        "compress": "deflate",
        "predictor": 2 if classes else 3,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
    }
    with replacing(path) as part, rasterio.open(part, "w", **profile) as raster:
        raster.write(values.astype(profile["dtype"]), 1)
        raster.set_band_description(1, long_name)
        raster.set_band_unit(1, units)
        raster.update_tags(1, **tags)


def _equal_area_grid(geobox: GeoBox) -> GeoBox:
    """Return a grid in EPSG:6931 with twice the cell size."""
    step = 2.0 * abs(float(geobox.resolution.x))
    east, north = centres_in(geobox, "EPSG:6931")
    box = [np.floor(axis.min() / step) - 1 for axis in (east, north)]
    box += [np.ceil(axis.max() / step) + 1 for axis in (east, north)]
    shape = (int(box[3] - box[1]), int(box[2] - box[0]))
    return GeoBox.from_bbox([side * step for side in box], "EPSG:6931", shape=shape, tight=True)


def _degree_grid(geobox: GeoBox) -> GeoBox:
    """Return a lon/lat grid over the region, eastwards across the antimeridian where it needs to be."""
    step = abs(float(geobox.resolution.y)) / _DEGREE
    longitude, latitude = centres_in(geobox, "EPSG:4326")
    east = np.mod(longitude, 360.0)
    west_edge, east_edge = float(east.min()), float(east.max())
    if east_edge - west_edge > 300.0:
        west_edge, east_edge = 0.0, 360.0
    south, north = float(latitude.min()) - 2.0 * step, min(float(latitude.max()) + 2.0 * step, 90.0)
    west, width = max(west_edge - 4.0 * step, 0.0), min(east_edge - west_edge + 8.0 * step, 360.0)
    shape = (max(2, round((north - south) / step)), max(2, round(width / (2.0 * step))))
    return GeoBox.from_bbox((west, south, west + width, north), "EPSG:4326", shape=shape, tight=True)


def _zone_grid(geobox: GeoBox) -> GeoBox:
    """Return a half-degree lon/lat grid of all longitudes over the region's latitudes."""
    _, latitude = centres_in(geobox, "EPSG:4326")
    south, north = np.floor(latitude.min()) - 1.0, min(np.ceil(latitude.max()) + 1.0, 90.0)
    return GeoBox.from_bbox((-180.0, south, 180.0, north), "EPSG:4326", resolution=0.5, tight=True)
