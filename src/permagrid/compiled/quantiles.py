"""Forests of quantiles: leaves found for many cells together, weights carried on from one to the next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.compiled.asked import asked_rows
from permagrid.compiled.columns import Recipe, fill
from permagrid.compiled.encoded import predict_encoded
from permagrid.compiled.forest import CompiledForest
from permagrid.compiled.nodes import Float, Index, Int32, Tree, forest_of
from permagrid.compiled.tiles import CELLS
from permagrid.errors import PermagridError

_ONE = 2.0**61
"""Weights are counted in this part of 1, so that what is added and taken away again leaves nothing."""
_ROUNDING = 1e-12
"""As the learner's own: by how much a sum of weights may miss a level that it is meant to reach."""
_EPSILON = 2.0**-53
_STRETCH = 64
"""Rows whose weights are added at a time, where no level is reached."""
_NOBODY = np.zeros(0, dtype=np.uint8)


class Leaves(NamedTuple):
    """The training rows in the leaves of all trees, by rising value."""

    starts: Index
    """Where the rows of each node begin, and where the last ones end; nodes as `CompiledForest.leaves` names
    them."""
    members: Int32
    """These rows."""
    totals: Float
    """The sum of the weights of the rows of each node."""
    weights: Float
    """The weight of each row."""
    values: Float
    """Its value; rising."""


