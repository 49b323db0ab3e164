"""Complete years, or seasons of twelve months, found in the files of a monthly or daily series."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr

from permagrid.covariates.patterns import has_month, of_month
from permagrid.covariates.times import Dates, as_ranges, as_run, dates_of, days_in_month
from permagrid.covariates.traits import Years
from permagrid.errors import PermagridError
from permagrid.grid import Float

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

Step = Literal["month", "day"]
Date = tuple[int, int, int]
"""Year, month, and day of the month; the day of a month's mean is 0."""

Open = Callable[[str], xr.DataArray]
"""Opens a file lazily, as `permagrid.covariates.sources.open_grid` does."""


class NamedFile(NamedTuple):
    """A file of a series, and what its name tells."""

    path: str
    """The file."""
    year: int | None
    """Year in its name."""
    month: int | None
    """Month in its name."""


class Season(NamedTuple):
    """The steps of one complete year."""

    year: int
    """Year that it is named after: the one in which it ends."""
    parts: list[xr.DataArray]
    """Lazy values in order of time, of dimensions ``(time, y, x)``, or ``(y, x)`` for a single step."""
    months: list[int]
    """Month of each step, 1 to 12."""
    days: Float
    """Days that each step stands for [day]."""
    calendar: str
    """CF calendar of its file."""


class Series(NamedTuple):
    """What the files of a series hold of the years wanted."""

    seasons: list[Season]
    """Complete ones, in order."""
    missing: dict[int, str]
    """Year that is not complete -> what it lacks, in words."""


class _Opened(NamedTuple):
    """A file that is there."""

    path: str
    grid: xr.DataArray
    calendar: str


class _Found(NamedTuple):
    """Where a step stands: which of the files opened, and which of its steps."""

    file: int
    step: int


def season_of(year: int, month: int, first_month: int) -> int:
    """Return the year after which the season of a month is named: the one in which it ends.

    Examples
    --------
    >>> season_of(1999, 7, 7), season_of(2000, 6, 7), season_of(2000, 12, 1)
    (2000, 2000, 2000)
    """
    return year + 1 if first_month > 1 and month >= first_month else year


def season_name(first_month: int) -> str:
    """Return first and last month of a season.

    Examples
    --------
    >>> season_name(7), season_name(1)
    ('July-June', 'January-December')
    """
    return f"{_MONTHS[first_month - 1]}-{_MONTHS[first_month - 2]}"


def series_files(pattern: str, years: Years, first_month: int) -> list[NamedFile]:
    """Return the files that hold the months of some seasons.

    Parameters
    ----------
    pattern
        Path with ``{year}`` in it, and the month too where a file holds one; or one file.
    years
        First and last season wanted.
    first_month
        Month in which a season begins; if not January, in the year before the one it is named after.

    Examples
    --------
    >>> [file.path for file in series_files("t{year}.nc", (2000, 2001), 7)]
    ['t1999.nc', 't2000.nc', 't2001.nc']
    >>> [file.path for file in series_files("t{year}{month}.nc", (2000, 2000), 7)][:6:5]
    ['t199907.nc', 't199912.nc']
    """
    if "{year}" not in pattern:
        return [NamedFile(pattern, None, None)]
    files = []
    for year in range(years[0] - int(first_month > 1), years[1] + 1):
        path = pattern.replace("{year}", str(year))
        if not has_month(path):
            files.append(NamedFile(path, year, None))
            continue
        files += [
            NamedFile(of_month(path, month), year, month)
            for month in range(1, 13)
            if years[0] <= season_of(year, month, first_month) <= years[1]
        ]
    return files


def is_absent(path: str) -> bool:
    """Return whether a local file is not there; of a URL one cannot say."""
    return "://" not in path and not Path(path).exists()


def read_series(
    files: Sequence[NamedFile], years: Years, open_file: Open, *, first_month: int, step: Step
) -> Series:
    """Return the complete seasons that files hold, lazily.

    Parameters
    ----------
    files
        Files of the series. Those of a year that are not there leave their seasons incomplete.
    years
        First and last season wanted.
    open_file
        Opens a file.
    first_month
        Month in which a season begins.
    step
        Whether the files hold monthly or daily means. A month has the days that the calendar of its file
        gives it: those of ``noleap`` and ``360_day`` years are 365 and 360.

    Raises
    ------
    PermagridError
        If a month or a day stands twice, a file has no time axis, or a season is of two calendars.
    """
    opened: list[_Opened] = []
    absent: dict[int, str] = {}
    found: dict[int, dict[Date, _Found]] = {year: {} for year in range(years[0], years[1] + 1)}
    for file in files:
        if file.year is not None and is_absent(file.path):
            months = (file.month,) if file.month else (1, 12)
            absent |= {season_of(file.year, month, first_month): file.path for month in months}
            continue
        grid = open_file(file.path)
        dates, calendar = _dates(grid, file, step)
        opened.append(_Opened(file.path, grid, calendar))
        for place, date in enumerate(dates):
            held = found.get(season_of(date[0], date[1], first_month))
            if held is None:
                continue
            if date in held:
                raise PermagridError(_twice(date, opened[held[date].file].path, file.path, step))
            held[date] = _Found(len(opened) - 1, place)
    seasons, missing = [], {}
    for year, held in found.items():
        calendar = _calendar(year, [opened[at.file] for at in held.values()])
        wanted = list(_season_dates(year, first_month, step, calendar))
        lacking = [date for date in wanted if date not in held]
        if lacking:
            missing[year] = _lack(lacking, len(wanted), step, absent.get(year))
            continue
        parts = list(_parts([held[date] for date in wanted], opened))
        days = [1.0 if day else float(days_in_month(y, m, calendar)) for y, m, day in wanted]
        seasons.append(Season(year, parts, [date[1] for date in wanted], np.array(days), calendar))
    return Series(seasons, missing)


