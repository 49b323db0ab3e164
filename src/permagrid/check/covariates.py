"""Rules for covariates: their names, keywords, units, what they are made from, and the years they cover."""

from collections.abc import Iterator, Mapping

from permagrid.check.named import named
from permagrid.covariates import COVARIATES, Covariate
from permagrid.covariates.climate.moving_means import years_beyond
from permagrid.covariates.table import is_input
from permagrid.covariates.traits import traits_of
from permagrid.errors import PermagridError, did_you_mean
from permagrid.steps.inputs import covariates_of, each_covariate
from permagrid.study import Finding, Location, Study
from permagrid.units import conversion, parse_unit


def file_unit(covariate: Covariate) -> str:
    """Return the unit to which a file's numbers are brought: of temperature where an index is made of it."""
    known, stated = traits_of(covariate.method), str(covariate.keywords.get("stored_unit"))
    usual = known.reads or covariate.unit
    return next((other for other in known.or_reads if _alike(stated, other)), usual)


def _alike(one: str, other: str) -> bool:
    """Return whether two units are known and of one dimension."""
    dimension = _dimension(one)
    return dimension is not None and dimension == _dimension(other)


def _dimension(unit: str) -> str | None:
    """Return the dimension of a unit, or None where it is unknown."""
    try:
        return parse_unit(unit)[0]
    except PermagridError:
        return None


def stored_unit(covariate: Covariate) -> str:
    """Return the unit of a file's numbers, as the study states it."""
    return str(covariate.keywords.get("stored_unit") or file_unit(covariate))


def covariate_faults(study: Study) -> Iterator[Finding]:
    """Yield wrong names, keywords and units of covariates."""
    names = [part.name for part in study.covariates]
    for index, (part, covariate) in enumerate(zip(study.covariates, each_covariate(study), strict=True)):
        place = ("covariates", index)
        if part.name in names[:index]:
            yield Finding((*place, "name"), f"the covariate {part.name!r} stands twice; names are unique")
        yield from named(COVARIATES, place, part.method, part.keywords, key="method")
        yield from _units(place, covariate)


def _units(place: Location, covariate: Covariate) -> Iterator[Finding]:
    if not covariate.unit:
        # Of an unknown method nothing can be said.
        if covariate.method in COVARIATES:
            yield Finding((*place, "unit"), f"is missing; {covariate.method} has no unit of its own")
        return
    if _dimension(covariate.unit) == "class" and covariate.kind != "class":
        yield Finding((*place, "kind"), f"unit {covariate.unit!r} is that of classes; set kind: class")
        return
    for key, unit in (("unit", covariate.unit), ("stored_unit", covariate.keywords.get("stored_unit"))):
        try:
            parse_unit(str(unit or covariate.unit))
        except PermagridError as error:
            yield Finding((*place, key), str(error))
            return
    own = traits_of(covariate.method).unit
    if own is not None and covariate.kind == "continuous":
        try:
            conversion(own, covariate.unit)
        except PermagridError as error:
            yield Finding((*place, "unit"), f"{covariate.method}: {error}")
            return
    try:
        conversion(stored_unit(covariate), file_unit(covariate))
    except PermagridError as error:
        yield Finding((*place, "stored_unit"), str(error))


def input_faults(study: Study) -> Iterator[Finding]:
    """Yield covariates that are made from themselves or from what is not there."""
    covariates = covariates_of(study)
    for index, part in enumerate(study.covariates):
        place = ("covariates", index)
        if COVARIATES.faults(part.method, part.keywords):
            continue
        for key, other in _input_keys(covariates[part.name]):
            if other not in covariates:
                hint = did_you_mean(other, [name for name in covariates if name != part.name])
                yield Finding((*place, key), f"is made from {other!r}, which is no covariate: {hint}")
            elif other == part.name:
                yield Finding((*place, key), f"{other!r} is made from itself")
            elif part.name in _ancestors(other, covariates, {part.name}):
                yield Finding((*place, key), f"{part.name!r} is made from itself, through {other!r}")


def _input_keys(covariate: Covariate) -> Iterator[tuple[str, str]]:
    """Yield key and name of the covariates that one is made from, defaults of its method included."""
    settings = covariate.settings
    given = dict.fromkeys(settings.get("inputs") or (), "inputs")
    given |= {str(value): key for key, value in settings.items() if value and is_input(key)}
    for other, key in given.items():
        yield (key if key in covariate.keywords else "method"), other


def _ancestors(name: str, covariates: Mapping[str, Covariate], seen: set[str]) -> set[str]:
    found: set[str] = set()
    for other in covariates[name].inputs:
        found.add(other)
        if other in covariates and other not in seen:
            found |= _ancestors(other, covariates, seen | {other})
    return found


def year_faults(study: Study) -> Iterator[Finding]:
    """Yield covariates that do not cover the epochs, or the windows around them."""
    for index, (part, covariate) in enumerate(zip(study.covariates, each_covariate(study), strict=True)):
        place, pattern = ("covariates", index), str(part.keywords.get("path", ""))
        if part.years is None:
            if "{year}" in pattern or "{epoch}" in pattern:
                yield Finding(
                    (*place, "path"),
                    "changes with time, so years must say which years the data cover: years: 1980-2019",
                )
            continue
        first, last = part.years
        spans = zip(study.epochs, study.epoch_names, strict=True)
        bare = [name for epoch, name in spans if epoch[0] < first or epoch[1] > last]
        if bare and not part.static:
            yield Finding(
                (*place, "years"),
                f"covers {first}-{last}, which does not hold {_epochs_listed(bare)}; drop what is not "
                "covered, or set static: true if this is a climatology that stands for every epoch",
            )
        elif not part.static and not COVARIATES.faults(part.method, part.keywords):
            yield from _window_faults((*place, "window"), covariate, study)


def _window_faults(place: Location, covariate: Covariate, study: Study) -> Iterator[Finding]:
    """Yield a window that lacks years, if the data cover those only that the covariate states."""
    settings, declared, known = covariate.settings, covariate.years, traits_of(covariate.method)
    if declared is None or settings.get("window") is None:
        return
    if known.faults is not None and any(known.faults(settings, ())):
        # Where there is one mean year, or the window is even, that is told instead.
        return
    found = []
    for epoch in study.epochs:
        first, last = known.years(settings, epoch)
        read = range(first, last + 1)
        held = len([year for year in read if declared[0] <= year <= declared[1]])
        least = settings.get("minimum_years") or len(read)
        why = years_beyond(settings.get("window"), read, epoch, declared) if held < least else None
        if why is not None:
            found.append((why, held))
    if found:
        why, held = found[0]
        more = f" ({len(found) - 1} more epochs likewise)" if len(found) > 1 else ""
        fewer = f", or minimum_years: {held}" if "minimum_years" in settings else ""
        yield Finding(
            place, f"{why}{more}; set years to what they cover, or if that is all, a shorter window{fewer}"
        )


def _epochs_listed(names: list[str]) -> str:
    return f"the epoch {names[0]}" if len(names) == 1 else f"the epochs {', '.join(names)}"
