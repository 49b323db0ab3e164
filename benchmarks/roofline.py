"""What the machine could do: work of a cell, counted, beside the rates of the core, measured in the same run.

By the processor time of one thread. The core: its clock by a chain of multiplications of three cycles each,
fused products in double precision, bytes copied, what a number costs that is read where the one before says,
and what a branch costs that cannot be foretold. Trees: nodes, words and leaves of tiles are counted. Where
their time goes is told by walking one tree again and again, so that branches are foretold and nodes are near;
then copies of it, as far apart as the trees of the forest; then all. Covariates: see `compiled_trees.py`.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import lightgbm
import numpy as np
from compiled_trees import Landscape, landscape, seconds
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from threadpoolctl import threadpool_limits

from permagrid.compiled import CompiledAdditive, CompiledForest, CompiledSupportVectors, compile_estimator
from permagrid.compiled.additive import Terms
from permagrid.compiled.forest import TilesOf
from permagrid.compiled.groups import group_of
from permagrid.compiled.nodes import FEATURE, NUMBER, RANK, RIGHT, Forest
from permagrid.compiled.sums import add_values, count_votes
from permagrid.compiled.tiles import CELLS, Tile
from permagrid.compiled.walk import _part, _put_back
from permagrid.ensemble import fit_copula_mixture
from permagrid.learners import build_learner

Float = NDArray[np.float64]
SUMS, LANES = 16, 8
POWER = 19
"""Vector steps of a kernel's power and its sum, see `permagrid.compiled.kernels`."""
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


class Core(NamedTuple):
    """What one core does."""

    clock: float
    """Cycles a second."""
    fused: float
    """Fused products and sums in double precision, a second."""
    copied: float
    """Bytes read and written, a second."""
    far: float
    """What a number of a table of 4 MB costs that is read where the one before says [s]."""
    branch: float
    """What a branch costs that is not foretold [s]."""


@intrinsic  # type: ignore[untyped-decorator]
def _fuse(typing: Any, times: Any) -> Any:
    """Multiply and add 16 vectors of eight numbers so many times."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        vector = ir.VectorType(ir.DoubleType(), LANES)
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), "llvm.fma.v8f64"
        )
        sums = [cgutils.alloca_once(builder, vector) for _ in range(SUMS)]
        for place, each in enumerate(sums):
            builder.store(ir.Constant(vector, [1.0 + place] * LANES), each)
        with cgutils.for_range(builder, given[0], intp=ir.IntType(64)):
            for each in sums:
                own = builder.load(each)
                builder.store(builder.call(fma, [own, ir.Constant(vector, [0.999] * LANES), own]), each)
        total = builder.load(sums[0])
        for each in sums[1:]:
            total = builder.fadd(total, builder.load(each))
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return types.float64(types.int64), generate


@njit  # type: ignore[untyped-decorator]
def _fuses(times: int) -> float:
    return _fuse(times)


@njit  # type: ignore[untyped-decorator]
def _multiplies(times: int) -> int:
    number = np.uint64(times)
    for _ in range(times):
        number = number * number
    return number


@intrinsic  # type: ignore[untyped-decorator]
def _mark(typing: Any, marks: Any) -> Any:
    """Store a number as other threads may see it, which a compiler leaves where it is: behind a branch."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, value=given[0]).data
        builder.store_atomic(ir.Constant(ir.IntType(64), 1), data, ordering="monotonic", align=8)
        return context.get_dummy_value()

    return types.void(marks), generate


@njit  # type: ignore[untyped-decorator]
def _branches(bits: NDArray[np.uint8], marks: NDArray[np.int64]) -> None:
    for bit in bits:
        if bit:
            _mark(marks)


@njit  # type: ignore[untyped-decorator]
def _follow(next_place: NDArray[np.int32], times: int) -> int:
    place = next_place[0]
    for _ in range(times):
        place = next_place[place]
    return place


