"""A whole study of a hemisphere at 1 km by one command: four learners, and COP-BMA with its 95 % interval.

Twenty covariates of ``--side`` x ``--side`` cells, 60 % of which hold values, are written as GeoTIFFs, and
1,178 boreholes are drawn from them; ``permagrid run`` does the rest in a process of its own. The time of each
step, peak memory and bytes on disk are what it says itself. With ``--members`` totals and their range too.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.transform import from_origin
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter, map_coordinates

COVARIATES, BOREHOLES, CELL = 20, 1178, 1000.0
STRIP = 500
COARSE = 400
"""Cells a side of the patterns that covariates are mixed from."""
CODE = "import sys; from permagrid.cli import main; main(sys.argv[1:], prog_name='permagrid')"


class Patterns:
    """Smooth patterns over the map, and how covariates, land and ice follow from them."""

    def __init__(self, side: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        reaches = (0.1, 0.05, 0.03, 0.02, 0.01, 0.006)
        coarse = [gaussian_filter(random.normal(size=(COARSE, COARSE)), COARSE * reach) for reach in reaches]
        self.coarse = [(one - one.mean()) / one.std() for one in coarse]
        self.mixed = random.normal(0, 0.5, (len(reaches), COVARIATES))
        self.texture = gaussian_filter(random.normal(size=(1024, 1024)), 1.5, mode="wrap")
        self.texture /= self.texture.std()
        self.side, self.sea = side, float(np.quantile(self.coarse[0], 0.4))

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the patterns at cells, shape ``(patterns, ...)``."""
        places = [index * ((COARSE - 1) / (self.side - 1)) for index in (rows, columns)]
        return np.stack([map_coordinates(one, places, order=1, output="float32") for one in self.coarse])

    def covariate(
        self, number: int, patterns: np.ndarray, rows: np.ndarray, columns: np.ndarray
    ) -> np.ndarray:
        """Return a covariate at cells; NaN at sea."""
        moved = self.texture[(rows + 37 * number) % 1024, (columns + 91 * number) % 1024]
        values = np.tensordot(self.mixed[:, number], patterns, axes=1) + 0.1 * moved
        return np.where(patterns[0] < self.sea, np.nan, values).astype("float32")

    def ice(self, patterns: np.ndarray) -> np.ndarray:
        """Return the ice content at cells [%]."""
        score = patterns[1] + np.sin(2.0 * patterns[2]) + 0.5 * patterns[3] * patterns[4]
        return np.asarray(100.0 / (1.0 + np.exp(0.3 - 0.8 * score)))


def write_covariates(folder: Path, patterns: Patterns, crs: str) -> int:
    """Write the covariates and return the bytes that they take."""
    side, half = patterns.side, patterns.side * CELL / 2
    profile = {
        "driver": "GTiff",
        "width": side,
        "height": side,
        "count": 1,
        "dtype": "float32",
        "crs": crs,
        "transform": from_origin(-half, half, CELL, CELL),
        "nodata": float("nan"),
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "zstd",
        "zstd_level": 1,
        "predictor": 3,
        "BIGTIFF": "YES",
    }
    files = [rasterio.open(folder / f"covariate_{n}.tif", "w", **profile) for n in range(COVARIATES)]
    for top in range(0, side, 512):
        rows, columns = np.mgrid[top : min(top + 512, side), 0:side]
        seen = patterns.at(rows, columns)
        for number, file in enumerate(files):
            values = patterns.covariate(number, seen, rows, columns)
            file.write(values, 1, window=Window(0, top, side, len(rows)))
    for file in files:
        file.close()
    return sum(path.stat().st_size for path in folder.glob("covariate_*.tif"))


