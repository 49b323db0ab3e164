"""Training rows of this project's own estimators: checked, with weights, and without rows of no weight."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

Float = NDArray[np.float64]
Finite = bool | str
"""True where every number must be finite, ``allow-nan`` where some may be missing."""


def training(
    estimator: Any, X: Float, y: NDArray[Any], sample_weight: Float | None, *, finite: Finite = True
) -> tuple[Float, NDArray[Any], Float]:
    """Return rows, target and weights of the rows that have any; a classifier is told its ``classes_``.

    A parameter ``class_weight`` of the estimator, ``balanced`` or class -> weight, is part of the weights.

    Parameters
    ----------
    estimator
        What is fitted.
    X, y, sample_weight
        What its ``fit`` was given.
    finite
        Which numbers may be missing.

    Raises
    ------
    ValueError
        If the rows are not what scikit-learn asks for, or a classifier is shown one class alone.
    """
    values = not is_classifier(estimator)
    X, y = validate_data(estimator, X, y, dtype=float, ensure_all_finite=finite, y_numeric=values)
    weights = _check_sample_weight(sample_weight, X, dtype=float)
    kept = weights > 0
    X, y, weights = X[kept], y[kept], weights[kept]
    if values:
        return X, y.astype(float), weights
    check_classification_targets(y)
    estimator.classes_ = np.unique(y)
    if len(estimator.classes_) < 2:
        raise ValueError(f"the classifier needs two classes, and finds one class: {y[:1]}")
    class_weight = getattr(estimator, "class_weight", None)
    if class_weight == "balanced":
        weights = balanced(y, weights)
    elif class_weight is not None:
        weights = weights * compute_sample_weight(class_weight, y)
    return X, y, weights


def balanced(y: NDArray[Any], weights: Float) -> Float:
    """Return weights of rows of which every class has the same sum, and all as much as before.

    Examples
    --------
    >>> balanced(np.array([0, 0, 0, 1]), np.ones(4)).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0]
    """
    _, numbers = np.unique(y, return_inverse=True)
    sums = np.bincount(numbers, weights)
    return np.asarray(weights * (sums.sum() / (len(sums) * sums))[numbers])


def asked(estimator: Any, X: Float, *, finite: Finite = True) -> Float:
    """Return rows to predict, in one piece of memory.

    Raises
    ------
    ValueError
        If the estimator is not fitted, or they are not like its training rows.
    """
    check_is_fitted(estimator)
    rows = validate_data(estimator, X, dtype=float, ensure_all_finite=finite, reset=False)
    return np.ascontiguousarray(rows)
