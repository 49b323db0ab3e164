"""Distances of tested rows, of samples and of the map, their W, and the scheme that it names."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sites import METHODS, clustered, domain, great_circle, sites
from scipy.stats import wasserstein_distance

from permagrid.errors import PermagridError
from permagrid.validation import FOLDS, FoldDistances, fold_distances, recommended
from permagrid.validation.features import feature_space


def on_the_sphere(one, other):
    lon, lat = one["longitude"].to_numpy(), one["latitude"].to_numpy()
    return great_circle(
        lon[:, np.newaxis], lat[:, np.newaxis], other["longitude"].to_numpy(), other["latitude"].to_numpy()
    )


def in_features(one, other, table):
    """Return Gower's distances of air and snow, and of classes of soil, by plain sums."""
    low, high = table[["air", "snow"]].min(), table[["air", "snow"]].max()
    out = np.zeros((len(one), len(other)))
    for i, here in enumerate(one.itertuples()):
        for j, there in enumerate(other.itertuples()):
            out[i, j] = abs(here.air - there.air) / (high.air - low.air)
            out[i, j] += abs(here.snow - there.snow) / (high.snow - low.snow) + (here.soil != there.soil)
    return out / 3


def by_hand(table, folds, among, to_map):
    group = table["site_group"].to_numpy()
    sampled = [min(among[i, group != group[i]]) for i in range(len(table))]
    tested = [min(among[i, train]) for train, test in folds for i in sorted(test)]
    return np.array(sampled), np.array(tested), to_map.min(axis=1)


def check(found, expected):
    for got, wanted in zip(
        (found.sample_to_sample, found.test_to_train, found.prediction_to_sample), expected, strict=True
    ):
        # Half the digits are lost where a chord is turned into an arc, or by the haversine, near 0.
        np.testing.assert_allclose(
            np.sort(got), np.sort(wanted), rtol=1e-7, atol=1e-1 if found.unit == "m" else 1e-12
        )
    assert found.wasserstein == pytest.approx(
        wasserstein_distance(found.test_to_train, found.prediction_to_sample)
    )


@pytest.mark.parametrize("method", METHODS)
def test_distances_are_those_of_a_plain_search(method):
    table, points = sites(600), domain(150)
    folds = FOLDS[method](table, points, **METHODS[method])
    found = fold_distances(table, folds, points)
    check(found, by_hand(table, folds, on_the_sphere(table, table), on_the_sphere(points, table)))
    assert (found.name, found.unit, found.all_tested) == (folds.name, "m", method != "holdout")


def test_repeats_count_each_round():
    table, points = sites(200), domain(50)
    folds = FOLDS["site"](table, n_folds=4, repeats=3)
    found = fold_distances(table, folds, points)
    assert len(found.test_to_train) == 600
    check(found, by_hand(table, folds, on_the_sphere(table, table), on_the_sphere(points, table)))


def test_features_are_compared_by_gower_where_some_are_classes():
    table, points = clustered(30, 5, rows_per_site=2), domain(25)
    random = np.random.default_rng(0)
    table["soil"], points["soil"] = random.integers(1, 4, 60), random.integers(1, 5, 25)
    folds = FOLDS["site"](table, n_folds=5)
    found = fold_distances(table, folds, points, space="feature", classes=["soil"])
    expected = by_hand(table, folds, in_features(table, table, table), in_features(points, table, table))
    check(found, expected)
    assert found.unit == "Gower"


def test_features_are_standardised_by_the_sites():
    table, points = sites(100), domain(30)
    folds = FOLDS["random"](table, n_folds=5)
    found = fold_distances(table, folds, points, space="feature")
    names = ["air", "snow"]
    mean, spread = table[names].mean(), table[names].std()
    here, there = ((t[names] - mean).div(spread).to_numpy() for t in (table, points))
    among, to_map = (np.linalg.norm(x[:, np.newaxis] - here, axis=2) for x in (here, there))
    check(found, by_hand(table, folds, among, to_map))
    stretched = fold_distances(
        table.assign(air=table["air"] * 1e3 + 7),
        folds,
        points.assign(air=points["air"] * 1e3 + 7),
        space="feature",
    )
    assert stretched.wasserstein == pytest.approx(found.wasserstein)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["site", "block", "epoch"]))
