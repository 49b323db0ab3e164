"""A whole run on a small virtual world: every file, the same bytes again, and only what changed made anew."""

import json
import multiprocessing
import os
import re
import shutil
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

from permagrid.errors import PermagridError, StudyError
from permagrid.files import sha256_of
from permagrid.progress import Steps
from permagrid.run import run
from permagrid.rundir import FILES
from permagrid.steps.applicability import LAYERS
from permagrid.study import parse_study
from permagrid.validation.scores import CLASS_METRICS, VALUE_METRICS
from small_study import BOUNDS, EPOCHS, small_study

TABLES = ("scores.csv", "sites.parquet", "training.parquet", "predictions.parquet")
TARGET = "mean_annual_ground_temperature"
LEARNERS = ["random_forest", "gradient_boosting", "climate_linear"]
FOLDS = ["random", "site", "block_200km"]


def carry_out(study: dict, world: Path, out: Path, **keywords) -> dict:
    run(parse_study(study), out, data=world, **keywords)
    return json.loads((out / "summary.json").read_text())


def stamps(folder: Path, pattern: str) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in sorted(folder.glob(pattern))}


def bytes_of(folder: Path) -> dict[str, str]:
    names = [*TABLES, "report.html", "study.resolved.yaml"]
    paths = [folder / name for name in names] + sorted((folder / "maps").iterdir())
    return {path.name: sha256_of(path) for path in paths}


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
        *("schema", "study", "digest", "versions", "inputs", "sites", "folds", "scores", "products"),
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


def test_the_resolved_study_makes_the_same_run(finished, small_world, tmp_path):
    out = tmp_path / "again"
    run(finished / "study.resolved.yaml", out, data=small_world)
    again = json.loads((out / "summary.json").read_text())
    assert again["digest"] == json.loads((finished / "summary.json").read_text())["digest"]
    assert bytes_of(out) == bytes_of(finished)


def test_a_second_run_makes_nothing_anew_and_gives_the_same_bytes(finished, small_world):
    before = bytes_of(finished)
    kept = {
        name: stamps(finished, name) for name in ("maps/*.tif", "work/folds/*", "work/stack/*", "report.html")
    }
    steps = Steps()
    carry_out(small_study(), small_world, finished, steps=steps)
    assert bytes_of(finished) == before
    assert {name: stamps(finished, name) for name in kept} == kept
    assert sum(steps.seconds.values()) < 5


def test_blocks_and_workers_change_no_byte(finished, small_world, tmp_path):
    carry_out(small_study(), small_world, tmp_path, block=16, workers=1)
    assert bytes_of(tmp_path) == bytes_of(finished)
    for path in (tmp_path / "maps").iterdir():
        path.unlink()
    carry_out(small_study(), small_world, tmp_path, block=37, workers=4)
    assert bytes_of(tmp_path) == bytes_of(finished)


