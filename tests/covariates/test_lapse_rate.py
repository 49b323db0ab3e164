"""Temperature brought down onto terrain: exact where the truth is linear in height, on any coarse grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rasters import GLOBE, GLOBE_0_360, made, write_tif

from permagrid.covariates import Covariate, build, resample
from permagrid.covariates.climate.local_fit import fit_lapse_rates, places_of, reach_of
from permagrid.errors import PermagridError
from permagrid.grid import lonlat, make_geobox

FINE = make_geobox("EPSG:3995", 20_000, bounds=(-1_400_000, 1_000_000, -600_000, 1_600_000))
LOCAL = {"lapse_rate": "local", "window_radius": 300_000.0}
RATE = -0.0058


def _relief(longitude, latitude):
    """Return mountains and valleys of many sizes [m]."""
    lon, lat = np.radians(longitude), np.radians(latitude)
    return (
        900.0
        + 500.0 * np.sin(23 * lon) * np.cos(31 * lat)
        + 300.0 * np.cos(61 * lon + 2.0) * np.sin(47 * lat)
    )


def _covariates(**keywords):
    given_ = {
        "temperature_input": "coarse_temperature",
        "coarse_elevation_input": "coarse_elevation",
        "elevation_input": "dem",
        "lapse_rate": RATE,
        **keywords,
    }
    return (
        Covariate("t", "lapse_rate_downscaling", "degC", given_),
        Covariate("coarse_temperature", "raster", "degC", {"path": "t.tif"}),
        Covariate("coarse_elevation", "raster", "m", {"path": "z.tif"}),
        Covariate("dem", "raster", "m", {"path": "dem.tif"}),
    )


def _write(folder, coarse, truth, *, fine=FINE, relief=_relief):
    """Write coarse files in which `truth` (longitude, latitude, height) holds, and a fine terrain."""
    place = lonlat(coarse)
    height = relief(*place).astype("float32").astype(float)
    write_tif(folder / "z.tif", height.astype("float32"), coarse)
    write_tif(folder / "t.tif", truth(*place, height).astype("float64"), coarse)
    rough = relief(*lonlat(fine)) + 700.0 * np.random.default_rng(1).random(fine.shape)
    write_tif(folder / "dem.tif", rough.astype("float32"), fine)
    return rough.astype("float32").astype(float)


def _map(folder, fine=FINE, **keywords):
    covariate, *others = _covariates(**keywords)
    return made(covariate, fine, folder, *others)


@pytest.mark.parametrize("keywords", [{}, LOCAL], ids=["given", "local"])
@pytest.mark.parametrize("globe", [GLOBE, GLOBE_0_360], ids=["from -180", "from 0"])
def test_what_is_linear_in_height_is_found_exactly(tmp_path, globe, keywords):
    height = _write(tmp_path, globe, lambda _, __, z: 4.0 + RATE * z)
    found = _map(tmp_path, **keywords)
    np.testing.assert_allclose(found, 4.0 + RATE * height, atol=1e-3)
    assert found.attrs["lapse_rate"] == ("local within 300 km" if keywords else "-0.0058 degC/m")


def test_a_wrong_rate_is_wrong_by_the_height_it_bridges(tmp_path):
    """So the exactness above is not that of a field that needs no lapse rate."""
    height = _write(tmp_path, GLOBE, lambda _, __, z: 4.0 + RATE * z)
    error = _map(tmp_path, lapse_rate=0.0).values - (4.0 + RATE * height)
    assert np.abs(error).max() > 3.0


def test_a_trend_from_south_to_north_is_not_taken_for_height(tmp_path):
    """The mountains stand in the north, where it is colder: temperature against height alone says -0.02."""

    def rising(longitude, latitude):
        return _relief(longitude, latitude) + 60.0 * (latitude - 60.0)

    truth = lambda _, latitude, z: 30.0 - 0.7 * latitude + RATE * z  # noqa: E731
    height = _write(tmp_path, GLOBE, truth, relief=rising)
    found = _map(tmp_path, **LOCAL).values
    # Latitude is not a plane in metres, and its interpolation between cells is not exact.
    np.testing.assert_allclose(found, truth(*lonlat(FINE), height), atol=0.05)


@settings(max_examples=30, deadline=None)
@given(
    rate=st.floats(-0.011, 0.005),
    east=st.floats(-2e-5, 2e-5),
    north=st.floats(-2e-5, 2e-5),
    radius=st.floats(70_000, 200_000),
    seed=st.integers(0, 1000),
)
def test_a_plane_and_a_rate_are_told_apart(rate, east, north, radius, seed):
    grid = make_geobox("EPSG:3413", 25_000, bounds=(0, -2_300_000, 300_000, -2_000_000))
    random = np.random.default_rng(seed)
    height = random.normal(800.0, 400.0, size=grid.shape)
    height[random.random(grid.shape) < 0.1] = np.nan
    row, column = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    temperature = 3.0 + rate * height + 25_000 * (east * column + north * row)
    core = slice(0, grid.shape[0]), slice(0, grid.shape[1])
    places = places_of(grid, row + 0.5, column + 0.5)
    fit = fit_lapse_rates(temperature, height, places, core, reach_of(grid, radius), radius, (10, 50.0))
    assert np.isfinite(fit.rate).any()
    np.testing.assert_allclose(fit.rate[np.isfinite(fit.rate)], rate, atol=5e-5)


def test_weights_and_windows_are_those_of_least_squares():
    """One cell against numpy's least squares with the weights written out."""
    grid = make_geobox("EPSG:4326", 0.5, bounds=(0, 60, 10, 66))
    random = np.random.default_rng(4)
    height, temperature = random.normal(500, 200, grid.shape), random.normal(-5, 3, grid.shape)
    row, column = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    places = places_of(grid, row + 0.5, column + 0.5)
    radius, at = 130_000.0, (6, 10)
    away = places - places[at]
    lon, lat = (np.radians(axis[at]) for axis in lonlat(grid))
    x = away @ np.array([-np.sin(lon), np.cos(lon), 0.0])
    y = away @ np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    ratio = (away**2).sum(-1) / radius**2
    inside = ratio < 1
    root = (1 - ratio[inside])[:, None]
    design = np.stack([np.ones(inside.sum()), x[inside], y[inside], height[inside]], axis=1)
    expected = np.linalg.lstsq(design * root, temperature[inside] * root[:, 0], rcond=None)[0][3]
    core = slice(0, grid.shape[0]), slice(0, grid.shape[1])
    fit = fit_lapse_rates(temperature, height, places, core, reach_of(grid, radius), radius, (5, 1.0))
    assert fit.cells[at] == inside.sum()
    assert fit.rate[at] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("radius", [150_000.0, 400_000.0])
