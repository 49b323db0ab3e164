"""A run with an ensemble: nested scores, intervals, maps, members, totals, the same bytes for any blocks."""

import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from shapely.geometry import box

from permagrid.files import sha256_of
from permagrid.run import run
from permagrid.rundir import RunDir
from permagrid.show import show_run
from permagrid.steps.ensemble import joined
from permagrid.steps.nested import Nested
from permagrid.steps.scores import Ground
from permagrid.study import parse_study
from permagrid.validation import Comparison, Folds, Predicted
from small_study import EPOCHS, small_study

TARGET = "mean_annual_ground_temperature"
LEARNERS = ["random_forest", "gradient_boosting", "climate_linear"]
SPAN = "2000-2014"
pytestmark = pytest.mark.usefixtures("unpainted")


def ensemble_study(*, presence: bool = False, regions: Path | None = None) -> dict:
    study = small_study(presence=presence)
    study["learners"][0]["n_estimators"] = 10
    study["learners"][1]["max_iter"] = 10
    study["validation"]["folds"] = study["validation"]["folds"][1:]
    study["validation"].pop("groups")
    study["ensemble"] = {
        "label": "joined" if presence else "copula_bma",
        "learners": list(LEARNERS),
        "members": 20,
        "inner": {"method": "site", "n_folds": 3},
        "block": 200000,
    }
    study["inventory"] = {"permafrost": {} if presence else {"threshold": -1.0}}
    if regions is not None:
        study["inventory"]["regions"] = {"path": str(regions), "name": "NAME"}
    study["products"] = {"learner": study["ensemble"]["label"], "applicability": not presence}
    return study


def carry_out(study: dict, world: Path, out: Path, **keywords) -> dict:
    run(parse_study(study), out, data=world, **keywords)
    return json.loads((out / "summary.json").read_text())


def values_of(out: Path, variable: str, epoch: str) -> np.ndarray:
    with rasterio.open(out / "maps" / f"small_{variable}_{epoch}.tif") as raster:
        return raster.read(1).astype(float)


@pytest.fixture(scope="module")
def regions(tmp_path_factory) -> Path:
    """Write two regions that share a border."""
    path = tmp_path_factory.mktemp("regions") / "regions.gpkg"
    halves = [box(-180, 50, -168, 80), box(-168, 50, -150, 80)]
    gpd.GeoDataFrame({"NAME": ["west", "east"]}, geometry=halves, crs="EPSG:4326").to_file(path)
    return path


