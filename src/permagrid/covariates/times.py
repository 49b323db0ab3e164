"""Which steps of a file's time axis belong to which year, month and day, and how long its months are."""

import calendar
import re
import warnings
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from permagrid.errors import PermagridError

Steps = NDArray[np.int_]

_SINCE = re.compile(r"^(year|month)s?\s+since\s+(-?\d+)(?:-(\d+))?", re.IGNORECASE)
_PLAIN_YEAR = re.compile(r"^(years?|calendar years?|a)?$", re.IGNORECASE)
_YEARS = (1000, 3000)
_ALIASES = {"gregorian": "standard", "365_day": "noleap", "366_day": "all_leap"}
_CALENDARS = ("standard", "proleptic_gregorian", "noleap", "all_leap", "360_day", "julian")


class Dates(NamedTuple):
    """When the steps of a time axis are."""

    years: Steps
    """Year of each step."""
    months: Steps
    """Month of each step, 1 to 12; 0 where the axis tells only years."""
    days: Steps
    """Day of the month of each step, from 1; 0 where the axis tells only years or months."""
    calendar: str
    """CF calendar of the axis, such as ``standard``, ``noleap`` or ``360_day``."""


def years_and_months(grid: xr.DataArray, path: str) -> tuple[Steps, Steps]:
    """Return year and month of every step along the first axis of a lazy series; see `dates_of`."""
    return dates_of(grid, path)[:2]


def dates_of(grid: xr.DataArray, path: str) -> Dates:
    """Return year, month and day of every step along the first axis of a lazy series.

    Understood are CF units such as ``days since 1950-01-01`` in any CF calendar, the irregular ``months
    since`` and ``years since``, and plain years; a year that tells no month has month 0, and a month that
    tells no day has day 0.

    Raises
    ------
    PermagridError
        If the axis tells no years, or is of a calendar that CF does not know.
    """
    axis = str(grid.dims[0])
    fault = f"{path}: its axis {axis!r} does not tell years (CF units such as 'days since 1950-01-01')"
    if axis not in grid.coords:
        raise PermagridError(fault)
    values, units = grid[axis].values, str(grid[axis].attrs.get("units", ""))
    stated = str(grid[axis].attrs.get("calendar", "standard")).lower()
    if np.issubdtype(values.dtype, np.number):
        counted = _counted(values.astype(float), units, axis)
        if counted is not None:
            return Dates(*counted, np.zeros(values.shape, dtype=int), _known(stated, path))
    try:
        with warnings.catch_warnings():
            # Dates before 1582 and years of one digit are read as well; no one need know how.
            warnings.simplefilter("ignore", xr.SerializationWarning)
            times = xr.decode_cf(xr.Dataset(coords={axis: grid[axis]}))[axis].dt
        years, months, days = (np.asarray(part) for part in (times.year, times.month, times.day))
        found = str(times.calendar)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
        raise PermagridError(fault) from error
    return Dates(years, months, days, _known(found, path))


def days_in_month(year: int, month: int, calendar_name: str = "standard") -> int:
    """Return the days of a month in a CF calendar, as `Dates.calendar` names it.

    Examples
    --------
    >>> [days_in_month(2000, 2, name) for name in ("standard", "noleap", "all_leap", "360_day")]
    [29, 28, 29, 30]
    >>> days_in_month(1900, 2), days_in_month(1900, 2, "julian")
    (28, 29)
    """
    if calendar_name == "360_day":
        return 30
    if month != 2:
        return 30 if month in (4, 6, 9, 11) else 31
    julian = calendar_name == "julian" or (calendar_name == "standard" and year <= 1582)
    leap = year % 4 == 0 if julian else calendar.isleap(year)
    return {"noleap": 28, "all_leap": 29}.get(calendar_name, 29 if leap else 28)


def as_ranges(years: Iterable[int]) -> str:
    """Return ascending years as people write them.

    Examples
    --------
    >>> as_ranges([1996, 1998, 1999, 2000, 2002])
    '1996, 1998-2000, 2002'
    """
    runs: list[list[int]] = []
    for year in years:
        if runs and year == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], year]
        else:
            runs.append([year])
    return ", ".join("-".join(map(str, run)) for run in runs)


def _known(name: str, path: str) -> str:
    found = _ALIASES.get(name, name)
    if found not in _CALENDARS:
        raise PermagridError(f"{path}: calendar {name!r} is none of CF's: {', '.join(_CALENDARS)}")
    return found


def as_run(steps: list[int]) -> slice | list[int]:
    """Return ascending steps as a slice where they follow one another: those are read in one piece.

    Examples
    --------
    >>> as_run([3, 4, 5]), as_run([3, 5])
    (slice(3, 6, None), [3, 5])
    """
    return slice(steps[0], steps[-1] + 1) if steps[-1] - steps[0] + 1 == len(steps) else steps


def _counted(values: NDArray[np.float64], units: str, axis: str) -> tuple[Steps, Steps] | None:
    """Return years and months of an axis that counts years or months, or None if it does not."""
    since = _SINCE.match(units)
    if since is not None:
        per_year = 12 if since[1].lower() == "month" else 1
        first = int(since[2]) * per_year + (int(since[3] or 1) - 1 if per_year == 12 else 0)
        count = first + np.floor(values + 1e-6).astype(int)
        months = count % 12 + 1 if per_year == 12 else np.zeros(values.shape, dtype=int)
        return count // per_year, months
    named = _PLAIN_YEAR.match(units) is not None and (units or axis.lower() in ("year", "years", "time"))
    whole = (
        np.array_equal(values, np.round(values)) and values.min() >= _YEARS[0] and values.max() <= _YEARS[1]
    )
    return (values.astype(int), np.zeros(values.shape, dtype=int)) if named and whole else None
