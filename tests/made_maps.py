"""Maps of a made-up stack by a maker that learns nothing, for tests of blocks and of those who make them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from permagrid.errors import PermagridError
from permagrid.executors import Executor, Threads
from permagrid.files import sha256_of
from permagrid.grid import BlockSize, Window, blocks, make_geobox
from permagrid.inventory.exact import ExactSums
from permagrid.prediction.blocks import Block, Prediction
from permagrid.products.legend import legend_for
from permagrid.progress import Advance, Steps
from permagrid.rundir import RunDir
from permagrid.steps.layers import Atlas, Maker, Map, Sheet
from permagrid.steps.workshop import Workshop
from permagrid.study import parse_study
from small_study import small_study

ROWS, COLUMNS = 96, 128
NAMES = ("cold", "wet")
VARIABLES = ("mean_annual_ground_temperature", "expected_error")
EPOCHS = ("2000-2004", "2010-2014")


def geobox() -> GeoBox:
    return make_geobox("EPSG:3995", 10_000, bounds=(0, 0, COLUMNS * 10_000, ROWS * 10_000))


def stack() -> xr.Dataset:
    """Return two covariates with gaps."""
    random, grid = np.random.default_rng(0), geobox()
    layers = {}
    for name in NAMES:
        values = random.normal(0, 1, (ROWS, COLUMNS)).astype("float32")
        values[random.random((ROWS, COLUMNS)) < 0.05] = np.nan
        layers[name] = (grid.dimensions, da.from_array(values, chunks=(40, 50)))
    return xr.Dataset(layers).assign_coords(xr_coords(grid))


def predict(rows: np.ndarray) -> np.ndarray:
    return np.column_stack([rows[:, 0] * 0.1 - rows[:, 1], rows[:, 0] ** 2])


@dataclass
class Counting:
    """Work that counts the cells of a block, notes in a folder that it was asked for, and may fail."""

    inner: Prediction
    log: Path | None = None
    fail_at: tuple[int, ...] = ()

    def block(self, window: Window) -> Block:
        if self.log is not None:
            with (self.log / f"{window[0].start}-{window[1].start}").open("a") as file:
                file.write("made\n")
        if window[0].start in self.fail_at:
            raise PermagridError("the learner cannot")
        made = self.inner.block(window)
        held = made.values[0][np.isfinite(made.values[0])][:, np.newaxis]
        sums = ExactSums(1, 1)
        sums.add(held.astype(float))
        return made._replace(part={"sums": sums.plain()})


@dataclass
class Total:
    """Adds up what blocks count."""

    name: str
    ingredients: object
    sums: ExactSums = field(default_factory=lambda: ExactSums(1, 1))

    def add(self, part: Mapping[str, Any]) -> None:
        self.sums.merge(ExactSums.of(part["sums"]))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.sums.plain()))


@dataclass
class MadeMaker(Maker):
    """Makes two maps of each of two epochs, and a total beside them."""

    log: Path | None = None
    fail_at: tuple[int, ...] = ()
    seed: int = 0

    @property
    def epochs(self) -> tuple[str, ...]:
        return EPOCHS

    @property
    def sheets(self) -> list[Sheet]:
        legends = [legend_for(name, unit="degC", valid_range=(-10.0, 10.0)) for name in VARIABLES]
        return [
            Sheet(legend.variable, "degC", legend, (-100.0, 100.0), legend.title, partial(layer, number))
            for number, legend in enumerate(legends)
        ]

    def recipe(self, sheet: Sheet, epoch: str) -> dict[str, object]:
        return {"variable": sheet.variable, "epoch": epoch, "seed": self.seed}

    def work(self, epoch: str) -> Counting:
        return Counting(Prediction(predict, stack(), NAMES, 2), self.log, self.fail_at)

    def count(self, epoch: str) -> Total:
        return Total(f"work/total_{epoch}.json", [epoch, self.seed])


def layer(number: int, values: np.ndarray) -> np.ndarray:
    return values[number]


def make_maps(
    out: Path,
    maker: Maker,
    *,
    block: BlockSize = 32,
    executor: Executor | None = None,
    steps: Steps | None = None,
) -> list[Map]:
    """Make all maps of a maker in a folder, as a run does."""
    study = parse_study(small_study(lean=True))
    with RunDir(out) as folder:
        folder.claim("small")
        windows = list(blocks((ROWS, COLUMNS), block))
        workshop = Workshop(folder, windows, executor or Threads(2), steps)
        return Atlas(study, geobox(), folder, workshop).make([maker], Advance())


def products_of(out: Path) -> dict[str, str]:
    """Return name -> hash of maps and totals."""
    paths = [*(out / "maps").glob("*"), *(out / "work").glob("total_*")]
    return {path.name: sha256_of(path) for path in paths}


def made_blocks(log: Path) -> dict[str, int]:
    """Return block -> how often it was made."""
    return {path.name: len(path.read_text().splitlines()) for path in sorted(log.iterdir())}


def run_to_be_killed(out: Path, begun: Any) -> None:
    begun.set()
    make_maps(out, MadeMaker(), executor=Threads(1), block=16)
