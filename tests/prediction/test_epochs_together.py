"""Blocks of several epochs predicted together are those of each epoch by itself."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from every_learner import FEW
from permagrid.compiled import compile_estimator, patch_order
from permagrid.learners import build_learner
from permagrid.prediction.blocks import Prediction, blocks_of_epochs

NAMES = ("cold", "wet", "high")
WINDOW = np.s_[30:121, 5:88]


def stacks(epochs):
    """Return a stack of each epoch: one covariate stays as it is, each epoch has gaps of its own."""
    random = np.random.default_rng(0)
    high = random.normal(0, 1, (150, 100)).astype("float32")
    found = []
    for epoch in range(epochs):
        layers = {"high": high}
        for name in ("cold", "wet"):
            layers[name] = (random.normal(0, 1, high.shape) + 0.1 * epoch).astype("float32")
            layers[name][random.random(high.shape) < 0.1 * epoch] = np.nan
        if epoch == 2:
            layers["wet"][WINDOW] = np.nan
        found.append(
            xr.Dataset({name: (("y", "x"), da.from_array(layers[name], chunks=64)) for name in NAMES})
        )
    return found


@pytest.mark.parametrize("order", [patch_order, None])
@pytest.mark.parametrize(("name", "task"), [("random_forest", "value"), ("random_forest", "class")])
def test_epochs_together_are_the_epochs_one_by_one(name, task, order):
    random = np.random.default_rng(1)
    rows = random.normal(0, 1, (200, 3))
    target = rows @ [2.0, 1.0, 0.5] + random.normal(0, 0.2, 200)
    if task == "class":
        target = np.digitize(target, [-1.0, 1.0]).astype(float)
    compiled = compile_estimator(build_learner(name, task, 0, FEW[name]).fit(rows, target), task)
    outputs = 3 if task == "class" else 1
    works = [
        Prediction(compiled.predict, stack, NAMES, outputs, (-1.0, 1.0), order=order) for stack in stacks(4)
    ]
    together = blocks_of_epochs(works, WINDOW)
    assert [part.valid for part in together] == [work.block(WINDOW).valid for work in works]
    assert together[0].valid == 91 * 83 > together[1].valid > together[2].valid == 0
    for part, work in zip(together, works, strict=True):
        alone = work.block(WINDOW)
        assert part.values.tobytes() == alone.values.tobytes()
        assert (part.window, part.clipped, part.unseen) == (alone.window, alone.clipped, alone.unseen)
