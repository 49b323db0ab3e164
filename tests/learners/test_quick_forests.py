"""Quick forests are those of scikit-learn to the last bit, or are grown by scikit-learn itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import ensemble
from sklearn.base import clone

from permagrid.learners import quick_forests as quick

PAIRS = {
    "RandomForestClassifier": quick.QuickForestClassifier,
    "RandomForestRegressor": quick.QuickForestRegressor,
    "ExtraTreesClassifier": quick.QuickExtraTreesClassifier,
    "ExtraTreesRegressor": quick.QuickExtraTreesRegressor,
}


def data(classes=None, *, n=90, seed=0):
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, 5)).round(1)
    values = rows[:, 0] - rows[:, 1] + random.normal(size=n)
    if classes is not None:
        values = np.array([-1.0, 4.0, 7.0])[: len(classes) + 1][np.digitize(values, classes)]
    return rows, values


def assert_same(one, other, rows):
    assert len(one.estimators_) == len(other.estimators_) == one.n_estimators
    for a, b in zip(one.estimators_, other.estimators_, strict=True):
        assert a.random_state == b.random_state
        for part in ("children_left", "feature", "threshold", "value", "impurity", "n_node_samples"):
            np.testing.assert_array_equal(getattr(a.tree_, part), getattr(b.tree_, part))
    for method in ("predict", "predict_proba"):
        if hasattr(other, method):
            np.testing.assert_array_equal(getattr(one, method)(rows), getattr(other, method)(rows))
    np.testing.assert_array_equal(one.feature_importances_, other.feature_importances_)


def both(name, rows, values, weights=None, **keywords):
    keywords = {"n_estimators": 7, "random_state": 3, **keywords}
    plain = getattr(ensemble, name)(**keywords).fit(rows, values, weights)
    return PAIRS[name](**keywords).fit(rows, values, weights), plain


@pytest.fixture
def by_itself(monkeypatch):
    """Return a list that tells for each forest whether its trees were grown here."""
    told = []
    grown = quick._grown

    def listened(*arguments):
        trees = grown(*arguments)
        told.append(trees is not None)
        return trees

    monkeypatch.setattr(quick, "_grown", listened)
    return told


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"max_depth": 3},
        {"min_samples_leaf": 4, "max_features": 0.4},
        {"min_samples_split": 9, "max_features": 1.0},
        {"bootstrap": True},
        {"bootstrap": False},
        {"min_impurity_decrease": 0.01},
        {"monotonic_cst": [1, -1, 0, 0, 0]},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", PAIRS)
def test_trees_are_the_same_bits(name, keywords, by_itself):
    rows, values = data([0.3] if "Classifier" in name else None)
    assert_same(*both(name, rows, values, **keywords), rows)
    assert by_itself == [True]


def test_more_classes_and_other_measures_of_purity(by_itself):
    rows, values = data([-0.5, 0.5])
    assert_same(*both("RandomForestClassifier", rows, values, criterion="entropy"), rows)
    rows, values = data()
    assert_same(*both("ExtraTreesRegressor", rows, values, criterion="absolute_error"), rows)
    assert by_itself == [True, True]


@given(
    name=st.sampled_from(list(PAIRS)),
    n=st.integers(3, 60),
    seed=st.integers(0, 2**31 - 1),
    trees=st.integers(1, 6),
    leaf=st.integers(1, 5),
)
@settings(max_examples=25, deadline=None)
def test_any_forest_is_the_same(name, n, seed, trees, leaf):
    rows, values = data([0.0] if "Classifier" in name else None, n=n, seed=seed % 1000)
    keywords = {"n_estimators": trees, "random_state": seed, "min_samples_leaf": leaf}
    assert_same(*both(name, rows, values, **keywords), rows)


@pytest.mark.parametrize(
    ("keywords", "weighted"),
    [
        ({"class_weight": "balanced"}, False),
        ({}, True),
        ({"max_samples": 0.5}, False),
        ({"max_leaf_nodes": 5}, False),
        ({"min_samples_leaf": 0.1}, False),
        ({"ccp_alpha": 0.01}, False),
        ({"oob_score": True, "n_estimators": 60}, False),
        ({"n_estimators": 2}, False),
        ({"min_weight_fraction_leaf": 0.1}, False),
    ],
)
def test_what_is_not_dealt_with_here_is_left_to_scikit_learn(keywords, weighted, by_itself):
    rows, values = data([0.3])
    weights = np.linspace(0.5, 2.0, len(rows)) if weighted else None
    assert_same(*both("RandomForestClassifier", rows, values, weights, **keywords), rows)
    assert by_itself == []


def test_missing_values_are_left_to_scikit_learn(by_itself):
    rows, values = data()
    rows[::7, 2] = np.nan
    assert_same(*both("RandomForestRegressor", rows, values), rows)
    assert by_itself == [False]


def test_a_scikit_learn_that_builds_other_trees_builds_them_all(monkeypatch, by_itself):
    trees = quick._trees

    def others(forest, rows, target, count):
        return trees(forest, rows, target + np.arange(len(target))[:, np.newaxis] % 2, count)

    monkeypatch.setattr(quick, "_trees", others)
    rows, values = data()
    assert_same(*both("RandomForestRegressor", rows, values), rows)
    assert by_itself == [False]


@pytest.mark.parametrize("error", [ImportError, AttributeError, TypeError])
def test_a_scikit_learn_with_another_builder_builds_them_all(monkeypatch, error, by_itself):
    def gone(name):
        raise error(name)

    monkeypatch.setattr(quick.importlib, "import_module", gone)
    rows, values = data([0.3])
    assert_same(*both("ExtraTreesClassifier", rows, values), rows)
    assert by_itself == [False]


def test_a_forest_keeps_its_parameters_and_grows_anew_each_time():
    rows, values = data()
    forest = quick.QuickForestRegressor(n_estimators=5, random_state=0, max_features=0.5)
    again = clone(forest)
    assert again.get_params() == forest.get_params()
    first = forest.fit(rows, values).predict(rows)
    assert forest.get_params() == again.get_params()
    np.testing.assert_array_equal(forest.fit(rows, values).predict(rows), first)
    np.testing.assert_array_equal(again.fit(rows, values).predict(rows), first)
    with pytest.raises(ValueError, match="n_estimators"):
        quick.QuickForestRegressor(n_estimators=0, random_state=0).fit(rows, values)
    with pytest.raises(ValueError, match="inf"):
        quick.QuickForestRegressor(n_estimators=5, random_state=0).fit(
            np.full((4, 1), np.inf), np.arange(4.0)
        )
