"""permagrid turns point observations of frozen ground and gridded covariates into validated maps."""

__version__ = "0.1.0"
