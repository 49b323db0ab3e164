"""Groups of a study's selection serve learners that see some of their covariates only."""

from pathlib import Path

import made_trials as made
import pytest

from permagrid import check_study
from permagrid.errors import PermagridError
from permagrid.steps.learners import candidate
from permagrid.study import parse_study
from small_study import small_study

GROUPS = {"climate": ["bio1", "snow_depth"], "terrain": ["elevation", "slope"], "under": ["depth", "slope"]}


def study_of(learner="ridge", **selection):
    """Return a study whose learner sees three covariates of the five that there are, and chooses."""
    study = small_study(lean=True)
    study["learners"] = [
        {"name": learner, "covariates": ["bio1", "elevation", "depth"], "selection": selection}
    ]
    study["validation"]["inner"] = {"method": "site", "n_folds": 3}
    study["products"] = {"learner": learner}
    study["validation"].pop("groups", None)
    return parse_study(study)


def rows():
    table = made.rows(60, noise=0)
    return table.assign(
        bio1=table["cold"], elevation=table["wet"], depth=table["cold"] ** 2, slope=0.0, snow_depth=1.0
    )


@pytest.mark.parametrize(
    "selection",
    [
        {"method": "combination"},
        {"method": "forward"},
        {"method": "ranking"},
        {"method": "forward", "start": ["terrain"]},
        {"method": "ranking", "start": ["slope", "snow_depth", "climate"]},
    ],
)
def test_covariates_that_the_learner_does_not_see_fall_out_of_groups_and_start(selection):
    groups = {**GROUPS, "under": ["depth"]}
    study = study_of(**selection, groups=groups)
    assert check_study(study, Path(), data=False) == []
    learner = candidate(study.learners[0], study)
    choice = learner.choose(learner, rows())
    assert {"bio1", "elevation"} <= set(choice.covariates) <= {"bio1", "elevation", "depth"}


def test_a_start_of_which_nothing_is_seen_is_no_start():
    study = study_of(method="forward", groups={"snow": ["snow_depth"]}, start=["snow", "slope"])
    assert check_study(study, Path(), data=False) == []
    learner = candidate(study.learners[0], study)
    choice = learner.choose(learner, rows())
    assert choice.trail["stage"][0] == "forward, pairs"


def test_what_the_study_does_not_have_is_a_fault():
    study = study_of(
        method="forward", groups={"climate": ["bio1", "snow_deth"]}, start=["climate", "elevatoin"]
    )
    told = [str(fault) for fault in check_study(study, Path(), data=False)]
    assert len(told) == 2
    assert "groups.climate" in told[0]
    assert "unknown covariate 'snow_deth'" in told[0]
    assert "did you mean 'snow_depth'" in told[0]
    assert "selection.start[1]" in told[1]
    assert "unknown group or covariate 'elevatoin'" in told[1]
    assert "did you mean 'elevation'" in told[1]


def test_a_ranking_by_impurity_goes_by_what_trees_split_on_and_is_refused_where_there_are_none():
    asked = {"method": "ranking", "rank": "impurity", "most": 1}
    study = study_of("decision_tree", **asked)
    tree = candidate(study.learners[0], study)
    assert len(tree.choose(tree, rows()).covariates) == 1
    study = study_of(**asked)
    ridge = candidate(study.learners[0], study)
    with pytest.raises(PermagridError, match="rank by permutation"):
        ridge.choose(ridge, rows())
