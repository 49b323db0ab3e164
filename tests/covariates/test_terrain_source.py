"""Terrain analysed at the DEM's own resolution, the edges of maps and poles, and DEMs that are no use."""

import dask
import numpy as np
import pytest
import rasterio
from made_rasters import made, write_tif
from pyproj import Geod

from permagrid.covariates import Covariate, bands, build, resample
from permagrid.covariates.terrain import from_file
from permagrid.covariates.terrain.frame import between, frame_of
from permagrid.covariates.terrain.local import direction, spread
from permagrid.errors import PermagridError
from permagrid.grid import lonlat, make_geobox

GEOD = Geod(ellps="WGS84")
FINE = make_geobox("EPSG:32633", 50, bounds=(400_000, 7_500_000, 406_000, 7_505_000))
COARSE = make_geobox("EPSG:32633", 1_000, bounds=(401_000, 7_501_000, 405_000, 7_504_000))
DEM = Covariate("elevation", "raster", "m", {"path": "dem.tif"})

UNITS = {"slope": "degree", "aspect": "degree", "roughness": "m"}


def index(method, **keywords):
    unit = UNITS.get(method, "1/m" if "curvature" in method else "1")
    return Covariate(method, method, unit, keywords)


def ridges():
    """Return ridges from south to north 200 m apart, whose sides are 30 degrees steep."""
    column = np.arange(FINE.shape[1])
    return np.broadcast_to(np.tan(np.radians(30)) * 50 * np.abs(column % 8 - 4), FINE.shape)


def test_the_order_of_analysis_and_averaging_is_the_users(tmp_path):
    """Ridges between the cells of the study are level there, and steep on the ground."""
    write_tif(tmp_path / "dem.tif", ridges(), FINE)
    first, then = (made(index("slope", analysis=a), COARSE, tmp_path, DEM) for a in ("grid", "source"))
    assert first.attrs["analysis"] == "analysed on the study grid"
    assert then.attrs["analysis"] == "analysed at the DEM's own resolution, then averaged"
    assert then.attrs["units"] == "degree"
    assert first.max() < 0.1
    # On the crests and in the valleys, each eighth column, it is level: 30 degrees x 3 / 4.
    np.testing.assert_allclose(then, 22.5, atol=0.1)


def test_what_is_averaged_is_the_index_of_the_dem_itself(tmp_path):
    height = np.random.default_rng(2).uniform(0, 40, FINE.shape)
    write_tif(tmp_path / "dem.tif", height, FINE)
    frame = frame_of(FINE)
    around = np.pad(height, 1, constant_values=np.nan)
    for method in ("slope", "northness"):
        own = direction(around, frame, method)
        expected = own[20:80, 20:100].reshape(3, 20, 4, 20).mean(axis=(1, 3))
        found = made(index(method, analysis="source"), COARSE, tmp_path, DEM)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_aspects_are_averaged_as_vectors(tmp_path):
    """Slopes that face 20 degrees to both sides of north face north together, not south."""
    row, column = np.mgrid[0 : FINE.shape[0], 0 : FINE.shape[1]] * 50.0
    sideways = np.where(column % 1000 < 500, column % 1000, 1000 - column % 1000)
    write_tif(tmp_path / "dem.tif", 0.2 * (row + np.tan(np.radians(20)) * sideways), FINE)
    found = made(index("aspect", analysis="source"), COARSE, tmp_path, DEM)
    convergence = made(index("aspect", analysis="source", distances="plane"), COARSE, tmp_path, DEM)
    assert np.abs((convergence.values + 180) % 360 - 180).max() < 1e-3
    # True north is not up the map here.
    assert 1 < np.abs((found.values + 180) % 360 - 180).max() < 4
    level = np.full(FINE.shape, 7.0)
    write_tif(tmp_path / "dem.tif", level, FINE)
    assert np.isnan(made(index("aspect", analysis="source"), COARSE, tmp_path, DEM)).all()


def test_a_finer_study_interpolates_the_index(tmp_path):
    write_tif(tmp_path / "dem.tif", ridges(), FINE)
    finer = make_geobox("EPSG:32633", 20, bounds=(402_000, 7_502_000, 402_400, 7_502_400))
    found = made(index("slope", analysis="source"), finer, tmp_path, DEM)
    assert found.attrs["analysis"] == "analysed at the DEM's own resolution, then interpolated"
    assert np.isfinite(found).all()


