"""One fit for several trials: smaller numbers of trees are parts of larger ones, and means share members."""

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from permagrid.errors import PermagridError

_MEANS = (RandomForestRegressor.predict, RandomForestClassifier.predict_proba)
"""Predictions of forests that are means over their trees."""
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


def beside(trials: Sequence[Keywords], shared: Sequence[str]) -> list[list[int]]:
    """Return numbers of trials by what they share beside a fit: those that differ only in some keywords.

    Examples
    --------
    >>> beside([{"C": 1, "gamma": 2}, {"C": 1, "gamma": 3}, {"C": 5, "gamma": 2}], ["C"])
    [[0, 2], [1]]
    """
    groups: dict[str, list[int]] = {}
    for number, keywords in enumerate(trials):
        rest = {key: value for key, value in keywords.items() if key not in shared}
        groups.setdefault(told(rest), []).append(number)
    return list(groups.values())


def _counted(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) > 0


def can_be_cut(estimator: Any, *, proba: bool) -> bool:
    """Return whether `predicted_by_parts` knows how to read smaller fits from a fitted estimator.

    Examples
    --------
    >>> from sklearn.ensemble import ExtraTreesRegressor
    >>> from sklearn.linear_model import LinearRegression
    >>> rows, values = np.eye(4), np.arange(4.0)
    >>> models = [model.fit(rows, values) for model in (ExtraTreesRegressor(3), LinearRegression())]
    >>> [can_be_cut(model, proba=False) for model in models]
    [True, False]
    """
    last, name = _last(estimator), _name(proba)
    known = hasattr(last, "estimators_") or hasattr(last, f"staged_{name}")
    return known or _keyword(getattr(last, name)) is not None


def predicted_by_parts(estimator: Any, rows: Float, sizes: Sequence[int], *, proba: bool) -> list[Float]:
    """Return what fits with the first 1 to `size` trees would predict, for each size.

    Each tree rests on those before it and on no later one, so these are the predictions of smaller fits, bit
    by bit.

    Parameters
    ----------
    estimator
        A fitted estimator that `can_be_cut`: trees that are averaged or boosted, alone or at the end of a
        pipeline.
    rows
        Shape ``(n, columns)``.
    sizes
        Numbers of trees, none above that of the estimator.
    proba
        Whether probabilities are wanted, shape ``(n, classes)``, or values, shape ``(n,)``.
    """
    for _, step in getattr(estimator, "steps", [])[:-1]:
        rows = step.transform(rows)
    last, name = _last(estimator), _name(proba)
    keyword = _keyword(getattr(last, name))
    if keyword is not None:
        parts = [{keyword: (0, size) if keyword == "iteration_range" else size} for size in sizes]
        return [np.asarray(getattr(last, name)(rows, **part)) for part in parts]
    if getattr(type(last), name) in _MEANS:
        return _means(last, rows, sizes, name)
    if hasattr(last, "estimators_"):
        return [np.asarray(getattr(_cut(last, size), name)(rows)) for size in sizes]
    return _staged(getattr(last, f"staged_{name}")(rows), sizes)


def _means(forest: Any, rows: Float, sizes: Sequence[int], name: str) -> list[Float]:
    """Return means over the first trees, summed in their order as scikit-learn does."""
    asked = np.ascontiguousarray(rows, dtype=np.float32)
    total, found = 0.0, {}
    for number, tree in enumerate(forest.estimators_[: max(sizes)], start=1):
        total = total + getattr(tree, name)(asked, check_input=False)
        if number in sizes:
            found[number] = np.asarray(total / number)
    return [found[size] for size in sizes]


def _last(estimator: Any) -> Any:
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator


def _name(proba: bool) -> str:
    return "predict_proba" if proba else "predict"


def _keyword(predict: Any) -> str | None:
    """Return the keyword by which a method is told the number of trees, if it has one."""
    known = inspect.signature(predict).parameters
    return next((name for name in ("trees", "num_iteration", "iteration_range") if name in known), None)


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


_MOST_SAID = 4096
"""Predictions of members that are kept: 16 MB for 500 test rows."""


def has_members(estimator: Any) -> bool:
    """Return whether `predicted_by_members` can fit an estimator, not yet fitted, member by member."""
    return all(hasattr(estimator, name) for name in ("members", "said_by", "combined"))


def predicted_by_members(
    estimator: Any,
    training: tuple[Float, Float, Float | None],
    rows: Float,
    seen_by: Callable[[Sequence[int] | None], str],
    said: dict[str, Float],
) -> Float:
    """Return what an estimator predicts once it is fitted, from members of which some have spoken before.

    Parameters
    ----------
    estimator
        Not yet fitted, with three methods: ``members()`` lists for each member what it is made of, as plain
        values, and the columns that it sees, None for all; ``said_by(number, rows, values, weights, asked)``
        fits a member and returns its predictions; ``combined(said)`` makes of those of all members, in order,
        the predictions of the estimator. A member is to be the same whatever stands beside it.
    training
        Rows, values and weights that it is fitted to.
    rows
        Rows that are predicted.
    seen_by
        Gives for columns a text that two members share only if they see the same there, in `training` and in
        `rows`.
    said
        What members predicted before; what is missing is added.
    """
    parts = []
    for number, (made_of, columns) in enumerate(estimator.members()):
        key = told([seen_by(columns), told(made_of)])
        if key not in said:
            part = estimator.said_by(number, *training, rows)
            while len(said) >= _MOST_SAID:
                said.pop(next(iter(said)))
            said[key] = part
        parts.append(said[key])
    return np.asarray(estimator.combined(parts))
