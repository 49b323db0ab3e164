"""MODIS layers: scale, fill and quality bits, months of a season, and what was not observed yet."""

import numpy as np
import pytest
import rasterio
import xarray as xr
from made_rasters import made, write_tif

from permagrid.covariates import Covariate, build
from permagrid.covariates.surface import modis_series
from permagrid.covariates.surface.modis_layers import certain, kept
from permagrid.covariates.surface.modis_series import BEGUN
from permagrid.covariates.traits import traits_of
from permagrid.errors import PermagridError
from permagrid.grid import make_geobox

GRID = make_geobox("EPSG:6931", 1000, bounds=(0, 1_000_000, 6_000, 1_004_000))
ONE = GRID.shape
NDVI, LST = "modis_vegetation_index", "modis_land_surface_temperature"


def _made(method, root, *, epoch=None, years=(2000, 2020), grid=GRID, **keywords):
    unit = "1" if method == NDVI else "degC"
    covariate = Covariate("x", method, unit, keywords, years=years if epoch else None)
    return made(covariate, grid, root, epoch=epoch)


def _write(root, name, number, *, dtype="int16", scale=1.0, nodata=None, geobox=GRID):
    values = np.broadcast_to(np.asarray(number), geobox.shape).astype(dtype)
    return write_tif(root / f"{name}.tif", values, geobox, nodata=nodata, scale=scale)


def _season(root, numbers, *, year="", **options):
    for month, number in zip((6, 7, 8), numbers, strict=True):
        _write(root, f"ndvi_{year}{month:02d}", number, **options)


def test_the_growing_season_has_the_mean_or_the_maximum_of_its_months(tmp_path):
    _season(tmp_path, [2000, 7000, 6000])
    np.testing.assert_allclose(_made(NDVI, tmp_path, path="ndvi_{month}.tif"), 0.5, atol=1e-6)
    highest = _made(NDVI, tmp_path, path="ndvi_{month}.tif", composite="maximum")
    np.testing.assert_allclose(highest, 0.7, atol=1e-6)
    one = _made(NDVI, tmp_path, path="ndvi_{month}.tif", months=[8])
    np.testing.assert_allclose(one, 0.6, atol=1e-6)


@pytest.mark.parametrize(
    ("number", "value"),
    [(-3000, np.nan), (-2001, np.nan), (-2000, -0.2), (0, 0.0), (10000, 1.0), (10001, np.nan)],
)
@pytest.mark.parametrize("declared", [None, -3000])
def test_fill_and_what_is_outside_the_valid_range_is_nodata(tmp_path, number, value, declared):
    _write(tmp_path, "ndvi", number, nodata=declared)
    np.testing.assert_allclose(_made(NDVI, tmp_path, path="ndvi.tif"), value, atol=1e-6)


@pytest.mark.parametrize("declared", [1.0, 0.0001, 10000.0])
def test_whatever_scale_a_file_declares_that_of_the_product_is_applied(tmp_path, declared):
    """Files made of the HDF files declare 10000, by which numbers are to be divided: not so here."""
    _write(tmp_path, "ndvi", 4321, scale=declared, nodata=-3000)
    np.testing.assert_allclose(_made(NDVI, tmp_path, path="ndvi.tif"), 0.4321, atol=1e-6)


def _series(path, numbers, first="2000-01", *, name="ndvi", scale=None):
    """Write a NetCDF file of months, each a number everywhere, packed like those of AppEEARS if scaled."""
    y, x = (GRID.coords[dim].values for dim in ("y", "x"))
    values = np.asarray(numbers, dtype=float)[:, None, None] * np.ones(ONE)
    time = ("time", np.arange(len(numbers)), {"units": f"months since {first}-01"})
    data = xr.Dataset(
        {name: (("time", "y", "x"), values, {"grid_mapping": "crs"})},
        {"time": time, "y": y, "x": x, "crs": ((), 0, {"crs_wkt": GRID.crs.to_wkt()})},
    )
    packed = {"dtype": "int16", "_FillValue": -3000} | ({} if scale is None else {"scale_factor": scale})
    data.to_netcdf(path, encoding={name: packed})


