"""The Stefan equation: how deep the ground thaws, from its heat and water or from one factor."""

import numpy as np
from numpy.typing import ArrayLike

from permagrid.physics.sinusoid import Float, broadcast

LATENT_HEAT = 3.34e8
"""Latent heat of fusion of a volume of water as liquid [J m-3]."""

_DAY = 86400.0
"""Seconds of a day."""


def stefan_depth(
    thawing: ArrayLike,
    *,
    conductivity: ArrayLike,
    water_content: ArrayLike,
    thawing_n_factor: ArrayLike = 1.0,
) -> Float:
    """Return the depth of thaw of ground at 0 °C whose heat all goes into melting.

    ``sqrt(2 k nt DDT 86400 / (L w))``. Heat that warms the ground is left out, so that true depths are less:
    by a few per cent in wet ground, by much in dry.

    Parameters
    ----------
    thawing
        Thawing index of the air [degC day].
    conductivity
        Thermal conductivity of the thawed ground [W m-1 K-1].
    water_content
        Share of the ground's volume that freezes and thaws as water [1].
    thawing_n_factor
        Thawing index of the ground surface over that of the air [1].

    Returns
    -------
    array
        [m]; infinite where there is thaw but no water, NaN where an input is missing or negative.

    Notes
    -----
    After Stefan (1891); in this form Nelson et al. (1997), doi:10.2307/1551985.

    Examples
    --------
    >>> stefan_depth([250.0, 1000.0], conductivity=1.0, water_content=0.3).round(3)
    array([0.657, 1.313])
    """
    warm, conducts, water, factor = broadcast(thawing, conductivity, water_content, thawing_n_factor)
    sound = (warm >= 0) & (conducts >= 0) & (water >= 0) & (factor >= 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        heat = 2.0 * conducts * factor * warm * _DAY
        depth = np.sqrt(np.where(sound, heat / (LATENT_HEAT * water), np.nan))
    return np.where(sound & (heat == 0), 0.0, depth)[()]


def edaphic_depth(thawing: ArrayLike, *, edaphic: ArrayLike) -> Float:
    """Return ``E sqrt(DDT)``: the depth of thaw by one factor for all that the ground does to it.

    Parameters
    ----------
    thawing
        Thawing index of the air [degC day].
    edaphic
        Edaphic factor E, in the unit of depth that is wanted per root of a degree day, such as
        0.02 m (degC day)-0.5.

    Returns
    -------
    array
        In the unit of E; NaN where the index is negative or missing.

    Notes
    -----
    Nelson et al. (1997), doi:10.2307/1551985.

    Examples
    --------
    >>> edaphic_depth([400.0, 900.0], edaphic=0.025)
    array([0.5 , 0.75])
    """
    warm, factor = broadcast(thawing, edaphic)
    return (factor * np.sqrt(np.where(warm >= 0, warm, np.nan)))[()]