@dataclass(frozen=True, eq=False)
class CompiledQuantiles:
    """A forest that predicts means as its learner does, and the learner's own quantiles.

    A training row weighs ``weight / sum of weights`` in each tree in whose leaf it lies together with a cell.
    Cells that follow each other share most leaves: the weights of one are those of the cell before it, but
    for rows of the leaves that changed. They are whole numbers, which come out the same by whatever way.
    Where such a sum is so near to a level that the learner's sums of rounded numbers may decide otherwise,
    these are made.
    """

    recipe: Recipe
    trees: CompiledForest
    """Whose leaves say their means."""
    leaves: Leaves

    @classmethod
    def of(cls, recipe: Recipe, forest: Any) -> "CompiledQuantiles":
        """Return the form of a fitted forest of quantiles.

        Parameters
        ----------
        recipe
            How its columns are made of covariates.
        forest
            The learner's own table of nodes, and the rows in them.
        """
        ends = np.append(forest.roots_[1:], len(forest.feature_))
        grown = []
        for root, end in zip(forest.roots_[: forest.n_estimators], ends, strict=False):
            children = forest.children_[root:end]
            own = np.where(children < 0, -1, children - root).astype(np.int32)
            grown.append(
                Tree(
                    np.where(own[:, 0] < 0, -1, forest.feature_[root:end]).astype(np.int32),
                    forest.threshold_[root:end].astype(float),
                    own[:, 0],
                    own[:, 1],
                    np.arange(root, end, dtype=np.int32),
                    forest.leaf_means_[root:end, np.newaxis].astype(float),
                )
            )
        table, columns = forest_of(grown, forest.n_features_in_), np.zeros(len(grown), dtype=np.int32)
        trees = CompiledForest(table, _NOBODY, columns, 1, "mean", is_class=False)
        leaves = Leaves(
            forest.starts_.astype(np.int64),
            forest.members_,
            forest.leaf_weights_,
            forest.row_weights_,
            forest.values_,
        )
        return cls(recipe, trees, leaves)

    def __post_init__(self) -> None:
        starts, members, totals, weights, values = self.leaves
        names = self.trees.forest.leaves
        sound = (
            len(weights) > 0,
            len(values) == len(weights) and len(totals) == len(starts) - 1,
            starts[0] == 0 and starts[-1] == len(members) and (np.diff(starts) >= 0).all(),
            ((members >= 0) & (members < len(weights))).all(),
            ((names >= 0) & (names < len(totals))).all(),
        )
        if not all(sound) or not (totals[names] > 0.0).all() or not (weights > 0.0).all():
            raise PermagridError("a compiled estimator does not fit together: rows of leaves")

    def predict(self, rows: NDArray[np.floating[Any]], order: Index | None = None) -> Float:
        """Return means, shape ``(n,)``, see `CompiledForest.predict`; rows with a missing value get none."""
        return predict_encoded(self.recipe, self.trees, rows, order)

    def quantiles(
        self,
        rows: NDArray[np.floating[Any]],
        levels: Sequence[float] | Float,
        order: Index | None = None,
    ) -> Float:
        """Return the smallest values whose share of the weights is at least each level.

        They are those that the learner's `predict_quantiles` says, none for rows with a missing value.

        Parameters
        ----------
        rows
            Shape ``(n, covariates)``, in any layout.
        levels
            Each above 0 and below 1, shape ``(levels,)``.
        order
            In which order rows are taken in hand; no prediction depends on it.

        Returns
        -------
        array
            Shape ``(n, levels)``.

        Raises
        ------
        PermagridError
            If a level is not above 0 and below 1, or rows have another number of columns than there are
            covariates.
        """
        wanted = np.atleast_1d(np.asarray(levels, dtype=float))
        if wanted.ndim != 1 or not ((wanted > 0.0) & (wanted < 1.0)).all():
            raise PermagridError(f"levels of quantiles lie above 0 and below 1; found {levels}")
        rising = np.argsort(wanted, kind="stable")
        rows, places = asked_rows(rows, self.recipe.raw, order)
        out = np.full((len(rows), len(wanted)), np.nan)
        if not len(wanted):
            return out
        most = int(np.diff(self.leaves.starts)[self.trees.forest.leaves].max())
        for own, found in self._found(rows, places):
            reached = np.empty((len(own), len(wanted)), dtype=np.int64)
            _reach(found, self.leaves, wanted[rising], most, reached)
            out[own[:, np.newaxis], rising] = self.leaves.values[reached]
        return out

    def _found(self, rows: NDArray[np.floating[Any]], places: Index) -> Iterator[tuple[Index, Int32]]:
        """Yield tiles of complete rows, and the leaves in which they end, shape ``(cells, trees)``."""
        columns = self.recipe.arrays()
        cells = np.empty((len(columns.source), CELLS))
        for start in range(0, len(places), CELLS):
            own = places[start : start + CELLS]
            fill(rows, own, columns, cells)
            yield own, self.trees.leaves(cells[:, : len(own)].T)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _reach(found: Int32, leaves: Leaves, levels: Float, most: int, out: Index) -> None:
    """Set for each cell and rising level the first training row, by value, at which it is reached.

    Parameters
    ----------
    found
        Leaves of the cells, shape ``(cells, trees)``.
    leaves
        The rows in them.
    levels
        Rising.
    most
        Rows in a leaf, at most.
    out
        Shape ``(cells, levels)``.
    """
    cells, trees = found.shape
    many = len(leaves.weights)
    weights, changed = np.empty(many, dtype=np.int64), np.empty(trees, dtype=np.int64)
    begins, ends = np.empty(2 * trees, dtype=np.int64), np.empty(2 * trees, dtype=np.int64)
    each = np.empty(2 * trees)
    # What two ways of adding the same numbers may lie apart: roundings of sums, and parts that were cut off.
    unsure = _ONE * _EPSILON * (min(many, trees * most) + trees + 16) + trees * most + trees
    for cell in range(cells):
        count = trees
        if cell > 0:
            count = 0
            for tree in range(trees):
                changed[count] = tree
                count += found[cell, tree] != found[cell - 1, tree]
        if count == 0:
            out[cell] = out[cell - 1]
            continue
        if 2 * count >= trees:
            weights[:] = 0
            for leaf in found[cell]:
                one = _ONE / (leaves.totals[leaf] * trees)
                _add(leaves, leaves.starts[leaf], leaves.starts[leaf + 1], one, weights)
        else:
            # Found first, and added then: what comes from afar comes together.
            for at in range(count):
                for turn in range(2):
                    leaf = found[cell - 1 + turn, changed[at]]
                    place = np.uint64(2 * at + turn)
                    begins[place], ends[place] = leaves.starts[leaf], leaves.starts[leaf + 1]
                    each[place] = (2 * turn - 1) * _ONE / (leaves.totals[leaf] * trees)
            for at in range(2 * count):
                _add(leaves, begins[at], ends[at], each[at], weights)
        if not _look_up(weights, levels, unsure, out[cell]):
            _by_its_own_sums(found[cell], leaves, levels, out[cell])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add(leaves: Leaves, begin: int, end: int, each: float, weights: Index) -> None:
    """Add the rows of a leaf to the weights, or take them away."""
    for place in range(np.uint64(begin), np.uint64(end)):
        member = np.uint32(leaves.members[place])
        # Cut off towards 0: the same number, whether it comes or goes.
        weights[member] += np.int64(leaves.weights[member] * each)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _look_up(weights: Index, levels: Float, unsure: float, out: Index) -> bool:
    """Set the rows at which levels are reached, and return whether no other way of adding up may differ."""
    start, before = 0, 0
    following = weights[:_STRETCH].sum()
    for level in range(len(levels)):
        wanted = (levels[level] - _ROUNDING) * _ONE
        while before + following < wanted and start + _STRETCH < len(weights):
            start += _STRETCH
            before += following
            following = weights[start : start + _STRETCH].sum()
        place, below, reached = start, before, before
        end = min(start + _STRETCH, len(weights))
        while place < end:
            below, reached = reached, reached + weights[place]
            if reached >= wanted:
                break
            place += 1
        if place == end or reached - wanted <= unsure or wanted - below <= unsure:
            return False
        out[level] = place
    return True


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _by_its_own_sums(found: Int32, leaves: Leaves, levels: Float, out: Index) -> None:
    """Set the rows at which levels are reached by sums as the learner rounds them."""
    weights = np.zeros(len(leaves.weights))
    for leaf in found:
        each = 1.0 / (leaves.totals[leaf] * len(found))
        for at in range(leaves.starts[leaf], leaves.starts[leaf + 1]):
            weights[leaves.members[at]] += leaves.weights[leaves.members[at]] * each
    place, reached = 0, weights[0]
    for level in range(len(levels)):
        while reached < levels[level] - _ROUNDING and place < len(weights) - 1:
            place += 1
            reached += weights[place]
        out[level] = place
