"""Process models as scikit-learn estimators: of values, and of classes by a logistic of what they say."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from permagrid.errors import PermagridError
from permagrid.learners.process_fit import Calibrated, calibrate
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

    def _begin(self, X: ArrayLike) -> tuple[dict[str, Float], Float | None]:
        if not self.covariates:
            raise PermagridError(f"{self.process.name} knows its covariates by name, and was given no names")
        check_covariates(self.process, self.covariates)
        self.n_features_in_ = np.shape(X)[1]
        return self.process.columns(X, self.covariates), self._codes(X)


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
        columns, codes = self._begin(X)
        values = np.asarray(y, dtype=float)
        root = np.sqrt(_weights(sample_weight, len(values)))

        def misfit(said: Float, coefficients: Float) -> Float:
            return (values - self._values(said, coefficients)) * root

        def begin(said: Float) -> list[float]:
            return [*_straight(said, values, root**2)] if self.process.linear else []

        self.calibrated_, self.coefficients_ = calibrate(
            self.process, columns, codes, misfit, begin=begin, loss="soft_l1"
        )
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
        columns, codes = self._begin(X)
        self.classes_, index = np.unique(np.asarray(y), return_inverse=True)
        weights = _weights(sample_weight, len(index))
        root = np.sqrt(weights)
        many = len(self.classes_)
        own = np.eye(many)[index]

        def misfit(said: Float, coefficients: Float) -> Float:
            right = softmax(self._scores(said, coefficients))[np.arange(len(index)), index]
            # The roots of twice the deviance, with the sign of two classes: smooth where a row is right.
            away = np.sqrt(-2.0 * np.log(np.maximum(right, _SURE)))
            sign = np.where(index == 0, -1.0, 1.0) if many == 2 else 1.0
            spread = _deviation(said, weights)
            slopes = coefficients[: many - 1] * spread
            held = np.sqrt(_RIDGE) * np.concatenate([slopes, coefficients[many - 1 :]])
            return np.concatenate([sign * away * root, held])

        def begin(said: Float) -> list[float]:
            spread = max(_deviation(said, weights), 1e-9)
            shares = np.maximum((own * weights[:, None]).sum(axis=0) / weights.sum(), 1e-6)
            means = [
                np.sum(said * weights * column) / max(np.sum(weights * column), 1e-9) for column in own.T
            ]
            slopes = [(mean - means[0]) / spread**2 for mean in means[1:]]
            levels = np.log(shares[1:] / shares[0]).tolist() if self._levelled(many) else []
            return [*slopes, *levels]

        self.calibrated_, self.coefficients_ = calibrate(
            self.process, columns, codes, misfit, begin=begin, loss="linear"
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


def _weights(given: ArrayLike | None, rows: int) -> Float:
    """Return weights of mean 1."""
    weights = np.ones(rows) if given is None else np.asarray(given, dtype=float)
    return np.asarray(weights / weights.mean())


def _deviation(values: Float, weights: Float) -> float:
    mean = np.sum(values * weights) / np.sum(weights)
    return float(np.sqrt(np.sum((values - mean) ** 2 * weights) / np.sum(weights)))


def _straight(x: Float, y: Float, weights: Float) -> tuple[float, float]:
    """Return level and slope of the straight line of least squares."""
    middle_x, middle_y = (np.sum(v * weights) / np.sum(weights) for v in (x, y))
    spread = np.sum((x - middle_x) ** 2 * weights)
    slope = np.sum((x - middle_x) * (y - middle_y) * weights) / spread if spread > 0 else 0.0
    return float(middle_y - slope * middle_x), float(slope)
