"""Several tiles whose cells walk through some trees together, before any walks through the next ones."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.compiled.nodes import Forest, Index, Int32
from permagrid.compiled.ranks import rank_rows
from permagrid.compiled.tiles import CELLS, Tile, enter, tile_for

TILES = 8
"""Tiles of a group at most."""
_OWN = ("low", "high", "codes", "least", "most")
"""What each tile of a group has for itself, along the first axis; they share the rest."""


def group_for(forest: Forest, tiles: int, ranks: Int32 | None = None, *, wide: bool = False) -> Tile:
    """Return room for some tiles, see `tile_for`: what each has for itself has one more axis, the first."""
    one = tile_for(forest, ranks, wide=wide)
    own = {name: getattr(one, name) for name in _OWN}
    return one._replace(**{name: np.zeros((tiles, *each.shape), each.dtype) for name, each in own.items()})


def group_of(tile: Tile) -> Tile:
    """Return a tile as a group that has no other."""
    return tile._replace(**{name: getattr(tile, name)[np.newaxis] for name in _OWN})


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def member(group: Tile, at: int) -> Tile:
    """Return one tile of a group."""
    return Tile(
        group.ranks,
        group.low[at],
        group.high[at],
        group.codes[at],
        group.least[at],
        group.most[at],
        group.masks,
        group.waiting,
        group.kept,
        group.numbers,
        group.leaves,
    )


class GroupsOf:
    """Room for groups of tiles, with codes of 16 bits where these hold all ranks, else of 32.

    Parameters
    ----------
    forest
        Through which they will walk.
    single
        Whether rows are compared in single precision.
    tiles
        How many tiles a group has at most.
    """

    def __init__(self, forest: Forest, single: bool, tiles: int) -> None:
        self.forest, self.single, self.tiles = forest, single, tiles
        self.narrow = _Room(group_for(forest, tiles))
        self.wide: _Room | None = None

    def of(self, rows: NDArray[Any], places: Index) -> Iterator[tuple[Tile, list[Index]]]:
        """Yield groups of some rows, and the places of the rows of each of their tiles.

        A group holds until the next is asked for.
        """
        for start in range(0, len(places), CELLS):
            own = places[start : start + CELLS]
            rank_rows(rows, own, self.forest, self.single, self.narrow.group.ranks)
            room = self.narrow if self.narrow.holds(own) else self._wide(own)
            if len(room.held) == self.tiles:
                yield room.emptied()
        for last in (self.narrow, self.wide):
            if last is not None and last.held:
                yield last.emptied()

    def _wide(self, own: Index) -> "_Room":
        if self.wide is None:
            ranks = self.narrow.group.ranks
            self.wide = _Room(group_for(self.forest, self.tiles, ranks, wide=True))
        self.wide.holds(own)
        return self.wide


class _Room:
    """A group that is filled, tile after tile."""

    def __init__(self, group: Tile) -> None:
        self.group, self.held = group, list[Index]()
        self.members = [member(group, at) for at in range(len(group.low))]

    def holds(self, own: Index) -> bool:
        """Return whether codes hold the ranks of one more tile; if so, keep it."""
        fits = bool(enter(self.members[len(self.held)], len(own)))
        if fits:
            self.held.append(own)
        return fits

    def emptied(self) -> tuple[Tile, list[Index]]:
        held, self.held = self.held, []
        return self.group, held
