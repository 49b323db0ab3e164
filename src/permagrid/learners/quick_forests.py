"""Forests of scikit-learn, tree by tree the same, grown without the checks that it repeats for each tree."""

import copy
import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

Float = NDArray[np.float64]

_CHECKED = 2
"""Trees that scikit-learn grows by itself; the last of them is grown here too, to see that it is the same."""
_PARTS = (
    "children_left",
    "children_right",
    "feature",
    "threshold",
    "value",
    "impurity",
    "weighted_n_node_samples",
)


class _Quick:
    """What forests have in common that are grown quickly.

    Of some hundred rows, scikit-learn spends up to half of the time of a tree on checks of what it has
    checked before. Here it grows the first two trees; its own builder is called for the others directly, if
    that grows the second the same to the last bit. Otherwise, and where rows have weights or missing values,
    all is left to scikit-learn.
    """

    def fit(self: Any, X: Any, y: Any, sample_weight: Float | None = None) -> Any:
        """Grow the trees."""
        parent: Any = super()
        wanted = self.n_estimators
        if sample_weight is not None or not _is_plain(self):
            return parent.fit(X, y, sample_weight)
        self.n_estimators = _CHECKED
        try:
            parent.fit(X, y)
        finally:
            self.n_estimators = wanted
        trees = _grown(self, X, y, wanted)
        if trees is None:
            return parent.fit(X, y)
        self.estimators_ = trees
        return self


class QuickForestClassifier(_Quick, RandomForestClassifier):  # type: ignore[misc]
    """A random forest of classes; parameters as in scikit-learn."""


class QuickForestRegressor(_Quick, RandomForestRegressor):  # type: ignore[misc]
    """A random forest of values; parameters as in scikit-learn."""


class QuickExtraTreesClassifier(_Quick, ExtraTreesClassifier):  # type: ignore[misc]
    """Extremely randomised trees of classes; parameters as in scikit-learn."""


class QuickExtraTreesRegressor(_Quick, ExtraTreesRegressor):  # type: ignore[misc]
    """Extremely randomised trees of values; parameters as in scikit-learn."""


def _is_plain(forest: Any) -> bool:
    """Return whether trees follow from rows, values and a seed by parameters that are dealt with here."""
    numbers = (forest.n_estimators, forest.random_state, forest.min_samples_leaf, forest.min_samples_split)
    return (
        all(isinstance(number, int | np.integer) and not isinstance(number, bool) for number in numbers)
        and forest.n_estimators > _CHECKED
        and getattr(forest, "class_weight", None) is None
        and forest.max_samples is None
        and forest.max_leaf_nodes is None
        and forest.min_weight_fraction_leaf == 0.0
        and forest.ccp_alpha == 0.0
        and not (forest.warm_start or forest.oob_score or forest.verbose)
    )


def _grown(forest: Any, X: Any, y: Any, count: int) -> list[Any] | None:
    """Return all trees of a forest of which the first are grown, or None if others would come of it."""
    rows = np.ascontiguousarray(X, dtype=np.float32)
    if not np.isfinite(rows).all():
        return None
    values = np.asarray(y)
    if values.ndim != 1:
        return None
    if is_classifier(forest):
        values = np.searchsorted(forest.classes_, values)
    target = np.ascontiguousarray(values[:, np.newaxis], dtype=np.float64)
    try:
        own = _trees(forest, rows, target, count)
        next(own)
        second = next(own)
    except (ImportError, AttributeError, KeyError, TypeError, ValueError):
        # Another version of scikit-learn, whose builder is called otherwise.
        return None
    if not _same(second.tree_, forest.estimators_[1].tree_):
        return None
    return [*forest.estimators_, *own]


def _trees(forest: Any, rows: NDArray[np.float32], target: Float, count: int) -> Iterator[Any]:
    """Yield the trees of a forest, as `sklearn.tree.BaseDecisionTree` builds them."""
    known = importlib.import_module("sklearn.tree._classes")
    model = forest.estimators_[0]
    parted = known.CRITERIA_CLF if is_classifier(forest) else known.CRITERIA_REG
    classes = np.array([model.n_classes_ if is_classifier(forest) else 1], dtype=np.intp)
    depth = np.iinfo(np.int32).max if model.max_depth is None else model.max_depth
    fewest, split = model.min_samples_leaf, max(model.min_samples_split, 2 * model.min_samples_leaf)
    directions = None
    if model.monotonic_cst is not None:
        directions = np.asarray(model.monotonic_cst, dtype=np.int8) * (-1 if is_classifier(forest) else 1)
        directions = directions.astype(np.int8)
    seeds = np.random.RandomState(forest.random_state)
    for _ in range(count):
        seed = seeds.randint(np.iinfo(np.int32).max)
        counts = None
        if forest.bootstrap:
            drawn = np.random.RandomState(seed).randint(0, len(rows), len(rows))
            counts = np.bincount(drawn, minlength=len(rows)).astype(np.float64)
        purity = parted[model.criterion](1, classes if is_classifier(forest) else len(rows))
        splitter = known.DENSE_SPLITTERS[model.splitter](
            purity, model.max_features_, fewest, 0.0, np.random.RandomState(seed), directions
        )
        tree = copy.copy(model)
        tree.random_state = seed
        tree.tree_ = known.Tree(rows.shape[1], classes, 1)
        builder = known.DepthFirstTreeBuilder(
            splitter, split, fewest, 0.0, depth, model.min_impurity_decrease
        )
        builder.build(tree.tree_, rows, target, counts, None)
        yield tree


def _same(one: Any, other: Any) -> bool:
    return all(np.array_equal(getattr(one, part), getattr(other, part), equal_nan=True) for part in _PARTS)
