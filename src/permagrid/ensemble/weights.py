"""Weights of a mixture's members: those under which what was observed was most probable."""

import numpy as np
from scipy.optimize import nnls

from permagrid.errors import PermagridError
from permagrid.grid import Float

_EM_STEPS, _NEWTON_STEPS = 40, 200
_NOTHING = 1e-6
"""Weight below which a member has none, if the likelihood is as high without it."""


def em_weights(densities: Float, *, row_weights: Float | None = None, tolerance: float = 1e-8) -> Float:
    """Return the weights of the members of a mixture by expectation and maximisation.

    Parameters
    ----------
    densities
        Density, or probability, that each member gave to what was observed, shape ``(n, K)``. Only ratios
        within a row count. A row that is zero throughout says nothing about the weights.
    row_weights
        How often each row counts, shape ``(n,)``; once if left out.
    tolerance
        Greatest distance of the log likelihood of all rows from its highest value.

    Returns
    -------
    array
        Shape ``(K,)``: none negative, sum 1. Members that are alike share evenly.

    Raises
    ------
    PermagridError
        If there are no rows or members, or a number is negative or not finite.

    Notes
    -----
    Dempster, Laird and Rubin (1977), steps lengthened as by Varadhan and Roland (2008),
    doi:10.1111/j.1467-9469.2007.00585.x; where that is slow, the last steps are Newton's within the bounds
    (Kim et al. 2020, doi:10.1080/10618600.2019.1689985). The log likelihood is concave in the weights and
    has one highest value; that of weights w lies below it by no more than n (max_k g_k - 1), g_k being the
    mean over rows of the density of member k by that of the mixture. This bound is what the steps stop at.

    Examples
    --------
    >>> em_weights(np.array([[1.0, 1.0], [2.0, 2.0]]))
    array([0.5, 0.5])
    >>> em_weights(np.array([[0.9, 0.1], [0.8, 0.2]]))
    array([1., 0.])
    """
    rows, counts = _ready(densities, row_weights)
    many = len(rows)
    weights = np.full(many, 1.0 / many)
    total = float(counts.sum())
    if many == 1 or total == 0.0:
        return weights
    shares = counts / total
    # Sums of many numbers are no more exact than this.
    allowed = max(tolerance / total, 1e-13)
    for _ in range(_EM_STEPS):
        gradient = _gradient(rows, shares, weights)
        if gradient.max() - 1.0 <= allowed:
            break
        first = weights * gradient
        second = first * _gradient(rows, shares, first)
        weights = _lengthened(rows, shares, weights, first, second)
    for _ in range(_NEWTON_STEPS):
        if _gradient(rows, shares, weights).max() - 1.0 <= allowed:
            break
        weights, moved = _newton(rows, shares, weights)
        if not moved:
            break
    kept = np.where(weights < _NOTHING, 0.0, weights)
    kept = kept / kept.sum()
    # Steps come ever nearer to a weight of zero without reaching it.
    sure = _gradient(rows, shares, kept).max() - 1.0 <= allowed
    return np.asarray(kept if sure else weights / weights.sum())


def log_likelihood(densities: Float, weights: Float, *, row_weights: Float | None = None) -> float:
    """Return the log likelihood of weights, summed over rows.

    Parameters
    ----------
    densities
        Density that each member gave to what was observed, shape ``(n, K)``.
    weights
        Shape ``(K,)``.
    row_weights
        How often each row counts, shape ``(n,)``; once if left out.

    Examples
    --------
    >>> round(log_likelihood(np.array([[1.0, 3.0]]), np.array([0.5, 0.5])), 4)
    0.6931
    """
    counts = np.ones(len(densities)) if row_weights is None else row_weights
    mixed = _mixed(list(np.asarray(densities, dtype=float).T), weights)
    with np.errstate(divide="ignore"):
        return float((counts * np.log(mixed)).sum())


def _ready(densities: Float, row_weights: Float | None) -> tuple[list[Float], Float]:
    values = np.asarray(densities, dtype=float)
    if values.ndim != 2 or 0 in values.shape:
        raise PermagridError(
            f"densities have the shape {values.shape}; weights need one row or more and one member or more"
        )
    if not np.all(np.isfinite(values)) or values.min() < 0.0:
        raise PermagridError("densities hold numbers that are negative or not finite; allowed is 0 or more")
    counts = np.ones(len(values)) if row_weights is None else np.asarray(row_weights, dtype=float)
    if counts.shape != (len(values),) or not np.all(np.isfinite(counts)) or counts.min() < 0.0:
        raise PermagridError(
            f"row weights must be {len(values)} finite numbers of 0 or more, as there are rows"
        )
    columns = list(values.T)
    largest = columns[0]
    for column in columns[1:]:
        largest = np.maximum(largest, column)
    telling = (largest > 0.0) & (counts > 0.0)
    return [np.ascontiguousarray(column[telling] / largest[telling]) for column in columns], counts[telling]


def _mixed(columns: list[Float], weights: Float) -> Float:
    total = np.zeros(len(columns[0]))
    for column, weight in zip(columns, weights, strict=True):
        total += weight * column
    return total


def _gradient(columns: list[Float], shares: Float, weights: Float) -> Float:
    by = shares / np.maximum(_mixed(columns, weights), 1e-300)
    return np.array([(by * column).sum() for column in columns])


def _lengthened(columns: list[Float], shares: Float, start: Float, first: Float, second: Float) -> Float:
    step, bend = first - start, second - 2.0 * first + start
    size = np.sqrt((bend * bend).sum())
    if size == 0.0:
        return second
    length = np.sqrt((step * step).sum()) / size
    reached = _score(columns, shares, second)
    while length > 1.0:
        far = start + 2.0 * length * step + length * length * bend
        # A weight of exactly zero could never rise again.
        if far.min() > 0.0:
            far = far / far.sum()
            far = far * _gradient(columns, shares, far)
            if _score(columns, shares, far) >= reached:
                return np.asarray(far / far.sum())
        length = 0.5 * (length + 1.0) if length > 1.1 else 0.0
    return np.asarray(second / second.sum())


def _newton(columns: list[Float], shares: Float, weights: Float) -> tuple[Float, bool]:
    """Return better weights by a quadratic model of the log likelihood, and whether there are any.

    With the sum of weights as a penalty of slope 1 the only constraint left is that none is negative, and the
    model is a least-squares problem.
    """
    by = 1.0 / np.maximum(_mixed(columns, weights), 1e-300)
    scaled = [column * by for column in columns]
    bend = np.array([[(shares * one * other).sum() for other in scaled] for one in scaled])
    slope = 2.0 * np.array([(shares * one).sum() for one in scaled]) - 1.0
    # Members alike make the bend singular: among weights as good the nearest are sought.
    firm = 1e-9 * bend.diagonal().max()
    root = np.linalg.cholesky(bend + firm * np.eye(len(bend))).T
    aim = nnls(root, np.linalg.solve(root.T, slope + firm * weights))[0]
    start, step = _penalised(columns, shares, weights), aim - weights
    length = 1.0
    while length > 1e-10:
        tried = np.maximum(weights + length * step, 0.0)
        if _penalised(columns, shares, tried) > start:
            return tried / tried.sum(), True
        length *= 0.5
    return weights, False


def _penalised(columns: list[Float], shares: Float, weights: Float) -> float:
    return _score(columns, shares, weights) - float(weights.sum())


def _score(columns: list[Float], shares: Float, weights: Float) -> float:
    return float((shares * np.log(np.maximum(_mixed(columns, weights), 1e-300))).sum())
