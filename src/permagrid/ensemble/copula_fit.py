"""The copula that goes best with pairs of ranks, by pseudo-likelihood and AIC, and whether it goes well."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numba import njit
from scipy.optimize import minimize_scalar
from scipy.special import ndtri, stdtrit
from scipy.stats import rankdata

from permagrid.ensemble.copulas import FAMILIES, PARAMETERS, ROTATIONS, Copula, Family, student_log_density
from permagrid.errors import PermagridError
from permagrid.grid import Float

_FEWEST = 10
_MOST_ROWS = 500
_TRIED = 12
"""Values of a parameter that are looked at before the best of them is refined."""

_FREEDOM = (1.0, 100.0)
"""Degrees of freedom of Student's t that are tried; with more it is all but the Gaussian."""

_REACH: dict[Family, tuple[float, float]] = {
    "gaussian": (-0.99, 0.99),
    "clayton": (1e-6, 0.98),
    "gumbel": (0.0, 0.98),
    "frank": (-100.0, 100.0),
}
"""Range in which the one parameter is sought: Kendall's tau, but for Frank's, which has no closed form."""

_OF_TAU: dict[Family, Callable[[float], float]] = {
    "gaussian": lambda tau: math.sin(math.pi * tau / 2.0),
    "clayton": lambda tau: 2.0 * tau / (1.0 - tau),
    "gumbel": lambda tau: 1.0 / (1.0 - tau),
    "frank": lambda theta: theta if theta else 1e-9,
}


@dataclass(frozen=True, eq=False)
class FittedCopula:
    """A copula, how well it fits, and what else was tried."""

    copula: Copula
    loglik: float
    """Weighted sum of log densities, with weights of mean 1."""
    aic: float
    """Twice the number of parameters less twice `loglik`: the lower, the better."""
    tried: pd.DataFrame = field(repr=False)
    """What was tried, best first: family, rotation, parameters, loglik, aic."""


def fit_copula(
    u: Float, v: Float, *, families: Sequence[Family] = FAMILIES, weights: Float | None = None
) -> FittedCopula:
    """Return the copula that fits pseudo-observations best.

    Parameters
    ----------
    u, v
        Ranks of observations and of their predictions, shape ``(n,)``, between 0 and 1, as `Marginal.pseudo`
        returns them.
    families
        Those to choose from.
    weights
        Of each row, shape ``(n,)``, 0 or more, of which only the ratios count. All alike if left out.

    Raises
    ------
    PermagridError
        If there are fewer than 10 rows, ranks are not between 0 and 1, weights are not as said, or there is
        no such family.

    Notes
    -----
    Greatest pseudo-likelihood (Genest, Ghoudi and Rivest 1995, doi:10.1093/biomet/82.3.543) of each family,
    over its whole range; least AIC, the family named first of those as good. Clayton's and Gumbel's are tried
    as they are and in their survival form, or turned by 90 and 270 degrees where the normal scores of u and v
    go against each other.

    Examples
    --------
    >>> pairs = Copula("clayton", 0, (2.0,)).draw(500, seed=1)
    >>> found = fit_copula(*pairs)
    >>> found.copula.family, found.copula.rotation
    ('clayton', 0)
    """
    pair, shares = _checked(u, v, families, weights)
    against = float(np.sum(shares * ndtri(pair[0]) * ndtri(pair[1]))) < 0.0
    turned = (90, 270) if against else (0, 180)
    rows = []
    for family in FAMILIES:
        if family not in families:
            continue
        for rotation in turned if len(ROTATIONS[family]) > 1 else (0,):
            copula = _fitted(family, rotation, pair, shares)
            loglik = math.fsum(shares * copula.logpdf(*pair))
            rows.append((copula, loglik, 2.0 * PARAMETERS[family] - 2.0 * loglik))
    rows.sort(key=lambda row: row[2])
    tried = pd.DataFrame(
        [
            {
                "family": copula.family,
                "rotation": copula.rotation,
                "parameters": copula.parameters,
                "loglik": loglik,
                "aic": aic,
            }
            for copula, loglik, aic in rows
        ]
    )
    return FittedCopula(*rows[0], tried)


def goodness_of_fit(copula: Copula, u: Float, v: Float, *, draws: int = 200, seed: int) -> float:
    """Return how often pairs of this family would by chance lie as far from it as these do.

    Parameters
    ----------
    copula
        What was fitted. Its family, rotation and degrees of freedom are put to the test; its other parameter
        is fitted anew to the ranks of the rows looked at, as it is to each draw.
    u, v
        Ranks of observations and of their predictions, shape ``(n,)``.
    draws
        Samples drawn from the copula.
    seed
        Of the draws, and of the 500 rows that are looked at where there are more.

    Returns
    -------
    float
        Below 0.05, say, the copula does not go well with the pairs. Of a few hundred rows or more even slight
        misfit is found; what it does to intervals is told by their coverage.

    Raises
    ------
    PermagridError
        If there are fewer than 10 rows, ranks are not between 0 and 1, or there is not one draw.

    Notes
    -----
    Parametric bootstrap of the Cramér-von Mises distance between the copula and the empirical one (Genest,
    Rémillard and Beaudoin 2009, doi:10.1016/j.insmatheco.2007.10.005). Rows are taken for independent: of
    rows that are alike near by, as boreholes are, p comes out too small.
    """
    if draws < 1:
        raise PermagridError(f"copula: goodness of fit needs one draw or more, not {draws}")
    pair, _ = _checked(u, v, FAMILIES, None)
    generator = np.random.default_rng(seed)
    if pair.shape[1] > _MOST_ROWS:
        pair = pair[:, np.sort(generator.choice(pair.shape[1], _MOST_ROWS, replace=False))]
    count = pair.shape[1]
    seeds = generator.integers(2**31, size=draws).tolist()
    fitted, observed = _distance(copula, pair)
    farther = sum(_distance(copula, np.stack(fitted.draw(count, each)))[1] >= observed for each in seeds)
    return (0.5 + farther) / (draws + 1.0)


