"""Flow accumulation and all eleven terrain indices against SAGA on one core, and what memory they take.

From file to file: an uncompressed GeoTIFF of float32 in, and one for each index out. The kernels are
compiled, and run once on a few cells, before anything is timed; the start of saga_cmd (0.1 s) is in its time,
that of Python is not in ours. Ratios are of CPU time, as other work on the machine shows less in it; wall
time stands beside it. Each runs in a process of its own; this one imports nothing large, as a process counts
the memory of the one that started it. SAGA needs hours for large rough DEMs; when its limit is reached it is
stopped, and the ratio is what it was by then at least.
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
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

CELL = 30.0
INDICES = ["-SLOPE", "-HCURV", "-VCURV", "-CONVERGENCE", "-SINKS", "-FLOW", "-WETNESS", "-LSFACTOR"]
INDICES += ["-CHNL_DIST", "-VALL_DEPTH", "-RSP"]
WORK = {"flow accumulation": ["total_catchment_area"], "all eleven indices": []}
THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GDAL_NUM_THREADS")
ONE_CORE = {**os.environ, **dict.fromkeys(THREADS, "1")}


class Run(NamedTuple):
    """What a process took."""

    cpu: float
    """Seconds."""
    wall: float
    """Seconds."""
    peak: float
    """Largest memory [MB]."""
    stopped: bool = False
    """Whether it was stopped before its end."""


def write(path: Path, values: Any, transform: Any, crs: str) -> None:
    import numpy as np  # noqa: PLC0415
    import rasterio  # noqa: PLC0415

    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": -9999.0, "crs": crs}
    shape = {"height": values.shape[0], "width": values.shape[1], "transform": transform}
    with rasterio.open(path, "w", **profile, **shape) as raster:
        raster.write(np.asarray(values, dtype="float32"), 1)


def write_dem(path: Path, side: int, roughness: float) -> None:
    """Write a fractal surface, side x side cells: the higher its exponent, the smoother it is."""
    import numpy as np  # noqa: PLC0415
    from affine import Affine  # noqa: PLC0415

    wave = np.hypot(np.fft.fftfreq(side)[:, np.newaxis], np.fft.rfftfreq(side))
    wave[0, 0] = np.inf
    noise = np.fft.rfft2(np.random.default_rng(1).standard_normal((side, side)))
    heights = np.fft.irfft2(noise * wave ** -(roughness + 1.0), s=(side, side))
    transform = Affine(CELL, 0.0, 4e5, 0.0, -CELL, 5e6)
    write(path, 1500.0 + 500.0 * heights / heights.std(), transform, "EPSG:32632")


def ours(folder: Path, only: list[str]) -> None:
    """Analyse a DEM in this process, and print what that took."""
    import numpy as np  # noqa: PLC0415
    import rasterio  # noqa: PLC0415
    from odc.geo.geobox import GeoBox  # noqa: PLC0415

    from permagrid.covariates.terrain.compound import compound_analysis  # noqa: PLC0415

    with rasterio.open(folder / "dem.tif") as raster:
        grid = GeoBox(raster.shape, raster.transform, raster.crs.to_string())
    few = np.random.default_rng(0).random((40, 50))
    compound_analysis(few, grid[:40, :50], channel_order=1, ridge_order=1, distances="plane")
    floor = peak()
    cpu, wall = time.process_time(), time.perf_counter()
    with rasterio.open(folder / "dem.tif") as raster:
        heights = raster.read(1)
        heights[heights == raster.nodata] = np.nan
    found = compound_analysis(heights, grid, only=only or None, distances="plane")
    for name in found.data_vars:
        write(folder / f"ours_{name}.tif", found[name].values, grid.affine, str(grid.crs))
    took = Run(time.process_time() - cpu, time.perf_counter() - wall, peak())
    print(json.dumps([took._asdict(), floor, list(heights.shape)]))


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def child(*arguments: object) -> str:
    command = [sys.executable, __file__, *(str(each) for each in arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=ONE_CORE).stdout


def saga(folder: Path, limit: int, *commands: list[str]) -> Run:
    """Run SAGA; a command that needs more processor time than the limit [s] is stopped."""
    cpu = wall = most = 0.0
    for command in commands:
        started = time.perf_counter()
        process = subprocess.Popen(
            ["sh", "-c", 'ulimit -t "$0"; exec saga_cmd --cores=1 "$@"', str(limit), *command],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            env=ONE_CORE,
        )
        _, status, usage = os.wait4(process.pid, 0)
        cpu += usage.ru_utime + usage.ru_stime
        wall += time.perf_counter() - started
        most = max(most, usage.ru_maxrss / 1024.0)
        if status != 0:
            if cpu < 0.9 * limit:
                sys.exit(f"saga_cmd {' '.join(command)} failed")
            return Run(cpu, wall, most, stopped=True)
    return Run(cpu, wall, most)


def saga_on(folder: Path, work: str, limit: int) -> Run:
    if work == "flow accumulation":
        return saga(
            folder,
            limit,
            ["ta_preprocessor", "2", "-DEM", "dem.tif", "-DEM_PREPROC", "filled"],
            ["ta_hydrology", "0", "-ELEVATION", "filled.sgrd", "-FLOW", "flow", "-METHOD", "4"],
        )
    outputs = [part for option in INDICES for part in (option, f"saga{option}")]
    return saga(folder, limit, ["ta_compound", "0", "-ELEVATION", "dem.tif", *outputs])


def report(label: str, folder: Path, limit: int, works: Sequence[str] = tuple(WORK)) -> None:
    """Print what each work takes; SAGA is left out where its limit is 0."""
    print(f"\n{label}")
    print(f"  {'':<26}{'CPU s':>9}{'wall s':>9}{'peak MB':>10}{'us/cell':>9}{'ratio':>8}", flush=True)
    for work in works:
        only = WORK[work]
        own, floor, shape = json.loads(child("--child", folder, *only))
        lines = [(f"{work}: ours", Run(**own), "")]
        if limit:
            peer = saga_on(folder, work, limit)
            more = ">" if peer.stopped else ""
            lines.append((f"{' ' * len(work)}  SAGA", peer, f"{more}{peer.cpu / own['cpu']:.1f}"))
            if peer.stopped:
                print(f"  SAGA had not ended after {limit} s, and was stopped")
        for name, run, ratio in lines:
            each = 1e6 * run.cpu / (shape[0] * shape[1])
            figures = f"{run.cpu:>9.2f}{run.wall:>9.2f}{run.peak:>10.0f}{each:>9.2f}{ratio:>8}"
            print(f"  {name:<26}{figures}", flush=True)
        print(f"  {'':<26}of our peak, {floor:.0f} MB are imports and compiled kernels", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2000, help="cells along a side, against SAGA")
    parser.add_argument("--large", type=int, default=6000, help="cells along a side, by itself; 0 for none")
    parser.add_argument("--roughness", type=float, nargs="+", default=[0.75, 0.5], help="fractal exponents")
    parser.add_argument("--dem", type=Path, nargs="+", default=[], help="DEMs of your own, with square cells")
    parser.add_argument("--saga-large", action="store_true", help="run SAGA's whole set on the large one too")
    parser.add_argument("--saga-limit", type=int, default=900, help="CPU seconds after which it is stopped")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        ours(Path(options.child[0]), options.child[1:])
        return
    if options.make:
        write_dem(Path(options.make[0]), int(options.make[1]), float(options.make[2]))
        return
    limit = options.saga_limit if shutil.which("saga_cmd") else 0
    if not limit:
        print("saga_cmd is not installed (apt-get install saga): ours alone")
    sides = [(options.side, roughness, limit, tuple(WORK)) for roughness in options.roughness]
    if options.large:
        works = ("all eleven indices",) if options.saga_large else tuple(WORK)
        sides.append((options.large, options.roughness[0], limit if options.saga_large else 0, works))
    for side, roughness, most, works in sides:
        with tempfile.TemporaryDirectory() as place:
            child("--make", Path(place) / "dem.tif", side, roughness)
            label = f"{side} x {side} cells, fractal of exponent {roughness:g}"
            report(label, Path(place), most, works)
    for path in options.dem:
        with tempfile.TemporaryDirectory() as place:
            shutil.copy(path, Path(place) / "dem.tif")
            report(path.name, Path(place), limit)


if __name__ == "__main__":
    main()
