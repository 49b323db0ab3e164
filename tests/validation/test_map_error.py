"""The interval of a map's error counts what sites have not seen, and is refused where it cannot be had."""

import numpy as np
import pandas as pd
import pytest
from made_sites import clustered, domain

from permagrid.errors import PermagridError
from permagrid.validation import FOLDS
from permagrid.validation.map_error import map_error
from permagrid.validation.scores import repeated_scores


@pytest.fixture(scope="module")
def sites():
    return clustered(90, 12, rows_per_site=2, seed=3).assign(value=0.0)


@pytest.fixture(scope="module")
def points():
    return domain(200)


def by_site(table, **keywords):
    return FOLDS["site"](table, n_folds=5, seed=1, **keywords)


def errors_of(table, *, seed=0, rounds=1):
    return np.random.default_rng(seed).normal(0.0, 1.0, (rounds, len(table)))


def patchy(table, points, *, seed, wavelength):
    """Return errors of rows and mean squared errors of points, whose size changes from region to region."""
    random = np.random.default_rng(seed)
    turns, phases = random.normal(0.0, 360.0 / wavelength, (30, 2)), random.uniform(0, 2 * np.pi, 30)

    def size(places):
        at = np.radians(places[["longitude", "latitude"]].to_numpy(float) * [0.4, 1.0])
        return np.exp(np.sqrt(2 / 30) * np.cos(at @ turns.T + phases).sum(axis=1))

    return size(table) * random.normal(size=len(table)), size(points) ** 2


def test_score_is_that_of_the_score_card(sites, points):
    folds = by_site(sites, repeats=3)
    predicted = errors_of(sites, rounds=3)
    found = map_error(sites, predicted, folds, points)
    assert found.rmse == repeated_scores(np.zeros(len(sites)), predicted, None)["rmse"][0]
    assert found.low < found.rmse < found.high


def test_interval_is_even_on_the_scale_of_logarithms_and_scales_with_the_unit(sites, points):
    predicted, folds = errors_of(sites), by_site(sites)
    found, tenfold = (map_error(sites, unit * predicted, folds, points) for unit in (1.0, 10.0))
    assert found.low * found.high == pytest.approx(found.rmse**2)
    assert tenfold.low == pytest.approx(10 * found.low)
    assert tenfold.high == pytest.approx(10 * found.high)


def test_part_of_the_sites_is_the_textbook_error_where_groups_are_equal(points):
    table = clustered(400, 30, seed=5).assign(value=0.0)
    found = map_error(table, errors_of(table), by_site(table), points)
    # The root mean square of n normal numbers has a relative standard error of 1 / sqrt(2 n).
    assert found.of_sites == pytest.approx(1 / np.sqrt(2 * 400), rel=0.15)


def test_part_of_the_map_is_small_where_errors_are_of_one_size_and_grows_with_regional_ones(points):
    table = clustered(300, 40, seed=8).assign(value=0.0)
    folds = by_site(table)
    alike = map_error(table, errors_of(table, seed=2), folds, points).of_map
    regional, _ = patchy(table, points, seed=2, wavelength=15.0)
    assert 0.0 < alike < 0.5 * map_error(table, regional[np.newaxis], folds, points).of_map


def test_part_of_the_map_has_nothing_to_go_by_where_all_sites_are_in_one_place(points):
    near = clustered(12, 1, seed=1).assign(value=0.0)
    near = near.assign(longitude=90 + np.arange(len(near)) * 1e-4, latitude=65.0)
    assert map_error(near, errors_of(near), by_site(near), points).of_map == 0.0


def test_map_that_errs_by_regions_is_covered_more_often_than_by_the_part_of_the_sites_alone(points):
    inside, by_sites_alone = 0, 0
    for seed in range(40):
        table = clustered(150, 25, seed=seed).assign(value=0.0)
        error, squares = patchy(table, points, seed=seed, wavelength=15.0)
        folds = FOLDS["block"](table, size=500e3, n_folds=10, seed=seed)
        found = map_error(table, error[np.newaxis], folds, points)
        true = np.sqrt(squares.mean())
        inside += found.low <= true <= found.high
        by_sites_alone += abs(np.log(found.rmse / true)) <= 1.96 * found.of_sites
    assert inside > by_sites_alone
    assert inside >= 32


def test_wider_where_more_is_asked_for(sites, points):
    predicted, folds = errors_of(sites), by_site(sites)
    narrow, wide = (map_error(sites, predicted, folds, points, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_order_of_rows_has_no_say(sites, points):
    predicted, folds = errors_of(sites), by_site(sites)
    turned = np.random.default_rng(4).permutation(len(sites))
    shuffled = sites.iloc[turned].reset_index(drop=True)
    again = map_error(shuffled, predicted[:, turned], by_site(shuffled), points)
    found = map_error(sites, predicted, folds, points)
    assert (again.low, again.high) == pytest.approx((found.low, found.high))


def test_rows_that_no_fold_tests_have_no_say(sites, points):
    folds = FOLDS["holdout"](sites, test_share=0.5, stratified=False, seed=2)
    predicted = np.full((1, len(sites)), np.nan)
    (_, tested), *_ = folds.pairs
    predicted[0, tested] = errors_of(sites)[0, tested]
    far_off = sites.assign(value=np.where(np.isfinite(predicted[0]), 0.0, 1e6))
    assert map_error(far_off, predicted, folds, points) == map_error(sites, predicted, folds, points)


def test_perfect_predictions_have_no_error(sites, points):
    found = map_error(sites, np.zeros((1, len(sites))), by_site(sites), points)
    assert (found.rmse, found.low, found.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("rows", "points_kept", "message"),
    [(10, 200, "site is of 180 rows, and there are 10"), (180, 1, "two of its points, found 1")],
)
def test_refusals_say_what_is_wrong(sites, points, rows, points_kept, message):
    with pytest.raises(PermagridError, match=message):
        map_error(sites.head(rows), errors_of(sites)[:, :rows], by_site(sites), points.head(points_kept))


def test_one_group_has_no_spread(sites, points):
    half = np.arange(len(sites)) < len(sites) // 2
    one = pd.Series(half).map({True: "a", False: "b"}).to_numpy()
    folds = FOLDS["site"](sites.assign(site_group=one), n_folds=2)
    predicted = np.where(half, errors_of(sites), np.nan)
    with pytest.raises(PermagridError, match="site tests one group only"):
        map_error(sites, predicted, folds, points)
