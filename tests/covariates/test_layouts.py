"""Climate data sets as their files are laid out: names, axes, packing, and the study lines that read them."""

import numpy as np
import pytest
import xarray as xr
from made_rasters import made, smooth, write_tif

from permagrid.covariates import Covariate
from permagrid.covariates.sources import open_grid
from permagrid.errors import PermagridError
from permagrid.grid import lonlat, make_geobox
from permagrid.steps.inputs import files_for

GLOBE = make_geobox("EPSG:4326", 5, region=(-180, -90, 180, 90))
GRID = make_geobox("EPSG:3995", 200_000, bounds=(-1_200_000, -1_000_000, 1_200_000, 1_000_000))
SEASONS = 15.0 * np.cos(2 * np.pi * (np.arange(12) - 6.5) / 12)
"""What each month adds to the mean of the year."""
LEVEL = smooth(*lonlat(GLOBE)) - 8.0
HERE = smooth(*lonlat(GRID)) - 8.0


def _mean(root, *others, method="mean_annual_air_temperature", epoch=None, unit="degC", **keywords):
    covariate = Covariate("c", method, unit, keywords, years=(1900, 2100) if epoch else None)
    return made(covariate, GRID, root, *others, epoch=epoch).values


def _near(found, expected, within=0.35):
    """Whether two maps agree but for the interpolation between cells of 5 degrees."""
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, atol=within)


def _mean_of_months(values):
    days = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    return (values * days).sum() / days.sum()


def _times(unit, since, years=(2001,)):
    """Return the middle of each month, counted from a day."""
    middles = np.array([f"{year}-{month:02d}-16" for year in years for month in range(1, 13)], "M8[s]")
    return (middles - np.datetime64(since, "s")).astype(f"m8[{unit}]").astype(int)


def _lonlat_coords(grid=GLOBE):
    return {
        "lat": ("lat", grid.coords["latitude"].values, {"units": "degrees_north"}),
        "lon": ("lon", grid.coords["longitude"].values, {"units": "degrees_east"}),
    }


# WorldClim -------------------------------------------------------------------------------------------------


@pytest.fixture
def worldclim14(tmp_path):
    """``tmean1.bil`` to ``tmean12.bil``: 16-bit integers, tenths of a degree, no CRS in the file."""
    for month in range(12):
        tenths = np.round(10 * (LEVEL + SEASONS[month])).astype("int16")
        tenths[-2:, :] = -9999
        write_tif(tmp_path / f"tmean{month + 1}.bil", tenths, GLOBE, nodata=-9999, driver="EHdr", crs=None)
        rain = np.full(GLOBE.shape, 10 + month, "int16")
        write_tif(tmp_path / f"prec{month + 1}.bil", rain, GLOBE, nodata=-9999, driver="EHdr", crs=None)
    write_tif(tmp_path / "bio1.bil", np.round(10 * LEVEL).astype("int16"), GLOBE, driver="EHdr", crs=None)
    return tmp_path


def test_worldclim_1_4(worldclim14):
    options = {"path": "tmean{m}.bil", "stored_unit": "0.1 degC", "crs": "EPSG:4326"}
    _near(_mean(worldclim14, **options), HERE + _mean_of_months(SEASONS))
    found = _mean(worldclim14, method="annual_precipitation", unit="mm", path="prec{m}.bil", crs="EPSG:4326")
    np.testing.assert_allclose(found, (np.arange(12) + 10).sum())
    bio = _mean(worldclim14, method="raster", path="bio1.bil", stored_unit="0.1 degC", crs="EPSG:4326")
    _near(bio, HERE)
    with pytest.raises(PermagridError, match="has no CRS; state it with the keyword crs"):
        _mean(worldclim14, path="tmean{m}.bil", stored_unit="0.1 degC")
    (worldclim14 / "tmean7.bil").unlink()
    with pytest.raises(PermagridError, match=r"tmean7\.bil: no such file"):
        _mean(worldclim14, **options)


def test_files_of_months_without_a_zero_are_known_before_a_run(worldclim14):
    for method in ("mean_annual_air_temperature", "air_freezing_index"):
        covariate = Covariate("t", method, "degC", {"path": "tmean{m}.bil"})
        names = {path.name for path in files_for(covariate, [], worldclim14)}
        assert names == {f"tmean{month}.bil" for month in range(1, 13)}


