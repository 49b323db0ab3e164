"""The error of the map that a score stands for, with an interval that counts what the score has not seen."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from permagrid.errors import PermagridError
from permagrid.grid import Float, chord
from permagrid.validation.blocks import blocks_of
from permagrid.validation.folds import Folds, Index
from permagrid.validation.scores import repeated_scores
from permagrid.validation.sphere import EARTH_RADIUS

_FEWEST_REGIONS = 12
"""Of fewer, the spread is hardly known."""
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
    is the standard error of a mean over its regions, whose mean squared errors differ as those of the regions
    with sites do. Regions are equal-area blocks of ever larger sides, and the largest standard error counts:
    it grows with the side until the regions no longer hang together (Flyvbjerg and Petersen 1989,
    doi:10.1063/1.457480). Both are added as the variances of independent things, as most of a map is far from
    sites. Quantiles are Student's, with one degree of freedom less than there are groups that count (Kish
    1965, Survey sampling).

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
    rows = sites.iloc[np.flatnonzero(tested)]
    of_map = _regional(squares, rows, domain)
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
    return float(np.sqrt(spread)), _that_count(counts)


def _regional(squares: Float, rows: pd.DataFrame, domain: pd.DataFrame) -> float:
    """Return the standard error of the map's root mean square, as a share of it, by regions of any size."""
    n = len(rows)
    longitude, latitude = (
        np.concatenate([rows[name].to_numpy(float), domain[name].to_numpy(float)])
        for name in ("longitude", "latitude")
    )
    place = np.unique(rows["site_group"].to_numpy(), return_inverse=True)[1].ravel()
    found = 0.0
    for side in _sides(longitude[n:], latitude[n:]):
        region = blocks_of(longitude, latitude, side)
        if _that_count(np.bincount(region[n:])) < _FEWEST_REGIONS:
            break
        found = max(found, _spread(squares, region[:n], place) / _that_count(np.bincount(region[n:])) ** 0.5)
    return 0.5 * found


def _sides(longitude: Float, latitude: Float) -> Float:
    """Return sides of regions, from a fiftieth of the map's reach to all of it, each half as large again."""
    points = chord(longitude, latitude)
    reach = 2.0 * float(np.linalg.norm(points - points.mean(axis=0), axis=1).max()) * EARTH_RADIUS
    return np.asarray(reach / 50.0 * 1.5 ** np.arange(10))


def _spread(squares: Float, region: Index, place: Index) -> float:
    """Return the standard deviation of the mean square of regions over its mean, places counting alike."""
    number = np.unique(region, return_inverse=True)[1].ravel()
    means = np.bincount(number, squares) / np.bincount(number)
    first = np.unique(place, return_index=True)[1]
    weights = np.bincount(number[first], minlength=len(means)).astype(float)
    if len(means) < 2 or np.count_nonzero(weights) < 2:
        return 0.0
    middle = np.average(means, weights=weights)
    variance = np.average((means - middle) ** 2, weights=weights) * len(means) / (len(means) - 1)
    return float(np.sqrt(variance) / middle)


def _that_count(counts: Index) -> float:
    """Return how many groups of equal size would say as much as groups of these sizes (Kish 1965)."""
    return float(counts.sum()) ** 2 / float((counts.astype(float) ** 2).sum())
