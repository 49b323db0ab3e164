"""Prediction of a fitted learner over a covariate stack, block by block in constant memory."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError
from permagrid.grid import Float, Window, blocks
from permagrid.prediction.repeats import of_distinct
from permagrid.threads import pool

_ROWS_AT_A_TIME = 32768


class Block(NamedTuple):
    """A predicted part of the map."""

    window: Window
    """Rows and columns of the grid."""
    values: NDArray[np.float32]
    """Shape ``(outputs, rows, columns)``; NaN where a covariate is missing or of an unknown class."""
    valid: int
    """Cells that were predicted."""
    clipped: int
    """Cells whose prediction was brought back into the valid range."""
    unseen: int
    """Cells that were left out because of a class unknown to the learner."""
    unseen_classes: Mapping[tuple[str, float], int]
    """Covariate and class -> cells among those; one of two unknown classes counts with both."""
    part: Mapping[str, Any] | None = None
    """What the block adds to totals over the map, as plain values; None for nothing."""


class BlockWork(Protocol):
    """Makes blocks, each by itself: in any order, by any thread or, as it can be pickled, any process."""

    def block(self, window: Window) -> Block:
        """Return a part of the map, which depends on nothing but its place."""


Predict = Callable[[Float], Float]
"""Rows of covariates, shape ``(n, covariates)``, to predictions, shape ``(n, outputs)``."""
Order = Callable[[tuple[int, int]], NDArray[np.integer[Any]]]
"""Rows and columns of a block to the places of all its cells, numbered row by row, in some order."""


def predict_blocks(
    predict: Predict,
    stack: xr.Dataset,
    covariates: Sequence[str],
    *,
    outputs: int = 1,
    block: int = 512,
    valid_range: tuple[float, float] = (-np.inf, np.inf),
    workers: int = 1,
    known: Mapping[str, Float] | None = None,
) -> Iterator[Block]:
    """Yield predictions over a stack, block by block from the top, in constant memory.

    Parameters
    ----------
    predict
        Row-wise prediction; a row's result must not depend on the rows beside it.
    stack
        Variables of dimensions ``(y, x)``; lazy.
    covariates
        Variables to use, in the order of training.
    outputs
        Values that `predict` gives per row: 1, or the number of classes.
    block
        Cells per side of a block. It changes memory and speed, never the result.
    valid_range
        What the target can be; predictions outside are set to its ends and counted.
    workers
        Blocks in work at a time.
    known
        Covariate -> the classes that the learner was trained on. Cells of another class are left out and
        counted: whatever it said of them would rest on nothing.

    Yields
    ------
    Block
        In the order of the grid.

    Raises
    ------
    PermagridError
        If the stack lacks a covariate or still has epochs.
    """
    work = Prediction(predict, stack, tuple(covariates), outputs, valid_range, known or {})
    rows, columns = stack[covariates[0]].shape
    with threadpool_limits(1), pool(workers) as threads:
        waiting: deque[Future[Block]] = deque()
        for window in blocks((rows, columns), block):
            waiting.append(threads.submit(work.block, window))
            # No more results than this exist at once, however slowly they are taken.
            if len(waiting) == 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@dataclass(frozen=True)
class Prediction:
    """Predicts over a stack, a block at a time; cells that repeat the covariates of others once.

    Raises
    ------
    PermagridError
        If the stack lacks a covariate or still has epochs.
    """

    predict: Predict
    """Row-wise prediction; a row's result must not depend on the rows beside it."""
    stack: xr.Dataset
    """Variables of dimensions ``(y, x)``; lazy."""
    covariates: tuple[str, ...]
    """Variables to use, in the order of training."""
    outputs: int = 1
    """Values that `predict` gives per row."""
    valid_range: tuple[float, float] = (-np.inf, np.inf)
    """What the target can be."""
    known: Mapping[str, Float] = field(default_factory=dict)
    """Covariate -> the classes that the learner was trained on."""
    order: Order | None = None
    """Order in which the cells of a block are predicted; row by row if None. It changes speed, never the
    result."""

    def __post_init__(self) -> None:
        absent = [name for name in self.covariates if name not in self.stack]
        if absent:
            raise PermagridError(f"prediction: the stack lacks {', '.join(absent)}")
        if any(self.stack[name].ndim != 2 for name in self.covariates):
            raise PermagridError("prediction: choose one epoch of the stack first")

    def block(self, window: Window) -> Block:
        """Return the predictions of a part of the map."""
        return _predicted([self], window)[0]

    def predict_rows(self, rows: NDArray[np.float32]) -> Float:
        """Return predictions of complete rows, shape ``(n, outputs)``."""
        return np.atleast_2d(self.predict(rows.astype(float)).T).T

    def is_like(self, other: BlockWork) -> bool:
        """Return whether it differs from another in nothing but the epoch."""
        if not isinstance(other, Prediction):
            return False
        names = ("predict", "covariates", "outputs", "order")
        return all(getattr(self, name) == getattr(other, name) for name in names)


def blocks_together(works: Sequence[BlockWork], window: Window) -> list[Block]:
    """Return a part of the maps of several epochs, as `block` of each returns it.

    Those by one learner read static covariates once, and predict all epochs of a cell beside one another:
    compiled trees then share walks among these.

    Parameters
    ----------
    works
        What makes the blocks of each epoch.
    window
        Rows and columns of the grid.
    """
    first = works[0]
    alike = [work for work in works if isinstance(work, Prediction) and work.is_like(first)]
    if len(alike) == len(works):
        return _predicted(alike, window)
    return [work.block(window) for work in works]


