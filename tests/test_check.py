"""The check of a study: all faults at once, in the order of the file, also beside faults of form."""

import re
from pathlib import Path

import numpy as np
import pytest

from command_line import air, call, made_up_study, sites, write_data, write_raster, write_study
from permagrid import check_study, read_study
from permagrid.check import accepted, check_file
from permagrid.errors import StudyError
from permagrid.study import parse_study

STUDIES = Path(__file__).resolve().parents[1] / "studies"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the data of the small study."""
    write_data(tmp_path)
    return tmp_path


def test_a_sound_study_has_no_fault(folder: Path) -> None:
    study = parse_study(made_up_study())
    assert check_study(study, folder) == []
    assert accepted(study, folder) is study
    assert check_file(write_study(folder, made_up_study()), folder) == []


def test_five_different_faults_give_five_lines_in_the_order_of_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = made_up_study()
    study["target"]["valid_range"] = [15, -25]
    study["sites"]["sources"][0]["delimeter"] = ";"
    write_raster(folder / "elevation.tif", np.ones(air().shape, "float32"), crs=None)
    study["learners"][0]["trees"] = 9
    study["products"]["learner"] = "forest"
    outcome = call(capsys, "check", write_study(folder, study))
    lines = outcome.err.splitlines()
    assert outcome.status == 2
    places = [line.removeprefix(f"error: {folder}/study.yaml:").split(": ")[0] for line in lines]
    assert [place.split(" ", 1)[1] for place in places] == [
        "target.valid_range",
        "sites.sources[0].delimeter",
        "covariates[1].path (elevation)",
        "learners[0].trees (random_forest)",
        "products.learner",
    ]
    numbers = [int(place.split(" ")[0]) for place in places]
    assert numbers == sorted(numbers)


def test_a_run_reports_all_faults_as_the_check_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = made_up_study()
    study["grid"]["resolution"] = "coarse"
    (folder / "geology.tif").unlink()
    path = write_study(folder, study)
    checked = call(capsys, "check", path)
    ran = call(capsys, "run", path, "--out", folder / "out")
    assert len(checked.err.splitlines()) == 2
    assert ran.err == checked.err
    assert not (folder / "out").exists()


def test_data_are_judged_beside_faults_of_form_and_keep_their_index(folder: Path) -> None:
    study = made_up_study()
    del study["covariates"][1]["unit"]
    write_raster(folder / "geology.tif", np.full(air().shape, 1.5, "float32"))
    told = [str(fault) for fault in check_file(write_study(folder, study), folder)]
    assert len(told) == 2
    assert re.search(r"covariates\[1\].unit \(elevation\): is missing", told[0])
    assert re.search(r"covariates\[3\].kind \(geology\): .* are no codes", told[1])


def test_a_fault_brings_no_follow_up_faults(folder: Path) -> None:
    study = made_up_study()
    study["grid"]["region"] = [10, 5]
    study["epochs"] = ["2004-2000", "2005-2009"]
    told = [str(fault) for fault in check_file(write_study(folder, study), folder)]
    assert len(told) == 2
    assert "epochs[0]" in told[0]
    assert "grid.region" in told[1]


def test_without_data_files_are_not_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_study(tmp_path, made_up_study())
    assert call(capsys, "check", "--no-data", path).status == 0
    assert call(capsys, "check", path).status == 2


def test_data_may_lie_in_another_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_data(data)
    path = write_study(tmp_path, made_up_study())
    assert call(capsys, "check", path, "--data", data).out == f"{path}: no fault found\n"
    monkeypatch.setenv("PERMAGRID_DATA", str(data))
    assert call(capsys, "check", path).status == 0


def test_every_file_of_a_series_is_opened(folder: Path) -> None:
    study = made_up_study()
    study["epochs"] = ["2000-2000", "2001-2001", "2002-2002"]
    for year in (2000, 2001, 2002):
        write_raster(folder / f"air_{year}-{year}.tif", air())
    write_raster(folder / "air_2001-2001.tif", air(), crs=None)
    told = [str(fault) for fault in check_study(parse_study(study), folder)]
    assert len(told) == 1
    assert "air_2001-2001.tif: has no CRS" in told[0]


def test_a_raster_of_all_longitudes_meets_a_grid_across_the_antimeridian(folder: Path) -> None:
    study = made_up_study()
    study["grid"]["region"] = [170, 62, -170, 76]
    study["covariates"] = [{"name": "air", "path": "globe.tif", "unit": "degC"}]
    rows = sites()
    rows.assign(longitude=(rows["longitude"] + 60 + 180) % 360 - 180).to_csv(
        folder / "sites.csv", index=False
    )
    globe = np.full((18, 36), -5.0, "float32")
    write_raster(folder / "globe.tif", globe, crs="EPSG:4326", transform=(10, 0, 0, 0, -10, 90))
    assert check_study(parse_study(study), folder) == []


def test_a_table_in_part_outside_the_grid_is_no_fault(folder: Path) -> None:
    rows = sites()
    rows.loc[rows["site_id"] < "b10", "latitude"] = 10.0
    rows.to_csv(folder / "sites.csv", index=False)
    assert check_study(parse_study(made_up_study()), folder) == []


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_studies_have_no_fault_of_form(path: Path) -> None:
    assert check_file(path, STUDIES, data=False) == []
    assert read_study(path).study == path.stem


@pytest.mark.parametrize("name", ["arctic_magt", "arctic_alt", "eurasia_extent"])
def test_shipped_studies_fit_the_real_data(name: str, real_data: Path) -> None:
    assert check_file(STUDIES / f"{name}.yaml", real_data) == []


def test_a_study_with_a_fault_is_not_accepted(folder: Path) -> None:
    study = made_up_study()
    study["products"]["learner"] = "forest"
    with pytest.raises(StudyError, match=r"products\.learner: 'forest' is not among the learners"):
        accepted(parse_study(study), folder)
