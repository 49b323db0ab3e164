"""Places in a study file: dotted paths, line numbers, and the order in which faults are told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from permagrid.errors import Fault

NO_FILE = "no such file"
"""How a fault begins that a file is missing."""

_MOST_NAMED = 4

Location = tuple[str | int, ...]
"""Keys and list indices that lead to a value, such as ``("covariates", 2, "unit")``."""


class Finding(NamedTuple):
    """A fault with its location in the study; `Places` turns it into one that people can find."""

    location: Location
    """Where it stands."""
    message: str
    """What was found and what is allowed, in one sentence."""


@dataclass(frozen=True)
class Places:
    """Where the values of a study stand.

    Parameters
    ----------
    file
        The study file, as the user named it; empty where the study came from elsewhere.
    marks
        Location -> line (from 1; 0 where there is none) and order among all values.
    names
        Location of a part in a list -> its ``name``.
    shifts
        Location of a list from which faulty items were taken -> the indices of those that remain.
    origins
        Location of an item in a list -> that of the entry of the file from which it comes, where entries
        were written out as several items.
    remedies
        Location of an entry of the file -> what brings the files that it names.

    Examples
    --------
    >>> places = Places("my.yaml", {("covariates", 2): (31, 9)}, {("covariates", 2): "bio1"})
    >>> print(places.fault(Finding(("covariates", 2, "unit"), "is missing")))
    my.yaml:31 covariates[2].unit (bio1): is missing
    """

    file: str = ""
    marks: Mapping[Location, tuple[int, int]] = field(default_factory=dict)
    names: Mapping[Location, str] = field(default_factory=dict)
    shifts: Mapping[Location, Sequence[int]] = field(default_factory=dict)
    origins: Mapping[Location, Location] = field(default_factory=dict)
    remedies: Mapping[Location, str] = field(default_factory=dict)

    def original(self, location: Location) -> Location:
        """Return a location of the study as it was before faulty items were taken from its lists."""
        found: Location = ()
        for depth, step in enumerate(location):
            kept = self.shifts.get(location[:depth], ())
            # A step past the end is that of an item which a list lacks.
            found += (kept[step] if isinstance(step, int) and step < len(kept) else step,)
        return found

    def fault(self, finding: Finding) -> Fault:
        """Return a finding with its place in words: file, line, dotted path and name."""
        location = finding.location
        line = self._mark(location)[0]
        file = f"{self.file}:{line}" if self.file and line else self.file
        names = [self.names[prefix] for prefix in _prefixes(location) if prefix in self.names]
        label = f" ({names[-1]})" if names else ""
        where, message = self._in_file(location), finding.message
        if message.startswith(NO_FILE) and where[:2] in self.remedies:
            message = f"{message}; get it with: {self.remedies[where[:2]]}"
        return Fault(f"{file} {dotted(where)}{label}".strip() or "study", message)

    def faults(self, findings: Iterable[Finding]) -> list[Fault]:
        """Return findings as faults, in the order of the file and each once.

        Of several items that come from one entry, the first is told with the names of the others.
        """
        unique = sorted(dict.fromkeys(findings), key=lambda f: self._mark(f.location)[1])
        groups: dict[object, list[Finding]] = {}
        for number, finding in enumerate(unique):
            several = list(self.origins.values()).count(self.origins.get(finding.location[:2], ())) > 1
            groups.setdefault(self._in_file(finding.location) if several else number, []).append(finding)
        return [self._together(group) for group in groups.values()]

    def _together(self, findings: Sequence[Finding]) -> Fault:
        first = self.fault(findings[0])
        _, *others = dict.fromkeys(self.names.get(finding.location[:2], "") for finding in findings)
        if not others:
            return first
        listed = ", ".join(others[:_MOST_NAMED])
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        return Fault(first.place, f"{first.message}; as well: {listed}{more}")

    def _in_file(self, location: Location) -> Location:
        """Return a location as it stands in the file."""
        return (*self.origins[location[:2]], *location[2:]) if location[:2] in self.origins else location

    def _mark(self, location: Location) -> tuple[int, int]:
        found = [self.marks[prefix] for prefix in _prefixes(location) if prefix in self.marks]
        # What is missing stands nowhere: at the end of the part that lacks it, or of the file.
        return found[-1] if found else (0, len(self.marks))


def places_of(content: Any) -> Places:
    """Return the places of a study that did not come from a file: no lines, but names and order."""
    marks: dict[Location, tuple[int, int]] = {}
    names: dict[Location, str] = {}

    def walk(value: Any, location: Location) -> None:
        if location:
            marks[location] = (0, len(marks))
        if isinstance(value, Mapping):
            if location and isinstance(location[-1], int) and isinstance(value.get("name"), str):
                names[location] = value["name"]
            for key, inner in value.items():
                walk(inner, (*location, str(key)))
        elif isinstance(value, list | tuple):
            for index, inner in enumerate(value):
                walk(inner, (*location, index))

    walk(content, ())
    return Places("", marks, names)


def dotted(location: Location) -> str:
    """Return a location in the file as people write it.

    Examples
    --------
    >>> dotted(("covariates", 2, "unit"))
    'covariates[2].unit'
    """
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _prefixes(location: Location) -> list[Location]:
    return [location[:depth] for depth in range(1, len(location) + 1)]
