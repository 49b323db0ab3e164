"""Covariates of whole catchments, as a study says them, for the world of the tests."""

from permagrid.covariates import Covariate

TERRAIN_WHOLE = (
    Covariate("total_catchment_area", "total_catchment_area", "km2"),
    Covariate("specific_catchment_area", "specific_catchment_area", "m", {"flow": "single"}),
    Covariate("topographic_wetness_index", "topographic_wetness_index", "1"),
    Covariate("ls_factor", "ls_factor", "1", {"analysis": "source"}),
    Covariate("convergence_index", "convergence_index", "%"),
    Covariate("closed_depressions", "closed_depressions", "m"),
    Covariate("strahler_order", "strahler_order", "1"),
    Covariate("channel_network_distance", "channel_network_distance", "m", {"channel_order": 3}),
    Covariate("valley_depth", "valley_depth", "m", {"ridge_order": 2}),
    Covariate(
        "relative_slope_position", "relative_slope_position", "1", {"channel_order": 3, "ridge_order": 2}
    ),
)
