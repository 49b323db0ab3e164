"""Members of learners that are made of learners: of a mean, and of a process model with a learner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from permagrid.learners.average import AverageClassifier, AverageRegressor
from permagrid.learners.nested import seen
from permagrid.learners.process_residual import FeatureClassifier, FeatureRegressor, ResidualRegressor
from permagrid.learners.resampled_rows import Float, Float32
from permagrid.learners.resampled_task import Said, Task

Make = Callable[[Any, Task], Said]


@dataclass(frozen=True, eq=False)
class _Mean:
    """Means of the members of several learners, member by member."""

    said: Sequence[Said]
    columns: Sequence[tuple[int, ...] | None]

    def predict(self, rows: Float) -> Float32:
        """Return predictions, shape ``(n, members)``."""
        total: Float | None = None
        for said, columns in zip(self.said, self.columns, strict=True):
            found = said.predict(seen(rows, columns)).astype(float)
            total = found if total is None else total + found
        return np.asarray(total / len(self.said), dtype=np.float32)  # type: ignore[operator]


@dataclass(frozen=True, eq=False)
class _OnProcess:
    """Members of a learner of what a process model, the same for all of them, leaves over or says."""

    estimator: Any
    said: Said

    def residual(self, rows: Float) -> Float32:
        """Return what the process model says plus what members say of the rest."""
        whole = np.asarray(self.estimator.process_.predict(rows), dtype=float)[:, np.newaxis]
        return np.asarray(whole + self.said.predict(seen(rows, self.estimator.columns)), dtype=np.float32)

    def feature(self, rows: Float) -> Float32:
        """Return what members say of rows with what the process model says as their last column."""
        return self.said.predict(self.estimator._seen(rows))


def average_members(estimator: Any, task: Task, make: Make) -> Said | None:
    """Return members of a mean of learners: means of their members; None if it is none."""
    if not isinstance(estimator, AverageRegressor | AverageClassifier):
        return None
    said = [
        make(member, task.seen(seen(task.rows, columns)))
        for member, columns in zip(estimator.members_, estimator.columns, strict=True)
    ]
    told = "; ".join(
        f"{each.get('name', 'learner')}: {one.scheme}"
        for each, one in zip(estimator.described, said, strict=True)
    )
    return Said(
        f"the mean of members of {len(said)} learners ({told})", _Mean(said, estimator.columns).predict
    )


def residual_members(estimator: Any, task: Task, make: Make) -> Said | None:
    """Return members of a learner of what a process model leaves over; None if it is none."""
    if not isinstance(estimator, ResidualRegressor):
        return None
    left = task.values - np.asarray(estimator.process_.predict(task.rows), dtype=float)
    said = make(estimator.learner_, task.seen(seen(task.rows, estimator.columns)).towards(left))
    told = f"the process model as calibrated; of what it leaves over, {said.scheme}"
    return Said(told, _OnProcess(estimator, said).residual)


def feature_members(estimator: Any, task: Task, make: Make) -> Said | None:
    """Return members of a learner that sees what a process model says; None if it is none."""
    if not isinstance(estimator, FeatureRegressor | FeatureClassifier):
        return None
    said = make(estimator.learner_, task.seen(estimator._seen(task.rows)))
    return Said(f"the process model as calibrated; {said.scheme}", _OnProcess(estimator, said).feature)
