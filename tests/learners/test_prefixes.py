"""The first trees of a grown learner are, to the last bit, the learner of so many trees."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from every_learner import EVERY
from permagrid.errors import PermagridError
from permagrid.learners import build_learner, prefix_predictions, traits_of

GROWN = [(name, task, count) for name, task, count in EVERY if traits_of(name).grown]
COVARIATES = ("cold", "wet", "soil")


@pytest.fixture(autouse=True)
def one_core():
    """Keep OpenMP from starting threads for a handful of rows."""
    with threadpool_limits(1):
        yield


def problem(n_classes, n=150):
    random = np.random.default_rng(2)
    X = np.stack([random.normal(0, 1, n), random.normal(5, 3, n), random.choice([2.0, 5.0, 6.0], n)], axis=1)
    y = X[:, 0] + np.sin(X[:, 1]) + (X[:, 2] == 5.0) + random.normal(0, 0.3, n)
    return X, y if n_classes is None else np.digitize(y, np.linspace(0, 1, n_classes - 1)).astype(float)


@pytest.mark.parametrize("classes", [(), ("soil",)])
@pytest.mark.parametrize(("name", "task", "n_classes"), GROWN)
def test_first_trees_are_a_smaller_learner(name, task, n_classes, classes):
    X, y = problem(n_classes)
    drawn = {"subsample": 0.7, "colsample_bytree": 0.7} if name in ("lightgbm", "xgboost") else {}

    def fitted(count):
        keywords = {traits_of(name).grown: count, **drawn}
        model = build_learner(name, task, 4, keywords, covariates=COVARIATES, classes=classes)
        return model.fit(X[:100], y[:100])

    found = prefix_predictions(fitted(25), X[80:], [25, 1, 10])
    assert list(found) == [1, 10, 25]
    for count, predicted in found.items():
        small = fitted(count)
        ask = small.predict if task == "value" else small.predict_proba
        assert predicted.tobytes() == ask(X[80:]).tobytes()


def test_the_grown_ones_are_known():
    assert {name: traits_of(name).grown for name, _, _ in GROWN if name != "xgboost"} == {
        "adaboost": "n_estimators",
        "extra_trees": "n_estimators",
        "gradient_boosting": "max_iter",
        "lightgbm": "n_estimators",
        "random_forest": "n_estimators",
    }


def test_where_boosting_has_ended_before_its_time_the_rest_is_nothing():
    X = np.repeat([[0.0], [1.0]], 20, axis=0)
    for task in ("value", "class"):
        model = build_learner("adaboost", task, 0, {"n_estimators": 30}).fit(X, X[:, 0])
        found = prefix_predictions(model, X, [1, 30])
        small = build_learner("adaboost", task, 0, {"n_estimators": 1}).fit(X, X[:, 0])
        ask = "predict" if task == "value" else "predict_proba"
        assert found[1].tobytes() == getattr(small, ask)(X).tobytes()
        assert found[30].tobytes() == getattr(model, ask)(X).tobytes()


def test_what_cannot_be_asked_is_refused():
    X, y = problem(None)
    forest = build_learner("random_forest", "value", 0, {"n_estimators": 5}).fit(X, y)
    for counts, said in (([6], "6"), ([0, 3], "0, 3")):
        with pytest.raises(PermagridError, match=f"counts of 1 to 5, the number of trees; found {said}"):
            prefix_predictions(forest, X, counts)
    ridge = build_learner("ridge", "value", 0, {}).fit(X, y)
    with pytest.raises(PermagridError, match="RowWiseRidge is not grown tree by tree"):
        prefix_predictions(ridge, X, [1])
