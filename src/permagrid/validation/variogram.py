"""Variograms of values at places: how far apart they are still alike, and how many places that leaves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from permagrid.errors import PermagridError
from permagrid.grid import Float, chord, wrapped
from permagrid.validation.places import Index, places_of
from permagrid.validation.sphere import great_circles

Model = Literal["exponential", "spherical"]

_FEWEST_PLACES = 10
_FEWEST_PAIRS = 30
_BINS = 20
_FINE = 20_000
"""Steps of distance in which pairs are counted before they are binned."""
_TRIED = 60
_AT_A_TIME = 512
_MOST_NUGGET = 0.95
_CHANCE = 1.6449
"""Standard deviations that chance alone exceeds in one of twenty cases."""

_EXPONENTIAL = 3.0
"""Where exp(-x) has come down to 0.05, as is the custom (exp(-3) = 0.0498)."""
_SPHERICAL = 2.0 * np.cos((2.0 * np.pi - np.arccos(-0.95)) / 3.0)
"""Where 1.5 x - 0.5 x**3 has come up to 0.95."""


@dataclass(frozen=True, eq=False)
class Variogram:
    """How unlike values are, by the distance between their places."""

    model: Model
    """``exponential`` or ``spherical``."""
    nugget: float
    """Semivariance of places that all but touch."""
    sill: float
    """Semivariance of places far apart, with the nugget."""
    range_: float
    """Distance [m] at which 95 % of the way from nugget to sill is done; the first lag where there is no
    structure, as whatever is alike is so at shorter distances than places are apart."""
    lags: Float = field(repr=False)
    """Mean distance of the pairs in each bin [m]."""
    semivariances: Float = field(repr=False)
    """Half the mean squared difference of the pairs in each bin."""
    pairs: Index = field(repr=False)
    """Pairs in each bin."""
    structured: bool
    """Whether near places are more alike than far ones: False where the nugget is 95 % of the sill or more,
    or values dealt to the places by chance would look as alike in one of twenty cases."""

    def correlation(self, distance: Float) -> Float:
        """Return the correlation of values of places so far apart [m]: 1 of a place with itself.

        Examples
        --------
        >>> none = np.array([])
        >>> found = Variogram("exponential", 1.0, 4.0, 300e3, none, none, none.astype(int), True)
        >>> found.correlation(np.array([0.0, 1.0, 300e3])).round(3).tolist()
        [1.0, 0.75, 0.037]
        """
        apart = np.asarray(distance, dtype=float)
        shared = 1.0 - self.nugget / self.sill if self.structured else 0.0
        return np.where(apart == 0.0, 1.0, shared * _alike(self.model, apart / self.range_))

    def semivariance(self, distance: Float) -> Float:
        """Return the semivariance of values of places so far apart [m]: 0 of a place with itself."""
        return self.sill * (1.0 - self.correlation(distance))

    def effective_samples(self, longitude: Float, latitude: Float) -> float:
        """Return as how many independent ones these samples count for their mean.

        Parameters
        ----------
        longitude, latitude
            Coordinates [degree], shape ``(n,)``. Samples of one place count as one.

        Returns
        -------
        float
            ``n**2`` over the sum of the correlations of all pairs, from 1 to n (Griffith 2005,
            doi:10.1111/j.1467-8306.2005.00484.x).

        Raises
        ------
        PermagridError
            If there are no samples, or one has no coordinates.

        Examples
        --------
        >>> none = np.array([])
        >>> found = Variogram("exponential", 0.0, 1.0, 1e3, none, none, none.astype(int), True)
        >>> round(found.effective_samples(np.array([10.0, 10.0, 50.0]), np.array([70.0, 70.0, 70.0])), 6)
        1.8
        """
        places = np.stack([wrapped(np.asarray(longitude, dtype=float)), np.asarray(latitude, dtype=float)])
        if not places.size or not np.isfinite(places).all():
            raise PermagridError("variogram: samples with coordinates are needed to tell how many they are")
        # Sorted, as the order of a sum is in its last digit.
        points = chord(*places[:, np.lexsort(places)])
        total = sum(float(self.correlation(apart).sum()) for _, apart in _blocks(points))
        return len(points) ** 2 / total

    def __str__(self) -> str:
        if not self.structured:
            return (
                f"{self.model} variogram: no structure beyond the first lag of {self.range_ / 1000:.4g} km, "
                f"sill {self.sill:.4g}"
            )
        return (
            f"{self.model} variogram: range {self.range_ / 1000:.4g} km, sill {self.sill:.4g}, "
            f"of it nugget {self.nugget:.4g}"
        )


def fit_variogram(
    longitude: Float,
    latitude: Float,
    values: Float,
    groups: Sequence[object] | NDArray[np.generic] | None = None,
    *,
    model: Model = "exponential",
) -> Variogram:
    """Return the variogram that fits values at places best.

    Parameters
    ----------
    longitude, latitude
        Coordinates [degree], shape ``(n,)``.
    values
        Shape ``(n,)``, such as residuals; rows without a value (NaN) are left out.
    groups
        Group of each row, such as its site: the mean of its values stands at the mean of its positions. Rows
        at one position are a group if left out.
    model
        ``exponential`` or ``spherical``, both of which are valid on the sphere.

    Raises
    ------
    PermagridError
        If there are fewer than 10 places, they all lie at one position, a row has no coordinates, a value is
        infinite, or there is no such model.

    Notes
    -----
    Matheron's semivariances of great-circle distances up to half the largest, in up to 20 bins of which each
    holds more pairs than the one before it, at least 30 where there are so many: as many as the squares of
    1, 2, 3 ... leave between them. Weighted least squares (Cressie 1985, doi:10.1007/BF01032109), with the
    modelled semivariances squared as variances, by turns until they agree with the fit; bins count alike, as
    the pairs of a wide bin share their places and do not tell more by their number.

    A fit to values without any structure finds a range all the same in about half of all cases. So Moran's I
    of the pairs, whose bins weigh less the farther they are, must exceed its mean under random permutation
    by 1.64 standard deviations (Cliff and Ord 1981, Spatial processes, chapter 1).

    Examples
    --------
    >>> ends = np.linspace(0.0, 20.0, 200)
    >>> waves = fit_variogram(ends, np.full(200, 65.0), np.sin(ends))
    >>> waves.structured, 50e3 < waves.range_ < 500e3
    (True, True)
    """
    if model not in ("exponential", "spherical"):
        raise PermagridError(f"variogram: model {model!r} is neither exponential nor spherical")
    points, means = _averaged(longitude, latitude, values, groups)
    reach = max(float(apart.max()) for _, apart in _blocks(points)) / 2.0
    if reach == 0.0:
        raise PermagridError(f"variogram: all {len(points)} places lie at one position")
    lags, semivariances, pairs, bins = _binned(points, means, reach)
    apart = lags > 0
    if apart.sum() < 2 or not semivariances.any():
        level = float(means.var(ddof=1))
        return Variogram(model, level, level, float(lags[apart][0]), lags, semivariances, pairs, False)
    nugget, shared, length = _fitted(model, lags[apart], semivariances[apart])
    structured = nugget < _MOST_NUGGET * (nugget + shared)
    if structured:
        # Of the pairs of near bins each counts as much as the bin leaves it.
        near = (1.0 - (np.arange(len(pairs)) + 0.5) / len(pairs)) ** 2 / pairs
        structured = _alikeness(points, means, reach, near[bins]) > _CHANCE
    if not structured:
        nugget, shared, length = nugget + shared, 0.0, float(lags[apart][0])
    return Variogram(model, nugget, nugget + shared, length, lags, semivariances, pairs, structured)


def _alike(model: Model, share: Float) -> Float:
    """Return the correlation of what places share, at shares of the effective range."""
    if model == "exponential":
        return np.asarray(np.exp(-_EXPONENTIAL * share))
    part = np.minimum(_SPHERICAL * share, 1.0)
    return np.asarray(1.0 - 1.5 * part + 0.5 * part**3)


def _averaged(
    longitude: Float,
    latitude: Float,
    values: Float,
    groups: Sequence[object] | NDArray[np.generic] | None,
) -> tuple[Float, Float]:
    """Return each place as a unit vector, and the mean of its values, in an order that rows do not change."""
    table = pd.DataFrame(
        {
            "longitude": wrapped(np.asarray(longitude, dtype=float)),
            "latitude": np.asarray(latitude, dtype=float),
            "value": np.asarray(values, dtype=float),
        }
    )
    if groups is None:
        table["site_group"] = table.groupby(["longitude", "latitude"], dropna=False).ngroup()
    else:
        table["site_group"] = np.asarray(groups)
    table = table[table["value"].notna()]
    lost = ~np.isfinite(table[["longitude", "latitude", "value"]].to_numpy()).all(axis=1)
    if lost.any():
        raise PermagridError(
            f"variogram: {int(lost.sum())} of {len(table)} rows with a value have no coordinates or an "
            f"infinite value"
        )
    found = table["site_group"].nunique()
    if found < _FEWEST_PLACES:
        raise PermagridError(
            f"variogram: {found} places with values are too few to tell how far they are alike; "
            f"{_FEWEST_PLACES} are needed"
        )
    places = places_of(table)
    numbers, means = places.place[places.order], table["value"].to_numpy()[places.order]
    return places.vectors, np.bincount(numbers, means) / places.counts


def _blocks(points: Float) -> Iterator[tuple[int, Float]]:
    """Yield great-circle distances [m] of some points to all, with the number of the first of them."""
    for start in range(0, len(points), _AT_A_TIME):
        yield start, great_circles(points[start : start + _AT_A_TIME], points)


def _steps(points: Float, reach: float) -> Iterator[tuple[Index, Float, Index]]:
    """Yield numbers of some points, their distances [m] to all, and the step of each; beyond `reach` none."""
    for start, apart in _blocks(points):
        here = np.arange(start, start + len(apart))
        # Steps that widen with distance, as most pairs are far apart.
        step = np.minimum((np.sqrt(apart / reach) * _FINE).astype(int), _FINE - 1)
        step[apart > reach] = _FINE
        step[np.arange(len(here)), here] = _FINE
        yield here, apart, step


def _binned(points: Float, values: Float, reach: float) -> tuple[Float, Float, Index, Index]:
    """Return mean distances [m], semivariances and counts of pairs by bins, and the bin of each step."""
    counts, distances, unlike = np.zeros((3, _FINE))
    for here, apart, step in _steps(points, reach):
        once = (step < _FINE) & (np.arange(len(points)) > here[:, np.newaxis])
        squares = (values[here, np.newaxis] - values)[once] ** 2
        counts += np.bincount(step[once], minlength=_FINE)
        distances += np.bincount(step[once], apart[once], minlength=_FINE)
        unlike += np.bincount(step[once], squares, minlength=_FINE)
    starts = _starts(counts)
    pairs, distances, unlike = (np.add.reduceat(sums, starts) for sums in (counts, distances, unlike))
    bins = np.searchsorted(starts, np.arange(_FINE), side="right") - 1
    return distances / pairs, unlike / (2.0 * pairs), pairs.astype(int), bins


def _starts(counts: Float) -> Index:
    """Return the first steps of bins whose numbers of pairs grow as the differences of squares do."""
    upto = np.cumsum(counts)
    total = upto[-1]
    fewest = min(_FEWEST_PAIRS, total / 4.0)
    starts, held = [0], 0.0
    for part in total * (np.arange(1, _BINS) / _BINS) ** 2:
        end = int(np.searchsorted(upto, max(part, held + fewest)))
        if end + 1 < len(counts) and total - upto[end] >= fewest:
            starts.append(end + 1)
            held = upto[end]
    return np.unique(starts)


def _alikeness(points: Float, values: Float, reach: float, weights: Float) -> float:
    """Return by how many standard deviations Moran's I exceeds that of values dealt to places by chance."""
    n = len(values)
    centred = values - values.mean()
    of_step = np.append(weights, 0.0)
    likeness, squares, sums = 0.0, 0.0, np.zeros(n)
    for here, _, step in _steps(points, reach):
        pairs = of_step[step]
        likeness += float((centred[here, np.newaxis] * centred * pairs).sum())
        squares += float((pairs**2).sum())
        sums[here] = pairs.sum(axis=1)
    total, power = float(sums.sum()), float(n * (centred**4).sum() / (centred**2).sum() ** 2)
    one, two = 2.0 * squares, 4.0 * float((sums**2).sum())
    found = n * likeness / (total * float((centred**2).sum()))
    dealt = n * ((n * n - 3 * n + 3) * one - n * two + 3 * total**2)
    peaked = power * ((n * n - n) * one - 2 * n * two + 6 * total**2)
    variance = (dealt - peaked) / ((n - 1) * (n - 2) * (n - 3) * total**2) - 1.0 / (n - 1) ** 2
    return (found + 1.0 / (n - 1)) / float(np.sqrt(max(variance, 1e-300)))


