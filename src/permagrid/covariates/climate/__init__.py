"""Climate: indices, means and anomalies of temperature, precipitation and snow."""

from permagrid.covariates.climate import anomaly, degree_days

__all__ = ["anomaly", "degree_days"]