@pytest.mark.parametrize("latitude", [45.0, 75.0, 88.0, 90.0])
def test_windows_reach_every_cell_within_their_radius(radius, latitude):
    grid = make_geobox("EPSG:4326", 2, region=(-180, latitude - 20, 180, latitude))
    row, column = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    places = places_of(grid, row + 0.5, column + 0.5)
    reach = reach_of(grid, radius)
    for at in range(grid.shape[0]):
        near = ((places - places[at, 90]) ** 2).sum(-1) < radius**2
        assert np.abs(row[near] - at).max() <= reach.rows
        assert np.abs(column[near] - 90).max() <= reach.columns[at]


@pytest.mark.parametrize("columns", [36, 45])
def test_a_window_around_the_pole_holds_no_cell_twice(columns):
    size = 360 / columns
    grid = make_geobox("EPSG:4326", size, bounds=(0, 90 - 4 * size, 360, 90))
    radius = 2_500_000.0
    reach = reach_of(grid, radius)
    wide = int(reach.columns.max())
    row, column = np.meshgrid(np.arange(4), np.arange(-wide, columns + wide), indexing="ij")
    places = places_of(grid, row + 0.5, column + 0.5)
    once = places[:, wide : wide + columns]
    heights = np.random.default_rng(0).normal(size=row.shape)
    core = slice(0, 4), slice(wide, wide + columns)
    fit = fit_lapse_rates(heights, heights, places, core, reach, radius, (5, 0.1))
    for at in np.ndindex(fit.cells.shape):
        assert fit.cells[at] == (((once - once[at]) ** 2).sum(-1) < radius**2).sum()


