"""The year as a sinusoid of temperature: its degree days, and its amplitude from two quarters."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]

YEAR_DAYS = 365.25
"""Mean days of a year."""

YEAR_SECONDS = YEAR_DAYS * 86400.0
"""Mean seconds of a year."""

_QUARTER_MEAN = 2.0 * np.sqrt(2.0) / np.pi
"""Mean of a sinusoid over the quarter of the period about its peak, as a share of the amplitude."""


class Wave(NamedTuple):
    """A year's temperature as a sinusoid."""

    mean: ArrayLike
    """Mean annual temperature [degC]."""
    amplitude: ArrayLike
    """Half the range from winter to summer [delta degC]."""


class DegreeDays(NamedTuple):
    """The freezing and the thawing index of a year, both positive."""

    freezing: Float
    """Degree days below 0 °C [degC day]."""
    thawing: Float
    """Degree days above 0 °C [degC day]."""


def degree_days(wave: Wave, *, days: float = YEAR_DAYS) -> DegreeDays:
    """Return the freezing and the thawing index of a year whose temperature is a sinusoid.

    With mean T, amplitude A and ``b = arccos(-T/A)`` the thawing index is ``days / pi (T b + A sin b)``; the
    freezing index is that less ``days T``. A year that does not cross 0 °C has all of them on one side.

    Parameters
    ----------
    wave
        Mean and amplitude, of shapes that broadcast.
    days
        Days of the year [day].

    Returns
    -------
    DegreeDays
        NaN where the amplitude is negative.

    Notes
    -----
    Nelson and Outcalt (1987), doi:10.2307/1551363.

    Examples
    --------
    >>> indices = degree_days(Wave(-10.0, 25.0), days=365.0)
    >>> indices.freezing.round(1), indices.thawing.round(1)
    (np.float64(4965.2), np.float64(1315.2))
    """
    level, swing = broadcast(wave.mean, wave.amplitude)
    # Of each side what is small is found by itself, not as the difference of two large numbers.
    return DegreeDays(degree_days_above(-level, swing, days), degree_days_above(level, swing, days))


def degree_days_above(level: Float, swing: Float, days: float) -> Float:
    """Return the degree days above 0 °C of a sinusoid, from mean and amplitude of one shape."""
    crosses = swing > np.abs(level)
    half = np.arccos(np.divide(-level, swing, out=np.zeros(level.shape), where=crosses))
    crossing = np.maximum(level * half + swing * np.sin(half), 0.0) * (days / np.pi)
    found = np.where(crosses, crossing, np.maximum(level, 0.0) * days)
    return np.where((swing >= 0) & np.isfinite(level), found, np.nan)[()]


def amplitude_of_quarters(warmest: ArrayLike, coldest: ArrayLike) -> Float:
    """Return the amplitude of the sinusoid that has these means of its warmest and its coldest quarter.

    The mean of a sinusoid over the quarter about its peak is ``2 sqrt(2) / pi = 0.9003`` of its amplitude,
    so that half the difference of the quarters, as in BIO10 and BIO11 of WorldClim, is too small by that.

    Parameters
    ----------
    warmest, coldest
        Mean temperature of the three warmest and of the three coldest months [degC].

    Returns
    -------
    array
        [delta degC]

    Examples
    --------
    >>> amplitude_of_quarters(9.0, -27.0).round(3)
    np.float64(19.993)
    """
    high, low = broadcast(warmest, coldest)
    amplitude: Float = (high - low) / (2.0 * _QUARTER_MEAN)
    return amplitude[()]


def broadcast(*values: ArrayLike) -> tuple[Float, ...]:
    """Return values as arrays of double precision and of one shape."""
    return np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values))
