"""Distributions of one variable: smoothed, bounded, with point masses at bounds, or normal."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from scipy.special import ndtr, ndtri

from permagrid.ensemble.smoothing import Tail, smoothed
from permagrid.errors import PermagridError
from permagrid.grid import Float

_CHANCE = 1.6449
"""Standard deviations that chance alone exceeds in one of twenty cases."""


class Distribution(Protocol):
    """What both kinds of marginal answer; arguments of any shape, results of the same."""

    @property
    def lower(self) -> float:
        """Return the least value, minus infinity where there is none."""

    @property
    def upper(self) -> float:
        """Return the greatest value, infinity where there is none."""

    @property
    def atom_lower(self) -> float:
        """Return the probability of `lower` itself."""

    @property
    def atom_upper(self) -> float:
        """Return the probability of `upper` itself."""

    def cdf(self, y: Float | float) -> Float:
        """Return P(Y <= y)."""

    def cdf_below(self, y: Float | float) -> Float:
        """Return P(Y < y)."""

    def pdf(self, y: Float | float) -> Float:
        """Return the density of the part without point masses."""

    def ppf(self, u: Float | float) -> Float:
        """Return the least y of which P(Y <= y) is at least u."""

    def pseudo(self, y: Float | float, seed: int) -> Float:
        """Return y as ranks between 0 and 1, drawn at random within point masses."""

    def plain(self) -> dict[str, Any]:
        """Return what JSON can hold, from which `distribution_of` makes the distribution again."""

    def describe(self) -> dict[str, Any]:
        """Return what a report tells of the distribution."""


@dataclass(frozen=True, eq=False)
class Marginal:
    """The distribution of a sample, smoothed, within bounds, with point masses where many values tie there.

    Examples
    --------
    >>> ice = Marginal.fit(np.r_[np.zeros(60), np.linspace(1.0, 80.0, 40)], lower=0.0, upper=100.0)
    >>> ice.atom_lower, float(ice.ppf(0.5)), float(ice.cdf(100.0))
    (0.6, 0.0, 1.0)
    """

    lower: float
    upper: float
    atom_lower: float
    """Probability of `lower` itself."""
    atom_upper: float
    """Probability of `upper` itself."""
    count: int
    """Values that it was fitted to."""
    bandwidth: float
    """Standard deviation of the kernel at typical values, in the unit of the values."""
    lower_tail: Tail
    upper_tail: Tail
    nodes: Float = field(repr=False)
    heights: Float = field(repr=False)
    """Distribution function at `nodes`, linear between them, from `atom_lower` to 1 - `atom_upper`."""

    @classmethod
    def fit(
        cls,
        values: Float,
        *,
        lower: float = -math.inf,
        upper: float = math.inf,
        weights: Float | None = None,
    ) -> "Marginal":
        """Return the smoothed distribution of values.

        Parameters
        ----------
        values
            Shape ``(n,)``, without NaN, none beyond the bounds.
        lower, upper
            What values cannot go below or above, such as 0 and 100 [%] of ice: kernels are reflected there.
        weights
            Of each value, shape ``(n,)``, 0 or more. All alike if left out.

        Raises
        ------
        PermagridError
            If a value is NaN, infinite or beyond the bounds, fewer than two different values lie inside them,
            or weights are not as said.

        Notes
        -----
        A bound has a point mass where it is the value of more rows than any other value is, by 1.645
        standard deviations of the difference of two Poisson counts: ties by rounding alone do not make one.
        Kernels, bandwidth and tails are those of `smoothing.smoothed`.
        """
        kept, shares = _checked(values, lower, upper, weights)
        atoms = [_atom(kept, shares, bound) for bound in (lower, upper)]
        inner = ~np.isin(kept, [b for b, atom in zip((lower, upper), atoms, strict=True) if atom > 0.0])
        different = np.unique(kept[inner])
        # Numbers that differ by rounding alone, as those of a learner that predicts one value, are one.
        if different.size < 2 or np.ptp(different) <= 1e-9 * np.abs(different).max():
            alike = f"all {len(kept)} values are {kept[0]:g}: " if np.allclose(kept, kept[0]) else ""
            there = "is one" if different.size else "are none"
            raise PermagridError(
                f"marginal: {alike}two different values between the bounds are the least to smooth, and "
                f"there {there}"
            )
        order = np.argsort(kept[inner], kind="stable")
        part = shares[inner][order]
        found = smoothed(kept[inner][order], part / part.sum(), lower, upper)
        heights = atoms[0] + (1.0 - atoms[0] - atoms[1]) * found.heights
        heights[-1] = 1.0 - atoms[1]
        return cls(
            float(lower),
            float(upper),
            atoms[0],
            atoms[1],
            len(kept),
            found.bandwidth,
            found.lower_tail,
            found.upper_tail,
            found.nodes,
            heights,
        )

    def cdf(self, y: Float | float) -> Float:
        """Return P(Y <= y): 0 below `lower` and 1 from `upper` on."""
        asked = np.asarray(y, dtype=float)
        found = np.interp(asked, self.nodes, self.heights)
        found = np.where(asked < self.lower, 0.0, found)
        return np.where(asked >= self.upper, 1.0, found)

    def cdf_below(self, y: Float | float) -> Float:
        """Return P(Y < y), which differs from `cdf` at point masses alone."""
        asked = np.asarray(y, dtype=float)
        found = np.interp(asked, self.nodes, self.heights)
        found = np.where(asked <= self.lower, 0.0, found)
        return np.where(asked > self.upper, 1.0, found)

    def pdf(self, y: Float | float) -> Float:
        """Return the density of the part without point masses: the slope of `cdf`."""
        asked = np.asarray(y, dtype=float)
        slopes = np.diff(self.heights) / np.diff(self.nodes)
        part = np.clip(np.searchsorted(self.nodes, asked, side="right") - 1, 0, len(slopes) - 1)
        found = np.where((asked < self.nodes[0]) | (asked > self.nodes[-1]), 0.0, slopes[part])
        return np.where(np.isnan(asked), np.nan, found)

    def ppf(self, u: Float | float) -> Float:
        """Return the least y of which P(Y <= y) is at least u; the ends of the table at 0 and 1."""
        asked = np.asarray(u, dtype=float)
        found = np.interp(asked, self.heights, self.nodes)
        if self.atom_lower > 0.0:
            found = np.where(asked <= self.atom_lower, self.lower, found)
        if self.atom_upper > 0.0:
            found = np.where(asked > self.heights[-1], self.upper, found)
        return np.asarray(found)

    def pseudo(self, y: Float | float, seed: int) -> Float:
        """Return y as ranks between 0 and 1, drawn at random within point masses.

        Parameters
        ----------
        y
            Any shape.
        seed
            Of the draws; that of a value depends on its position, so this is for fitting, not for maps.

        Returns
        -------
        Float
            From 0.5 / (n + 1) to 1 - 0.5 / (n + 1) of the n values fitted to, so that none is beyond what
            they can tell.
        """
        above, below = self.cdf(y), self.cdf_below(y)
        drawn = np.random.default_rng(seed).random(np.shape(y))
        edge = 0.5 / (self.count + 1.0)
        return np.clip(below + drawn * (above - below), edge, 1.0 - edge)

    def plain(self) -> dict[str, Any]:
        """Return what JSON can hold, from which `of` makes the distribution again, to the bit."""
        told = self.describe()
        return {**told, "kind": "smoothed", "nodes": self.nodes.tolist(), "heights": self.heights.tolist()}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Marginal":
        """Return the distribution that `plain` told."""
        lower, upper = plain["lower"], plain["upper"]
        return cls(
            lower=-math.inf if lower is None else lower,
            upper=math.inf if upper is None else upper,
            atom_lower=plain["atom_lower"],
            atom_upper=plain["atom_upper"],
            count=plain["count"],
            bandwidth=plain["bandwidth"],
            lower_tail=_tail_of(plain["lower_tail"]),
            upper_tail=_tail_of(plain["upper_tail"]),
            nodes=np.array(plain["nodes"], dtype=float),
            heights=np.array(plain["heights"], dtype=float),
        )

    def describe(self) -> dict[str, Any]:
        """Return what a report tells: bounds, point masses, bandwidth and tails, None where there is none."""
        return {
            "lower": self.lower if math.isfinite(self.lower) else None,
            "upper": self.upper if math.isfinite(self.upper) else None,
            "atom_lower": self.atom_lower,
            "atom_upper": self.atom_upper,
            "count": self.count,
            "bandwidth": self.bandwidth,
            "lower_tail": _plain_tail(self.lower_tail),
            "upper_tail": _plain_tail(self.upper_tail),
        }


@dataclass(frozen=True)
class NormalMarginal:
    """The normal distribution, for comparison with linear models.

    Examples
    --------
    >>> NormalMarginal(2.0, 3.0).ppf(0.5).item()
    2.0
    """

    mean: float
    sd: float
    """Standard deviation, above 0."""

    lower: float = field(default=-math.inf, init=False)
    upper: float = field(default=math.inf, init=False)
    atom_lower: float = field(default=0.0, init=False)
    atom_upper: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and 0.0 < self.sd < math.inf):
            raise PermagridError(
                f"marginal: a normal distribution needs a mean and a standard deviation above 0, not "
                f"{self.mean:g} and {self.sd:g}"
            )

    def cdf(self, y: Float | float) -> Float:
        """Return P(Y <= y)."""
        return np.asarray(ndtr((np.asarray(y, dtype=float) - self.mean) / self.sd))

    def cdf_below(self, y: Float | float) -> Float:
        """Return P(Y < y), which is `cdf`."""
        return self.cdf(y)

    def pdf(self, y: Float | float) -> Float:
        """Return the density."""
        apart = (np.asarray(y, dtype=float) - self.mean) / self.sd
        return np.asarray(np.exp(-0.5 * apart * apart) / (self.sd * math.sqrt(2.0 * math.pi)))

    def ppf(self, u: Float | float) -> Float:
        """Return the y of which P(Y <= y) is u."""
        return np.asarray(self.mean + self.sd * ndtri(np.asarray(u, dtype=float)))

    def pseudo(self, y: Float | float, seed: int) -> Float:
        """Return `cdf`: there are no point masses to draw within, nor a sample that sets a limit."""
        return self.cdf(y)

    def plain(self) -> dict[str, Any]:
        """Return what JSON can hold, from which `of` makes the distribution again."""
        return {"kind": "normal", "mean": self.mean, "sd": self.sd}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "NormalMarginal":
        """Return the distribution that `plain` told."""
        return cls(plain["mean"], plain["sd"])

    def describe(self) -> dict[str, Any]:
        """Return what a report tells."""
        return {"mean": self.mean, "sd": self.sd}


def distribution_of(plain: Mapping[str, Any]) -> Marginal | NormalMarginal:
    """Return the distribution of either kind that its `plain` told."""
    return NormalMarginal.of(plain) if plain["kind"] == "normal" else Marginal.of(plain)


def _checked(values: Float, lower: float, upper: float, weights: Float | None) -> tuple[Float, Float]:
    """Return the values that count, and their shares."""
    kept = np.asarray(values, dtype=float).ravel()
    if not kept.size or not np.isfinite(kept).all():
        lost = int((~np.isfinite(kept)).sum())
        raise PermagridError(f"marginal: {lost} of {kept.size} values are NaN or infinite, or there are none")
    if not lower < upper:
        raise PermagridError(f"marginal: the lower bound {lower:g} is not below the upper bound {upper:g}")
    outside = kept[(kept < lower) | (kept > upper)]
    if outside.size:
        raise PermagridError(
            f"marginal: {outside.size} of {kept.size} values lie beyond the bounds {lower:g} to {upper:g}, "
            f"such as {outside[0]:g}"
        )
    if weights is None:
        return kept, np.full(kept.size, 1.0 / kept.size)
    shares = np.asarray(weights, dtype=float).ravel()
    if shares.shape != kept.shape or not (np.isfinite(shares).all() and (shares >= 0).all() and shares.any()):
        raise PermagridError(
            f"marginal: weights of the {kept.size} values must be as many, finite and not negative, one "
            "above 0"
        )
    kept, shares = kept[shares > 0.0], shares[shares > 0.0]
    return kept, shares / shares.sum()


def _atom(values: Float, shares: Float, bound: float) -> float:
    """Return the point mass at a bound: 0 where ties there are no more than chance and rounding make."""
    there = values == bound
    ties = np.unique(values[~there], return_counts=True)[1]
    usual = int(ties.max()) if ties.size else 0
    many = int(there.sum())
    atom = many - usual > _CHANCE * math.sqrt(many + usual)
    return math.fsum(shares[there]) / math.fsum(shares) if atom else 0.0


def _plain_tail(tail: Tail) -> dict[str, Any]:
    return {"shape": None if math.isnan(tail.shape) else tail.shape, "heavy": tail.heavy}


def _tail_of(plain: Mapping[str, Any]) -> Tail:
    return Tail(math.nan if plain["shape"] is None else plain["shape"], plain["heavy"])
