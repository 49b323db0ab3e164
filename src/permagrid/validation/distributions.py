"""How good predictive distributions are, row by row: CRPS, probability integral transform, intervals."""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.validation.levels import LEVELS

__all__ = ["LEVELS", "NOMINAL", "central_intervals", "crps", "pit"]

Float = NDArray[np.float64]

NOMINAL = (0.5, 0.8, 0.9, 0.95)
"""Shares of the observations that intervals are usually meant to hold."""


def crps(quantiles: Float, observed: Float, levels: Float = LEVELS) -> Float:
    """Return the continuous ranked probability score of each row, in the unit of the target.

    Parameters
    ----------
    quantiles
        Shape ``(n, levels)``; where they fall from one level to the next they are put in order.
    observed
        Shape ``(n,)``.
    levels
        Rising, each above 0 and below 1.

    Returns
    -------
    array
        Shape ``(n,)``; NaN where a quantile or the observation is missing.

    Raises
    ------
    PermagridError
        If shapes or levels do not fit.

    Notes
    -----
    Twice the integral of the pinball loss over all levels (Laio and Tamea 2007,
    doi:10.5194/hess-11-1267-2007), exact for the distribution that is linear between the quantiles and has
    all that lies beyond the outermost on lines drawn on through the two outermost of each side, so that a
    point mass there stays one. The score of a single value, repeated at all levels, is its absolute error.
    With `LEVELS` that of normal distributions agrees with the closed form to 2e-4 standard deviations.

    Examples
    --------
    >>> crps(np.array([[2.0, 2.0, 2.0]]), np.array([5.0]), np.array([0.25, 0.5, 0.75]))
    array([3.])
    """
    ready, levels = _ready(quantiles, observed, levels)
    return np.asarray(_crps(_with_ends(ready, levels), np.asarray(observed, dtype=float), _to_ends(levels)))


def pit(quantiles: Float, observed: Float, seed: int = 0, levels: Float = LEVELS) -> Float:
    """Return the level at which each observation lies in its distribution, uniform where that is right.

    Parameters
    ----------
    quantiles, observed, levels
        As in `crps`.
    seed
        Of the levels drawn where the quantiles do not tell: of an observation at which several of them are
        tied, such as no ice at all, between the lowest and the highest of their levels; of one beyond the
        outermost, between its level and 0 or 1. The draw of a row is the same for any quantiles.

    Returns
    -------
    array
        Shape ``(n,)``; NaN where a quantile or the observation is missing.

    Raises
    ------
    PermagridError
        If shapes or levels do not fit.

    Notes
    -----
    Randomised at point masses (Smith 1985, doi:10.1002/for.3980040305).

    Examples
    --------
    >>> quantiles, levels = np.array([[0.0, 0.0, 1.0, 3.0]]), np.array([0.2, 0.4, 0.6, 0.8])
    >>> pit(quantiles, np.array([2.0]), levels=levels).round(3).tolist()
    [0.7]
    >>> bool(0.0 < pit(quantiles, np.array([0.0]), levels=levels).item() < 0.4)
    True
    """
    ready, levels = _ready(quantiles, observed, levels)
    drawn = np.random.default_rng(seed).uniform(size=len(ready))
    return np.asarray(_pit(ready, np.asarray(observed, dtype=float), _to_ends(levels), drawn))


def central_intervals(
    quantiles: Float, nominal: Sequence[float] = NOMINAL, levels: Float = LEVELS
) -> dict[float, tuple[Float, Float]]:
    """Return nominal coverage -> lower and upper ends, between levels that leave as much out on both sides.

    Parameters
    ----------
    quantiles, levels
        As in `crps`.
    nominal
        Shares that the intervals are meant to hold.

    Raises
    ------
    PermagridError
        If a level that is needed is not among `levels`.

    Examples
    --------
    >>> ends = central_intervals(200.0 * LEVELS[np.newaxis], [0.9])[0.9]
    >>> [end.round(9).tolist() for end in ends]
    [[10.0], [190.0]]
    """
    ready = np.sort(np.asarray(quantiles, dtype=float), axis=1)
    found = {}
    for share in nominal:
        places = []
        for level in ((1.0 - share) / 2.0, (1.0 + share) / 2.0):
            place = int(np.abs(levels - level).argmin())
            if abs(levels[place] - level) > 1e-9:
                raise PermagridError(f"an interval of {share:g} needs quantiles at {level:g}; there are none")
            places.append(place)
        found[float(share)] = ready[:, places[0]], ready[:, places[1]]
    return found


