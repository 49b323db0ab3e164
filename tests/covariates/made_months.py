"""Series of months and days for the tests of climate covariates: the same temperature all over the globe."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from made_rasters import made

from permagrid.covariates import Covariate
from permagrid.covariates.table import Years
from permagrid.grid import make_geobox

GRID = make_geobox("EPSG:3995", 100_000, bounds=(-400_000, -400_000, 400_000, 400_000))
COARSE = make_geobox("EPSG:4326", 10, bounds=(-180, -90, 180, 90))
YEAR = np.array([-20.0, -18, -10, -2, 4, 9, 12, 8, 3, -5, -12, -17])
COMMON = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
LEAP = np.where(COMMON == 28, 29, COMMON)


def write_series(path: Path, values: Any, time: Any, **attrs: Any) -> Path:
    """Write a series; values of one number a step are the same everywhere, others are ``(time, y, x)``."""
    stored = np.asarray(values, dtype=float)
    if stored.ndim == 1:
        stored = stored[:, None, None] * np.ones(COARSE.shape)
    units = {"units": attrs.pop("unit")} if "unit" in attrs else {}
    coords = {
        "time": ("time", np.asarray(time), attrs),
        "lat": COARSE.coords["latitude"].values,
        "lon": COARSE.coords["longitude"].values,
    }
    # A file that another test step still holds open is left to it.
    path.unlink(missing_ok=True)
    xr.Dataset({"t": (("time", "lat", "lon"), stored, units)}, coords).to_netcdf(path)
    return path


def write_months(path: Path, values: Any, first: str = "2000-01", **attrs: Any) -> Path:
    """Write monthly means from a first month on; in kelvin if that is the unit."""
    kelvin = 273.15 if attrs.get("unit") == "K" else 0.0
    values = np.asarray(values, dtype=float) + kelvin
    return write_series(path, values, np.arange(len(values)), units=f"months since {first}-15", **attrs)


def write_days(path: Path, values: Any, first: str = "2000-01-01", **attrs: Any) -> Path:
    """Write daily means from a first day on."""
    return write_series(path, values, np.arange(len(values)) + 0.5, units=f"days since {first}", **attrs)


def index_covariate(
    method: str, keywords: Mapping[str, Any], years: Years | None, *, static: bool = False
) -> Covariate:
    """Return the specification of an index."""
    settings = {"path": "t.nc", **keywords}
    given = {key: value for key, value in settings.items() if value is not None}
    return Covariate(method, method, "degC day", given, years=years, static=static)


def index_map(method: str, root: Path, epoch: Years | None = None, **keywords: Any) -> xr.DataArray:
    """Return an index on the grid, computed."""
    covariate = index_covariate(method, keywords, (1900, 2100) if epoch else None)
    return made(covariate, GRID, root, epoch=epoch)


def index(method: str, root: Path, epoch: Years | None = None, **keywords: Any) -> float:
    """Return an index that is the same everywhere."""
    values = index_map(method, root, epoch, **keywords).values
    if np.ptp(values) > 1e-3:
        raise ValueError("not the same everywhere")
    return float(values[0, 0])


def by_hand(temperatures: Any, days: Any, sign: int = -1) -> float:
    """Return the degree days of months."""
    return float((np.maximum(sign * np.asarray(temperatures), 0) * days).sum())
