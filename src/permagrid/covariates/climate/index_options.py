"""Keywords of freezing and thawing indices: what goes together, and which files they name."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from permagrid.covariates.climate.index_formulas import Sign
from permagrid.covariates.climate.moving_means import window_fault, window_years
from permagrid.covariates.climate.seasons import NamedFile, Step, series_files
from permagrid.covariates.lookup import Resampling
from permagrid.covariates.patterns import has_month, of_month
from permagrid.covariates.traits import Years

Approximation = Literal["daily", "monthly", "monthly_variance", "sinusoid"]

FIRST_MONTH: dict[Sign, int] = {-1: 7, 1: 1}
"""Month in which the year of the freezing index (-1) and of the thawing index (1) begins."""


class Options(NamedTuple):
    """Keywords of an index: where its temperatures stand, and how the year is summed up."""

    path: str | None
    with_path: str | None
    variable: str | int | None
    stored_unit: str
    resampling: Resampling
    nodata: float | None
    crs: str | None
    approximation: Approximation
    standard_deviation: float | Sequence[float] | None
    mean_input: str | None
    amplitude_input: str | None
    window: int | None
    minimum_years: int | None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Options":
        """Return the options among the keywords of a covariate."""
        return cls(**{key: settings[key] for key in cls._fields})

    @property
    def step(self) -> Step:
        """What a step of the series is."""
        return "day" if self.approximation == "daily" else "month"

    @property
    def paths(self) -> list[str]:
        """Where the temperatures stand: one place, or two of which the mean is taken."""
        return [path for path in (self.path, self.with_path) if path]


def option_faults(options: Options) -> Iterator[str]:
    """Yield a sentence for each pair of keywords that do not go together."""
    kind, deviation = options.approximation, options.standard_deviation
    inputs = {"mean_input": options.mean_input, "amplitude_input": options.amplitude_input}
    given = [key for key, name in inputs.items() if name]
    if given and kind != "sinusoid":
        yield f"{given[0]} belongs to approximation: sinusoid, found {kind}"
    elif len(given) == 1:
        absent = next(key for key in inputs if key not in given)
        yield f"{absent} is missing: a sinusoid has a mean and an amplitude"
    if given and options.paths:
        yield f"path and {given[0]} are both set: an index is made of a series or of two covariates"
    if not given and not options.path:
        yield "path is missing: an index is made of a series of temperatures"
    if (
        options.path
        and options.with_path
        and is_climatology(options.path) != is_climatology(options.with_path)
    ):
        yield f"path and with_path differ in kind: {options.path} and {options.with_path}"
    if kind == "monthly_variance" and deviation is None:
        yield (
            "standard_deviation is missing: approximation: monthly_variance needs that of daily means within "
            "a month [degC], one number or twelve"
        )
    if kind != "monthly_variance" and deviation is not None:
        yield f"standard_deviation belongs to approximation: monthly_variance, found {kind}"
    if deviation is not None:
        numbers = np.atleast_1d(np.asarray(deviation, dtype=float))
        if numbers.size not in (1, 12) or not (numbers >= 0).all():
            yield f"standard_deviation must be one number of 0 or more, or twelve, found {deviation}"
    if options.window is not None and (why := window_fault(options.window)) is not None:
        yield why
    elif options.minimum_years is not None and not 1 <= options.minimum_years <= (options.window or 10_000):
        within = f"1 to {options.window}, the years of the window" if options.window else "1 or more"
        yield f"minimum_years must be {within}; found {options.minimum_years}"
    if given or (options.path and is_climatology(options.path)):
        yield from without_years(options)


def without_years(options: Options) -> Iterator[str]:
    """Yield a sentence for each keyword that asks for years, where there are none."""
    for key in ("window", "minimum_years"):
        if getattr(options, key) is not None:
            yield f"{key} is for a series of years; here there is one mean year"


def index_files(
    settings: Mapping[str, Any], epochs: Sequence[Years], root: Path, *, sign: Sign
) -> list[Path]:
    """Return the local files that an index reads: those of the window, and of the winter before it.

    Where the study says how many years suffice, only those that are there.
    """
    found = set()
    for path in (settings.get("path"), settings.get("with_path")):
        if not isinstance(path, str) or not path or "://" in path:
            continue
        for epoch in epochs if "{year}" in path or "{epoch}" in path else [(0, 0)]:
            years = window_years(settings, epoch)
            named = [root / file.path for file in files_of_index(path, epoch, years, sign)]
            there = [file for file in named if file.exists()]
            found.update(there if settings.get("minimum_years") is not None and there else named)
    return sorted(found)


def files_of_index(path: str, epoch: Years, years: Years, sign: Sign) -> list[NamedFile]:
    """Return the files of an index for an epoch.

    Parameters
    ----------
    path
        With ``{epoch}``, ``{year}``, ``{month}`` or ``{m}`` in it, if there are several.
    epoch
        First and last year, as ``{epoch}`` names them.
    years
        First and last year that are needed.
    sign
        1 for thawing indices, -1 for freezing indices, whose year begins in July.
    """
    filled = path.replace("{epoch}", f"{epoch[0]}-{epoch[1]}")
    if is_climatology(path):
        return [NamedFile(of_month(filled, month), None, month) for month in range(1, 13)]
    return series_files(filled, years, FIRST_MONTH[sign])


def is_climatology(path: str) -> bool:
    """Return whether a path names the twelve months of a mean year."""
    return has_month(path) and "{year}" not in path
