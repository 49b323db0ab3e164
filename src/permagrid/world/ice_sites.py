"""Boreholes of a virtual hemisphere: a few drilled fields, roads between towns, and wide empty land."""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit, logit

from permagrid.errors import PermagridError
from permagrid.world.noise import EARTH_RADIUS, Array, Places, generator, places_of
from permagrid.world.sites import Mask, Spot, observation_table, place_roads, place_sites

FIELDS = (0.24, 0.2, 0.17, 0.14, 0.1, 0.08, 0.07)
"""Share of the boreholes in each drilled field, such as a coast with oil or a plateau with a railway."""

_RADII = (250.0, 450.0)  # of the fields, least and greatest [km]
_STRAYS = 0.04  # share of boreholes anywhere in permafrost
_APART = 900.0  # least distance between the middles of two fields [km]
_LOW = 1200.0  # height over which fields grow rarer by e [m]
_WITHIN = 0.15  # spread of boreholes around their cell, in logits
_READING = 2.0  # error of the ice content of a core [%]


def drill(grid: xr.Dataset, *, seed: int, count: int) -> pd.DataFrame:
    """Return the ice content of boreholes in permafrost, as geological surveys leave them.

    Each field has towns and the roads between them; half of its boreholes stand within some 25 km of a
    town, a third along a road, the others anywhere in the field. A few stand elsewhere. A borehole is where
    the ground is frozen: the likelier, the more of the cell is. It differs from its cell as one place does
    from another (up to 4 % ice), and by the error of a core (2 %).

    Parameters
    ----------
    grid
        As of `permagrid.world.ice.make_ice_world`.
    seed
        Of the campaign.
    count
        Number of boreholes.

    Returns
    -------
    pandas.DataFrame
        Columns of the site table; ``source`` names the field.

    Raises
    ------
    PermagridError
        If there is no permafrost.
    """
    random = generator(seed, "ice boreholes")
    share = grid["permafrost_fraction"].values
    frozen = random.random(share.shape) < np.nan_to_num(share)
    fields = _fields(random, grid, frozen)
    strays = round(_STRAYS * count)
    sizes = [*_sizes(count - strays, len(fields)), strays]
    names = [*(f"field {number}" for number in range(1, len(fields) + 1)), "elsewhere"]
    rows: list[dict[str, object]] = []
    for field, size in zip([*fields, frozen], sizes, strict=True):
        spots = place_sites(random, grid, field, place_roads(random, grid, field), size)
        rows += [_core(random, grid, spot, len(rows) + n) for n, spot in enumerate(spots, start=1)]
    return observation_table(rows, int(grid.attrs["seed"])).assign(source=np.repeat(names, sizes).tolist())


def _sizes(count: int, fields: int) -> list[int]:
    """Return the number of boreholes in each field; they sum to `count`."""
    ends = np.round(np.cumsum(FIELDS[:fields]) / sum(FIELDS[:fields]) * count).astype(int)
    return [int(size) for size in np.diff(ends, prepend=0)]


def _fields(random: np.random.Generator, grid: xr.Dataset, frozen: Mask) -> list[Mask]:
    """Return the permafrost of each field: low ground, and fields far from each other."""
    places = places_of(grid.odc.geobox)
    rows, columns = np.nonzero(frozen)
    if rows.size == 0:
        raise PermagridError("the virtual hemisphere has no permafrost here; choose another seed")
    weight = np.exp(-grid["elevation"].values[rows, columns] / _LOW) + 1e-6
    tried = random.choice(rows.size, size=min(200, rows.size), replace=False, p=weight / weight.sum())
    middles: list[tuple[int, int]] = []
    for cell in zip(rows[tried], columns[tried], strict=True):
        away = [_from(places, *middle)[cell] for middle in middles]
        if len(middles) < len(FIELDS) and min(away, default=np.inf) >= _APART:
            middles.append(cell)
    radii = random.uniform(*_RADII, size=len(middles))
    found = []
    for middle, radius in zip(middles, radii, strict=True):
        near = np.zeros(frozen.shape, dtype=bool)
        at = _from(places, *middle) <= max(radius, 1.5 * places.cell)
        near[at & frozen] = True
        found.append(near)
    return found


def _from(places: Places, row: int, column: int) -> Array:
    """Return the great-circle distance of all places from one [km]."""
    square = sum((axis - axis[row, column]) ** 2 for axis in (places.x, places.y, places.z))
    chord = np.minimum(np.sqrt(square) / (2.0 * EARTH_RADIUS), 1.0)
    return np.asarray(2.0 * EARTH_RADIUS * np.arcsin(chord))


def _core(random: np.random.Generator, grid: xr.Dataset, spot: Spot, number: int) -> dict[str, object]:
    cell = float(grid["truth_volumetric_ice_content"].values[spot.row, spot.column]) / 100.0
    place = 100.0 * expit(logit(cell) + random.normal(0.0, _WITHIN))
    value = round(float(np.clip(place + random.normal(0.0, _READING), 0.0, 100.0)), 1)
    return {
        "site_id": f"virtual:I{number:04d}",
        "original_id": f"I{number:04d}",
        "name": f"Borehole {number}",
        "latitude": spot.latitude,
        "longitude": spot.longitude,
        "elevation": spot.elevation,
        "variable": "volumetric_ice_content",
        "value": value,
        "year": int(random.integers(2000, 2020)),
        "n_observations": int(random.integers(5, 40)),
        "method": "core, mean of the 5 m below the permafrost table",
    }
