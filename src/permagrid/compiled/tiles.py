"""Tiles of 64 words of 64 cells: their ranks, and the extremes of each word."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.compiled.nodes import Forest, Int32, Words

CELLS = 4096
"""Cells of a tile: a set of its words is a word itself."""

Numbers = NDArray[np.uint16]
Codes = NDArray[np.unsignedinteger[Any]]


class Tile(NamedTuple):
    """What is known of the cells of a tile, and room for walks through trees."""

    ranks: Int32
    """Of each covariate among the thresholds of the forest, shape ``(covariates, cells)``."""
    low: Int32
    """The least ranks."""
    high: Int32
    codes: Codes
    """Ranks above the least, covariate after covariate, in as few bits as hold them."""
    least: Codes
    """Least codes of the words, covariate after covariate."""
    most: Codes
    masks: Words
    """For each word the cells that have come to the node at which a walk is."""
    waiting: Words
    """Nodes yet to be walked to: the node, its words, and what is to be done to the masks."""
    kept: Words
    """Words and their masks as they will be there."""
    numbers: Numbers
    """Of the leaf of each cell, among those that a tree has in the tile."""
    leaves: Int32
    """Numbers of these leaves in the forest."""


def tile_for(forest: Forest, ranks: Int32 | None = None, *, wide: bool = False) -> Tile:
    """Return room for a tile.

    Parameters
    ----------
    forest
        Through which it will walk.
    ranks
        Room for ranks, if there is some already.
    wide
        Whether codes have 32 bits, which hold any rank, rather than 16.
    """
    columns, kind = len(forest.first) - 1, np.dtype(np.uint32 if wide else np.uint16)
    return Tile(
        np.zeros((columns, CELLS), dtype=np.int32) if ranks is None else ranks,
        np.empty(columns, dtype=np.int32),
        np.empty(columns, dtype=np.int32),
        np.zeros(columns * CELLS, dtype=kind),
        np.empty(columns * 64, dtype=kind),
        np.empty(columns * 64, dtype=kind),
        np.empty(64, dtype=np.uint64),
        np.empty((forest.depth + 1, 4), dtype=np.uint64),
        np.empty((64 * (forest.depth + 1), 2), dtype=np.uint64),
        np.zeros(CELLS, dtype=np.uint16),
        np.empty(CELLS, dtype=np.int32),
    )


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def enter(tile: Tile, cells: int) -> bool:
    """Find the extremes of a tile whose first cells have their ranks; return whether codes hold them.

    Cells beyond are as the last one, so that they bring nothing new.
    """
    fits, limit = True, np.int64(2 ** (8 * tile.codes.itemsize) - 1)
    for column in range(len(tile.ranks)):
        ranks = tile.ranks[column]
        low = high = ranks[0]
        for cell in range(cells):
            low, high = min(low, ranks[cell]), max(high, ranks[cell])
        tile.low[column], tile.high[column] = low, high
        fits &= bool(np.int64(high) - np.int64(low) <= limit)
        last = tile.codes.dtype.type(ranks[cells - 1] - low)
        codes = tile.codes[column * CELLS : (column + 1) * CELLS]
        for cell in range(cells):
            codes[cell] = tile.codes.dtype.type(ranks[cell] - low)
        codes[cells:] = last
        for word in range(64):
            least = most = codes[64 * word]
            for cell in range(64 * word, 64 * word + 64):
                least, most = min(least, codes[cell]), max(most, codes[cell])
            tile.least[64 * column + word], tile.most[64 * column + word] = least, most
    return fits
