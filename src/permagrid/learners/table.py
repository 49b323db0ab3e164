"""The table of learners: each name builds a scikit-learn estimator for values or for classes."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from permagrid.errors import PermagridError
from permagrid.learners.classes import ClassEncoding, encoding_for, with_classes
from permagrid.registry import Table

Task = Literal["value", "class"]

Learner = Callable[..., BaseEstimator]
LEARNERS: Table[Learner] = Table("learner")
"""Learners ``(task, seed, *, ...) -> estimator``; their keywords are what a study may set."""


@LEARNERS.register
def random_forest(
    task: Task,
    seed: int,
    *,
    n_estimators: int = 500,
    max_features: float | Literal["sqrt", "log2"] | None = None,
    min_samples_leaf: int = 1,
    max_depth: int | None = None,
    class_weight: Literal["balanced"] | None = None,
) -> BaseEstimator:
    """Return a random forest (Breiman 2001, doi:10.1023/A:1010933404324).

    Parameters
    ----------
    task
        ``value`` or ``class``.
    seed
        Seed of the bootstrap and of the splits.
    n_estimators
        Number of trees.
    max_features
        Share of the covariates, above 0 to 1, or ``sqrt`` or ``log2`` of their number, among which
        each split chooses; a third for values and the square root for classes if left out.
    min_samples_leaf
        Fewest rows in a leaf.
    max_depth
        Most splits from the root to a leaf; not limited if left out.
    class_weight
        ``balanced`` weighs classes by their inverse frequency; for classes only.

    Raises
    ------
    PermagridError
        If a keyword is out of its range, or `class_weight` is given for values.
    """
    _above("random_forest", 1, n_estimators=n_estimators, min_samples_leaf=min_samples_leaf)
    _above("random_forest", 1, max_depth=1 if max_depth is None else max_depth)
    if isinstance(max_features, float | int) and not 0.0 < max_features <= 1.0:
        raise PermagridError(f"random_forest: max_features is a share above 0 to 1, found {max_features:g}")
    if task == "value" and class_weight is not None:
        raise PermagridError("random_forest: class_weight is for classes, and the target is a value")
    shared = {
        "n_estimators": n_estimators,
        "min_samples_leaf": min_samples_leaf,
        "max_depth": max_depth,
        "random_state": seed,
        # More than one would add the trees' votes in the order in which threads end.
        "n_jobs": 1,
    }
    if task == "value":
        return RandomForestRegressor(max_features=_share(max_features) or 1 / 3, **shared)
    chosen = _share(max_features) or "sqrt"
    return RandomForestClassifier(max_features=chosen, class_weight=class_weight, **shared)


@LEARNERS.register
def gradient_boosting(
    task: Task,
    seed: int,
    *,
    max_iter: int = 300,
    learning_rate: float = 0.05,
    max_leaf_nodes: int = 15,
    min_samples_leaf: int = 20,
    l2_regularization: float = 1.0,
) -> BaseEstimator:
    """Return gradient-boosted trees on binned covariates (Ke et al. 2017).

    Class covariates enter as categories, at most 255 classes each, unless the study says otherwise.

    Parameters
    ----------
    task
        ``value`` or ``class``.
    seed
        Seed of the estimator.
    max_iter
        Number of trees (for more than two classes, of each class).
    learning_rate
        Factor by which each tree's contribution shrinks.
    max_leaf_nodes
        Most leaves of a tree.
    min_samples_leaf
        Fewest rows in a leaf.
    l2_regularization
        Penalty of large values in leaves; 0 is none.

    Raises
    ------
    PermagridError
        If a keyword is out of its range.
    """
    _above("gradient_boosting", 1, max_iter=max_iter, min_samples_leaf=min_samples_leaf)
    _above("gradient_boosting", 2, max_leaf_nodes=max_leaf_nodes)
    _above("gradient_boosting", 0, l2_regularization=l2_regularization)
    _above("gradient_boosting", 1e-9, learning_rate=learning_rate)
    keywords = {
        "max_iter": max_iter,
        "learning_rate": learning_rate,
        "max_leaf_nodes": max_leaf_nodes,
        "min_samples_leaf": min_samples_leaf,
        "l2_regularization": l2_regularization,
        "early_stopping": False,
        "random_state": seed,
    }
    model = HistGradientBoostingRegressor if task == "value" else HistGradientBoostingClassifier
    return model(**keywords)


@LEARNERS.register
def climate_linear(task: Task, seed: int, *, C: float = 1.0) -> BaseEstimator:
    """Return a linear model, the floor that every other learner should beat.

    Meant for a few climate covariates, named in the study's ``covariates`` of this learner.

    Parameters
    ----------
    task
        ``value`` gives least squares, ``class`` logistic regression.
    seed
        Seed of the estimator.
    C
        Inverse strength of the penalty of the logistic regression.

    Raises
    ------
    PermagridError
        If a keyword is out of its range.
    """
    _above("climate_linear", 1e-9, C=C)
    if task == "value":
        return make_pipeline(StandardScaler(), StableLinearRegression())
    return make_pipeline(StandardScaler(), StableLogisticRegression(C=C, max_iter=1000, random_state=seed))


def _above(learner: str, least: float, **keywords: float) -> None:
    for name, value in keywords.items():
        if not value >= least:
            raise PermagridError(f"{learner}: {name} must be at least {least:g}, found {value:g}")


def _share(max_features: float | str | None) -> float | str | None:
    """Return a share as a float: 1 is all covariates, where scikit-learn would take one."""
    return float(max_features) if isinstance(max_features, int) else max_features


class StableLinearRegression(LinearRegression):  # type: ignore[misc]
    """Least squares whose prediction of a row does not depend on the rows beside it.

    A matrix product rounds differently for other numbers of rows, which would make a map depend on
    its blocks.
    """

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions, shape ``(n,)``."""
        return np.asarray(weighted_sum(np.asarray(X, dtype=float), self.coef_) + self.intercept_)


