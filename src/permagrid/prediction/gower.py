"""Gower's distance of rows that hold numbers and classes, by the ranges of the training rows."""

from collections.abc import Sequence

import numpy as np

from permagrid.grid import Float
from permagrid.prediction.applicability_space import Space


def gower_space(rows: Float, weights: Float, class_columns: Sequence[int]) -> Space:
    """Return the space of Gower's distances (Gower 1971, doi:10.2307/2528823).

    The distance of two rows is the weighted mean, over the covariates, of their difference: for numbers its
    size over the range of the training rows, for classes 0 if they are the same and else 1. The difference
    of a new row may be more than the range: it is not cut off at 1, so what is far stays far.

    Parameters
    ----------
    rows
        Training rows, shape ``(n, covariates)``; finite.
    weights
        Of the covariates, not negative, some above 0. Those without any are left out; one with a weight
        must not be constant.
    class_columns
        Covariates that hold class codes.

    Examples
    --------
    >>> space = gower_space(np.array([[10.0, 1.0], [30.0, 2.0]]), np.array([1.0, 1.0]), (1,))
    >>> points, codes = space.place(np.array([[20.0, 2.0]]))
    >>> points.tolist(), codes.tolist(), space.penalties.tolist()
    ([[0.25]], [[2.0]], [0.5])
    """
    shares = weights / weights.sum()
    used = np.flatnonzero(shares)
    is_class = np.isin(used, np.asarray(class_columns, dtype=np.int64))
    columns = used[~is_class]
    columns = columns[np.argsort(-shares[columns], kind="stable")]
    numbers = rows[:, columns]
    return Space(
        columns,
        np.full(len(columns), np.nan),
        numbers.min(axis=0),
        np.ptp(numbers, axis=0),
        shares[columns],
        used[is_class],
        shares[used[is_class]],
        squared=False,
    )
