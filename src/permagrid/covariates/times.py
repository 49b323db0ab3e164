"""Which steps of a file's time axis belong to which year and month."""

import re
import warnings

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from permagrid.errors import PermagridError

Steps = NDArray[np.int_]

_SINCE = re.compile(r"^(year|month)s?\s+since\s+(-?\d+)(?:-(\d+))?", re.IGNORECASE)
_PLAIN_YEAR = re.compile(r"^(years?|calendar years?|a)?$", re.IGNORECASE)
_YEARS = (1000, 3000)


def years_and_months(grid: xr.DataArray, path: str) -> tuple[Steps, Steps]:
    """Return year and month of every step along the first axis of a lazy series.

    Understood are CF units such as ``days since 1950-01-01``, the irregular ``months since`` and ``years
    since``, and plain years; a year that tells no month has month 0.

    Raises
    ------
    PermagridError
        If the axis tells no years.
    """
    axis = str(grid.dims[0])
    fault = f"{path}: its axis {axis!r} does not tell years (CF units such as 'days since 1950-01-01')"
    if axis not in grid.coords:
        raise PermagridError(fault)
    values, units = grid[axis].values, str(grid[axis].attrs.get("units", ""))
    if np.issubdtype(values.dtype, np.number):
        counted = _counted(values.astype(float), units, axis)
        if counted is not None:
            return counted
    try:
        with warnings.catch_warnings():
            # Dates before 1582 and years of one digit are read as well; no one need know how.
            warnings.simplefilter("ignore", xr.SerializationWarning)
            times = xr.decode_cf(xr.Dataset(coords={axis: grid[axis]}))[axis].dt
        return np.asarray(times.year), np.asarray(times.month)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
        raise PermagridError(fault) from error


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
