"""Named sources among the covariates of a study, written out: one covariate for each variable."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from permagrid.catalogue import Source, Variable, file_of, filled, find_source, folder_of
from permagrid.errors import PermagridError
from permagrid.study.places import Finding, Location, Places
from permagrid.wording import plain, telling

SECTION = "covariates"
"""The list in which named sources stand."""


class CovariateSource(BaseModel):
    """A data set of the catalogue, which stands for one covariate per variable.

    Other keys, such as resampling, are passed to each covariate and go before what the catalogue says. With
    a method and a name it stands for one covariate, which is made from a monthly series of the source.
    """

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    source: str
    """Name of the data set; `permagrid fetch --list` prints all."""
    resolution: str | None = None
    """One of its resolutions; the coarsest if left out."""
    variables: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Variables, or elements of twelve months, to take; all if left out."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{0,40}$")] = ""
    """What stands before the names of the covariates."""
    path: str | None = None
    """Folder of the files, from the data folder; where `permagrid fetch` puts them if left out."""
    files: str | None = None
    """Names of the files, where they differ from those of the source: ``{variable}.tif``."""
    name: str | None = None
    """Name of the covariate, where a method makes one of the source."""
    method: str | None = None
    """A method that makes one covariate of a monthly series; one per variable is read if left out."""


@dataclass(frozen=True)
class Expanded:
    """A study with its named sources written out."""

    content: Mapping[Any, Any]
    """The study."""
    places: Places
    """Where its values stand in the file."""
    findings: tuple[Finding, ...]
    """What is wrong with named sources; those have been left out."""
    targets: Mapping[int, int]
    """Number of an entry in the file -> number of the first covariate that it became."""

    def moved(self, finding: Finding) -> Finding:
        """Return a finding in the file as one in the study written out."""
        section, *rest = finding.location[:2] or ("",)
        if section != SECTION or not rest or not isinstance(rest[0], int) or not self.targets:
            return finding
        return Finding((SECTION, self.targets[rest[0]], *finding.location[2:]), finding.message)


def expanded(content: Mapping[Any, Any], places: Places) -> Expanded:
    """Return a study with each named source among its covariates replaced by covariates.

    Parameters
    ----------
    content
        The study, as it was read.
    places
        Where its values stand.
    """
    entries = content.get(SECTION)
    if not isinstance(entries, list | tuple) or not any(map(is_named_source, entries)):
        return Expanded(content, places, (), {})
    items: list[Any] = []
    origins: list[int] = []
    faulty: dict[int, list[Finding]] = {}
    remedies: dict[Location, str] = {}
    for number, entry in enumerate(entries):
        found: list[Any] = [entry]
        if is_named_source(entry):
            parts = _parts(entry)
            if parts.findings:
                faulty[number] = parts.findings
            found = parts.items
            if parts.remedy:
                remedies[(SECTION, number)] = parts.remedy
        items += found
        origins += [number] * len(found)
    # What was left out has a number past the end.
    origins += faulty
    moved = _moved_places(places, items, origins, remedies)
    targets = {number: index for index, number in reversed(list(enumerate(origins)))}
    findings = [
        Finding((SECTION, targets[number], *each.location), each.message)
        for number, group in faulty.items()
        for each in group
    ]
    return Expanded({**content, SECTION: items}, moved, tuple(findings), targets)


def is_named_source(entry: object) -> bool:
    """Return whether an entry of the covariates is a named source: it has the key ``source``."""
    return isinstance(entry, Mapping) and "source" in entry


@dataclass
class _Parts:
    """Covariates of one entry, or what is wrong with it, at keys of the entry."""

    items: list[dict[str, Any]]
    findings: list[Finding]
    remedy: str = ""


class _AtError(PermagridError):
    """A fault at a key of an entry."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def _parts(entry: Mapping[Any, Any]) -> _Parts:
    try:
        asked = CovariateSource.model_validate_json(json.dumps(_texts(entry), default=str), strict=True)
    except ValidationError as error:
        told = telling(error.errors())
        return _Parts([], [Finding(tuple(detail["loc"]), plain(detail)) for detail in told])
    extra = {str(key): value for key, value in entry.items() if key not in CovariateSource.model_fields}
    try:
        return _written_out(asked, extra)
    except _AtError as error:
        return _Parts([], [Finding((error.key,) if error.key else (), str(error))])


def _texts(value: Any) -> Any:
    """Return a value with all keys as texts."""
    if isinstance(value, Mapping):
        return {str(key): _texts(inner) for key, inner in value.items()}
    return list(map(_texts, value)) if isinstance(value, list | tuple) else value


