"""Covariates of each process model on the climate of a small virtual world."""

from permagrid.covariates import Covariate

WAVE = {
    "air_temperature_input": "mean_annual_air_temperature",
    "temperature_amplitude_input": "annual_temperature_amplitude",
}
INDICES = {
    "freezing_index_input": "air_freezing_index",
    "thawing_index_input": "surface_thawing_index",
}

PHYSICS = (
    Covariate("frost_number", "frost_number", "1", {**INDICES, "edaphic_factor": 1.2}),
    Covariate("ttop", "ttop", "degC", {**INDICES, "winter_precipitation_input": "winter_precipitation"}),
    Covariate(
        "stefan_active_layer",
        "stefan_active_layer",
        "cm",
        {"thawing_index_input": "air_thawing_index", "edaphic_factor": 0.03},
    ),
    Covariate("kudryavtsev_temperature", "kudryavtsev_temperature", "degC", WAVE),
    Covariate(
        "kudryavtsev_active_layer",
        "kudryavtsev_active_layer",
        "m",
        {**WAVE, "winter_precipitation_input": "winter_precipitation", "water_content": 0.3},
    ),
)
"""They are made of the covariates of `made_climate` and of those beside it in the test."""
