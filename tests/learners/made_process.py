"""Rows of a climate and what the ground makes of it, for tests of process models as learners."""

import numpy as np

from permagrid.physics import (
    LATENT_HEAT,
    Cover,
    Soil,
    Wave,
    active_layer_depth,
    below_cover,
    degree_days,
    permafrost_temperature,
    snow_n_factor,
    stefan_depth,
    ttop,
)

NAMES = ("air", "swing", "snow", "soil", "noise", "warm", "cold", "freezing", "thawing", "rain")
WAVE = {"air_temperature": "air", "temperature_amplitude": "swing"}
INDICES = {"freezing_index": "freezing", "thawing_index": "thawing"}
QUARTERS = {"air_temperature": "air", "warmest_quarter": "warm", "coldest_quarter": "cold"}
SNOWY = {**WAVE, "snow_depth": "snow"}
FACTORS = np.array([0.7, 0.9, 1.0, 1.1, 1.3])
"""Of the soils 1 to 5."""


def climate(n=400, *, seed=0):
    """Return rows with the columns `NAMES`."""
    random = np.random.default_rng(seed)
    air, swing, snow = random.uniform(-16, 7, n), random.uniform(8, 24, n), random.uniform(0, 1, n)
    soil = random.integers(1, 6, n).astype(float)
    quarter = 2 * np.sqrt(2) / np.pi * swing
    freezing, thawing = degree_days(Wave(air, swing))
    columns = [air, swing, snow, soil, random.normal(size=n), air + quarter, air - quarter]
    return np.stack([*columns, freezing, thawing, 250.0 * snow], axis=1)


def column(rows, name):
    return rows[:, NAMES.index(name)]


TRUE_TTOP = {
    "freezing_n_factor": 0.9,
    "deep_snow_n_factor": 0.2,
    "snow_scale": 0.35,
    "thawing_n_factor": 0.85,
    "conductivity_ratio": 0.7,
}


def ground_temperature(rows, *, by_soil=False):
    """Return what TTOP with `TRUE_TTOP` says; by soil, each has its own thawing n-factor."""
    factor = FACTORS[column(rows, "soil").astype(int) - 1] if by_soil else 1.0
    return ttop(
        column(rows, "freezing"),
        column(rows, "thawing"),
        freezing_n_factor=snow_n_factor(column(rows, "snow"), bare=0.9, deep=0.2, scale=0.35),
        thawing_n_factor=0.85 * factor,
        conductivity_ratio=0.7,
    )


def thaw_depth(rows, *, by_soil=False):
    """Return what Stefan says [cm]; by soil, each has its own factor E."""
    factor = FACTORS[column(rows, "soil").astype(int) - 1] if by_soil else 1.0
    return 100.0 * factor * stefan_depth(column(rows, "thawing"), conductivity=1.1, water_content=0.3)


def kudryavtsev_of(rows):
    """Return temperature [degC] and active layer [cm] of Kudryavtsev's model."""
    surface = below_cover(
        Wave(column(rows, "air"), column(rows, "swing")), winter=Cover(column(rows, "snow"), 3e-7)
    )
    surface = below_cover(surface, winter=Cover(0.1, 1.4e-6), summer=Cover(0.1, 1.2e-7))
    cold = permafrost_temperature(surface, thawed_conductivity=0.7, frozen_conductivity=1.0)
    soil = Soil(1.3, 1.3 / 0.7, 2.5e6, LATENT_HEAT * 0.35)
    return cold, 100.0 * active_layer_depth(surface, np.minimum(cold, 0.0), soil)
