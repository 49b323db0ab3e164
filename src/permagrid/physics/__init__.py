"""Models of frozen ground as plain formulas of arrays: frost number, TTOP, Stefan, Kudryavtsev."""

from permagrid.physics.frost_number import edaphic_factor, edaphic_ratio, frost_number
from permagrid.physics.kudryavtsev import (
    Cover,
    Soil,
    active_layer_depth,
    below_cover,
    permafrost_temperature,
)
from permagrid.physics.sinusoid import (
    YEAR_DAYS,
    YEAR_SECONDS,
    DegreeDays,
    Wave,
    amplitude_of_quarters,
    degree_days,
)
from permagrid.physics.stefan import LATENT_HEAT, edaphic_depth, stefan_depth
from permagrid.physics.ttop import snow_n_factor, ttop

__all__ = [
    "LATENT_HEAT",
    "YEAR_DAYS",
    "YEAR_SECONDS",
    "Cover",
    "DegreeDays",
    "Soil",
    "Wave",
    "active_layer_depth",
    "amplitude_of_quarters",
    "below_cover",
    "degree_days",
    "edaphic_depth",
    "edaphic_factor",
    "edaphic_ratio",
    "frost_number",
    "permafrost_temperature",
    "snow_n_factor",
    "stefan_depth",
    "ttop",
]
