"""Selections find what was planted, are not lifted by noise, and see nothing of the rows that test them."""

from dataclasses import replace
from itertools import combinations

import made_trials as made
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import root_mean_squared_error
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError
from permagrid.validation import FOLDS, Candidate, Choice, out_of_fold
from permagrid.validation.inner_folds import FoldsSpec
from permagrid.validation.objective import Objective
from permagrid.validation.pieces import Pieces
from permagrid.validation.ranked import ranking_selection
from permagrid.validation.ranking import Impurity, Permutation
from permagrid.validation.selection import chained, combination_selection, forward_selection
from permagrid.validation.trials import Judge
from permagrid.validation.tuning import grid_search
from permagrid.validation.workers import Workers

pytestmark = pytest.mark.usefixtures("one_thread")
SITES = FoldsSpec("site", {"n_folds": 4, "seed": 3})
GROUPS = {"climate": ["cold", "wet"], "first": ["noise_0", "noise_1"], "second": ["noise_2"]}


@pytest.fixture(scope="module")
def one_thread():
    """Keep what the tests fit by themselves from contending for cores."""
    with threadpool_limits(1):
        yield


def judge(metric="rmse", *, careful=False, folds=SITES, **other):
    return Judge(folds, Objective(metric), one_standard_error=careful, **other)


def selections(*, careful=False, metric="rmse"):
    return {
        "forward": forward_selection(judge(metric, careful=careful)),
        "ranking": ranking_selection(judge(metric, careful=careful)),
        "combinations": combination_selection(judge(metric, careful=careful), GROUPS),
    }


def least_squares(seen, **other):
    """Return a fast learner whose score falls with every covariate that says nothing."""
    return made.candidate("ridge", "value", seen, {"alpha": 1e-3}, **other)


def fits_of(candidate):
    """Return a candidate that counts its fits, and the count."""
    count = []

    def build(keywords, covariates):
        count.append(covariates)
        return candidate.build(keywords, covariates)

    return replace(candidate, build=build), count


@pytest.mark.parametrize("name", ["forward", "ranking", "combinations"])
@pytest.mark.parametrize("kind", ["value", "class"])
def test_what_was_planted_is_found(name, kind):
    table = made.rows(160, noise=5, classes=None if kind == "value" else 2)
    seen = made.covariates(table)
    metric = "rmse" if kind == "value" else "log_loss"
    candidate = made.candidate("ridge" if kind == "value" else "logistic_regression", kind, seen)
    choice = selections(careful=True, metric=metric)[name](candidate, table)
    assert {"cold", "wet"} <= set(choice.covariates)
    assert len(choice.covariates) <= 4
    assert choice.covariates == tuple(each for each in seen if each in choice.covariates)
    assert choice.keywords == candidate.keywords
    assert choice.trail["chosen"].sum() >= 1
    chosen = choice.trail[choice.trail["chosen"]].iloc[0]
    assert chosen["covariates"] == ", ".join(choice.covariates)
    assert chosen["n_covariates"] == len(choice.covariates)


@pytest.mark.parametrize("name", ["forward", "ranking", "combinations"])
def test_a_selection_in_an_outer_fold_sees_no_row_that_is_tested_there(name):
    table = made.rows(60, noise=3)
    seen = []

    def spied(candidate, rows):
        seen.append((set(rows["number"].astype(int)), set(rows["site_group"])))
        return selections()[name](candidate, rows)

    outer = FOLDS["site"](table, n_folds=3, seed=8)
    out_of_fold(least_squares(made.covariates(table), choose=spied), table, outer)
    assert len(seen) == 3
    for (numbers, sites), (train, test) in zip(seen, outer, strict=True):
        assert numbers == set(train)
        assert not sites & set(table["site_group"].iloc[test])


