"""Variograms of residuals over the globe, and the simple or ordinary kriging of them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from threadpoolctl import threadpool_limits

Float = NDArray[np.float64]
Shape = Literal["exponential", "spherical", "matern"]

RADIUS = 6371008.8
"""Mean radius of the Earth [m]."""

_SHAPES: tuple[Shape, ...] = ("exponential", "spherical", "matern")
_BINS = 20
_FINEST = 500.0
"""Reach of a variogram over its finest distance."""
_LENGTHS = 80
_FEWEST = 20
"""Fewest pairs in a bin of distances."""
_ROOT_3 = 3.0**0.5
_SMALLEST = 1e-10
"""Nugget without which the equations of near places could not be solved, as a share of the sill."""


@dataclass(frozen=True)
class Variogram:
    """How unlike residuals are, by distance: ``nugget + sill (1 - correlation)``."""

    shape: Shape
    """``exponential`` exp(-d/l), ``spherical`` 1 - 1.5 d/l + 0.5 (d/l)**3, ``matern`` of order 3/2."""
    nugget: float
    """Variance that even near places do not share."""
    sill: float
    """Variance that near places share."""
    length: float
    """The l of the shape [m]."""

    def correlation(self, distance: Float) -> Float:
        """Return the correlation of the shared part at chord distances [m]."""
        out = np.empty(np.shape(distance))
        flat, there = np.ravel(np.asarray(distance, dtype=float)), out.reshape(-1)
        _correlations(flat, _SHAPES.index(self.shape), self.length, there)
        return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _correlation(distance: float, shape: int, length: float) -> float:
    share = distance / length
    if shape == 0:
        return float(np.exp(-share))
    if shape == 1:
        return 1.0 - 1.5 * share + 0.5 * share * share * share if share < 1.0 else 0.0
    scaled = _ROOT_3 * share
    return (1.0 + scaled) * float(np.exp(-scaled))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _correlations(distance: Float, shape: int, length: float, out: Float) -> None:
    for index in range(len(distance)):
        out[index] = _correlation(distance[index], shape, length)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _pairs(points: Float, values: Float, edges: Float, sums: Float) -> None:
    """Add up counts, distances and half squared differences of pairs of points, by bins of distance."""
    for one in range(len(points)):
        for other in range(one):
            squared = 0.0
            for axis in range(3):
                squared += (points[one, axis] - points[other, axis]) ** 2
            distance = np.sqrt(squared)
            if edges[0] <= distance < edges[-1]:
                place = np.searchsorted(edges, distance, side="right") - 1
                sums[0, place] += 1.0
                sums[1, place] += distance
                sums[2, place] += 0.5 * (values[one] - values[other]) ** 2


def empirical_variogram(points: Float, values: Float) -> tuple[Float, Float, Float]:
    """Return pairs, mean distances [m] and half mean squared differences, by bins of distance.

    Parameters
    ----------
    points
        Places, shape ``(n, 3)`` [m], no two the same.
    values
        Shape ``(n,)``.

    Notes
    -----
    Matheron's estimator, up to half of the places' extent along the longest axis. Bins widen with distance,
    as places lie in clusters, and are joined until each holds 20 pairs.
    """
    reach = 0.5 * float(np.max(points.max(axis=0) - points.min(axis=0)))
    edges = np.concatenate([[0.0], np.geomspace(reach / _FINEST, reach * (1.0 + 1e-9), _BINS)])
    sums = np.zeros((3, len(edges) - 1))
    _pairs(points, values, edges, sums)
    merged: list[Float] = []
    for column in sums.T:
        if merged and merged[-1][0] < _FEWEST:
            merged[-1] = merged[-1] + column
        else:
            merged.append(column.copy())
    kept = np.array([column for column in merged if column[0] > 0]).reshape(-1, 3)
    return kept[:, 0], kept[:, 1] / kept[:, 0], kept[:, 2] / kept[:, 0]


def fit_variogram(
    points: Float, values: Float, shape: Shape, *, nugget: float | None = None, length: float | None = None
) -> Variogram:
    """Return the variogram that fits values at places best.

    Parameters
    ----------
    points
        Places, shape ``(n, 3)`` [m], no two the same.
    values
        Shape ``(n,)``.
    shape
        Its shape.
    nugget
        Share of the variance that even near places do not share, 0 to 1; fitted if None.
    length
        The length of the shape [m]; fitted if None.

    Notes
    -----
    Weighted least squares of Cressie (1985), doi:10.1007/BF01032109: pairs times the squared relative error,
    over lengths from a 500th of the reach of the empirical variogram to its end. Fewer than 20 pairs tell
    nothing: all is nugget then.
    """
    spread = float(np.var(values)) if len(values) else 0.0
    nothing = Variogram(shape, spread, 0.0, length or 1.0)
    if len(points) < 2 or spread == 0.0:
        return nothing
    pairs, distance, unlike = empirical_variogram(points, values)
    if pairs.sum() < _FEWEST:
        return nothing
    reach = float(distance[-1])
    tried = [length] if length is not None else np.geomspace(reach / _FINEST, reach, _LENGTHS).tolist()
    best: tuple[float, Variogram] | None = None
    for each in tried:
        rise = 1.0 - Variogram(shape, 0.0, 1.0, each).correlation(distance)
        own, shared = _levels(pairs, rise, unlike, nugget)
        modelled = own + shared * rise
        error = float(np.sum(pairs * (unlike / np.maximum(modelled, 1e-300) - 1.0) ** 2))
        if best is None or error < best[0]:
            best = (error, Variogram(shape, own, shared, each))
    return best[1] if best is not None else nothing


def _levels(pairs: Float, rise: Float, unlike: Float, nugget: float | None) -> tuple[float, float]:
    """Return nugget and sill by weighted least squares, none of them below 0."""
    weights = pairs.copy()
    own, shared = 0.0, 0.0
    for _ in range(5):
        own, shared = _two_levels(weights, rise, unlike, nugget)
        modelled = own + shared * rise
        weights = pairs / np.maximum(modelled, 1e-3 * float(np.max(modelled, initial=1e-300))) ** 2
    return own, shared


def _two_levels(weights: Float, rise: Float, unlike: Float, nugget: float | None) -> tuple[float, float]:
    if nugget is not None:
        basis = nugget + (1.0 - nugget) * rise
        total = float(np.sum(weights * basis * unlike) / max(np.sum(weights * basis**2), 1e-300))
        return nugget * total, (1.0 - nugget) * total
    a, b, c = np.sum(weights), np.sum(weights * rise), np.sum(weights * rise**2)
    y, z = np.sum(weights * unlike), np.sum(weights * rise * unlike)
    determinant = a * c - b * b
    if determinant > 1e-12 * a * c:
        own, shared = float((c * y - b * z) / determinant), float((a * z - b * y) / determinant)
        if own >= 0 and shared >= 0:
            return own, shared
        if shared < 0:
            return float(y / a), 0.0
    return 0.0, float(z / max(c, 1e-300))


@dataclass(frozen=True)
class Field:
    """Values at places, kriged: what each place contributes is found once."""

    variogram: Variogram
    places: Float
    """Shape ``(n, 3)`` [m]."""
    shares: Float
    """Contribution of each place, shape ``(n,)``."""
    level: float
    """Mean of the field: 0 for simple kriging."""

    def at(self, points: Float) -> Float:
        """Return the field at points, shape ``(m, 3)`` [m], each by itself."""
        if self.variogram.sill == 0.0:
            return np.full(len(points), self.level)
        shape = _SHAPES.index(self.variogram.shape)
        ready = np.ascontiguousarray(points, dtype=float)
        return self.level + np.asarray(_kriged(ready, self.places, self.shares, shape, self.variogram.length))


def krige(points: Float, values: Float, noise: Float, variogram: Variogram, *, ordinary: bool) -> Field:
    """Return the kriged field of values at places.

    Parameters
    ----------
    points
        Places, shape ``(n, 3)`` [m], no two the same.
    values
        Shape ``(n,)``.
    noise
        Variance of each value that is no part of the field, shape ``(n,)``.
    variogram
        Of the field.
    ordinary
        Whether the field has a mean of its own, found by generalised least squares, instead of 0.

    Notes
    -----
    In the dual form: with K the covariances of the values, contributions are ``sill K^-1 (z - m)``. The field
    goes through values without noise, and filters noise out.
    """
    if variogram.sill == 0.0:
        inverse = 1.0 / np.maximum(noise, _SMALLEST)
        level = float(np.sum(inverse * values) / np.sum(inverse)) if ordinary and len(values) else 0.0
        return Field(variogram, points, np.zeros(len(values)), level)
    covariance = np.empty((len(points), len(points)))
    for row, point in enumerate(points):
        covariance[row] = variogram.correlation(np.sqrt(((points - point) ** 2).sum(axis=1)))
    covariance *= variogram.sill
    covariance[np.diag_indices(len(points))] += noise + _SMALLEST * variogram.sill
    # One core: sums of a factorisation are added in the order of its threads.
    with threadpool_limits(1, user_api="blas"):
        factor = cho_factor(covariance, lower=True, overwrite_a=True)
        level = 0.0
        if ordinary:
            ones = cho_solve(factor, np.ones(len(points)))
            level = float(np.sum(ones * values) / np.sum(ones))
        shares = variogram.sill * cho_solve(factor, values - level)
    return Field(variogram, np.ascontiguousarray(points), shares, level)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _kriged(points: Float, places: Float, shares: Float, shape: int, length: float) -> Float:
    out = np.empty(len(points))
    for row in range(len(points)):
        total = 0.0
        for place in range(len(places)):
            squared = 0.0
            for axis in range(3):
                squared += (points[row, axis] - places[place, axis]) ** 2
            total += shares[place] * _correlation(np.sqrt(squared), shape, length)
        out[row] = total
    return out
