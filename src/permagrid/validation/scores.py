"""Scores of pooled out-of-fold predictions, with bootstrap intervals over whole sites or blocks."""

from collections.abc import Callable, Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float64]
Index = NDArray[np.int_]

_DRAWS_AT_A_TIME = 250

VALUE_METRICS = ("rmse", "mae", "bias", "r2")
CLASS_METRICS = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "kappa",
    "mcc",
    "roc_auc",
    "pr_auc",
    "brier",
)

UNDEFINED = {
    "r2": "the observed values are all the same",
    "precision": "no row is observed or predicted to be of the class",
    "recall": "no row is observed to be of the class",
    "f1": "no row is observed or predicted to be of the class",
    "kappa": "all rows are observed and predicted to be of one class",
    "roc_auc": "rows of a class, or rows that are not of it, are missing",
    "pr_auc": "rows of a class are missing",
}
"""Why a metric may be NaN of rows that were predicted; all others are always told."""


def value_scores(observed: Float, predicted: Float, weights: Float | None = None) -> dict[str, Float]:
    """Return RMSE, MAE, bias (predicted minus observed) and R2 = 1 - SSE/SST.

    Parameters
    ----------
    observed, predicted
        Shape ``(n,)``.
    weights
        Shape ``(draws, n)``: how often each row counts in each bootstrap draw. One draw with all
        rows counted once if left out.

    Returns
    -------
    dict
        Metric -> values, shape ``(draws,)``.

    Examples
    --------
    >>> scores = value_scores(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 3.0]))
    >>> round(scores["rmse"].item(), 3), scores["r2"].item()
    (0.577, 0.5)
    """
    if weights is None:
        weights = np.ones((1, len(observed)))
    error = predicted - observed
    n = weights.sum(axis=1)
    squares = weights @ error**2
    # Counted from the mean, or the difference of two large sums would lose its digits.
    centred = observed - observed.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        raw = weights @ centred**2
        total = raw - (weights @ centred) ** 2 / n
        return {
            "rmse": np.sqrt(squares / n),
            "mae": weights @ np.abs(error) / n,
            "bias": weights @ error / n,
            "r2": np.where(total > 1e-12 * raw, 1.0 - squares / total, np.nan),
        }


def class_scores(
    observed: Index, predicted: Index, probability: Float, weights: Float | None = None
) -> dict[str, Float]:
    """Return the scores of a classification.

    Parameters
    ----------
    observed, predicted
        Class numbers 0 to K - 1, shape ``(n,)``.
    probability
        Probability of each class, shape ``(n, K)``.
    weights
        As in `value_scores`.

    Returns
    -------
    dict
        Metric -> values, shape ``(draws,)``. Precision, recall and F1 are those of class 1 when there
        are two classes, and otherwise means over the classes that were observed or predicted; the areas
        under the curves are means over all classes, each against the rest. What a draw cannot tell, for
        want of a class, is NaN (`UNDEFINED`). Of rows of one class that are all predicted to be of it, the
        Matthews correlation is 0, as in scikit-learn.

    Examples
    --------
    >>> y, p = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9])
    >>> scores = class_scores(y, (p > 0.5).astype(int), np.stack([1 - p, p], axis=1))
    >>> scores["accuracy"].item(), scores["kappa"].item(), scores["roc_auc"].item()
    (0.5, 0.0, 0.75)
    """
    if weights is None:
        weights = np.ones((1, len(observed)))
    n_classes = probability.shape[1]
    confusion = _confusions(observed, predicted, n_classes, weights)
    scores = confusion_scores(confusion)
    positive = [1] if n_classes == 2 else list(range(n_classes))
    curves = [_areas(observed == k, probability[:, k], weights) for k in positive]
    scores["roc_auc"] = np.mean([roc for roc, _ in curves], axis=0)
    scores["pr_auc"] = np.mean([precision for _, precision in curves], axis=0)
    truth = np.eye(n_classes)[observed]
    squares = ((probability - truth) ** 2).sum(axis=1) / (2.0 if n_classes == 2 else 1.0)
    with np.errstate(invalid="ignore"):
        # A draw of groups of which no row is tested has no row at all.
        scores["brier"] = weights @ squares / weights.sum(axis=1)
    return scores


