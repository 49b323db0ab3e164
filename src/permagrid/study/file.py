"""Reading a study: the whole of it, or as much as can be understood beside its faults."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from permagrid.errors import StudyError
from permagrid.study.expansion import SECTION, expanded
from permagrid.study.parts import Study, resolved
from permagrid.study.places import Finding, Location, Places, places_of
from permagrid.study.wording import sentence
from permagrid.study.yaml import load_yaml
from permagrid.wording import telling

_MOST_ROUNDS = 100


@dataclass(frozen=True)
class Draft:
    """A study with the faults of its form, and what of it can still be judged."""

    study: Study | None
    """The study without its faulty parts; None where nothing can be said of it."""
    findings: tuple[Finding, ...]
    """Every fault of form."""
    places: Places
    """Where things stand."""
    doubtful: frozenset[str] = frozenset()
    """Sections of which something was left out or made up."""
    absent: frozenset[str] = frozenset()
    """Sections of which nothing could be used; others stand in for them."""


def read_draft(path: Path) -> Draft:
    """Return the study in a YAML file, as far as it can be understood, with the faults of its form.

    Raises
    ------
    StudyError
        If the file cannot be read or is no YAML mapping.
    """
    content, places, findings = load_yaml(path)
    return _understood(content, places, findings)


def read_study(path: Path) -> Study:
    """Return the study in a YAML file.

    Raises
    ------
    StudyError
        With every fault of form: what was found, what is allowed, and the place in the file.
    """
    return _complete(read_draft(path))


def parse_study(content: Mapping[str, Any]) -> Study:
    """Return the study in a mapping, as `read_study` does from a file.

    Raises
    ------
    StudyError
        With every fault of form.

    Examples
    --------
    >>> try:
    ...     parse_study({"study": "My study"})
    ... except StudyError as error:
    ...     print(error.faults[0])
    study: may hold a-z, 0-9, _ and - only, up to 64 of them, found 'My study'
    """
    return _complete(_understood(content, places_of(content), []))


def draft(study: Study) -> Draft:
    """Return a study that has no fault of form as a draft."""
    return Draft(study, (), places_of(resolved(study)))


def _complete(read: Draft) -> Study:
    if read.findings or read.study is None:
        raise StudyError(read.places.faults(read.findings))
    return read.study


def _understood(content: Mapping[Any, Any], places: Places, findings: list[Finding]) -> Draft:
    whole = expanded(content, places)
    places, left_out = whole.places, {SECTION} if whole.findings else set()
    findings = [*map(whole.moved, findings), *whole.findings]
    tree = _numbered(whole.content)
    plain, _ = _plain(tree)
    try:
        return Draft(_validated(plain), tuple(findings), places, frozenset(left_out))
    except ValidationError as error:
        # A list that is empty only because all of it was left out is not too short.
        told = [d for d in _told(error.errors()) if not (left_out and tuple(d["loc"]) == (SECTION,))]
        found = [*findings, *(Finding(tuple(d["loc"]), sentence(d)) for d in told)]
    study, shifts, doubtful, absent = _salvaged(tree)
    shifted = replace(places, shifts=shifts)
    return Draft(study, tuple(found), shifted, frozenset(doubtful | left_out), frozenset(absent))


def _told(errors: Iterable[Any]) -> list[Any]:
    """Return errors without those that only follow from another one."""
    details = telling(errors)
    unknown = [d["loc"] for d in details if d["type"] == "extra_forbidden"]

    def follows(detail: Any) -> bool:
        location = tuple(detail["loc"])
        if detail["type"] == "too_short":
            # Items that are faulty themselves were not counted.
            return bool(detail["input"])
        if detail["type"] == "missing" and location:
            beside = [str(other[-1]) for other in unknown if other[:-1] == location[:-1]]
            return bool(get_close_matches(str(location[-1]), beside, n=1))
        return False

    return [detail for detail in details if not follows(detail)]


def _validated(plain: Any) -> Study:
    # Judged as JSON, as editors judge it by the schema: a list may be a tuple, a text is never a number.
    return Study.model_validate_json(json.dumps(_of_a_table(plain), default=str), strict=True)


def _of_a_table(plain: Any) -> Any:
    """Return a study without grid with what goes without saying there; another one as it is."""
    if not isinstance(plain, dict) or plain.get("grid") is not None:
        return plain
    sites, learners = plain.get("sites"), plain.get("learners")
    if isinstance(sites, dict) and "quality" not in sites:
        # Tests of places have nothing to look at, and samples of one borehole may well be alike.
        plain = plain | {"sites": sites | {"quality": {"gross_range": {}}}}
    first = learners[0] if isinstance(learners, list) and learners else None
    if "products" not in plain and isinstance(first, dict):
        plain = plain | {"products": {"learner": first.get("label") or first.get("name")}}
    return plain


class _Items(dict[int, Any]):
    """A list whose items keep their numbers when others are taken out."""


def _numbered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _numbered(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return _Items(enumerate(map(_numbered, value)))
    return value


def _plain(tree: Any, location: Location = ()) -> tuple[Any, dict[Location, list[int]]]:
    """Return a tree with its lists as lists, and location of a list -> the numbers of its items."""
    shifts: dict[Location, list[int]] = {}
    if not isinstance(tree, dict):
        return tree, shifts
    values = {}
    for index, (key, inner) in enumerate(tree.items()):
        values[key], inside = _plain(inner, (*location, index if isinstance(tree, _Items) else key))
        shifts |= inside
    if isinstance(tree, _Items):
        shifts[location] = list(tree)
        return list(values.values()), shifts
    return values, shifts


def _salvaged(tree: Any) -> tuple[Study | None, dict[Location, list[int]], set[str], set[str]]:
    """Return a study from what is left when faulty values are taken out, one round after the other."""
    doubtful: set[str] = set()
    absent: set[str] = set()
    meant = "grid" in tree or bool(get_close_matches("grid", map(str, tree), n=1))
    for _ in range(_MOST_ROUNDS):
        if meant and "grid" not in tree:
            # A grid that is faulty or misspelt is not the same as none.
            absent.add("grid")
            tree["grid"] = _numbered(_STAND_INS["grid"])
        plain, shifts = _plain(tree)
        try:
            return _validated(plain), shifts, doubtful, absent
        except ValidationError as error:
            details = telling(error.errors())
        places = Places(shifts=shifts)
        for detail in details:
            location = places.original(tuple(detail["loc"]))
            missing = detail["type"] == "missing"
            if missing and len(location) == 1:
                absent.add(str(location[0]))
                tree[location[0]] = _numbered(_STAND_INS[str(location[0])])
            elif location:
                doubtful.add(str(location[0]))
                _take_out(tree, location[:-1] if missing else location)
    return None, {}, doubtful, absent


def _take_out(tree: Any, location: Location) -> None:
    """Remove the value at a location, or the innermost part around it that is there."""
    holder, last = None, location[0]
    for step in location:
        if not isinstance(tree, dict) or step not in tree:
            break
        holder, last, tree = tree, step, tree[step]
    if holder is not None:
        del holder[last]


_STAND_INS: dict[str, Any] = {
    "study": "unnamed",
    "metadata": {"title": ""},
    "target": {"variable": "unknown", "unit": "1", "valid_range": [0, 1]},
    "epochs": ["2000-2004"],
    "grid": {"crs": "EPSG:3995", "resolution": 100_000.0, "region": [-180, 60, 180, 90]},
    "sites": {"sources": [{"reader": "table", "path": "sites.csv"}]},
    "covariates": [{"name": "none", "unit": "1"}],
    "learners": [{"name": "none"}],
    "validation": {"folds": [{"method": "site"}]},
    "products": {"learner": "none"},
}
"""Section -> what takes its place where it is missing, so that the others can be judged."""
