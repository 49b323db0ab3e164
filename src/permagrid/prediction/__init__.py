"""Wall-to-wall prediction of a fitted learner over a covariate stack."""
