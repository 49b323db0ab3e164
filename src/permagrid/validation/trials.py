"""Trials: keywords and covariates of a learner, each scored on the same inner folds of training rows."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import config_context

from permagrid.errors import PermagridError
from permagrid.validation.candidate import Candidate, weights_of
from permagrid.validation.folds import Folds
from permagrid.validation.inner_folds import FoldsSpec
from permagrid.validation.objective import Objective, Score
from permagrid.validation.shared_work import can_be_cut, predicted_by_parts, together, told
from permagrid.validation.workers import Workers

Float = NDArray[np.float64]

NO_SCORE = Score(np.nan, np.nan, np.inf)


class Trial(NamedTuple):
    """One thing to try."""

    keywords: Mapping[str, Any]
    """Keywords of the learner, all of them."""
    covariates: tuple[str, ...]
    """Covariates that it sees, in order."""


@dataclass(frozen=True, eq=False)
class Judge:
    """How trials are scored: on which inner folds, by which metric, and with what shared between them."""

    folds: FoldsSpec
    """Inner folds, made of the rows that train and of no other."""
    objective: Objective
    """What is compared."""
    grown: str | None = None
    """Keyword of the learner of which a fit with a large value contains the fits with smaller ones."""
    one_standard_error: bool = False
    """Whether a simpler trial is taken where it is no more than one standard error worse than the best
    (Breiman et al. 1984), and a selection goes on only where it gains more than that."""
    in_trials: Mapping[str, Any] = field(default_factory=dict)
    """Keywords that hold while trials are scored and not in what is chosen, such as fewer trees of a forest:
    they blur the scores of all trials alike and save most of the time."""
    workers: Workers | None = None
    """Processes among which fits are divided; None where the caller divides its own work already."""


class Trials:
    """Scores trials of one candidate on inner folds of the rows that train.

    A trial that was scored is not fitted again, and trials that differ in nothing but `grown` share a fit.

    Parameters
    ----------
    candidate
        The learner.
    rows
        Rows that train, with ``value``.
    judge
        How trials are scored.
    """

    def __init__(self, candidate: Candidate, rows: pd.DataFrame, judge: Judge) -> None:
        self.candidate, self.judge = candidate, judge
        self.rows = rows.reset_index(drop=True)
        self.values = self.rows["value"].to_numpy(float)
        self.classes = np.unique(self.values) if judge.objective.task == "class" else None
        self.folds: Folds | None = None
        self.note = "nothing could be tried: all rows are of one class"
        if self.classes is None or len(self.classes) > 1:
            self.folds, self.note = judge.folds.made(self.rows)
        self._known: dict[str, tuple[Score, str]] = {}
        self._bench: Bench | None = None

    @property
    def inner(self) -> Folds:
        """The inner folds.

        Raises
        ------
        PermagridError
            If none could be made; `folds` is None then.
        """
        if self.folds is None:
            raise PermagridError(self.note)
        return self.folds

    @property
    def bench(self) -> "Bench":
        """What is needed to fit any trial in any inner fold."""
        if self._bench is None:
            self._bench = Bench.of(self)
        return self._bench

    def scored(self, trials: Sequence[Trial]) -> list[Score]:
        """Return the scores of trials, in their order.

        A trial that cannot be fitted in some fold, or predicts what is no number, has no score.

        Raises
        ------
        PermagridError
            If a keyword is out of its range.
        """
        keys = [_key(trial) for trial in trials]
        missing = {key: trial for key, trial in zip(keys, trials, strict=True) if key not in self._known}
        if missing:
            self._known |= dict(zip(missing, self._fresh(list(missing.values())), strict=True))
        return [self._known[key][0] for key in keys]

    def why(self, trial: Trial) -> str:
        """Return why a trial has no score; nothing where it has one."""
        return self._known.get(_key(trial), (NO_SCORE, ""))[1]

    def score(self, parts: Sequence[Float]) -> Score:
        """Return the score of predictions of the test rows of each inner fold."""
        shape = (len(self.values),) if self.classes is None else (len(self.values), len(self.classes))
        out = np.full((self.inner.repeats, *shape), np.nan)
        per_round = len(self.inner) // self.inner.repeats
        for number, ((_, test), part) in enumerate(zip(self.inner.pairs, parts, strict=True)):
            out[number // per_round, test] = part
        return self.judge.objective.score(self.values, out, self.inner, self.classes)

    def _fresh(self, trials: Sequence[Trial]) -> list[tuple[Score, str]]:
        by_covariates: dict[tuple[str, ...], list[int]] = {}
        for number, trial in enumerate(trials):
            by_covariates.setdefault(trial.covariates, []).append(number)
        groups = [
            [numbers[place] for place in places]
            for numbers in by_covariates.values()
            for places in together([trials[number].keywords for number in numbers], self.judge.grown)
        ]
        tasks = [
            (pair, trials[group[0]].covariates, [trials[number].keywords for number in group])
            for group in groups
            for pair in range(len(self.inner))
        ]
        found = self._run(tasks)
        out = [(NO_SCORE, "")] * len(trials)
        for group in groups:
            parts = [next(found) for _ in range(len(self.inner))]
            for place, number in enumerate(group):
                out[number] = self._judged(parts, place)
        return out

    def _run(self, tasks: list["Task"]) -> Iterator["list[Float] | str"]:
        if self.judge.workers is not None:
            return self.judge.workers.run(predicted, tasks, shared=self.bench)
        return (predicted(self.bench, task) for task in tasks)

    def _judged(self, parts: Sequence["list[Float] | str"], place: int) -> tuple[Score, str]:
        values = []
        for part in parts:
            if isinstance(part, str):
                return NO_SCORE, f"could not be fitted: {part}"
            values.append(part[place])
        score = self.score(values)
        return score, "" if np.isfinite(score.score) else "the score cannot be told from its predictions"


@dataclass(frozen=True, eq=False)
class Bench:
    """What is needed to fit any trial in any inner fold; it goes to a worker once, trials go by name."""

    candidate: Candidate
    """The learner."""
    rows: Float
    """Its covariates, shape ``(n, covariates)``."""
    values: Float
    """What is to be predicted, shape ``(n,)``."""
    classes: Float | None
    """Sorted classes, for a class problem."""
    pairs: tuple[tuple[NDArray[np.int_], NDArray[np.int_]], ...]
    """Row numbers of training and test set of each inner fold."""
    weights: tuple[Float | None, ...]
    """Weights of the training rows of each inner fold."""
    grown: str | None
    """Keyword by which trials share a fit."""
    in_trials: Mapping[str, Any]
    """Keywords that hold in all trials."""
    finite: bool
    """Whether there is no missing value, so that not every fit has to look for one."""

    @classmethod
    def of(cls, trials: Trials) -> "Bench":
        """Return what the fits of trials need."""
        candidate, pairs = trials.candidate, trials.inner.pairs
        rows, values = trials.rows[list(candidate.covariates)].to_numpy(float), trials.values
        weigh = candidate.weigh
        weights = [
            None if weigh is None else weights_of(weigh, trials.rows.iloc[train].reset_index(drop=True))
            for train, _ in pairs
        ]
        finite = bool(np.isfinite(rows).all() and np.isfinite(values).all())
        judge = trials.judge
        return cls(
            candidate,
            rows,
            values,
            trials.classes,
            pairs,
            tuple(weights),
            judge.grown,
            judge.in_trials,
            finite,
        )


Task = tuple[int, tuple[str, ...], list[Mapping[str, Any]]]
"""Inner fold, covariates, and the keywords of trials that share a fit."""


def predicted(bench: Bench, task: Task) -> list[Float] | str:
    """Return what each of some trials predicts for the test rows of an inner fold, or why there is no fit."""
    pair, covariates, several = task
    columns = np.array([bench.candidate.covariates.index(name) for name in covariates])
    tested = bench.rows[np.ix_(bench.pairs[pair][1], columns)]
    only = _only_class(bench, pair, len(tested))
    if only is not None:
        return [only] * len(several)
    try:
        with config_context(assume_finite=bench.finite):
            return _predictions(partial(_fitted, bench, pair, covariates, columns), several, bench, tested)
    except PermagridError:
        raise
    except (ValueError, ArithmeticError) as error:
        return str(error).strip().split("\n")[0]


def predict_with(bench: Bench, pair: int, rows: Float) -> Float:
    """Return predictions of any rows by the candidate as it is, fitted to the training rows of an inner fold.

    Parameters
    ----------
    bench
        What is needed for the fit.
    pair
        The inner fold.
    rows
        Covariates of the rows, shape ``(n, covariates)``.
    """
    only = _only_class(bench, pair, len(rows))
    if only is not None:
        return only
    covariates = bench.candidate.covariates
    fitted = partial(_fitted, bench, pair, covariates, np.arange(len(covariates)))
    return _predictions(fitted, [bench.candidate.keywords], bench, rows)[0]


def _only_class(bench: Bench, pair: int, n: int) -> Float | None:
    """Return the probabilities that follow where all rows that train are of one class."""
    values = bench.values[bench.pairs[pair][0]]
    if bench.classes is None or (values != values[0]).any():
        return None
    return np.repeat(np.asarray(bench.classes == values[0], dtype=float)[np.newaxis], n, axis=0)


def _fitted(
    bench: Bench,
    pair: int,
    covariates: tuple[str, ...],
    columns: NDArray[np.int_],
    keywords: Mapping[str, Any],
) -> Any:
    train, weights = bench.pairs[pair][0], bench.weights[pair]
    given = {} if weights is None else {"sample_weight": weights}
    estimator = bench.candidate.build({**keywords, **bench.in_trials}, covariates)
    return estimator.fit(bench.rows[np.ix_(train, columns)], bench.values[train], **given)


def _predictions(
    fitted: Callable[[Mapping[str, Any]], Any],
    several: Sequence[Mapping[str, Any]],
    bench: Bench,
    tested: Float,
) -> list[Float]:
    proba = bench.classes is not None
    grown = bench.grown
    if grown is not None and len(several) > 1:
        model = fitted(max(several, key=lambda keywords: int(keywords[grown])))
        if can_be_cut(model, proba=proba):
            sizes = [int(keywords[grown]) for keywords in several]
            parts = predicted_by_parts(model, tested, sizes, proba=proba)
            return [_aligned(model, part, bench.classes) for part in parts]
    out = []
    for keywords in several:
        model = fitted(keywords)
        raw = model.predict_proba(tested) if proba else model.predict(tested)
        out.append(_aligned(model, raw, bench.classes))
    return out


def _aligned(model: Any, raw: Any, classes: Float | None) -> Float:
    """Return values as numbers, or probabilities of all classes, 0 for those that were not learned."""
    if classes is None:
        return np.asarray(raw, dtype=float)
    out = np.zeros((len(raw), len(classes)))
    out[:, np.searchsorted(classes, model.classes_)] = raw
    return out


def _key(trial: Trial) -> str:
    return told([trial.covariates, told(trial.keywords)])


def shown(keywords: Mapping[str, Any]) -> str:
    """Return keywords as text for the trail.

    Examples
    --------
    >>> shown({"C": 0.5, "kernel": "rbf"})
    '{"C": 0.5, "kernel": "rbf"}'
    """
    return json.dumps(dict(keywords), default=str)