def test_neither_the_order_of_rows_nor_the_names_of_sites_change_a_distance(seed, method):
    table, points = sites(80, seed=seed), domain(40, seed=seed)
    order = np.random.default_rng(seed).permutation(len(table))
    moved = table.iloc[order].assign(site_group=7 - table["site_group"]).reset_index(drop=True)
    one, two = (
        fold_distances(rows, FOLDS[method](rows, **METHODS[method]), given)
        for rows, given in ((table, points), (moved, points[::-1]))
    )
    assert (np.sort(one.test_to_train) == np.sort(two.test_to_train)).all()
    assert (one.sample_to_sample[order] == two.sample_to_sample).all()
    assert one.wasserstein == pytest.approx(two.wasserstein, rel=1e-12)


def test_the_place_itself_is_no_neighbour_but_a_known_site_is():
    table = clustered(40, 4, rows_per_site=3)
    epoch, site = (fold_distances(table, FOLDS[m](table), domain()) for m in ("epoch", "site"))
    assert epoch.test_to_train.max() < 0.1
    assert epoch.sample_to_sample.min() > 1
    assert (site.test_to_train >= site.sample_to_sample.min()).all()


def test_curves_are_distribution_functions():
    table = sites(2000)
    found = fold_distances(table, FOLDS["site"](table), domain(90))
    curves = found.curves()
    assert list(curves["kind"].unique()) == ["sample_to_sample", "test_to_train", "prediction_to_sample"]
    for kind, part in curves.groupby("kind"):
        assert len(part) <= 201
        assert part["distance"].is_monotonic_increasing
        assert part["share"].is_monotonic_increasing
        assert part["share"].iloc[-1] == 1
        values = getattr(found, kind)
        for row in part.iloc[1:].itertuples():
            assert row.share <= (values <= row.distance).mean() + 1e-12


def test_it_prints_in_its_unit():
    table = clustered()
    folds = FOLDS["site"](table, n_folds=5)
    near, alike = (fold_distances(table, folds, domain(), space=space) for space in ("geographic", "feature"))
    assert str(near).startswith(f"site: W = {near.wasserstein / 1000:.4g} km (median sample to sample ")
    assert str(alike).startswith(f"site: W = {alike.wasserstein:.3g} sd (")
    out = FOLDS["holdout"](table)
    assert str(fold_distances(table, out, domain())).endswith("; not all rows are tested")


def test_the_scheme_to_quote_resembles_the_map_most_and_tests_every_row():
    table, points = clustered(80, 8, rows_per_site=2), domain(400)
    schemes = [FOLDS[m](table, points, **METHODS[m]) for m in ("random", "site", "block", "knndm", "epoch")]
    distances = {folds.name: fold_distances(table, folds, points) for folds in schemes}
    assert recommended(distances) == min(distances, key=lambda name: distances[name].wasserstein) == "knndm"
    # Of a map of nothing but the sites themselves, at other times, the other schemes tell too little good.
    known = {folds.name: fold_distances(table, folds, table[["longitude", "latitude"]]) for folds in schemes}
    assert recommended(known) == "epoch"
    assert recommended(dict(reversed(distances.items()))) == "knndm"
    out = fold_distances(table, FOLDS["holdout"](table), points)
    with pytest.raises(PermagridError, match="no scheme tests each row"):
        recommended({"holdout": out})


def test_what_has_no_distances_is_refused_in_one_sentence():
    table, points = sites(40), domain(10)
    folds = FOLDS["site"](table, n_folds=4)
    with pytest.raises(PermagridError, match="site is of 40 rows, and there are 39"):
        fold_distances(table[1:], folds, points)
    alone = FOLDS["random"](table[:4], n_folds=2)
    with pytest.raises(PermagridError, match="all rows lie at one place"):
        fold_distances(table[:4], alone, points)
    with pytest.raises(PermagridError, match="none of 10 prediction points"):
        fold_distances(table, folds, points.assign(latitude=np.nan))
    with pytest.raises(PermagridError, match="no covariate 'snow'"):
        fold_distances(table.drop(columns="snow"), folds, points, space="feature")
    with pytest.raises(PermagridError, match="needs prediction points or their names"):
        feature_space(table, None)


def test_a_constant_covariate_says_nothing():
    table, points = sites(100), domain(30)
    folds = FOLDS["site"](table)
    plain = fold_distances(table, folds, points, space="feature")
    more = fold_distances(table.assign(flat=1.0), folds, points.assign(flat=5.0), space="feature")
    assert isinstance(plain, FoldDistances)
    assert more.wasserstein == plain.wasserstein
    assert pd.Series(more.test_to_train).equals(pd.Series(plain.test_to_train))
