"""What a process model is to a learner: the covariates it reads, its parameters, and its law."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from permagrid.errors import PermagridError, did_you_mean
from permagrid.physics.laws import RANGES, Law, check_ranges

Float = NDArray[np.float64]

_WIDE = 20.0
"""A range whose ends differ by more than this factor is searched by factors, not by steps."""


@dataclass(frozen=True)
class Parameter:
    """One number of a process model, given or to be calibrated within its physical range."""

    name: str
    """Keyword in a study file."""
    low: float
    """Least that it can be."""
    high: float
    """Most that it can be."""
    start: float
    """Where its calibration begins."""
    value: float | None = None
    """Its value where it is given; None where it is calibrated."""

    @property
    def by_factors(self) -> bool:
        """Return whether its range is wide enough to be searched by factors."""
        return self.low > 0 and self.high > _WIDE * self.low

    def place(self, value: float) -> float:
        """Return where a value lies in the range, 0 to 1."""
        if self.by_factors:
            return float(np.log(value / self.low) / np.log(self.high / self.low))
        return (value - self.low) / (self.high - self.low)

    def at(self, place: float) -> float:
        """Return the value at a place of the range, 0 to 1."""
        if self.by_factors:
            return float(self.low * (self.high / self.low) ** place)
        return self.low + place * (self.high - self.low)


@dataclass(frozen=True)
class Process:
    """A process model with the covariates and the parameters that a study gives it."""

    name: str
    """Name in the table of learners."""
    covariates: Mapping[str, str]
    """What the law needs -> name of the covariate that holds it."""
    parameters: tuple[Parameter, ...]
    """Those that are given, and those that are calibrated."""
    law: Law = field(repr=False)
    """What it says of a row."""
    even: float = 0.0
    """What it says where permafrost is as likely as not."""
    linear: bool = False
    """Whether values are a straight line of what it says, as of a frost number, and not that itself."""
    soil_class: str | None = None
    """Covariate of classes, each of which has its own value of one parameter."""
    class_parameter: str | None = None
    """That parameter."""
    shrinkage: float = 10.0
    """Rows for which the value common to all classes counts in each class."""

    @property
    def free(self) -> tuple[Parameter, ...]:
        """Return the parameters that are calibrated."""
        return tuple(each for each in self.parameters if each.value is None)

    @property
    def given(self) -> dict[str, float]:
        """Return the parameters whose values are given."""
        return {each.name: each.value for each in self.parameters if each.value is not None}

    def columns(self, X: ArrayLike, names: Sequence[str]) -> dict[str, Float]:
        """Return the columns that the law needs, of rows whose columns have these names."""
        rows = np.asarray(X, dtype=float)
        if rows.ndim != 2 or rows.shape[1] != len(names):
            raise PermagridError(
                f"{self.name} knows its covariates by name: {len(names)} names for rows of shape {rows.shape}"
            )
        # Copies that lie together in memory: a sum over strided numbers may end in another last digit.
        return {
            role: np.ascontiguousarray(rows[:, list(names).index(name)])
            for role, name in self.covariates.items()
        }


def check_covariates(process: Process, names: Sequence[str]) -> None:
    """Refuse a process model that reads covariates which the learner does not see.

    Raises
    ------
    PermagridError
        If there is one. Nothing is refused where names are not known.
    """
    wanted = dict(process.covariates)
    if process.soil_class is not None:
        wanted["soil_class"] = process.soil_class
    for role, name in wanted.items():
        if names and name not in names:
            raise PermagridError(
                f"{process.name}: {role} names {name!r}, a covariate that it does not see: "
                f"{did_you_mean(name, names)}"
            )


def parameters(model: str, values: Mapping[str, float | None]) -> tuple[Parameter, ...]:
    """Return the parameters of a model, given where they have a value, calibrated where it is None.

    Raises
    ------
    PermagridError
        If a value is outside of what is physical.

    Examples
    --------
    >>> parameters("ttop", {"thawing_n_factor": 7.0})
    Traceback (most recent call last):
    permagrid.errors.PermagridError: ttop: thawing_n_factor must be 0.2 to 1.8, found 7
    """
    check_ranges(model, model, values)
    return tuple(
        Parameter(name, *RANGES[model][name], None if value is None else float(value))
        for name, value in values.items()
    )
