"""Searches and selections that cannot be carried out, told before a run and with their place in the study."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, product, repeat
from typing import Any

from permagrid.errors import PermagridError, did_you_mean
from permagrid.learners import LEARNERS, build_learner, keywords_for
from permagrid.steps.inputs import predictors
from permagrid.steps.learners import candidate, units_of
from permagrid.study import Finding, LearnerPart, Location, Search, Selection, Study
from permagrid.validation.importance_fitted import tells_importances
from permagrid.validation.objective import CLASS_OBJECTIVES, VALUE_OBJECTIVES
from permagrid.validation.pieces import Pieces
from permagrid.validation.trials import shown

_MOST_BUILT = 300
"""So many combinations of a search space are built by way of trial."""

Told = Iterator[tuple[Location, str]]
"""What is wrong, each with its place within the learner."""


def choice_faults(study: Study) -> Iterator[Finding]:
    """Yield searches and selections that cannot be carried out, and keys of theirs that have no effect."""
    for index, part in enumerate(study.learners):
        if part.name not in LEARNERS:
            continue
        bench = _Bench(part, study)
        found = [
            *_idle(part),
            *_metrics(part, study),
            *_spaces(part, bench),
            *_held(part, bench),
            *_strange(part, study),
            *_grouped(part, study),
            *_ranked(part, bench),
        ]
        yield from (Finding(("learners", index, *place), said) for place, said in found)
        if not found:
            yield from _carried_out(part, study, ("learners", index))


class _Bench:
    """Builds a learner of the study with other keywords, to see whether they are refused."""

    def __init__(self, part: LearnerPart, study: Study) -> None:
        self.part, self.study = part, study
        self.names = tuple(predictors(study)) if part.covariates is None else part.covariates
        self.known = set(LEARNERS.faults(part.name, part.keywords))
        """What is wrong with the learner as it stands, which is told elsewhere."""
        self.refused_as_it_is = self.why()

    def why(self, **changed: Any) -> str | None:
        """Return why a learner of some other keywords is refused, None where it is not.

        What is refused of the learner as it stands is not told again.
        """
        part, keywords = self.part, {**self.part.keywords, **changed}
        faults = LEARNERS.faults(part.name, keywords)
        if faults:
            return next((fault for fault in faults if fault not in self.known), None)
        try:
            self.built(**changed)
        except PermagridError as error:
            said = str(error)
            return None if changed and said == self.refused_as_it_is else said
        return None

    def built(self, **changed: Any) -> Any:
        """Return the learner, not yet fitted.

        Raises
        ------
        PermagridError
            If a keyword is out of its range.
        """
        classes = [c.name for c in self.study.covariates if c.kind == "class" and c.name in self.names]
        return build_learner(
            self.part.name,
            self.study.target.kind,
            self.study.seed,
            keywords_for({**self.part.keywords, **changed}, self.names),
            covariates=self.names,
            classes=classes,
            encoding=self.part.classes,
        )


def _idle(part: LearnerPart) -> Told:
    """Yield keys that change nothing; one that says what holds anyway may stay."""
    search, selection, weights = part.search, part.selection, part.weights
    if search and search.method == "grid" and search.draws != _default(Search, "draws"):
        yield (
            ("search", "draws"),
            "has no effect: method grid tries all combinations; use random or bayesian, or leave it out",
        )
    if selection:
        given = [
            key
            for key in ("rank", "correlation", "start", "most")
            if getattr(selection, key) != _default(Selection, key)
        ]
        for key in given:
            able = ("ranking",) if key in ("rank", "correlation") else ("forward", "ranking")
            if selection.method not in able:
                yield (
                    ("selection", key),
                    f"has no effect with method {selection.method}: it is for {' and '.join(able)}",
                )
    if weights and weights.rule == "quality" and weights.distance != _default(type(weights), "distance"):
        yield ("weights", "distance"), "has no effect with rule quality: it is for inverse_density"


def _default(model: Any, key: str) -> Any:
    return model.model_fields[key].default


def _metrics(part: LearnerPart, study: Study) -> Told:
    task = study.target.kind
    allowed, others = VALUE_OBJECTIVES, CLASS_OBJECTIVES
    if task == "class":
        allowed, others = others, allowed
    for key, chooser in (("search", part.search), ("selection", part.selection)):
        metric = None if chooser is None else chooser.metric
        if metric is not None and metric not in allowed:
            other = "classes" if task == "value" else "values"
            said = f"{metric!r} is a metric of {other}, and the target is a {task}"
            said = said if metric in others else f"unknown metric {metric!r}"
            yield (key, "metric"), f"{said}: {did_you_mean(metric, allowed)}"


def _spaces(part: LearnerPart, bench: _Bench) -> Told:
    """Yield values of a search space of which the learner cannot be built."""
    space = {} if part.search is None else part.search.space or {}
    place: Location = ("search", "space")
    unknown = [key for key in space if key not in LEARNERS.keywords(part.name)]
    for key in unknown:
        yield (*place, key), bench.why(**{key: None}) or f"unknown keyword {key!r}"
    if unknown:
        return
    first = {key: values[0] for key, values in space.items()}
    found = False
    for key, values in space.items():
        for number, value in enumerate(values):
            # What goes well beside the values of other keywords is no fault of its own.
            alone, beside = bench.why(**{key: value}), bench.why(**{**first, key: value})
            if alone and beside:
                found = True
                yield (*place, key, number), alone
    if not found:
        yield from _combined(space, bench)


def _combined(space: Mapping[str, Sequence[Any]], bench: _Bench) -> Told:
    """Yield the first combination that is refused though each of its values is not."""
    for values in islice(product(*space.values()), _MOST_BUILT if space else 0):
        together = dict(zip(space, values, strict=True))
        why = bench.why(**together)
        if why:
            yield ("search", "space"), f"{shown(together)} cannot be tried: {why}"
            return


def _held(part: LearnerPart, bench: _Bench) -> Told:
    """Yield keywords that are to hold in trials and cannot."""
    for key, chooser in (("search", part.search), ("selection", part.selection)):
        for name, value in (chooser.trials if chooser else {}).items():
            why = bench.why(**{name: value})
            if why:
                yield (key, "trials", name), why


def _strange(part: LearnerPart, study: Study) -> Told:
    """Yield what a selection calls by a name that the study does not have.

    A covariate that this learner alone does not see is no fault: several learners may share their groups.
    """
    if part.selection is None:
        return
    names = predictors(study)
    for group, held in (part.selection.groups or {}).items():
        for name in held:
            if name not in names:
                place = ("selection", "groups", group)
                yield place, f"unknown covariate {name!r}: {did_you_mean(name, names)}"
    own = [group.name for group in study.validation.groups]
    groups = own if part.selection.groups is None else list(part.selection.groups)
    for number, name in enumerate(part.selection.start):
        if name not in names and name not in groups:
            hint = did_you_mean(name, [*groups, *names])
            yield ("selection", "start", number), f"unknown group or covariate {name!r}: {hint}"


def _grouped(part: LearnerPart, study: Study) -> Told:
    """Yield groups of which a covariate is in another one too, and a combination of no groups."""
    if part.selection is None:
        return
    groups = units_of(part, part.selection, study)
    owner: dict[str, str] = {}
    for group, name in chain.from_iterable(zip(repeat(one), held) for one, held in groups.items()):
        if name in owner:
            both = f"in the groups {owner[name]} and {group}" if owner[name] != group else f"twice in {group}"
            whose = "" if part.selection.groups is not None else " of validation.groups; name groups here"
            place = ("selection",) if part.selection.groups is None else ("selection", "groups", group)
            yield place, f"the covariate {name!r} is {both}{whose}; it can come and go with one group only"
        owner.setdefault(name, group)
    if part.selection.method == "combination" and not groups:
        yield (
            ("selection",),
            f"method combination needs groups of covariates, and {part.label} sees none that it could leave "
            "out; name them in selection.groups or validation.groups",
        )


def _ranked(part: LearnerPart, bench: _Bench) -> Told:
    """Yield a ranking by importances that the learner does not tell."""
    selection = part.selection
    if selection is None or (selection.method, selection.rank) != ("ranking", "impurity"):
        return
    if bench.known or bench.refused_as_it_is or tells_importances(bench.built()):
        return
    yield (
        ("selection", "rank"),
        f"impurity is for learners of trees that tell importances of their covariates, and {part.label} does "
        "not; use permutation",
    )


def _carried_out(part: LearnerPart, study: Study, place: Location) -> Iterator[Finding]:
    """Yield what else keeps a learner from choosing, or from weighing its rows."""
    try:
        found = candidate(part, study)
    except PermagridError as error:
        yield Finding(place, str(error))
        return
    try:
        for step in getattr(found.choose, "parts", ()):
            if hasattr(step, "units"):
                Pieces(found.covariates, step.units, step.start)
    except PermagridError as error:
        yield Finding((*place, "selection"), str(error).removeprefix("selection: "))
