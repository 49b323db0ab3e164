"""Weights of rows reach every learner that says so, through its scaling and its encoding of classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_sample_weight
from threadpoolctl import threadpool_limits

from every_learner import ANY_COLUMNS, EVERY, FEW
from permagrid.errors import PermagridError
from permagrid.learners import build_learner, traits_of
from permagrid.learners.training import balanced

WEIGHED = [(name, task, count) for name, task, count in EVERY if traits_of(name).weights]
NOT_TWICE = {
    "adaboost": "values draw rows by their weights",
    "extra_trees": "thresholds are drawn in the order of the rows",
    "gaussian_process": "two rows say more of the noise than one of twice the weight",
    "lightgbm": "bins and leaves count rows",
    "linear_support_vectors": "folds of the sigmoid are drawn",
    "quantile_forest": "rows are drawn",
    "random_forest": "rows are drawn",
    "support_vectors": "folds of the sigmoid are drawn",
    "gradient_boosting": "bins and leaves count rows",
    "xgboost": "bins are quantiles of weights, found with rounding",
}
"""Learner -> why a row of weight 2 is not two rows to it."""
CALM = {
    "decision_tree": {"min_samples_leaf": 1, "max_depth": 4},
    "multilayer_perceptron": {"hidden": [3], "max_iter": 2000},
}
COVARIATES, CLASSES = ("cold", "wet", "soil"), ("soil",)


@pytest.fixture(autouse=True)
def one_core():
    """Keep OpenMP from starting threads for a handful of rows."""
    with threadpool_limits(1):
        yield


def problem(n_classes, n=160, seed=2):
    random = np.random.default_rng(seed)
    X = np.stack([random.normal(0, 1, n), random.normal(5, 3, n), random.choice([2.0, 5.0, 6.0], n)], axis=1)
    y = X[:, 0] + np.sin(X[:, 1]) + (X[:, 2] == 5.0) + random.normal(0, 0.3, n)
    return X, y if n_classes is None else np.digitize(y, np.linspace(0, 1, n_classes - 1)).astype(float)


def fitted(name, task, X, y, weights=None, **more):
    keywords = {**FEW.get(name, {}), **CALM.get(name, {}), **more}
    model = build_learner(name, task, 0, keywords, covariates=COVARIATES, classes=CLASSES)
    model = model.fit(X, y) if weights is None else model.fit(X, y, sample_weight=weights)
    return model.predict if task == "value" else model.predict_proba


@pytest.mark.parametrize(("name", "task", "n_classes"), WEIGHED)
def test_a_row_of_weight_two_is_two_rows(name, task, n_classes):
    if name in NOT_TWICE and not (name == "linear_support_vectors" and task == "value"):
        pytest.skip(NOT_TWICE[name])
    X, y = problem(n_classes)
    twice = np.arange(len(X)) % 3 == 0
    order = np.sort(np.concatenate([np.arange(len(X)), np.flatnonzero(twice)]))
    weighed, doubled = fitted(name, task, X, y, 1.0 + twice), fitted(name, task, X[order], y[order])
    apart = np.abs(weighed(X) - doubled(X))
    assert apart.max() < 2e-3
    plain = fitted(name, task, X, y)
    assert np.abs(plain(X) - doubled(X)).max() > 3 * apart.max()


@pytest.mark.parametrize(("name", "task", "n_classes"), WEIGHED)
def test_rows_of_great_weight_are_followed(name, task, n_classes):
    X, y = problem(None)
    # Half of the rows say the opposite of the others.
    odd = np.arange(len(X)) % 2 == 1
    y = np.where(odd, -y, y)
    if n_classes is not None:
        y = np.digitize(y, np.linspace(-0.7, 0.7, n_classes - 1)).astype(float)
    more = {"min_samples_leaf": 10} if name.endswith(("_tree", "_trees", "_forest")) else {}
    more |= {"search_rows": 160} if name == "gaussian_process" else {}
    even, uneven = (fitted(name, task, X, y, np.where(which, 1.0, 0.02), **more)(X) for which in (~odd, odd))
    if task == "value":
        assert np.corrcoef(even, X[:, 0])[0, 1] > 0.3
        assert np.corrcoef(uneven, X[:, 0])[0, 1] < -0.3
    else:
        assert np.corrcoef(even[:, -1], X[:, 0])[0, 1] > 0.3
        assert np.corrcoef(uneven[:, -1], X[:, 0])[0, 1] < -0.3


@pytest.mark.parametrize(("name", "task", "n_classes"), WEIGHED)
def test_equal_weights_are_none(name, task, n_classes):
    if name in ("random_forest", "quantile_forest"):
        pytest.skip("rows are drawn in another way where they have weights")
    X, y = problem(n_classes)
    weighed, plain = fitted(name, task, X, y, np.ones(len(X))), fitted(name, task, X, y)
    # A network ends where its gradient is small, and rounding leads it there by another way.
    near = 1e-4 if name == "multilayer_perceptron" else 1e-6
    np.testing.assert_allclose(weighed(X), plain(X), rtol=near, atol=near)


@pytest.mark.parametrize("name", [name for name in ANY_COLUMNS if not traits_of(name).weights])
def test_a_learner_that_takes_no_weights_says_so(name):
    X, y = problem(None)
    with pytest.raises(PermagridError, match="takes no weights of rows"):
        fitted(name, "value", X, y, np.ones(len(X)))


def test_only_neighbours_take_none():
    assert [name for name in ANY_COLUMNS if not traits_of(name).weights] == ["nearest_neighbours"]


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.1, 9)), min_size=1, max_size=40))
def test_balanced_classes_have_the_same_sum_of_weights(rows):
    y, weights = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    found = balanced(y, weights)
    sums = [found[y == one].sum() for one in np.unique(y)]
    np.testing.assert_allclose(sums, weights.sum() / len(sums))
    np.testing.assert_allclose(balanced(y, np.ones(len(y))), compute_sample_weight("balanced", y))
