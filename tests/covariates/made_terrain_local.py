"""Specifications of the terrain indices that are made from the cells around a cell."""

from permagrid.covariates import Covariate

TERRAIN_LOCAL = (
    *(Covariate(name, name, "degree") for name in ("slope", "aspect")),
    *(Covariate(name, name, "1") for name in ("northness", "eastness", "aspect_sine", "aspect_cosine")),
    Covariate("roughness", "roughness", "m"),
    *(
        Covariate(f"{name}_curvature", f"{name}_curvature", "1/m")
        for name in ("plan", "profile", "cross_sectional", "longitudinal", "tangential")
    ),
    *(
        Covariate(name, name, "m", {"radius": 60_000.0})
        for name in ("topographic_position_index", "relief_amplitude")
    ),
    Covariate("slope_horn", "slope", "degree", {"formula": "horn", "distances": "plane"}),
    Covariate("slope_of_the_dem", "slope", "degree", {"analysis": "source"}),
    Covariate("aspect_of_the_dem", "aspect", "degree", {"analysis": "source"}),
    Covariate("smooth_curvature", "longitudinal_curvature", "1/m", {"smoothing": 3.0}),
    Covariate("relief_of_the_dem", "relief_amplitude", "m", {"radius": 30_000.0, "analysis": "source"}),
)
