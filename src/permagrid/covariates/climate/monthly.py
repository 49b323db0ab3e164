"""Means over years of what twelve months say, from monthly series and climatologies as they come."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr
from odc.geo.xr import xr_coords

from permagrid.covariates.climate.index_formulas import MONTH_DAYS
from permagrid.covariates.climate.moving_means import (
    mean_of_valid,
    refuse_years_beyond,
    window_fault,
    window_of,
    window_years,
)
from permagrid.covariates.climate.seasons import (
    NamedFile,
    Season,
    Series,
    complete,
    read_series,
    season_name,
    series_files,
)
from permagrid.covariates.lookup import Resampling
from permagrid.covariates.patterns import has_month, of_month
from permagrid.covariates.sources import open_grid
from permagrid.covariates.table import Request
from permagrid.covariates.times import as_run, dates_of
from permagrid.covariates.traits import Years
from permagrid.errors import PermagridError
from permagrid.grid import Float
from permagrid.units import UNITS, parse_unit

CALENDAR_YEAR = tuple(range(1, 13))
"""Months of a year from January to December."""
SNOW_YEAR = (*range(7, 13), *range(1, 7))
"""Months of a year from July to June."""

Measure = Callable[..., Float]

_PATHS = ("path", "with_path", "temperature_path")


class Monthly(NamedTuple):
    """Where monthly values stand, and how they are brought to the grid."""

    path: str
    """Twelve files with ``{month}`` or ``{m}`` in the name for a climatology; or one file with a step per
    month, of a climatology or a series; or a series in several files, with ``{year}`` in the name."""
    with_path: str | None = None
    """A second one: the mean of the two is taken month by month."""
    variable: str | int | None = None
    """Name, or number of a band, in the file."""
    resampling: Resampling = "auto"
    """As for a raster."""
    nodata: float | None = None
    """A missing value that the file does not declare."""
    crs: str | None = None
    """The CRS, where the file does not say."""
    taken_for: tuple[str, ...] = ()
    """Unit that the numbers are taken to be in as the study states none, and others that they may be in."""

    @property
    def paths(self) -> list[str]:
        """One path or two."""
        return [path for path in (self.path, self.with_path) if path]

    def open(self, path: str) -> xr.DataArray:
        """Return a file, lazily."""
        grid = open_grid(path, variable=self.variable, nodata=self.nodata, crs=self.crs)
        if self.taken_for:
            _check_unit(path, str(grid.attrs.get("units", "")), self.taken_for)
        return grid


def _check_unit(path: str, declared: str, taken_for: Sequence[str]) -> None:
    """Raise if a file gives another unit of the same dimension, or of one that it may be in."""
    try:
        found = parse_unit(declared)
    except PermagridError:
        return
    # A study is checked for this before it runs; here it is for those who call the library.
    if found != parse_unit(taken_for[0]) and found[0] in {parse_unit(unit)[0] for unit in taken_for}:
        rate = f", or {declared}/day if it is a mean rate" if f"{declared}/day" in UNITS else ""
        raise PermagridError(
            f"{path}: gives its unit as {declared!r}, not {taken_for[0]!r}; state its unit: {declared}{rate}"
        )


class Span(NamedTuple):
    """Which months and years a covariate is made of."""

    months: tuple[int, ...] = CALENDAR_YEAR
    """Months in their order, such as 12, 1 and 2. If they run into a new calendar year, the season is named
    after that."""
    window: int | None = None
    """Years of a window centred on the middle year of the epoch; the epoch itself if None."""
    minimum_years: int | None = None
    """Complete years that suffice, of the file as of each cell; all if None."""

    @property
    def first_month(self) -> int:
        """Month in which the year begins that the months are taken from."""
        return first_month_of(self.months)


def first_month_of(months: Sequence[int]) -> int:
    """Return the first month of a season that runs into a new calendar year, and January of any other.

    Examples
    --------
    >>> first_month_of((12, 1, 2)), first_month_of((6, 7, 8))
    (12, 1)
    """
    return months[0] if sorted(months) != list(months) else 1


def mean_of_years(request: Request, sources: Sequence[Monthly], measure: Measure, span: Span) -> xr.DataArray:
    """Return a measure of some months of a year, averaged over the years of an epoch or a window.

    Parameters
    ----------
    request
        Grid and epoch; without an epoch the files hold a climatology.
    sources
        Where the values stand.
    measure
        ``(values, ..., days)`` of shape ``(months, y, x)``, one array per source, and ``(months,)`` gives
        the measure of one year, shape ``(y, x)``. Values are in the file's unit and in double precision.
    span
        Which months and years. A year counts if its twelve months are there.

    Returns
    -------
    xarray.DataArray
        Lazy, float32; NaN in cells with too few valid years.

    Raises
    ------
    PermagridError
        If a file cannot be read, a month stands twice, too few years are complete, or a window reads years
        that the covariate does not cover, as it says.
    """
    name, epoch = f"covariate {request.covariate.name}", request.epoch
    paths = [path for source in sources for path in source.paths]
    varying = [path for path in paths if "{year}" in path or "{epoch}" in path]
    if epoch is None and varying:
        raise PermagridError(f"{name}: path {varying[0]!r} varies, but years are not stated")
    fault = next(span_faults({"path": paths[0], **span._asdict()}), None)
    if fault is not None:
        raise PermagridError(f"{name}: {fault}")
    attrs = {"season": season_name(span.first_month)} if len(span.months) == 12 else {}
    minimum = 1
    if epoch is None or _is_climatology(paths[0]):
        held = [[_climatology(request, source, path)] for source in sources for path in source.paths]
    else:
        years = window_of(epoch, span.window)
        minimum = span.minimum_years or years[1] - years[0] + 1
        if minimum > years[1] - years[0] + 1:
            raise PermagridError(f"{name}: minimum_years is {minimum}, of {years[1] - years[0] + 1} years")
        series = [_series(request, each, path, years, span) for each in sources for path in each.paths]
        missing = {year: lack for one in series for year, lack in one.missing.items()}
        held = [[season for season in one.seasons if season.year not in missing] for one in series]
        whole = Series(held[0], dict(sorted(missing.items())))
        what = f"{name}: {' and '.join(paths)}"
        attrs["valid_years"] = complete(whole, years, span.minimum_years, what, span.first_month)
        refuse_years_beyond(request, span.window, (season.year for season in held[0]))
    annual = [_measured(request, sources, seasons, measure, span) for seasons in zip(*held, strict=True)]
    mean = da.map_blocks(mean_of_valid, *annual, minimum=minimum, dtype=float).astype("float32")
    box = request.geobox
    return xr.DataArray(mean, coords=xr_coords(box), dims=box.dimensions, attrs=attrs)


def span_faults(settings: Mapping[str, Any], files: Sequence[Path] = ()) -> Iterator[str]:
    """Yield a sentence for each keyword about years that does not go with the others."""
    del files
    window, minimum = settings.get("window"), settings.get("minimum_years")
    if window is not None and (why := window_fault(window)) is not None:
        yield why
    elif minimum is not None and not 1 <= minimum <= (window or 10_000):
        within = f"1 to {window}, the years of the window" if window else "1 or more"
        yield f"minimum_years must be {within}; found {minimum}"
    if _is_climatology(str(settings["path"])):
        for key, value in (("window", window), ("minimum_years", minimum)):
            if value is not None:
                yield f"{key} is for a series of years; here there is one mean year"


def monthly_files(
    settings: Mapping[str, Any], epochs: Sequence[Years], root: Path, *, first_month: int | None = None
) -> list[Path]:
    """Return the local files that a covariate of months reads for epochs.

    Where the study says how many years suffice, only those that are there.

    Parameters
    ----------
    settings
        Keywords of the covariate.
    epochs, root
        First and last years, and the folder from which paths start.
    first_month
        Month in which its year begins; by default as its keyword ``months`` says.
    """
    begins = first_month or first_month_of(tuple(settings.get("months") or CALENDAR_YEAR))
    found = set()
    given = [settings.get(key) for key in _PATHS]
    for path in (str(path) for path in given if path and "://" not in str(path)):
        for epoch in epochs if "{year}" in path or "{epoch}" in path else [(0, 0)]:
            years = window_years(settings, epoch)
            named = [root / file.path for file in _files(path, epoch, years, begins)]
            there = [file for file in named if file.exists()]
            found.update(there if settings.get("minimum_years") is not None and there else named)
    return sorted(found)


def _files(path: str, epoch: Years, years: Years, first_month: int) -> list[NamedFile]:
    filled = path.replace("{epoch}", f"{epoch[0]}-{epoch[1]}")
    if _is_climatology(path):
        return [NamedFile(of_month(filled, month), None, month) for month in CALENDAR_YEAR]
    return series_files(filled, years, first_month)


def _is_climatology(path: str) -> bool:
    return has_month(path) and "{year}" not in path


def _series(request: Request, source: Monthly, path: str, years: Years, span: Span) -> Series:
    files = _files(request.path(path), request.epoch or years, years, span.first_month)
    return read_series(files, years, source.open, first_month=span.first_month, step="month")


def _climatology(request: Request, source: Monthly, path: str) -> Season:
    """Return the months of a mean year as a season, named after the year 0."""
    files = _files(request.path(path), request.epoch or (0, 0), (0, 0), 1)
    grids = [source.open(file.path) for file in files]
    if _is_climatology(path):
        for file, grid in zip(files, grids, strict=True):
            if grid.ndim == 3 and grid.shape[0] > 1:
                raise PermagridError(f"{file.path}: one month is needed, found shape {grid.shape}")
        return Season(0, grids, list(CALENDAR_YEAR), MONTH_DAYS, "standard")
    whole = grids[0]
    if whole.ndim != 3 or whole.shape[0] != 12:
        raise PermagridError(f"{files[0].path}: a climatology needs 12 months, found shape {whole.shape}")
    months = _months_of(whole, files[0].path)
    return Season(0, [whole], months, MONTH_DAYS[np.array(months) - 1], "standard")


def _months_of(grid: xr.DataArray, file: str) -> list[int]:
    """Return the months of a climatology's steps: those its axis tells, or January to December."""
    try:
        months = [int(month) for month in dates_of(grid, file).months]
    except PermagridError:
        return list(CALENDAR_YEAR)
    if max(months) < 1:
        return list(CALENDAR_YEAR)
    if sorted(months) != list(CALENDAR_YEAR):
        found = ", ".join(map(str, months))
        raise PermagridError(f"{file}: a climatology needs each month once, found months {found}")
    return months


