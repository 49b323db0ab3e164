"""From covariate files to a predicted map: permagrid against Pyspatialml, and against R's terra with ranger.

Each does the same job on one core: it opens a GeoTIFF of each covariate, of which 40 % of the cells hold
nothing, predicts by a forest, and writes a GeoTIFF. permagrid does what a run does: layers and hashed blocks
are kept, and the map is a Cloud-Optimised GeoTIFF with overviews, which is read back. Processor time, rounds
in turn, medians; terra, which takes longest, has one round. Forests are grown before, and permagrid's is
compiled within its time.

Pyspatialml grows the forest that permagrid has; ranger grows its own from the same rows by the same settings.
The peers' blocks suit them best of those tried (sides of 128, 256, 512; 1, 8 and 32 parts). Pyspatialml needs
NumPy 1, so it has an environment of its own, which `make bench` makes in `.venv/pyspatialml`.
"""

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import rasterio
from compiled_trees import landscape
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from rasterio.windows import Window
from sklearn.base import is_classifier
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from threadpoolctl import threadpool_limits

from permagrid.blockstore import BlockStore
from permagrid.compiled import patch_order
from permagrid.covariates import Covariate, build, open_stack, store_layers
from permagrid.grid import blocks
from permagrid.models.forms import map_predictor
from permagrid.prediction.blocks import Prediction
from permagrid.products.geotiff import pixel_hash, write_cog
from permagrid.products.legend import legend_for
from permagrid.products.scratch import open_scratch

HERE = Path(__file__)
PYSPATIALML = HERE.parents[1] / ".venv" / "pyspatialml" / "bin" / "python"
LEGENDS = {"class": ("permafrost_probability", "1"), "value": ("mean_annual_ground_temperature", "degC")}
PERMAGRID, STAGES = "permagrid", ("layers", "compiling", "prediction", "map")


class Case(NamedTuple):
    """A fitted forest, and how many covariates each of its splits may choose among."""

    name: str
    model: Any
    mtry: int

    @property
    def task(self) -> str:
        """What it predicts: a class or a value."""
        return "class" if is_classifier(self.model) else "value"


