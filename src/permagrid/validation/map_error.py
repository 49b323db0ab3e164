"""The error of the map that a score stands for, with an interval that counts what the score has not seen."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from permagrid.errors import PermagridError
from permagrid.grid import Float, chord
from permagrid.validation.folds import Folds, Index
from permagrid.validation.scores import repeated_scores
from permagrid.validation.sphere import great_circles
from permagrid.validation.variogram import Variogram, fit_variogram

_AT_A_TIME = 512
_LEAST = 1e-300


@dataclass(frozen=True)
class MapError:
    """The RMSE of a map, as folds tell it, against observations as those that it was learned from."""

    rmse: float
    """The score: pooled over the folds of a round, averaged over rounds."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    of_sites: float
    """Standard error of the score, as a share of it, for want of more sites."""
    of_map: float
    """Standard deviation of the map's own error, as a share of it: it has few independent parts."""


def map_error(
    sites: pd.DataFrame, predicted: Float, folds: Folds, domain: pd.DataFrame, *, level: float = 0.95
) -> MapError:
    """Return the RMSE of out-of-fold predictions of values with an interval for that of the map.

    A bootstrap of the score asks what other sites would have said, and takes the error of the map as fixed
    by them. But the map errs for the most part where there are no sites, and by chance more or less than
    at them; and of few groups of unequal size percentiles of a bootstrap are too close.

    Parameters
    ----------
    sites
        One row per site and epoch: ``value``, coordinates and ``site_group``.
    predicted
        As from `permagrid.validation.out_of_fold`, shape ``(repeats, n)``; NaN where a row was not tested.
    folds
        The folds; their groups are left out whole.
    domain
        Prediction points, drawn from the map in proportion to area.
    level
        Coverage of the interval.

    Raises
    ------
    PermagridError
        If the folds are of other rows, fewer than two of their groups or 10 places are tested, or there are
        fewer than two prediction points.

    Notes
    -----
    On the scale of logarithms, as the spread of an RMSE grows with it. The part of the sites is the jackknife
    over groups (Efron and Tibshirani 1993, An introduction to the bootstrap, chapter 11). The part of the map
    is the standard deviation of a mean square over its points. By how much squared errors are alike at a
    distance is taken from the variogram of the sizes of the errors: in that of their squares a few outliers
    decide, and that of the errors misses that whole regions, such as mountains, are predicted worse than
    others. Both parts are added as in the extension variance of geostatistics (Journel and Huijbregts 1978,
    Mining geostatistics, chapter V), without what they share, which is little where most of the map is far
    from sites. Quantiles are Student's, with one degree of freedom less than there are groups that count
    (Kish 1965, Survey sampling).

    What sites cannot show, such as mountains on which none stands, no interval of their errors holds.
    """
    if len(folds.groups) != len(sites) or predicted.shape[-1] != len(sites):
        raise PermagridError(
            f"folds: {folds.name} is of {len(folds.groups)} rows, and there are {len(sites)} with "
            f"{predicted.shape[-1]} predictions"
        )
    if len(domain) < 2:
        raise PermagridError(f"folds: the error of a map needs two of its points, found {len(domain)}")
    observed = sites["value"].to_numpy(float)
    tested = np.isfinite(predicted).any(axis=0)
    squares = np.nanmean((observed[tested] - predicted[:, tested]) ** 2, axis=0)
    rmse = float(repeated_scores(observed, predicted, None)["rmse"][0])
    if rmse == 0.0:
        return MapError(0.0, 0.0, 0.0, 0.0, 0.0)
    of_sites, effective = _jackknife(squares, folds.groups[tested], folds.name)
    rows = sites[tested]
    longitude, latitude = rows["longitude"].to_numpy(float), rows["latitude"].to_numpy(float)
    groups = rows["site_group"].to_numpy()
    alike = fit_variogram(longitude, latitude, np.sqrt(squares), groups)
    of_map = 0.5 * float(np.sqrt(_relative_variance(squares, groups) * _shared(alike, domain)))
    quantile = float(student.ppf(0.5 + level / 2.0, max(effective - 1.0, 1.0)))
    reach = np.exp(quantile * np.hypot(of_sites, of_map))
    return MapError(rmse, float(rmse / reach), float(rmse * reach), of_sites, of_map)


def _jackknife(squares: Float, groups: Index, name: str) -> tuple[float, float]:
    """Return the standard error of the logarithm of the root mean square, and how many groups count."""
    number = np.unique(groups, return_inverse=True)[1].ravel()
    counts = np.bincount(number)
    if len(counts) < 2:
        raise PermagridError(f"folds: {name} tests one group only, whose error has no spread")
    left = (squares.sum() - np.bincount(number, squares)) / (len(squares) - counts)
    without = 0.5 * np.log(np.maximum(left, _LEAST))
    spread = ((without - without.mean()) ** 2).sum() * (len(counts) - 1) / len(counts)
    return float(np.sqrt(spread)), float(counts.sum() ** 2 / (counts**2).sum())


def _relative_variance(squares: Float, groups: Index) -> float:
    """Return the variance of squared errors of places, in units of their mean squared; rows count alike."""
    place = np.unique(groups, return_inverse=True)[1].ravel()
    counts = np.bincount(place)
    means = np.bincount(place, squares) / counts
    middle = np.average(means, weights=counts)
    return float(np.average((means - middle) ** 2, weights=counts) / middle**2)


def _shared(sizes: Variogram, domain: pd.DataFrame) -> float:
    """Return the mean correlation of the sizes of errors at two different points of the map."""
    points = chord(domain["longitude"].to_numpy(float), domain["latitude"].to_numpy(float))
    n, total = len(points), 0.0
    for start in range(0, n, _AT_A_TIME):
        apart = great_circles(points[start : start + _AT_A_TIME], points)
        correlation = sizes.correlation(apart)
        here = np.arange(len(apart))
        correlation[here, start + here] = 0.0
        total += float(correlation.sum())
    return total / (n * (n - 1))
