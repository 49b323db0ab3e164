"""Maps by a stored model: the bytes of its run without any site, maps of other grids, and clear refusals."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from command_line import call
from permagrid import load_model
from permagrid.errors import PermagridError
from permagrid.predict import Means, predict
from permagrid.study import parse_study
from permagrid.verify import verify
from run_folder import TARGET, carry_out
from small_study import BOUNDS, EPOCHS, small_study

pytestmark = pytest.mark.usefixtures("unpainted")
LEARNERS = ["random_forest", "climate_linear"]


def joined_study() -> dict:
    """Return a study that maps by an ensemble, some of it without a compiled form."""
    study = small_study(lean=True)
    study["learners"][0]["n_estimators"] = 8
    study["learners"].append({"name": "climate_linear", "covariates": ["bio1", "snow_depth", "depth"]})
    study["validation"] = {"folds": [{"method": "site", "n_folds": 3}], "bootstrap": 50}
    inner = {"method": "site", "n_folds": 3}
    study["ensemble"] = {"learners": LEARNERS, "inner": inner, "members": 0}
    study["products"] = {"learner": "copula_bma", "applicability": False}
    return study


def studies() -> dict[str, dict]:
    """Return a study that maps by one learner, and one that maps by an ensemble."""
    return {"random_forest": small_study(lean=True), "copula_bma": joined_study()}


@pytest.fixture(scope="module")
def runs(small_world, tmp_path_factory) -> dict[str, Path]:
    """Return the folders of a run by one learner and of one by an ensemble."""
    folder = tmp_path_factory.mktemp("runs")
    for name, study in studies().items():
        carry_out(study, small_world, folder / name)
    return {name: folder / name for name in studies()}


@pytest.fixture(scope="module")
def rasters(small_world, tmp_path_factory) -> Path:
    """Return the data of another machine, which has no table of sites and no truth."""
    folder = tmp_path_factory.mktemp("elsewhere") / "data"
    shutil.copytree(small_world, folder)
    shutil.rmtree(folder / "truth")
    for path in folder.glob("*.csv"):
        path.unlink()
    return folder


@pytest.mark.parametrize(
    ("name", "study"), [("random_forest", small_study(lean=True)), ("copula_bma", joined_study())]
)
def test_a_model_draws_the_maps_of_its_run_without_its_sites(
    name, study, runs, rasters, tmp_path, monkeypatch
):
    def none_is_fitted(*_):
        raise AssertionError

    monkeypatch.setattr("permagrid.steps.models.fit", none_is_fitted)
    model = shutil.copytree(runs[name] / "models" / name, tmp_path / "carried")
    study = parse_study(studies()[name])
    made = predict(model, study, tmp_path / "out", data=rasters, means=Means(block=33))
    assert made
    for path in made:
        assert path.read_bytes() == (runs[name] / "maps" / path.name).read_bytes()
    wanted = {p.name for p in (runs[name] / "maps").glob(f"*{TARGET}*")}
    assert {p.name for p in (tmp_path / "out" / "maps").iterdir()} == wanted
    assert verify(tmp_path / "out").status == 0


def test_the_command_draws_another_grid(runs, rasters, tmp_path, capsys):
    study = small_study(lean=True)
    west, _, _, north = BOUNDS
    bounds = [west, north - 100000, west + 200000, north]
    study["grid"] = {"crs": "EPSG:3995", "resolution": 5000, "bounds": bounds}
    study["epochs"] = EPOCHS[:1]
    (tmp_path / "study.json").write_text(json.dumps(study))
    model = runs["random_forest"] / "models" / "random_forest"
    words = ["predict", model, tmp_path / "study.json", "--data", rasters, "--out", tmp_path / "out"]
    outcome = call(capsys, *words)
    assert outcome.status == 0, outcome.err
    path = tmp_path / "out" / "maps" / f"small_{TARGET}_{EPOCHS[0]}.tif"
    assert outcome.out == f"{path}\n"
    with rasterio.open(path) as raster:
        values = raster.read(1)
    assert values.shape == (20, 40)
    assert np.isfinite(values).any()
    before = path.stat().st_mtime_ns
    assert call(capsys, *words).status == 0
    assert path.stat().st_mtime_ns == before


def test_a_stored_ensemble_tells_intervals_of_rows(runs):
    model = load_model(runs["copula_bma"] / "models" / "copula_bma")
    rows = np.tile(np.ones((1, len(model.covariates))), (3, 1))
    low, middle, high = model.quantiles(rows, [0.025, 0.5, 0.975]).T
    assert (low < middle).all()
    assert (middle < high).all()
    told = model.origin["fitted_to"]
    assert told["rows"] > 50
    assert told["interval"]["level"] == 0.95
    assert 0.0 < told["interval"]["coverage"][1] <= 1.0


def test_what_does_not_fit_the_model_is_refused(runs, rasters, tmp_path, capsys):
    model = runs["random_forest"] / "models" / "random_forest"

    def refused(change, message: str) -> None:
        study = small_study(lean=True)
        change(study)
        with pytest.raises(PermagridError, match=message):
            predict(model, parse_study(study), tmp_path / "out", data=rasters)
        assert not (tmp_path / "out").exists()

    def without_slope(study):
        study["covariates"] = [part for part in study["covariates"] if part["name"] != "slope"]

    def in_feet(study):
        snow = next(part for part in study["covariates"] if part["name"] == "snow_depth")
        snow |= {"unit": "cm", "stored_unit": "m"}

    refused(without_slope, "covariates: .* reads slope, which the study lacks")
    refused(in_feet, "reads snow_depth as continuous in m, the study has it as continuous in cm")
    refused(
        lambda study: study["target"].update(depth=5),
        r"target\.depth: .* is a model of 10\.0, the study has 5\.0",
    )
    refused(lambda study: study["covariates"][0].update(path="none.tif"), "no such file")

    damaged = shutil.copytree(model, tmp_path / "damaged")
    (damaged / "random_forest.npz").write_bytes(b"damaged")
    (tmp_path / "study.json").write_text(json.dumps(small_study(lean=True)))
    words = ["predict", damaged, tmp_path / "study.json", "--data", rasters, "--out", tmp_path / "out"]
    outcome = call(capsys, *words)
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    assert "random_forest.npz: is damaged or was changed" in outcome.err


def test_the_folder_of_a_run_is_not_taken_for_maps_of_a_model(runs, rasters):
    study = parse_study(small_study(lean=True))
    model = runs["random_forest"] / "models" / "random_forest"
    with pytest.raises(
        PermagridError, match="holds the study small; choose another --out for small by random"
    ):
        predict(model, study, runs["random_forest"], data=rasters)
