"""How smooth the terms of an additive model are: smoothing parameters by GCV or REML, one for each term."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from permagrid.learners.row_wise import logistic

Float = NDArray[np.float64]
Criterion = Literal["gcv", "reml"]

_STEADY = 1e-9
"""Penalty of every coefficient as a share of what the rows say of it, so that columns which say the same
share their effect."""
_LOWEST, _HIGHEST = -12.0, 16.0
"""Bounds of the logarithms of smoothing parameters, against what the rows say of the coefficients."""
_STARTS = (-6.0, -3.0, 0.0, 3.0, 6.0)
_NEWTON_STEPS, _SETTLED = 100, 1e-10


@dataclass(frozen=True, eq=False)
class Design:
    """Columns of an additive model, what is observed and how it is penalised."""

    columns: Float
    """Shape ``(n, p)``; the first is the intercept."""
    target: Float
    """Values, or 0 and 1."""
    weights: Float
    """Weights of the rows."""
    group: NDArray[np.int_]
    """For each column the number of the smoothing parameter that penalises its square; -1 for none."""
    fixed: Float
    """For each column a penalty of its square that is given, besides."""

    @property
    def groups(self) -> int:
        """Number of smoothing parameters."""
        return int(self.group.max(initial=-1)) + 1

    def penalty(self, logarithms: Float) -> Float:
        """Return the penalty of the square of each coefficient, for logarithms of smoothing parameters."""
        return np.where(self.group >= 0, np.append(np.exp(logarithms), 0.0)[self.group], 0.0)

    def totals(self, by_column: Float) -> Float:
        """Return sums over the columns of each smoothing parameter."""
        inside = self.group >= 0
        return np.bincount(self.group[inside], by_column[inside], minlength=self.groups).astype(float)


class Solution(NamedTuple):
    """A fit with given smoothing parameters."""

    score: float
    """The criterion, to be made small."""
    gradient: Float
    """Its derivatives by the logarithms of the smoothing parameters."""
    coefficients: Float
    """Of the columns."""
    freedom: Float
    """Effective degrees of freedom of each column."""
    scale: float
    """Variance of the residuals; 1 for classes."""


class Family(Protocol):
    """How an additive model is fitted with given smoothing parameters."""

    def __call__(self, logarithms: Float) -> Solution:
        """Return the fit for logarithms of the smoothing parameters."""


class Gaussian:
    """Least squares, by products of the columns that are computed once.

    Parameters
    ----------
    design
        What is fitted.
    criterion
        ``gcv``: n RSS / (n - edf)**2 (Craven and Wahba 1979, doi:10.1007/BF01404567). ``reml``: the negative
        logarithm of the restricted likelihood, the variance of the residuals profiled out (Wood 2011,
        doi:10.1111/j.1467-9868.2010.00749.x). The number of rows n is the sum of their weights.
    """

    def __init__(self, design: Design, criterion: Criterion) -> None:
        self._design, self._criterion = design, criterion
        weighted = design.columns.T * design.weights
        self._cross, self._moments = weighted @ design.columns, weighted @ design.target
        self._total = float(design.weights @ design.target**2)
        self._rows = float(design.weights.sum())
        self._steady = design.fixed + _STEADY * np.diag(self._cross)

    def __call__(self, logarithms: Float) -> Solution:
        """Return the fit for logarithms of the smoothing parameters."""
        design, wanted = self._design, self._design.penalty(logarithms)
        penalty = wanted + self._steady
        inverse, half_log = _inverse(self._cross + np.diag(penalty))
        coefficients = inverse @ self._moments
        freedom = 1.0 - penalty * np.diag(inverse)
        penalised = max(self._total - float(self._moments @ coefficients), 1e-300 + 1e-15 * self._total)
        residual = max(penalised - float(penalty @ coefficients**2), 1e-300 + 1e-15 * self._total)
        if self._criterion == "reml":
            left = max(self._rows - float((design.group < 0).sum()), 1.0)
            sizes = design.totals(np.ones(len(wanted)))
            score = 0.5 * left * np.log(penalised) + half_log - 0.5 * float(sizes @ logarithms)
            by_column = 0.5 * wanted * (left * coefficients**2 / penalised + np.diag(inverse))
            gradient = design.totals(by_column) - 0.5 * sizes
        else:
            left = max(self._rows - float(freedom.sum()), 1e-3 * self._rows)
            score = self._rows * residual / left**2
            more = 2.0 * wanted * coefficients * (inverse @ (penalty * coefficients))
            fewer = -wanted * _diagonal(inverse, penalty)
            gradient = self._rows / left**2 * design.totals(more + 2.0 * residual / left * fewer)
        scale = residual / max(self._rows - float(freedom.sum()), 1e-3 * self._rows)
        return Solution(score, gradient, coefficients, freedom, scale)


class Binomial:
    """Logistic regression by Newton's method, each from where the last one ended.

    Parameters
    ----------
    design
        What is fitted; the target is 0 or 1.
    criterion
        ``gcv``: deviance / n + 2 edf / n, which takes the place of GCV where the variance is known (Wood
        2017, section 6.2.1). ``reml``: the negative logarithm of the Laplace approximation of the restricted
        likelihood (Wood 2011). The number of rows n is the sum of their weights.
    """

    def __init__(self, design: Design, criterion: Criterion) -> None:
        self._design, self._criterion = design, criterion
        self._rows = float(design.weights.sum())
        mean = float(design.weights @ design.target) / self._rows
        self._last = np.zeros(design.columns.shape[1])
        self._last[0] = np.log(mean / (1.0 - mean))
        spread = 0.25 * design.weights @ design.columns**2
        self._steady = design.fixed + _STEADY * spread

    def __call__(self, logarithms: Float) -> Solution:
        """Return the fit for logarithms of the smoothing parameters."""
        design, wanted = self._design, self._design.penalty(logarithms)
        penalty = wanted + self._steady
        coefficients, probability = self._settled(penalty)
        spread = design.weights * probability * (1.0 - probability)
        matrix = _cross(design.columns, spread) + np.diag(penalty)
        inverse, half_log = _inverse(matrix)
        freedom = 1.0 - penalty * np.diag(inverse)
        deviance = 2.0 * self._loss(coefficients)
        # How weights of the rows change with their scores: the part that least squares does not have.
        skewed = spread * (1.0 - 2.0 * probability)
        bent = inverse @ (penalty * coefficients)
        if self._criterion == "reml":
            sizes = design.totals(np.ones(len(wanted)))
            score = 0.5 * deviance + 0.5 * float(penalty @ coefficients**2) + half_log
            score -= 0.5 * float(sizes @ logarithms)
            leverage = np.einsum("ij,ij->i", design.columns @ inverse, design.columns)
            turned = inverse @ (design.columns.T @ (leverage * skewed))
            by_column = 0.5 * wanted * (coefficients**2 + np.diag(inverse) - turned * coefficients)
            gradient = design.totals(by_column) - 0.5 * sizes
        else:
            score = (deviance + 2.0 * float(freedom.sum())) / self._rows
            halved = (inverse * penalty) @ inverse
            leverage = np.einsum("ij,ij->i", design.columns @ halved, design.columns)
            turned = inverse @ (design.columns.T @ (leverage * skewed))
            more = 2.0 * wanted * coefficients * bent
            fewer = -wanted * (turned * coefficients + _diagonal(inverse, penalty))
            gradient = design.totals(more + 2.0 * fewer) / self._rows
        return Solution(score, gradient, coefficients, freedom, 1.0)

    def _loss(self, coefficients: Float) -> float:
        scores = self._design.columns @ coefficients
        return float(self._design.weights @ (np.logaddexp(0.0, scores) - self._design.target * scores))

    def _settled(self, penalty: Float) -> tuple[Float, Float]:
        design, coefficients = self._design, self._last
        best = self._loss(coefficients) + 0.5 * float(penalty @ coefficients**2)
        for _ in range(_NEWTON_STEPS):
            probability = logistic(design.columns @ coefficients)
            spread = design.weights * probability * (1.0 - probability)
            gradient = design.columns.T @ (design.weights * (probability - design.target))
            gradient += penalty * coefficients
            factor = _factor(_cross(design.columns, spread) + np.diag(penalty))
            step = factor(gradient)
            length, decrease = 1.0, float(gradient @ step)
            if decrease <= _SETTLED * (1.0 + abs(best)):
                # The last step doubles the digits: one less, and the criterion would jump between searches.
                coefficients = coefficients - step
                break
            while True:
                tried = coefficients - length * step
                loss = self._loss(tried) + 0.5 * float(penalty @ tried**2)
                if loss <= best or length < 1e-8:
                    break
                length /= 2
            coefficients, best = tried, loss
        self._last = coefficients
        return coefficients, logistic(design.columns @ coefficients)


def chosen(family: Family, design: Design) -> tuple[Float, Solution]:
    """Return the logarithms of the smoothing parameters that make a criterion least, and their fit.

    The search begins at the best of a few values that are the same for all, and follows the gradient (Byrd
    et al. 1995, doi:10.1137/0916069).

    Parameters
    ----------
    family
        How the model is fitted.
    design
        What it is fitted to.
    """
    level = natural_level(design)
    if not design.groups:
        return level, family(level)
    start = min((level + shift for shift in _STARTS), key=lambda logarithms: family(logarithms).score)
    bounds = [(one + _LOWEST, one + _HIGHEST) for one in level]

    def score(logarithms: Float) -> tuple[float, Float]:
        found = family(logarithms)
        return found.score, found.gradient

    options = {"maxiter": 100, "ftol": 1e-8, "gtol": 1e-6}
    found = minimize(score, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    logarithms = np.asarray(found.x)
    return logarithms, family(logarithms)


def natural_level(design: Design) -> Float:
    """Return logarithms of smoothing parameters that weigh as much as the rows do."""
    squares = design.weights @ design.columns**2
    sizes = design.totals(np.ones(len(squares)))
    return np.log(np.maximum(design.totals(squares) / np.maximum(sizes, 1.0), 1e-12))


def _cross(columns: Float, weights: Float) -> Float:
    """Return products of all pairs of columns, summed over rows with weights that are not below 0."""
    # Of one array with itself half of them are computed.
    weighted = columns * np.sqrt(weights)[:, np.newaxis]
    return np.asarray(weighted.T @ weighted)


def _factor(matrix: Float) -> Callable[[Float], Float]:
    """Return what solves equations with a matrix, brought to a diagonal of 1 as its numbers differ widely."""
    scale = 1.0 / np.sqrt(np.diag(matrix))
    factor = cho_factor(matrix * np.multiply.outer(scale, scale), lower=True)
    return lambda right: np.asarray(scale * cho_solve(factor, scale * right))


def _inverse(matrix: Float) -> tuple[Float, float]:
    """Return the inverse of a matrix and half the logarithm of its determinant."""
    scale = 1.0 / np.sqrt(np.diag(matrix))
    factor = cho_factor(matrix * np.multiply.outer(scale, scale), lower=True)
    inverse = cho_solve(factor, np.eye(len(matrix))) * np.multiply.outer(scale, scale)
    return inverse, float(np.log(np.diag(factor[0])).sum() - np.log(scale).sum())


def _diagonal(inverse: Float, penalty: Float) -> Float:
    """Return the diagonal of A^-1 (A - S) A^-1, with the diagonal S a part of A."""
    return np.asarray(np.diag(inverse) - (inverse**2) @ penalty)
