"""The order of a block's cells in which any run of them lies close together."""

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

Index = NDArray[np.int64]


@lru_cache(maxsize=16)
def patch_order(shape: tuple[int, int]) -> Index:
    """Return the places of all cells of a block along Hilbert's curve (1891), numbered row by row.

    Along the curve any 64 cells that follow each other lie in a patch of some 8 x 8, any 4096 in one of some
    64 x 64, wherever the run begins and also where cells without data are left out of it.

    Parameters
    ----------
    shape
        Rows and columns of the block.

    Returns
    -------
    array
        Shape ``(rows * columns,)``; it cannot be written to.

    Examples
    --------
    >>> patch_order((2, 3)).tolist()
    [0, 3, 4, 1, 2, 5]
    """
    side = 1
    while side < max(shape):
        side *= 2
    found = np.empty(shape[0] * shape[1], dtype=np.int64)
    _walk(side, shape[0], shape[1], found)
    found.flags.writeable = False
    return found


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _walk(side: int, rows: int, columns: int, out: Index) -> None:
    count = 0
    for step in range(side * side):
        left, row, column, size = step, 0, 0, 1
        while size < side:
            down = 1 & (left // 2)
            across = 1 & (left ^ down)
            if across == 0:
                if down == 1:
                    row, column = size - 1 - row, size - 1 - column
                row, column = column, row
            row, column = row + size * down, column + size * across
            left //= 4
            size *= 2
        if row < rows and column < columns:
            out[count] = row * columns + column
            count += 1
