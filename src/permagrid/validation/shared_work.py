"""One fit for several trials: of trees that are added one after the other, all smaller numbers are known."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from permagrid.errors import PermagridError

Float = NDArray[np.float64]
Keywords = Mapping[str, Any]
Space = Mapping[str, Sequence[Any]]
"""Keyword -> the values to try, the simplest first."""


def combinations(space: Space) -> list[dict[str, Any]]:
    """Return every combination of values once; the last keyword changes fastest.

    Raises
    ------
    PermagridError
        If a keyword has no values.

    Examples
    --------
    >>> combinations({"depth": [2, 4, 2], "leaves": [1]})
    [{'depth': 2, 'leaves': 1}, {'depth': 4, 'leaves': 1}]
    """
    empty = [keyword for keyword, values in space.items() if not len(values)]
    if empty:
        raise PermagridError(f"search space: {empty[0]} has no values to try")
    single = [{told(value): value for value in values}.values() for values in space.values()]
    return [dict(zip(space, values, strict=True)) for values in product(*single)]


def told(value: Any) -> str:
    """Return a text that two values share only if they are the same to a learner.

    Examples
    --------
    >>> told(1) == told(1.0), told(True) == told(1), told({"a": 1, "b": 2}) == told({"b": 2, "a": 1})
    (False, False, True)
    """
    if isinstance(value, Mapping):
        return repr(sorted((str(key), told(each)) for key, each in value.items()))
    if isinstance(value, np.generic):
        return repr(value.item())
    return repr(value)


def together(trials: Sequence[Keywords], grown: str | None) -> list[list[int]]:
    """Return numbers of trials by the fit that they share: those that differ in nothing but `grown`.

    Parameters
    ----------
    trials
        Keywords of each.
    grown
        Keyword of which a fit with a large value contains the fits with smaller ones, if there is one.

    Examples
    --------
    >>> together([{"trees": 10, "depth": 2}, {"trees": 20, "depth": 2}, {"trees": 10, "depth": 3}], "trees")
    [[0, 1], [2]]
    """
    shared: dict[str, list[int]] = {}
    for number, keywords in enumerate(trials):
        able = grown is not None and _counted(keywords.get(grown))
        rest = {key: value for key, value in keywords.items() if not (able and key == grown)}
        shared.setdefault(told([able, told(rest)]), []).append(number)
    return list(shared.values())


def _counted(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) > 0


def can_be_cut(estimator: Any) -> bool:
    """Return whether `predicted_by_parts` knows how to read smaller fits from a fitted estimator.

    Examples
    --------
    >>> from sklearn.ensemble import ExtraTreesRegressor
    >>> from sklearn.linear_model import LinearRegression
    >>> rows, values = np.eye(4), np.arange(4.0)
    >>> [can_be_cut(model.fit(rows, values)) for model in (ExtraTreesRegressor(3), LinearRegression())]
    [True, False]
    """
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return any(hasattr(last, name) for name in ("booster_", "get_booster", "staged_predict", "estimators_"))


def predicted_by_parts(estimator: Any, rows: Float, sizes: Sequence[int], *, proba: bool) -> list[Float]:
    """Return what fits with the first 1 to `size` trees would predict, for each size.

    The same bits as those of the smaller fits, since each tree rests on those before it and on nothing else.

    Parameters
    ----------
    estimator
        A fitted estimator that `can_be_cut`: trees of scikit-learn that are averaged or boosted, LightGBM or
        XGBoost, alone or at the end of a pipeline.
    rows
        Shape ``(n, columns)``.
    sizes
        Numbers of trees, none above that of the estimator.
    proba
        Whether probabilities are wanted, shape ``(n, classes)``, or values, shape ``(n,)``.
    """
    if hasattr(estimator, "steps"):
        for _, step in estimator.steps[:-1]:
            rows = step.transform(rows)
        estimator = estimator.steps[-1][1]
    name = "predict_proba" if proba else "predict"
    if hasattr(estimator, "booster_"):
        return [np.asarray(getattr(estimator, name)(rows, num_iteration=size)) for size in sizes]
    if hasattr(estimator, "get_booster"):
        return [np.asarray(getattr(estimator, name)(rows, iteration_range=(0, size))) for size in sizes]
    if hasattr(estimator, "estimators_"):
        return [np.asarray(getattr(_cut(estimator, size), name)(rows)) for size in sizes]
    return _staged(getattr(estimator, f"staged_{name}")(rows), sizes)


def _cut(estimator: Any, size: int) -> Any:
    """Return an ensemble of the first trees."""
    part = copy.copy(estimator)
    for name in ("estimators_", "estimator_weights_", "estimator_errors_"):
        if hasattr(part, name):
            setattr(part, name, getattr(part, name)[:size])
    return part


def _staged(stages: Iterator[Float], sizes: Sequence[int]) -> list[Float]:
    wanted, found, last = set(sizes), {}, np.empty(0)
    for size, stage in enumerate(stages, start=1):
        # A stage may be a view of what the next one changes.
        if size in wanted:
            found[size] = np.array(stage)
        last = stage
    # Boosting that had nothing left to learn has ended before.
    return [found[size] if size in found else np.array(last) for size in sizes]
