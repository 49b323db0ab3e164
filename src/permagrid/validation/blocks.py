"""Folds of blocks of equal area, squares or hexagons, of a given size or as wide as residuals are alike."""

from typing import Literal

import numpy as np
import pandas as pd
from pyproj import Transformer

from permagrid.errors import PermagridError
from permagrid.grid import Float, chord
from permagrid.validation.buffered import buffered
from permagrid.validation.folds import FOLDS, Folds, called, deal, dealt_as, enough, of_labels
from permagrid.validation.places import Index, Places, places_of, strata
from permagrid.validation.variogram import fit_variogram

Shape = Literal["square", "hexagon"]

_DEALS = 500
"""How many deals are looked at for even folds."""


@FOLDS.register
def block(  # noqa: PLR0913
    sites: pd.DataFrame,
    domain: pd.DataFrame | None = None,
    *,
    size: float | Literal["residual_variogram"],
    shape: Shape = "square",
    n_folds: int | None = None,
    repeats: int = 1,
    buffer: float | None = None,
    balance: bool = False,
    seed: int = 0,
) -> Folds:
    """Return folds of blocks of equal area (Roberts et al. 2017, doi:10.1111/ecog.02881).

    A site lies in the block of its mean position, with all its rows.

    Parameters
    ----------
    sites
        One row per site and epoch, with coordinates, ``site_group`` and, for even folds, ``value``.
    domain
        Not used.
    size
        Side of a square, or distance between opposite sides of a hexagon [m]; or ``residual_variogram`` for
        the effective range of the variogram of the column ``residual``, beyond which errors of a learner are
        no longer alike.
    shape
        ``square`` or ``hexagon``.
    n_folds
        Number of folds into which the blocks are dealt; each block is a fold of its own if left out.
    repeats
        Rounds, each dealt anew.
    buffer
        Distance [m] on the sphere from rows that are tested, within which no row is trained on.
    balance
        Whether, of 500 deals, the one is taken whose folds have the most even shares of rows and of the
        classes in ``value``, or of the tenths of a quantity.
    seed
        Seed of the deal.

    Raises
    ------
    PermagridError
        If there are fewer blocks than folds, or only one block, if a range is asked for and there are no
        residuals, if deals are to be repeated or balanced and there is no `n_folds`, or if a buffer leaves
        nothing to train on.
    """
    del domain
    if n_folds is None and (repeats > 1 or balance):
        raise PermagridError(
            "folds: repeats and balance need n_folds; without it each block is a fold of its own"
        )
    places = places_of(sites)
    record: dict[str, float | int | str] = {}
    if isinstance(size, str):
        record, size, label = _residual_range(sites, places), 0.0, "residual"
        size = float(record["range"])
    else:
        label = f"{size / 1000:g}km"
    groups = blocks_of(places.longitude, places.latitude, size, shape=shape)
    n_blocks = int(groups.max()) + 1
    enough(
        n_blocks,
        2 if n_folds is None else n_folds,
        f"blocks of {round(size / 1000, 1):g} km",
        repeats=repeats,
    )
    what = f"{n_blocks} {'blocks' if shape == 'square' else 'hexagons'} of {round(size / 1000, 1):g} km"
    if n_folds is None:
        rounds, method = [groups], f"each of {what} held out in turn"
    else:
        tables = _shares(sites, places, groups) if balance else None
        rounds = [_dealt(n_blocks, n_folds, seed, turn, tables)[groups] for turn in range(repeats)]
        method = f"{what} dealt into {dealt_as(n_folds, repeats)}{' of even shares' if balance else ''}"
    pairs = tuple(pair for labels in rounds for pair in of_labels(labels[places.place]))
    name = f"{'block' if shape == 'square' else 'hexagon'}_{label}"
    if buffer is not None:
        pairs = buffered(sites, pairs, buffer, what="buffer")
        method += f", trained on sites more than {buffer / 1000:g} km away"
        name += f"_buffer_{buffer / 1000:g}km"
    if record:
        method += f", {record['size is']}"
    name = called(name, n_folds or n_blocks, repeats)
    return Folds(name, method, pairs, groups[places.place], repeats=repeats, record=record)