@pytest.mark.parametrize("keywords", [{}, LOCAL], ids=["given", "local"])
@pytest.mark.parametrize(
    "fine",
    [
        make_geobox("EPSG:4326", 0.4, region=(172, 62, -172, 70)),
        make_geobox("EPSG:3995", 30_000, bounds=(-300_000, -300_000, 300_000, 300_000)),
    ],
    ids=["antimeridian", "pole"],
)
def test_nothing_happens_at_the_antimeridian_and_the_pole(tmp_path, fine, keywords):
    def smooth(longitude, latitude):
        lon, lat = np.radians(longitude), np.radians(latitude)
        x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
        return 1500.0 + 400.0 * np.sin(70 * x) + 400.0 * np.cos(67 * y + 1) + 300.0 * np.sin(80 * z)

    height = _write(tmp_path, GLOBE, lambda _, __, z: 4.0 + RATE * z, fine=fine, relief=smooth)
    found = _map(tmp_path, fine, **keywords).values
    np.testing.assert_allclose(found, 4.0 + RATE * height, atol=2e-3)


@pytest.mark.parametrize("chunk", [7, 16, 64])
def test_values_do_not_depend_on_chunks_or_parts(tmp_path, chunk, monkeypatch):
    random = np.random.default_rng(0)
    _write(tmp_path, GLOBE, lambda _, __, z: RATE * z + random.normal(0, 2, z.shape))
    keywords = {**LOCAL, "fallback": -0.004, "minimum_spread": 250.0}
    whole = _map(tmp_path, **keywords).values
    covariates = {one.name: one for one in _covariates(**keywords)}
    part = build("t", covariates, FINE[3:20, 11:31], epoch=None, root=tmp_path, whole=FINE)
    np.testing.assert_array_equal(part.compute(scheduler="synchronous").values, whole[3:20, 11:31])
    monkeypatch.setattr(resample, "CHUNK", chunk)
    np.testing.assert_array_equal(_map(tmp_path, **keywords).values, whole)


def test_fitted_rates_stay_within_limits(tmp_path):
    height = _write(tmp_path, GLOBE, lambda _, __, z: 10.0 - 0.015 * z)
    found = _map(tmp_path, **LOCAL, limits=[-0.009, 0.0]).values
    right = _map(tmp_path, lapse_rate=-0.015).values
    np.testing.assert_allclose(right, 10.0 - 0.015 * height, atol=2e-3)
    clipped = _map(tmp_path, lapse_rate=-0.009).values
    np.testing.assert_allclose(found, clipped, atol=1e-4)


def test_a_plain_takes_the_fallback_or_is_named(tmp_path):
    _write(
        tmp_path,
        GLOBE,
        lambda _, latitude, z: 20.0 - 0.5 * latitude + 0 * z,
        relief=lambda lon, _: 0 * lon + 100.0,
    )
    flat = _map(tmp_path, **LOCAL, fallback=-0.0065)
    np.testing.assert_array_equal(flat.values, _map(tmp_path, lapse_rate=-0.0065).values)
    assert flat.attrs["lapse_rate"] == "local within 300 km, else -0.0065 degC/m"
    message = r"around \d+\.\d\d N .* coarse cells within 300 km differ by 0 m from a plane; .*set fallback"
    with pytest.raises(PermagridError, match=message):
        _map(tmp_path, **LOCAL)


def test_a_slope_in_one_direction_tells_no_rate(tmp_path):
    """Height rises with latitude alone: what is height and what is latitude cannot be told apart."""
    _write(tmp_path, GLOBE, lambda _, __, z: -0.006 * z, relief=lambda _, latitude: 100.0 * (latitude - 50.0))
    with pytest.raises(PermagridError, match="set fallback"):
        _map(tmp_path, **LOCAL)


