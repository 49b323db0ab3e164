"""Where physics sets a direction, the learners that can keep it: colder air never warms the ground."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from every_learner import ANY_COLUMNS, FEW
from permagrid.errors import PermagridError
from permagrid.learners import build_learner, traits_of

ABLE = [name for name in ANY_COLUMNS if traits_of(name).monotone]
COVARIATES, CLASSES = ("soil", "air", "snow"), ("soil",)


@pytest.fixture(autouse=True)
def one_core():
    """Keep OpenMP from starting threads for a handful of rows."""
    with threadpool_limits(1):
        yield


def problem(n=250, seed=1):
    """Return rows whose value rises with air, and falls with snow where the noise lets it."""
    random = np.random.default_rng(seed)
    X = np.stack([random.choice([3.0, 4.0, 9.0], n), random.normal(-5, 4, n), random.normal(0, 1, n)], axis=1)
    y = 0.3 * X[:, 1] - 0.3 * X[:, 2] + (X[:, 0] == 4.0) + random.normal(0, 1.5, n)
    return X, y


def fitted(name, task, X, y, monotone, encoding=None):
    kinds = {"covariates": COVARIATES, "classes": CLASSES, "encoding": encoding}
    keywords = {**FEW.get(name, {}), "monotone": monotone}
    model = build_learner(name, task, 0, keywords, **kinds).fit(X, y)
    return model.predict if task == "value" else lambda rows: model.predict_proba(rows)[:, 1]


def steps(predict, X, column):
    """Return how predictions of rows change as one column rises through its range, shape (rows, steps)."""
    found = []
    for value in np.linspace(X[:, column].min() - 1, X[:, column].max() + 1, 60):
        rows = X[:40].copy()
        rows[:, column] = value
        found.append(predict(rows))
    return np.diff(np.stack(found, axis=1), axis=1)


@pytest.mark.parametrize("encoding", ["one_hot", None, "codes"])
@pytest.mark.parametrize("task", ["value", "class"])
@pytest.mark.parametrize("name", ABLE)
def test_a_direction_is_kept_everywhere(name, task, encoding):
    X, y = problem()
    y = y if task == "value" else (y > np.median(y)).astype(float)
    held = fitted(name, task, X, y, {"air": 1, "snow": -1}, encoding)
    free = fitted(name, task, X, y, None, encoding)
    assert steps(held, X, 1).min() >= -1e-7
    assert steps(held, X, 2).max() <= 1e-7
    assert steps(held, X, 1).max() > 0.01
    assert steps(free, X, 1).min() < -0.01


@pytest.mark.parametrize("name", ABLE)
def test_a_wrong_direction_leaves_nothing_of_a_covariate(name):
    air = np.linspace(-10, 10, 200)[:, np.newaxis]
    for direction, least, most in ((1, 10.0, 20.0), (-1, 0.0, 3.0)):
        keywords = {**FEW.get(name, {}), "monotone": {"air": direction}}
        model = build_learner(name, "value", 0, keywords, covariates=["air"]).fit(air, air[:, 0])
        assert least <= np.ptp(model.predict(air)) <= most


@pytest.mark.parametrize("name", ABLE)
def test_a_direction_of_what_the_learner_does_not_see_or_of_classes_is_refused(name):
    kinds = {"covariates": COVARIATES, "classes": CLASSES}
    with pytest.raises(PermagridError, match=f"^{name}: monotone names 'airr', a covariate that it does"):
        build_learner(name, "value", 0, {"monotone": {"airr": 1}}, **kinds)
    with pytest.raises(PermagridError, match="monotone names soil, which holds classes"):
        build_learner(name, "value", 0, {"monotone": {"soil": 1}}, **kinds)
    with pytest.raises(PermagridError, match="monotone of air is 1 or -1, found 2"):
        build_learner(name, "value", 0, {"monotone": {"air": 2}}, **kinds)
    # As codes in order they are numbers.
    build_learner(name, "value", 0, {"monotone": {"soil": 1}}, **kinds, encoding="codes")


@pytest.mark.parametrize("encoding", ["one_hot", None, "codes"])
@pytest.mark.parametrize("name", ABLE)
def test_a_direction_of_more_than_two_classes_is_refused(name, encoding):
    X, y = problem()
    with pytest.raises(PermagridError, match="two classes at most, and the target has 3"):
        fitted(name, "class", X, np.digitize(y, [-2, 0]), {"air": 1}, encoding)


def test_these_can():
    assert set(ABLE) >= {"decision_tree", "random_forest", "extra_trees", "gradient_boosting", "lightgbm"}
