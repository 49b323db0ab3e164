"""Named variables of NetCDF files and Zarr stores, whatever their dimensions are called."""

from typing import Any

import numpy as np
import pyproj
import rasterio
import xarray as xr
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj.exceptions import CRSError

from permagrid.covariates.datasets import open_dataset
from permagrid.covariates.lazy import DAMAGE, Key, lazy_grid, sentence, shown, without_nodata
from permagrid.errors import PermagridError
from permagrid.grid import Float

_AXES = {
    "Y": ("lat", "latitude", "y", "northing", "rlat", "projection_y_coordinate"),
    "X": ("lon", "longitude", "long", "x", "easting", "rlon", "projection_x_coordinate"),
}
_COMPASS = {
    "Y": ("degrees_north", "degree_north", "degrees_n"),
    "X": ("degrees_east", "degree_east", "degrees_e"),
}
_UNEVEN = 0.02
"""Farthest that a coordinate may lie from its place on an even lattice [cell]."""


def open_array(
    path: str, variable: str | None, nodata: float | None, crs: str | None, engine: str
) -> xr.DataArray:
    """Return a variable lazily; parameters and errors as `permagrid.covariates.sources.open_grid`."""
    name = shown(path)
    try:
        dataset = open_dataset(path, engine)
    except ImportError as error:
        raise PermagridError(f"{name}: {sentence(error)}; Zarr by http needs fsspec and aiohttp") from error
    except (*DAMAGE, TypeError) as error:
        raise PermagridError(f"{name}: cannot be opened as {engine} ({sentence(error)})") from error
    gridded = [str(key) for key, array in dataset.data_vars.items() if _axes(array) is not None]
    if variable is None and len(gridded) == 1:
        variable = gridded[0]
    if variable not in gridded:
        held = ", ".join(gridded) or "none"
        raise PermagridError(f"{name}: variable {variable!r} not found among those on a grid: {held}")
    stored = dataset[variable]
    try:
        versions = [_north_up(name, each) for each in _versions(stored)]
        array = versions[0]
        found = crs or _declared_crs(dataset, stored) or _assumed_crs(array)
        if found is None:
            raise PermagridError(f"{name}: variable {variable} has no CRS; state it with the keyword crs")
        geobox = _regular_geobox(name, array, CRS(found))
    except CRSError as error:
        raise PermagridError(f"{name}: its CRS is not understood ({sentence(error)})") from error
    encoding = stored.encoding
    packed = nodata
    if nodata is not None:
        packed = nodata * float(encoding.get("scale_factor", 1.0)) + float(encoding.get("add_offset", 0.0))

    def read(key: Key) -> Float:
        try:
            part = _values(versions[0], key, packed)
            for later in versions[1:]:
                gaps = np.isnan(part)
                if gaps.any():
                    part[gaps] = _values(later, key, packed)[gaps]
        except DAMAGE as error:
            raise PermagridError(
                f"{name}: {variable} cannot be read; the file is damaged or incomplete ({sentence(error)})"
            ) from error
        return part

    axis = array[array.dims[0]].variable if array.ndim == 3 else None
    attrs = {"units": str(array.attrs.get("units", "")), "long_name": str(array.attrs.get("long_name", ""))}
    return lazy_grid(read, geobox, attrs, axis=axis)


def _values(array: xr.DataArray, key: Key, nodata: float | None) -> Float:
    return without_nodata(np.array(array.variable[key].values, dtype=float), nodata)


def _versions(array: xr.DataArray) -> list[xr.DataArray]:
    """Return an array as its versions in one file: of each value the first that is there is meant.

    Files of ERA5 and ERA5-Land hold recent months in two experiment versions along a dimension ``expver``:
    1 is final, 5 is preliminary, and each is empty where the other has data.
    """
    if "expver" not in array.dims:
        return [array]
    numbers = array["expver"].values if "expver" in array.coords else np.arange(array.sizes["expver"])
    # Written as 1, as "0001", or by some in letters, which are taken as they stand.
    counted = all(str(number).isdigit() for number in numbers)
    order = np.argsort([int(number) if counted else 0 for number in numbers], kind="stable")
    return [array.isel(expver=int(place), drop=True) for place in order]


