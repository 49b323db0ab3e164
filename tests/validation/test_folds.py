"""Folds never split what they keep together, blocks are of equal area, and Folds is a scikit-learn cv."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import check_cv, cross_val_predict, cross_val_score

from permagrid.errors import PermagridError
from permagrid.validation import FOLDS, Folds
from permagrid.validation.folds import blocks_of

SCHEMES = {
    "random": {},
    "site": {},
    "block": {"size": 500_000.0, "n_folds": 5},
}


def sites(n=400, *, seed=0, rows_per_site=4):
    """Return sites around the pole and on both sides of the antimeridian, each with several rows."""
    random = np.random.default_rng(seed)
    site = np.repeat(np.arange(n // rows_per_site), rows_per_site)
    longitude = random.uniform(-180, 180, n // rows_per_site)[site]
    latitude = random.uniform(60, 90, n // rows_per_site)[site]
    return pd.DataFrame(
        {
            "site_group": site,
            "longitude": longitude,
            "latitude": latitude,
            "value": random.integers(0, 2, n).astype(float),
        }
    )


def test_every_scheme_of_the_table_is_tested_here():
    assert set(FOLDS) == set(SCHEMES)


@pytest.mark.parametrize("method", SCHEMES)
def test_each_row_is_tested_once_and_never_trained_on_in_that_fold(method):
    table = sites()
    folds = FOLDS[method](table, seed=3, **SCHEMES[method])
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(table)))
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(len(table)))


@pytest.mark.parametrize("method", ["site", "block"])
def test_a_place_is_never_in_train_and_test(method):
    table = sites()
    # Rows of one place lie on two sides of the edge of a block.
    table["longitude"] += np.tile([-0.5, 0.5], len(table) // 2)
    for train, test in FOLDS[method](table, **SCHEMES[method]):
        assert not set(table["site_group"].iloc[train]) & set(table["site_group"].iloc[test])


@pytest.mark.parametrize("n_folds", [None, 5])
def test_a_block_is_never_in_train_and_test(n_folds):
    table = sites(rows_per_site=1)
    block = blocks_of(table["longitude"].to_numpy(), table["latitude"].to_numpy(), 500e3)
    folds = FOLDS["block"](table, size=500e3, n_folds=n_folds)
    for train, test in folds:
        assert not set(block[train]) & set(block[test])
    assert len(folds) == (n_folds or len(set(block)))
    assert len(set(zip(block, folds.groups, strict=True))) == len(set(block)) == len(set(folds.groups))


def test_folds_of_sites_share_groups_with_the_bootstrap():
    table = sites()
    for method in ("random", "site"):
        groups = FOLDS[method](table).groups
        assert len(set(zip(groups, table["site_group"], strict=True))) == table["site_group"].nunique()


def test_the_same_seed_gives_the_same_folds_and_another_seed_others():
    table = sites()
    for method, keywords in SCHEMES.items():
        one, two, three = (FOLDS[method](table, seed=seed, **keywords) for seed in (1, 1, 2))
        assert all((a[1] == b[1]).all() for a, b in zip(one, two, strict=True))
        assert not all(np.array_equal(a[1], b[1]) for a, b in zip(one, three, strict=True))


def test_stratified_folds_hold_equal_shares_of_the_classes():
    table = sites()
    table["value"] = (np.arange(len(table)) % 10 == 0).astype(float)
    for _, test in FOLDS["random"](table, n_folds=10, stratified=True):
        assert table["value"].iloc[test].sum() == 4


def test_blocks_are_squares_of_equal_area():
    random = np.random.default_rng(0)
    n = 40_000
    latitude = np.degrees(np.arcsin(random.uniform(np.sin(np.radians(60)), 1, n)))
    longitude = random.uniform(-180, 180, n)
    block = blocks_of(longitude, latitude, 1_000_000.0)
    # Points of equal density: blocks within the cap hold equally many, wherever they lie.
    counts = np.bincount(block)
    density = n / (2 * np.pi * 6371.0**2 * (1 - np.sin(np.radians(60))))
    full = counts[np.argsort(counts)[-12:]] / density
    assert full.min() > 0.9e6
    assert full.max() < 1.1e6
    geod = Geod(ellps="WGS84")
    for number in np.argsort(np.bincount(block))[-3:]:
        inside = np.flatnonzero(block == number)[:60]
        lon, lat = longitude[inside], latitude[inside]
        away = geod.inv(np.full(60, lon[0]), np.full(60, lat[0]), lon, lat)[2]
        assert away.max() < 1.05 * np.sqrt(2) * 1e6


def test_blocks_have_no_seam_at_the_antimeridian_or_the_pole():
    across = np.array([179.99, -179.99, 179.5, -179.5]), np.array([68.0, 68.0, 68.3, 68.3])
    assert blocks_of(*across, 500e3).tolist() == [0, 0, 0, 0]
    around = np.array([0.0, 90.0, 180.0, -90.0]), np.array([89.9, 89.9, 89.9, 89.9])
    assert blocks_of(*around, 500e3).tolist() == [0, 0, 0, 0]
    longitude, latitude = sites()["longitude"].to_numpy(), sites()["latitude"].to_numpy()
    turns = blocks_of(np.append(longitude, longitude + 360), np.append(latitude, latitude), 500e3)
    assert (turns[: len(longitude)] == turns[len(longitude) :]).all()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=2, max_size=30),
    st.floats(1e4, 2e6),
)
def test_blocks_are_numbered_without_gaps_and_equal_points_share_one(points, size):
    longitude, latitude = np.array(points).T
    block = blocks_of(longitude, latitude, size)
    assert set(block.tolist()) == set(range(block.max() + 1))
    twins = blocks_of(np.append(longitude, longitude), np.append(latitude, latitude), size)
    assert (twins[: len(longitude)] == twins[len(longitude) :]).all()


@pytest.mark.parametrize("method", SCHEMES)
def test_folds_are_a_cv_of_scikit_learn(method):
    table = sites()
    folds = FOLDS[method](table, **SCHEMES[method])
    X, y = table[["longitude", "latitude"]].to_numpy(), table["latitude"].to_numpy() ** 2
    assert check_cv(folds, y).get_n_splits(X, y) == len(folds)
    predicted = cross_val_predict(LinearRegression(), X, y, cv=folds)
    by_hand = np.empty(len(y))
    for train, test in folds:
        by_hand[test] = LinearRegression().fit(X[train], y[train]).predict(X[test])
    np.testing.assert_allclose(predicted, by_hand)
    assert len(cross_val_score(LinearRegression(), X, y, cv=folds)) == len(folds)


@pytest.mark.parametrize(
    ("method", "keywords", "message"),
    [
        ("random", {"n_folds": 500}, "400 rows cannot make 500 folds"),
        ("random", {"n_folds": 1}, "n_folds must be 2 or more, found 1"),
        ("site", {"n_folds": 0}, "n_folds must be 2 or more, found 0"),
        ("site", {"n_folds": 101}, "100 sites cannot make 101 folds"),
        ("block", {"size": 1e8}, "blocks of 100000 km cannot make 2 folds"),
        ("block", {"size": 0.0}, "block size must be above 0 m"),
        ("block", {"size": float("nan")}, "block size must be above 0 m"),
        ("block", {"size": 1e6, "n_folds": 0}, "n_folds must be 2 or more"),
    ],
)
def test_folds_that_cannot_be_made_are_refused_in_one_sentence(method, keywords, message):
    with pytest.raises(PermagridError, match=message):
        FOLDS[method](sites(), **keywords)


def test_folds_that_leak_are_refused():
    rows, groups = np.arange(4), np.array([0, 0, 1, 1])
    pairs = ((rows[[0, 2]], rows[[1, 3]]),)
    with pytest.raises(PermagridError, match="trains and tests on one group in fold 0"):
        Folds("own", "by hand", pairs, groups)
    assert len(Folds("random", "by hand", pairs, groups, spatial=False)) == 1
    with pytest.raises(PermagridError, match="trains and tests on one row in fold 0"):
        Folds("random", "by hand", ((rows[:3], rows[2:]),), groups, spatial=False)
