"""A process model with a learner: of what the model leaves over, or with what it says as a covariate."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from permagrid.errors import PermagridError
from permagrid.learners.nested import Float, fitted, nested, seen
from permagrid.learners.process_estimator import ProcessClassifier, ProcessRegressor
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.traits import traits

Use = Literal["residual", "feature"]


@LEARNERS.register
@traits(by_name=True, weights=True)
def process_residual(
    setting: Setting, *, process: dict[str, Any], learner: dict[str, Any], use: Use | None = None
) -> "ResidualRegressor | FeatureRegressor | FeatureClassifier":
    """Return a process model, and a learner that knows what the model says.

    The process model is calibrated first. Then the learner is fitted to the residuals of the training rows,
    and predictions are the sum of both; or it is fitted to the target itself, with what the model says of
    each row as one more covariate. A process model has few parameters: its residuals of rows that it was
    calibrated to are hardly smaller than those of others.

    Parameters
    ----------
    setting
        What it is built for.
    process
        The process model as in `learners`, such as ``{name: ttop, air_temperature: bio1, ...}``.
    learner
        The learner as in `learners`, such as ``{name: random_forest}``; it sees every covariate, or those
        that its ``covariates`` names.
    use
        ``residual``, for values only, or ``feature``; the former for values and the latter for classes if
        left out.

    Raises
    ------
    PermagridError
        If one of the two is unknown or has unfit keywords, the process model is none, or classes are to have
        residuals.
    """
    name = "process_residual"
    if setting.task == "class" and use == "residual":
        raise PermagridError(f"{name}: use: residual is for values; use: feature is allowed for classes")
    chosen = use or ("residual" if setting.task == "value" else "feature")
    if "covariates" in process:
        raise PermagridError(
            f"{name}: process: names each covariate by a keyword of its own, not by covariates"
        )
    model, _ = nested(name, "process", process, setting)
    if not isinstance(model, ProcessRegressor | ProcessClassifier):
        raise PermagridError(
            f"{name}: process must be frost_number, ttop, stefan or kudryavtsev, found {process['name']}"
        )
    if chosen == "residual":
        return ResidualRegressor(model, *nested(name, "learner", learner, setting))
    inner = nested(name, "learner", learner, setting, more=[f"process_{process['name']}"])
    if setting.task == "value":
        return FeatureRegressor(model, *inner)
    return FeatureClassifier(model, *inner)


class ResidualRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A process model of values plus a learner of its residuals.

    Parameters
    ----------
    process
        The process model.
    learner
        The learner.
    columns
        Places of the columns that it sees; all if None.
    """

    process_: ProcessRegressor
    learner_: Any

    def __init__(self, process: ProcessRegressor, learner: Any, columns: Sequence[int] | None = None) -> None:
        self.process, self.learner, self.columns = process, learner, columns

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Calibrate the process model, then fit the learner to what it leaves over."""
        rows, values = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
        self.process_ = fitted(self.process, rows, values, sample_weight)
        left = values - self.process_.predict(rows)
        self.learner_ = fitted(self.learner, seen(rows, self.columns), left, sample_weight)
        self.n_features_in_ = rows.shape[1]
        return self

    def predict(self, X: ArrayLike) -> Float:
        """Return predictions, shape ``(n,)``."""
        return np.asarray(self.process_.predict(X) + self.learner_.predict(seen(X, self.columns)))


class _Feature(BaseEstimator):  # type: ignore[misc]
    """A learner one of whose columns, the last, is what a calibrated process model says.

    Parameters
    ----------
    process
        The process model.
    learner
        The learner.
    columns
        Places of the columns that it sees; all if None.
    """

    process_: ProcessRegressor | ProcessClassifier
    learner_: Any

    def __init__(
        self,
        process: ProcessRegressor | ProcessClassifier,
        learner: Any,
        columns: Sequence[int] | None = None,
    ) -> None:
        self.process, self.learner, self.columns = process, learner, columns

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Calibrate the process model, then fit the learner."""
        rows, target = np.asarray(X, dtype=float), np.asarray(y)
        self.process_ = fitted(self.process, rows, target, sample_weight)
        self.learner_ = fitted(self.learner, self._seen(rows), target, sample_weight)
        self.n_features_in_ = rows.shape[1]
        return self

    def predict(self, X: ArrayLike) -> Float:
        """Return predictions, shape ``(n,)``."""
        return np.asarray(self.learner_.predict(self._seen(X)))

    def _seen(self, X: ArrayLike) -> Float:
        return np.column_stack([seen(X, self.columns), self.process_.say(X)])


class FeatureRegressor(RegressorMixin, _Feature):  # type: ignore[misc]
    """A learner of values with a process model among its covariates."""


class FeatureClassifier(ClassifierMixin, _Feature):  # type: ignore[misc]
    """A learner of classes with a process model among its covariates."""

    @property
    def classes_(self) -> Any:
        """The classes of the training rows."""
        return self.learner_.classes_

    def predict_proba(self, X: ArrayLike) -> Float:
        """Return probabilities, shape ``(n, classes)``."""
        return np.asarray(self.learner_.predict_proba(self._seen(X)))