@pytest.mark.parametrize(("scale", "factor"), [(None, 1.0), (0.0001, 0.0001)])
def test_a_netcdf_series_packed_or_not(tmp_path, scale, factor):
    months = np.arange(24) * 100.0 + 3000
    _series(tmp_path / "ndvi.nc", months * factor, "2004-01", scale=scale)
    result = _made(NDVI, tmp_path, path="ndvi.nc", epoch=(2005, 2005))
    np.testing.assert_allclose(result, months[17:20].mean() * 1e-4, atol=1e-6)
    assert result.valid_years == "2005"
    both = _made(NDVI, tmp_path, path="ndvi.nc", epoch=(2004, 2005))
    np.testing.assert_allclose(both, np.r_[months[5:8], months[17:20]].mean() * 1e-4, atol=1e-6)
    static = Covariate("x", NDVI, "1", {"path": "ndvi.nc"}, years=(2004, 2004), static=True)
    result = made(static, GRID, tmp_path, epoch=(2005, 2005))
    np.testing.assert_allclose(result, months[5:8].mean() * 1e-4, atol=1e-6)
    with pytest.raises(
        PermagridError, match=r"ndvi\.nc: holds no data for 2006-06, 2006-07, 2006-08 of the epoch"
    ):
        _made(NDVI, tmp_path, path="ndvi.nc", epoch=(2004, 2006))


def test_what_is_scaled_already_needs_its_scale(tmp_path):
    _write(tmp_path, "ndvi", 0.43, dtype="float32")
    with pytest.raises(
        PermagridError, match=r"holds fractions such as 0\.43 where the product has whole numbers"
    ):
        _made(NDVI, tmp_path, path="ndvi.tif")
    result = _made(NDVI, tmp_path, path="ndvi.tif", scale=1.0)
    np.testing.assert_allclose(result, 0.43, atol=1e-6)


@pytest.mark.parametrize(
    ("method", "keywords", "numbers", "right"),
    [
        (NDVI, {"path": "a.tif"}, [2000, 9000], True),
        (NDVI, {"path": "a.tif"}, [20, 95], False),
        (NDVI, {"path": "a.tif", "scale": 0.01}, [20, 95], True),
        (NDVI, {"path": "a.tif", "scale": 0.01}, [2000, 9000], False),
        (LST, {"day_path": "a.tif"}, [13000, 15000], True),
        (LST, {"day_path": "a.tif"}, [260, 300], False),
        (LST, {"day_path": "a.tif", "scale": 1.0}, [260, 300], True),
    ],
)
def test_numbers_that_do_not_fit_the_scale_are_told_by_the_check(tmp_path, method, keywords, numbers, right):
    _write(tmp_path, "a", np.linspace(*numbers, ONE[1]).round()[None, :])
    covariate = Covariate("x", method, "1" if method == NDVI else "degC", keywords)
    known = traits_of(method)
    files = known.files(covariate.settings, [], tmp_path)
    assert files == [tmp_path / "a.tif"]
    told = list(known.faults(covariate.settings, files))
    assert len(told) == (0 if right else 1)
    assert right or "do not fit the scale" in told[0]


def test_an_epoch_has_the_mean_of_its_years(tmp_path):
    for year, number in ((2001, 2000), (2002, 4000), (2003, 9000)):
        _season(tmp_path, [number] * 3, year=f"{year}_")
    path = "ndvi_{year}_{month}.tif"
    np.testing.assert_allclose(_made(NDVI, tmp_path, path=path, epoch=(2001, 2003)), 0.5, atol=1e-6)
    np.testing.assert_allclose(_made(NDVI, tmp_path, path=path, epoch=(2001, 2002)), 0.3, atol=1e-6)
    with pytest.raises(PermagridError, match=r"no such file for 2004-06"):
        _made(NDVI, tmp_path, path=path, epoch=(2003, 2004))


