"""Keywords of learners that are out of their range, refused in one sentence."""

from collections.abc import Mapping, Sequence
from typing import Literal

from permagrid.errors import PermagridError, did_you_mean
from permagrid.learners.setting import Setting

Directions = Mapping[str, Literal[-1, 1]]
"""Covariate -> 1 where the target may only rise with it, -1 where it may only fall."""
Balance = Literal["balanced"] | None
"""Weights of classes: by their inverse frequency, or none."""


def at_least(learner: str, least: float, **keywords: float | None) -> None:
    """Refuse keywords below `least`; None is one that is left out.

    Raises
    ------
    PermagridError
        If one is.

    Examples
    --------
    >>> at_least("random_forest", 1, max_depth=0)
    Traceback (most recent call last):
    permagrid.errors.PermagridError: random_forest: max_depth must be at least 1, found 0
    """
    for name, value in keywords.items():
        if value is not None and not value >= least:
            raise PermagridError(f"{learner}: {name} must be at least {least:g}, found {value:g}")


def above_zero(learner: str, **keywords: float | None) -> None:
    """Refuse keywords that are not above 0; None is one that is left out.

    Raises
    ------
    PermagridError
        If one is not.
    """
    for name, value in keywords.items():
        if value is not None and not value > 0:
            raise PermagridError(f"{learner}: {name} must be above 0, found {value:g}")


def share(learner: str, **keywords: float | None) -> None:
    """Refuse keywords that are no share above 0 to 1; None is one that is left out.

    Raises
    ------
    PermagridError
        If one is none.
    """
    for name, value in keywords.items():
        if value is not None and not 0 < value <= 1:
            raise PermagridError(f"{learner}: {name} is a share above 0 to 1, found {value:g}")


def for_classes_only(learner: str, setting: Setting, **keywords: object) -> None:
    """Refuse keywords that are for classes where the target is a value; None is one that is left out.

    Raises
    ------
    PermagridError
        If one is given.
    """
    for name, value in keywords.items():
        if setting.task == "value" and value is not None:
            raise PermagridError(f"{learner}: {name} is for classes, and the target is a value")


def for_values_only(learner: str, setting: Setting, **keywords: object) -> None:
    """Refuse keywords that are for values where the target is a class; None is one that is left out.

    Raises
    ------
    PermagridError
        If one is given.
    """
    for name, value in keywords.items():
        if setting.task == "class" and value is not None:
            raise PermagridError(f"{learner}: {name} is for values, and the target is a class")


def directions(learner: str, setting: Setting, monotone: Directions | None) -> list[int] | None:
    """Return the direction of each column, 1, -1 or 0 for none; None where nothing is said.

    Raises
    ------
    PermagridError
        If a direction is neither 1 nor -1, or is said of a covariate that the learner does not see or that
        holds classes.

    Examples
    --------
    >>> directions("lightgbm", Setting("value", 0, ("snow", "air")), {"air": 1})
    [0, 1]
    """
    if not monotone:
        return None
    for name, direction in monotone.items():
        if direction not in (1, -1):
            raise PermagridError(f"{learner}: monotone of {name} is 1 or -1, found {direction!r}")
        if name not in setting.covariates:
            hint = did_you_mean(name, setting.covariates)
            raise PermagridError(
                f"{learner}: monotone names {name!r}, a covariate that it does not see: {hint}"
            )
        if name in setting.classes:
            raise PermagridError(
                f"{learner}: monotone names {name}, which holds classes, and classes have no direction"
            )
    return [monotone.get(name, 0) for name in setting.covariates]


def whole_numbers(learner: str, least: int, **keywords: Sequence[int]) -> None:
    """Refuse lists that are empty or hold a number below `least`.

    Raises
    ------
    PermagridError
        If one does.
    """
    for name, values in keywords.items():
        if not values or min(values) < least:
            found = ", ".join(map(str, values)) or "none"
            raise PermagridError(f"{learner}: {name} needs numbers of at least {least}, found {found}")
