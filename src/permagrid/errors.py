"""The one family of errors that a user can cause and mend."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import NamedTuple


class PermagridError(ValueError):
    """Something a user can mend: the message says what was found, what is allowed, and where.

    The command line prints the message in one line, without a traceback, and exits with status 2.
    """


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

    Examples
    --------
    >>> did_you_mean("randm_forest", ["random_forest", "climate_linear"])
    "did you mean 'random_forest'? Allowed: climate_linear, random_forest"
    >>> did_you_mean("zzz", ["a", "b"])
    'Allowed: a, b'
    """
    names = sorted(allowed)
    near = get_close_matches(word, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}Allowed: {', '.join(names)}"
