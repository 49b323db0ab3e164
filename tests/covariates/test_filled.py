"""Gaps filled from the nearest cell: against brute force, at coasts, over the antimeridian and the pole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rasters import GRIDS, made, write_tif
from pyproj import Geod

from permagrid.covariates import Covariate
from permagrid.covariates.terrain import memory
from permagrid.errors import PermagridError
from permagrid.grid import lonlat, make_geobox

SPHERE = Geod(a=6371008.8, b=6371008.8)


def fill(folder, values, geobox, distance, **keywords):
    write_tif(folder / "gaps.tif", values, geobox)
    raw = Covariate("raw", "raster", "m", {"path": "gaps.tif"})
    one = Covariate("whole", "filled", "m", {"input": "raw", "distance": distance}, **keywords)
    return made(one, geobox, folder, raw).values


def brute(values, geobox, distance):
    longitude, latitude = lonlat(geobox)
    known = np.isfinite(values)
    out = values.copy()
    for cell in np.argwhere(~known):
        here = [np.full(known.sum(), axis[tuple(cell)]) for axis in (longitude, latitude)]
        away = SPHERE.inv(*here, longitude[known], latitude[known])[2]
        if away.size and away.min() <= distance:
            out[tuple(cell)] = values[known][np.flatnonzero(away <= away.min() + 6e-6)[0]]
    return out


@pytest.mark.parametrize("name", GRIDS)
def test_it_is_the_nearest_on_the_ground(tmp_path, name):
    geobox = GRIDS[name][:24, :30]
    generator = np.random.default_rng(2)
    values = generator.normal(size=geobox.shape).astype("float32")
    values[generator.random(geobox.shape) < 0.93] = np.nan
    step = 1.7 * 50_000
    found = fill(tmp_path, values, geobox, step)
    np.testing.assert_array_equal(found, brute(values, geobox, step))
    assert np.isfinite(found).sum() > np.isfinite(values).sum()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), distance=st.floats(10_000, 60_000))
def test_what_is_there_stays_and_what_is_too_far_is_nodata(seed, distance, tmp_path_factory):
    geobox = make_geobox("EPSG:6931", 10_000, bounds=(0, 0, 120_000, 90_000))
    generator = np.random.default_rng(seed)
    values = generator.normal(size=geobox.shape).astype("float32")
    values[generator.random(geobox.shape) < 0.9] = np.nan
    found = fill(tmp_path_factory.mktemp("gaps"), values, geobox, distance)
    known = np.isfinite(values)
    np.testing.assert_array_equal(found[known], values[known])
    np.testing.assert_array_equal(found, brute(values, geobox, distance))


def test_it_looks_across_the_antimeridian(tmp_path):
    geobox = make_geobox("EPSG:4326", 1.0, region=(-180, 60, 180, 66))
    values = np.full(geobox.shape, np.nan, dtype="float32")
    values[2, 0] = 7.0
    assert fill(tmp_path, values, geobox, 70_000)[2, -1] == 7.0


def test_classes_stay_classes(tmp_path):
    geobox = make_geobox("EPSG:3995", 10_000, bounds=(0, 0, 50_000, 50_000))
    values = np.full(geobox.shape, np.nan, dtype="float32")
    values[0, 0], values[4, 4] = 3, 9
    write_tif(tmp_path / "gaps.tif", values, geobox)
    raw = Covariate("raw", "raster", "class", {"path": "gaps.tif"}, kind="class")
    one = Covariate("whole", "filled", "class", {"input": "raw", "distance": 100_000.0}, kind="class")
    assert set(np.unique(made(one, geobox, tmp_path, raw).values)) == {3.0, 9.0}


def test_a_distance_of_nothing_is_refused(tmp_path):
    geobox = make_geobox("EPSG:3995", 10_000, bounds=(0, 0, 50_000, 50_000))
    with pytest.raises(PermagridError, match="distance must be above 0 m, found 0"):
        fill(tmp_path, np.ones(geobox.shape, "float32"), geobox, 0.0)


@pytest.mark.parametrize("name", GRIDS)
def test_a_distance_that_reaches_no_other_cell_is_refused(tmp_path, name):
    geobox = GRIDS[name][:24, :30]
    values = np.ones(geobox.shape, "float32")
    values[::2, ::2] = np.nan
    longitude, latitude = lonlat(geobox)
    steps = [
        SPHERE.inv(longitude[one], latitude[one], longitude[other], latitude[other])[2].min()
        for one, other in (((slice(1, None),), (slice(-1),)), (np.s_[:, 1:], np.s_[:, :-1]))
    ]
    # Where it reaches some cells only, it fills those.
    assert np.isfinite(fill(tmp_path, values, geobox, 1.05 * min(steps))).sum() > np.isfinite(values).sum()
    with pytest.raises(PermagridError, match=r"whole: a distance of .* m reaches no other cell, as"):
        fill(tmp_path, values, geobox, 0.9 * min(steps))


def test_a_distance_that_takes_more_memory_than_there_is_is_refused(tmp_path, monkeypatch):
    geobox = make_geobox("EPSG:3995", 1_000, bounds=(0, 0, 300_000, 300_000))
    values = np.ones(geobox.shape, "float32")
    monkeypatch.setattr(memory, "available_memory", lambda: 0.004)
    assert np.isfinite(fill(tmp_path, values, geobox, 2_000.0)).all()
    with pytest.raises(PermagridError, match=r"a distance of 1e\+09 m around a block .* are available: take"):
        fill(tmp_path, values, geobox, 1e9)


def test_units_are_turned_and_never_taken_for_others(tmp_path):
    geobox = make_geobox("EPSG:3995", 10_000, bounds=(0, 0, 50_000, 50_000))
    write_tif(tmp_path / "gaps.tif", np.full(geobox.shape, 50.0), geobox)
    raw = Covariate("raw", "raster", "%", {"path": "gaps.tif"})
    keywords = {"input": "raw", "distance": 20_000.0}
    share = made(Covariate("whole", "filled", "1", keywords), geobox, tmp_path, raw)
    np.testing.assert_allclose(share.values, 0.5)
    with pytest.raises(PermagridError, match="cannot be turned into 'degC'"):
        made(Covariate("whole", "filled", "degC", keywords), geobox, tmp_path, raw)
    with pytest.raises(PermagridError, match="raw is of kind continuous; set kind: continuous"):
        made(Covariate("whole", "filled", "class", keywords, kind="class"), geobox, tmp_path, raw)
