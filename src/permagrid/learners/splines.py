"""Cubic B-splines of one covariate that go on straight beyond their ends, with a penalty of their bends."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline, PPoly

Float = NDArray[np.float64]
Knots = Literal["quantile", "equal"]

_DEGREE = 3
_FEWEST = _DEGREE + 1


@dataclass(frozen=True, eq=False)
class Basis:
    """Cubic B-splines between the least and the largest value seen."""

    knots: Float
    """All knots, with those at and beyond the ends."""
    lower: float
    """Least value seen."""
    upper: float
    """Largest value seen."""

    @property
    def size(self) -> int:
        """Number of B-splines."""
        return len(self.knots) - _FEWEST

    @property
    def centres(self) -> Float:
        """Coefficients of the straight line through the origin with slope 1 (Greville's abscissae)."""
        return np.asarray((self.knots[1:-3] + self.knots[2:-2] + self.knots[3:-1]) / 3)

    def columns(self, values: Float) -> Float:
        """Return the B-splines at values between the ends, shape ``(n, size)``."""
        inside = np.clip(values, self.lower, self.upper)
        return np.asarray(BSpline.design_matrix(inside, self.knots, _DEGREE).toarray())

    def bends(self) -> Float:
        """Return a matrix D, shape ``(size - 2, size)``, by which ``|D c|**2`` penalises a spline's bends.

        Its rows are second derivatives, at places one for each, times the root of the stretch for which each
        stands, so that the penalty is near the integral of the squared second derivative over the range,
        scaled to a length of 1. For equal knots they are second differences of neighbouring coefficients, as
        in Eilers and Marx (1996, doi:10.1214/ss/1038425655), up to a factor; for others, differences divided
        by the distances of knots, as in Li and Cao (2022, arXiv:2201.06808).
        """
        knots = (self.knots - self.lower) / (self.upper - self.lower)
        first = 3 * np.diff(np.eye(self.size), axis=0) / (knots[4:-1] - knots[1:-4])[:, np.newaxis]
        stretch = (knots[4:-2] - knots[2:-4]) / 2
        steps = np.diff(first, axis=0) / stretch[:, np.newaxis]
        return np.asarray(steps * np.sqrt(stretch)[:, np.newaxis])


def basis_of(values: Float, size: int, placement: Knots) -> Basis | None:
    """Return B-splines for the values of a covariate; None where there are fewer than four distinct ones.

    Parameters
    ----------
    values
        Values seen, in any order.
    size
        Number of B-splines, fewer where there are fewer distinct values.
    placement
        ``equal`` stretches between knots, or knots at ``quantile`` of the distinct values.

    Examples
    --------
    >>> basis_of(np.arange(5.0), 10, "equal").size
    5
    """
    distinct = np.unique(values)
    if len(distinct) < _FEWEST:
        return None
    size = min(size, len(distinct))
    lower, upper = float(distinct[0]), float(distinct[-1])
    if placement == "equal":
        stretch = (upper - lower) / (size - _DEGREE)
        knots = lower + stretch * np.arange(-_DEGREE, size + 1)
        # The ends themselves, which the sums above may miss by a rounding.
        knots[_DEGREE], knots[-_FEWEST] = lower, upper
    else:
        inner = np.quantile(distinct, np.linspace(0.0, 1.0, size - _DEGREE + 1)[1:-1])
        knots = np.concatenate([np.full(_FEWEST, lower), inner, np.full(_FEWEST, upper)])
    return Basis(np.asarray(knots, dtype=float), lower, upper)


@dataclass(frozen=True, eq=False)
class Curve:
    """A fitted spline, piece by piece, straight beyond its ends."""

    breaks: Float
    """Where pieces begin, and the upper end."""
    pieces: Float
    """Coefficients of cubic, square, straight and constant part of each piece, shape ``(4, pieces)``."""
    slopes: tuple[float, float]
    """Slopes below and above."""

    def __call__(self, values: Float) -> Float:
        """Return the curve at values; that of a value does not depend on those beside it."""
        inside = np.clip(values, self.breaks[0], self.breaks[-1])
        piece = np.clip(np.searchsorted(self.breaks, inside, side="right") - 1, 0, self.pieces.shape[1] - 1)
        along = inside - self.breaks[piece]
        height = self.pieces[0][piece]
        for part in self.pieces[1:]:
            height = height * along + part[piece]
        beyond = values - inside
        return np.asarray(height + beyond * np.where(beyond < 0, self.slopes[0], self.slopes[1]))


def curve_of(basis: Basis, coefficients: Float) -> Curve:
    """Return the spline with these coefficients of B-splines."""
    whole = PPoly.from_spline((basis.knots, coefficients, _DEGREE))
    # Knots at one place make pieces without length.
    kept = (whole.x[:-1] >= basis.lower) & (whole.x[1:] <= basis.upper) & (np.diff(whole.x) > 0)
    breaks = np.append(whole.x[:-1][kept], basis.upper)
    pieces = np.asarray(whole.c)[:, kept]
    length = breaks[-1] - breaks[-2]
    last = float(3 * pieces[0, -1] * length**2 + 2 * pieces[1, -1] * length + pieces[2, -1])
    return Curve(breaks, pieces, (float(pieces[2, 0]), last))