def test_quality_is_looked_at_before_anything_is_averaged(tmp_path):
    """July is cloudy in the west: its mean has no July there, and its maximum that of the other months."""
    _season(tmp_path, [2000, 8000, 6000])
    for month in (6, 7, 8):
        cloudy = np.zeros(ONE)
        cloudy[:, :3] = 3 if month == 7 else 1
        _write(tmp_path, f"quality_{month:02d}", cloudy, dtype="int8")
    keywords = {"path": "ndvi_{month}.tif", "quality_path": "quality_{month}.tif"}
    whole = _made(NDVI, tmp_path, **keywords).values
    assert np.isnan(whole[:, :3]).all()
    np.testing.assert_allclose(whole[:, 3:], 0.16 / 0.3, atol=1e-6)
    two = _made(NDVI, tmp_path, **keywords, minimum_months=2).values
    np.testing.assert_allclose(two[:, :3], 0.4, atol=1e-6)
    highest = _made(NDVI, tmp_path, **keywords, composite="maximum").values
    np.testing.assert_allclose(highest[:, :3], 0.6, atol=1e-6)
    np.testing.assert_allclose(highest[:, 3:], 0.8, atol=1e-6)
    count = _made(NDVI, tmp_path, **keywords, statistic="observations").values
    np.testing.assert_array_equal(count[0], [2, 2, 2, 3, 3, 3])
    best = _made(NDVI, tmp_path, **keywords, keep=["good"], statistic="observations").values
    np.testing.assert_array_equal(best[0], [0, 0, 0, 3, 3, 3])


def test_years_with_too_few_months_do_not_count(tmp_path):
    for year in (2001, 2002):
        _season(tmp_path, [5000, 5000, 5000 if year == 2001 else -3000], year=f"{year}_")
    path = "ndvi_{year}_{month}.tif"
    keywords = {"path": path, "epoch": (2001, 2002)}
    np.testing.assert_allclose(_made(NDVI, tmp_path, **keywords), 0.5, atol=1e-6)
    assert np.isnan(_made(NDVI, tmp_path, **keywords, minimum_years=2)).all()
    assert np.isfinite(_made(NDVI, tmp_path, **keywords, minimum_years=2, minimum_months=2)).all()


@pytest.mark.parametrize(
    ("value", "reliability"),
    [
        (-1, set()),
        (0, {"good"}),
        (1, {"marginal"}),
        (2, {"snow"}),
        (3, {"cloudy"}),
        (255, set()),
        (np.nan, set()),
    ],
)
def test_pixel_reliability(value, reliability):
    everything = ("good", "marginal", "snow", "cloudy")
    assert {q for q in everything if kept(np.array([float(value)]), "reliability", [q])[0]} == reliability


@pytest.mark.parametrize(
    ("bits", "quality"),
    [
        (0b00, {"good"}),
        (0b01, {"marginal"}),
        (0b10, {"cloudy"}),
        (0b11, set()),
        # Usefulness, aerosol, adjacent cloud, BRDF, mixed cloud and land/water say nothing of these.
        (0b1011111111111100, {"good"}),
        (0b0100000000000000, {"snow"}),
        (0b0100000000000001, {"snow"}),
        (0b1000000000000001, {"marginal"}),
    ],
)
def test_vi_quality(bits, quality):
    everything = ("good", "marginal", "snow", "cloudy")
    assert {q for q in everything if kept(np.array([float(bits)]), "vi_quality", [q])[0]} == quality


@pytest.mark.parametrize("mandatory", range(4))
@pytest.mark.parametrize("error", range(4))
def test_qc_of_land_surface_temperature(mandatory, error):
    """Bits 0-1 are mandatory quality, 6-7 the error: up to 1, 2 or 3 K, or more; 2-5 are of no matter."""
    for between in (0b0000, 0b1111):
        bits = np.array([float(mandatory | between << 2 | error << 6)])
        for limit in (1, 2, 3):
            told = mandatory == 0 or (mandatory == 1 and error + 1 <= limit)
            assert certain(bits, limit)[0] == told


