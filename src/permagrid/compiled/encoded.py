"""Compiled trees of columns that are made of covariates, such as encoded classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from permagrid.compiled.asked import asked_rows
from permagrid.compiled.columns import Recipe, fill
from permagrid.compiled.forest import CompiledForest
from permagrid.compiled.nodes import Float, Index

_AT_A_TIME = 65_536
"""Rows of which columns are made at a time."""


@dataclass(frozen=True, eq=False)
class EncodedTrees:
    """Compiled trees of columns in which classes are encoded."""

    recipe: Recipe
    trees: CompiledForest

    def predict(self, rows: NDArray[np.floating[Any]], order: Index | None = None) -> Float:
        """Return predictions, see `CompiledForest.predict`; rows with a missing value get none."""
        return predict_encoded(self.recipe, self.trees, rows, order)


def predict_encoded(
    recipe: Recipe, trees: CompiledForest, rows: NDArray[np.floating[Any]], order: Index | None
) -> Float:
    """Return what trees say of columns that a recipe makes of rows.

    Parameters
    ----------
    recipe, trees
        The columns, and the trees that were grown of them.
    rows, order
        As in `CompiledForest.predict`.
    """
    if recipe == Recipe.of(recipe.raw):
        return trees.predict(rows, order)
    rows, places = asked_rows(rows, recipe.raw, order)
    columns = recipe.arrays()
    several = trees.is_class or trees.outputs > 1
    width = max(trees.outputs, 2) if trees.is_class else trees.outputs
    out = np.full((len(rows), width) if several else len(rows), np.nan)
    cells = np.empty((len(columns.source), min(_AT_A_TIME, len(places))))
    for start in range(0, len(places), _AT_A_TIME):
        own = places[start : start + _AT_A_TIME]
        fill(rows, own, columns, cells)
        out[own] = trees.predict(cells[:, : len(own)].T)
    return out
