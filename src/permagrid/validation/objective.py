"""What trials are compared by: one score of predictions on inner folds, and its standard error."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from permagrid.errors import PermagridError, did_you_mean
from permagrid.validation.folds import Folds
from permagrid.validation.scores import CLASS_METRICS, VALUE_METRICS, class_scores, value_scores

Float = NDArray[np.float64]
Task = Literal["value", "class"]

LOSSES = ("rmse", "mae", "brier", "log_loss")
"""Metrics of which less is better; of all others more is."""
VALUE_OBJECTIVES = tuple(metric for metric in VALUE_METRICS if metric != "bias")
"""Metrics by which learners of values can be chosen."""
CLASS_OBJECTIVES = tuple(dict.fromkeys([*CLASS_METRICS, "log_loss"]))
"""Metrics by which learners of classes can be chosen."""


class Score(NamedTuple):
    """The score of one trial."""

    score: float
    """As the metric has it; NaN where it cannot be told."""
    standard_error: float
    """Of the score, from the folds; NaN with a single fold."""
    loss: float
    """The score turned so that less is better; infinite where it cannot be told."""


@dataclass(frozen=True)
class Objective:
    """A metric, and how the folds enter it.

    Raises
    ------
    PermagridError
        If there is no such metric.

    Examples
    --------
    >>> Objective("accuracy").task, Objective("rmse").task
    ('class', 'value')
    """

    metric: str
    """One of `VALUE_OBJECTIVES` or `CLASS_OBJECTIVES`."""
    pooled: bool = True
    """Whether the predictions of all folds of a round are scored together (Meyer and Pebesma 2021), or each
    fold by itself and the mean taken, as ``GridSearchCV`` of scikit-learn does."""

    def __post_init__(self) -> None:
        allowed = [*VALUE_OBJECTIVES, *CLASS_OBJECTIVES]
        if self.metric not in allowed:
            raise PermagridError(f"unknown metric {self.metric!r}: {did_you_mean(self.metric, allowed)}")

    @property
    def task(self) -> Task:
        """What the metric is of."""
        return "value" if self.metric in VALUE_OBJECTIVES else "class"

    def score(self, observed: Float, predicted: Float, folds: Folds, classes: Float | None = None) -> Score:
        """Return the score of out-of-fold predictions.

        The standard error of a pooled score is that of the jackknife over folds, that of a mean over folds
        the usual one; with several rounds it is the mean of theirs, as the rounds share their rows.

        Parameters
        ----------
        observed
            Values, or classes, shape ``(n,)``.
        predicted
            Values, shape ``(rounds, n)``, or probabilities, shape ``(rounds, n, classes)``.
        folds
            The folds; rows that a round does not test have no part in it.
        classes
            Sorted classes, for a class problem.
        """
        rounds = [
            self._round(observed, each, pairs, classes)
            for each, pairs in zip(predicted, folds.rounds, strict=True)
        ]
        score, error = (float(np.mean([each[part] for each in rounds])) for part in (0, 1))
        if not np.isfinite(score):
            return Score(np.nan, np.nan, np.inf)
        return Score(score, error, score if self.metric in LOSSES else -score)

    def _round(
        self,
        observed: Float,
        predicted: Float,
        pairs: tuple[tuple[NDArray[np.int_], NDArray[np.int_]], ...],
        classes: Float | None,
    ) -> tuple[float, float]:
        rows = np.concatenate([test for _, test in pairs])
        fold = np.repeat(np.arange(len(pairs)), [len(test) for _, test in pairs])
        if not np.isfinite(predicted[rows]).all():
            return np.nan, np.nan
        member = (fold == np.arange(len(pairs))[:, np.newaxis]).astype(float)
        # All rows at once, and all but those of each fold; or the rows of each fold.
        weights = np.concatenate([np.ones((1, len(rows))), 1.0 - member]) if self.pooled else member
        if self.pooled and len(pairs) == 1:
            weights = weights[:1]
        found = self._scores(observed[rows], predicted[rows], classes, weights)
        if self.pooled:
            return float(found[0]), _jackknife(found[1:])
        known = found[np.isfinite(found)]
        if not known.size:
            return np.nan, np.nan
        spread = float(known.std(ddof=1) / np.sqrt(known.size)) if known.size > 1 else np.nan
        return float(known.mean()), spread

    def _scores(self, observed: Float, predicted: Float, classes: Float | None, weights: Float) -> Float:
        if classes is None:
            return value_scores(observed, predicted, weights)[self.metric]
        truth = np.searchsorted(classes, observed)
        if self.metric == "log_loss":
            return log_loss(truth, predicted, weights)
        return class_scores(truth, predicted.argmax(axis=1), predicted, weights)[self.metric]


def log_loss(observed: NDArray[np.int_], probability: Float, weights: Float) -> Float:
    """Return the mean of -ln of the probability of the class that was observed, shape ``(draws,)``.

    Parameters
    ----------
    observed
        Class numbers 0 to K - 1, shape ``(n,)``.
    probability
        Shape ``(n, K)``; 0 counts as the smallest step of a number, so that one row does not decide all.
    weights
        Shape ``(draws, n)``.

    Examples
    --------
    >>> log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]]), np.ones((1, 2))).round(3)
    array([0.693])
    """
    least = np.finfo(float).eps
    given = np.clip(probability[np.arange(len(observed)), observed], least, 1.0 - least)
    return np.asarray(weights @ -np.log(given) / weights.sum(axis=1))


def _jackknife(left_out: Float) -> float:
    """Return the standard error from the scores without each fold (Efron and Tibshirani 1993, chapter 11)."""
    known = left_out[np.isfinite(left_out)]
    if known.size < 2:
        return np.nan
    return float(np.sqrt((known.size - 1) / known.size * np.square(known - known.mean()).sum()))
