"""Copulas of an observation and its prediction: density, distribution, conditional distribution, inverse."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import gammaln, ndtr, ndtri, owens_t, stdtr, stdtrit

from permagrid.ensemble import copula_families as formulas
from permagrid.errors import PermagridError
from permagrid.grid import Float

Family = Literal["independence", "gaussian", "student_t", "clayton", "gumbel", "frank"]

FAMILIES: tuple[Family, ...] = ("independence", "gaussian", "student_t", "clayton", "gumbel", "frank")
"""The families that are tried, in this order where two are as good."""

ROTATIONS: dict[Family, tuple[int, ...]] = {
    family: (0, 90, 180, 270) if family in ("clayton", "gumbel") else (0,) for family in FAMILIES
}
"""Degrees by which each family may be turned; 180 is its survival form."""

EDGE = 1e-12
"""Values nearer to 0 or 1 are taken for this one."""


@dataclass(frozen=True)
class Copula:
    """How the rank of an observation, U, goes with that of its prediction, V."""

    family: Family
    """One of `FAMILIES`."""
    rotation: int = 0
    """Degrees: 0, and for Clayton's and Gumbel's 90, 180 (survival) or 270 as well."""
    parameters: tuple[float, ...] = ()
    """None for independence; the correlation of the Gaussian; correlation and degrees of freedom of
    Student's t; theta of Clayton's (> 0), Gumbel's (>= 1) and Frank's (not 0)."""

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise PermagridError(f"copula: there is no family {self.family!r}; known: {', '.join(FAMILIES)}")
        if self.rotation not in ROTATIONS[self.family]:
            allowed = ", ".join(map(str, ROTATIONS[self.family]))
            raise PermagridError(f"copula {self.family}: rotation {self.rotation} is none of {allowed}")
        object.__setattr__(self, "parameters", tuple(float(p) for p in self.parameters))
        allowed, fits = _LIMITS[self.family]
        if len(self.parameters) != PARAMETERS[self.family] or not fits(*self.parameters):
            raise PermagridError(f"copula {self.family}: parameters {self.parameters} are not {allowed}")

    @np.errstate(invalid="ignore")
    def logpdf(self, u: Float | float, v: Float | float) -> Float:
        """Return the log of the density at (u, v); arguments of any shapes that go together."""
        rotation, functions, parameters = self._parts()
        return functions.log_density(*_turned(rotation, *_inside(u, v)), *parameters)

    def pdf(self, u: Float | float, v: Float | float) -> Float:
        """Return the density at (u, v)."""
        return np.asarray(np.exp(self.logpdf(u, v)))

    @np.errstate(invalid="ignore")
    def cdf(self, u: Float | float, v: Float | float) -> Float:
        """Return P(U <= u, V <= v)."""
        rotation, functions, parameters = self._parts()
        inner_u, inner_v = _inside(u, v)
        found = functions.cdf(*_turned(rotation, inner_u, inner_v), *parameters)
        if rotation == 90:
            found = inner_v - found
        elif rotation == 180:
            found = inner_u + inner_v - 1.0 + found
        elif rotation == 270:
            found = inner_u - found
        least, most = np.maximum(inner_u + inner_v - 1.0, 0.0), np.minimum(inner_u, inner_v)
        found = np.clip(found, least, most)
        found = np.where(np.less_equal(u, 0.0) | np.less_equal(v, 0.0), 0.0, found)
        found = np.where(np.greater_equal(u, 1.0), np.clip(v, 0.0, 1.0), found)
        return np.where(np.greater_equal(v, 1.0), np.clip(u, 0.0, 1.0), found)

    @np.errstate(invalid="ignore")
    def h(self, u: Float | float, v: Float | float) -> Float:
        """Return P(U <= u | V = v), the derivative of the distribution by v: 0 at u = 0 and 1 at u = 1."""
        rotation, functions, parameters = self._parts()
        found = functions.h(*_turned(rotation, *_inside(u, v)), *parameters)
        found = np.clip(1.0 - found if rotation in (90, 180) else found, 0.0, 1.0)
        found = np.where(np.less_equal(u, 0.0), 0.0, found)
        return np.where(np.greater_equal(u, 1.0), 1.0, found)

    @np.errstate(invalid="ignore")
    def h_inverse(self, q: Float | float, v: Float | float) -> Float:
        """Return the u of which P(U <= u | V = v) is q: 0 at q = 0 and 1 at q = 1."""
        rotation, functions, parameters = self._parts()
        inner = np.clip(np.asarray(q, dtype=float), _LEAST, _MOST)
        turned_q, turned_v = _turned(rotation, inner, _inside(v)[0])
        found = functions.h_inverse(np.clip(turned_q, _LEAST, _MOST), turned_v, *parameters)
        found = np.clip(1.0 - found if rotation in (90, 180) else found, 0.0, 1.0)
        found = np.where(np.less_equal(q, 0.0), 0.0, found)
        return np.where(np.greater_equal(q, 1.0), 1.0, found)

    @property
    def tau(self) -> float:
        """Kendall's rank correlation of U and V."""
        found = _TAU[self.family](*self.parameters)
        return -found if self.rotation in (90, 270) else found

    def draw(self, count: int, seed: int) -> tuple[Float, Float]:
        """Return as many pairs (u, v) drawn from the copula, each of shape ``(count,)``."""
        uniform = np.random.default_rng(seed).random((2, count))
        return self.h_inverse(uniform[0], uniform[1]), uniform[1]

    def plain(self) -> dict[str, Any]:
        """Return what JSON can hold, from which `of` makes the copula again."""
        return {"family": self.family, "rotation": self.rotation, "parameters": list(self.parameters)}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Copula":
        """Return the copula that `plain` told."""
        return cls(plain["family"], int(plain["rotation"]), tuple(plain["parameters"]))

    def __str__(self) -> str:
        turned = f" turned by {self.rotation} degrees" if self.rotation else ""
        values = f" ({', '.join(f'{value:.4g}' for value in self.parameters)})" if self.parameters else ""
        return f"{self.family}{turned}{values}, tau {self.tau:.3f}"

    def _parts(self) -> "tuple[int, _Functions, tuple[float, ...]]":
        """Return rotation, functions and parameters; Frank's of a negative theta is a turned one."""
        if self.family == "frank" and self.parameters[0] < 0.0:
            return 90, _FUNCTIONS["frank"], (-self.parameters[0],)
        return self.rotation, _FUNCTIONS[self.family], self.parameters


