"""Out-of-fold predictions: every row predicted by a learner that did not see its fold."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError, did_you_mean
from permagrid.threads import pool
from permagrid.validation.candidate import Candidate, Choice, fit
from permagrid.validation.folds import Folds
from permagrid.validation.levels import LEVELS
from permagrid.validation.workers import Workers

Float = NDArray[np.float64]
Tell = Callable[[int, int], None]
"""``(done, total)``: told how far the work is."""

PIECE = 10
"""Folds whose predictions are kept together: what a killed run loses at most, for each core."""
_MANY = 200
"""Fits from which processes are worth their start; before that, threads are."""


@dataclass(frozen=True)
class Predicted:
    """Out-of-fold predictions of one learner under one fold scheme."""

    values: Float
    """Values, shape ``(repeats, n)``, or probabilities, shape ``(repeats, n, classes)``; NaN where a row was
    not tested."""
    choices: tuple[Mapping[str, Any], ...] = ()
    """Keywords and covariates that were chosen in each fold, where the learner chooses, and ``untried``, the
    reason, where nothing could be tried."""
    quantiles: Float | None = None
    """Of a learner that predicts distributions, their quantiles at `permagrid.validation.levels.LEVELS`,
    shape ``(repeats, n, levels)``; NaN where a row was not tested."""


class Piece(NamedTuple):
    """Predictions of the test rows of some folds, one after the other."""

    values: Float
    """Shape ``(rows,)`` or ``(rows, classes)``; of a learner that predicts distributions
    ``(rows, 1 + levels)``, the value and then the quantiles."""
    choices: list[dict[str, Any]]
    """What was chosen in each fold, where the learner chooses."""


class Memory(Protocol):
    """Keeps pieces of predictions, so that a killed comparison goes on where it was."""

    def get(self, learner: str, folds: str, piece: int) -> Piece | None:
        """Return what is kept, or None."""

    def put(self, learner: str, folds: str, piece: int, found: Piece) -> None:
        """Keep a piece."""


@dataclass
class NoMemory:
    """Keeps pieces for as long as it lives itself."""

    pieces: dict[tuple[str, str, int], Piece] = field(default_factory=dict)
    """What is kept."""

    def get(self, learner: str, folds: str, piece: int) -> Piece | None:
        """Return what is kept, or None."""
        return self.pieces.get((learner, folds, piece))

    def put(self, learner: str, folds: str, piece: int, found: Piece) -> None:
        """Keep a piece."""
        self.pieces[learner, folds, piece] = found


def out_of_fold(
    candidate: Candidate,
    table: pd.DataFrame,
    scheme: Folds,
    *,
    classes: Float | None = None,
    workers: int = 1,
) -> Float:
    """Return predictions of every row by a learner that did not see its fold.

    Parameters
    ----------
    candidate
        The learner. What it chooses, it chooses anew in every fold from the rows that train.
    table
        Rows with ``value`` and the candidate's covariates.
    scheme
        The folds.
    classes
        Sorted classes, for a class problem.
    workers
        Folds in work at a time.

    Returns
    -------
    array
        Values, shape ``(repeats, n)``, or probabilities of the classes, shape ``(repeats, n, classes)``; NaN
        where a row was not tested.

    Raises
    ------
    PermagridError
        If the folds are not of these rows, or a candidate sees a covariate that they lack.

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> rows = pd.DataFrame({"air": [0.0, 1.0, 2.0, 3.0], "value": [1.0, 1.0, 3.0, 3.0]})
    >>> first, last = np.array([0, 1]), np.array([2, 3])
    >>> folds = Folds("halves", "two halves", ((first, last), (last, first)), groups=np.arange(4))
    >>> out_of_fold(Candidate.of(DummyRegressor(), ["air"]), rows, folds)
    array([[3., 3., 1., 1.]])
    """
    found = predict_all({"it": candidate}, table, [scheme], classes=classes, workers=workers)
    return found["it", scheme.name].values


def predict_all(
    candidates: Mapping[str, Candidate],
    table: pd.DataFrame,
    schemes: Sequence[Folds],
    *,
    classes: Float | None = None,
    workers: int = 1,
    memory: Memory | None = None,
    advance: Tell = lambda done, total: None,
) -> dict[tuple[str, str], Predicted]:
    """Return out-of-fold predictions of all candidates under all schemes.

    Parameters
    ----------
    candidates
        Learners by name.
    table
        Rows with ``value`` and the covariates.
    schemes
        Fold schemes of these rows.
    classes
        Sorted classes, for a class problem.
    workers
        Folds in work at a time, of whichever learner and scheme. Long comparisons and learners that choose
        have processes for them: a script that is no module needs its ``if __name__ == "__main__":``.
    memory
        Keeps pieces, and gives back those that it has.
    advance
        Told how many fits of how many are done.

    Returns
    -------
    dict
        Learner and scheme -> predictions.

    Raises
    ------
    PermagridError
        If the folds are not of these rows.
    """
    for scheme in schemes:
        _fits(scheme, len(table))
    for name, candidate in candidates.items():
        _seen(name, candidate, table)
    memory = memory or NoMemory()
    total = len(candidates) * sum(map(len, schemes))
    kept: dict[tuple[str, str, int], Piece] = {}
    missing = []
    for scheme in schemes:
        for name in candidates:
            for number, pairs in enumerate(_pieces(scheme)):
                found = memory.get(name, scheme.name, number)
                if found is None:
                    missing.append(((name, scheme.name, number), pairs))
                else:
                    kept[name, scheme.name, number] = found
    done = total - sum(len(pairs) for _, pairs in missing)
    advance(done, total)
    tasks = list(_tasks(missing))
    with _results(_Work(candidates, table, classes), tasks, workers) as results:
        for key, pairs in missing:
            folds = []
            for _ in pairs:
                folds.append(next(results))
                done += 1
                advance(done, total)
            kept[key] = Piece(
                np.concatenate([each.values for each in folds]), [c for each in folds for c in each.choices]
            )
            memory.put(*key, kept[key])
    return {
        (name, scheme.name): _assembled(name, scheme, kept, classes, len(table))
        for scheme in schemes
        for name in candidates
    }


def _pieces(scheme: Folds) -> list[tuple[tuple[NDArray[np.int_], NDArray[np.int_]], ...]]:
    return [scheme.pairs[start : start + PIECE] for start in range(0, len(scheme), PIECE)]


def _tasks(missing: Sequence[tuple[tuple[str, str, int], Any]]) -> Iterator[tuple[str, Any]]:
    for (name, _, _), pairs in missing:
        for pair in pairs:
            yield name, pair


class _Work(NamedTuple):
    """What all tasks share."""

    candidates: Mapping[str, Candidate]
    table: pd.DataFrame
    classes: Float | None


@contextmanager
def _results(work: _Work, tasks: Sequence[tuple[str, Any]], workers: int) -> Iterator[Iterator[Piece]]:
    """Yield the results of tasks in their order, from processes where that is worth their start."""
    if workers > 1 and (len(tasks) >= _MANY or any(c.choose for c in work.candidates.values())):
        with Workers(workers, preloaded=["permagrid.learners", __name__]) as processes:
            yield processes.run(_fold, tasks, shared=work)
    else:
        with threadpool_limits(1), pool(workers) as threads:
            yield threads.map(partial(_fold, work), tasks)


def _fold(work: _Work, task: tuple[str, tuple[NDArray[np.int_], NDArray[np.int_]]]) -> Piece:
    """Fit one learner in one fold and predict its test rows."""
    name, (train, test) = task
    candidate, table, classes = work.candidates[name], work.table, work.classes
    known, tested = table.iloc[train].reset_index(drop=True), table.iloc[test]
    if classes is not None and known["value"].nunique() == 1:
        only = known["value"].iloc[0]
        nothing = [plain(Choice({}, ()))] if candidate.choose else []
        return Piece(np.repeat(np.asarray(classes == only, dtype=float)[np.newaxis], len(test), 0), nothing)
    fitted = fit(candidate, known)
    choices = [plain(fitted.choice)] if candidate.choose else []
    if classes is not None:
        return Piece(fitted.predict_proba(tested, classes), choices)
    values = fitted.predict(tested)
    if hasattr(fitted.estimator, "predict_quantiles"):
        values = np.column_stack([values, fitted.predict_quantiles(tested, LEVELS)])
    return Piece(values, choices)


def plain(choice: Choice) -> dict[str, Any]:
    """Return a choice as plain values."""
    told = {"keywords": dict(choice.keywords), "covariates": list(choice.covariates)}
    return {**told, "untried": choice.untried} if choice.untried else told


def _assembled(
    name: str,
    scheme: Folds,
    kept: Mapping[tuple[str, str, int], Piece],
    classes: Float | None,
    n: int,
) -> Predicted:
    pieces = [kept[name, scheme.name, number] for number in range(len(_pieces(scheme)))]
    values = np.concatenate([piece.values for piece in pieces])
    out, start = np.full((scheme.repeats, n, *values.shape[1:]), np.nan), 0
    for number, pairs in enumerate(scheme.rounds):
        for _, test in pairs:
            out[number, test] = values[start : start + len(test)]
            start += len(test)
    choices = tuple(choice for piece in pieces for choice in piece.choices)
    if classes is None and out.ndim == 3:
        return Predicted(out[..., 0], choices, out[..., 1:])
    return Predicted(out, choices)


def _fits(scheme: Folds, n: int) -> None:
    if len(scheme.groups) != n:
        raise PermagridError(f"folds: {scheme.name} is of {len(scheme.groups)} rows, and there are {n}")


def _seen(name: str, candidate: Candidate, table: pd.DataFrame) -> None:
    for each in candidate.covariates:
        if each not in table:
            known = [str(column) for column in table.columns]
            raise PermagridError(f"{name}: the rows have no covariate {each!r}: {did_you_mean(each, known)}")
