"""Comparison of learners: out-of-fold predictions of each under each fold scheme, and their scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError
from permagrid.threads import pool
from permagrid.validation.folds import Folds
from permagrid.validation.scores import class_scores, value_scores, with_intervals

Float = NDArray[np.float64]
Task = Literal["value", "class"]
Remember = Callable[[str, str, Callable[[], Float]], Float]


@dataclass(frozen=True)
class Candidate:
    """A learner that takes part in a comparison."""

    estimator: Any
    """A scikit-learn estimator, not yet fitted."""
    covariates: tuple[str, ...]
    """Columns that it sees, in order."""
    classes: tuple[str, ...] = ()
    """Those that hold classes which it keeps apart: one that it did not learn from is unknown to it."""


@dataclass(frozen=True)
class Problem:
    """What is to be predicted, and for which sites."""

    target: str
    """Name of the variable."""
    task: Task
    """``value`` or ``class``."""
    subset: str = "all"
    """Name of the part of the sites that takes part."""


@dataclass(frozen=True)
class Comparison:
    """Out-of-fold predictions of learners under several fold schemes, and their scores."""

    predictions: pd.DataFrame
    """One row per learner, fold scheme and site-epoch."""
    scores: pd.DataFrame
    """One row per learner, fold scheme and subset, with bootstrap intervals."""
    folds: tuple[Folds, ...]
    """The fold schemes."""
    gains: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What groups of covariates bring, from `permagrid.validation.groups`; empty where none was asked for."""


def compare(
    table: pd.DataFrame,
    candidates: Mapping[str, Candidate],
    schemes: Sequence[Folds],
    *,
    problem: Problem,
    draws: int = 1000,
    seed: int = 0,
    workers: int = 1,
    remember: Remember = lambda learner, folds, make: make(),
) -> Comparison:
    """Return out-of-fold predictions and scores of all candidates under all schemes.

    Parameters
    ----------
    table
        One row per site and epoch: ``value``, ``site_id``, ``epoch``, ``longitude``, ``latitude`` and
        the covariates.
    candidates
        Learners by name.
    schemes
        Fold schemes; at least one must keep test sites apart from training sites.
    problem
        What ``value`` holds.
    draws, seed
        Size and seed of the bootstrap of the intervals.
    workers
        Folds fitted at a time.
    remember
        Called with learner, scheme and a function that computes predictions; may return kept ones.

    Raises
    ------
    PermagridError
        If all schemes are random, two have one name, or a class problem has one class only.

    Notes
    -----
    Predictions are pooled over folds before they are scored, as CAST does (Meyer and Pebesma 2021).
    """
    if not any(scheme.spatial for scheme in schemes):
        raise PermagridError("folds: random folds never stand alone; add folds by site or by block")
    names = [scheme.name for scheme in schemes]
    if len(set(names)) < len(names):
        raise PermagridError(f"folds: two schemes have one name among {', '.join(names)}; drop one")
    classes = np.unique(table["value"].to_numpy(float)) if problem.task == "class" else None
    if classes is not None and len(classes) < 2:
        raise PermagridError(
            f"target {problem.target}: all {len(table)} rows are of class {classes[0]:g}; two are needed"
        )
    parts, rows = [], []
    for scheme in schemes:
        for name, candidate in candidates.items():
            predict = partial(out_of_fold, candidate, table, scheme, classes=classes, workers=workers)
            raw = remember(name, scheme.name, predict)
            labels = {"target": problem.target, "learner": name, "folds": scheme.name}
            part = _tidy(table, raw, scheme, classes).assign(**labels, subset=problem.subset)
            parts.append(part)
            scores = _score(part, raw, scheme, classes, draws=draws, seed=seed)
            counts = {
                "subset": problem.subset,
                "n": len(table),
                "n_sites": int(table["site_group"].nunique()),
                "n_unseen_class": unseen_rows(candidate, table, scheme),
            }
            rows.append({**labels, **counts, **scores})
    return Comparison(pd.concat(parts, ignore_index=True), pd.DataFrame(rows), tuple(schemes))


