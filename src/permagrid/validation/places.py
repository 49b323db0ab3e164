"""Places: which rows are never parted, where they lie, and an order that no label and no shuffle changes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.grid import Float, chord, wrapped

Index = NDArray[np.int_]

MOST_CLASSES = 20
"""So many different values are classes; where there are more, they are a quantity."""


@dataclass(frozen=True, eq=False)
class Places:
    """The places of a table of rows, numbered by where they lie and not by what they are called.

    Rows are put in the order of longitude, latitude, epoch, value and whatever other numbers they have, and
    places in that of their first rows. Folds are dealt in this order, so that neither the order of rows nor
    the names of sites has a say in them.
    """

    order: Index
    """Row numbers in that order, shape ``(rows,)``."""
    place: Index
    """Number of the place of each row, shape ``(rows,)``."""
    vectors: Float
    """Each place as a unit vector, the mean of the positions of its rows, shape ``(places, 3)``; NaN where
    nothing is known of them."""
    counts: Index
    """Rows of each place, shape ``(places,)``."""

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def first(self) -> Index:
        """The first row of each place, in the order."""
        return self.order[np.unique(self.place[self.order], return_index=True)[1]]

    @property
    def longitude(self) -> Float:
        """Longitudes of the places [degree]."""
        return np.degrees(np.arctan2(self.vectors[:, 1], self.vectors[:, 0]))

    @property
    def latitude(self) -> Float:
        """Latitudes of the places [degree]."""
        return np.degrees(np.arctan2(self.vectors[:, 2], np.hypot(self.vectors[:, 0], self.vectors[:, 1])))


def places_of(sites: pd.DataFrame, *, located: bool = True) -> Places:
    """Return the places of a table.

    Parameters
    ----------
    sites
        Rows with ``longitude``, ``latitude`` and ``site_group``; two groups never share a position.
    located
        Whether rows must say where they lie; otherwise a table in which none does will do, too.

    Raises
    ------
    PermagridError
        If there are no rows, or a row has no coordinates where others have, or all must have them.

    Examples
    --------
    >>> rows = pd.DataFrame({"site_group": ["b", "a", "b"], "longitude": [20.0, 30.0, 20.0],
    ...                      "latitude": [60.0, 70.0, 60.0], "epoch": ["1990", "1980", "1980"]})
    >>> found = places_of(rows)
    >>> found.place.tolist(), found.order.tolist(), found.latitude.round(9).tolist()
    ([0, 1, 0], [2, 0, 1], [60.0, 70.0])
    """
    longitude = wrapped(sites["longitude"].to_numpy(float))
    latitude = sites["latitude"].to_numpy(float)
    lost = int((~(np.isfinite(longitude) & np.isfinite(latitude))).sum())
    if not len(sites) or (lost and (located or lost < len(sites))):
        raise PermagridError(f"folds: {lost or 'all'} of {len(sites)} rows have no coordinates")
    order = np.lexsort(_keys(sites, longitude, latitude)[::-1])
    place = np.empty(len(sites), dtype=int)
    place[order] = pd.factorize(sites["site_group"].to_numpy()[order])[0]
    positions = np.unique(np.stack([place, longitude, latitude]), axis=1)
    own = positions[0].astype(int)
    points = chord(positions[1], positions[2])
    sums = np.stack([np.bincount(own, points[:, axis]) for axis in range(3)], axis=1)
    alone = np.bincount(own) == 1
    length = np.where(alone, 1.0, np.linalg.norm(sums, axis=1))
    return Places(order, place, sums / np.maximum(length, 1e-12)[:, np.newaxis], np.bincount(place))


def _keys(sites: pd.DataFrame, longitude: Float, latitude: Float) -> list[NDArray[np.generic]]:
    """Return what rows are sorted by, first the most important; names of sites have no part in it."""
    keys: list[NDArray[np.generic]] = [longitude, latitude]
    if "epoch" in sites:
        keys.append(np.asarray(pd.factorize(sites["epoch"].astype(str), sort=True)[0]))
    numbers = sites.select_dtypes("number").columns
    told = {"longitude", "latitude", "epoch", "site_id", "site_group"}
    keys += [sites[name].to_numpy(float) for name in sorted(set(numbers) - told, key=_value_first)]
    return keys


def _value_first(name: object) -> tuple[bool, str]:
    return name != "value", str(name)


def strata(values: Float) -> Index:
    """Return the class of each row, or the tenth of all rows in which its value lies where it is a quantity.

    Examples
    --------
    >>> strata(np.array([3.0, 1.0, 3.0])).tolist(), np.bincount(strata(np.arange(50.0))).tolist()
    ([1, 0, 1], [5, 5, 5, 5, 5, 5, 5, 5, 5, 5])
    """
    classes, codes = np.unique(values, return_inverse=True)
    if len(classes) <= MOST_CLASSES:
        return np.asarray(codes).ravel()
    tenths = np.quantile(values, np.arange(1, 10) / 10)
    return np.asarray(np.searchsorted(tenths, values, side="right"))
