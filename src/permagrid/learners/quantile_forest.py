"""Quantile regression forest: every row of the leaves that a place falls into has its say, by weights."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from permagrid.errors import PermagridError
from permagrid.learners.quick_forests import QuickForestRegressor
from permagrid.learners.ranges import at_least, share
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.training import asked, training
from permagrid.learners.traits import traits
from permagrid.learners.trees import _Split

Float = NDArray[np.float64]
Index = NDArray[np.int_]
Single = NDArray[np.float32]
Whole = NDArray[np.int32]
_Nodes = tuple[Index, Whole, Single, Whole]
"""Roots of the trees, and of all nodes the covariate, the threshold and the two children, -1 for a leaf."""
_Leaves = tuple[Index, Whole, Float, Float]
"""Where the rows of each node begin, these rows, the sum of their weights, and the weight of each row."""

_ROUNDING = 1e-12
"""By how much a sum of weights may miss a level that it is meant to reach."""
_ROWS_AT_A_TIME = 256


@LEARNERS.register
@traits(
    tasks=("value",),
    space={"max_features": (None, 0.5, 1.0), "min_samples_leaf": (2, 5, 15)},
    weights=True,
    grown="n_estimators",
)
def quantile_forest(
    setting: Setting,
    *,
    n_estimators: int = 500,
    max_features: _Split = None,
    min_samples_leaf: int = 5,
    max_depth: int | None = None,
) -> Any:
    """Return a quantile regression forest (Meinshausen 2006, J. Machine Learning Research 7, 983-999).

    A random forest that keeps the values in its leaves, and so knows the whole distribution of a prediction.

    Parameters
    ----------
    setting
        What it is built for.
    n_estimators
        Number of trees.
    max_features
        Share of the covariates, above 0 to 1, or ``sqrt`` or ``log2`` of their number, among which
        each split chooses; a third if left out.
    min_samples_leaf
        Fewest rows in a leaf. Of leaves of a single row, quantiles are rough.
    max_depth
        Most splits from the root to a leaf; not limited if left out.

    Raises
    ------
    PermagridError
        If a keyword is out of its range.
    """
    name = "quantile_forest"
    at_least(name, 1, n_estimators=n_estimators, min_samples_leaf=min_samples_leaf, max_depth=max_depth)
    if isinstance(max_features, float | int):
        share(name, max_features=max_features)
        # As a whole number, 1 would be one covariate.
        max_features = float(max_features)
    return QuantileForest(
        n_estimators=n_estimators,
        max_features=1 / 3 if max_features is None else max_features,
        min_samples_leaf=min_samples_leaf,
        max_depth=max_depth,
        random_state=setting.seed,
    )


class QuantileForest(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A forest whose prediction is a distribution of the values that it was fitted to.

    A training row has in each tree the weight 1 / (rows of its leaf) where a place falls into that leaf, and
    0 elsewhere; the mean over trees is its weight in the distribution of the place. All training rows have a
    part in it, those that a tree did not draw as well. Its mean is the prediction.

    Parameters
    ----------
    n_estimators, max_features, min_samples_leaf, max_depth, random_state
        As in `sklearn.ensemble.RandomForestRegressor`.

    Examples
    --------
    >>> rows, values = np.repeat([[0.0], [1.0]], 20, axis=0), np.append(np.arange(20.0), np.zeros(20))
    >>> forest = QuantileForest(n_estimators=10, min_samples_leaf=10).fit(rows, values)
    >>> forest.predict_quantiles(np.array([[0.0], [1.0]]), [0.05, 0.5, 0.95]).tolist()
    [[0.0, 9.0, 18.0], [0.0, 0.0, 0.0]]
    """

    def __init__(
        self,
        n_estimators: int = 500,
        *,
        max_features: float | str = 1 / 3,
        min_samples_leaf: int = 5,
        max_depth: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.max_depth = max_depth
        self.random_state = random_state

    def fit(self, X: Float, y: Float, sample_weight: Float | None = None) -> "QuantileForest":
        """Grow the trees, and note which rows lie in which of their leaves."""
        X, y, weights = training(self, X, y, sample_weight)
        forest = QuickForestRegressor(
            n_estimators=self.n_estimators,
            max_features=self.max_features,
            min_samples_leaf=self.min_samples_leaf,
            max_depth=self.max_depth,
            random_state=self.random_state,
            # More than one would add the trees' votes in the order in which threads end.
            n_jobs=1,
        )
        forest.fit(X, y) if sample_weight is None else forest.fit(X, y, weights)
        self.feature_importances_ = forest.feature_importances_
        order = np.argsort(y, kind="stable")
        self.values_, self.row_weights_ = y[order], weights[order]
        self._flatten(forest, np.ascontiguousarray(X[order], dtype=np.float32))
        return self

    def _flatten(self, forest: Any, rows: Single) -> None:
        """Keep all trees in one table of nodes, and beside it the rows of each leaf, by rising value."""
        trees = [tree.tree_ for tree in forest.estimators_]
        self.roots_ = np.cumsum([0, *(tree.node_count for tree in trees)])
        starts, members = [], []
        for number, tree in enumerate(trees):
            leaves = tree.apply(rows)
            counts = np.bincount(leaves, minlength=tree.node_count)
            starts.append(number * len(rows) + np.cumsum(counts) - counts)
            members.append(np.argsort(leaves, kind="stable"))
        self.starts_ = np.append(np.concatenate(starts), len(trees) * len(rows))
        self.members_ = np.concatenate(members).astype(np.int32)
        self.feature_ = np.concatenate([tree.feature for tree in trees]).astype(np.int32)
        self.threshold_ = _rounded_down(np.concatenate([tree.threshold for tree in trees]))
        children = [np.stack([tree.children_left, tree.children_right], axis=1) for tree in trees]
        self.children_ = np.concatenate(
            [np.where(pair < 0, -1, pair + root) for pair, root in zip(children, self.roots_, strict=False)]
        ).astype(np.int32)
        self.leaf_weights_, self.leaf_means_ = _leaf_sums(
            self.starts_, self.members_, self.values_, self.row_weights_
        )

    def predict(self, X: Float, trees: int | None = None) -> Float:
        """Return the means of the distributions, shape ``(n,)``, by all trees or the first few."""
        rows = asked(self, X).astype(np.float32)
        return np.asarray(_means(rows, self._nodes(trees), self.leaf_means_))

    def predict_quantiles(self, X: Float, levels: Sequence[float] | Float) -> Float:
        """Return the smallest values whose share of the weights is at least each level.

        Parameters
        ----------
        X
            Shape ``(n, columns)``.
        levels
            Each above 0 and below 1, shape ``(levels,)``.

        Returns
        -------
        array
            Shape ``(n, levels)``; each is one of the values that the forest was fitted to.

        Raises
        ------
        PermagridError
            If a level is not above 0 and below 1.
        """
        wanted = np.atleast_1d(np.asarray(levels, dtype=float))
        if not ((wanted > 0.0) & (wanted < 1.0)).all():
            raise PermagridError(f"levels of quantiles lie above 0 and below 1; found {levels}")
        rows, order = asked(self, X).astype(np.float32), np.argsort(wanted, kind="stable")
        places = _quantiles(rows, self._nodes(None), self._leaves(), wanted[order])
        out = np.empty((len(rows), len(wanted)))
        out[:, order] = self.values_[places]
        return out

    def predict_cdf(self, X: Float, values: float | Float) -> Float:
        """Return the probability that the target is not above a value, shape ``(n,)``.

        Parameters
        ----------
        X
            Shape ``(n, columns)``.
        values
            One for all rows, or one for each, shape ``(n,)``.
        """
        rows = asked(self, X).astype(np.float32)
        below = np.searchsorted(self.values_, np.broadcast_to(values, len(rows)), side="right")
        return np.asarray(_shares_below(rows, self._nodes(None), self._leaves(), below))

    def _nodes(self, trees: int | None) -> _Nodes:
        return self.roots_[: (trees or self.n_estimators)], self.feature_, self.threshold_, self.children_

    def _leaves(self) -> _Leaves:
        return self.starts_, self.members_, self.leaf_weights_, self.row_weights_


def _rounded_down(thresholds: Float) -> Single:
    """Return the largest numbers of single precision that are not above thresholds: what they ask of rows."""
    found = thresholds.astype(np.float32)
    return np.where(found > thresholds, np.nextafter(found, np.float32(-np.inf)), found)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _leaf_sums(starts: Index, members: Whole, values: Float, weights: Float) -> tuple[Float, Float]:
    """Return the sum of the weights and the mean of the values of each node's rows; 0 where it has none."""
    total, mean = np.zeros(len(starts) - 1), np.zeros(len(starts) - 1)
    for node in range(len(total)):
        for place in range(starts[node], starts[node + 1]):
            row = members[place]
            total[node] += weights[row]
            mean[node] += weights[row] * values[row]
        if total[node] > 0.0:
            mean[node] /= total[node]
    return total, mean


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _leaf(row: Single, root: int, feature: Whole, threshold: Single, children: Whole) -> int:
    node = root
    while children[node, 0] >= 0:
        node = children[node, 0] if row[feature[node]] <= threshold[node] else children[node, 1]
    return node


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _means(rows: Single, nodes: _Nodes, leaf_means: Float) -> Float:
    """Add up tree after tree, so that a tree stays in fast memory while all rows pass through it."""
    roots, feature, threshold, children = nodes
    out = np.zeros(len(rows))
    for root in roots:
        for row in range(len(rows)):
            out[row] += leaf_means[_leaf(rows[row], root, feature, threshold, children)]
    return out / len(roots)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _found(rows: Single, start: int, nodes: _Nodes, out: Whole) -> None:
    """Set the leaves of some rows from `start`, one column for each tree."""
    roots, feature, threshold, children = nodes
    for tree in range(len(roots)):
        for row in range(start, min(start + len(out), len(rows))):
            out[row - start, tree] = _leaf(rows[row], roots[tree], feature, threshold, children)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _weigh(found: Whole, leaves: _Leaves, out: Float) -> None:
    """Set the weights of all training rows for a row that lies in these leaves; they sum to 1."""
    starts, members, leaf_weights, weights = leaves
    out[:] = 0.0
    for leaf in found:
        each = 1.0 / (leaf_weights[leaf] * len(found))
        for place in range(starts[leaf], starts[leaf + 1]):
            member = members[place]
            out[member] += weights[member] * each


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _quantiles(rows: Single, nodes: _Nodes, leaves: _Leaves, levels: Float) -> Index:
    """Return for each row and rising level the first training row, by value, at which it is reached."""
    weights = np.empty(len(leaves[3]))
    found = np.empty((_ROWS_AT_A_TIME, len(nodes[0])), dtype=np.int32)
    out = np.empty((len(rows), len(levels)), dtype=np.int64)
    for row in range(len(rows)):
        if row % _ROWS_AT_A_TIME == 0:
            _found(rows, row, nodes, found)
        _weigh(found[row % _ROWS_AT_A_TIME], leaves, weights)
        place, reached = 0, weights[0]
        for level in range(len(levels)):
            while reached < levels[level] - _ROUNDING and place < len(weights) - 1:
                place += 1
                reached += weights[place]
            out[row, level] = place
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _shares_below(rows: Single, nodes: _Nodes, leaves: _Leaves, below: Index) -> Float:
    weights = np.empty(len(leaves[3]))
    found = np.empty((_ROWS_AT_A_TIME, len(nodes[0])), dtype=np.int32)
    out = np.zeros(len(rows))
    for row in range(len(rows)):
        if row % _ROWS_AT_A_TIME == 0:
            _found(rows, row, nodes, found)
        _weigh(found[row % _ROWS_AT_A_TIME], leaves, weights)
        for place in range(below[row]):
            out[row] += weights[place]
        out[row] = min(out[row], 1.0)
    return out
