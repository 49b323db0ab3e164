"""The rule of kNNDM: among clusters merged into folds, those whose distances match the map's."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform
from scipy.stats import wasserstein_distance

from permagrid.errors import PermagridError
from permagrid.grid import Float
from permagrid.validation.places import Index

_COUNTS_TRIED = 100
_EXACT_BELOW = 10_000
"""Product of two sample sizes below which a p-value is exact, as in R."""

Clusters = Callable[[int], Index]
"""Number of clusters -> the cluster of each place, numbered from 0."""


@dataclass(frozen=True, eq=False)
class Matched:
    """Folds of places whose distances to the training places match those of the map."""

    labels: Index
    """Fold of each place."""
    clusters: Index
    """Cluster of each place; clusters are merged into folds."""
    wasserstein: float
    """Distance W between the two distributions of distances."""


def match(
    distances: Float,
    to_domain: Float,
    score: Float,
    clusters: Clusters,
    *,
    rows: Index,
    n_folds: int,
    max_share: float,
) -> Matched:
    """Return the folds whose test-to-train distances come closest to the distances of the map.

    Numbers of clusters from `n_folds` to two less than there are places are tried, a hundred evenly spread
    in their logarithm. Clusters that hold as many rows as a fold should are folds of their own; the others
    are sorted by `score` and dealt in turn to the folds that remain.

    Parameters
    ----------
    distances
        Of all pairs of places, shape ``(n, n)``.
    to_domain
        Of each prediction point to the nearest place, shape ``(m,)``.
    score
        First principal component of the places, shape ``(n,)``.
    clusters
        Gives the clusters of the places.
    rows
        Rows of each place, all of which go along with it, shape ``(n,)``.
    n_folds
        Number of folds.
    max_share
        Largest share of the rows in a fold.

    Raises
    ------
    PermagridError
        If there are too few places, or every number of clusters makes a fold that is too large.

    Notes
    -----
    Linnenbrink et al. (2024), doi:10.5194/gmd-17-5897-2024. With one row at each place this is their rule.
    """
    n = len(distances)
    if n < n_folds + 2:
        raise PermagridError(f"folds: kNNDM into {n_folds} folds needs {n_folds + 2} sites, found {n}")
    tried = np.exp(np.linspace(np.log(n_folds), np.log(n - 2), _COUNTS_TRIED))
    order = np.argsort(distances, axis=1, kind="stable")
    best: Matched | None = None
    for count in np.unique(np.round(tried).astype(int)):
        found = clusters(int(count))
        labels = merged(found, score, rows, n_folds)
        if np.bincount(labels, rows).max() > max_share * rows.sum():
            continue
        apart = nearest_in_other_folds(distances, order, labels)
        distance = float(wasserstein_distance(apart, to_domain, u_weights=rows))
        if best is None or distance < best.wasserstein:
            best = Matched(labels, found, distance)
    if best is None:
        raise PermagridError(
            f"folds: no clusters of {n} sites make {n_folds} folds with at most {100 * max_share:g} % of the "
            "rows in each; use a larger max_share or fewer folds"
        )
    return best


def merged(clusters: Index, score: Float, rows: Index, n_folds: int) -> Index:
    """Return the fold of each place when clusters are merged.

    Examples
    --------
    >>> clusters, score = np.array([0, 0, 0, 1, 2, 3]), np.array([0.0, 0.0, 0.0, 5.0, 9.0, 7.0])
    >>> merged(clusters, score, np.ones(6, dtype=int), 2).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    sizes = np.bincount(clusters, rows)
    middles = np.bincount(clusters, score) / np.bincount(clusters)
    along = np.argsort(middles, kind="stable")
    large = sizes[along] * n_folds >= rows.sum()
    folds = np.empty(len(sizes), dtype=int)
    folds[along[large]] = np.arange(large.sum())
    rest = np.arange(large.sum(), n_folds)
    small = along[~large]
    if len(small):
        folds[small] = rest[np.arange(len(small)) % len(rest)]
    return np.asarray(folds[clusters])


def nearest_in_other_folds(distances: Float, order: Index, labels: Index) -> Float:
    """Return the distance of each place to the nearest one that another fold holds.

    Parameters
    ----------
    distances
        Of all pairs of places, shape ``(n, n)``.
    order
        The places by their distance from each one, shape ``(n, n)``.
    labels
        Fold of each place; two folds at least.
    """
    n = len(labels)
    out = np.empty(n)
    left, start, width = np.arange(n), 0, 8
    while len(left):
        candidates = order[left, start : start + width]
        other = labels[candidates] != labels[left, np.newaxis]
        found = other.any(axis=1)
        place = left[found]
        out[place] = distances[place, candidates[found, other[found].argmax(axis=1)]]
        left, start, width = left[~found], start + width, width * 4
    return out


def tree_clusters(distances: Float) -> Clusters:
    """Return clusters cut from a tree by Ward's criterion on squared distances, grown once.

    Parameters
    ----------
    distances
        Of all pairs of places, shape ``(n, n)``.

    Examples
    --------
    >>> line = np.array([0.0, 1.0, 10.0])
    >>> tree_clusters(np.abs(line - line[:, np.newaxis]))(2).tolist()
    [0, 0, 1]
    """
    n = len(distances)
    merges = linkage(squareform(distances, checks=False), method="ward")[:, :2].astype(int)

    def cut(count: int) -> Index:
        root = np.arange(2 * n - 1)
        # A later join is farther from the leaves: from the last one kept down, each hands on its root.
        for number in range(n - count - 1, -1, -1):
            root[merges[number]] = root[n + number]
        first = np.unique(root[:n], return_index=True)[1]
        numbers = np.empty(2 * n - 1, dtype=int)
        numbers[root[np.sort(first)]] = np.arange(count)
        return numbers[root[:n]]

    return cut


def closer_p_value(here: Float, there: Float) -> float:
    """Return how likely distances `here` would be no shorter than those `there`, by Kolmogorov and Smirnov.

    The one-sided test of two samples against the alternative that the first one's distribution function
    lies above: exact, ties included, for small samples, else by its limit, as R does it.

    Parameters
    ----------
    here, there
        Distances, shapes ``(n,)`` and ``(m,)``.

    Examples
    --------
    >>> far, near = np.arange(10.0, 20.0), np.arange(10.0)
    >>> closer_p_value(near, far) < 1e-4, closer_p_value(far, near)
    (True, 1.0)
    """
    n, m = len(here), len(there)
    both = np.concatenate([here, there])
    order = np.argsort(both, kind="stable")
    ends = np.append(np.diff(both[order]) != 0, True)
    first = order < n
    # In whole numbers, so that equal steps are equal.
    above = np.cumsum(np.where(first, m, -n))
    most = int(above[ends].max())
    if n * m >= _EXACT_BELOW:
        return float(np.exp(-2.0 * (most / (n * m)) ** 2 * n * m / (n + m)))
    # Share of all orders of the two samples in which no end of a tie gets so far above.
    share = np.ones(1)
    taken = np.zeros(1, dtype=int)
    for step in range(1, n + m + 1):
        chance = np.zeros(len(share) + 1)
        others = step - 1 - taken
        drawn = (n - taken) / (n + m - step + 1)
        chance[1:] += share * drawn
        chance[:-1] += share * (m - others) / (n + m - step + 1)
        taken = np.append(taken, taken[-1] + 1)
        if ends[step - 1]:
            chance[taken * m - (step - taken) * n >= most] = 0.0
        possible = (taken <= n) & (step - taken <= m)
        share, taken = chance[possible], taken[possible]
    return max(float(1.0 - share.sum()), 0.0)
