"""Conformal intervals hold what they say, are those of MAPIE, and never see the rows they are judged by."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, QuantileRegressor
from sklearn.model_selection import KFold

from permagrid.errors import PermagridError
from permagrid.validation.candidate import Candidate
from permagrid.validation.conformal import (
    absolute_scores,
    binned_margins,
    calibrated_out_of_fold,
    cv_plus,
    interval_scores,
    margin,
    margins_at,
    weighted_margins,
    widened,
)
from permagrid.validation.conformal_folds import cv_plus_out_of_fold
from permagrid.validation.distributions import LEVELS
from permagrid.validation.inner_folds import FoldsSpec
from permagrid.validation.split import random

scores = st.lists(st.floats(-50, 50), min_size=1, max_size=40).map(np.array)
levels = st.floats(0.01, 0.99)


def problem(n, seed=0, wide=1.0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-wide, wide, (n, 2))
    return X, X[:, 0] + 0.5 * X[:, 1] + (0.2 + np.abs(X[:, 0])) * rng.normal(0, 1, n)


@given(scores=scores, level=levels)
def test_a_margin_is_a_score_of_the_rank_that_finite_samples_need(scores, level):
    found, n = margin(scores, level), len(scores)
    below = np.sum(scores <= found)
    if np.isinf(found):
        assert (n + 1) * level > n - 1e-9
    else:
        assert below >= (n + 1) * level - 1e-6
        assert np.sum(scores < found) < (n + 1) * level


@given(scores=scores, low=levels, high=levels)
def test_more_is_held_by_wider_intervals(scores, low, high):
    low, high = sorted((low, high))
    assert margin(scores, low) <= margin(scores, high)


@settings(max_examples=50)
@given(scores=scores, level=levels)
def test_equal_weights_are_none_and_weights_of_two_are_two_rows(scores, level):
    plain = weighted_margins(scores, np.ones(len(scores)), np.ones(1), level).item()
    assert plain == margin(scores, level)
    each = weighted_margins(scores, np.ones((3, len(scores))), np.ones(3), level)
    assert (each == plain).all()
    doubled = weighted_margins(scores, np.full(len(scores), 2.0), np.ones(1), level).item()
    assert doubled == weighted_margins(np.repeat(scores, 2), np.ones(2 * len(scores)), np.ones(1), level)


def test_a_new_row_that_outweighs_all_others_has_no_end():
    known, even = np.arange(1.0, 20.0), np.ones(19)
    # Shares of 0.099 and 0.101 in all weights, at a level of 0.9.
    found = weighted_margins(known, even, np.array([19 * 0.099 / 0.901, 19 * 0.101 / 0.899]), 0.9)
    assert found.tolist() == [19.0, np.inf]
    assert weighted_margins(known, 0 * even, np.zeros(1), 0.9).tolist() == [np.inf]


@pytest.mark.parametrize("method", ["split", "weighted"])
def test_coverage_in_finite_samples_is_what_theory_says(method):
    rng = np.random.default_rng(0)
    draws, n, level = 4000, 19, 0.8
    known, new = rng.exponential(1.0, (draws, n)), rng.exponential(1.0, draws)
    found = [
        margin(row, level)
        if method == "split"
        else weighted_margins(row, np.ones(n), np.ones(1), level).item()
        for row in known
    ]
    # The score of rank 16 of 19: exactly 16 / 20.
    assert np.mean(new <= found) == pytest.approx(16 / 20, abs=0.02)


def test_weights_mend_what_a_shift_of_the_covariates_breaks():
    rng = np.random.default_rng(1)
    held = {"plain": [], "weighted": []}
    for _ in range(150):
        x, new = rng.normal(0, 1, 300), rng.normal(1.5, 0.5, 100)
        known, truth = (np.abs(1 + at) * np.abs(rng.normal(0, 1, len(at))) for at in (x, new))

        def ratio(at):
            # Of the densities of the new and the known rows.
            return np.exp(-((at - 1.5) ** 2) / 0.5 + at**2 / 2)

        held["plain"].append(np.mean(truth <= margin(known, 0.9)))
        held["weighted"].append(np.mean(truth <= weighted_margins(known, ratio(x), ratio(new), 0.9)))
    assert np.mean(held["plain"]) < 0.75
    assert 0.88 < np.mean(held["weighted"]) < 0.96


def test_each_bin_holds_by_itself():
    rng = np.random.default_rng(2)
    bins = np.repeat(["near", "far"], 2000)
    known, new = (rng.normal(0, np.where(bins == "far", 4.0, 1.0)) for _ in range(2))
    together = margin(np.abs(known), 0.9)
    apart = margins_at(binned_margins(np.abs(known), bins, 0.9), bins)
    for name in ("near", "far"):
        assert np.mean(np.abs(new)[bins == name] <= apart[bins == name]) == pytest.approx(0.9, abs=0.025)
    assert np.mean(np.abs(new)[bins == "far"] <= together) < 0.82
    assert margins_at({"near": 1.0}, ["near", "unknown"]).tolist() == [1.0, np.inf]


def test_split_intervals_are_those_of_mapie():
    mapie = pytest.importorskip("mapie.regression")
    (X, y), (new, _) = problem(120), problem(30, seed=1)
    model = LinearRegression().fit(*problem(80, seed=2))
    theirs = mapie.SplitConformalRegressor(model, confidence_level=[0.8, 0.9], prefit=True)
    _, ends = theirs.conformalize(X, y).predict_interval(new)
    for place, level in enumerate((0.8, 0.9)):
        wide = margin(absolute_scores(model.predict(X), y), level)
        np.testing.assert_allclose(ends[:, 0, place], model.predict(new) - wide)
        np.testing.assert_allclose(ends[:, 1, place], model.predict(new) + wide)


def test_conformalised_quantiles_are_those_of_mapie():
    mapie = pytest.importorskip("mapie.regression")
    (X, y), (new, _) = problem(120), problem(30, seed=1)
    ends = [QuantileRegressor(quantile=q, alpha=0.0).fit(*problem(80, seed=2)) for q in (0.1, 0.9)]
    middle = QuantileRegressor(quantile=0.5, alpha=0.0).fit(*problem(80, seed=2))
    theirs = mapie.ConformalizedQuantileRegressor([*ends, middle], confidence_level=0.8, prefit=True)
    _, found = theirs.conformalize(X, y).predict_interval(new, symmetric_correction=True)
    wide = margin(interval_scores(*(end.predict(X) for end in ends), y), 0.8)
    low, high = widened(*(end.predict(new) for end in ends), wide)
    np.testing.assert_allclose(found[:, 0, 0], low)
    np.testing.assert_allclose(found[:, 1, 0], high)


@pytest.mark.parametrize("level", [0.6, 0.8, 0.9])
def test_cv_plus_is_that_of_mapie(level):
    mapie = pytest.importorskip("mapie.regression")
    (X, y), (new, _) = problem(83), problem(30, seed=1)
    cv = KFold(5)
    theirs = mapie.CrossConformalRegressor(LinearRegression(), confidence_level=level, method="plus", cv=cv)
    _, ends = theirs.fit_conformalize(X, y).predict_interval(new)
    fold, said, said_new = np.zeros(83, dtype=int), np.zeros(83), np.zeros((30, 5))
    for number, (train, test) in enumerate(cv.split(X)):
        model = LinearRegression().fit(X[train], y[train])
        fold[test], said[test], said_new[:, number] = number, model.predict(X[test]), model.predict(new)
    low, high = cv_plus(absolute_scores(said, y), fold, said_new, said_new, level)
    np.testing.assert_allclose(ends[:, 0, 0], low)
    np.testing.assert_allclose(ends[:, 1, 0], high)


def test_too_few_rows_for_a_level_leave_no_end():
    said = np.zeros((2, 2))
    low, high = cv_plus(np.ones(8), np.repeat([0, 1], 4), said, said, 0.95)
    assert np.isinf(low).all()
    assert np.isinf(high).all()
    low, high = cv_plus(np.ones(8), np.repeat([0, 1], 4), said, said, 0.8)
    assert (low.tolist(), high.tolist()) == ([-1.0, -1.0], [1.0, 1.0])
    with pytest.raises(PermagridError, match="fold 2 has no fit; there are fits without 2 folds"):
        cv_plus(np.ones(2), np.array([0, 2]), said, said, 0.5)


def said_of(method, n, rng):
    middle = rng.normal(0, 1, n)
    if method == "split":
        return middle
    half = rng.uniform(0.2, 0.6, n)
    return np.stack([middle - half, middle + half], axis=1)


@pytest.mark.parametrize("method", ["split", "cqr", "mondrian", "weighted"])
def test_intervals_are_calibrated_without_the_rows_of_their_own_fold(method):
    rng = np.random.default_rng(3)
    n = 300
    fold, said = np.arange(n) % 5, said_of(method, n, rng)
    middle = said if said.ndim == 1 else said.mean(axis=1)
    observed = middle + rng.normal(0, 1, n)
    more = {"bins": np.where(np.arange(n) % 2, "a", "b")} if method == "mondrian" else {}
    more |= {"weights": rng.uniform(0.5, 2.0, n)} if method == "weighted" else {}
    lower, upper = calibrated_out_of_fold(observed, said, fold, method, 0.8, **more)
    assert np.mean((lower <= observed) & (observed <= upper)) == pytest.approx(0.8, abs=0.05)
    changed = np.where(fold == 2, 1e6, observed)
    again = calibrated_out_of_fold(changed, said, fold, method, 0.8, **more)
    np.testing.assert_array_equal(again[0][fold == 2], lower[fold == 2])
    assert (again[1][fold != 2] > upper[fold != 2]).any()


def test_quantiles_stand_for_their_median_and_for_the_ends_of_an_interval():
    rng = np.random.default_rng(4)
    n = 200
    fold, observed = np.arange(n) % 4, rng.normal(0, 2, n)
    quantiles = rng.normal(0, 1, n)[:, np.newaxis] + np.quantile(rng.normal(0, 1, 9999), LEVELS)
    for method, said in (
        ("split", quantiles[:, len(LEVELS) // 2]),
        ("cqr", quantiles[:, [np.abs(LEVELS - level).argmin() for level in (0.1, 0.9)]]),
    ):
        ours = calibrated_out_of_fold(observed, quantiles, fold, method, 0.8)
        np.testing.assert_array_equal(ours, calibrated_out_of_fold(observed, said, fold, method, 0.8))


def test_rows_that_are_not_tested_have_no_part_in_it():
    rng = np.random.default_rng(5)
    fold, observed = np.array([0, 1] * 20 + [-1] * 5), rng.normal(0, 1, 45)
    observed[-5:] = 1e9
    lower, upper = calibrated_out_of_fold(observed, np.zeros(45), fold, "split", 0.5)
    assert np.isnan(lower[-5:]).all()
    assert upper[:-5].max() < 5.0


def test_intervals_that_are_far_too_wide_shrink_to_their_middle_at_most():
    said = np.tile([[-10.0, 10.0]], (40, 1))
    said[0] = [-1.0, 1.0]
    lower, upper = calibrated_out_of_fold(np.zeros(40), said, np.arange(40) % 2, "cqr", 0.5)
    assert (lower[0], upper[0]) == (0.0, 0.0)
    assert (upper - lower >= 0).all()


@pytest.mark.parametrize(
    ("said", "method", "level", "message"),
    [
        (np.zeros(4), "cqr", 0.9, "cqr needs intervals or quantiles"),
        (np.zeros((4, 2)), "split", 0.9, "shape"),
        (np.zeros((4, 5)), "cqr", 0.9, "shape"),
        (np.zeros(4), "mondrian", 0.9, "mondrian needs the bin of each row"),
        (np.zeros(4), "weighted", 0.9, "weighted needs the weight of each row"),
        (np.zeros(4), "jackknife", 0.9, "unknown conformal method 'jackknife'; allowed: split, cqr"),
        (np.zeros(4), "split", 1.0, "above 0 and below 1, found 1"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_in_one_sentence(said, method, level, message):
    with pytest.raises(PermagridError, match=message):
        calibrated_out_of_fold(np.zeros(4), said, np.array([0, 0, 1, 1]), method, level)


@pytest.mark.parametrize("weights", [np.array([-1.0, 1.0]), np.array([np.nan, 1.0]), np.ones(3)])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(PermagridError, match="weights"):
        weighted_margins(np.zeros(2), weights, np.ones(1), 0.9)


def test_cv_plus_judged_in_folds_holds_and_never_sees_what_it_is_judged_by():
    X, y = problem(160)
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "value": y, "site_group": np.arange(160)})
    table[["longitude", "latitude"]] = [10.0, 60.0]
    scheme = random(table, None, n_folds=4, repeats=2, seed=0)
    candidate = Candidate.of(LinearRegression(), ["a", "b"])
    inner = FoldsSpec("random", {"n_folds": 5, "seed": 1})
    lower, upper = cv_plus_out_of_fold(candidate, table, scheme, inner, nominal=(0.8,))[0.8]
    assert lower.shape == (2, 160)
    assert np.mean((lower <= y) & (y <= upper)) == pytest.approx(0.8, abs=0.05)
    first = scheme.rounds[0][0][1]
    other = table.assign(value=np.where(np.isin(np.arange(160), first), 1e6, y))
    again, _ = cv_plus_out_of_fold(candidate, other, scheme, inner, nominal=(0.8,))[0.8]
    np.testing.assert_array_equal(again[0, first], lower[0, first])
