"""Climate: indices, means and anomalies of temperature, precipitation and snow."""

from permagrid.covariates.climate import (
    anomaly,
    degree_days,
    lapse_rate,
    precipitation,
    snow_cover,
    temperature,
)
from permagrid.covariates.climate.moving_means import centred_mean

__all__ = [
    "anomaly",
    "centred_mean",
    "degree_days",
    "lapse_rate",
    "precipitation",
    "snow_cover",
    "temperature",
]
