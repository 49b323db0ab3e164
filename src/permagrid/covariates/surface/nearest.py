"""The nearest of many straight pieces to points in space, found by a tree of boxes."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.grid import Float

_LEAF = 8
"""Pieces in a leaf of the tree."""
_BITS = 21
"""Bits per axis of the code along which pieces are sorted: three make 63."""


class Tree(NamedTuple):
    """Pieces sorted along a space-filling curve, and boxes around ever larger runs of them."""

    start: Float
    """First ends, shape ``(n, 3)``."""
    end: Float
    """Last ends, shape ``(n, 3)``; the first end again for a point."""
    boxes: Float
    """Lower and upper corners, shape ``(2 * leaves, 6)``: node k holds 2k and 2k + 1, leaves come last."""


def make_tree(start: Float, end: Float) -> Tree:
    """Return the tree of straight pieces between two ends, shape ``(n, 3)`` each.

    Examples
    --------
    >>> tree = make_tree(np.array([[0.0, 0, 0]]), np.array([[10.0, 0, 0]]))
    >>> nearest_feet(tree, np.array([[4.0, 3.0, 0.0], [-2.0, 0.0, 0.0]]), np.inf).tolist()
    [[4.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    order = np.argsort(_codes((start + end) / 2), kind="stable")
    start, end = np.ascontiguousarray(start[order]), np.ascontiguousarray(end[order])
    leaves = 1 << int(np.ceil(np.log2(max(1, -(-len(order) // _LEAF)))))
    lower, upper = (np.full((leaves * _LEAF, 3), far) for far in (np.inf, -np.inf))
    lower[: len(order)], upper[: len(order)] = np.minimum(start, end), np.maximum(start, end)
    boxes = np.empty((2 * leaves, 6))
    boxes[0] = np.nan
    low, high = lower.reshape(leaves, _LEAF, 3).min(axis=1), upper.reshape(leaves, _LEAF, 3).max(axis=1)
    while True:
        boxes[len(low) : 2 * len(low)] = np.hstack([low, high])
        if len(low) == 1:
            return Tree(start, end, boxes)
        low, high = low.reshape(-1, 2, 3).min(axis=1), high.reshape(-1, 2, 3).max(axis=1)


def _codes(places: Float) -> NDArray[np.uint64]:
    """Return numbers whose order keeps near places together (Morton 1966)."""
    low = places.min(axis=0)
    # One scale for all axes, so that boxes are cubes rather than plates.
    scale = (2**_BITS - 1) / max(float(np.ptp(places, axis=0).max()), 1e-9)
    steps = ((places - low) * scale).astype(np.uint64)
    codes = np.zeros(len(places), dtype=np.uint64)
    for bit in range(_BITS):
        for axis in range(3):
            codes |= ((steps[:, axis] >> np.uint64(bit)) & np.uint64(1)) << np.uint64(3 * bit + axis)
    return codes


def nearest_feet(tree: Tree, points: Float, farthest: float) -> Float:
    """Return the nearest place on any piece for each point.

    A point's answer does not depend on the points beside it.

    Parameters
    ----------
    tree
        The pieces.
    points
        Shape ``(n, 3)``; finite.
    farthest
        Distance beyond which none is looked for.

    Returns
    -------
    array
        Shape ``(n, 3)``; NaN where no piece is within `farthest`.
    """
    feet = np.full(points.shape, np.nan)
    _search(tree.start, tree.end, tree.boxes, np.ascontiguousarray(points), float(farthest), feet)
    return feet


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _search(start: Any, end: Any, boxes: Any, points: Any, farthest: float, feet: Any) -> None:
    leaves = boxes.shape[0] // 2
    stack = np.empty(128, dtype=np.int64)
    gaps = np.empty(128)
    for i in range(points.shape[0]):
        x, y, z = points[i]
        best = farthest * farthest
        stack[0], gaps[0], height = 1, 0.0, 1
        while height > 0:
            height -= 1
            node = stack[height]
            if gaps[height] > best:
                continue
            if node < leaves:
                near, far = 2 * node, 2 * node + 1
                near_gap, far_gap = _gap(boxes, near, x, y, z), _gap(boxes, far, x, y, z)
                if far_gap < near_gap:
                    near, far, near_gap, far_gap = far, near, far_gap, near_gap
                # The nearer one on top, so that it is opened first.
                stack[height], gaps[height] = far, far_gap
                stack[height + 1], gaps[height + 1] = near, near_gap
                height += 2
                continue
            first = (node - leaves) * _LEAF
            for k in range(first, min(first + _LEAF, start.shape[0])):
                share = _share(start, end, k, x, y, z)
                foot_x = start[k, 0] + share * (end[k, 0] - start[k, 0])
                foot_y = start[k, 1] + share * (end[k, 1] - start[k, 1])
                foot_z = start[k, 2] + share * (end[k, 2] - start[k, 2])
                away = (foot_x - x) ** 2 + (foot_y - y) ** 2 + (foot_z - z) ** 2
                if away < best or (away == best and np.isnan(feet[i, 0])):
                    best = away
                    feet[i, 0], feet[i, 1], feet[i, 2] = foot_x, foot_y, foot_z


@njit(inline="always")  # type: ignore[untyped-decorator]
def _gap(boxes: Any, node: int, x: float, y: float, z: float) -> Any:
    """Return the squared distance of a point from a box."""
    dx = max(boxes[node, 0] - x, 0.0, x - boxes[node, 3])
    dy = max(boxes[node, 1] - y, 0.0, y - boxes[node, 4])
    dz = max(boxes[node, 2] - z, 0.0, z - boxes[node, 5])
    return dx * dx + dy * dy + dz * dz


@njit(inline="always")  # type: ignore[untyped-decorator]
def _share(start: Any, end: Any, k: int, x: float, y: float, z: float) -> Any:
    """Return where along a piece a point has its foot, 0 to 1."""
    ax, ay, az = end[k, 0] - start[k, 0], end[k, 1] - start[k, 1], end[k, 2] - start[k, 2]
    length = ax * ax + ay * ay + az * az
    if length == 0.0:
        return 0.0
    along = (x - start[k, 0]) * ax + (y - start[k, 1]) * ay + (z - start[k, 2]) * az
    return min(max(along / length, 0.0), 1.0)
