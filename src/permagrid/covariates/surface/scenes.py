"""Satellite scenes: where their folders are, and which of them a composite takes by their dates."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from glob import has_magic
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from permagrid.covariates.table import Request, Years
from permagrid.errors import PermagridError

Composite = Literal["median", "maximum"]
"""How the observations of a cell are combined."""

SceneResampling = Literal["auto", "nearest", "bilinear", "average"]
"""How scenes are brought to the grid."""


class Scene(Protocol):
    """What is asked of a scene, whatever satellite it is from."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def satellite(self) -> str:
        """The satellite that took it."""

    @property
    def day(self) -> date:
        """When it was taken, in universal time."""


AnyScene = TypeVar("AnyScene", bound=Scene)


@dataclass(frozen=True)
class Season:
    """Part of the year: months, or from one day to another; the whole year if neither is given."""

    months: tuple[int, ...] = ()
    """Months, 1 to 12."""
    first: str = ""
    """First day, such as 06-01."""
    last: str = ""
    """Last day. One before the first is in the next year, so that the season holds New Year."""

    def holds(self, day: date) -> bool:
        """Return whether a day is in the season.

        Examples
        --------
        >>> Season(first="06-01", last="09-15").holds(date(2004, 7, 20))
        True
        >>> [Season(first="11-15", last="03-31").holds(date(2004, month, 1)) for month in (1, 7, 12)]
        [True, False, True]
        """
        if self.months:
            return day.month in self.months
        if not self.first:
            return True
        at = f"{day:%m-%d}"
        if self.first <= self.last:
            return self.first <= at <= self.last
        return at >= self.first or at <= self.last

    def __str__(self) -> str:
        if self.months:
            return f"months {', '.join(map(str, self.months))}"
        return f"{self.first} to {self.last}" if self.first else "the whole year"


def made_season(season: Sequence[str] | None, months: Sequence[int] | None) -> Season:
    """Return the season that two keywords state.

    Raises
    ------
    PermagridError
        If both are given, or one is no part of a year.

    Examples
    --------
    >>> str(made_season(["06-01", "09-15"], None)), str(made_season(None, [6, 7]))
    ('06-01 to 09-15', 'months 6, 7')
    """
    if season is not None and months is not None:
        raise PermagridError("give season or months, not both")
    if months is not None:
        if not months or not all(1 <= month <= 12 for month in months):
            raise PermagridError(f"months are numbers from 1 to 12, found {list(months)}")
        return Season(months=tuple(sorted(set(months))))
    if season is None:
        return Season()
    if len(season) != 2 or not all(map(_is_day, season)):
        raise PermagridError(f"season is its first and last day such as [06-01, 09-15], found {list(season)}")
    return Season(first=season[0], last=season[1])


def checked_season(
    season: Sequence[str] | None, months: Sequence[int] | None, minimum_observations: int
) -> Season:
    """Return the season as `made_season`, and see that the observations that are wanted make sense.

    Raises
    ------
    PermagridError
        As `made_season`, or if less than one observation is wanted.
    """
    if minimum_observations < 1:
        raise PermagridError(f"minimum_observations must be at least 1, found {minimum_observations}")
    return made_season(season, months)


def _is_day(text: str) -> bool:
    try:
        # A leap year, so that 02-29 is a day.
        return f"{date.fromisoformat(f'2000-{text}'):%m-%d}" == text
    except ValueError:
        return False


def chosen(request: Request, path: str, scenes: Sequence[AnyScene], season: Season) -> list[AnyScene]:
    """Return the scenes of the epoch's years and of a season, in the order of their days.

    Where the covariate does not vary they are those of its own years, or of all where it states none. A scene
    belongs to the year of its day.

    Raises
    ------
    PermagridError
        If no scene is left.
    """
    held = sorted(scenes, key=lambda scene: (scene.day, scene.satellite, scene.name))
    span = request.epoch or request.covariate.years
    found = [one for one in held if in_years(one.day, span) and season.holds(one.day)]
    if not found:
        years = "" if span is None else f" of {span[0]}-{span[1]}"
        raise PermagridError(
            f"covariate {request.covariate.name}: no scene{years} in {season} among the {len(held)} in {path}"
            + (f", {held[0].day} to {held[-1].day}" if held else "")
        )
    return found


def in_years(day: date, years: Years | None) -> bool:
    """Return whether a day is in a span of years; every day is where there is none."""
    return years is None or years[0] <= day.year <= years[1]


def located(pattern: str) -> list[Path]:
    """Return the files and folders that a path or a glob pattern names.

    Raises
    ------
    PermagridError
        If there is none, or the pattern is a URL.
    """
    if "://" in pattern:
        raise PermagridError(f"{pattern}: scenes are read from folders; fetch them first")
    found = [Path(pattern)]
    if not found[0].exists() and has_magic(pattern):
        anchor = Path(pattern).anchor
        found = sorted(Path(anchor).glob(str(Path(pattern).relative_to(anchor))))
    if not found or not found[0].exists():
        raise PermagridError(f"{pattern}: no such file or folder")
    return found


def places(pattern: str) -> list[Path]:
    """Return what a path or a glob pattern names, or the path itself where that is nothing."""
    try:
        return located(pattern)
    except PermagridError:
        return [Path(pattern)]


def told(step: Callable[[], object]) -> Iterator[str]:
    """Yield what a step complains of, if it does.

    Examples
    --------
    >>> list(told(lambda: made_season(None, [13])))
    ['months are numbers from 1 to 12, found [13]']
    """
    try:
        step()
    except PermagridError as error:
        yield str(error)
