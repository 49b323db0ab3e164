"""The learners that take any columns, with keywords by which they are fitted in no time."""

from importlib.util import find_spec
from typing import Any

from permagrid.learners import LEARNERS, traits_of

FEW: dict[str, dict[str, Any]] = {
    "adaboost": {"n_estimators": 12},
    "additive_model": {"n_splines": 6},
    "extra_trees": {"n_estimators": 15},
    "gaussian_process": {"search_rows": 60},
    "gradient_boosting": {"max_iter": 20, "learning_rate": 0.2},
    "lightgbm": {"n_estimators": 20, "learning_rate": 0.2},
    "multilayer_perceptron": {"hidden": [4], "max_iter": 60, "alpha": 1.0},
    "quantile_forest": {"n_estimators": 15},
    "random_forest": {"n_estimators": 15},
    "xgboost": {"n_estimators": 20, "learning_rate": 0.2},
}
"""Learner -> keywords; none for those that are quick by themselves."""

ANY_COLUMNS = [
    name
    for name in LEARNERS
    if not traits_of(name).by_name and (name != "xgboost" or find_spec("xgboost") is not None)
]
"""Learners that know nothing of what their columns mean."""

TASKS: list[tuple[str, int | None]] = [("value", None), ("class", 2), ("class", 3)]
"""Task and number of classes."""

EVERY = [
    (name, task, count) for name in ANY_COLUMNS for task, count in TASKS if task in traits_of(name).tasks
]
"""Learner, task and number of classes."""
