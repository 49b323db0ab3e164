"""Trends of short series: Mann-Kendall for series that hang together, and Sen's slope."""

from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from permagrid.errors import PermagridError
from permagrid.grid import Float

FEWEST = 8
"""Values that a series must have."""

_SIGNIFICANT = 1.96


@dataclass(frozen=True)
class Trend:
    """Trends of series; NaN of a series that lacks a value."""

    slope: Float
    """Sen's slope, per unit of time, shape ``(n,)``."""
    tau: Float
    """Kendall's tau of values with time, -1 to 1."""
    p: Float
    """Two-sided p of no trend."""
    correction: Float
    """By how much the variance was raised because values hang together; 1 where they do not."""


def mann_kendall(series: NDArray[np.floating[Any]], times: Float) -> Trend:
    """Return the trend of each series.

    Parameters
    ----------
    series
        Values in the order of time, shape ``(times, n)`` or ``(times,)``.
    times
        When they were, rising, shape ``(times,)``.

    Raises
    ------
    PermagridError
        If there are fewer than 8 values, or times do not rise.

    Notes
    -----
    Mann-Kendall with ties and continuity, its variance multiplied by what the significant autocorrelations of
    the ranks of the series less its Sen trend tell (Hamed and Rao 1998, doi:10.1016/S0022-1694(97)00125-X);
    a factor below 1, of values that swing, is not used. Slope by Sen (1968),
    doi:10.1080/01621459.1968.10480934.

    Examples
    --------
    >>> found = mann_kendall(np.array([1.0, 2.1, 2.9, 4.2, 5.0, 6.1, 6.9, 8.2]), np.arange(8.0))
    >>> found.slope.round(2).tolist(), found.tau.tolist(), bool(found.p[0] < 0.01)
    ([1.01], [1.0], True)
    """
    values, when = np.asarray(series, dtype=float), np.asarray(times, dtype=float)
    values = values[:, np.newaxis] if values.ndim == 1 else values
    count = len(values)
    if count < FEWEST:
        least = min(2.0 / factorial(count), 1.0)
        raise PermagridError(
            f"trend: {count} values are too few for a test of trend, whose two-sided p could not be below "
            f"{least:.2g} however they rise; {FEWEST} are needed"
        )
    if when.shape != (count,) or not (np.diff(when) > 0.0).all():
        raise PermagridError(f"trend: {count} times that rise are needed")
    lost = np.isnan(values).any(axis=0)
    values = np.where(lost, 0.0, values)
    first, second = np.triu_indices(count, 1)
    change = values[second] - values[first]
    slope = np.median(change / (when[second] - when[first])[:, np.newaxis], axis=0)
    score = np.sign(change).sum(axis=0)
    plain, correction = _variances(values), _corrections(values, slope, when)
    spread = np.sqrt(plain * correction)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(spread > 0.0, (score - np.sign(score)) / spread, 0.0)
    p = np.minimum(2.0 * norm.sf(np.abs(z)), 1.0)
    tau = score / (count * (count - 1) / 2.0)
    return Trend(*(np.where(lost, np.nan, each) for each in (slope, tau, p, correction)))


def _variances(values: Float) -> Float:
    """Return the variance of the score of independent values, with ties."""
    count = len(values)
    equal = (values[:, np.newaxis, :] == values[np.newaxis, :, :]).sum(axis=1)
    # Each of t tied values brings (t - 1)(2 t + 5), so that a group brings t times that.
    ties = ((equal - 1.0) * (2.0 * equal + 5.0)).sum(axis=0)
    return np.asarray((count * (count - 1.0) * (2.0 * count + 5.0) - ties) / 18.0)


def _corrections(values: Float, slope: Float, when: Float) -> Float:
    """Return by how much values that hang together raise the variance."""
    count = len(values)
    ranks = rankdata(values - slope * when[:, np.newaxis], axis=0)
    centred = ranks - ranks.mean(axis=0)
    own = (centred**2).sum(axis=0)
    total = np.zeros(values.shape[1])
    for lag in range(1, count):
        shared = (centred[:-lag] * centred[lag:]).sum(axis=0)
        alike = np.where(own > 0.0, shared / np.where(own > 0.0, own, 1.0), 0.0)
        told = np.abs(alike) > _SIGNIFICANT / np.sqrt(count)
        total += np.where(told, (count - lag) * (count - lag - 1.0) * (count - lag - 2.0) * alike, 0.0)
    return np.asarray(np.maximum(1.0 + 2.0 * total / (count * (count - 1.0) * (count - 2.0)), 1.0))
