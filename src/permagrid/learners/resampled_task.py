"""What members of a learner are made of, and what is made: rows, target, weights, and what they say."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from permagrid.errors import PermagridError
from permagrid.learners.resampled_rows import Float, Float32


@dataclass(frozen=True, eq=False)
class Task:
    """Training rows of a learner, and how often each member has drawn them."""

    rows: Float
    """Shape ``(n, columns)``, as the learner sees them."""
    target: NDArray[Any]
    """Shape ``(n,)``, as the learner was given it."""
    weights: Float
    """How often each row is drawn by each member, shape ``(n, members)``."""
    base: Float | None
    """Weights of the rows with which the learner was fitted, if there were any."""
    is_class: bool
    """Whether the target is one of two classes."""
    structures: int
    """How many structures of boosted trees members share, at most."""

    @property
    def values(self) -> Float:
        """The target as numbers; of two classes 0 and 1."""
        if not self.is_class:
            return np.asarray(self.target, dtype=float)
        return np.asarray(self.target == np.unique(self.target)[1], dtype=float)

    @property
    def ours(self) -> Float:
        """Weights of the rows as fitted; ones if there were none."""
        return np.ones(len(self.rows)) if self.base is None else self.base

    def of_member(self, member: int) -> Float:
        """Return the weights of the rows of one member."""
        return np.asarray(self.weights[:, member] * self.ours)

    def seen(self, rows: Float) -> "Task":
        """Return the same with other columns."""
        return replace(self, rows=rows)

    def towards(self, target: Float) -> "Task":
        """Return the same with values for a target."""
        return replace(self, target=target, is_class=False)


@dataclass(frozen=True, eq=False)
class Said:
    """What members say of rows."""

    scheme: str
    """How they were made."""
    predict: Callable[[Float], Float32]
    """Rows, shape ``(n, columns)`` -> shape ``(n, members)``."""

    def after(self, estimator: Any) -> "Said":
        """Return the same for rows as a pipeline is given them, of which these members are the last step."""
        if not isinstance(estimator, Pipeline):
            return self
        return replace(self, predict=partial(_after, tuple(step for _, step in estimator.steps[:-1]), self))


def task_of(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    weights: ArrayLike,
    base: ArrayLike | None,
    *,
    structures: int,
) -> tuple[Task, dict[int, float]]:
    """Return a task, and the members that have drawn rows of one class alone, with what they say.

    Such a member is given all rows, so that every way can make it, and what is made is not used.

    Raises
    ------
    PermagridError
        If shapes do not agree, a weight is below 0, a member has no row, or there are not two classes.
    """
    rows, target = np.asarray(X, dtype=float), np.asarray(y)
    drawn = np.asarray(weights, dtype=float)
    ours = None if base is None else np.asarray(base, dtype=float)
    if structures < 1:
        raise PermagridError(f"members: structures must be at least 1, found {structures}")
    if rows.ndim != 2 or target.shape != rows.shape[:1] or drawn.shape[:1] != target.shape or drawn.ndim != 2:
        raise PermagridError(
            f"members: rows {rows.shape}, target {target.shape} and weights {drawn.shape} do not go together"
        )
    if ours is not None and ours.shape != target.shape:
        raise PermagridError(f"members: {len(ours)} weights of {len(target)} rows")
    if not np.isfinite(drawn).all() or (drawn < 0).any():
        raise PermagridError("members: weights of rows are numbers of at least 0")
    whole = drawn if ours is None else drawn * ours[:, np.newaxis]
    empty = np.flatnonzero(whole.sum(axis=0) == 0)
    if len(empty):
        raise PermagridError(f"members: member {empty[0]} has drawn no row")
    is_class = bool(is_classifier(estimator))
    lone: dict[int, float] = {}
    if is_class:
        classes = np.unique(target)
        if len(classes) != 2:
            raise PermagridError(
                f"members are for values and for two classes, and the target has {len(classes)}"
            )
        share = ((target == classes[1]) @ whole) / whole.sum(axis=0)
        lone = {int(m): float(share[m]) for m in np.flatnonzero((share == 0.0) | (share == 1.0))}
        drawn = np.where(np.isin(np.arange(drawn.shape[1]), list(lone)), 1.0, drawn)
    return Task(rows, target, drawn, ours, is_class, structures), lone


def inner(estimator: Any, task: Task) -> tuple[Any, Task]:
    """Return the last step of a pipeline, and the task as that step sees it."""
    if not isinstance(estimator, Pipeline):
        return estimator, task
    steps = [step for _, step in estimator.steps]
    return steps[-1], task.seen(_through(steps[:-1], task.rows))


def _after(steps: tuple[Any, ...], said: Said, rows: Float) -> Float32:
    return said.predict(_through(steps, rows))


def _through(steps: Any, rows: Float) -> Float:
    for step in steps:
        rows = np.ascontiguousarray(step.transform(rows), dtype=float)
    return rows
