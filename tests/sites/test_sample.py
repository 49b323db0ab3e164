"""Values of a stack at points: by cell, between cells, or from the nearest cell that has them all."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.xr import xr_coords
from pyproj import Geod

from permagrid.errors import PermagridError
from permagrid.grid import lonlat, lonlat_of, make_geobox
from permagrid.sites.sample import NODATA, OUTSIDE, sample_stack

GEOD = Geod(ellps="WGS84")
POLAR = make_geobox("EPSG:3995", 10_000, bounds=(-200_000, 1_500_000, 200_000, 1_800_000))
GLOBE = make_geobox("EPSG:4326", 1, bounds=(-180, 50, 180, 90))
EAST = make_geobox("EPSG:4326", 0.5, region=(170, 60, -170, 70))


def _stack(geobox, **variables):
    arrays = {}
    for name, given_values in variables.items():
        values = np.asarray(given_values, dtype="float32")
        dims = geobox.dimensions if values.ndim == 2 else ("epoch", *geobox.dimensions)
        arrays[name] = (dims, values)
    epochs = (
        {"epoch": ["1980-1984", "1985-1989"]} if any(len(dims) == 3 for dims, _ in arrays.values()) else {}
    )
    return xr.Dataset(arrays, coords={**epochs, **xr_coords(geobox)})


def _numbered(geobox):
    return np.arange(geobox.shape[0] * geobox.shape[1], dtype=float).reshape(geobox.shape)


def _points(geobox, row, column, **more):
    longitude, latitude = lonlat_of(
        geobox, np.atleast_1d(row).astype(float), np.atleast_1d(column).astype(float)
    )
    return pd.DataFrame({"longitude": longitude, "latitude": latitude, **more})


@pytest.mark.parametrize("geobox", [POLAR, GLOBE, EAST], ids=["polar", "globe", "east"])
def test_the_cell_that_holds_a_point_is_taken(geobox):
    random = np.random.default_rng(0)
    row, column = random.uniform(0, geobox.shape[0], 300), random.uniform(0, geobox.shape[1], 300)
    sampled = sample_stack(_stack(geobox, a=_numbered(geobox)), _points(geobox, row, column))
    np.testing.assert_array_equal(sampled["a"], np.floor(row) * geobox.shape[1] + np.floor(column))
    assert (sampled["sampled_distance"] == 0).all()
    assert (sampled["sampling_fault"] == "").all()


def test_lazy_and_loaded_stacks_give_the_same():
    stack = _stack(POLAR, a=_numbered(POLAR), b=np.sqrt(_numbered(POLAR)))
    points = _points(POLAR, np.linspace(0.1, 29.9, 50), np.linspace(39.9, 0.1, 50))
    for rule in ("cell", "bilinear", "nearest"):
        lazy = sample_stack(stack.chunk(y=7, x=9), points, rule=rule, distance=20_000)
        pd.testing.assert_frame_equal(lazy, sample_stack(stack, points, rule=rule, distance=20_000))


def test_the_index_of_the_points_is_kept():
    points = _points(POLAR, [1.5, 2.5], [1.5, 2.5]).set_axis(["x7", "x9"])
    assert sample_stack(_stack(POLAR, a=_numbered(POLAR)), points).index.tolist() == ["x7", "x9"]
    assert sample_stack(_stack(POLAR, a=_numbered(POLAR)), points[:0]).empty


def test_points_outside_and_on_nodata_are_told_apart():
    values = _numbered(POLAR)
    values[4, 4] = np.nan
    points = _points(POLAR, [4.5, -0.5, 5.5], [4.5, 4.5, 4.5])
    points.loc[3] = [np.nan, 80.0]
    points.loc[4] = [10.0, 95.0]
    for rule in ("cell", "bilinear", "nearest"):
        sampled = sample_stack(_stack(POLAR, a=values), points, rule=rule)
        assert sampled["sampling_fault"].tolist() == [NODATA, OUTSIDE, "", OUTSIDE, OUTSIDE]
        assert sampled["a"].isna().tolist() == [True, True, False, True, True]


@given(row=st.floats(1, 28.99), column=st.floats(1, 38.99))
@settings(deadline=None, max_examples=50)
def test_bilinear_follows_a_plane(row, column):
    plane = np.add.outer(3.0 * np.arange(30), 2.0 * np.arange(40))
    sampled = sample_stack(_stack(POLAR, a=plane), _points(POLAR, row, column), rule="bilinear")
    assert sampled["a"][0] == pytest.approx(3 * (row - 0.5) + 2 * (column - 0.5), abs=1e-3)


def test_bilinear_uses_valid_neighbours_only_and_never_fills():
    values = np.full(POLAR.shape, 5.0)
    values[10:, :] = np.nan
    values[10, 3] = -9.0
    sampled = sample_stack(
        _stack(POLAR, a=values), _points(POLAR, [9.9, 10.1, 10.1], [7.5, 7.5, 3.5]), rule="bilinear"
    )
    assert sampled["a"][0] == 5.0
    assert np.isnan(sampled["a"][1])
    assert -9 < sampled["a"][2] < 5


def test_bilinear_leaves_classes_alone():
    stack = _stack(POLAR, soil=np.where(_numbered(POLAR) % 2, 7, 3), a=_numbered(POLAR))
    stack["soil"].attrs["kind"] = "class"
    sampled = sample_stack(stack, _points(POLAR, [5.2, 6.9], [5.9, 5.1]), rule="bilinear")
    assert set(sampled["soil"]) <= {3.0, 7.0}
    assert not np.array_equal(sampled["a"], np.round(sampled["a"]))


def test_bilinear_goes_on_across_180():
    longitude, _ = lonlat(GLOBE)
    field = np.cos(np.radians(longitude))
    points = pd.DataFrame({"longitude": [179.9, -179.9, 180.0, 0.0], "latitude": [60.3] * 4})
    sampled = sample_stack(_stack(GLOBE, a=field), points, rule="bilinear")
    np.testing.assert_allclose(sampled["a"], np.cos(np.radians(points["longitude"])), atol=1e-4)
    assert sampled["a"][0] == pytest.approx(sampled["a"][1], abs=1e-6)


def test_points_on_either_side_of_180_find_their_cell():
    points = pd.DataFrame(
        {"longitude": [179.75, -179.75, 180.25, -180.25, 170.1, -170.1], "latitude": [65.25] * 6}
    )
    sampled = sample_stack(_stack(EAST, a=lonlat(EAST)[0] % 360), points)
    np.testing.assert_allclose(sampled["a"], [179.75, 180.25, 180.25, 179.75, 170.25, 189.75])


def _brute_force(stack, point, distance):
    """Return value and distance of the nearest whole cell, looking at all of them."""
    geobox = stack.odc.geobox
    longitude, latitude = lonlat(geobox)
    whole = np.isfinite(np.stack([stack[name].values for name in stack.data_vars])).all(axis=0)
    away = GEOD.inv(
        np.full(longitude.shape, point["longitude"]),
        np.full(longitude.shape, point["latitude"]),
        longitude,
        latitude,
    )[2]
    away = np.where(whole, away, np.inf)
    nearest = np.unravel_index(away.argmin(), away.shape)
    return (
        (float(stack["a"].values[nearest]), float(away[nearest]))
        if away[nearest] <= distance
        else (np.nan, 0.0)
    )


@pytest.mark.parametrize("geobox", [POLAR, GLOBE, EAST], ids=["polar", "globe", "east"])
@pytest.mark.parametrize("distance", [9_000.0, 60_000.0, 400_000.0])
def test_the_nearest_whole_cell_is_found_on_any_grid(geobox, distance):
    random = np.random.default_rng(int(distance))
    values, other = _numbered(geobox), _numbered(geobox)
    values[random.random(geobox.shape) < 0.9] = np.nan
    other[random.random(geobox.shape) < 0.3] = np.nan
    stack = _stack(geobox, a=values, b=other)
    points = _points(geobox, random.uniform(0, geobox.shape[0], 25), random.uniform(0, geobox.shape[1], 25))
    sampled = sample_stack(stack, points, rule="nearest", distance=distance)
    own = sample_stack(stack, points)
    for index, point in points.iterrows():
        if own["sampling_fault"][index] == "":
            assert sampled["sampled_distance"][index] == 0
            continue
        value, away = _brute_force(stack, point, distance)
        np.testing.assert_equal(
            sampled["a"][index] if sampled["sampling_fault"][index] == "" else np.nan, value
        )
        assert sampled["sampled_distance"][index] == pytest.approx(away, abs=0.01)
        assert (sampled["sampling_fault"][index] == "") == np.isfinite(value)


def test_nearest_looks_beyond_180_and_over_the_pole():
    values = np.full(GLOBE.shape, np.nan)
    values[24, 0] = 1.0
    values[0, 180] = 2.0
    points = pd.DataFrame({"longitude": [179.5, -179.5], "latitude": [65.5, 89.8]})
    sampled = sample_stack(_stack(GLOBE, a=values), points, rule="nearest", distance=100_000)
    assert sampled["a"].tolist() == [1.0, 2.0]
    # A degree of longitude at 65.5 N, and from 89.8 N over the pole to 89.5 N.
    np.testing.assert_allclose(sampled["sampled_distance"], [46_400, 78_200], rtol=0.01)


def test_nearest_takes_all_values_from_one_cell():
    a, b = np.full(POLAR.shape, np.nan), np.full(POLAR.shape, 3.0)
    a[10, 10], b[10, 12] = 1.0, np.nan
    sampled = sample_stack(
        _stack(POLAR, a=a, b=b), _points(POLAR, 10.5, 12.5), rule="nearest", distance=30_000
    )
    assert sampled[["a", "b"]].iloc[0].tolist() == [1.0, 3.0]
    assert sampled["sampled_distance"][0] == pytest.approx(20_000, rel=0.02)


def test_no_distance_means_the_points_own_cell():
    values = _numbered(POLAR)
    values[5, 5] = np.nan
    sampled = sample_stack(_stack(POLAR, a=values), _points(POLAR, 5.5, 5.5), rule="nearest")
    assert sampled["sampling_fault"][0] == NODATA


def test_each_point_takes_its_own_epoch():
    early = _numbered(POLAR)
    stack = _stack(POLAR, a=np.stack([early, early + 10_000]), b=early)
    points = _points(POLAR, [5.5, 5.5, 7.5], [5.5, 5.5, 7.5], epoch=["1980-1984", "1985-1989", "1985-1989"])
    for rule in ("cell", "bilinear", "nearest"):
        sampled = sample_stack(stack, points, rule=rule, distance=1e4)
        np.testing.assert_allclose(sampled["a"] - sampled["b"], [0, 10_000, 10_000], atol=0.01)


def test_nearest_keeps_to_the_epoch():
    early, late = np.full(POLAR.shape, np.nan), np.full(POLAR.shape, np.nan)
    early[5, 6], late[5, 8] = 1.0, 2.0
    points = _points(POLAR, [5.5, 5.5], [5.5, 5.5], epoch=["1980-1984", "1985-1989"])
    sampled = sample_stack(_stack(POLAR, a=np.stack([early, late])), points, rule="nearest", distance=50_000)
    assert sampled["a"].tolist() == [1.0, 2.0]


def test_mistakes_are_told():
    stack = _stack(POLAR, a=np.zeros((2, *POLAR.shape)))
    points = _points(POLAR, 5.5, 5.5, epoch=["1990-1994"])
    with pytest.raises(
        PermagridError, match="no covariates for epoch 1990-1994; the stack has 1980-1984, 1985-1989"
    ):
        sample_stack(stack, points)
    with pytest.raises(PermagridError, match="the points need a column epoch"):
        sample_stack(stack, points.drop(columns="epoch"))
    with pytest.raises(PermagridError, match="distance is a length of at least 0 m, found -1"):
        sample_stack(stack, points, rule="nearest", distance=-1)
