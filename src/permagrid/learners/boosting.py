"""Learners of boosted trees: each small tree is fitted to what those before it left over."""

from importlib.util import find_spec
from typing import Any

from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from permagrid.errors import PermagridError
from permagrid.learners.boosted import (
    LightGBMClassifier,
    LightGBMRegressor,
    XGBoostClassifier,
    XGBoostRegressor,
)
from permagrid.learners.ranges import (
    Balance,
    Directions,
    above_zero,
    at_least,
    directions,
    for_classes_only,
    share,
)
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.traits import traits


@LEARNERS.register
@traits(
    space={"max_leaf_nodes": (4, 8), "min_samples_leaf": (10, 30), "max_iter": (50, 120, 300)},
    weights=True,
    monotone=True,
    grown="max_iter",
)
def gradient_boosting(
    setting: Setting,
    *,
    max_iter: int = 300,
    learning_rate: float = 0.05,
    max_leaf_nodes: int = 15,
    min_samples_leaf: int = 20,
    l2_regularization: float = 1.0,
    class_weight: Balance = None,
    monotone: Directions | None = None,
) -> Any:
    """Return gradient-boosted trees on binned covariates (Ke et al. 2017).

    Class covariates enter as categories, at most 255 classes each, unless the study says otherwise.

    Parameters
    ----------
    setting
        What it is built for.
    max_iter
        Number of trees (for more than two classes, of each class).
    learning_rate
        Factor by which each tree's contribution shrinks.
    max_leaf_nodes
        Most leaves of a tree.
    min_samples_leaf
        Fewest rows in a leaf.
    l2_regularization
        Penalty of large values in leaves; 0 is none.
    class_weight
        ``balanced`` weighs classes by their inverse frequency; for classes only.
    monotone
        Covariate -> 1 where the target (of two classes: the probability of the higher) may only rise with
        it, -1 where it may only fall.

    Raises
    ------
    PermagridError
        If a keyword is out of its range, or `class_weight` is given for values.
    """
    learner = "gradient_boosting"
    at_least(learner, 1, max_iter=max_iter, min_samples_leaf=min_samples_leaf)
    at_least(learner, 2, max_leaf_nodes=max_leaf_nodes)
    at_least(learner, 0, l2_regularization=l2_regularization)
    at_least(learner, 1e-9, learning_rate=learning_rate)
    for_classes_only(learner, setting, class_weight=class_weight)
    keywords = {
        "max_iter": max_iter,
        "learning_rate": learning_rate,
        "max_leaf_nodes": max_leaf_nodes,
        "min_samples_leaf": min_samples_leaf,
        "l2_regularization": l2_regularization,
        "monotonic_cst": directions(learner, setting, monotone),
        "early_stopping": False,
        "random_state": setting.seed,
    }
    if setting.task == "value":
        return HistGradientBoostingRegressor(**keywords)
    return HistGradientBoostingClassifier(class_weight=class_weight, **keywords)


@LEARNERS.register
@traits(
    space={"num_leaves": (4, 8), "min_child_samples": (10, 30), "n_estimators": (50, 120, 300)},
    weights=True,
    monotone=True,
    grown="n_estimators",
)
def lightgbm(  # noqa: PLR0913
    setting: Setting,
    *,
    n_estimators: int = 300,
    learning_rate: float = 0.05,
    num_leaves: int = 15,
    min_child_samples: int = 20,
    reg_lambda: float = 1.0,
    subsample: float = 1.0,
    colsample_bytree: float = 1.0,
    class_weight: Balance = None,
    monotone: Directions | None = None,
) -> Any:
    """Return boosted trees of LightGBM (Ke et al. 2017, LightGBM: a highly efficient gradient boosting tree).

    Class covariates enter as categories, unless the study says otherwise.

    Parameters
    ----------
    setting
        What it is built for.
    n_estimators
        Number of trees (for more than two classes, of each class).
    learning_rate
        Factor by which each tree's contribution shrinks.
    num_leaves
        Most leaves of a tree.
    min_child_samples
        Fewest rows in a leaf.
    reg_lambda
        Penalty of large values in leaves; 0 is none.
    subsample
        Share of the rows, drawn anew for each tree.
    colsample_bytree
        Share of the covariates, drawn anew for each tree.
    class_weight
        ``balanced`` weighs classes by their inverse frequency; for classes only.
    monotone
        Covariate -> 1 where the target (of two classes: the probability of the higher) may only rise with
        it, -1 where it may only fall.

    Raises
    ------
    PermagridError
        If a keyword is out of its range, or `class_weight` is given for values.
    """
    at_least("lightgbm", 1, n_estimators=n_estimators, min_child_samples=min_child_samples)
    at_least("lightgbm", 2, num_leaves=num_leaves)
    at_least("lightgbm", 0, reg_lambda=reg_lambda)
    above_zero("lightgbm", learning_rate=learning_rate)
    share("lightgbm", subsample=subsample, colsample_bytree=colsample_bytree)
    for_classes_only("lightgbm", setting, class_weight=class_weight)
    parameters = {
        "learning_rate": learning_rate,
        "num_leaves": num_leaves,
        "min_data_in_leaf": min_child_samples,
        "lambda_l2": reg_lambda,
        "bagging_fraction": subsample,
        "bagging_freq": 1 if subsample < 1.0 else 0,
        "feature_fraction": colsample_bytree,
    }
    model = LightGBMRegressor if setting.task == "value" else LightGBMClassifier
    return model(
        parameters,
        n_estimators=n_estimators,
        monotonic_cst=directions("lightgbm", setting, monotone),
        class_weight=class_weight,
        random_state=setting.seed,
    )


