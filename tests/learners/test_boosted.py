"""LightGBM and XGBoost are what their libraries say, in one thread, with and without classes."""

import numpy as np
import pandas as pd
import pytest

from permagrid.learners import build_learner
from permagrid.learners.boosted import LightGBMClassifier, LightGBMRegressor
from permagrid.validation import Candidate, fit
from permagrid.validation.importance_fitted import fitted_importance, impurity
from permagrid.validation.pieces import Pieces
from permagrid.validation.ranking import Impurity

lightgbm = pytest.importorskip("lightgbm")


def problem(n=300):
    random = np.random.default_rng(0)
    X = random.normal(0, 1, (n, 3))
    X[:, 2] = random.integers(0, 6, n)
    return X, np.sin(2 * X[:, 0]) + np.array([0, 2, 0, 1, 3, 0])[X[:, 2].astype(int)] + random.normal(
        0, 0.2, n
    )


@pytest.mark.parametrize("objective", ["regression", "binary", "multiclass"])
def test_lightgbm_is_that_of_its_own_estimators(objective):
    X, y = problem()
    parameters = {"learning_rate": 0.1, "num_leaves": 7, "min_data_in_leaf": 5}
    theirs = {
        "n_estimators": 30, "learning_rate": 0.1, "num_leaves": 7, "min_child_samples": 5, "random_state": 0,
        "n_jobs": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1,
    }  # fmt: skip
    if objective == "regression":
        model = lightgbm.LGBMRegressor(**theirs).fit(X, y, categorical_feature=[2])
        mine = LightGBMRegressor(parameters, n_estimators=30, categorical_features=[2]).fit(X, y)
        np.testing.assert_allclose(mine.predict(X), model.predict(X))
    else:
        y = np.digitize(y, [1.0] if objective == "binary" else [0.5, 2.0])
        model = lightgbm.LGBMClassifier(**theirs).fit(X, y, categorical_feature=[2])
        mine = LightGBMClassifier(parameters, n_estimators=30, categorical_features=[2]).fit(X, y)
        np.testing.assert_allclose(mine.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("task", ["value", "class"])
def test_xgboost_is_that_of_its_own_estimators(task):
    xgboost = pytest.importorskip("xgboost")
    X, y = problem()
    y = y if task == "value" else (y > 1) * 1.0
    kind = xgboost.XGBRegressor if task == "value" else xgboost.XGBClassifier
    keywords = {"n_estimators": 20, "max_depth": 3, "learning_rate": 0.1}
    theirs = kind(**keywords, n_jobs=1, random_state=0, tree_method="hist").fit(X, y)
    mine = build_learner("xgboost", task, 0, keywords).fit(X, y)
    ask = "predict" if task == "value" else "predict_proba"
    np.testing.assert_allclose(getattr(mine, ask)(X), getattr(theirs, ask)(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_nothing_is_said_while_it_works(name, capfd):
    if name == "xgboost":
        pytest.importorskip("xgboost")
    X, y = problem(40)
    for task, target in (("value", y), ("class", y > 1), ("class", np.digitize(y, [0.5, 2.0]))):
        model = build_learner(name, task, 0, {"n_estimators": 5}, covariates="abc", classes="c")
        model.fit(X, target).predict(X)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["value", 2, 3])
@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_importances_are_the_shares_of_gain_that_the_library_tells(name, kind):
    library = pytest.importorskip(name)
    task = "value" if kind == "value" else "class"
    X, y = problem()
    target = {"value": y, 2: (y > 1) * 1.0, 3: np.digitize(y, [0.5, 2.0]) * 1.0}[kind]
    # A column without a split has a share too.
    X = np.column_stack([np.zeros(len(X)), X])
    mine = build_learner(name, task, 0, {"n_estimators": 20}).fit(X, target)
    ending = "Regressor" if task == "value" else "Classifier"
    other = {"n_estimators": 20, "n_jobs": 1, "random_state": 0}
    if name == "lightgbm":
        told = {"importance_type": "gain", "deterministic": True, "force_row_wise": True, "verbosity": -1}
        theirs = getattr(library, f"LGBM{ending}")(**mine.parameters, **told, **other)
    else:
        told = {"importance_type": "total_gain", "tree_method": "hist"}
        theirs = getattr(library, f"XGB{ending}")(**mine.parameters, **told, **other)
    shares = theirs.fit(X, target).feature_importances_
    np.testing.assert_allclose(mine.feature_importances_, shares / shares.sum(), rtol=1e-5, atol=1e-7)
    assert mine.feature_importances_.sum() == pytest.approx(1.0)
    assert mine.feature_importances_[0] == 0.0


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_boosted_trees_are_ranked_by_what_their_splits_gain(name):
    pytest.importorskip(name)
    X, y = problem()
    table = pd.DataFrame({"useless": X[:, 1], "air": X[:, 0], "soil": X[:, 2], "value": y})

    def build(keywords, covariates):
        classes = [each for each in covariates if each == "soil"]
        return build_learner(name, "value", 0, dict(keywords), covariates=list(covariates), classes=classes)

    candidate = Candidate(build, ("useless", "air", "soil"), {"n_estimators": 20}, classes=("soil",))
    worth = Impurity()(candidate, table, Pieces(candidate.covariates, {}))
    assert min(worth, key=worth.get) == "useless"
    assert sum(worth.values()) == pytest.approx(1.0)
    fitted = fit(candidate, table)
    assert impurity(fitted, table) == pytest.approx(list(worth.values()))
    found = fitted_importance(fitted, table, rows=5, background=3)
    assert set(found["method"]) == {"shap", "impurity"}


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_trees_without_a_split_gained_nothing(name):
    pytest.importorskip(name)
    model = build_learner(name, "value", 0, {"n_estimators": 3})
    assert getattr(model, "feature_importances_", None) is None
    model.fit(np.zeros((40, 2)), np.arange(40.0))
    np.testing.assert_array_equal(model.feature_importances_, [0.0, 0.0])