@pytest.mark.parametrize("method", ["aspect", "longitudinal_curvature"])
def test_neither_chunks_nor_parts_leave_a_seam(tmp_path, monkeypatch, method):
    fine = FINE[:40, :50]
    write_tif(tmp_path / "dem.tif", np.random.default_rng(4).uniform(0, 40, fine.shape), fine)
    grid = make_geobox("EPSG:3995", 200, region=(12.65, 67.62, 12.70, 67.64))
    assert max(grid.shape) > 10
    both = {"elevation": DEM, method: index(method, analysis="source")}
    whole = build(method, both, grid, epoch=None, root=tmp_path).values
    assert 0.3 < np.isfinite(whole).mean() < 1
    part = build(method, both, grid[1:9, 2:9], epoch=None, root=tmp_path, whole=grid).values
    np.testing.assert_array_equal(part, whole[1:9, 2:9])
    monkeypatch.setattr(resample, "CHUNK", 10)
    again = build(method, both, grid, epoch=None, root=tmp_path).values
    np.testing.assert_array_equal(again, whole)


def test_only_one_raster_has_a_resolution_of_its_own(tmp_path):
    write_tif(tmp_path / "dem.tif", ridges(), FINE)
    total = Covariate("total", "sum_of", "m", {"inputs": ["elevation", "elevation"]})
    slope = index("slope", input="total", analysis="source")
    with pytest.raises(PermagridError, match=r"covariate slope: total is not read from one raster"):
        made(slope, COARSE, tmp_path, DEM, total)
    assert np.isfinite(made(index("slope", input="total"), COARSE, tmp_path, DEM, total)).all()


@pytest.mark.parametrize("unit", ["km", "ft", "cm"])
def test_heights_may_be_in_any_unit_of_length(tmp_path, unit):
    hills = np.random.default_rng(1).uniform(0, 300, COARSE.shape)
    write_tif(tmp_path / "dem.tif", hills, COARSE)
    in_metres = made(index("slope"), COARSE, tmp_path, DEM)
    other = Covariate("elevation", "raster", unit, {"path": "dem.tif", "stored_unit": "m"})
    np.testing.assert_allclose(made(index("slope"), COARSE, tmp_path, other), in_metres, rtol=1e-5)
    in_feet = Covariate("elevation", "raster", "m", {"path": "feet.tif", "stored_unit": "ft"})
    write_tif(tmp_path / "feet.tif", hills / 0.3048, COARSE)
    np.testing.assert_allclose(made(index("slope"), COARSE, tmp_path, in_feet), in_metres, rtol=1e-5)


def test_what_is_no_height_has_no_shape(tmp_path):
    write_tif(tmp_path / "dem.tif", np.ones(COARSE.shape), COARSE)
    greenness = Covariate("elevation", "raster", "1", {"path": "dem.tif"})
    with pytest.raises(PermagridError, match=r"covariate slope: elevation is in '1', .* unit of length"):
        made(index("slope"), COARSE, tmp_path, greenness)


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (2, 7)])
@pytest.mark.parametrize("method", ["slope", "roughness", "plan_curvature"])
def test_a_dem_needs_three_rows_and_columns(tmp_path, shape, method):
    rows, columns = shape
    sliver = make_geobox("EPSG:32633", 50, bounds=(4e5, 7.5e6, 4e5 + 50 * columns, 7.5e6 + 50 * rows))
    write_tif(tmp_path / "dem.tif", np.zeros(shape), sliver)
    message = rf"covariate {method}: .*dem.tif has {rows} x {columns} cells .* at least 3 x 3"
    for analysis in ("grid", "source"):
        with pytest.raises(PermagridError, match=message):
            made(index(method, analysis=analysis), COARSE, tmp_path, DEM)


def test_a_dem_without_a_crs_is_told(tmp_path):
    write_tif(tmp_path / "dem.tif", np.zeros(FINE.shape), FINE, crs=None)
    for analysis in ("grid", "source"):
        with pytest.raises(PermagridError, match="has no CRS; state it with the keyword crs"):
            made(index("slope", analysis=analysis), COARSE, tmp_path, DEM)
    stated = Covariate("elevation", "raster", "m", {"path": "dem.tif", "crs": "EPSG:32633"})
    assert (made(index("slope", analysis="source"), COARSE, tmp_path, stated) == 0).all()


def test_a_dem_of_voids_gives_nothing_and_one_with_voids_gives_the_rest(tmp_path):
    write_tif(tmp_path / "dem.tif", np.full(FINE.shape, np.nan), FINE)
    assert np.isnan(made(index("slope"), FINE, tmp_path, DEM)).all()
    holed = np.array(ridges())
    holed[30:34, 50:53] = np.nan
    write_tif(tmp_path / "dem.tif", holed, FINE)
    for method in ("slope", "roughness", "tangential_curvature"):
        values = made(index(method), FINE, tmp_path, DEM).values
        assert (np.isnan(values) == np.isnan(holed)).all()


