"""Rules for units: learners that know physics read each covariate in one unit, and say one quantity."""

from collections.abc import Iterator, Mapping
from typing import Any

from permagrid.errors import PermagridError
from permagrid.learners.traits import traits_of
from permagrid.steps.inputs import covariates_of
from permagrid.study import Finding, Location, Study
from permagrid.units import conversion


def learner_unit_faults(study: Study) -> Iterator[Finding]:
    """Yield covariates that a learner, or one within it, would read in a wrong unit, and wrong targets.

    A number is read as it is: metres in place of millimetres would be off by a factor and no error.
    """
    units = {name: each.unit for name, each in covariates_of(study).items() if each.kind == "continuous"}
    for index, part in enumerate(study.learners):
        place: Location = ("learners", index)
        yield from _target(study, place, part.name)
        keywords = {"name": part.name, **part.keywords}
        yield from _read(place, keywords, units)
        for key, values in (part.search.space or {} if part.search else {}).items():
            for number, value in enumerate(values):
                yield from _read((*place, "search", "space", key, number), value, units)


def _read(place: Location, value: Any, units: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong with a learner that a mapping describes, and with all that are within a value."""
    if isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _read((*place, number), each, units)
    if not isinstance(value, Mapping):
        return
    wanted = traits_of(str(value.get("name"))).reads
    for key, each in value.items():
        unit = units.get(each) if isinstance(each, str) and key in wanted else None
        if unit is not None and not _same(unit, wanted[key]):
            yield Finding(
                (*place, key),
                f"{value['name']} reads it in {wanted[key]}, and the covariate {each!r} is in {unit}; "
                "name one in that unit",
            )
        yield from _read((*place, key), each, units)


def _target(study: Study, place: Location, name: str) -> Iterator[Finding]:
    said, unit = traits_of(name).says, study.target.unit
    if said is None or study.target.kind != "value":
        return
    try:
        conversion(said, unit)
    except PermagridError:
        yield Finding(
            (*place, "name"),
            f"{name} says a quantity in {said}, and the target {study.target.variable} is in {unit}",
        )


def _same(one: str, other: str) -> bool:
    """Return whether numbers in two units are the same; of a unit that is unknown others tell."""
    try:
        return conversion(one, other) == (1.0, 0.0)
    except PermagridError as error:
        return "unknown unit" in str(error)
