"""Boosted trees of LightGBM and XGBoost as estimators: one thread, one answer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from permagrid.learners.ranges import Balance
from permagrid.learners.training import asked, training

Float = NDArray[np.float64]


class _Boosted(BaseEstimator, ABC):  # type: ignore[misc]
    """What boosted trees of both libraries have in common.

    Missing values are allowed, in columns of classes too: there they stand for a class never seen.

    Parameters
    ----------
    parameters
        Of the library, as it calls them; its own where they are left out.
    n_estimators
        Number of trees; for more than two classes, of each class.
    categorical_features
        Places of columns that hold numbers of classes.
    monotonic_cst
        Direction of each column: 1, -1 or 0 for none.
    class_weight
        ``balanced`` weighs classes by their inverse frequency; for classes only.
    random_state
        Seed.

    Attributes
    ----------
    model_
        The fitted booster of the library.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any] | None = None,
        *,
        n_estimators: int = 300,
        categorical_features: Sequence[int] | None = None,
        monotonic_cst: Sequence[int] | None = None,
        class_weight: Balance = None,
        random_state: int = 0,
    ) -> None:
        self.parameters, self.n_estimators, self.random_state = parameters, n_estimators, random_state
        self.categorical_features, self.monotonic_cst = categorical_features, monotonic_cst
        self.class_weight = class_weight

    @abstractmethod
    def _train(self, rows: Float, target: Float, weights: Float, classes: int) -> Any:
        """Return what the library trains; `classes` is 0 for values."""

    @property
    def feature_importances_(self) -> Float:
        """Share of each column in what all splits gained, shape ``(columns,)``; 0 throughout without splits.

        The gain of a split is by how much it lowers the loss. A learner that is not yet fitted has none.
        """
        gained = self._gained(self.model_)
        return np.asarray(gained / max(float(gained.sum()), 1e-300))

    @abstractmethod
    def _gained(self, booster: Any) -> Float:
        """Return what all splits on each column gained together."""

    @abstractmethod
    def _raw(self, rows: Float, trees: int) -> Float:
        """Return values, or the probability of the second class, or of each, by the first trees alone."""

    def _fit(self, X: Float, y: NDArray[Any], sample_weight: Float | None, *, is_class: bool) -> None:
        X, y, weights = training(self, X, y, sample_weight, finite="allow-nan")
        if is_class:
            numbers = np.searchsorted(self.classes_, y).astype(float)
            self.model_ = self._train(X, numbers, weights, len(self.classes_))
        else:
            self.model_ = self._train(X, y, weights, 0)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class _Values(RegressorMixin, _Boosted):  # type: ignore[misc]
    """Boosted trees of values."""

    def fit(self, X: Float, y: Float, sample_weight: Float | None = None) -> "_Values":
        """Fit the trees."""
        self._fit(X, y, sample_weight, is_class=False)
        return self

    def predict(self, X: Float, trees: int | None = None) -> Float:
        """Return predictions, shape ``(n,)``, by all trees or the first few."""
        rows = asked(self, X, finite="allow-nan")
        return self._raw(rows, trees or self.n_estimators).astype(float)


