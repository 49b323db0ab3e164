"""A made-up run: maps, sites, predictions and scores, for values and for classes."""

from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from odc.geo.geobox import GeoBox
from odc.geo.xr import wrap_xr

from permagrid.products.geotiff import write_cog
from permagrid.products.legend import LEGENDS
from permagrid.report.html import MapLayer, TruthPair

HOSTILE = '<script>alert("x")</script>'
FOLDS = {"random": 0.8, "site": 1.4, "block_500km": 1.6}


@dataclass
class MadeUpRun:
    """What `render_report` takes."""

    summary: dict
    study: dict
    sites: gpd.GeoDataFrame
    scores: pd.DataFrame
    predictions: pd.DataFrame
    maps: list[MapLayer]
    truth: list[TruthPair] = field(default_factory=list)

    def inputs(self):
        names = ("study", "sites", "scores", "predictions", "maps", "truth")
        return {name: getattr(self, name) for name in names}


def made_up_sites(variable):
    random = np.random.default_rng(7)
    count = 60
    table = pd.DataFrame(
        {
            "site_id": [f"made:{i}" for i in range(count)],
            "latitude": random.uniform(55, 79, count),
            "longitude": random.uniform(-180, 180, count),
            "value": random.normal(-2, 4, count),
            "source": "Made up",
            "citation": "Nobody (2020), doi:10.5555/made.up/1",
            "licence": "CC0-1.0",
            "flag_coordinates": 1,
            "flag_gross_range": 1,
        }
    )
    if variable == "permafrost_presence":
        table["value"] = (table["value"] < 0).astype(float)
    table.loc[3, "site_id"] = HOSTILE
    table.loc[[3, 4], "flag_gross_range"] = [4, 3]
    table.loc[5, ["flag_coordinates", "latitude"]] = [4, -150.0]
    table["kept"] = (table["flag_coordinates"] < 4) & (table["flag_gross_range"] < 4)
    points = gpd.points_from_xy(table["longitude"], table["latitude"])
    return gpd.GeoDataFrame(table, geometry=points, crs="EPSG:4326")


def made_up_predictions(variable):
    random = np.random.default_rng(8)
    frames = []
    for learner, skill in (("random_forest", 1.0), ("climate_linear", 1.5)):
        for folds, error in FOLDS.items():
            truth = random.normal(-2, 5, 150)
            guess = truth + random.normal(0, skill * error, 150)
            frame = pd.DataFrame({"observed": truth, "predicted": guess})
            if variable == "permafrost_presence":
                frame["probability"] = 1 / (1 + np.exp(guess))
                frame[["observed", "predicted"]] = (frame[["observed", "predicted"]] < 0).astype(int)
            frames.append(frame.assign(target=variable, learner=learner, folds=folds, epoch="2000-2004"))
    table = pd.concat(frames, ignore_index=True)
    return table if variable == "permafrost_presence" else with_places_and_a_subset(table)


def with_places_and_a_subset(table):
    """Return predictions as a run writes them: with places, and models of the low values alone."""
    places = made_up_sites("mean_annual_ground_temperature")[["site_id", "longitude", "latitude"]]
    rows = places.iloc[10 + np.arange(len(table)) % 40].reset_index(drop=True)
    table = pd.concat([table.assign(subset="all"), rows], axis=1)
    low = table[table["observed"] < 0].assign(subset="low")
    return pd.concat([table, low], ignore_index=True)


def made_up_scores(predictions, variable):
    rows = []
    if "subset" not in predictions:
        predictions = predictions.assign(subset="all")
    for (subset, learner, folds), group in predictions.groupby(["subset", "learner", "folds"], sort=False):
        error = group["predicted"] - group["observed"]
        found = {"accuracy": float((error == 0).mean()), "kappa": float((error == 0).mean()) - 0.1}
        if variable != "permafrost_presence":
            found = {"rmse": float(np.sqrt((error**2).mean())), "r2": 0.9, "bias": float(error.mean())}
        row = {
            "target": variable,
            "learner": learner,
            "folds": folds,
            "subset": subset,
            "n": len(group),
            "n_sites": 60,
        }
        for name, value in found.items():
            row |= {name: value, f"{name}_low": value - 0.1, f"{name}_high": value + 0.1}
        rows.append(row)
    return pd.DataFrame(rows)


