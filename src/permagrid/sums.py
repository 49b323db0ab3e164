"""Sums of rows of a table in single precision, the same bits whatever else is summed."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Index = NDArray[np.int_]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_rows(out: Float32, weights: Float32, places: Index, count: int, table: Float32) -> None:
    """Add weighted rows of a table to `out`, one after the other.

    Each number is the sum in the order of `places`, whatever is computed beside it: eight rows are added in
    one pass over the members, which only saves reading and writing `out`.

    Parameters
    ----------
    out
        Shape ``(members,)``.
    weights, places
        Weights of rows of the table and their numbers, of which the first `count` are taken.
    count
        How many rows are added.
    table
        Shape ``(rows, members)``.
    """
    members = out.shape[0]
    at = 0
    while at + 8 <= count:
        a, b, c, d = weights[at], weights[at + 1], weights[at + 2], weights[at + 3]
        e, f, g, h = weights[at + 4], weights[at + 5], weights[at + 6], weights[at + 7]
        ra, rb, rc, rd = (
            table[places[at]],
            table[places[at + 1]],
            table[places[at + 2]],
            table[places[at + 3]],
        )
        re, rf, rg, rh = (
            table[places[at + 4]],
            table[places[at + 5]],
            table[places[at + 6]],
            table[places[at + 7]],
        )
        for member in range(members):
            half = out[member] + a * ra[member] + b * rb[member] + c * rc[member] + d * rd[member]
            out[member] = half + e * re[member] + f * rf[member] + g * rg[member] + h * rh[member]
        at += 8
    while at < count:
        weight, row = weights[at], table[places[at]]
        for member in range(members):
            out[member] += weight * row[member]
        at += 1