def _distance(copula: Copula, pair: Float) -> tuple[Copula, float]:
    """Return the copula of this family fitted to ranks, and its distance from theirs."""
    ranks = np.stack([rankdata(side) for side in pair]) / (pair.shape[1] + 1.0)
    shares = np.ones(pair.shape[1])
    freedom = copula.parameters[1] if copula.family == "student_t" else None
    fitted = _fitted(copula.family, copula.rotation, ranks, shares, freedom)
    apart = _empirical(ranks[0], ranks[1]) - fitted.cdf(ranks[0], ranks[1])
    return fitted, float(np.sum(apart**2))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _empirical(u: Float, v: Float) -> Float:
    """Return the share of pairs that exceed each pair in neither."""
    found = np.zeros(len(u))
    for i in range(len(u)):
        for j in range(len(u)):
            if u[j] <= u[i] and v[j] <= v[i]:
                found[i] += 1.0
    return found / len(u)


def _fitted(
    family: Family, rotation: int, pair: Float, shares: Float, freedom: float | None = None
) -> Copula:
    """Return the copula of a family of the greatest likelihood."""
    if family == "independence":
        return Copula("independence")
    if family == "student_t":
        return _fitted_student(pair, shares, freedom)

    def made(place: float) -> Copula:
        return Copula(family, rotation, (_OF_TAU[family](place),))

    return made(_highest(lambda place: float(np.sum(shares * made(place).logpdf(*pair))), _REACH[family]))


def _fitted_student(pair: Float, shares: Float, freedom: float | None) -> Copula:
    """Return Student's t copula of the greatest likelihood, with given degrees of freedom or the best."""

    def correlation_of(df: float) -> tuple[float, float]:
        x, z = stdtrit(df, pair[0]), stdtrit(df, pair[1])

        def loglik(tau: float) -> float:
            return float(np.sum(shares * student_log_density(x, z, _OF_TAU["gaussian"](tau), df)))

        tau = _highest(loglik, _REACH["gaussian"])
        return _OF_TAU["gaussian"](tau), loglik(tau)

    if freedom is None:
        reach = (1.0 / _FREEDOM[1], 1.0 / _FREEDOM[0])
        freedom = 1.0 / _highest(lambda part: correlation_of(1.0 / part)[1], reach, tried=4)
    return Copula("student_t", 0, (correlation_of(freedom)[0], freedom))


def _highest(function: Callable[[float], float], reach: tuple[float, float], tried: int = _TRIED) -> float:
    """Return where a function is highest: the best of a few places, refined between its neighbours."""
    places = np.linspace(*reach, tried)
    best = int(np.argmax([function(place) for place in places.tolist()]))
    around = (float(places[max(best - 1, 0)]), float(places[min(best + 1, tried - 1)]))
    found = minimize_scalar(
        lambda place: -function(float(place)),
        bounds=around,
        method="bounded",
        options={"xatol": 1e-7 * (reach[1] - reach[0])},
    )
    return float(found.x)


def _checked(u: Float, v: Float, families: Sequence[Family], weights: Float | None) -> tuple[Float, Float]:
    """Return the pairs that count, shape ``(2, n)``, and their weights, of mean 1."""
    unknown = [family for family in families if family not in FAMILIES]
    if unknown or not families:
        named = f"there is no family {unknown[0]!r}" if unknown else "no family is named"
        raise PermagridError(f"copula: {named}; known: {', '.join(FAMILIES)}")
    first, second = np.asarray(u, dtype=float).ravel(), np.asarray(v, dtype=float).ravel()
    if first.shape != second.shape:
        raise PermagridError(f"copula: {first.size} ranks of observations, but {second.size} of predictions")
    pair = np.stack([first, second])
    if not ((pair > 0.0) & (pair < 1.0)).all():
        raise PermagridError("copula: ranks must lie between 0 and 1, neither of them nor NaN")
    shares = np.ones(first.size) if weights is None else np.asarray(weights, dtype=float).ravel()
    if shares.shape != first.shape or not (np.isfinite(shares).all() and (shares >= 0.0).all()):
        raise PermagridError(
            f"copula: weights of the {first.size} rows must be as many, finite, not negative"
        )
    pair, shares = pair[:, shares > 0.0], shares[shares > 0.0]
    if shares.size < _FEWEST:
        raise PermagridError(f"copula: {shares.size} rows with weight are too few, {_FEWEST} are the least")
    return pair, shares / math.fsum(shares) * shares.size
