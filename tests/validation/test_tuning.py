"""A search scores what plain loops and scikit-learn score, with fewer fits, from training rows alone."""

from dataclasses import replace

import made_trials as made
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, log_loss, mean_absolute_error, root_mean_squared_error
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError
from permagrid.validation import FOLDS, Candidate, out_of_fold
from permagrid.validation.inner_folds import FoldsSpec
from permagrid.validation.objective import CLASS_OBJECTIVES, VALUE_OBJECTIVES, Objective
from permagrid.validation.proposals import encoded, next_proposal
from permagrid.validation.shared_work import combinations
from permagrid.validation.trials import Judge
from permagrid.validation.tuning import bayesian_search, cost, grid_search, random_search
from permagrid.validation.workers import Workers

pytestmark = pytest.mark.usefixtures("one_thread")
SITES = FoldsSpec("site", {"n_folds": 4, "seed": 3})
SPACES = {
    "random_forest": {"n_estimators": [3, 7, 12], "min_samples_leaf": [1, 8]},
    "gradient_boosting": {"max_iter": [4, 9], "learning_rate": [0.05, 0.3]},
    "ridge": {"alpha": [0.1, 30.0]},
    "logistic": {"C": [0.01, 1.0]},
}


@pytest.fixture(scope="module")
def one_thread():
    """Keep what the tests fit by themselves from contending for cores."""
    with threadpool_limits(1):
        yield


def judge(metric="rmse", folds=SITES, *, pooled=True, **keywords):
    return Judge(folds, Objective(metric, pooled), **keywords)


def recorded(seen=("number", "cold", "wet"), **other):
    made.FITTED.clear()
    return Candidate(made.recorder, seen, **other)


def by_hand(candidate, table, keywords, folds, classes=None):
    """Return out-of-fold predictions of one combination by the plainest loop."""
    seen = list(candidate.covariates)
    out = np.full(len(table) if classes is None else (len(table), len(classes)), np.nan)
    for train, test in folds:
        model = candidate.build(keywords, candidate.covariates)
        model.fit(table.iloc[train][seen].to_numpy(float), table.iloc[train]["value"].to_numpy(float))
        tested = table.iloc[test][seen].to_numpy(float)
        out[test] = model.predict(tested) if classes is None else model.predict_proba(tested)
    return out


@pytest.mark.parametrize("learner", ["random_forest", "gradient_boosting"])
def test_grid_scores_are_those_of_a_plain_loop_and_the_best_is_taken(learner):
    table = made.rows()
    candidate = made.candidate(learner, "value", ("cold", "wet", "noise_0"))
    space = SPACES[learner]
    choice = grid_search(space, judge(grown=next(iter(space))))(candidate, table)
    folds = FOLDS["site"](table, n_folds=4, seed=3)
    expected = [
        root_mean_squared_error(table["value"], by_hand(candidate, table, keywords, folds))
        for keywords in combinations(space)
    ]
    np.testing.assert_allclose(choice.trail["score"], expected, rtol=1e-13)
    assert choice.keywords == combinations(space)[int(np.argmin(expected))]
    assert choice.trail["chosen"].sum() == 1
    assert choice.trail["chosen"].idxmax() == np.argmin(expected)
    assert choice.covariates == candidate.covariates


@pytest.mark.parametrize("classes", [2, 3])
def test_classes_are_scored_by_any_metric_as_scikit_learn_does(classes):
    table = made.rows(classes=classes)
    candidate = made.candidate("random_forest", "class", ("cold", "wet"))
    space = {"n_estimators": [5, 11]}
    folds = FOLDS["site"](table, n_folds=4, seed=3)
    codes = np.unique(table["value"])
    raw = [by_hand(candidate, table, keywords, folds, codes) for keywords in combinations(space)]
    scorers = {
        "log_loss": lambda p: log_loss(table["value"], p),
        "kappa": lambda p: cohen_kappa_score(table["value"], codes[p.argmax(axis=1)]),
        "accuracy": lambda p: np.mean(table["value"] == codes[p.argmax(axis=1)]),
    }
    for metric, scorer in scorers.items():
        trail = grid_search(space, judge(metric, grown="n_estimators"))(candidate, table).trail
        np.testing.assert_allclose(trail["score"], [scorer(p) for p in raw], rtol=1e-12)


