"""Calibration of process models: bounded least squares from several starts, with classes held together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import qmc

from permagrid.learners.process_model import Float, Process
from permagrid.physics.climate import Columns

Misfit = Callable[[Float, Float], Float]
"""``(said, coefficients)`` gives residuals, shape ``(n,)`` or more, of what the law says."""

_TRIED, _STARTS = 64, 3
_FARTHEST = 2.0
"""Most that a class may differ from all, as the logarithm of a factor."""
_STEP = 1e-3
_HELD = 0.1
"""Root of the rows for which the beginning of a parameter counts where rows do not tell it."""
_ROBUST = 1.345
"""Standard deviations beyond which a residual counts less than squared."""


@dataclass(frozen=True)
class Calibrated:
    """A process model with values for all of its parameters."""

    process: Process
    values: Mapping[str, float]
    """Parameter -> value."""
    factors: Mapping[float, float] = field(default_factory=dict)
    """Code of a class -> factor of its parameter; 1 for a class that is not here."""

    def say(self, columns: Columns, codes: Float | None) -> Float:
        """Return what the model says of rows, each by itself."""
        values: dict[str, Any] = dict(self.values)
        name = self.process.class_parameter
        if codes is not None and name is not None:
            known = np.array([*sorted(self.factors), np.inf])
            factors = np.array([*(self.factors[code] for code in known[:-1]), 1.0])
            place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
            factor = np.where(known[place] == codes, factors[place], 1.0)
            values[name] = _within(self.process, name, values[name] * factor)
        return np.asarray(self.process.law(columns, values))


def calibrate(
    process: Process,
    columns: Columns,
    codes: Float | None,
    misfit: Misfit,
    *,
    begin: Callable[[Float], Sequence[float]],
    loss: Literal["linear", "soft_l1"],
) -> tuple[Calibrated, Float]:
    """Return a process model calibrated to training rows, and the coefficients of the misfit.

    Parameters
    ----------
    process
        The model.
    columns, codes
        What its law needs, and the codes of its class covariate, of the training rows.
    misfit
        Residuals, of what the law says and of coefficients that are fitted beside the parameters.
    begin
        Coefficients to begin with, of what the law says.
    loss
        ``soft_l1`` lets large residuals count by their size instead of their square.

    Notes
    -----
    Least squares by a trust region within bounds (Branch et al. 1999, doi:10.1137/S1064827595289108), from
    the best of points that are spread evenly over the ranges of the parameters. Each class has its own
    factor of the class parameter; factors are drawn to 1 as if so many rows of the class as `shrinkage` says
    had the common value. What the rows do not tell stays near
    where it began, a hundredth of a row.
    """
    fit = _Fit(process, columns, misfit, loss)
    starts = _starts(process)
    begins = [np.concatenate([start, begin(fit.said(start))]) for start in starts]
    fit.held *= fit.spread(begins[0])
    costs = [float(np.sum(fit.residuals(point, None) ** 2)) for point in begins]
    order = [0, *(index for index in np.argsort(costs, kind="stable") if index)][:_STARTS]
    best = min((fit.solve(begins[index]) for index in order), key=lambda found: float(found.cost))
    point = np.asarray(best.x)
    factors: dict[float, float] = {}
    if codes is not None and process.class_parameter is not None:
        known, place = np.unique(codes, return_inverse=True)
        found = fit.solve_classes(point, place, len(known))
        point, factors = (
            found[: len(point)],
            dict(zip(known.tolist(), np.exp(found[len(point) :]).tolist(), strict=True)),
        )
    size = len(process.free)
    return Calibrated(process, fit.values(point[:size]), factors), point[size:]


class _Fit:
    """Residuals of a process model as a function of a vector: places of parameters, then coefficients."""

    def __init__(self, process: Process, columns: Columns, misfit: Misfit, loss: str) -> None:
        self.process, self.columns, self.misfit, self.loss = process, columns, misfit, loss
        self.size = len(process.free)
        self.begin = np.array([each.place(each.start) for each in process.free])
        self.held = _HELD

    def values(self, places: Float) -> dict[str, float]:
        free = {each.name: each.at(float(p)) for each, p in zip(self.process.free, places, strict=True)}
        return {**self.process.given, **free}

    def said(self, places: Float, logarithms: Float | None = None) -> Float:
        values: dict[str, Any] = self.values(places)
        name = self.process.class_parameter
        if logarithms is not None and name is not None:
            values[name] = _within(self.process, name, values[name] * np.exp(logarithms))
        return np.asarray(self.process.law(self.columns, values))

    def residuals(self, point: Float, logarithms: Float | None) -> Float:
        found = self.misfit(self.said(point[: self.size], logarithms), point[self.size :])
        return np.concatenate([found, self.held * (point[: self.size] - self.begin)])

    def solve(self, begin: Float) -> Any:
        lower, upper = self._bounds(len(begin))
        if not len(begin):
            return _Nothing(begin, float(np.sum(self.residuals(begin, None) ** 2)))
        first = least_squares(lambda point: self.residuals(point, None), begin, bounds=(lower, upper))
        if self.loss == "linear":
            return first
        return least_squares(
            lambda point: self.residuals(point, None),
            np.clip(first.x, lower, upper),
            bounds=(lower, upper),
            loss=self.loss,
            f_scale=_ROBUST * self.spread(first.x),
        )

    def solve_classes(self, point: Float, place: Any, many: int) -> Float:
        """Return the vector with the logarithms of the factors of the classes behind it."""
        size = len(point)
        rows = len(place)
        step = self.residuals(point, np.full(rows, _STEP)) - self.residuals(point, np.zeros(rows))
        held = np.sqrt(self.process.shrinkage * np.sum(step**2) / rows) / _STEP

        def residuals(whole: Float) -> Float:
            own = whole[size:]
            return np.concatenate([self.residuals(whole[:size], own[place]), held * own])

        lower, upper = self._bounds(size)
        ends = np.full(many, _FARTHEST)
        found = least_squares(
            residuals,
            np.concatenate([np.clip(point, lower, upper), np.zeros(many)]),
            bounds=(np.concatenate([lower, -ends]), np.concatenate([upper, ends])),
            loss=self.loss,
            f_scale=_ROBUST * self.spread(point),
        )
        return np.asarray(found.x)

    def _bounds(self, size: int) -> tuple[Float, Float]:
        lower, upper = np.full(size, -np.inf), np.full(size, np.inf)
        lower[: self.size], upper[: self.size] = 0.0, 1.0
        return lower, upper

    def spread(self, point: Float) -> float:
        """Return how large residuals are, by their median, which outliers do not move; 1 of a deviance."""
        if self.loss == "linear":
            return 1.0
        return max(1.4826 * float(np.median(np.abs(self.residuals(point, None)))), 1e-9)


@dataclass(frozen=True)
class _Nothing:
    """The fit of a model of which all is given."""

    x: Float
    cost: float


def _starts(process: Process) -> list[Float]:
    own = np.array([each.place(each.start) for each in process.free])
    if not len(own):
        return [own]
    return [own, *qmc.Halton(len(own), scramble=False).random(_TRIED + 1)[1:]]


def _within(process: Process, name: str, values: Float) -> Float:
    known = next(each for each in process.parameters if each.name == name)
    return np.clip(values, known.low, known.high)
