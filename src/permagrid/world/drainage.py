"""Rivers: every land cell drains downhill to the sea or the grid edge, through valleys it has cut."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from permagrid.world.noise import Array

Index = npt.NDArray[np.int64]

STEP = 0.01
"""Least fall from a cell to the next one downstream [m]; survives storage as float32."""

_PASSES = 8
_FILLED = 0.3  # share of the depth of a closed basin that is filled; the rest is breached
_ERODIBILITY = 0.02  # [1/pass] for the smallest catchment, one cell


class Drainage(NamedTuple):
    """A terrain with rivers."""

    elevation: Array
    """Height above the sea [m]; 0 in the sea."""
    receiver: Index
    """Flat index of the cell each cell drains into; itself where water leaves the grid; -1 in the sea."""
    area: Array
    """Cells that drain through each cell, itself included; 0 in the sea."""


def drain(elevation: Array, land: npt.NDArray[np.bool_]) -> Drainage:
    """Cut valleys into a terrain until no cell on land is without a way down.

    Alternates priority-flood routing (Barnes et al. 2014, doi:10.1016/j.cageo.2013.04.024) with an
    implicit step of the stream-power law with exponents 1/2 and 1 (Braun & Willett 2013,
    doi:10.1016/j.geomorph.2012.10.008). Takes O(n log n) time.

    Parameters
    ----------
    elevation
        Height above the sea [m].
    land
        True on land; the sea, and land at the grid edge, take up water.

    Returns
    -------
    Drainage
        Elevation, receivers and catchment areas.

    Examples
    --------
    >>> bowl = np.array([[9.0, 9.0, 9.0], [9.0, 1.0, 9.0], [9.0, 8.0, 9.0]])
    >>> drained = drain(bowl, np.ones((3, 3), dtype=bool))
    >>> int(drained.receiver[1, 1]), bool(drained.elevation[1, 1] > drained.elevation[2, 1])
    (7, True)
    """
    height = np.where(land, elevation, 0.0).ravel()
    receiver = np.full(height.size, -1)
    order = np.empty(height.size, dtype=np.int64)
    area = np.zeros(height.size)
    for _ in range(_PASSES):
        count = _flood(height, land.ravel(), land.shape[1], receiver, order)
        _catchments(order[:count], receiver, area)
        _erode(height, order[:count], receiver, area, _ERODIBILITY)
    return Drainage(height.reshape(land.shape), receiver.reshape(land.shape), area.reshape(land.shape))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _push(keys: Array, cells: Index, size: int, key: float, cell: int) -> None:
    """Add a cell to a binary heap of `size` entries."""
    at = size
    while at > 0 and keys[(at - 1) // 2] > key:
        keys[at], cells[at] = keys[(at - 1) // 2], cells[(at - 1) // 2]
        at = (at - 1) // 2
    keys[at], cells[at] = key, cell


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _pop(keys: Array, cells: Index, size: int) -> Any:
    """Take the lowest cell from a binary heap of `size` entries."""
    lowest, key, cell = cells[0], keys[size - 1], cells[size - 1]
    at, last = 0, size - 1
    while 2 * at + 1 < last:
        child = 2 * at + 1
        if child + 1 < last and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[at], cells[at] = keys[child], cells[child]
        at = child
    keys[at], cells[at] = key, cell
    return lowest


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _is_mouth(land: Any, n: int, width: int) -> bool:
    """Tell whether water leaves the land at a cell: at the grid edge, or into the sea beside it."""
    row, column = n // width, n % width
    if row == 0 or column == 0 or row == land.size // width - 1 or column == width - 1:
        return True
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            if not land[n + dy * width + dx]:
                return True
    return False


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _flood(height: Array, land: Any, width: int, receiver: Index, order: Index) -> int:
    """Fill `receiver`, and `order` from the mouths upstream; return the number of land cells.

    Where water would have stood, `height` is raised a little and the way out is cut for the rest.
    """
    rows = height.size // width
    keys, cells, level = np.empty(height.size), np.empty(height.size, dtype=np.int64), height.copy()
    size = 0
    for n in range(height.size):
        receiver[n] = -1
        if not land[n]:
            continue
        if _is_mouth(land, n, width):
            receiver[n] = n
            _push(keys, cells, size, height[n], n)
            size += 1
    count = 0
    while size > 0:
        n = _pop(keys, cells, size)
        size -= 1
        order[count] = n
        count += 1
        row, column = n // width, n % width
        for y in range(max(row - 1, 0), min(row + 2, rows)):
            for x in range(max(column - 1, 0), min(column + 2, width)):
                m = y * width + x
                if land[m] and receiver[m] < 0:
                    receiver[m] = n
                    level[m] = max(height[m], level[n] + STEP)
                    _push(keys, cells, size, level[m], m)
                    size += 1
    for at in range(count - 1, -1, -1):
        n = order[at]
        if receiver[n] != n:
            height[receiver[n]] = min(height[receiver[n]], height[n] - STEP)
    for at in range(count):
        n = order[at]
        height[n] = _FILLED * level[n] + (1.0 - _FILLED) * height[n]
    return count


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _catchments(order: Index, receiver: Index, area: Array) -> None:
    area[:] = 0.0
    for at in range(order.size - 1, -1, -1):
        n = order[at]
        area[n] += 1.0
        if receiver[n] != n:
            area[receiver[n]] += area[n]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _erode(height: Array, order: Index, receiver: Index, area: Array, erodibility: float) -> None:
    for at in range(order.size):
        n = order[at]
        base = height[receiver[n]]
        if receiver[n] != n:
            cut = erodibility * np.sqrt(area[n])
            height[n] = max((height[n] + cut * base) / (1.0 + cut), base + STEP)
