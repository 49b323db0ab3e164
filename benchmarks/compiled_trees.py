"""Compiled trees against scikit-learn and LightGBM: cells per second and core, and what they spend them on.

All on one thread, by the processor time of that thread, in one run: rounds in turn, medians of rounds. The
covariates are synthetic, correlated in space, and 40 % of the cells have none. The others are handed complete
rows of 20,000 and 40,000 cells along the curve of neighbours, which suits them best; the better size counts.
Two landscapes: one as smooth as climate, one whose covariates change within a few cells.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import lightgbm
import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from threadpoolctl import threadpool_limits

from permagrid.compiled import CompiledForest, compile_trees, patch_order
from permagrid.compiled.forest import TilesOf
from permagrid.compiled.nodes import FEATURE, RANK, RIGHT, Forest
from permagrid.compiled.tiles import CELLS, Tile
from permagrid.compiled.walk import walk

Float = NDArray[np.float64]
REACHES = (96, 64, 48, 32, 24, 16, 12, 8)
SHARES = (1.5, 1.3, 1.2, 1.0, 0.8, 0.5, 0.35, 0.25)


class Landscape(NamedTuple):
    """A block of cells: covariates row by row, missing where there is no land, and training rows."""

    cells: NDArray[np.float32]
    order: NDArray[np.int64]
    land: NDArray[np.int64]
    """Cells with data, along the curve of neighbours."""
    rows: Float
    values: Float


def landscape(side: int, stretch: float, rough: float, columns: int, training: int) -> Landscape:
    """Return covariates that mix patterns of several reaches, and noise that few cells share."""
    random = np.random.default_rng(0)

    def field(reach: float) -> Float:
        values = gaussian_filter(random.normal(0, 1, (side, side)), reach, mode="wrap")
        return np.asarray(values / values.std()).ravel()

    patterns = np.stack([field(stretch * reach) for reach in REACHES], axis=1)
    shares = random.normal(0, 1, (len(REACHES), columns)) * np.array(SHARES)[:, np.newaxis]
    cells = np.stack([patterns @ shares[:, k] + rough * field(2) for k in range(columns)], axis=1)
    sea = field(40.0)
    cells[sea < np.quantile(sea, 0.4)] = np.nan
    order = patch_order((side, side))
    land = order[np.isfinite(cells[order, 0])]
    rows = cells[random.choice(land, training, replace=False)]
    score = rows @ random.normal(0, 1, columns)
    score = (score - score.mean()) / score.std() + 0.5 * np.sin(2 * rows[:, 0])
    return Landscape(cells.astype(np.float32), order, land, rows, score + random.normal(0, 0.6, training))


def seconds(work: Callable[[], Any]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


@njit(cache=True)  # type: ignore[untyped-decorator]
def _steps(forest: Forest, tile: Tile, cells: int) -> int:
    """Return at how many nodes the cells of a tile stop when each walks alone."""
    count = 0
    for tree in range(len(forest.roots) - 1):
        for cell in range(cells):
            node = forest.roots[tree]
            while forest.nodes[node, FEATURE] >= 0:
                left = tile.ranks[forest.nodes[node, FEATURE], cell] <= forest.nodes[node, RANK]
                node = node + 1 if left else np.int64(forest.nodes[node, RIGHT])
                count += 1
    return count


@njit(cache=True)  # type: ignore[untyped-decorator]
def _walks(forest: Forest, tile: Tile, rounds: int) -> int:
    none, nowhere, leaves = np.zeros(0, dtype=np.uint8), np.zeros(0, dtype=np.uint8), 0
    for _ in range(rounds):
        for tree in range(len(forest.roots) - 1):
            leaves += walk(forest.nodes, forest.roots[tree], tile, none, nowhere)
    return leaves


def account(compiled: CompiledForest, world: Landscape) -> str:
    """Return what a cell costs, of some tiles: alone, and as one of a tile."""
    forest, trees = compiled.forest, len(compiled.columns)
    tiles, found = TilesOf(forest, compiled.single), []
    starts = np.linspace(0, len(world.land) - CELLS, 8).astype(int)
    for start in starts:
        places = world.land[start : start + CELLS]
        ranking = seconds(lambda places=places: tiles.of(world.cells, places))
        tile = tiles.of(world.cells, places)
        _walks(forest, tile, 0)
        leaves = _walks(forest, tile, 1)
        walking = seconds(lambda tile=tile: _walks(forest, tile, 1))
        found.append((_steps(forest, tile, CELLS) / CELLS, leaves, ranking, walking))
    steps, leaves, ranking, walking = np.mean(found[1:], axis=0)
    return (
        f"    alone a cell stops at {steps / trees:.1f} nodes of a tree; as one of {CELLS} it shares "
        f"{leaves / trees:.1f} leaves; ranks {1e9 * ranking / CELLS:,.0f} ns, walks "
        f"{1e9 * walking / CELLS:,.0f} ns a cell ({1e9 * walking / leaves:.0f} ns a leaf); "
        f"{compiled.nbytes / 1e6:.0f} MB"
    )


def compare(name: str, model: Any, world: Landscape, cells: int, rounds: int) -> None:
    start = time.thread_time()
    compiled = compile_trees(model)
    if compiled is None:
        raise SystemExit(f"{name} is not compiled")
    compiling = time.thread_time() - start
    predict = getattr(model, "predict_proba", None) or model.predict
    own = world.cells[world.land[:cells]]
    expected = np.asarray(predict(own[:20_000]))
    found = compiled.predict(world.cells, world.order)
    apart = np.abs(found[world.land[:20_000]] - expected).max()
    times: dict[str, list[float]] = {"ours": [], "20,000": [], "40,000": []}
    for _ in range(rounds):
        spent = seconds(lambda: compiled.predict(world.cells, world.order))
        times["ours"].append(len(world.land) / spent)
        for size in (20_000, 40_000):
            parts = [own[at : at + size] for at in range(0, len(own), size)]
            spent = seconds(lambda parts=parts: [predict(part) for part in parts])
            times[f"{size:,}"].append(len(own) / spent)
    rate = {key: float(np.median(value)) for key, value in times.items()}
    peer = max(rate["20,000"], rate["40,000"])
    print(
        f"  {name:34}{rate['ours']:>12,.0f} cells/s; its own predict {peer:>9,.0f} (in chunks of 20,000: "
        f"{rate['20,000']:,.0f}, of 40,000: {rate['40,000']:,.0f}); {rate['ours'] / peer:5.1f} x; "
        f"apart {apart:.0e}; compiled in {compiling:.1f} s"
    )
    print(account(compiled, world))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=512, help="cells along a side of the block")
    parser.add_argument("--cells", type=int, default=40_000, help="cells that the others predict")
    parser.add_argument("--trees", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1749, help="training rows")
    parser.add_argument("--columns", type=int, default=20, help="covariates")
    options = parser.parse_args()
    trees, boosted = options.trees, {"n_estimators": options.trees // 2, "n_jobs": 1, "verbose": -1}
    for landscape_name, stretch, rough in (("smooth", 2.0, 0.0), ("rough", 1.0, 0.1)):
        world = landscape(options.side, stretch, rough, options.columns, options.rows)
        known = world.values > 0
        print(f"{landscape_name}: {len(world.order):,} cells, {len(world.land):,} with data, {trees} trees")
        with threadpool_limits(1):
            for name, model, target in (
                ("random forest, classes", RandomForestClassifier(trees, random_state=0), known),
                (
                    "random forest, values",
                    RandomForestRegressor(trees, max_features=1 / 3, random_state=0),
                    None,
                ),
                ("extra trees, values", ExtraTreesRegressor(trees, max_features=1 / 3, random_state=0), None),
                ("LightGBM, values", lightgbm.LGBMRegressor(**boosted), None),
                ("LightGBM, classes", lightgbm.LGBMClassifier(**boosted), known),
            ):
                model.fit(world.rows, world.values if target is None else target)
                compare(name, model, world, options.cells, options.rounds)


if __name__ == "__main__":
    main()
