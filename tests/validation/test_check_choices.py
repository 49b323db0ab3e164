"""The check of searches, selections and folds: what can never work or has no effect is refused beforehand."""

from pathlib import Path
from typing import Any

import made_sites as made
import pytest

from command_line import made_up_study
from permagrid import check_study
from permagrid.check.choices import choice_faults
from permagrid.check.folds import scheme_name
from permagrid.study import FoldsPart, parse_study
from permagrid.validation import FOLDS

RIDGE = {"name": "ridge", "label": "straight"}
FOREST = {"name": "random_forest", "label": "forest", "n_estimators": 5}
AVERAGE = {"name": "average", "learners": [{"name": "ridge"}]}
TTOP = {
    "name": "ttop",
    "air_temperature": "air",
    "warmest_quarter": "air",
    "coldest_quarter": "air",
    "offset": 0,
}


def told(learner: dict[str, Any] | None = None, **validation: Any) -> list[str]:
    """Return the faults of the small study with one more learner, whose number is 2."""
    study = made_up_study()
    if learner is not None:
        study["learners"].append(learner)
    study["validation"] |= validation
    return [str(fault) for fault in check_study(parse_study(study), Path(), data=False)]


SEARCHES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        FOREST,
        {"space": {"max_features": [0.5, 1.5]}},
        "learners[2].search.space.max_features[1] (random_forest): "
        "random_forest: max_features is a share above 0 to 1, found 1.5",
    ),
    (FOREST, {"space": {"max_features": ["many"]}}, "search.space.max_features[0] (random_forest): keyword"),
    (FOREST, {"space": {"trees": [5, 6]}}, "search.space.trees (random_forest): unknown keyword 'trees'"),
    (FOREST, {"trials": {"n_estimators": 0}}, "learners[2].search.trials.n_estimators (random_forest): "),
    (
        AVERAGE,
        {"space": {"learners": [[{"name": "ridge"}], [{"name": "rigde"}]]}},
        "learners[2].search.space.learners[1] (average): average: learners[0]: unknown learner 'rigde'",
    ),
    (
        AVERAGE,
        {"space": {"learners": [[{"name": "ridge", "alfa": 1}]]}},
        "learners[2].search.space.learners[0] (average): average: learners[0]: unknown keyword 'alfa'",
    ),
    (
        AVERAGE,
        {"space": {"learners": [[{"name": "ridge"}, {"name": "ridge", "covariates": ["snow"]}]]}},
        "search.space.learners[0] (average): average: learners[1]: covariates names 'snow'",
    ),
    (
        AVERAGE,
        {"space": {"learners": [[]]}},
        "search.space.learners[0] (average): average: learners is empty",
    ),
    (
        AVERAGE,
        {"space": {"learners": [[{"name": "random_forest", "max_features": 1.5}]]}},
        "search.space.learners[0] (average): average: learners[0]: random_forest: max_features is a share",
    ),
    (
        AVERAGE,
        {},
        "average has no search space of its own; name one, as in space: {learners: [[...], [...]]}",
    ),
    (
        TTOP,
        {},
        "ttop has no search space of its own; name one, as in space: {snow_density: [..., ...]}; it has the "
        "keywords snow_density, ",
    ),
    (
        RIDGE,
        {"draws": 30},
        "learners[2].search.draws (ridge): has no effect: method grid tries all combinations",
    ),
    (
        RIDGE,
        {"metric": "brier"},
        "learners[2].search.metric (ridge): 'brier' is a metric of classes, and the target is a value: ",
    ),
    (
        RIDGE,
        {"metric": "rmsee"},
        "learners[2].search.metric (ridge): unknown metric 'rmsee': did you mean 'rmse'",
    ),
]


@pytest.mark.parametrize(("learner", "search", "said"), SEARCHES)
def test_a_search_that_cannot_be_made_is_told_once_with_its_place(learner, search, said):
    (found,) = told({**learner, "search": search})
    assert said in found


def test_a_keyword_that_is_missing_and_searched_is_told_as_missing_only():
    (found,) = told({"name": "average", "search": {"space": {"learners": [[{"name": "ridge"}]]}}})
    assert "learner average needs the keyword 'learners'" in found


@pytest.mark.parametrize(
    ("depths", "said"),
    [
        (["air"], []),
        (
            ["air", None],
            ['{"snow_depth": null, "deep_snow_n_factor": 0.3} cannot be tried: ttop: deep_snow_n_'],
        ),
    ],
)
def test_values_that_go_well_beside_some_others_are_judged_in_combination(depths, said):
    study = made_up_study()
    space = {"snow_depth": depths, "deep_snow_n_factor": [None, 0.3]}
    study["learners"].append({**TTOP, "search": {"space": space}})
    found = list(choice_faults(parse_study(study)))
    assert [each.location for each in found] == [("learners", 2, "search", "space")] * len(said)
    assert [each.message[: len(part)] for each, part in zip(found, said, strict=True)] == said


