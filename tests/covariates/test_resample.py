"""Resampling: exact at pole and antimeridian, free of nodata, the same for every block."""

import dask
import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rasters import GLOBE, GLOBE_0_360, GRIDS, POLAR, grid_of, smooth, smooth_grid
from odc.geo.geobox import GeoBox

from permagrid.covariates import lookup, resample
from permagrid.covariates.lazy import lazy_grid
from permagrid.covariates.resample import onto
from permagrid.grid import lonlat, make_geobox

METHODS = ("nearest", "bilinear", "average", "mode")


def _values(source, geobox, **options):
    return onto(source, geobox, **options).compute(scheduler="synchronous").values


@pytest.fixture(scope="module")
def patchy():
    """Codes 1 to 5 with holes, on a grid around the globe whose cells are of awkward size."""
    grid = make_geobox("EPSG:4326", 0.7, bounds=(-180.6, 20.3, 180.6, 90.3))
    random = np.random.default_rng(5)
    codes = random.integers(1, 6, grid.shape).astype(float)
    codes[random.random(grid.shape) < 0.2] = np.nan
    return grid_of(codes, grid)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", GRIDS)
def test_a_block_has_the_very_values_of_the_whole(patchy, name, method, monkeypatch):
    geobox = GRIDS[name]
    whole = _values(patchy, geobox, resampling=method)
    monkeypatch.setattr(resample, "CHUNK", 11)
    np.testing.assert_array_equal(_values(patchy, geobox, resampling=method), whole)
    part = _values(patchy, geobox[7:23, 4:29], resampling=method, whole=geobox)
    np.testing.assert_array_equal(part, whole[7:23, 4:29])


def test_a_rim_around_a_grid_joins_it_without_a_seam(patchy):
    geobox = POLAR["stereographic"]
    rim = _values(patchy, geobox[5:20, 5:20].pad(1), resampling="bilinear", whole=geobox)
    np.testing.assert_array_equal(rim, _values(patchy, geobox, resampling="bilinear")[4:21, 4:21])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("source", [GLOBE, GLOBE_0_360], ids=["-180..180", "0..360"])
def test_a_constant_field_stays_constant_everywhere(name, source, method):
    field = grid_of(np.full(source.shape, 7.3), source)
    assert (_values(field, GRIDS[name], resampling=method) == np.float32(7.3)).all()


@given(
    value=st.floats(-1e6, 1e6, width=32),
    longitude=st.floats(-180, 180),
    latitude=st.floats(55, 90),
    resolution=st.sampled_from([700.0, 9_000.0, 130_000.0]),
    method=st.sampled_from(METHODS),
)
@settings(max_examples=60, deadline=None)
def test_no_place_changes_a_constant(value, longitude, latitude, resolution, method):
    crs = f"+proj=laea +lat_0={latitude} +lon_0={longitude} +datum=WGS84 +units=m +type=crs"
    geobox = GeoBox.from_bbox(
        (-4 * resolution, -4 * resolution, 4 * resolution, 4 * resolution), crs, shape=(8, 8)
    )
    field = grid_of(np.full(GLOBE.shape, value), GLOBE)
    assert (_values(field, geobox, resampling=method) == np.float32(value)).all()


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("source", [GLOBE, GLOBE_0_360], ids=["-180..180", "0..360"])
def test_bilinear_follows_a_smooth_field_over_pole_and_antimeridian(name, source):
    truth = smooth(*lonlat(GRIDS[name]))
    error = np.abs(_values(smooth_grid(source), GRIDS[name], resampling="bilinear") - truth)
    # Half a degree from a node, a field of curvature 10 is off by at most 2 * 10 * 0.0175**2 / 8.
    assert error.max() < 8e-4


@pytest.mark.parametrize("crs", ["EPSG:3408", "EPSG:3413", "EPSG:6931", "EPSG:3571"])
@pytest.mark.parametrize("name", POLAR)
def test_projected_sources_come_to_their_place(crs, name):
    source = make_geobox(crs, 40_000, bounds=(-4_000_000, -4_000_000, 4_000_000, 4_000_000))
    truth = smooth(*lonlat(POLAR[name]))
    error = np.abs(_values(smooth_grid(source), POLAR[name], resampling="bilinear") - truth)
    assert error.max() < 1e-3