@pytest.mark.parametrize(
    ("task", "metric", "scoring"),
    [
        ("value", "rmse", "neg_root_mean_squared_error"),
        ("value", "r2", "r2"),
        ("class", "log_loss", "neg_log_loss"),
        ("class", "balanced_accuracy", "balanced_accuracy"),
    ],
)
def test_scores_fold_by_fold_are_those_of_grid_search_cv(task, metric, scoring):
    table = made.rows(classes=2 if task == "class" else None)
    candidate = made.candidate("gradient_boosting", task, ("cold", "wet"))
    space = {"learning_rate": [0.05, 0.3], "max_iter": [4, 9, 15]}
    choice = grid_search(space, judge(metric, pooled=False, grown="max_iter"))(candidate, table)
    theirs = GridSearchCV(
        candidate.build({}, candidate.covariates),
        space,
        scoring=scoring,
        cv=FOLDS["site"](table, n_folds=4, seed=3),
    ).fit(table[["cold", "wet"]].to_numpy(), table["value"].to_numpy())
    assert choice.keywords == theirs.best_params_
    scores = {tuple(k.values()): s for k, s in zip(combinations(space), choice.trail["score"], strict=True)}
    for keywords, score in zip(
        theirs.cv_results_["params"], theirs.cv_results_["mean_test_score"], strict=True
    ):
        found = scores[keywords["learning_rate"], keywords["max_iter"]]
        assert abs(found) == pytest.approx(abs(score), abs=1e-12)


@pytest.mark.parametrize("metric", [*VALUE_OBJECTIVES, *CLASS_OBJECTIVES])
def test_every_metric_prefers_the_learner_that_learned_something(metric):
    task = "value" if metric in VALUE_OBJECTIVES else "class"
    table = made.rows(classes=None if task == "value" else 2)
    candidate = made.candidate("random_forest", task, ("cold", "wet"))
    space = {"min_samples_leaf": [60, 2], "n_estimators": [10]}
    choice = grid_search(space, judge(metric))(candidate, table)
    assert choice.keywords["min_samples_leaf"] == 2
    assert (choice.trail["standard_error"] > 0).sum() >= 1


def test_repeats_are_scored_one_by_one_and_averaged():
    table = made.rows()
    candidate = made.candidate("random_forest", "value", ("cold", "wet"), {"n_estimators": 5})
    spec = FoldsSpec("site", {"n_folds": 3, "repeats": 2, "seed": 1})
    trail = grid_search({"min_samples_leaf": [2]}, judge("mae", spec))(candidate, table).trail
    folds = FOLDS["site"](table, n_folds=3, repeats=2, seed=1)
    each = [
        mean_absolute_error(
            table["value"], by_hand(candidate, table, {"n_estimators": 5, "min_samples_leaf": 2}, pairs)
        )
        for pairs in folds.rounds
    ]
    assert trail["score"].tolist() == [pytest.approx(np.mean(each), rel=1e-13)]
    assert each[0] != each[1]


@given(
    off=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    trees=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    grown=st.booleans(),
    n_folds=st.integers(2, 4),
)
@settings(max_examples=25, deadline=None)
def test_fits_are_as_many_as_the_cost_says_and_none_is_done_twice(off, trees, grown, n_folds):
    space = {"off": off, "trees": trees}
    shared = "trees" if grown else None
    search = grid_search(space, judge(folds=FoldsSpec("site", {"n_folds": n_folds}), grown=shared))
    choice = search(recorded(), made.rows(40))
    assert len(made.FITTED) == search.fits(n_folds) == cost(space, n_folds, shared)
    assert len(made.FITTED) == n_folds * len(set(off)) * (1 if grown else len(set(trees)))
    assert len(choice.trail) == len(set(off)) * len(set(trees))


def test_a_choice_in_an_outer_fold_sees_no_row_that_is_tested_there():
    table = made.rows(80)
    seen = []

    def spied(candidate, rows):
        seen.append(set(rows["number"].astype(int)))
        return search(candidate, rows)

    search = grid_search({"off": [0.5, 0.0]}, judge())
    outer = FOLDS["site"](table, n_folds=5, seed=8)
    candidate = recorded(choose=spied)
    out_of_fold(candidate, table, outer)
    assert seen == [set(train) for train, _ in outer]
    per_fold = len(made.FITTED) // len(outer)
    assert per_fold == search.fits(4) + 1
    for number, (_, test) in enumerate(outer):
        for _, fitted, _ in made.FITTED[number * per_fold : (number + 1) * per_fold]:
            assert not set(fitted) & set(test)


def test_inner_folds_keep_sites_together():
    table = made.rows(80, rows_per_site=4)
    grid_search({"off": [0.0]}, judge())(recorded(), table)
    for _, fitted, _ in made.FITTED:
        site = table["site_group"].to_numpy()
        assert not set(site[fitted]) & set(site[np.setdiff1d(np.arange(80), fitted)])


