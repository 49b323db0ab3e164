"""A whole run on a small virtual world: every file, what they hold, and the same bytes again."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from permagrid.files import sha256_of
from permagrid.rundir import FILES
from permagrid.steps.applicability import LAYERS
from permagrid.validation.scores import CLASS_METRICS, VALUE_METRICS
from run_folder import TARGET, bytes_of, carry_out, stamps
from small_study import BOUNDS, EPOCHS, small_study
from unpainted import Unpainted

LEARNERS = ["random_forest", "gradient_boosting", "climate_linear"]
FOLDS = ["random", "site", "block_200km"]


@pytest.fixture(scope="module")
def finished(small_world, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    carry_out(small_study(), small_world, out)
    return out


@pytest.fixture
def summary(finished) -> dict:
    return json.loads((finished / "summary.json").read_text())


def test_a_run_leaves_every_file_and_no_other(finished):
    assert {path.name for path in finished.iterdir()} == set(FILES)
    names = [f"small_{variable}_{epoch}" for variable in (TARGET, *LAYERS) for epoch in EPOCHS]
    expected = {f"{name}{suffix}" for name in names for suffix in (".tif", ".qml", ".sld")}
    expected |= {f"small_area_of_applicability_{epoch}.tif.aux.xml" for epoch in EPOCHS}
    assert {path.name for path in (finished / "maps").iterdir()} == expected
    assert not list(finished.rglob(".*.partial*"))


def test_maps_are_cogs_on_the_grid_with_unit_nodata_and_legal_values(finished):
    for path in (finished / "maps").glob("*.tif"):
        valid, errors, warnings = cog_validate(path, strict=True)
        assert (valid, errors, warnings) == (True, [], [])
        with rasterio.open(path) as raster:
            values = raster.read(1, masked=True)
            assert raster.crs.to_epsg() == 3995
            assert tuple(raster.bounds) == tuple(BOUNDS)
            assert raster.tags()["epoch"] in path.name
            assert int(raster.tags()["cells"]) == values.count() > 1000
            is_target = raster.tags()["variable"] == TARGET
            if is_target or raster.tags()["variable"] == "expected_error":
                assert np.isnan(raster.nodata)
                assert raster.units == ("degC",)
        if is_target:
            assert values.min() >= -25
            assert values.max() <= 15


def test_maps_lie_where_all_covariates_do(finished, small_world):
    with rasterio.open(small_world / "dem.tif") as raster:
        land = np.isfinite(raster.read(1, masked=True).filled(np.nan))
    for path in (finished / "maps").glob("*.tif"):
        with rasterio.open(path) as raster:
            mapped = ~np.ma.getmaskarray(raster.read(1, masked=True))
        assert not mapped[~land].any()
        # Of cells unlike any site nothing is known of the error.
        assert mapped.sum() > (0.8 if "expected_error" in path.name else 0.9) * land.sum()


def test_scores_have_a_row_for_every_learner_and_fold_scheme(finished):
    scores = pd.read_csv(finished / "scores.csv")
    pairs = list(zip(scores["learner"], scores["folds"], strict=True))
    assert sorted(pairs) == sorted((learner, folds) for learner in LEARNERS for folds in FOLDS)
    for metric in ("rmse", "mae", "bias", "r2"):
        assert (scores[f"{metric}_low"] <= scores[metric]).all()
        assert (scores[metric] <= scores[f"{metric}_high"]).all()
    assert set(scores["subset"]) == {"all"}
    predictions = pd.read_parquet(finished / "predictions.parquet")
    assert (predictions.groupby(["learner", "folds"]).size() == scores["n"].iloc[0]).all()


def test_the_summary_has_what_its_schema_says(summary, finished):
    assert {
        *(
            "schema",
            "study",
            "digest",
            "versions",
            "inputs",
            "sites",
            "folds",
            "scores",
            "models",
            "products",
        ),
        *("agreement", "truth", "reused", "timing_s", "peak_memory_mb", "covariates", "covariate_groups"),
        *("quote", "paired", "choices", "importance", "applicability", "audit"),
        *("intervals", "inventory", "emulation"),
    } == set(summary)
    assert (summary["schema"], summary["study"]) == (1, "small")
    assert {"permagrid", "numpy", "scikit-learn", "gdal"} <= set(summary["versions"])
    for product in summary["products"]:
        assert product["sha256"] == sha256_of(finished / product["path"])
        assert product["cells"] > product["clipped"] >= 0
    of_target = [product for product in summary["products"] if product["variable"] == TARGET]
    assert [(product["epoch"], product["units"]) for product in of_target] == [(e, "degC") for e in EPOCHS]
    for score in summary["scores"]:
        low, high = score["rmse_interval"]
        assert low <= score["rmse"] <= high
        assert {"target", "learner", "folds", "subset", "n", "n_sites", "mae", "bias", "r2"} <= set(score)
    assert set(summary["timing_s"]) >= {"check", "covariate stack", "sites", "validation", "maps", "report"}
    assert 100 < summary["peak_memory_mb"] < 4000


def test_groups_of_covariates_are_scored_on_the_spatial_folds_with_and_without(summary):
    gains = summary["covariate_groups"]
    assert {gain["folds"] for gain in gains} == {name for name in FOLDS if name != "random"}
    forest = {
        score["folds"]: score["rmse"] for score in summary["scores"] if score["learner"] == "random_forest"
    }
    for gain in gains:
        assert gain["group"] == "terrain"
        if gain["metric"] == "rmse":
            assert gain["with"] == forest[gain["folds"]]
            assert gain["change"] == pytest.approx(gain["with"] - gain["without"])


def test_every_covariate_says_how_it_is_made_with_the_defaults_written_out(summary):
    made = {entry["name"]: entry for entry in summary["covariates"]}
    assert made["slope"]["settings"]["input"] == "elevation"
    assert (made["bio1"]["units"], made["bio1"]["years"]) == ("degC", "1980-2019")


def test_every_field_and_every_file_is_documented(summary, finished):
    page = (Path(__file__).resolve().parents[1] / "docs" / "summary.md").read_text(encoding="utf-8")
    fields = {
        *summary,
        *summary["products"][0],
        *summary["truth"][0],
        *summary["sites"],
        *summary["folds"][0],
        *summary["covariates"][0],
        *summary["covariate_groups"][0],
    }
    fields |= {name for name in summary["scores"][0] if not name.endswith("_interval")}
    with rasterio.open(finished / summary["products"][0]["path"]) as raster:
        fields |= {tag for tag in raster.tags() if tag.islower()}
    assert [field for field in sorted(fields) if not re.search(rf"[`.]{field}[`.\[]", page)] == []
    assert [name for name in FILES if f"`{name}" not in page] == []
    assert {metric for metric in (*VALUE_METRICS, *CLASS_METRICS) if f"`{metric}`" not in page} == set()


def test_inputs_are_named_from_the_data_folder_with_their_hashes(summary, small_world):
    paths = [entry["path"] for entry in summary["inputs"]]
    assert "boreholes.csv" in paths
    assert f"bio1_{EPOCHS[0]}.tif" in paths
    assert not any(Path(path).is_absolute() for path in paths)
    for entry in summary["inputs"]:
        assert entry["sha256"] == sha256_of(small_world / entry["path"])


def test_counts_of_sites_agree_with_the_tables(summary, finished):
    sites, counts = gpd.read_parquet(finished / "sites.parquet"), summary["sites"]
    training = pd.read_parquet(finished / "training.parquet")
    used = training[training["excluded"] == ""]
    assert counts["rows_read"] == len(sites)
    assert counts["rows_kept"] == sites["kept"].sum() < len(sites)
    assert counts["read"] == sites["site_id"].nunique()
    assert counts["kept"] == used["site_id"].nunique() > 30
    assert counts["site_epochs"] == len(used) == summary["scores"][0]["n"]
    assert sum(counts["not_used"].values()) == len(training) - len(used)
    for test, found in counts["flagged"].items():
        assert found["fail"] == (sites[f"flag_{test}"] == 4).sum()
    assert sites.loc[~sites["kept"], "flag_reason"].ne("").all()


def test_the_truth_is_recovered(summary):
    assert [entry["epoch"] for entry in summary["truth"]] == EPOCHS
    assert all(entry["rmse"] < 2.0 and abs(entry["bias"]) < 1.0 for entry in summary["truth"])


def test_a_second_run_makes_nothing_anew_and_gives_the_same_bytes(finished, small_world):
    before = bytes_of(finished)
    kept = {
        name: stamps(finished, name) for name in ("maps/*.tif", "work/folds/*", "work/stack/*", "report.html")
    }
    began = time.process_time()
    carry_out(small_study(), small_world, finished)
    assert bytes_of(finished) == before
    assert {name: stamps(finished, name) for name in kept} == kept
    assert time.process_time() - began < 5


IN_A_PROCESS = """
import json, sys
from pathlib import Path
from permagrid.run import run
study, out, data = map(Path, sys.argv[1:4])
run(study, out, data=data, **json.loads(sys.argv[4]))
"""


def run_with_sets_in_another_order(seed: int, study: Path, out: Path, world: Path, **keywords) -> None:
    """Run a study in a process that holds its sets in another order than this one."""
    words = [sys.executable, "-c", IN_A_PROCESS, study, out, world, json.dumps(keywords)]
    subprocess.run(list(map(str, words)), check=True, env={**os.environ, "PYTHONHASHSEED": str(seed)})


def test_the_resolved_study_makes_the_same_bytes_whatever_the_order_of_sets_the_blocks_and_workers(
    finished, small_world, tmp_path
):
    study, out = finished / "study.resolved.yaml", tmp_path / "again"
    run_with_sets_in_another_order(3, study, out, small_world, block=16, workers=1)
    again = json.loads((out / "summary.json").read_text())
    assert again["digest"] == json.loads((finished / "summary.json").read_text())["digest"]
    assert bytes_of(out) == bytes_of(finished)
    for path in (out / "maps").iterdir():
        path.unlink()
    carry_out(small_study(), small_world, out, block=37, workers=4)
    assert bytes_of(out) == bytes_of(finished)


def test_presence_and_absence_are_mapped_with_their_probability(small_world, tmp_path, monkeypatch):
    monkeypatch.setattr("permagrid.report.canvas.FigureCanvasAgg", Unpainted)
    summary = carry_out(small_study(presence=True), small_world, tmp_path, block=50)
    assert {(p["variable"], p["epoch"]) for p in summary["products"]} == {
        (variable, epoch)
        for variable in ("permafrost_presence", "permafrost_probability", *LAYERS)
        for epoch in EPOCHS
    }
    assert summary["applicability"]["error_name"] == "misclassification"
    for epoch in EPOCHS:
        path = tmp_path / "maps" / f"small_permafrost_presence_{epoch}.tif"
        assert cog_validate(path, strict=True) == (True, [], [])
        assert {path.with_suffix(s).exists() for s in (".qml", ".sld", ".tif.aux.xml")} == {True}
        with rasterio.open(path) as raster:
            classes = raster.read(1)
            assert (raster.dtypes, raster.nodata) == (("uint8",), 255)
        with rasterio.open(tmp_path / "maps" / f"small_permafrost_probability_{epoch}.tif") as raster:
            probability = raster.read(1)
        there = np.isfinite(probability)
        assert ((classes == 255) == ~there).all()
        assert set(np.unique(classes[there])) == {0, 1}
        assert probability[there].min() >= 0.0
        assert probability[there].max() <= 1.0
        assert ((classes == 1) == (probability > 0.5))[there].mean() > 0.99
    forest = next(s for s in summary["scores"] if (s["learner"], s["folds"]) == ("random_forest", "site"))
    assert forest["accuracy"] > 0.7
    assert {"kappa", "mcc", "roc_auc", "pr_auc", "brier", "f1"} <= set(forest)
    assert all(entry["equal_share"] > 0.7 for entry in summary["truth"])
    predictions = pd.read_parquet(tmp_path / "predictions.parquet")
    assert predictions["probability"].between(0, 1).all()
    before = bytes_of(tmp_path)
    carry_out(small_study(presence=True), small_world, tmp_path)
    assert bytes_of(tmp_path) == before
