"""Support vectors with a radial kernel: sums over them for 32 cells at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.compiled.asked import asked_rows
from permagrid.compiled.columns import Columns, Recipe, fill
from permagrid.compiled.kernels import CELLS, VECTORS, add_kernels
from permagrid.compiled.links import from_log_odds
from permagrid.compiled.nodes import Float, Index

_LOG2_E = 1.4426950408889634


@dataclass(frozen=True, eq=False)
class Machine:
    """One machine: its vectors, and a line that turns its sum into what it says."""

    vectors: Float
    """Shape ``(m, columns)``."""
    coefficients: Float
    """Shape ``(m,)``."""
    intercept: float
    """Added to the sum over vectors."""
    slope: float = 1.0
    """By which that is multiplied,"""
    shift: float = 0.0
    """and what is added then."""


@dataclass(frozen=True, eq=False)
class CompiledSupportVectors:
    """Machines that predict as their estimator does, in double precision, 32 cells at a time.

    In units in which ``2 gamma log2(e)`` is 1, a kernel ``exp(-gamma d**2)`` is 2 to the power of a product
    of cell and vector less half the squares of both. The product, the power and the sum stay in registers.
    A cell's prediction is the same bits whatever cells are predicted beside it and in whatever order.
    """

    recipe: Recipe
    blocks: Float
    """Four vectors a row: half their squares below 0, then their numbers, column after column."""
    coefficients: Float
    """Of four vectors a row, for each machine."""
    lines: Float
    """Intercept, slope and shift of each machine."""
    scale: float
    """By which columns are multiplied."""
    is_class: bool

    @classmethod
    def of(
        cls, recipe: Recipe, machines: Sequence[Machine], gamma: float, *, is_class: bool
    ) -> "CompiledSupportVectors":
        """Return machines that share the width of their kernel; a vector that several have is taken once.

        Parameters
        ----------
        recipe
            How columns are made of covariates.
        machines
            One for values and two classes, else one for each class.
        gamma
            Of the kernel.
        is_class
            Whether they give log odds, of which probabilities are made.
        """
        scale = float(np.sqrt(2.0 * gamma * _LOG2_E))
        every = np.concatenate([machine.vectors for machine in machines])
        once, places = np.unique(every, axis=0, return_inverse=True)
        many = -(-len(once) // VECTORS) * VECTORS
        weights, start = np.zeros((len(machines), many)), 0
        for own, machine in zip(weights, machines, strict=True):
            np.add.at(
                own, places.reshape(-1)[start : start + len(machine.vectors)], machine.coefficients.ravel()
            )
            start += len(machine.vectors)
        # Vectors that fill up the last four lie at 0 and weigh nothing.
        numbers = np.zeros((many, once.shape[1]))
        numbers[: len(once)] = once * scale
        parts = np.concatenate([-0.5 * (numbers**2).sum(axis=1, keepdims=True), numbers], axis=1)
        blocks = parts.reshape(-1, VECTORS, parts.shape[1]).transpose(0, 2, 1)
        own = weights.reshape(len(machines), -1, VECTORS).transpose(1, 0, 2)
        lines = np.array([[machine.intercept, machine.slope, machine.shift] for machine in machines])
        return cls(
            recipe,
            np.ascontiguousarray(blocks).reshape(len(blocks), -1),
            np.ascontiguousarray(own).reshape(len(own), -1),
            lines,
            scale,
            is_class,
        )

    def predict(self, rows: NDArray[np.floating[Any]], order: Index | None = None) -> Float:
        """Return predictions, shape ``(n,)``, or probabilities of classes, shape ``(n, classes)``.

        Rows with a missing value get none.

        Parameters
        ----------
        rows
            Shape ``(n, covariates)``, in any layout.
        order
            In which order rows are taken in hand; neither predictions nor speed depend on it.

        Raises
        ------
        PermagridError
            If rows have another number of columns than there are covariates.
        """
        rows, places = asked_rows(rows, self.recipe.raw, order)
        said = np.full((len(rows), len(self.lines)), np.nan)
        columns = self.recipe.arrays()
        _sums(rows, places, columns, self.scale, self.blocks, self.coefficients, self.lines, said)
        return from_log_odds(said) if self.is_class else said[:, 0]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sums(
    rows: NDArray[np.floating],
    places: Index,
    columns: Columns,
    scale: float,
    blocks: Float,
    coefficients: Float,
    lines: Float,
    out: Float,
) -> None:
    """Set what machines say of some rows, shape ``(n, machines)``."""
    many = len(columns.source)
    cells = np.zeros((many, CELLS))
    flat = cells.reshape(many * CELLS)
    lengths, totals = np.zeros(CELLS), np.zeros(len(lines) * CELLS)
    for start in range(0, len(places), CELLS):
        own = places[start : start + CELLS]
        fill(rows, own, columns, cells)
        lengths[:] = 0.0
        for column in range(many):
            for cell in range(CELLS):
                cells[column, cell] *= scale
                lengths[cell] -= 0.5 * cells[column, cell] * cells[column, cell]
        totals[:] = 0.0
        for block in range(len(blocks)):
            add_kernels(flat, lengths, blocks[block], coefficients[block], totals)
        for machine in range(len(lines)):
            intercept, slope, shift = lines[machine]
            for at in range(len(own)):
                out[own[at], machine] = (totals[machine * CELLS + at] + intercept) * slope + shift
