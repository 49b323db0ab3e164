"""Predictions of the smaller learners within a grown one: the first trees of a forest or of boosting."""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import Pipeline

from permagrid.errors import PermagridError
from permagrid.learners.boosted import (
    LightGBMClassifier,
    LightGBMRegressor,
    XGBoostClassifier,
    XGBoostRegressor,
)

Float = NDArray[np.float64]


def prefix_predictions(fitted: Any, rows: Float, counts: Sequence[int]) -> dict[int, Float]:
    """Return what a fitted learner would predict if it had been fitted with fewer trees.

    To the last bit: trees are drawn and fitted one after the other, so that the first ones are those of a
    smaller learner of the same seed. What this keyword is called says the trait ``grown`` of a learner.

    Parameters
    ----------
    fitted
        A learner of `build_learner`, fitted.
    rows
        Rows to predict, shape ``(n, covariates)``.
    counts
        Numbers of trees, each at most that with which it was fitted.

    Returns
    -------
    dict
        Count -> values, shape ``(n,)``, or probabilities of classes, shape ``(n, classes)``.

    Raises
    ------
    PermagridError
        If the learner does not grow, or a count is below 1 or above its number of trees.

    Examples
    --------
    >>> from permagrid.learners import build_learner
    >>> X, y = np.arange(20.0)[:, np.newaxis], np.arange(20.0)
    >>> large = build_learner("random_forest", "value", 0, {"n_estimators": 9}).fit(X, y)
    >>> small = build_learner("random_forest", "value", 0, {"n_estimators": 4}).fit(X, y)
    >>> bool((prefix_predictions(large, X, [4])[4] == small.predict(X)).all())
    True
    """
    rows = np.asarray(rows, dtype=float)
    if isinstance(fitted, Pipeline):
        for _, step in fitted.steps[:-1]:
            rows = step.transform(rows)
        fitted = fitted.steps[-1][1]
    found = next((way for kinds, way in _WAYS.items() if isinstance(fitted, kinds)), None)
    if found is None:
        raise PermagridError(f"{type(fitted).__name__} is not grown tree by tree, so that it has no prefixes")
    most = fitted.max_iter if hasattr(fitted, "max_iter") else fitted.n_estimators
    wanted = sorted(set(counts))
    if wanted and not 1 <= wanted[0] <= wanted[-1] <= most:
        raise PermagridError(
            f"prefixes need counts of 1 to {most}, the number of trees; found {', '.join(map(str, wanted))}"
        )
    return dict(found(fitted, rows, wanted))


def _of_forest(forest: Any, rows: Float, counts: Sequence[int]) -> Iterator[tuple[int, Float]]:
    single = forest._validate_X_predict(rows)
    total: Any = 0.0
    for number, tree in enumerate(forest.estimators_[: max(counts, default=0)], 1):
        ask = tree.predict_proba if is_classifier(forest) else tree.predict
        total = total + ask(single, check_input=False)
        if number in counts:
            yield number, total / number


def _of_histograms(boosted: Any, rows: Float, counts: Sequence[int]) -> Iterator[tuple[int, Float]]:
    stages = boosted.staged_predict_proba if is_classifier(boosted) else boosted.staged_predict
    for number, predicted in enumerate(stages(rows), 1):
        if number in counts:
            yield number, predicted
        if number == max(counts, default=0):
            return


def _of_library(boosted: Any, rows: Float, counts: Sequence[int]) -> Iterator[tuple[int, Float]]:
    ask = boosted.predict_proba if is_classifier(boosted) else boosted.predict
    for count in counts:
        yield count, ask(rows, trees=count)


def _of_adaboost(boosted: Any, rows: Float, counts: Sequence[int]) -> Iterator[tuple[int, Float]]:
    for count in counts:
        first = copy(boosted)
        first.estimators_ = boosted.estimators_[:count]
        first.estimator_weights_ = boosted.estimator_weights_[:count]
        yield count, first.predict_proba(rows) if is_classifier(boosted) else first.predict(rows)


_WAYS: dict[tuple[type, ...], Callable[[Any, Float, Sequence[int]], Iterator[tuple[int, Float]]]] = {
    (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor): _of_forest,
    (HistGradientBoostingClassifier, HistGradientBoostingRegressor): _of_histograms,
    (LightGBMClassifier, LightGBMRegressor, XGBoostClassifier, XGBoostRegressor): _of_library,
    (AdaBoostClassifier, AdaBoostRegressor): _of_adaboost,
}
"""Kinds of estimators -> ``(fitted, rows, counts)`` yields counts with predictions."""
