"""Weights of training rows: less where sites crowd, and less where observations are poor."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from permagrid.grid import chord

Float = NDArray[np.float64]

_RADIUS = 6_371_008.8


def inverse_density(rows: pd.DataFrame, *, distance: float = 200_000.0) -> Float:
    """Return one over the number of rows near each row, itself included.

    A crowd of sites then counts about as much as a lonely one, as the map gives both the same area.

    Parameters
    ----------
    rows
        ``longitude`` and ``latitude`` [degree].
    distance
        How near is nearby, along the surface [m].

    Examples
    --------
    >>> sites = pd.DataFrame({"longitude": [0.0, 0.1, 90.0], "latitude": [70.0, 70.0, 70.0]})
    >>> inverse_density(sites).tolist()
    [0.5, 0.5, 1.0]
    """
    places = chord(rows["longitude"].to_numpy(float), rows["latitude"].to_numpy(float))
    reach = 2.0 * np.sin(min(distance / _RADIUS, np.pi) / 2.0)
    near = cKDTree(places).query_ball_point(places, reach, return_length=True)
    return np.asarray(1.0 / near)


def quality(rows: pd.DataFrame) -> Float:
    """Return how well observed each row is, above 0 to 1.

    The years with observations behind a row, over the most that any row has; half of that where the source
    itself flags the site.

    Parameters
    ----------
    rows
        ``n_years``, and ``site_flags`` where the source has such words.

    Examples
    --------
    >>> quality(pd.DataFrame({"n_years": [5, 1, 5], "site_flags": ["", "", "burned"]})).tolist()
    [1.0, 0.2, 0.5]
    """
    years = np.maximum(rows["n_years"].to_numpy(float), 1.0)
    flagged = rows["site_flags"].fillna("").astype(str).str.len() > 0 if "site_flags" in rows else False
    return np.asarray(years / years.max() * np.where(flagged, 0.5, 1.0))
