"""Trees as arrays: nodes in the order in which a walk that turns left meets them, thresholds by rank."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.errors import PermagridError

Float = NDArray[np.float64]
Index = NDArray[np.int64]
Int32 = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]

FEATURE, RANK, RIGHT, NUMBER = range(4)
"""Columns of the table of nodes: the covariate, -1 of leaves; the rank of the threshold; the node to the
right, as the one to the left follows; the number of a leaf through all trees."""


ENDS = 4
"""Infinite thresholds behind those of a covariate, so that some may be read beyond any."""


class Tree(NamedTuple):
    """One tree as a library keeps it: its nodes in any order, the first of which is its root."""

    feature: Int32
    """Column of each node; -1 of leaves."""
    threshold: Float
    """Rows up to it go left."""
    left: Int32
    right: Int32
    leaf: Int32
    """What the library calls each leaf."""
    value: Float
    """What each leaf says, shape ``(nodes, width)``."""


class Forest(NamedTuple):
    """All trees in one table."""

    nodes: Int32
    """Shape ``(nodes, 4)``, see `FEATURE` and the others."""
    roots: Index
    thresholds: Float
    """Of covariate after covariate, rising, with `ENDS` infinite ones behind each."""
    first: Index
    """Where the thresholds of each covariate begin, and where the last ones end."""
    leaves: Int32
    """What the library calls each leaf."""
    value: Float
    """Shape ``(leaves, width)``."""
    depth: int
    """Nodes between a root and the deepest leaf, at most."""


def forest_of(trees: Sequence[Tree], columns: int) -> Forest:
    """Return trees as one table.

    Parameters
    ----------
    trees
        Nodes of each; thresholds are those that rows are compared with in double precision.
    columns
        Number of covariates.
    """
    feature = np.concatenate([tree.feature for tree in trees])
    threshold = np.concatenate([tree.threshold for tree in trees])
    lists = [np.append(np.unique(threshold[feature == column]), [np.inf] * ENDS) for column in range(columns)]
    first = np.concatenate([[0], np.cumsum([len(each) for each in lists])])
    parts, roots, leaves, values = [], [0], [], []
    start, counted = 0, 0
    for tree in trees:
        order = _leftwards(tree)
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        table = np.zeros((len(order), 4), dtype=np.int32)
        table[:, FEATURE] = tree.feature[order]
        is_leaf = table[:, FEATURE] < 0
        for column in np.unique(table[~is_leaf, FEATURE]):
            own = table[:, FEATURE] == column
            table[own, RANK] = np.searchsorted(lists[column], tree.threshold[order[own]])
        table[~is_leaf, RIGHT] = start + place[tree.right[order[~is_leaf]]]
        table[is_leaf, NUMBER] = counted + np.arange(is_leaf.sum())
        parts.append(table)
        leaves.append(tree.leaf[order[is_leaf]])
        values.append(tree.value[order[is_leaf]])
        start, counted = start + len(order), counted + int(is_leaf.sum())
        roots.append(start)
    return checked_forest(
        {
            "nodes": np.concatenate(parts),
            "roots": np.array(roots, dtype=np.int64),
            "thresholds": np.concatenate(lists),
            "first": first.astype(np.int64),
            "leaves": np.concatenate(leaves).astype(np.int32),
            "value": np.ascontiguousarray(np.concatenate(values)),
        }
    )


def checked_forest(parts: Mapping[str, NDArray[Any]]) -> Forest:
    """Return the forest that arrays make up, if no walk through it can leave them.

    Raises
    ------
    PermagridError
        If it could.
    """
    kinds = {"nodes": np.int32, "roots": np.int64, "thresholds": np.float64, "first": np.int64}
    kinds |= {"leaves": np.int32, "value": np.float64}
    for name, kind in kinds.items():
        axes = 2 if name in ("nodes", "value") else 1
        if parts[name].dtype != kind or parts[name].ndim != axes:
            raise PermagridError(f"{name} of compiled trees are {np.dtype(kind)} with {axes} axes")
    nodes, roots, first = parts["nodes"], parts["roots"], parts["first"]
    sound = nodes.shape[1] == 4 and len(first) > 1 and len(roots) > 1 and roots[0] == 0
    sound = sound and roots[-1] == len(nodes) and (np.diff(roots) > 0).all()
    sound = (
        sound and first[0] == 0 and first[-1] == len(parts["thresholds"]) and (np.diff(first) >= ENDS).all()
    )
    if not sound or len(parts["leaves"]) != len(parts["value"]):
        raise PermagridError("compiled trees do not fit together: lengths of their arrays")
    is_leaf, columns = nodes[:, FEATURE] < 0, len(first) - 1
    split, number = nodes[~is_leaf], nodes[is_leaf, NUMBER]
    own = split[:, FEATURE]
    if not (own < columns).all() or not np.array_equal(number, np.arange(len(parts["leaves"]))):
        raise PermagridError("compiled trees do not fit together: columns or leaves that are not there")
    sound = (split[:, RANK] >= 0).all() and (split[:, RANK] < np.diff(first)[own] - ENDS).all()
    depth = _depth(nodes, roots) if sound else -1
    if depth < 0:
        raise PermagridError("compiled trees do not fit together: nodes that are not there")
    return Forest(**{name: parts[name] for name in kinds}, depth=depth)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _depth(nodes: Int32, roots: Index) -> int:
    """Return how many nodes lie above the deepest leaf; -1 if nodes are not trees in the order of a walk."""
    waiting = np.empty((len(nodes) + 1, 2), dtype=np.int64)
    deepest = 0
    for tree in range(len(roots) - 1):
        top, depth = 0, 0
        for node in range(roots[tree], roots[tree + 1]):
            if nodes[node, FEATURE] >= 0:
                depth += 1
                waiting[top, 0], waiting[top, 1] = nodes[node, RIGHT], depth
                top += 1
                continue
            deepest, top = max(deepest, depth), top - 1
            last = node + 1 == roots[tree + 1]
            if last != (top < 0) or (not last and waiting[top, 0] != node + 1):
                return -1
            depth = waiting[top, 1] if not last else 0
    return deepest


def _leftwards(tree: Tree) -> Index:
    """Return nodes in the order of a walk that turns left first."""
    feature, left, right = tree.feature.tolist(), tree.left.tolist(), tree.right.tolist()
    order, waiting = [], [0]
    while waiting:
        node = waiting.pop()
        order.append(node)
        if feature[node] >= 0:
            waiting += [right[node], left[node]]
    return np.array(order, dtype=np.int64)
