"""The frost number: how frost and thaw of a year compare, in the air or with a factor for the soil."""

import numpy as np
from numpy.typing import ArrayLike

from permagrid.physics.sinusoid import Float, broadcast


def frost_number(freezing: ArrayLike, thawing: ArrayLike, *, edaphic: ArrayLike = 1.0) -> Float:
    """Return the frost number: 0 without frost, 1 without thaw, permafrost from 0.5.

    ``sqrt(DDF) / (sqrt(DDF) + E sqrt(DDT))``: depths of frost and of thaw grow as the roots of the indices
    (Stefan), so that more frost than thaw goes into the ground from 0.5. The factor E of the soil is 1 in
    the air frost number; see `edaphic_factor` for what it stands for.

    Parameters
    ----------
    freezing, thawing
        Freezing and thawing index, both positive [degC day].
    edaphic
        Factor E of the ground, above 0 [1].

    Returns
    -------
    array
        [1]; 0.5 for a year at 0 °C throughout, NaN where an index is negative or missing.

    Notes
    -----
    Nelson and Outcalt (1987), doi:10.2307/1551363.

    Examples
    --------
    >>> frost_number([400.0, 2500.0, 2500.0], [3600.0, 2500.0, 400.0]).round(4)
    array([0.25  , 0.5   , 0.7143])
    """
    cold, warm, factor = broadcast(freezing, thawing, edaphic)
    sound = (cold >= 0) & (warm >= 0) & (factor > 0)
    frost = np.sqrt(np.where(sound, cold, np.nan))
    thaw = factor * np.sqrt(np.where(sound, warm, np.nan))
    total = frost + thaw
    return np.where(total == 0, 0.5, frost / np.where(total == 0, 1.0, total))[()]


def edaphic_ratio(freezing: ArrayLike, thawing: ArrayLike, *, edaphic: ArrayLike = 1.0) -> Float:
    """Return ``E sqrt(DDT / DDF)``, depth of thaw over depth of frost: permafrost below 1.

    The form of the frost number in the models FROSTNUM/COP, in which E is found for each group of soils.

    Parameters
    ----------
    freezing, thawing
        Freezing and thawing index, both positive [degC day].
    edaphic
        Factor E of the ground, above 0 [1].

    Returns
    -------
    array
        [1]; infinite without frost, NaN where an index is negative or missing, or both are 0.

    Examples
    --------
    >>> edaphic_ratio([3600.0, 900.0, 0.0], [900.0, 900.0, 900.0], edaphic=0.8)
    array([0.4, 0.8, inf])
    """
    cold, warm, factor = broadcast(freezing, thawing, edaphic)
    sound = (cold >= 0) & (warm >= 0) & (factor > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = factor * np.sqrt(np.where(sound, warm / cold, np.nan))
    return ratio[()]


def edaphic_factor(
    *, freezing_n_factor: ArrayLike, thawing_n_factor: ArrayLike, conductivity_ratio: ArrayLike
) -> Float:
    """Return the factor E of a ground of which n-factors and conductivities are known: ``sqrt(r nt / nf)``.

    With it the frost number says permafrost where the TTOP model does.

    Parameters
    ----------
    freezing_n_factor, thawing_n_factor
        Index of the ground surface over that of the air [1].
    conductivity_ratio
        Thermal conductivity of the thawed over that of the frozen ground [1].

    Examples
    --------
    >>> edaphic_factor(freezing_n_factor=0.4, thawing_n_factor=0.9, conductivity_ratio=0.64).round(6)
    np.float64(1.2)
    """
    winter, summer, ratio = broadcast(freezing_n_factor, thawing_n_factor, conductivity_ratio)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(ratio * summer / winter)[()]
