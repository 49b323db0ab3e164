"""Traits of a learner: its tasks and search space, and whether it takes weights, directions and names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from permagrid.learners.setting import Task

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Traits:
    """What is known of a learner before it is built."""

    space: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Keyword -> the values to try, its search space; empty where there is nothing to choose."""
    tasks: tuple[Task, ...] = ("value", "class")
    """What it can be fitted to."""
    weights: bool = False
    """Whether ``fit`` takes ``sample_weight``."""
    monotone: bool = False
    """Whether it has the keyword ``monotone``, directions in which the target may go with a covariate."""
    by_name: bool = False
    """Whether it knows its covariates by their names and deals with classes itself."""
    grown: str | None = None
    """Keyword of which a fit with a large value contains the fits with smaller ones, if there is one."""
    shared: tuple[str, ...] = ()
    """Keywords that leave the costly part of a fit as it is: it is kept for fits to the same rows that follow
    each other and differ in no other keyword."""
    reads: Mapping[str, str] = field(default_factory=dict)
    """Keyword that names a covariate -> the unit in which it is read."""
    says: str | None = None
    """A unit of what it says of values, where that is one quantity only."""


_TRAITS: dict[str, Traits] = {}


def traits(**keywords: Any) -> Callable[[Function], Function]:
    """Return a decorator that states the `Traits` of a learner; its keywords are their fields.

    Examples
    --------
    >>> @traits(tasks=("value",), space={"depth": (1, 2)})
    ... def stumps(setting, *, depth=1):
    ...     return None
    >>> traits_of("stumps").tasks
    ('value',)
    """

    def state(learner: Function) -> Function:
        _TRAITS[learner.__name__] = Traits(**keywords)
        return learner

    return state


def traits_of(learner: str) -> Traits:
    """Return the traits of the learner of this name; the usual ones if it states none."""
    return _TRAITS.get(learner, Traits())
