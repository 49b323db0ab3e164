"""Covariates as ranks among the thresholds of a forest: comparing ranks is the forest's own decision."""

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.compiled.nodes import ENDS, Float, Forest, Index, Int32

_Word: TypeAlias = np.uint64
_STEPS = 4096
"""Steps between the extremes of some numbers by which their ranks are looked up."""
_ZERO = float(np.float32(1e-35))
"""Up to which size LightGBM takes numbers for 0."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def complete(rows: NDArray[np.floating], order: Index, out: Index) -> int:
    """Set the places of complete rows, in the order given, and return how many there are."""
    count = 0
    for at in order:
        whole = True
        for column in range(rows.shape[1]):
            whole &= not np.isnan(rows[at, column])
        out[count] = at
        count += whole
    return count


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def rank_rows(rows: NDArray[np.floating], places: Index, forest: Forest, single: bool, out: Int32) -> None:
    """Set the number of thresholds below each number of some rows.

    Parameters
    ----------
    rows
        Shape ``(n, columns)``.
    places
        Which rows.
    forest
        Whose thresholds.
    single
        Whether numbers are compared in single precision, as scikit-learn does; LightGBM compares them in
        double precision, the smallest of them as 0.
    out
        Shape ``(columns, places)`` or longer.
    """
    count, steps = len(places), np.empty(_STEPS + 1, dtype=np.int32)
    numbers = np.empty(count)
    for column in range(rows.shape[1]):
        for at in range(count):
            number = np.float64(rows[places[at], column])
            if single:
                number = np.float64(np.float32(number))
            elif abs(number) <= _ZERO:
                number = np.float64(0.0)
            numbers[at] = number
        own = forest.thresholds[forest.first[column] : forest.first[column + 1]]
        _rank(numbers, own, steps, out[column])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _rank(numbers: Float, thresholds: Float, steps: Int32, out: Int32) -> None:
    low = high = numbers[0]
    for number in numbers:
        low, high = min(low, number), max(high, number)
    last = np.uint64(len(thresholds) - ENDS)
    least, most = _below(thresholds, low, np.uint64(0), last), _below(thresholds, high, np.uint64(0), last)
    if least == most:
        out[: len(numbers)] = least
        return
    scale = _STEPS / (high - low)
    if not 0.0 < scale < np.inf:
        for at in range(len(numbers)):
            out[at] = _below(thresholds, numbers[at], least, most)
        return
    # A step is found by the same rounded arithmetic for numbers and thresholds, which never falls as its
    # argument rises; so thresholds in other steps need not be looked at.
    steps[:] = 0
    for at in range(np.int64(least), np.int64(most)):
        steps[min(int((thresholds[at] - low) * scale), _STEPS - 1) + 1] += 1
    steps[0] = least
    for at in range(_STEPS):
        steps[at + 1] += steps[at]
    for at in range(len(numbers)):
        number = numbers[at]
        place = min(np.uint64((number - low) * scale), np.uint64(_STEPS - 1))
        rank, end = np.uint64(steps[place]), np.uint64(steps[place + np.uint64(1)])
        if end - rank > ENDS:
            out[at] = _below(thresholds, number, rank, end)
            continue
        # Those of later steps are not below the number, so that nobody needs to ask how many there are.
        found = rank
        for more in range(ENDS):
            found += np.uint64(thresholds[rank + np.uint64(more)] < number)
        out[at] = found


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _below(thresholds: Float, number: float, least: _Word, most: _Word) -> _Word:
    """Return the number of thresholds below a number if it is in a range."""
    while least < most:
        middle = (least + most) >> np.uint64(1)
        if thresholds[middle] < number:
            least = middle + np.uint64(1)
        else:
            most = middle
    return least