def _temperatures(root, day, night, months=range(1, 13), **options):
    for view, kelvin in (("day", day), ("night", night)):
        for month in months:
            value = kelvin(month) if callable(kelvin) else kelvin
            number = np.where(np.isnan(value), 0, np.round(np.nan_to_num(value) / 0.02))
            _write(root, f"{view}_{month:02d}", number, dtype="uint16", **options)


PATHS = {"day_path": "day_{month}.tif", "night_path": "night_{month}.tif"}


def test_the_year_has_the_mean_of_day_and_night_month_by_month(tmp_path):
    _temperatures(tmp_path, lambda month: 270.0 + month, 262.0)
    result = _made(LST, tmp_path, **PATHS)
    np.testing.assert_allclose(result, (276.5 + 262.0) / 2 - 273.15, atol=1e-4)
    assert "by day and night" in result.analysis
    day = _made(LST, tmp_path, day_path="day_{month}.tif", months=[1, 2])
    np.testing.assert_allclose(day, 271.5 - 273.15, atol=1e-4)
    kelvin = Covariate("x", LST, "K", {**PATHS, "months": [12]})
    np.testing.assert_allclose(made(kelvin, GRID, tmp_path), (282 + 262) / 2, atol=1e-4)


def test_a_month_needs_both_views_and_a_year_all_its_months(tmp_path):
    """A mean of the day alone would be too warm, and one without the winter too."""
    west = np.broadcast_to(np.arange(ONE[1]) < 3, ONE)
    _temperatures(tmp_path, 280.0, lambda month: np.where(west & (month == 1), np.nan, 260.0))
    result = _made(LST, tmp_path, **PATHS).values
    np.testing.assert_array_equal(np.isnan(result), west)
    np.testing.assert_allclose(result[~west], 270 - 273.15, atol=1e-4)
    eleven = _made(LST, tmp_path, **PATHS, minimum_months=11).values
    np.testing.assert_allclose(eleven, 270 - 273.15, atol=1e-4)


def test_numbers_outside_the_valid_range_of_temperature_are_nodata(tmp_path):
    for number, valid in ((0, False), (7499, False), (7500, True), (65535, True)):
        _write(tmp_path, "day", number, dtype="uint16")
        result = _made(LST, tmp_path, day_path="day.tif")
        assert bool(np.isfinite(result).all()) == valid


def test_poor_temperatures_are_left_out_by_their_qc(tmp_path):
    _write(tmp_path, "day", 14000, dtype="uint16")
    errors = np.array([0, 0b00000001, 0b01000001, 0b10000001, 0b11000001, 0b10])
    _write(tmp_path, "qc", np.broadcast_to(errors, ONE), dtype="uint8")
    keywords = {"day_path": "day.tif", "day_quality_path": "qc.tif"}
    for limit, seen in ((1, 2), (2, 3), (3, 4)):
        result = _made(LST, tmp_path, **keywords, maximum_error=limit).values
        assert np.isfinite(result[0]).tolist() == [at < seen for at in range(6)]


def test_layers_of_eight_days_named_by_the_day_of_the_year(tmp_path):
    """MOD11A2 of 2005: days 153, 161, 169 and 177 begin in June, 185 in July."""
    for day, kelvin in ((145, 250.0), (153, 280.0), (161, 282.0), (169, 284.0), (177, 286.0), (185, 300.0)):
        _write(tmp_path, f"MOD11A2.A2005{day}.h22v02.061", round(kelvin / 0.02), dtype="uint16")
    keywords = {"day_path": "MOD11A2.A{year}{day}.*.tif", "epoch": (2005, 2005)}
    june = _made(LST, tmp_path, **keywords, months=[6])
    np.testing.assert_allclose(june, 283.0 - 273.15, atol=1e-4)
    both = _made(LST, tmp_path, **keywords, months=[6, 7])
    np.testing.assert_allclose(both, (283.0 + 300.0) / 2 - 273.15, atol=1e-4)
    with pytest.raises(PermagridError, match="no such file for 2005-08"):
        _made(LST, tmp_path, **keywords, months=[8])