def test_worldclim_2_1(tmp_path):
    """Floats with the least of them as nodata; the monthly series has minima and maxima only."""
    nodata = float(np.finfo("float32").min)
    for month in range(12):
        values = (LEVEL + SEASONS[month]).astype("float32")
        values[-3:, :] = nodata
        write_tif(tmp_path / f"wc2.1_10m_tavg_{month + 1:02d}.tif", values, GLOBE, nodata=nodata)
        for name, off in (("tmin", -4.0), ("tmax", 6.0)):
            for year in (1980, 1981):
                path = tmp_path / f"wc2.1_2.5m_{name}_{year}-{month + 1:02d}.tif"
                write_tif(
                    path, np.where(values == nodata, nodata, values + off + year - 1980), GLOBE, nodata=nodata
                )
    write_tif(tmp_path / "wc2.1_10m_bio_1.tif", LEVEL.astype("float32"), GLOBE, nodata=nodata)
    _near(_mean(tmp_path, method="raster", path="wc2.1_10m_bio_1.tif"), HERE)
    _near(_mean(tmp_path, path="wc2.1_10m_tavg_{month}.tif"), HERE + _mean_of_months(SEASONS))
    pair = {
        "path": "wc2.1_2.5m_tmin_{year}-{month}.tif",
        "with_path": "wc2.1_2.5m_tmax_{year}-{month}.tif",
    }
    found = _mean(tmp_path, epoch=(1980, 1981), **pair)
    _near(found, HERE + 1.5 + _mean_of_months(SEASONS))
    covariate = Covariate("c", "mean_annual_air_temperature", "degC", pair, years=(1980, 1981))
    assert len(files_for(covariate, [(1980, 1981)], tmp_path)) == 48


def test_the_mean_of_two_covariates_is_that_of_their_months_where_it_is_linear(tmp_path):
    for name, off in (("tmin", -4.0), ("tmax", 6.0)):
        for month in range(12):
            values = (LEVEL + SEASONS[month] + off).astype("float32")
            write_tif(tmp_path / f"{name}_{month + 1:02d}.tif", values, GLOBE)
    parts = [
        Covariate(name, "mean_annual_air_temperature", unit, {"path": f"{name}_{{month}}.tif"})
        for name, unit in (("tmin", "degC"), ("tmax", "K"))
    ]
    both = _mean(tmp_path, *parts, method="mean_of", inputs=["tmin", "tmax"])
    month_by_month = _mean(tmp_path, path="tmin_{month}.tif", with_path="tmax_{month}.tif")
    np.testing.assert_allclose(both, month_by_month, atol=2e-4)
    rain = Covariate("tmax", "annual_precipitation", "mm", {"path": "tmax_{month}.tif"})
    with pytest.raises(PermagridError, match=r"tmax: unit 'mm' .* cannot be turned into 'degC'"):
        _mean(tmp_path, parts[0], rain, method="mean_of", inputs=["tmin", "tmax"])
    with pytest.raises(PermagridError, match="inputs names no covariate"):
        _mean(tmp_path, method="mean_of", inputs=[])


# CHELSA ----------------------------------------------------------------------------------------------------


def test_chelsa_1_2_and_2_1(tmp_path):
    """Version 1.2 has tenths of a degree as they are; 2.1 tenths of a kelvin with scale and offset inside."""
    for month in range(12):
        degrees = LEVEL + SEASONS[month]
        name = f"CHELSA_temp10_{month + 1:02d}_1979-2013_V1.2_land.tif"
        write_tif(tmp_path / name, np.round(10 * degrees).astype("int16"), GLOBE, nodata=-32768)
        name = f"CHELSA_tas_{month + 1:02d}_1981-2010_V.2.1.tif"
        tenths = np.round(10 * (degrees + 273.15)).astype("uint16")
        write_tif(tmp_path / name, tenths, GLOBE, nodata=65535, scale=0.1, offset=-273.15)
        name = f"CHELSA_pr_{month + 1:02d}_1981-2010_V.2.1.tif"
        write_tif(tmp_path / name, np.full(GLOBE.shape, 300, "uint16"), GLOBE, nodata=65535, scale=0.1)
    expected = HERE + _mean_of_months(SEASONS)
    path = "CHELSA_temp10_{month}_1979-2013_V1.2_land.tif"
    _near(_mean(tmp_path, path=path, stored_unit="0.1 degC"), expected)
    _near(_mean(tmp_path, path="CHELSA_tas_{month}_1981-2010_V.2.1.tif"), expected)
    rain = {"path": "CHELSA_pr_{month}_1981-2010_V.2.1.tif", "unit": "mm"}
    np.testing.assert_allclose(_mean(tmp_path, method="annual_precipitation", **rain), 360.0, rtol=1e-5)


