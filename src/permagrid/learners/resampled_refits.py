"""Members of any learner by refits of a copy of it: the way for learners that have no quicker one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from permagrid.errors import PermagridError
from permagrid.learners.resampled_rows import Float, Float32
from permagrid.learners.resampled_task import Said, Task


@dataclass(frozen=True, eq=False)
class _Refits:
    """Refitted copies of a learner, side by side."""

    learners: list[Any]
    is_class: bool

    def predict(self, rows: Float) -> Float32:
        """Return predictions, shape ``(n, members)``."""
        out = np.empty((len(rows), len(self.learners)), dtype=np.float32)
        for member, learner in enumerate(self.learners):
            out[:, member] = learner.predict_proba(rows)[:, 1] if self.is_class else learner.predict(rows)
        return out


def refitted(estimator: Any, task: Task) -> Said:
    """Return members by a refit for each, with weights of rows where it takes them, else with rows repeated.

    Raises
    ------
    PermagridError
        If a refit fails, with the number of the member; or it takes no weights, and they are not whole.
    """
    by_weights = takes_weights(estimator)
    learners = []
    for member in range(task.weights.shape[1]):
        weights = task.of_member(member)
        try:
            learners.append(_refit(estimator, task, weights, by_weights))
        except (PermagridError, ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            raise PermagridError(f"member {member}: {error}") from error
    how = "with its weights of rows" if by_weights else "with rows repeated as often as drawn"
    return Said(f"a refit for each member {how}", _Refits(learners, task.is_class).predict)


def takes_weights(estimator: Any) -> bool:
    """Return whether a learner can be fitted with weights of rows."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return bool(has_fit_parameter(estimator, "sample_weight"))


def _refit(estimator: Any, task: Task, weights: Float, by_weights: bool) -> Any:
    kept = weights > 0
    if by_weights:
        return clone(estimator).fit(task.rows[kept], task.target[kept], sample_weight=weights[kept])
    times = weights.astype(int)
    if (times != weights).any():
        raise PermagridError("the learner takes no weights of rows, and the rows are not drawn whole times")
    return clone(estimator).fit(np.repeat(task.rows, times, axis=0), np.repeat(task.target, times))
