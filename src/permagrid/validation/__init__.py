"""Folds, scores, and the comparison of learners by out-of-fold predictions."""

from permagrid.validation.blocks import block
from permagrid.validation.buffered import buffered_leave_one_out
from permagrid.validation.candidate import Candidate, Choice, Choose, Fitted, fit
from permagrid.validation.comparison import (
    Comparison,
    Problem,
    compare,
    comparison_of,
    refuse_or_classes,
    scored,
)
from permagrid.validation.distances import FoldDistances, fold_distances, recommended
from permagrid.validation.folds import FOLDS, Folds
from permagrid.validation.groups import group_gains, without_groups
from permagrid.validation.importance import permutation_importance
from permagrid.validation.importance_fitted import fitted_importance
from permagrid.validation.importance_groups import correlated_groups
from permagrid.validation.knndm import knndm
from permagrid.validation.out_of_fold import Memory, Piece, Predicted, out_of_fold, predict_all
from permagrid.validation.paired import paired_differences
from permagrid.validation.regions import region
from permagrid.validation.scores import class_scores, value_scores
from permagrid.validation.split import epoch, holdout, random, site
from permagrid.validation.variogram import Variogram, fit_variogram

__all__ = [
    "FOLDS",
    "Candidate",
    "Choice",
    "Choose",
    "Comparison",
    "Fitted",
    "FoldDistances",
    "Folds",
    "Memory",
    "Piece",
    "Predicted",
    "Problem",
    "Variogram",
    "block",
    "buffered_leave_one_out",
    "class_scores",
    "compare",
    "comparison_of",
    "correlated_groups",
    "epoch",
    "fit",
    "fit_variogram",
    "fitted_importance",
    "fold_distances",
    "group_gains",
    "holdout",
    "knndm",
    "out_of_fold",
    "paired_differences",
    "permutation_importance",
    "predict_all",
    "random",
    "recommended",
    "refuse_or_classes",
    "region",
    "scored",
    "site",
    "value_scores",
    "without_groups",
]
