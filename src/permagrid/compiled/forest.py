"""Fitted trees in the form of arrays, which predict the cells of a map together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from permagrid.compiled.asked import asked_rows
from permagrid.compiled.groups import TILES, GroupsOf
from permagrid.compiled.nodes import Bytes, Float, Forest, Index, Int32, checked_forest
from permagrid.compiled.ranks import rank_rows
from permagrid.compiled.sums import NEAR, add_values, count_votes, logistic, name_leaves, shares
from permagrid.compiled.tiles import CELLS, Tile, enter, tile_for
from permagrid.errors import PermagridError

LINKS = ("mean", "sum", "logistic", "shares")
"""What becomes of the sum over trees: it is divided by their number, left as it is, or turned into the
probability of the second class or of each."""
_ARRAYS = ("nodes", "roots", "thresholds", "first", "leaves", "value")
_HEADER = ("outputs", "link", "is_class", "steepness", "single")


@dataclass(frozen=True, eq=False)
class CompiledForest:
    """Trees that predict as the estimator does from which they are, but tile by tile.

    A cell's prediction is the same bits whatever cells are predicted beside it and in whatever order; only
    how long it takes depends on them. Cells that follow each other should lie close together, see
    `patch_order`.
    """

    forest: Forest
    named: Bytes
    """Class that each leaf names; of no length where leaves say values."""
    columns: Int32
    """To which output each tree adds the first of its values."""
    outputs: int
    link: str
    """One of `LINKS`."""
    is_class: bool
    """Whether predictions are probabilities of all classes."""
    steepness: float = 1.0
    """Of the logistic curve."""
    single: bool = True
    """Whether rows are compared in single precision."""

    @property
    def nbytes(self) -> int:
        """Bytes that all arrays take."""
        return sum(array.nbytes for array in self.plain()[1].values())

    def predict(self, rows: NDArray[np.floating[Any]], order: Index | None = None) -> Float:
        """Return predictions, shape ``(n,)``, or probabilities of classes, shape ``(n, classes)``.

        Rows with a missing value get none.

        Parameters
        ----------
        rows
            Shape ``(n, columns)``, in any layout.
        order
            In which order rows are taken in hand, a permutation of their places; from first to last if left
            out. No prediction depends on it.

        Raises
        ------
        PermagridError
            If rows have another number of columns than those of which the trees were grown.
        """
        rows, places = asked_rows(rows, len(self.forest.first) - 1, order)
        out = np.full((len(rows), self.outputs), np.nan)
        if len(self.named):
            self._count(rows, places, out)
        else:
            self._add(rows, places, out)
        return self._linked(out)

    def _count(self, rows: NDArray[Any], places: Index, out: Float) -> None:
        tiles, total = TilesOf(self.forest, self.single), np.empty((self.outputs, CELLS))
        for start in range(0, len(places), CELLS):
            own = places[start : start + CELLS]
            tile = tiles.of(rows, own)
            total[:] = 0.0
            count_votes(self.forest, tile, self.named, total)
            out[own] = total[:, : len(own)].T

    def _add(self, rows: NDArray[Any], places: Index, out: Float) -> None:
        # All nodes of few trees are near whatever tiles come in between.
        together = min(TILES, -(-len(places) // CELLS)) if len(self.forest.nodes) > NEAR else 1
        total = np.empty((together, self.outputs, CELLS))
        for group, owns in GroupsOf(self.forest, self.single, together).of(rows, places):
            total[:] = 0.0
            add_values(self.forest, group, self.columns, total[: len(owns)])
            for own, said in zip(owns, total, strict=False):
                out[own] = said[:, : len(own)].T

    def leaves(self, rows: NDArray[np.floating[Any]], order: Index | None = None) -> Int32:
        """Return the leaves in which rows end, as their library calls them, shape ``(n, trees)``.

        They are -1 for rows with a missing value.

        Parameters
        ----------
        rows, order
            As in `predict`.

        Raises
        ------
        PermagridError
            If rows have another number of columns than those of which the trees were grown.
        """
        rows, places = asked_rows(rows, len(self.forest.first) - 1, order)
        out = np.full((len(rows), len(self.columns)), -1, dtype=np.int32)
        tiles = TilesOf(self.forest, self.single)
        for start in range(0, len(places), CELLS):
            own = places[start : start + CELLS]
            name_leaves(self.forest, tiles.of(rows, own), own, out)
        return out

    def _linked(self, out: Float) -> Float:
        if self.link == "mean":
            out /= len(self.columns)
        elif self.link == "shares":
            shares(out)
        elif self.link == "logistic":
            logistic(out[:, 0], self.steepness)
            if self.is_class:
                return np.stack([1.0 - out[:, 0], out[:, 0]], axis=1)
        return out if self.is_class or self.outputs > 1 else out[:, 0]

    def plain(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return all that it is: a header that JSON can hold, and arrays."""
        header = {name: getattr(self, name) for name in _HEADER}
        arrays = {name: getattr(self.forest, name) for name in _ARRAYS}
        return header, arrays | {"named": self.named, "columns": self.columns}

    @classmethod
    def of(cls, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> "CompiledForest":
        """Return what `plain` was made of.

        Raises
        ------
        PermagridError
            If a part is missing, or the parts do not make up trees.
        """
        missing = sorted(({*_ARRAYS, "named", "columns"} - set(arrays)) | (set(_HEADER) - set(header)))
        if missing:
            raise PermagridError(f"compiled trees lack {', '.join(missing)}")
        parts = {name: np.ascontiguousarray(arrays[name]) for name in _ARRAYS}
        return cls(
            checked_forest(parts),
            np.ascontiguousarray(arrays["named"], dtype=np.uint8),
            np.ascontiguousarray(arrays["columns"], dtype=np.int32),
            int(header["outputs"]),
            str(header["link"]),
            bool(header["is_class"]),
            float(header["steepness"]),
            bool(header["single"]),
        )

    def __post_init__(self) -> None:
        leaves, width = self.forest.value.shape
        votes, trees = len(self.named) > 0, len(self.forest.roots) - 1
        faults = {
            "the link": self.link not in LINKS or (self.link == "logistic" and self.outputs != 1),
            "the classes of leaves": votes
            and (len(self.named) != leaves or self.named.max() >= self.outputs),
            "the columns of trees": len(self.columns) != trees
            or not ((self.columns >= 0) & (self.columns + width <= self.outputs)).all(),
        }
        found = [name for name, wrong in faults.items() if wrong]
        if found:
            raise PermagridError(f"compiled trees do not fit together: {', '.join(found)}")


class TilesOf:
    """Room for tiles, with codes of 16 bits where these hold all ranks, else of 32."""

    def __init__(self, forest: Forest, single: bool) -> None:
        self.forest, self.single = forest, single
        self.narrow = tile_for(forest)
        self.wide: Tile | None = None

    def of(self, rows: NDArray[Any], places: Index) -> Tile:
        """Return the tile of some rows."""
        rank_rows(rows, places, self.forest, self.single, self.narrow.ranks)
        if enter(self.narrow, len(places)):
            return self.narrow
        if self.wide is None:
            self.wide = tile_for(self.forest, self.narrow.ranks, wide=True)
        enter(self.wide, len(places))
        return self.wide
