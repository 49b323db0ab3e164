"""The learner of a Gaussian process: rows are alike as far as their covariates are near."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin

from permagrid.learners.chain import scaled
from permagrid.learners.ranges import at_least
from permagrid.learners.row_wise import Radial, radial_sums
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.support_vectors import ScaledTarget
from permagrid.learners.training import asked, training
from permagrid.learners.traits import traits

Float = NDArray[np.float64]

_JITTER = 1e-9
_LOG_BOUNDS = {"amplitude": (-7.0, 5.0), "noise": (-9.0, 3.0), "length": (-3.0, 6.0)}
"""Bounds of the logarithms of variances, against that of the target, and of lengths."""


@LEARNERS.register
@traits(
    tasks=("value",),
    space={"kernel": ("matern_3_2", "squared_exponential"), "separate": (False, True)},
    weights=True,
)
def gaussian_process(
    setting: Setting,
    *,
    kernel: Radial = "matern_3_2",
    separate: bool = True,
    search_rows: int = 400,
) -> Any:
    """Return the mean of a Gaussian process with noise (Rasmussen and Williams 2006, ISBN 0-262-18253-X).

    Variances and lengths are those of the largest marginal likelihood. A row of weight w has 1 / w of the
    noise.

    Parameters
    ----------
    setting
        What it is built for.
    kernel
        How likeness falls with the distance r between covariates, in lengths: ``squared_exponential``
        exp(-r**2 / 2), smooth; ``matern_3_2`` and ``matern_5_2``, rougher.
    separate
        Whether each covariate has a length of its own, by which it may drop out; else one for all.
    search_rows
        Most rows, drawn by the seed, of which the likelihood is computed; the mean is that of all rows.

    Raises
    ------
    PermagridError
        If `search_rows` is below 10.
    """
    at_least("gaussian_process", 10, search_rows=search_rows)
    process = GaussianProcess(kernel, separate=separate, search_rows=search_rows, random_state=setting.seed)
    return scaled(ScaledTarget(process))


class GaussianProcess(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Mean of a Gaussian process of mean 0, whose value at a row does not depend on the rows beside it.

    Parameters
    ----------
    kernel
        The function of the distance.
    separate
        Whether each column has a length of its own.
    search_rows
        Most rows of which the marginal likelihood is computed.
    random_state
        Seed by which they are drawn.

    Attributes
    ----------
    amplitude_, noise_
        Variances of what the columns explain and of the rest.
    lengths_
        Length of each column.
    log_likelihood_
        Logarithm of the marginal likelihood of the rows of the search.

    Examples
    --------
    >>> rows = np.linspace(0, 6, 40)[:, np.newaxis]
    >>> process = GaussianProcess().fit(rows, np.sin(rows[:, 0]))
    >>> process.predict([[1.5]]).round(2)
    array([1.])
    """

    def __init__(
        self,
        kernel: Radial = "matern_3_2",
        *,
        separate: bool = True,
        search_rows: int = 400,
        random_state: int = 0,
    ) -> None:
        self.kernel, self.separate = kernel, separate
        self.search_rows, self.random_state = search_rows, random_state

    def fit(self, X: Float, y: Float, sample_weight: Float | None = None) -> "GaussianProcess":
        """Find variances and lengths, and what each row contributes to the mean."""
        X, y, weights = training(self, X, y, sample_weight)
        drawn = np.random.default_rng(self.random_state).permutation(len(X))[: self.search_rows]
        lengths = X.shape[1] if self.separate else 1
        likelihood = Likelihood(X[drawn], y[drawn], weights[drawn], self.kernel, lengths)
        start = np.array([0.0, -2.0, *[0.5 * np.log(X.shape[1]) + 0.5] * lengths])
        bounds = [_LOG_BOUNDS["amplitude"], _LOG_BOUNDS["noise"], *[_LOG_BOUNDS["length"]] * lengths]
        found = minimize(likelihood, start, jac=True, method="L-BFGS-B", bounds=bounds, tol=1e-6)
        self.log_likelihood_ = -float(found.fun)
        self.amplitude_, self.noise_ = np.exp(found.x[:2]).tolist()
        self.lengths_ = np.exp(np.broadcast_to(found.x[2:], X.shape[1]))
        self._centres = X / self.lengths_
        squared = np.zeros((len(X), len(X)))
        for column in self._centres.T:
            squared += np.subtract.outer(column, column) ** 2
        near = self.amplitude_ * _kernel(squared, self.kernel)[0]
        near[np.diag_indices(len(X))] += self.noise_ / weights + _JITTER
        self._shares = self.amplitude_ * cho_solve(cho_factor(near), y)
        return self

    def predict(self, X: Float) -> Float:
        """Return means, shape ``(n,)``."""
        rows = asked(self, X) / self.lengths_
        return radial_sums(rows, self._centres, self._shares[np.newaxis], kind=self.kernel)[:, 0]


class Likelihood:
    """Negative logarithm of the marginal likelihood, with its gradient.

    Parameters
    ----------
    rows, target, weights
        What was observed.
    kernel
        The function of the distance.
    lengths
        Number of lengths: 1, or one for each column.
    """

    def __init__(self, rows: Float, target: Float, weights: Float, kernel: Radial, lengths: int) -> None:
        self._target, self._weights, self._kernel = target, weights, kernel
        squares = (rows.T[:, :, np.newaxis] - rows.T[:, np.newaxis, :]) ** 2
        self._squares = squares if lengths > 1 else squares.sum(axis=0, keepdims=True)

    def __call__(self, logarithms: Float) -> tuple[float, Float]:
        """Return it for the logarithms of amplitude, noise and lengths."""
        amplitude, noise = np.exp(logarithms[:2])
        stretches = np.exp(-2.0 * logarithms[2:])
        distance = np.tensordot(stretches, self._squares, axes=1)
        likeness, slope = _kernel(distance, self._kernel)
        spread = noise / self._weights
        covariance = amplitude * likeness
        covariance[np.diag_indices(len(spread))] += spread + _JITTER
        factor = cho_factor(covariance, lower=True)
        explained = cho_solve(factor, self._target)
        half_log = float(np.log(np.diag(factor[0])).sum())
        loss = 0.5 * float(self._target @ explained) + half_log + 0.5 * len(spread) * np.log(2 * np.pi)
        # d loss = tr((K^-1 - a a') dK) / 2, with a = K^-1 y.
        outer = cho_solve(factor, np.eye(len(spread))) - np.multiply.outer(explained, explained)
        weighted = outer * slope
        gradient = [
            0.5 * amplitude * float((outer * likeness).sum()),
            0.5 * float((np.diag(outer) * spread).sum()),
            *(
                -amplitude * stretch * float((weighted * square).sum())
                for stretch, square in zip(stretches, self._squares, strict=True)
            ),
        ]
        return float(loss), np.array(gradient)


def _kernel(squared: Float, kernel: Radial) -> tuple[Float, Float]:
    """Return a function of the squared distance, and its derivative."""
    if kernel == "squared_exponential":
        value = np.exp(-0.5 * squared)
        return value, -0.5 * value
    root = np.sqrt((3.0 if kernel == "matern_3_2" else 5.0) * squared)
    fall = np.exp(-root)
    if kernel == "matern_3_2":
        return (1.0 + root) * fall, -1.5 * fall
    return (1.0 + root + root**2 / 3.0) * fall, -5.0 / 6.0 * (1.0 + root) * fall