class StableLogisticRegression(LogisticRegression):  # type: ignore[misc]
    """Logistic regression whose prediction of a row does not depend on the rows beside it."""

    def decision_function(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores, shape ``(n,)`` for two classes and ``(n, classes)`` for more."""
        rows = np.asarray(X, dtype=float)
        scores = [
            weighted_sum(rows, coefficients) + intercept
            for coefficients, intercept in zip(self.coef_, self.intercept_, strict=True)
        ]
        return scores[0] if len(scores) == 1 else np.stack(scores, axis=1)


def weighted_sum(rows: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``rows @ weights``, added column by column in a fixed order.

    Examples
    --------
    >>> weighted_sum(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 10.0]))
    array([21., 43.])
    """
    total = np.zeros(len(rows))
    for column, weight in zip(rows.T, weights, strict=True):
        total += column * weight
    return total


def build_learner(
    name: str,
    task: Task,
    seed: int,
    keywords: dict[str, Any],
    *,
    covariates: Sequence[str] = (),
    classes: Sequence[str] = (),
    encoding: ClassEncoding | None = None,
) -> BaseEstimator:
    """Return the learner called `name`, not yet fitted.

    Parameters
    ----------
    name
        Name in the table.
    task
        ``value`` or ``class``.
    seed
        Seed of the learner.
    keywords
        Its keywords.
    covariates
        Names of its columns.
    classes
        Those that hold class codes. What is learned of them is learned within the estimator, so that rows
        held out have no part in it.
    encoding
        How they enter it: ``one_hot``, a column of 0 and 1 for each class; ``native``, as categories of the
        learner's own, which any estimator with scikit-learn's parameter ``categorical_features`` has;
        ``codes``, as numbers, for classes in order only. Native where possible, else one-hot, if None.

    Raises
    ------
    PermagridError
        If the table has no such learner, a keyword is out of its range, or it has no way of its own for
        classes and that is wanted.

    Examples
    --------
    >>> build_learner("random_forest", "value", 0, {"n_estimators": 10}).n_estimators
    10
    >>> list(build_learner("random_forest", "value", 0, {}, covariates=["ndvi", "soil"], classes=["soil"])
    ...      .named_steps)
    ['classes', 'learner']
    """
    estimator = LEARNERS[name](task, seed, **keywords)
    return with_classes(estimator, covariates, classes, encoding_for(estimator, name, encoding))
