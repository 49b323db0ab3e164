"""Trials: keywords and covariates of a learner, each scored on the same inner folds of training rows."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
from permagrid.validation.shared_work import (
    beside,
    can_be_cut,
    has_members,
    predicted_by_members,
    predicted_by_parts,
    together,
    told,
)
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
    shared: tuple[str, ...] = ()
    """Keywords of the learner whose values are tried one after the other by one worker, as fits to the same
    rows that differ in nothing else share what costs most; for learners without `grown`."""


class Trials:
    """Scores trials of one candidate on inner folds of the rows that train.

    A trial that was scored is not fitted again, trials that differ in nothing but `grown` share a fit, and
    learners that are means of others share the fits of those.

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
    def untried(self) -> str:
        """Why nothing can be tried; empty where there are inner folds."""
        return self.note.removeprefix("nothing could be tried: ") if self.folds is None else ""

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
            for places in self._fitted_together([trials[number].keywords for number in numbers])
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

    def _fitted_together(self, several: Sequence[Mapping[str, Any]]) -> list[list[int]]:
        if self.judge.grown is None and self.judge.shared:
            return beside(several, self.judge.shared)
        return together(several, self.judge.grown)

    def _run(self, tasks: list["Task"]) -> Iterator["list[Float | str]"]:
        if self.judge.workers is not None:
            return self.judge.workers.run(predicted, tasks, shared=self.bench)
        return (predicted(self.bench, task) for task in tasks)

    def _judged(self, parts: Sequence["list[Float | str]"], place: int) -> tuple[Score, str]:
        values = []
        for part in parts:
            found = part[place]
            if isinstance(found, str):
                return NO_SCORE, f"could not be fitted: {found}"
            values.append(found)
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
    said: dict[str, Float] = field(default_factory=dict)
    """What members of learners predicted for test rows, as learners of other trials may have the same."""

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
"""Inner fold, covariates, and the keywords of trials that share a fit, or a part of it."""


def predicted(bench: Bench, task: Task) -> list[Float | str]:
    """Return what each of some trials predicts for the test rows of an inner fold, or why it has no fit."""
    pair, covariates, several = task
    if bench.grown is None:
        return [found for keywords in several for found in _predicted(bench, pair, covariates, [keywords])]
    return _predicted(bench, pair, covariates, several)


def _predicted(
    bench: Bench, pair: int, covariates: tuple[str, ...], several: list[Mapping[str, Any]]
) -> list[Float | str]:
    inner = _Inner(bench, pair, covariates)
    tested = bench.rows[np.ix_(bench.pairs[pair][1], inner.columns)]
    only = _only_class(bench, pair, len(tested))
    if only is not None:
        return [only] * len(several)
    try:
        with config_context(assume_finite=bench.finite):
            return [*inner.predictions(several, tested, of_test_rows=True)]
    except PermagridError:
        raise
    except (ValueError, ArithmeticError) as error:
        return [str(error).strip().split("\n")[0]] * len(several)


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
    inner = _Inner(bench, pair, bench.candidate.covariates)
    return inner.predictions([bench.candidate.keywords], rows, of_test_rows=False)[0]


def _only_class(bench: Bench, pair: int, n: int) -> Float | None:
    """Return the probabilities that follow where all rows that train are of one class."""
    values = bench.values[bench.pairs[pair][0]]
    if bench.classes is None or (values != values[0]).any():
        return None
    return np.repeat(np.asarray(bench.classes == values[0], dtype=float)[np.newaxis], n, axis=0)


@dataclass(frozen=True, eq=False)
class _Inner:
    """The training rows of an inner fold, with the covariates of a trial."""

    bench: Bench
    pair: int
    covariates: tuple[str, ...]

    @property
    def columns(self) -> NDArray[np.int_]:
        """Places of the covariates among those of the bench."""
        return np.array([self.bench.candidate.covariates.index(name) for name in self.covariates])

    def predictions(
        self, several: Sequence[Mapping[str, Any]], rows: Float, *, of_test_rows: bool
    ) -> list[Float]:
        """Return what fits with each of several keywords predict, from as few fits as serve."""
        bench, proba = self.bench, self.bench.classes is not None
        grown = bench.grown
        if grown is not None and len(several) > 1:
            model = self._fitted(self._built(max(several, key=lambda keywords: int(keywords[grown]))))
            if can_be_cut(model, proba=proba):
                sizes = [int(keywords[grown]) for keywords in several]
                parts = predicted_by_parts(model, rows, sizes, proba=proba)
                return [_aligned(model.classes_ if proba else None, part, bench.classes) for part in parts]
        out = []
        for keywords in several:
            estimator = self._built(keywords)
            if of_test_rows and has_members(estimator):
                mean = predicted_by_members(estimator, self._training(), rows, self._seen_by, bench.said)
                out.append(_aligned(np.unique(self._training()[1]), mean, bench.classes))
                continue
            model = self._fitted(estimator)
            raw = model.predict_proba(rows) if proba else model.predict(rows)
            out.append(_aligned(model.classes_ if proba else None, raw, bench.classes))
        return out

    def _built(self, keywords: Mapping[str, Any]) -> Any:
        return self.bench.candidate.build({**keywords, **self.bench.in_trials}, self.covariates)

    def _fitted(self, estimator: Any) -> Any:
        rows, values, weights = self._training()
        given = {} if weights is None else {"sample_weight": weights}
        return estimator.fit(rows, values, **given)

    def _training(self) -> tuple[Float, Float, Float | None]:
        train = self.bench.pairs[self.pair][0]
        rows = self.bench.rows[np.ix_(train, self.columns)]
        return rows, self.bench.values[train], self.bench.weights[self.pair]

    def _seen_by(self, columns: Sequence[int] | None) -> str:
        """Return by what a member of a learner that sees some of the columns differs from fold to fold."""
        names = self.covariates if columns is None else tuple(self.covariates[place] for place in columns)
        return told([self.pair, names])


def _aligned(learned: Float | None, raw: Any, classes: Float | None) -> Float:
    """Return values as numbers, or probabilities of all classes, 0 for those that were not learned."""
    if classes is None or learned is None:
        return np.asarray(raw, dtype=float)
    out = np.zeros((len(raw), len(classes)))
    out[:, np.searchsorted(classes, learned)] = raw
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
