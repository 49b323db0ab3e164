"""Walks through a tree with all cells of a tile at once, and adds to each what its leaf says."""

from typing import TypeAlias

import numpy as np
from numba import njit

from permagrid.compiled.bits import add_where, fetch, lowest, not_above
from permagrid.compiled.nodes import FEATURE, NUMBER, RANK, RIGHT, Float, Int32, Words
from permagrid.compiled.tiles import CELLS, Tile

_ONE, _WORD, _ALL = np.uint64(1), np.uint64(64), np.uint64(0xFFFFFFFFFFFFFFFF)
_CELLS = np.uint64(CELLS)
_Word: TypeAlias = np.uint64


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_tree(nodes: Int32, root: int, tile: Tile, kept: Words, value: Float, totals: Float) -> None:
    """Add to the totals of the cells of a tile what the leaves of a tree say in which they end.

    Parameters
    ----------
    nodes
        As in `Forest`.
    root
        Where the tree begins.
    tile
        The cells.
    kept
        Room for 64 masks of each node yet to be walked to.
    value
        As in `Forest`.
    totals
        Of each value that leaves have, one after another, ``CELLS`` each.
    """
    node, words, waiting = np.uint64(root), _ALL, np.uint64(0)
    low, high, codes, masks, stack = tile.low, tile.high, tile.codes, tile.masks, tile.waiting
    least, most = tile.least, tile.most
    masks[:] = _ALL
    while True:
        feature, rank = nodes[node, FEATURE], nodes[node, RANK]
        if feature >= 0:
            if high[feature] <= rank:
                node += _ONE
                continue
            other = np.uint64(nodes[node, RIGHT])
            if low[feature] > rank:
                node = other
                continue
            fetch(nodes, other)
            code, column = codes.dtype.type(rank - low[feature]), np.uint64(feature)
            # Words whose cells all go one way are told by their extremes.
            left = words & not_above(most, column * _WORD, code)
            right = words & ~not_above(least, column * _WORD, code)
            both = parted = words & ~(left | right)
            while both != 0:
                word = lowest(both)
                before = masks[word]
                here = before & not_above(codes, column * _CELLS + word * _WORD, code)
                there = before ^ here
                left |= np.uint64(here != 0) << word
                right |= np.uint64(there != 0) << word
                masks[word] = here
                kept[waiting * _WORD + word] = there
                both &= both - _ONE
            if left == 0:
                _put_back(masks, kept, waiting * _WORD, parted)
                node = other
                continue
            if right != 0:
                stack[waiting, 0], stack[waiting, 1], stack[waiting, 2] = other, right, parted
                waiting += _ONE
            words = left
            node += _ONE
            continue
        number = np.uint64(nodes[node, NUMBER])
        for part in range(value.shape[1]):
            _add(masks, words, value[number, part], np.uint64(part) * _CELLS, totals)
        if waiting == 0:
            return
        waiting -= _ONE
        node, words = stack[waiting, 0], stack[waiting, 1]
        _put_back(masks, kept, waiting * _WORD, stack[waiting, 2])


@njit(inline="always")  # type: ignore[untyped-decorator]
def _put_back(masks: Words, kept: Words, start: _Word, words: _Word) -> None:
    while words != 0:
        word = lowest(words)
        masks[word] = kept[start + word]
        words &= words - _ONE


@njit(inline="always")  # type: ignore[untyped-decorator]
def _add(masks: Words, words: _Word, said: float, start: _Word, totals: Float) -> None:
    while words != 0:
        word = lowest(words)
        add_where(totals, start + word * _WORD, masks[word], said)
        words &= words - _ONE
