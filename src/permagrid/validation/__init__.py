"""Folds, scores, and the comparison of learners by out-of-fold predictions."""

from permagrid.validation.comparison import Candidate, Comparison, Problem, compare, out_of_fold
from permagrid.validation.folds import FOLDS, Folds, block, random, site
from permagrid.validation.groups import group_gains, without_groups
from permagrid.validation.scores import class_scores, value_scores

__all__ = [
    "FOLDS",
    "Candidate",
    "Comparison",
    "Folds",
    "Problem",
    "block",
    "class_scores",
    "compare",
    "group_gains",
    "out_of_fold",
    "random",
    "site",
    "value_scores",
    "without_groups",
]