def write_boreholes(path: Path, patterns: Patterns, crs: str, seed: int) -> None:
    """Write boreholes that crowd in seven fields, on land."""
    random, side = np.random.default_rng(seed + 1), patterns.side
    rows: list[int] = []
    columns: list[int] = []
    while len(rows) < BOREHOLES:
        field = random.uniform(0.1, 0.9, 2) * side
        near = np.rint(field + random.normal(0, 0.03 * side, (BOREHOLES // 7 + 1, 2))).astype(int)
        near = near[((near >= 0) & (near < side)).all(axis=1)]
        land = patterns.at(near[:, 0], near[:, 1])[0] >= patterns.sea
        rows += near[land, 0].tolist()
        columns += near[land, 1].tolist()
    row, column = np.array(rows[:BOREHOLES]), np.array(columns[:BOREHOLES])
    ice = np.clip(patterns.ice(patterns.at(row, column)) + random.normal(0, 6.0, BOREHOLES), 0.0, 100.0)
    half = side * CELL / 2
    x, y = (column + 0.5) * CELL - half, half - (row + 0.5) * CELL
    longitude, latitude = Transformer.from_crs(crs, 4326, always_xy=True).transform(x, y)
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["site_id", "latitude", "longitude", "variable", "value", "year"])
        for n in range(BOREHOLES):
            place = [f"bench:{n}", f"{latitude[n]:.5f}", f"{longitude[n]:.5f}"]
            table.writerow([*place, "volumetric_ice_content", f"{ice[n]:.1f}", 2010])


def study_of(side: int, crs: str, trees: int, members: int) -> dict[str, Any]:
    """Return the study."""
    half = side * CELL / 2
    return {
        "study": "hemisphere",
        "metadata": {
            "title": "Ice of a made hemisphere",
            "abstract": "Made to measure time and memory.",
            "resolution_note": "Made at 1 km.",
            "licence": "CC0-1.0",
        },
        "seed": 1,
        "target": {
            "variable": "volumetric_ice_content",
            "unit": "%",
            "valid_range": [0, 100],
            "support": "one borehole",
        },
        "epochs": ["2000-2019"],
        "grid": {"crs": crs, "resolution": CELL, "bounds": [-half, -half, half, half]},
        "sites": {"sources": [{"reader": "table", "path": "boreholes.csv"}]},
        "covariates": [
            {"name": f"covariate_{n}", "path": f"covariate_{n}.tif", "unit": "1"} for n in range(COVARIATES)
        ],
        "learners": [
            {"name": "support_vectors"},
            {"name": "additive_model"},
            {"name": "random_forest", "n_estimators": trees},
            {"name": "lightgbm", "n_estimators": trees // 2},
        ],
        "validation": {"folds": [{"method": "site", "n_folds": 3}], "bootstrap": 100},
        "ensemble": {
            "learners": ["support_vectors", "additive_model", "random_forest", "lightgbm"],
            "inner": {"method": "site", "n_folds": 3},
            "members": members,
        },
        **({"inventory": {"storage": {"thickness": 5, "ice": "total"}}} if members else {}),
        "products": {"learner": "copula_bma", "applicability": False},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=10_000, help="cells along a side")
    parser.add_argument("--trees", type=int, default=1000, help="of the forest; half as many of LightGBM")
    parser.add_argument("--members", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to work [a temporary folder]")
    options = parser.parse_args()
    crs = "EPSG:6931"
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        start = time.perf_counter()
        patterns = Patterns(options.side, options.seed)
        size = write_covariates(folder, patterns, crs)
        write_boreholes(folder / "boreholes.csv", patterns, crs, options.seed)
        (folder / "study.json").write_text(
            json.dumps(study_of(options.side, crs, options.trees, options.members))
        )
        print(
            f"{COVARIATES} covariates of {options.side**2:,} cells, {size / 1e9:.2f} GB on disk, made in "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )
        words = ["run", "--quiet", folder / "study.json", "--data", folder, "--out", folder / "out"]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", CODE, *map(str, words), "--workers", str(options.workers)], check=True
        )
        wall = time.perf_counter() - start
        summary = json.loads((folder / "out" / "summary.json").read_text())
        maps = summary["products"]
        written = sum((folder / "out" / product["path"]).stat().st_size for product in maps)
        stack = sum(path.stat().st_size for path in (folder / "out" / "work").rglob("*") if path.is_file())
    cells = max(product["cells"] for product in maps)
    print(
        f"{cells:,} valid cells, {len(maps)} maps of {written / 1e9:.2f} GB, kept steps {stack / 1e9:.2f} GB"
    )
    for step, seconds in sorted(summary["timing_s"].items(), key=lambda item: -item[1]):
        print(f"  {step:28}{seconds:9.1f} s{1e6 * seconds / cells:9.2f} us a cell")
    peak = summary["peak_memory_mb"] / 1024
    print(f"  {'in all':28}{wall:9.1f} s with {options.workers} workers; peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