@dataclass(frozen=True)
class _Functions:
    log_density: Callable[..., Float]
    cdf: Callable[..., Float]
    h: Callable[..., Float]
    h_inverse: Callable[..., Float]


PARAMETERS: dict[Family, int] = {
    "independence": 0,
    "gaussian": 1,
    "student_t": 2,
    "clayton": 1,
    "gumbel": 1,
    "frank": 1,
}
"""Parameters of each family."""

_LEAST, _MOST = 1e-300, 1.0 - 2.0**-53

_LIMITS: dict[Family, tuple[str, Callable[..., bool]]] = {
    "independence": ("none", lambda: True),
    "gaussian": ("a correlation between -1 and 1", lambda r: -1.0 < r < 1.0),
    "student_t": (
        "a correlation between -1 and 1 and at least 1 degree of freedom",
        lambda r, df: -1.0 < r < 1.0 and 1.0 <= df <= 1000.0,
    ),
    "clayton": ("a theta above 0 and up to 100", lambda theta: 0.0 < theta <= 100.0),
    "gumbel": ("a theta from 1 to 100", lambda theta: 1.0 <= theta <= 100.0),
    "frank": ("a theta from -100 to 100 that is not 0", lambda theta: 0.0 < abs(theta) <= 100.0),
}


def _inside(*values: Float | float) -> list[Float]:
    return [np.clip(np.asarray(value, dtype=float), EDGE, 1.0 - EDGE) for value in values]


def _turned(rotation: int, u: Float, v: Float) -> tuple[Float, Float]:
    """Return where an unturned copula is asked."""
    return 1.0 - u if rotation in (90, 180) else u, 1.0 - v if rotation in (180, 270) else v


def _independent_log_density(u: Float, v: Float) -> Float:
    return np.asarray(np.zeros(np.broadcast(u, v).shape))


def _independent_cdf(u: Float, v: Float) -> Float:
    return np.asarray(u * v)


def _first(u: Float, v: Float) -> Float:
    return np.broadcast_to(u, np.broadcast(u, v).shape).copy()


def _gaussian_log_density(u: Float, v: Float, correlation: float) -> Float:
    x, z = ndtri(u), ndtri(v)
    free = 1.0 - correlation**2
    crossed = correlation * (correlation * (x * x + z * z) - 2.0 * x * z)
    return np.asarray(-0.5 * math.log(free) - crossed / (2.0 * free))


def _gaussian_cdf(u: Float, v: Float, correlation: float) -> Float:
    """Return the distribution by Owen's T (Owen 1956, doi:10.1214/aoms/1177728074)."""
    x, z = np.broadcast_arrays(ndtri(u), ndtri(v))
    # At the median itself the slope below would be 0 / 0.
    x, z = (np.where(np.abs(value) < 1e-14, 1e-14, value) for value in (x, z))
    root = math.sqrt(1.0 - correlation**2)
    parts = owens_t(x, (z / x - correlation) / root) + owens_t(z, (x / z - correlation) / root)
    return np.asarray(0.5 * (ndtr(x) + ndtr(z)) - parts - np.where(x * z < 0.0, 0.5, 0.0))


def _gaussian_h(u: Float, v: Float, correlation: float) -> Float:
    return np.asarray(ndtr((ndtri(u) - correlation * ndtri(v)) / math.sqrt(1.0 - correlation**2)))


def _gaussian_h_inverse(q: Float, v: Float, correlation: float) -> Float:
    return np.asarray(ndtr(correlation * ndtri(v) + math.sqrt(1.0 - correlation**2) * ndtri(q)))


def _student_log_density(u: Float, v: Float, correlation: float, df: float) -> Float:
    return student_log_density(stdtrit(df, u), stdtrit(df, v), correlation, df)