@given(seed=st.integers(0, 10_000))
@settings(max_examples=3, deadline=None)
@pytest.mark.parametrize("name", ["forward", "ranking"])
def test_noise_does_not_lift_the_score_of_what_is_nested(name, seed):
    # Nothing can be known of these values: whoever says so has looked.
    table = made.rows(60, noise=8, seed=seed)
    values = np.random.default_rng(seed + 1).normal(size=60)
    table = table.assign(value=values)
    seen = tuple(f"noise_{number}" for number in range(8))
    outer = FOLDS["site"](table, n_folds=4, seed=seed)
    candidate = least_squares(seen, choose=selections()[name])
    nested = out_of_fold(candidate, table, outer)[0]
    assert root_mean_squared_error(values, nested) > 0.93 * values.std()


@pytest.mark.parametrize("name", ["forward", "ranking"])
def test_noise_costs_next_to_nothing_where_something_can_be_known(name):
    table = made.rows(150, noise=28)
    outer = FOLDS["site"](table, n_folds=4, seed=1)
    scores = {}
    for label, seen, choose in [
        ("two", ("cold", "wet"), None),
        ("all", made.covariates(table), None),
        ("selected", made.covariates(table), selections(careful=True)[name]),
    ]:
        # All pairs of thirty would take the time of all other tests together.
        some = (*seen[:10], "cold", "wet") if label == "selected" and name == "forward" else seen
        predicted = out_of_fold(least_squares(some, choose=choose), table, outer)[0]
        scores[label] = root_mean_squared_error(table["value"], predicted)
    assert scores["two"] < 0.6
    assert 0.99 * scores["two"] < scores["selected"] < 1.05 * scores["two"]
    assert scores["selected"] < scores["all"]


def test_forward_selection_tries_all_pairs_and_then_adds_the_best():
    table = made.rows(100, noise=4)
    seen = made.covariates(table)
    candidate, count = fits_of(least_squares(seen))
    choice = forward_selection(judge())(candidate, table)
    folds = FOLDS["site"](table, n_folds=4, seed=3)

    def score(names):
        """Return the pooled score of a set of covariates by the plainest loop."""
        out = np.empty(100)
        for train, test in folds:
            model = candidate.build(candidate.keywords, names)
            model.fit(table.iloc[train][list(names)].to_numpy(), table.iloc[train]["value"].to_numpy())
            out[test] = model.predict(table.iloc[test][list(names)].to_numpy())
        return root_mean_squared_error(table["value"], out)

    pairs = choice.trail[choice.trail["stage"] == "forward, pairs"]
    expected = [score(names) for names in combinations(seen, 2)]
    np.testing.assert_allclose(pairs["score"], expected, rtol=1e-12)
    current = list(combinations(seen, 2))[int(np.argmin(expected))]
    while len(current) < len(seen):
        longer = [tuple(n for n in seen if n in (*current, each)) for each in seen if each not in current]
        scores = [score(names) for names in longer]
        if min(scores) >= score(current):
            break
        current = longer[int(np.argmin(scores))]
    assert choice.covariates == tuple(n for n in seen if n in current)
    assert len(count) > 0


@given(
    noise=st.integers(1, 4),
    unit=st.booleans(),
    start=st.booleans(),
    most=st.sampled_from([None, 2, 3]),
)
@settings(max_examples=8, deadline=None)
def test_no_selection_takes_more_fits_than_it_says(noise, unit, start, most):
    table = made.rows(36, noise=noise)
    seen = made.covariates(table)
    units = {"both": ("cold", "wet")} if unit else {}
    kept = ("noise_0",) if start else ()
    for choose in [
        forward_selection(judge(), start=kept, units=units, most=most),
        ranking_selection(judge(), start=kept, units=units),
        combination_selection(judge(), units or {name: (name,) for name in seen}),
        chained(
            ranking_selection(judge(), units=units, sizes=[1, 3]), grid_search({"alpha": [1.0, 9.0]}, judge())
        ),
    ]:
        candidate, count = fits_of(least_squares(seen))
        choice = choose(candidate, table)
        assert 0 < len(count) <= choose.fits(4, len(seen))
        assert set(getattr(choose, "start", ())) <= set(choice.covariates)
        if unit:
            assert ("cold" in choice.covariates) == ("wet" in choice.covariates)
    assert len(count) == choose.fits(4, len(seen))


