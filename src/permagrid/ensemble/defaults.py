"""The plain learners that a mixture is made of where none are named."""

from typing import Any

from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.svm import SVR

_PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
_FOREST: dict[str, Any] = {"n_estimators": 300, "min_samples_leaf": 3, "n_jobs": 1}
_BOOSTED: dict[str, Any] = {
    "n_estimators": 200,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_child_samples": 10,
    "n_jobs": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


def default_regressors(seed: int | None) -> list[tuple[str, Any]]:
    """Return support vectors, an additive model, a random forest and LightGBM, of scikit-learn's kind.

    The additive model is a ridge regression on cubic splines, the plain stand-in for one with a penalty of
    each curve's own; the study's learners are better tuned to maps than any of these four.

    Parameters
    ----------
    seed
        Of the forest and of LightGBM.
    """
    vectors = make_pipeline(StandardScaler(), SVR(C=10.0))
    return [
        ("support_vectors", TransformedTargetRegressor(vectors, transformer=StandardScaler())),
        ("additive", make_pipeline(_splines(), RidgeCV(_PENALTIES))),
        ("random_forest", RandomForestRegressor(random_state=seed, **_FOREST)),
        ("lightgbm", LGBMRegressor(random_state=seed, **_BOOSTED)),
    ]


def default_classifiers(seed: int | None) -> list[tuple[str, Any]]:
    """Return logistic regression, the same on splines, a random forest and LightGBM.

    Parameters
    ----------
    seed
        Of the forest and of LightGBM.
    """
    return [
        ("logistic", make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))),
        ("additive", make_pipeline(_splines(), LogisticRegression(max_iter=1000))),
        ("random_forest", RandomForestClassifier(random_state=seed, **_FOREST)),
        ("lightgbm", LGBMClassifier(random_state=seed, **_BOOSTED)),
    ]


def _splines() -> Any:
    return make_pipeline(StandardScaler(), SplineTransformer(n_knots=6, extrapolation="linear"))
