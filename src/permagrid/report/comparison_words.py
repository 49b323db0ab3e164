"""What paired differences between learners say: better, worse, or not to be told apart."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import t as student

from permagrid.report.metrics import LOWER_IS_BETTER, main_metric

LEVEL = 0.05
"""Adjusted p below which two learners differ by more than chance."""
VERDICTS = {
    "better": "better than the learner of the maps",
    "worse": "worse",
    "leans_better": "better by the interval, not by the test",
    "leans_worse": "worse by the interval, not by the test",
    "alike": "not to be told apart from it",
    "untold": "not compared",
}
"""Verdict -> what it says."""


def better_sign(metric: str) -> float:
    """Return the sign of a difference that is an improvement.

    Examples
    --------
    >>> better_sign("rmse"), better_sign("kappa")
    (-1.0, 1.0)
    """
    return -1.0 if metric in LOWER_IS_BETTER else 1.0


def metric_of_tests(pairs: Sequence[Mapping[str, Any]]) -> str:
    """Return the metric by which learners were tested, or the main one where no p was told.

    Examples
    --------
    >>> metric_of_tests([{"metric": "kappa", "p": None}, {"metric": "brier", "p": 0.2}])
    'brier'
    """
    tested = [str(item["metric"]) for item in pairs if item.get("p") is not None]
    return tested[0] if tested else main_metric({str(item["metric"]): 1.0 for item in pairs})


def verdict(item: Mapping[str, Any]) -> str:
    """Return whether a learner is better or worse than the reference by more than chance.

    It is where the interval of the difference does not hold zero and, if the difference was tested, the
    adjusted p is below `LEVEL`: the one knows which sites lie together, the other how training sets overlap.
    Where the interval says so and the test does not, it leans that way.

    Parameters
    ----------
    item
        An entry ``paired`` of a summary.

    Returns
    -------
    str
        ``better``, ``worse``, ``leans_better``, ``leans_worse``, ``alike``, or ``untold`` where there is no
        interval.

    Examples
    --------
    >>> item = {"metric": "rmse", "difference_interval": [-0.3, -0.1], "p_holm": 0.01}
    >>> verdict(item), verdict(item | {"p_holm": 0.2}), verdict(item | {"metric": "kappa"})
    ('better', 'leans_better', 'worse')
    """
    low, high = item["difference_interval"]
    if low is None or high is None:
        return "untold"
    if low <= 0.0 <= high:
        return "alike"
    found = "better" if better_sign(str(item["metric"])) * low > 0.0 else "worse"
    adjusted = item.get("p_holm")
    return f"leans_{found}" if adjusted is not None and adjusted >= LEVEL else found


def spreads_needed(n_folds: int, repeats: int, learners: int) -> float:
    """Return how many standard deviations of the folds a mean difference must have to be more than chance.

    The test is `permagrid.validation.paired.corrected_t`, with folds of one size, and p is adjusted for the
    number of learners as the first of them is (Holm 1979).

    Parameters
    ----------
    n_folds, repeats
        Folds of one round, and rounds; two folds or more.
    learners
        Learners that are compared with the reference.

    Examples
    --------
    >>> [round(spreads_needed(folds, 1, 19), 1) for folds in (5, 10, 67)]
    [4.5, 1.9, 0.5]
    """
    count = n_folds * repeats
    quantile = float(student.isf(LEVEL / max(learners, 1) / 2.0, count - 1))
    return quantile * math.sqrt(1.0 / count + 1.0 / (n_folds - 1))


def p_text(p: float | None) -> str:
    """Return a p value in two digits, not smaller than people read it.

    Examples
    --------
    >>> p_text(0.0312), p_text(0.00002).split(), p_text(1.0), p_text(None)
    ('0.031', ['<', '0.001'], '1.0', '–')
    """
    if p is None:
        return "–"
    return "<\N{NO-BREAK SPACE}0.001" if p < 0.001 else f"{p:.2g}" if p < 0.995 else "1.0"
