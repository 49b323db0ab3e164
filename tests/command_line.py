"""Calls the command line within the test's process, and the small made-up study that it is tried on."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import rasterio
from ruamel.yaml import YAML

from permagrid.cli import main
from permagrid.grid import lonlat, make_geobox

REGION = (100, 62, 140, 76)


class Outcome(NamedTuple):
    """What a command left."""

    status: int
    out: str
    err: str


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> Outcome:
    """Run a command as the shell does."""
    capsys.readouterr()
    logger = logging.getLogger()
    before = list(logger.handlers), logger.level
    try:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments], prog_name="permagrid")
    finally:
        # What -v tells goes to a stream that is closed with this test.
        logger.handlers, logger.level = before
    out, err = capsys.readouterr()
    return Outcome(int(ended.value.code or 0), out, err)


def made_up_study() -> dict[str, Any]:
    """Return a small study of ground temperature, without any fault."""
    return {
        "study": "small",
        "metadata": {"title": "A small study"},
        "target": {
            "variable": "mean_annual_ground_temperature",
            "unit": "degC",
            "valid_range": [-25, 15],
            "depth": 10,
        },
        "epochs": ["2000-2004", "2005-2009"],
        "grid": {"crs": "EPSG:3995", "resolution": 100000, "region": list(REGION)},
        "sites": {
            "sources": [{"reader": "table", "path": "sites.csv", "source": "made_up"}],
            "quality": {
                "coordinates": {},
                "gross_range": {},
                "climate_consistency": {"air_temperature": "air"},
            },
        },
        "covariates": [
            {"name": "air", "path": "air_{epoch}.tif", "unit": "degC", "years": "2000-2009"},
            {"name": "elevation", "path": "elevation.tif", "unit": "m"},
            {"name": "slope", "method": "slope", "unit": "degree"},
            {"name": "geology", "path": "geology.tif", "kind": "class", "unit": "class"},
        ],
        "learners": [
            {"name": "random_forest", "n_estimators": 5},
            {"name": "climate_linear", "covariates": ["air"]},
        ],
        "validation": {
            "folds": [{"method": "random", "n_folds": 3}, {"method": "site", "n_folds": 3}],
            "bootstrap": 50,
        },
        "products": {"learner": "random_forest"},
    }


def write_study(folder: Path, study: dict[str, Any]) -> Path:
    """Write a study as YAML beside its data."""
    path = folder / "study.yaml"
    yaml = YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(study, stream)
    return path


def write_raster(path: Path, values: Any, *, crs: str | None = "EPSG:3995", **profile: Any) -> None:
    """Write values as a GeoTIFF on the grid of the small study, or on another one."""
    geobox = make_geobox("EPSG:3995", 100_000, region=REGION)
    array = np.asarray(values)
    profile = {"transform": geobox.affine, "dtype": array.dtype.name, **profile}
    with rasterio.open(
        path, "w", driver="GTiff", height=array.shape[0], width=array.shape[1], count=1, crs=crs, **profile
    ) as raster:
        raster.write(array, 1)


def air() -> Any:
    """Return the air temperature of the small study [degC]."""
    _, latitude = lonlat(make_geobox("EPSG:3995", 100_000, region=REGION))
    return (-(latitude - 55.0)).astype("float32")


def write_data(folder: Path) -> None:
    """Write rasters and sites of the small study."""
    temperature = air()
    rng = np.random.default_rng(5)
    for epoch, warming in (("2000-2004", 0.0), ("2005-2009", 0.5)):
        write_raster(folder / f"air_{epoch}.tif", temperature + np.float32(warming), nodata=float("nan"))
    write_raster(folder / "elevation.tif", rng.uniform(0, 900, temperature.shape).astype("float32"))
    write_raster(folder / "geology.tif", rng.integers(1, 5, temperature.shape).astype("uint8"), nodata=0)
    sites().to_csv(folder / "sites.csv", index=False)


def sites() -> pd.DataFrame:
    """Return 40 made-up boreholes with a value in each epoch."""
    rng = np.random.default_rng(6)
    n = 40
    one = pd.DataFrame(
        {
            "site_id": [f"b{i:02d}" for i in range(n)],
            "latitude": rng.uniform(64, 74, n).round(4),
            "longitude": rng.uniform(104, 136, n).round(4),
            "variable": "ground_temperature",
            "depth": 10.0,
        }
    )
    both = pd.concat([one.assign(year=2002), one.assign(year=2007)], ignore_index=True)
    return both.assign(value=(-(both["latitude"] - 60.0) * 0.7 + rng.normal(0, 0.3, 2 * n)).round(2))
