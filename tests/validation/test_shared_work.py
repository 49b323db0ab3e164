"""What is read from one large fit is, bit by bit, what smaller fits predict."""

import made_trials as made
import numpy as np
import pytest

from permagrid.learners import LEARNERS
from permagrid.learners.traits import traits_of
from permagrid.validation.shared_work import can_be_cut, combinations, predicted_by_parts, together

GROWN = [name for name in LEARNERS if traits_of(name).grown]
SEEN = ("cold", "wet", "noise_0", "noise_1")


def test_some_learners_of_the_table_are_grown():
    assert {"random_forest", "extra_trees", "adaboost", "gradient_boosting", "lightgbm"} <= set(GROWN)


@pytest.mark.parametrize("kind", ["value", 2, 3])
@pytest.mark.parametrize("name", GROWN)
def test_parts_of_a_fit_are_the_smaller_fits_to_the_last_bit(name, kind):
    task = "value" if kind == "value" else "class"
    table = made.rows(90, classes=None if kind == "value" else kind)
    # Some labels are of other rows, or boosting would end before its time.
    values, rows = np.roll(table["value"], 1).copy(), table[list(SEEN)].to_numpy()
    values[10:50] = table["value"][10:50]
    grown, sizes = traits_of(name).grown, [5, 1, 12]
    train, test = np.arange(60), np.arange(60, 90)
    if name == "xgboost":
        pytest.importorskip("xgboost")

    def fitted(size):
        return made.learner(name, task, {grown: size}, SEEN).fit(rows[train], values[train])

    whole = fitted(12)
    proba = task == "class"
    assert can_be_cut(whole, proba=proba)
    parts = predicted_by_parts(whole, rows[test], sizes, proba=proba)
    for size, part in zip(sizes, parts, strict=True):
        small = fitted(size)
        expected = small.predict_proba(rows[test]) if proba else small.predict(rows[test])
        np.testing.assert_array_equal(part, expected)
    assert not np.array_equal(parts[0], parts[2])


def test_boosting_that_ended_early_is_what_it_is_at_any_larger_number():
    table = made.rows(60, classes=2)
    rows, values = table[["value", "cold"]].to_numpy(), table["value"].to_numpy()
    whole = made.learner("adaboost", "class", {"n_estimators": 40, "max_depth": 6}, ("a", "b"))
    whole.fit(rows, values)
    parts = predicted_by_parts(whole, rows, [30, 40], proba=True)
    np.testing.assert_array_equal(parts[0], whole.predict_proba(rows))
    np.testing.assert_array_equal(parts[1], parts[0])


def test_combinations_are_in_order_and_none_is_twice():
    found = combinations({"a": [1, 2, 1], "b": [None, 0.5]})
    assert found == [{"a": 1, "b": None}, {"a": 1, "b": 0.5}, {"a": 2, "b": None}, {"a": 2, "b": 0.5}]


def test_only_whole_numbers_are_grown():
    trials = [{"n": 1, "m": 2}, {"n": 5, "m": 2}, {"n": None, "m": 2}, {"n": True, "m": 2}, {"m": 2}]
    assert together(trials, "n") == [[0, 1], [2], [3], [4]]
    assert together(trials, None) == [[0], [1], [2], [3], [4]]
