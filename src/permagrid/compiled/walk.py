"""Walks through a tree with all cells of a tile at once, only to where some of them go."""

from typing import TypeAlias

import numpy as np
from numba import njit

from permagrid.compiled.bits import add_bits, lowest, not_above, set_numbers
from permagrid.compiled.nodes import FEATURE, NUMBER, RANK, RIGHT, Bytes, Int32
from permagrid.compiled.tiles import CELLS, Tile

_ONE, _WORD, _ALL = np.uint64(1), np.uint64(64), np.uint64(0xFFFFFFFFFFFFFFFF)
_CELLS = np.uint64(CELLS)
_Word: TypeAlias = np.uint64
_Code: TypeAlias = np.uint16 | np.uint32


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def walk(nodes: Int32, root: int, tile: Tile, named: Bytes, counts: Bytes) -> int:
    """Find the leaves of a tree in which cells of a tile end, and note which cell ends where.

    Parameters
    ----------
    nodes
        As in `Forest`.
    root
        Where the tree begins.
    tile
        Its `numbers` and `leaves` are set, unless votes are counted or all cells end in one leaf.
    named
        Class that each leaf names, if votes are counted; of no length if they are not.
    counts
        To which votes are added, for each class and cell.

    Returns
    -------
    int
        How many leaves there are.
    """
    node, words, waiting, kept, count = np.uint64(root), _ALL, np.uint64(0), np.uint64(0), 0
    stack = tile.waiting
    tile.masks[:] = _ALL
    while True:
        feature = nodes[node, FEATURE]
        if feature >= 0:
            rank, low = nodes[node, RANK], tile.low[feature]
            if tile.high[feature] <= rank:
                node += _ONE
            elif low > rank:
                node = np.uint64(nodes[node, RIGHT])
            else:
                left, right, to = _part(
                    tile, np.uint64(feature), tile.codes.dtype.type(rank - low), words, kept
                )
                if left == 0:
                    _put_back(tile, kept, to)
                    node = np.uint64(nodes[node, RIGHT])
                else:
                    if right != 0:
                        stack[waiting, 0], stack[waiting, 1] = np.uint64(nodes[node, RIGHT]), right
                        stack[waiting, 2], stack[waiting, 3] = kept, to
                        waiting, kept = waiting + _ONE, to
                    words = left
                    node += _ONE
            continue
        number = nodes[node, NUMBER]
        if len(named) > 0:
            _vote(tile, words, np.uint64(named[number]), counts)
        else:
            tile.leaves[count] = number
            if count > 0 or waiting > 0:
                _settle(tile, words, count)
        count += 1
        if waiting == 0:
            return count
        waiting -= _ONE
        node, words, kept = stack[waiting, 0], stack[waiting, 1], stack[waiting, 2]
        _put_back(tile, kept, stack[waiting, 3])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _part(tile: Tile, column: _Word, code: _Code, words: _Word, kept: _Word) -> tuple[_Word, _Word, _Word]:
    """Return the words of which cells go left, those of which cells go right, and where what is kept ends.

    Words whose cells all go one way are told by their extremes. Of others, the masks become those of the
    cells that go left, and those of the cells that go right are kept.
    """
    left = words & not_above(tile.most, column * _WORD, code)
    right = words & ~not_above(tile.least, column * _WORD, code)
    both = words & ~(left | right)
    while both != 0:
        word = lowest(both)
        before = tile.masks[word]
        here = before & not_above(tile.codes, column * _CELLS + word * _WORD, code)
        there = before ^ here
        left |= np.uint64(here != 0) << word
        right |= np.uint64(there != 0) << word
        tile.masks[word] = here
        tile.kept[kept, 0], tile.kept[kept, 1] = word, there
        kept += _ONE
        both &= both - _ONE
    return left, right, kept


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _put_back(tile: Tile, start: _Word, end: _Word) -> None:
    at = start
    while at < end:
        tile.masks[tile.kept[at, 0]] = tile.kept[at, 1]
        at += _ONE


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _vote(tile: Tile, words: _Word, named: _Word, counts: Bytes) -> None:
    # Votes for the first class are those that no other got.
    while words != 0 and named != 0:
        word = lowest(words)
        add_bits(counts, named * _CELLS + word * _WORD, tile.masks[word])
        words &= words - _ONE


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _settle(tile: Tile, words: _Word, count: int) -> None:
    while words != 0:
        word = lowest(words)
        set_numbers(tile.numbers, word * _WORD, tile.masks[word], np.uint16(count))
        words &= words - _ONE
