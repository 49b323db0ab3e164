"""Forests and boosted trees in the form of arrays, by which maps are predicted many times faster."""

from permagrid.compiled.compiling import compile_trees
from permagrid.compiled.forest import CompiledForest
from permagrid.compiled.order import patch_order

__all__ = ["CompiledForest", "compile_trees", "patch_order"]
