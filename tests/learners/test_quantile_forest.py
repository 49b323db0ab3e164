"""A quantile forest is Meinshausen's: weights of leaves, quantiles of the weights, and their mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from permagrid.errors import PermagridError
from permagrid.learners import build_learner
from permagrid.learners.quantile_forest import QuantileForest
from permagrid.validation.shared_work import can_be_cut, predicted_by_parts

LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]


def problem(n, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(0, 1, (n, 4))
    noise = np.where(X[:, 2] > 0, 1.5, 0.3) * random.normal(0, 1, n)
    return X, 2 * X[:, 0] + np.sin(2 * X[:, 1]) + noise


def fitted(n=200, n_estimators=30, weights=None, **keywords):
    X, y = problem(n)
    forest = QuantileForest(n_estimators=n_estimators, **keywords)
    return forest.fit(X, y) if weights is None else forest.fit(X, y, weights)


def weights_by_the_paper(forest, X, y, fresh, row_weights=None):
    """Return the weights of training rows for fresh rows, by the definition of the paper."""
    out, row_weights = np.zeros((len(fresh), len(X))), np.ones(len(X)) if row_weights is None else row_weights
    for tree in forest.estimators_:
        leaves, found = tree.apply(X), tree.apply(fresh)
        same = (found[:, np.newaxis] == leaves) * row_weights
        out += same / same.sum(axis=1, keepdims=True) / len(forest.estimators_)
    return out


@pytest.mark.parametrize("weighed", [False, True])
def test_mean_quantiles_and_cdf_are_those_of_the_weights_of_the_paper(weighed):
    (X, y), (fresh, _) = problem(200), problem(60, seed=1)
    row_weights = np.random.default_rng(2).uniform(0.2, 3.0, len(y)) if weighed else None
    mine = fitted(weights=row_weights, min_samples_leaf=3)
    keywords = {"max_features": 1 / 3, "min_samples_leaf": 3, "random_state": 0}
    forest = RandomForestRegressor(30, **keywords).fit(X, y, row_weights)
    weights = weights_by_the_paper(forest, X, y, fresh, row_weights)
    np.testing.assert_allclose(mine.predict(fresh), weights @ y, atol=1e-12)
    order = np.argsort(y)
    reached = np.cumsum(weights[:, order], axis=1)
    for level, found in zip(LEVELS, mine.predict_quantiles(fresh, LEVELS).T, strict=True):
        np.testing.assert_array_equal(found, y[order][(reached >= level - 1e-12).argmax(axis=1)])
    np.testing.assert_allclose(mine.predict_cdf(fresh, 0.5), weights @ (y <= 0.5), atol=1e-12)


def test_intervals_follow_the_noise_and_hold_as_many_as_they_say():
    fresh, truth = problem(3000, seed=3)
    quantiles = fitted(800, n_estimators=100, max_features=0.75).predict_quantiles(fresh, LEVELS)
    inside = (truth >= quantiles[:, 0]) & (truth <= quantiles[:, -1])
    width = quantiles[:, -1] - quantiles[:, 0]
    loud = fresh[:, 2] > 0
    assert 0.87 < inside.mean() < 0.96
    assert width[loud].mean() > 1.25 * width[~loud].mean()


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(st.integers(-3, 3), min_size=4, max_size=40),
    leaf=st.integers(1, 5),
    levels=st.lists(st.floats(0.001, 0.999), min_size=1, max_size=6),
)
def test_quantiles_are_observed_values_in_order_and_agree_with_the_cdf(values, leaf, levels):
    y = np.array(values, dtype=float)
    X = np.random.default_rng(len(y)).normal(0, 1, (len(y), 2))
    forest = QuantileForest(n_estimators=4, min_samples_leaf=leaf).fit(X, y)
    found = forest.predict_quantiles(X, levels)
    assert np.isin(found, y).all()
    assert (np.diff(found[:, np.argsort(levels)], axis=1) >= 0).all()
    for level, column in zip(levels, found.T, strict=True):
        assert (forest.predict_cdf(X, column) >= level - 1e-9).all()
        assert (forest.predict_cdf(X, np.nextafter(column, -np.inf)) < level + 1e-9).all()


def test_quantiles_of_a_row_are_the_same_bits_alone_among_others_and_in_any_order():
    forest, (fresh, _) = fitted(), problem(67, seed=4)
    whole = forest.predict_quantiles(fresh, LEVELS)
    order = np.random.default_rng(0).permutation(len(fresh))
    assert forest.predict_quantiles(fresh[order], LEVELS).tobytes() == whole[order].tobytes()
    for size in (1, 5, 32):
        parts = [forest.predict_quantiles(fresh[at : at + size], LEVELS) for at in range(0, 67, size)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()
    swapped = forest.predict_quantiles(fresh, LEVELS[::-1])
    assert swapped[:, ::-1].tobytes() == whole.tobytes()


def test_the_order_of_training_rows_of_a_whole_leaf_does_not_matter():
    X, y = problem(50)
    forest = QuantileForest(n_estimators=3, min_samples_leaf=50).fit(X, y)
    assert forest.predict_quantiles(X[:1], [0.5]).item() == np.quantile(y, 0.5, method="inverted_cdf")
    np.testing.assert_allclose(forest.predict(X[:1]), y.mean())


def test_fewer_trees_are_read_from_a_larger_fit():
    X, _ = problem(120)
    large, small = fitted(120, 20), fitted(120, 7)
    assert can_be_cut(large, proba=False)
    assert predicted_by_parts(large, X, [7, 20], proba=False)[0].tobytes() == small.predict(X).tobytes()


def test_class_covariates_reach_it_and_quantiles_come_back_through_the_chain():
    X, y = problem(150)
    X[:, 3] = np.random.default_rng(1).choice([3.0, 7.0, 9.0], 150)
    y = y + 20.0 * (X[:, 3] == 7.0)
    names = ["a", "b", "c", "soil"]
    keywords = {"n_estimators": 20, "max_features": 1.0}
    model = build_learner("quantile_forest", "value", 0, keywords, covariates=names, classes=["soil"])
    model = model.fit(X, y)
    quantiles, there = model.predict_quantiles(X, [0.1, 0.9]), X[:, 3] == 7.0
    assert quantiles[there].min() > 10.0
    assert quantiles[~there].max() < 10.0
    assert model.predict_cdf(X[there], 10.0).max() == 0.0
    forest = build_learner("random_forest", "value", 0, {}, covariates=names, classes=["soil"])
    assert not hasattr(forest, "predict_quantiles")


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, float("nan")])
def test_a_level_that_has_no_quantile_is_refused(level):
    with pytest.raises(PermagridError, match="lie above 0 and below 1"):
        fitted(30, 3).predict_quantiles(problem(1)[0], [0.5, level])
