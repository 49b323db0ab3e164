"""Conformal intervals: as wide as out-of-fold predictions erred, so that they hold as much as they say."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.validation.distributions import LEVELS, central_intervals

Float = NDArray[np.float64]
Index = NDArray[np.int_]

Method = Literal["split", "cqr", "mondrian", "weighted"]
METHODS: tuple[Method, ...] = ("split", "cqr", "mondrian", "weighted")
"""What `calibrated_out_of_fold` can do."""

_ROUNDING = 1e-9
_ROWS_AT_A_TIME = 512


def absolute_scores(predicted: Float, observed: Float) -> Float:
    """Return how far observations lie from predictions, shape ``(n,)``."""
    return np.abs(np.asarray(observed, dtype=float) - predicted)


def interval_scores(lower: Float, upper: Float, observed: Float) -> Float:
    """Return how far observations lie outside intervals, below 0 where inside (Romano et al. 2019).

    Parameters
    ----------
    lower, upper, observed
        Shape ``(n,)``.

    Notes
    -----
    Conformalized quantile regression, arXiv:1905.03222.

    Examples
    --------
    >>> interval_scores(np.array([0.0, 0.0]), np.array([4.0, 4.0]), np.array([1.0, 6.0])).tolist()
    [-1.0, 2.0]
    """
    return np.asarray(np.maximum(lower - observed, observed - upper))


def margin(scores: Float, level: float) -> float:
    """Return by how much intervals are to be widened on both sides, so that a new one holds with `level`.

    Parameters
    ----------
    scores
        Of rows as likely as the new one, shape ``(n,)``: `absolute_scores`, or `interval_scores`, whose
        margin may be below 0; NaN is left out.
    level
        Share that is to be held, above 0 and below 1.

    Returns
    -------
    float
        The score of rank ceil((n + 1) level); infinite where there are too few scores for that.

    Raises
    ------
    PermagridError
        If the level is not above 0 and below 1.

    Notes
    -----
    Split conformal prediction: Papadopoulos et al. (2002), doi:10.1007/3-540-36755-1_29. A new row,
    exchangeable with the n others, is inside with a probability from `level` to `level` + 1 / (n + 1).

    Examples
    --------
    >>> margin(np.arange(1.0, 20.0), 0.9), margin(np.arange(1.0, 9.0), 0.9)
    (18.0, inf)
    """
    _is_share(level)
    known = np.sort(scores[~np.isnan(scores)])
    rank = int(np.ceil((len(known) + 1) * level - _ROUNDING))
    return float(known[rank - 1]) if rank <= len(known) else np.inf


def binned_margins(scores: Float, bins: Any, level: float) -> dict[Any, float]:
    """Return a margin for each bin, from its own rows (Mondrian: Vovk et al. 2003), so that each bin holds.

    Parameters
    ----------
    scores, level
        As in `margin`.
    bins
        Label of each row, shape ``(n,)``, such as a bin of the dissimilarity index.

    Examples
    --------
    >>> binned_margins(np.array([1.0, 2.0, 3.0, 9.0]), np.array(["in", "in", "in", "out"]), 0.6)
    {'in': 3.0, 'out': inf}
    """
    labels = np.asarray(bins, dtype=object)
    every = pd.Series(labels).dropna().unique()
    return {label: margin(scores[labels == label], level) for label in every}


def margins_at(margins: Mapping[Any, float], bins: Any) -> Float:
    """Return the margins of rows by their bins; infinite for a bin of which nothing is known.

    Examples
    --------
    >>> margins_at({"in": 3.0}, ["in", "out"]).tolist()
    [3.0, inf]
    """
    return np.array([margins.get(label, np.inf) for label in np.asarray(bins, dtype=object)], dtype=float)


def weighted_margins(scores: Float, weights: Float, new_weights: Float, level: float) -> Float:
    """Return margins for rows that are not as likely as those with scores (Tibshirani et al. 2019).

    Parameters
    ----------
    scores, level
        As in `margin`, without NaN.
    weights
        How much likelier each row is where intervals are wanted than where scores are known, up to a factor:
        shape ``(n,)``, or ``(m, n)`` where each new row weighs the others by itself, such as by distance.
    new_weights
        The same of the new rows, shape ``(m,)``.

    Returns
    -------
    array
        Shape ``(m,)``. Where the share of a new row in all weights is above 1 - `level`, too little like it
        has a score, and the margin is infinite.

    Raises
    ------
    PermagridError
        If weights are negative or not finite, or shapes do not fit.

    Notes
    -----
    Conformal prediction under covariate shift, arXiv:1904.06019.

    Examples
    --------
    >>> scores, even = np.arange(1.0, 20.0), np.ones(19)
    >>> weighted_margins(scores, even, np.array([1.0, 0.0, 9.0]), 0.9).tolist()
    [18.0, 18.0, inf]
    """
    _is_share(level)
    weights, new_weights = np.asarray(weights, dtype=float), np.asarray(new_weights, dtype=float)
    if weights.shape not in {(len(scores),), (len(new_weights), len(scores))}:
        raise PermagridError(
            f"weights have shape {weights.shape}; needed is ({len(scores)},) or ({len(new_weights)}, "
            f"{len(scores)})"
        )
    for each in (weights, new_weights):
        if not (np.isfinite(each) & (each >= 0.0)).all():
            raise PermagridError("weights of conformal intervals are finite and not below 0")
    order = np.argsort(scores, kind="stable")
    ordered = np.append(np.asarray(scores, dtype=float)[order], np.inf)
    sums = np.cumsum(weights[..., order], axis=-1)
    needed = level * (sums[..., -1] + new_weights) * (1.0 - _ROUNDING)
    # Without any weight, nothing is known.
    needed = np.where(needed > 0.0, needed, np.inf)
    if weights.ndim == 1:
        return np.asarray(ordered[np.searchsorted(sums, needed)])
    return np.asarray(ordered[(sums < needed[:, np.newaxis]).sum(axis=1)])


def cv_plus(scores: Float, fold: Index, lower: Float, upper: Float, level: float) -> tuple[Float, Float]:
    """Return the intervals of CV+ (Barber et al. 2021), from the fits of every fold.

    Parameters
    ----------
    scores
        `absolute_scores` or `interval_scores` of rows by the fit that did not see their fold, shape ``(n,)``.
    fold
        Which fold each of them lies in, from 0, shape ``(n,)``.
    lower, upper
        What the fit without each fold says of new rows, shape ``(m, folds)``: the same prediction twice, or
        the ends of its intervals.
    level
        Share that is to be held. Of any learner, at least 2 ``level`` - 1 is, and about ``level`` as a rule.

    Returns
    -------
    tuple of array
        Lower and upper ends, shape ``(m,)``; infinite where there are too few rows.

    Raises
    ------
    PermagridError
        If the level is not above 0 and below 1, or there is no fit for a fold.

    Notes
    -----
    Predictive inference with the jackknife+, doi:10.1214/20-AOS1965.

    Examples
    --------
    >>> said = np.array([[10.0, 12.0]])
    >>> low, high = cv_plus(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 0, 1, 1]), said, said, 0.6)
    >>> low.tolist(), high.tolist()
    ([8.0], [15.0])
    """
    _is_share(level)
    if fold.min() < 0 or fold.max() >= lower.shape[1]:
        raise PermagridError(f"fold {fold.max()} has no fit; there are fits without {lower.shape[1]} folds")
    count = len(scores)
    # Of the lower ends, as many are left out below as are left out above of the upper ends.
    rank = int(np.ceil((count + 1) * level - _ROUNDING))
    ends = np.full(len(lower), -np.inf), np.full(len(lower), np.inf)
    if rank > count:
        return ends
    for start in range(0, len(lower), _ROWS_AT_A_TIME):
        part = slice(start, start + _ROWS_AT_A_TIME)
        ends[0][part] = np.partition(lower[part][:, fold] - scores, count - rank, axis=1)[:, count - rank]
        ends[1][part] = np.partition(upper[part][:, fold] + scores, rank - 1, axis=1)[:, rank - 1]
    return ends


def calibrated_out_of_fold(
    observed: Float,
    said: Float,
    fold: Index,
    method: Method,
    level: float,
    *,
    bins: Any = None,
    weights: Float | None = None,
) -> tuple[Float, Float]:
    """Return intervals of every row, calibrated with the rows of all other folds alone.

    Parameters
    ----------
    observed
        Shape ``(n,)``.
    said
        Out-of-fold predictions, shape ``(n,)``; or lower and upper ends of out-of-fold intervals, shape
        ``(n, 2)``; or out-of-fold quantiles at `LEVELS`, shape ``(n, levels)``.
    fold
        Which fold tested each row, shape ``(n,)``; below 0 for none, and such rows have no part in it.
    method
        ``split``: as far from the prediction (the median of quantiles) as others erred. ``cqr``: the stated
        interval, wider or narrower by one margin. ``mondrian``: the same, with a margin for each of `bins`.
        ``weighted``: the same, by `weights`. Of predictions alone, the last two widen these.
    level
        Share that is to be held.
    bins
        Label of each row, for ``mondrian``.
    weights
        How much likelier each row is where intervals are wanted than among the rows, for ``weighted``.

    Returns
    -------
    tuple of array
        Lower and upper ends, shape ``(n,)``; NaN for rows that are not tested, infinite where too few others
        are there to tell.

    Raises
    ------
    PermagridError
        If there is no such method, or what it needs is missing.

    Examples
    --------
    >>> observed, fold = np.array([1.0, -2.0, 3.0, -4.0]), np.array([0, 0, 1, 1])
    >>> lower, upper = calibrated_out_of_fold(observed, np.zeros(4), fold, "split", 0.6)
    >>> upper.tolist()
    [4.0, 4.0, 2.0, 2.0]
    """
    _is_known(method, said, bins, weights)
    lower, upper = _stated(said, level, method)
    scores = interval_scores(lower, upper, observed)
    ends = np.full(len(observed), np.nan), np.full(len(observed), np.nan)
    for number in np.unique(fold[fold >= 0]):
        here = np.flatnonzero(fold == number)
        others = np.flatnonzero((fold >= 0) & (fold != number) & ~np.isnan(scores))
        if method == "mondrian":
            labels = np.asarray(bins, dtype=object)
            wider = margins_at(binned_margins(scores[others], labels[others], level), labels[here])
        elif method == "weighted" and weights is not None:
            wider = weighted_margins(scores[others], weights[others], weights[here], level)
        else:
            wider = np.full(len(here), margin(scores[others], level))
        with np.errstate(invalid="ignore"):
            ends[0][here], ends[1][here] = widened(lower[here], upper[here], wider)
    return ends


def widened(lower: Float, upper: Float, wider: float | Float) -> tuple[Float, Float]:
    """Return ends moved outwards by margins; one below 0 moves them inwards, to their middle at most.

    Examples
    --------
    >>> [end.tolist() for end in widened(np.array([0.0, 0.0]), np.array([4.0, 4.0]), np.array([1.0, -3.0]))]
    [[-1.0, 2.0], [5.0, 2.0]]
    """
    low, high = lower - wider, upper + wider
    crossed = low > high
    middle = (lower + upper) / 2.0
    return np.where(crossed, middle, low), np.where(crossed, middle, high)


def _stated(said: Float, level: float, method: Method) -> tuple[Float, Float]:
    said = np.asarray(said, dtype=float)
    if said.ndim == 1:
        return said, said
    if said.shape[1] == 2 and method != "split":
        return said[:, 0], said[:, 1]
    if said.shape[1] == len(LEVELS):
        if method == "split":
            median = np.sort(said, axis=1)[:, len(LEVELS) // 2]
            return median, median
        return central_intervals(said, [level])[float(level)]
    raise PermagridError(
        f"conformal method {method}: what was said has shape {said.shape}; needed are predictions (n,), ends "
        f"(n, 2) of intervals unless the method is split, or quantiles (n, {len(LEVELS)})"
    )


def _is_known(method: str, said: Float, bins: Any, weights: Float | None) -> None:
    if method not in METHODS:
        raise PermagridError(f"unknown conformal method {method!r}; allowed: {', '.join(METHODS)}")
    if method == "cqr" and np.ndim(said) == 1:
        raise PermagridError("conformal method cqr needs intervals or quantiles, found predictions alone")
    if method == "mondrian" and bins is None:
        raise PermagridError("conformal method mondrian needs the bin of each row")
    if method == "weighted" and weights is None:
        raise PermagridError("conformal method weighted needs the weight of each row")


def _is_share(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise PermagridError(f"the level of an interval is above 0 and below 1, found {level:g}")