def student_log_density(x: Float, z: Float, correlation: float, df: float) -> Float:
    """Return the log density of Student's t copula at quantiles x and z of its own t distribution."""
    free = 1.0 - correlation**2
    level = gammaln((df + 2.0) / 2.0) + gammaln(df / 2.0) - 2.0 * gammaln((df + 1.0) / 2.0)
    joint = np.log1p((x * x + z * z - 2.0 * correlation * x * z) / (df * free))
    single = np.log1p(x * x / df) + np.log1p(z * z / df)
    return np.asarray(level - 0.5 * math.log(free) - (df + 2.0) / 2.0 * joint + (df + 1.0) / 2.0 * single)


def _student_cdf(u: Float, v: Float, correlation: float, df: float) -> Float:
    """Return the distribution by its derivative with respect to the correlation.

    That derivative has a closed form for any degrees of freedom (Genz 2004,
    doi:10.1023/B:STCO.0000035304.20635.31), and at a correlation of 1 or -1 the distribution is a bound of
    Fréchet's. The integral between them, over the arc cosine of the correlation, is taken in panels that get
    narrower by half towards the bound.
    """
    x, z = np.broadcast_arrays(stdtrit(df, u), stdtrit(df, v))
    sign = 1.0 if correlation >= 0.0 else -1.0
    reach = math.acos(abs(correlation))
    total = np.zeros(x.shape)
    for angle, weight in zip(*_PANELS, strict=True):
        half, sine = math.sin(reach * angle / 2.0), math.sin(reach * angle)
        square = ((x - sign * z) ** 2 + 4.0 * sign * x * z * half * half) / (df * sine * sine)
        total += weight * np.exp(-df / 2.0 * np.log1p(square))
    total *= reach / (2.0 * math.pi)
    return np.asarray(np.minimum(u, v) - total if sign > 0.0 else np.maximum(u + v - 1.0, 0.0) + total)


def _student_scale(z: Float, correlation: float, df: float) -> Float:
    return np.sqrt((df + z * z) * (1.0 - correlation**2) / (df + 1.0))


def _student_h(u: Float, v: Float, correlation: float, df: float) -> Float:
    z = stdtrit(df, v)
    return np.asarray(
        stdtr(df + 1.0, (stdtrit(df, u) - correlation * z) / _student_scale(z, correlation, df))
    )


def _student_h_inverse(q: Float, v: Float, correlation: float, df: float) -> Float:
    z = stdtrit(df, v)
    return np.asarray(stdtr(df, correlation * z + _student_scale(z, correlation, df) * stdtrit(df + 1.0, q)))


def _halved_panels(panels: int = 30, nodes: int = 12) -> tuple[list[float], list[float]]:
    """Return nodes and weights of Gauss and Legendre on (0, 1), in panels that halve towards 0."""
    at, weight = np.polynomial.legendre.leggauss(nodes)
    ends = 0.5 ** np.arange(panels + 1)
    ends[-1] = 0.0
    half = (ends[:-1] - ends[1:]) / 2.0
    middle = (ends[:-1] + ends[1:]) / 2.0
    return (
        (middle[:, None] + half[:, None] * at).ravel().tolist(),
        (half[:, None] * weight).ravel().tolist(),
    )


def _frank_tau(theta: float) -> float:
    """Return 1 - 4 / theta (1 - D(theta)) with Debye's function D (Genest 1987)."""
    if abs(theta) < 1e-3:
        return theta / 9.0
    share, weight = _PANELS
    points = np.array(share) * abs(theta)
    debye = float(np.sum(np.array(weight) * points / np.expm1(points)))
    return math.copysign(1.0 - 4.0 / abs(theta) * (1.0 - debye), theta)


_PANELS = _halved_panels()

_FUNCTIONS: dict[Family, _Functions] = {
    "independence": _Functions(_independent_log_density, _independent_cdf, _first, _first),
    "gaussian": _Functions(_gaussian_log_density, _gaussian_cdf, _gaussian_h, _gaussian_h_inverse),
    "student_t": _Functions(_student_log_density, _student_cdf, _student_h, _student_h_inverse),
    "clayton": _Functions(
        formulas.clayton_log_density, formulas.clayton_cdf, formulas.clayton_h, formulas.clayton_h_inverse
    ),
    "gumbel": _Functions(
        formulas.gumbel_log_density, formulas.gumbel_cdf, formulas.gumbel_h, formulas.gumbel_h_inverse
    ),
    "frank": _Functions(
        formulas.frank_log_density, formulas.frank_cdf, formulas.frank_h, formulas.frank_h_inverse
    ),
}

_TAU: dict[Family, Callable[..., float]] = {
    "independence": lambda: 0.0,
    "gaussian": lambda correlation: 2.0 / math.pi * math.asin(correlation),
    "student_t": lambda correlation, df: 2.0 / math.pi * math.asin(correlation),
    "clayton": lambda theta: theta / (theta + 2.0),
    "gumbel": lambda theta: 1.0 - 1.0 / theta,
    "frank": _frank_tau,
}
