"""Series of MODIS layers: which file or step of a time axis holds which month, and how months add up."""

from collections.abc import Iterator, Sequence
from datetime import date
from glob import glob
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from permagrid.covariates.patterns import has_day, has_month, of_day, of_month
from permagrid.covariates.surface.stored import digital_numbers
from permagrid.covariates.table import Request, Years
from permagrid.covariates.times import days_in_month, years_and_months
from permagrid.errors import PermagridError
from permagrid.grid import Float

Satellite = Literal["terra", "aqua"]
Month = tuple[int, int]

BEGUN: dict[str, Month] = {"terra": (2000, 2), "aqua": (2002, 7)}
"""Satellite -> year and month of its first data."""


ALL: Month = (0, 0)
"""What stands for the month of a layer that is no series, but of a whole season."""


class Layer(NamedTuple):
    """One layer of a series."""

    path: str
    """The file."""
    month: Month
    """Year and month; year 0 in a climatology, `ALL` where there is one layer and no time axis."""
    step: int
    """Which of the layers of the month it is: tiles of one step have the same."""
    at: int | None
    """Place on the time axis of the file, where it has one."""


def named_files(path: str, month: Month) -> list[tuple[int, str]]:
    """Return the files of one month that are there, with the day of each; day 0 where the path names no days.

    Parameters
    ----------
    path
        From the root, with ``{year}``, ``{month}``, ``{day}`` as in `permagrid.covariates.patterns`, and
        ``*`` where files of several tiles or versions differ.
    month
        Year and month.
    """
    year, number = month
    if has_day(path):
        days = range(1, days_in_month(year, number) + 1)
        names = [(day, of_day(path, date(year, number, day))) for day in days]
    else:
        names = [(0, of_month(path.replace("{year}", f"{year:04d}"), number))]
    return [(day, file) for day, name in names for file in _there(name)]


def _there(name: str) -> list[str]:
    if "://" in name:
        return [name]
    if "*" in name:
        return sorted(glob(name))  # noqa: PTH207
    return [name] if Path(name).exists() else []


def varies(path: str) -> bool:
    """Return whether a path has a place for a year."""
    return "{year}" in path or "{date}" in path


def wanted_files(path: str, epochs: Sequence[Years], months: Sequence[int]) -> Iterator[Path]:
    """Yield the files of a series for all epochs; where a month has none, the path that it should have."""
    if "://" in path or (has_day(path) and not varies(path)):
        return
    if not (has_month(path) or has_day(path)):
        years = {year for first, last in epochs for year in range(first, last + 1)}
        names = [path.replace("{year}", str(year)) for year in sorted(years)] if "{year}" in path else [path]
        for name in names:
            yield from map(Path, _there(name) or [name])
        return
    spans = epochs if varies(path) else [(0, 0)]
    for year in sorted({year for first, last in spans for year in range(first, last + 1)}):
        for month in months:
            found = [file for _, file in named_files(path, (year, month))]
            yield from map(Path, found or [of_month(path.replace("{year}", str(year)), month)])


def layers(
    request: Request, path: str, months: Sequence[int], *, variable: str | int | None, crs: str | None
) -> list[Layer]:
    """Return the layers that a path names for some months of the epoch's years.

    Raises
    ------
    PermagridError
        If a month or a year has none, or files have no time axis that tells months.
    """
    full = request.path(path)
    span = request.epoch or request.covariate.years
    years = [0] if span is None else list(range(span[0], span[1] + 1))
    if has_day(path) and not varies(path):
        raise PermagridError(f"{path}: names days, but no {{year}}")
    if varies(path) and request.epoch is None:
        raise PermagridError(
            f"covariate {request.covariate.name}: path {path!r} varies, but years are not stated"
        )
    if has_month(path) or has_day(path):
        return [
            one for year in (years if varies(path) else [0]) for m in months for one in _of(full, (year, m))
        ]
    found: list[Layer] = []
    for name in [full.replace("{year}", str(year)) for year in years] if varies(path) else [full]:
        for file in _there(name) or [name]:
            found += _on_axis(file, years, months, variable, crs)
    held = {layer.month for layer in found}
    missing = [f"{y}-{m:02d}" for y in years for m in months if y and (y, m) not in held]
    if missing:
        raise PermagridError(f"{path}: holds no data for {', '.join(missing[:12])} of the epoch")
    if not found:
        raise PermagridError(f"{path}: holds no data for the months {', '.join(map(str, months))}")
    return found


def _of(path: str, month: Month) -> list[Layer]:
    found = [Layer(file, month, day, None) for day, file in named_files(path, month)]
    if not found:
        when = f"{month[0]}-{month[1]:02d}" if month[0] else f"month {month[1]:02d}"
        raise PermagridError(f"{path}: no such file for {when}")
    return found


def _on_axis(
    path: str, years: Sequence[int], months: Sequence[int], variable: str | int | None, crs: str | None
) -> list[Layer]:
    grid = digital_numbers(path, variable=variable, crs=crs, whole=False)
    if grid.ndim == 2 and years == [0]:
        return [Layer(path, ALL, 0, None)]
    if grid.ndim == 2:
        raise PermagridError(f"{path}: a series of months needs a time axis, or {{month}} in its name")
    of_years, of_months = (steps.tolist() for steps in years_and_months(grid, path))
    if min(of_months) < 1:
        raise PermagridError(f"{path}: its {grid.dims[0]} axis tells years but no months")
    return [
        Layer(path, (year, month), at, at)
        for at, (year, month) in enumerate(zip(of_years, of_months, strict=True))
        if month in months and (years == [0] or year in years)
    ]


