"""Members of an additive model: solved anew with the penalty as fitted, and evaluated all at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.learners.additive import _STEADY, AdditiveClassifier, AdditiveRegressor
from permagrid.learners.additive_terms import Part, Term, design_of
from permagrid.learners.resampled_rows import Float, Float32, Index
from permagrid.learners.resampled_task import Said, Task
from permagrid.learners.row_wise import logistic
from permagrid.learners.smoothing import Binomial, Design, Family, Gaussian, chosen
from permagrid.learners.training import balanced

_AT_A_TIME = 4096


@dataclass(frozen=True, eq=False)
class _Columns:
    """Pieces of the curves of all members, one below the other, and where each term has its own."""

    estimator: Any
    intercepts: Float
    """Shape ``(members,)``."""
    column: Index
    """Column of each term."""
    is_class: NDArray[np.bool_]
    """Whether a term is one of classes."""
    first: Index
    """Where the marks of each term begin, and where the last ones end."""
    marks: Float
    """Codes of classes, or where pieces begin; the first piece goes on downwards without end."""
    origin: Float
    """Where a piece is counted from."""
    table: Float
    """Constant, straight, square and cubic part of each piece, shape ``(marks, 4, members)``."""

    def predict(self, rows: Float) -> Float32:
        """Return predictions, shape ``(n, members)``."""
        self.estimator._complete(rows)
        out = np.empty((len(rows), len(self.intercepts)), dtype=np.float32)
        for start in range(0, len(rows), _AT_A_TIME):
            part = rows[start : start + _AT_A_TIME]
            sums = _sums(
                part,
                self.intercepts,
                self.column,
                self.is_class,
                self.first,
                self.marks,
                self.origin,
                self.table,
            )
            is_class = isinstance(self.estimator, AdditiveClassifier)
            out[start : start + _AT_A_TIME] = logistic(sums) if is_class else sums
        return out


def additive_members(estimator: Any, task: Task) -> Said | None:
    """Return members of an additive model; None if it is none.

    For each member the coefficients are solved for with its weights. Knots and smoothing parameters are
    those of the fitted model.

    Parameters
    ----------
    estimator
        The fitted model.
    task
        Its training rows and their weights.
    """
    if not isinstance(estimator, AdditiveRegressor | AdditiveClassifier):
        return None
    is_class = isinstance(estimator, AdditiveClassifier)
    rows, values, base = task.rows[task.ours > 0], task.values[task.ours > 0], task.ours[task.ours > 0]
    base = _weights(estimator, values, base)
    centre = 0.0 if is_class else float(np.average(values, weights=base))
    # As in the fit: penalties are as much smaller.
    scale = estimator.gamma if estimator.smoothing is None else 1.0
    parts = estimator._parts(rows, base)
    steady = _STEADY if is_class else 0.0
    design, places, _ = design_of(
        parts, values - centre, base / scale, shrink=estimator.shrink, steady=steady
    )
    if estimator.smoothing is None:
        logarithms = chosen(_family(estimator, design), design)[0]
    else:
        logarithms = np.full(design.groups, np.log(estimator.smoothing))
    solved = []
    for member in range(task.weights.shape[1]):
        weights = _weights(estimator, values, task.of_member(member)[task.ours > 0])
        drawn = replace(design, weights=weights / scale)
        solved.append(_family(estimator, drawn)(logarithms).coefficients)
    columns = _stacked(estimator, parts, places, np.stack(solved, axis=1), centre)
    return Said(
        "coefficients solved anew for each member, with knots and smoothing parameters as fitted",
        columns.predict,
    )


def _family(estimator: Any, design: Design) -> Family:
    family = Binomial if isinstance(estimator, AdditiveClassifier) else Gaussian
    return family(design, estimator.criterion)


def _weights(estimator: Any, values: Float, weights: Float) -> Float:
    if estimator.class_weight != "balanced":
        return weights
    kept = weights > 0
    found = np.zeros(len(weights))
    found[kept] = balanced(values[kept], weights[kept])
    return found


def _stacked(
    estimator: Any, parts: Sequence[Part], places: Sequence[slice], coefficients: Float, centre: float
) -> _Columns:
    intercepts = coefficients[0] + centre
    freedom = np.zeros(len(coefficients))
    found: list[tuple[int, bool, Float, Float, Float]] = []
    for part, place in zip(parts, places, strict=True):
        terms = []
        for member in range(coefficients.shape[1]):
            term, constant = part.fitted(coefficients[place, member], freedom[place], None)
            intercepts[member] += constant
            terms.append(term)
        if part.kind != "constant":
            found.append((part.column, part.kind == "classes", *_pieces(terms)))
    marks = [each[2] for each in found]
    members = len(intercepts)
    return _Columns(
        estimator,
        intercepts,
        np.array([each[0] for each in found], dtype=np.int64),
        np.array([each[1] for each in found], dtype=bool),
        np.concatenate([[0], np.cumsum([len(each) for each in marks])]).astype(np.int64),
        np.concatenate([*marks, np.zeros(0)]),
        np.concatenate([*[each[3] for each in found], np.zeros(0)]),
        np.concatenate([*[each[4] for each in found], np.zeros((0, 4, members))]),
    )


def _pieces(terms: Sequence[Term]) -> tuple[Float, Float, Float]:
    """Return marks, origins and parts of the pieces of one term of all members."""
    first, members = terms[0], len(terms)
    if first.kind == "classes":
        table = np.zeros((len(first.codes), 4, members))
        table[:, 0] = np.stack([term.effects for term in terms], axis=1)
        return first.codes, np.zeros(len(first.codes)), table
    if first.curve is None:
        table = np.zeros((1, 4, members))
        table[0, 1] = [term.slope for term in terms]
        return np.array([-np.inf]), np.array([first.centre]), table
    breaks = first.curve.breaks
    table = np.zeros((len(breaks) + 1, 4, members))
    ends = breaks[[0, -1]]
    for member, term in enumerate(terms):
        if term.curve is not None:
            table[1:-1, :, member] = term.curve.pieces[::-1].T
            table[[0, -1], 0, member] = term.curve(ends)
            table[[0, -1], 1, member] = term.curve.slopes
    return np.append(-np.inf, breaks), np.concatenate([breaks[:1], breaks]), table


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sums(
    rows: Float,
    intercepts: Float,
    column: Index,
    is_class: NDArray[np.bool_],
    first: Index,
    marks: Float,
    origin: Float,
    table: Float,
) -> Float:
    members = len(intercepts)
    out = np.empty((len(rows), members))
    for row in range(len(rows)):
        total = out[row]
        total[:] = intercepts
        for term in range(len(column)):
            value = rows[row, column[term]]
            at, end = first[term], first[term + 1]
            if is_class[term]:
                while at < end and marks[at] != value:
                    at += 1
                if at < end:
                    effects = table[at, 0]
                    for member in range(members):
                        total[member] += effects[member]
                continue
            while at + 1 < end and marks[at + 1] <= value:
                at += 1
            along = value - origin[at]
            square = along * along
            cube = square * along
            constant, straight, squared, cubed = table[at, 0], table[at, 1], table[at, 2], table[at, 3]
            for member in range(members):
                low = constant[member] + along * straight[member]
                total[member] += low + (square * squared[member] + cube * cubed[member])
    return out
