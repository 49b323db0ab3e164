"""Temperature anomalies of latitude bands, from a table of years."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from permagrid.covariates.climate.moving_means import (
    refuse_years_beyond,
    window_fault,
    window_of,
    window_years,
)
from permagrid.covariates.table import COVARIATES, Request, Years, pointwise
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.grid import Float

_BAND = re.compile(r"^(?:(\d+)([NS])|EQU)-(?:(\d+)([NS])|EQU)$")


def _window_faults(settings: Mapping[str, Any], files: Sequence[Path]) -> Iterator[str]:
    del files
    window = settings["window"]
    if window is not None and (why := window_fault(window)) is not None:
        yield why


@COVARIATES.register
@traits(unit="delta degC", rasters=False, years=window_years, faults=_window_faults)
def zonal_anomaly(
    request: Request,
    *,
    path: str,
    bands: Sequence[str] = ("64N-90N", "44N-64N", "24N-44N"),
    reference: Years | None = None,
    blend: bool = True,
    window: int | None = None,
) -> xr.DataArray:
    """Return the temperature anomaly of latitude bands, averaged over the years of the epoch.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path
        A table in the layout of GISTEMP ``ZonAnn``: a column ``Year`` and one per band.
    bands
        Columns to use, such as ``64N-90N``.
    reference
        First and last year to count from, such as those of the climatology that the anomaly is
        added to. The table's own reference if left out.
    blend
        Whether the value changes linearly between the middles of the bands, so that a map has no
        step at their edges, or is constant within each band.
    window
        Years of a window centred on the middle year of the epoch to average over, an odd number.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [delta degC].

    Raises
    ------
    PermagridError
        If a band is missing or overlaps another, or the table lacks a year of the epoch or the reference; if
        the window reads years that the covariate does not cover, as it says.

    Notes
    -----
    Table and method: Lenssen et al. (2019), doi:10.1029/2018JD029522.
    """
    if request.epoch is None:
        raise PermagridError(f"covariate {request.covariate.name}: zonal_anomaly needs years and epochs")
    edges = np.array([_band_edges(band) for band in bands])
    order = np.argsort(edges[:, 0])
    south, north = edges[order].T
    if (south[1:] < north[:-1]).any():
        raise PermagridError(f"covariate {request.covariate.name}: bands {', '.join(bands)} overlap")
    years = window_of(request.epoch, window)
    refuse_years_beyond(request, window, range(years[0], years[1] + 1))
    means = _band_means(request.path(path), bands, years)[order]
    if reference is not None:
        means = means - _band_means(request.path(path), bands, (reference[0], reference[1]))[order]

    def at(longitude: Float, latitude: Float) -> Float:
        del longitude
        if blend:
            values = np.interp(latitude, (south + north) / 2, means)
        else:
            values = means[np.clip(np.searchsorted(north, latitude, side="right"), 0, len(means) - 1)]
        return np.where(np.isfinite(latitude), values, np.nan)

    return pointwise(request.geobox, at, whole=request.whole)


def _band_edges(band: str) -> tuple[float, float]:
    match = _BAND.match(band)
    if match is None:
        raise PermagridError(f"latitude band {band!r} is not written like 64N-90N")
    edges = [
        0.0 if number is None else float(number) * (1 if hemisphere == "N" else -1)
        for number, hemisphere in (match.groups()[:2], match.groups()[2:])
    ]
    return min(edges), max(edges)


def _band_means(path: str, bands: Sequence[str], years: Years) -> Float:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise PermagridError(f"{path}: cannot be read as a table ({error})") from error
    absent = [name for name in ("Year", *bands) if name not in table]
    if absent:
        raise PermagridError(f"{path}: missing column {', '.join(absent)}; found: {', '.join(table.columns)}")
    numbers = table[["Year", *bands]].apply(pd.to_numeric, errors="coerce").dropna()
    span = range(years[0], years[1] + 1)
    wanted = numbers[numbers["Year"].isin(span)].drop_duplicates("Year")
    if len(wanted) < len(span) or numbers.empty:
        held = f"{numbers['Year'].min():.0f}-{numbers['Year'].max():.0f}" if len(numbers) else "none"
        missing = ", ".join(map(str, sorted(set(span) - set(wanted["Year"]))))
        raise PermagridError(
            f"{path}: years {missing} of {years[0]}-{years[1]} are not there; it covers {held}"
        )
    return np.asarray(wanted[list(bands)].mean(), dtype=float)
