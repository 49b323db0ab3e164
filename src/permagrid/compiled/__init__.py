"""Fitted estimators in the form of arrays, by which maps are predicted many times faster."""

from permagrid.compiled.additive import CompiledAdditive
from permagrid.compiled.combined import Compiled, CompiledMean
from permagrid.compiled.compiling import compile_trees
from permagrid.compiled.encoded import EncodedTrees
from permagrid.compiled.estimators import compile_estimator
from permagrid.compiled.forest import CompiledForest
from permagrid.compiled.order import patch_order
from permagrid.compiled.process import CompiledProcess, CompiledWithProcess
from permagrid.compiled.quantiles import CompiledQuantiles
from permagrid.compiled.stored import compiled_of, plain
from permagrid.compiled.support_vectors import CompiledSupportVectors

__all__ = [
    "Compiled",
    "CompiledAdditive",
    "CompiledForest",
    "CompiledMean",
    "CompiledProcess",
    "CompiledQuantiles",
    "CompiledSupportVectors",
    "CompiledWithProcess",
    "EncodedTrees",
    "compile_estimator",
    "compile_trees",
    "compiled_of",
    "patch_order",
    "plain",
]