def test_coordinates_in_degrees_are_no_distances(tmp_path):
    grid = make_geobox("EPSG:4326", 0.1, bounds=(10, 70, 11, 71))
    write_tif(tmp_path / "dem.tif", np.zeros(grid.shape), grid)
    for method in ("slope", "profile_curvature"):
        with pytest.raises(PermagridError, match=r"distances: plane .* allowed here: ellipsoid"):
            made(index(method, distances="plane"), grid, tmp_path, DEM)
    relief = Covariate("relief", "relief_amplitude", "m", {"radius": 2e4, "distances": "plane"})
    with pytest.raises(PermagridError, match=r"distances: plane .* allowed here: ellipsoid"):
        made(relief, grid, tmp_path, DEM)


@pytest.mark.parametrize("smoothing", [-1.0, 0.4])
def test_smoothing_reaches_a_neighbour_or_is_none(tmp_path, smoothing):
    write_tif(tmp_path / "dem.tif", ridges(), FINE)
    with pytest.raises(PermagridError, match=rf"0 for none or at least 1; found {smoothing:g}"):
        made(index("plan_curvature", smoothing=smoothing), COARSE, tmp_path, DEM)


def test_smoothing_is_narrower_than_the_dem(tmp_path):
    write_tif(tmp_path / "dem.tif", ridges(), FINE)
    side = max(FINE.shape)
    for analysis in ("grid", "source"):
        wide = index("plan_curvature", smoothing=side / 2 + 2.0, analysis=analysis)
        with pytest.raises(PermagridError, match="is more than half of the longer side of the DEM"):
            build(wide.name, {wide.name: wide, "elevation": DEM}, FINE, epoch=None, root=tmp_path)


def test_smoothing_takes_the_mean_of_a_disk_first(tmp_path):
    height = np.random.default_rng(6).uniform(0, 40, FINE.shape)
    write_tif(tmp_path / "dem.tif", height, FINE)
    rough, smooth = (made(index("profile_curvature", smoothing=s), FINE, tmp_path, DEM) for s in (0.0, 3.0))
    assert smooth.std() < 0.15 * rough.std()


def test_directions_are_exact_around_a_pole():
    """Bilinear lengths and axes against the ellipsoid itself, cell by cell, up to the pole's own."""
    grid = make_geobox("EPSG:3995", 500, bounds=(-40_250, -40_250, 40_250, 40_250))
    frame = frame_of(grid)
    assert frame.row_step > 20
    x_axis, y_axis = np.empty(grid.shape), np.empty(grid.shape)
    for row in range(grid.shape[0]):
        spread(frame.north_x, frame, row, 0, x_axis[row])
        spread(frame.north_y, frame, row, 0, y_axis[row])
    longitude, latitude = lonlat(grid)
    # Along the central meridian of this projection north is up the map; it turns with the longitude.
    north = np.degrees(np.arctan2(x_axis, y_axis))
    turned = (north + longitude + 180) % 360 - 180
    away = latitude < 90 - 1e-6
    assert np.abs(turned[away]).max() < 2e-3
    assert (~away).sum() == 1


def test_a_hill_over_the_pole_faces_south_to_the_last_cell():
    grid = make_geobox("EPSG:3413", 1_000, bounds=(-60_500, -60_500, 60_500, 60_500))
    x, y = (axis.astype(float) for axis in np.meshgrid(*(grid.pad(1).coords[k].values for k in "xy")))
    # Central differences of a paraboloid are exact.
    aspect = direction(3_000 - 1e-6 * (x**2 + y**2), frame_of(grid), "aspect")
    known = np.hypot(x, y)[1:-1, 1:-1] > 0
    np.testing.assert_allclose(aspect[known], 180, atol=2e-3)
    assert known.sum() == known.size - 1


def test_frames_are_the_same_whichever_part_is_asked():
    grid = make_geobox("EPSG:3995", 500, bounds=(-90_000, -90_000, 90_000, 90_000))
    whole, part = frame_of(grid), frame_of(grid, (slice(101, 160), slice(70, 75)))
    for one, other in zip(whole[4:], part[4:], strict=True):
        cells = [(101, 70), (128, 74), (159, 71)]
        assert [between(one, whole, *at) for at in cells] == [between(other, part, *at) for at in cells]
        rows = np.empty((2, 5))
        spread(one, whole, 140, 70, rows[0])
        spread(other, part, 140, 70, rows[1])
        np.testing.assert_array_equal(*rows)
        np.testing.assert_allclose(rows[0], [between(one, whole, 140, 70 + k) for k in range(5)], rtol=1e-12)


