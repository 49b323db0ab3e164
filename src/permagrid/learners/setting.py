"""What a learner is built for: the task, the seed, and the columns that it will be given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from permagrid.registry import Table

Task = Literal["value", "class"]


@dataclass(frozen=True)
class Setting:
    """What a learner is built for, before its keywords.

    Examples
    --------
    >>> Setting("value", 0, ("bio1", "soil"), ("soil",)).classes
    ('soil',)
    """

    task: Task
    """``value`` or ``class``."""
    seed: int
    """Seed of whatever is drawn by chance."""
    covariates: tuple[str, ...] = ()
    """Names of the columns, in order; empty where they are not known."""
    classes: tuple[str, ...] = ()
    """Those that hold codes of classes that are to be kept apart."""


Learner = Callable[..., Any]
LEARNERS: Table[Learner] = Table("learner")
"""Learners ``(setting, *, ...) -> estimator`` of scikit-learn; their keywords are what a study may set."""