@pytest.fixture(scope="module")
def finished(small_world, regions, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("ensemble") / "out"
    carry_out(ensemble_study(regions=regions), small_world, out)
    return out


@pytest.fixture
def summary(finished) -> dict:
    return json.loads((finished / "summary.json").read_text())


def test_the_ensemble_is_scored_beside_its_learners(finished):
    scores = pd.read_csv(finished / "scores.csv")
    assert set(scores["learner"]) == {*LEARNERS, "copula_bma", "plain_bma"}
    assert scores.groupby("folds")["learner"].nunique().eq(5).all()
    assert scores.loc[scores["learner"] == "copula_bma", "rmse"].between(0.1, 3.0).all()


def test_intervals_are_scored_for_the_ensemble_plain_averaging_and_each_learner(summary):
    record = summary["intervals"]
    whole = [line for line in record["coverage"] if line["by"] == "all"]
    assert {line["learner"] for line in whole} == {"copula_bma", "plain_bma", *LEARNERS}
    assert {line["level"] for line in whole} == {0.5, 0.8, 0.9, 0.95}
    own = {
        line["level"]: line for line in whole if line["learner"] == "copula_bma" and line["folds"] == "site"
    }
    assert own[0.5]["coverage"] < own[0.95]["coverage"]
    assert own[0.5]["width"] < own[0.95]["width"]
    assert {line["by"] for line in record["coverage"]} >= {"all", "region", "di_bin"}
    assert {line["method"] for line in record["conformal"]} == {"stated", "split", "cqr", "mondrian"}
    assert {line["learner"] for line in record["paired"]} == {"plain_bma", *LEARNERS}
    assert all(0.0 <= line["goodness_p"] <= 1.0 for line in record["mixture"]["learners"])
    weights = [line["weight"] for line in record["mixture"]["learners"]]
    assert sum(weights) == pytest.approx(1.0)


def test_maps_of_the_interval_go_together_and_tell_what_they_hold(finished, summary):
    for epoch in EPOCHS:
        low, high = (values_of(finished, f"{TARGET}_{end}_95", epoch) for end in ("lower", "upper"))
        mean, width = (
            values_of(finished, TARGET, epoch),
            values_of(finished, f"{TARGET}_interval_width", epoch),
        )
        known = np.isfinite(mean)
        assert known.any()
        assert (low[known] < mean[known]).all()
        assert (mean[known] < high[known]).all()
        np.testing.assert_allclose(width[known], (high - low)[known], atol=1e-5)
    with rasterio.open(finished / "maps" / f"small_{TARGET}_interval_width_{epoch}.tif") as raster:
        tags = raster.tags()
    assert tags["interval_probability"] == "0.95"
    assert tags["interval_measure"] == "full width"
    quote = summary["intervals"]["quote"]
    assert tags["interval_coverage_folds"] == quote
    told = [
        line["coverage"]
        for line in summary["intervals"]["coverage"]
        if (line["learner"], line["folds"], line["by"], line["level"]) == ("copula_bma", quote, "all", 0.95)
    ]
    assert [float(tags["interval_measured_coverage"])] == pytest.approx(told, abs=1e-4)


def test_probability_and_zones_follow_from_the_distribution(finished):
    for epoch in EPOCHS:
        chance, zone = (
            values_of(finished, "permafrost_probability", epoch),
            values_of(finished, "permafrost_zone", epoch),
        )
        mean = values_of(finished, TARGET, epoch)
        known = np.isfinite(chance)
        assert (zone[~known] == 255).all()
        assert (zone[known & (chance >= 0.9)] == 4).all()
        assert (zone[known & (chance < 0.01)] == 0).all()
        # Where the mean lies far below the threshold there is more permafrost than where it lies far above.
        assert chance[known & (mean < -3.0)].mean() > chance[known & (mean > 0.0)].mean() + 0.3


def test_areas_have_ranges_and_change_is_that_of_paired_members(finished, summary):
    record = summary["inventory"]
    totals = [line for line in record["totals"] if line["quantity"] == "permafrost_area"]
    parts = [line for line in totals if line["region"] != "all" and line["epoch"] == EPOCHS[0]]
    areas = {line["epoch"]: line for line in totals if line["region"] == "all"}
    assert {line["region"] for line in parts} == {"west", "east"}
    assert sum(line["mean"] for line in parts) == pytest.approx(areas[EPOCHS[0]]["mean"], rel=1e-9)
    assert set(areas) == set(EPOCHS)
    for line in areas.values():
        assert 0 < line["low"] < line["mean"] < line["high"] < line["area_km2"] * 1.0001
        assert line["independent_high"] - line["independent_low"] < line["high"] - line["low"]
        assert line["members"] == 20
    zones = [line for line in record["zones"] if (line["epoch"], line["region"]) == (EPOCHS[0], "all")]
    assert sum(line["mean"] for line in zones) == pytest.approx(areas[EPOCHS[0]]["area_km2"], rel=1e-9)
    (change,) = [line for line in record["changes"] if line["region"] == "all"]
    assert change["mean"] == pytest.approx(areas[EPOCHS[1]]["mean"] - areas[EPOCHS[0]]["mean"], rel=1e-6)
    independent = np.hypot(areas[EPOCHS[0]]["sd"], areas[EPOCHS[1]]["sd"])
    assert change["sd"] < independent
    for truth in record["truth"]:
        assert 0 < truth["value"] < areas[truth["epoch"]]["area_km2"]
    assert {line["epoch"] for line in record["truth"]} == set(EPOCHS)
    assert all(0.05 < line["threshold"] < 0.95 for line in record["thresholds"])
    rises = values_of(finished, f"{TARGET}_increase_probability", SPAN)
    risen = values_of(finished, f"{TARGET}_change", SPAN)
    known = np.isfinite(rises)
    assert ((rises[known] >= 0) & (rises[known] <= 1)).all()
    assert np.corrcoef(rises[known], risen[known])[0, 1] > 0.3


def test_show_tells_coverage_and_totals(finished):
    text = show_run(finished)
    assert "95% intervals of copula_bma hold" in text
    assert "permafrost area 2010-2014: " in text
    assert "km2 (" in text


def test_blocks_and_workers_change_no_byte_and_a_second_run_takes_all_over(
    finished, regions, small_world, tmp_path
):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    before = {path.name: sha256_of(path) for path in (out / "maps").glob("*.tif")}
    shutil.rmtree(out / "maps")
    (out / "work" / "members.json").unlink()
    study = ensemble_study(regions=regions)
    told = carry_out(study, small_world, out, block=37, workers=1)
    assert {path.name: sha256_of(path) for path in (out / "maps").glob("*.tif")} == before
    first = json.loads((finished / "summary.json").read_text())
    assert told["inventory"] == first["inventory"]
    assert told["intervals"] == first["intervals"]
    again = carry_out(study, small_world, out)
    assert again["reused"]["maps"] == len(before)


def test_an_ensemble_of_classes_maps_probabilities_zones_and_areas(small_world, tmp_path):
    told = carry_out(ensemble_study(presence=True), small_world, tmp_path / "out")
    scores = [line for line in told["scores"] if line["learner"] == "joined"]
    assert {line["folds"] for line in scores} == {"site", "block_200km"}
    assert all(0.5 < line["accuracy"] <= 1.0 for line in scores)
    assert told["intervals"] is None
    chance = values_of(tmp_path / "out", "permafrost_probability", EPOCHS[0])
    presence = values_of(tmp_path / "out", "permafrost_presence", EPOCHS[0])
    known = np.isfinite(chance)
    assert ((presence[known] == 1) == (chance[known] > 0.5)).mean() > 0.999
    areas = [line for line in told["inventory"]["totals"] if line["epoch"] == EPOCHS[0]]
    assert areas[0]["low"] <= areas[0]["mean"] <= areas[0]["high"]


def made_comparison(observed: np.ndarray, said: np.ndarray) -> tuple[Comparison, Nested, pd.DataFrame]:
    """Return what three learners said of made rows in two folds, and within the training rows of each."""
    n = len(observed)
    halves = np.arange(n // 2), np.arange(n // 2, n)
    folds = Folds("site", "two halves", (halves[::-1], halves), groups=np.arange(n))
    raw = {(name, "site"): Predicted(said[np.newaxis, :, k]) for k, name in enumerate(LEARNERS)}
    within, inner = {"map": said + 0.1}, {"map": folds}
    for number, (train, _) in enumerate(folds):
        within[f"site_{number}"] = np.full_like(said, np.nan)
        within[f"site_{number}"][train] = said[train] + 0.2
        pairs = (train[::2], train[1::2]), (train[1::2], train[::2])
        inner[f"site_{number}"] = Folds(f"site_{number}", "two parts", pairs, groups=np.arange(n))
    table = pd.DataFrame({"site_id": np.arange(n).astype(str), "epoch": EPOCHS[0], "value": observed})
    table = table.assign(site_group=np.arange(n), longitude=np.linspace(-179, -157, n), latitude=65.0)
    names = [part["name"] for part in ensemble_study()["covariates"]]
    table = table.assign(**dict.fromkeys(names, 0.0))
    return Comparison(pd.DataFrame(), pd.DataFrame(), (folds,), raw=raw), Nested(within, inner), table


def test_the_distribution_of_a_fold_does_not_depend_on_what_was_observed_in_it(tmp_path):
    study = parse_study(ensemble_study())
    generator = np.random.default_rng(3)
    observed = generator.normal(-3.0, 2.0, 80)
    said = observed[:, np.newaxis] + generator.normal(0.0, [0.5, 0.8, 1.2], (80, 3))
    changed = observed.copy()
    changed[:40] -= 2.0
    found = []
    for number, values in enumerate((observed, changed)):
        comparison, nested, table = made_comparison(values, said)
        ground = Ground.of(table, table, study, tmp_path, 1)
        with RunDir(tmp_path / str(number)) as folder:
            found.append(joined(ground, study, comparison, nested, folder, advance=lambda done, total: None))
    first, second = (each.quantiles["copula_bma", "site"][0] for each in found)
    np.testing.assert_array_equal(first[:40], second[:40])
    assert (first[40:] != second[40:]).any(axis=1).all()
