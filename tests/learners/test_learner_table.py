"""Every learner of the table fits values and classes, is reproducible, and predicts row by row."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from every_learner import ANY_COLUMNS, EVERY, FEW
from permagrid.errors import PermagridError
from permagrid.learners import LEARNERS, build_learner, keywords_for, traits_of

PARAMETERS = ("name", "task", "n_classes")


@pytest.fixture(autouse=True)
def one_core():
    """Keep OpenMP from starting threads for a handful of rows."""
    with threadpool_limits(1):
        yield


def problem(n_classes, n=300, seed=5):
    random = np.random.default_rng(seed)
    X = random.normal(0, 1, (n, 4)) * [1, 10, 0.1, 100]
    y = X[:, 0] + X[:, 1] / 10 + random.normal(0, 0.3, n)
    return X, y if n_classes is None else np.digitize(y, np.linspace(-1, 1, n_classes - 1)).astype(float)


def predicted(name, task, X, y, seed=0):
    model = build_learner(name, task, seed, FEW.get(name, {})).fit(X, y)
    return model, (model.predict_proba if task == "class" else model.predict)


def test_all_of_them_are_there():
    both = {
        "adaboost", "additive_model", "climate_linear", "decision_tree", "extra_trees", "gradient_boosting",
        "lightgbm", "linear_support_vectors", "multilayer_perceptron", "nearest_neighbours", "random_forest",
        "support_vectors", "xgboost",
    }  # fmt: skip
    classes = {"linear_discriminant", "logistic_regression", "naive_bayes", "quadratic_discriminant"}
    values = {"gaussian_process", "quantile_forest", "ridge"}
    general = {name for name in LEARNERS if not traits_of(name).by_name}
    assert general == both | classes | values
    assert {name for name in general if traits_of(name).tasks == ("class",)} == classes
    assert {name for name in general if traits_of(name).tasks == ("value",)} == values


@pytest.mark.parametrize(PARAMETERS, EVERY)
def test_a_learner_learns(name, task, n_classes):
    X, y = problem(n_classes)
    fresh, truth = problem(n_classes, seed=6)
    model, predict = predicted(name, task, X, y)
    assert is_classifier(model) if task == "class" else is_regressor(model)
    assert predict(fresh).shape == ((300,) if task == "value" else (300, n_classes))
    commonest = 0.0 if task == "value" else np.unique(truth, return_counts=True)[1].max() / len(truth)
    assert model.score(fresh, truth) > commonest + 0.4 * (1 - commonest)
    if task == "class":
        shares = predict(fresh)
        assert ((shares >= 0) & (shares <= 1)).all()
        np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
        assert model.classes_.tolist() == list(range(n_classes))
        np.testing.assert_array_equal(model.predict(fresh), model.classes_[shares.argmax(axis=1)])


@pytest.mark.parametrize(PARAMETERS, EVERY)
def test_the_same_seed_gives_the_same_bits(name, task, n_classes):
    X, y = problem(n_classes)
    one, two = (predicted(name, task, X, y)[1](X) for _ in range(2))
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize(PARAMETERS, EVERY)
def test_a_row_is_predicted_alike_alone_among_others_and_in_any_order(name, task, n_classes):
    X, y = problem(n_classes)
    model, predict = predicted(name, task, X, y)
    X = np.concatenate([X[:40], problem(None, seed=9)[0]])[:103]
    order = np.random.default_rng(0).permutation(len(X))
    for ask in {predict, model.predict}:
        whole = ask(X)
        # So that there is a remainder of every size in whatever is added several numbers at a time.
        for size in (1, 2, 3, 5, 7, 16, 33, 101):
            parts = np.concatenate([ask(X[start : start + size]) for start in range(0, len(X), size)])
            assert parts.tobytes() == whole.tobytes()
        assert ask(X[order]).tobytes() == whole[order].tobytes()
        assert ask(np.asfortranarray(X)).tobytes() == whole.tobytes()


@pytest.mark.parametrize(PARAMETERS, EVERY)
def test_units_do_not_matter(name, task, n_classes):
    if name == "lightgbm":
        pytest.skip("its bins keep a place for the value 0, which is another in other units")
    X, y = problem(n_classes)
    _, predict = predicted(name, task, X, y)
    factors, offsets = np.array([2.0, 1024.0, 0.25, 1.0]), np.array([0.0, 64.0, -1.0, 0.0])
    _, in_other_units = predicted(name, task, X * factors + offsets, y)
    # Where rounding moves a threshold or the end of a search, it moves it by little.
    apart = np.abs(predict(X) - in_other_units(X * factors + offsets))
    assert np.median(apart) < 1e-3
    assert np.mean(apart > 0.05) < 0.02


@pytest.mark.parametrize("name", ANY_COLUMNS)
def test_another_seed_is_another_draw_and_nothing_else_is_drawn(name):
    task = traits_of(name).tasks[0]
    X, y = problem(None if task == "value" else 3)
    fresh, _ = problem(None, seed=6)
    one, two = (predicted(name, task, X, y, seed=seed)[1](fresh) for seed in (0, 1))
    drawn = {"random_forest", "extra_trees", "adaboost", "multilayer_perceptron", "gaussian_process"}
    drawn |= {"quantile_forest"}
    assert (one.tobytes() != two.tobytes()) == (name in drawn) or name == "decision_tree"


@pytest.mark.parametrize("name", ANY_COLUMNS)
def test_every_keyword_makes_another_learner(name):
    setting = {"covariates": ["a", "b", "c", "d"]}
    for key in LEARNERS.keywords(name):
        changed = []
        for task in traits_of(name).tasks:
            n_classes = None if task == "value" else 2 if key == "monotone" else 3
            (X, y), (fresh, _) = problem(n_classes), problem(n_classes, seed=6)
            plain = {**FEW.get(name, {}), **BASE.get((name, key), {})}
            other = OTHERS.get((name, key), OTHERS.get(key))
            if key in (FOR_CLASSES if task == "value" else FOR_VALUES):
                continue
            before, after = (
                clone(build_learner(name, task, 0, keywords, **setting)).fit(X, y)
                for keywords in (plain, {**plain, key: other})
            )
            ask = "predict" if task == "value" else "predict_proba"
            changed.append(getattr(before, ask)(fresh).tobytes() != getattr(after, ask)(fresh).tobytes())
        # A least-squares fit has no penalty to set.
        assert changed == [False, True] if (name, key) == ("climate_linear", "C") else all(changed), key


FOR_CLASSES, FOR_VALUES = {"class_weight"}, {"epsilon"}
BASE = {("gaussian_process", "search_rows"): {"search_rows": 50}}
OTHERS = {
    ("additive_model", "gamma"): 30.0,
    "C": 0.05,
    "alpha": 30.0,
    "by_distance": True,
    "ccp_alpha": 0.02,
    "class_weight": "balanced",
    "colsample_bytree": 0.5,
    "criterion": "gcv",
    "epsilon": 0.4,
    "gamma": 0.01,
    "hidden": [3, 2],
    "kernel": "squared_exponential",
    "knots": "equal",
    "l2_regularization": 30.0,
    "learning_rate": 0.05,
    "max_depth": 2,
    "max_features": 0.9,
    "max_iter": 15,
    "max_leaf_nodes": 4,
    "min_child_samples": 60,
    "min_child_weight": 15.0,
    "min_samples_leaf": 40,
    "min_samples_split": 60,
    "monotone": {"a": -1},
    "n_estimators": 7,
    "n_neighbors": 9,
    "n_splines": 8,
    "num_leaves": 4,
    "p": 1,
    "reg_lambda": 40.0,
    "search_rows": 100,
    "separate": False,
    "shrink": True,
    "shrinkage": 0.7,
    "smoothing": 100.0,
    "subsample": 0.5,
}
"""Keyword -> a value that is not the default."""


@pytest.mark.parametrize("name", LEARNERS.names())
def test_a_learner_takes_a_setting_and_its_space_holds_keywords_that_fit(name):
    parameters = list(inspect.signature(LEARNERS[name]).parameters.values())
    assert parameters[0].name == "setting"
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[1:])
    for key, values in traits_of(name).space.items():
        assert len(values) > 1
        for value in values:
            faults = LEARNERS.faults(name, {key: value})
            assert [fault for fault in faults if "needs the keyword" not in fault] == []


@pytest.mark.parametrize("name", ANY_COLUMNS)
def test_the_search_space_is_modest_and_all_of_it_can_be_built(name):
    known = traits_of(name)
    assert LEARNERS.faults(name, {}) == []
    assert name == "climate_linear" or 4 <= np.prod([len(v) for v in known.space.values()]) <= 12
    for task in known.tasks:
        for key, values in known.space.items():
            for value in values:
                if not (task == "value" and key in FOR_CLASSES):
                    build_learner(name, task, 0, {key: value})


def test_a_task_that_is_not_the_learners_is_refused():
    with pytest.raises(PermagridError, match="ridge is for values, and the target is a class"):
        build_learner("ridge", "class", 0, {})
    with pytest.raises(PermagridError, match="naive_bayes is for classes, and the target is a value"):
        build_learner("naive_bayes", "value", 0, {})


def test_the_linear_floor_and_ridge_are_those_of_scikit_learn():
    X, y = problem(None)
    mine = build_learner("climate_linear", "value", 0, {}).fit(X, y).predict(X)
    np.testing.assert_allclose(mine, LinearRegression().fit(X, y).predict(X))
    mine = build_learner("ridge", "value", 0, {"alpha": 30.0}).fit(X, y).predict(X)
    np.testing.assert_allclose(mine, make_pipeline(StandardScaler(), Ridge(30.0)).fit(X, y).predict(X))


@pytest.mark.parametrize("name", ["climate_linear", "logistic_regression"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_logistic_models_are_those_of_scikit_learn(n_classes, name):
    X, y = problem(n_classes)
    mine = build_learner(name, "class", 0, {"C": 0.5}).fit(X, y).predict_proba(X)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=1000, tol=1e-6))
    np.testing.assert_allclose(mine, model.fit(X, y).predict_proba(X), atol=1e-3)


BALANCED = [name for name in ANY_COLUMNS if "class_weight" in LEARNERS.keywords(name)]


@pytest.mark.parametrize("name", BALANCED)
def test_balanced_weights_find_more_of_a_rare_class(name):
    X, y = problem(None)
    rare = (y > np.quantile(y, 0.92)).astype(float)
    fresh, truth = problem(None, n=2000, seed=7)
    wanted = truth > np.quantile(y, 0.92)
    calmer = {"decision_tree": {"max_depth": 3, "min_samples_leaf": 10}, "support_vectors": {"C": 0.1}}
    calmer |= {
        forest: {"n_estimators": 40, "min_samples_leaf": 8} for forest in ("random_forest", "extra_trees")
    }

    def found(weight):
        keywords = {**FEW.get(name, {}), **calmer.get(name, {}), "class_weight": weight}
        return build_learner(name, "class", 0, keywords).fit(X, rare).predict_proba(fresh)[wanted, 1].mean()

    # Platt's sigmoid is learned of the rows as they are.
    assert found("balanced") > found(None) or "support_vectors" in name


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
        ("extra_trees", "class", {"min_samples_leaf": 0}, "min_samples_leaf must be at least 1, found 0"),
        ("quantile_forest", "value", {"n_estimators": 0}, "n_estimators must be at least 1, found 0"),
        ("quantile_forest", "value", {"max_features": 2}, "max_features is a share above 0 to 1, found 2"),
        ("decision_tree", "value", {"ccp_alpha": -1.0}, "ccp_alpha must be at least 0, found -1"),
        ("adaboost", "value", {"learning_rate": 0.0}, "learning_rate must be above 0, found 0"),
        ("gradient_boosting", "value", {"learning_rate": -0.1}, "learning_rate must be at least 1e-09"),
        ("gradient_boosting", "class", {"max_leaf_nodes": 1}, "max_leaf_nodes must be at least 2, found 1"),
        ("lightgbm", "value", {"subsample": 1.5}, "subsample is a share above 0 to 1, found 1.5"),
        ("xgboost", "value", {"reg_lambda": -1.0}, "reg_lambda must be at least 0, found -1"),
        ("climate_linear", "class", {"C": 0.0}, "C must be at least 1e-09, found 0"),
        ("ridge", "value", {"alpha": 0.0}, "alpha must be above 0, found 0"),
        ("logistic_regression", "class", {"C": -1.0}, "C must be above 0, found -1"),
        ("naive_bayes", "class", {"shrinkage": 0.0}, "shrinkage is a share above 0 to 1, found 0"),
        ("nearest_neighbours", "class", {"n_neighbors": 0}, "n_neighbors must be at least 1, found 0"),
        ("support_vectors", "class", {"epsilon": 0.1}, "epsilon is for values, and the target is a class"),
        ("support_vectors", "value", {"gamma": 0.0}, "gamma must be above 0, found 0"),
        ("linear_support_vectors", "value", {"epsilon": -0.1}, "epsilon must be at least 0, found -0.1"),
        ("multilayer_perceptron", "value", {"hidden": []}, "hidden needs numbers of at least 1, found none"),
        ("multilayer_perceptron", "value", {"hidden": [4, 0]}, "hidden needs numbers .* 1, found 4, 0"),
        ("additive_model", "value", {"n_splines": 3}, "n_splines must be at least 4, found 3"),
        ("additive_model", "value", {"smoothing": 0.0}, "smoothing must be above 0, found 0"),
        ("gaussian_process", "value", {"search_rows": 5}, "search_rows must be at least 10, found 5"),
    ],
)
def test_a_keyword_out_of_range_is_refused_in_one_sentence(name, task, keywords, message):
    with pytest.raises(PermagridError, match=f"^{name}: {message}[^\n]*$"):
        build_learner(name, task, 0, keywords)


def test_without_xgboost_it_says_how_it_is_installed(monkeypatch):
    monkeypatch.setattr("permagrid.learners.boosting.find_spec", lambda name: None)
    with pytest.raises(PermagridError, match=r"not installed; .* pip install 'permagrid\[boost\]'"):
        build_learner("xgboost", "value", 0, {})


def test_a_forest_may_see_all_covariates_at_each_split():
    whole, share = (build_learner("random_forest", "value", 0, {"max_features": m}) for m in (1, 1.0))
    assert whole.max_features == share.max_features == 1.0
    assert isinstance(whole.max_features, float)


def test_fewer_rows_than_neighbours_are_all_of_them():
    X, y = np.arange(3.0)[:, np.newaxis], np.array([1.0, 2.0, 6.0])
    model = build_learner("nearest_neighbours", "value", 0, {"n_neighbors": 10}).fit(X, y)
    np.testing.assert_allclose(model.predict(X), 3.0)


def test_keywords_for_fewer_covariates_leave_out_the_directions_of_the_others():
    said = {"n_estimators": 5, "monotone": {"air": 1, "snow": -1}}
    X, y = problem(None)
    for covariates, left in ((["a", "air"], {"air": 1}), (["a", "b"], {})):
        keywords = keywords_for(said, covariates)
        assert keywords == {"n_estimators": 5, "monotone": left}
        build_learner("random_forest", "value", 0, keywords, covariates=covariates).fit(X[:, :2], y)
    assert said["monotone"] == {"air": 1, "snow": -1}
    assert keywords_for({"C": 1.0}, ["a"]) == {"C": 1.0}
