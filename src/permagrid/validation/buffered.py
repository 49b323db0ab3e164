"""Buffers: training rows that lie too near to those that are tested are left out."""

import numpy as np
import pandas as pd

from permagrid.errors import PermagridError
from permagrid.grid import chord
from permagrid.validation.folds import FOLDS, Folds, deal, enough, of_labels
from permagrid.validation.places import Index, places_of
from permagrid.validation.sphere import nearest

Pairs = tuple[tuple[Index, Index], ...]


def buffered(sites: pd.DataFrame, pairs: Pairs, distance: float, *, what: str) -> Pairs:
    """Return folds without the training rows that lie within `distance` of a row that is tested.

    Parameters
    ----------
    sites
        Rows with longitude and latitude.
    pairs
        Row numbers of train and test set of each fold.
    distance
        On the sphere [m]. A row just as far away is left out.
    what
        What the distance is called in the study.

    Raises
    ------
    PermagridError
        If the distance is not above 0, or nothing is left to train on.

    Examples
    --------
    >>> rows = pd.DataFrame({"longitude": [0.0, 0.0, 0.0], "latitude": [70.0, 71.0, 75.0]})
    >>> pairs = ((np.array([1, 2]), np.array([0])),)
    >>> [train.tolist() for train, _ in buffered(rows, pairs, 200e3, what="buffer")]
    [[2]]
    """
    if not 0.0 < distance < np.inf:
        raise PermagridError(f"folds: {what} must be above 0 m, found {distance}")
    points = chord(sites["longitude"].to_numpy(float), sites["latitude"].to_numpy(float))
    out = []
    for number, (train, test) in enumerate(pairs):
        kept = train[nearest(points[train], np.unique(points[test], axis=0)) > distance]
        if not len(kept):
            raise PermagridError(
                f"folds: all sites lie within {distance / 1000:g} km of those tested in fold {number}; "
                f"use a smaller {what}"
            )
        out.append((kept, test))
    return tuple(out)


@FOLDS.register
def buffered_leave_one_out(
    sites: pd.DataFrame,
    domain: pd.DataFrame | None = None,
    *,
    radius: float,
    n_folds: int | None = None,
    seed: int = 0,
) -> Folds:
    """Return a fold for each site, trained on what lies beyond a radius of it.

    Buffered, or spatial, leave-one-out (Le Rest et al. 2014, doi:10.1111/geb.12161; Roberts et al. 2017,
    doi:10.1111/ecog.02881), on the sphere.

    Parameters
    ----------
    sites
        One row per site and epoch, with coordinates and ``site_group``.
    domain
        Not used.
    radius
        Distance [m] on the sphere within which no row is trained on.
    n_folds
        Folds into which the sites are dealt, to save fits: every site of a fold then has its own circle, and
        what lies in any of them is left out. Each site is a fold of its own if left out.
    seed
        Seed of the deal.

    Raises
    ------
    PermagridError
        If there is only one site, fewer sites than folds, or no site beyond the circles of a fold.
    """
    del domain
    places = places_of(sites)
    enough(len(places), 2 if n_folds is None else n_folds, "sites")
    labels = np.arange(len(places)) if n_folds is None else deal(len(places), n_folds, seed)
    pairs = buffered(sites, of_labels(labels[places.place]), radius, what="radius")
    what = f"each of {len(places)} sites" if n_folds is None else f"{n_folds} folds of whole sites"
    method = f"{what} held out in turn, trained on sites more than {radius / 1000:g} km away"
    return Folds(f"buffered_{radius / 1000:g}km", method, pairs, places.place)
