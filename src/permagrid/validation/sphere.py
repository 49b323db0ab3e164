"""Distances on the sphere: great circles from unit vectors, and what lies beyond a distance."""

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from permagrid.grid import Float

EARTH_RADIUS = 6_371_008.8
"""Mean radius of the Earth [m] (IUGG)."""

_FEW = 16


def arc(straight: Float) -> Float:
    """Return great-circle distances [m] from straight ones between unit vectors.

    Examples
    --------
    >>> arc(np.array([0.0, 2.0])).round(-3).tolist()
    [0.0, 20015000.0]
    """
    return np.asarray(2.0 * EARTH_RADIUS * np.arcsin(np.minimum(straight / 2.0, 1.0)))


def great_circles(here: Float, there: Float) -> Float:
    """Return the great-circle distances [m] of all pairs of unit vectors, shape ``(n, m)``.

    Examples
    --------
    >>> from permagrid.grid import chord
    >>> ends = chord(np.array([179.9, -179.9]), np.array([70.0, 70.0]))
    >>> great_circles(ends, ends).round().tolist()
    [[0.0, 7606.0], [7606.0, 0.0]]
    """
    return arc(cdist(here, there))


def nearest(points: Float, others: Float) -> Float:
    """Return the great-circle distance [m] of each unit vector to the nearest of others.

    Examples
    --------
    >>> from permagrid.grid import chord
    >>> across = chord(np.array([180.0, 0.0]), np.array([89.0, 80.0]))
    >>> nearest(chord(np.array([0.0]), np.array([89.0])), across).round().tolist()
    [222390.0]
    """
    if len(others) <= _FEW:
        return arc(np.asarray(cdist(points, others).min(axis=1)))
    return arc(np.asarray(KDTree(others).query(points)[0], dtype=float))
