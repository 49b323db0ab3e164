"""Step: the learners of a study as candidates: what each sees, how it is built, chosen and weighed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, get_args, get_origin

import pandas as pd

from permagrid.errors import PermagridError
from permagrid.learners import LEARNERS, build_learner, keywords_for
from permagrid.learners.nested import named_covariates
from permagrid.learners.traits import traits_of
from permagrid.steps.inputs import predictors
from permagrid.study import Chooser, FoldsPart, LearnerPart, Search, Selection, Study
from permagrid.validation import Candidate, Choose
from permagrid.validation.inner_folds import FoldsSpec
from permagrid.validation.objective import Objective
from permagrid.validation.ranked import ranking_selection
from permagrid.validation.ranking import Impurity
from permagrid.validation.selection import (
    chained,
    combination_selection,
    forward_selection,
)
from permagrid.validation.trials import Judge
from permagrid.validation.tuning import bayesian_search, grid_search, random_search
from permagrid.validation.weights import inverse_density, quality


def candidate(part: LearnerPart, study: Study, domain: pd.DataFrame | None = None) -> Candidate:
    """Return a learner of the study with the covariates it sees, and how it chooses among them.

    Parameters
    ----------
    part, study
        The learner, and the study it is of.
    domain
        Points of the map, where the inner folds look at it.

    Raises
    ------
    PermagridError
        If there is nothing to search, or a keyword is out of its range.
    """
    names = tuple(predictors(study)) if part.covariates is None else part.covariates
    classes = tuple(c.name for c in study.covariates if c.kind == "class" and c.name in names)
    return Candidate(
        partial(_build, part, study.target.kind, study.seed, classes),
        names,
        keywords=part.keywords,
        classes=() if part.classes == "codes" else classes,
        choose=_choice(part, study, domain),
        weigh=_weights(part),
    )


def is_joined(study: Study) -> bool:
    """Return whether the maps that are written are those of the ensemble."""
    return study.ensemble is not None and study.products.learner == study.ensemble.label


def mapped_part(study: Study) -> LearnerPart:
    """Return the part of a study on the learner whose maps are written; of an ensemble, its first learner."""
    return next(part for part in study.learners if part.label == _mapped_label(study))


def _mapped_label(study: Study) -> str:
    label = study.products.learner
    if study.ensemble is not None and label == study.ensemble.label:
        return study.ensemble.learners[0]
    return label


def grouped_part(study: Study) -> LearnerPart | None:
    """Return the part on the learner that is scored without groups of covariates, if there is one."""
    label = study.validation.group_learner or _mapped_label(study)
    return next((part for part in study.learners if part.label == label), None)


def mapped(study: Study, domain: pd.DataFrame | None = None) -> Candidate:
    """Return the learner whose maps are written."""
    return candidate(mapped_part(study), study, domain)


def inner_folds(study: Study, domain: pd.DataFrame | None = None) -> FoldsSpec:
    """Return the folds by which learners of a study choose, made anew of the training rows of every fold."""
    return folds_spec(study.validation.inner, study, domain)


def folds_spec(part: FoldsPart, study: Study, domain: pd.DataFrame | None = None) -> FoldsSpec:
    """Return folds of a study that are made later, of rows not yet known."""
    keywords = {"seed": study.seed, **part.keywords}
    return FoldsSpec(part.method, keywords, domain if part.method == "knndm" else None)


def _build(
    part: LearnerPart,
    task: Any,
    seed: int,
    classes: tuple[str, ...],
    keywords: Mapping[str, Any],
    covariates: tuple[str, ...],
) -> Any:
    return build_learner(
        part.name,
        task,
        seed,
        keywords_for(dict(keywords), covariates),
        covariates=covariates,
        classes=tuple(name for name in classes if name in covariates),
        encoding=part.classes,
    )


def _weights(part: LearnerPart) -> Any:
    if part.weights is None:
        return None
    if not traits_of(part.name).weights:
        raise PermagridError(f"{part.name} cannot weigh its rows; leave out weights")
    return (
        quality
        if part.weights.rule == "quality"
        else partial(inverse_density, distance=part.weights.distance)
    )


def _choice(part: LearnerPart, study: Study, domain: pd.DataFrame | None) -> Choose | None:
    steps = []
    folds = inner_folds(study, domain)
    if part.selection is not None:
        steps.append(_selection(part, part.selection, _judge(part.selection, study, folds), study))
    if part.search is not None:
        known = traits_of(part.name)
        judge = replace(_judge(part.search, study, folds), grown=known.grown, shared=known.shared)
        steps.append(_search(part, part.search, judge, study.seed))
    return chained(*steps) if steps else None


def _judge(chooser: Chooser, study: Study, folds: FoldsSpec) -> Judge:
    task = study.target.kind
    objective = Objective(chooser.metric or ("rmse" if task == "value" else "brier"))
    if objective.task != task:
        raise PermagridError(f"metric: {chooser.metric} is not for a target that is a {task}")
    return Judge(folds, objective, one_standard_error=chooser.one_standard_error, in_trials=chooser.trials)


def _search(part: LearnerPart, search: Search, judge: Judge, seed: int) -> Any:
    space = dict(search.space or traits_of(part.name).space)
    if not space:
        raise PermagridError(_no_space(part.name))
    if search.method == "grid":
        return grid_search(space, judge)
    make = random_search if search.method == "random" else bayesian_search
    return make(space, judge, draws=search.draws, seed=seed)


def _no_space(name: str) -> str:
    """Return that a learner has nothing to search, and how its keywords are searched."""
    hints = LEARNERS.hints(name)
    if not hints:
        return f"{name} has no keyword that could be searched; leave out search"
    able = [key for key, hint in hints.items() if {float, int} & {hint, *get_args(hint)}] or list(hints)
    values = {list: "[[...], [...]]", dict: "[{...}, {...}]"}.get(get_origin(hints[able[0]]), "[..., ...]")
    others = f"; it has the keywords {', '.join(able)}" if len(able) > 1 else ""
    return f"{name} has no search space of its own; name one, as in space: {{{able[0]}: {values}}}{others}"


def units_of(part: LearnerPart, selection: Selection, study: Study) -> dict[str, tuple[str, ...]]:
    """Return the groups among which a learner selects: group -> what it sees of them and can do without."""
    own = {group.name: group.covariates for group in study.validation.groups}
    names = predictors(study) if part.covariates is None else part.covariates
    needed = _needed(part, names)
    given = own if selection.groups is None else selection.groups
    groups = {
        name: tuple(each for each in held if each in names and each not in needed)
        for name, held in given.items()
    }
    return {name: held for name, held in groups.items() if held}


def _needed(part: LearnerPart, names: Sequence[str]) -> tuple[str, ...]:
    """Return what a learner calls by name, which it cannot do without."""
    return named_covariates(part.keywords, names) if traits_of(part.name).by_name else ()


def _selection(part: LearnerPart, selection: Selection, judge: Judge, study: Study) -> Any:
    names = predictors(study) if part.covariates is None else part.covariates
    groups, needed = units_of(part, selection, study), _needed(part, names)
    given = [group.name for group in study.validation.groups]
    given = given if selection.groups is None else list(selection.groups)
    if selection.method == "combination":
        return combination_selection(judge, groups)
    # What the learner does not see, and groups of which nothing is left, cannot be kept.
    apart = {*needed, *given, *predictors(study)} - {*groups, *(name for name in names if name not in needed)}
    start = (*needed, *(name for name in selection.start if name not in apart))
    if selection.method == "ranking":
        return ranking_selection(
            judge,
            rank=Impurity() if selection.rank == "impurity" else None,
            units=groups,
            most_alike=selection.correlation,
            start=start,
            sizes=None if selection.most is None else range(1, selection.most + 1),
            seed=study.seed,
        )
    return forward_selection(judge, start=start, units=groups, most=selection.most)