def blocks_of(longitude: Float, latitude: Float, size: float, *, shape: Shape = "square") -> Index:
    """Return the number of the equal-area block of `size` metres in which each point lies.

    Blocks lie in a Lambert azimuthal equal-area projection centred on the points, so they have the same
    area everywhere and no seam at the antimeridian or the pole. The centre lies in the middle of a block:
    points closer together than half a block are not cut apart.

    Parameters
    ----------
    longitude, latitude
        Coordinates [degree], shape ``(n,)``.
    size
        Side of a square, or distance between opposite sides of a hexagon [m].
    shape
        ``square`` or ``hexagon``.

    Raises
    ------
    PermagridError
        If the size is not above 0.

    Examples
    --------
    >>> blocks_of(np.array([179.9, -179.9, 100.0]), np.array([68.0, 68.0, 60.0]), 500e3).tolist()
    [1, 1, 0]
    """
    if not 0 < size < np.inf:
        raise PermagridError(f"folds: block size must be above 0 m, found {size}")
    middle = chord(longitude, latitude).mean(axis=0)
    middle = middle / max(float(np.linalg.norm(middle)), 1e-12)
    centre_latitude = float(np.degrees(np.arcsin(np.clip(middle[2], -1, 1))))
    centre_longitude = float(np.degrees(np.arctan2(middle[1], middle[0])))
    equal_area = f"+proj=laea +lat_0={centre_latitude:.1f} +lon_0={centre_longitude:.1f} +datum=WGS84"
    x, y = Transformer.from_crs("EPSG:4326", equal_area, always_xy=True).transform(longitude, latitude)
    cells = _squares if shape == "square" else _hexagons
    found = np.unique(cells(np.asarray(x) / size, np.asarray(y) / size), axis=0, return_inverse=True)[1]
    return np.asarray(found).ravel()


def _squares(x: Float, y: Float) -> Float:
    return np.stack([np.floor(x + 0.5), np.floor(y + 0.5)], axis=1)


def _hexagons(x: Float, y: Float) -> Float:
    """Return whole numbers for the hexagons, one unit wide between opposite sides, in which points lie."""
    # Three axes at 120 degrees, whose coordinates add up to nothing: the one rounded farthest gives way.
    down = 2.0 * y / np.sqrt(3.0)
    axes = np.stack([x - down / 2.0, down, -x - down / 2.0])
    near = np.round(axes)
    worst = np.abs(near - axes).argmax(axis=0)
    columns = np.arange(len(x))
    near[worst, columns] -= near.sum(axis=0)
    return np.asarray(near[:2].T)


def _residual_range(sites: pd.DataFrame, places: Places) -> dict[str, float | int | str]:
    if "residual" not in sites:
        raise PermagridError(
            "folds: a size from the residual variogram needs residuals of a learner; give it in metres"
        )
    rows = places.order
    longitude, latitude, values = (
        sites[name].to_numpy(float)[rows] for name in ("longitude", "latitude", "residual")
    )
    found = fit_variogram(longitude, latitude, values, places.place[rows])
    told = f"the effective range of the {found.model} variogram of the residuals"
    if not found.structured:
        told = "the first lag of the variogram of the residuals, which are alike nowhere"
    return {"range": found.range_, "size is": told}


def _shares(sites: pd.DataFrame, places: Places, groups: Index) -> Float:
    """Return the share of all rows, and of those of each class, that every block holds."""
    codes = strata(sites["value"].to_numpy(float))
    blocks = groups[places.place]
    counts = np.zeros((int(groups.max()) + 1, int(codes.max()) + 1))
    np.add.at(counts, (blocks, codes), 1.0)
    whole = np.concatenate([counts.sum(axis=1, keepdims=True), counts], axis=1)
    return np.asarray(whole / whole.sum(axis=0))


def _dealt(n_blocks: int, n_folds: int, seed: int, turn: int, shares: Float | None) -> Index:
    if shares is None:
        return deal(n_blocks, n_folds, seed, turn)
    best, least = np.empty(0, dtype=int), np.inf
    for number in range(turn * _DEALS, (turn + 1) * _DEALS):
        folds = deal(n_blocks, n_folds, seed, number)
        held = np.zeros((n_folds, shares.shape[1]))
        np.add.at(held, folds, shares)
        uneven = float(((held - 1.0 / n_folds) ** 2).sum())
        if uneven < least:
            best, least = folds, uneven
    return best
