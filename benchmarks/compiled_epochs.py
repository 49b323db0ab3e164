"""Several epochs of the same cells in one walk, against one walk for each epoch: processor time of both.

Fourteen covariates stay as they are, six change with the epoch: by a trend, and in each epoch by an anomaly
that neighbours share. All rows are handed over in one call, epoch after epoch, and taken in hand in three
orders: epoch after epoch (which is what separate calls do), the epochs of a cell beside one another, and the
epochs of each 64 cells beside one another. Ratios of one run, medians over parts of the block and rounds.
"""

import argparse
from typing import Any

import lightgbm
import numpy as np
from compiled_trees import Landscape, landscape, seconds
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from permagrid.compiled import CompiledForest, compile_trees

EPOCHS, STATIC, WORD = 8, 14, 64


def rows_of_epochs(world: Landscape, places: NDArray[np.int64], change: float) -> NDArray[np.float32]:
    """Return the rows of some cells, epoch after epoch; the trend of all epochs is `change` deviations."""
    random, side = np.random.default_rng(1), round(len(world.cells) ** 0.5)
    spread = np.nanstd(world.cells, axis=0)
    found = []
    for epoch in range(EPOCHS):
        rows = world.cells[places].copy()
        for column in range(STATIC, rows.shape[1]):
            noise = gaussian_filter(random.normal(0, 1, (side, side)), 24, mode="wrap").ravel()
            anomaly = 0.2 * noise[places] / noise.std()
            rows[:, column] += spread[column] * change * (epoch / (EPOCHS - 1) + anomaly)
        found.append(rows)
    return np.concatenate(found)


def orders(cells: int) -> dict[str, NDArray[np.int64]]:
    """Return in which order rows are taken in hand."""
    places = np.arange(EPOCHS * cells).reshape(EPOCHS, cells)
    words = places.reshape(EPOCHS, cells // WORD, WORD)
    return {
        "epoch after epoch": places.ravel(),
        "epochs of a cell": places.T.ravel(),
        "epochs of 64 cells": words.transpose(1, 0, 2).ravel(),
    }


def compare(name: str, compiled: CompiledForest, world: Landscape, change: float, rounds: int) -> None:
    cells, ways = 8192, orders(8192)
    ratios: dict[str, list[float]] = {way: [] for way in ways}
    rates = []
    for start in np.linspace(0, len(world.land) - cells, 4).astype(int):
        rows = rows_of_epochs(world, world.land[start : start + cells], change)
        made = [compiled.predict(rows, order) for order in ways.values()]
        if any(not np.array_equal(each, made[0]) for each in made):
            raise SystemExit(f"{name}: an order changed predictions")
        for _ in range(rounds):
            spent = {
                way: seconds(lambda rows=rows, order=order: compiled.predict(rows, order))
                for way, order in ways.items()
            }
            first = spent["epoch after epoch"]
            rates.append(len(rows) / first)
            for way, own in spent.items():
                ratios[way].append(first / own)
    said = ", ".join(f"{way} {np.median(ratios[way]):.2f} x" for way in list(ways)[1:])
    rate = f"{np.median(rates):>10,.0f} cells and epochs/s"
    print(f"  {name:24} change {change:.2f}: {rate}; {said}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=384, help="cells along a side of the block")
    parser.add_argument("--trees", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    world = landscape(options.side, 2.0, 0.0, 20, 1749)
    boosted: dict[str, Any] = {"n_estimators": options.trees // 2, "n_jobs": 1, "verbose": -1}
    for name, model, target in (
        ("random forest, classes", RandomForestClassifier(options.trees, random_state=0), world.values > 0),
        (
            "random forest, values",
            RandomForestRegressor(options.trees, max_features=1 / 3, random_state=0),
            world.values,
        ),
        ("LightGBM, values", lightgbm.LGBMRegressor(**boosted), world.values),
    ):
        compiled = compile_trees(model.fit(world.rows, target))
        if compiled is None:
            raise SystemExit(f"{name} is not compiled")
        for change in (0.15, 1.0):
            compare(name, compiled, world, change, options.rounds)


if __name__ == "__main__":
    main()
