"""Days with snow on the ground, from daily maps of snow."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.xr import xr_coords

from permagrid.covariates.climate.moving_means import (
    mean_of_valid,
    refuse_years_beyond,
    window_fault,
    window_of,
    window_years,
)
from permagrid.covariates.climate.snow_days import Day, Source, days_of, expected_files
from permagrid.covariates.lazy import Key, lazy_grid
from permagrid.covariates.lookup import Resampling
from permagrid.covariates.table import COVARIATES, Request, Years
from permagrid.covariates.times import as_ranges
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.grid import Float

Statistic = Literal["days", "valid_days"]

_CELLS_AT_A_TIME = 4_000_000


class _Rule(NamedTuple):
    """Which stored numbers are snow, and which tell nothing."""

    snow: tuple[float, ...]
    unknown: tuple[float, ...]
    minimum: float | None
    maximum: float | None

    def __call__(self, stored: Float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return where there is snow, and where it is known whether there is."""
        known = np.isfinite(stored)
        for code in self.unknown:
            known &= stored != code
        if self.minimum is None:
            there = np.zeros(stored.shape, dtype=bool)
            for code in self.snow:
                there |= stored == code
            return there, known
        with np.errstate(invalid="ignore"):
            known &= (stored >= 0) & (stored <= (self.maximum or 0.0))
            return known & (stored >= self.minimum), known


def rule_faults(settings: Mapping[str, Any], files: Sequence[Path] = ()) -> Iterator[str]:
    """Yield what contradicts itself in the keywords of `snow_cover_days`."""
    del files
    minimum, maximum, snow = (settings.get(key) for key in ("minimum", "maximum", "snow"))
    if (minimum is None) == (not snow):
        yield "snow_cover_days needs either snow, the codes of snow, or minimum, the least share that is snow"
    elif (minimum is None) != (maximum is None):
        yield (
            "minimum and maximum stand together: above maximum, such as 100, numbers are no shares of snow "
            "but codes, as of clouds"
        )
    elif minimum is not None and not 0 < minimum <= maximum:
        yield f"minimum must be above 0 and at most maximum; found {minimum:g} and {maximum:g}"
    both = sorted(set(snow or ()) & set(settings.get("unknown") or ()))
    if both:
        yield f"snow and unknown share the code {both[0]}"
    window = settings["window"]
    if window is not None and (why := window_fault(window)) is not None:
        yield why
    if not 1 <= settings["minimum_days"] <= 365:
        yield f"minimum_days must be 1 to 365, found {settings['minimum_days']}"


@COVARIATES.register
@traits(
    unit="day",
    rasters=False,
    years=window_years,
    files=expected_files,
    faults=rule_faults,
)
def snow_cover_days(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    variable: str | int | None = None,
    snow: Sequence[int] | None = None,
    unknown: Sequence[int] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    minimum_days: int = 330,
    window: int | None = None,
    minimum_years: int | None = None,
    statistic: Statistic = "days",
    resampling: Resampling = "auto",
    crs: str | None = None,
) -> xr.DataArray:
    """Return the days with snow of a snow year, 1 September to 31 August, from daily maps [day].

    Days are counted in the cells of the maps: those with snow, times 365 over those on which it is known
    whether there was any, if these are enough. A snow year is named after the year in which it ends; an
    epoch has the mean of its snow years.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path
        A file a day, with ``{date}`` (20010315), or ``{year}`` with ``{day}`` (074, or the day of the month
        beside ``{month}``) in the name; or a NetCDF file or Zarr store with a step per day, with ``{year}``
        in its name if there is one a calendar year. Days may be missing.
    variable
        Name, or number of a band, in the file.
    snow
        Codes of snow, where the maps hold classes.
    unknown
        Codes that do not tell: clouds, night, no image. Codes that are neither, such as land without snow,
        count as days without; state those of the sea and of lakes here to make them nodata.
    minimum
        Least share of snow that counts as snow, where the maps hold shares or an index of snow.
    maximum
        Largest number that is such a share, such as 100: codes stand above it.
    minimum_days
        Fewest known days of a snow year; a cell with fewer has none.
    window
        Years of a window centred on the middle year of the epoch to average over, an odd number.
    minimum_years
        Fewest valid snow years in a cell; all if left out.
    statistic
        ``days``, or ``valid_days``: the mean number of known days of a snow year, which says how well
        `days` are known.
    resampling
        How days counted in the maps come to the grid; as for a raster.
    crs
        The CRS, where the file does not say.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [day]; ``attrs["valid_years"]`` says which snow years have maps on enough days.

    Raises
    ------
    PermagridError
        If keywords contradict each other, a day stands twice, maps differ in their grid, too few snow years
        have maps on enough days, or the window reads years that the covariate does not cover, as it says.
    """
    name = request.covariate.name
    if request.epoch is None:
        raise PermagridError(f"covariate {name}: snow_cover_days needs years and epochs")
    fault = next(rule_faults(request.covariate.settings), None)
    if fault is not None:
        raise PermagridError(f"covariate {name}: {fault}")
    span = window_of(request.epoch, window)
    source = Source(request.path(path), variable, crs)
    seasons = days_of(source, span)
    held = _enough(name, path, seasons, span, minimum_days, minimum_years)
    told = (year for year, days in seasons.items() if len(days) >= minimum_days)
    refuse_years_beyond(request, window, told)
    rule = _Rule(tuple(snow or ()), tuple(unknown), minimum, maximum)
    counted = _counted(source, seasons, rule, None if statistic == "valid_days" else minimum_days)
    brought = request.onto(counted, resampling=resampling).data
    least = len(seasons) if minimum_years is None else minimum_years
    mean = da.map_blocks(
        _mean_of_seasons,
        brought.rechunk({0: len(seasons)}),
        minimum=1 if statistic == "valid_days" else least,
        drop_axis=0,
        dtype="float32",
        meta=np.empty((0, 0), dtype="float32"),
    )
    attrs = {"valid_years": held, "season": "September-August"}
    box = request.geobox
    return xr.DataArray(mean, coords=xr_coords(box), dims=box.dimensions, attrs=attrs)


