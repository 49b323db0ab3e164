"""Discriminants and naive Bayes against scikit-learn, and where a class has no covariance of its own."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.naive_bayes import GaussianNB

from permagrid.learners import build_learner
from permagrid.learners.discriminant import Discriminant


def problem(n_classes, n=200):
    random = np.random.default_rng(4)
    y = random.choice(n_classes, n, p=np.arange(1.0, n_classes + 1) / np.arange(1.0, n_classes + 1).sum())
    mix = random.normal(0, 1, (n_classes, 3, 3))
    X = np.stack([random.normal(0, 1, 3) @ mix[k] + [k, 2 * k, -k] for k in y])
    return X, y


THEIRS = {
    "shared": LinearDiscriminantAnalysis(solver="lsqr"),
    "own": QuadraticDiscriminantAnalysis(),
    "diagonal": GaussianNB(var_smoothing=0.0),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("covariance", list(THEIRS))
def test_probabilities_are_those_of_scikit_learn(covariance, n_classes):
    X, y = problem(n_classes)
    mine, theirs = Discriminant(covariance).fit(X, y), THEIRS[covariance].fit(X, y)
    # Quadratic discriminants of scikit-learn divide by one row less than there are.
    tolerance = 0.02 if covariance == "own" else 1e-9
    np.testing.assert_allclose(mine.predict_proba(X), theirs.predict_proba(X), atol=tolerance)
    assert np.mean(mine.predict(X) == theirs.predict(X)) > (0.98 if covariance == "own" else 0.9999)


def test_quadratic_discriminants_are_densities_of_normal_distributions():
    X, y = problem(3)
    mine = Discriminant("own").fit(X, y)
    densities = []
    for k in range(3):
        mean, spread = X[y == k].mean(axis=0), np.cov(X[y == k].T, bias=True)
        distance = np.einsum("ij,jk,ik->i", X - mean, np.linalg.inv(spread), X - mean)
        densities.append(np.mean(y == k) * np.exp(-distance / 2) / np.sqrt(np.linalg.det(spread)))
    expected = np.stack(densities, axis=1)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(mine.predict_proba(X), expected, atol=1e-10)


def test_shrinkage_is_that_of_scikit_learn():
    X, y = problem(3)
    mine = Discriminant("shared", shrinkage=0.4).fit(X, y)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=Shrunk(0.4)).fit(X, y)
    np.testing.assert_allclose(mine.predict_proba(X), theirs.predict_proba(X), atol=1e-9)


class Shrunk:
    """A covariance shrunk towards a multiple of the identity, without scikit-learn's scaling of columns."""

    def __init__(self, share):
        self.share = share

    def fit(self, X):
        spread = np.cov(X.T, bias=True)
        self.covariance_ = (1 - self.share) * spread + self.share * np.trace(spread) / 3 * np.eye(3)
        return self


@pytest.mark.parametrize("name", ["linear_discriminant", "quadratic_discriminant", "naive_bayes"])
def test_a_class_of_one_row_and_columns_that_say_the_same_are_no_fault(name):
    X, y = problem(2)
    X = np.stack([X[:, 0], X[:, 0], y * 1.0, np.zeros(200)], axis=1)
    y[0] = 2
    shares = build_learner(name, "class", 0, {}).fit(X, y).predict_proba(X)
    assert np.isfinite(shares).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