def test_what_selection_starts_from_is_always_kept():
    table = made.rows(100, noise=4)
    choice = forward_selection(judge(careful=True), start=["noise_3"])(
        least_squares(made.covariates(table)), table
    )
    assert choice.covariates == ("noise_3", "cold", "wet")
    assert choice.trail["covariates"].str.contains("noise_3").all()
    nothing = table.assign(value=np.random.default_rng(0).normal(size=100))
    choice = forward_selection(judge(careful=True), start=["noise_3"])(
        least_squares(made.covariates(table)), nothing
    )
    assert "noise_3" in choice.covariates
    assert len(choice.covariates) <= 2


def test_the_most_covariates_are_as_many_as_were_asked_for():
    table = made.rows(100, noise=4)
    table = table.assign(value=table[list(made.covariates(table))].sum(axis=1))
    for most in (2, 3):
        choice = forward_selection(judge(), most=most)(least_squares(made.covariates(table)), table)
        assert len(choice.covariates) == most


def test_ranks_put_what_matters_first():
    table = made.rows(160, noise=4)
    seen = made.covariates(table)
    pieces = Pieces(seen, {})
    forest = made.candidate("random_forest", "value", seen, {"n_estimators": 25})
    for rank in (Permutation(Objective("rmse"), repeats=3), Impurity()):
        worth = rank(forest, table, pieces)
        assert sorted(worth, key=worth.get)[-2:] in (["wet", "cold"], ["cold", "wet"])
        assert list(worth) == list(pieces.names)
    joined = Pieces(seen, {"climate": ("cold", "wet")}, ["noise_0"])
    worth = Permutation(Objective("rmse"), repeats=3)(forest, table, joined)
    assert max(worth, key=worth.get) == "climate"
    assert "noise_0" not in worth


def test_impurity_of_a_class_covariate_is_the_sum_of_its_columns():
    table = made.rows(160, noise=1).assign(
        soil=lambda t: np.random.default_rng(2).choice([3.0, 7.0, 9.0], 160)
    )
    table["value"] += 5 * (table["soil"] == 7.0)
    seen = ("noise_0", "soil", "cold")

    def build(keywords, covariates):
        return made.build_learner(
            "random_forest", "value", 0, dict(keywords), covariates=list(covariates), classes=["soil"]
        )

    candidate = Candidate(build, seen, {"n_estimators": 20}, classes=("soil",))
    worth = Impurity()(candidate, table, Pieces(seen, {}))
    assert max(worth, key=worth.get) == "soil"
    assert sum(worth.values()) == pytest.approx(1.0)
    with pytest.raises(PermagridError, match="rank by permutation"):
        Impurity()(least_squares(("cold", "wet")), table, Pieces(("cold", "wet"), {}))


def test_the_ranking_in_an_inner_fold_does_not_see_its_test_rows():
    table = made.rows(60, noise=2)
    seen = []

    def rank(candidate, rows, pieces):
        seen.append(set(rows["number"].astype(int)))
        return dict.fromkeys(pieces.names, 0.0)

    rank.fits = 0
    ranking_selection(judge(), rank=rank)(least_squares(made.covariates(table)), table)
    folds = FOLDS["site"](table, n_folds=4, seed=3)
    assert seen[0] == set(range(60))
    assert seen[1:] == [set(train) for train, _ in folds]


def test_a_covariate_that_repeats_a_better_one_is_dropped():
    table = made.rows(120, noise=1).assign(again=lambda t: np.exp(t["cold"] / 5.0) + 1e-6 * t["noise_0"])
    candidate = made.candidate(
        "random_forest", "value", ("again", "cold", "wet", "noise_0"), {"n_estimators": 10}
    )
    order = ranking_selection(judge(), most_alike=0.95, rank=Impurity()).order(
        candidate, table, Pieces(candidate.covariates, {})
    )
    assert set(order) in ({"again", "wet", "noise_0"}, {"cold", "wet", "noise_0"})
    every = ranking_selection(judge(), rank=Impurity()).order(
        candidate, table, Pieces(candidate.covariates, {})
    )
    assert set(every) == set(candidate.covariates)
    kept = ranking_selection(judge(), most_alike=0.95, start=["again"], rank=Impurity()).order(
        candidate, table, Pieces(candidate.covariates, {}, ["again"])
    )
    assert "cold" not in kept
    as_classes = replace(candidate, classes=("again",))
    order = ranking_selection(judge(), most_alike=0.95, rank=Impurity()).order(
        as_classes, table, Pieces(candidate.covariates, {})
    )
    assert {"again", "cold"} <= set(order)


