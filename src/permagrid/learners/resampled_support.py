"""Members of support vectors: solved anew for each, of one matrix of kernels that all of them share."""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from sklearn.svm import SVC, SVR

from permagrid.errors import PermagridError
from permagrid.learners.platt import PlattScaled
from permagrid.learners.resampled_rows import Float, Float32, kernel_members
from permagrid.learners.resampled_task import Said, Task
from permagrid.learners.row_wise import logistic, radial_sums
from permagrid.learners.support_vectors import RowWiseSVC, RowWiseSVR, ScaledTarget
from permagrid.learners.training import balanced

_ENOUGH = 1e-4
"""Error of sums in single precision, in standard deviations of the target or in scores, beyond which they
are added up in double precision."""
_CHECKED = 256
"""Training rows of which that error is measured."""
_AT_A_TIME = 4096


@dataclass(frozen=True, eq=False)
class _Kernels:
    """Training rows, their coefficients for all members, and how sums become predictions."""

    vectors: Float
    """Shape ``(m, columns)``."""
    gamma: float
    coefficients: Float
    """Shape ``(m, members)``."""
    intercepts: Float
    spread: float
    """A sum is multiplied by this,"""
    centre: float
    """and this is added."""
    is_class: bool
    single: bool
    """Whether sums are added up in single precision."""

    @cached_property
    def brief(self) -> Float32:
        """Coefficients in single precision."""
        return np.ascontiguousarray(self.coefficients, dtype=np.float32)

    @cached_property
    def totals(self) -> Float:
        """Of these, for each member."""
        return np.asarray(self.brief.sum(axis=0, dtype=float))

    def sums(self, rows: Float) -> Float:
        """Return sums, shape ``(n, members)``."""
        if not self.single:
            stretch = np.sqrt(2.0 * self.gamma)
            near = radial_sums(
                rows * stretch, self.vectors * stretch, self.coefficients.T, kind="squared_exponential"
            )
            return np.asarray(near + self.intercepts)
        found = kernel_members(
            np.ascontiguousarray(rows, dtype=np.float32),
            np.ascontiguousarray(self.vectors.T, dtype=np.float32),
            np.float32(self.gamma),
            self.brief,
            self.intercepts,
            self.totals,
        )
        return np.asarray(found, dtype=float)

    def predict(self, rows: Float) -> Float32:
        """Return predictions, shape ``(n, members)``."""
        out = np.empty((len(rows), len(self.intercepts)), dtype=np.float32)
        for start in range(0, len(rows), _AT_A_TIME):
            said = self.sums(rows[start : start + _AT_A_TIME]) * self.spread + self.centre
            out[start : start + _AT_A_TIME] = logistic(said) if self.is_class else said
        return out


def support_members(estimator: Any, task: Task) -> Said | None:
    """Return members of support vectors with a radial kernel; None for any other learner.

    The dual problem of each member is solved to the end with its weights, by a kernel that is computed once.
    Scale of the columns and of the target, and the sigmoid that makes probabilities of scores, are those of
    the fitted machine.

    Parameters
    ----------
    estimator
        The fitted machine.
    task
        Its training rows and their weights.
    """
    if isinstance(estimator, ScaledTarget) and isinstance(estimator.regressor_, RowWiseSVR):
        machine, is_class = estimator.regressor_, False
        spread, centre = estimator.spread_, estimator.centre_
        values = (task.values - centre) / spread
    elif isinstance(estimator, PlattScaled) and isinstance(estimator.machines_[0], RowWiseSVC):
        machine, is_class = estimator.machines_[0], True
        values, (spread, centre) = task.values, estimator.sigmoids_[0]
    else:
        return None
    gamma = float(machine._gamma)
    kernel = _kernel(task.rows, gamma)
    coefficients = np.zeros(task.weights.shape)
    intercepts = np.zeros(task.weights.shape[1])
    for member in range(task.weights.shape[1]):
        weights = task.of_member(member)
        kept = np.flatnonzero(weights > 0)
        solved = _solved(machine, kernel[np.ix_(kept, kept)], values[kept], weights[kept], is_class=is_class)
        coefficients[kept[solved.support_], member] = solved.dual_coef_[0]
        intercepts[member] = solved.intercept_[0]
    made = partial(_Kernels, task.rows, gamma, coefficients, intercepts, spread, centre, is_class)
    few = task.rows[:: max(1, len(task.rows) // _CHECKED)]
    apart = float(np.abs(made(single=True).sums(few) - made(single=False).sums(few)).max())
    single = apart * (abs(spread) if is_class else 1.0) <= _ENOUGH
    told = "support vectors solved anew for each member, with scales and kernel as fitted"
    return Said(told + (" and the sigmoid too" if is_class else ""), made(single=single).predict)


def _kernel(rows: Float, gamma: float) -> Float:
    squares = np.zeros((len(rows), len(rows)))
    for column in rows.T:
        squares += (column[:, np.newaxis] - column) ** 2
    return np.asarray(np.exp(-gamma * squares))


def _solved(machine: Any, kernel: Float, values: Float, weights: Float, *, is_class: bool) -> Any:
    shared = {"kernel": "precomputed", "C": machine.C, "tol": machine.tol, "cache_size": 200}
    if not is_class:
        return SVR(epsilon=machine.epsilon, **shared).fit(kernel, values, sample_weight=weights)
    if machine.class_weight == "balanced":
        weights = balanced(values, weights)
    elif machine.class_weight is not None:
        raise PermagridError("class_weight is balanced, or left out")
    return SVC(**shared).fit(kernel, values, sample_weight=weights)
