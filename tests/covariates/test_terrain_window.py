"""Position and relief within a radius, against every pair of cells measured one by one."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_rasters import made, write_tif
from pyproj import Geod

from permagrid.covariates import Covariate, build, resample
from permagrid.covariates.terrain import memory
from permagrid.covariates.terrain.disk import cells_within, disk_of, disk_range, disk_sums, mean_filter
from permagrid.errors import PermagridError
from permagrid.grid import lonlat, make_geobox

GEOD = Geod(ellps="WGS84")
RELIEF = Covariate("relief", "relief_amplitude", "m", {"radius": 2_500.0})
POSITION = Covariate("position", "topographic_position_index", "m", {"radius": 2_500.0})
DEM = Covariate("elevation", "raster", "m", {"path": "dem.tif"})

GRIDS = {
    "lon/lat at 45 N": make_geobox("EPSG:4326", 0.01, bounds=(7, 45, 7.2, 45.2)),
    "lon/lat at 80 N": make_geobox("EPSG:4326", 0.01, bounds=(7, 80, 7.5, 80.12)),
    "lon/lat at 89 N": make_geobox("EPSG:4326", 0.02, bounds=(7, 89, 8.6, 89.2)),
    "polar stereographic": make_geobox("EPSG:3995", 1_000, bounds=(-9_000, 1_500_000, 9_000, 1_516_000)),
    "sheared": make_geobox("ESRI:54009", 900, bounds=(9_000_000, 7_500_000, 9_018_000, 7_516_200)),
    "UTM": make_geobox("EPSG:32633", 700, bounds=(400_000, 7_500_000, 411_200, 7_509_800)),
}


def distances_between(grid):
    """Return how far each cell lies from each other one [m]."""
    longitude, latitude = (part.ravel() for part in lonlat(grid))
    one = np.repeat(longitude, longitude.size), np.repeat(latitude, latitude.size)
    other = np.tile(longitude, longitude.size), np.tile(latitude, latitude.size)
    return GEOD.inv(*one, *other)[2].reshape(longitude.size, longitude.size)


@pytest.mark.parametrize("name", GRIDS)
def test_a_radius_is_metres_on_the_ground_wherever_it_lies(tmp_path, name):
    grid, radius = GRIDS[name], 2_500.0
    height = np.random.default_rng(5).uniform(0, 800, grid.shape).astype("float32")
    height[3:5, 6:9] = np.nan
    write_tif(tmp_path / "dem.tif", height, grid)
    position, relief = (made(one, grid, tmp_path, DEM).values for one in (POSITION, RELIEF))
    away = distances_between(grid)
    # On a plane of the cell's own axes, what lies on the rim to two thousandths may be in or out.
    rim = 1e-6 if grid.crs.geographic else 2e-3
    inside, near_rim = away < radius, np.abs(away / radius - 1) < rim
    flat = height.ravel().astype(float)
    judged = 0
    for cell in np.ndindex(height.shape):
        n = np.ravel_multi_index(cell, height.shape)
        if np.isnan(flat[n]):
            assert np.isnan(position[cell])
            assert np.isnan(relief[cell])
            continue
        if near_rim[n].any():
            continue
        window = flat[inside[n]]
        others = flat[inside[n] & (np.arange(flat.size) != n)]
        assert abs(relief[cell] - (np.nanmax(window) - np.nanmin(window))) < 1e-3
        assert abs(position[cell] - (flat[n] - np.nanmean(others))) < 1e-3
        judged += 1
    assert judged > 0.4 * height.size


HEIGHTS = arrays(
    "float32",
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.one_of(st.floats(-400, 4000, width=32), st.just(float("nan"))),
)


@settings(deadline=None, max_examples=60)
@given(height=HEIGHTS, cells=st.floats(1, 7))
def test_sums_and_extremes_are_those_of_every_cell_within(height, cells):
    radius = 25.0 * cells
    grid = make_geobox("EPSG:32632", 25, bounds=(0, 0, 25 * height.shape[1], 25 * height.shape[0]))
    whole = slice(0, height.shape[0]), slice(0, height.shape[1])
    disk = disk_of(grid, whole, radius, "plane")
    around = np.pad(height, ((disk.down,) * 2, (disk.along,) * 2), constant_values=np.nan)
    total, count = disk_sums(around, disk)
    ranges = disk_range(around, disk)
    row, column = np.mgrid[whole]
    for i, k in np.ndindex(height.shape):
        window = height[np.hypot(row - i, column - k) * 25 <= radius * (1 + 1e-12)].astype(float)
        there = window[np.isfinite(window)]
        assert count[i, k] == there.size
        assert abs(total[i, k] - there.sum()) <= 1e-5 * there.size
        if np.isnan(height[i, k]):
            assert np.isnan(ranges[i, k])
        else:
            assert ranges[i, k] == np.float32(there.max()) - np.float32(there.min())


@settings(deadline=None, max_examples=40)
@given(height=HEIGHTS, radius=st.floats(0, 4))
@example(height=np.ones((1, 1), dtype="float32"), radius=1.9999999999999996)
def test_the_mean_filter_is_the_mean_of_a_disk_of_cells(height, radius):
    n = cells_within(radius)
    smooth = mean_filter(np.pad(height, n, constant_values=np.nan), radius)
    row, column = np.mgrid[0 : height.shape[0], 0 : height.shape[1]]
    for i, k in np.ndindex(height.shape):
        if np.isnan(height[i, k]):
            assert np.isnan(smooth[i, k])
        else:
            window = height[np.hypot(row - i, column - k) <= radius + 1e-9]
            assert abs(smooth[i, k] - np.nanmean(window.astype(float))) < 1e-5


@pytest.mark.parametrize("name", ["lon/lat at 80 N", "polar stereographic", "sheared"])
@pytest.mark.parametrize("covariate", [POSITION, RELIEF], ids=["position", "relief"])
def test_chunks_and_parts_leave_no_seam(tmp_path, monkeypatch, name, covariate):
    """Windows of a grid wider than the tiles that they are shaped by."""
    small = GRIDS[name]
    grid = small.pad(20, 5)
    height = np.random.default_rng(8).uniform(0, 800, grid.shape)
    write_tif(tmp_path / "dem.tif", height, grid)
    both = {one.name: one for one in (covariate, DEM)}
    whole = build(covariate.name, both, grid, epoch=None, root=tmp_path).values
    monkeypatch.setattr(resample, "CHUNK", 19)
    again = build(covariate.name, both, grid, epoch=None, root=tmp_path).values
    np.testing.assert_array_equal(again, whole)
    part = build(covariate.name, both, grid[3:20, 11:50], epoch=None, root=tmp_path, whole=grid)
    np.testing.assert_array_equal(part.values, whole[3:20, 11:50])


def test_disks_widen_towards_the_pole_and_stay_on_their_side_of_it():
    grid = make_geobox("EPSG:4326", 0.01, bounds=(0, 70, 0.5, 90))
    reaches = [
        disk_of(grid, (slice(row, row + 1), slice(0, 1)), 5_000.0).along for row in (1999, 1000, 500, 100, 0)
    ]
    assert reaches == sorted(reaches)
    # At 70 N a degree of longitude is 38 km.
    assert reaches[0] == 13
    # Around the pole itself a disk holds all longitudes, each once.
    assert reaches[-1] == (36_000 - 1) // 2


def test_level_ground_has_no_position_and_no_relief(tmp_path):
    grid = GRIDS["UTM"]
    write_tif(tmp_path / "dem.tif", np.full(grid.shape, 1234.567, "float32"), grid)
    for covariate in (POSITION, RELIEF):
        assert (made(covariate, grid, tmp_path, DEM).values == 0).all()
    lonely = np.full(grid.shape, np.nan)
    lonely[5, 5] = 40.0
    write_tif(tmp_path / "dem.tif", lonely, grid)
    for covariate in (POSITION, RELIEF):
        values = made(covariate, grid, tmp_path, DEM).values
        assert values[5, 5] == 0
        assert np.isfinite(values).sum() == 1


@pytest.mark.parametrize("method", ["topographic_position_index", "relief_amplitude"])
@pytest.mark.parametrize("radius", [0.0, -50.0, 100.0, 690.0])
def test_a_radius_without_neighbours_is_refused(tmp_path, method, radius):
    grid = GRIDS["UTM"]
    write_tif(tmp_path / "dem.tif", np.zeros(grid.shape), grid)
    small = Covariate("small", method, "m", {"radius": radius})
    with pytest.raises(PermagridError, match=rf"small: a radius of {radius:g} m .* cells are 700.*m long"):
        build("small", {"small": small, "elevation": DEM}, grid, epoch=None, root=tmp_path)


@pytest.mark.parametrize("method", ["topographic_position_index", "relief_amplitude"])
@pytest.mark.parametrize("analysis", ["grid", "source"])
def test_a_radius_wider_than_the_dem_is_refused(tmp_path, method, analysis):
    """A small grid may lie in a large DEM, which is what is looked at around it."""
    dem, grid = GRIDS["UTM"], GRIDS["UTM"][4:8, 5:9]
    write_tif(tmp_path / "dem.tif", np.zeros(dem.shape), dem)
    for radius in (5_500.0, 5_700.0, 1e9):
        wide = Covariate("wide", method, "m", {"radius": radius, "analysis": analysis})
        if radius < 5_600:
            assert (made(wide, grid, tmp_path, DEM).values == 0).all()
            continue
        with pytest.raises(PermagridError) as told:
            build("wide", {"wide": wide, "elevation": DEM}, grid, epoch=None, root=tmp_path)
        assert str(told.value) == (
            f"covariate wide: a radius of {radius:g} m is more than half of the longer side of the DEM, "
            "11204 m; it must be at most 5601 m"
        )


def test_a_radius_that_takes_more_memory_than_there_is_is_refused(tmp_path, monkeypatch):
    grid = GRIDS["UTM"]
    write_tif(tmp_path / "dem.tif", np.zeros(grid.shape), grid)
    # What is made of other covariates is as large as they say, which nobody knows before.
    others = {
        "raw": Covariate("raw", "raster", "m", {"path": "dem.tif"}),
        "elevation": Covariate("elevation", "filled", "m", {"input": "raw", "distance": 2_000.0}),
    }
    for radius in (1e7, 1e12):
        far = {"far": Covariate("far", "relief_amplitude", "m", {"radius": radius}), **others}
        monkeypatch.setattr(memory, "available_memory", lambda: 4.0)
        with pytest.raises(PermagridError, match=r"far: a radius of .* of memory, but 4 GiB are available: "):
            build("far", far, grid, epoch=None, root=tmp_path)
    near = {"near": Covariate("near", "relief_amplitude", "m", {"radius": 3e3}), **others}
    assert (build("near", near, grid, epoch=None, root=tmp_path).values == 0).all()
