"""The network of channels: the order of the stream that runs through each cell."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.covariates.terrain.flow import NOWHERE, donors_of, steps_of

_DONE = 255
_TWICE = 64  # marks that two donors have the highest order


def strahler_order(directions: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the order of the stream through each cell (Strahler 1957, doi:10.1029/TR038i006p00913).

    A cell without donors is of order 1; where two streams of one order meet, the order rises by one.

    Parameters
    ----------
    directions
        See `flow.steepest_descent`.

    Returns
    -------
    array
        Shape of `directions`; 1 at nodata too.

    Examples
    --------
    >>> south, west, east = 4, 6, 2
    >>> ways = np.full((4, 5), NOWHERE, dtype="uint8")
    >>> ways[1, 1:4] = east, south, west
    >>> strahler_order(ways)[1:3, 1:4]
    array([[1, 2, 1],
           [1, 2, 1]], dtype=uint8)
    """
    orders = np.ones(directions.shape, dtype=np.uint8)
    _order(directions.ravel(), directions.shape[1], orders.ravel())
    return orders


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _order(directions: Any, width: int, orders: Any) -> None:
    steps, waiting = steps_of(width), donors_of(directions, width)
    for n in range(orders.size):
        orders[n] = 0 if waiting[n] > 0 else 1
    for start in range(directions.size):
        n = start
        while waiting[n] == 0:
            waiting[n] = _DONE
            if orders[n] & _TWICE:
                orders[n] = (orders[n] & (_TWICE - 1)) + 1
            if directions[n] == NOWHERE:
                break
            m = n + steps[directions[n]]
            highest = orders[m] & (_TWICE - 1)
            if orders[n] > highest:
                orders[m] = orders[n]
            elif orders[n] == highest:
                orders[m] |= _TWICE
            waiting[m] -= 1
            n = m
