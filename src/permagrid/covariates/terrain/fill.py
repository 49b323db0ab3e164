"""Closed depressions filled, so that water finds a way out of the grid from every cell."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.grid import Float

RISE = 1e-3
"""Least rise from a cell to the next one up its way out, `sqrt(2)` times as much across a corner [m]."""

_DIAGONAL = np.sqrt(2.0)
_NONE = np.empty(0, dtype="float32")


def ringed(values: NDArray[Any], *, dtype: str = "float32") -> NDArray[Any]:
    """Return a grid with a ring of nodata around it, so that no cell is a special case.

    Examples
    --------
    >>> ringed(np.ones((1, 2))).shape
    (3, 4)
    """
    around = np.full((values.shape[0] + 2, values.shape[1] + 2), np.nan, dtype=dtype)
    around[1:-1, 1:-1] = values
    return around


def fill(ground: NDArray[np.float32], *, rise: float = RISE) -> Float:
    """Return the lowest surface that is not below the ground and drains, falling by `rise` each step.

    Water leaves at the edge of the grid and into nodata: cells there stay as they are. The method is a
    priority flood (Barnes et al. 2014, doi:10.1016/j.cageo.2013.04.024) that climbs slopes without the
    queue (Zhou et al. 2016, doi:10.1016/j.cageo.2016.02.021). With ``rise=0`` water stands level.

    Parameters
    ----------
    ground
        Elevation with a ring of nodata, see `ringed` [m].
    rise
        Least rise from a cell to the next, `sqrt(2)` times as much across a corner [m].

    Returns
    -------
    array
        Shape of `ground`, in double precision, which holds small steps at any elevation [m].

    Examples
    --------
    >>> bowl = np.array([[9.0, 9, 9], [9, 1, 9], [9, 8, 9]], dtype="float32")
    >>> float(fill(ringed(bowl))[2, 2])
    8.001
    """
    surface = ground.astype(float)
    _fill(ground.ravel(), surface.ravel(), _NONE, ground.shape[1], rise)
    return surface


def fill_and_level(ground: NDArray[np.float32], *, rise: float = RISE) -> tuple[Float, NDArray[np.float32]]:
    """Return the surface of `fill`, and the level at which water would stand on the way that it takes.

    The level is the elevation of the ground where water flows over, and the ground itself where none stands.
    It may be above the lowest possible by the rise along the way, as the surface takes ways that are shorter.

    Examples
    --------
    >>> bowl = np.array([[9.0, 9, 9], [9, 1, 9], [9, 8, 9]], dtype="float32")
    >>> surface, level = fill_and_level(ringed(bowl))
    >>> float(level[2, 2])
    8.0
    """
    surface, level = ground.astype(float), ground.copy()
    _fill(ground.ravel(), surface.ravel(), level.ravel(), ground.shape[1], rise)
    return surface, level


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _push(keys: Any, cells: Any, size: int, key: float, cell: int) -> None:
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if keys[above] <= key:
            break
        keys[at], cells[at] = keys[above], cells[above]
        at = above
    keys[at], cells[at] = key, cell


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _drop_first(keys: Any, cells: Any, size: int) -> None:
    key, cell, at, last = keys[size - 1], cells[size - 1], 0, size - 1
    child = 1
    while child < last:
        if child + 1 < last and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[at], cells[at] = keys[child], cells[child]
        at, child = child, 2 * child + 1
    keys[at], cells[at] = key, cell


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _roomy(keys: Any, cells: Any, size: int) -> Any:
    if size > keys.size:
        return np.append(keys, np.empty_like(keys)), np.append(cells, np.empty_like(cells))
    return keys, cells


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _begin(ground: Any, width: int, settled: Any, queue: Any) -> int:
    """Settle nodata, and cells from which water leaves; queue the latter and return how many there are."""
    last = 0
    for n in range(ground.size):
        settled[n] = np.isnan(ground[n])
    for n in range(width, ground.size - width):
        beside = settled[n - 1] | settled[n + 1]
        for m in (n - width, n + width):
            beside |= settled[m - 1] | settled[m] | settled[m + 1]
        if beside and not settled[n]:
            queue[last] = n
            last += 1
    for at in range(last):
        settled[queue[at]] = 1
    return last


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _climb(
    ground: Any, surface: Any, steps: Any, rises: Any, settled: Any, queue: Any, first: int, last: int
) -> Any:
    """Settle all that is uphill from the queue; return its end, and how many cells have lower neighbours.

    A cell that is high enough above a settled neighbour keeps its elevation. Cells beside which one is too
    low go to the beginning of the queue, where nothing is wanted any more.
    """
    spills = 0
    while first < last:
        n, spill = queue[first], False
        first += 1
        for k in range(8):
            m = n + steps[k]
            if not settled[m]:
                if ground[m] >= surface[n] + rises[k]:
                    settled[m], surface[m], queue[last] = 1, ground[m], m
                    last += 1
                else:
                    spill = True
        if spill:
            queue[spills] = n
            spills += 1
    return last, spills


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _fill(ground: Any, surface: Any, level: Any, width: int, rise: float) -> None:
    """Raise `surface` in place, and `level`, unless it is empty, to where water stands.

    What can be climbed from settled cells is settled without a heap. Where that ends, cells beside which a
    lower one is still open wait in a heap: from the lowest of them water rises.
    """
    steps = np.array([-width, width, -1, 1, -width - 1, -width + 1, width - 1, width + 1])
    rises = np.array([rise] * 4 + [rise * _DIAGONAL] * 4)
    settled, queue = np.empty(ground.size, dtype=np.uint8), np.empty(ground.size, dtype=np.int32)
    keys, cells = np.empty(1 << 12), np.empty(1 << 12, dtype=np.int32)
    first, last, size = 0, _begin(ground, width, settled, queue), 0
    while True:
        last, spills = _climb(ground, surface, steps, rises, settled, queue, first, last)
        first = last
        for at in range(spills):
            n = queue[at]
            for step in steps:
                if not settled[n + step]:
                    keys, cells = _roomy(keys, cells, size + 1)
                    _push(keys, cells, size, surface[n], n)
                    size += 1
                    break
        if size == 0:
            return
        n, height = cells[0], keys[0]
        _drop_first(keys, cells, size)
        size -= 1
        # A cell may wait several times; the first time that it comes up it has its lowest level.
        if surface[n] < height:
            continue
        settled[n] = 1
        keys, cells = _roomy(keys, cells, size + 8)
        for k in range(8):
            m, height = n + steps[k], surface[n] + rises[k]
            if settled[m]:
                continue
            if ground[m] >= height:
                settled[m], surface[m], queue[last] = 1, ground[m], m
                last += 1
            elif surface[m] == ground[m] or height < surface[m]:
                surface[m] = height
                if level.size > 0:
                    level[m] = max(level[n], ground[m])
                _push(keys, cells, size, height, m)
                size += 1
