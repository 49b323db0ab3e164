"""A run whose learners choose: the fold schemes, the score to quote, what was chosen, where to believe it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio

from permagrid.files import sha256_of
from permagrid.run import run
from permagrid.steps.inputs import input_files
from permagrid.study import parse_study
from small_study import EPOCHS, small_study

LAYERS = ("dissimilarity_index", "area_of_applicability", "local_point_density", "expected_error")


def choosy_study() -> dict:
    """Return a study whose mapped learner chooses its covariates and keywords, and weighs its rows."""
    study = small_study()
    study["validation"] = {
        "folds": [
            {"method": "random", "n_folds": 3, "repeats": 2},
            {"method": "site", "n_folds": 3},
            {"method": "knndm", "n_folds": 3},
            {"method": "block", "size": "residual_variogram", "n_folds": 3},
            {"method": "epoch"},
        ],
        "inner": {"method": "site", "n_folds": 3},
        "bootstrap": 100,
        "domain": 400,
    }
    groups = {"warmth": ["bio1", "bio10"], "ground": ["soil_sand", "slope"]}
    study["learners"] = [
        {
            "name": "ridge",
            "label": "choosy",
            "covariates": ["bio1", "bio10", "snow_depth", "soil_sand", "slope", "depth"],
            "selection": {"method": "combination", "groups": groups},
            "search": {"space": {"alpha": [0.1, 10.0]}},
            "weights": {"rule": "inverse_density", "distance": 50000},
        },
        {"name": "climate_linear", "covariates": ["bio1", "snow_depth"]},
    ]
    study["validation"]["groups"] = [{"name": "snow", "covariates": ["snow_depth"]}]
    study["validation"]["group_learner"] = "climate_linear"
    study["products"] = {"learner": "choosy"}
    return study


@pytest.fixture(scope="module")
def out(small_world, tmp_path_factory, unpainted) -> Path:
    folder = tmp_path_factory.mktemp("choosy") / "out"
    return run(parse_study(choosy_study()), folder, data=small_world, workers=2)


@pytest.fixture
def summary(out) -> dict:
    return json.loads((out / "summary.json").read_text())


def test_every_scheme_has_scores_and_distances(out, summary):
    names = ["random_2x3", "site", "knndm", "block_residual", "epoch"]
    assert [each["name"] for each in summary["folds"]] == names
    assert [each["repeats"] for each in summary["folds"]] == [2, 1, 1, 1, 1]
    scores = pd.read_csv(out / "scores.csv")
    assert sorted(scores["folds"]) == sorted(names * 2)
    curves = pd.read_csv(out / "fold_distances.csv")
    assert set(curves["folds"]) == set(names)
    assert curves.groupby(["folds", "kind"])["share"].max().eq(1.0).all()


def test_the_score_to_quote_has_the_smallest_distance_of_those_that_hold_sites_out(summary):
    spatial = {each["name"]: each["wasserstein_km"] for each in summary["folds"] if each["spatial"]}
    assert set(spatial) == {"site", "knndm", "block_residual"}
    assert summary["quote"]["folds"] == min(spatial, key=spatial.get)
    assert summary["quote"]["learner"] == "choosy"
    low, high = summary["quote"]["rmse_interval"]
    rows = [each for each in summary["scores"] if each["learner"] == "choosy"]
    assert low < next(each["rmse"] for each in rows if each["folds"] == summary["quote"]["folds"]) < high


def test_what_was_chosen_in_the_folds_and_for_the_map_is_told(out, summary):
    assert {each["folds"] for each in summary["choices"]} == {each["name"] for each in summary["folds"]}
    for each in summary["choices"]:
        assert each["learner"] == "choosy"
        assert {entry["keyword"] for entry in each["keywords"]} == {"alpha"}
        assert sum(entry["share"] for entry in each["keywords"]) == pytest.approx(1.0)
        shares = {entry["name"]: entry["share"] for entry in each["covariates"]}
        assert shares["snow_depth"] == shares["depth"] == 1.0
        assert shares.get("soil_sand") == shares.get("slope")
    final = summary["choices"][0]["final"]
    assert json.loads((out / "work" / "choice.json").read_text()) == final
    assert set(summary["applicability"]["covariates"]) == set(final["covariates"])


def test_the_other_learner_is_compared_with_that_of_the_map_on_the_same_folds(summary):
    rmse = [each for each in summary["paired"] if each["metric"] == "rmse"]
    assert {each["folds"] for each in rmse} == {each["name"] for each in summary["folds"]}
    for each in rmse:
        assert (each["learner"], each["reference"]) == ("climate_linear", "choosy")
        assert each["difference"] == pytest.approx(each["score"] - each["reference_score"])
        low, high = each["difference_interval"]
        assert low <= each["difference"] <= high
        assert 0 <= each["p"] <= 1


def test_groups_are_left_out_of_the_learner_that_is_named(out, summary):
    scores = pd.read_csv(out / "scores.csv").query("learner == 'climate_linear'").set_index("folds")
    rows = [each for each in summary["covariate_groups"] if each["metric"] == "rmse"]
    assert {each["group"] for each in rows} == {"snow"}
    for each in rows:
        assert each["with"] == pytest.approx(scores.loc[each["folds"], "rmse"])


def test_maps_say_where_the_learner_may_be_believed(out, summary):
    told = summary["applicability"]
    for epoch in EPOCHS:
        values = {}
        for name in LAYERS:
            with rasterio.open(out / "maps" / f"small_{name}_{epoch}.tif") as raster:
                values[name] = raster.read(1, masked=True).astype(float).filled(np.nan)
        with rasterio.open(out / "maps" / f"small_mean_annual_ground_temperature_{epoch}.tif") as raster:
            mapped = ~raster.read(1, masked=True).mask
        di, inside = values["dissimilarity_index"], values["area_of_applicability"]
        assert (np.isfinite(di) == mapped).all()
        np.testing.assert_array_equal(inside[mapped] == 1, di[mapped] <= np.float32(told["threshold"]))
        assert (values["local_point_density"][mapped & (inside == 0)] == 0).all()
        error = values["expected_error"]
        assert np.isfinite(error[mapped & (inside == 1)]).mean() > 0.9
        assert abs((inside[mapped] == 1).mean() - told["inside_share"][epoch]) < 0.1
    assert sorted(told["products"]) == sorted(f"small_{n}_{e}.tif" for n in LAYERS for e in EPOCHS)


def test_the_audit_knows_that_rows_of_a_site_are_split(summary):
    assert any("random_2x3" in each["where"] + each["what"] for each in summary["audit"])
    assert {each["severity"] for each in summary["audit"]} <= {"fatal", "severe", "caution", "note"}


def test_a_second_run_chooses_nothing_anew_and_workers_change_no_byte(out, small_world, tmp_path):
    names = [
        path for path in sorted(out.rglob("*")) if path.is_file() and path.suffix in (".tif", ".csv", ".html")
    ]
    before = {path: (sha256_of(path), path.stat().st_mtime_ns) for path in names if "work" not in path.parts}
    pieces = {path: path.stat().st_mtime_ns for path in (out / "work" / "folds").iterdir()}
    run(parse_study(choosy_study()), out, data=small_world, workers=1)
    assert {path: path.stat().st_mtime_ns for path in (out / "work" / "folds").iterdir()} == pieces
    assert {path: sha256_of(path) for path in before} == {path: sha for path, (sha, _) in before.items()}
    alone = run(parse_study(choosy_study()), tmp_path / "alone", data=small_world, workers=1, block=29)
    for path in before:
        assert sha256_of(alone / path.relative_to(out)) == before[path][0], path.name


def test_polygons_of_folds_are_an_input_of_the_study(small_world):
    study = choosy_study()
    study["validation"]["folds"].append({"method": "region", "path": "regions.gpkg"})
    assert small_world / "regions.gpkg" in input_files(parse_study(study), small_world)


def test_without_applicability_there_are_no_such_maps(small_world, tmp_path, unpainted):
    study = small_study(lean=True)
    study["products"]["applicability"] = False
    out = run(parse_study(study), tmp_path / "out", data=small_world)
    assert not list((out / "maps").glob("*applicability*"))
    assert json.loads((out / "summary.json").read_text())["applicability"] is None
