"""Process models as a law with its numbers, alone or with a compiled learner of what they leave over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from permagrid.compiled.asked import asked_rows
from permagrid.compiled.combined import Compiled, none_elsewhere, outputs, seen
from permagrid.compiled.nodes import Float, Index
from permagrid.errors import PermagridError
from permagrid.physics.laws import (
    Law,
    frost_number_law,
    kudryavtsev_depth_law,
    kudryavtsev_temperature_law,
    stefan_law,
    ttop_law,
)

LAWS: dict[str, Law] = {
    law.__name__: law
    for law in (frost_number_law, ttop_law, stefan_law, kudryavtsev_temperature_law, kudryavtsev_depth_law)
}
Use = Literal["residual", "feature"]
_AT_A_TIME = 32_768
"""Rows that are taken at a time."""


@dataclass(frozen=True)
class ByClass:
    """The parameter of a law in which classes differ."""

    source: int
    """The covariate of classes."""
    parameter: str
    codes: tuple[float, ...]
    """Known classes; rising."""
    factors: tuple[float, ...]
    """By what each multiplies the parameter; an unknown class leaves it."""
    low: float
    """Least that the parameter can be,"""
    high: float
    """and most."""

    def of(self, codes: Float, common: float) -> Float:
        """Return the parameter of rows, of which that of all is known."""
        known, factors = np.array([*self.codes, np.inf]), np.array([*self.factors, 1.0])
        place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        factor = np.where(known[place] == codes, factors[place], 1.0)
        return np.clip(common * factor, self.low, self.high)


@dataclass(frozen=True, eq=False)
class CompiledProcess:
    """A calibrated process model, with the formulas and the roundings of its learner.

    Raises
    ------
    PermagridError
        If the law is unknown, or lacks a covariate or a parameter.
    """

    raw: int
    """Covariates of a row."""
    law: str
    """One of `LAWS`."""
    columns: Mapping[str, int]
    """What the law reads -> place of the covariate."""
    values: Mapping[str, float]
    """Parameter -> value."""
    factor: float = 1.0
    """By which what the law says is multiplied, for another unit."""
    by_class: ByClass | None = None
    line: tuple[float, float] | None = None
    """Level and slope of values over what the law says; these are the values if None."""
    scores: Float | None = None
    """Of classes: slope and level of each but the first, shape ``(classes - 1, 2)``."""
    even: float = 0.0
    """What the law says where the slopes begin."""

    def __post_init__(self) -> None:
        places = [*self.columns.values(), *([] if self.by_class is None else [self.by_class.source])]
        sound = self.law in LAWS and bool(places) and all(0 <= place < self.raw for place in places)
        if self.by_class is not None:
            codes, factors = self.by_class.codes, self.by_class.factors
            sound = sound and len(codes) == len(factors) and list(codes) == sorted(set(codes))
            sound = sound and self.by_class.parameter in self.values
        if self.scores is not None:
            sound = sound and self.scores.ndim == 2 and self.scores.shape[1] == 2 and len(self.scores) > 0
        try:
            if sound:
                self.say(np.ones((1, self.raw)))
        except KeyError:
            sound = False
        if not sound:
            raise PermagridError("a compiled estimator does not fit together: law of a process model")

    def say(self, rows: NDArray[np.floating[Any]], places: Index | slice = slice(None)) -> Float:
        """Return what the model says of some complete rows, in its own unit, shape ``(places,)``."""

        # Copies that lie together in memory: sums over strided numbers may end in another last digit.
        def column(place: int) -> Float:
            return np.ascontiguousarray(rows[places, place], dtype=float)

        columns = {role: column(place) for role, place in self.columns.items()}
        values: dict[str, Any] = dict(self.values)
        if self.by_class is not None:
            name = self.by_class.parameter
            values[name] = self.by_class.of(column(self.by_class.source), values[name])
        said = np.asarray(LAWS[self.law](columns, values))
        return said if self.factor == 1.0 else np.asarray(self.factor * said)

    def linked(self, said: Float) -> Float:
        """Return values, or probabilities of classes, of rows of which the model says so much."""
        if self.scores is not None:
            beyond = said - self.even
            columns = [np.zeros(len(said)), *(level + slope * beyond for slope, level in self.scores)]
            return _softmax(columns)
        return said if self.line is None else self.line[0] + self.line[1] * said

    def predict(self, rows: NDArray[np.floating[Any]], order: Index | None = None) -> Float:
        """Return values, shape ``(n,)``, or probabilities of classes, shape ``(n, classes)``.

        Rows with a missing value get none.

        Parameters
        ----------
        rows
            Shape ``(n, covariates)``, in any layout.
        order
            In which order rows are taken in hand; no prediction depends on it.

        Raises
        ------
        PermagridError
            If rows have another number of columns than there are covariates.
        """
        rows, places = asked_rows(rows, self.raw, order)
        width = () if self.scores is None else (len(self.scores) + 1,)
        out = np.full((len(rows), *width), np.nan)
        for start in range(0, len(places), _AT_A_TIME):
            own = places[start : start + _AT_A_TIME]
            out[own] = self.linked(self.say(rows, own))
        return out


@dataclass(frozen=True, eq=False)
class CompiledWithProcess:
    """A process model with a compiled learner: of its residuals, or with what it says as the last column.

    Raises
    ------
    PermagridError
        If the learner reads other columns than it is given, or a residual is none of values.
    """

    process: CompiledProcess
    learner: Compiled
    columns: tuple[int, ...] | None
    """Places of the covariates that the learner sees; None for all."""
    use: Use

    def __post_init__(self) -> None:
        of_values = self._shape() == () and self.process.scores is None
        if self.use not in ("residual", "feature") or (self.use == "residual" and not of_values):
            raise PermagridError("a compiled estimator does not fit together: a process model's learner")
        if not all(0 <= column < self.process.raw for column in self.columns or ()):
            raise PermagridError("a compiled estimator does not fit together: columns of a learner")

    def predict(self, rows: NDArray[np.floating[Any]], order: Index | None = None) -> Float:
        """Return predictions as `CompiledProcess.predict` does; rows with a missing value get none."""
        rows, places = asked_rows(rows, self.process.raw, order)
        if self.use == "residual":
            said = none_elsewhere(self.learner.predict(seen(rows, self.columns), order), places)
            for start in range(0, len(places), _AT_A_TIME):
                own = places[start : start + _AT_A_TIME]
                said[own] = self.process.linked(self.process.say(rows, own)) + said[own]
            return said
        out = np.full((len(rows), *self._shape()), np.nan)
        for start in range(0, len(places), _AT_A_TIME):
            own = places[start : start + _AT_A_TIME]
            chosen, more = seen(rows[own].astype(float), self.columns), self.process.say(rows, own)
            out[own] = self.learner.predict(np.column_stack([chosen, more]))
        return out

    def _shape(self) -> tuple[int, ...]:
        seen_by = self.process.raw if self.columns is None else len(self.columns)
        return outputs(self.learner, seen_by + (self.use == "feature"), None)


def process_of(estimator: Any) -> CompiledProcess | None:
    """Return the form of a fitted process model of a learner; None if its law is not one of `LAWS`.

    Parameters
    ----------
    estimator
        The learner's own, of values or of classes.
    """
    process, calibrated, names = estimator.process, estimator.calibrated_, list(estimator.covariates)
    law, factor = process.law, 1.0
    if type(law).__name__ == "Scaled":
        law, factor = law.law, float(law.factor)
    known = next((name for name, each in LAWS.items() if each is law), None)
    if known is None:
        return None
    by_class = None
    if process.soil_class is not None and process.class_parameter is not None:
        held = next(each for each in process.parameters if each.name == process.class_parameter)
        codes = sorted(calibrated.factors)
        by_class = ByClass(
            names.index(process.soil_class),
            held.name,
            tuple(map(float, codes)),
            tuple(float(calibrated.factors[code]) for code in codes),
            float(held.low),
            float(held.high),
        )
    line, scores, coefficients = None, None, np.asarray(estimator.coefficients_, dtype=float)
    if hasattr(estimator, "classes_"):
        more = len(estimator.classes_) - 1
        levels = coefficients[more:] if len(coefficients) > more else np.zeros(more)
        scores = np.stack([coefficients[:more], levels], axis=1)
    elif process.linear:
        line = (float(coefficients[0]), float(coefficients[1]))
    return CompiledProcess(
        int(estimator.n_features_in_),
        known,
        {role: names.index(name) for role, name in process.covariates.items()},
        {name: float(value) for name, value in calibrated.values.items()},
        factor,
        by_class,
        line,
        scores,
        float(process.even),
    )


def _softmax(columns: list[Float]) -> Float:
    largest = columns[0]
    for column in columns[1:]:
        largest = np.maximum(largest, column)
    powers = [np.exp(column - largest) for column in columns]
    total = np.zeros(len(largest))
    for power in powers:
        total = total + power
    return np.stack([power / total for power in powers], axis=1)
