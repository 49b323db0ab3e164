"""Learners that add their covariates: least squares, ridge and logistic regression."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

from permagrid.learners.chain import scaled
from permagrid.learners.ranges import Balance, above_zero, at_least
from permagrid.learners.row_wise import weighted_sum
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.traits import traits

Float = NDArray[np.float64]


@LEARNERS.register
@traits(weights=True)
def climate_linear(setting: Setting, *, C: float = 1.0) -> Any:
    """Return a linear model, the floor that every other learner should beat.

    Meant for a few climate covariates, named in the study's ``covariates`` of this learner.

    Parameters
    ----------
    setting
        What it is built for: values give least squares, classes logistic regression.
    C
        Inverse strength of the penalty of the logistic regression.

    Raises
    ------
    PermagridError
        If a keyword is out of its range.
    """
    at_least("climate_linear", 1e-9, C=C)
    if setting.task == "value":
        return scaled(RowWiseLinearRegression())
    return scaled(RowWiseLogisticRegression(C=C, max_iter=1000, random_state=setting.seed))


@LEARNERS.register
@traits(tasks=("value",), space={"alpha": (0.1, 1.0, 10.0, 100.0, 1000.0)}, weights=True)
def ridge(setting: Setting, *, alpha: float = 1.0) -> Any:
    """Return least squares with a penalty of large coefficients (Hoerl and Kennard 1970).

    Coefficients are those of covariates of standard deviation 1; doi:10.1080/00401706.1970.10488634.

    Parameters
    ----------
    setting
        What it is built for.
    alpha
        Penalty of the sum of squared coefficients, against the sum of squared errors.

    Raises
    ------
    PermagridError
        If `alpha` is not above 0.
    """
    del setting
    above_zero("ridge", alpha=alpha)
    return scaled(RowWiseRidge(alpha=alpha, solver="cholesky"))


@LEARNERS.register
@traits(
    tasks=("class",), space={"C": (0.01, 0.1, 1.0, 10.0), "class_weight": (None, "balanced")}, weights=True
)
def logistic_regression(setting: Setting, *, C: float = 1.0, class_weight: Balance = None) -> Any:
    """Return logistic regression with a ridge penalty (le Cessie and van Houwelingen 1992).

    Several classes are fitted together, as one multinomial model; doi:10.2307/2347628.

    Parameters
    ----------
    setting
        What it is built for.
    C
        Inverse strength of the penalty of coefficients of covariates of standard deviation 1.
    class_weight
        ``balanced`` weighs classes by their inverse frequency.

    Raises
    ------
    PermagridError
        If `C` is not above 0.
    """
    above_zero("logistic_regression", C=C)
    return scaled(
        RowWiseLogisticRegression(
            C=C, class_weight=class_weight, max_iter=1000, tol=1e-6, random_state=setting.seed
        )
    )


class RowWiseLinearRegression(LinearRegression):  # type: ignore[misc]
    """Least squares whose prediction of a row does not depend on the rows beside it."""

    def predict(self, X: Float) -> Float:
        """Return predictions, shape ``(n,)``."""
        return np.asarray(weighted_sum(np.asarray(X, dtype=float), self.coef_) + self.intercept_)


class RowWiseRidge(Ridge):  # type: ignore[misc]
    """Ridge regression whose prediction of a row does not depend on the rows beside it."""

    def predict(self, X: Float) -> Float:
        """Return predictions, shape ``(n,)``."""
        return np.asarray(weighted_sum(np.asarray(X, dtype=float), self.coef_) + self.intercept_)


class RowWiseLogisticRegression(LogisticRegression):  # type: ignore[misc]
    """Logistic regression whose prediction of a row does not depend on the rows beside it."""

    def decision_function(self, X: Float) -> Float:
        """Return scores, shape ``(n,)`` for two classes and ``(n, classes)`` for more."""
        rows = np.asarray(X, dtype=float)
        scores = [
            weighted_sum(rows, coefficients) + intercept
            for coefficients, intercept in zip(self.coef_, self.intercept_, strict=True)
        ]
        return scores[0] if len(scores) == 1 else np.stack(scores, axis=1)
