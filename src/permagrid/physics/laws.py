"""Process models as laws: of the columns of climate and named parameters, each within a physical range."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from permagrid.errors import PermagridError
from permagrid.physics.climate import Columns, indices_of, snow_of, thawing_of, wave_of
from permagrid.physics.frost_number import frost_number
from permagrid.physics.kudryavtsev import (
    Cover,
    Soil,
    active_layer_depth,
    below_cover,
    permafrost_temperature,
)
from permagrid.physics.sinusoid import Float, Wave
from permagrid.physics.stefan import LATENT_HEAT, edaphic_depth, stefan_depth
from permagrid.physics.ttop import snow_n_factor, ttop

Values = Mapping[str, Any]
"""Parameter -> a number, or an array of the shape of the columns."""
Law = Callable[[Columns, Values], Float]
"""``(columns, values)`` gives what a model says."""


class Range(NamedTuple):
    """What a parameter can be."""

    low: float
    high: float
    usual: float
    """Where a calibration begins, and what covariates take unless the study says otherwise."""


_DIFFUSIVITY = (1e-8, 5e-6)
_SNOW = Range(50.0, 600.0, 250.0)
_OFFSET = Range(-5.0, 5.0, 0.0)
_WATER = Range(0.01, 0.95, 0.35)

RANGES: dict[str, dict[str, Range]] = {
    "frost_number": {"edaphic_factor": Range(0.2, 5.0, 1.0)},
    "ttop": {
        "freezing_n_factor": Range(0.02, 1.2, 0.7),
        "deep_snow_n_factor": Range(0.02, 0.6, 0.15),
        "snow_scale": Range(0.02, 3.0, 0.3),
        "thawing_n_factor": Range(0.2, 1.8, 0.9),
        "conductivity_ratio": Range(0.3, 1.2, 0.8),
        "offset": _OFFSET,
        "snow_density": _SNOW,
    },
    "stefan": {
        "edaphic_factor": Range(0.002, 0.3, 0.03),
        "conductivity": Range(0.05, 4.0, 1.0),
        "thawing_n_factor": Range(0.2, 1.8, 1.0),
        "water_content": _WATER,
    },
    "kudryavtsev": {
        "vegetation_thickness": Range(0.0, 1.0, 0.05),
        "frozen_vegetation_diffusivity": Range(*_DIFFUSIVITY, 1.4e-6),
        "thawed_vegetation_diffusivity": Range(*_DIFFUSIVITY, 1.2e-7),
        "conductivity_ratio": Range(0.3, 1.2, 0.8),
        "offset": _OFFSET,
        "snow_density": _SNOW,
        "snow_diffusivity": Range(*_DIFFUSIVITY, 4e-7),
        "thawed_conductivity": Range(0.05, 4.0, 1.0),
        "water_content": _WATER,
        "heat_capacity": Range(5e5, 5e6, 2.5e6),
    },
}
"""Model -> parameter -> what it can be; units as in the functions that take them."""


def in_range(model: str, name: str, value: float | None) -> str | None:
    """Return why a parameter of a model cannot be `value`, or None; None is a value that is left out.

    Examples
    --------
    >>> in_range("ttop", "thawing_n_factor", 7.0)
    'thawing_n_factor must be 0.2 to 1.8, found 7'
    """
    low, high, _ = RANGES[model][name]
    if value is None or low <= value <= high:
        return None
    return f"{name} must be {low:g} to {high:g}, found {value:g}"


def frost_number_law(columns: Columns, values: Values) -> Float:
    """Return the frost number, by ``edaphic_factor`` [1]."""
    return frost_number(*indices_of(columns), edaphic=values["edaphic_factor"])


def ttop_law(columns: Columns, values: Values) -> Float:
    """Return the temperature at the top of permafrost [degC], by the parameters of the model ``ttop``.

    Where there is snow, ``freezing_n_factor`` is that of bare ground, and falls with the snow.
    """
    winter = values["freezing_n_factor"]
    if "snow_depth" in columns or "winter_precipitation" in columns:
        snow = snow_of(columns, density=values["snow_density"])
        winter = snow_n_factor(
            snow, bare=winter, deep=values["deep_snow_n_factor"], scale=values["snow_scale"]
        )
    temperature = ttop(
        *indices_of(columns),
        freezing_n_factor=winter,
        thawing_n_factor=values["thawing_n_factor"],
        conductivity_ratio=values["conductivity_ratio"],
    )
    return np.asarray(temperature + values["offset"])


def stefan_law(columns: Columns, values: Values) -> Float:
    """Return the depth of thaw [m]: by ``edaphic_factor`` if there is one, else by heat and water."""
    thawing = thawing_of(columns)
    if "edaphic_factor" in values:
        return edaphic_depth(thawing, edaphic=values["edaphic_factor"])
    water = columns["water_content"] if "water_content" in columns else values["water_content"]
    return stefan_depth(
        thawing,
        conductivity=values["conductivity"],
        # Ground without any water would thaw without end.
        water_content=np.clip(water, _WATER.low, _WATER.high),
        thawing_n_factor=values["thawing_n_factor"],
    )


def kudryavtsev_temperature_law(columns: Columns, values: Values) -> Float:
    """Return the temperature at the top of permafrost [degC], by the parameters of ``kudryavtsev``."""
    return _kudryavtsev(columns, values)[1]


def kudryavtsev_depth_law(columns: Columns, values: Values) -> Float:
    """Return the thickness of the active layer [m], by the parameters of ``kudryavtsev``.

    Where there is no permafrost, it is that of ground at 0 °C.
    """
    surface, temperature = _kudryavtsev(columns, values)
    thawed = values["thawed_conductivity"]
    latent = LATENT_HEAT * values["water_content"]
    soil = Soil(thawed, thawed / values["conductivity_ratio"], values["heat_capacity"], latent)
    return active_layer_depth(surface, np.minimum(temperature, 0.0), soil)


def _kudryavtsev(columns: Columns, values: Values) -> tuple[Wave, Float]:
    surface = wave_of(columns)
    if "snow_depth" in columns or "winter_precipitation" in columns:
        snow = snow_of(columns, density=values["snow_density"])
        surface = below_cover(surface, winter=Cover(snow, values["snow_diffusivity"]))
    thickness = values["vegetation_thickness"]
    surface = below_cover(
        surface,
        winter=Cover(thickness, values["frozen_vegetation_diffusivity"]),
        summer=Cover(thickness, values["thawed_vegetation_diffusivity"]),
    )
    temperature = permafrost_temperature(
        surface, thawed_conductivity=values["conductivity_ratio"], frozen_conductivity=1.0
    )
    return surface, np.asarray(temperature + values["offset"])


def check_ranges(who: str, model: str, values: Mapping[str, float | None]) -> None:
    """Refuse parameters that are out of their range.

    Raises
    ------
    PermagridError
        If one is.
    """
    for name, value in values.items():
        fault = in_range(model, name, value)
        if fault is not None:
            raise PermagridError(f"{who}: {fault}")
