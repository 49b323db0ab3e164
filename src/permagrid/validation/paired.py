"""Which learner is better, and whether that is more than chance: differences on the same folds and draws."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from permagrid.errors import PermagridError, did_you_mean
from permagrid.validation.folds import Folds
from permagrid.validation.out_of_fold import Predicted
from permagrid.validation.scores import (
    CLASS_METRICS,
    UNDEFINED,
    VALUE_METRICS,
    interval,
    repeated_scores,
    with_draws,
)

Float = NDArray[np.float64]

MAIN_METRIC = {"value": "rmse", "class": "brier"}
"""Metric whose loss, the squared error or the Brier score of a row, learners are tested by."""

_Side = tuple[dict[str, float], dict[str, Float]]


def paired_differences(
    observed: Float,
    raw: Mapping[tuple[str, str], Predicted],
    schemes: Sequence[Folds],
    reference: str,
    *,
    classes: Float | None = None,
    metrics: Sequence[str] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how learners differ from a reference on the same folds, with intervals and tests.

    Parameters
    ----------
    observed
        Values or classes, shape ``(n,)``.
    raw
        Learner and scheme -> out-of-fold predictions, as `permagrid.validation.out_of_fold.predict_all`
        returns them.
    schemes
        The fold schemes.
    reference
        The learner that the others are compared with.
    classes
        Sorted classes, for a class problem.
    metrics
        Those that are told; all if left out.
    draws, seed
        Size and seed of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        One row per other learner, scheme and metric: ``learner``, ``reference``, ``folds``, ``metric``,
        ``score``, ``reference_score``, their ``difference`` (score minus reference), its 95 % interval
        ``difference_low`` to ``difference_high`` from the same draws of the scheme's groups on both sides;
        for the main metric (``rmse`` or ``brier``) ``p``, of the hypothesis that the learners' losses are
        alike, and ``p_holm``, the same adjusted for the number of learners under this scheme (Holm 1979);
        and ``note``, why something is missing.

    Raises
    ------
    PermagridError
        If the reference has no predictions under a scheme, or there is no such metric.

    Notes
    -----
    The test is the corrected resampled t test of Nadeau and Bengio (2003), doi:10.1023/A:1024068626366, over
    the mean losses of all folds of all rounds (Bouckaert and Frank 2004, doi:10.1007/978-3-540-24775-3_3).
    It allows for training sets that overlap, and counts folds of all sizes alike; where neighbouring folds
    err together it is too sure, and the interval, of groups drawn whole, is the better witness.

    Examples
    --------
    >>> halves = np.array([0, 1]), np.array([2, 3])
    >>> folds = Folds("site", "two halves", (halves, halves[::-1]), groups=np.arange(4))
    >>> raw = {("mean", "site"): Predicted(np.array([[1.0, 1.0, 0.0, 0.0]])),
    ...        ("ridge", "site"): Predicted(np.array([[0.1, 0.9, 1.2, 0.8]]))}
    >>> found = paired_differences(np.array([0.0, 1.0, 1.0, 1.0]), raw, [folds], "mean", metrics=["mae"])
    >>> found[["learner", "score", "reference_score", "difference"]].round(3).values.tolist()
    [['ridge', 0.15, 0.75, -0.6]]
    """
    task = "value" if classes is None else "class"
    allowed = VALUE_METRICS if classes is None else CLASS_METRICS
    for metric in metrics or ():
        if metric not in allowed:
            raise PermagridError(f"unknown metric {metric!r} of a {task}: {did_you_mean(metric, allowed)}")
    parts = []
    for scheme in schemes:
        if (reference, scheme.name) not in raw:
            raise PermagridError(f"reference {reference} has no predictions under {scheme.name} folds")
        others = [name for name, folds in raw if folds == scheme.name and name != reference]
        sides = {
            name: with_draws(
                partial(repeated_scores, observed, raw[name, scheme.name].values, classes),
                scheme.groups,
                draws=draws,
                seed=seed,
            )
            for name in [reference, *others]
        }
        losses = {
            name: fold_losses(observed, raw[name, scheme.name].values, scheme, classes) for name in sides
        }
        tests = {name: _test(losses[name] - losses[reference], scheme) for name in others}
        adjusted = dict(zip(others, holm([tests[name][0] for name in others]), strict=True))
        for name in others:
            labels = {"learner": name, "reference": reference, "folds": scheme.name}
            alike = np.array_equal(
                np.isfinite(raw[name, scheme.name].values), np.isfinite(raw[reference, scheme.name].values)
            )
            for metric in metrics or allowed:
                row = labels | {"metric": metric} | _difference(metric, sides[name], sides[reference], alike)
                if metric == MAIN_METRIC[task] and alike:
                    row |= {"p": tests[name][0], "p_holm": adjusted[name], "note": tests[name][1]}
                parts.append(row)
    return pd.DataFrame(parts, columns=_COLUMNS)