def _measured(
    request: Request, sources: Sequence[Monthly], seasons: Sequence[Season], measure: Measure, span: Span
) -> da.Array:
    """Return the measure of one year on the grid, lazily."""
    remaining, values = iter(seasons), []
    for source in sources:
        layers = [_on_grid(request, source, next(remaining), span.months) for _ in source.paths]
        values.append(layers[0] if len(layers) == 1 else da.map_blocks(_mean_of_two, *layers, dtype=float))
    days = _in_order(seasons[0], span.months)[1]
    return da.map_blocks(
        _measure_of_block,
        *values,
        measure=measure,
        days=days,
        drop_axis=0,
        dtype=float,
        meta=np.empty((0, 0)),
    )


def _measure_of_block(*values: Float, measure: Measure, days: Float) -> Float:
    return np.asarray(measure(*(each.astype(float) for each in values), days))


def _mean_of_two(one: Float, other: Float) -> Float:
    return np.asarray((one.astype(float) + other) / 2.0)


def _in_order(season: Season, months: Sequence[int]) -> tuple[list[int], Float]:
    """Return the steps of a season that hold some months, in the order of these, and their days."""
    steps = [season.months.index(month) for month in months]
    return steps, season.days[np.array(steps)]


def _on_grid(request: Request, source: Monthly, season: Season, months: Sequence[int]) -> da.Array:
    """Return some months of a season on the grid, lazily, shape ``(months, y, x)``."""
    wanted, _ = _in_order(season, months)
    layers, first = [], 0
    for part in season.parts:
        size = 1 if part.ndim == 2 else part.shape[0]
        inside = sorted(step - first for step in wanted if first <= step < first + size)
        first += size
        if not inside:
            continue
        chosen = part if part.ndim == 2 else part.isel({part.dims[0]: as_run(inside)})
        data = request.onto(chosen, resampling=source.resampling).data
        layers.append(data if data.ndim == 3 else data[np.newaxis])
    rank = np.argsort(np.argsort(wanted))
    brought = da.concatenate(layers)
    in_order = brought if (rank == np.arange(rank.size)).all() else brought[rank.tolist()]
    return in_order.rechunk({0: rank.size})


def added(terms: Iterable[Float]) -> Float:
    """Return the sum of arrays, one after the other.

    A sum along an axis adds a block of one cell in another order than a larger one, and its last digits
    would depend on the chunks.

    Examples
    --------
    >>> added(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    return np.asarray(reduce(np.add, terms))
