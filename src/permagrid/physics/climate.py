"""The climate that a process model reads: indices of frost and thaw, or the year's sinusoid, and snow."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from permagrid.errors import PermagridError
from permagrid.physics.sinusoid import DegreeDays, Float, Wave, amplitude_of_quarters, degree_days

Columns = Mapping[str, Float]
"""What a model reads, such as ``thawing_index`` -> its values, arrays of one shape."""

READS = {
    "freezing_index": "degC day",
    "thawing_index": "degC day",
    "air_temperature": "degC",
    "temperature_amplitude": "delta degC",
    "warmest_quarter": "degC",
    "coldest_quarter": "degC",
    "snow_depth": "m",
    "winter_precipitation": "mm",
    "water_content": "1",
}
"""What process models read -> the unit in which they read it."""


@dataclass(frozen=True)
class Climate:
    """Names of the covariates of climate, as far as a study gives them."""

    freezing_index: str | None = None
    """Freezing index [degC day], positive."""
    thawing_index: str | None = None
    """Thawing index [degC day]."""
    air_temperature: str | None = None
    """Mean annual temperature [degC]."""
    temperature_amplitude: str | None = None
    """Half the range of the year's temperature [delta degC]."""
    warmest_quarter: str | None = None
    """Mean temperature of the warmest quarter [degC]."""
    coldest_quarter: str | None = None
    """Mean temperature of the coldest quarter [degC]."""
    snow_depth: str | None = None
    """Mean depth of the winter's snow [m]."""
    winter_precipitation: str | None = None
    """Precipitation that stands for snow [mm]."""

    @property
    def named(self) -> dict[str, str]:
        """Return what is given, by what it is."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {role: name for role, name in values.items() if name is not None}

    @property
    def has_wave(self) -> bool:
        """Return whether the year's sinusoid can be told."""
        quarters = self.warmest_quarter is not None and self.coldest_quarter is not None
        return self.air_temperature is not None and (self.temperature_amplitude is not None or quarters)

    @property
    def has_snow(self) -> bool:
        """Return whether anything is said of snow."""
        return self.snow_depth is not None or self.winter_precipitation is not None

    def faults(self, *, needs: tuple[str, ...], suffix: str = "") -> list[str]:
        """Return what lacks of the climate that a model needs, or is given twice.

        Parameters
        ----------
        needs
            ``freezing_index``, ``thawing_index``, or ``wave`` where the sinusoid itself is needed.
        suffix
            What keywords have behind these names.
        """
        found = []

        def keyword(name: str) -> str:
            return f"{name}{suffix}"

        wave = (
            f"{keyword('air_temperature')} with {keyword('temperature_amplitude')}, or with "
            f"{keyword('warmest_quarter')} and {keyword('coldest_quarter')}"
        )
        lacks = [each for each in needs if each == "wave" or getattr(self, each) is None]
        if lacks and not self.has_wave:
            indices = " and ".join(keyword(each) for each in needs if each != "wave")
            found.append(f"climate is missing; set {indices}, or {wave}" if indices else f"set {wave}")
        if self.temperature_amplitude is not None and (self.warmest_quarter or self.coldest_quarter):
            found.append(
                f"{keyword('temperature_amplitude')} and the quarters say the same; one of them is allowed"
            )
        if self.snow_depth is not None and self.winter_precipitation is not None:
            found.append(
                f"{keyword('snow_depth')} and {keyword('winter_precipitation')} both stand for snow; one of "
                "them is allowed"
            )
        return found

    def check(self, learner: str, *, needs: tuple[str, ...]) -> None:
        """Refuse a climate that has `faults`.

        Raises
        ------
        PermagridError
            With the first of them.
        """
        for fault in self.faults(needs=needs):
            raise PermagridError(f"{learner}: {fault}")


def wave_of(columns: Columns) -> Wave:
    """Return the year's sinusoid of rows."""
    if "temperature_amplitude" in columns:
        amplitude = columns["temperature_amplitude"]
    else:
        amplitude = amplitude_of_quarters(columns["warmest_quarter"], columns["coldest_quarter"])
    return Wave(columns["air_temperature"], np.maximum(amplitude, 0.0))


def indices_of(columns: Columns) -> DegreeDays:
    """Return freezing and thawing index of rows: as they are given, else those of the sinusoid."""
    if "freezing_index" in columns and "thawing_index" in columns:
        found = DegreeDays(columns["freezing_index"], columns["thawing_index"])
    else:
        wave = degree_days(wave_of(columns))
        found = DegreeDays(
            columns.get("freezing_index", wave.freezing), columns.get("thawing_index", wave.thawing)
        )
    # A resampled index may come out a little below zero.
    return DegreeDays(np.maximum(found.freezing, 0.0), np.maximum(found.thawing, 0.0))


def thawing_of(columns: Columns) -> Float:
    """Return the thawing index of rows: as it is given, else that of the sinusoid."""
    if "thawing_index" in columns:
        return np.maximum(columns["thawing_index"], 0.0)
    return degree_days(wave_of(columns)).thawing


def snow_of(columns: Columns, *, density: float) -> Float:
    """Return the depth of snow [m]: as it is given, else of precipitation that lies as snow.

    Parameters
    ----------
    columns
        What is known of the rows.
    density
        Of the snow that precipitation is taken to become [kg m-3].
    """
    if "snow_depth" in columns:
        return np.maximum(columns["snow_depth"], 0.0)
    # A millimetre is a kilogram on each square metre.
    return np.maximum(columns["winter_precipitation"], 0.0) / density