def test_units_of_the_inputs_are_minded(tmp_path):
    height = _write(tmp_path, GLOBE, lambda _, __, z: 4.0 + RATE * z)
    covariate, temperature, elevation, dem = _covariates(**LOCAL)
    kelvin = Covariate("coarse_temperature", "raster", "K", {"path": "t.tif", "stored_unit": "degC"})
    kilometres = Covariate("dem", "raster", "km", {"path": "dem.tif", "stored_unit": "m"})
    found = made(covariate, FINE, tmp_path, kelvin, elevation, kilometres)
    np.testing.assert_allclose(found, 4.0 + RATE * height, atol=5e-3)
    wrong = Covariate("coarse_temperature", "raster", "mm", {"path": "t.tif"})
    with pytest.raises(PermagridError, match="temperature_input coarse_temperature: unit 'mm'"):
        made(covariate, FINE, tmp_path, wrong, elevation, dem)
    feet = Covariate("coarse_elevation", "raster", "degC", {"path": "z.tif"})
    with pytest.raises(PermagridError, match="coarse_elevation_input coarse_elevation: unit 'degC'"):
        made(covariate, FINE, tmp_path, temperature, feet, dem)


def test_a_geopotential_is_an_elevation(tmp_path):
    height = _write(tmp_path, GLOBE, lambda _, __, z: 4.0 + RATE * z)
    write_tif(tmp_path / "g.tif", 9.80665 * _relief(*lonlat(GLOBE)), GLOBE)
    covariate, temperature, _, dem = _covariates(**LOCAL)
    geopotential = {"path": "g.tif", "stored_unit": "0.101971621 m"}
    elevation = Covariate("coarse_elevation", "raster", "m", geopotential)
    found = made(covariate, FINE, tmp_path, temperature, elevation, dem)
    np.testing.assert_allclose(found, 4.0 + RATE * height, atol=5e-3)


def test_a_coast_is_not_crossed(tmp_path):
    height = _write(tmp_path, GLOBE, lambda _, __, z: 4.0 + RATE * z)
    sea = lonlat(GLOBE)[0] > -140.0
    stored = np.where(sea, np.nan, 4.0 + RATE * _relief(*lonlat(GLOBE)).astype("float32"))
    write_tif(tmp_path / "t.tif", stored, GLOBE, nodata=np.nan)
    found = _map(tmp_path, **LOCAL).values
    land = np.isfinite(found)
    assert 0.2 < land.mean() < 0.9
    np.testing.assert_allclose(found[land], (4.0 + RATE * height)[land], atol=1e-2)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"lapse_rate": -6.5}, "lapse_rate is in degC/m, as -0.0065 is; found -6.5"),
        ({"lapse_rate": "local"}, "local needs window_radius"),
        ({"window_radius": 1e5}, "window_radius belongs to lapse_rate: local"),
        ({"fallback": -0.006}, "fallback belongs to lapse_rate: local"),
        ({**LOCAL, "fallback": 6.5}, "fallback is in degC/m"),
        ({**LOCAL, "window_radius": 0.0}, "window_radius must be above 0"),
        ({**LOCAL, "limits": [0.0, -0.01]}, "limits must be a lower and a higher"),
        ({**LOCAL, "minimum_cells": 3}, "minimum_cells must be 5 or more"),
        ({**LOCAL, "minimum_spread": 0.0}, "minimum_spread must be above 0"),
        ({**LOCAL, "window_radius": 90_000.0}, r"holds about \d cells of the coarse grid \(111 by \d\d km\)"),
        ({"temperature_input": "none"}, "no covariate 'none' to build from"),
        ({"elevation_input": "none"}, "no covariate 'none' to build from"),
        ({"coarse_elevation_input": "shade"}, "shade is not read from one raster"),
    ],
)
def test_mistakes_are_told_when_it_is_built(tmp_path, keywords, message):
    _write(tmp_path, GLOBE, lambda _, __, z: 4.0 + RATE * z)
    shade = Covariate("shade", "sum_of", "m", {"inputs": ["dem"]})
    everything = {one.name: one for one in (*_covariates(**keywords), shade)}
    with pytest.raises(PermagridError, match=message):
        build("t", everything, FINE, epoch=None, root=tmp_path)
