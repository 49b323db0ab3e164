"""Monthly air temperature with lapse rate, warming and noise, and precipitation: point by point."""

import re
from typing import NamedTuple

import numpy as np

from permagrid.errors import PermagridError
from permagrid.world.noise import Array, Field, Places, generator

DAYS = np.array([31.0, 28.25, 31.0, 30.0, 31.0, 30.0, 31.0, 31.0, 30.0, 31.0, 30.0, 31.0])
"""True length of the months [d]."""

EPOCHS = tuple(f"{year}-{year + 4}" for year in range(1980, 2020, 5))
"""Epochs of the default world."""

BASELINE = "1980-1999"
"""Years whose climate shapes what changes slowly: vegetation, soils, geology."""

WARMING = 0.045
"""Mean warming trend of the annual mean air temperature [K/a]."""

_START = 1980  # year in which the warming starts
_LOCAL = Field("local climate", 320.0, octaves=3)
_PATTERN = Field("warming pattern", 1500.0, octaves=1)
_RAIN = Field("rain", 260.0, octaves=4)
_MODES = tuple(
    Field(f"mode {mode}", wavelength, octaves=1) for mode, wavelength in enumerate((2600.0, 1400.0))
)


class Climate(NamedTuple):
    """What the temperature of any year at each place follows from."""

    normal: Array
    """Monthly mean air temperature before the warming [degC], (month, ...)."""
    trend: Array
    """Warming of each month [K/a], (month, ...)."""
    modes: Array
    """Spatial patterns of the year-to-year noise [1], (mode, ...)."""
    precipitation: Array
    """Monthly precipitation [mm], (month, ...)."""


def climate(places: Places, elevation: Array, continentality: Array, *, seed: int) -> Climate:
    """Return the climate of each place.

    Parameters
    ----------
    places
        Where.
    elevation
        Height above the sea [m].
    continentality
        0 maritime .. 1 continental.
    seed
        The world's seed.
    """
    north = np.sin(np.radians(places.latitude))
    local, km = _LOCAL(places, seed=seed), elevation / 1000.0
    annual = 29.5 - 48.0 * north**4 + 2.5 * (0.5 - continentality) + 0.7 * local
    amplitude = (9.0 + 16.0 * continentality) * north
    lag = 6.15 + 0.6 * (1.0 - continentality)
    month = np.arange(12.0).reshape(12, *(1,) * elevation.ndim)
    season = np.cos(2.0 * np.pi * (month - lag) / 12.0)
    # Winter inversions weaken the lapse rate.
    lapse = 5.2 + 1.3 * season * np.sign(north)
    pattern = 1.0 + 0.3 * np.clip(_PATTERN(places, seed=seed), -2.0, 2.0)
    polar = 0.5 + 0.6 * north**2
    trend = WARMING * polar * pattern * (1.0 - 0.35 * season * np.sign(north))
    modes = np.stack([np.ones_like(local), *(field(places, seed=seed) for field in _MODES)])
    normal = annual + amplitude * season - lapse * km
    wet = np.exp(0.35 * _RAIN(places, seed=seed) + 0.35 * np.minimum(km, 1.5) - 1.1 * continentality)
    total = 560.0 * wet * np.exp(0.035 * (annual + 5.0))
    share = 1.0 + (0.25 + 0.4 * continentality) * season * np.sign(north)
    return Climate(normal, trend, modes, total * share / 12.0)


def air_temperature(climate: Climate, years: range, *, seed: int) -> Array:
    """Return the monthly mean air temperature over some years [degC], (month, ...).

    Examples
    --------
    >>> from permagrid.world.noise import places_at
    >>> place = places_at(np.array([180.0]), np.array([70.0]), cell=5.0)
    >>> steady = climate(place, np.array([100.0]), np.array([0.5]), seed=1)
    >>> early, late = (air_temperature(steady, range(y, y + 10), seed=1).mean() for y in (1980, 2010))
    >>> bool(late > early)
    True
    """
    since = np.mean([max(year - _START, 0) for year in years])
    noise = np.mean([_year_noise(year, seed) for year in years], axis=0)
    return climate.normal + climate.trend * since + np.tensordot(noise, climate.modes, axes=1)


def _year_noise(year: int, seed: int) -> Array:
    """Return the strength of each mode of the noise in each month of a year [K], (month, mode)."""
    random = generator(seed, "years", year)
    modes = 1 + len(_MODES)
    winter = 1.0 + 0.5 * np.cos(2.0 * np.pi * np.arange(12) / 12.0)[:, None]
    return np.asarray(
        0.35 * random.standard_normal(modes) + 0.7 * winter * random.standard_normal((12, modes))
    )


def epoch_years(epoch: str) -> range:
    """Return the years of an epoch written as `1980-1984`.

    Raises
    ------
    PermagridError
        If the epoch is not two years, joined by a hyphen, in order.

    Examples
    --------
    >>> epoch_years("1980-1984")
    range(1980, 1985)
    """
    match = re.fullmatch(r"(\d{4})-(\d{4})", str(epoch))
    if match is None or match[2] < match[1]:
        raise PermagridError(f"epoch {epoch!r} must be its first and last year, such as '1980-1984'")
    return range(int(match[1]), int(match[2]) + 1)


def thawing_index(temperature: Array) -> Array:
    """Return the degree-days above 0 degC [K d] of monthly means, months along the first axis.

    Examples
    --------
    >>> thawing_index(np.full((12, 1), 1.0)).tolist()
    [365.25]
    """
    return np.tensordot(DAYS, np.maximum(temperature, 0.0), axes=1)


def freezing_index(temperature: Array) -> Array:
    """Return the degree-days below 0 degC [K d], never negative, of monthly means.

    Examples
    --------
    >>> freezing_index(np.full((12, 1), -1.0)).tolist()
    [365.25]
    """
    return np.tensordot(DAYS, np.maximum(-temperature, 0.0), axes=1)


def bioclimate(temperature: Array, precipitation: Array) -> dict[str, Array]:
    """Return WorldClim's bio1, bio4, bio5, bio6, bio7, bio10, bio11 and bio12 of monthly means.

    Temperatures are in degC, bio4 (standard deviation times 100) in K, bio12 in mm. Quarters run
    across the turn of the year (Fick & Hijmans 2017, doi:10.1002/joc.5086).

    Examples
    --------
    >>> months = np.arange(12.0)[:, None]
    >>> bio = bioclimate(months, np.full((12, 1), 30.0))
    >>> [float(bio[name][0]) for name in ("bio1", "bio10", "bio11", "bio12")]
    [5.5, 10.0, 1.0, 360.0]
    """
    quarters = (temperature + np.roll(temperature, -1, axis=0) + np.roll(temperature, -2, axis=0)) / 3.0
    warmest, coldest = temperature.max(axis=0), temperature.min(axis=0)
    return {
        "bio1": temperature.mean(axis=0),
        "bio4": 100.0 * temperature.std(axis=0, ddof=1),
        "bio5": warmest,
        "bio6": coldest,
        "bio7": warmest - coldest,
        "bio10": quarters.max(axis=0),
        "bio11": quarters.min(axis=0),
        "bio12": precipitation.sum(axis=0),
    }