class Peer:
    """A process that predicts a map whenever it is told a size, and answers by the seconds it took."""

    def __init__(self, command: list[str], size: int) -> None:
        self._size = size
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def seconds(self) -> float:
        """Let it predict the map, and return the seconds of processor that it took."""
        if self._process.stdin is None or self._process.stdout is None:
            raise SystemExit("a peer cannot be told anything")
        self._process.stdin.write(f"{self._size}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("a peer has ended by itself")
        return float(answer)


def write_covariates(folder: Path, cells: NDArray[np.float32], side: int) -> list[str]:
    """Write covariates, and return their names."""
    profile = {
        "driver": "GTiff",
        "width": side,
        "height": side,
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:6931",
        "transform": from_origin(0.0, 1000.0 * side, 1000.0, 1000.0),
        "nodata": float("nan"),
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "zlevel": 1,
        "predictor": 3,
    }
    names = [f"covariate_{number}" for number in range(cells.shape[1])]
    for name, values in zip(names, cells.T, strict=True):
        with rasterio.open(folder / f"{name}.tif", "w", **profile) as file:
            file.write(values.reshape(side, side), 1)
    return names


def by_permagrid(case: Case, folder: Path, names: list[str]) -> dict[str, float]:
    """Predict a map as a run does, and return the seconds of each stage."""
    title, unit = LEGENDS[case.task]
    marks = [time.process_time()]
    with tempfile.TemporaryDirectory(dir=folder) as kept:
        work = Path(kept)
        covariates = {
            name: Covariate(name, "raster", "1", {"path": str(folder / f"{name}.tif")}) for name in names
        }
        with rasterio.open(folder / f"{names[0]}.tif") as file:
            geobox = GeoBox(file.shape, file.transform, file.crs)
        stores = {(name, None): work / f"{name}.zarr" for name in names}
        store_layers(
            {
                path: build(name, covariates, geobox, epoch=None, root=folder)
                for (name, _), path in stores.items()
            },
            geobox,
        )
        marks.append(time.process_time())
        predict = map_predictor(case.model, task=case.task)
        marks.append(time.process_time())
        stack = open_stack(stores, covariates, geobox)
        outputs = 2 if case.task == "class" else 1
        prediction = Prediction(predict, stack, tuple(names), outputs=outputs, order=patch_order)
        store, windows = BlockStore(work / "blocks", "benchmark"), list(blocks(geobox.shape, 512))
        store.open()
        for window in windows:
            found = prediction.block(window)
            store.write(window, found.values, {"valid": found.valid})
        marks.append(time.process_time())
        hashes = []
        with open_scratch(work / "map.tif", geobox, "float32", float("nan")) as raster:
            for window in windows:
                values = store.read(window).values[-1]
                raster.write(values, 1, window=Window.from_slices(*window))
                hashes.append((window, pixel_hash(values)))
        write_cog(
            folder / f"{PERMAGRID}_{case.task}.tif",
            work / "map.tif",
            legend=legend_for(title, unit=unit),
            epoch="2000-2019",
            description="benchmark",
            valid_range=None,
            tags={},
            hashes=hashes,
        )
        marks.append(time.process_time())
    return dict(zip(STAGES, np.diff(marks).tolist(), strict=True))


def has(command: list[str]) -> bool:
    """Return whether a command is there and ends well."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def peers_of(options: argparse.Namespace) -> dict[str, Callable[[Case, Path], Peer]]:
    """Return the peers that are installed."""
    found: dict[str, Callable[[Case, Path], Peer]] = {}

    def told(case: Case, folder: Path) -> list[str]:
        return [str(folder), case.task, str(case.model.n_estimators), str(case.mtry)]

    if has([str(options.pyspatialml), "-c", "import pyspatialml"]):
        script = [str(options.pyspatialml), str(HERE.with_name("raster_peers_pyspatialml.py"))]
        found["pyspatialml"] = lambda case, folder: Peer([*script, *told(case, folder)], options.block)
    packages = "quit(status = !(requireNamespace('terra') && requireNamespace('ranger')))"
    if has(["Rscript", "--vanilla", "-e", packages]):
        words = ["Rscript", "--vanilla", str(HERE.with_suffix(".R"))]
        found["terra"] = lambda case, folder: Peer([*words, *told(case, folder)], options.parts)
    return found


def read(folder: Path, name: str, task: str) -> NDArray[np.float32]:
    with rasterio.open(folder / f"{name}_{task}.tif") as file:
        return np.asarray(file.read(1))


def agreement(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> str:
    if np.array_equal(ours, theirs, equal_nan=True):
        return "the same bits"
    known = np.isfinite(ours)
    if not np.array_equal(known, np.isfinite(theirs)):
        return "OTHER CELLS"
    return f"correlation {np.corrcoef(ours[known], theirs[known])[0, 1]:.4f}"


def compare(case: Case, folder: Path, names: list[str], options: argparse.Namespace) -> None:
    peers = peers_of(options)
    stages: list[dict[str, float]] = []
    spent: dict[str, list[float]] = {name: [] for name in peers}
    # Not measured: code is compiled once on a machine.
    by_permagrid(case, folder, names)
    for name, peer in peers.items():
        with peer(case, folder) as process:
            for _ in range(1 if name == "terra" else options.rounds):
                stages.append(by_permagrid(case, folder, names))
                spent[name].append(process.seconds())
    middle = {name: float(np.median([one[name] for one in stages])) for name in STAGES} if stages else {}
    ours = float(np.median([sum(one.values()) for one in stages])) if stages else float("nan")
    told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in middle.items())
    made = read(folder, PERMAGRID, case.task)
    cells = int(np.isfinite(made).sum())
    print(f"| {case.name} | {PERMAGRID} | {ours:.2f} ({told}) | {cells / ours:,.0f} | 1 | |")
    for name, label in (("pyspatialml", "Pyspatialml"), ("terra", "terra with ranger")):
        if name not in peers:
            print(f"| | {label} | not installed | | | |")
            continue
        seconds = float(np.median(spent[name]))
        same = agreement(made, read(folder, name, case.task))
        print(
            f"| | {label} | {seconds:.2f} | {cells / seconds:,.0f} | {seconds / ours:.1f} | {same} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=640, help="cells along a side of the map")
    parser.add_argument("--covariates", type=int, default=20)
    parser.add_argument("--trees", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--block", type=int, default=256, help="cells along a side of Pyspatialml's blocks")
    parser.add_argument("--parts", type=int, default=8, help="parts of the map that terra predicts in turn")
    parser.add_argument("--pyspatialml", type=Path, default=PYSPATIALML, help="Python that has Pyspatialml")
    options = parser.parse_args()
    columns = options.covariates
    world = landscape(options.side, 2.0, 0.0, columns, 1749)
    root, third = max(1, int(columns**0.5)), max(1, columns // 3)
    given = {"n_estimators": options.trees, "random_state": 0}
    with threadpool_limits(1), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = write_covariates(folder, world.cells, options.side)
        table = pd.DataFrame(world.rows, columns=names).assign(value=world.values)
        table.to_csv(folder / "rows.csv", index=False)
        classes = RandomForestClassifier(max_features=root, **given).fit(world.rows, world.values > 0)
        values = RandomForestRegressor(max_features=third, **given).fit(world.rows, world.values)
        print(f"{len(world.order):,} cells, {len(world.land):,} with data; forests of {options.trees} trees")
        print("| | | seconds of processor | cells/s | ratio | agreement |")
        print("|---|---|---:|---:|---:|---|")
        compare(Case("classes", classes, root), folder, names, options)
        compare(Case("values", values, third), folder, names, options)


if __name__ == "__main__":
    main()
