"""The copula of pairs of which many share a value, as where ice is zero: by what is known of their ranks."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import ndtri

from permagrid.ensemble.copula_fit import FittedCopula, fit_copula
from permagrid.ensemble.copulas import FAMILIES, PARAMETERS, ROTATIONS, Copula, Family
from permagrid.ensemble.mixture import Index
from permagrid.grid import Float

_ROUNDS = 12
_TIED = 1e-9
_SWAPPED = {90: 270, 270: 90}
_FREEDOM = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Degrees of freedom of Student's t that are tried."""
_NEAR = 0.15
_LEAST = 1e-300

_PLACES: dict[Family, tuple[float, float, Callable[[float], float]]] = {
    "gaussian": (-0.98, 0.98, lambda tau: math.sin(0.5 * math.pi * tau)),
    "clayton": (1e-4, 0.97, lambda tau: 2.0 * tau / (1.0 - tau)),
    "gumbel": (0.0, 0.97, lambda tau: 1.0 / (1.0 - tau)),
    "frank": (-0.9999, 0.9999, lambda place: 8.0 * math.atanh(place) if place else 1e-9),
}
"""Range of a number that is Kendall's tau, or goes with it, and the parameter that it stands for."""


class Ranking(Protocol):
    """What a marginal tells of values."""

    def cdf(self, y: Float) -> Float:
        """Return P(Y <= y)."""

    def cdf_below(self, y: Float) -> Float:
        """Return P(Y < y)."""

    def pseudo(self, y: Float, seed: int) -> Float:
        """Return ranks, drawn evenly within point masses."""


Side = tuple[Ranking, Float]
"""A marginal, and the values of each row."""


def fit_tied_copula(
    observed: Side,
    predicted: Side,
    *,
    families: Sequence[Family],
    weights: Float,
    edge: float,
    seed: int,
) -> FittedCopula:
    """Return the copula that fits pairs best, of whose ranks point masses tell no more than a range.

    Parameters
    ----------
    observed, predicted
        Marginal and values, shape ``(n,)``.
    families
        Those to choose from.
    weights
        Of rows, shape ``(n,)``, mean 1.
    edge
        Least rank, and distance of the greatest from 1.
    seed
        Of ranks drawn evenly, by which the sign of the relation is told.

    Notes
    -----
    A copula of ranks drawn evenly within the point masses of both sides is too weak everywhere (Genest and
    Nešlehová 2007, doi:10.2143/AST.37.2.2024077). The likelihood here is that of what is known: the density
    where both ranks are, its integral over the range of one, or of both. Without ties it is `fit_copula`.
    """
    known = _Known.of(observed, predicted, edge, seed)
    u, v = known.drawn
    if len(known.alone[0]) == len(u):
        return fit_copula(u, v, families=families, weights=weights)
    against = float(np.sum(weights * ndtri(u) * ndtri(v))) < 0.0
    turned = (90, 270) if against else (0, 180)
    rows = []
    for family in FAMILIES:
        for rotation in turned if len(ROTATIONS[family]) > 1 else (0,):
            if family in families:
                copula, loglik = _best(family, rotation, lambda copula: known.loglik(copula, weights))
                rows.append((copula, loglik, 2.0 * PARAMETERS[family] - 2.0 * loglik))
    rows.sort(key=lambda row: row[2])
    told = [(copula.family, copula.rotation, copula.parameters, *scores) for copula, *scores in rows]
    tried = pd.DataFrame(told, columns=["family", "rotation", "parameters", "loglik", "aic"])
    return FittedCopula(*rows[0], tried)


def drawn_ranks(
    copula: Copula, observed: Side, predicted: Side, *, edge: float, seed: int
) -> tuple[Float, Float]:
    """Return ranks of pairs, within point masses drawn at random as a copula has them.

    Parameters
    ----------
    copula
        Of the pairs.
    observed, predicted, edge, seed
        As of `fit_tied_copula`.
    """
    known = _Known.of(observed, predicted, edge, seed)
    u, v = known.drawn
    draw = np.random.default_rng([seed, _ROUNDS])
    of_u, of_v = (np.flatnonzero(high - low > _TIED) for low, high in (known.of_u, known.of_v))
    # Given the other side, one side after the other, the draws come to be those of both (Gibbs sampling).
    for _ in range(_ROUNDS if len(of_u) or len(of_v) else 0):
        level = draw.random((2, len(u)))
        u[of_u] = _within(copula, known.of_u[0][of_u], known.of_u[1][of_u], v[of_u], level[0, of_u])
        turned, low, high = _swapped(copula), known.of_v[0][of_v], known.of_v[1][of_v]
        v[of_v] = _within(turned, low, high, u[of_v], level[1, of_v])
    return np.clip(u, edge, 1.0 - edge), np.clip(v, edge, 1.0 - edge)


