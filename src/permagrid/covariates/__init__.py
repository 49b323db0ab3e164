"""Covariates: lazy sources brought onto a GeoBox, and the stack made of them."""

from permagrid.covariates import climate, combined, filled, physics, raster, surface, terrain
from permagrid.covariates.stack import at_epoch, open_stack, stack_layers, store_layers
from permagrid.covariates.table import COVARIATES, Covariate, Request, build, varies

__all__ = [
    "COVARIATES",
    "Covariate",
    "Request",
    "at_epoch",
    "build",
    "climate",
    "combined",
    "filled",
    "open_stack",
    "physics",
    "raster",
    "stack_layers",
    "store_layers",
    "surface",
    "terrain",
    "varies",
]
