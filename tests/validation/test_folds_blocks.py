"""Blocks are of equal area, never cut a place, and deals can be even; buffers hold on the sphere."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sites import great_circle, sites
from pyproj import Geod

from permagrid.errors import PermagridError
from permagrid.validation import FOLDS
from permagrid.validation.blocks import blocks_of

SHAPES = ["square", "hexagon"]


def cap(n=40_000):
    random = np.random.default_rng(0)
    latitude = np.degrees(np.arcsin(random.uniform(np.sin(np.radians(60)), 1, n)))
    return random.uniform(-180, 180, n), latitude


@pytest.mark.parametrize("n_folds", [None, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_block_is_never_in_train_and_test(n_folds, shape):
    table = sites(rows_per_site=1)
    block = blocks_of(table["longitude"].to_numpy(), table["latitude"].to_numpy(), 500e3, shape=shape)
    folds = FOLDS["block"](table, size=500e3, n_folds=n_folds, shape=shape)
    for train, test in folds:
        assert not set(block[train]) & set(block[test])
    assert len(folds) == (n_folds or len(set(block)))
    assert len(set(zip(block, folds.groups, strict=True))) == len(set(block)) == len(set(folds.groups))


@pytest.mark.parametrize(
    ("shape", "area", "across"), [("square", 1.0, np.sqrt(2)), ("hexagon", 0.75**0.5, 1.1548)]
)
def test_blocks_are_of_equal_area_and_compact(shape, area, across):
    longitude, latitude = cap()
    block = blocks_of(longitude, latitude, 1_000_000.0, shape=shape)
    # Points of equal density: blocks within the cap hold equally many, wherever they lie.
    counts = np.bincount(block)
    density = len(block) / (2 * np.pi * 6371.0**2 * (1 - np.sin(np.radians(60))))
    full = counts[np.argsort(counts)[-12:]] / density / area
    assert full.min() > 0.9e6
    assert full.max() < 1.1e6
    geod = Geod(ellps="WGS84")
    for number in np.argsort(counts)[-3:]:
        inside = np.flatnonzero(block == number)[:60]
        lon, lat = longitude[inside], latitude[inside]
        away = geod.inv(np.full(60, lon[0]), np.full(60, lat[0]), lon, lat)[2]
        assert away.max() < 1.05 * across * 1e6


def test_hexagons_have_six_neighbours_at_one_distance():
    longitude, latitude = cap(200_000)
    block = blocks_of(longitude, latitude, 800_000.0, shape="hexagon")
    x, y, z = np.cos(np.radians(latitude)) * [
        np.cos(np.radians(longitude)),
        np.sin(np.radians(longitude)),
        0 * longitude,
    ]
    z = np.sin(np.radians(latitude))
    counts = np.bincount(block)
    middle = np.stack([np.bincount(block, part) / counts for part in (x, y, z)], axis=1)
    middle /= np.linalg.norm(middle, axis=1)[:, np.newaxis]
    # The one at the pole, around which projection and sphere agree.
    pole = int(middle[:, 2].argmax())
    away = 6371e3 * np.arccos(np.clip(middle @ middle[pole], -1, 1))
    ring = np.sort(away)[1:8]
    np.testing.assert_allclose(ring[:6], 800e3, rtol=0.02)
    assert ring[6] > 1.3e6


@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_have_no_seam_at_the_antimeridian_or_the_pole(shape):
    across = np.array([179.99, -179.99, 179.5, -179.5]), np.array([68.0, 68.0, 68.3, 68.3])
    assert blocks_of(*across, 500e3, shape=shape).tolist() == [0, 0, 0, 0]
    around = np.array([0.0, 90.0, 180.0, -90.0]), np.array([89.9, 89.9, 89.9, 89.9])
    assert blocks_of(*around, 500e3, shape=shape).tolist() == [0, 0, 0, 0]
    longitude, latitude = sites()["longitude"].to_numpy(), sites()["latitude"].to_numpy()
    turns = blocks_of(
        np.append(longitude, longitude + 360), np.append(latitude, latitude), 500e3, shape=shape
    )
    assert (turns[: len(longitude)] == turns[len(longitude) :]).all()


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=2, max_size=30),
    st.floats(1e4, 2e6),
)
def test_blocks_are_numbered_without_gaps_and_equal_points_share_one(shape, points, size):
    longitude, latitude = np.array(points).T
    block = blocks_of(longitude, latitude, size, shape=shape)
    assert set(block.tolist()) == set(range(block.max() + 1))
    twins = blocks_of(np.append(longitude, longitude), np.append(latitude, latitude), size, shape=shape)
    assert (twins[: len(longitude)] == twins[len(longitude) :]).all()


def uneven(folds, value):
    """Return how far the shares of rows and of the rarer class are from equal, at worst."""
    shares = [
        [len(test) / len(value), value[test].mean() / value.mean() * len(test) / len(value)]
        for _, test in folds
    ]
    return np.abs(np.array(shares) - 1 / len(folds)).max()


def test_balanced_deals_are_more_even_than_a_plain_one():
    table = sites(800)
    table["value"] = (table["longitude"] > 90).astype(float)
    value = table["value"].to_numpy()
    plain = [uneven(FOLDS["block"](table, size=9e5, n_folds=5, seed=s), value) for s in range(5)]
    even = [uneven(FOLDS["block"](table, size=9e5, n_folds=5, seed=s, balance=True), value) for s in range(5)]
    assert max(even) < min(plain)


def test_balance_counts_rows_where_the_value_is_a_quantity():
    table = sites(800).assign(value=np.random.default_rng(0).normal(0, 1, 800))
    plain, even = (FOLDS["block"](table, size=9e5, n_folds=4, balance=balance) for balance in (False, True))
    spread = [np.std([len(test) for _, test in folds]) for folds in (plain, even)]
    assert spread[1] < spread[0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(1e4, 1.5e6), st.sampled_from([None, 4]))
def test_buffers_hold_on_the_sphere_and_drop_nothing_beyond(seed, distance, n_folds):
    table = sites(60, seed=seed, rows_per_site=2)
    longitude, latitude = table["longitude"].to_numpy(), table["latitude"].to_numpy()
    away = great_circle(longitude[:, np.newaxis], latitude[:, np.newaxis], longitude, latitude)
    schemes = [("buffered_leave_one_out", {"radius": distance}), ("block", {"size": 1e6, "buffer": distance})]
    for method, keywords in schemes:
        try:
            folds = FOLDS[method](table, n_folds=n_folds, **keywords)
        except PermagridError:
            continue
        for train, test in folds:
            nearest = away[test].min(axis=0)
            assert nearest[train].min() > distance * (1 - 1e-9)
            beyond = set(np.flatnonzero(nearest > distance * (1 + 1e-9)))
            if method == "buffered_leave_one_out":
                assert beyond == set(train)
            else:
                kept = set(np.flatnonzero(~np.isin(folds.groups, folds.groups[test]))) & beyond
                assert (kept == set(train)) if n_folds is None else (set(train) <= kept)


def test_each_site_is_left_out_alone_and_once():
    table = sites()
    folds = FOLDS["buffered_leave_one_out"](table, radius=50e3)
    assert len(folds) == table["site_group"].nunique()
    assert all(table["site_group"].iloc[test].nunique() == 1 and len(test) == 4 for _, test in folds)
    assert folds.name == "buffered_50km"
    few = FOLDS["buffered_leave_one_out"](table, radius=50e3, n_folds=7)
    assert len(few) == 7
    assert "7 folds of whole sites" in few.method


def test_the_name_says_size_shape_buffer_and_rounds():
    made = {
        "block_500km": {"size": 5e5},
        "hexagon_500km": {"size": 5e5, "shape": "hexagon"},
        "block_500km_buffer_20km": {"size": 5e5, "buffer": 2e4},
        "block_500km_2x3": {"size": 5e5, "n_folds": 3, "repeats": 2},
    }
    assert [FOLDS["block"](sites(), **keywords).name for keywords in made.values()] == list(made)


def test_blocks_may_be_as_wide_as_residuals_are_alike():
    random = np.random.default_rng(3)
    table = sites(600, rows_per_site=2)
    # Residuals alike within some 800 km: a smooth field of the place.
    lon, lat = np.radians(table["longitude"]), np.radians(table["latitude"])
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    waves = random.normal(0, 9, (40, 3))
    residual = sum(
        np.cos(a * x + b * y + c * z + turn) for (a, b, c), turn in zip(waves, range(40), strict=True)
    )
    table = table.assign(residual=residual + random.normal(0, 0.2, len(table)))
    folds = FOLDS["block"](table, size="residual_variogram", n_folds=4)
    assert folds.name == "block_residual"
    assert 2e5 < folds.record["range"] < 4e6
    plain = FOLDS["block"](table, size=folds.record["range"], n_folds=4)
    assert [test.tolist() for _, test in folds] == [test.tolist() for _, test in plain]
    assert f"{folds.record['range'] / 1000:.1f}".removesuffix(".0") in folds.method
    shuffled = table.sample(frac=1, random_state=1)
    assert FOLDS["block"](pd.DataFrame(shuffled), size="residual_variogram", n_folds=4).record == folds.record