def _fitted(model: Model, lags: Float, semivariances: Float) -> tuple[float, float, float]:
    """Return nugget, what is above it, and the effective range [m]."""
    tried = np.geomspace(lags[0], lags[-1], _TRIED)
    variances = lags / lags[-1] + semivariances.mean() / max(semivariances.max(), 1e-300)
    found = (0.0, 0.0, 0.0)
    for _ in range(20):
        weights = 1.0 / variances**2

        def error(reach: float, weights: Float = weights) -> float:
            return _levels(1.0 - _alike(model, lags / reach), semivariances, weights)[2]

        errors = [error(reach) for reach in tried]
        best = int(np.argmin(errors))
        ends = np.log(tried[[max(best - 1, 0), min(best + 1, _TRIED - 1)]])
        finer = minimize_scalar(lambda log: error(float(np.exp(log))), bounds=ends, method="bounded")
        reach = float(np.exp(finer.x)) if finer.fun < errors[best] else float(tried[best])
        nugget, shared, _ = _levels(1.0 - _alike(model, lags / reach), semivariances, weights)
        before, found = found, (nugget, shared, reach)
        if np.allclose(before, found, rtol=1e-6):
            break
        modelled = nugget + shared * (1.0 - _alike(model, lags / reach))
        variances = np.maximum(modelled, 1e-6 * modelled.max())
    return found


def _levels(rise: Float, semivariances: Float, weights: Float) -> tuple[float, float, float]:
    """Return nugget and what is above it by weighted least squares, neither below 0, and the squares left."""
    a, b, c = (float((weights * term).sum()) for term in (np.ones_like(rise), rise, rise**2))
    y, z = float((weights * semivariances).sum()), float((weights * rise * semivariances).sum())
    determinant = a * c - b * b
    nugget, shared = 0.0, max(z / c, 0.0) if c > 0 else 0.0
    if determinant > 1e-12 * a * c:
        both = (c * y - b * z) / determinant, (a * z - b * y) / determinant
        if min(both) >= 0.0:
            nugget, shared = both
        elif both[1] < 0.0:
            nugget, shared = y / a, 0.0
    left = float((weights * (semivariances - nugget - shared * rise) ** 2).sum())
    return nugget, shared, left
