"""Distribution of a sample, smoothed by a kernel that is reflected at bounds, and how heavy its tails are."""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from permagrid.grid import Float

_EVEN, _RANKED = 1537, 1025
"""Nodes of the table that are evenly spaced, and those that lie where values do."""
_REACH = 8.3
"""Standard deviations beyond which a kernel holds less than the rounding of a number."""
_ADAPTED = (0.25, 4.0)
"""How much narrower and wider than the common one a value's own kernel may be."""
_TAIL, _FEWEST_TAIL, _FEWEST = 0.1, 20, 80
_JOIN = 5.0
"""Values beyond which a heavy tail is drawn by its fit."""
_OUT, _FAR = 400, 1e-13
_CHANCE = 1.6449


@dataclass(frozen=True)
class Tail:
    """What the outer tenth of a sample tells of its tail (generalised Pareto)."""

    shape: float
    """0 of an exponential tail, below 0 of one that ends, above 0 of a heavy one; NaN where there are too
    few values to tell."""
    heavy: bool
    """Whether the shape exceeds 0 by more than chance allows in one of twenty cases."""


@dataclass(frozen=True, eq=False)
class Smoothed:
    """A distribution in a table, linear between nodes."""

    nodes: Float
    heights: Float
    bandwidth: float
    lower_tail: Tail
    upper_tail: Tail


def smoothed(values: Float, shares: Float, lower: float, upper: float) -> Smoothed:
    """Return the smoothed distribution of sorted values, at least two of them different.

    Parameters
    ----------
    values
        Sorted, shape ``(n,)``.
    shares
        Weight of each, above 0, their sum 1.
    lower, upper
        Bounds at which kernels are reflected; infinite where there is none.

    Notes
    -----
    A Gaussian kernel of standard deviation 1.587 s m**(-1/3), which is best for the distribution function of
    a normal sample (Azzalini 1981, doi:10.1093/biomet/68.1.326): s is the standard deviation or the
    interquartile range / 1.349, whichever is less, and m the effective number of values (Kish). Each
    value's kernel is then made narrower or wider by the square root of the density there (Abramson 1982,
    doi:10.1214/aos/1176345986), by four times at most: a long tail is not left in lumps, nor the peak washed
    out, whatever the skew. No kernel is narrower than half the median gap between different values, so that
    rounding does not show.

    On a side without a bound, the excesses over the outer tenth (20 values at least, of 80 or more) are given
    a generalised Pareto distribution (Zhang and Stephens 2009, doi:10.1198/tech.2009.08017). Where its shape
    exceeds 0 by 1.645 standard errors (1 + shape) / sqrt(k), it replaces the kernels beyond the outermost
    five values; elsewhere the tail is that of the kernels.
    """
    effective = 1.0 / float(np.sum(shares**2))
    least = float(np.median(np.diff(np.unique(values)))) / 2.0
    common = min(max(_bandwidth(values, shares, effective), least), (upper - lower) / 2.0)
    nodes = _nodes(values, common, lower, upper)
    pilot = _heights(nodes, values, np.full(len(values), common), shares, (lower, upper))
    middles = (nodes[1:] + nodes[:-1]) / 2.0
    density = np.maximum(np.interp(values, middles, np.diff(pilot) / np.diff(nodes)), 1e-300)
    typical = float(np.sum(shares * np.log(density)))
    adapted = np.clip(np.exp((typical - np.log(density)) / 2.0), *_ADAPTED)
    widths = np.maximum(common * adapted, min(least, common))
    heights = _heights(nodes, values, widths, shares, (lower, upper))
    nodes, heights = rising(nodes, heights)
    upper_tail = lower_tail = Tail(math.nan, heavy=False)
    if math.isinf(upper):
        nodes, heights, upper_tail = _tailed(nodes, heights, values, shares, effective)
    if math.isinf(lower):
        turned = _tailed(-nodes[::-1], 1.0 - heights[::-1], -values[::-1], shares[::-1], effective)
        lower_tail = turned[2]
        if lower_tail.heavy:
            nodes, heights = rising(-turned[0][::-1], 1.0 - turned[1][::-1])
    return Smoothed(nodes, heights, common, lower_tail, upper_tail)


def _bandwidth(values: Float, shares: Float, effective: float) -> float:
    mean = float(np.sum(shares * values))
    deviation = math.sqrt(float(np.sum(shares * (values - mean) ** 2)))
    ranks = np.cumsum(shares) - shares / 2.0
    first, third = np.interp([0.25, 0.75], ranks, values)
    robust = float(third - first) / 1.349
    spread = min(deviation, robust) if robust > 0.0 else deviation
    return float(1.587 * spread * max(effective, 2.0) ** (-1.0 / 3.0))