@dataclass(frozen=True, eq=False)
class _Known:
    """What is known of the ranks of pairs."""

    drawn: tuple[Float, Float]
    """Ranks; drawn evenly within point masses."""
    of_u: tuple[Float, Float]
    of_v: tuple[Float, Float]
    """Least and greatest rank, the same where the rank is known."""
    alone: tuple[Index, Index, Index]
    """Rows of which both ranks are known, that of v alone, that of u alone."""
    boxes: tuple[Float, Index]
    """Different ranges of both, shape ``(b, 4)``, and the box of each row, -1 for none."""

    @classmethod
    def of(cls, observed: Side, predicted: Side, edge: float, seed: int) -> "_Known":
        """Return what the marginals of both sides tell."""
        drawn = tuple(
            np.clip(np.array(marginal.pseudo(values, seed + k)), edge, 1.0 - edge)
            for k, (marginal, values) in enumerate((observed, predicted))
        )
        u, v = (
            (np.asarray(marginal.cdf_below(values)), np.asarray(marginal.cdf(values)))
            for marginal, values in (observed, predicted)
        )
        tied_u, tied_v = u[1] - u[0] > _TIED, v[1] - v[0] > _TIED
        both = np.flatnonzero(tied_u & tied_v)
        boxes, place = np.unique(np.stack([*u, *v], axis=1)[both], axis=0, return_inverse=True)
        box = np.full(len(tied_u), -1)
        box[both] = place.ravel()
        alone = (~tied_u & ~tied_v, tied_u & ~tied_v, ~tied_u & tied_v)
        return cls(
            (drawn[0], drawn[1]),
            u,
            v,
            (np.flatnonzero(alone[0]), np.flatnonzero(alone[1]), np.flatnonzero(alone[2])),
            (boxes, box),
        )

    def loglik(self, copula: Copula, weights: Float) -> float:
        """Return the weighted log likelihood, by that of independence."""
        (u, v), (exact, ranged_u, ranged_v) = self.drawn, self.alone
        total = float(np.sum(weights[exact] * copula.logpdf(u[exact], v[exact])))
        for rows, given, (low, high), turned in (
            (ranged_u, v, self.of_u, copula),
            (ranged_v, u, self.of_v, _swapped(copula)),
        ):
            mass = turned.h(high[rows], given[rows]) - turned.h(low[rows], given[rows])
            total += float(np.sum(weights[rows] * _log(mass / (high[rows] - low[rows]))))
        for number, (u_low, u_high, v_low, v_high) in enumerate(self.boxes[0].tolist()):
            corners = copula.cdf(
                np.array([u_high, u_low, u_high, u_low]), np.array([v_high, v_high, v_low, v_low])
            )
            mass = corners[0] - corners[1] - corners[2] + corners[3]
            share = float(weights[self.boxes[1] == number].sum())
            total += share * float(_log(mass / ((u_high - u_low) * (v_high - v_low))))
        return total


def _best(family: Family, rotation: int, loglik: Callable[[Copula], float]) -> tuple[Copula, float]:
    """Return the copula of a family of the greatest likelihood, and this."""
    if family == "independence":
        return Copula("independence"), 0.0
    if family != "student_t":
        low, high, parameter = _PLACES[family]
        return _highest(lambda place: Copula(family, rotation, (parameter(place),)), low, high, loglik)
    low, high, parameter = _PLACES["gaussian"]
    centre = 2.0 / math.pi * math.asin(_best("gaussian", 0, loglik)[0].parameters[0])
    reach = max(low, centre - _NEAR), min(high, centre + _NEAR)
    found = []
    for freedom in _FREEDOM:
        made = partial(_student, parameter=parameter, freedom=freedom)
        found.append(_highest(made, *reach, loglik, steps=3))
    return max(found, key=lambda one: one[1])


def _student(tau: float, parameter: Callable[[float], float], freedom: float) -> Copula:
    return Copula("student_t", 0, (parameter(tau), freedom))


def _highest(
    made: Callable[[float], Copula],
    low: float,
    high: float,
    loglik: Callable[[Copula], float],
    steps: int = 12,
) -> tuple[Copula, float]:
    """Return the best copula of a range: the best of a few, refined between its neighbours."""
    places = np.linspace(low, high, steps)
    best = int(np.argmax([loglik(made(place)) for place in places.tolist()]))
    found = minimize_scalar(
        lambda place: -loglik(made(float(place))),
        bounds=(places[max(best - 1, 0)], places[min(best + 1, steps - 1)]),
        method="bounded",
        options={"xatol": 1e-5},
    )
    copula = made(float(found.x))
    return copula, loglik(copula)


def _swapped(copula: Copula) -> Copula:
    """Return the copula with its sides exchanged."""
    return Copula(copula.family, _SWAPPED.get(copula.rotation, copula.rotation), copula.parameters)


def _within(copula: Copula, low: Float, high: Float, given: Float, level: Float) -> Float:
    """Return ranks between two, drawn by the copula, given those of the other side."""
    below, above = copula.h(low, given), copula.h(high, given)
    found = copula.h_inverse(below + level * (above - below), given)
    return np.asarray(np.clip(found, low, high))


def _log(mass: Float) -> Float:
    return np.asarray(np.log(np.maximum(mass, _LEAST)))
