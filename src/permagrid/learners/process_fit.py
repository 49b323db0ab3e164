"""Calibration of process models: bounded least squares from several starts, with classes held together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import qmc

from permagrid.learners.process_model import Float, Process
from permagrid.physics.climate import Columns

Misfit = Callable[[Float, Float], tuple[Float, Float]]
"""``(said, coefficients)`` gives the residuals of rows, shape ``(n,)``, and what is added to them."""

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


@dataclass(frozen=True)
class Rows:
    """The training rows of a process model."""

    columns: Columns
    """What its law needs."""
    codes: Float | None
    """Codes of its class covariate."""
    weights: Float
    """Weights, of mean 1."""


def calibrate(
    process: Process, rows: Rows, misfit: Misfit, *, begin: Callable[[Float], Sequence[float]], robust: bool
) -> tuple[Calibrated, Float]:
    """Return a process model calibrated to training rows, and the coefficients of the misfit.

    Parameters
    ----------
    process
        The model.
    rows
        The training rows.
    misfit
        Residuals, of what the law says and of coefficients that are fitted beside the parameters.
    begin
        Coefficients to begin with, of what the law says.
    robust
        Whether large residuals count by their size instead of their square.

    Notes
    -----
    Least squares by a trust region within bounds (Branch et al. 1999, doi:10.1137/S1064827595289108), from
    the best of points that are spread evenly over the ranges of the parameters. Each class has its own
    factor of the class parameter; factors are drawn to 1 as if so many rows of the class as `shrinkage` says
    had the common value. What the rows do not tell stays near where it began, a hundredth of a row.
    """
    fit = _Fit(process, rows, misfit)
    begins = [np.concatenate([start, begin(fit.said(start))]) for start in _starts(process)]
    if robust:
        fit.held *= fit.spread(begins[0])
    costs = [float(np.sum(fit.residuals(point) ** 2)) for point in begins]
    order = sorted(range(1, len(begins)), key=costs.__getitem__)
    found = [fit.solve(begins[index], robust=robust) for index in [0, *order][:_STARTS]]
    point = min(found, key=lambda each: each[1])[0]
    factors: dict[float, float] = {}
    if rows.codes is not None and process.class_parameter is not None:
        known, place = np.unique(rows.codes, return_inverse=True)
        point, logarithms = fit.solve_classes(point, place, len(known), robust=robust)
        factors = dict(zip(known.tolist(), np.exp(logarithms).tolist(), strict=True))
    size = len(process.free)
    return Calibrated(process, fit.values(point[:size]), factors), point[size:]


class _Fit:
    """Residuals of a process model as a function of a vector: places of parameters, then coefficients."""

    def __init__(self, process: Process, rows: Rows, misfit: Misfit) -> None:
        self.process, self.rows, self.misfit = process, rows, misfit
        self.root = np.sqrt(rows.weights)
        self.begin = np.array([each.place(each.start) for each in process.free])
        self.size, self.held = len(self.begin), _HELD

    def values(self, places: Float) -> dict[str, float]:
        free = {each.name: each.at(float(p)) for each, p in zip(self.process.free, places, strict=True)}
        return {**self.process.given, **free}

    def said(self, places: Float, logarithms: Float | None = None) -> Float:
        values: dict[str, Any] = self.values(places)
        name = self.process.class_parameter
        if logarithms is not None and name is not None:
            values[name] = _within(self.process, name, values[name] * np.exp(logarithms))
        return np.asarray(self.process.law(self.rows.columns, values))

    def residuals(self, point: Float, logarithms: Float | None = None, large: float | None = None) -> Float:
        """Return weighted residuals; from about `large` on their squares grow by size only."""
        found, added = self.misfit(self.said(point[: self.size], logarithms), point[self.size :])
        if large is not None:
            share = found / large
            found = large * np.sign(share) * np.sqrt(2.0 * (np.sqrt(1.0 + share**2) - 1.0))
        return np.concatenate([found * self.root, added, self.held * (point[: self.size] - self.begin)])

    def solve(self, begin: Float, *, robust: bool) -> tuple[Float, float]:
        """Return the vector of least squares that is found from a beginning, and its cost."""
        if not len(begin):
            return begin, 0.0
        bounds = self._bounds(len(begin))
        found = _least_squares(self.residuals, begin, bounds)
        if robust:
            large = _ROBUST * self.spread(found.x)
            found = _least_squares(lambda point: self.residuals(point, None, large), found.x, bounds)
        return np.asarray(found.x), float(found.cost)

    def solve_classes(self, point: Float, place: Any, many: int, *, robust: bool) -> tuple[Float, Float]:
        """Return the vector, and the logarithms of the factors of the classes."""
        size, rows = len(point), len(place)
        step = self.residuals(point, np.full(rows, _STEP)) - self.residuals(point, np.zeros(rows))
        held = np.sqrt(self.process.shrinkage * np.sum(step**2) / rows) / _STEP
        large = _ROBUST * self.spread(point) if robust else None

        def residuals(whole: Float) -> Float:
            own = whole[size:]
            return np.concatenate([self.residuals(whole[:size], own[place], large), held * own])

        lower, upper = self._bounds(size)
        ends = np.full(many, _FARTHEST)
        bounds = np.concatenate([lower, -ends]), np.concatenate([upper, ends])
        begin = np.concatenate([point, np.zeros(many)])
        found = np.asarray(_least_squares(residuals, begin, bounds).x)
        return found[:size], found[size:]

    def _bounds(self, size: int) -> tuple[Float, Float]:
        lower, upper = np.full(size, -np.inf), np.full(size, np.inf)
        lower[: self.size], upper[: self.size] = 0.0, 1.0
        return lower, upper

    def spread(self, point: Float) -> float:
        """Return how large residuals are, by their median, which outliers do not move."""
        sizes = np.abs(self.misfit(self.said(point[: self.size]), point[self.size :])[0])
        order = np.argsort(sizes, kind="stable")
        counted = np.cumsum(self.rows.weights[order])
        middle = sizes[order][np.searchsorted(counted, 0.5 * counted[-1])]
        return max(1.4826 * float(middle), 1e-6)


def _least_squares(function: Callable[[Float], Float], begin: Float, bounds: tuple[Float, Float]) -> Any:
    found = least_squares(function, np.clip(begin, *bounds), bounds=bounds, x_scale="jac")
    # Laws have kinks, such as that of TTOP at 0 °C, on which a search may come to a halt.
    return least_squares(function, np.clip(found.x, *bounds), bounds=bounds, x_scale="jac")


def _starts(process: Process) -> list[Float]:
    own = np.array([each.place(each.start) for each in process.free])
    if not len(own):
        return [own]
    return [own, *qmc.Halton(len(own), scramble=False).random(_TRIED + 1)[1:]]


def _within(process: Process, name: str, values: Float) -> Float:
    known = next(each for each in process.parameters if each.name == name)
    return np.clip(values, known.low, known.high)
