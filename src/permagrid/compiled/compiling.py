"""From a fitted estimator to its compiled form, if it has one."""

import sys
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from permagrid.compiled.forest import CompiledForest
from permagrid.compiled.nodes import forest_of
from permagrid.compiled.read_boosted import Set, boosted_trees
from permagrid.compiled.read_forest import CLASSIFIERS, FORESTS, named_classes, trees_of_forest

_NOBODY = np.zeros(0, dtype=np.uint8)


def compile_trees(estimator: Any) -> CompiledForest | None:
    """Return the compiled form of fitted trees; None if they have none and must predict by themselves.

    Compiled are random forests and extremely randomised trees of scikit-learn with one target, and boosted
    trees of LightGBM of one target, two classes or more: as a booster, as its own estimators, and as an
    estimator that holds a booster as `model_`. Not compiled here are boosters with splits by sets of classes
    (see `compile_estimator`), with zero as the missing value, with lines in their leaves, of other
    objectives, and those that average trees.

    Predictions are those of `predict_proba` of classifiers and of `predict` of all others.

    Parameters
    ----------
    estimator
        What is fitted.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> rows = np.arange(40.0).reshape(20, 2)
    >>> grown = RandomForestRegressor(n_estimators=5, random_state=0).fit(rows, rows[:, 0])
    >>> compiled = compile_trees(grown)
    >>> np.array_equal(compiled.predict(rows), grown.predict(rows))
    True
    """
    found = trees_and_sets(estimator)
    return None if found is None or found[1] else found[0]


def trees_and_sets(estimator: Any) -> tuple[CompiledForest, tuple[Set, ...]] | None:
    """Return compiled trees, and the sets of classes that they ask for in columns behind the estimator's own.

    Parameters
    ----------
    estimator
        As of `compile_trees`.
    """
    if isinstance(estimator, FORESTS):
        check_is_fitted(estimator)
        forest = _of_forest(estimator)
        return None if forest is None else (forest, ())
    lightgbm = sys.modules.get("lightgbm")
    if lightgbm is None:
        return None
    if isinstance(estimator, lightgbm.Booster):
        return _of_booster(estimator, None, is_class=False)
    if isinstance(estimator, lightgbm.LGBMModel):
        check_is_fitted(estimator)
        return _of_booster(estimator.booster_, None, is_class=is_classifier(estimator))
    booster = getattr(estimator, "model_", None)
    if isinstance(booster, lightgbm.Booster):
        return _of_booster(booster, estimator.n_estimators, is_class=is_classifier(estimator))
    return None


def _of_forest(estimator: Any) -> CompiledForest | None:
    trees = trees_of_forest(estimator)
    if trees is None:
        return None
    forest = forest_of(trees, estimator.n_features_in_)
    is_class = isinstance(estimator, CLASSIFIERS)
    named = named_classes(forest.value) if is_class else None
    columns = np.zeros(len(trees), dtype=np.int32)
    outputs = forest.value.shape[1]
    return CompiledForest(forest, _NOBODY if named is None else named, columns, outputs, "mean", is_class)


def _of_booster(
    booster: Any, rounds: int | None, *, is_class: bool
) -> tuple[CompiledForest, tuple[Set, ...]] | None:
    found = boosted_trees(booster, rounds)
    if found is None:
        return None
    columns = (np.arange(len(found.trees)) % found.a_round).astype(np.int32)
    forest, several = forest_of(found.trees, found.columns), found.a_round
    compiled = CompiledForest(
        forest, _NOBODY, columns, several, found.link, is_class, found.steepness, single=False
    )
    return compiled, found.sets