def _axes(array: xr.DataArray) -> tuple[str, str] | None:
    """Return the names of the dimensions of rows and columns, or None where there are none."""
    found = [next((str(d) for d in array.dims if _runs(array, str(d), axis)), None) for axis in ("Y", "X")]
    y, x = found
    return None if y is None or x is None or y == x else (y, x)


def _runs(array: xr.DataArray, dim: str, axis: str) -> bool:
    attrs: dict[str, Any] = array[dim].attrs if dim in array.coords else {}
    words = (dim, attrs.get("standard_name", ""), attrs.get("long_name", ""))
    return (
        any(str(word).lower() in _AXES[axis] for word in words)
        or str(attrs.get("axis", "")).upper() == axis
        or str(attrs.get("units", "")).lower() in _COMPASS[axis]
    )


def _north_up(name: str, array: xr.DataArray) -> xr.DataArray:
    """Return an array of dimensions (y, x) or (other, y, x), from north to south and west to east."""
    axes = _axes(array)
    if axes is None or any(dim not in array.coords for dim in axes):
        raise PermagridError(f"{name}: its rows and columns have no coordinates")
    y, x = axes
    others = [str(dim) for dim in array.dims if dim not in axes]
    while len(others) > 1 and (single := next((dim for dim in others if array.sizes[dim] == 1), None)):
        array = array.isel({single: 0})
        others.remove(single)
    if len(others) > 1:
        raise PermagridError(
            f"{name}: has the dimensions {', '.join(others)} beside its grid; one is allowed"
        )
    array = array.transpose(*others, y, x)
    if array.sizes[y] > 1 and float(array[y][-1]) > float(array[y][0]):
        array = array.isel({y: slice(None, None, -1)})
    if (
        array.sizes[x] > 1
        and float(array[x][1]) < float(array[x][0])
        and float(array[x][-1]) < float(array[x][0])
    ):
        array = array.isel({x: slice(None, None, -1)})
    return array


def _declared_crs(dataset: xr.Dataset, array: xr.DataArray) -> str | None:
    named = array.attrs.get("grid_mapping") or array.encoding.get("grid_mapping")
    for key in (named, "spatial_ref", "crs"):
        if key not in dataset.variables:
            continue
        attrs = dataset.variables[key].attrs
        written = attrs.get("crs_wkt") or attrs.get("spatial_ref") or attrs.get("proj4text")
        if written:
            return str(written)
        if "grid_mapping_name" in attrs:
            return str(pyproj.CRS.from_cf(attrs).to_wkt())
    return None


def _assumed_crs(array: xr.DataArray) -> str | None:
    units = [str(array[dim].attrs.get("units", "")).lower() for dim in array.dims[-2:]]
    names = [str(dim).lower() for dim in array.dims[-2:]]
    named = names[0] in ("lat", "latitude") and names[1] in ("lon", "long", "longitude")
    return "EPSG:4326" if named or all(unit.startswith("degree") for unit in units) else None


def _regular_geobox(name: str, array: xr.DataArray, crs: CRS) -> GeoBox:
    y, x = (_coordinates(array, str(dim), crs) for dim in array.dims[-2:])
    if crs.geographic and x.size > 1:
        # Longitudes that step from 180 to -180 go on.
        x = np.unwrap(x, period=360.0)
    steps = []
    for letter, values in (("y", y), ("x", x)):
        if values.size < 2:
            raise PermagridError(f"{name}: one {letter} coordinate alone does not tell the size of a cell")
        step = (values[-1] - values[0]) / (values.size - 1)
        off = np.abs(values - (values[0] + step * np.arange(values.size))).max()
        rounding = 2.0 * float(np.spacing(np.float32(np.abs(values).max())))
        if step == 0 or off > _UNEVEN * abs(step) + rounding:
            raise PermagridError(f"{name}: the {letter} coordinates are not evenly spaced")
        steps.append(float(step))
    dy, dx = steps
    affine = rasterio.Affine(dx, 0.0, float(x[0]) - dx / 2, 0.0, dy, float(y[0]) - dy / 2)
    return GeoBox((y.size, x.size), affine, crs)


def _coordinates(array: xr.DataArray, dim: str, crs: CRS) -> Float:
    values = array[dim].values.astype(float)
    in_kilometres = str(array[dim].attrs.get("units", "")).lower() in ("km", "kilometer", "kilometre")
    return values * 1000.0 if in_kilometres and not crs.geographic else values
