"""Learners of support vectors, straight and by a radial kernel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.svm import SVC, SVR, LinearSVC

from permagrid.learners.chain import scaled
from permagrid.learners.platt import PlattScaled
from permagrid.learners.radial_kernel import fitted_by_kernel
from permagrid.learners.ranges import Balance, above_zero, at_least, for_classes_only, for_values_only
from permagrid.learners.row_wise import radial_sums, weighted_sum
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.training import asked, training
from permagrid.learners.traits import traits

Float = NDArray[np.float64]

_EPSILON = 0.1


@LEARNERS.register
@traits(space={"C": (0.01, 0.1, 1.0, 10.0)}, weights=True)
def linear_support_vectors(
    setting: Setting, *, C: float = 1.0, epsilon: float | None = None, class_weight: Balance = None
) -> Any:
    """Return straight support vectors (Cortes and Vapnik 1995, doi:10.1007/BF00994018).

    Probabilities of classes are a sigmoid of their scores, learned within the training rows (Platt 1999).

    Parameters
    ----------
    setting
        What it is built for.
    C
        Inverse strength of the penalty of coefficients of covariates of standard deviation 1.
    epsilon
        Error that costs nothing, in standard deviations of the target; 0.1 if left out; for values only.
    class_weight
        ``balanced`` weighs classes by their inverse frequency; for classes only.

    Raises
    ------
    PermagridError
        If a keyword is out of its range, or is not for the task.
    """
    learner = "linear_support_vectors"
    above_zero(learner, C=C)
    at_least(learner, 0, epsilon=epsilon)
    for_values_only(learner, setting, epsilon=epsilon)
    for_classes_only(learner, setting, class_weight=class_weight)
    if setting.task == "value":
        width = _EPSILON if epsilon is None else epsilon
        return scaled(ScaledTarget(RowWiseLinearSVR(C=C, epsilon=width)))
    machine = RowWiseLinearSVC(C=C, class_weight=class_weight, max_iter=20_000, random_state=setting.seed)
    return scaled(PlattScaled(machine, random_state=setting.seed))


@LEARNERS.register
@traits(
    space={"C": (0.3, 1.0, 10.0), "gamma": (0.003, 0.01, 0.03, 0.1)}, weights=True, shared=("C", "epsilon")
)
def support_vectors(
    setting: Setting,
    *,
    C: float = 1.0,
    gamma: float | None = None,
    epsilon: float | None = None,
    class_weight: Balance = None,
) -> Any:
    """Return support vectors with the kernel exp(-gamma d**2) (Cortes and Vapnik 1995).

    Probabilities of classes are a sigmoid of their scores, learned within the training rows (Platt 1999);
    doi:10.1007/BF00994018.

    Parameters
    ----------
    setting
        What it is built for.
    C
        Inverse strength of the penalty.
    gamma
        Inverse of the squared distance over which rows are alike, between covariates of standard deviation
        1; 1 / their number if left out.
    epsilon
        Error that costs nothing, in standard deviations of the target; 0.1 if left out; for values only.
    class_weight
        ``balanced`` weighs classes by their inverse frequency; for classes only.

    Raises
    ------
    PermagridError
        If a keyword is out of its range, or is not for the task.
    """
    learner = "support_vectors"
    above_zero(learner, C=C, gamma=gamma)
    at_least(learner, 0, epsilon=epsilon)
    for_values_only(learner, setting, epsilon=epsilon)
    for_classes_only(learner, setting, class_weight=class_weight)
    shared = {"C": C, "gamma": "auto" if gamma is None else gamma, "cache_size": 100}
    if setting.task == "value":
        return scaled(ScaledTarget(RowWiseSVR(epsilon=_EPSILON if epsilon is None else epsilon, **shared)))
    machine = RowWiseSVC(class_weight=class_weight, **shared)
    return scaled(PlattScaled(machine, random_state=setting.seed))


class ScaledTarget(MetaEstimatorMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor of values with mean 0 and standard deviation 1, as in its training rows.

    Parameters
    ----------
    regressor
        The estimator, not yet fitted.

    Attributes
    ----------
    regressor_
        It fitted.
    centre_, spread_
        Mean and standard deviation of the target.
    """

    def __init__(self, regressor: Any) -> None:
        self.regressor = regressor

    def fit(self, X: Float, y: Float, sample_weight: Float | None = None) -> "ScaledTarget":
        """Learn the scale of the target, and fit the regressor to it."""
        X, values, weights = training(self, X, y, sample_weight)
        self.centre_ = float(np.average(values, weights=weights))
        self.spread_ = float(np.sqrt(np.average((values - self.centre_) ** 2, weights=weights))) or 1.0
        target = (values - self.centre_) / self.spread_
        given = {} if sample_weight is None else {"sample_weight": weights}
        self.regressor_ = clone(self.regressor).fit(X, target, **given)
        return self

    def predict(self, X: Float) -> Float:
        """Return predictions, shape ``(n,)``."""
        rows = asked(self, X)
        return np.asarray(self.regressor_.predict(rows) * self.spread_ + self.centre_)


class RowWiseLinearSVC(LinearSVC):  # type: ignore[misc]
    """Straight support vectors of two classes, whose score of a row does not depend on those beside it."""

    def decision_function(self, X: Float) -> Float:
        """Return scores, shape ``(n,)``."""
        return weighted_sum(np.asarray(X, dtype=float), self.coef_[0]) + float(self.intercept_[0])


class RowWiseLinearSVR(SVR):  # type: ignore[misc]
    """Straight support vectors of values, whose prediction of a row does not depend on those beside it.

    Solved as a kernel machine is, to the optimum: the solver of `sklearn.svm.LinearSVR` stops at a place
    that depends on its seed.

    Parameters
    ----------
    C, epsilon
        As in `sklearn.svm.SVR`.
    """

    def __init__(self, C: float = 1.0, epsilon: float = _EPSILON) -> None:
        super().__init__(kernel="linear", C=C, epsilon=epsilon, cache_size=100)

    def predict(self, X: Float) -> Float:
        """Return predictions, shape ``(n,)``."""
        return weighted_sum(np.asarray(X, dtype=float), self.coef_[0]) + float(self.intercept_[0])


class RowWiseSVC(SVC):  # type: ignore[misc]
    """Support vectors of two classes, whose score of a row does not depend on those beside it."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "RowWiseSVC":
        """Fit the machine, by a kernel that fits of the same rows share."""
        if not fitted_by_kernel(self, X, y, sample_weight):
            super().fit(X, y, sample_weight)
        return self

    def decision_function(self, X: Float) -> Float:
        """Return scores, shape ``(n,)``."""
        return _radial(self, X)


class RowWiseSVR(SVR):  # type: ignore[misc]
    """Support vectors of values, whose prediction of a row does not depend on those beside it."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "RowWiseSVR":
        """Fit the machine, by a kernel that fits of the same rows share."""
        if not fitted_by_kernel(self, X, y, sample_weight):
            super().fit(X, y, sample_weight)
        return self

    def predict(self, X: Float) -> Float:
        """Return predictions, shape ``(n,)``."""
        return _radial(self, X)


def _radial(machine: Any, X: Float) -> Float:
    # exp(-gamma d**2) is the squared exponential of covariates that are stretched by this.
    stretch = np.sqrt(2.0 * machine._gamma)
    rows, vectors = np.asarray(X, dtype=float) * stretch, machine.support_vectors_ * stretch
    sums = radial_sums(rows, vectors, machine.dual_coef_, kind="squared_exponential")
    return np.asarray(sums[:, 0] + float(machine.intercept_[0]))
