"""Terrain: what the shape of the ground says of slope, curvature, water and position."""

from permagrid.covariates.terrain import curvature, direction, hydrology, window

__all__ = ["curvature", "direction", "hydrology", "window"]
