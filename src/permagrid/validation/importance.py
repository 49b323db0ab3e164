"""What covariates are worth out of fold: by how much predictions worsen where they are dealt anew."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError, did_you_mean
from permagrid.threads import pool
from permagrid.validation.candidate import Candidate, Fitted, fit
from permagrid.validation.folds import Folds
from permagrid.validation.scores import interval, with_draws
from permagrid.validation.workers import run_tasks

Float = NDArray[np.float64]
Index = NDArray[np.int_]
Units = Mapping[str, Sequence[str]]
"""Name of a covariate or of a group of them -> its members."""

COLUMNS = ["folds", "group", "covariates", "method", "measure", "importance", "low", "high", "rank"]
"""Of every table of importances."""

_DRAWS = 1000


def permutation_importance(
    candidate: Candidate,
    table: pd.DataFrame,
    scheme: Folds,
    *,
    classes: Float | None = None,
    groups: Units | None = None,
    repeats: int = 5,
    seed: int = 0,
    workers: int = 1,
) -> pd.DataFrame:
    """Return by how much a learner's out-of-fold predictions worsen when covariates lose their meaning.

    In every fold the learner is fitted as in a comparison, and predicts its test rows once as they are and
    then with the values of a covariate, or of a group of covariates together, that another tested row of the
    round has. Values come from the tested rows of all folds, or in a small fold, and most in a block, they
    would hardly differ from a row's own.

    Parameters
    ----------
    candidate
        The learner. If it chooses, it chooses anew in every fold; what it does not choose is worth nothing.
    table
        Rows with ``value`` and the candidate's covariates.
    scheme
        The folds; the interval draws their groups.
    classes
        Sorted classes, for a class problem.
    groups
        Name -> covariates that are dealt together; each covariate by itself if left out.
    repeats
        How often values are dealt.
    seed
        Seed of the deals and of the bootstrap.
    workers
        Folds in work at a time.

    Returns
    -------
    pandas.DataFrame
        One row per group, the most important first: ``folds``, ``group``, ``covariates`` (its members,
        separated by commas), ``method`` (``permutation``), ``measure`` (``squared error`` or ``Brier
        score``), ``importance`` (mean increase of the measure), its 95 % interval ``low`` to ``high``, and
        ``rank``.

    Raises
    ------
    PermagridError
        If the folds are of other rows, `repeats` is below 1, or a group has no members, or one that the
        learner is not given.

    Notes
    -----
    Breiman (2001), doi:10.1023/A:1010933404324; Fisher et al. (2019), All models are wrong, but many are
    useful, Journal of Machine Learning Research 20(177). Covariates that say the same stand in for one
    another, and each alone seems worth little: deal them together (`correlated_groups`). The deal follows
    from positions, epochs and values, so that the order of rows has no part in it.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from permagrid.validation import site
    >>> numbers = np.arange(20.0)
    >>> rows = pd.DataFrame({"site_group": numbers, "longitude": numbers, "latitude": 60.0,
    ...                      "air": numbers % 7, "noise": numbers % 3, "value": numbers % 7})
    >>> learner = Candidate.of(LinearRegression(), ["air", "noise"])
    >>> permutation_importance(learner, rows, site(rows, n_folds=4))[["group", "rank"]].values.tolist()
    [['air', 1], ['noise', 2]]
    """
    units = units_of(candidate.covariates, groups)
    if len(scheme.groups) != len(table):
        raise PermagridError(
            f"importance: {scheme.name} folds are of {len(scheme.groups)} rows, and there are {len(table)}"
        )
    if repeats < 1:
        raise PermagridError(f"importance: repeats must be 1 or more, found {repeats}")
    order = canonical_order(table, candidate.covariates)
    work = _Work(candidate, table, classes, units, _sources(scheme, order, repeats, seed))
    tasks = [(number, pair) for number, pairs in enumerate(scheme.rounds) for pair in pairs]
    increases = np.full((scheme.repeats, len(units), len(table)), np.nan)
    for (number, (_, test)), found in zip(tasks, _results(work, tasks, workers), strict=True):
        increases[number][:, test] = found
    tested = order[np.isfinite(increases[:, 0]).any(axis=0)[order]]
    per_row = np.nanmean(increases[:, :, tested], axis=0)
    plain, drawn = bootstrapped(per_row, list(units), scheme.groups[tested], seed)
    labels = {
        "folds": scheme.name,
        "method": "permutation",
        "measure": "squared error" if classes is None else "Brier score",
    }
    return ranked(units, plain, drawn, labels)


def units_of(covariates: Sequence[str], groups: Units | None) -> dict[str, tuple[str, ...]]:
    """Return the groups of covariates that are looked at, each covariate by itself where none are given.

    Raises
    ------
    PermagridError
        If a group has no members, or one that is not among the covariates.
    """
    if groups is None:
        return {name: (name,) for name in covariates}
    for name, members in groups.items():
        if not members:
            raise PermagridError(f"importance: group {name} has no covariates")
        for member in members:
            if member not in covariates:
                hint = did_you_mean(member, covariates)
                raise PermagridError(
                    f"importance: group {name} names {member!r}, which the learner is not given: {hint}"
                )
    return {name: tuple(members) for name, members in groups.items()}


def canonical_order(table: pd.DataFrame, covariates: Sequence[str]) -> Index:
    """Return row numbers in an order that does not depend on that of the rows.

    Rows are sorted by longitude, latitude, epoch and value, as far as there are such columns, and by the
    covariates.
    """
    known = [name for name in ("longitude", "latitude", "epoch", "value") if name in table]
    names = list(dict.fromkeys([*known, *covariates]))
    keys = [
        pd.factorize(table[name].astype(str), sort=True)[0]
        if name == "epoch"
        else table[name].to_numpy(float)
        for name in names
    ]
    return np.asarray(np.lexsort(keys[::-1]))


def bootstrapped(
    per_row: Float, names: Sequence[str], groups: Index, seed: int
) -> tuple[dict[str, float], dict[str, Float]]:
    """Return the mean of what rows say of each unit, and its values in draws of whole groups.

    Parameters
    ----------
    per_row
        Shape ``(units, n)``.
    names
        Of the units.
    groups
        Group of each row, shape ``(n,)``.
    seed
        Seed of the draws.
    """

    def score(weights: Float | None) -> dict[str, Float]:
        counted = np.ones((1, per_row.shape[1])) if weights is None else weights
        # A draw of no row at all, where few groups have rows, tells nothing.
        total = counted.sum(axis=1)
        total[total == 0] = np.nan
        return {name: counted @ row / total for name, row in zip(names, per_row, strict=True)}

    return with_draws(score, groups, draws=_DRAWS, seed=seed)


def ranked(
    units: Units,
    importance: Mapping[str, float],
    drawn: Mapping[str, Float] | None,
    labels: Mapping[str, str],
) -> pd.DataFrame:
    """Return a table of importances, the most important first; without draws it has no intervals."""
    rows = []
    for rank, name in enumerate(sorted(units, key=lambda unit: -importance[unit]), start=1):
        low, high = (np.nan, np.nan) if drawn is None else interval(drawn[name])
        row = {"group": name, "covariates": ", ".join(units[name]), "importance": importance[name]}
        rows.append({**labels, **row, "low": low, "high": high, "rank": rank})
    return pd.DataFrame(rows, columns=COLUMNS)


class _Work(NamedTuple):
    """What all folds share."""

    candidate: Candidate
    table: pd.DataFrame
    classes: Float | None
    units: dict[str, tuple[str, ...]]
    sources: list[Index]
    """For each round the row whose values a tested row is dealt, shape ``(repeats, n)``."""


_Task = tuple[int, tuple[Index, Index]]


def _sources(scheme: Folds, order: Index, repeats: int, seed: int) -> list[Index]:
    """Return for each round the rows whose values the tested rows are dealt, the same for all covariates."""
    out = []
    for number, pairs in enumerate(scheme.rounds):
        tested = np.zeros(len(order), dtype=bool)
        tested[np.concatenate([test for _, test in pairs])] = True
        rows = order[tested[order]]
        dealt = np.tile(np.arange(len(order)), (repeats, 1))
        for turn in range(repeats):
            dealt[turn, rows] = np.random.default_rng([seed, number, turn]).permutation(rows)
        out.append(dealt)
    return out


def _results(work: _Work, tasks: Sequence[_Task], workers: int) -> list[Float]:
    if work.candidate.choose is not None and workers > 1:
        return list(run_tasks(_fold, tasks, shared=work, workers=workers))
    with threadpool_limits(1), pool(workers) as threads:
        return list(threads.map(partial(_fold, work), tasks))


def _fold(work: _Work, task: _Task) -> Float:
    """Return by how much the loss of each test row of a fold grows for each unit, shape ``(units, rows)``."""
    number, (train, test) = task
    increases = np.zeros((len(work.units), len(test)))
    known = work.table.iloc[train].reset_index(drop=True)
    if work.classes is not None and known["value"].nunique() == 1:
        # It predicts that class whatever the covariates are.
        return increases
    fitted = fit(work.candidate, known)
    names = list(fitted.covariates)
    columns = work.table[names].to_numpy(float)
    losses = _losses(fitted, work.table["value"].to_numpy(float)[test], work.classes)
    plain, dealt = losses(columns[test][np.newaxis])[0], work.sources[number][:, test]
    for unit, members in enumerate(work.units.values()):
        places = [names.index(member) for member in members if member in names]
        if places:
            versions = np.repeat(columns[test][np.newaxis], len(dealt), axis=0)
            versions[:, :, places] = columns[dealt][:, :, places]
            increases[unit] = losses(versions).mean(axis=0) - plain
    return increases


def _losses(fitted: Fitted, observed: Float, classes: Float | None) -> Callable[[Float], Float]:
    """Return what gives the loss of each row in each version, from shape ``(versions, rows, columns)``."""
    names: list[Any] = list(fitted.covariates)

    def losses(versions: Float) -> Float:
        flat = pd.DataFrame(versions.reshape(-1, len(names)), columns=names)
        if classes is None:
            return (fitted.predict(flat).reshape(len(versions), -1) - observed) ** 2
        probability = fitted.predict_proba(flat, classes).reshape(len(versions), len(observed), -1)
        truth = np.eye(len(classes))[np.searchsorted(classes, observed)]
        return np.asarray(((probability - truth) ** 2).sum(axis=2) / (2.0 if len(classes) == 2 else 1.0))

    return losses