# CRU TS ----------------------------------------------------------------------------------------------------


def test_cru_ts(tmp_path):
    """Latitude from the south, days since 1900, mid-months, and a second variable that counts stations."""
    series = np.concatenate([LEVEL + s + k for k in (0.0, 2.0) for s in SEASONS]).reshape(24, *GLOBE.shape)
    names = ("time", "lat", "lon")
    time = {"units": "days since 1900-1-1", "calendar": "gregorian"}
    dataset = xr.Dataset(
        {
            "tmp": (names, series.astype("f4"), {"units": "degrees Celsius", "long_name": "near-surface"}),
            "stn": (names, np.full(series.shape, 8, "i4"), {"description": "number of stations"}),
        },
        {"time": ("time", _times("D", "1900-01-01", (2000, 2001)), time), **_lonlat_coords()},
    )
    fill = {"_FillValue": np.float32(9.96921e36)}
    dataset.isel(lat=slice(None, None, -1)).to_netcdf(tmp_path / "cru_ts4.nc", encoding={"tmp": fill})
    found = _mean(tmp_path, epoch=(2000, 2001), path="cru_ts4.nc", variable="tmp")
    _near(found, HERE + 1.0 + SEASONS.mean(), within=0.5)
    later = _mean(tmp_path, epoch=(2001, 2001), path="cru_ts4.nc", variable="tmp")
    np.testing.assert_allclose(later - found, 1.0, atol=0.05)
    with pytest.raises(PermagridError, match="variable None not found among those on a grid: tmp, stn"):
        _mean(tmp_path, epoch=(2000, 2001), path="cru_ts4.nc")


# ERA5 ------------------------------------------------------------------------------------------------------


def _era5(path, layers, *, axis="time", dims=None, coords=None):
    """Write packed fields from 0 to 355 degrees east and north to south; layers are ``(..., y, x)``."""
    half = GLOBE.shape[1] // 2
    east = np.roll(GLOBE.coords["longitude"].values, -half) % 360.0
    units = {"time": "hours since 1900-01-01 00:00:00.0", "valid_time": "seconds since 1970-01-01"}[axis]
    times = _times("h", "1900-01-01") if axis == "time" else _times("s", "1970-01-01")
    axes = {
        axis: (axis, times, {"units": units, "calendar": "gregorian"}),
        "latitude": ("latitude", GLOBE.coords["latitude"].values, {"units": "degrees_north"}),
        "longitude": ("longitude", east, {"units": "degrees_east"}),
        **(coords or {}),
    }
    fields, encoding = {}, {}
    for name, (values, declared) in layers.items():
        rolled = np.roll(values, -half, axis=-1)
        fields[name] = (
            dims or (axis, "latitude", "longitude"),
            rolled,
            {"units": declared, "long_name": name},
        )
        low, high = np.nanmin(values), np.nanmax(values)
        packing = {"scale_factor": max((high - low) / 65_000, 1e-12), "add_offset": (low + high) / 2}
        encoding[name] = {"dtype": "i2", "_FillValue": -32767, **packing}
    xr.Dataset(fields, axes).to_netcdf(path, encoding=encoding)


def _kelvin():
    return np.stack([LEVEL + season + 273.15 for season in SEASONS])