def _mean_of_seasons(seasons: Float, minimum: int) -> NDArray[np.float32]:
    return mean_of_valid(*seasons.astype(float), minimum=minimum).astype("float32")


def _enough(
    name: str,
    path: str,
    seasons: Mapping[int, Sequence[Day]],
    span: Years,
    minimum_days: int,
    minimum_years: int | None,
) -> str:
    """Return how many snow years have maps on enough days, and which, if they suffice."""
    wanted = span[1] - span[0] + 1
    enough = [year for year, days in seasons.items() if len(days) >= minimum_days]
    least = wanted if minimum_years is None else minimum_years
    if len(enough) < max(1, least):
        short = {year: len(days) for year, days in seasons.items() if year not in enough}
        year, days = next(iter(short.items()))
        years = as_ranges(range(span[0], span[1] + 1))
        raise PermagridError(
            f"covariate {name}: {len(enough)} of the {wanted} snow years {years} have maps on {minimum_days} "
            f"days or more in {path}, missing are {as_ranges(short)} ({year} has {days}); minimum_years is "
            f"{max(1, least)}"
        )
    return f"{len(enough)} of {wanted}: {as_ranges(enough)}"


def _counted(
    source: Source, seasons: Mapping[int, Sequence[Day]], rule: _Rule, minimum_days: int | None
) -> xr.DataArray:
    """Return days with snow, or known days, of each snow year on the grid of the maps, lazily."""
    each = list(seasons.values())
    first = next(day for days in each for day in days)
    geobox = first.opened(source).odc.geobox
    # Without their coordinates, which would be as large as the maps if there are many.
    opened: dict[str, xr.Variable] = {}

    def values_of(day: Day) -> xr.Variable:
        if day.file not in opened:
            grid = day.opened(source)
            if grid.odc.geobox != geobox:
                raise PermagridError(f"{day.file}: its grid is not that of {first.file}")
            opened[day.file] = grid.variable
        return opened[day.file]

    def count(days: Sequence[Day], window: Key) -> Float:
        shape = tuple(
            len(range(size)[part])
            for size, part in zip(geobox.shape, window, strict=True)
            if isinstance(part, slice)
        )
        snow, told = (np.zeros(shape, dtype=np.int32) for _ in range(2))
        for run in _runs(days, max(1, _CELLS_AT_A_TIME // max(1, int(np.prod(shape))))):
            there, known = rule(_stored(values_of(run[0]), run, window))
            snow += there.sum(axis=0, dtype=np.int32)
            told += known.sum(axis=0, dtype=np.int32)
        if minimum_days is None:
            return told.astype(float)
        return np.where(told >= minimum_days, snow * (365.0 / np.maximum(told, 1)), np.nan)

    def read(key: Key) -> Float:
        years, *window = key
        picked = range(len(each))[years] if isinstance(years, slice) else [int(years)]
        layers = [count(each[place], tuple(window)) for place in picked]
        return np.stack(layers) if isinstance(years, slice) else layers[0]

    axis = xr.Variable("year", list(seasons))
    return lazy_grid(read, geobox, {"units": "day"}, axis=axis)


def _stored(values: xr.Variable, run: Sequence[Day], window: Key) -> Float:
    """Return the days of a run in a window, shape ``(days, ...)``."""
    if run[0].step is None or run[-1].step is None:
        return np.asarray(values[window].values, dtype=float)[np.newaxis]
    steps = slice(run[0].step, run[-1].step + 1)
    return np.asarray(values[(steps, *window)].values, dtype=float)


def _runs(days: Sequence[Day], most: int) -> Iterator[list[Day]]:
    """Yield days that follow one another in one file, at most so many at a time."""
    run: list[Day] = []
    for day in days:
        if run and not (len(run) < most and day.file == run[-1].file and day.step == (run[-1].step or 0) + 1):
            yield run
            run = []
        run.append(day)
    if run:
        yield run