def test_a_grid_on_a_sphere_takes_latitudes_as_they_are():
    """EASE-Grid North: latitude B is 2 R sin((90 - B) / 2) from the pole, whatever the ellipsoid."""
    cell, half = 12_533.7625, 100.5
    ease = GeoBox((201, 201), Affine(cell, 0, -half * cell, 0, -cell, half * cell), "EPSG:3408")
    latitude = 90 - 2 * np.degrees(np.arcsin(30 * cell / (2 * 6_371_228.0)))
    codes = np.zeros(ease.shape)
    codes[100 + 30, 100] = 5.0
    around = make_geobox("EPSG:4326", 0.02, bounds=(-0.01, latitude - 0.01, 0.01, latitude + 0.01))
    assert _values(grid_of(codes, ease), around, kind="class")[0, 0] == 5.0


@pytest.mark.parametrize("method", ["nearest", "bilinear", "average"])
def test_nodata_is_never_mixed_in(patchy, method):
    field = patchy.where(np.isfinite(patchy), np.inf)
    out = _values(field, POLAR["equal-area"], resampling=method)
    seen = out[np.isfinite(out)]
    assert not np.isinf(out).any()
    assert seen.min() >= 1
    assert seen.max() <= 5
    assert 0.4 < np.isfinite(out).mean() < 1


def test_bilinear_invents_nothing_where_the_nearest_cell_is_nodata():
    source = make_geobox("EPSG:3995", 10, bounds=(0, 0, 30, 30))
    values = np.full((3, 3), 4.0)
    values[1, 1] = np.nan
    out = _values(
        grid_of(values, source), make_geobox("EPSG:3995", 5, bounds=(0, 0, 30, 30)), resampling="bilinear"
    )
    assert np.isnan(out[2:4, 2:4]).all()
    assert (np.isnan(out).sum(), np.nanmin(out), np.nanmax(out)) == (4, 4.0, 4.0)


def test_average_needs_data_on_half_of_a_cell():
    source = make_geobox("EPSG:3995", 10, bounds=(0, 0, 40, 20))
    values = [[1.0, np.nan, 1.0, np.nan], [3.0, np.nan, np.nan, np.nan]]
    target = make_geobox("EPSG:3995", 20, bounds=(0, 0, 40, 20))
    np.testing.assert_array_equal(
        _values(grid_of(values, source), target, resampling="average"), [[2.0, np.nan]]
    )


def test_beyond_its_edge_a_source_has_no_values():
    source = make_geobox("EPSG:4326", 1, bounds=(-20, 60, 20, 80))
    target = make_geobox("EPSG:4326", 1, bounds=(-25, 55, 25, 85))
    for method in METHODS:
        out = _values(grid_of(np.ones(source.shape), source), target, resampling=method)
        assert np.isfinite(out).sum() == source.shape[0] * source.shape[1]
        assert np.isnan(
            _values(grid_of(np.ones(source.shape), source), target[:, :2], resampling=method)
        ).all()


@given(
    ratio=st.integers(2, 20),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=40, deadline=None)
def test_average_keeps_the_mean(ratio, shape, seed):
    rows, columns = shape
    fine = make_geobox("EPSG:6931", 100, bounds=(0, 0, columns * ratio * 100, rows * ratio * 100))
    coarse = make_geobox("EPSG:6931", 100 * ratio, bounds=(0, 0, columns * ratio * 100, rows * ratio * 100))
    values = np.random.default_rng(seed).normal(size=fine.shape)
    out = _values(grid_of(values, fine), coarse, resampling="average")
    exact = values.reshape(rows, ratio, columns, ratio).mean(axis=(1, 3))
    # The primes beyond eight cannot be counted evenly: there source cells are weighed to an eighth of a cell.
    np.testing.assert_allclose(out, exact, atol=0.25 if ratio in (11, 13, 17, 19) else 1e-6)


def test_average_around_the_globe_has_no_seam():
    """25 source cells to a cell of the grid: they are averaged in groups that do not divide a turn."""
    source = make_geobox("EPSG:4326", 0.1, bounds=(-180, 60, 180, 75))
    longitude, _ = lonlat(source)
    field = grid_of(np.cos(np.radians(longitude)), source)
    target = make_geobox("EPSG:4326", 2.5, bounds=(170, 60, 190, 75))
    truth = np.cos(np.radians(lonlat(target)[0]))
    np.testing.assert_allclose(_values(field, target, resampling="average"), truth, atol=2e-3)