_COLUMNS = [
    *("learner", "reference", "folds", "metric", "score", "reference_score"),
    *("difference", "difference_low", "difference_high", "p", "p_holm", "note"),
]


def _difference(metric: str, side: _Side, other: _Side, alike: bool) -> dict[str, float | str]:
    score, reference = side[0][metric], other[0][metric]
    out: dict[str, float | str] = {"score": score, "reference_score": reference}
    out |= dict.fromkeys(_COLUMNS[6:-1], np.nan)
    if not alike:
        return out | {"note": "other rows were tested than those of the reference"}
    low, high = interval(side[1][metric] - other[1][metric])
    difference = score - reference
    return out | {
        "difference": difference,
        "difference_low": low,
        "difference_high": high,
        "note": UNDEFINED.get(metric, "") if np.isnan(difference) else "",
    }


def fold_losses(observed: Float, predicted: Float, scheme: Folds, classes: Float | None = None) -> Float:
    """Return the mean squared error, or for classes the mean Brier score, of each fold.

    Parameters
    ----------
    observed, predicted, classes
        As in `permagrid.validation.scores.repeated_scores`.
    scheme
        The folds.

    Returns
    -------
    array
        Shape ``(folds of all rounds,)``.
    """
    if classes is None:
        losses = (predicted - observed) ** 2
    else:
        truth = np.eye(len(classes))[np.searchsorted(classes, observed)]
        losses = ((predicted - truth) ** 2).sum(axis=2) / (2.0 if len(classes) == 2 else 1.0)
    return np.array(
        [losses[number, test].mean() for number, pairs in enumerate(scheme.rounds) for _, test in pairs]
    )


def _test(differences: Float, scheme: Folds) -> tuple[float, str]:
    """Return p of the corrected resampled t test, or why there is none."""
    if len(differences) < 2:
        return np.nan, "one fold does not tell how far folds differ"
    if not np.isfinite(differences).all():
        return np.nan, "a tested row has no prediction"
    share = float(np.mean([len(test) / len(train) for train, test in scheme]))
    return corrected_t(differences, share), ""


def corrected_t(differences: Float, share: float) -> float:
    """Return p of the corrected resampled t test that differences of folds have mean 0.

    Parameters
    ----------
    differences
        Of the losses of two learners, one per fold of every round, shape ``(folds,)``, two or more.
    share
        Test rows per training row of a fold.

    Notes
    -----
    Nadeau and Bengio (2003), doi:10.1023/A:1024068626366: t with the variance of the mean taken as
    ``(1 / folds + share)`` times that of the folds, and ``folds - 1`` degrees of freedom; two-sided. Learners
    that never differ have p = 1.

    Examples
    --------
    >>> round(corrected_t(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 0.25), 4)
    0.0474
    """
    mean, count = float(differences.mean()), len(differences)
    deviation = float(np.sqrt((1.0 / count + share) * differences.var(ddof=1)))
    if deviation == 0.0:
        return float(mean == 0.0)
    return float(2.0 * student.sf(abs(mean) / deviation, count - 1))


def holm(p: Sequence[float]) -> Float:
    """Return p values adjusted for their number, so that any below a level is so with that error in all.

    Parameters
    ----------
    p
        P values; those that are not known (NaN) stay so, and do not count.

    Notes
    -----
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics
    6, 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, np.nan, 0.03]).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    found = np.array(p, dtype=float)
    known = np.flatnonzero(np.isfinite(found))
    order = known[np.argsort(found[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    found[order] = np.minimum(np.maximum.accumulate(found[order] * factors), 1.0)
    return found
