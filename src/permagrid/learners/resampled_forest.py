"""Members of forests: their trees as they are, with training rows weighed anew in the leaves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.class_weight import compute_sample_weight

from permagrid.errors import PermagridError
from permagrid.learners.resampled_rows import Float, Float32
from permagrid.learners.resampled_task import Said, Task
from permagrid.learners.resampled_trees import MISSING_LEFT, Int32, Nodes, Trees, trees_of

_FORESTS = (RandomForestRegressor, RandomForestClassifier, ExtraTreesRegressor, ExtraTreesClassifier)
_TREES = (DecisionTreeRegressor, DecisionTreeClassifier)
_AT_A_TIME = 1024
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class _Weighed:
    """Trees, the training rows in their leaves, and what members make of these.

    There are no leaf values of members: they would take leaves x members numbers, some gigabytes of a forest
    grown to the end, and be read from slow memory. Instead the weights that a forest gives its training rows
    (Meinshausen 2006) are added up for a row, tree by tree; only those that are not 0, some hundred of them,
    meet the members. This takes training rows x members numbers, whatever the number of trees.
    """

    trees: Trees
    starts: NDArray[np.int64]
    """Where the training rows of each leaf begin, and where the last ones end."""
    inside: Int32
    """Training rows, leaf by leaf."""
    share: Float32
    """Their weights in the prediction of the forest."""
    drawn: Float32
    """How often each training row is drawn by each member, shape ``(n, members)``."""
    target: Float
    """Of the training rows; of classes 0 and 1."""
    besides: Float
    """What the forest itself says in a leaf besides the mean of its training rows, over number of trees."""
    is_class: bool

    def predict(self, rows: Float) -> Float32:
        """Return predictions, shape ``(n, members)``."""
        out = np.empty((len(rows), self.drawn.shape[1]), dtype=np.float32)
        for start in range(0, len(rows), _AT_A_TIME):
            leaves = np.ascontiguousarray(self.trees.leaves(rows[start : start + _AT_A_TIME]).T)
            part = out[start : start + _AT_A_TIME]
            _weigh(leaves, self.starts, self.inside, self.share, self.drawn, self.target, self.besides, part)
            if self.is_class:
                np.clip(part, 0.0, 1.0, out=part)
        return out


def forest_members(estimator: Any, task: Task) -> Said | None:
    """Return members of a forest or a tree of scikit-learn; None if it is none.

    Member m says ``sum(w_i(x) W_im y_i) / sum(w_i(x) W_im)``, where ``w_i(x)`` is the weight that the forest
    gives training row i (Meinshausen 2006, Quantile regression forests) and ``W_im`` how often the member has
    drawn it. Where it has drawn no row of those leaves, it says what the forest says.

    Parameters
    ----------
    estimator
        The fitted forest.
    task
        Its training rows and their weights.
    """
    if not isinstance(estimator, _FORESTS + _TREES):
        return None
    grown = [estimator] if isinstance(estimator, _TREES) else list(estimator.estimators_)
    trees = trees_of([_nodes(each.tree_) for each in grown], single=True)
    leaves, values = trees.leaves(task.rows), task.values
    starts, inside, share = [np.zeros(1, dtype=np.int64)], [], []
    besides = np.zeros(int(trees.first[-1]))
    for number, (tree, choices) in enumerate(zip(grown, _in_trees(estimator, task), strict=True)):
        mine, own = leaves[number] - trees.first[number], tree.tree_.children_left < 0
        weights, sums = _right(choices, mine, tree.tree_.weighted_n_node_samples[own])
        rows = np.argsort(mine, kind="stable")
        rows = rows[weights[rows] > 0]
        inside.append(rows)
        share.append(weights[rows] / sums[mine[rows]] / len(grown))
        starts.append(starts[-1][-1] + np.cumsum(np.bincount(mine[rows], minlength=len(sums))))
        said = tree.tree_.value[own, 0, -1]
        more = (said - np.bincount(mine, weights * values, minlength=len(sums)) / sums) / len(grown)
        besides[trees.first[number] : trees.first[number + 1]] = more
    # Directions hold values of leaves back; what else differs is rounding.
    besides[np.abs(besides) * len(grown) <= _SAME * max(float(np.abs(values).max()), 1e-300)] = 0.0
    weighed = _Weighed(
        trees,
        np.concatenate(starts),
        np.concatenate(inside).astype(np.int32),
        np.concatenate(share).astype(np.float32),
        task.weights.astype(np.float32),
        values,
        besides,
        task.is_class,
    )
    told = "trees as fitted, with the training rows in their leaves weighed anew for each member"
    held = "; directions hold on the whole, not in every member" if besides.any() else ""
    return Said(told + held, weighed.predict)


def _nodes(tree: Any) -> Nodes:
    leaf = tree.children_left < 0
    number = np.cumsum(leaf) - 1
    return Nodes(
        np.where(leaf, -1, tree.feature),
        tree.threshold,
        np.where(leaf, number, tree.children_left),
        tree.children_right,
        np.where(tree.missing_go_to_left.astype(bool), MISSING_LEFT, 0).astype(np.uint8),
    )


def _in_trees(estimator: Any, task: Task) -> Iterator[list[Float]]:
    """Yield for each tree the weights that rows may have had as it was grown."""
    own = task.ours
    if task.is_class and estimator.class_weight is not None:
        own = own * compute_sample_weight(estimator.class_weight, task.target)
    if isinstance(estimator, _TREES) or not estimator.bootstrap:
        for _ in getattr(estimator, "estimators_", [estimator]):
            yield [own]
        return
    for drawn in estimator.estimators_samples_:
        counts = np.bincount(drawn, minlength=len(own)).astype(float)
        # scikit-learn draws rows by their weights since 1.9; before, it drew them alike and weighed them.
        yield [counts, counts * own]


def _right(choices: list[Float], leaves: Int32, sums: Float) -> tuple[Float, Float]:
    """Return those weights of rows whose sums in the leaves are those of a tree, and these sums.

    Raises
    ------
    PermagridError
        If none are.
    """
    for weights in choices:
        found = np.bincount(leaves, weights, minlength=len(sums))
        if np.allclose(found, sums, rtol=1e-6):
            return weights, np.asarray(found, dtype=float)
    raise PermagridError("the trees were not grown of these rows, or with other weights")


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _weigh(
    leaves: Int32,
    starts: NDArray[np.int64],
    inside: Int32,
    share: Float32,
    drawn: Float32,
    target: Float,
    besides: Float,
    out: Float32,
) -> None:
    """Set predictions of rows of which the leaves are given, shape ``(n, trees)``."""
    members = out.shape[1]
    whole = np.zeros(len(target))
    touched = np.empty(len(target), dtype=np.int64)
    weights, terms = np.empty(len(target), dtype=np.float32), np.empty(len(target), dtype=np.float32)
    above, below = np.empty(members, dtype=np.float32), np.empty(members, dtype=np.float32)
    for row in range(len(out)):
        count, more, plain = 0, 0.0, 0.0
        for tree in range(leaves.shape[1]):
            leaf = leaves[row, tree]
            more += besides[leaf]
            for at in range(starts[leaf], starts[leaf + 1]):
                one = inside[at]
                if whole[one] == 0.0:
                    touched[count] = one
                    count += 1
                whole[one] += share[at]
        for at in range(count):
            one = touched[at]
            term = whole[one] * target[one]
            plain += term
            weights[at], terms[at] = np.float32(whole[one]), np.float32(term)
            whole[one] = 0.0
        _add_both(above, below, terms, weights, touched, count, drawn)
        for member in range(members):
            divisor = below[member]
            said = above[member] / divisor if divisor > 0.0 else plain
            out[row, member] = said + more


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_both(
    above: Float32,
    below: Float32,
    terms: Float32,
    weights: Float32,
    places: NDArray[np.int64],
    count: int,
    table: Float32,
) -> None:
    """Set two sums of rows of a table, each in the order of `places`; rows are read once for both."""
    members = len(above)
    above[:] = 0.0
    below[:] = 0.0
    at = 0
    while at + 4 <= count:
        a, b, c, d = terms[at], terms[at + 1], terms[at + 2], terms[at + 3]
        e, f, g, h = weights[at], weights[at + 1], weights[at + 2], weights[at + 3]
        ra, rb, rc, rd = (
            table[places[at]],
            table[places[at + 1]],
            table[places[at + 2]],
            table[places[at + 3]],
        )
        for member in range(members):
            wa, wb, wc, wd = ra[member], rb[member], rc[member], rd[member]
            above[member] = above[member] + a * wa + b * wb + c * wc + d * wd
            below[member] = below[member] + e * wa + f * wb + g * wc + h * wd
        at += 4
    while at < count:
        term, weight, row = terms[at], weights[at], table[places[at]]
        for member in range(members):
            above[member] += term * row[member]
            below[member] += weight * row[member]
        at += 1
