"""Versions of permagrid and of the packages that shape its results."""

from importlib.metadata import PackageNotFoundError, version

import rasterio

_PACKAGES = (
    "geopandas",
    "lightgbm",
    "numba",
    "numpy",
    "odc-geo",
    "pandas",
    "permagrid",
    "pyproj",
    "rasterio",
    "scikit-learn",
    "scipy",
    "xarray",
    "xgboost",
    "xgboost-cpu",
    "zarr",
)


def versions() -> dict[str, str]:
    """Return package -> version, GDAL among them."""
    found = {"gdal": rasterio.__gdal_version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return dict(sorted(found.items()))
