"""Runs in a folder that holds one: only what depends on what changed is made anew."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from permagrid.errors import PermagridError, StudyError
from permagrid.run import run
from permagrid.study import parse_study
from run_folder import TARGET, bytes_of, carry_out, stamps
from small_study import EPOCHS, small_study


@pytest.fixture(scope="module")
def lean(small_world, tmp_path_factory, unpainted) -> Path:
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