def test_the_first_of_equals_is_taken_and_a_simpler_one_within_a_standard_error():
    table = made.rows()
    assert grid_search({"off": [0.2, -0.2, 0.0]}, judge())(recorded(), table).keywords == {"off": 0.0}
    choice = grid_search({"kind": ["b", "a"]}, judge())(recorded(), table)
    assert choice.keywords == {"kind": "b"}
    space = {"off": [5.0, 0.02, 0.0]}
    trail = grid_search(space, judge())(recorded(), table).trail
    assert trail["score"][1] - trail["score"][2] < trail["standard_error"][2] < trail["score"][0]
    careful = grid_search(space, judge(one_standard_error=True))(recorded(), table)
    assert careful.keywords == {"off": 0.02}


def test_the_standard_error_of_a_pooled_mean_is_the_usual_one():
    table = made.rows(120)
    folds = FOLDS["site"](table, n_folds=4, seed=3)
    error = np.abs(np.random.default_rng(0).normal(size=120))
    found = Objective("mae").score(np.zeros(120), error[np.newaxis], folds)
    means = np.array([error[test].mean() for _, test in folds])
    assert found.standard_error == pytest.approx(means.std(ddof=1) / 2.0, rel=1e-9)
    assert found.score == pytest.approx(error.mean())


def test_too_few_sites_make_fewer_folds_and_one_class_leaves_the_first():
    few = made.rows(6)
    choice = grid_search({"off": [50.0, 0.0]}, judge())(recorded(("number", "cold")), few)
    assert choice.keywords == {"off": 0.0}
    assert choice.trail["note"].str.startswith("3 folds in place of 4").all()
    lone = few[few["site_group"] == 0]
    choice = grid_search({"off": [0.3, 0.0]}, judge())(recorded(), lone)
    assert choice.keywords == {"off": 0.3}
    assert choice.trail["note"][0].startswith("nothing could be tried: folds: 1 sites cannot make")
    one_class = made.rows(classes=2).assign(value=1.0)
    candidate = made.candidate("random_forest", "class", ("cold",))
    choice = grid_search({"n_estimators": [9, 5]}, judge("log_loss"))(candidate, one_class)
    assert choice.keywords == {"n_estimators": 9}
    assert choice.trail["note"].tolist() == ["nothing could be tried: all rows are of one class"]


def test_a_class_that_only_one_fold_has_is_predicted_with_nothing():
    table = made.rows(60, classes=2)
    table.loc[table["site_group"] == 0, "value"] = 7.0
    candidate = made.candidate("random_forest", "class", ("cold", "wet"), {"n_estimators": 5})
    trail = grid_search({"min_samples_leaf": [1]}, judge("brier"))(candidate, table).trail
    assert 0 < trail["score"][0] < 2


def test_weights_are_those_of_the_rows_that_train():
    table = made.rows(60)
    candidate = recorded(weigh=lambda rows: rows["number"].to_numpy() + 1.0)
    grid_search({"off": [0.0]}, judge())(candidate, table)
    for _, fitted, weights in made.FITTED:
        np.testing.assert_allclose(weights, (fitted + 1) / (fitted + 1).mean())


def test_what_cannot_be_fitted_has_no_score_and_is_not_taken():
    table = made.rows(40)
    choice = grid_search({"kind": ["broken", "lost", "a"]}, judge())(recorded(), table)
    assert choice.keywords == {"kind": "a"}
    assert np.isnan(choice.trail["score"][:2]).all()
    assert choice.trail["note"].tolist() == [
        "could not be fitted: it is broken",
        "the score cannot be told from its predictions",
        "",
    ]
    with pytest.raises(PermagridError, match="no combination has a score on the inner folds: could not be"):
        grid_search({"kind": ["broken"]}, judge())(recorded(), table)
    forest = made.candidate("random_forest", "value", ("cold", "wet"))
    with pytest.raises(PermagridError, match="random_forest: n_estimators must be"):
        grid_search({"n_estimators": [3, 0]}, judge())(forest, table)


def test_random_search_tries_as_many_as_it_draws_and_is_the_same_again():
    table = made.rows(60)
    space = {"off": [0.4, 0.3, 0.2, 0.1, 0.0], "trees": [1, 2, 3]}
    search = random_search(space, judge(grown="trees"), draws=3, seed=5)
    choice = search(recorded(), table)
    assert len(made.FITTED) == search.fits(4) == 12
    assert len(choice.trail) == 9
    pd.testing.assert_frame_equal(choice.trail, search(recorded(), table).trail)
    others = [random_search(space, judge(), draws=3, seed=seed)(recorded(), table) for seed in range(4)]
    assert len({tuple(other.trail["keywords"]) for other in others}) > 1
    every = random_search(space, judge(), draws=99, seed=1)(recorded(), table)
    pd.testing.assert_frame_equal(every.trail, grid_search(space, judge())(recorded(), table).trail)


