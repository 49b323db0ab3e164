"""The chain hands weights to all of its steps, and is a pipeline of scikit-learn otherwise."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from permagrid.errors import PermagridError
from permagrid.learners import Chain, build_learner, scaled
from permagrid.learners.classes import with_classes


def problem(n=50):
    random = np.random.default_rng(0)
    X = random.normal(0, 1, (n, 2)) * [1, 5]
    return X, X @ [1.0, 0.3] + random.normal(0, 1, n), random.uniform(0.1, 3, n)


def test_scales_are_learned_with_weights_too():
    X, y, weights = problem()
    model = scaled(Ridge(10.0)).fit(X, y, sample_weight=weights)
    scaler = StandardScaler().fit(X, sample_weight=weights)
    np.testing.assert_array_equal(model[0].mean_, scaler.mean_)
    expected = Ridge(10.0).fit(scaler.transform(X), y, sample_weight=weights)
    np.testing.assert_allclose(model.predict(X), expected.predict(scaler.transform(X)))


def test_a_copy_of_a_fitted_chain_learns_its_directions_anew():
    X, y, _ = problem()
    X = np.stack([np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 10), *X.T], axis=1)
    kinds = {"covariates": ("soil", "air", "snow"), "classes": ("soil",)}
    model = build_learner("random_forest", "value", 0, {"n_estimators": 5, "monotone": {"air": 1}}, **kinds)
    assert model.fit(X, y)[-1].monotonic_cst == [0, 0, 0, 0, 0, 1, 0]
    again = clone(model).fit(X[:20], y[:20])
    assert again[-1].monotonic_cst == [0, 0, 1, 0]
    assert model.directions == again.directions == [0, 1, 0]


def test_a_pipeline_of_another_package_takes_weights_too_where_it_meets_classes():
    X, y, weights = problem()
    X = np.stack([np.repeat([1.0, 2.0], 25), *X.T], axis=1)
    plain = make_pipeline(StandardScaler(), LinearRegression())
    model = with_classes(plain, ("soil", "a", "b"), ("soil",), "one_hot")
    assert isinstance(model, Chain)
    model.fit(X, y, sample_weight=weights)
    assert np.abs(model.predict(X) - clone(model).fit(X, y).predict(X)).max() > 1e-3


def test_a_last_step_without_weights_is_named():
    class Deaf(LinearRegression):
        def fit(self, X, y):
            return super().fit(X, y)

    X, y, weights = problem()
    with pytest.raises(PermagridError, match="Deaf takes no weights of rows"):
        scaled(Deaf()).fit(X, y, sample_weight=weights)
