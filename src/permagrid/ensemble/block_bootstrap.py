"""A bootstrap of places by blocks of equal area, so that members differ as other samples of places would."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer

from permagrid.errors import PermagridError
from permagrid.grid import chord

Float = NDArray[np.float64]

_SALT = 0x6D656D62
"""Keeps what is drawn here apart from what else is drawn with the seed of a study."""


def block_weights(
    longitude: ArrayLike,
    latitude: ArrayLike,
    groups: ArrayLike,
    *,
    size: float,
    members: int,
    seed: int,
) -> Float:
    """Return how often each row is drawn by each member of a bootstrap by blocks.

    Rows near each other err alike, and drawn one by one they would make members too much alike (Kuensch
    1989, doi:10.1214/aos/1176347265). So squares of equal area are drawn with replacement, as many as there
    are, with all rows in them; where the squares begin is drawn anew for each member. A group of rows lies
    where its mean position is, and is kept whole.

    Parameters
    ----------
    longitude, latitude
        Coordinates [degree], shape ``(n,)``.
    groups
        Which rows belong together, such as those of a site, shape ``(n,)``.
    size
        Side of a block [m].
    members
        How many members.
    seed
        Seed; what member m draws depends on the seed and m alone.

    Returns
    -------
    array
        Whole numbers, shape ``(n, members)``; every member has drawn at least one row.

    Raises
    ------
    PermagridError
        If the size or the number of members is not above 0, or all places lie in one block.

    Examples
    --------
    >>> drawn = block_weights([0, 0, 90], [60, 60, 60], [1, 1, 2], size=500e3, members=4, seed=0)
    >>> bool((drawn[0] == drawn[1]).all()), drawn[[0, 2]].sum(axis=0).tolist()
    (True, [2.0, 2.0, 2.0, 2.0])
    """
    if not 0 < size < np.inf:
        raise PermagridError(f"members: block must be above 0 m, found {size}")
    if members < 1:
        raise PermagridError(f"members must be at least 1, found {members}")
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    points = chord(np.asarray(longitude, dtype=float), np.asarray(latitude, dtype=float))
    x, y = _laid_out(_middles(points, group.ravel()), size)
    weights = np.empty((len(points), members))
    for member in range(members):
        random = np.random.default_rng([_SALT, seed, member])
        right, up = random.random(2)
        squares = np.stack([np.floor(x + right), np.floor(y + up)], axis=1)
        found, block = np.unique(squares, axis=0, return_inverse=True)
        if len(found) < 2:
            raise PermagridError(
                f"members: all places lie in one block of {size / 1000:g} km; choose smaller blocks"
            )
        drawn = np.bincount(random.integers(0, len(found), len(found)), minlength=len(found))
        weights[:, member] = drawn[block.ravel()][group.ravel()]
    return weights


def _middles(points: Float, group: NDArray[np.int_]) -> Float:
    """Return unit vectors of the mean positions of groups."""
    sums = np.stack([np.bincount(group, column) for column in points.T], axis=1)
    lengths = np.sqrt(np.square(sums).sum(axis=1))
    return np.asarray(sums / np.maximum(lengths, 1e-12)[:, np.newaxis])


def _laid_out(points: Float, size: float) -> tuple[Float, Float]:
    """Return points in an equal-area plane centred on them, in sizes of blocks; it has no seam among them."""
    middle = points.mean(axis=0)
    middle = middle / max(float(np.sqrt(np.square(middle).sum())), 1e-12)
    centre = _degrees(middle[np.newaxis])
    plane = f"+proj=laea +lat_0={centre[1][0]:.1f} +lon_0={centre[0][0]:.1f} +datum=WGS84"
    x, y = Transformer.from_crs("EPSG:4326", plane, always_xy=True).transform(*_degrees(points))
    return np.asarray(x) / size, np.asarray(y) / size


def _degrees(points: Float) -> tuple[Float, Float]:
    longitude = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
    return longitude, np.degrees(np.arcsin(np.clip(points[:, 2], -1.0, 1.0)))
