"""Flow accumulation and all eleven terrain indices against SAGA on one core, and what memory they take.

From file to file: an uncompressed GeoTIFF of float32 in, and one for each index out. The kernels are
compiled, and run once on a few cells, before anything is timed; the start of saga_cmd (0.1 s) is in its time,
that of Python is not in ours. Ratios are of CPU time, as other work on the machine shows less in it; wall
time stands beside it.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox

from permagrid.covariates.terrain.compound import compound_analysis
from permagrid.grid import make_geobox

CELL = 30.0
INDICES = ["-SLOPE", "-HCURV", "-VCURV", "-CONVERGENCE", "-SINKS", "-FLOW", "-WETNESS", "-LSFACTOR"]
INDICES += ["-CHNL_DIST", "-VALL_DEPTH", "-RSP"]
WORK = {"flow accumulation": ["total_catchment_area"], "all eleven indices": None}
ONE_CORE = {**os.environ, **dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "GDAL_NUM_THREADS"), "1")}


class Run(NamedTuple):
    """What a process took."""

    cpu: float
    """Seconds."""
    wall: float
    """Seconds."""
    peak: float
    """Largest memory [MB]."""


def grid_of(side: int) -> GeoBox:
    return make_geobox("EPSG:32632", CELL, bounds=(0, 0, side * CELL, side * CELL))


def write(path: Path, values: np.ndarray, grid: GeoBox) -> None:
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": -9999.0, "crs": str(grid.crs)}
    shape = {"height": grid.shape[0], "width": grid.shape[1], "transform": grid.affine}
    with rasterio.open(path, "w", **profile, **shape) as raster:
        raster.write(values.astype("float32", copy=False), 1)


def write_dem(path: Path, side: int, roughness: float) -> None:
    """Write a fractal surface, side x side cells: the higher its exponent, the smoother it is."""
    wave = np.hypot(np.fft.fftfreq(side)[:, np.newaxis], np.fft.rfftfreq(side))
    wave[0, 0] = np.inf
    noise = np.fft.rfft2(np.random.default_rng(1).standard_normal((side, side)))
    heights = np.fft.irfft2(noise * wave ** -(roughness + 1.0), s=(side, side))
    write(path, 1500.0 + 500.0 * heights / heights.std(), grid_of(side))


def ours(folder: Path, only: list[str] | None) -> None:
    """Analyse a DEM in this process, and print what that took."""
    compound_analysis(np.random.default_rng(0).random((40, 50)), make_geobox(
        "EPSG:32632", CELL, bounds=(0, 0, 1500, 1200)), channel_order=1, ridge_order=1, distances="plane",
    )  # fmt: skip
    floor = peak()
    cpu, wall = time.process_time(), time.perf_counter()
    with rasterio.open(folder / "dem.tif") as raster:
        heights, grid = raster.read(1), GeoBox(raster.shape, raster.transform, raster.crs.to_string())
        heights[heights == raster.nodata] = np.nan
    found = compound_analysis(heights, grid, only=only, distances="plane")
    for name in found.data_vars:
        write(folder / f"ours_{name}.tif", found[name].values, grid)
    took = Run(time.process_time() - cpu, time.perf_counter() - wall, peak())
    print(json.dumps({**took._asdict(), "floor": floor}))


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def in_child(folder: Path, only: list[str] | None) -> tuple[Run, float]:
    command = [sys.executable, __file__, "--child", str(folder), *(only or [])]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=ONE_CORE).stdout
    found = json.loads(text)
    floor = found.pop("floor")
    return Run(**found), floor


def saga(folder: Path, *commands: list[str]) -> Run:
    total = Run(0.0, 0.0, 0.0)
    for command in commands:
        started = time.perf_counter()
        process = subprocess.Popen(
            ["saga_cmd", "--cores=1", *command], cwd=folder, stdout=subprocess.DEVNULL, env=ONE_CORE
        )
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            sys.exit(f"saga_cmd {' '.join(command)} failed")
        wall = time.perf_counter() - started
        total = Run(
            total.cpu + usage.ru_utime + usage.ru_stime,
            total.wall + wall,
            max(total.peak, usage.ru_maxrss / 1024.0),
        )
    return total


def saga_on(folder: Path, work: str) -> Run:
    if work == "flow accumulation":
        return saga(
            folder,
            ["ta_preprocessor", "2", "-DEM", "dem.tif", "-DEM_PREPROC", "filled"],
            ["ta_hydrology", "0", "-ELEVATION", "filled.sgrd", "-FLOW", "flow", "-METHOD", "4"],
        )
    outputs = [part for option in INDICES for part in (option, f"saga{option}")]
    return saga(folder, ["ta_compound", "0", "-ELEVATION", "dem.tif", *outputs])


def report(folder: Path, with_saga: bool) -> None:
    with rasterio.open(folder / "dem.tif") as raster:
        rows, columns = raster.shape
        print(f"  {rows} x {columns} cells of {raster.transform.a:g} m")
    print(f"  {'':<26}{'CPU s':>9}{'wall s':>9}{'peak MB':>10}{'us/cell':>9}{'ratio':>8}", flush=True)
    for work, only in WORK.items():
        own, floor = in_child(folder, only)
        lines = [(f"{work}: ours", own, "")]
        if with_saga:
            peer = saga_on(folder, work)
            lines.append((f"{' ' * len(work)}  SAGA", peer, f"{peer.cpu / own.cpu:.1f}"))
        for label, run, ratio in lines:
            each = 1e6 * run.cpu / (rows * columns)
            figures = f"{run.cpu:>9.2f}{run.wall:>9.2f}{run.peak:>10.0f}{each:>9.2f}{ratio:>8}"
            print(f"  {label:<26}{figures}", flush=True)
        print(f"  {'':<26}of our peak, {floor:.0f} MB are there before it begins", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2000, help="cells along a side, against SAGA")
    parser.add_argument("--large", type=int, default=6000, help="cells along a side, by itself; 0 for none")
    parser.add_argument("--roughness", type=float, nargs="+", default=[0.75, 0.5], help="fractal exponents")
    parser.add_argument(
        "--saga-large", action="store_true", help="run SAGA on the large one too (over 30 min)"
    )
    parser.add_argument("--dem", type=Path, nargs="+", default=[], help="DEMs of your own, with square cells")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        ours(Path(options.child[0]), options.child[1:] or None)
        return
    peer = shutil.which("saga_cmd") is not None
    if not peer:
        print("saga_cmd is not installed (apt-get install saga): ours alone")
    sides = [(options.side, roughness, peer) for roughness in options.roughness]
    if options.large:
        sides.append((options.large, options.roughness[0], peer and options.saga_large))
    for side, roughness, with_saga in sides:
        with tempfile.TemporaryDirectory() as place:
            print(f"\nfractal of exponent {roughness:g}")
            write_dem(Path(place) / "dem.tif", side, roughness)
            report(Path(place), with_saga)
    for path in options.dem:
        with tempfile.TemporaryDirectory() as place:
            print(f"\n{path.name}")
            shutil.copy(path, Path(place) / "dem.tif")
            report(Path(place), peer)


if __name__ == "__main__":
    main()
