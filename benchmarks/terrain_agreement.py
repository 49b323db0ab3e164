"""Agreement of the eleven terrain indices with SAGA's, on a virtual world and two real DEMs."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.warp import Resampling, calculate_default_transform, reproject
from scipy.stats import spearmanr

from permagrid.covariates.terrain.analysis import TerrainAnalysis
from permagrid.covariates.terrain.compound import compound_analysis
from permagrid.covariates.terrain.fill import ringed
from permagrid.covariates.terrain.flow import spread_area
from permagrid.covariates.terrain.frame import frame_of
from permagrid.world.drainage import drain
from permagrid.world.noise import places_of
from permagrid.world.terrain import default_geobox, terrain

COMPOUND = {
    "slope": "-SLOPE",
    "cross_sectional_curvature": "-HCURV",
    "longitudinal_curvature": "-VCURV",
    "topographic_wetness_index": "-WETNESS",
    "total_catchment_area": "-FLOW",
    "relative_slope_position": "-RSP",
    "ls_factor": "-LSFACTOR",
    "convergence_index": "-CONVERGENCE",
    "valley_depth": "-VALL_DEPTH",
    "closed_depressions": "-SINKS",
    "channel_network_distance": "-CHNL_DIST",
}
Dem = tuple[np.ndarray, GeoBox]


def saga(folder: Path, *arguments: str) -> None:
    command = ["saga_cmd", "--cores=1", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stdout[-500:]}")


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        values = raster.read(1).astype(float)
    values[values < -9000] = np.nan
    return values


def write(path: Path, heights: np.ndarray, grid: GeoBox) -> None:
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": -9999.0, "crs": str(grid.crs)}
    shape = {"height": grid.shape[0], "width": grid.shape[1], "transform": grid.affine}
    with rasterio.open(path, "w", **profile, **shape) as raster:
        raster.write(np.where(np.isnan(heights), -9999.0, heights).astype("float32"), 1)


def virtual_world() -> Dem:
    grid = default_geobox(500, 1000.0)
    lie = terrain(places_of(grid), seed=3)
    return np.where(lie.land, drain(lie.elevation, lie.land).elevation, np.nan), grid


def warped(path: Path, crs: str | None, cell: float) -> Dem:
    """Return a DEM on square cells, as `gdalwarp -r bilinear` makes it."""
    with rasterio.open(path) as raster:
        crs = crs or raster.crs.to_string()
        transform, width, height = calculate_default_transform(
            raster.crs, crs, raster.width, raster.height, *raster.bounds, resolution=cell
        )
        heights = np.full((height, width), np.nan)
        reproject(
            rasterio.band(raster, 1),
            heights,
            dst_transform=transform,
            dst_crs=crs,
            dst_nodata=np.nan,
            resampling=Resampling.bilinear,
        )
    return heights, GeoBox((height, width), transform, crs)


def agreement(label: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    both = np.isfinite(ours) & np.isfinite(theirs)
    a, b = ours[both].astype(float), theirs[both]
    error = np.abs(a - b)
    alike = np.ptp(a) == 0.0 or np.ptp(b) == 0.0
    pearson, spearman = (np.nan, np.nan) if alike else (np.corrcoef(a, b)[0, 1], spearmanr(a, b)[0])
    print(
        f"  {label:<44}{pearson:>9.5f}{spearman:>9.5f}{np.quantile(error, 0.99):>11.3g}{error.max():>11.3g}",
        flush=True,
    )


def compare(name: str, dem: Dem, threshold: float) -> None:
    heights, grid = dem
    heights = heights.astype("float32")
    print(f"\n{name}: {heights.shape[0]} x {heights.shape[1]} cells of {grid.affine.a:g} m, "
          f"{np.isfinite(heights).mean():.0%} with data")  # fmt: skip
    print(f"  {'index':<44}{'Pearson':>9}{'Spearman':>9}{'99 %':>11}{'maximum':>11}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder / "dem.tif", heights, grid)
        outputs = [part for index, option in COMPOUND.items() for part in (option, index)]
        saga(folder, "ta_compound", "0", "-ELEVATION", "dem.tif", *outputs)
        ours = compound_analysis(heights, grid, only=list(COMPOUND), distances="plane")
        for index in COMPOUND:
            theirs = read(folder / f"{index}.sdat")
            if index == "slope":
                theirs = np.degrees(theirs)
            if index == "closed_depressions":
                theirs = np.nan_to_num(theirs)
            agreement(index, ours[index].values, theirs)
        tool_by_tool(folder, heights, grid, threshold)


def tool_by_tool(folder: Path, heights: np.ndarray, grid: GeoBox, threshold: float) -> None:
    """Compare what remains when both start from SAGA's filled DEM, and ridges are counted as channels are."""
    saga(folder, "ta_preprocessor", "2", "-DEM", "dem.tif", "-DEM_PREPROC", "filled")
    saga(folder, "grid_tools", "34", "-GRID", "filled.sgrd", "-INVERSE", "inverted")
    filled, frame = ringed(read(folder / "filled.sdat"), dtype="float64"), frame_of(grid, distances="plane")
    area = np.where(np.isnan(filled), np.nan, spread_area(filled, frame))[1:-1, 1:-1]
    agreement("total_catchment_area of SAGA's filled DEM", area, read(folder / "total_catchment_area.sdat"))
    own = TerrainAnalysis(heights, grid, distances="plane")
    made = {"filled": own.channel_network_distance(), "inverted": own.valley_depth()}
    found = {}
    for surface, label in (("filled", "channel_network_distance"), ("inverted", "valley_depth")):
        lines = ("-SEGMENTS", "segments", "-BASINS", "basins")
        saga(
            folder,
            "ta_channels",
            "5",
            "-DEM",
            f"{surface}.sgrd",
            "-ORDER",
            "order",
            *lines,
            "-THRESHOLD",
            "5",
        )
        options = ("-CHANNELS", "order.sgrd", "-DISTANCE", "distance", "-THRESHOLD", str(threshold))
        saga(folder, "ta_channels", "3", "-ELEVATION", f"{surface}.sgrd", *options)
        found[surface] = read(folder / "distance.sdat")
        agreement(f"{label}, tools 5 and 3 to {threshold:g} m", made[surface], found[surface])
    with np.errstate(invalid="ignore", divide="ignore"):
        position = found["filled"] / (found["filled"] + found["inverted"])
    position[(position < 0) | (position > 1)] = np.nan
    agreement("relative_slope_position of these two", own.relative_slope_position(), position)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of real data; PERMAGRID_DATA or ../shared/data")
    parser.add_argument("--threshold", type=float, default=1.0, help="at which SAGA's base level stops [m]")
    parser.add_argument("--only", choices=["world", "davos", "retezat"])
    options = parser.parse_args()
    if shutil.which("saga_cmd") is None:
        sys.exit("saga_cmd is not installed: apt-get install saga")
    usual = Path(__file__).resolve().parents[2] / "shared" / "data"
    tiles = (options.data or Path(os.environ.get("PERMAGRID_DATA", usual))) / "topo-era5-tiles"
    if options.only in (None, "world"):
        compare("virtual world", virtual_world(), options.threshold)
    for name, crs, cell in (("davos_dem_SRTM1", "EPSG:32632", 30.0), ("SRTM_90m_retezat", None, 90.0)):
        path = tiles / f"{name}.tif"
        if options.only and options.only not in name:
            continue
        if path.exists():
            compare(name, warped(path, crs, cell), options.threshold)
        else:
            print(f"\n{name}: not in {tiles}; give --data")


if __name__ == "__main__":
    main()
