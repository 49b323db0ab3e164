"""Slope and aspect of planes whose tilt is known, on any grid, at any latitude and over the pole."""

import dask.array as da
import numpy as np
import pytest
from made_rasters import GRIDS, POLAR, made, write_tif
from pyproj import Geod

from permagrid.covariates import Covariate, build, resample
from permagrid.covariates.terrain.frame import frame_of
from permagrid.covariates.terrain.local import direction
from permagrid.grid import lonlat, make_geobox

GEOD = Geod(ellps="WGS84")
RISE = 0.02
UNIT = {"slope": "degree", "aspect": "degree", "northness": "1", "eastness": "1"}


def _terrain(root, elevation, geobox, method, whole=None):
    write_tif(root / "dem.tif", np.asarray(elevation, "float64"), whole or geobox)
    dem = Covariate("elevation", "raster", "m", {"path": "dem.tif"})
    return made(Covariate(method, method, UNIT[method]), geobox, root, dem).values


def _north_of(latitude, south=50.0):
    """Distance of parallels from another along a meridian [m]."""
    there = np.full(latitude.shape, 0.0)
    return GEOD.inv(there, np.full(latitude.shape, south), there, latitude)[2]


PLACES = {
    "lon/lat at 70 N": make_geobox("EPSG:4326", 0.01, bounds=(30, 70, 30.4, 70.2)),
    "lon/lat beyond 180": make_geobox("EPSG:4326", 0.01, bounds=(179.8, 70, 180.2, 70.2)),
    "polar stereographic": make_geobox("EPSG:3413", 1000, bounds=(500_000, -2_040_000, 540_000, -2_000_000)),
    "antimeridian": make_geobox("EPSG:3995", 1000, bounds=(-20_000, 1_500_000, 20_000, 1_540_000)),
    "equal-area": make_geobox("EPSG:6931", 1000, bounds=(-2_020_000, 800_000, -1_980_000, 840_000)),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_rise_to_the_north_is_true_wherever_it_lies(tmp_path, name):
    geobox = PLACES[name]
    wide = geobox.pad(3)
    elevation = RISE * _north_of(lonlat(wide)[1])
    slope = _terrain(tmp_path, elevation, geobox, "slope", wide)
    np.testing.assert_allclose(slope, np.degrees(np.arctan(RISE)), rtol=2e-4)
    aspect = _terrain(tmp_path, elevation, geobox, "aspect", wide)
    np.testing.assert_allclose(aspect, 180.0, atol=0.1)
    northness = _terrain(tmp_path, elevation, geobox, "northness", wide)
    np.testing.assert_allclose(northness, -np.sin(np.arctan(RISE)), rtol=2e-4)
    np.testing.assert_allclose(_terrain(tmp_path, elevation, geobox, "eastness", wide), 0, atol=1e-4)


@pytest.mark.parametrize("name", PLACES)
def test_a_rise_to_the_east_is_true_wherever_it_lies(tmp_path, name):
    geobox = PLACES[name]
    wide = geobox.pad(3)
    longitude, latitude = lonlat(wide)
    west = lonlat(geobox)[0].flat[0]
    east = (longitude - west + 180) % 360 - 180
    degree = GEOD.inv(np.zeros(latitude.shape), latitude, np.full(latitude.shape, 0.01), latitude)[2] * 100
    elevation = RISE * east * degree
    # The length of a degree changes with latitude, so this surface is a plane only near its western edge.
    slope = _terrain(tmp_path, elevation, geobox, "slope", wide)
    aspect = _terrain(tmp_path, elevation, geobox, "aspect", wide)
    near = np.abs(((lonlat(geobox)[0] - west + 180) % 360) - 180) < 0.05
    np.testing.assert_allclose(slope[near], np.degrees(np.arctan(RISE)), rtol=5e-3)
    np.testing.assert_allclose(aspect[near], 270.0, atol=0.5)
    eastness = _terrain(tmp_path, elevation, geobox, "eastness", wide)
    np.testing.assert_allclose(eastness[near], -np.sin(np.arctan(RISE)), rtol=5e-3)


@pytest.mark.parametrize("name", POLAR)
def test_a_cone_around_the_pole_slopes_away_from_it(tmp_path, name):
    geobox = POLAR[name]
    latitude = lonlat(geobox)[1]
    distance = _north_of(latitude, 90.0)
    slope = _terrain(tmp_path, 100_000 - RISE * distance, geobox, "slope")
    aspect = _terrain(tmp_path, 100_000 - RISE * distance, geobox, "aspect")
    inner = np.zeros(geobox.shape, dtype=bool)
    inner[1:-1, 1:-1] = True
    cone = inner & (distance > 300_000)
    # A cone is no plane over cells of 50 km; the nearer to its tip, the less.
    np.testing.assert_allclose(slope[cone], np.degrees(np.arctan(RISE)), rtol=0.01)
    np.testing.assert_allclose(aspect[cone], 180, atol=1.0)


def test_a_plane_across_the_pole_has_one_slope(tmp_path):
    """East and north change sides at the pole; the steepness must not notice."""
    geobox = make_geobox("EPSG:3995", 1000, bounds=(-20_000, -20_000, 20_000, 20_000))
    wide = geobox.pad(2)
    x = np.broadcast_to(wide.coords["x"].values, wide.shape)
    slope = _terrain(tmp_path, RISE * x, geobox, "slope", wide)
    # The projection is true to scale at 71 N and shortens lengths by 2.7 % at the pole.
    np.testing.assert_allclose(slope, np.degrees(np.arctan(RISE * 0.9728)), rtol=2e-3)


def test_level_ground_faces_nowhere(tmp_path):
    geobox = PLACES["equal-area"]
    level = np.full(geobox.pad(2).shape, 300.0)
    assert np.isnan(_terrain(tmp_path, level, geobox, "aspect", geobox.pad(2))).all()
    for method in ("slope", "northness", "eastness"):
        assert (_terrain(tmp_path, level, geobox, method, geobox.pad(2)) == 0).all()


@pytest.mark.parametrize("name", ["lon/lat", "lon/lat beyond 180"])
def test_level_ground_is_level_on_degree_grids(tmp_path, name):
    """A grid of degrees read as metres would be 87 degrees steep."""
    geobox = GRIDS[name]
    assert np.nanmax(_terrain(tmp_path, np.full(geobox.shape, 10.0), geobox, "slope")) == 0
    hills = np.random.default_rng(0).uniform(0, 500, geobox.shape)
    assert 0 < np.nanmedian(_terrain(tmp_path, hills, geobox, "slope")) < 5


def test_beside_the_sea_a_slope_goes_on(tmp_path):
    geobox = PLACES["polar stereographic"]
    wide = geobox.pad(2)
    elevation = np.broadcast_to(20.0 * np.arange(wide.shape[1]), wide.shape).copy()
    whole = _terrain(tmp_path, elevation, geobox, "slope", wide)
    elevation[:, :12] = np.nan
    elevation[8, 20] = np.nan
    slope = _terrain(tmp_path, elevation, geobox, "slope", wide)
    assert np.isnan(slope[:, :10]).all()
    assert np.isnan(slope).sum() == 10 * slope.shape[0] + 1
    seen = np.isfinite(slope)
    np.testing.assert_allclose(slope[seen], whole[seen], rtol=1e-5)
    # A lonely cell is level: nothing says otherwise.
    alone = np.full(wide.shape, np.nan)
    alone[9, 9] = 50.0
    assert _terrain(tmp_path, alone, geobox, "slope", wide)[7, 7] == 0


def test_cells_nowhere_on_the_globe_have_no_slope():
    beyond_the_map = make_geobox("ESRI:54009", 1000, bounds=(17_500_000, 8_500_000, 17_501_000, 8_501_000))
    assert np.isnan(direction(np.ones((3, 3)), frame_of(beyond_the_map), "slope")).all()


@pytest.mark.parametrize("method", ["slope", "aspect", "northness", "eastness"])
def test_chunks_leave_no_seam(tmp_path, monkeypatch, method):
    source = make_geobox("EPSG:4326", 0.1, bounds=(-180, 70, 180, 90))
    hills = np.random.default_rng(2).uniform(0, 900, source.shape)
    write_tif(tmp_path / "dem.tif", hills, source)
    dem = Covariate("elevation", "raster", "m", {"path": "dem.tif"})
    both = {"elevation": dem, method: Covariate(method, method, UNIT[method])}
    geobox = POLAR["stereographic"]
    whole = build(method, both, geobox, epoch=None, root=tmp_path).values
    monkeypatch.setattr(resample, "CHUNK", 13)
    chunked = build(method, both, geobox, epoch=None, root=tmp_path)
    assert isinstance(chunked.data, da.Array)
    assert len(chunked.data.chunks[0]) == 3
    np.testing.assert_array_equal(chunked.values, whole)


def test_terrain_may_be_made_of_any_covariate(tmp_path):
    geobox = PLACES["equal-area"]
    write_tif(tmp_path / "a.tif", np.random.default_rng(1).uniform(0, 50, geobox.shape), geobox)
    a = Covariate("a", "raster", "m", {"path": "a.tif"})
    total = Covariate("total", "sum_of", "m", {"inputs": ["a", "a"]})
    slope = Covariate("slope", "slope", "degree", {"input": "total"})
    steeper = made(slope, geobox, tmp_path, a, total).values
    flatter = made(Covariate("slope", "slope", "degree", {"input": "a"}), geobox, tmp_path, a).values
    np.testing.assert_allclose(np.tan(np.radians(steeper)), 2 * np.tan(np.radians(flatter)), rtol=1e-4)