GROUPS = {"climate": ["air"], "terrain": ["slope", "air"]}
SELECTIONS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        RIDGE,
        {"method": "ranking", "rank": "impurity"},
        "learners[2].selection.rank (ridge): impurity is for learners of trees that tell importances of "
        "their covariates, and straight does not; use permutation",
    ),
    (
        RIDGE,
        {"groups": GROUPS},
        "selection.groups.terrain (ridge): the covariate 'air' is in the groups climate and terrain",
    ),
    (RIDGE, {"groups": {"climate": ["air", "air"]}}, "'air' is twice in climate"),
    (
        {**RIDGE, "covariates": ["elevation", "slope"]},
        {"method": "combination", "groups": {"climate": ["air"]}},
        "learners[2].selection (ridge): method combination needs groups of covariates, and straight sees",
    ),
    (
        {**RIDGE, "covariates": ["elevation", "slope"]},
        {"start": ["elevation", "slope"]},
        "learners[2].selection (ridge): all covariates are kept from the start",
    ),
    (RIDGE, {"rank": "impurity"}, "learners[2].selection.rank (ridge): has no effect with method forward"),
    (
        RIDGE,
        {"correlation": 0.9},
        "selection.correlation (ridge): has no effect with method forward: it is for ranking",
    ),
    (
        RIDGE,
        {"method": "combination", "groups": {"climate": ["air"]}, "most": 2},
        "selection.most (ridge): has no effect with method combination: it is for forward and ranking",
    ),
    (
        RIDGE,
        {"method": "combination", "groups": {"climate": ["air"]}, "start": ["slope"]},
        "learners[2].selection.start (ridge): has no effect with method combination",
    ),
    (
        RIDGE,
        {"metric": "kappa"},
        "learners[2].selection.metric (ridge): 'kappa' is a metric of classes, and the target is a value: ",
    ),
]


@pytest.mark.parametrize(("learner", "selection", "said"), SELECTIONS)
def test_a_selection_that_cannot_be_made_is_told_once_with_its_place(learner, selection, said):
    (found,) = told({**learner, "selection": selection})
    assert said in found


def test_groups_of_the_validation_in_which_a_covariate_is_twice_cannot_be_selected_among():
    groups = [{"name": name, "covariates": held} for name, held in GROUPS.items()]
    assert told(groups=groups) == []
    (found,) = told({**RIDGE, "selection": {}}, groups=groups)
    assert "in the groups climate and terrain of validation.groups; name groups here" in found


def test_weights_by_quality_have_no_distance():
    (found,) = told({**RIDGE, "weights": {"rule": "quality", "distance": 1000}})
    assert "learners[2].weights.distance (ridge): has no effect with rule quality" in found


def test_sound_searches_and_selections_have_no_fault():
    assert told({**RIDGE, "alpha": 1.0, "search": {"draws": 20, "space": {"alpha": [0.1, 1.0]}}}) == []
    assert told({**RIDGE, "search": {"method": "random", "draws": 2, "metric": "mae"}}) == []
    assert told({**FOREST, "selection": {"method": "ranking", "rank": "impurity", "most": 2}}) == []
    assert told({"name": "lightgbm", "selection": {"method": "ranking", "rank": "impurity"}}) == []
    lists = [[{"name": "ridge"}], [{"name": "ridge"}, {"name": "random_forest", "covariates": ["air"]}]]
    assert told({**AVERAGE, "search": {"space": {"learners": lists}}}) == []


INNER = [
    ({"method": "site", "n_folds": 1}, "validation.inner.n_folds: n_folds must be 2 or more, found 1"),
    ({"method": "site", "repeats": 0}, "validation.inner.repeats: repeats must be 1 or more, found 0"),
    (
        {"method": "block", "size": "residual_variogram"},
        "validation.inner.size: residual_variogram is not for inner folds",
    ),
    ({"method": "region", "path": "a.gpkg", "field": "n"}, "validation.inner.path: inner folds cannot be of"),
    (
        {"method": "knndm", "n_folds": 2},
        "validation.inner.max_share: max_share must be above 1 / n_folds = 0.5",
    ),
    ({"method": "blok"}, "validation.inner.method: unknown folds 'blok'"),
]


@pytest.mark.parametrize(("inner", "said"), INNER)
def test_inner_folds_that_can_never_be_made_are_told(inner, said):
    (found,) = told(inner=inner)
    assert said in found


SCHEMES = [
    (
        {"method": "knndm", "n_folds": 4, "max_share": 0.2},
        "folds[1].max_share: max_share must be above 1 / n_f",
    ),
    ({"method": "knndm", "n_folds": 1}, "validation.folds[1].n_folds: n_folds must be 2 or more, found 1"),
    (
        {"method": "site", "n_folds": 7},
        "validation.folds[1]: would be called site in scores and files, as validation.folds[0] is",
    ),
]


@pytest.mark.parametrize(("scheme", "said"), SCHEMES)
def test_schemes_that_can_never_be_made_or_compared_are_told(scheme, said):
    (found,) = told(folds=[{"method": "site", "n_folds": 3}, scheme])
    assert said in found


@pytest.mark.parametrize(
    ("method", "keywords"),
    [
        *made.METHODS.items(),
        ("random", {"n_folds": 4, "repeats": 3}),
        ("site", {"n_folds": 4, "repeats": 3}),
        ("holdout", {"repeats": 2}),
        ("block", {"size": 1e6, "shape": "hexagon", "n_folds": 4, "repeats": 2, "buffer": 150e3}),
        ("block", {"size": 1e6}),
        ("knndm", {"n_folds": 5, "space": "feature", "clustering": "kmeans"}),
        ("region", {"column": "site_group"}),
    ],
)
def test_the_name_that_is_foretold_is_the_name_that_folds_get(method, keywords):
    folds = FOLDS[method](made.sites(), made.domain(), **keywords)
    assert scheme_name(FoldsPart.model_validate({"method": method, **keywords})) == folds.name


def test_every_fold_method_has_a_name_foretold():
    assert set(made.METHODS) == set(FOLDS)