def made_up_maps(folder, variable):
    grid = GeoBox.from_bbox((-3e6, -3e6, 3e6, 3e6), "EPSG:3995", resolution=50_000)
    rows, columns = np.indices(grid.shape)
    layers = []
    for number, epoch in enumerate(("1995-1999", "2000-2004")):
        values = (np.hypot(rows - 60, columns - 60) / 5 - 9 + number).astype("float32")
        values[:20, :30] = np.nan
        if variable == "permafrost_presence":
            values = np.where(np.isnan(values), 255, values < 0).astype("uint8")
        path = folder / f"made_up_{variable}_{epoch}.tif"
        write_cog(
            path,
            wrap_xr(values, grid),
            legend=LEGENDS[variable],
            epoch=epoch,
            description="Made up.",
            valid_range=None,
            tags={},
        )
        layers.append(MapLayer(path, variable, epoch, LEGENDS[variable].unit))
    return layers


def made_up_run(folder: Path, variable: str) -> MadeUpRun:
    maps = made_up_maps(folder, variable)
    predictions = made_up_predictions(variable)
    summary = {
        "schema": 1,
        "study": "made_up",
        "digest": "0123456789abcdef" * 4,
        "versions": {"permagrid": "0.0.1", "numpy": "2.0.0"},
        "inputs": [{"path": "sites/points.csv", "sha256": "ab" * 32}],
        "sites": {"read": 60, "kept": 58, "flagged": {"gross_range": {"suspect": 1, "fail": 1}}},
        "products": [
            {
                "path": f"maps/{m.path.name}",
                "sha256": "cd" * 32,
                "units": m.unit,
                "epoch": m.epoch,
                "variable": variable,
            }
            for m in maps
        ],
        "agreement": [
            {
                "reference": "A map of permafrost fraction",
                "statistic": "spearman",
                "value": -0.87,
                "n": 41000,
                "epoch": "2000-2004",
                "variable": variable,
            }
        ],
        "truth": [
            {"variable": variable, "epoch": epoch, "rmse": rmse, "bias": 0.1, "r2": 0.9, "n": 900}
            for epoch, rmse in (("1995-1999", 1.126), ("2000-2004", 1.0))
        ],
        "timing_s": {"predict": 2.5},
        "peak_memory_mb": 512.0,
    }
    study = {
        "study": "made_up",
        "metadata": {
            "title": f"A title with {HOSTILE}",
            "abstract": "First paragraph.\n\nSecond paragraph.",
            "resolution_note": "Coarse covariates.",
        },
        "target": {"variable": variable, "unit": LEGENDS[variable].unit},
        "grid": {"crs": "EPSG:3995"},
    }
    if variable != "permafrost_presence":
        study |= {
            "products": {"learner": "climate_linear"},
            "truth": {"path": "truth_{epoch}.tif"},
            "validation": {"subsets": [{"name": "low", "maximum": 0.0}]},
        }
    truth = [
        TruthPair(maps[0].path, maps[1].path, variable, "2000-2004"),
        TruthPair(maps[1].path, maps[0].path, variable, "1995-1999"),
    ]
    scores = made_up_scores(predictions, variable)
    return MadeUpRun(summary, study, made_up_sites(variable), scores, predictions, maps, truth)


@pytest.fixture(scope="session")
def value_run(tmp_path_factory) -> MadeUpRun:
    """Return a run whose target is a value."""
    return made_up_run(tmp_path_factory.mktemp("values"), "mean_annual_ground_temperature")


@pytest.fixture(scope="session")
def class_run(tmp_path_factory) -> MadeUpRun:
    """Return a run whose target is a class."""
    return made_up_run(tmp_path_factory.mktemp("classes"), "permafrost_presence")
