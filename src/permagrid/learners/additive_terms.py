"""Terms of an additive model: curves, straight lines and effects of classes, as columns and as fitted."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from permagrid.learners.row_wise import weighted_sum
from permagrid.learners.smoothing import Design
from permagrid.learners.splines import Basis, Curve, Knots, basis_of, curve_of

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Term:
    """What one column adds, as fitted."""

    column: int
    """Place of the column."""
    kind: str
    """``curve``, ``line``, ``classes`` or ``constant``, of a column that is the same in all training rows."""
    edf: float
    """Effective degrees of freedom."""
    smoothing: float | None = None
    """Smoothing parameter: of the integral of the squared second derivative of a curve, over the range of
    its column scaled to 1, or of the squared effects of classes."""
    slope: float = 0.0
    """Of a line."""
    centre: float = 0.0
    """Where a line is 0."""
    curve: Curve | None = None
    """What a curve is."""
    codes: Float = field(default_factory=lambda: np.zeros(0))
    """Known classes."""
    effects: Float = field(default_factory=lambda: np.zeros(0))
    """Their effects; that of an unknown class is 0."""

    def __call__(self, values: Float) -> Float:
        """Return what the term adds at values of its column."""
        if self.curve is not None:
            return self.curve(values)
        if self.kind == "line":
            return (values - self.centre) * self.slope
        if self.kind == "classes":
            same = values[:, np.newaxis] == self.codes
            return weighted_sum(np.asarray(same, dtype=float), self.effects)
        return np.zeros(len(values))


@dataclass(frozen=True, eq=False)
class Part:
    """Columns of a design for one term, each with weighted mean 0."""

    kind: str
    column: int
    columns: Float
    """Shape ``(n, m)``; of a curve and a line the first one is straight."""
    centre: float = 0.0
    spread: float = 1.0
    """The straight column is ``(value - centre) / spread``."""
    basis: Basis | None = None
    turn: Float = field(default_factory=lambda: np.zeros((0, 0)))
    """Coefficients of B-splines for each further column of a curve, shape ``(size, m - 1)``."""
    shift: Float = field(default_factory=lambda: np.zeros(0))
    """Means of those columns, or of those of classes."""
    codes: Float = field(default_factory=lambda: np.zeros(0))

    def fitted(self, coefficients: Float, freedom: Float, smoothing: float | None) -> tuple[Term, float]:
        """Return the term, and a constant that it leaves to the intercept."""
        edf = float(freedom.sum())
        if self.kind == "constant":
            return Term(self.column, "constant", 0.0), 0.0
        if self.kind == "classes":
            term = Term(
                self.column, "classes", edf, smoothing=smoothing, codes=self.codes, effects=coefficients
            )
            return term, -float(self.shift @ coefficients)
        slope = float(coefficients[0]) / self.spread
        if self.basis is None:
            return Term(self.column, "line", edf, slope=slope, centre=self.centre), 0.0
        straight = slope * (self.basis.centres - self.centre)
        bent = self.turn @ coefficients[1:] - float(self.shift @ coefficients[1:])
        curve = curve_of(self.basis, straight + bent)
        return Term(self.column, "curve", edf, smoothing=smoothing, curve=curve), 0.0


def part_of(values: Float, weights: Float, column: int, *, n_splines: int, knots: Knots) -> Part:
    """Return the columns of a curve, or of a line where there are too few distinct values for one.

    The B-splines are turned so that the first column is straight and the others are penalised by their
    squares alone, as in Wood (2017, section 5.8).
    """
    centre = float(np.average(values, weights=weights))
    spread = float(np.sqrt(np.average((values - centre) ** 2, weights=weights)))
    basis = basis_of(values, n_splines, knots)
    if spread <= 1e-12 * abs(centre) or len(np.unique(values)) < 2:
        return Part("constant", column, np.zeros((len(values), 0)))
    straight = ((values - centre) / spread)[:, np.newaxis]
    if basis is None:
        return Part("line", column, straight, centre, spread)
    # Of the roots of the penalty, two are 0: the constant and the straight part, which stand for themselves.
    _, roots, turns = np.linalg.svd(basis.bends(), full_matrices=False)
    turn = turns.T / roots
    bent = basis.columns(values) @ turn
    shift = np.average(bent, axis=0, weights=weights)
    return Part("curve", column, np.hstack([straight, bent - shift]), centre, spread, basis, turn, shift)


def classes_of(values: Float, weights: Float, column: int) -> Part:
    """Return a column for each class, which are penalised by their squares as random effects are."""
    codes = np.unique(values[~np.isnan(values)])
    hot = np.asarray(values[:, np.newaxis] == codes, dtype=float)
    shift = np.average(hot, axis=0, weights=weights)
    return Part("classes", column, hot - shift, shift=shift, codes=codes)


def design_of(
    parts: Sequence[Part], target: Float, weights: Float, *, shrink: bool, steady: float
) -> tuple[Design, list[slice], list[int]]:
    """Return the design of all terms, the columns of each, and the smoothing parameter of each, or -1.

    Parameters
    ----------
    parts
        Columns of the terms.
    target, weights
        What is observed.
    shrink
        Whether straight parts are penalised by smoothing parameters of their own.
    steady
        Penalty of the squares of straight parts that are not.
    """
    columns, group, fixed = [np.ones((len(target), 1))], [np.array([-1])], [np.zeros(1)]
    places, numbers, free, at = [], [], 0, 1
    for part in parts:
        width = part.columns.shape[1]
        mine, given = np.full(width, -1), np.zeros(width)
        numbers.append(-1)
        bent = 0 if part.kind == "classes" else 1
        if width > bent:
            mine[bent:], numbers[-1], free = free, free, free + 1
        if width and bent and shrink:
            mine[0], free = free, free + 1
        elif width and bent:
            given[0] = steady
        columns.append(part.columns)
        group.append(mine)
        fixed.append(given)
        places.append(slice(at, at + width))
        at += width
    design = Design(
        np.hstack(columns), target, weights, np.concatenate(group).astype(int), np.concatenate(fixed)
    )
    return design, places, numbers
