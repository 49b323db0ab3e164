"""Trees of any library as one flat table of nodes, and the leaf of each tree in which a row ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.learners.resampled_rows import Float

Int32 = NDArray[np.int32]
Bytes = NDArray[np.uint8]

MISSING_LEFT, MISSING_IS_ZERO, IN_CLASSES = 1, 2, 4
"""What a node may be told: missing values go left, they are 0, or left go classes of a set."""


class Nodes(NamedTuple):
    """Nodes of one tree in any order, the first of which is its root."""

    feature: Int32
    """Column of each; -1 of leaves."""
    threshold: Float
    """Rows up to it go left; of sets of classes the number of the set."""
    left: Int32
    """Node to the left; of leaves their number within the tree."""
    right: Int32
    flags: Bytes


@dataclass(frozen=True, eq=False)
class Trees:
    """All trees, node by node from their roots downwards, the right child of a node behind the left one."""

    feature: Int32
    """Column of each node; 0 of leaves."""
    threshold: Float
    """Infinite of leaves."""
    left: Int32
    """Node to the left; of leaves they themselves."""
    flags: Bytes
    leaf: Int32
    """Number of each leaf, through all trees; -1 of others."""
    roots: Int32
    depths: Int32
    sets: NDArray[np.uint32]
    """Sets of classes, a bit for each, shape ``(sets, words)``."""
    single: bool
    """Whether columns are compared in single precision."""
    first: NDArray[np.int64]
    """Number of the first leaf of each tree, and of all leaves."""

    def leaves(self, rows: Float) -> Int32:
        """Return the numbers of the leaves in which rows end, shape ``(trees, n)``."""
        seen = rows.astype(np.float32).astype(float) if self.single else rows
        seen = np.ascontiguousarray(seen)
        out = np.empty((len(self.roots), len(rows)), dtype=np.int32)
        nodes = (self.feature, self.threshold, self.left)
        if len(self.sets) or np.isnan(seen).any():
            _descend_told(*nodes, self.flags, self.roots, self.sets, seen, out)
        else:
            _descend(*nodes, self.roots, self.depths, seen, out)
        return np.asarray(self.leaf[out])


def trees_of(trees: Sequence[Nodes], sets: Sequence[Sequence[int]] = (), *, single: bool) -> Trees:
    """Return trees as one table.

    Parameters
    ----------
    trees
        Nodes of each.
    sets
        Sets of classes that go left, by rising code.
    single
        Whether columns are compared in single precision.
    """
    parts: list[list[Any]] = [[] for _ in range(5)]
    roots, depths, first, start = [], [], [0], 0
    for nodes in trees:
        order, place, depth = _from_root(nodes)
        leaf = nodes.feature[order] < 0
        own = np.arange(len(order))
        children = np.where(leaf, own, place[np.where(leaf, order, nodes.left[order])])
        parts[0].append(np.where(leaf, 0, nodes.feature[order]))
        parts[1].append(np.where(leaf, np.inf, nodes.threshold[order]))
        parts[2].append(start + children)
        parts[3].append(np.where(leaf, 0, nodes.flags[order]))
        parts[4].append(np.where(leaf, first[-1] + nodes.left[order], -1))
        roots.append(start)
        depths.append(depth)
        start += len(order)
        first.append(first[-1] + int(leaf.sum()))
    kinds = (np.int32, np.float64, np.int32, np.uint8, np.int32)
    feature, threshold, left, flags, number = (
        np.concatenate(part).astype(kind) for part, kind in zip(parts, kinds, strict=True)
    )
    return Trees(
        feature,
        threshold,
        left,
        flags,
        number,
        np.array(roots, dtype=np.int32),
        np.array(depths, dtype=np.int32),
        _bits(sets),
        single,
        np.array(first, dtype=np.int64),
    )


def _from_root(nodes: Nodes) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Return nodes level by level, the place of each among them, and how many levels lie below the root."""
    level, levels = np.zeros(1, dtype=np.int64), []
    while len(level):
        levels.append(level)
        split = level[nodes.feature[level] >= 0]
        level = np.stack([nodes.left[split], nodes.right[split]], axis=1).ravel().astype(np.int64)
    order = np.concatenate(levels)
    place = np.zeros(len(nodes.feature), dtype=np.int64)
    place[order] = np.arange(len(order))
    return order, place, len(levels) - 1


def _bits(sets: Sequence[Sequence[int]]) -> NDArray[np.uint32]:
    most = max((max(each, default=0) for each in sets), default=0)
    found = np.zeros((len(sets), most // 32 + 1), dtype=np.uint32)
    for number, classes in enumerate(sets):
        for one in classes:
            found[number, one // 32] |= np.uint32(1) << np.uint32(one % 32)
    return found


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _descend(
    feature: Int32, threshold: Float, left: Int32, roots: Int32, depths: Int32, rows: Float, out: Int32
) -> None:
    # Sixteen rows at a time, without a branch: a row that has reached its leaf stays there.
    whole = len(rows) // 16 * 16
    for tree in range(len(roots)):
        ends = out[tree]
        for start in range(0, whole, 16):
            for row in range(start, start + 16):
                ends[row] = roots[tree]
            level, moved = 0, True
            while level < depths[tree] and moved:
                for row in range(start, start + 16):
                    node = ends[row]
                    ends[row] = left[node] + np.int32(rows[row, feature[node]] > threshold[node])
                level += 1
                if level % 3 == 0:
                    moved = False
                    for row in range(start, start + 16):
                        node = ends[row]
                        moved |= left[node] != node
        for row in range(whole, len(rows)):
            node = roots[tree]
            while left[node] != node:
                node = left[node] + np.int32(rows[row, feature[node]] > threshold[node])
            ends[row] = node


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _descend_told(
    feature: Int32,
    threshold: Float,
    left: Int32,
    flags: Bytes,
    roots: Int32,
    sets: NDArray[np.uint32],
    rows: Float,
    out: Int32,
) -> None:
    """Descend where values may be missing, or nodes ask for classes."""
    for tree in range(len(roots)):
        for row in range(len(rows)):
            node = roots[tree]
            while left[node] != node:
                value, told = rows[row, feature[node]], flags[node]
                missing = np.isnan(value)
                if missing and told & MISSING_IS_ZERO:
                    value, missing = 0.0, False
                if told & IN_CLASSES:
                    inside = False
                    if not missing and 0.0 <= value < 32.0 * sets.shape[1]:
                        code = np.int64(value)
                        word = np.int64(sets[np.int64(threshold[node]), code >> 5])
                        inside = (word >> (code & 31)) & 1 == 1
                    elif missing:
                        inside = told & MISSING_LEFT != 0
                    goes_left = inside
                elif missing:
                    goes_left = told & MISSING_LEFT != 0
                else:
                    goes_left = value <= threshold[node]
                node = left[node] + (np.int32(0) if goes_left else np.int32(1))
            out[tree, row] = node