def test_tiles_are_joined(tmp_path):
    """Two tiles of the sinusoidal grid, beside each other; MODIS names both alike."""
    sinusoidal = "+proj=sinu +R=6371007.181 +units=m +type=crs"
    side = 1111950.519667
    for tile, number in ((23, 3000), (24, 5000)):
        west = -20015109.354 + tile * side
        box = make_geobox(sinusoidal, side / 120, bounds=(west, 6671703.118, west + side, 6671703.118 + side))
        _write(tmp_path, f"MOD13A3.A2005152.h{tile}v02", number, geobox=box)
    grid = make_geobox("EPSG:6931", 20_000, region=(110, 62, 150, 68))
    result = _made(
        NDVI, tmp_path, path="MOD13A3.A{year}{day}.*.tif", months=[6], epoch=(2005, 2005), grid=grid
    )
    values = result.values[np.isfinite(result.values)]
    assert [np.isclose(values, number).mean() > 0.1 for number in (0.3, 0.5)] == [True, True]
    assert ((values >= 0.3 - 1e-6) & (values <= 0.5 + 1e-6)).all()
    # No seam of nodata runs along their common edge: every row that has both has what lies between.
    rows = [np.flatnonzero(np.isfinite(row)) for row in result.values]
    assert all(row.size == 0 or row.size == row[-1] - row[0] + 1 for row in rows)


@pytest.mark.parametrize(
    ("satellite", "epoch", "months", "message"),
    [
        ("terra", (1995, 1999), [6, 7, 8], "needs 1995-06, but MODIS on Terra has data since 2000-02 only"),
        ("terra", (1999, 2004), [6, 7, 8], "the epoch 1999-2004 needs 1999-06"),
        (
            "terra",
            (2000, 2004),
            list(range(1, 13)),
            "needs 2000-01, but MODIS on Terra has data since 2000-02",
        ),
        ("aqua", (2002, 2004), [6, 7, 8], "needs 2002-06, but MODIS on Aqua has data since 2002-07 only"),
    ],
)
@pytest.mark.parametrize("method", [NDVI, LST])
def test_years_before_modis_are_refused(tmp_path, satellite, epoch, months, message, method):
    keywords = {"path": "a_{year}_{month}.tif"} if method == NDVI else {"day_path": "a_{year}_{month}.tif"}
    with pytest.raises(PermagridError, match=f"covariate x: .*{message}"):
        _made(
            method, tmp_path, epoch=epoch, years=(1980, 2020), satellite=satellite, months=months, **keywords
        )
    assert BEGUN[satellite] > (epoch[0], min(months))


def test_a_series_needs_months(tmp_path):
    _write(tmp_path, "ndvi_2005", 5000)
    with pytest.raises(
        PermagridError, match=r"ndvi_2005\.tif: a series of months needs a time axis, or \{month\}"
    ):
        _made(NDVI, tmp_path, path="ndvi_{year}.tif", epoch=(2005, 2005))


def test_the_first_summer_of_modis_is_allowed(tmp_path):
    _season(tmp_path, [5000] * 3, year="2000_")
    result = _made(NDVI, tmp_path, path="ndvi_{year}_{month}.tif", epoch=(2000, 2000))
    np.testing.assert_allclose(result, 0.5, atol=1e-6)


