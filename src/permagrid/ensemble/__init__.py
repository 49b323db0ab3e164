"""Room of the ensemble: several learners joined into one predictive distribution, and its members."""