def best(work: Callable[[], Any], rounds: int = 5) -> float:
    """Return the least seconds of some rounds, the first of which is not timed."""
    work()
    return min(seconds(work) for _ in range(rounds))


def core() -> Core:
    """Measure this core."""
    many, bits = 20_000_000, np.random.default_rng(0).integers(0, 2, 2_000_000).astype(np.uint8)
    clock = 3 * many / best(lambda: _multiplies(many))
    fused = SUMS * LANES * many / 20 / best(lambda: _fuses(many // 20))
    source = np.ones(32_000_000)
    target = np.zeros_like(source)
    copied = 2 * source.nbytes / best(lambda: np.copyto(target, source))
    ring = np.empty(1_000_000, dtype=np.int32)
    circle = np.random.default_rng(1).permutation(len(ring))
    ring[np.roll(circle, 1)] = circle
    far = best(lambda: _follow(ring, 1_000_000), 20) / 1_000_000
    in_order, marks = np.sort(bits), np.zeros(1, dtype=np.int64)
    apart = best(lambda: _branches(bits, marks)) - best(lambda: _branches(in_order, marks))
    return Core(clock, fused, copied, far, 2 * apart / len(bits))


@njit  # type: ignore[untyped-decorator]
def _bits(word: int) -> int:
    count = 0
    while word != np.uint64(0):
        word &= word - np.uint64(1)
        count += 1
    return count


@njit  # type: ignore[untyped-decorator]
def _count(forest: Forest, tile: Tile, found: Float) -> None:
    """Count nodes that the tile decides, nodes that words decide, words parted, leaves and their words."""
    nodes, stack = forest.nodes, tile.waiting
    for tree in range(len(forest.roots) - 1):
        node, words, waiting, kept = np.uint64(forest.roots[tree]), _ALL, np.uint64(0), np.uint64(0)
        tile.masks[:] = _ALL
        while True:
            feature, rank = nodes[node, FEATURE], nodes[node, RANK]
            if feature >= 0 and (tile.high[feature] <= rank or tile.low[feature] > rank):
                found[0] += 1
                right_way = tile.low[feature] > rank
                node = np.uint64(nodes[node, RIGHT]) if right_way else node + np.uint64(1)
                continue
            if feature >= 0:
                code = tile.codes.dtype.type(rank - tile.low[feature])
                left, right, to = _part(tile, np.uint64(feature), code, words, kept)
                found[1] += 1
                found[2] += np.float64(to - kept)
                if left == 0:
                    _put_back(tile, kept, to)
                    node = np.uint64(nodes[node, RIGHT])
                    continue
                if right != 0:
                    stack[waiting, 0], stack[waiting, 1] = np.uint64(nodes[node, RIGHT]), right
                    stack[waiting, 2], stack[waiting, 3] = kept, to
                    waiting, kept = waiting + np.uint64(1), to
                words, node = left, node + np.uint64(1)
                continue
            found[3] += 1
            found[4] += _bits(words)
            if waiting == 0:
                break
            waiting -= np.uint64(1)
            node, words, kept = stack[waiting, 0], stack[waiting, 1], stack[waiting, 2]
            _put_back(tile, kept, stack[waiting, 3])


def _told(compiled: CompiledForest, tile: Tile) -> Callable[[], None]:
    """Return what a tile does with all trees of a forest."""
    out = np.zeros((1, compiled.outputs, CELLS))
    if len(compiled.named):
        return lambda: count_votes(compiled.forest, tile, compiled.named, out[0])
    alone = group_of(tile)
    return lambda: add_values(compiled.forest, alone, compiled.columns, out)


def _copies(compiled: CompiledForest, tree: int, *, near: bool) -> CompiledForest:
    """Return a forest all of whose trees are one of a forest: the same nodes, or copies far apart."""
    forest, many = compiled.forest, len(compiled.columns)
    nodes = forest.nodes[forest.roots[tree] : forest.roots[tree + 1]].copy()
    is_leaf = nodes[:, FEATURE] < 0
    first, leaves = nodes[is_leaf, NUMBER].min(), int(is_leaf.sum())
    value, named = forest.value[first : first + leaves], compiled.named[first : first + leaves]
    nodes[~is_leaf, RIGHT] -= forest.roots[tree]
    nodes[is_leaf, NUMBER] -= first
    if near:
        roots = np.zeros(many + 1, dtype=np.int64)
        return replace(compiled, forest=forest._replace(nodes=nodes, value=value, roots=roots), named=named)
    every = np.tile(nodes, (many, 1)).reshape(many, len(nodes), 4)
    every[:, ~is_leaf, RIGHT] += len(nodes) * np.arange(many, dtype=np.int32)[:, np.newaxis]
    every[:, is_leaf, NUMBER] += leaves * np.arange(many, dtype=np.int32)[:, np.newaxis]
    parts = {"nodes": every.reshape(-1, 4), "value": np.tile(value, (many, 1))}
    roots = len(nodes) * np.arange(many + 1)
    return replace(compiled, forest=forest._replace(roots=roots, **parts), named=np.tile(named, many))


def trees(name: str, compiled: CompiledForest, world: Landscape, own: Core) -> str:
    """Return what a cell does in trees: counted, and taken by copies of one tree near and far, and by all."""
    tiles, forest, many = TilesOf(compiled.forest, compiled.single), compiled.forest, len(compiled.columns)
    some = np.linspace(0, many - 1, 12).astype(int)
    alike = [[_copies(compiled, tree, near=near) for near in (True, False)] for tree in some]
    counts, times = np.zeros(5), []
    starts = np.linspace(0, len(world.land) - CELLS, 6).astype(int)
    for start in starts:
        places = world.land[start : start + CELLS]
        ranking = best(lambda places=places: tiles.of(world.cells, places), 3)
        tile = tiles.of(world.cells, places)
        _count(forest, tile, counts)
        near, far = np.mean([[best(_told(each, tile), 2) for each in pair] for pair in alike], axis=0)
        times.append((ranking, near, far, best(_told(compiled, tile), 2)))
    ranking, near, far, walking = 1e9 * np.mean(times, axis=0) / CELLS
    decided, nodes, parted, leaves, words = counts / (len(starts) * many)
    # Of codes and extremes 128 bytes are compared in two steps, two of which a core takes in a cycle.
    vector = 1e9 * many * (2 * nodes + parted) / own.clock / CELLS
    read = many * (16 * (decided + nodes + leaves) + 128 * (2 * nodes + parted)) / CELLS
    missed = 1e-9 * CELLS * (walking - far) / own.branch / many / (decided + nodes + leaves)
    return (
        f"| {name} | {decided + nodes:.0f} | {parted:.0f} | {leaves:.0f} | {words:.0f} | {read:,.0f} | "
        f"{ranking:.0f} | {vector:.0f} | {near:.0f} | {far:.0f} | {walking:.0f} | {missed:.1f} |"
    )


def others(world: Landscape, own: Core) -> Iterator[str]:
    """Yield what a cell does in support vectors, additive models and tables of COP-BMA."""
    cells = world.cells[world.land[:16_384]]
    machine = TransformedTargetRegressor(make_pipeline(StandardScaler(), SVR()), transformer=StandardScaler())
    compiled = compile_estimator(machine.fit(world.rows, world.values), "value")
    if not isinstance(compiled, CompiledSupportVectors):
        raise SystemExit("support vectors are not compiled")
    vectors, columns = 4 * len(compiled.blocks), cells.shape[1]
    steps = vectors * (columns + POWER)
    taken = best(lambda: compiled.predict(cells)) / len(cells)
    yield row("support vectors", f"{vectors:,} vectors, {steps:,} steps", taken, steps / own.fused)
    compiled = compile_estimator(
        build_learner("additive_model", "value", 0, {}).fit(world.rows, world.values), "value"
    )
    if not isinstance(compiled, CompiledAdditive):
        raise SystemExit("the additive model is not compiled")
    asked, curves = pieces_of(compiled.terms)
    taken = best(lambda: compiled.predict(cells)) / len(cells)
    # A core stores one vector of counts in a cycle, and reads two numbers of the table of pieces.
    bound = (asked / LANES + 5 * curves / 2) / own.clock
    said = f"{asked} beginnings asked, {curves} curves of five numbers each"
    yield row("additive model", said, taken, bound)
    yield mixture(world, own)


def pieces_of(terms: Terms) -> tuple[int, int]:
    """Return how many beginnings of pieces a cell is compared with, and of how many curves."""
    lengths = np.diff(terms.first)
    return int((lengths[lengths > 0] - 1).sum()), int((lengths > 0).sum())


def mixture(world: Landscape, own: Core) -> str:
    """Return what a cell does in tables of COP-BMA: mean and 95 % interval of four learners."""
    random, learners, levels = np.random.default_rng(0), 4, [0.025, 0.975]
    noise = random.normal(0, 1, (len(world.values), learners)) * [0.5, 0.6, 0.7, 0.8]
    joined = fit_copula_mixture(world.values[:, np.newaxis] * [0.9, 1.0, 0.8, 1.1] + noise, world.values)
    tables = joined.tables()
    asked = random.choice(world.values, (40_000, 1)) + random.normal(0, 0.6, (40_000, learners))
    steps = int(np.ceil(np.log2(len(tables.y) - 1)))
    reads = learners * (2 * len(levels) * (steps + 2) + 4)
    taken = best(lambda: (tables.mean(asked), tables.quantiles(asked, levels)), 3) / len(asked)
    # Every second halving is guessed wrongly.
    missed = len(levels) * steps / 2 * own.branch
    said = f"{len(levels) * steps} halvings, {reads} numbers of {tables.cdfs.nbytes / 1e6:.1f} MB"
    return row("tables of COP-BMA", said, taken, missed)


def row(name: str, work: str, taken: float, bound: float) -> str:
    return f"| {name} | {work} | {1e9 * taken:.0f} | {1e9 * bound:.0f} | {100 * bound / taken:.0f} % |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=384, help="cells along a side of the block")
    parser.add_argument("--trees", type=int, default=1000)
    options = parser.parse_args()
    world = landscape(options.side, 2.0, 0.0, 20, 1749)
    boosted: dict[str, Any] = {"n_estimators": options.trees // 2, "n_jobs": 1, "verbose": -1}
    with threadpool_limits(1):
        own = core()
        print(f"clock {own.clock / 1e9:.2f} GHz; copies {own.copied / 1e9:.1f} GB/s, read and written")
        print(f"{own.fused / 1e9:.1f} thousand million fused products a second")
        print(f"a number of 4 MB {1e9 * own.far:.1f} ns; a branch not foretold {1e9 * own.branch:.1f} ns")
        print(
            "| | nodes | words parted | leaves | their words | bytes | ranks | vector steps | one tree near |"
        )
        print("and far | all trees | missed a node |: of a tile and tree, then of a cell, in ns")
        for name, model, target, kind in (
            ("forest, classes", RandomForestClassifier(options.trees, random_state=0), True, "class"),
            (
                "forest, values",
                RandomForestRegressor(options.trees, max_features=1 / 3, random_state=0),
                False,
                "value",
            ),
            ("LightGBM, values", lightgbm.LGBMRegressor(**boosted), False, "value"),
        ):
            model.fit(world.rows, world.values > 0 if target else world.values)
            compiled = compile_estimator(model, kind)
            if not isinstance(compiled, CompiledForest):
                raise SystemExit(f"{name} is not compiled")
            print(trees(name, compiled, world, own), flush=True)
        print("| | per cell | takes [ns] | bound [ns] | share |")
        for line in others(world, own):
            print(line, flush=True)


if __name__ == "__main__":
    main()
