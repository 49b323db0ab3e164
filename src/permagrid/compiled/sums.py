"""What all trees say of the cells of a tile: values added tree after tree, votes counted, leaves named."""

from math import exp

import numpy as np
from numba import njit

from permagrid.compiled.groups import member
from permagrid.compiled.nodes import Bytes, Float, Forest, Index, Int32
from permagrid.compiled.tiles import CELLS, Tile
from permagrid.compiled.walk import walk
from permagrid.compiled.walk_values import add_tree

NEAR = 32_768
"""Nodes of trees that all tiles of a group walk through before the next ones: half a megabyte."""
_A_BYTE = 255
"""Votes that are counted before they are carried over."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_values(forest: Forest, group: Tile, columns: Int32, out: Float) -> None:
    """Add up, tree after tree, the values of the leaves in which the cells of some tiles end.

    Some trees are walked by all tiles in turn, then the next ones, so that their nodes stay near.

    Parameters
    ----------
    forest
        The trees.
    group
        The tiles, see `group_for`.
    columns
        Row of `out` to which each tree adds the first of its values.
    out
        Shape ``(tiles, outputs, CELLS)``; zeros.
    """
    width, begin = forest.value.shape[1], 0
    kept = np.empty(64 * (forest.depth + 1), dtype=np.uint64)
    while begin < len(columns):
        end = begin + 1
        while end < len(columns) and forest.roots[end + 1] - forest.roots[begin] <= NEAR:
            end += 1
        for at in range(len(out)):
            tile, totals = member(group, at), out[at].reshape(out[at].size)
            for tree in range(begin, end):
                first = columns[tree] * CELLS
                own = totals[first : first + width * CELLS]
                add_tree(forest.nodes, forest.roots[tree], tile, kept, forest.value, own)
        begin = end


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def count_votes(forest: Forest, tile: Tile, named: Bytes, out: Float) -> None:
    """Count how many trees name each class, for the cells of a tile.

    Parameters
    ----------
    forest
        The trees.
    tile
        The cells.
    named
        Class that each leaf names.
    out
        Shape ``(classes, CELLS)``; zeros.
    """
    trees = len(forest.roots) - 1
    counts = np.zeros(len(out) * CELLS, dtype=np.uint8)
    for tree in range(trees):
        walk(forest.nodes, forest.roots[tree], tile, named, counts)
        if tree % _A_BYTE == _A_BYTE - 1 or tree == trees - 1:
            for one in range(1, len(out)):
                for cell in range(CELLS):
                    out[one, cell] += counts[one * CELLS + cell]
            counts[:] = 0
    out[0] = trees
    for one in range(1, len(out)):
        for cell in range(CELLS):
            out[0, cell] -= out[one, cell]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def name_leaves(forest: Forest, tile: Tile, places: Index, out: Int32) -> None:
    """Set the leaves in which the cells of a tile end, as their library calls them.

    Parameters
    ----------
    forest, tile
        As in `count_votes`.
    places
        Rows of `out` of the cells.
    out
        Shape ``(n, trees)``.
    """
    none, nowhere = np.zeros(0, dtype=np.uint8), np.zeros(0, dtype=np.uint8)
    for tree in range(len(forest.roots) - 1):
        count = walk(forest.nodes, forest.roots[tree], tile, none, nowhere)
        for cell in range(len(places)):
            leaf = tile.leaves[tile.numbers[cell] if count > 1 else 0]
            out[places[cell], tree] = forest.leaves[leaf]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def logistic(scores: Float, steepness: float) -> None:
    """Turn scores into probabilities of the second class, as LightGBM does, in place."""
    for at in range(len(scores)):
        scores[at] = 1.0 / (1.0 + exp(-steepness * scores[at]))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def shares(scores: Float) -> None:
    """Turn scores of classes into probabilities, as LightGBM does, in place; shape ``(n, classes)``."""
    for row in scores:
        highest, total = row[0], 0.0
        for score in row:
            highest = max(highest, score)
        for at in range(len(row)):
            row[at] = exp(row[at] - highest)
            total += row[at]
        for at in range(len(row)):
            row[at] /= total
