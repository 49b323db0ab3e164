"""The truth that maps are scored against: frozen-ground physics, and what covariates cannot explain."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from permagrid.world.noise import Array, Field, Places
from permagrid.world.surface import Surface

YEAR = 365.25
"""Days in a year."""

_LATENT_HEAT = 3.34e8  # of the water in a volume of soil [J m-3]
_DAY = 86400.0  # [s]

# Excess ice [%] of each surficial-geology class, in the order of GEOLOGY.
_EXCESS = np.array([0.0, 4.0, 8.0, 8.0, 32.0, 12.0, 20.0, 16.0])
_POROSITY = np.array([0.08, 0.28, 0.30, 0.38, 0.46, 0.45, 0.50, 0.72])

_GROUND = Field("ground", 130.0, octaves=3, gain=0.7)
_THAW = Field("thaw", 70.0, octaves=3, gain=0.7)
_ICE = Field("ground ice", 80.0, octaves=3, gain=0.7)


class Ground(NamedTuple):
    """Properties of the ground that stay the same in all epochs."""

    moisture: Array
    """Volumetric water content of the active layer [1]."""
    conductivity: Array
    """Thermal conductivity when thawed [W m-1 K-1]."""
    ratio: Array
    """Thawed over frozen thermal conductivity [1]."""
    excess: Array
    """Excess ice where the ground is cold [%]."""
    pore_ice: Array
    """Ice in the pores where the ground is cold [%]."""
    hidden: Array
    """Temperature that no covariate explains [K]."""
    roughness: Array
    """Factor of the active-layer thickness that no covariate explains [1]."""


class Truth(NamedTuple):
    """The state of the ground in one epoch."""

    surface_temperature: Array
    """Mean annual ground surface temperature [degC]."""
    temperature: Array
    """Mean annual ground temperature at the permafrost table, and below it [degC]."""
    presence: npt.NDArray[np.bool_]
    """True where the ground temperature is at or below 0 degC."""
    active_layer: Array
    """Active-layer thickness [cm]; NaN without permafrost."""
    ice: Array
    """Volumetric ice content of the upper permafrost [%]; NaN without permafrost."""


def ground(places: Places, cover: Surface, *, seed: int) -> Ground:
    """Return the thermal and ice properties of the ground."""
    porosity = _POROSITY[cover.geology - 1]
    organic = np.minimum(cover.organic / 40.0, 0.8)
    filled = 0.25 + 0.7 * cover.wetness
    mineral = 0.9 + 0.009 * cover.sand
    thawed = (0.35**organic) * mineral ** (1.0 - organic) * (0.4 + 0.6 * filled)
    thawed = np.where(cover.geology == 1, 2.2, thawed)
    cold_past = np.clip((-14.0 - cover.palaeo) / 12.0, 0.0, 1.0)
    noise = np.exp(0.35 * _ICE(places, seed=seed))
    return Ground(
        moisture=porosity * filled,
        conductivity=thawed,
        ratio=np.clip(1.0 - 0.7 * porosity * filled - 0.25 * organic, 0.35, 1.0),
        excess=_EXCESS[cover.geology - 1] * (0.3 + 0.7 * cold_past) * (0.5 + 0.7 * cover.wetness) * noise,
        pore_ice=100.0 * porosity * (0.3 + 0.6 * cover.wetness) * noise**0.3,
        hidden=0.75 * _GROUND(places, seed=seed),
        roughness=np.exp(0.10 * _THAW(places, seed=seed)),
    )


def truth(freezing: Array, thawing: Array, snow: Array, cover: Surface, below: Ground) -> Truth:
    """Return the state of the ground that an epoch's climate leads to.

    The ground temperature follows the TTOP model (Smith & Riseborough 1996, Permafrost and Periglacial
    Processes 7, 301-309), the active layer Stefan's equation; n-factors follow from snow and vegetation.

    Parameters
    ----------
    freezing, thawing
        Degree-days of the air below and above 0 degC [K d].
    snow
        Mean depth of the winter's snow [m].
    cover, below
        Ground cover, and properties of the ground.
    """
    frost = (0.15 + 0.85 * np.exp(-snow / 0.3)) * freezing
    # Some days thaw even in months that freeze on average.
    thaw = (1.05 - 0.5 * cover.ndvi) * (thawing + 60.0)
    temperature = ttop(frost, thaw, below.ratio) + below.hidden
    frozen = temperature <= 0.0
    stefan = np.sqrt(2.0 * below.conductivity * thaw * _DAY / (_LATENT_HEAT * (below.moisture + 0.03)))
    # Heat that goes into the frozen ground below is lost to thawing: less thaw where it is cold.
    thickness = 100.0 * stefan * below.roughness / (1.0 + 0.03 * np.maximum(-temperature, 0.0))
    ice = ice_content(temperature, below)
    return Truth(
        surface_temperature=(thaw - frost) / YEAR + below.hidden,
        temperature=temperature,
        presence=frozen,
        active_layer=np.where(frozen, np.maximum(thickness, 10.0), np.nan),
        ice=np.where(frozen, np.clip(ice, 0.5, 90.0), np.nan),
    )


def ice_content(temperature: Array, below: Ground) -> Array:
    """Return the volumetric ice content of the upper permafrost [%], as if there were permafrost everywhere.

    Parameters
    ----------
    temperature
        Mean annual ground temperature [degC].
    below
        Properties of the ground.
    """
    ice = below.pore_ice + below.excess * (1.0 - below.pore_ice / 100.0)
    # Near 0 degC a part of the water stays liquid, and excess ice has partly melted.
    return np.asarray(ice * (1.0 - 0.35 * np.exp(np.minimum(temperature, 0.0))))


def ttop(frost: Array, thaw: Array, ratio: Array) -> Array:
    """Return the temperature at the top of permafrost, or below the frost where there is none [degC].

    Parameters
    ----------
    frost, thaw
        Degree-days at the ground surface [K d].
    ratio
        Thawed over frozen thermal conductivity [1].

    Examples
    --------
    >>> ttop(np.array([3652.5, 0.0]), np.array([0.0, 3652.5]), np.array([0.5, 0.5])).tolist()
    [-10.0, 10.0]
    """
    permafrost = ratio * thaw <= frost
    return np.where(permafrost, ratio * thaw - frost, thaw - frost / ratio) / YEAR