def test_cells_at_the_edge_of_a_map_of_the_globe_are_known():
    """The antimeridian bounds this map, so that nodes of the frame lie beyond it."""
    grid = make_geobox("ESRI:54009", 1_000, bounds=(9_600_000, 7_500_000, 10_000_000, 7_600_000))
    longitude, latitude = lonlat(grid)
    on_map = np.isfinite(longitude) & np.isfinite(latitude)
    assert 0.1 < on_map.mean() < 0.9
    frame = frame_of(grid)
    width = np.empty(grid.shape)
    for row in range(grid.shape[0]):
        spread(frame.width, frame, row, 0, width[row])
    inner = on_map[:, :-1] & on_map[:, 1:]
    step = GEOD.inv(
        *(part[inner] for part in (longitude[:, :-1], latitude[:, :-1])),
        *(part[inner] for part in (longitude[:, 1:], latitude[:, 1:])),
    )[2]
    np.testing.assert_allclose(width[:, :-1][inner], step, rtol=0.02)


@pytest.mark.parametrize("index_name", ["slope", "aspect", "roughness", "plan_curvature", "eastness"])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3995"])
def test_a_file_is_analysed_as_a_covariate_is(tmp_path, monkeypatch, index_name, crs):
    """Strip by strip, with the same bits."""
    grid = make_geobox(crs, 0.01 if crs == "EPSG:4326" else 900, region=(20, 70, 20.8, 70.3))
    heights = np.random.default_rng(7).integers(0, 900, grid.shape).astype("int16")
    heights[5:8, 4] = -32768
    write_tif(tmp_path / "dem.tif", heights, grid, nodata=-32768)
    expected = made(index(index_name), grid, tmp_path, DEM).values
    for cells in (2_000_000, 500):
        monkeypatch.setattr(from_file, "_CELLS_AT_A_TIME", cells)
        from_file.analyse_file(tmp_path / "dem.tif", tmp_path / "out.tif", index_name)
        with rasterio.open(tmp_path / "out.tif") as raster:
            np.testing.assert_array_equal(raster.read(1), expected)
            assert raster.units == (from_file.INDICES[index_name],)
            assert raster.descriptions == (index_name,)
            assert np.isnan(raster.nodata)
            assert (raster.transform, raster.crs) == (grid.affine, str(grid.crs))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dem.tif", "out.tif"]


def test_a_file_may_be_in_feet_or_scaled(tmp_path):
    heights = np.random.default_rng(7).integers(0, 900, FINE.shape)
    write_tif(tmp_path / "dem.tif", heights.astype("float32"), FINE)
    write_tif(tmp_path / "decimetres.tif", (heights * 10).astype("int16"), FINE, scale=0.1)
    write_tif(tmp_path / "feet.tif", (heights / 0.3048).astype("float32"), FINE)
    found = []
    for name, unit in (("dem", "m"), ("decimetres", "m"), ("feet", "ft")):
        from_file.analyse_file(tmp_path / f"{name}.tif", tmp_path / "out.tif", "slope", unit=unit)
        with rasterio.open(tmp_path / "out.tif") as raster:
            found.append(raster.read(1))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-5)


def test_what_a_file_cannot_be_made_of_is_told(tmp_path):
    with pytest.raises(PermagridError, match="no terrain index 'slop': did you mean 'slope'"):
        from_file.analyse_file(tmp_path / "dem.tif", tmp_path / "out.tif", "slop")
    with pytest.raises(PermagridError, match=r"dem\.tif: no such file"):
        from_file.analyse_file(tmp_path / "dem.tif", tmp_path / "out.tif", "slope")
    write_tif(tmp_path / "dem.tif", np.zeros(FINE.shape), FINE)
    with pytest.raises(PermagridError, match=r"'K' .temperature. cannot be turned into 'm'"):
        from_file.analyse_file(tmp_path / "dem.tif", tmp_path / "out.tif", "slope", unit="K")
    with pytest.raises(PermagridError, match=r"slope of .*dem\.tif into .*nowhere/out\.tif"):
        from_file.analyse_file(tmp_path / "dem.tif", tmp_path / "nowhere" / "out.tif", "slope")
    damaged = (tmp_path / "dem.tif").read_bytes()[:30_000]
    (tmp_path / "dem.tif").write_bytes(damaged)
    with pytest.raises(PermagridError, match=r"dem\.tif"):
        from_file.analyse_file(tmp_path / "dem.tif", tmp_path / "out.tif", "slope")
    assert not list(tmp_path.glob("*out*"))


def test_indices_of_one_elevation_that_are_computed_together_read_it_once(tmp_path, monkeypatch):
    write_tif(tmp_path / "dem.tif", ridges(), FINE)
    read, times = bands._read, []
    monkeypatch.setattr(bands, "_read", lambda *arguments: times.append(1) or read(*arguments))
    four = [index(method) for method in ("slope", "aspect", "roughness", "plan_curvature")]
    everything = {one.name: one for one in (DEM, *four)}
    lazy = [build(one.name, everything, COARSE, epoch=None, root=tmp_path) for one in four]
    lazy[0].compute(scheduler="synchronous")
    alone = len(times)
    assert alone > 0
    dask.compute(*lazy, scheduler="synchronous")
    assert len(times) == 2 * alone
