"""Folds, scores, and the comparison of learners by out-of-fold predictions."""
