"""The steps that `prediction_memory.py` runs in processes of their own: build a stack, predict over it."""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.xr import xr_coords
from rasterio.windows import Window

from permagrid.covariates import Covariate, open_stack, store_layers
from permagrid.grid import blocks
from permagrid.learners import build_learner
from permagrid.prediction import predict_blocks, row_wise
from permagrid.products.geotiff import write_cog
from permagrid.products.legend import legend_for
from permagrid.products.scratch import open_scratch
from permagrid.world import default_geobox, world_covariates

NAMES = ("elevation", "bio1", "bio10", "snow_depth", "ndvi", "soil_sand")
EPOCH, SEED, CHUNK = "2015-2019", 7, 512
EXTENT = 1_500_000.0  # [m]: the same region at every size
LIMITS = (-25.0, 15.0)


def peak_mb() -> float:
    """Return the most memory that this process has held [MB]."""
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def stores(folder: Path) -> dict[tuple[str, None], Path]:
    return {(name, None): folder / f"{name}.zarr" for name in NAMES}


def build(side: int, folder: Path) -> None:
    """Write the covariates of a virtual world of side x side cells to a Zarr stack, chunk by chunk."""
    geobox = default_geobox(side, EXTENT / side)

    def tile(window: tuple[slice, slice]) -> dict[str, NDArray[np.float32]]:
        world = world_covariates(geobox[window], seed=SEED, epochs=[EPOCH], names=NAMES)
        return {name: np.squeeze(world[name].values) for name in NAMES}

    tiles = [(window, dask.delayed(tile)(window)) for window in blocks(geobox.shape, CHUNK)]
    per_row = -(-side // CHUNK)

    def layer(name: str) -> xr.DataArray:
        parts = [
            da.from_delayed(
                values[name],
                shape=(r.stop - r.start, c.stop - c.start),
                dtype="float32",
                meta=np.empty((0, 0)),
            )
            for (r, c), values in tiles
        ]
        rows = [parts[start : start + per_row] for start in range(0, len(parts), per_row)]
        return xr.DataArray(da.block(rows), dims=geobox.dimensions, coords=xr_coords(geobox))

    store_layers({path: layer(name) for (name, _), path in stores(folder).items()}, geobox, workers=2)


def predict(side: int, folder: Path, workers: int) -> dict[str, float]:
    """Predict over the stack into a finished map; return peak memory, that of the imports [MB], and time."""
    floor = peak_mb()
    geobox = default_geobox(side, EXTENT / side)
    stack = open_stack(stores(folder), {name: Covariate(name, "raster", "1") for name in NAMES}, geobox)
    random = np.random.default_rng(SEED)
    X = random.normal(0, 1, (1500, len(NAMES))) * [400, 6, 5, 0.2, 0.2, 20] + [400, -8, 9, 0.3, 0.4, 40]
    y = X[:, 1] + 5 * X[:, 3] - 3 * X[:, 4] + random.normal(0, 0.5, len(X))
    keywords = {"n_estimators": 50, "max_features": 0.5, "min_samples_leaf": 5}
    model = build_learner("random_forest", "value", SEED, keywords).fit(X, y)

    start = time.perf_counter()
    scratch = folder / "scratch.tif"
    parts = predict_blocks(row_wise(model, task="value"), stack, NAMES, valid_range=LIMITS, workers=workers)
    with open_scratch(scratch, geobox, "float32", float("nan")) as raster:
        for part in parts:
            raster.write(part.values[0], 1, window=Window.from_slices(*part.window))
    predicted = peak_mb()
    write_cog(
        folder / "map.tif",
        scratch,
        legend=legend_for("mean_annual_ground_temperature", unit="degC", valid_range=LIMITS),
        epoch=EPOCH,
        description="benchmark",
        valid_range=LIMITS,
        tags={},
    )
    seconds = time.perf_counter() - start
    return {"peak": peak_mb(), "predicted": predicted, "floor": floor, "seconds": seconds}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["build", "predict"])
    parser.add_argument("side", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("workers", type=int)
    options = parser.parse_args()
    if options.step == "build":
        build(options.side, options.folder)
    else:
        print(json.dumps(predict(options.side, options.folder, options.workers)))
