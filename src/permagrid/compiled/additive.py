"""Additive models as tables: pieces of curves, lines, and effects of classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.compiled.asked import asked_rows
from permagrid.compiled.columns import Columns, Recipe, fill
from permagrid.compiled.links import from_log_odds
from permagrid.compiled.nodes import Float, Index

_CELLS = 512
"""Cells that are taken at a time, so that their numbers stay near while all terms are added."""
_CURVE, _LINE, _CLASSES = range(3)


class Terms(NamedTuple):
    """All terms of all sums, as arrays."""

    output: Index
    """To which sum each term belongs."""
    column: Index
    kind: Index
    table: Float
    """Rows of a term: where a piece of a curve begins, and its four coefficients from the cubic one down; or
    a class and its effect."""
    first: Index
    """Where the rows of each term begin, and where the last ones end."""
    ends: Float
    """Of a curve its ends and the slopes beyond them; of a line its centre and slope."""


@dataclass(frozen=True, eq=False)
class CompiledAdditive:
    """Sums of curves, lines and effects of classes, which predict as their estimator does.

    A curve is looked up: the piece in which a number lies, then its cubic, with the same roundings as the
    estimator's own. So sums are the same bits as its own, and the same whatever cells are beside a cell.
    """

    recipe: Recipe
    terms: Terms
    intercepts: Float
    is_class: bool

    @classmethod
    def of(cls, recipe: Recipe, sums: Sequence[Any], *, is_class: bool) -> "CompiledAdditive":
        """Return the tables of fitted sums of terms, of values or of log odds.

        Parameters
        ----------
        recipe
            How columns are made of covariates.
        sums
            One for values and two classes, else one for each class; each has an ``intercept`` and ``terms``.
        is_class
            Whether they are log odds.
        """
        output, column, kind = [], [], []
        rows, ends = [], []
        for place, one in enumerate(sums):
            for term in one.terms:
                if term.kind == "constant":
                    continue
                number, own, limits = _term(term)
                output.append(place)
                column.append(term.column)
                kind.append(number)
                rows.append(own)
                ends.append(limits)
        first = np.concatenate([[0], np.cumsum([len(own) for own in rows])]).astype(np.int64)
        terms = Terms(
            np.array(output, dtype=np.int64),
            np.array(column, dtype=np.int64),
            np.array(kind, dtype=np.int64),
            np.concatenate([np.zeros((0, 5)), *rows]),
            first,
            np.array(ends, dtype=float).reshape(-1, 4),
        )
        return cls(recipe, terms, np.array([one.intercept for one in sums], dtype=float), is_class)

    def predict(self, rows: NDArray[np.floating[Any]], order: Index | None = None) -> Float:
        """Return predictions, shape ``(n,)``, or probabilities of classes, shape ``(n, classes)``.

        Rows with a missing value get none; a class that no training row had has no effect.

        Parameters
        ----------
        rows
            Shape ``(n, covariates)``, in any layout.
        order
            In which order rows are taken in hand; no prediction depends on it.

        Raises
        ------
        PermagridError
            If rows have another number of columns than there are covariates.
        """
        rows, places = asked_rows(rows, self.recipe.raw, order)
        said = np.full((len(rows), len(self.intercepts)), np.nan)
        _sums(rows, places, self.recipe.arrays(), self.terms, self.intercepts, said)
        return from_log_odds(said) if self.is_class else said[:, 0]


def _term(term: Any) -> tuple[int, Float, list[float]]:
    """Return the kind of a term, its rows of the table, and its ends."""
    if term.curve is not None:
        breaks, pieces = term.curve.breaks, term.curve.pieces
        rows = np.concatenate([breaks[:-1, np.newaxis], pieces.T], axis=1)
        return _CURVE, rows, [breaks[0], breaks[-1], *term.curve.slopes]
    if term.kind == "line":
        return _LINE, np.zeros((0, 5)), [term.centre, term.slope, 0.0, 0.0]
    rows = np.zeros((len(term.codes), 5))
    rows[:, 0], rows[:, 1] = term.codes, term.effects
    return _CLASSES, rows, [0.0] * 4


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sums(
    rows: NDArray[np.floating], places: Index, columns: Columns, terms: Terms, intercepts: Float, out: Float
) -> None:
    """Set sums of terms, shape ``(n, outputs)``."""
    cells = np.zeros((len(columns.source), _CELLS))
    totals, pieces = np.empty((len(intercepts), _CELLS)), np.zeros(_CELLS, dtype=np.int64)
    for start in range(0, len(places), _CELLS):
        own = places[start : start + _CELLS]
        fill(rows, own, columns, cells)
        for output in range(len(intercepts)):
            totals[output] = intercepts[output]
        for term in range(len(terms.output)):
            values, total = cells[terms.column[term]], totals[terms.output[term]]
            table, ends = terms.table[terms.first[term] : terms.first[term + 1]], terms.ends[term]
            if terms.kind[term] == _CURVE:
                _add_curve(values, table, ends, pieces, total)
            elif terms.kind[term] == _LINE:
                centre, slope = ends[0], ends[1]
                for cell in range(_CELLS):
                    total[cell] += (values[cell] - centre) * slope
            else:
                for code in range(len(table)):
                    for cell in range(_CELLS):
                        total[cell] += table[code, 1] if values[cell] == table[code, 0] else 0.0
        for output in range(len(intercepts)):
            for at in range(len(own)):
                out[own[at], output] = totals[output, at]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_curve(values: Float, table: Float, ends: Float, pieces: Index, total: Float) -> None:
    """Add a curve at some values: pieces are told by how many of them begin at a value or below."""
    lower, upper, below, above = ends
    pieces[:] = 0
    for piece in range(1, len(table)):
        begin = table[piece, 0]
        for cell in range(_CELLS):
            pieces[cell] += values[cell] >= begin
    for cell in range(_CELLS):
        value, piece = values[cell], pieces[cell]
        inside = min(max(value, lower), upper)
        along = inside - table[piece, 0]
        height = ((table[piece, 1] * along + table[piece, 2]) * along + table[piece, 3]) * along
        beyond = value - inside
        total[cell] += (height + table[piece, 4]) + beyond * (below if beyond < 0.0 else above)