def _nodes(values: Float, common: float, lower: float, upper: float) -> Float:
    """Return the nodes of the table: many where values are, and some beyond them."""
    beyond = _REACH * _ADAPTED[1] * common
    first, last = max(lower, values[0] - beyond), min(upper, values[-1] + beyond)
    ranked = np.quantile(values, np.linspace(0.0, 1.0, _RANKED))
    together = np.unique(np.concatenate([np.linspace(first, last, _EVEN), ranked]))
    least = common * _ADAPTED[0] / 20.0
    kept = [float(first)]
    for node in together.tolist():
        if node - kept[-1] >= least and last - node >= least:
            kept.append(node)
    return np.array([*kept, float(last)])


def _heights(nodes: Float, values: Float, widths: Float, shares: Float, bounds: tuple[float, float]) -> Float:
    """Return the distribution at nodes, with kernels reflected at finite bounds, from 0 to 1."""
    parts = [(values, widths, shares)]
    for bound in bounds:
        if math.isfinite(bound):
            near = np.abs(values - bound) < _REACH * widths
            parts.append((2.0 * bound - values[near], widths[near], shares[near]))
    found = _sums(nodes, *(np.concatenate(column) for column in zip(*parts, strict=True)))
    found = np.maximum.accumulate(found)
    return np.asarray((found - found[0]) / (found[-1] - found[0]))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sums(nodes: Float, centres: Float, widths: Float, shares: Float) -> Float:
    """Return the sum of the distributions of Gaussian kernels at sorted nodes."""
    total = np.zeros(len(nodes))
    passed = np.zeros(len(nodes) + 1)
    for i in range(len(centres)):
        first = np.searchsorted(nodes, centres[i] - _REACH * widths[i])
        last = np.searchsorted(nodes, centres[i] + _REACH * widths[i])
        scale = 1.0 / (widths[i] * math.sqrt(2.0))
        for j in range(first, last):
            total[j] += shares[i] * 0.5 * math.erfc((centres[i] - nodes[j]) * scale)
        passed[last] += shares[i]
    running = 0.0
    for j in range(len(nodes)):
        running += passed[j]
        total[j] += running
    return total


def rising(nodes: Float, heights: Float) -> tuple[Float, Float]:
    """Return a table without the nodes at which nothing is added, so that it can be inverted."""
    first = int(np.searchsorted(heights, heights[0], side="right")) - 1
    kept = np.concatenate([[first], np.flatnonzero(np.diff(np.maximum.accumulate(heights)) > 0.0) + 1])
    return nodes[kept], heights[kept]


def _tailed(
    nodes: Float, heights: Float, values: Float, shares: Float, effective: float
) -> tuple[Float, Float, Tail]:
    """Return the table with its upper tail looked at, and replaced where it is heavy."""
    if effective < _FEWEST:
        return nodes, heights, Tail(math.nan, heavy=False)
    outer = max(_TAIL, _FEWEST_TAIL / effective)
    from_top = np.cumsum(shares[::-1])[::-1]
    beyond = from_top <= outer
    if values[beyond].size < 2 or values[-1] == values[beyond][0]:
        return nodes, heights, Tail(math.nan, heavy=False)
    start = float(values[~beyond][-1])
    excess = values[beyond] - start
    shape, scale = _pareto(excess[excess > 0.0], shares[beyond][excess > 0.0])
    tail = Tail(shape, heavy=shape > _CHANCE * (1.0 + shape) / math.sqrt(outer * effective))
    if not tail.heavy:
        return nodes, heights, tail
    left = _JOIN / effective
    join = float(np.interp(1.0 - left, heights, nodes))
    # A Pareto tail seen from farther out is one of the same shape.
    scale += shape * max(join - start, 0.0)
    share = np.geomspace(1.0, _FAR / left, _OUT)
    inner = heights < 1.0 - left
    outside = join + scale / shape * (share**-shape - 1.0)
    joined = np.concatenate([heights[inner], 1.0 - left * share])
    joined[-1] = 1.0
    return *rising(np.concatenate([nodes[inner], outside]), joined), tail


def _pareto(excess: Float, shares: Float) -> tuple[float, float]:
    """Return shape and scale of the generalised Pareto distribution of excesses."""
    count = len(excess)
    weights = shares / shares.sum()
    tried = 30 + int(math.sqrt(count))
    quartile = float(np.interp(0.25, np.cumsum(weights) - weights / 2.0, excess))
    steps = np.arange(1, tried + 1) - 0.5
    slopes = 1.0 / excess[-1] + (1.0 - np.sqrt(tried / steps)) / (3.0 * quartile)
    slopes[slopes == 0.0] = 1e-12 / excess[-1]
    shapes = np.array([float(np.sum(weights * np.log1p(-slope * excess))) for slope in slopes])
    fits = count * (np.log(-slopes / shapes) - shapes - 1.0)
    likely = np.exp(fits - fits.max())
    slope = float(np.sum(slopes * likely) / np.sum(likely))
    shape = float(np.sum(weights * np.log1p(-slope * excess)))
    return shape, -shape / slope
