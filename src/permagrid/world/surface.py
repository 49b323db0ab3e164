"""What covers the ground: snow, vegetation, soils, surficial geology, and its glacial past."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from permagrid.world.climate import BASELINE, Climate, air_temperature, epoch_years, thawing_index
from permagrid.world.noise import Array, Field, Places
from permagrid.world.terrain import Terrain

GEOLOGY: dict[int, str] = {
    1: "bedrock",
    2: "colluvium",
    3: "till",
    4: "alluvium",
    5: "ice_rich_loess",
    6: "marine_deposits",
    7: "lacustrine_deposits",
    8: "peat",
}
"""Surficial-geology class -> label."""

CLASS_NODATA = 255
"""Nodata of every class raster."""

# Sand, silt and clay [%] of each class, in the order of GEOLOGY.
_TEXTURE = np.array(
    [
        (65, 25, 10), (50, 35, 15), (45, 35, 20), (50, 37, 13),
        (15, 70, 15), (22, 45, 33), (15, 50, 35), (30, 45, 25),
    ]
)  # fmt: skip
_ORGANIC = np.array([0.8, 2.0, 3.0, 3.5, 4.5, 4.0, 6.0, 26.0])  # organic carbon [%]

_DRIFT = Field("snow drift", 90.0, octaves=4, gain=0.7)
_GREEN = Field("vegetation", 120.0, octaves=4, gain=0.6)
_WET = Field("wetness", 100.0, octaves=4, gain=0.6)
_DEPOSITS = tuple(Field(f"deposits {n}", 190.0, octaves=4, gain=0.55) for n in range(3))
_GRAINS = tuple(Field(f"grains {n}", 140.0, octaves=3) for n in range(2))
_ICE_AGE = Field("ice age", 800.0, octaves=2)


class Surface(NamedTuple):
    """The ground cover of each place; all of it slow, so the same in all epochs."""

    ndvi: Array
    """Vegetation index in summer [1]."""
    wetness: Array
    """0 dry .. 1 saturated; what no covariate shows in full."""
    geology: npt.NDArray[np.uint8]
    """Class, see `GEOLOGY`."""
    sand: Array
    """Of the fine earth [%]."""
    silt: Array
    """Of the fine earth [%]."""
    clay: Array
    """Of the fine earth [%]."""
    organic: Array
    """Organic carbon [%]."""
    palaeo: Array
    """Mean annual air temperature at the Last Glacial Maximum [degC]."""
    drift: Array
    """Snow caught (above 1) or blown away (below 1) [1]."""


def surface(places: Places, lie: Terrain, climate: Climate, *, seed: int) -> Surface:
    """Return the ground cover that terrain and climate lead to, with noise of its own."""
    temperature = air_temperature(climate, epoch_years(BASELINE), seed=seed)
    warmth = thawing_index(temperature)
    rain = climate.precipitation.sum(axis=0)
    # Rain over rain and evaporation; the latter grows with summer warmth.
    humidity = rain / (rain + 0.28 * warmth + 1.0)
    deposits = [field(places, seed=seed) for field in _DEPOSITS]
    geology = _geology(lie, deposits, humidity)
    wetness = 1.0 / (
        1.0
        + np.exp(-(0.9 * _WET(places, seed=seed) + 3.5 * (humidity - 0.55) - 3.0 * (lie.ruggedness - 0.15)))
    )
    sand, silt, clay = _texture(geology, [field(places, seed=seed) for field in _GRAINS])
    organic = _ORGANIC[geology - 1] * (0.4 + 1.2 * wetness) * np.exp(0.25 * deposits[1])
    green = 0.9 * (1.0 - np.exp(-warmth / 750.0)) * (0.45 + 0.55 * np.minimum(humidity / 0.5, 1.0))
    ndvi = green * (1.0 - 0.5 * lie.ruggedness) * np.exp(0.12 * _GREEN(places, seed=seed))
    glacial = temperature.mean(axis=0) - 10.0 + 3.0 * _ICE_AGE(places, seed=seed)
    return Surface(
        ndvi=np.clip(ndvi, 0.02, 0.93),
        wetness=wetness,
        geology=geology,
        sand=sand,
        silt=silt,
        clay=clay,
        organic=np.clip(organic, 0.1, 48.0),
        palaeo=glacial,
        drift=np.exp(0.3 * _DRIFT(places, seed=seed) - 0.25 * lie.ruggedness),
    )


def snow_depth(temperature: Array, precipitation: Array, drift: Array) -> Array:
    """Return the mean depth of the winter's snow [m] from monthly means.

    Precipitation falls as snow below -2 degC and as rain above +2 degC, and lies at 250 kg m-3; the
    winter's mean is 0.6 of its maximum.

    Examples
    --------
    >>> cold, wet = np.full((12, 1), -9.0), np.full((12, 1), 25.0)
    >>> snow_depth(cold, wet, np.ones(1)).round(2).tolist()
    [0.72]
    """
    solid = np.clip((2.0 - temperature) / 4.0, 0.0, 1.0)
    return np.asarray(0.6 * (precipitation * solid).sum(axis=0) / 250.0 * drift)


def _geology(lie: Terrain, deposits: list[Array], humidity: Array) -> npt.NDArray[np.uint8]:
    """Return the class whose setting fits each place best."""
    rugged, (first, second, third) = lie.ruggedness, deposits
    scores = [
        7.0 * (rugged - 0.42),
        2.0 * np.minimum(rugged, 0.4) + 0.3 * first,
        0.75 * first + 0.7 * np.minimum(rugged, 0.3) - 0.2,
        0.75 * second - 2.5 * rugged + 0.1,
        0.9 * third + 1.2 * (lie.continentality - 0.4) - 3.0 * rugged - 0.25,
        1.5 - 7.0 * lie.inland,
        -0.8 * second - 2.5 * rugged - 0.35,
        -0.8 * third + 1.5 * (humidity - 0.55) - 3.0 * rugged - 0.35,
    ]
    best, winner = scores[0], np.ones(rugged.shape, dtype=np.uint8)
    for code, score in enumerate(scores[1:], start=2):
        better = score > best
        winner[better] = code
        best = np.where(better, score, best)
    return winner


def _texture(geology: npt.NDArray[np.uint8], grains: list[Array]) -> tuple[Array, Array, Array]:
    """Return sand, silt and clay [%], which sum to 100."""
    typical = _TEXTURE[geology - 1]
    sand = typical[..., 0] * np.exp(0.3 * grains[0])
    silt = typical[..., 1].astype(np.float64)
    clay = typical[..., 2] * np.exp(0.3 * grains[1])
    total = (sand + silt + clay) / 100.0
    return sand / total, silt / total, clay / total
