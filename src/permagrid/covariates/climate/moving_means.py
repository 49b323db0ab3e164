"""Means over the years of an epoch or of a window around it, with the number of valid years."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from permagrid.covariates.table import Request
from permagrid.covariates.times import as_ranges
from permagrid.covariates.traits import Years
from permagrid.errors import PermagridError
from permagrid.grid import Float


def window_of(epoch: Years, window: int | None) -> Years:
    """Return first and last year of the window around the middle year of an epoch, or of the epoch itself.

    Parameters
    ----------
    epoch
        First and last year.
    window
        Years of the window, an odd number; None for the epoch.

    Raises
    ------
    PermagridError
        If the window is even, or the epoch has no middle year.

    Examples
    --------
    >>> window_of((1998, 2002), 9), window_of((2000, 2000), 9), window_of((1998, 2002), None)
    ((1996, 2004), (1996, 2004), (1998, 2002))
    """
    if window is None:
        return epoch
    if (fault := window_fault(window)) is not None:
        raise PermagridError(fault)
    middle, odd = divmod(epoch[0] + epoch[1], 2)
    if odd:
        raise PermagridError(
            f"a window of {window} years is centred on the middle year of the epoch, and "
            f"{epoch[0]}-{epoch[1]} has none; epochs of an odd number of years do"
        )
    return middle - window // 2, middle + window // 2


def window_fault(window: int) -> str | None:
    """Return why a window has no middle year, or None."""
    if window >= 1 and window % 2 == 1:
        return None
    return f"window must be an odd number of years, such as 9 for four years on either side; found {window}"


def window_years(settings: Mapping[str, Any], epoch: Years) -> Years:
    """Return first and last year of the window that keywords ask for, or of the epoch if it is not sound.

    Examples
    --------
    >>> window_years({"window": 9}, (1998, 2002)), window_years({"window": 8}, (1998, 2002))
    ((1996, 2004), (1998, 2002))
    """
    window = settings.get("window")
    try:
        return window_of(epoch, window if isinstance(window, int) else None)
    except PermagridError:
        return epoch


def years_beyond(window: int | None, read: Iterable[int], epoch: Years, declared: Years | None) -> str | None:
    """Return that a window reads years which a covariate says that its data do not cover, or None.

    Parameters
    ----------
    window
        Years of the window; None for the epoch, which is compared with the years elsewhere.
    read
        Years that are read.
    epoch
        First and last year of the epoch.
    declared
        First and last year that the data cover, as the covariate says.

    Examples
    --------
    >>> years_beyond(9, range(1998, 2007), (2000, 2004), (2000, 2009))
    'window: 9 reads 1998-1999 for the epoch 2000-2004, but years says that the data cover 2000-2009'
    """
    if window is None or declared is None:
        return None
    outside = sorted(year for year in read if not declared[0] <= year <= declared[1])
    if not outside:
        return None
    return (
        f"window: {window} reads {as_ranges(outside)} for the epoch {epoch[0]}-{epoch[1]}, but years says "
        f"that the data cover {declared[0]}-{declared[1]}"
    )


def refuse_years_beyond(request: Request, window: int | None, read: Iterable[int]) -> None:
    """Refuse to read years which a covariate says that its data do not cover.

    Parameters
    ----------
    request
        Covariate and epoch.
    window
        Years of the window; None for the epoch.
    read
        Years that are there to be read.

    Raises
    ------
    PermagridError
        If there are such years: the covariate is then of other years than it says.
    """
    years, declared = list(read), request.covariate.years
    if request.epoch is None or declared is None:
        return
    if (why := years_beyond(window, years, request.epoch, declared)) is not None:
        wider = f"{min(declared[0], *years)}-{max(declared[1], *years)}"
        raise PermagridError(
            f"covariate {request.covariate.name}: {why}; set years: {wider}, or a shorter window"
        )


def mean_of_valid(*annual: Float, minimum: int) -> Float:
    """Return the mean over those of several years that are not NaN, each cell for itself.

    Parameters
    ----------
    annual
        One array a year.
    minimum
        Fewest valid years; a cell with fewer is NaN.

    Examples
    --------
    >>> mean_of_valid(np.array([1.0, np.nan]), np.array([3.0, 4.0]), minimum=2)
    array([ 2., nan])
    """
    count = valid_count(*annual)
    total = np.zeros(annual[0].shape)
    for values in annual:
        total += np.where(np.isnan(values), 0.0, values)
    return np.where(count >= max(1, minimum), total / np.maximum(count, 1), np.nan)


def valid_count(*annual: Float) -> Float:
    """Return in how many of several years each cell is not NaN.

    Examples
    --------
    >>> valid_count(np.array([1.0, np.nan]), np.array([3.0, 4.0]))
    array([2., 1.])
    """
    return np.asarray(sum((~np.isnan(values)).astype(float) for values in annual))


def centred_mean(
    annual: xr.DataArray, window: int, minimum_years: int | None = None, *, dim: str = "year"
) -> xr.Dataset:
    """Return the moving mean of annual values over windows centred on each year, and its valid years.

    Average the *annual indices*, not the climate: an index cuts temperatures off at 0 °C, so that the index
    of a mean climate is smaller than the mean of the indices.

    Parameters
    ----------
    annual
        Annual values with a dimension of whole years, such as freezing indices of shape ``(year, y, x)``;
        lazy or not.
    window
        Years of the window, an odd number: 9 is four years on either side.
    minimum_years
        Fewest valid years in a window; all of them if left out. Where there are fewer, as at both ends of
        the series and over years that it lacks, the mean is NaN.
    dim
        Name of the dimension of years.

    Returns
    -------
    xarray.Dataset
        ``mean`` in the unit of `annual`, and ``valid_years``, the number of years it is the mean of, both
        for every year from the first to the last of the series.

    Raises
    ------
    PermagridError
        If the window is even, more years are asked for than it has or than the series has from its first to
        its last, or the years are not whole numbers, or stand twice.

    Examples
    --------
    >>> index = xr.DataArray([4.0, 1.0, 1.0, 7.0], dims="year", coords={"year": [2000, 2001, 2002, 2003]})
    >>> found = centred_mean(index, 3)
    >>> found["mean"].values.tolist(), found["valid_years"].values.tolist()
    ([nan, 2.0, 3.0, nan], [2, 3, 3, 2])
    """
    if (fault := window_fault(window)) is not None:
        raise PermagridError(fault)
    minimum = window if minimum_years is None else minimum_years
    if not 1 <= minimum <= window:
        raise PermagridError(f"minimum_years must be 1 to {window}, the years of the window; found {minimum}")
    years = _years(annual, dim)
    _refuse_short(years, window, minimum)
    every = annual.reindex({dim: np.arange(years.min(), years.max() + 1)}).astype(float)
    valid = every.notnull()
    known = every.fillna(0.0)
    total = xr.zeros_like(known)
    count = xr.zeros_like(valid, dtype=int)
    # Early years first, whatever the chunks: the order decides on the last digit.
    for offset in range(window // 2, -(window // 2) - 1, -1):
        total = total + known.shift({dim: offset}, fill_value=0.0)
        count = count + valid.shift({dim: offset}, fill_value=False)
    mean = (total / count.clip(min=1)).where(count >= minimum)
    words = f"centred mean of {window} years, of at least {minimum}"
    return xr.Dataset(
        {
            "mean": mean.assign_attrs({**annual.attrs, "window": words}),
            "valid_years": count.assign_attrs(long_name="years that the mean is of", units="1"),
        }
    )


def _years(annual: xr.DataArray, dim: str) -> NDArray[Any]:
    if dim not in annual.dims or dim not in annual.coords:
        held = ", ".join(map(str, annual.dims)) or "none"
        raise PermagridError(f"annual values need a dimension {dim!r} with its years; dimensions are: {held}")
    years = annual[dim].values
    if not np.issubdtype(years.dtype, np.number) or years.size == 0 or (years != np.round(years)).any():
        raise PermagridError(f"dimension {dim!r} must hold whole years, found {annual[dim].dtype}")
    seen, times = np.unique(years, return_counts=True)
    if (times > 1).any():
        raise PermagridError(f"year {seen[times > 1][0]:g} stands twice along dimension {dim!r}")
    return years


def _refuse_short(years: NDArray[Any], window: int, minimum: int) -> None:
    """Refuse a series that is shorter than what a mean needs: all means would be NaN."""
    first, last = int(years.min()), int(years.max())
    span = last - first + 1
    if span < minimum:
        needs = "" if minimum == window else f" of which {minimum} must be there"
        raise PermagridError(
            f"a window of {window} years{needs} is longer than the series, which has {span}, {first}-{last}; "
            f"allowed are a window of up to {span - 1 + span % 2} years, or minimum_years of up to {span}"
        )
