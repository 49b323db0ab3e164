"""Rules that a study must follow, judged from the study alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from permagrid.check.choices import choice_faults
from permagrid.check.covariates import covariate_faults, input_faults, year_faults
from permagrid.check.ensembles import ensemble_faults, inventory_faults
from permagrid.check.folds import fold_faults
from permagrid.check.grid import grid_faults
from permagrid.check.learner_units import learner_unit_faults
from permagrid.check.named import named
from permagrid.check.tabular import observation_faults, tabular_faults
from permagrid.errors import PermagridError, did_you_mean
from permagrid.learners import LEARNERS, build_learner
from permagrid.sites.quality import QUALITY
from permagrid.sites.readers import READERS
from permagrid.sites.table import CLASSES, COLUMNS, VARIABLES
from permagrid.steps.inputs import predictors
from permagrid.steps.learners import grouped_part
from permagrid.steps.maps import PROBABILITY, map_variables
from permagrid.steps.sites import OBSERVED
from permagrid.study import Finding, Location, Study

PRESENCE = "permafrost_presence"
"""The target that is a class, and whose sites need labels."""

_COMPARED: dict[str, dict[str, str]] = {
    "climate_consistency": {"air_temperature": "mean_annual_air_temperature"},
    "elevation_mismatch": {"dem_elevation": "dem_elevation"},
}
"""Quality test -> keyword that names the covariate to compare with, and its default."""


@dataclass(frozen=True)
class Rule:
    """A rule, and the sections of the study that it needs to judge."""

    judge: Callable[[Study], Iterator[Finding]]
    """Yields what breaks the rule."""
    whole: frozenset[str] = frozenset()
    """Sections that must be free of faults of form, as the rule would misjudge a part of them."""
    usable: frozenset[str] = frozenset()
    """Sections of which a part is enough."""


def _epochs(study: Study) -> Iterator[Finding]:
    for index, epoch in enumerate(study.epochs):
        if epoch in study.epochs[:index]:
            yield Finding(("epochs", index), f"the epoch {study.epoch_names[index]} stands twice")


def _target(study: Study) -> Iterator[Finding]:
    target = study.target
    known = {*OBSERVED, *VARIABLES}
    if target.variable not in known:
        yield Finding(
            ("target", "variable"),
            f"unknown variable {target.variable!r}: {did_you_mean(target.variable, known)}",
        )
        return
    held = VARIABLES[OBSERVED.get(target.variable, (target.variable,))[0]]
    if target.unit != held:
        yield Finding(
            ("target", "unit"),
            f"{target.variable} is mapped in {held!r}, not in {target.unit!r}; a table in another unit is "
            "converted by the keyword unit of its reader",
        )
    kind = "class" if target.variable in CLASSES else "value"
    if target.kind != kind:
        yield Finding(("target", "kind"), f"{target.variable} is a {kind}, not a {target.kind}")


def _readers(study: Study) -> Iterator[Finding]:
    for group, sources in (("sources", study.sites.sources), ("stations", study.sites.stations)):
        for index, source in enumerate(sources):
            yield from named(READERS, ("sites", group, index), source.reader, source.keywords, key="reader")


def _quality(study: Study) -> Iterator[Finding]:
    for name, keywords in study.sites.quality.items():
        yield from named(QUALITY, ("sites", "quality", name), name, keywords)


def _compared(study: Study) -> Iterator[Finding]:
    """Yield tests that compare with a covariate and do not find it: they would evaluate no row."""
    names = [part.name for part in study.covariates]
    for test, keywords in study.sites.quality.items():
        for key, default in _COMPARED.get(test, {}).items():
            wanted = keywords.get(key, default)
            if wanted not in names and wanted not in COLUMNS:
                place: Location = ("sites", "quality", test)
                yield Finding(
                    (*place, key) if key in keywords else place,
                    f"{key} must name a covariate to compare with, found {wanted!r}: "
                    f"{did_you_mean(str(wanted), names)}",
                )


def _labels(study: Study) -> Iterator[Finding]:
    labels, is_presence = study.sites.labels, study.target.variable == PRESENCE
    if study.is_tabular:
        return
    if labels is None and is_presence:
        yield Finding(
            ("sites", "labels"),
            f"is missing; the target {PRESENCE} needs the rule by which sites show permafrost, such as "
            "labels: {temperature_threshold: 0}",
        )
    elif labels is not None and not is_presence:
        yield Finding(
            ("sites", "labels"),
            f"belongs to the target {PRESENCE} only, and the target is {study.target.variable}",
        )
    elif labels is not None and labels.station_absences and not study.sites.stations:
        yield Finding(
            ("sites", "labels", "station_absences"),
            "needs tables of weather stations: name them in sites.stations",
        )


def _learners(study: Study) -> Iterator[Finding]:
    labels = [part.label for part in study.learners]
    for index, part in enumerate(study.learners):
        if part.label in labels[:index]:
            yield Finding(
                ("learners", index, "name" if part.label == part.name else "label"),
                f"the learner {part.label!r} stands twice; give one of them another label",
            )
        yield from named(LEARNERS, ("learners", index), part.name, part.keywords, key="name")


def _learners_settings(study: Study) -> Iterator[Finding]:
    """Yield keywords that are of the right type and yet out of their range, as the learner says itself."""
    for index, part in enumerate(study.learners):
        names = part.covariates or predictors(study)
        if LEARNERS.faults(part.name, part.keywords):
            continue
        try:
            build_learner(
                part.name,
                study.target.kind,
                study.seed,
                part.keywords,
                covariates=names,
                classes=[c.name for c in study.covariates if c.kind == "class" and c.name in names],
                encoding=part.classes,
            )
        except PermagridError as error:
            yield Finding(("learners", index), str(error))


def _learners_covariates(study: Study) -> Iterator[Finding]:
    names = predictors(study)
    if not names:
        yield Finding(("covariates",), "holds no predictor: every covariate says predictor: false")
    for index, part in enumerate(study.learners):
        place = ("learners", index, "covariates")
        if part.covariates == ():
            yield Finding(
                place, f"names no covariate; leave it out for all, or name some of {', '.join(names)}"
            )
        for number, name in enumerate(part.covariates or ()):
            if name not in names:
                why = _kept_from_learners(study, name) or f"unknown covariate {name!r}"
                yield Finding((*place, number), f"{why}: {did_you_mean(name, names)}")


def _kept_from_learners(study: Study, name: str) -> str | None:
    """Return that a covariate of the study is no predictor, or None."""
    if all(part.name != name or part.predictor for part in study.covariates):
        return None
    return f"{name!r} says predictor: false, so that no learner sees it"


def _groups(study: Study) -> Iterator[Finding]:
    """Yield groups of covariates that cannot be left out of the learner of the groups."""
    part, label = grouped_part(study), study.validation.group_learner
    if label and part is None:
        labels = [part.label for part in study.learners]
        unknown = f"{label!r} is not among the learners of this study"
        yield Finding(("validation", "group_learner"), f"{unknown}: {did_you_mean(label, labels)}")
    seen = (part.covariates if part else None) or tuple(predictors(study))
    names = [group.name for group in study.validation.groups]
    for index, group in enumerate(study.validation.groups):
        place = ("validation", "groups", index)
        if group.name in names[:index]:
            yield Finding((*place, "name"), f"the group {group.name!r} stands twice; choose another name")
        for number, name in enumerate(group.covariates):
            if name not in seen:
                unknown = f"{name!r} is no covariate of {part.label if part else 'any learner'}"
                why = _kept_from_learners(study, name) or unknown
                yield Finding((*place, "covariates", number), f"{why}: {did_you_mean(name, seen)}")
    grouped = {name for group in study.validation.groups for name in group.covariates}
    if study.validation.groups and not set(seen) - grouped:
        yield Finding(("validation", "groups"), "hold every covariate; some must remain to compare with")


def _spatial_folds(study: Study) -> Iterator[Finding]:
    if all(part.method in ("random", "holdout", "epoch") for part in study.validation.folds):
        others = "{method: site}" if study.is_tabular else "{method: site} or {method: block, size: 500000}"
        yield Finding(
            ("validation", "folds"),
            f"random folds never stand alone, as they flatter a {'table' if study.is_tabular else 'map'}; "
            f"add {others}",
        )


def _subsets(study: Study) -> Iterator[Finding]:
    names = [part.name for part in study.validation.subsets]
    for index, part in enumerate(study.validation.subsets):
        place = ("validation", "subsets", index)
        if part.name == "all" or part.name in names[:index]:
            yield Finding((*place, "name"), f"the subset {part.name!r} is there already; choose another name")
        if part.minimum >= part.maximum:
            yield Finding(
                place, f"holds no value: minimum {part.minimum:g} is not below maximum {part.maximum:g}"
            )


def _products(study: Study) -> Iterator[Finding]:
    learners = [part.label for part in study.learners]
    if study.ensemble is not None:
        learners.append(study.ensemble.label)
    chosen = study.products.learner
    if chosen not in learners and all(part.name in LEARNERS for part in study.learners):
        yield Finding(
            ("products", "learner"),
            f"{chosen!r} is not among the learners of this study: {did_you_mean(chosen, learners)}",
        )


def _mapped(study: Study) -> Iterator[Finding]:
    allowed = [study.target.variable, *([PROBABILITY] if study.target.variable == PRESENCE else [])]
    for index, name in enumerate(map_variables(study)):
        if name not in allowed:
            yield Finding(
                ("products", "variables", index), f"{name!r} cannot be mapped: {did_you_mean(name, allowed)}"
            )


def _references(study: Study) -> Iterator[Finding]:
    for index, part in enumerate(study.references):
        if part.epoch not in study.epochs:
            epoch, listed = "-".join(map(str, part.epoch)), ", ".join(study.epoch_names)
            yield Finding(
                ("references", index, "epoch"), f"{epoch} is no epoch of the study; allowed: {listed}"
            )


def _rule(judge: Callable[[Study], Iterator[Finding]], whole: str = "", usable: str = "") -> Rule:
    return Rule(judge, frozenset(whole.split()), frozenset(usable.split()))


RULES: tuple[Rule, ...] = (
    _rule(_target, whole="target"),
    _rule(_epochs, usable="epochs"),
    _rule(grid_faults, whole="grid"),
    _rule(tabular_faults, whole="grid epochs sites covariates sampling validation products ensemble"),
    _rule(observation_faults, whole="grid", usable="covariates"),
    _rule(_readers, usable="sites"),
    _rule(_quality, usable="sites"),
    _rule(_compared, whole="covariates", usable="sites"),
    _rule(_labels, whole="sites target"),
    _rule(covariate_faults, usable="covariates"),
    _rule(input_faults, whole="covariates"),
    _rule(year_faults, usable="covariates", whole="epochs"),
    _rule(_learners, usable="learners"),
    _rule(_learners_settings, whole="target covariates", usable="learners"),
    _rule(_learners_covariates, whole="covariates", usable="learners"),
    _rule(learner_unit_faults, whole="target covariates", usable="learners"),
    _rule(choice_faults, whole="target covariates validation", usable="learners"),
    _rule(fold_faults, usable="validation"),
    _rule(_groups, whole="covariates learners products", usable="validation"),
    _rule(_spatial_folds, whole="validation"),
    _rule(_subsets, usable="validation"),
    _rule(ensemble_faults, whole="learners target ensemble"),
    _rule(inventory_faults, whole="covariates ensemble grid inventory target"),
    _rule(_products, whole="learners ensemble", usable="products"),
    _rule(_mapped, whole="target", usable="products"),
    _rule(_references, whole="epochs", usable="references"),
)
"""All rules, and what each needs of the study."""
