"""The network: its gradient, and that it is the network of scikit-learn."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.neural_network import MLPClassifier, MLPRegressor

from permagrid.learners.network import Loss, NetworkClassifier, NetworkRegressor


def problem(n=60):
    random = np.random.default_rng(0)
    X = random.normal(0, 1, (n, 3))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] ** 2, random.uniform(0.5, 2, n)


@pytest.mark.parametrize(("is_class", "outputs"), [(False, 1), (True, 2), (True, 3)])
def test_the_gradient_is_that_of_the_loss(is_class, outputs):
    X, y, weights = problem()
    target = y[:, np.newaxis] if not is_class else np.eye(outputs)[np.digitize(y, [0.5, 1.2][: outputs - 1])]
    loss = Loss(X, target, weights, (3, 4, 2, outputs), alpha=0.7, is_class=is_class)
    numbers = np.random.default_rng(1).normal(0, 1, 3 * 4 + 4 + 4 * 2 + 2 + 2 * outputs + outputs)
    numeric = approx_fprime(numbers, lambda at: loss(at)[0], 1e-7)
    np.testing.assert_allclose(loss(numbers)[1], numeric, rtol=1e-4, atol=1e-4)


def test_the_loss_and_the_answer_are_those_of_scikit_learn():
    X, y, _ = problem()
    settings = {"activation": "tanh", "solver": "lbfgs", "alpha": 1.0, "max_iter": 5000, "max_fun": 50000}
    theirs = MLPRegressor(hidden_layer_sizes=(4,), random_state=0, **settings).fit(X, y)
    loss = Loss(X, y[:, np.newaxis], np.ones(60), (3, 4, 1), alpha=1.0, is_class=False)
    flat = np.concatenate(
        [part.ravel() for pair in zip(theirs.coefs_, theirs.intercepts_, strict=True) for part in pair]
    )
    assert loss(flat)[0] / 60 == pytest.approx(theirs.loss_, rel=1e-6)
    mine = NetworkRegressor((4,), alpha=1.0)
    mine.n_features_in_, mine.layers_ = 3, loss.layers(flat)
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), atol=1e-9)

    # scikit-learn has one output for two classes; for three its loss is this one.
    classes = np.digitize(y, [0.5, 1.2])
    theirs = MLPClassifier(hidden_layer_sizes=(4,), random_state=0, **settings).fit(X, classes)
    loss = Loss(X, np.eye(3)[classes], np.ones(60), (3, 4, 3), alpha=1.0, is_class=True)
    flat = np.concatenate(
        [part.ravel() for pair in zip(theirs.coefs_, theirs.intercepts_, strict=True) for part in pair]
    )
    assert loss(flat)[0] / 60 == pytest.approx(theirs.loss_, rel=1e-6)
    found = NetworkClassifier((4,), alpha=1.0, max_iter=5000).fit(X, classes)
    assert found.loss_ / 60 == pytest.approx(theirs.loss_, rel=0.05)


def test_without_units_it_could_not_learn_a_curve_and_a_great_penalty_leaves_none():
    X, y, _ = problem(300)
    assert NetworkRegressor((8,), alpha=0.1, max_iter=1000).fit(X, y).score(X, y) > 0.95
    assert NetworkRegressor((8,), alpha=1e6).fit(X, y).score(X, y) < 0.01
