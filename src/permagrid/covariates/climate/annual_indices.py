"""The freezing or thawing index of each year of a series, lazily: which steps, which formula."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from permagrid.covariates.climate.index_formulas import (
    MONTH_DAYS,
    YEAR_DAYS,
    Sign,
    degree_days,
    degree_days_of_sinusoid,
    degree_days_with_scatter,
    sinusoid_of_months,
)
from permagrid.covariates.climate.index_options import (
    FIRST_MONTH,
    Options,
    files_of_index,
    is_climatology,
    option_faults,
    without_years,
)
from permagrid.covariates.climate.moving_means import refuse_years_beyond, window_of
from permagrid.covariates.climate.seasons import (
    Season,
    Series,
    complete,
    is_absent,
    read_series,
    season_name,
)
from permagrid.covariates.sources import open_grid
from permagrid.covariates.table import Request
from permagrid.covariates.times import dates_of
from permagrid.covariates.traits import Years
from permagrid.errors import PermagridError
from permagrid.grid import Float
from permagrid.units import conversion, parse_unit

_STEPS_AT_A_TIME = 12
_EMPTY = np.empty((0, 0))
_EMPTY_STEPS = np.empty((0, 0, 0), dtype="float32")


class Annual(NamedTuple):
    """Indices of the years that an epoch has."""

    indices: list[da.Array]
    """Lazy, one a year, NaN where a step of the year is missing [degC day]."""
    wanted: int
    """Years that there should be; 0 of a climatology, which has none."""
    attrs: dict[str, str]
    """What the index says of itself."""


def annual_indices(request: Request, options: Options, sign: Sign) -> Annual:
    """Return the lazy index of each complete year of the epoch, or of its window.

    Parameters
    ----------
    request
        Grid and epoch; without an epoch the files hold a climatology.
    options
        Where the temperatures stand, and the formula.
    sign
        1 for thawing indices, -1 for freezing indices.

    Raises
    ------
    PermagridError
        If keywords do not go together, files cannot be read, too few years are complete, or the window reads
        years that the covariate does not cover, as it says.
    """
    name, epoch = f"covariate {request.covariate.name}", request.epoch
    fault = next(option_faults(options), None)
    if fault is not None:
        raise PermagridError(f"{name}: {fault}")
    attrs: dict[str, str] = {"approximation": options.approximation}
    if not options.paths:
        return Annual([_of_inputs(request, options, sign)], 0, attrs)
    conversion(options.stored_unit, "degC")
    attrs["season"] = season_name(FIRST_MONTH[sign])
    varying = [path for path in options.paths if "{year}" in path or "{epoch}" in path]
    if epoch is None and varying:
        raise PermagridError(f"{name}: path {varying[0]!r} varies, but years are not stated")
    if epoch is None or is_climatology(options.paths[0]):
        fault = next(without_years(options), None)
        if fault is not None:
            raise PermagridError(f"{name}: {fault}, as the covariate does not change with time")
        climate = [_climatology(request, options, path, sign) for path in options.paths]
        return Annual([_index(request, options, climate, sign)], 0, attrs)
    years = window_of(epoch, options.window)
    wanted = years[1] - years[0] + 1
    if options.minimum_years is not None and options.minimum_years > wanted:
        raise PermagridError(f"{name}: minimum_years is {options.minimum_years}, of {wanted} years")
    held = [_series(request, options, path, epoch, years, sign) for path in options.paths]
    missing = {year: lack for series in held for year, lack in series.missing.items()}
    groups = [[season for season in series.seasons if season.year not in missing] for series in held]
    whole = Series(groups[0], dict(sorted(missing.items())))
    what = f"{name}: {' and '.join(options.paths)}"
    attrs["valid_years"] = complete(whole, years, options.minimum_years, what, FIRST_MONTH[sign])
    refuse_years_beyond(request, options.window, (season.year for season in groups[0]))
    calendars = {season.calendar for season in groups[0]} - {"standard", "proleptic_gregorian"}
    if calendars:
        attrs["calendar"] = ", ".join(sorted(calendars))
    return Annual([_index(request, options, both, sign) for both in zip(*groups, strict=True)], wanted, attrs)


def _series(request: Request, options: Options, path: str, epoch: Years, years: Years, sign: Sign) -> Series:
    return read_series(
        files_of_index(request.path(path), epoch, years, sign),
        years,
        lambda file: _open(request, options, file),
        first_month=FIRST_MONTH[sign],
        step=options.step,
    )


def _open(request: Request, options: Options, path: str) -> xr.DataArray:
    if is_absent(path):
        raise PermagridError(f"{path}: no such file")
    grid = open_grid(path, variable=options.variable, nodata=options.nodata, crs=options.crs)
    declared = str(grid.attrs.get("units", ""))
    if "stored_unit" in request.covariate.keywords:
        return grid
    try:
        found = parse_unit(declared)
    except PermagridError:
        return grid
    # A study is checked for this before it runs; here it is for those who call the library.
    if found != parse_unit(options.stored_unit):
        raise PermagridError(
            f"{path}: gives its unit as {declared!r}, not as temperature in {options.stored_unit}; set "
            "stored_unit to the unit of its numbers"
        )
    return grid


def _climatology(request: Request, options: Options, path: str, sign: Sign) -> Season:
    epoch = request.epoch or (0, 0)
    files = files_of_index(request.path(path), epoch, epoch, sign)
    year, every = 0, list(range(1, 13))
    if is_climatology(path):
        if options.step == "day":
            raise PermagridError(f"{path}: approximation: daily needs the days of a year in one file")
        grids = [_open(request, options, file.path) for file in files]
        for file, grid in zip(files, grids, strict=True):
            if grid.ndim == 3 and grid.shape[0] > 1:
                raise PermagridError(f"{file.path}: one month is needed, found shape {grid.shape}")
        return Season(year, grids, every, MONTH_DAYS, "standard")
    path = files[0].path
    grid = _open(request, options, path)
    if options.step == "day":
        if grid.ndim != 3 or grid.shape[0] not in (365, 366):
            raise PermagridError(f"{path}: a climatology needs 365 or 366 days, found shape {grid.shape}")
        days = np.ones(grid.shape[0])
        # The last day of February stands for itself and for a quarter of a leap day.
        days[58 if days.size == 365 else 59] = YEAR_DAYS - (days.size - 1)
        return Season(year, [grid], [], days, "standard")
    if grid.ndim != 3 or grid.shape[0] != 12:
        raise PermagridError(f"{path}: a climatology needs 12 months, found shape {grid.shape}")
    months = _months_of(grid, path)
    in_order = grid if months == every else grid.isel({grid.dims[0]: np.argsort(months).tolist()})
    return Season(year, [in_order], every, MONTH_DAYS, "standard")


def _months_of(grid: xr.DataArray, path: str) -> list[int]:
    """Return the months of a climatology's steps: those its axis tells, or January to December."""
    try:
        months = [int(month) for month in dates_of(grid, path).months]
    except PermagridError:
        return list(range(1, 13))
    if max(months) < 1:
        return list(range(1, 13))
    if sorted(months) != list(range(1, 13)):
        raise PermagridError(
            f"{path}: a climatology needs each month once, found months {', '.join(map(str, months))}"
        )
    return months