@pytest.mark.parametrize(
    ("method", "keywords", "message"),
    [
        (NDVI, {"path": "a.hdf"}, "HDF4 files are not read; order the layers as GeoTIFF or NetCDF"),
        (NDVI, {"path": "a.tif"}, r"a\.tif: no such file"),
        (NDVI, {"path": "a_{month}.tif"}, "no such file for month 06"),
        (NDVI, {"path": "a_{month}_{day}.tif"}, r"names days, but no \{year\}"),
        (NDVI, {"path": "a_{year}_{month}.tif"}, "varies, but years are not stated"),
        (NDVI, {"path": "ndvi_{month}.tif", "months": [0, 6]}, "months are numbers from 1 to 12"),
        (NDVI, {"path": "ndvi_{month}.tif", "months": []}, "months are numbers from 1 to 12"),
        (NDVI, {"path": "ndvi_{month}.tif", "minimum_months": 4}, "minimum_months must lie in 1-3, found 4"),
        (NDVI, {"path": "ndvi_{month}.tif", "minimum_years": 0}, "minimum_years must be at least 1, found 0"),
        (NDVI, {"path": "ndvi_{month}.tif", "quality_path": "q_{month}.tif"}, "no such file for month 06"),
        (
            NDVI,
            {"path": "ndvi_{month}.tif", "quality_path": "one.tif"},
            "not of the same months and tiles as",
        ),
        (LST, {}, "needs day_path, night_path or both"),
        (LST, {"day_path": "a.hdf", "months": [6]}, "HDF4 files are not read"),
    ],
)
def test_what_is_asked_wrong_is_told_when_it_is_built(tmp_path, method, keywords, message):
    _season(tmp_path, [5000] * 3)
    _write(tmp_path, "one", 0, dtype="int8")
    (tmp_path / "a.hdf").write_bytes(b"\x0e\x03\x13\x01")
    covariate = Covariate("x", method, "1" if method == NDVI else "degC", keywords)
    with pytest.raises(PermagridError, match=message):
        build("x", {"x": covariate}, GRID, epoch=None, root=tmp_path)


def test_a_quality_layer_of_another_grid_is_named(tmp_path):
    _write(tmp_path, "ndvi", 5000)
    _write(tmp_path, "quality", 0, geobox=make_geobox("EPSG:6931", 1000, bounds=(0, 0, 6_000, 4_000)))
    with pytest.raises(PermagridError, match="band quality does not lie on the grid of the others"):
        _made(NDVI, tmp_path, path="ndvi.tif", quality_path="quality.tif")


def test_the_files_are_those_of_the_months_that_are_wanted(tmp_path):
    for year in (2001, 2002):
        _season(tmp_path, [5000] * 3, year=f"{year}_")
    settings = Covariate("x", NDVI, "1", {"path": "ndvi_{year}_{month}.tif", "months": [7, 8]}).settings
    known = traits_of(NDVI)
    files = known.files(settings, [(2001, 2003)], tmp_path)
    assert [file.name for file in files] == [
        f"ndvi_{year}_{month:02d}.tif" for year in (2001, 2002, 2003) for month in (7, 8)
    ]
    assert sum(file.exists() for file in files) == 4
    climatology = Covariate("x", LST, "degC", {**PATHS, "day_quality_path": "qc_{month}.tif"}).settings
    names = {file.name for file in traits_of(LST).files(climatology, [(2001, 2003)], tmp_path)}
    assert len(names) == 36
    assert {"day_01.tif", "night_12.tif", "qc_05.tif"} <= names
    missing = Covariate("x", LST, "degC", {}).settings
    assert list(traits_of(LST).faults(missing, [])) == [
        "modis_land_surface_temperature needs day_path, night_path or both"
    ]


def test_a_layer_is_opened_once_however_many_steps_it_has(tmp_path, monkeypatch):
    opened = []
    real = modis_series.digital_numbers
    monkeypatch.setattr(
        modis_series, "digital_numbers", lambda path, **more: opened.append(path) or real(path, **more)
    )
    _series(tmp_path / "ndvi.nc", np.full(60, 5000.0), "2001-01")
    _made(NDVI, tmp_path, path="ndvi.nc", epoch=(2001, 2005))
    assert len(opened) == 2


def test_the_fixture_writes_what_it_says(tmp_path):
    path = _write(tmp_path, "ndvi", 4321, scale=10000.0)
    with rasterio.open(path) as raster:
        assert (raster.scales, raster.read(1)[0, 0]) == ((10000.0,), 4321)
