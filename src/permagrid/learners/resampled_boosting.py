"""Members of boosted trees: their structure as it is, with leaf values found anew, tree after tree."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from permagrid.learners.boosted import LightGBMClassifier, LightGBMRegressor
from permagrid.learners.resampled_rows import Float, Float32, add_rows
from permagrid.learners.resampled_task import Said, Task
from permagrid.learners.resampled_trees import (
    IN_CLASSES,
    MISSING_IS_ZERO,
    MISSING_LEFT,
    Int32,
    Nodes,
    Trees,
    trees_of,
)
from permagrid.learners.row_wise import logistic
from permagrid.learners.training import balanced

_HISTOGRAM = (HistGradientBoostingRegressor, HistGradientBoostingClassifier)
_LIGHTGBM = (LightGBMRegressor, LightGBMClassifier)
_AT_A_TIME = 1024


class Structure(NamedTuple):
    """Boosted trees of a library, and how the values of their leaves come about."""

    trees: Trees
    values: Float
    """Values of all leaves; those of the first tree with what all trees begin from."""
    rate: float
    """By which the contribution of each tree shrinks."""
    penalty: float
    """Of large values in leaves."""
    rows: Callable[[Float], Float]
    """What makes of rows those that the trees see."""


@dataclass(frozen=True, eq=False)
class _Leaves:
    """Trees and the values of their leaves for all members."""

    structures: list[tuple[Structure, Float32]]
    """Trees, and the values of their leaves for every member that has them, shape ``(leaves, members)``."""
    members: int
    is_class: bool

    def predict(self, rows: Float) -> Float32:
        """Return predictions, shape ``(n, members)``."""
        out = np.empty((len(rows), self.members), dtype=np.float32)
        for number, (structure, table) in enumerate(self.structures):
            seen = structure.rows(rows)
            for start in range(0, len(rows), _AT_A_TIME):
                leaves = structure.trees.leaves(seen[start : start + _AT_A_TIME])
                said = _added(leaves, table)
                part = out[start : start + _AT_A_TIME, number :: len(self.structures)]
                part[:] = logistic(said.astype(float)) if self.is_class else said
        return out


def boosting_members(estimator: Any, task: Task) -> Said | None:
    """Return members of boosted trees of scikit-learn or LightGBM; None if it is neither.

    Where a boosted tree splits depends on its rows no less than what it says there: of one structure for all,
    members would spread a quarter as far as refits do. So the first members are refits, and lend their
    structure to those after them. The value of a leaf is then found as the library finds it (Friedman 2001,
    doi:10.1214/aos/1013203451), of the gradients at what the member itself has said so far. To this is added
    by what the value in the refit differs from the one that is found so with the weights of that refit:
    rounding, or what comes of rows that were drawn for each tree and of directions.

    Parameters
    ----------
    estimator
        The fitted learner.
    task
        Its training rows and their weights.
    """
    if not isinstance(estimator, _HISTOGRAM + _LIGHTGBM):
        return None
    members = task.weights.shape[1]
    several = min(task.structures, members)
    made = [_member(estimator, task, range(first, members, several)) for first in range(several)]
    told = (
        f"{several} structures of trees, each grown of the rows of one member, with values of leaves found "
        "anew for every member, tree by tree"
    )
    return Said(told, _Leaves(made, members, task.is_class).predict)


def _member(estimator: Any, task: Task, members: Sequence[int]) -> tuple[Structure, Float32]:
    """Return the structure that the first of some members grows, and values of leaves for all of them."""
    weights, grown = task.of_member(members[0]), estimator
    if (task.weights[:, members[0]] != 1.0).any():
        kept = weights > 0
        grown = clone(estimator).fit(task.rows[kept], task.target[kept], sample_weight=weights[kept])
    structure = _of_histogram(grown) if isinstance(grown, _HISTOGRAM) else _of_lightgbm(grown)
    values = task.values
    weights = np.stack([task.of_member(member) for member in (*members, members[0])], axis=1)
    if task.is_class and estimator.class_weight == "balanced":
        weights = np.stack([_balanced(values, column) for column in weights.T], axis=1)
    mean = np.array([np.average(values, weights=column) for column in weights.T])
    begin = np.log(mean / (1.0 - mean)) if task.is_class else mean
    leaves = structure.trees.leaves(structure.rows(task.rows))
    table = _refilled(
        leaves,
        structure.trees.first,
        structure.values,
        values,
        np.ascontiguousarray(weights),
        begin,
        np.array([structure.rate, structure.penalty, float(task.is_class)]),
    )
    return structure, table


def _balanced(values: Float, weights: Float) -> Float:
    found, kept = np.zeros(len(weights)), weights > 0
    found[kept] = balanced(values[kept], weights[kept])
    return found


def _of_histogram(estimator: Any) -> Structure:
    sets: list[list[int]] = []
    trees, values = [], []
    for stage in estimator._predictors:
        nodes, codes = stage[0].nodes, stage[0].raw_left_cat_bitsets
        leaf = nodes["is_leaf"].astype(bool)
        in_classes = nodes["is_categorical"].astype(bool) & ~leaf
        threshold = nodes["num_threshold"].copy()
        for node in np.flatnonzero(in_classes):
            threshold[node] = len(sets)
            words = codes[nodes["bitset_idx"][node]]
            sets.append([code for code in range(32 * len(words)) if words[code // 32] >> (code % 32) & 1])
        flags = MISSING_LEFT * nodes["missing_go_to_left"].astype(bool) + IN_CLASSES * in_classes
        left = np.where(leaf, np.cumsum(leaf) - 1, nodes["left"].astype(np.int64))
        feature = np.where(leaf, -1, nodes["feature_idx"].astype(np.int64))
        trees.append(Nodes(feature, threshold, left, nodes["right"].astype(np.int64), flags.astype(np.uint8)))
        values.append(nodes["value"][leaf])
    values[0] = values[0] + float(np.ravel(estimator._baseline_prediction)[0])

    def seen(rows: Float) -> Float:
        return np.ascontiguousarray(estimator._preprocess_X(rows, reset=False), dtype=float)

    return Structure(
        trees_of(trees, sets, single=False),
        np.concatenate(values),
        float(estimator.learning_rate),
        float(estimator.l2_regularization),
        seen,
    )


def _of_lightgbm(estimator: Any) -> Structure:
    sets: list[list[int]] = []
    trees, values = [], []
    for tree in estimator.model_.dump_model()["tree_info"]:
        nodes, said = _walked(tree["tree_structure"], sets)
        trees.append(nodes)
        values.append(said)
    known = dict(estimator.parameters or {})
    return Structure(
        trees_of(trees, sets, single=False),
        np.concatenate(values),
        float(known.get("learning_rate", 0.1)),
        float(known.get("lambda_l2", 0.0)),
        np.ascontiguousarray,
    )


def _walked(root: Mapping[str, Any], sets: list[list[int]]) -> tuple[Nodes, Float]:
    """Return the nodes of a tree as LightGBM tells it, and values of leaves; sets of classes are added."""
    found: list[list[float]] = []
    values: list[float] = []
    waiting: list[tuple[Mapping[str, Any], int, int]] = [(root, -1, 0)]
    while waiting:
        node, above, side = waiting.pop()
        if above >= 0:
            found[above][2 + side] = len(found)
        if "split_feature" not in node:
            found.append([-1, 0.0, len(values), 0, 0])
            values.append(float(node["leaf_value"]))
            continue
        flags = MISSING_LEFT if node["default_left"] else 0
        threshold = node["threshold"]
        if node["decision_type"] == "==":
            threshold, flags = len(sets), IN_CLASSES
            sets.append([int(code) for code in str(node["threshold"]).split("||")])
        elif node["missing_type"] == "None":
            flags = MISSING_IS_ZERO
        here = len(found)
        found.append([node["split_feature"], float(threshold), 0, 0, flags])
        waiting.append((node["right_child"], here, 1))
        waiting.append((node["left_child"], here, 0))
    feature, limit, left, right, told = np.array(found).T
    whole = [each.astype(np.int32) for each in (feature, left, right)]
    return Nodes(whole[0], limit, whole[1], whole[2], told.astype(np.uint8)), np.array(values)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _refilled(
    leaves: Int32,
    first: Float,
    own: Float,
    target: Float,
    weights: Float,
    begin: Float,
    settings: Float,
) -> Float32:
    """Return values of leaves for all members; the last weights are those of which the trees were grown.

    Parameters
    ----------
    leaves
        Leaf of each row in each tree, shape ``(trees, n)``.
    first
        Number of the first leaf of each tree, and of all leaves.
    own
        Values of the leaves as fitted.
    target, weights
        Shapes ``(n,)`` and ``(n, members + 1)``.
    begin
        From what each member begins.
    settings
        Rate, penalty, and 1 for classes.
    """
    rate, penalty, is_class = settings[0], settings[1], settings[2] > 0.0
    count, width = weights.shape
    table = np.empty((len(own), width - 1), dtype=np.float32)
    said = np.empty((count, width))
    said[:] = begin
    for tree in range(len(leaves)):
        start, end = first[tree], first[tree + 1]
        slope, bend = np.zeros((end - start, width)), np.zeros((end - start, width))
        for row in range(count):
            leaf = leaves[tree, row] - start
            for member in range(width):
                if is_class:
                    chance = 1.0 / (1.0 + np.exp(-said[row, member]))
                    slope[leaf, member] += weights[row, member] * (target[row] - chance)
                    bend[leaf, member] += weights[row, member] * chance * (1.0 - chance)
                else:
                    slope[leaf, member] += weights[row, member] * (target[row] - said[row, member])
                    bend[leaf, member] += weights[row, member]
        for leaf in range(end - start):
            for member in range(width):
                step = bend[leaf, member] + penalty
                found = rate * slope[leaf, member] / step if step > 1e-12 else 0.0
                slope[leaf, member] = found + begin[member] if tree == 0 else found
            apart = own[start + leaf] - slope[leaf, width - 1]
            for member in range(width):
                slope[leaf, member] += apart
                if member < width - 1:
                    table[start + leaf, member] = slope[leaf, member]
        for row in range(count):
            leaf = leaves[tree, row] - start
            for member in range(width):
                before = said[row, member] if tree > 0 else 0.0
                said[row, member] = before + slope[leaf, member]
    return table


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _added(leaves: Int32, table: Float32) -> Float32:
    trees, many = leaves.shape
    out = np.empty((many, table.shape[1]), dtype=np.float32)
    ones = np.ones(trees, dtype=np.float32)
    places = np.empty(trees, dtype=np.int64)
    for row in range(many):
        for tree in range(trees):
            places[tree] = leaves[tree, row]
        out[row] = 0.0
        add_rows(out[row], ones, places, trees, table)
    return out