class _Classes(ClassifierMixin, _Boosted):  # type: ignore[misc]
    """Boosted trees of classes."""

    def fit(self, X: Float, y: NDArray[Any], sample_weight: Float | None = None) -> "_Classes":
        """Fit the trees."""
        self._fit(X, y, sample_weight, is_class=True)
        return self

    def predict_proba(self, X: Float, trees: int | None = None) -> Float:
        """Return probabilities of the classes, shape ``(n, classes)``, by all trees or the first few."""
        rows = asked(self, X, finite="allow-nan")
        found = self._raw(rows, trees or self.n_estimators).astype(float)
        if found.ndim == 1:
            return np.stack([1.0 - found, found], axis=1)
        # In single precision their sum is not 1 to the last digit.
        total = np.zeros(len(found))
        for column in found.T:
            total = total + column
        return np.asarray(found / total[:, np.newaxis])

    def predict(self, X: Float) -> NDArray[Any]:
        """Return the likeliest classes, shape ``(n,)``."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])


class LightGBMRegressor(_Values):
    """Boosted trees of values by LightGBM; parameters as in `_Boosted`."""

    def _train(self, rows: Float, target: Float, weights: Float, classes: int) -> Any:
        return _train_lightgbm(self, rows, target, weights, classes)

    def _gained(self, booster: Any) -> Float:
        return _gained_lightgbm(booster)

    def _raw(self, rows: Float, trees: int) -> Float:
        return _raw_lightgbm(self.model_, rows, trees)


class LightGBMClassifier(_Classes):
    """Boosted trees of classes by LightGBM; parameters as in `_Boosted`."""

    def _train(self, rows: Float, target: Float, weights: Float, classes: int) -> Any:
        return _train_lightgbm(self, rows, target, weights, classes)

    def _gained(self, booster: Any) -> Float:
        return _gained_lightgbm(booster)

    def _raw(self, rows: Float, trees: int) -> Float:
        return _raw_lightgbm(self.model_, rows, trees)


class XGBoostRegressor(_Values):
    """Boosted trees of values by XGBoost; parameters as in `_Boosted`."""

    def _train(self, rows: Float, target: Float, weights: Float, classes: int) -> Any:
        return _train_xgboost(self, rows, target, weights, classes)

    def _gained(self, booster: Any) -> Float:
        return _gained_xgboost(self, booster)

    def _raw(self, rows: Float, trees: int) -> Float:
        return _raw_xgboost(self, rows, trees)


class XGBoostClassifier(_Classes):
    """Boosted trees of classes by XGBoost; parameters as in `_Boosted`."""

    def _train(self, rows: Float, target: Float, weights: Float, classes: int) -> Any:
        return _train_xgboost(self, rows, target, weights, classes)

    def _gained(self, booster: Any) -> Float:
        return _gained_xgboost(self, booster)

    def _raw(self, rows: Float, trees: int) -> Float:
        return _raw_xgboost(self, rows, trees)


def _train_lightgbm(learner: _Boosted, rows: Float, target: Float, weights: Float, classes: int) -> Any:
    lightgbm = import_module("lightgbm")
    settings = {
        **(learner.parameters or {}),
        "objective": {0: "regression", 2: "binary"}.get(classes, "multiclass"),
        "seed": learner.random_state,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    if classes > 2:
        settings["num_class"] = classes
    if learner.monotonic_cst is not None:
        settings["monotone_constraints"] = list(learner.monotonic_cst)
    data = lightgbm.Dataset(
        rows,
        target,
        weight=weights,
        categorical_feature=list(learner.categorical_features or []),
        params={"verbosity": -1, "num_threads": 1},
    )
    return lightgbm.train(settings, data, num_boost_round=learner.n_estimators)


def _raw_lightgbm(booster: Any, rows: Float, trees: int) -> Float:
    return np.asarray(booster.predict(rows, num_iteration=trees, num_threads=1))


def _gained_lightgbm(booster: Any) -> Float:
    return np.asarray(booster.feature_importance("gain"), dtype=float)


def _train_xgboost(learner: _Boosted, rows: Float, target: Float, weights: Float, classes: int) -> Any:
    xgboost = import_module("xgboost")
    settings = {
        **(learner.parameters or {}),
        "objective": {0: "reg:squarederror", 2: "binary:logistic"}.get(classes, "multi:softprob"),
        "seed": learner.random_state,
        "nthread": 1,
        "tree_method": "hist",
        "verbosity": 0,
    }
    if classes > 2:
        settings["num_class"] = classes
    if learner.monotonic_cst is not None:
        settings["monotone_constraints"] = tuple(learner.monotonic_cst)
    data = _matrix(learner, rows, label=target, weight=weights)
    return xgboost.train(settings, data, num_boost_round=learner.n_estimators)


def _raw_xgboost(learner: _Boosted, rows: Float, trees: int) -> Float:
    return np.asarray(learner.model_.predict(_matrix(learner, rows), iteration_range=(0, trees)))


def _gained_xgboost(learner: _Boosted, booster: Any) -> Float:
    # Columns without a split are not among them.
    told = booster.get_score(importance_type="total_gain")
    return np.array([told.get(f"f{column}", 0.0) for column in range(learner.n_features_in_)])


def _matrix(learner: _Boosted, rows: Float, **columns: Float) -> Any:
    hot = set(learner.categorical_features or [])
    kinds = ["c" if index in hot else "q" for index in range(rows.shape[1])]
    # In one thread, as its default starts one for every core.
    return import_module("xgboost").DMatrix(
        rows, feature_types=kinds, enable_categorical=bool(hot), nthread=1, **columns
    )
