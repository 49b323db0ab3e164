"""Bootstrap members of a fitted learner: what it would say of other places seen, the cheapest way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError
from permagrid.learners.resampled_additive import additive_members
from permagrid.learners.resampled_boosting import boosting_members
from permagrid.learners.resampled_forest import forest_members
from permagrid.learners.resampled_nested import average_members, feature_members, residual_members
from permagrid.learners.resampled_refits import refitted
from permagrid.learners.resampled_rows import Float, Float32
from permagrid.learners.resampled_support import support_members
from permagrid.learners.resampled_task import Said, Task, inner, task_of

Way = Callable[[Any, Task], Said | None]
_WAYS: tuple[Way, ...] = (forest_members, support_members, additive_members, boosting_members)
"""Each returns None for a learner that is not its own."""
_FAILURES = (PermagridError, ValueError, ArithmeticError, np.linalg.LinAlgError)


@dataclass(frozen=True, eq=False)
class Resampled:
    """Members of a learner, each of which saw the training rows with other weights."""

    scheme: str
    """How they were made, in words."""
    members: int
    """How many there are."""
    columns: int
    """Columns of the rows that they are asked for."""
    said: Callable[[Float], Float32]
    """Predictions of rows."""
    lone: dict[int, float]
    """Members whose rows have all one class, and the probability of the second class: 0 or 1."""

    def predict(self, X: ArrayLike) -> Float32:
        """Return predictions of all members, of two classes the probability of the second.

        Those of a row do not depend on the rows beside it.

        Parameters
        ----------
        X
            Shape ``(n, columns)``.

        Returns
        -------
        array
            Shape ``(n, members)``, single precision.

        Raises
        ------
        PermagridError
            If the rows have other columns than the training rows.
        """
        rows = np.ascontiguousarray(X, dtype=float)
        if rows.ndim != 2 or rows.shape[1] != self.columns:
            raise PermagridError(f"members of a learner of {self.columns} columns, found rows {rows.shape}")
        found = np.ascontiguousarray(self.said(rows), dtype=np.float32)
        for member, probability in self.lone.items():
            found[:, member] = probability
        return found


def resampled(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    weights: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    structures: int = 10,
) -> Resampled:
    """Return the members of a learner by a bootstrap of its training rows.

    Hyper-parameters, and whatever the learner knows of its columns, their scale and their classes, stay as
    fitted. Support vectors and additive models are solved anew for every member, and share what depends on
    the columns alone. Forests keep their trees, whose leaves are filled anew; of boosted trees a few
    structures are grown. Any other learner is refitted. What weights of one give is what the learner says
    itself, but for rounding in single precision.

    Parameters
    ----------
    estimator
        What `permagrid.learners.build_learner` returns, fitted to `X` and `y`.
    X
        Training rows, shape ``(n, columns)``.
    y
        Target, shape ``(n,)``; values, or two classes.
    weights
        How often each row is drawn by each member, shape ``(n, members)``.
    sample_weight
        Weights of the rows with which it was fitted, if there were any, shape ``(n,)``.
    structures
        How many structures of boosted trees are grown, if there are as many members: member m has that of
        member m modulo their number. More are nearer to refits, and take longer to predict.

    Raises
    ------
    PermagridError
        If shapes do not agree, a weight is below 0, a member has no row, there are more than two classes, or
        a learner fails, with its name.

    Examples
    --------
    >>> from permagrid.learners.additive import AdditiveRegressor
    >>> rows = np.linspace(0, 6, 60)[:, np.newaxis]
    >>> model = AdditiveRegressor().fit(rows, rows[:, 0])
    >>> drawn = np.random.default_rng(0).integers(1, 4, (60, 3))
    >>> resampled(model, rows, rows[:, 0], drawn).predict([[3.0]]).round(2)
    array([[3., 3., 3.]], dtype=float32)
    """
    task, lone = task_of(estimator, X, y, weights, sample_weight, structures=structures)
    name = learner_name(estimator)
    try:
        # Left alone, scikit-learn's boosting starts a thread for every core, in every thread that calls.
        with threadpool_limits(1, user_api="openmp"):
            said = members_of(estimator, task)
    except _FAILURES as error:
        raise PermagridError(f"members of {name}: {error}") from error
    return Resampled(said.scheme, task.weights.shape[1], task.rows.shape[1], said.predict, lone)


def members_of(estimator: Any, task: Task) -> Said:
    """Return the members of a learner, by the first way that knows it."""
    learner, seen = inner(estimator, task)
    nested = _nested(learner, seen)
    if nested is not None:
        return nested
    for way in _WAYS:
        found = way(learner, seen)
        if found is not None:
            return found.after(estimator)
    return refitted(estimator, task)


def learner_name(estimator: Any) -> str:
    """Return the class of a learner, without what it is wrapped in.

    Examples
    --------
    >>> from permagrid.learners import build_learner
    >>> learner_name(build_learner("ridge", "value", 0, {}))
    'RowWiseRidge'
    """
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return type(estimator).__name__


def _nested(learner: Any, task: Task) -> Said | None:
    for way in (average_members, residual_members, feature_members):
        found = way(learner, task, members_of)
        if found is not None:
            return found
    return None
