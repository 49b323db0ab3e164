"""Covariates: lazy sources brought onto a GeoBox, and the stack made of them."""