def repeated_scores(
    observed: Float, predicted: Float, classes: Float | None, weights: Float | None = None
) -> dict[str, Float]:
    """Return scores of out-of-fold predictions: pooled within a repeat, and averaged over repeats.

    Parameters
    ----------
    observed
        Values, or classes, shape ``(n,)``.
    predicted
        Values, shape ``(repeats, n)``, or probabilities, shape ``(repeats, n, classes)``; NaN where a row was
        not tested.
    classes
        Sorted classes, for a class problem.
    weights
        As in `value_scores`.

    Returns
    -------
    dict
        Metric -> values, shape ``(draws,)``.

    Examples
    --------
    >>> twice = np.array([[1.0, 2.0, 3.0], [0.0, np.nan, 2.0]])
    >>> repeated_scores(np.array([0.0, 1.0, 2.0]), twice, None)["mae"]
    array([0.5])
    """
    parts = []
    for each in predicted:
        tested = np.isfinite(each if classes is None else each[:, 0])
        counted = weights if weights is None or tested.all() else weights[:, tested]
        if classes is None:
            parts.append(value_scores(observed[tested], each[tested], counted))
        else:
            truth, guess = np.searchsorted(classes, observed[tested]), each[tested].argmax(axis=1)
            parts.append(class_scores(truth, guess, each[tested], counted))
    # A draw may lack a class in every repeat: it has no score, and no interval counts it.
    return {name: _mean_of_known(np.stack([part[name] for part in parts], axis=1)) for name in parts[0]}


def _mean_of_known(values: Float) -> Float:
    """Return means along the second axis, NaN left out; NaN where there is nothing else."""
    known = np.isfinite(values).sum(axis=1)
    return np.asarray(np.where(known > 0, np.nansum(values, axis=1) / np.maximum(known, 1), np.nan))


def _confusions(observed: Index, predicted: Index, n_classes: int, weights: Float) -> Float:
    cells = observed * n_classes + predicted
    counts = weights @ np.eye(n_classes**2)[cells]
    return np.asarray(counts.reshape(-1, n_classes, n_classes))


def confusion_scores(confusion: Float) -> dict[str, Float]:
    """Return the scores that follow from confusion matrices, rows observed and columns predicted.

    Parameters
    ----------
    confusion
        Shape ``(draws, K, K)``.

    Notes
    -----
    Kappa: Cohen (1960), doi:10.1177/001316446002000104; multiclass Matthews correlation: Gorodkin
    (2004), doi:10.1016/j.compbiolchem.2004.09.006.
    """
    total = confusion.sum(axis=(1, 2))
    hit = np.einsum("dkk->dk", confusion)
    rows, columns = confusion.sum(axis=2), confusion.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = hit / rows
        precision = np.where(columns > 0, hit / columns, np.where(rows > 0, 0.0, np.nan))
        f1 = 2 * hit / (rows + columns)
        agreement = hit.sum(axis=1) / total
        chance = (rows * columns).sum(axis=1) / total**2
        covariance = hit.sum(axis=1) * total - (rows * columns).sum(axis=1)
        spread = np.sqrt(total**2 - (columns**2).sum(axis=1)) * np.sqrt(total**2 - (rows**2).sum(axis=1))
        one = confusion.shape[1] == 2

        def shown(per_class: Float) -> Float:
            if one:
                return per_class[:, 1]
            # A class that was predicted but never observed counts as missed, as in scikit-learn.
            counted = np.where((columns > 0) & np.isnan(per_class), 0.0, per_class)
            return _mean_of_known(counted)

        return {
            "accuracy": agreement,
            "balanced_accuracy": _mean_of_known(recall),
            "precision": shown(precision),
            "recall": shown(recall),
            "f1": shown(f1),
            "kappa": np.where(chance < 1, (agreement - chance) / (1 - chance), np.nan),
            "mcc": np.where(spread > 0, covariance / np.where(spread > 0, spread, 1.0), 0.0),
        }


