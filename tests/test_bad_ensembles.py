"""Bad ensembles, inventories and ice tables: clear sentences, status 2, and nothing left behind."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from shapely.geometry import box

from command_line import call, made_up_study, sites, write_data, write_study

Study = dict[str, Any]
CASES: dict[str, tuple[str, Callable[[Study, Path], object]]] = {}


def bad(fragment: str) -> Callable[[Callable[[Study, Path], object]], None]:
    def note(spoil: Callable[[Study, Path], object]) -> None:
        CASES[spoil.__name__.replace("_", " ")] = fragment, spoil

    return note


def joined(study: Study, **more: Any) -> None:
    inner = {"method": "site", "n_folds": 3}
    study["ensemble"] = {
        "learners": ["random_forest", "climate_linear"],
        "members": 5,
        "inner": inner,
        "block": 300000,
    } | more
    study["inventory"] = {"permafrost": {"threshold": -5}}


def of_ice(study: Study, folder: Path, values: Any) -> None:
    """Have the table and the study speak of ice."""
    table = sites().assign(variable="volumetric_ice_content")
    table["value"] = values(table) if callable(values) else values
    table.to_csv(folder / "sites.csv", index=False)
    study["target"] = {"variable": "volumetric_ice_content", "unit": "%", "valid_range": [0, 100]}
    study["sites"]["quality"].pop("climate_consistency")


@bad("do not fit unit '%' (0 to 100)")
def ice_above_100_percent(study: Study, folder: Path) -> None:
    of_ice(study, folder, lambda table: 120 + table["latitude"])


@bad("they look like fractions")
def ice_as_a_fraction(study: Study, folder: Path) -> None:
    of_ice(study, folder, lambda table: (table["latitude"] - 60) / 20)


@bad("all 80 site-epochs have the value 0 %; there is nothing to learn from")
def a_target_of_nothing_but_zeros(study: Study, folder: Path) -> None:
    of_ice(study, folder, 0.0)


@bad("no site is left")
def negative_active_layers(study: Study, folder: Path) -> None:
    sites().assign(variable="active_layer_thickness", value=-40.0).to_csv(folder / "sites.csv", index=False)
    study["target"] = {"variable": "active_layer_thickness", "unit": "cm", "valid_range": [0, 1000]}
    study["sites"]["quality"].pop("climate_consistency")


@bad("'forest' is not among the learners of this study")
def unknown_learner_in_the_ensemble(study: Study, folder: Path) -> None:
    joined(study, learners=["forest"])


@bad("climate_linear stands twice")
def learner_twice_in_the_ensemble(study: Study, folder: Path) -> None:
    joined(study, learners=["climate_linear", "climate_linear"])


@bad("random_forest is the label of a learner; choose another")
def ensemble_called_like_a_learner(study: Study, folder: Path) -> None:
    joined(study, label="random_forest")


@bad("families: has no effect with method gaussian")
def families_of_normal_distributions(study: Study, folder: Path) -> None:
    joined(study, method="gaussian", families=["frank"])


@bad("ensemble.intervals[1]: 0.9 stands twice")
def interval_twice(study: Study, folder: Path) -> None:
    joined(study, intervals=[0.9, 0.9])


@bad("all places lie in one block of 90000 km; choose smaller blocks")
def fewer_sites_than_blocks(study: Study, folder: Path) -> None:
    joined(study, block=9e7)


@bad("ensemble.inner.n_folds")
def inner_folds_of_one(study: Study, folder: Path) -> None:
    joined(study, inner={"method": "site", "n_folds": 1})


@bad("inventory: needs an ensemble with members")
def totals_without_members(study: Study, folder: Path) -> None:
    joined(study, members=0, block=None)


@bad("needs a target in % of volume")
def storage_of_temperature(study: Study, folder: Path) -> None:
    joined(study)
    study["inventory"] = {"storage": {"thickness": 5}}


@bad("'share' is no covariate of fractions")
def presence_that_is_no_covariate(study: Study, folder: Path) -> None:
    of_ice(study, folder, lambda table: table["latitude"])
    joined(study)
    study["inventory"] = {"storage": {"thickness": 5, "presence": "share"}}


def regions(study: Study, folder: Path, polygons: dict[str, Any]) -> None:
    joined(study)
    table = gpd.GeoDataFrame({"NAME": list(polygons)}, geometry=list(polygons.values()), crs="EPSG:4326")
    table.to_file(folder / "regions.gpkg")
    study["inventory"]["regions"] = {"path": "regions.gpkg", "name": "NAME"}


@bad("south hold")
def region_outside_the_grid(study: Study, folder: Path) -> None:
    regions(study, folder, {"north": box(105, 64, 135, 74), "south": box(105, -40, 135, -30)})


@bad("north and east overlap")
def regions_that_overlap(study: Study, folder: Path) -> None:
    regions(study, folder, {"north": box(105, 64, 135, 74), "east": box(120, 64, 139, 74)})


@bad("no field 'NAM'")
def regions_without_names(study: Study, folder: Path) -> None:
    regions(study, folder, {"north": box(105, 64, 135, 74)})
    study["inventory"]["regions"]["name"] = "NAM"


@bad("no such file")
def regions_that_are_not_there(study: Study, folder: Path) -> None:
    joined(study)
    study["inventory"]["regions"] = {"path": "nowhere.gpkg", "name": "NAME"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    write_data(folder)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_bad_ensembles_are_told_in_one_sentence_and_leave_nothing(
    name: str, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fragment, spoil = CASES[name]
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    study = made_up_study()
    spoil(study, tmp_path)
    outcome = call(capsys, "run", write_study(tmp_path, study), "--out", tmp_path / "out", "--workers", 1)
    lines = outcome.err.splitlines()
    assert outcome.status == 2, outcome.err
    assert 1 <= len(lines) <= 2
    assert all(line.startswith("error: ") for line in lines), outcome.err
    assert fragment in outcome.err
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").rglob("*.tif"))


@pytest.mark.usefixtures("unpainted")
def test_the_sound_ensemble_runs(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    study = made_up_study()
    joined(study)
    outcome = call(capsys, "run", write_study(tmp_path, study), "--out", tmp_path / "out", "--workers", 1)
    assert (outcome.status, outcome.err) == (0, "")