def test_combinations_are_all_of_them_and_keep_what_is_in_no_group():
    table = made.rows(80, noise=4)
    candidate = least_squares(made.covariates(table))
    choice = combination_selection(judge(), GROUPS)(candidate, table)
    assert len(choice.trail) == 2**3
    assert choice.trail["covariates"].str.contains("noise_3").all()
    assert choice.trail["covariates"][0] == "noise_3"
    assert choice.trail["n_covariates"].tolist() == [1, 3, 2, 3, 4, 5, 4, 6]
    assert choice.trail.loc[choice.trail["chosen"], "score"].item() == choice.trail["score"].min()
    alone = combination_selection(judge(), {"a": ["cold"], "b": ["wet"]})
    trail = alone(least_squares(("cold", "wet")), table).trail
    assert trail["covariates"].tolist() == ["cold", "wet", "cold, wet"]


def test_choices_are_chained_and_the_search_sees_what_was_selected():
    table = made.rows(100, noise=4)
    candidate = least_squares(made.covariates(table))
    space = {"alpha": [1000.0, 0.01]}
    choice = chained(forward_selection(judge(careful=True)), grid_search(space, judge()))(candidate, table)
    assert choice.covariates == ("cold", "wet")
    assert choice.keywords == {"alpha": 0.01}
    last = choice.trail[choice.trail["stage"] == "search"]
    assert (last["covariates"] == "cold, wet").all()
    assert len(last) == 2
    assert choice.trail["stage"].iloc[0] == "forward, pairs"


@pytest.mark.parametrize("name", ["forward", "ranking", "combinations"])
def test_a_selection_does_without_what_another_dropped_before(name):
    table = made.rows(100, noise=4)
    candidate = least_squares(made.covariates(table))
    # Of one group a part is dropped, of another all.
    first = combination_selection(judge(careful=True), {"dropped": ["noise_0", "noise_1", "noise_2"]})
    units = {"climate": ["cold", "wet"], "mixed": ["noise_2", "noise_3"], "gone": ["noise_0", "noise_1"]}
    second = {
        "forward": forward_selection(judge(careful=True), units=units, start=["gone", "noise_2"]),
        "ranking": ranking_selection(judge(careful=True), units=units, start=["gone", "noise_2"]),
        "combinations": combination_selection(judge(careful=True), units),
    }[name]
    both, (candidate, count) = chained(first, second), fits_of(candidate)
    choice = both(candidate, table)
    expected = {"cold", "wet"} if name == "combinations" else {"cold", "wet", "noise_3"}
    assert set(choice.covariates) == expected
    assert choice.trail["stage"].iloc[0] == "combinations"
    assert not choice.trail["covariates"][2:].str.contains("noise_0|noise_1|noise_2").any()
    assert 0 < len(count) <= both.fits(4, 6)
    # What never was is still refused.
    with pytest.raises(PermagridError, match="has the covariate 'colt'"):
        chained(first, combination_selection(judge(), {"climate": ["colt"]}))(candidate, table)


def test_a_selection_of_which_nothing_is_left_is_passed_over():
    table = made.rows(100, noise=2)
    candidate = least_squares(made.covariates(table))
    first = combination_selection(judge(careful=True), {"noise": ["noise_0", "noise_1"]})
    for second in (
        combination_selection(judge(), {"noise": ["noise_0", "noise_1"]}),
        forward_selection(judge(), start=["cold", "wet"]),
        chained(ranking_selection(judge(), start=["cold", "wet", "noise_1"])),
    ):
        choice = chained(first, second, grid_search({"alpha": [1000.0, 0.01]}, judge()))(candidate, table)
        assert choice.covariates == ("cold", "wet")
        assert choice.trail["stage"].tolist() == ["combinations"] * 2 + ["search"] * 2