@pytest.mark.parametrize("axis", ["time", "valid_time"])
def test_era5_monthly_means(tmp_path, axis):
    """Packed in 16 bits, from 0 to 360 degrees; the newer files carry the ensemble and the version beside."""
    new = {"number": ((), 0), "expver": (axis, ["0001"] * 12)} if axis == "valid_time" else {}
    rain = np.full((12, *GLOBE.shape), 0.002) + 1e-6 * np.arange(12)[:, None, None]
    _era5(tmp_path / "era5.nc", {"t2m": (_kelvin(), "K"), "tp": (rain, "m")}, axis=axis, coords=new)
    expected = HERE + _mean_of_months(SEASONS)
    temperature = {"path": "era5.nc", "variable": "t2m", "stored_unit": "K"}
    _near(_mean(tmp_path, epoch=(2001, 2001), **temperature), expected)
    wet = {"path": "era5.nc", "variable": "tp", "stored_unit": "m/day", "unit": "mm"}
    found = _mean(tmp_path, method="annual_precipitation", epoch=(2001, 2001), **wet)
    days = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    np.testing.assert_allclose(found, 1000 * ((0.002 + 1e-6 * np.arange(12)) * days).sum(), rtol=1e-3)


@pytest.mark.parametrize("order", [(1, 5), (5, 1)])
def test_final_and_preliminary_months_of_era5_are_one_series(tmp_path, order):
    """Each is empty where the other has data; where both have, the final one holds."""
    final, preliminary = _kelvin(), _kelvin() + 1.0
    final[9:], preliminary[:8] = np.nan, np.nan
    parts = {1: final, 5: preliminary}
    stacked = np.stack([parts[number] for number in order], axis=1)
    coords = {"expver": ("expver", list(order))}
    dims = ("time", "expver", "latitude", "longitude")
    _era5(tmp_path / "era5.nc", {"t2m": (stacked, "K")}, dims=dims, coords=coords)
    grid = open_grid(tmp_path / "era5.nc", variable="t2m")
    assert grid.dims[0] == "time"
    expected = np.where(np.arange(12)[:, None, None] < 9, _kelvin(), _kelvin() + 1.0)
    rolled = np.roll(expected, -GLOBE.shape[1] // 2, axis=-1)
    np.testing.assert_allclose(grid.values, rolled, atol=1e-3)
    np.testing.assert_allclose(grid[8:10, 3, 5].values, rolled[8:10, 3, 5], atol=1e-3)
    np.testing.assert_allclose(float(grid[10, 3, 5].values), rolled[10, 3, 5], atol=1e-3)
    months = SEASONS + (np.arange(12) >= 9)
    found = _mean(tmp_path, epoch=(2001, 2001), path="era5.nc", variable="t2m", stored_unit="K")
    _near(found, HERE + _mean_of_months(months))


def test_versions_of_era5_that_are_no_numbers_count_as_they_stand(tmp_path):
    final, preliminary = _kelvin(), _kelvin() + 1.0
    final[9:] = np.nan
    coords = {"expver": ("expver", ["prod", "dev"])}
    dims = ("time", "expver", "latitude", "longitude")
    stacked = np.stack([final, preliminary], axis=1)
    _era5(tmp_path / "era5.nc", {"t2m": (stacked, "K")}, dims=dims, coords=coords)
    months = SEASONS + (np.arange(12) >= 9)
    found = _mean(tmp_path, epoch=(2001, 2001), path="era5.nc", variable="t2m", stored_unit="K")
    _near(found, HERE + _mean_of_months(months))


def test_a_month_that_neither_version_of_era5_has_is_nodata(tmp_path):
    final, preliminary = _kelvin(), _kelvin()
    final[9:], preliminary[:10] = np.nan, np.nan
    dims = ("time", "expver", "latitude", "longitude")
    stacked = np.stack([final, preliminary], axis=1)
    _era5(tmp_path / "era5.nc", {"t2m": (stacked, "K")}, dims=dims, coords={"expver": ("expver", [1, 5])})
    found = _mean(tmp_path, epoch=(2001, 2001), path="era5.nc", variable="t2m", stored_unit="K")
    assert np.isnan(found).all()


def test_an_ensemble_is_refused(tmp_path):
    dims = ("time", "number", "latitude", "longitude")
    stacked = np.stack([_kelvin()] * 3, axis=1)
    _era5(tmp_path / "era5.nc", {"t2m": (stacked, "K")}, dims=dims, coords={"number": ("number", [0, 1, 2])})
    with pytest.raises(
        PermagridError, match="has the dimensions time, number beside its grid; one is allowed"
    ):
        open_grid(tmp_path / "era5.nc", variable="t2m")


# Anomalies and the past ------------------------------------------------------------------------------------


def test_a_climatology_of_the_year_1(tmp_path):
    """NCEP's long-term means: hours since the year 1, which no calendar of ours reaches."""
    hours = 24.0 * np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30])
    values = np.stack([LEVEL + season for season in SEASONS]).astype("f4")
    time = ("time", hours, {"units": "hours since 1-1-1 00:00:0.0"})
    fields = {"air": (("time", "lat", "lon"), values, {"units": "degC"})}
    xr.Dataset(fields, {"time": time, **_lonlat_coords()}).to_netcdf(tmp_path / "air.mon.ltm.nc")
    _near(_mean(tmp_path, path="air.mon.ltm.nc"), HERE + _mean_of_months(SEASONS))


