"""The table of learners that a study may name."""

from permagrid.learners.table import LEARNERS, build_learner

__all__ = ["LEARNERS", "build_learner"]
