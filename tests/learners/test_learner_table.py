"""Every learner of the table fits values and classes, is reproducible, and predicts row by row."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError
from permagrid.learners import LEARNERS, build_learner

FEW = {"random_forest": {"n_estimators": 15}, "gradient_boosting": {"max_iter": 20}}
TASKS = [("value", None), ("class", 2), ("class", 3)]


@pytest.fixture(autouse=True)
def one_core():
    """Keep OpenMP from starting threads for a handful of rows."""
    with threadpool_limits(1):
        yield


def problem(n_classes, n=300):
    random = np.random.default_rng(5)
    X = random.normal(0, 1, (n, 4)) * [1, 10, 0.1, 100]
    y = X[:, 0] + X[:, 1] / 10 + random.normal(0, 0.3, n)
    return X, y if n_classes is None else np.digitize(y, np.linspace(-1, 1, n_classes - 1)).astype(float)


def predicted(name, task, X, y, seed=0):
    model = build_learner(name, task, seed, FEW.get(name, {})).fit(X, y)
    return model, (model.predict_proba if task == "class" else model.predict)


@pytest.mark.parametrize(("task", "n_classes"), TASKS)
@pytest.mark.parametrize("name", LEARNERS.names())
def test_a_learner_learns(name, task, n_classes):
    X, y = problem(n_classes)
    model, predict = predicted(name, task, X, y)
    assert is_classifier(model) if task == "class" else is_regressor(model)
    assert predict(X).shape == ((300,) if task == "value" else (300, n_classes))
    assert model.score(X, y) > 0.75
    if task == "class":
        np.testing.assert_allclose(predict(X).sum(axis=1), 1.0)
        assert model.classes_.tolist() == list(range(n_classes))


@pytest.mark.parametrize(("task", "n_classes"), TASKS)
@pytest.mark.parametrize("name", LEARNERS.names())
def test_the_same_seed_gives_the_same_bits(name, task, n_classes):
    X, y = problem(n_classes)
    one, two = (predicted(name, task, X, y)[1](X) for _ in range(2))
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize(("task", "n_classes"), TASKS)
@pytest.mark.parametrize("name", LEARNERS.names())
def test_a_row_is_predicted_alike_alone_and_among_others(name, task, n_classes):
    X, y = problem(n_classes)
    _, predict = predicted(name, task, X, y)
    whole = predict(X)
    for size in (1, 2, 3, 5, 7, 16, 33, 299):
        parts = np.concatenate([predict(X[start : start + size]) for start in range(0, len(X), size)])
        assert parts.tobytes() == whole.tobytes()


@pytest.mark.parametrize("name", LEARNERS.names())
def test_keywords_reach_the_estimator_and_a_clone(name):
    for keyword, parameter in LEARNERS.keywords(name).items():
        if isinstance(parameter.default, int | float) and not isinstance(parameter.default, bool):
            other = parameter.default * 2
            for task in ("value", "class"):
                model = clone(build_learner(name, task, 3, {keyword: other}))
                values = model.get_params().values()
                # A least-squares fit has no penalty to set.
                assert other in [v for v in values if isinstance(v, int | float)] or (name, task) == (
                    "climate_linear",
                    "value",
                )


@pytest.mark.parametrize("name", LEARNERS.names())
def test_a_learner_takes_a_setting_and_has_defaults_for_the_rest(name):
    parameters = list(inspect.signature(LEARNERS[name]).parameters.values())
    assert parameters[0].name == "setting"
    assert all(p.default is not inspect.Parameter.empty for p in parameters[1:])
    assert LEARNERS.faults(name, {}) == []


def test_the_linear_floor_is_the_linear_model_of_scikit_learn():
    X, y = problem(None)
    mine = build_learner("climate_linear", "value", 0, {}).fit(X, y).predict(X)
    np.testing.assert_allclose(mine, LinearRegression().fit(X, y).predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_logistic_floor_is_the_logistic_model_of_scikit_learn(n_classes):
    X, y = problem(n_classes)
    mine = build_learner("climate_linear", "class", 0, {"C": 0.5}).fit(X, y).predict_proba(X)
    theirs = (
        make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=1000)).fit(X, y).predict_proba(X)
    )
    np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_balanced_weights_find_more_of_a_rare_class():
    X, y = problem(None)
    rare = (y > np.quantile(y, 0.95)).astype(float)
    fresh, truth = problem(None, n=3000)
    wanted = truth > np.quantile(y, 0.95)

    def found(weight):
        keywords = {"n_estimators": 60, "min_samples_leaf": 5, "class_weight": weight}
        return build_learner("random_forest", "class", 0, keywords).fit(X, rare).predict(fresh)[wanted].mean()

    assert found("balanced") > found(None)


def test_an_unknown_learner_and_an_unknown_keyword_are_named():
    with pytest.raises(PermagridError, match="did you mean 'random_forest'"):
        build_learner("random_forrest", "value", 0, {})
    assert "n_estimators" in LEARNERS.faults("random_forest", {"n_estimator": 10})[0]


@pytest.mark.parametrize(
    ("name", "task", "keywords", "message"),
    [
        ("random_forest", "value", {"n_estimators": 0}, "n_estimators must be at least 1, found 0"),
        ("random_forest", "class", {"max_depth": 0}, "max_depth must be at least 1, found 0"),
        ("random_forest", "value", {"max_features": 3}, "max_features is a share above 0 to 1, found 3"),
        ("random_forest", "value", {"max_features": 0.0}, "max_features is a share above 0 to 1, found 0"),
        ("random_forest", "value", {"class_weight": "balanced"}, "class_weight is for classes"),
        ("gradient_boosting", "value", {"learning_rate": -0.1}, "learning_rate must be at least 1e-09"),
        ("gradient_boosting", "class", {"max_leaf_nodes": 1}, "max_leaf_nodes must be at least 2, found 1"),
        ("climate_linear", "class", {"C": 0.0}, "C must be at least 1e-09, found 0"),
    ],
)
def test_a_keyword_out_of_range_is_refused_in_one_sentence(name, task, keywords, message):
    with pytest.raises(PermagridError, match=f"{name}: {message}"):
        build_learner(name, task, 0, keywords)


def test_a_forest_may_see_all_covariates_at_each_split():
    whole, share = (build_learner("random_forest", "value", 0, {"max_features": m}) for m in (1, 1.0))
    assert whole.max_features == share.max_features == 1.0
    assert isinstance(whole.max_features, float)