def test_monthly_anomalies_of_a_grid(tmp_path):
    """GISTEMP's gridded series: packed hundredths, averaged over the years of an epoch."""
    series = np.repeat([0.5, 1.5], 12)[:, None, None] * np.ones(GLOBE.shape)
    time = ("time", _times("D", "1800-01-01", (2000, 2001)), {"units": "days since 1800-01-01 00:00:00"})
    fields = {"tempanomaly": (("time", "lat", "lon"), series, {"units": "K"})}
    packing = {"dtype": "i2", "scale_factor": 0.01, "_FillValue": 32767}
    dataset = xr.Dataset(fields, {"time": time, **_lonlat_coords()}).isel(lat=slice(None, None, -1))
    dataset.to_netcdf(tmp_path / "gistemp1200.nc", encoding={"tempanomaly": packing})
    keywords = {"path": "gistemp1200.nc", "stored_unit": "delta K", "unit": "delta degC"}
    np.testing.assert_allclose(
        _mean(tmp_path, method="raster", epoch=(2000, 2001), **keywords), 1.0, atol=1e-5
    )
    np.testing.assert_allclose(
        _mean(tmp_path, method="raster", epoch=(2001, 2001), **keywords), 1.5, atol=1e-5
    )


def test_a_climate_of_the_past_less_that_of_today(tmp_path):
    values = np.stack([LEVEL - 7.0, LEVEL]).astype("f4")
    time = ("time", np.array([-20000, 0], "i4"), {"units": "years since 1950-01-01 00:00:00.0"})
    fields = {"BIO1": (("time", "lat", "lon"), values, {"units": "degrees Celsius"})}
    xr.Dataset(fields, {"time": time, **_lonlat_coords()}).to_netcdf(tmp_path / "past.nc")
    past, today = (
        Covariate(name, "raster", unit, {"path": "past.nc", "time": time, "stored_unit": "degC"})
        for name, unit, time in (("glacial", "degC", -20000), ("today", "K", 0))
    )
    inputs = ["glacial", "today"]
    found = _mean(tmp_path, past, today, method="difference_of", unit="delta degC", inputs=inputs)
    np.testing.assert_allclose(found, -7.0, atol=1e-4)
    with pytest.raises(PermagridError, match="is not in 'degC'; set unit: delta degC"):
        _mean(tmp_path, past, today, method="difference_of", unit="degC", inputs=inputs)
    rain = Covariate("today", "raster", "mm", {"path": "past.nc", "time": 0.0})
    with pytest.raises(PermagridError, match="today: unit 'mm'"):
        _mean(tmp_path, past, rain, method="difference_of", unit="delta degC", inputs=inputs)
    metres = [
        Covariate(n, "raster", "m", {"path": "past.nc", "time": t}) for n, t in (("a", -20000.0), ("b", 0.0))
    ]
    found = _mean(tmp_path, *metres, method="difference_of", unit="cm", inputs=["a", "b"])
    np.testing.assert_allclose(found, -700.0, atol=1e-2)


# Real files ------------------------------------------------------------------------------------------------


