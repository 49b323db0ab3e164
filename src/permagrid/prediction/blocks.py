"""Prediction of a fitted learner over a covariate stack, block by block in constant memory."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
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
        cells = self._cells(window)
        return self._block(window, cells, self._told(cells.rows))

    def _cells(self, window: Window) -> "Cells":
        cells = read_cells(self.stack, self.covariates, window, self.known)
        return cells if self.order is None else cells.along(self.order(cells.shape))

    def _told(self, rows: NDArray[np.float32]) -> Float:
        return of_distinct(self._predicted, rows) if len(rows) else np.empty((0, self.outputs))

    def _predicted(self, rows: NDArray[np.float32]) -> Float:
        chunks = []
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            chunk = rows[start : start + _ROWS_AT_A_TIME].astype(float)
            chunks.append(np.atleast_2d(self.predict(chunk).T).T)
        return np.concatenate(chunks)

    def _block(self, window: Window, cells: "Cells", predicted: Float) -> Block:
        out = np.full((self.outputs, cells.shape[0] * cells.shape[1]), np.nan, dtype="float32")
        bounded = np.clip(predicted, *self.valid_range)
        clipped = int(((bounded < predicted) | (bounded > predicted)).any(axis=1).sum())
        out[:, cells.places] = bounded.T
        shaped = out.reshape(self.outputs, *cells.shape)
        return Block(window, shaped, len(cells.places), clipped, cells.unseen, cells.unseen_classes)


def blocks_of_epochs(works: Sequence[Prediction], window: Window) -> list[Block]:
    """Return a part of the maps of several epochs, all of whose epochs of a cell are predicted together.

    It is what `block` of each returns, sooner: where most covariates do not change, compiled trees share
    walks among the epochs of a cell. The rows of all epochs are in memory at once.

    Parameters
    ----------
    works
        Predictions by one learner, which differ in nothing but their stacks.
    window
        Rows and columns of the grid.
    """
    read = [work._cells(window) for work in works]
    size, order = read[0].shape[0] * read[0].shape[1], works[0].order
    number = np.arange(size)
    if order is not None:
        number[order(read[0].shape)] = np.arange(size)
    beside = np.argsort(np.concatenate([number[cells.places] for cells in read]), kind="stable")
    predicted = works[0]._told(np.concatenate([cells.rows for cells in read])[beside])
    own = np.empty_like(predicted)
    own[beside] = predicted
    parts = np.split(own, np.cumsum([len(cells.places) for cells in read])[:-1])
    made = zip(works, read, parts, strict=True)
    return [work._block(window, cells, part) for work, cells, part in made]


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
    stack: xr.Dataset, covariates: Sequence[str], window: Window, known: Mapping[str, Float] | None = None
) -> Cells:
    """Return the cells of a part of a stack that have all covariates, and no class that is unknown.

    Parameters
    ----------
    stack, covariates, known
        As in `predict_blocks`.
    window
        Rows and columns of the part.
    """
    layers = [stack[name].data[window] for name in covariates]
    read = [np.asarray(x.compute(scheduler="synchronous") if hasattr(x, "compute") else x) for x in layers]
    values = np.stack([layer.ravel() for layer in read], axis=1)
    complete = np.flatnonzero(np.isfinite(values).all(axis=1))
    unseen, unseen_classes = _unseen(values[complete], covariates, known or {})
    valid = complete[~unseen]
    return Cells(values[valid], valid, read[0].shape, int(unseen.sum()), unseen_classes)


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
