"""Ground temperature of the Arctic from real observations, on a coarse grid: as good as has been stated."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate
from ruamel.yaml import YAML

from permagrid.run import run
from permagrid.study import parse_study

SHIPPED = Path(__file__).resolve().parents[1] / "studies" / "arctic_magt.yaml"


@pytest.fixture(scope="module")
def out(real_data, tmp_path_factory, unpainted) -> Path:
    study = YAML(typ="safe").load(SHIPPED)
    study["grid"]["resolution"] = 29_000
    study["learners"] = [
        study["learners"][0] | {"n_estimators": 40},
        next(part for part in study["learners"] if part["name"] == "climate_linear"),
    ]
    study["products"]["learner"] = "random_forest"
    for section in ("ensemble", "inventory"):
        study.pop(section)
    study["validation"]["bootstrap"] = 100
    study["validation"]["groups"] = study["validation"]["groups"][-1:]
    folder = tmp_path_factory.mktemp("real") / "out"
    run(parse_study(study), folder, data=real_data)
    return folder


@pytest.fixture
def summary(out) -> dict:
    return json.loads((out / "summary.json").read_text())


def test_enough_sites_are_kept_and_the_rest_is_accounted_for(summary, out):
    counts = summary["sites"]
    assert counts["kept"] >= 280
    assert counts["rows_kept"] <= counts["rows_read"] == len(gpd.read_parquet(out / "sites.parquet"))


def test_the_forest_is_as_good_as_stated_and_better_than_the_linear_floor(summary):
    rmse = {(s["learner"], s["folds"]): s["rmse"] for s in summary["scores"]}
    assert rmse["random_forest", "site"] <= 1.45
    assert rmse["random_forest", "block_500km"] <= 1.50
    assert rmse["random_forest", "random"] < rmse["random_forest", "site"]
    assert rmse["random_forest", "site"] < rmse["climate_linear", "site"]


def test_what_a_group_of_covariates_brings_is_told_for_sites_and_blocks(summary):
    gains = [gain for gain in summary["covariate_groups"] if gain["metric"] == "rmse"]
    assert {(gain["group"], gain["folds"]) for gain in gains} == {
        ("palaeoclimate", folds) for folds in ("site", "knndm", "block_500km")
    }
    for gain in gains:
        low, high = gain["change_interval"]
        assert low <= gain["change"] <= high
        assert abs(gain["change"]) < 0.2


def test_every_map_is_a_cog_of_plausible_ground_temperatures(summary, out):
    products = [each for each in summary["products"] if each["variable"].endswith("temperature")]
    assert (len(products), len(summary["products"])) == (8, 40)
    for product in products:
        path = out / product["path"]
        assert cog_validate(path, strict=True) == (True, [], [])
        with rasterio.open(path) as raster:
            values = raster.read(1)
            assert (raster.crs.to_epsg(), raster.units) == (3995, ("degC",))
        assert -25 <= np.nanmin(values) < -8
        assert 3 < np.nanmax(values) <= 15


def test_the_map_agrees_in_rank_with_the_permafrost_fraction(summary):
    (entry,) = summary["agreement"]
    assert entry["statistic"] == "spearman"
    # Cold ground, much permafrost.
    assert entry["value"] < -0.8
    assert entry["n"] > 20_000


def test_the_folds_to_quote_resemble_the_map_and_most_of_the_map_is_inside(summary):
    distances = {each["name"]: each["wasserstein_km"] for each in summary["folds"]}
    assert summary["quote"]["folds"] == "knndm"
    assert distances["knndm"] < distances["site"] < distances["random"]
    assert 0.4 < summary["applicability"]["inside_share"]["all"] <= 1.0


def test_no_site_is_in_train_and_test(out):
    predictions = pd.read_parquet(out / "predictions.parquet")
    by_site = predictions[predictions["folds"] != "random"].groupby(["learner", "folds", "site_id"])["fold"]
    assert (by_site.nunique() == 1).all()
