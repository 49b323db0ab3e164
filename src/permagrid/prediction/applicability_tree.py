"""Training rows in boxes: the nearest of them, and how many are near, exactly, for each of many rows."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.grid import Float

_LANES = 64
"""Rows in a box, which are worked on together: fewer take longer, as do more."""
_STEP = 8
"""Dimensions that are added before a box is asked again whether it can still matter."""
_SHARE = 0.8
"""Share of the spread that the dimensions must hold by which boxes are judged from outside."""


class Tree(NamedTuple):
    """Points in boxes of neighbours, by halves along the axis of largest variance (Friedman et al. 1977).

    The distance of two points is summed over their dimensions in one order, whichever box they are in and
    whatever rows are beside them, and so is the bound of a box. Sums of rounded numbers that are not
    negative never decrease when a term grows: a bound is never above any distance of its box, to the last
    bit, and the answers are those of comparing all pairs.
    """

    values: Float
    """Shape ``(boxes, dimensions, 64)``; infinite where a box has fewer rows."""
    codes: Float
    """Classes, shape ``(boxes, classes, 64)``."""
    penalties: Float
    """What a different class adds to a distance, shape ``(classes,)``."""
    rows: NDArray[np.int64]
    """Numbers of the points, shape ``(boxes, 64)``; -1 where a box has fewer rows."""
    low: Float
    """Lower corners of the boxes, shape ``(dimensions, boxes)``."""
    high: Float
    """Upper corners."""
    leading: int
    """Dimensions by which boxes are judged from outside."""
    squared: bool
    """Whether differences are squared, else their sizes are added."""


def make_tree(points: Float, codes: Float, penalties: Float, *, squared: bool) -> Tree:
    """Return the tree of points.

    Parameters
    ----------
    points
        Shape ``(n, dimensions)``, the heaviest dimensions first; finite.
    codes
        Class codes, shape ``(n, classes)``.
    penalties
        What a different class adds to a distance, shape ``(classes,)``.
    squared
        Whether differences are squared, as for Euclidean distances, else their sizes are added.

    Examples
    --------
    >>> none = np.empty((2, 0))
    >>> tree = make_tree(np.array([[0.0, 0.0], [3.0, 4.0]]), none, np.empty(0), squared=True)
    >>> all_sums(tree, np.array([[0.0, 1.0]]), none[:1]).tolist()
    [[1.0, 18.0]]
    >>> nearest_sums(tree, np.array([[0.0, 1.0]]), none[:1], most=18.0)
    (array([1.]), array([2]))
    """
    padded = _padded(points)
    boxes = _halved(padded, np.arange(len(points)))
    shape = (len(boxes), _LANES)
    rows = np.full(shape, -1, dtype=np.int64)
    for box, members in enumerate(boxes):
        rows[box, : len(members)] = members
    # Where a box has fewer rows, its first one stands in for codes and corners; values tell them apart.
    filled = np.where(rows >= 0, rows, rows[:, :1])
    values, classes = padded[filled].transpose(0, 2, 1), codes[filled].transpose(0, 2, 1)
    low, high = values.min(axis=2).T, values.max(axis=2).T
    values = np.where(rows[:, np.newaxis, :] >= 0, values, np.inf)
    return Tree(
        np.ascontiguousarray(values),
        np.ascontiguousarray(classes),
        np.ascontiguousarray(penalties),
        rows,
        np.ascontiguousarray(low),
        np.ascontiguousarray(high),
        _leading(padded),
        squared,
    )


def all_sums(tree: Tree, points: Float, codes: Float) -> Float:
    """Return the sum of differences of each point to each of the tree, shape ``(n, points of the tree)``.

    Parameters
    ----------
    tree
        The points to compare with.
    points, codes
        As of `make_tree`.
    """
    sums = np.empty((len(points), int(tree.rows.max()) + 1))
    _every(tree, _padded(points), np.ascontiguousarray(codes), sums)
    return sums


def nearest_sums(tree: Tree, points: Float, codes: Float, *, most: float) -> tuple[Float, NDArray[np.int64]]:
    """Return the smallest sum of differences of each point, and how many are not above `most`.

    The same bits as of `all_sums`, by opening only the boxes that can matter.

    Parameters
    ----------
    tree
        The points to compare with.
    points, codes
        As of `make_tree`.
    most
        Largest sum that counts as near; below 0 none does.
    """
    smallest, near = np.empty(len(points)), np.empty(len(points), dtype=np.int64)
    _search(tree, _padded(points), np.ascontiguousarray(codes), float(most), smallest, near)
    return smallest, near


def _padded(points: Float) -> Float:
    """Return points with dimensions of zeros up to whole steps: they add nothing to any sum."""
    return np.ascontiguousarray(np.pad(points, ((0, 0), (0, -points.shape[1] % _STEP))))


def _halved(points: Float, members: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the members in boxes of neighbours, all but the last of a half full."""
    if len(members) <= _LANES:
        return [members]
    here = points[members]
    axis = int(here.var(axis=0).argmax()) if here.shape[1] else 0
    ordered = members[np.argsort(here[:, axis], kind="stable")] if here.shape[1] else members
    half = (-(-len(members) // _LANES) // 2) * _LANES
    return [*_halved(points, ordered[:half]), *_halved(points, ordered[half:])]


def _leading(points: Float) -> int:
    spread = points.var(axis=0).reshape(-1, _STEP).sum(axis=1).cumsum()
    return _STEP * int(np.searchsorted(spread, _SHARE * spread[-1]) + 1) if spread.size else 0


@njit(inline="always")  # type: ignore[untyped-decorator]
def _squares(a: float, b: float, c: float, d: float, e: float, f: float, g: float, h: float) -> float:
    return ((a * a + b * b) + (c * c + d * d)) + ((e * e + f * f) + (g * g + h * h))


@njit(inline="always")  # type: ignore[untyped-decorator]
def _sizes(a: float, b: float, c: float, d: float, e: float, f: float, g: float, h: float) -> float:
    return ((abs(a) + abs(b)) + (abs(c) + abs(d))) + ((abs(e) + abs(f)) + (abs(g) + abs(h)))


@njit(inline="always")  # type: ignore[untyped-decorator]
def _gap(low: float, high: float, value: float) -> float:
    return max(low - value, value - high, 0.0)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _add_step(values: Any, box: int, k: int, points: Any, i: int, sums: Any, squared: bool) -> None:
    """Add eight dimensions to the sums of all rows of a box."""
    a, b, c, d = points[i, k], points[i, k + 1], points[i, k + 2], points[i, k + 3]
    e, f, g, h = points[i, k + 4], points[i, k + 5], points[i, k + 6], points[i, k + 7]
    # Two loops, for a choice within one keeps it from working on several rows at once.
    if squared:
        for r in range(_LANES):
            sums[r] += _squares(
                a - values[box, k, r],
                b - values[box, k + 1, r],
                c - values[box, k + 2, r],
                d - values[box, k + 3, r],
                e - values[box, k + 4, r],
                f - values[box, k + 5, r],
                g - values[box, k + 6, r],
                h - values[box, k + 7, r],
            )
    else:
        for r in range(_LANES):
            sums[r] += _sizes(
                a - values[box, k, r],
                b - values[box, k + 1, r],
                c - values[box, k + 2, r],
                d - values[box, k + 3, r],
                e - values[box, k + 4, r],
                f - values[box, k + 5, r],
                g - values[box, k + 6, r],
                h - values[box, k + 7, r],
            )


@njit(inline="always")  # type: ignore[untyped-decorator]
def _add_gaps(low: Any, high: Any, k: int, points: Any, i: int, bounds: Any, squared: bool) -> None:
    """Add eight dimensions to the bounds of all boxes, in the order in which rows are added."""
    a, b, c, d = points[i, k], points[i, k + 1], points[i, k + 2], points[i, k + 3]
    e, f, g, h = points[i, k + 4], points[i, k + 5], points[i, k + 6], points[i, k + 7]
    if squared:
        for r in range(bounds.size):
            bounds[r] += _squares(
                _gap(low[k, r], high[k, r], a),
                _gap(low[k + 1, r], high[k + 1, r], b),
                _gap(low[k + 2, r], high[k + 2, r], c),
                _gap(low[k + 3, r], high[k + 3, r], d),
                _gap(low[k + 4, r], high[k + 4, r], e),
                _gap(low[k + 5, r], high[k + 5, r], f),
                _gap(low[k + 6, r], high[k + 6, r], g),
                _gap(low[k + 7, r], high[k + 7, r], h),
            )
    else:
        for r in range(bounds.size):
            bounds[r] += _sizes(
                _gap(low[k, r], high[k, r], a),
                _gap(low[k + 1, r], high[k + 1, r], b),
                _gap(low[k + 2, r], high[k + 2, r], c),
                _gap(low[k + 3, r], high[k + 3, r], d),
                _gap(low[k + 4, r], high[k + 4, r], e),
                _gap(low[k + 5, r], high[k + 5, r], f),
                _gap(low[k + 6, r], high[k + 6, r], g),
                _gap(low[k + 7, r], high[k + 7, r], h),
            )


@njit(inline="always")  # type: ignore[untyped-decorator]
def _add_box(values: Any, box: int, points: Any, i: int, bound: float, sums: Any, squared: bool) -> bool:
    """Sum the differences of all rows of a box; give up, and say False, once all are above a bound."""
    sums[:] = 0.0
    for k in range(0, points.shape[1], _STEP):
        _add_step(values, box, k, points, i, sums, squared)
        below = 0
        for r in range(_LANES):
            below += sums[r] <= bound
        if below == 0:
            return False
    return True


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_classes(classes: Any, penalties: Any, box: int, codes: Any, i: int, sums: Any) -> None:
    for k in range(codes.shape[1]):
        code, penalty = codes[i, k], penalties[k]
        for r in range(_LANES):
            sums[r] += penalty if code != classes[box, k, r] else 0.0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _every(tree: Any, points: Any, codes: Any, out: Any) -> None:
    values, classes, penalties, squared = tree.values, tree.codes, tree.penalties, tree.squared
    sums, rows = np.empty(_LANES), tree.rows
    for i in range(points.shape[0]):
        for box in range(rows.shape[0]):
            _add_box(values, box, points, i, np.inf, sums, squared)
            _add_classes(classes, penalties, box, codes, i, sums)
            for r in range(_LANES):
                if rows[box, r] >= 0:
                    out[i, rows[box, r]] = sums[r]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _search(tree: Any, points: Any, codes: Any, most: float, smallest: Any, near: Any) -> None:
    values, classes, penalties, squared = tree.values, tree.codes, tree.penalties, tree.squared
    low, high, boxes = tree.low, tree.high, tree.rows.shape[0]
    sums, bounds = np.empty(_LANES), np.empty(boxes)
    # Rows beside each other on the map are alike: the box that held the last nearest row is opened first.
    first = 0
    for i in range(points.shape[0]):
        bounds[:] = 0.0
        for k in range(0, tree.leading, _STEP):
            _add_gaps(low, high, k, points, i, bounds, squared)
        best, count, bound, opened = np.inf, 0, np.inf, first
        for turn in range(-1, boxes):
            box = opened if turn < 0 else turn
            if turn == opened or bounds[box] > bound:
                continue
            if not _add_box(values, box, points, i, bound, sums, squared):
                continue
            _add_classes(classes, penalties, box, codes, i, sums)
            nearer = 0
            for r in range(_LANES):
                nearer += sums[r] < best
                count += sums[r] <= most
            if nearer > 0:
                for r in range(_LANES):
                    best = min(best, sums[r])
                first = box
            bound = max(best, most)
        smallest[i], near[i] = best, count
