"""What is read from one large fit is, bit by bit, what smaller fits predict."""

from functools import partial

import made_trials as made
import numpy as np
import pandas as pd
import pytest

from permagrid.learners import LEARNERS, average, build_learner
from permagrid.learners.traits import traits_of
from permagrid.validation import Candidate
from permagrid.validation.inner_folds import FoldsSpec
from permagrid.validation.objective import Objective
from permagrid.validation.selection import forward_selection
from permagrid.validation.shared_work import (
    can_be_cut,
    combinations,
    has_members,
    predicted_by_parts,
    together,
)
from permagrid.validation.trials import Judge
from permagrid.validation.tuning import grid_search
from permagrid.validation.workers import Workers

GROWN = [name for name in LEARNERS if traits_of(name).grown]
SEEN = ("cold", "wet", "noise_0", "noise_1")


def test_some_learners_of_the_table_are_grown():
    assert {"random_forest", "extra_trees", "adaboost", "gradient_boosting", "lightgbm"} <= set(GROWN)


@pytest.mark.parametrize("kind", ["value", 2, 3])
@pytest.mark.parametrize("name", GROWN)
def test_parts_of_a_fit_are_the_smaller_fits_to_the_last_bit(name, kind):
    task = "value" if kind == "value" else "class"
    if task not in traits_of(name).tasks:
        pytest.skip(f"{name} is not for a {task}")
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


FOREST = {"name": "random_forest", "n_estimators": 6}
NEIGHBOURS = {"name": "nearest_neighbours", "n_neighbors": 5}
ONE = {"name": "random_forest", "n_estimators": 6, "covariates": ["wet"]}
BOOSTED = {"name": "gradient_boosting", "max_iter": 5}
LISTS = [[FOREST], [FOREST, NEIGHBOURS], [NEIGHBOURS, FOREST], [ONE, FOREST], [FOREST, NEIGHBOURS, BOOSTED]]


@pytest.fixture
def member_fits(monkeypatch):
    """Return a list that grows by the name of each member that is fitted."""
    names, real = [], average.fitted

    def counted(estimator, *rest):
        names.append(type(estimator).__name__)
        return real(estimator, *rest)

    monkeypatch.setattr(average, "fitted", counted)
    return names


def mean_of(task, *, apart=False, seen=SEEN, learners=LISTS[1], **other):
    """Return a mean of learners as a candidate, if asked one whose members nobody sees from outside."""

    def build(keywords, covariates):
        model = build_learner("average", task, 0, dict(keywords), covariates=list(covariates))
        return made.Wrapped(model) if apart else model

    return Candidate(build, seen, {"learners": learners}, **other)


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("kind", ["value", 2, 3])
def test_means_share_members_and_score_as_they_do_by_themselves(kind, weighed, member_fits):
    task = "value" if kind == "value" else "class"
    table = made.rows(80, noise=2, classes=None if kind == "value" else kind)
    weigh = (lambda rows: 1.0 + rows["number"].to_numpy() % 3) if weighed else None
    metric = Objective("rmse" if task == "value" else "log_loss")
    choose = grid_search({"learners": LISTS}, Judge(FoldsSpec("site", {"n_folds": 3}), metric))
    lists = LISTS if not weighed else [[FOREST], [ONE, FOREST], [FOREST, BOOSTED]]
    choose = grid_search({"learners": lists}, choose.judge)
    apart = choose(mean_of(task, apart=True, weigh=weigh), table)
    assert len(member_fits) == 3 * sum(map(len, lists))
    member_fits.clear()
    together_ = choose(mean_of(task, weigh=weigh), table)
    assert len(member_fits) == 3 * (4 if not weighed else 3)
    pd.testing.assert_frame_equal(apart.trail, together_.trail, check_exact=True)
    assert apart.keywords == together_.keywords
    assert np.isfinite(together_.trail["score"]).all()


@pytest.mark.parametrize("task", ["value", "class"])
def test_a_mean_of_what_members_say_is_the_mean_to_the_last_bit(task):
    table = made.rows(90, classes=None if task == "value" else 3)
    rows, values = table[list(SEEN)].to_numpy(), table["value"].to_numpy()
    for learners in LISTS:
        mean = mean_of(task).build({"learners": learners}, SEEN)
        assert has_members(mean)
        said = [mean.said_by(n, rows[:60], values[:60], None, rows[60:]) for n in range(len(mean.members()))]
        assert not hasattr(mean, "members_")
        mean.fit(rows[:60], values[:60])
        whole = (mean.predict if task == "value" else mean.predict_proba)(rows[60:])
        np.testing.assert_array_equal(mean.combined(said), whole)