def _areas(positive: NDArray[np.bool_], score: Float, weights: Float) -> tuple[Float, Float]:
    """Return areas under the ROC curve and the precision-recall curve (average precision)."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    areas = np.zeros((2, len(weights)))
    _add_areas(order, last, positive, np.ascontiguousarray(weights.T, dtype=float), areas)
    return areas[0], areas[1]


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _add_areas(
    order: Index, last: NDArray[np.bool_], positive: NDArray[np.bool_], weights: Float, areas: Float
) -> None:
    """Walk down the scores, all draws abreast; rows of one score are one step, which ends at `last`."""
    draws = weights.shape[1]
    hits, misses = np.zeros(draws), np.zeros(draws)
    hits_before, misses_before = np.zeros(draws), np.zeros(draws)
    for place in range(len(order)):
        row = order[place]
        counted = hits if positive[row] else misses
        for draw in range(draws):
            counted[draw] += weights[row, draw]
        if last[place]:
            for draw in range(draws):
                step, every = hits[draw] - hits_before[draw], hits[draw] + misses[draw]
                areas[0, draw] += (misses[draw] - misses_before[draw]) * (hits[draw] + hits_before[draw])
                areas[1, draw] += step * hits[draw] / max(every, 1e-300)
                hits_before[draw], misses_before[draw] = hits[draw], misses[draw]
    for draw in range(draws):
        # Without rows of both kinds there is no ROC curve, and without hits no precision: 0 / 0.
        areas[0, draw] /= 2.0 * hits[draw] * misses[draw]
        areas[1, draw] /= hits[draw]


def bootstrap_weights(groups: Index, draws: int, seed: int) -> Float:
    """Return how often each row counts when whole groups are drawn with replacement.

    Parameters
    ----------
    groups
        Group of each row, shape ``(n,)``.
    draws
        Number of draws.
    seed
        Seed of the draws.

    Returns
    -------
    array
        Shape ``(draws, n)``.

    Examples
    --------
    >>> weights = bootstrap_weights(np.array([0, 0, 1]), 4, seed=0)
    >>> bool((weights[:, 0] == weights[:, 1]).all()), weights.shape
    (True, (4, 3))
    """
    return np.concatenate(list(_weights(groups, draws, seed)))


def _weights(groups: Index, draws: int, seed: int) -> Iterator[Float]:
    """Yield bootstrap weights, so many draws at a time that memory does not grow with their number."""
    codes, index = np.unique(groups, return_inverse=True)
    generator = np.random.default_rng(seed)
    for start in range(0, draws, _DRAWS_AT_A_TIME):
        size = min(_DRAWS_AT_A_TIME, draws - start)
        counts = generator.multinomial(len(codes), np.full(len(codes), 1 / len(codes)), size=size)
        yield counts[:, index].astype(float)


def with_intervals(
    score: Callable[[Float | None], dict[str, Float]],
    groups: Index,
    *,
    draws: int,
    seed: int,
    level: float = 0.95,
) -> dict[str, float]:
    """Return each metric with the ends of its percentile bootstrap interval.

    Parameters
    ----------
    score
        Takes bootstrap weights, or None for the plain score, and returns metrics.
    groups
        Units that are drawn whole: sites, or blocks where folds are blocks, since neighbours err together.
    draws, seed
        Size and seed of the bootstrap.
    level
        Coverage of the interval.

    Returns
    -------
    dict
        ``metric``, ``metric_low`` and ``metric_high`` for each metric.
    """
    plain, drawn = with_draws(score, groups, draws=draws, seed=seed)
    out: dict[str, float] = {}
    for name, value in plain.items():
        low, high = interval(drawn[name], level)
        out |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return out


def with_draws(
    score: Callable[[Float | None], dict[str, Float]], groups: Index, *, draws: int, seed: int
) -> tuple[dict[str, float], dict[str, Float]]:
    """Return each metric, and its values in bootstrap draws, shape ``(draws,)``.

    Parameters as `with_intervals`; with the same groups, number and seed any two scores have the same draws.
    """
    plain = {name: float(values[0]) for name, values in score(None).items()}
    parts = [score(weights) for weights in _weights(groups, draws, seed)]
    return plain, {name: np.concatenate([part[name] for part in parts]) for name in plain}


def interval(drawn: Float, level: float = 0.95) -> tuple[float, float]:
    """Return the ends of the percentile interval of what was drawn, NaN left out.

    Examples
    --------
    >>> interval(np.array([np.nan, *np.arange(101.0)]), level=0.5)
    (25.0, 75.0)
    """
    finite, tail = drawn[np.isfinite(drawn)], (1.0 - level) / 2.0
    low, high = np.quantile(finite, [tail, 1.0 - tail]) if finite.size else (np.nan, np.nan)
    return float(low), float(high)
