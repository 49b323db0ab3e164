"""Learners of trees, single and in forests: each split asks one covariate one question."""

from typing import Any, Literal

from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from permagrid.learners.quick_forests import (
    QuickExtraTreesClassifier,
    QuickExtraTreesRegressor,
    QuickForestClassifier,
    QuickForestRegressor,
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

_Split = float | Literal["sqrt", "log2"] | None


@LEARNERS.register
@traits(
    space={"max_depth": (4, 8, None), "min_samples_leaf": (1, 5, 20)},
    weights=True,
    monotone=True,
)
def decision_tree(
    setting: Setting,
    *,
    max_depth: int | None = None,
    min_samples_leaf: int = 5,
    ccp_alpha: float = 0.0,
    class_weight: Balance = None,
    monotone: Directions | None = None,
) -> Any:
    """Return a single tree (Breiman et al. 1984, Classification and regression trees).

    Parameters
    ----------
    setting
        What it is built for.
    max_depth
        Most splits from the root to a leaf; not limited if left out.
    min_samples_leaf
        Fewest rows in a leaf.
    ccp_alpha
        Least gain in impurity by which a branch earns each of its leaves; branches that gain less are cut
        off again.
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
    at_least("decision_tree", 1, max_depth=max_depth, min_samples_leaf=min_samples_leaf)
    at_least("decision_tree", 0, ccp_alpha=ccp_alpha)
    for_classes_only("decision_tree", setting, class_weight=class_weight)
    shared = {
        "max_depth": max_depth,
        "min_samples_leaf": min_samples_leaf,
        "ccp_alpha": ccp_alpha,
        "monotonic_cst": directions("decision_tree", setting, monotone),
        # Splits of equal gain are chosen among at random.
        "random_state": setting.seed,
    }
    if setting.task == "value":
        return DecisionTreeRegressor(**shared)
    return DecisionTreeClassifier(class_weight=class_weight, **shared)


@LEARNERS.register
@traits(
    space={"max_features": (None, 0.5, 1.0), "min_samples_leaf": (1, 3, 10)},
    weights=True,
    monotone=True,
    grown="n_estimators",
)
def random_forest(
    setting: Setting,
    *,
    n_estimators: int = 500,
    max_features: _Split = None,
    min_samples_leaf: int = 1,
    min_samples_split: int = 2,
    max_depth: int | None = None,
    class_weight: Balance = None,
    monotone: Directions | None = None,
) -> Any:
    """Return a random forest (Breiman 2001, doi:10.1023/A:1010933404324).

    Parameters
    ----------
    setting
        What it is built for.
    n_estimators
        Number of trees.
    max_features
        Share of the covariates, above 0 to 1, or ``sqrt`` or ``log2`` of their number, among which
        each split chooses; a third for values and the square root for classes if left out.
    min_samples_leaf
        Fewest rows in a leaf.
    min_samples_split
        Fewest rows that are split further, 2 or more.
    max_depth
        Most splits from the root to a leaf; not limited if left out.
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
    keywords = _forest("random_forest", setting, n_estimators, max_features, max_depth)
    keywords |= _fewest("random_forest", min_samples_leaf, min_samples_split)
    for_classes_only("random_forest", setting, class_weight=class_weight)
    keywords["monotonic_cst"] = directions("random_forest", setting, monotone)
    if setting.task == "value":
        return QuickForestRegressor(**{"max_features": 1 / 3, **keywords})
    return QuickForestClassifier(**{"max_features": "sqrt", **keywords}, class_weight=class_weight)


@LEARNERS.register
@traits(
    space={"max_features": (None, 0.3), "min_samples_leaf": (1, 3, 10)},
    weights=True,
    monotone=True,
    grown="n_estimators",
)
def extra_trees(
    setting: Setting,
    *,
    n_estimators: int = 500,
    max_features: _Split = None,
    min_samples_leaf: int = 1,
    min_samples_split: int = 2,
    max_depth: int | None = None,
    class_weight: Balance = None,
    monotone: Directions | None = None,
) -> Any:
    """Return extremely randomised trees (Geurts et al. 2006, doi:10.1007/s10994-006-6226-1).

    Each tree is grown of all rows, and of each covariate that a split looks at it tries one threshold drawn
    by chance.

    Parameters
    ----------
    setting
        What it is built for.
    n_estimators
        Number of trees.
    max_features
        Share of the covariates, above 0 to 1, or ``sqrt`` or ``log2`` of their number, among which
        each split chooses; all for values and the square root for classes if left out.
    min_samples_leaf
        Fewest rows in a leaf.
    min_samples_split
        Fewest rows that are split further, 2 or more.
    max_depth
        Most splits from the root to a leaf; not limited if left out.
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
    keywords = _forest("extra_trees", setting, n_estimators, max_features, max_depth)
    keywords |= _fewest("extra_trees", min_samples_leaf, min_samples_split)
    for_classes_only("extra_trees", setting, class_weight=class_weight)
    keywords["monotonic_cst"] = directions("extra_trees", setting, monotone)
    if setting.task == "value":
        return QuickExtraTreesRegressor(**{"max_features": 1.0, **keywords})
    return QuickExtraTreesClassifier(**{"max_features": "sqrt", **keywords}, class_weight=class_weight)


@LEARNERS.register
@traits(
    space={"max_depth": (1, 2, 4), "n_estimators": (20, 50, 150)},
    weights=True,
    grown="n_estimators",
)
def adaboost(
    setting: Setting, *, n_estimators: int = 200, learning_rate: float = 0.5, max_depth: int = 3
) -> Any:
    """Return small trees, each fitted to where those before it failed.

    Classes by the multi-class rule of Zhu et al. (2009, doi:10.4310/SII.2009.v2.n3.a8), whose probabilities
    are the exponentials of its scores and lie near 1 / classes; values by the weighted median of Drucker
    (1997, Improving regressors using boosting techniques).

    Parameters
    ----------
    setting
        What it is built for.
    n_estimators
        Most trees; fewer where one of them fits every row.
    learning_rate
        Factor by which each tree's say shrinks.
    max_depth
        Most splits from the root of a tree to a leaf.

    Raises
    ------
    PermagridError
        If a keyword is out of its range.
    """
    at_least("adaboost", 1, n_estimators=n_estimators, max_depth=max_depth)
    above_zero("adaboost", learning_rate=learning_rate)
    shared = {
        "n_estimators": n_estimators,
        "learning_rate": learning_rate,
        "random_state": setting.seed,
    }
    if setting.task == "value":
        return AdaBoostRegressor(DecisionTreeRegressor(max_depth=max_depth), **shared)
    return AdaBoostClassifier(DecisionTreeClassifier(max_depth=max_depth), **shared)


def _forest(
    learner: str,
    setting: Setting,
    n_estimators: int,
    max_features: _Split,
    max_depth: int | None,
) -> dict[str, Any]:
    at_least(learner, 1, n_estimators=n_estimators, max_depth=max_depth)
    keywords: dict[str, Any] = {
        "n_estimators": n_estimators,
        "max_depth": max_depth,
        "random_state": setting.seed,
        # More than one would add the trees' votes in the order in which threads end.
        "n_jobs": 1,
    }
    if isinstance(max_features, float | int):
        share(learner, max_features=max_features)
        # As a whole number, 1 would be one covariate.
        max_features = float(max_features)
    return keywords if max_features is None else {**keywords, "max_features": max_features}


def _fewest(learner: str, min_samples_leaf: int, min_samples_split: int) -> dict[str, int]:
    at_least(learner, 1, min_samples_leaf=min_samples_leaf)
    at_least(learner, 2, min_samples_split=min_samples_split)
    return {"min_samples_leaf": min_samples_leaf, "min_samples_split": min_samples_split}
