"""One member of a copula mixture: the distribution of an observation, given one learner's prediction."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from permagrid.ensemble.copulas import Copula
from permagrid.ensemble.marginals import Marginal, NormalMarginal, distribution_of
from permagrid.ensemble.mixture import Index
from permagrid.grid import Float

_NODES, _SHARES = np.polynomial.legendre.leggauss(16)
_TIED = 1e-9
"""Probability of one prediction alone from which on it counts as shared by many rows."""
_CHUNK = 1024
_WIDEST = 7.0
"""Normal score of the outermost ranks."""


@dataclass(frozen=True, eq=False)
class Ranks:
    """Where predictions stand among all predictions of their learner."""

    at: Float
    """Rank, between 0 and 1, shape ``(n,)``; where many share a prediction, the middle of theirs."""
    tied: Index
    """Rows whose prediction many share: an atom of its distribution."""
    low: Float
    """Least rank of the tied rows."""
    high: Float
    """Greatest rank of the tied rows."""

    @classmethod
    def of(cls, at: Float) -> "Ranks":
        """Return ranks that nobody shares."""
        return cls(at, np.empty(0, dtype=int), np.empty(0), np.empty(0))


@dataclass(frozen=True, eq=False)
class CopulaMember:
    """A learner, as its predictions are distributed and as they go with what is observed."""

    copula: Copula
    marginal: Marginal | NormalMarginal
    """Of the learner's predictions."""
    edge: float
    """Least rank of a prediction, and distance of the greatest from 1."""
    loglik: float = np.nan
    """Log pseudo-likelihood of the copula."""
    aic: float = np.nan
    placed: Marginal | None = None
    """Ranks at which predictions are placed, if not those among all predictions: see
    `permagrid.ensemble.anchoring`."""
    kept: float = 1.0
    """How much of what the copula corrects in the learner is kept."""

    @property
    def places(self) -> Marginal | NormalMarginal:
        """What tells the rank of a prediction."""
        return self.marginal if self.placed is None else self.placed

    def ranks(self, predictions: Float) -> Ranks:
        """Return the ranks of predictions, shape ``(n,)``; NaN stays NaN, what passes a bound is at it."""
        said = np.clip(predictions, self.places.lower, self.places.upper)
        high = np.clip(self.places.cdf(said), self.edge, 1.0 - self.edge)
        low = np.clip(self.places.cdf_below(said), self.edge, 1.0 - self.edge)
        missing = np.isnan(said)
        tied = np.flatnonzero((high - low > _TIED) & ~missing)
        middle = np.where(missing, np.nan, 0.5 * (low + high))
        return Ranks(middle, tied, low[tied], high[tied])

    def below(self, u: Float, ranks: Ranks) -> Float:
        """Return P(U <= u), given the ranks of predictions; `u` as many as these, shape ``(n,)``."""
        return self._given(self.copula.h, u, ranks)

    def density(self, u: Float, ranks: Ranks) -> Float:
        """Return the density of U at u, given the ranks of predictions."""
        return self._given(self.copula.pdf, u, ranks)

    def area(self, u: Float, widths: Float, ranks: Ranks) -> Float:
        """Return sums of widths times P(U <= u), given the ranks of predictions, shape ``(n,)``.

        Parameters
        ----------
        u, widths
            Shape ``(Y,)``.
        ranks
            Of predictions.
        """
        out = np.empty(len(ranks.at))
        for start in range(0, len(out), _CHUNK):
            part = ranks.at[start : start + _CHUNK]
            total = np.zeros(len(part))
            for width, row in zip(widths.tolist(), self.copula.h(u[:, None], part[None, :]), strict=True):
                total += width * row
            out[start : start + _CHUNK] = total
        for low, high in sorted(set(zip(ranks.low.tolist(), ranks.high.tolist(), strict=True))):
            same = np.full(len(u), low), np.full(len(u), high)
            shared = Ranks(same[0], np.arange(len(u)), *same)
            of = ranks.tied[(ranks.low == low) & (ranks.high == high)]
            out[of] = math.fsum(widths * self.below(u, shared))
        out[np.isnan(ranks.at)] = np.nan
        return out

    def rows(self, u: Float, size: int) -> "MemberRows":
        """Return P(U <= u) at predictions that are even in normal scores of their ranks.

        Parameters
        ----------
        u
            Ranks of observations, shape ``(Y,)``.
        size
            How many predictions.
        """
        lowest, highest = (0.0, 1.0) if self.placed is None else self.placed.heights[[0, -1]].tolist()
        least = max(self.edge, lowest, self.places.atom_lower, float(ndtr(-_WIDEST)))
        most = min(1.0 - self.edge, highest, 1.0 - self.places.atom_upper, float(ndtr(_WIDEST)))
        ranks = ndtr(np.linspace(ndtri(least), ndtri(most), size))
        at = np.maximum.accumulate(np.asarray(self.places.ppf(ranks), dtype=float))
        return MemberRows(
            at,
            np.asarray(self.copula.h(u[None, :], ranks[:, None])),
            self._atom(self.places.lower, self.places.atom_lower, u),
            self._atom(self.places.upper, self.places.atom_upper, u),
        )

    def plain(self) -> dict[str, Any]:
        """Return the member as numbers, texts, lists and mappings."""
        return {
            "copula": self.copula.plain(),
            "marginal": self.marginal.plain(),
            "edge": self.edge,
            "loglik": float(self.loglik),
            "aic": float(self.aic),
            "placed": None if self.placed is None else self.placed.plain(),
            "kept": self.kept,
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "CopulaMember":
        """Return the member that `plain` wrote."""
        return cls(
            Copula.of(plain["copula"]),
            distribution_of(plain["marginal"]),
            float(plain["edge"]),
            float(plain["loglik"]),
            float(plain["aic"]),
            None if plain["placed"] is None else Marginal.of(plain["placed"]),
            float(plain["kept"]),
        )

    def _given(self, function: Callable[[Float, Float], Float], u: Float, ranks: Ranks) -> Float:
        out = np.array(function(u, ranks.at), dtype=float)
        if len(ranks.tied):
            # An atom says no more than that the rank is one of its own: the mean over them.
            asked, width = u[ranks.tied], ranks.high - ranks.low
            total = np.zeros(len(ranks.tied))
            for node, share in zip(_NODES, _SHARES, strict=True):
                total += 0.5 * share * function(asked, ranks.low + 0.5 * (1.0 + node) * width)
            out[ranks.tied] = total
        out[np.isnan(ranks.at)] = np.nan
        return out

    def _atom(self, bound: float, mass: float, u: Float) -> tuple[float, Float] | None:
        if mass <= _TIED:
            return None
        ranks = self.ranks(np.full(len(u), bound))
        return bound, self.below(u, ranks)


@dataclass(frozen=True, eq=False)
class MemberRows:
    """The distribution of the rank of an observation at some predictions."""

    at: Float
    """Predictions, rising, shape ``(R,)``."""
    below: Float
    """P(U <= u), shape ``(R, Y)``."""
    lowest: tuple[float, Float] | None
    """The lower bound of predictions and the distribution there, if many share it."""
    highest: tuple[float, Float] | None
    """The same of the upper bound."""
