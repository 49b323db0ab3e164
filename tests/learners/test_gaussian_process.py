"""The Gaussian process against scikit-learn's: likelihood, gradient, mean and weights."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

from permagrid.learners.gaussian_process import GaussianProcess, Likelihood

KERNELS = {
    "squared_exponential": RBF,
    "matern_3_2": lambda lengths: Matern(lengths, nu=1.5),
    "matern_5_2": lambda lengths: Matern(lengths, nu=2.5),
}


def problem(n=70):
    random = np.random.default_rng(0)
    X = random.normal(0, 1, (n, 3))
    return X, np.sin(2 * X[:, 0]) + 0.3 * X[:, 1] + random.normal(0, 0.2, n), random.uniform(0.5, 2, n)


@pytest.mark.parametrize("kernel", list(KERNELS))
def test_likelihood_and_mean_are_those_of_scikit_learn(kernel):
    X, y, _ = problem()
    mine = GaussianProcess(kernel).fit(X, y)
    theirs = ConstantKernel(mine.amplitude_) * KERNELS[kernel](mine.lengths_) + WhiteKernel(mine.noise_)
    fixed = GaussianProcessRegressor(theirs, optimizer=None, alpha=1e-9).fit(X, y)
    assert mine.log_likelihood_ == pytest.approx(fixed.log_marginal_likelihood_value_, rel=1e-6)
    new = problem(40)[0] + 0.3
    np.testing.assert_allclose(mine.predict(new), fixed.predict(new), atol=1e-6)
    searched = GaussianProcessRegressor(theirs, alpha=1e-9).fit(X, y)
    assert mine.log_likelihood_ > searched.log_marginal_likelihood_value_ - 0.5


@pytest.mark.parametrize("lengths", [1, 3])
@pytest.mark.parametrize("kernel", list(KERNELS))
def test_the_gradient_is_that_of_the_likelihood(kernel, lengths):
    X, y, weights = problem(30)
    likelihood = Likelihood(X, y, weights, kernel, lengths)
    place = np.array([0.2, -1.0, 0.3, -0.2, 0.6][: 2 + lengths])
    numeric = approx_fprime(place, lambda at: likelihood(at)[0], 1e-6)
    np.testing.assert_allclose(likelihood(place)[1], numeric, rtol=1e-3, atol=1e-4)


def test_weights_divide_the_noise():
    X, y, weights = problem()
    mine = GaussianProcess().fit(X, y, sample_weight=weights)
    theirs = ConstantKernel(mine.amplitude_) * Matern(mine.lengths_, nu=1.5)
    fixed = GaussianProcessRegressor(theirs, optimizer=None, alpha=mine.noise_ / weights).fit(X, y)
    np.testing.assert_allclose(mine.predict(X), fixed.predict(X), atol=1e-6)


def test_covariates_without_a_say_have_great_lengths_and_the_mean_is_that_of_all_rows():
    X, y, _ = problem(400)
    model = GaussianProcess(search_rows=150).fit(X, y)
    assert model.lengths_[2] > 5 * model.lengths_[0]
    few = GaussianProcess(search_rows=150).fit(X[:150], y[:150])
    truth = np.sin(2 * X[:, 0]) + 0.3 * X[:, 1]
    assert np.std(model.predict(X) - truth) < np.std(few.predict(X) - truth)
    assert len(set(GaussianProcess(separate=False).fit(X[:50], y[:50]).lengths_)) == 1
