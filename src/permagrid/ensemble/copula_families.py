"""Density, distribution and conditional distribution of Clayton's, Gumbel's and Frank's copulas, by value."""

import math

from numba import njit, vectorize

_STEPS = 60
"""Newton steps at most; eight are enough nearly always."""


@njit(cache=True)  # type: ignore[untyped-decorator]
def _log_sum(a: float, b: float) -> float:
    """Return log(exp(a) + exp(b))."""
    high, low = (a, b) if a > b else (b, a)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _log_less_one(a: float) -> float:
    """Return log(exp(a) - 1) of a positive a."""
    return math.log(math.expm1(a)) if a < 1.0 else a + math.log1p(-math.exp(-a))


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def clayton_log_density(u: float, v: float, theta: float) -> float:
    """Return the log density of C = (u**-theta + v**-theta - 1)**(-1/theta), theta > 0."""
    a, b = -theta * math.log(u), -theta * math.log(v)
    total: float = b + _log_sum(0.0, _log_less_one(a) - b)
    return math.log1p(theta) + (1.0 + 1.0 / theta) * (a + b) - (2.0 + 1.0 / theta) * total


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def clayton_cdf(u: float, v: float, theta: float) -> float:
    """Return C(u, v)."""
    a, b = -theta * math.log(u), -theta * math.log(v)
    return math.exp(-(b + _log_sum(0.0, _log_less_one(a) - b)) / theta)


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def clayton_h(u: float, v: float, theta: float) -> float:
    """Return P(U <= u | V = v)."""
    a, b = -theta * math.log(u), -theta * math.log(v)
    return math.exp(-(1.0 + 1.0 / theta) * _log_sum(0.0, _log_less_one(a) - b))


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def clayton_h_inverse(q: float, v: float, theta: float) -> float:
    """Return the u of which P(U <= u | V = v) is q."""
    b = -theta * math.log(v)
    grown = -math.log(q) * theta / (1.0 + theta)
    return math.exp(-_log_sum(0.0, b + _log_less_one(grown)) / theta)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _gumbel_ratio(x: float, z: float, theta: float) -> float:
    """Return log(A / z) of A = (x**theta + z**theta)**(1/theta)."""
    return float(_log_sum(0.0, theta * (math.log(x) - math.log(z))) / theta)


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def gumbel_log_density(u: float, v: float, theta: float) -> float:
    """Return the log density of C = exp(-A), A**theta = (-log u)**theta + (-log v)**theta, theta >= 1."""
    x, z = -math.log(u), -math.log(v)
    ratio: float = _gumbel_ratio(x, z, theta)
    grown = z * math.exp(ratio)
    return (
        x
        - z * math.expm1(ratio)
        + (theta - 1.0) * (math.log(x) - math.log(z) - ratio)
        - theta * ratio
        - math.log(z)
        + math.log(grown + theta - 1.0)
    )


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def gumbel_cdf(u: float, v: float, theta: float) -> float:
    """Return C(u, v)."""
    x, z = -math.log(u), -math.log(v)
    return math.exp(-z * math.exp(_gumbel_ratio(x, z, theta)))


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def gumbel_h(u: float, v: float, theta: float) -> float:
    """Return P(U <= u | V = v)."""
    x, z = -math.log(u), -math.log(v)
    ratio: float = _gumbel_ratio(x, z, theta)
    return math.exp(-z * math.expm1(ratio) - (theta - 1.0) * ratio)


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def gumbel_h_inverse(q: float, v: float, theta: float) -> float:
    """Return the u of which P(U <= u | V = v) is q.

    With s = log(A / z), -log q = z (exp(s) - 1) + (theta - 1) s, which rises and is convex in s: Newton's
    method comes down to its root from any point above it and cannot miss.
    """
    z, wanted = -math.log(v), -math.log(q)
    s = math.log1p(wanted / z)
    if theta > 1.0:
        s = min(s, wanted / (theta - 1.0))
    for _ in range(_STEPS):
        step = (z * math.expm1(s) + (theta - 1.0) * s - wanted) / (z * math.exp(s) + theta - 1.0)
        if step <= 1e-16 * s:
            break
        s -= step
    if s <= 0.0:
        return 1.0
    return math.exp(-math.exp(math.log(z) + _log_less_one(theta * s) / theta))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _frank_sum(u: float, v: float, theta: float) -> float:
    """Return (1 - exp(-theta)) exp(-theta C(u, v)) of theta > 0, without a difference of near numbers."""
    return -math.exp(-theta * u) * math.expm1(-theta * v) - math.exp(-theta * v) * math.expm1(
        -theta * (1.0 - v)
    )


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def frank_log_density(u: float, v: float, theta: float) -> float:
    """Return the log density of Frank's copula, theta > 0."""
    rest = -math.expm1(-theta)
    return math.log(theta) + math.log(rest) - theta * (u + v) - 2.0 * math.log(_frank_sum(u, v, theta))


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def frank_cdf(u: float, v: float, theta: float) -> float:
    """Return C(u, v)."""
    rest = -math.expm1(-theta)
    share = math.expm1(-theta * u) * math.expm1(-theta * v) / rest
    if share < 0.5:
        return -math.log1p(-share) / theta
    return -math.log(_frank_sum(u, v, theta) / rest) / theta


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def frank_h(u: float, v: float, theta: float) -> float:
    """Return P(U <= u | V = v)."""
    total: float = _frank_sum(u, v, theta)
    return -math.exp(-theta * v) * math.expm1(-theta * u) / total


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def frank_h_inverse(q: float, v: float, theta: float) -> float:
    """Return the u of which P(U <= u | V = v) is q."""
    near = math.exp(-theta * v)
    total = near - q * math.expm1(-theta * v)
    share = -q * math.expm1(-theta) / total
    if share < 0.5:
        return -math.log1p(-share) / theta
    return -math.log((near * (1.0 - q) + q * math.exp(-theta)) / total) / theta