def test_the_order_in_which_python_holds_its_sets_changes_no_byte(finished, small_world, tmp_path):
    (tmp_path / "study.json").write_text(json.dumps(small_study()))
    words = ["run", "study.json", "--data", small_world, "--out", "out"]
    code = "import sys; from permagrid.cli import main; main(sys.argv[1:], prog_name='permagrid')"
    for seed in ("1", "3"):
        subprocess.run(
            [sys.executable, "-c", code, *map(str, words)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        assert bytes_of(tmp_path / "out") == bytes_of(finished)
        shutil.rmtree(tmp_path / "out")


@pytest.fixture(scope="module")
def lean(small_world, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("lean") / "out"
    carry_out(small_study(lean=True), small_world, out)
    return out


@pytest.fixture
def copy(lean, tmp_path) -> Path:
    """Return a copy of a finished run, times of change included."""
    return Path(shutil.copytree(lean, tmp_path / "out"))


def layers(folder: Path) -> dict[str, int]:
    """Return layer -> when it was made, whatever digest its name ends with."""
    return {name.rpartition("_")[0]: time for name, time in stamps(folder, "work/stack/*.zarr").items()}


def folds(folder: Path) -> dict[str, int]:
    return stamps(folder, "work/folds/*.npy")


def maps(folder: Path) -> dict[str, int]:
    return stamps(folder, "maps/*.tif")


def targets(folder: Path) -> dict[str, int]:
    return stamps(folder, f"maps/small_{TARGET}_*.tif")


def test_a_changed_learner_keeps_the_stack(copy, small_world):
    study = small_study(lean=True)
    study["learners"][0]["n_estimators"] = 10
    before = layers(copy), folds(copy), maps(copy)
    carry_out(study, small_world, copy)
    assert layers(copy) == before[0]
    assert not set(folds(copy).items()) & set(before[1].items())
    assert not set(maps(copy).items()) & set(before[2].items())


def test_a_further_learner_and_further_folds_keep_those_that_were_there(copy, small_world):
    study = small_study(lean=True)
    study["learners"].append({"name": "gradient_boosting", "max_iter": 5})
    study["validation"]["folds"].append({"method": "block", "size": 200000, "n_folds": 3})
    before = layers(copy), folds(copy), targets(copy)
    carry_out(study, small_world, copy)
    assert (layers(copy), targets(copy)) == (before[0], before[2])
    assert set(before[1].items()) < set(folds(copy).items())
    assert len(folds(copy)) == 6


def test_a_dropped_fold_scheme_leaves_nothing_behind(copy, small_world):
    study = small_study(lean=True)
    study["validation"]["folds"] = study["validation"]["folds"][1:]
    carry_out(study, small_world, copy)
    assert list(folds(copy)) == ["all_site_random_forest_0.npy"]


def test_a_changed_title_refits_nothing(copy, small_world):
    study = small_study(lean=True)
    study["metadata"]["title"] = "Another title"
    before = layers(copy), folds(copy)
    summary = carry_out(study, small_world, copy)
    assert (layers(copy), folds(copy)) == before
    for product in summary["products"]:
        with rasterio.open(copy / product["path"]) as raster:
            assert raster.tags()["TIFFTAG_IMAGEDESCRIPTION"].startswith("Another title")


def test_a_further_epoch_keeps_the_layers_of_the_others(copy, small_world):
    study = small_study(lean=True)
    study["epochs"] = ["1990-1994", *study["epochs"]]
    before = layers(copy)
    carry_out(study, small_world, copy)
    assert set(before.items()) < set(layers(copy).items())
    assert set(layers(copy)) - set(before) == {"bio1_1990-1994", "snow_depth_1990-1994"}
    assert len(targets(copy)) == 3
    assert len(maps(copy)) == 15


def test_a_dropped_epoch_takes_its_layers_and_maps_with_it(copy, small_world):
    study = small_study(lean=True)
    study["epochs"] = study["epochs"][1:]
    carry_out(study, small_world, copy)
    assert not [path for path in copy.rglob("*") if EPOCHS[0] in path.name]
    assert not [name for name in json.loads((copy / "work" / "ledger.json").read_text()) if EPOCHS[0] in name]


def test_another_study_is_refused_in_a_folder_that_holds_one(copy, small_world):
    before = maps(copy)
    with pytest.raises(PermagridError, match="holds the study small; choose another --out for renamed"):
        run(parse_study(small_study(lean=True) | {"study": "renamed"}), copy, data=small_world)
    assert maps(copy) == before


@pytest.mark.parametrize("name", ["sites.parquet", "scores.csv", "report.html"])
def test_files_that_no_run_left_are_not_written_over(name, small_world, tmp_path):
    (tmp_path / name).write_text("precious")
    with pytest.raises(PermagridError, match=f"holds {name}, which no run of permagrid left"):
        run(parse_study(small_study(lean=True)), tmp_path, data=small_world)
    assert (tmp_path / name).read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_maps_of_an_epoch_that_is_gone_are_removed_and_no_other_file(copy, small_world):
    (copy / "maps" / "by_hand.tif").write_text("not of this run")
    carry_out(small_study(lean=True) | {"epochs": EPOCHS[:1]}, small_world, copy)
    names = {path.name for path in (copy / "maps").glob("*.tif")}
    assert "by_hand.tif" in names
    assert not [name for name in names if EPOCHS[1] in name]


def test_a_changed_input_file_rebuilds_what_is_made_from_it_and_only_that(copy, small_world, tmp_path):
    world = Path(shutil.copytree(small_world, tmp_path / "world"))
    with rasterio.open(world / "dem.tif", "r+") as raster:
        values = raster.read(1)
        raster.write(values + np.float32(1.0), 1)
    before = layers(copy)
    carry_out(small_study(lean=True), world, copy)
    after = layers(copy)
    assert {name for name in before if before[name] != after[name]} == {"elevation", "slope"}


@pytest.mark.parametrize("damage", ["map", "layer", "fold", "style"])
def test_what_was_damaged_is_made_again(copy, lean, small_world, damage):
    pattern = {
        "map": "maps/*.tif",
        "layer": "work/stack/bio1_*",
        "fold": "work/folds/*",
        "style": "maps/*.qml",
    }
    victim = sorted(copy.glob(pattern[damage]))[0]
    victim = (
        sorted(path for path in victim.rglob("c/*/*") if path.is_file())[0] if victim.is_dir() else victim
    )
    content = victim.read_bytes()
    victim.write_bytes(content[: len(content) // 2])
    before = layers(copy)
    carry_out(small_study(lean=True), small_world, copy)
    assert victim.read_bytes() == content
    assert bytes_of(copy) == bytes_of(lean)
    changed = {name for name, time in layers(copy).items() if time != before[name]}
    assert changed == ({f"bio1_{EPOCHS[0]}"} if damage == "layer" else set())


def test_a_run_that_fails_leaves_no_summary_of_another_study(copy, small_world, monkeypatch):
    def full(*_):
        raise PermagridError("no space left")

    monkeypatch.setattr("permagrid.steps.layers.write_cog", lambda *_, **__: full())
    # Of the same study nothing is to be made: it does not fail, and its summary stays.
    carry_out(small_study(lean=True), small_world, copy)
    with pytest.raises(PermagridError, match="no space left"):
        run(parse_study(small_study(lean=True) | {"seed": 99}), copy, data=small_world)
    assert not (copy / "summary.json").exists()
    assert not [path for path in copy.rglob("*") if ".partial" in path.name]
    monkeypatch.undo()
    carry_out(small_study(lean=True) | {"seed": 99}, small_world, copy)
    assert len(targets(copy)) == 2


def test_a_study_with_faults_writes_nothing(small_world, tmp_path):
    study = small_study(lean=True)
    study["covariates"][0]["path"] = "nowhere_{epoch}.tif"
    with pytest.raises(StudyError, match="nowhere"):
        run(parse_study(study), tmp_path / "out", data=small_world)
    assert not (tmp_path / "out").exists()


MOMENTS = [
    "work/stack/*.partial",
    "work/stack/*.zarr",
    "work/folds/.*partial*",
    "work/folds/*.npy",
    "work/.*.partial.tif",
    "maps/.*partial*",
    f"maps/*{EPOCHS[0]}.tif",
    f"maps/*{EPOCHS[1]}.tif",
    "sites.parquet",
    ".report.partial.html",
    "report.html",
]
"""What appears in the folder of a run, in this order: at each a run is killed."""


def test_runs_killed_at_any_moment_leave_no_half_product_and_the_last_one_ends_as_if_undisturbed(
    lean, small_world, tmp_path
):
    study, out = tmp_path / "study.json", tmp_path / "out"
    study.write_text(json.dumps(small_study(lean=True)))
    whole, killed = bytes_of(lean), []
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["permagrid.run"])
    for moment in MOMENTS:
        process = server.Process(target=run, args=(study, out), kwargs={"data": small_world, "workers": 1})
        process.start()
        while not list(out.glob(moment)) and process.is_alive():
            time.sleep(0.0005)
        process.kill()
        process.join()
        if process.exitcode == 0:
            # Too short a moment to be seen: the run came to its end.
            shutil.rmtree(out)
            continue
        killed.append(moment)
        there = {path.name: sha256_of(path) for path in (out / "maps").glob("[!.]*")}
        there |= {name: sha256_of(out / name) for name in (*TABLES, "report.html") if (out / name).exists()}
        assert there.items() <= whole.items(), f"killed at {moment}"
        assert not (out / "summary.json").exists()
    assert len(killed) >= 6
    run(study, out, data=small_world)
    assert bytes_of(out) == whole
    assert {path.name for path in out.iterdir()} == set(FILES)
    assert not [path for path in out.rglob("*") if ".partial" in path.name]


def test_presence_and_absence_are_mapped_with_their_probability(small_world, tmp_path):
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
