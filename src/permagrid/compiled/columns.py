"""Columns that an estimator sees, made of raw covariates: classes encoded, numbers scaled."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.compiled.nodes import Float, Index

NUMBER, IS_CLASS, PLACE, NONE_OF = range(4)
"""A column is the number itself; 1 where it is a certain class and 0 elsewhere; the place of the class
among the known ones, missing where it is none of them; or 1 where it is none of the known ones, else 0."""


class Columns(NamedTuple):
    """How each column is made, as arrays."""

    source: Index
    """The raw covariate."""
    kind: Index
    """See `NUMBER` and the others."""
    known: Float
    """Classes of all columns, one after the other."""
    first: Index
    """Where those of each column begin, and where the last ones end."""
    centre: Float
    """What is taken away,"""
    spread: Float
    """and by what the rest is divided."""


@dataclass(frozen=True)
class Column:
    """How one column is made."""

    source: int
    kind: int = NUMBER
    known: tuple[float, ...] = ()
    centre: float = 0.0
    spread: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """How all columns are made of how many raw covariates."""

    raw: int
    columns: tuple[Column, ...] = field(default=())

    @classmethod
    def of(cls, raw: int) -> "Recipe":
        """Return the recipe that leaves covariates as they are."""
        return cls(raw, tuple(Column(place) for place in range(raw)))

    def encoded(self, categories: dict[int, Float], *, one_hot: bool) -> "Recipe | None":
        """Return the recipe with classes of some columns encoded; None unless these are raw."""
        made: list[Column] = []
        for place, column in enumerate(self.columns):
            if place not in categories:
                made.append(column)
            elif column != Column(column.source):
                return None
            elif one_hot:
                made += [Column(column.source, IS_CLASS, (float(code),)) for code in categories[place]]
            else:
                made.append(Column(column.source, PLACE, tuple(float(code) for code in categories[place])))
        return replace(self, columns=tuple(made))

    def with_sets(self, sets: Sequence[tuple[int, tuple[int, ...]]]) -> "Recipe | None":
        """Return the recipe with columns that are 0 where a class is in a set; None unless places tell them.

        Places themselves are asked by nobody then, and are left out, as all that are unknown lie in no set.
        """
        made = [
            replace(each, kind=NONE_OF, known=()) if each.kind == PLACE else each for each in self.columns
        ]
        for column, places in sets:
            whole = self.columns[column]
            if whole.kind != PLACE or whole.spread != 1.0 or whole.centre != 0.0:
                return None
            known = tuple(whole.known[place] for place in places if place < len(whole.known))
            made.append(replace(whole, kind=NONE_OF, known=known))
        return replace(self, columns=tuple(made))

    def scaled(self, centre: Float, spread: Float) -> "Recipe | None":
        """Return the recipe with columns scaled; None if they are already."""
        if any(column.centre != 0.0 or column.spread != 1.0 for column in self.columns):
            return None
        pairs = zip(self.columns, centre, spread, strict=True)
        return replace(
            self,
            columns=tuple(
                replace(column, centre=float(middle), spread=float(width)) for column, middle, width in pairs
            ),
        )

    def arrays(self) -> Columns:
        """Return it as arrays."""
        known = [column.known for column in self.columns]
        return Columns(
            np.array([column.source for column in self.columns], dtype=np.int64),
            np.array([column.kind for column in self.columns], dtype=np.int64),
            np.array([code for codes in known for code in codes], dtype=float),
            np.concatenate([[0], np.cumsum([len(codes) for codes in known])]).astype(np.int64),
            np.array([column.centre for column in self.columns], dtype=float),
            np.array([column.spread for column in self.columns], dtype=float),
        )


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def fill(rows: NDArray[np.floating], places: Index, columns: Columns, out: Float) -> None:
    """Set the columns of some rows, in double precision, shape ``(columns, places)`` or more.

    Parameters
    ----------
    rows
        Raw covariates, shape ``(n, covariates)``.
    places
        Which rows.
    columns
        How columns are made.
    out
        What is set.
    """
    for column in range(len(columns.source)):
        source, kind, to = columns.source[column], columns.kind[column], out[column]
        for at in range(len(places)):
            to[at] = np.float64(rows[places[at], source])
        if kind != NUMBER:
            own = columns.known[columns.first[column] : columns.first[column + 1]]
            for at in range(len(places)):
                to[at] = _encoded(to[at], own, kind)
        centre, spread = columns.centre[column], columns.spread[column]
        if centre != 0.0 or spread != 1.0:
            for at in range(len(places)):
                to[at] = (to[at] - centre) / spread


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _encoded(code: float, known: Float, kind: int) -> float:
    for place in range(len(known)):
        if code == known[place]:
            return 1.0 if kind == IS_CLASS else 0.0 if kind == NONE_OF else float(place)
    return 0.0 if kind == IS_CLASS else 1.0 if kind == NONE_OF else np.nan
