"""Forests of scikit-learn as tables of trees."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from permagrid.compiled.nodes import Tree

CLASSIFIERS = (RandomForestClassifier, ExtraTreesClassifier)
FORESTS = (*CLASSIFIERS, RandomForestRegressor, ExtraTreesRegressor)


def trees_of_forest(forest: Any) -> list[Tree] | None:
    """Return the trees of a fitted forest; None if it has several targets.

    Rows are compared in single precision with thresholds in double precision, which single numbers find as
    they are in double precision too.
    """
    if forest.n_outputs_ != 1:
        return None
    is_class = isinstance(forest, CLASSIFIERS)
    found = []
    for each in forest.estimators_:
        tree = each.tree_
        leaf = tree.children_left < 0
        number = np.arange(tree.node_count)
        said = tree.value[:, 0, : forest.n_classes_] if is_class else tree.value[:, 0, :1]
        found.append(
            Tree(
                np.where(leaf, -1, tree.feature).astype(np.int32),
                tree.threshold.astype(float),
                tree.children_left.astype(np.int32),
                tree.children_right.astype(np.int32),
                number.astype(np.int32),
                said.astype(float),
            )
        )
    return found


def named_classes(value: NDArray[np.float64]) -> NDArray[np.uint8] | None:
    """Return the class that each leaf names, if all name one and no other; None else."""
    hard = ((value == 0.0) | (value == 1.0)).all() and (value.sum(axis=1) == 1.0).all()
    return value.argmax(axis=1).astype(np.uint8) if hard and value.shape[1] <= 256 else None
