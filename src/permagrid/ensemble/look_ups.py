"""Loops over the look-up tables of a mixture: rows, quantiles, draws, means and probabilities."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.grid import Float

Float32 = NDArray[np.float32]
Whole = NDArray[np.int64]


@njit(inline="always")  # type: ignore[untyped-decorator]
def _found(k: int, here: float, places: Float32, frames: Float, rows: int) -> tuple[int, float]:
    """Return the row of a learner at a prediction, and the part of the next one that is mixed in."""
    last = places.shape[1] - 1
    if here <= frames[k, 2]:
        return rows - 1, 1.0
    if here >= frames[k, 3]:
        return rows, 1.0
    step = min(max((here - frames[k, 0]) * frames[k, 1], 0.0), np.float64(last))
    before = min(int(step), last - 1)
    low = np.float64(places[k, before])
    place = low + (step - before) * (np.float64(places[k, before + 1]) - low)
    row = min(int(place), rows - 2)
    return row, place - row


@njit(inline="always")  # type: ignore[untyped-decorator]
def _find_rows(
    predictions: Float,
    weights: Float,
    places: Float32,
    frames: Float,
    shape: tuple[int, int],
    at: Whole,
    parts: Float,
) -> int:
    """Set, for each learner with a weight, its row and the parts that this and the next one make up.

    Returns how many learners these are, or -1 where a prediction is missing. The shape is that of the table
    of a learner, whose rows are its last axis.
    """
    many = 0
    for k in range(len(weights)):
        if weights[k] == 0.0:
            continue
        here = np.float64(predictions[k])
        if np.isnan(here):
            return -1
        row, part = _found(k, here, places, frames, shape[1] - 2)
        at[many] = k * shape[0] * shape[1] + row
        parts[many, 0], parts[many, 1] = weights[k] * (1.0 - part), weights[k] * part
        many += 1
    return many


@njit(inline="always")  # type: ignore[untyped-decorator]
def _cdf_at(place: int, cdfs: Float32, many: int, at: Whole, parts: Float) -> float:
    """Return the distribution at a column, `place` being where it begins in the table of a learner."""
    # Products and sums of what rises, rounded, still rise.
    total = 0.0
    for j in range(many):
        here = at[j] + place
        total += parts[j, 0] * cdfs[here] + parts[j, 1] * cdfs[here + 1]
    return min(total, 1.0)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _between(
    level: float, left: int, y: Float, cdfs: Float32, many: int, width: int, at: Whole, parts: Float
) -> float:
    """Return a quantile that lies from one value to the next, or beyond the ends."""
    at_left = _cdf_at(left * width, cdfs, many, at, parts)
    at_right = _cdf_at((left + 1) * width, cdfs, many, at, parts)
    if level <= at_left:
        return float(y[left])
    if level > at_right:
        return float(y[left + 1])
    return float(y[left] + (level - at_left) / (at_right - at_left) * (y[left + 1] - y[left]))


@njit(inline="always")  # type: ignore[untyped-decorator]
def _locate(
    predictions: Float32,
    shares: Float,
    places: Float32,
    frames: Float,
    shape: tuple[int, int],
    at: Whole,
    parts: Float,
    many: Whole,
) -> None:
    """Set rows and parts of the learners with a weight: in each member, and then in the mixture.

    How many they are is -1 where a prediction of one of them is missing.
    """
    members, learners = predictions.shape
    for m in range(members):
        many[0, m], many[1, m] = 0, 0
        for k in range(learners):
            here = np.float64(predictions[m, k])
            row, part = (0, 1.0) if np.isnan(here) else _found(k, here, places, frames, shape[1] - 2)
            for use in range(len(many)):
                share = shares[m if use == 0 else members, k]
                if share == 0.0 or many[use, m] < 0:
                    continue
                if np.isnan(here):
                    many[use, m] = -1
                    continue
                j = many[use, m]
                at[use, m, j] = k * shape[0] * shape[1] + row
                parts[use, m, j, 0], parts[use, m, j, 1] = share * (1.0 - part), share * part
                many[use, m] = j + 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def draw_all(
    predictions: Float32,
    levels: NDArray[np.floating],
    shares: Float,
    tables: tuple[Float, Float32, Float32, Float],
    asked: tuple[int, float],
    out: Float32,
) -> None:
    """Set the draws, and where there is room the probabilities at a column and a part of the way to the next.

    All members of a cell halve their ranges at the same time: none waits for another, as the halvings of one
    do for each other.

    Parameters
    ----------
    predictions, levels
        Shapes ``(n, members, learners)`` and ``(n, members)``.
    shares
        Weights of the learners in each member, and in the mixture, shape ``(members + 1, learners)``.
    tables
        `y`, `cdfs`, `places` and `frames` of the tables.
    asked
        Column of the value whose probability is asked for, and part of the way to the next one.
    out
        Draws, and probabilities if asked for, shape ``(1 or 2, n, members)``.
    """
    y, cdfs, places, frames = tables
    n, members, learners = predictions.shape
    shape, flat, column = cdfs.shape[1:], cdfs.reshape(-1), asked[0]
    at, parts = np.zeros((2, members, learners), dtype=np.int64), np.zeros((2, members, learners, 2))
    many, left = np.zeros((2, members), dtype=np.int64), np.zeros(members, dtype=np.int64)
    for i in range(n):
        _locate(predictions[i], shares, places, frames, shape, at, parts, many)
        left[:] = 0
        width = shape[0] - 1
        while width > 1:
            # The ranges of all members are as wide; where their halves overlap, what is known is asked again.
            half = width // 2
            width -= half
            for m in range(members):
                # A choice, not a branch, which would be foreseen every other time.
                begin = left[m]
                middle, total = begin + half, 0.0
                for j in range(many[0, m]):
                    here = at[0, m, j] + middle * shape[1]
                    total += parts[0, m, j, 0] * flat[here] + parts[0, m, j, 1] * flat[here + 1]
                left[m] = middle if min(total, 1.0) < levels[i, m] else begin
        for m in range(members):
            level, count = np.float64(levels[i, m]), many[0, m]
            if count < 1 or np.isnan(level):
                out[0, i, m] = np.nan
            else:
                out[0, i, m] = _between(level, left[m], y, flat, count, shape[1], at[0, m], parts[0, m])
            if len(out) > 1:
                count = many[1, m]
                low = _cdf_at(column * shape[1], flat, count, at[1, m], parts[1, m])
                high = _cdf_at((column + 1) * shape[1], flat, count, at[1, m], parts[1, m])
                out[1, i, m] = np.nan if count < 1 else min(low + asked[1] * (high - low), high)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def mix_quantiles(
    predictions: Float,
    levels: Float,
    weights: Float,
    y: Float,
    cdfs: Float32,
    places: Float32,
    frames: Float,
) -> Float:
    """Return quantiles of rows, shape ``(n, levels)``."""
    n, learners = predictions.shape
    at, parts = np.zeros(learners, dtype=np.int64), np.zeros((learners, 2))
    out = np.empty((n, len(levels)))
    shape, flat = cdfs.shape[1:], cdfs.reshape(-1)
    for i in range(n):
        many = _find_rows(predictions[i], weights, places, frames, shape, at, parts)
        for j in range(len(levels)):
            if many < 1:
                out[i, j] = np.nan
                continue
            left, right = 0, len(y) - 1
            while right - left > 1:
                middle = (left + right) // 2
                if _cdf_at(middle * shape[1], flat, many, at, parts) < levels[j]:
                    left = middle
                else:
                    right = middle
            out[i, j] = _between(levels[j], left, y, flat, many, shape[1], at, parts)
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def mix_means(predictions: Float, weights: Float, means: Float, places: Float32, frames: Float) -> Float:
    """Return means of rows, shape ``(n,)``."""
    n, learners = predictions.shape
    at, parts = np.zeros(learners, dtype=np.int64), np.zeros((learners, 2))
    out = np.full(n, np.nan)
    flat = means.reshape(-1)
    for i in range(n):
        many = _find_rows(predictions[i], weights, places, frames, (1, means.shape[1]), at, parts)
        if many > 0:
            total = 0.0
            for j in range(many):
                total += parts[j, 0] * flat[at[j]] + parts[j, 1] * flat[at[j] + 1]
            out[i] = total
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def mix_cdf(
    predictions: Float,
    values: Float,
    weights: Float,
    y: Float,
    cdfs: Float32,
    places: Float32,
    frames: Float,
) -> Float:
    """Return the probability of each row's value or less, shape ``(n,)``."""
    n, learners = predictions.shape
    at, parts = np.zeros(learners, dtype=np.int64), np.zeros((learners, 2))
    out = np.full(n, np.nan)
    shape, flat, last = cdfs.shape[1:], cdfs.reshape(-1), len(y) - 1
    for i in range(n):
        many = _find_rows(predictions[i], weights, places, frames, shape, at, parts)
        if many < 1 or np.isnan(values[i]):
            continue
        if values[i] < y[0]:
            out[i] = 0.0
        elif values[i] > y[last]:
            out[i] = 1.0
        else:
            column = min(np.searchsorted(y, values[i], side="right") - 1, last - 1)
            low = _cdf_at(column * shape[1], flat, many, at, parts)
            high = _cdf_at((column + 1) * shape[1], flat, many, at, parts)
            part = (values[i] - y[column]) / (y[column + 1] - y[column])
            out[i] = min(low + part * (high - low), high)
    return out
