"""The table of learners that a study may name."""

from permagrid.learners.classes import ClassEncoder, ClassEncoding
from permagrid.learners.table import LEARNERS, build_learner

__all__ = ["LEARNERS", "ClassEncoder", "ClassEncoding", "build_learner"]
