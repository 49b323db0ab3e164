"""How sure a total is if the errors of cells are independent, wholly alike, or alike up to some distance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from permagrid.errors import PermagridError
from permagrid.grid import Float, chord
from permagrid.inventory.exact import ExactSums, rounded
from permagrid.inventory.totals import ALL, Index, check_level, region_rows, row_of

EARTH_RADIUS = 6_371_008.8
"""Mean radius of the Earth [m] (IUGG)."""

Correlation = Callable[[Float], Float]
"""Distances [m] -> correlation of the errors of two cells so far apart."""

_CENTRES = 400
_PARTNERS = 20_000


class ErrorSums:
    """The standard deviations of cells, summed as bounds of that of a total.

    Parameters
    ----------
    regions
        Their names; cells of none of them are counted as elsewhere.

    Notes
    -----
    With ``t`` the area of a cell times its standard deviation, the total of independent errors has the
    standard deviation ``sqrt(sum(t**2))``, that of wholly correlated ones ``sum(t)``. The truth lies between,
    much nearer to the second where errors hang together over hundreds of kilometres.

    Examples
    --------
    >>> sums = ErrorSums([])
    >>> sums.add(np.array([3.0, 4.0]), np.array([1.0, 1.0]))
    >>> sums.independent(), sums.correlated()
    (5.0, 7.0)
    """

    def __init__(self, regions: Sequence[str]) -> None:
        self.regions = tuple(regions)
        self._sums = ExactSums(len(self.regions) + 1, 2)

    def add(
        self,
        deviations: NDArray[np.floating[Any]],
        areas: Float,
        *,
        presence: Float | None = None,
        region: Index | None = None,
        factor: float = 1.0,
    ) -> None:
        """Add the cells of a block; parameters are those of `MemberTotals.add`, of standard deviations.

        Raises
        ------
        PermagridError
            If shapes do not fit, a standard deviation is negative or infinite, or there is no such region.
        """
        terms = np.asarray(deviations, dtype=float) * (np.asarray(areas, dtype=float) * factor)
        if presence is not None:
            terms = terms * np.asarray(presence, dtype=float)
        if terms.ndim != 1 or terms.shape != np.shape(areas):
            raise PermagridError(f"bounds: standard deviations of {np.shape(areas)} cells are needed")
        row, known = region_rows(region, len(terms), len(self.regions)), ~np.isnan(terms)
        terms = terms[known]
        if (terms < 0.0).any():
            raise PermagridError("bounds: a standard deviation is negative")
        self._sums.add(np.stack([terms, terms**2], axis=1), None, row[known])

    def merge(self, other: "ErrorSums") -> None:
        """Add the sums of another part of the map."""
        if other.regions != self.regions:
            raise PermagridError("bounds: two parts have different regions")
        self._sums.merge(other._sums)

    def plain(self) -> dict[str, Any]:
        """Return everything as plain values, for a file; `from_plain` reads it without loss."""
        return {"regions": list(self.regions), "sums": self._sums.plain()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "ErrorSums":
        """Return the sums that `plain` told.

        Examples
        --------
        >>> sums = ErrorSums(["north"])
        >>> sums.add(np.array([3.0]), np.array([2.0]), region=np.array([0]))
        >>> ErrorSums.from_plain(sums.plain()).correlated("north")
        6.0
        """
        out = cls(plain["regions"])
        out._sums = ExactSums.of(plain["sums"])
        return out

    def correlated(self, name: str = ALL) -> float:
        """Return the standard deviation of a total whose errors are all alike: the upper bound."""
        return float(self._of(name)[0])

    def independent(self, name: str = ALL) -> float:
        """Return the standard deviation of a total whose errors are independent from cell to cell."""
        return float(np.sqrt(self._of(name)[1]))

    def _of(self, name: str) -> Float:
        if name == ALL:
            return self._sums.column_sums()
        return np.asarray(rounded([self._sums.whole_numbers()[row_of(name, self.regions)]])[0])


def effective_samples(correlated: float, deviation: float) -> float:
    """Return of how many independent samples a total with this standard deviation would be.

    Parameters
    ----------
    correlated
        Standard deviation of the total if all errors are alike, from `ErrorSums.correlated`.
    deviation
        That of the total.

    Returns
    -------
    float
        ``(correlated / deviation)**2``: 1 where all errors are alike, below 1 where the range is wider than
        the cells' own errors can explain, and n of n equal cells with independent errors; infinite where the
        total has no spread, and NaN if the cells have none either.

    Notes
    -----
    Rolstad, Haug and Denby (2009), doi:10.3189/002214309789470950; Hugonnet et al. (2022),
    doi:10.1109/JSTARS.2022.3188922.

    Examples
    --------
    >>> effective_samples(100.0, 50.0)
    4.0
    """
    if deviation == 0.0:
        return float("nan") if correlated == 0.0 else float("inf")
    return (correlated / deviation) ** 2


def implied_deviation(low: float, high: float, level: float = 0.95) -> float:
    """Return the standard deviation that a range implies if it is of a normal distribution.

    Raises
    ------
    PermagridError
        If the range is not one, or the level does not lie between 0 and 1.

    Examples
    --------
    >>> round(implied_deviation(47_800, 62_300))
    3699
    """
    check_level(level)
    if not high > low:
        raise PermagridError(f"a range must run from low to high, found {low:g} to {high:g}")
    return float((high - low) / (2.0 * norm.ppf((1.0 + level) / 2.0)))


@dataclass(frozen=True)
class CorrelatedSigma:
    """The standard deviation of a total for a stated correlation of the errors of cells."""

    deviation: float
    """Of the total."""
    standard_error: float
    """Of this estimate, as it is made from some of the pairs of cells."""
    samples: float
    """As how many independent samples the cells count."""


def sigma_of_total(
    longitude: Float,
    latitude: Float,
    terms: Float,
    correlation: Correlation,
    *,
    centres: int = _CENTRES,
    partners: int = _PARTNERS,
    seed: int = 0,
) -> CorrelatedSigma:
    """Return the standard deviation of a total whose errors are alike by distance.

    Parameters
    ----------
    longitude, latitude
        Cell centres [degree], shape ``(n,)``.
    terms
        Area times standard deviation of each cell, in the unit of the total, shape ``(n,)``.
    correlation
        Correlation of two cells by their distance [m], such as `Variogram.correlation` of residuals.
    centres, partners
        Cells drawn, by their share of the sum of the terms: each centre is paired with all partners. Where
        there are no more cells than that, every one is taken.
    seed
        Of the draws.

    Raises
    ------
    PermagridError
        If there are no cells, a place is missing, or a term is negative or missing.

    Notes
    -----
    ``sum_ij t_i t_j rho(d_ij)``: the pairs of a cell with itself exactly, the others by sampling as in
    Hugonnet et al. (2022), doi:10.1109/JSTARS.2022.3188922. Cells are drawn systematically along a line that
    runs through them from south to north in bands, so that all regions have their share.

    Examples
    --------
    >>> lon, lat = np.meshgrid(np.arange(60.0, 80.0), np.arange(55.0, 75.0))
    >>> found = sigma_of_total(lon.ravel(), lat.ravel(), np.ones(400), lambda d: 1.0 * (d == 0.0))
    >>> found.deviation, found.samples
    (20.0, 400.0)
    """
    terms = np.asarray(terms, dtype=float)
    if not terms.size or not (terms >= 0.0).all() or not np.isfinite(terms).all():
        raise PermagridError("sigma of a total: every cell needs a standard deviation that is not negative")
    if not (np.isfinite(longitude) & np.isfinite(latitude)).all():
        raise PermagridError("sigma of a total: a cell has no place on the globe")
    some = np.flatnonzero(terms)
    if not some.size:
        return CorrelatedSigma(0.0, 0.0, float("nan"))
    some = some[np.lexsort((longitude[some], np.floor(latitude[some])))]
    points, terms = chord(longitude[some], latitude[some]), terms[some]
    total, generator = float(terms.sum()), np.random.default_rng(seed)
    first, second = (_drawn(terms, count, generator) for count in (centres, partners))
    sums = np.array([_beside(points, terms, place, second, correlation) for place in first[0]])
    own = float((terms**2).sum())
    pairs = float((first[1] * sums).sum())
    variance = max(own + pairs, 0.0)
    if len(first[0]) == len(terms):
        error = 0.0
    else:
        error = float(sums.std(ddof=1) / np.sqrt(len(sums)) * total) if len(sums) > 1 else float("nan")
    deviation = float(np.sqrt(variance))
    # The deviation is a square root: its error is that of the variance over twice the deviation.
    return CorrelatedSigma(deviation, error / (2.0 * deviation), total**2 / variance)


def _drawn(terms: Float, count: int, generator: np.random.Generator) -> tuple[NDArray[np.intp], Float]:
    """Return cells and weights whose sum over any value is that of ``terms`` times it."""
    if count >= len(terms):
        return np.arange(len(terms)), terms
    ends = np.cumsum(terms)
    marks = (np.arange(count) + generator.random()) * (ends[-1] / count)
    places = np.minimum(np.searchsorted(ends, marks, side="right"), len(terms) - 1)
    return places, np.full(count, ends[-1] / count)


def _beside(
    points: Float,
    terms: Float,
    place: int,
    partners: tuple[NDArray[np.intp], Float],
    correlation: Correlation,
) -> float:
    """Return the sum of what other cells have in common with one."""
    others, weights = partners
    straight = np.sqrt(((points[others] - points[place]) ** 2).sum(axis=1))
    apart = 2.0 * EARTH_RADIUS * np.arcsin(np.minimum(straight / 2.0, 1.0))
    alike = np.where(others == place, 0.0, correlation(apart))
    return float((weights * alike).sum())
