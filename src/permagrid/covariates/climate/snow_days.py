"""Where the daily maps of snow years stand: files of days, or steps of a time axis."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from permagrid.covariates.climate.moving_means import window_years
from permagrid.covariates.patterns import has_day, of_day
from permagrid.covariates.sources import open_grid
from permagrid.covariates.table import Years
from permagrid.covariates.times import dates_of
from permagrid.errors import PermagridError

_FIRST_MONTH = 9


class Source(NamedTuple):
    """Where daily maps stand."""

    path: str
    """Path with places for days or years, or one file; from the root."""
    variable: str | int | None
    """Name, or number of a band, in the file."""
    crs: str | None
    """The CRS, where the file does not say."""

    def open(self, file: str) -> xr.DataArray:
        """Return a file, lazily."""
        return open_grid(file, variable=self.variable, crs=self.crs)


class Day(NamedTuple):
    """Where the map of one day stands."""

    file: str
    """The file."""
    step: int | None
    """Step along its time axis; None where it holds one map."""
    grid: xr.DataArray | None
    """The file, if it is open already."""

    def opened(self, source: Source) -> xr.DataArray:
        """Return the file that holds the day."""
        return source.open(self.file) if self.grid is None else self.grid


def dates_of_season(year: int) -> list[date]:
    """Return the days from 1 September to 31 August of a snow year.

    Examples
    --------
    >>> days = dates_of_season(2001)
    >>> days[0].isoformat(), days[-1].isoformat(), len(days)
    ('2000-09-01', '2001-08-31', 365)
    """
    first, last = date(year - 1, _FIRST_MONTH, 1), date(year, _FIRST_MONTH, 1)
    return [first + timedelta(days) for days in range((last - first).days)]


def days_of(source: Source, span: Years) -> dict[int, list[Day]]:
    """Return the days of each snow year of which there is a map, in order.

    Parameters
    ----------
    source
        Where they stand.
    span
        First and last snow year.

    Raises
    ------
    PermagridError
        If a file cannot be read, its axis tells no days, or a day stands twice.
    """
    years = range(span[0], span[1] + 1)
    if has_day(source.path):
        dated = {year: [of_day(source.path, when) for when in dates_of_season(year)] for year in years}
        return {
            year: [Day(file, None, None) for file in files if _is_there(file)]
            for year, files in dated.items()
        }
    found: dict[date, Day] = {}
    for file in _files_of_years(source.path, span):
        if "{year}" in source.path and not _is_there(file):
            continue
        for when, day in _steps(source, file):
            if when in found:
                raise PermagridError(f"{file}: {when} stands twice, also in {found[when].file}")
            found[when] = day
    return {year: [found[when] for when in dates_of_season(year) if when in found] for year in years}


def expected_files(settings: Mapping[str, Any], epochs: Sequence[Years], root: Path) -> list[Path]:
    """Return the local files that `snow_cover_days` reads for epochs.

    Files of days that are missing are among them only where too few snow years have maps on enough days.
    """
    path = str(settings["path"])
    if "://" in path:
        return []
    files: set[Path] = set()
    for epoch in epochs:
        span = window_years(settings, epoch)
        if not has_day(path):
            files.update(root / name for name in _files_of_years(path, span) if _is_there(str(root / name)))
            files.update(root / name for name in _files_of_years(path, epoch))
            continue
        years = range(span[0], span[1] + 1)
        seasons = [[root / of_day(path, when) for when in dates_of_season(year)] for year in years]
        there = [[file for file in season if file.exists()] for season in seasons]
        enough = [len(held) >= settings["minimum_days"] for held in there]
        least = len(seasons) if settings["minimum_years"] is None else settings["minimum_years"]
        for season, held, whole in zip(seasons, there, enough, strict=True):
            files.update(held if whole or sum(enough) >= least else season)
    return sorted(files)


def _files_of_years(path: str, span: Years) -> list[str]:
    if "{year}" not in path:
        return [path]
    return [path.replace("{year}", str(year)) for year in range(span[0] - 1, span[1] + 1)]


def _is_there(file: str) -> bool:
    return "://" in file or Path(file).exists()


def _steps(source: Source, file: str) -> Iterator[tuple[date, Day]]:
    grid = source.open(file)
    if grid.ndim != 3:
        raise PermagridError(f"{file}: a daily series needs a time axis, found shape {grid.shape}")
    dates = dates_of(grid, file)
    if dates.days.min() < 1:
        raise PermagridError(f"{file}: its {grid.dims[0]} axis does not tell days")
    told = zip(dates.years.tolist(), dates.months.tolist(), dates.days.tolist(), strict=True)
    for step, (year, month, day) in enumerate(told):
        if day <= 28 or _is_date(year, month, day):
            yield date(year, month, day), Day(file, step, grid)


def _is_date(year: int, month: int, day: int) -> bool:
    """Return whether a day is one of our calendar, which 30 February of another is not."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