def out_of_fold(
    candidate: Candidate,
    table: pd.DataFrame,
    scheme: Folds,
    *,
    classes: Float | None = None,
    workers: int = 1,
) -> Float:
    """Return predictions of every row by a model that did not see its fold.

    Parameters
    ----------
    candidate
        The learner.
    table
        Rows with ``value`` and the candidate's covariates.
    scheme
        The folds; each row is tested once.
    classes
        Sorted classes, for a class problem.
    workers
        Folds fitted at a time.

    Returns
    -------
    array
        Values, shape ``(n,)``, or probabilities of the classes, shape ``(n, classes)``.

    Raises
    ------
    PermagridError
        If a row is tested never or more than once.
    """
    tested = np.bincount(np.concatenate([test for _, test in scheme]), minlength=len(table))
    if len(tested) != len(table) or (tested != 1).any():
        raise PermagridError(f"folds: {scheme.name} must test each of {len(table)} rows exactly once")
    covariates = table[list(candidate.covariates)].to_numpy(float)
    values = table["value"].to_numpy(float)
    shape = (len(table),) if classes is None else (len(table), len(classes))
    out = np.full(shape, np.nan)

    def fit_and_predict(pair: tuple[NDArray[np.int_], NDArray[np.int_]]) -> None:
        train, test = pair
        known = np.unique(values[train])
        if classes is not None and len(known) == 1:
            out[test] = classes == known[0]
            return
        model = clone(candidate.estimator).fit(covariates[train], values[train])
        if classes is None:
            out[test] = model.predict(covariates[test])
        else:
            columns = np.searchsorted(classes, model.classes_)
            out[np.ix_(test, columns)] = model.predict_proba(covariates[test])
            out[np.ix_(test, np.setdiff1d(np.arange(len(classes)), columns))] = 0.0

    with threadpool_limits(1), pool(workers) as threads:
        list(threads.map(fit_and_predict, scheme.pairs))
    return out


def unseen_rows(candidate: Candidate, table: pd.DataFrame, scheme: Folds) -> int:
    """Return how many rows have a class that no row has from which their prediction is learned.

    They are predicted and scored all the same, as a row of no known class: what a map leaves out cannot
    be left out here, or harder folds would be scored on easier rows.

    Parameters
    ----------
    candidate
        The learner.
    table
        Rows with the candidate's covariates.
    scheme
        The folds.

    Examples
    --------
    >>> rows = pd.DataFrame({"soil": [1.0, 1.0, 2.0]})
    >>> first, rest = np.array([0]), np.array([1, 2])
    >>> folds = Folds("site", "two halves", ((first, rest), (rest, first)), groups=np.arange(3))
    >>> unseen_rows(Candidate(None, ("soil",), ("soil",)), rows, folds)
    1
    """
    codes = table[list(candidate.classes)].to_numpy(float).T
    unseen = [
        np.any([~np.isin(column[test], column[train]) for column in codes], axis=0)
        for train, test in scheme.pairs
    ]
    return sum(int(np.sum(rows)) for rows in unseen)


def _tidy(table: pd.DataFrame, raw: Float, scheme: Folds, classes: Float | None) -> pd.DataFrame:
    fold = np.empty(len(table), dtype=int)
    for number, (_, test) in enumerate(scheme.pairs):
        fold[test] = number
    tidy = table[["site_id", "epoch", "longitude", "latitude"]].reset_index(drop=True)
    tidy = tidy.assign(fold=fold, observed=table["value"].to_numpy(float))
    if classes is None:
        return tidy.assign(predicted=raw)
    tidy = tidy.assign(predicted=classes[raw.argmax(axis=1)])
    if len(classes) == 2:
        return tidy.assign(probability=raw[:, 1])
    return tidy.assign(**{f"probability_{code:g}": raw[:, index] for index, code in enumerate(classes)})


def _score(
    tidy: pd.DataFrame, raw: Float, scheme: Folds, classes: Float | None, *, draws: int, seed: int
) -> dict[str, float]:
    observed, predicted = tidy["observed"].to_numpy(float), tidy["predicted"].to_numpy(float)
    if classes is None:
        return with_intervals(
            lambda weights: value_scores(observed, predicted, weights), scheme.groups, draws=draws, seed=seed
        )
    truth, guess = np.searchsorted(classes, observed), np.searchsorted(classes, predicted)
    return with_intervals(
        lambda weights: class_scores(truth, guess, raw, weights), scheme.groups, draws=draws, seed=seed
    )
