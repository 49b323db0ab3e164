"""Process models as scikit-learn estimators: of values, and of classes by a logistic of what they say."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from permagrid.errors import PermagridError
from permagrid.learners.process_fit import Calibrated, Rows, calibrate
from permagrid.learners.process_model import Float, Process, check_covariates
from permagrid.learners.row_wise import softmax

_RIDGE = 0.01
"""Squares of standardised levels and slopes of the logistic that are added to the deviance."""
_SURE = 1e-12


class _ProcessEstimator(BaseEstimator):  # type: ignore[misc]
    """What process models of values and of classes have in common.

    Parameters
    ----------
    process
        The model.
    covariates
        Names of the columns of the rows.
    """

    calibrated_: Calibrated
    coefficients_: Float

    def __init__(self, process: Process, covariates: Sequence[str]) -> None:
        self.process, self.covariates = process, covariates

    @property
    def parameters_(self) -> dict[str, float]:
        """Parameter -> its value, given or calibrated."""
        return dict(self.calibrated_.values)

    @property
    def class_factors_(self) -> dict[float, float]:
        """Code of a class -> factor of the class parameter."""
        return dict(self.calibrated_.factors)

    def say(self, X: ArrayLike) -> Float:
        """Return what the calibrated process model says of rows, in its own unit, shape ``(n,)``."""
        return self.calibrated_.say(self.process.columns(X, self.covariates), self._codes(X))

    def _codes(self, X: ArrayLike) -> Float | None:
        if self.process.soil_class is None:
            return None
        return np.array(np.asarray(X, dtype=float)[:, list(self.covariates).index(self.process.soil_class)])

    def _rows(self, X: ArrayLike, sample_weight: ArrayLike | None) -> Rows:
        if not self.covariates:
            raise PermagridError(f"{self.process.name} knows its covariates by name, and was given no names")
        check_covariates(self.process, self.covariates)
        many, self.n_features_in_ = np.shape(X)
        weights = np.ones(many) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        columns = self.process.columns(X, self.covariates)
        return Rows(columns, self._codes(X), np.asarray(weights / weights.mean()))


class ProcessRegressor(RegressorMixin, _ProcessEstimator):  # type: ignore[misc]
    """A process model that predicts values.

    Parameters that are not given are calibrated to the training rows by robust least squares within their
    physical ranges.

    Parameters
    ----------
    process
        The model.
    covariates
        Names of the columns of the rows.
    """

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Calibrate the process model.

        Parameters
        ----------
        X
            Rows, shape ``(n, columns)``.
        y
            Values, shape ``(n,)``.
        sample_weight
            Weights of the rows; all the same if left out.
        """
        X, y, sample_weight = _in_order(X, y, sample_weight)
        rows, values = self._rows(X, sample_weight), np.asarray(y, dtype=float)

        def misfit(said: Float, coefficients: Float) -> tuple[Float, Float]:
            return values - self._values(said, coefficients), np.empty(0)

        def begin(said: Float) -> list[float]:
            return [*_straight(said, values, rows.weights)] if self.process.linear else []

        self.calibrated_, self.coefficients_ = calibrate(self.process, rows, misfit, begin=begin, robust=True)
        return self

    def predict(self, X: ArrayLike) -> Float:
        """Return predictions, shape ``(n,)``: of each row by itself."""
        return self._values(self.say(X), self.coefficients_)

    def _values(self, said: Float, coefficients: Float) -> Float:
        return coefficients[0] + coefficients[1] * said if self.process.linear else said


class ProcessClassifier(ClassifierMixin, _ProcessEstimator):  # type: ignore[misc]
    """A process model that predicts classes: a logistic of what it says.

    Of two classes both are as likely where the model says so, at 0 °C or at a frost number of 0.5, if it has
    parameters to calibrate; where all are given, and for more classes, the logistic has levels of its own.
    Parameters and logistic are calibrated together to the greatest likelihood.

    Parameters
    ----------
    process
        The model.
    covariates
        Names of the columns of the rows.
    """

    classes_: Float

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Calibrate the process model and its logistic.

        Parameters
        ----------
        X
            Rows, shape ``(n, columns)``.
        y
            Codes of classes, shape ``(n,)``.
        sample_weight
            Weights of the rows; all the same if left out.
        """
        X, y, sample_weight = _in_order(X, y, sample_weight)
        rows = self._rows(X, sample_weight)
        self.classes_, index = np.unique(np.asarray(y), return_inverse=True)
        many, weights = len(self.classes_), rows.weights
        own = np.eye(many)[index]

        def misfit(said: Float, coefficients: Float) -> tuple[Float, Float]:
            right = softmax(self._scores(said, coefficients))[np.arange(len(index)), index]
            # The roots of twice the deviance, with the sign of two classes: smooth where a row is right.
            away = np.sqrt(-2.0 * np.log(np.maximum(right, _SURE)))
            sign = np.where(index == 0, -1.0, 1.0) if many == 2 else 1.0
            slopes = coefficients[: many - 1] * _deviation(said, weights)
            return sign * away, np.sqrt(_RIDGE) * np.concatenate([slopes, coefficients[many - 1 :]])

        def begin(said: Float) -> list[float]:
            spread = max(_deviation(said, weights), 1e-9)
            counts = np.maximum((own * weights[:, None]).sum(axis=0), 1e-6)
            means = [
                np.sum(said * weights * column) / count for column, count in zip(own.T, counts, strict=True)
            ]
            slopes = [(mean - means[0]) / spread**2 for mean in means[1:]]
            return [*slopes, *(np.log(counts[1:] / counts[0]).tolist() if self._levelled(many) else [])]

        self.calibrated_, self.coefficients_ = calibrate(
            self.process, rows, misfit, begin=begin, robust=False
        )
        return self

    def predict_proba(self, X: ArrayLike) -> Float:
        """Return probabilities, shape ``(n, classes)``: of each row by itself."""
        return softmax(self._scores(self.say(X), self.coefficients_))

    def predict(self, X: ArrayLike) -> Float:
        """Return the likeliest class of each row, shape ``(n,)``."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(X), axis=1)])

    def _levelled(self, many: int) -> bool:
        return many > 2 or not self.process.free

    def _scores(self, said: Float, coefficients: Float) -> Float:
        many = len(self.classes_)
        slopes, levels = coefficients[: many - 1], coefficients[many - 1 :]
        if not len(levels):
            levels = np.zeros(many - 1)
        beyond = said - self.process.even
        return np.stack(
            [
                np.zeros(len(said)),
                *(level + slope * beyond for slope, level in zip(slopes, levels, strict=True)),
            ],
            axis=1,
        )


def _deviation(values: Float, weights: Float) -> float:
    mean = np.sum(values * weights) / np.sum(weights)
    return float(np.sqrt(np.sum((values - mean) ** 2 * weights) / np.sum(weights)))


def _straight(x: Float, y: Float, weights: Float) -> tuple[float, float]:
    """Return level and slope of the straight line of least squares."""
    middle_x, middle_y = (np.sum(v * weights) / np.sum(weights) for v in (x, y))
    spread = np.sum((x - middle_x) ** 2 * weights)
    slope = np.sum((x - middle_x) * (y - middle_y) * weights) / spread if spread > 0 else 0.0
    return float(middle_y - slope * middle_x), float(slope)


def _in_order(
    X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[Float, Float, Float | None]:
    """Return rows in an order of their own: sums in another order may lead to another of two near optima."""
    rows, target = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    weights = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
    keys = [*rows.T, target] if weights is None else [*rows.T, target, weights]
    order = np.lexsort(keys[::-1])
    return rows[order], target[order], None if weights is None else weights[order]
