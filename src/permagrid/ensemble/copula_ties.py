"""The copula of pairs of which many share a value, as where ice is zero: ranks are drawn as it has them."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from permagrid.ensemble.copula_fit import FittedCopula, fit_copula
from permagrid.ensemble.copulas import Copula, Family
from permagrid.grid import Float

_ROUNDS = 12
_ALL_FAMILIES = (3, 7, 11)
"""Rounds in which every family is tried, not only that of the round before."""
_TIED = 1e-9
_SWAPPED = {90: 270, 270: 90}


class Ranking(Protocol):
    """What a marginal tells of values."""

    def cdf(self, y: Float) -> Float:
        """Return P(Y <= y)."""

    def cdf_below(self, y: Float) -> Float:
        """Return P(Y < y)."""

    def pseudo(self, y: Float, seed: int) -> Float:
        """Return ranks, drawn evenly within point masses."""


def fit_tied_copula(
    observed: tuple[Ranking, Float],
    predicted: tuple[Ranking, Float],
    *,
    families: Sequence[Family],
    weights: Float,
    edge: float,
    seed: int,
) -> FittedCopula:
    """Return the copula that fits pairs best, whatever the ranks within point masses are.

    Parameters
    ----------
    observed, predicted
        Marginal and values, shape ``(n,)``.
    families
        Those to choose from.
    weights
        Of rows, shape ``(n,)``.
    edge
        Least rank, and distance of the greatest from 1.
    seed
        Of the ranks drawn.

    Notes
    -----
    Ranks drawn evenly within the point masses of both sides would be independent there, and the copula too
    weak everywhere (Genest and Nešlehová 2007, doi:10.2143/AST.37.2.2024077). They are drawn instead as the
    copula of the round before has them, given the other side, and the copula is fitted anew: stochastic EM
    (Celeux and Diebolt 1985), twelve rounds.
    """
    (u_low, u_high), (v_low, v_high) = (_range(*side, edge) for side in (observed, predicted))
    u = np.clip(observed[0].pseudo(observed[1], seed), edge, 1.0 - edge)
    v = np.clip(predicted[0].pseudo(predicted[1], seed + 1), edge, 1.0 - edge)
    fitted = fit_copula(u, v, families=families, weights=weights)
    tied_u, tied_v = u_high - u_low > _TIED, v_high - v_low > _TIED
    if not tied_u.any() and not tied_v.any():
        return fitted
    draw = np.random.default_rng([seed, _ROUNDS])
    for number in range(_ROUNDS):
        level = draw.random((2, len(u)))
        copula = fitted.copula
        swapped = Copula(copula.family, _SWAPPED.get(copula.rotation, copula.rotation), copula.parameters)
        u[tied_u] = _within(copula, u_low[tied_u], u_high[tied_u], v[tied_u], level[0, tied_u])
        v[tied_v] = _within(swapped, v_low[tied_v], v_high[tied_v], u[tied_v], level[1, tied_v])
        tried = families if number in _ALL_FAMILIES else (copula.family,)
        fitted = fit_copula(u, v, families=tried, weights=weights)
    return fitted


def _range(marginal: Ranking, values: Float, edge: float) -> tuple[Float, Float]:
    ends = (np.asarray(ask(values), dtype=float) for ask in (marginal.cdf_below, marginal.cdf))
    low, high = (np.clip(end, edge, 1.0 - edge) for end in ends)
    return low, high


def _within(copula: Copula, low: Float, high: Float, given: Float, level: Float) -> Float:
    """Return ranks between two, drawn by the copula, given those of the other side."""
    below, above = copula.h(low, given), copula.h(high, given)
    found = copula.h_inverse(below + level * (above - below), given)
    return np.asarray(np.clip(found, low, high))
