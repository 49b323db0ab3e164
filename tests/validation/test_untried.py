"""Where the rows of a fold are too few to choose from, choices, summary and report tell it."""

import json
from types import SimpleNamespace

import made_trials as made
import numpy as np
import pytest

from permagrid.report.choice_sections import choice_section
from permagrid.steps.evidence import choice_list
from permagrid.validation import Candidate, Folds
from permagrid.validation.inner_folds import FoldsSpec
from permagrid.validation.objective import Objective
from permagrid.validation.out_of_fold import predict_all
from permagrid.validation.selection import chained, combination_selection
from permagrid.validation.trials import Judge
from permagrid.validation.tuning import grid_search

SPACE = {"alpha": [100.0, 0.01]}
WHY = "folds: 1 sites cannot make 4 folds; use fewer folds or larger data"


def choices(table, choose, task="value"):
    """Return what a learner chose in two folds, of which the first has one site only to train with."""
    site = table["site_group"].to_numpy()
    one, some, many = (np.flatnonzero(held) for held in (site == 0, site < 10, site >= 10))
    scheme = Folds("site", "one site, then many", ((one, many), (many, some)), groups=site)
    learner = "ridge" if task == "value" else "logistic_regression"
    candidate = made.candidate(learner, task, ("cold", "wet"), choose=choose)
    classes = None if task == "value" else np.unique(table["value"])
    return predict_all({"it": candidate}, table, [scheme], classes=classes)["it", "site"]


def judge(metric="rmse"):
    return Judge(FoldsSpec("site", {"n_folds": 4, "seed": 3}), Objective(metric))


@pytest.mark.parametrize("part", ["search", "selection", "both"])
def test_folds_in_which_nothing_could_be_tried_are_counted_and_told(part):
    search = grid_search(SPACE, judge())
    selection = combination_selection(judge(), {"a": ["cold"], "b": ["wet"]})
    choose = {"search": search, "selection": selection, "both": chained(selection, search)}[part]
    found = choices(made.rows(60, noise=0), choose)
    assert [choice.get("untried", "") for choice in found.choices] == [WHY, ""]
    comparison = SimpleNamespace(raw={("it", "site"): found})
    (listed,) = choice_list(comparison, "it", Candidate(made.recorder, ("cold",)))
    assert listed["n_folds"] == 2
    assert listed["untried"] == [{"reason": WHY, "n_folds": 1}]
    section = choice_section({"choices": json.loads(json.dumps([listed]))})
    assert f"In 1 of 2 folds the it could try nothing: {WHY} (1 fold). " in section.parts[0].tables[0].caption


def test_where_something_could_be_tried_everywhere_nothing_is_told():
    table = made.rows(60, noise=0)
    scheme = Folds(
        "halves", "two halves", ((np.arange(30), np.arange(30, 60)),), groups=table["site_group"].to_numpy()
    )
    candidate = made.candidate("ridge", "value", ("cold", "wet"), choose=grid_search(SPACE, judge()))
    found = predict_all({"it": candidate}, table, [scheme])
    (listed,) = choice_list(SimpleNamespace(raw=found), "it", candidate)
    assert listed["untried"] == []
    assert "could try nothing" not in choice_section({"choices": [listed]}).parts[0].tables[0].caption


def test_shares_are_of_the_folds_in_which_a_learner_was_fitted():
    table = made.rows(60, noise=0, classes=2)
    table.loc[table["site_group"] == 0, "value"] = 1.0
    found = choices(table, grid_search({"C": [0.1, 10.0]}, judge("log_loss")), "class")
    assert [bool(choice["covariates"]) for choice in found.choices] == [False, True]
    (listed,) = choice_list(SimpleNamespace(raw={("it", "site"): found}), "it", Candidate(made.recorder, ()))
    assert listed["n_folds"] == 1
    assert {each["share"] for each in listed["keywords"]} == {1.0}
    assert listed["untried"] == []


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (FoldsSpec("site", {"n_folds": 1}), "folds: n_folds must be 2 or more, found 1"),
        (FoldsSpec("site", {"n_folds": 0}), "folds: n_folds must be 2 or more, found 0"),
        (FoldsSpec("site", {"n_folds": -3}), "folds: n_folds must be 2 or more, found -3"),
        (
            FoldsSpec("block", {"size": "residual_variogram"}),
            "folds: a size from the residual variogram needs residuals of a learner; give it in metres",
        ),
    ],
)
def test_inner_folds_that_are_refused_leave_their_sentence(spec, why):
    choose = grid_search(SPACE, Judge(spec, Objective("rmse")))
    found = choices(made.rows(60, noise=0), choose)
    assert [choice["untried"] for choice in found.choices] == [why, why]
