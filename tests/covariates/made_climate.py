"""Climate files of a small virtual world: precipitation, daily snow and a coarse terrain."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from made_rasters import write_tif

from permagrid.covariates import Covariate
from permagrid.grid import lonlat, make_geobox

COARSE = make_geobox("EPSG:3995", 125_000, bounds=(-1_200_000, 1_810_000, 50_000, 3_060_000))
SERIES = {"path": "air_temperature_monthly.nc", "stored_unit": "K"}
RAIN = {"path": "precipitation_monthly.nc", "stored_unit": "kg/m2/s"}
YEARS = (1980, 2019)

CLIMATE = (
    *(
        Covariate(name, name, unit, {**SERIES, **more}, years=YEARS)
        for name, unit, more in (
            ("mean_annual_air_temperature", "degC", {}),
            ("warmest_month_temperature", "degC", {}),
            ("coldest_month_temperature", "degC", {"window": 3}),
            ("annual_temperature_amplitude", "delta degC", {"definition": "harmonic"}),
            ("continentality", "%", {}),
        )
    ),
    *(
        Covariate(name, name, "mm", {**RAIN, **more}, years=YEARS)
        for name, more in (
            ("annual_precipitation", {}),
            ("summer_precipitation", {"months": [5, 6, 7, 8, 9]}),
            ("winter_precipitation", {}),
            (
                "snow_season_precipitation",
                {"temperature_path": SERIES["path"], "temperature_unit": "K", "threshold": -2.0},
            ),
        )
    ),
    Covariate(
        "snow_cover_days",
        "snow_cover_days",
        "day",
        {"path": "snow_daily.nc", "snow": [200], "unknown": [50], "minimum_days": 250, "minimum_years": 3},
        years=YEARS,
    ),
    Covariate("coarse_elevation", "raster", "m", {"path": "coarse_dem.tif"}),
    Covariate(
        "lapse_rate_downscaling",
        "lapse_rate_downscaling",
        "degC",
        {
            "temperature_input": "mean_annual_air_temperature",
            "coarse_elevation_input": "coarse_elevation",
            "lapse_rate": "local",
            "window_radius": 300_000.0,
            "fallback": -0.006,
        },
    ),
    Covariate("mean_of", "mean_of", "degC", {"inputs": ["bio1", "mean_annual_air_temperature"]}),
    Covariate(
        "difference_of", "difference_of", "delta degC", {"inputs": ["bio1", "coldest_month_temperature"]}
    ),
)
"""A covariate of each method on the files that `write_climate` adds to a world."""


def write_climate(folder: Path) -> None:
    """Write the files that the climate covariates need beside those of a virtual world."""
    random = np.random.default_rng(5)
    longitude, latitude = lonlat(COARSE)
    hills = 400.0 + 300.0 * np.sin(longitude / 3.0) * np.cos(latitude * 2.0)
    write_tif(folder / "coarse_dem.tif", hills.astype("float32"), COARSE)
    months = pd.DatetimeIndex([f"{y}-{m:02d}-15" for y in range(1979, 2020) for m in range(1, 13)])
    rates = 1e-5 * (1.0 + random.random((len(months), *COARSE.shape)))
    _write(folder / "precipitation_monthly.nc", rates.astype("float32"), months)
    days = pd.date_range("1979-09-01", "1984-08-31").append(pd.date_range("2014-09-01", "2019-08-31"))
    winter = np.cos(2.0 * np.pi * (days.day_of_year.to_numpy() - 20) / 365.0)
    snowy = winter[:, None, None] + 0.4 * random.normal(size=(len(days), *COARSE.shape)) > 0.1
    codes = np.where(snowy, 200, 25)
    codes[random.random(codes.shape) < 0.2] = 50
    _write(folder / "snow_daily.nc", codes.astype("uint8"), days)


def _write(path: Path, values: np.ndarray, times: pd.DatetimeIndex) -> None:
    days = (times - pd.Timestamp("1900-01-01")).days.to_numpy()
    coords = {
        "time": ("time", days, {"units": "days since 1900-01-01"}),
        "y": ("y", COARSE.coords["y"].values, {"units": "metre"}),
        "x": ("x", COARSE.coords["x"].values, {"units": "metre"}),
        "spatial_ref": ((), 0, {"crs_wkt": str(COARSE.crs.proj.to_wkt())}),
    }
    data = xr.Dataset({"value": (("time", "y", "x"), values, {"grid_mapping": "spatial_ref"})}, coords)
    data.to_netcdf(path)
