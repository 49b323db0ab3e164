"""The one family of errors that a user can cause and mend."""

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

_MOST_LISTED = 12
_NEAREST_LISTED = 8
_ALIKE = 0.6
"""Least share of letters in common from which on a name is taken for a misspelt one."""
_NUMBER_FIRST = re.compile(r"\d+(\.\d+)?")


class PermagridError(ValueError):
    """Something a user can mend: the message says what was found, what is allowed, and where.

    The command line prints the message in one line, without a traceback, and exits with `status`.
    """

    status = 2
    """Of the command line: a mistake in the study, its data or the command."""


class RunError(PermagridError):
    """A run could not go on, for want of disk or workers; what it finished is kept for the next one."""

    status = 1


class DataError(PermagridError):
    """Data cannot be used as they are: damaged, cut off, or changed while they were read."""

    status = 3


class PartialError(PermagridError):
    """A part of a run is done, as was asked; the rest is left for others or for later."""

    status = 4


class Fault(NamedTuple):
    """One mistake in a study or in its data."""

    place: str
    """Where it stands: a dotted path in the study file, or a file with row and column."""
    message: str
    """What was found and what is allowed, in one sentence."""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class StudyError(PermagridError):
    """A study file or its data hold one or more faults; all are reported at once.

    Parameters
    ----------
    faults
        Every fault that was found.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(str(fault) for fault in self.faults))


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return a hint that names the nearest allowed word and lists the allowed ones.

    Parameters
    ----------
    word
        What was found.
    allowed
        What is allowed. A list or tuple keeps its order, anything else is sorted, by number where names begin
        with one; of more than 12 names the nearest are listed.

    Examples
    --------
    >>> did_you_mean("randm_forest", {"random_forest", "climate_linear"})
    "did you mean 'random_forest'? Allowed: climate_linear, random_forest"
    >>> did_you_mean("zzz", {"10m", "5m", "b", "2.5m"})
    'Allowed: 2.5m, 5m, 10m, b'
    >>> did_you_mean("9m", ["10m", "5m", "2.5m", "30s"])
    'Allowed: 10m, 5m, 2.5m, 30s'
    >>> did_you_mean("Layer_7", [f"layer_{number}" for number in range(13)])
    "did you mean 'layer_7'? Allowed: layer_7, layer_0, ..., layer_6, ... (13 in all)"
    """
    names = list(allowed) if isinstance(allowed, list | tuple) else sorted(allowed, key=_by_number)
    likeness = {name: SequenceMatcher(None, name.casefold(), word.casefold()).ratio() for name in names}
    nearest = sorted(names, key=lambda name: -likeness[name])[:_NEAREST_LISTED]
    hint = f"did you mean {nearest[0]!r}? " if nearest and likeness[nearest[0]] >= _ALIKE else ""
    if len(names) > _MOST_LISTED:
        return f"{hint}Allowed: {', '.join(nearest)}, ... ({len(names)} in all)"
    return f"{hint}Allowed: {', '.join(names)}"


def _by_number(name: str) -> tuple[bool, float, str]:
    number = _NUMBER_FIRST.match(name)
    return number is None, float(number[0]) if number else 0.0, name
