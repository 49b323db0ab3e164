"""The mean of several learners is the mean of what they say, whatever they are."""

import numpy as np
import pytest

from permagrid.errors import PermagridError
from permagrid.learners import build_learner

COVARIATES = ("air", "snow", "soil")
FOREST = {"name": "random_forest", "n_estimators": 8}
LINEAR = {"name": "climate_linear", "covariates": ["air"]}


def rows(n=120, seed=0):
    random = np.random.default_rng(seed)
    X = np.stack([random.normal(size=n), random.normal(size=n), random.choice([3.0, 7.0], n)], axis=1)
    return X, X[:, 0] + 0.5 * X[:, 1] + (X[:, 2] == 7.0) + random.normal(0, 0.1, n)


def built(task, learners):
    return build_learner("average", task, 0, {"learners": learners}, covariates=COVARIATES, classes=("soil",))


def test_values_are_the_mean_of_the_members():
    X, y = rows()
    forest = build_learner(
        "random_forest", "value", 0, {"n_estimators": 8}, covariates=COVARIATES, classes=("soil",)
    )
    linear = build_learner("climate_linear", "value", 0, {}, covariates=("air",))
    expected = (forest.fit(X, y).predict(X) + linear.fit(X[:, :1], y).predict(X[:, :1])) / 2
    np.testing.assert_array_equal(built("value", [FOREST, LINEAR]).fit(X, y).predict(X), expected)


def test_probabilities_are_the_mean_of_the_members_and_name_the_class():
    X, y = rows()
    label = np.where(y > 0.5, 4.0, 2.0)
    model = built("class", [FOREST, LINEAR]).fit(X, label)
    shares = model.predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.predict(X), np.where(shares[:, 1] > shares[:, 0], 4.0, 2.0))
    alone = [built("class", [each]).fit(X, label).predict_proba(X) for each in (FOREST, LINEAR)]
    np.testing.assert_allclose(shares, (alone[0] + alone[1]) / 2)


def test_a_row_is_predicted_alike_whatever_is_beside_it():
    X, y = rows()
    model = built("value", [FOREST, {"name": "support_vectors"}]).fit(X, y)
    whole = model.predict(X)
    assert whole[7] == model.predict(X[7:8])[0]
    assert whole[::-1].tobytes() == model.predict(X[::-1]).tobytes()


@pytest.mark.parametrize(
    ("learners", "told"),
    [
        ([], "learners is empty"),
        ([{"n_estimators": 3}], r"learners\[0\] is a learner"),
        ([FOREST, {"name": "random_forrest"}], r"learners\[1\]: unknown learner 'random_forrest'"),
        ([{"name": "random_forest", "covariates": ["rain"]}], "names 'rain', which it does not see"),
    ],
)
def test_what_is_no_learner_is_refused(learners, told):
    with pytest.raises(PermagridError, match=told):
        built("value", learners)