def _index(request: Request, options: Options, seasons: Sequence[Season], sign: Sign) -> da.Array:
    """Return the index of a year on the grid, lazily."""
    factor, offset = conversion(options.stored_unit, "degC")
    known = {"sign": sign, "factor": factor, "offset": offset}
    days, months = seasons[0].days, seasons[0].months
    steps = _brought(request, options, seasons[0])
    for other in seasons[1:]:
        twin = _brought(request, options, other).rechunk(steps.chunks)
        steps = da.map_blocks(_mean_of_two, steps, twin, dtype="float32", meta=_EMPTY_STEPS)
    if options.approximation == "sinusoid":
        whole = steps.rechunk({0: -1})
        return da.map_blocks(_sinusoid, whole, days=days, **known, drop_axis=0, dtype=float, meta=_EMPTY)
    deviation = None
    if options.standard_deviation is not None:
        of_months = np.broadcast_to(np.asarray(options.standard_deviation, dtype=float), (12,))
        deviation = of_months[np.array(months) - 1]
    sums = [
        da.map_blocks(
            _sum,
            steps[a:b],
            days=days[a:b],
            deviation=None if deviation is None else deviation[a:b],
            **known,
            drop_axis=0,
            dtype=float,
            meta=_EMPTY,
        )
        for a, b in pairwise(np.cumsum([0, *steps.chunks[0]]).tolist())
    ]
    return sum(sums[1:], sums[0])


def _brought(request: Request, options: Options, season: Season) -> da.Array:
    layers = [request.onto(part, resampling=options.resampling).data for part in season.parts]
    return da.concatenate([layer if layer.ndim == 3 else layer[np.newaxis] for layer in layers])


def _mean_of_two(one: Float, other: Float) -> Float:
    return np.asarray((one.astype(float) + other) / 2.0, dtype="float32")


def _sum(
    values: Float, *, days: Float, deviation: Float | None, sign: Sign, factor: float, offset: float
) -> Float:
    total = np.zeros(values.shape[1:])
    for start in range(0, values.shape[0], _STEPS_AT_A_TIME):
        part = slice(start, start + _STEPS_AT_A_TIME)
        temperature = values[part].astype(float) * factor + offset
        if deviation is None:
            total += degree_days(temperature, days[part], sign=sign)
        else:
            total += degree_days_with_scatter(temperature, days[part], deviation[part], sign=sign)
    return total


def _sinusoid(values: Float, *, days: Float, sign: Sign, factor: float, offset: float) -> Float:
    mean, amplitude = sinusoid_of_months(values.astype(float) * factor + offset, days)
    return degree_days_of_sinusoid(mean, amplitude, float(days.sum()), sign=sign)


def _of_inputs(request: Request, options: Options, sign: Sign) -> da.Array:
    """Return the index of the sinusoid that two other covariates describe."""
    mean, amplitude = str(options.mean_input), str(options.amplitude_input)
    layers, units = [], []
    for key, name in (("mean_input", mean), ("amplitude_input", amplitude)):
        layers.append(request.build(name, request.geobox, whole=request.whole).data)
        unit = request.others[name].unit
        allowed = ("temperature",) if key == "mean_input" else ("temperature difference", "temperature")
        if parse_unit(unit)[0] not in allowed:
            raise PermagridError(
                f"covariate {request.covariate.name}: {key} {name!r} is in {unit!r}, which is no {allowed[0]}"
            )
        units.append(unit)
    factor, offset = conversion(units[0], "degC")
    return da.map_blocks(
        _of_two,
        *layers,
        sign=sign,
        factor=factor,
        offset=offset,
        swing=parse_unit(units[1])[1],
        dtype=float,
        meta=_EMPTY,
    )


def _of_two(
    mean: Float, amplitude: Float, *, sign: Sign, factor: float, offset: float, swing: float
) -> Float:
    level = mean.astype(float) * factor + offset
    return degree_days_of_sinusoid(level, amplitude.astype(float) * swing, sign=sign)
