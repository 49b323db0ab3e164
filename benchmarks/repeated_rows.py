"""Coarse covariates on a fine grid: blocks whose cells repeat each other, and blocks in which none do.

Blocks of a map as a run predicts them, by processor time of one thread: with repeated cells computed once,
and with every cell computed; medians of rounds, both ways in turn. Of blocks in which nothing repeats the
cost of looking is told as well. Blocks are those with the most data.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import xarray as xr
from compiled_trees import Landscape, landscape
from threadpoolctl import threadpool_limits

from permagrid.compiled import patch_order
from permagrid.learners import build_learner
from permagrid.models import map_predictor
from permagrid.prediction import blocks
from permagrid.prediction.blocks import Prediction
from permagrid.prediction.repeats import repeats

NAMES = tuple(f"c{number}" for number in range(20))
LEARNERS: dict[str, dict[str, Any]] = {
    "additive_model": {},
    "lightgbm": {"n_estimators": 500},
    "support_vectors": {},
    "random_forest": {"n_estimators": 500},
    "ridge": {},
    "multilayer_perceptron": {},
    "gaussian_process": {},
    "nearest_neighbours": {},
    "quantile_forest": {"n_estimators": 500},
}
WINDOW = slice(0, None), slice(0, None)


def stack(world: Landscape, options: argparse.Namespace, cells: int) -> xr.Dataset:
    """Return a block of covariates of which squares of so many cells along a side are the same."""
    layers = world.cells.reshape(options.side, options.side, -1)
    many = -(-options.block // cells)
    corners = [(y, x) for y in range(0, options.side - many, 8) for x in range(0, options.side - many, 8)]
    land = [np.isfinite(layers[y : y + many, x : x + many, 0]).sum() for y, x in corners]
    y, x = corners[int(np.argmax(land))]
    coarse = layers[y : y + many, x : x + many]
    fine = np.repeat(np.repeat(coarse, cells, axis=0), cells, axis=1)[: options.block, : options.block]
    return xr.Dataset({name: (("y", "x"), fine[..., place]) for place, name in enumerate(NAMES)})


def spent(work: Callable[[], Any]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def compare(name: str, world: Landscape, options: argparse.Namespace) -> str:
    learner = build_learner(name, "value", 0, LEARNERS[name], covariates=NAMES)
    predict = map_predictor(learner.fit(world.rows, world.values), task="value")
    told = []
    for cells in (options.cells, 1):
        layers = stack(world, options, cells)
        made = Prediction(predict, layers, NAMES, order=patch_order)
        land = made.block(WINDOW).valid
        rates: dict[str, list[float]] = {"once": [], "every": [], "look": []}
        rows = blocks.read_cells(layers, NAMES, WINDOW)
        rows = rows.along(patch_order(rows.shape))
        for _ in range(options.rounds):
            rates["once"].append(spent(lambda made=made: made.block(WINDOW)))
            rates["look"].append(spent(lambda rows=rows: repeats(rows.rows)))
            with patch.object(blocks, "of_distinct", lambda predict, rows: predict(rows)):
                rates["every"].append(spent(lambda made=made: made.block(WINDOW)))
        once, every, look = (float(np.median(each)) for each in rates.values())
        if cells > 1:
            told += [f"{1e9 * every / land:,.0f}", f"{1e9 * once / land:,.0f}", f"{every / once:.1f}"]
        else:
            told += [f"{1e9 * every / land:,.0f}", f"{1e9 * look / land:,.2f}", f"{100 * look / every:.2f} %"]
    return f"| {name} | {' | '.join(told)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=512, help="cells along a side of the landscape")
    parser.add_argument("--block", type=int, default=256, help="cells along a side of the block")
    parser.add_argument("--cells", type=int, default=10, help="cells along a side that are the same")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of the names of what is compared")
    options = parser.parse_args()
    world = landscape(options.side, 2.0, 0.0, 20, 1749)
    print("ns a cell with data")
    print(
        f"| | {options.cells} x {options.cells} the same, every cell | once | ratio | nothing the same | "
        "the look | of it |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    with threadpool_limits(1):
        for name in LEARNERS:
            if options.only in name:
                print(compare(name, world, options), flush=True)


if __name__ == "__main__":
    main()