def test_fits_are_no_more_than_said_where_all_of_a_start_was_dropped():
    table = made.rows(60, noise=5)
    candidate, count = fits_of(least_squares(made.covariates(table)))
    both = chained(
        combination_selection(judge(careful=True), {"one": ["noise_0"]}),
        forward_selection(judge(), start=["noise_0"]),
    )
    assert "noise_0" not in both(candidate, table).covariates
    assert 4 * (2 + 15) < len(count) <= both.fits(4, 7)


@pytest.mark.parametrize("name", ["forward", "ranking", "combinations"])
def test_where_nothing_can_be_tried_all_covariates_stay(name):
    table = made.rows(40, noise=3)
    candidate = least_squares(made.covariates(table))
    choice = selections()[name](candidate, table[table["site_group"] == 0])
    assert choice.covariates == candidate.covariates
    assert choice.trail["note"].str.startswith("nothing could be tried").all()


@pytest.mark.parametrize("name", ["forward", "ranking"])
def test_selections_are_the_same_for_any_number_of_workers(name):
    table = made.rows(60, noise=3)
    candidate = made.candidate("random_forest", "value", made.covariates(table), {"n_estimators": 4})
    choose = selections()[name]
    alone = choose(candidate, table)
    with Workers(2, preloaded=["permagrid.learners"]) as workers:
        beside = replace(choose, judge=replace(choose.judge, workers=workers))(candidate, table)
    assert alone.covariates == beside.covariates
    pd.testing.assert_frame_equal(alone.trail, beside.trail, check_exact=True)


def test_a_learner_that_fits_no_set_of_covariates_is_told():
    table = made.rows(40, noise=2)
    broken = Candidate(made.recorder, ("number", "cold", "wet"), {"kind": "broken"})
    for choose in (
        forward_selection(judge(), start=["number"]),
        combination_selection(judge(), {"climate": ["cold", "wet"]}),
    ):
        with pytest.raises(PermagridError, match="could not be fitted: it is broken"):
            choose(broken, table)


def test_mistakes_are_told_in_one_sentence():
    table = made.rows(40, noise=2)
    candidate = least_squares(made.covariates(table))
    calls = {
        "a unit has the covariate 'colt', .* did you mean 'cold'": forward_selection(
            judge(), units={"climate": ["colt"]}
        ),
        "cold is in more than one unit": combination_selection(judge(), {"a": ["cold"], "b": ["cold"]}),
        "start names 'dry', which the learner does not see": forward_selection(judge(), start=["dry"]),
        "all covariates are kept from the start": forward_selection(judge(), start=candidate.covariates),
    }
    for message, choose in calls.items():
        with pytest.raises(PermagridError, match=message):
            choose(candidate, table)
    makers = {
        "most must be 2 or more": lambda: forward_selection(judge(), most=1),
        "of 1 to 12 groups of covariates, found 0": lambda: combination_selection(judge(), {}),
        "found 13": lambda: combination_selection(judge(), {str(n): [str(n)] for n in range(13)}),
        "most_alike is a correlation above 0 to 1, found 2": lambda: ranking_selection(
            judge(), most_alike=2.0
        ),
        "sizes are numbers of covariates from 1": lambda: ranking_selection(judge(), sizes=[0]),
        "there is nothing to choose by": chained,
    }
    for message, make in makers.items():
        with pytest.raises(PermagridError, match=message):
            make()


def test_a_choice_is_a_choice():
    table = made.rows(40, noise=2)
    choices = {**selections(), "combinations": combination_selection(judge(), {"climate": ["cold", "wet"]})}
    for choose in choices.values():
        assert isinstance(choose(least_squares(made.covariates(table)), table), Choice)
