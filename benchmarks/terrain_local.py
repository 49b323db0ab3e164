"""Slope, aspect, roughness and curvatures of a made-up DEM against gdaldem and SAGA, on one core.

Each is timed from file to file (GeoTIFF of float32, in and out, not compressed), in turns with its peer; and
without writing: the array function on values in memory against gdaldem with its output in memory, which still
has to read its input. gdaldem and saga_cmd are started anew each time; what that takes is printed too. The
kernels are compiled, and the files read once, before anything is timed.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox

from permagrid.covariates.terrain.bending import curvature
from permagrid.covariates.terrain.frame import Distances, frame_of
from permagrid.covariates.terrain.from_file import analyse_file
from permagrid.covariates.terrain.local import direction, roughness
from permagrid.grid import make_geobox

ONE_CORE = {**os.environ, "GDAL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
GDALDEM = {
    "slope": ["slope", "-alg", "ZevenbergenThorne"],
    "aspect": ["aspect", "-alg", "ZevenbergenThorne"],
    "roughness": ["roughness"],
}
WITH_SAGA = ("slope", "aspect", "cross_sectional_curvature", "longitudinal_curvature")
RESOLUTION = 30.0


def write_dem(path: Path, side: int) -> None:
    """Write hills of several sizes with noise, side x side cells of 30 m."""
    row, column = np.mgrid[0:side, 0:side].astype("float32")
    height = 900 + 500 * np.sin(column / 150) * np.cos(row / 130) + 90 * np.sin(column / 17 + row / 29)
    height += np.random.default_rng(0).normal(0, 1, (side, side))
    geobox = grid_of(side)
    profile = {"height": side, "width": side, "crs": "EPSG:32632", "transform": geobox.affine}
    with rasterio.open(path, "w", driver="GTiff", count=1, dtype="float32", nodata=-9999, **profile) as out:
        out.write(height.astype("float32"), 1)


def grid_of(side: int) -> GeoBox:
    top = 5_200_000.0
    return make_geobox(
        "EPSG:32632", RESOLUTION, bounds=(400_000, top - RESOLUTION * side, 400_000 + RESOLUTION * side, top)
    )


def seconds(*work: Callable[[], object], repeats: int) -> list[float]:
    """Return the median time of each of several things done in turns, after each was done once."""
    times: list[list[float]] = [[] for _ in work]
    for turn in range(repeats + 1):
        for each, taken in zip(work, times, strict=True):
            start = time.perf_counter()
            each()
            if turn:
                taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in times]


def command(*arguments: str | Path) -> Callable[[], object]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return lambda: subprocess.run([str(a) for a in arguments], check=True, env=ONE_CORE, **quiet)


def against_gdaldem(folder: Path, side: int, repeats: int) -> None:
    dem, out, theirs = folder / f"dem_{side}.tif", folder / "ours.tif", folder / "theirs.tif"
    with rasterio.open(dem) as raster:
        heights = np.pad(raster.read(1), 1, constant_values=np.nan)
    print(f"{'':14}{'':12}  {'gdaldem':>9} {'ellipsoid':>10} {'plane':>9}   gdaldem / ours")
    for index, arguments in GDALDEM.items():

        def file_to_file(distances: Distances, index: str = index) -> Callable[[], object]:
            return lambda: analyse_file(dem, out, index, distances=distances)

        def in_memory(distances: Distances, index: str = index) -> Callable[[], object]:
            frame = frame_of(grid_of(side), distances=distances)
            if index == "roughness":
                return lambda: roughness(heights)
            return lambda: direction(heights, frame, index)  # type: ignore[arg-type]

        head, *options = arguments
        peers = {
            "file to file": (command("gdaldem", head, dem, theirs, *options, "-q"), file_to_file),
            "no writing": (command("gdaldem", head, dem, "ours", *options, "-q", "-of", "MEM"), in_memory),
        }
        for name, (peer, ours) in peers.items():
            taken = seconds(peer, ours("ellipsoid"), ours("plane"), repeats=repeats)
            ratios = " ".join(f"{taken[0] / each:5.1f}" for each in taken[1:])
            print(f"{index:14}{name:12}  " + " ".join(f"{each:8.3f} s" for each in taken) + f"   {ratios}")
    write_dem(folder / "tiny.tif", 8)
    start = seconds(command("gdaldem", "slope", folder / "tiny.tif", theirs, "-q"), repeats=repeats)[0]
    print(f"8 x 8 cells take gdaldem {start:.3f} s")


def against_saga(folder: Path, side: int) -> None:
    """Time slope, aspect and two curvatures: one call of SAGA makes all four, ours are four calls."""
    dem, out = folder / f"dem_{side}.tif", folder / "saga"
    frame = frame_of(grid_of(side))
    keywords = ["-SLOPE", f"{out}_s", "-ASPECT", f"{out}_a", "-C_CROS", f"{out}_c", "-C_LONG", f"{out}_l"]
    saga = command(
        "saga_cmd", "-f=s", "-c=1", "ta_morphometry", "0", "-ELEVATION", dem, *keywords, "-METHOD", "6"
    )
    with rasterio.open(dem) as raster:
        heights = np.pad(raster.read(1), 1, constant_values=np.nan)

    def ours() -> None:
        for index in WITH_SAGA:
            analyse_file(dem, folder / f"{index}.tif", index)

    def kernels() -> None:
        for index in WITH_SAGA:
            if index.endswith("_curvature"):
                curvature(heights, frame, index.removesuffix("_curvature"))  # type: ignore[arg-type]
            else:
                direction(heights, frame, index)  # type: ignore[arg-type]

    theirs, mine, computed = seconds(saga, ours, kernels, repeats=1)
    print(
        f"slope, aspect, two curvatures: saga_cmd {theirs:.2f} s, file to file {mine:.2f} s, "
        f"in memory {computed:.2f} s; saga_cmd / file to file {theirs / mine:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[2000, 6000])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side in options.sides:
            write_dem(folder / f"dem_{side}.tif", side)
            print(f"{side} x {side} cells")
            if shutil.which("gdaldem"):
                against_gdaldem(folder, side, options.repeats)
            else:
                print("gdaldem is not installed: left out")
            if shutil.which("saga_cmd"):
                against_saga(folder, side)
            else:
                print("saga_cmd is not installed: left out")


if __name__ == "__main__":
    main()