@given(seed=st.integers(0, 10_000), ratio=st.integers(2, 12))
@settings(max_examples=30, deadline=None)
def test_mode_takes_the_majority(seed, ratio):
    random = np.random.default_rng(seed)
    fine = make_geobox("EPSG:3995", 10, bounds=(0, 0, 40 * ratio, 40 * ratio))
    coarse = make_geobox("EPSG:3995", 10 * ratio, bounds=(0, 0, 40 * ratio, 40 * ratio))
    codes = random.integers(1, 4, fine.shape).astype(float)
    out = _values(grid_of(codes, fine), coarse, resampling="mode")
    cells = codes.reshape(4, ratio, 4, ratio).swapaxes(1, 2).reshape(4, 4, -1)
    counts = np.stack([(cells == code).sum(-1) for code in (1, 2, 3)])
    # argmax takes the first of those that are equal: the lowest code.
    np.testing.assert_array_equal(out, counts.argmax(axis=0) + 1)


def test_auto_chooses_by_kind_and_size():
    codes = np.kron([[1.0, 4.0], [1.0, 1.0]], np.ones((2, 2)))
    source = grid_of(codes, make_geobox("EPSG:3995", 10, bounds=(0, 0, 40, 40)))
    coarse = make_geobox("EPSG:3995", 40, bounds=(0, 0, 40, 40))
    fine = make_geobox("EPSG:3995", 5, bounds=(0, 0, 40, 40))
    assert _values(source, coarse)[0, 0] == 1.75
    assert _values(source, coarse, kind="class")[0, 0] == 1.0
    assert set(np.unique(_values(source, fine, kind="class"))) == {1.0, 4.0}
    assert ((_values(source, fine) > 1) & (_values(source, fine) < 4)).any()


def test_a_source_on_the_grid_itself_is_not_changed(patchy):
    np.testing.assert_array_equal(_values(patchy, patchy.odc.geobox), patchy.values.astype("float32"))


def test_a_series_gives_what_its_layers_give(patchy):
    random = np.random.default_rng(1)
    shape = (60, *patchy.shape)
    layers = np.where(random.random(shape) < 0.1, np.nan, random.integers(1, 4, shape))
    series = grid_of(layers, patchy.odc.geobox)
    geobox = POLAR["stereographic"]
    for method in METHODS:
        together = _values(series, geobox, resampling=method)
        assert together.shape == (60, *geobox.shape)
        for step in (0, 13, 59):
            np.testing.assert_array_equal(together[step], _values(series[step], geobox, resampling=method))


def test_layers_of_one_source_grid_share_what_was_looked_up(patchy, monkeypatch):
    monkeypatch.setattr(resample, "CHUNK", 20)
    looked_up = []
    find = lookup.find_lookup
    monkeypatch.setattr(resample, "find_lookup", lambda *args: looked_up.append(1) or find(*args))
    geobox = POLAR["equal-area"]
    layers = [onto(patchy + k, geobox, resampling="bilinear") for k in range(5)]
    dask.compute(*layers, scheduler="synchronous")
    assert len(looked_up) == 4


@pytest.mark.parametrize("method", METHODS)
def test_a_huge_source_is_read_in_windows_of_bounded_size(method, monkeypatch):
    monkeypatch.setattr(lookup, "WINDOW_CELLS", 200_000)
    monkeypatch.setattr(resample, "WINDOW_CELLS", 200_000)
    # 30 arc seconds around the globe, 20 000 to 40 000 of whose cells lie in every cell of the grid.
    huge = make_geobox("EPSG:4326", 1 / 120, bounds=(-180, 0, 180, 90))
    sizes = []

    def read(key):
        rows, columns = (np.arange(size)[part] for part, size in zip(key, huge.shape, strict=True))
        sizes.append(rows.size * columns.size)
        return np.broadcast_to(np.round(90 - (rows + 0.5) / 120.0)[:, None], (rows.size, columns.size)).copy()

    geobox = make_geobox("EPSG:3995", 200_000, bounds=(-200_000, -600_000, 400_000, 200_000))
    out = _values(lazy_grid(read, huge, {}), geobox, resampling=method)
    assert max(sizes) <= 200_000
    np.testing.assert_allclose(out, lonlat(geobox)[1], atol=1.0)


def test_a_grid_where_a_source_cannot_be_projected_is_nodata():
    source = make_geobox("EPSG:4326", 1, bounds=(-20, 60, 20, 80))
    far = make_geobox("EPSG:6931", 1e6, bounds=(-20e6, -20e6, -18e6, -18e6))
    assert np.isnan(_values(grid_of(np.ones(source.shape), source), far)).all()
