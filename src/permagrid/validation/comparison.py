"""Comparison of learners: their scores under each fold scheme, from pooled out-of-fold predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.validation.candidate import Candidate
from permagrid.validation.distances import FoldDistances
from permagrid.validation.folds import Folds
from permagrid.validation.out_of_fold import Predicted, predict_all
from permagrid.validation.scores import repeated_scores, with_intervals

Float = NDArray[np.float64]
Task = Literal["value", "class"]


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
    """One row per learner, fold scheme, repeat and tested site-epoch."""
    scores: pd.DataFrame
    """One row per learner, fold scheme and subset, with bootstrap intervals."""
    folds: tuple[Folds, ...]
    """The fold schemes."""
    gains: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What groups of covariates bring, from `permagrid.validation.groups`; empty where none was asked for."""
    raw: Mapping[tuple[str, str], Predicted] = field(default_factory=dict, repr=False)
    """Learner and scheme -> predictions as arrays, and what was chosen in each fold."""
    distances: Mapping[str, FoldDistances] = field(default_factory=dict, repr=False)
    """Scheme -> how far its test rows are from what was trained on, where the map is known."""


def compare(
    table: pd.DataFrame,
    candidates: Mapping[str, Candidate],
    schemes: Sequence[Folds],
    *,
    problem: Problem,
    draws: int = 1000,
    seed: int = 0,
    workers: int = 1,
) -> Comparison:
    """Return out-of-fold predictions and scores of all candidates under all schemes.

    Parameters
    ----------
    table
        One row per site and epoch: ``value``, ``site_id``, ``site_group``, ``epoch``, ``longitude``,
        ``latitude`` and the covariates.
    candidates
        Learners by name.
    schemes
        Fold schemes; at least one must keep test sites apart from training sites.
    problem
        What ``value`` holds.
    draws, seed
        Size and seed of the bootstrap of the intervals.
    workers
        Folds in work at a time.

    Raises
    ------
    PermagridError
        If all schemes are random, two have one name, or a class problem has one class only.

    Notes
    -----
    Predictions of a repeat are pooled over its folds before they are scored, as CAST does (Meyer and Pebesma
    2021); scores of several repeats are averaged.
    """
    if not candidates:
        raise PermagridError("compare: there are no candidates; name one at least")
    classes = refuse_or_classes(table, schemes, problem)
    raw = predict_all(candidates, table, schemes, classes=classes, workers=workers)
    return comparison_of(table, candidates, schemes, raw, problem=problem, draws=draws, seed=seed)


def refuse_or_classes(table: pd.DataFrame, schemes: Sequence[Folds], problem: Problem) -> Float | None:
    """Return the sorted classes of a class problem, None for values, if schemes and rows can be compared.

    Raises
    ------
    PermagridError
        As `compare`.
    """
    if not any(scheme.spatial for scheme in schemes):
        raise PermagridError("folds: random folds never stand alone; add folds by site or by block")
    names = [scheme.name for scheme in schemes]
    if len(set(names)) < len(names):
        raise PermagridError(f"folds: two schemes have one name among {', '.join(names)}; drop one")
    if problem.task == "value":
        return None
    classes: Float = np.unique(table["value"].to_numpy(float))
    if len(classes) < 2:
        raise PermagridError(
            f"target {problem.target}: all {len(table)} rows are of class {classes[0]:g}; two are needed"
        )
    return classes


def comparison_of(
    table: pd.DataFrame,
    candidates: Mapping[str, Candidate],
    schemes: Sequence[Folds],
    raw: Mapping[tuple[str, str], Predicted],
    *,
    problem: Problem,
    draws: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Return the comparison that follows from out-of-fold predictions made by `predict_all`.

    Parameters and errors as `compare`.
    """
    classes = refuse_or_classes(table, schemes, problem)
    observed = table["value"].to_numpy(float)
    parts, rows = [], []
    for scheme in schemes:
        tested = tested_rows(scheme)
        for name, candidate in candidates.items():
            labels = {"target": problem.target, "learner": name, "folds": scheme.name}
            found = raw[name, scheme.name].values
            parts.append(_tidy(table, found, scheme, classes).assign(**labels, subset=problem.subset))
            counts = {
                "subset": problem.subset,
                "n": int(tested.sum()),
                "n_sites": int(table["site_group"][tested].nunique()),
                "n_unseen_class": unseen_rows(candidate, table, scheme),
            }
            scores = scored(observed, found, classes, scheme, draws=draws, seed=seed)
            rows.append({**labels, **counts, **scores})
    return Comparison(pd.concat(parts, ignore_index=True), pd.DataFrame(rows), tuple(schemes), raw=raw)


def scored(
    observed: Float, predicted: Float, classes: Float | None, scheme: Folds, *, draws: int, seed: int
) -> dict[str, float]:
    """Return scores of out-of-fold predictions with their bootstrap intervals.

    Parameters
    ----------
    observed
        Values or classes, shape ``(n,)``.
    predicted
        As from `permagrid.validation.out_of_fold`.
    classes
        Sorted classes, for a class problem.
    scheme
        The folds; their groups are drawn whole.
    draws, seed
        Size and seed of the bootstrap.
    """
    return with_intervals(
        lambda weights: repeated_scores(observed, predicted, classes, weights),
        scheme.groups,
        draws=draws,
        seed=seed,
    )


def tested_rows(scheme: Folds) -> NDArray[np.bool_]:
    """Return which rows are tested in any fold, shape ``(n,)``."""
    tested = np.zeros(len(scheme.groups), dtype=bool)
    for _, test in scheme.pairs:
        tested[test] = True
    return tested


def unseen_rows(candidate: Candidate, table: pd.DataFrame, scheme: Folds) -> int:
    """Return how many rows have a class that no row has from which their prediction is learned.

    They are predicted and scored all the same, as a row of no known class: what a map leaves out cannot
    be left out here, or harder folds would be scored on easier rows. Of several repeats, the first.

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
    >>> unseen_rows(Candidate.of(None, ["soil"], ["soil"]), rows, folds)
    1
    """
    codes = table[list(candidate.classes)].to_numpy(float).T
    unseen = [
        np.any([~np.isin(column[test], column[train]) for column in codes], axis=0)
        for train, test in scheme.rounds[0]
    ]
    return sum(int(np.sum(rows)) for rows in unseen)


def _tidy(table: pd.DataFrame, raw: Float, scheme: Folds, classes: Float | None) -> pd.DataFrame:
    parts = []
    for number, pairs in enumerate(scheme.rounds):
        fold = np.full(len(table), -1)
        for index, (_, test) in enumerate(pairs):
            fold[test] = index
        tested = np.flatnonzero(fold >= 0)
        tidy = table.iloc[tested][["site_id", "epoch", "longitude", "latitude"]]
        tidy = tidy.assign(repeat=number, fold=fold[tested], observed=table["value"].to_numpy(float)[tested])
        parts.append(tidy.assign(**_predictions(raw[number, tested], classes)))
    return pd.concat(parts, ignore_index=True)


def _predictions(raw: Float, classes: Float | None) -> dict[str, Any]:
    if classes is None:
        return {"predicted": raw}
    predicted = {"predicted": classes[raw.argmax(axis=1)]}
    if len(classes) == 2:
        return predicted | {"probability": raw[:, 1]}
    return predicted | {f"probability_{code:g}": raw[:, index] for index, code in enumerate(classes)}