def test_a_member_with_covariates_of_its_own_is_fitted_once_for_all_sets_of_the_others(member_fits):
    table = made.rows(60, noise=2)
    choose = forward_selection(
        Judge(FoldsSpec("site", {"n_folds": 3}), Objective("rmse")), start=["wet"], most=1
    )
    apart = choose(mean_of("value", apart=True, learners=[ONE, NEIGHBOURS]), table)
    member_fits.clear()
    together_ = choose(mean_of("value", learners=[ONE, NEIGHBOURS]), table)
    pd.testing.assert_frame_equal(apart.trail, together_.trail, check_exact=True)
    # Once in each fold, beside four sets of covariates for the other.
    assert [len([n for n in member_fits if ("Forest" in n) == forest]) for forest in (True, False)] == [3, 12]


def test_means_that_share_members_are_the_same_in_other_processes():
    table = made.rows(60, noise=2)
    candidate = Candidate(partial(made.learner, "average", "value"), SEEN, {"learners": [FOREST]})
    judge = Judge(FoldsSpec("site", {"n_folds": 3}), Objective("rmse"))
    alone = grid_search({"learners": LISTS}, judge)(candidate, table)
    with Workers(2, preloaded=["permagrid.learners"]) as workers:
        beside = Judge(judge.folds, judge.objective, workers=workers)
        found = grid_search({"learners": LISTS}, beside)(candidate, table)
    pd.testing.assert_frame_equal(alone.trail, found.trail, check_exact=True)


def test_a_mean_of_which_a_member_cannot_be_fitted_has_no_score():
    table = made.rows(40, noise=2)

    def build(keywords, covariates):
        kinds = keywords["kinds"]
        members = [made.Recorder(kind=kind) for kind in kinds]
        return average.AverageRegressor(members, [None] * len(kinds), [{"kind": kind} for kind in kinds])

    judge = Judge(FoldsSpec("site", {"n_folds": 3}), Objective("rmse"))
    search = grid_search({"kinds": [["a", "broken"], ["b", "lost"], ["a", "b"]]}, judge)
    choice = search(Candidate(build, ("number", "cold", "wet")), table)
    assert choice.keywords == {"kinds": ["a", "b"]}
    notes = ["could not be fitted: it is broken", "the score cannot be told from its predictions", ""]
    assert choice.trail["note"].tolist() == notes


@pytest.mark.parametrize("task", ["value", "class"])
@pytest.mark.parametrize("workers", [1, 2])
def test_trials_that_share_a_kernel_score_what_each_does_by_itself(task, workers):
    table = made.rows(80, noise=1, classes=2 if task == "class" else None)
    metric = "brier" if task == "class" else "rmse"
    candidate, shared = made.candidate("support_vectors", task, SEEN[:3]), traits_of("support_vectors").shared
    space = {"C": [0.3, 1.0, 10.0], "gamma": [0.01, 0.3]}
    trails = []
    with Workers(workers) as members:
        for given in ((), shared):
            judge = Judge(FoldsSpec("site", {"n_folds": 3}), Objective(metric), workers=members, shared=given)
            trails.append(grid_search(space, judge)(candidate, table).trail)
    pd.testing.assert_frame_equal(*trails, check_exact=True)
    assert "C" in shared
    assert trails[0]["score"].nunique() == 6


def test_of_trials_side_by_side_only_the_broken_one_has_no_score():
    judge = Judge(FoldsSpec("site", {"n_folds": 3}), Objective("rmse"), shared=("kind",))
    space = {"kind": ["a", "broken", "lost"], "off": [0.0, 1.0]}
    trail = grid_search(space, judge)(
        Candidate(made.recorder, ("number", "cold", "wet")), made.rows(30)
    ).trail
    assert np.isfinite(trail["score"]).tolist() == [True, True, False, False, False, False]
    assert trail["note"].str.contains("it is broken").tolist() == [False, False, True, True, False, False]
