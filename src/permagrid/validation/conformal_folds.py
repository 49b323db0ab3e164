"""CV+ judged honestly: in every fold, from folds within the rows that train."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.validation.candidate import Candidate
from permagrid.validation.conformal import absolute_scores, cv_plus
from permagrid.validation.distributions import NOMINAL
from permagrid.validation.folds import Folds
from permagrid.validation.inner_folds import FoldsSpec
from permagrid.validation.out_of_fold import predict_all

Float = NDArray[np.float64]
Index = NDArray[np.int_]


def cv_plus_out_of_fold(
    candidate: Candidate,
    table: pd.DataFrame,
    scheme: Folds,
    inner: FoldsSpec,
    *,
    nominal: Sequence[float] = NOMINAL,
    workers: int = 1,
) -> dict[float, tuple[Float, Float]]:
    """Return CV+ intervals of every row, from fits that saw neither its fold nor one more.

    The training rows of each fold are split again; the fit without an inner fold speaks of that fold, which
    says how far it errs, and of the rows that are tested.

    Parameters
    ----------
    candidate
        The learner, which is fitted folds times inner folds times.
    table
        Rows with ``value``, its covariates, and what the inner folds need.
    scheme
        The folds.
    inner
        How training rows are split again; spatial folds keep what errs together apart, so that the distances
        of the calibration are those of the map.
    nominal
        Shares that are to be held.
    workers
        Fits in work at a time.

    Returns
    -------
    dict
        Share -> lower and upper ends, shape ``(repeats, n)``; NaN where a row was not tested.

    Raises
    ------
    PermagridError
        If the training rows of a fold cannot be split again.
    """
    observed = table["value"].to_numpy(float)
    schemes: dict[str, Folds] = {}
    parts: list[tuple[int, Index, Folds, list[tuple[Index, Index]]]] = []
    for number, pairs in enumerate(scheme.rounds):
        for train, test in pairs:
            made, why = inner.made(table.iloc[train].reset_index(drop=True))
            if made is None:
                raise PermagridError(f"CV+: training rows of {scheme.name} cannot be split again; {why}")
            within = [(train[known], train[tested]) for known, tested in made.rounds[0]]
            folds = plus_folds(f"{scheme.name}_{len(parts)}", within, test, len(table))
            schemes[folds.name] = folds
            parts.append((number, test, folds, within))
    raw = predict_all({"it": candidate}, table, list(schemes.values()), workers=workers)
    shape = (scheme.repeats, len(table))
    out = {float(level): (np.full(shape, np.nan), np.full(shape, np.nan)) for level in nominal}
    for number, test, folds, within in parts:
        said = raw["it", folds.name].values
        for level, (lower, upper) in out.items():
            ends = plus_intervals(said, observed, within, test, level)
            lower[number, test], upper[number, test] = ends
    return out


def plus_folds(name: str, within: Sequence[tuple[Index, Index]], test: Index, n: int) -> Folds:
    """Return inner folds, each a round of its own, whose fits also speak of rows that no inner fold holds.

    Parameters
    ----------
    name
        Name of the folds.
    within
        Train and test rows of every inner fold, by their numbers in the whole table.
    test
        Rows that the outer fold tests.
    n
        Rows of the whole table.

    Examples
    --------
    >>> halves = [(np.array([0]), np.array([1])), (np.array([1]), np.array([0]))]
    >>> [pair[1].tolist() for pair in plus_folds("x", halves, np.array([2]), 3)]
    [[1, 2], [0, 2]]
    """
    pairs = tuple((train, np.concatenate([tested, test])) for train, tested in within)
    told = "inner folds, whose fits also speak of the rows that the outer fold tests"
    return Folds(name, told, pairs, np.arange(n), spatial=False, repeats=len(pairs))


def plus_intervals(
    said: Float, observed: Float, within: Sequence[tuple[Index, Index]], test: Index, level: float
) -> tuple[Float, Float]:
    """Return the CV+ intervals of the rows that an outer fold tests.

    Parameters
    ----------
    said
        Predictions of the fits of `plus_folds`, shape ``(inner folds, n)``.
    observed
        Shape ``(n,)``.
    within, test
        As in `plus_folds`.
    level
        Share that is to be held.
    """
    rows = np.concatenate([tested for _, tested in within])
    fold = np.concatenate([np.full(len(tested), place) for place, (_, tested) in enumerate(within)])
    spoken = said[:, test].T
    return cv_plus(absolute_scores(said[fold, rows], observed[rows]), fold, spoken, spoken, level)
