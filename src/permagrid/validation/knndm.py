"""kNNDM: folds of whole sites whose distances to the training sites match those of the map."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.spatial.distance import squareform
from scipy.stats import wasserstein_distance
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError
from permagrid.grid import Float, chord
from permagrid.validation.features import FeatureSpace, feature_space, known_points
from permagrid.validation.folds import FOLDS, Folds, deal, enough, of_labels
from permagrid.validation.matching import (
    Clusters,
    closer_p_value,
    match,
    nearest_in_other_folds,
    tree_clusters,
)
from permagrid.validation.places import Index, Places, places_of
from permagrid.validation.sphere import great_circles, nearest

Space = Literal["geographic", "feature"]
Clustering = Literal["hierarchical", "kmeans"]

_LEVEL = 0.05
_AT_A_TIME = 1000


@FOLDS.register
def knndm(  # noqa: PLR0913
    sites: pd.DataFrame,
    domain: pd.DataFrame | None = None,
    *,
    n_folds: int = 10,
    space: Space = "geographic",
    clustering: Clustering = "hierarchical",
    max_share: float = 0.5,
    covariates: Sequence[str] | None = None,
    classes: Sequence[str] = (),
    seed: int = 0,
) -> Folds:
    """Return folds whose test sites are as far from training sites as the map is from all sites.

    k-fold nearest neighbour distance matching (Linnenbrink et al. 2024, doi:10.5194/gmd-17-5897-2024). Where
    sites are no nearer to each other than the map is to them (Kolmogorov and Smirnov, one-sided, 5 %), they
    are dealt at random. Else clusters of them, in a hundred different numbers, are merged into folds, and
    the folds are taken for which the Wasserstein distance W between both distributions of distances is least.

    Sites are what is clustered and what the test counts, each at the mean of its rows: all rows of a site go
    along with it, and shares and W count rows, as scores do.

    Parameters
    ----------
    sites
        One row per site and epoch, with coordinates, ``site_group`` and, for distances between features,
        the covariates.
    domain
        Prediction points, drawn from the map in proportion to area; a thousand or more.
    n_folds
        Number of folds.
    space
        ``geographic``: great circles [m]; ``feature``: the covariates, standardised by the moments of all
        rows, or Gower's distance where some are classes.
    clustering
        ``hierarchical`` (Ward, on the distances) or ``kmeans``.
    max_share
        Largest share of the rows in one fold, above 1 / `n_folds` and below 1.
    covariates
        Covariates that make the feature space; if left out, all that `domain` has.
    classes
        Those that hold codes of classes.
    seed
        Seed of the random deal and of k-means.

    Returns
    -------
    Folds
        With ``wasserstein``, ``p_value`` of the test and, where sites were clustered, the number of
        ``clusters`` on record; clusters are then the groups.

    Raises
    ------
    PermagridError
        If there are no prediction points, too few sites, or no clusters that keep to `max_share`; or if
        k-means is asked of covariates with classes.

    Notes
    -----
    Clusters are dealt along the first principal component of the unit vectors (of the features), which has
    no seam at the antimeridian. Its sign decides the numbers of the folds only: the largest loading is
    positive.
    """
    if domain is None:
        raise PermagridError("folds: knndm needs prediction points of the map to be made")
    refuse_share(n_folds, max_share)
    places = places_of(sites)
    enough(len(places), n_folds, "sites")
    if space == "geographic":
        found = _geography(places, known_points(domain, None))
    else:
        ordered = sites.iloc[places.order]
        features = feature_space(ordered, domain, covariates=covariates, classes=classes)
        if features.by_classes and clustering == "kmeans":
            raise PermagridError("folds: k-means has no means of classes; use clustering: hierarchical")
        found = _features(ordered, places, features, known_points(domain, features))
    own = found.distances + np.diag(np.full(len(places), np.inf))
    p_value = closer_p_value(own.min(axis=1), found.to_domain)
    at_random = p_value >= _LEVEL
    if at_random:
        labels, groups = deal(len(places), n_folds, seed), np.arange(len(places))
        order = np.argsort(found.distances, axis=1, kind="stable")
        apart = nearest_in_other_folds(found.distances, order, labels)
        distance = float(wasserstein_distance(apart, found.to_domain, u_weights=places.counts))
    else:
        clusters = (
            tree_clusters(found.distances)
            if clustering == "hierarchical"
            else _means(found.coordinates, seed)
        )
        matched = match(
            found.distances,
            found.to_domain,
            found.score,
            clusters,
            rows=places.counts,
            n_folds=n_folds,
            max_share=max_share,
        )
        labels, groups, distance = matched.labels, matched.clusters, matched.wasserstein
    record: dict[str, float | int | str] = {"wasserstein": distance, "p_value": p_value}
    if not at_random:
        record["clusters"] = int(groups.max()) + 1
    method = _told(len(places), n_folds, record, space=space, clustering=clustering, unit=found.unit)
    name = (
        "knndm" + ("_feature" if space == "feature" else "") + ("_kmeans" if clustering == "kmeans" else "")
    )
    return Folds(name, method, of_labels(labels[places.place]), groups[places.place], record=record)


def refuse_share(n_folds: int, max_share: float) -> None:
    """Refuse a largest share of the rows in one fold that so many folds cannot keep to.

    Raises
    ------
    PermagridError
        If it is not above 1 / `n_folds` and below 1.

    Examples
    --------
    >>> refuse_share(2, 0.5)
    Traceback (most recent call last):
    permagrid.errors.PermagridError: folds: max_share must be above 1 / n_folds = 0.5 and below 1, found 0.5
    """
    if not 1.0 / max(n_folds, 1) < max_share < 1.0:
        raise PermagridError(
            f"folds: max_share must be above 1 / n_folds = {1 / max(n_folds, 1):.3g} and below 1, "
            f"found {max_share}"
        )


@dataclass(frozen=True, eq=False)
class _Situation:
    """How places and prediction points lie to each other."""

    distances: Float
    """Of all pairs of places."""
    to_domain: Float
    """Of each prediction point to the nearest place."""
    coordinates: Float
    """Of the places, in which k-means takes its means."""
    score: Float
    """First principal component of the places."""
    unit: str
    """What distances are in."""


def _geography(places: Places, domain: pd.DataFrame) -> _Situation:
    points = chord(domain["longitude"].to_numpy(float), domain["latitude"].to_numpy(float))
    distances = _symmetric(great_circles(places.vectors, places.vectors))
    score = first_component(places.vectors)
    return _Situation(distances, nearest(points, places.vectors), places.vectors, score, "m")


def _features(ordered: pd.DataFrame, places: Places, space: FeatureSpace, domain: pd.DataFrame) -> _Situation:
    middles = space.means(space.coordinates(ordered), places.place[places.order])
    points = space.coordinates(domain)
    to_domain = [
        space.distances(points[start : start + _AT_A_TIME], middles).min(axis=1)
        for start in range(0, len(points), _AT_A_TIME)
    ]
    distances = _symmetric(space.distances(middles, middles))
    score = first_component(space.dummies(middles))
    return _Situation(distances, np.concatenate(to_domain), middles, score, space.unit)


def _symmetric(distances: Float) -> Float:
    return np.asarray(squareform(squareform(distances, checks=False)))


def first_component(coordinates: Float) -> Float:
    """Return the first principal component of points, its largest loading taken as positive.

    Examples
    --------
    >>> first_component(np.array([[0.0, 3.0], [0.0, 1.0], [0.0, 2.0]])).tolist()
    [1.0, -1.0, 0.0]
    """
    centred = coordinates - coordinates.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    loadings = vectors[:, -1]
    sign = np.sign(loadings[np.abs(loadings).argmax()])
    return np.asarray(centred @ loadings * sign)


def _means(coordinates: Float, seed: int) -> Clusters:
    apart = len(np.unique(coordinates, axis=0))

    def clusters(count: int) -> Index:
        with threadpool_limits(1):
            found = KMeans(min(count, apart), n_init=1, random_state=seed).fit(coordinates).labels_
        # An empty cluster, as points that coincide can leave, has no number.
        return np.asarray(np.unique(found, return_inverse=True)[1]).ravel()

    return clusters


def _told(
    n: int,
    n_folds: int,
    record: dict[str, float | int | str],
    *,
    space: Space,
    clustering: Clustering,
    unit: str,
) -> str:
    distance = float(record["wasserstein"])
    far = f"{distance / 1000:.4g} km" if unit == "m" else f"{distance:.3g} {unit}"
    where = "geographic space" if space == "geographic" else "the space of the covariates"
    if "clusters" not in record:
        how = "dealt at random, since sites lie no closer to each other than the map to them"
    else:
        how = f"from {record['clusters']} clusters ({clustering})"
    return f"{n_folds} folds of {n} whole sites by kNNDM in {where}, {how}, W = {far}"
