"""One study on many grids, across the antimeridian: polar, Albers, equal-area and lon/lat."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox

from permagrid.covariates.resample import onto
from permagrid.covariates.sources import open_grid
from permagrid.grid import lonlat
from permagrid.run import run
from permagrid.study import parse_study
from permagrid.world import write_world

GRIDS = {
    "polar stereographic": {"crs": "EPSG:3413", "resolution": 25000},
    "equal-area": {"crs": "EPSG:6931", "resolution": 25000},
    "Albers": {"crs": "EPSG:3338", "resolution": 25000},
    "lon/lat": {"crs": "EPSG:4326", "resolution": 0.25},
}
REGION = [175, 61, -158, 69]
"""Across the antimeridian, inside the virtual world."""


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    return write_world(
        tmp_path_factory.mktemp("grids") / "world",
        seed=3,
        size=75,
        resolution=20000.0,
        epochs=["2010-2014"],
        n_boreholes=120,
        fault_share=0.0,
    )


def study_on(grid: dict[str, object]) -> dict[str, object]:
    return {
        "study": "grids",
        "metadata": {"title": "One study on many grids"},
        "target": {
            "variable": "mean_annual_ground_temperature",
            "unit": "degC",
            "valid_range": [-25, 15],
            "depth": 10,
        },
        "epochs": ["2010-2014"],
        "grid": {**grid, "region": REGION},
        "sites": {
            "sources": [{"reader": "table", "path": "boreholes.csv", "source": "virtual"}],
            "reduce": {"depth_rule": "deepest", "depth_range": [3, 30]},
        },
        "covariates": [
            {"name": "bio1", "path": "bio1_{epoch}.tif", "unit": "degC", "years": "2010-2014"},
            {"name": "bio10", "path": "bio10_{epoch}.tif", "unit": "degC", "years": "2010-2014"},
            {"name": "elevation", "path": "dem.tif", "unit": "m"},
            {"name": "slope", "method": "slope", "unit": "degree"},
            {"name": "geology", "path": "geology.tif", "unit": "class", "kind": "class"},
        ],
        "sampling": {"rule": "nearest", "distance": 40000},
        "learners": [{"name": "random_forest", "n_estimators": 30}],
        "validation": {
            "folds": [{"method": "random", "n_folds": 4}, {"method": "site", "n_folds": 4}],
            "bootstrap": 50,
        },
        "products": {"learner": "random_forest"},
    }


@pytest.mark.parametrize("grid", list(GRIDS.values()), ids=list(GRIDS))
@pytest.mark.usefixtures("unpainted")
def test_map_meets_the_truth_on_any_grid(grid, world, tmp_path):
    run(parse_study(study_on(grid)), tmp_path, data=world, workers=1)
    path = tmp_path / "maps" / "grids_mean_annual_ground_temperature_2010-2014.tif"
    with rasterio.open(path) as raster:
        made, geobox = raster.read(1, masked=True), GeoBox.from_rio(raster)
    truth = onto(open_grid(world / "truth" / "mean_annual_ground_temperature_2010-2014.tif"), geobox).values
    values = np.ma.filled(made.astype(float), np.nan)
    both = np.isfinite(values) & np.isfinite(truth)
    assert both.sum() > 500
    error = values[both] - truth[both]
    assert np.sqrt((error**2).mean()) < 0.75 * truth[both].std() + 0.5
    # Both sides of the antimeridian are there, and neither is worse than the other by much.
    longitude = lonlat(geobox)[0][both]
    east, west = error[longitude > 0], error[longitude < 0]
    assert min(len(east), len(west)) > 100
    assert abs(np.sqrt((east**2).mean()) - np.sqrt((west**2).mean())) < 0.8