@LEARNERS.register
@traits(
    space={"max_depth": (2, 4), "min_child_weight": (1.0, 5.0), "n_estimators": (50, 120, 300)},
    weights=True,
    monotone=True,
    grown="n_estimators",
)
def xgboost(  # noqa: PLR0913
    setting: Setting,
    *,
    n_estimators: int = 300,
    learning_rate: float = 0.05,
    max_depth: int = 4,
    min_child_weight: float = 1.0,
    reg_lambda: float = 1.0,
    subsample: float = 1.0,
    colsample_bytree: float = 1.0,
    class_weight: Balance = None,
    monotone: Directions | None = None,
) -> Any:
    """Return boosted trees of XGBoost (Chen and Guestrin 2016, doi:10.1145/2939672.2939785).

    It is not installed with permagrid itself, but with its extra ``boost``. Class covariates enter as
    categories, unless the study says otherwise. It computes in single precision.

    Parameters
    ----------
    setting
        What it is built for.
    n_estimators
        Number of trees (for more than two classes, of each class).
    learning_rate
        Factor by which each tree's contribution shrinks.
    max_depth
        Most splits from the root of a tree to a leaf.
    min_child_weight
        Fewest rows in a leaf; for classes the sum of their p (1 - p) as predicted so far.
    reg_lambda
        Penalty of large values in leaves; 0 is none.
    subsample
        Share of the rows, drawn anew for each tree.
    colsample_bytree
        Share of the covariates, drawn anew for each tree.
    class_weight
        ``balanced`` weighs classes by their inverse frequency; for classes only.
    monotone
        Covariate -> 1 where the target (of two classes: the probability of the higher) may only rise with
        it, -1 where it may only fall.

    Raises
    ------
    PermagridError
        If XGBoost is not installed, a keyword is out of its range, or `class_weight` is given for values.
    """
    if find_spec("xgboost") is None:
        raise PermagridError(
            "xgboost: the package xgboost is not installed; install permagrid with its extra boost, as in "
            "pip install 'permagrid[boost]'"
        )
    at_least("xgboost", 1, n_estimators=n_estimators, max_depth=max_depth)
    at_least("xgboost", 0, reg_lambda=reg_lambda, min_child_weight=min_child_weight)
    above_zero("xgboost", learning_rate=learning_rate)
    share("xgboost", subsample=subsample, colsample_bytree=colsample_bytree)
    for_classes_only("xgboost", setting, class_weight=class_weight)
    parameters = {
        "learning_rate": learning_rate,
        "max_depth": max_depth,
        "min_child_weight": min_child_weight,
        "reg_lambda": reg_lambda,
        "subsample": subsample,
        "colsample_bytree": colsample_bytree,
    }
    model = XGBoostRegressor if setting.task == "value" else XGBoostClassifier
    return model(
        parameters,
        n_estimators=n_estimators,
        monotonic_cst=directions("xgboost", setting, monotone),
        class_weight=class_weight,
        random_state=setting.seed,
    )
