"""Terrain: what the shape of the ground says of slope, curvature, water and position."""

from permagrid.covariates.terrain import direction

__all__ = ["direction"]
