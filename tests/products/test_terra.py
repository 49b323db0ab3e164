"""R's terra reads CRS, nodata, names with units, and class names; skipped where R or terra is absent."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from odc.geo.xr import wrap_xr

from permagrid.products.geotiff import write_cog
from permagrid.products.legend import LEGENDS
from permagrid.products.styles import write_styles

SCRIPT = """
suppressMessages(suppressWarnings(library(terra)))
map <- rast(commandArgs(TRUE)[1]); classes <- rast(commandArgs(TRUE)[2])
out <- c(crs(map, describe = TRUE)$code, names(map), global(is.na(map), "sum")[1, 1],
         global(map, "max", na.rm = TRUE)[1, 1], as.character(cats(classes)[[1]][, 2]),
         global(is.na(classes), "sum")[1, 1])
cat("[", paste0('"', out, '"', collapse = ","), "]")
"""


@pytest.fixture(scope="module")
def rscript():
    command = shutil.which("Rscript")
    if command is None:
        pytest.skip("Rscript is not installed")
    found = subprocess.run([command, "-e", "library(terra)"], capture_output=True, check=False)
    if found.returncode:
        pytest.skip("R's terra is not installed")
    return command


def test_terra_reads_what_was_written(tmp_path, rscript):
    grid = GeoBox.from_bbox((-1e6, -1e6, 1e6, 1e6), "EPSG:3995", resolution=20_000)
    values = np.linspace(-9, 9, grid.shape[0] * grid.shape[1], dtype="float32").reshape(grid.shape)
    values[:2] = np.nan
    codes = np.where(np.isnan(values), 255, values < 0).astype("uint8")
    for name, array, variable, valid_range in (
        ("map", values, "mean_annual_ground_temperature", (-30, 30)),
        ("classes", codes, "permafrost_presence", (0, 1)),
    ):
        path, legend = tmp_path / f"{name}.tif", LEGENDS[variable]
        write_cog(
            path,
            wrap_xr(array, grid),
            legend=legend,
            epoch="2000-2004",
            description="Made up.",
            valid_range=valid_range,
            tags={},
        )
        write_styles(path, legend)
    ran = subprocess.run(
        [rscript, "-e", SCRIPT, tmp_path / "map.tif", tmp_path / "classes.tif"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout) == [
        "3995",
        "mean_annual_ground_temperature [degC]",
        "200",
        "9",
        "no permafrost",
        "permafrost",
        "200",
    ]
