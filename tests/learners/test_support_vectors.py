"""Support vectors are those of scikit-learn, and their probabilities Platt's, of scores of rows held out."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC, SVR, LinearSVC

from permagrid.learners import build_learner
from permagrid.learners.platt import PlattScaled, sigmoid
from permagrid.learners.support_vectors import (
    RowWiseLinearSVC,
    RowWiseLinearSVR,
    RowWiseSVC,
    RowWiseSVR,
    ScaledTarget,
)


def problem(n_classes=None, n=240, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(0, 1, (n, 3))
    y = np.sin(2 * X[:, 0]) + X[:, 1] + random.normal(0, 0.5, n)
    return X, y if n_classes is None else np.digitize(y, np.linspace(-0.5, 0.5, n_classes - 1))


@pytest.mark.parametrize("gamma", ["auto", "scale", 0.7])
def test_scores_are_those_of_scikit_learn(gamma):
    X, y = problem()
    new, _ = problem(seed=1)
    mine, theirs = RowWiseSVR(C=2.0, gamma=gamma).fit(X, y), SVR(C=2.0, gamma=gamma).fit(X, y)
    np.testing.assert_allclose(mine.predict(new), theirs.predict(new), atol=1e-9)
    mine, theirs = (kind(C=2.0, gamma=gamma).fit(X, y > 0) for kind in (RowWiseSVC, SVC))
    np.testing.assert_allclose(mine.decision_function(new), theirs.decision_function(new), atol=1e-9)
    mine, theirs = (kind(random_state=0).fit(X, y > 0) for kind in (RowWiseLinearSVC, LinearSVC))
    np.testing.assert_allclose(mine.decision_function(new), theirs.decision_function(new), atol=1e-9)
    mine, theirs = RowWiseLinearSVR().fit(X, y), SVR(kernel="linear").fit(X, y)
    np.testing.assert_allclose(mine.predict(new), theirs.predict(new), atol=1e-9)


def test_the_unit_of_the_target_does_not_matter():
    X, y = problem()
    one, two = ScaledTarget(RowWiseSVR()).fit(X, y), ScaledTarget(RowWiseSVR()).fit(X, 100 * y - 7)
    np.testing.assert_allclose(two.predict(X), 100 * one.predict(X) - 7, rtol=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_sigmoid_is_the_best_one(seed):
    random = np.random.default_rng(seed)
    scores, weights = random.normal(0, 2, 150), random.uniform(0.2, 2, 150)
    is_one = random.random(150) < 1 / (1 + np.exp(-(1.5 * scores - 0.4)))
    ones, rest = weights[is_one].sum(), weights[~is_one].sum()
    targets = np.where(is_one, (ones + 1) / (ones + 2), 1 / (rest + 2))

    def loss(line):
        inner = line[0] * scores + line[1]
        return weights @ (np.logaddexp(0, inner) - targets * inner)

    best = minimize(loss, [0.0, 0.0], tol=1e-12)
    np.testing.assert_allclose(sigmoid(scores, is_one, weights), best.x, atol=1e-4)


@pytest.mark.parametrize("far", [1e-6, 1e6])
def test_the_sigmoid_is_found_whatever_the_scale_of_the_scores(far):
    scores = np.linspace(-1, 1, 40)
    is_one = np.arange(40) > 18
    slope, intercept = sigmoid(scores * far, is_one, np.ones(40))
    other, same = sigmoid(scores, is_one, np.ones(40))
    assert (slope * far, intercept) == (pytest.approx(other, rel=1e-3), pytest.approx(same, rel=1e-3))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_calibrated_as_those_of_scikit_learn_are(n_classes):
    X, y = problem(n_classes, n=400)
    new, truth = problem(n_classes, n=2000, seed=1)
    mine = PlattScaled(RowWiseSVC(C=2.0)).fit(X, y)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    theirs = CalibratedClassifierCV(SVC(C=2.0), cv=folds, ensemble=False).fit(X, y)
    if n_classes == 2:
        np.testing.assert_allclose(mine.predict_proba(new), theirs.predict_proba(new), atol=1e-3)
        assert brier_score_loss(truth, mine.predict_proba(new)[:, 1]) < 0.13
    assert log_loss(truth, mine.predict_proba(new)) < log_loss(truth, theirs.predict_proba(new)) + 0.02


@pytest.mark.parametrize("name", ["support_vectors", "linear_support_vectors"])
def test_a_class_of_one_row_is_no_fault(name):
    X, y = problem(2, n=40)
    y = np.where(np.arange(40) == 3, 2, y)
    model = build_learner(name, "class", 0, {}).fit(X, y)
    shares = model.predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    # One row is no reason to be sure.
    assert 0.01 < shares[3, 2] < 0.9


def test_where_no_machine_claims_a_row_its_probabilities_are_still_shares():
    X, y = problem(3)
    model = PlattScaled(RowWiseLinearSVC()).fit(X * 1e3, y)
    shares = model.predict_proba(np.array([[1e9, 0.0, 0.0], [0.0, 1e9, 0.0], [-1e9, 1e9, 1e9]]))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