def test_bayesian_search_finds_the_best_with_a_fraction_of_the_fits():
    table = made.rows(60)
    values = [round(10 ** (step / 6) - 1.5, 6) for step in range(30)]
    space = {"off": values, "kind": ["a", "b"]}
    best = grid_search(space, judge())(recorded(), table).keywords["off"]
    for seed in range(5):
        search = bayesian_search(space, judge(), draws=18, seed=seed)
        choice = search(recorded(), table)
        assert len(made.FITTED) == search.fits(4) == 18 * 4
        assert choice.keywords["off"] == best
        assert len(choice.trail) == 18
    pd.testing.assert_frame_equal(choice.trail, search(recorded(), table).trail)


def test_bayesian_search_ends_with_the_space():
    space = {"off": [0.2, 0.0], "trees": [1, 2]}
    choice = bayesian_search(space, judge(grown="trees"), draws=50, seed=0)(recorded(), made.rows(40))
    assert len(choice.trail) == 4
    assert len(made.FITTED) == 8


def test_proposals_see_ratios_and_names_and_bear_equal_or_lost_losses():
    points = encoded([{"C": 0.01, "k": None}, {"C": 1.0, "k": 2}, {"C": 100.0, "k": 2}])
    np.testing.assert_allclose(points[:, 0], [0.0, 0.5, 1.0])
    np.testing.assert_allclose(np.linalg.norm(points[0, 1:] - points[1, 1:]), 1.0)
    line = np.linspace(0, 1, 6)[:, np.newaxis]
    assert next_proposal(line, [0, 5], [1.0, 1.0]) in (1, 2, 3, 4)
    assert next_proposal(line, [0, 5], [np.inf, np.inf]) in (1, 2, 3, 4)
    assert next_proposal(line, [0, 3, 5], [np.inf, 0.0, 5.0]) in (1, 2, 4)


def test_the_answer_is_the_same_for_any_number_of_workers():
    table = made.rows(60, classes=3)
    candidate = made.candidate("random_forest", "class", ("cold", "wet", "noise_0"))
    space = {"min_samples_leaf": [1, 5], "n_estimators": [4, 9]}
    search = grid_search(space, judge("log_loss", grown="n_estimators"))
    alone = search(candidate, table)
    with Workers(2, preloaded=["permagrid.learners"]) as workers:
        beside = replace(search, judge=replace(search.judge, workers=workers))(candidate, table)
        again = replace(search, judge=replace(search.judge, workers=workers))(candidate, table)
    pd.testing.assert_frame_equal(alone.trail, beside.trail, check_exact=True)
    pd.testing.assert_frame_equal(alone.trail, again.trail, check_exact=True)
    assert alone.keywords == beside.keywords


def test_the_order_in_which_rows_are_numbered_does_not_matter():
    table = made.rows(60)
    moved = table.set_index(pd.Index(np.arange(60) * 7 + 3))
    search = grid_search({"off": [0.3, 0.0]}, judge())
    pd.testing.assert_frame_equal(search(recorded(), table).trail, search(recorded(), moved).trail)


def test_trials_with_fewer_trees_choose_and_what_is_chosen_has_all_of_them():
    table = made.rows(60)
    candidate = recorded(keywords={"trees": 50})
    search = grid_search({"off": [0.3, 0.0]}, judge(in_trials={"trees": 2}))
    choice = search(candidate, table)
    assert choice.keywords == {"trees": 50, "off": 0.0}
    assert {keywords["trees"] for keywords, _, _ in made.FITTED} == {2}
    assert choice.trail["note"].tolist() == ['tried with {"trees": 2}'] * 2
    with pytest.raises(PermagridError, match="off is searched, and cannot be held in all trials"):
        grid_search({"off": [0.3, 0.0]}, judge(in_trials={"off": 1.0}))


def test_mistakes_are_told_in_one_sentence():
    with pytest.raises(PermagridError, match="unknown metric 'rsme': did you mean 'rmse'"):
        Objective("rsme")
    with pytest.raises(PermagridError, match="there is no keyword to search"):
        grid_search({}, judge())
    with pytest.raises(PermagridError, match="off has no values to try"):
        grid_search({"off": []}, judge())
    for search in (random_search, bayesian_search):
        with pytest.raises(PermagridError, match="draws must be 1 or more, found 0"):
            search({"off": [1]}, judge(), draws=0, seed=0)
