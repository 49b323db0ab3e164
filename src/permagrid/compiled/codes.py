"""Covariates as ranks among the thresholds of a forest: comparing ranks is the forest's own decision."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.compiled.nodes import Float, Forest, Index, Int32

_BUCKETS = 4
"""Steps of the table by which ranks are looked up, for each threshold."""


class Ranks(NamedTuple):
    """Where to look for the rank of a number: a table of even steps for each covariate."""

    thresholds: Float
    first: Index
    low: Float
    """Where the first step of each covariate begins."""
    scale: Float
    """Steps per unit."""
    steps: Index
    """Where the table of each covariate begins, and where the last one ends."""
    table: Int32
    """How many thresholds lie below each step, and below the step after the last."""
    single: bool
    """Whether rows are compared in single precision."""
    zero: float
    """Up to which size numbers are taken for 0."""


_ZERO = float(np.float32(1e-35))
"""Up to which size LightGBM takes numbers for 0."""


def ranks_of(forest: Forest, *, single: bool) -> Ranks:
    """Return how ranks among the thresholds of a forest are found.

    Parameters
    ----------
    forest
        The trees.
    single
        Whether rows are compared in single precision.
    """
    lows, scales, tables = [], [], []
    for start, end in zip(forest.first[:-1], forest.first[1:] - 1, strict=True):
        own = forest.thresholds[start:end]
        count = max(_BUCKETS * len(own), 1)
        low, high = (own[0], own[-1]) if len(own) else (0.0, 0.0)
        scale = count / (high - low) if np.finfo(float).tiny < high - low < np.inf else 0.0
        if not 0.0 < scale < np.inf:
            # One threshold, or thresholds too near or too far apart for a scale: one step for all.
            low, scale, count = 0.0, 1.0, 1
        step = np.clip((own - low) * scale, 0.0, count - 1.0).astype(np.int64)
        tables.append(np.append(0, np.cumsum(np.bincount(step, minlength=count))))
        lows.append(low)
        scales.append(scale)
    steps = np.concatenate([[0], np.cumsum([len(table) for table in tables])])
    return Ranks(
        forest.thresholds,
        forest.first,
        np.array(lows),
        np.array(scales),
        steps.astype(np.int64),
        np.concatenate(tables).astype(np.int32),
        single,
        -1.0 if single else _ZERO,
    )


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
def rank_rows(rows: NDArray[np.floating], places: Index, ranks: Ranks, out: Int32) -> None:
    """Set the number of thresholds below each number of some rows, shape ``(columns, places)``.

    A step of the table is found by the same rounded arithmetic for rows and thresholds, which never falls as
    its argument rises; so the thresholds of other steps need not be looked at.
    """
    for begin in range(0, len(places), 256):
        for column in range(rows.shape[1]):
            start, base = ranks.first[column], ranks.steps[column]
            low, scale = ranks.low[column], ranks.scale[column]
            last = ranks.steps[column + 1] - base - 2
            for at in range(begin, min(begin + 256, len(places))):
                value = np.float64(rows[places[at], column])
                if ranks.single:
                    value = np.float64(np.float32(value))
                elif abs(value) <= ranks.zero:
                    value = np.float64(0.0)
                step = np.int64(min(max((value - low) * scale, 0.0), np.float64(last)))
                less, more = ranks.table[base + step], ranks.table[base + step + 1]
                while more - less > 8:
                    middle = (less + more) // 2
                    if ranks.thresholds[start + middle] < value:
                        less = middle + 1
                    else:
                        more = middle
                while less < more and ranks.thresholds[start + less] < value:
                    less += 1
                out[column, at] = less
