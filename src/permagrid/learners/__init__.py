"""The table of learners that a study may name."""

from permagrid.learners import (
    additive,
    average,
    boosting,
    discriminant,
    gaussian_process,
    kriging,
    linear,
    neighbours,
    network,
    process,
    process_kudryavtsev,
    process_residual,
    quantile_forest,
    support_vectors,
    trees,
)
from permagrid.learners.chain import Chain, scaled
from permagrid.learners.classes import ClassEncoder, ClassEncoding
from permagrid.learners.setting import LEARNERS, Setting, Task
from permagrid.learners.table import build_learner, keywords_for
from permagrid.learners.traits import Traits, traits, traits_of

__all__ = [
    "LEARNERS",
    "Chain",
    "ClassEncoder",
    "ClassEncoding",
    "Setting",
    "Task",
    "Traits",
    "additive",
    "average",
    "boosting",
    "build_learner",
    "discriminant",
    "gaussian_process",
    "keywords_for",
    "kriging",
    "linear",
    "neighbours",
    "network",
    "process",
    "process_kudryavtsev",
    "process_residual",
    "quantile_forest",
    "scaled",
    "support_vectors",
    "traits",
    "traits_of",
    "trees",
]