def complete(series: Series, years: Years, minimum: int | None, what: str, first_month: int) -> str:
    """Return how many seasons of those wanted are complete and which, if they suffice.

    Parameters
    ----------
    series
        What the files hold.
    years
        First and last season wanted.
    minimum
        Fewest complete seasons; all if None.
    what
        What the series is of, for the message: a covariate and its path.
    first_month
        Month in which a season begins.

    Raises
    ------
    PermagridError
        If there are fewer, naming those that are missing.

    Examples
    --------
    >>> nine = [Season(year, [], [], np.array([]), "standard") for year in range(1996, 2005)]
    >>> complete(Series(nine, {}), (1996, 2004), 9, "t.nc", 1)
    '9 of 9: 1996-2004'
    """
    wanted, held = years[1] - years[0] + 1, len(series.seasons)
    if held < max(1, wanted if minimum is None else minimum):
        noun = "years" if first_month == 1 else f"seasons {season_name(first_month)}"
        if minimum is not None:
            rule = f"minimum_years is {minimum}"
        elif held:
            rule = f"all are needed unless the study sets minimum_years: {held}"
        else:
            rule = "at least one is needed"
        year, lack = next(iter(series.missing.items()))
        raise PermagridError(
            f"{what}: {held} of the {wanted} {noun} {as_ranges(range(years[0], years[1] + 1))} are complete, "
            f"missing are {as_ranges(series.missing)} ({year} lacks {lack}); {rule}"
        )
    return f"{held} of {wanted}: {as_ranges(season.year for season in series.seasons)}"


def _dates(grid: xr.DataArray, file: NamedFile, step: Step) -> tuple[list[Date], str]:
    """Return the date of each step of a file, and its calendar."""
    if step == "month" and file.year is not None and file.month is not None:
        if grid.ndim == 3 and grid.shape[0] > 1:
            raise PermagridError(f"{file.path}: one month is needed, found shape {grid.shape}")
        return [(file.year, file.month, 0)], "standard"
    if grid.ndim != 3:
        many = "monthly" if step == "month" else "daily"
        raise PermagridError(f"{file.path}: a {many} series needs a time axis, found shape {grid.shape}")
    dates: Dates = dates_of(grid, file.path)
    told, needed = (dates.months, "months") if step == "month" else (dates.days, "days")
    if told.size and told.min() < 1:
        less = "years" if dates.months.min() < 1 else "months"
        raise PermagridError(f"{file.path}: its {grid.dims[0]} axis tells {less} but no {needed}")
    days = np.zeros_like(dates.days) if step == "month" else dates.days
    steps = zip(dates.years.tolist(), dates.months.tolist(), days.tolist(), strict=True)
    return list(steps), dates.calendar


def _calendar(year: int, files: Sequence[_Opened]) -> str:
    calendars = sorted({file.calendar for file in files}) or ["standard"]
    if len(calendars) > 1:
        raise PermagridError(f"{files[0].path}: {year} has steps of two calendars, {' and '.join(calendars)}")
    return calendars[0]


def _season_dates(year: int, first_month: int, step: Step, calendar: str) -> Iterator[Date]:
    for month in (*range(first_month, 13), *range(1, first_month)):
        its_year = year - int(first_month > 1 and month >= first_month)
        if step == "month":
            yield its_year, month, 0
        else:
            for day in range(1, days_in_month(its_year, month, calendar) + 1):
                yield its_year, month, day


def _parts(places: Sequence[_Found], files: Sequence[_Opened]) -> Iterator[xr.DataArray]:
    """Yield steps of grids, those that follow one another in a file in one piece."""
    runs = groupby(enumerate(places), key=lambda pair: (pair[1].file, pair[1].step - pair[0]))
    for (file, _), run in runs:
        grid = files[file].grid
        steps = [place.step for _, place in run]
        yield grid if grid.ndim == 2 else grid.isel({grid.dims[0]: as_run(steps)})


def _written(date: Date) -> str:
    year, month, day = date
    return f"{year}-{month:02d}" + (f"-{day:02d}" if day else "")


def _lack(lacking: Sequence[Date], total: int, step: Step, absent: str | None) -> str:
    more = f"{len(lacking)} of {total} {step}s, the first {_written(lacking[0])}"
    return f"{more}; no such file: {absent}" if absent else more


def _twice(date: Date, first: str, second: str, step: Step) -> str:
    means = "monthly" if step == "month" else "daily"
    if first != second:
        return f"{_written(date)} stands twice: in {first} and in {second}"
    return f"{first}: {_written(date)} stands twice; {means} means are needed, one a {step}"