def _ready(quantiles: Float, observed: Float, levels: Float) -> tuple[Float, Float]:
    quantiles, levels = np.asarray(quantiles, dtype=float), np.asarray(levels, dtype=float)
    if quantiles.ndim != 2 or quantiles.shape != (len(np.atleast_1d(observed)), len(levels)):
        raise PermagridError(
            f"quantiles have shape {quantiles.shape}; needed are {len(np.atleast_1d(observed))} rows of "
            f"{len(levels)} levels"
        )
    if len(levels) < 2 or not (np.diff(levels) > 0).all() or levels[0] <= 0.0 or levels[-1] >= 1.0:
        raise PermagridError("levels of quantiles are two or more, rise, and lie above 0 and below 1")
    # Rearrangement never makes a distribution worse: Chernozhukov et al. (2010), doi:10.3982/ECTA7880.
    return np.sort(quantiles, axis=1), levels


def _to_ends(levels: Float) -> Float:
    return np.concatenate([[0.0], levels, [1.0]])


def _with_ends(quantiles: Float, levels: Float) -> Float:
    """Return quantiles with those of levels 0 and 1, on lines through the two outermost of each side."""
    first = (quantiles[:, 1] - quantiles[:, 0]) * (levels[0] / (levels[1] - levels[0]))
    last = (quantiles[:, -1] - quantiles[:, -2]) * ((1.0 - levels[-1]) / (levels[-1] - levels[-2]))
    return np.concatenate(
        [(quantiles[:, 0] - first)[:, np.newaxis], quantiles, (quantiles[:, -1] + last)[:, np.newaxis]],
        axis=1,
    )


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _crps(quantiles: Float, observed: Float, levels: Float) -> Float:
    """Integrate the squared difference of the distribution and the step at the observation."""
    out = np.empty(len(observed))
    last = len(levels) - 1
    for row in range(len(observed)):
        value = observed[row]
        # Beyond the ends the distribution is 0 or 1, and the step differs from it by 1.
        total = max(quantiles[row, 0] - value, 0.0) + max(value - quantiles[row, last], 0.0)
        for place in range(last):
            left, right = quantiles[row, place], quantiles[row, place + 1]
            low, high = levels[place], levels[place + 1]
            if right <= value:
                total += (right - left) * (low * low + low * high + high * high) / 3.0
            elif left >= value:
                low, high = 1.0 - high, 1.0 - low
                total += (right - left) * (low * low + low * high + high * high) / 3.0
            else:
                middle = low + (high - low) * (value - left) / (right - left)
                total += (value - left) * (low * low + low * middle + middle * middle) / 3.0
                low, high = 1.0 - high, 1.0 - middle
                total += (right - value) * (low * low + low * high + high * high) / 3.0
        out[row] = total if np.isfinite(value) and np.isfinite(quantiles[row, last]) else np.nan
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _pit(quantiles: Float, observed: Float, levels: Float, drawn: Float) -> Float:
    """Walk up the quantiles of each row; `levels` have 0 before and 1 after those of the quantiles."""
    out = np.empty(len(observed))
    many = quantiles.shape[1]
    for row in range(len(observed)):
        value = observed[row]
        below = 0
        while below < many and quantiles[row, below] < value:
            below += 1
        upto = below
        while upto < many and quantiles[row, upto] == value:
            upto += 1
        if not np.isfinite(value) or not np.isfinite(quantiles[row, many - 1]):
            out[row] = np.nan
        elif upto - below == 1 and below > 0 and upto < many:
            out[row] = levels[upto]
        elif upto > below:
            # Tied quantiles: from the level where the tie begins, or 0, to that where it ends, or 1.
            low = levels[below + 1] if below > 0 else 0.0
            high = levels[upto] if upto < many else 1.0
            out[row] = low + drawn[row] * (high - low)
        elif below in (0, many):
            out[row] = levels[below] + drawn[row] * (levels[below + 1] - levels[below])
        else:
            left, right = quantiles[row, below - 1], quantiles[row, below]
            out[row] = levels[below] + (levels[below + 1] - levels[below]) * (value - left) / (right - left)
    return out