def test_ncep_in_the_data_folder(real_data):
    folder = real_data / "ncep-air-ltm"
    options = {"path": "air.mon.ltm.nc", "variable": "air"}
    siberia = make_geobox("EPSG:3995", 100_000, bounds=(1_800_000, 1_800_000, 2_200_000, 2_200_000))
    units = {
        "mean_annual_air_temperature": "degC",
        "warmest_month_temperature": "degC",
        "coldest_month_temperature": "degC",
        "annual_temperature_amplitude": "delta degC",
        "continentality": "%",
    }
    maps = {
        method: made(Covariate("c", method, unit, options), siberia, folder).values
        for method, unit in units.items()
    }
    half_range = (maps["warmest_month_temperature"] - maps["coldest_month_temperature"]) / 2
    np.testing.assert_allclose(maps["annual_temperature_amplitude"], half_range, atol=1e-4)
    assert ((maps["mean_annual_air_temperature"] > -18) & (maps["mean_annual_air_temperature"] < -5)).all()
    assert (half_range > 20).all()
    assert ((maps["continentality"] > 60) & (maps["continentality"] < 105)).all()


def test_a_gridded_anomaly_in_the_data_folder(real_data):
    """GISTEMP's own map, without an axis of time, and 9999 where there is nothing."""
    anomaly = Covariate("a", "raster", "delta degC", {"path": "amaps.nc", "stored_unit": "delta K"})
    arctic = make_geobox("EPSG:3995", 200_000, region=(-180, 64, 180, 90))
    found = made(anomaly, arctic, real_data / "gistemp").values
    assert 0.8 < np.nanmean(found) < 3.0
    assert np.nanmax(found) < 6.0


def test_the_last_glacial_maximum_in_the_data_folder(real_data):
    folder, file = real_data / "paleoclim-1deg", "example_climate_v1.3.0.nc"
    siberia = make_geobox("EPSG:3995", 100_000, bounds=(1_500_000, 1_500_000, 2_500_000, 2_500_000))
    parts = [
        Covariate(name, "raster", "degC", {"path": file, "variable": "BIO1", "time": time})
        for name, time in (("glacial", -20000.0), ("today", 0.0))
    ]
    difference = Covariate("d", "difference_of", "delta degC", {"inputs": ["glacial", "today"]})
    found = made(difference, siberia, folder, *parts).values
    assert -20 < np.nanmin(found) < np.nanmean(found) < -3


def test_worldclim_1_4_in_the_data_folder(real_data):
    """The first of the bioclimatic variables as it comes from the project, without a CRS."""
    folder = real_data / "worldclim14-bio-10min"
    grid = make_geobox("EPSG:3995", 20_000, bounds=(2_200_000, 1_800_000, 2_400_000, 2_000_000))
    bil, tif = (
        made(
            Covariate("t", "raster", "degC", {"path": path, "stored_unit": "0.1 degC", "crs": crs}),
            grid,
            folder,
        )
        for path, crs in (("bio1.bil", "EPSG:4326"), ("bio1.tif", None))
    )
    np.testing.assert_allclose(bil, tif, atol=1e-3)


def test_hourly_era5_in_the_data_folder(real_data):
    """A box as served, packed in 16 bits: brought down onto the SRTM of Davos with a given lapse rate."""
    folder = real_data / "topo-era5-tiles"
    era5 = {"path": "davos_SURF_202001.nc"}
    temperature = {**era5, "variable": "t2m", "stored_unit": "K"}
    geopotential = {**era5, "variable": "z", "stored_unit": "0.101971621 m"}
    others = [
        Covariate("coarse_temperature", "raster", "degC", temperature),
        Covariate("coarse_elevation", "raster", "m", geopotential),
        Covariate("elevation", "raster", "m", {"path": "davos_dem_SRTM1.tif"}),
    ]
    keywords = {
        "temperature_input": "coarse_temperature",
        "coarse_elevation_input": "coarse_elevation",
        "lapse_rate": -0.005,
    }
    down = Covariate("t", "lapse_rate_downscaling", "degC", keywords)
    grid = make_geobox("EPSG:32632", 1000, bounds=(560_000, 5_160_000, 580_000, 5_180_000))
    found = made(down, grid, folder, *others).values
    height = made(others[2], grid, folder, *others[:2]).values
    assert np.isfinite(found).all()
    # January 2020: mild in the valleys, and colder the higher.
    assert -16 < found.min() < found.max() < 4
    assert np.corrcoef(found.ravel(), height.ravel())[0, 1] < -0.95