class Opened:
    """Files of a series, each opened once.

    Parameters
    ----------
    variable, crs
        As `permagrid.covariates.sources.open_grid`.
    whole
        Whether their numbers must be whole.
    """

    def __init__(self, variable: str | int | None, crs: str | None, *, whole: bool) -> None:
        self._variable, self._crs, self._whole = variable, crs, whole
        self._grids: dict[str, xr.DataArray] = {}

    def __getitem__(self, layer: Layer) -> xr.DataArray:
        """Return the numbers of a layer, lazily, of dimensions ``(y, x)``."""
        if layer.path not in self._grids:
            self._grids[layer.path] = digital_numbers(
                layer.path, variable=self._variable, crs=self._crs, whole=self._whole
            )
        grid = self._grids[layer.path]
        if layer.at is not None:
            return grid.isel({grid.dims[0]: layer.at})
        if grid.ndim == 3 and grid.shape[0] == 1:
            return grid[0]
        if grid.ndim == 3:
            raise PermagridError(f"{layer.path}: one layer is needed, found {grid.shape[0]} times")
        return grid


def check_begun(request: Request, satellite: Satellite, months: Sequence[int]) -> None:
    """See that an epoch lies within the life of a satellite.

    Raises
    ------
    PermagridError
        If it begins before the first data.
    """
    span = request.epoch or request.covariate.years
    if span is None:
        return
    first, begun = (span[0], min(months)), BEGUN[satellite]
    if first < begun:
        raise PermagridError(
            f"covariate {request.covariate.name}: the epoch {span[0]}-{span[1]} needs "
            f"{first[0]}-{first[1]:02d}, but MODIS on {satellite.capitalize()} has data since "
            f"{begun[0]}-{begun[1]:02d} only: leave earlier epochs out, or the covariate"
        )


class Rules(NamedTuple):
    """How months become a value of the epoch."""

    months: tuple[int, ...]
    """Months of a year that are wanted."""
    how: str
    """``mean`` or ``maximum`` of a year's months."""
    minimum_months: int
    """Months that a year must have."""
    minimum_years: int
    """Years that an epoch must have."""

    def checked(self) -> "Rules":
        """Return itself.

        Raises
        ------
        PermagridError
            If months are no months, or more or less of them are wanted than there can be.
        """
        if not self.months or not all(1 <= month <= 12 for month in self.months):
            raise PermagridError(f"months are numbers from 1 to 12, found {list(self.months)}")
        if not 1 <= self.minimum_months <= len(self.months):
            raise PermagridError(
                f"minimum_months must lie in 1-{len(self.months)}, found {self.minimum_months}"
            )
        if self.minimum_years < 1:
            raise PermagridError(f"minimum_years must be at least 1, found {self.minimum_years}")
        return self


def monthly(stack: NDArray[np.float32], of: Sequence[Any]) -> dict[Month, Float]:
    """Return the mean of each month's steps that are valid.

    Parameters
    ----------
    stack
        Shape ``(steps, rows, columns)``.
    of
        Of each step: year, month, and what else tells steps of a month apart.

    Examples
    --------
    >>> steps = np.array([[[0.2]], [[0.4]], [[np.nan]]], dtype="float32")
    >>> means = monthly(steps, [(2005, 6, 1), (2005, 6, 17), (2005, 7, 3)])
    >>> {month: mean.round(6).tolist() for month, mean in means.items()}
    {(2005, 6): [[0.3]], (2005, 7): [[nan]]}
    """
    places: dict[Month, list[int]] = {}
    for place, (year, month, *_) in enumerate(of):
        places.setdefault((year, month), []).append(place)
    return {
        month: _mean([stack[place].astype(float) for place in steps], 1) for month, steps in places.items()
    }


def of_epoch(means: dict[Month, Float], rules: Rules, shape: tuple[int, int]) -> Float:
    """Return the mean over the years that have enough months, of what each is by its months.

    One layer that stands for the season is taken as it is.

    Parameters
    ----------
    means
        Year and month -> monthly means, of one shape.
    rules
        How many there must be.
    shape
        Of the result.
    """
    years = []
    if list(means) == [ALL]:
        return means[ALL]
    for year in sorted({year for year, _ in means}):
        months = [values for (of, _), values in means.items() if of == year]
        if rules.how == "maximum":
            known = np.sum([np.isfinite(month) for month in months], axis=0)
            most = np.fmax.reduce(months)
            years.append(np.where(known >= rules.minimum_months, most, np.nan))
        else:
            years.append(_mean(months, rules.minimum_months))
    return _mean(years, rules.minimum_years) if years else np.full(shape, np.nan)


def _mean(parts: Sequence[Float], least: int) -> Float:
    """Return the mean of the parts that are valid, where there are at least so many."""
    count = np.zeros(parts[0].shape)
    total = np.zeros(parts[0].shape)
    for part in parts:
        seen = np.isfinite(part)
        count += seen
        total += np.where(seen, part, 0.0)
    return np.where(count >= least, total / np.maximum(count, 1.0), np.nan)
