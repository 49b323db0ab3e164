"""The TTOP model: mean temperature at the top of permafrost, or below the seasonal frost."""

import numpy as np
from numpy.typing import ArrayLike

from permagrid.physics.sinusoid import YEAR_DAYS, Float, broadcast


def ttop(
    freezing: ArrayLike,
    thawing: ArrayLike,
    *,
    freezing_n_factor: ArrayLike = 1.0,
    thawing_n_factor: ArrayLike = 1.0,
    conductivity_ratio: ArrayLike = 1.0,
    days: float = YEAR_DAYS,
) -> Float:
    """Return the mean annual temperature at the depth to which the year's frost or thaw goes.

    With ``r = kt / kf`` it is ``(r nt DDT - nf DDF) / P`` where that is not above 0, at the top of
    permafrost, and ``(nt DDT - nf DDF / r) / P`` elsewhere, at the base of seasonal frost. The two meet at
    0 °C.

    Parameters
    ----------
    freezing, thawing
        Freezing and thawing index of the air, both positive [degC day].
    freezing_n_factor, thawing_n_factor
        Index of the ground surface over that of the air [1]: winters under snow have less than 1.
    conductivity_ratio
        Thermal conductivity of the thawed over that of the frozen ground, above 0 [1]. Ground that holds
        water conducts better when frozen, which makes the ground at depth colder than its surface.
    days
        Days of the year [day].

    Returns
    -------
    array
        [degC]; NaN where an index is missing.

    Notes
    -----
    Smith and Riseborough (1996), Permafrost and Periglacial Processes 7, 301-309, and (2002),
    doi:10.1002/ppp.410; the branch without permafrost follows in the same way, with the flux into thawed
    ground.

    Examples
    --------
    >>> ttop([3652.5, 365.25], [1461.0, 3652.5], freezing_n_factor=0.5, conductivity_ratio=0.5)
    array([-3.,  9.])
    """
    winter, summer, ratio = broadcast(
        np.asarray(freezing_n_factor, dtype=float) * np.asarray(freezing, dtype=float),
        np.asarray(thawing_n_factor, dtype=float) * np.asarray(thawing, dtype=float),
        conductivity_ratio,
    )
    balance = ratio * summer - winter
    return (np.where(balance <= 0, balance, balance / ratio) / days)[()]


def snow_n_factor(
    depth: ArrayLike, *, bare: ArrayLike = 1.0, deep: ArrayLike = 0.1, scale: ArrayLike = 0.3
) -> Float:
    """Return the freezing n-factor of ground under snow, which falls exponentially with its depth.

    A temperature wave is damped exponentially in a layer; here the depth that damps it to 1/e is left open,
    to be measured or calibrated, as density, timing and duration of the snow are in it too.

    Parameters
    ----------
    depth
        Mean depth of the winter's snow [m].
    bare
        Factor without snow [1].
    deep
        Factor under snow of any depth [1].
    scale
        Depth at which the factor has gone 63 % of the way from `bare` to `deep`, above 0 [m].

    Returns
    -------
    array
        [1]

    Examples
    --------
    >>> snow_n_factor([0.0, 0.3, 3.0]).round(3)
    array([1.   , 0.431, 0.1  ])
    """
    snow, top, bottom, length = broadcast(depth, bare, deep, scale)
    return (bottom + (top - bottom) * np.exp(-np.maximum(snow, 0.0) / length))[()]
