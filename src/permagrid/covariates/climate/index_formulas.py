"""Degree days of one year: from daily means, from monthly means with or without scatter, from a sinusoid."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from permagrid.errors import PermagridError
from permagrid.grid import Float
from permagrid.physics.sinusoid import degree_days_above

MONTH_DAYS = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
"""Mean days of January to December."""

YEAR_DAYS = 365.25
"""Mean days of a year."""

_FAR = 40.0
"""Standard deviations from 0 °C beyond which scatter adds nothing that a double could hold."""

Sign = Literal[-1, 1]


def degree_days(temperature: ArrayLike, days: ArrayLike = 1.0, *, sign: Sign) -> Float:
    """Return the degree days of mean temperatures, summed over the first axis.

    Of daily means this is the index by definition. Of monthly means it leaves out the days that freeze in
    a month above 0 °C and those that thaw in one below, so that it is never the larger of the two.

    Parameters
    ----------
    temperature
        Daily or monthly means, shape ``(steps, ...)`` [degC].
    days
        Days that each mean stands for, shape ``(steps,)`` [day]; one each if left out.
    sign
        1 for thawing degree days, -1 for freezing degree days (a positive number).

    Returns
    -------
    array
        Shape ``(...)`` [degC day]; NaN where a mean is missing.

    Notes
    -----
    Sums over months as in Frauenfeld et al. (2007), doi:10.1002/joc.1372.

    Examples
    --------
    >>> degree_days(np.array([-10.0, 5.0]), np.array([31.0, 28.0]), sign=-1)
    array(310.)
    >>> degree_days([-10.0, 5.0, 6.0], sign=1)
    array(11.)
    """
    values, weights = _steps(temperature, days)
    total = np.zeros(values.shape[1:])
    for step, weight in zip(values, weights, strict=True):
        total += np.maximum(sign * step, 0.0) * weight
    return total


def degree_days_with_scatter(
    monthly: ArrayLike, days: ArrayLike, standard_deviation: ArrayLike, *, sign: Sign
) -> Float:
    """Return the degree days expected of monthly means about which the days scatter normally.

    For a month of mean T whose days have standard deviation s, the expected degree days are its days times
    ``s pdf(T/s) + T cdf(T/s)``, with density and distribution of the standard normal. Without scatter this
    is `degree_days`; with any it is more, most of all in months near 0 °C.

    Parameters
    ----------
    monthly
        Monthly means, shape ``(months, ...)`` [degC].
    days
        Days of each month, shape ``(months,)`` [day].
    standard_deviation
        Of daily means within a month, one number or one per month, shape ``(months,)`` [degC].
    sign
        1 for thawing degree days, -1 for freezing degree days (a positive number).

    Returns
    -------
    array
        Shape ``(...)`` [degC day]; NaN where a month is missing.

    Raises
    ------
    PermagridError
        If a standard deviation is negative or no number.

    Notes
    -----
    Braithwaite (1984), Zeitschrift fuer Gletscherkunde und Glazialgeologie 20; in closed form Calov and
    Greve (2005), doi:10.3189/172756505781829601.

    Examples
    --------
    >>> degree_days_with_scatter([0.0], [30.0], 4.0, sign=1).round(2)
    np.float64(47.87)
    """
    values, weights = _steps(monthly, days)
    spread = np.broadcast_to(np.asarray(standard_deviation, dtype=float), weights.shape)
    if not (spread >= 0).all():
        raise PermagridError(f"a standard deviation is a number of 0 or more, found {standard_deviation!r}")
    total = np.zeros(values.shape[1:])
    for step, weight, deviation in zip(values, weights, spread.tolist(), strict=True):
        expected = np.maximum(sign * step, 0.0)
        if deviation > 0:
            # What scatter adds is the same on both sides of 0; so written, little is lost to rounding.
            distance = np.minimum(np.abs(step), _FAR * deviation) / deviation
            density = np.exp(-0.5 * distance**2) / np.sqrt(2.0 * np.pi)
            expected = expected + deviation * np.maximum(density - distance * ndtr(-distance), 0.0)
        total += expected * weight
    return total


def degree_days_of_sinusoid(
    mean: ArrayLike, amplitude: ArrayLike, days: float = YEAR_DAYS, *, sign: Sign
) -> Float:
    """Return the degree days of a year whose temperature is a sinusoid.

    With mean T, amplitude A and ``b = arccos(-T/A)``, half the part of the year above 0 °C as an angle,
    the thawing degree days are ``days / pi (T b + A sin b)``. A year that never crosses 0 °C has all of its
    degree days on one side: ``days |T|``.

    Parameters
    ----------
    mean
        Mean annual temperature [degC].
    amplitude
        Half the range of the sinusoid [delta degC]; a negative one gives NaN.
    days
        Days of the year [day].
    sign
        1 for thawing degree days, -1 for freezing degree days (a positive number).

    Returns
    -------
    array
        Of the shape that mean and amplitude have together [degC day].

    Notes
    -----
    Nelson and Outcalt (1987), doi:10.2307/1551363.

    Examples
    --------
    >>> degree_days_of_sinusoid(-10.0, [5.0, 25.0], 365.0, sign=1).round(1)
    array([   0. , 1315.2])
    >>> degree_days_of_sinusoid(-10.0, [5.0, 25.0], 365.0, sign=-1).round(1)
    array([3650. , 4965.2])
    """
    level, swing = np.broadcast_arrays(
        sign * np.asarray(mean, dtype=float), np.asarray(amplitude, dtype=float)
    )
    return np.asarray(degree_days_above(level, swing, days))


def sinusoid_of_months(monthly: ArrayLike, days: ArrayLike) -> tuple[Float, Float]:
    """Return mean and amplitude of the annual sinusoid that fits twelve monthly means.

    The mean is that of all days. The amplitude is that of the first harmonic by least squares, in which
    each month is the mean of the sinusoid over its days: monthly means of a sinusoid give it back exactly.
    Half the difference of warmest and coldest month hangs on two months alone, and was the worse of the
    two on measured years.

    Parameters
    ----------
    monthly
        Means of twelve months in a row, shape ``(12, ...)`` [degC].
    days
        Days of each month, shape ``(12,)`` [day].

    Returns
    -------
    tuple
        Mean [degC] and amplitude [delta degC], each of shape ``(...)``.

    Examples
    --------
    >>> edges = np.linspace(0, 2 * np.pi, 13)
    >>> months = -8.0 + 20.0 * np.diff(np.sin(edges)) / np.diff(edges)
    >>> [float(x.round(9)) for x in sinusoid_of_months(months, np.full(12, 30.0))]
    [-8.0, 20.0]
    """
    values, weights = _steps(monthly, days)
    ends = 2.0 * np.pi * np.cumsum([0.0, *weights]) / weights.sum()
    design = np.stack([np.diff(np.sin(ends)), -np.diff(np.cos(ends))], axis=1) / np.diff(ends)[:, None]
    root = np.sqrt(weights)[:, None]
    solve = np.linalg.pinv(design * root) * root.T
    mean = _weighted(values, weights / weights.sum())
    cosine, sine = (_weighted(values, row) - mean * row.sum() for row in solve)
    return mean, np.asarray(np.hypot(cosine, sine))


def _weighted(values: Float, weights: Float) -> Float:
    # One step after the other: the order, and so the last digit, does not hang on the shape.
    total = np.zeros(values.shape[1:])
    for step, weight in zip(values, weights.tolist(), strict=True):
        total += step * weight
    return total


def _steps(temperature: ArrayLike, days: ArrayLike) -> tuple[Float, Float]:
    values = np.asarray(temperature, dtype=float)
    if values.ndim == 0:
        raise PermagridError("degree days are summed over the first axis; found a single temperature")
    weights = np.asarray(days, dtype=float)
    if weights.ndim > 1 or (weights.ndim == 1 and weights.size != values.shape[0]):
        raise PermagridError(
            f"days need one number for each of {values.shape[0]} steps, found shape {weights.shape}"
        )
    return values, np.broadcast_to(weights, values.shape[:1])