def _predicted(works: Sequence[Prediction], window: Window) -> list[Block]:
    """Return a part of the maps of predictions that are alike."""
    read = _read_epochs(works, window)
    first, shape = works[0], read[0].shape
    order = np.arange(shape[0] * shape[1]) if first.order is None else first.order(shape)
    read = [cells.along(order) for cells in read] if first.order is not None else read
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    ranks = [rank[cells.places] for cells in read]
    told = [np.empty((len(cells.places), first.outputs)) for cells in read]
    # As many rows at a time wherever land is sparse, and all epochs of a cell among them.
    firsts = np.unique(np.sort(np.concatenate(ranks))[::_ROWS_AT_A_TIME])
    for edges in pairwise([*firsts, len(order)]):
        parts = [slice(*np.searchsorted(own, edges)) for own in ranks]
        rows = np.concatenate([cells.rows[part] for cells, part in zip(read, parts, strict=True)])
        # The epochs of a cell beside one another, in their order.
        beside = np.argsort(
            np.concatenate([own[part] for own, part in zip(ranks, parts, strict=True)]), kind="stable"
        )
        found = of_distinct(first.predict_rows, rows[beside])
        made = np.empty_like(found)
        made[beside] = found
        ends = np.cumsum([part.stop - part.start for part in parts])[:-1]
        for own, part, values in zip(told, parts, np.split(made, ends), strict=True):
            own[part] = values
    return [_block_of(*each, window) for each in zip(works, read, told, strict=True)]


def _read_epochs(works: Sequence[Prediction], window: Window) -> list["Cells"]:
    """Return the cells of each epoch; layers that several epochs share are read once."""
    layers = Counter(
        getattr(work.stack[name].data, "name", None) for work in works for name in work.covariates
    )
    shared: dict[str, NDArray[Any] | None] = {
        name: None for name, uses in layers.items() if name and uses > 1
    }
    return [read_cells(work.stack, work.covariates, window, work.known, shared) for work in works]


def _block_of(work: Prediction, cells: "Cells", predicted: Float, window: Window) -> Block:
    out = np.full((work.outputs, cells.shape[0] * cells.shape[1]), np.nan, dtype="float32")
    bounded = np.clip(predicted, *work.valid_range)
    clipped = int(((bounded < predicted) | (bounded > predicted)).any(axis=1).sum())
    out[:, cells.places] = bounded.T
    shaped = out.reshape(work.outputs, *cells.shape)
    return Block(window, shaped, len(cells.places), clipped, cells.unseen, cells.unseen_classes)


class Cells(NamedTuple):
    """The cells of a part of the map that can be predicted."""

    rows: NDArray[np.float32]
    """Their covariates, shape ``(n, covariates)``."""
    places: NDArray[np.int_]
    """Where they are among all cells of the part, counted row by row, shape ``(n,)``."""
    shape: tuple[int, int]
    """Rows and columns of the part."""
    unseen: int
    """Cells that were left out because of a class unknown to the learner."""
    unseen_classes: Mapping[tuple[str, float], int]
    """Covariate and class -> cells among those."""

    def along(self, order: NDArray[np.integer[Any]]) -> "Cells":
        """Return the same cells in the order of some places, which are all places of the part."""
        number = np.full(self.shape[0] * self.shape[1], -1)
        number[self.places] = np.arange(len(self.places))
        picked = number[order]
        picked = picked[picked >= 0]
        return self._replace(rows=self.rows[picked], places=self.places[picked])


def read_cells(
    stack: xr.Dataset,
    covariates: Sequence[str],
    window: Window,
    known: Mapping[str, Float] | None = None,
    shared: dict[str, NDArray[Any] | None] | None = None,
) -> Cells:
    """Return the cells of a part of a stack that have all covariates, and no class that is unknown.

    Parameters
    ----------
    stack, covariates, known
        As in `predict_blocks`.
    window
        Rows and columns of the part.
    shared
        Names of lazy layers that other epochs read, too, and their values where these have been read.
    """
    shared = {} if shared is None else shared
    read = [_read(stack[name].data, window, shared) for name in covariates]
    values = np.stack([layer.ravel() for layer in read], axis=1)
    complete = np.flatnonzero(np.isfinite(values).all(axis=1))
    unseen, unseen_classes = _unseen(values[complete], covariates, known or {})
    valid = complete[~unseen]
    return Cells(values[valid], valid, read[0].shape, int(unseen.sum()), unseen_classes)


def _read(layer: Any, window: Window, shared: dict[str, NDArray[Any] | None]) -> NDArray[Any]:
    if not hasattr(layer, "compute"):
        return np.asarray(layer[window])
    known = shared.get(layer.name)
    if known is None:
        known = np.asarray(layer[window].compute(scheduler="synchronous"))
        if layer.name in shared:
            shared[layer.name] = known
    return known


def _unseen(
    rows: NDArray[np.float32], covariates: Sequence[str], known: Mapping[str, Float]
) -> tuple[NDArray[np.bool_], dict[tuple[str, float], int]]:
    """Return which rows have a class that was not trained on, and how many have each of those."""
    unseen, counts = np.zeros(len(rows), dtype=bool), dict[tuple[str, float], int]()
    for name, codes in known.items():
        column = rows[:, covariates.index(name)]
        strange = ~np.isin(column, codes)
        found, cells = np.unique(column[strange], return_counts=True)
        counts |= {(name, float(code)): int(n) for code, n in zip(found, cells, strict=True)}
        unseen |= strange
    return unseen, counts


def row_wise(estimator: Any, *, task: str) -> Predict:
    """Return the prediction function of a fitted estimator: values, or probabilities of its classes.

    Parameters
    ----------
    estimator
        Fitted scikit-learn estimator.
    task
        ``value`` or ``class``.
    """
    chosen: Predict = estimator.predict_proba if task == "class" else estimator.predict
    return chosen
