"""Which rows stand at one place: geodesy on the sphere and the groups that folds keep together."""

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from permagrid.errors import PermagridError
from permagrid.grid import chord

EARTH_RADIUS = 6_371_008.8
"""Mean radius of the Earth [m] (IUGG)."""

Floats = NDArray[np.float64]


def chord_coordinates(longitude: Floats, latitude: Floats) -> Floats:
    """Return points on the sphere as x, y, z [m], where a straight line has no seam and no pole.

    Parameters
    ----------
    longitude, latitude
        Coordinates [degree], shape (n,).

    Returns
    -------
    numpy.ndarray
        Shape (n, 3); NaN where a coordinate is NaN.

    Examples
    --------
    >>> chord_coordinates(np.array([0.0, 180.0]), np.array([90.0, 90.0])).round(3).tolist()
    [[0.0, 0.0, 6371008.8], [-0.0, 0.0, 6371008.8]]
    """
    return np.asarray(EARTH_RADIUS * chord(longitude, latitude))


def great_circle_distance(here: Floats, there: Floats) -> Floats:
    """Return the distance [m] along the sphere between paired `chord_coordinates`.

    Parameters
    ----------
    here, there
        Points from `chord_coordinates`, shape (n, 3) each.

    Examples
    --------
    >>> ends = chord_coordinates(np.array([179.9, -179.9]), np.array([70.0, 70.0]))
    >>> great_circle_distance(ends[:1], ends[1:]).round().tolist()
    [7606.0]
    """
    chord = np.linalg.norm(here - there, axis=1)
    arc: Floats = 2.0 * EARTH_RADIUS * np.arcsin(np.minimum(chord / (2.0 * EARTH_RADIUS), 1.0))
    return arc


def near_components(longitude: Floats, latitude: Floats, *, distance: float) -> NDArray[np.int64]:
    """Return a number for each point; points joined by steps of at most `distance` share one.

    Parameters
    ----------
    longitude, latitude
        Coordinates [degree], shape (n,).
    distance
        Longest step [m] along the great circle.

    Returns
    -------
    numpy.ndarray
        Numbers from 0, shape (n,); -1 where a coordinate is missing.

    Raises
    ------
    PermagridError
        If `distance` is negative or not finite.

    Examples
    --------
    >>> near_components(np.array([180.0, -180.0, 0.0]), np.array([70.0, 70.0, 70.0]), distance=1.0).tolist()
    [0, 0, 1]
    """
    if not (np.isfinite(distance) and distance >= 0.0):
        raise PermagridError(f"distance must be a number of metres, 0 or more; found {distance!r}")
    known = np.isfinite(longitude) & np.isfinite(latitude)
    numbers = np.full(len(longitude), -1, dtype=np.int64)
    if not known.any():
        return numbers
    # The same place has many spellings (180 and -180, any longitude at the pole): compare in millimetres.
    points = np.round(chord_coordinates(longitude[known], latitude[known]), 3)
    places, place = np.unique(points, axis=0, return_inverse=True)
    reach = 2.0 * EARTH_RADIUS * np.sin(min(distance / EARTH_RADIUS, np.pi) / 2.0)
    # Half a centimetre covers the rounding of both ends.
    pairs = KDTree(places).query_pairs(reach + 0.005, output_type="ndarray")
    numbers[known] = _components(pairs[:, 0], pairs[:, 1], len(places))[place.reshape(-1)]
    return numbers


def _components(start: NDArray[np.int64], end: NDArray[np.int64], nodes: int) -> NDArray[np.int64]:
    links = coo_array((np.ones(len(start), dtype=np.int8), (start, end)), shape=(nodes, nodes))
    _, number = connected_components(links, directed=False)
    return np.asarray(number, dtype=np.int64)


def site_groups(sites: gpd.GeoDataFrame, *, distance: float = 1_000.0) -> "pd.Series[str]":
    """Return for each row the label of its place: what a fold must keep together.

    Rows are one place when they share a ``site_id``, or when steps of at most `distance` lead from one to
    the other. Rows without coordinates are grouped by ``site_id`` alone. Rows with wrong coordinates
    would join strangers: use this after quality control.

    Parameters
    ----------
    sites
        Rows with ``site_id``, ``longitude`` and ``latitude``.
    distance
        Longest step [m] within one place.

    Returns
    -------
    pandas.Series
        Named ``site_group``, with the index of `sites`. The label is the first ``site_id`` of the group
        in alphabetical order, so it does not depend on the order of rows.

    Raises
    ------
    PermagridError
        If `distance` is negative or not finite.

    Examples
    --------
    >>> rows = pd.DataFrame({"site_id": ["b", "a", "c"], "longitude": [25.0, 25.001, 30.0],
    ...                      "latitude": [69.0, 69.0, 69.0]})
    >>> site_groups(rows).tolist()
    ['a', 'a', 'c']
    """
    place = near_components(
        sites["longitude"].to_numpy(dtype=float), sites["latitude"].to_numpy(dtype=float), distance=distance
    )
    site, names = pd.factorize(sites["site_id"].astype(str), sort=True)
    linked = place >= 0
    offset = len(names)
    nodes = offset + int(place.max(initial=-1)) + 1
    group = _components(np.asarray(site[linked], dtype=np.int64), place[linked] + offset, nodes)[:offset]
    # The names are sorted: the first one met in a group is its label.
    _, first = np.unique(group, return_index=True)
    labels = np.asarray(names, dtype=object)[first[group]] if offset else np.array([], dtype=object)
    return pd.Series(labels[site], index=sites.index, name="site_group", dtype=str)