def _written_out(asked: CovariateSource, extra: Mapping[str, Any]) -> _Parts:
    source = _at("source", lambda: find_source(asked.source))
    resolution = _at("resolution", lambda: source.resolution_of(asked.resolution))
    chosen = _at("variables", lambda: source.chosen(asked.variables))
    _refuse_unfit(source, asked, extra)
    folder = (folder_of(source, resolution) if asked.path is None else asked.path).rstrip("/")
    if asked.method is not None:
        chosen = (_series(source, asked, chosen),)

    def path_of(variable: Variable) -> str:
        named = (
            filled(asked.files, variable, resolution)
            if asked.files
            else file_of(source, variable, resolution)
        )
        return f"{folder}/{named}" if folder not in ("", ".") else named

    paths = {json.dumps([path_of(variable), dict(variable.keywords)]) for variable in chosen}
    if len(paths) < len(chosen):
        raise _AtError(
            "files", f"{asked.files!r} names one file for {len(chosen)} variables; put {{variable}} in it"
        )
    make = _of_method if asked.method is not None else _of_variable
    items = [{**make(source, asked, variable, path_of(variable)), **extra} for variable in chosen]
    flag = f" --resolution {resolution}" if resolution else ""
    usual = asked.path is None and asked.files is None and source.layout_at(resolution).access == "files"
    return _Parts(items, [], f"permagrid fetch {source.name}{flag} --out DATA" if usual else "")


def _at(key: str, find: Any) -> Any:
    try:
        return find()
    except PermagridError as error:
        raise _AtError(key, str(error)) from error


def _refuse_unfit(source: Source, asked: CovariateSource, extra: Mapping[str, Any]) -> None:
    if not source.variables:
        raise _AtError("source", f"{source.name} is a table, not a raster; name its file in sites.sources")
    if not source.covariates and asked.files is None:
        raise _AtError(
            "source",
            f"{source.name} comes in pieces; make one raster of them, and name it with files: dem.tif "
            "(scenes need no source: a method such as landsat_index takes them by its path)",
        )
    if asked.name is not None and asked.method is None:
        raise _AtError(
            "name",
            "a named source takes no name, its variables have theirs (see prefix); where the data of a "
            "covariate come from is said as citation",
        )
    if asked.method is not None and asked.name is None:
        raise _AtError("method", "makes one covariate of the source, and needs its name")
    for key, meaning in source.needs.items():
        if key not in extra:
            raise _AtError("", f"{source.name} needs {key}: {meaning}")


def _series(source: Source, asked: CovariateSource, chosen: Sequence[Variable]) -> Variable:
    """Return the one series that a method is to be given, its months left open."""
    groups = list(dict.fromkeys(variable.group or variable.name for variable in chosen))
    whole = len(chosen) in (1, 12) and len(groups) == 1
    if not whole:
        listed = ", ".join(dict.fromkeys(each.group or each.name for each in source.variables))
        raise _AtError("variables", f"{asked.method} takes one series of {source.name}; name one of {listed}")
    first = chosen[0]
    months = {"month", "m"} if len(chosen) == 12 else set()
    return replace(first, fills={key: text for key, text in first.fills.items() if key not in months})


def _of_variable(source: Source, asked: CovariateSource, variable: Variable, path: str) -> dict[str, Any]:
    part = {"name": f"{asked.prefix}{variable.name}", "path": path, "unit": variable.unit}
    if source.method != "raster":
        part["method"] = source.method
    if variable.kind != "continuous":
        part["kind"] = variable.kind
    return {**part, **_stated(source, variable), "long_name": variable.long_name}


def _of_method(source: Source, asked: CovariateSource, variable: Variable, path: str) -> dict[str, Any]:
    return {"name": asked.name, "method": asked.method, "path": path, **_stated(source, variable)}


def _stated(source: Source, variable: Variable) -> dict[str, Any]:
    """Return what the catalogue says of files: units, years, and where they come from."""
    said: dict[str, Any] = dict(variable.keywords)
    if variable.stored_unit:
        said["stored_unit"] = variable.stored_unit
    if source.years is not None:
        said["years"] = f"{source.years[0]}-{source.years[1]}"
        said["static"] = source.static
    return {**said, "citation": f"{source.title}. {source.cited}"}


def _moved_places(
    places: Places, items: Sequence[Any], origins: Sequence[int], remedies: Mapping[Location, str]
) -> Places:
    targets: dict[int, list[int]] = {}
    for index, number in enumerate(origins):
        targets.setdefault(number, []).append(index)

    def moved(location: Location) -> Iterable[Location]:
        if len(location) < 2 or location[0] != SECTION or not isinstance(location[1], int):
            return [location]
        return [(SECTION, index, *location[2:]) for index in targets.get(location[1], ())]

    marks = {new: mark for old, mark in places.marks.items() for new in moved(old)}
    names = {new: name for old, name in places.names.items() for new in moved(old)}
    for index, item in enumerate(items):
        if isinstance(item, Mapping) and isinstance(item.get("name"), str):
            names[(SECTION, index)] = item["name"]
    whence: dict[Location, Location] = {
        (SECTION, index): (SECTION, number) for index, number in enumerate(origins)
    }
    return replace(places, marks=marks, names=names, origins=whence, remedies=remedies)
