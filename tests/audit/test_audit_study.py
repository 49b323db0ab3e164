"""The audit of a study file: on the command line, before its run, and on real data."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from ruamel.yaml import YAML

from command_line import call, made_up_study, write_data, write_study
from permagrid.audit import Finding
from permagrid.review import review, show_findings

STUDIES = Path(__file__).resolve().parents[2] / "studies"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audited")
    write_data(folder)
    return folder


def rules(findings: list[Finding], *severities: str) -> set[str]:
    return {found.rule for found in findings if not severities or found.severity in severities}


def words(table: str) -> str:
    """Return what a table on the terminal says, its lines joined."""
    return " ".join(table.replace("│", " ").split())


def test_a_small_study_is_audited_without_a_run(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_study(data, made_up_study())
    report = data / "findings.json"
    outcome = call(capsys, "audit", path, "--json", report)
    assert (outcome.status, outcome.err) == (0, "")
    # Cells are 100 km wide, so that many sites share one.
    assert "lie within 100 km of a training site" in words(outcome.out)
    written = json.loads(report.read_text())
    assert (written["schema"], written["study"]) == (1, "study.yaml")
    assert {"rule", "severity", "what", "where", "advice"} == set(written["findings"][0])
    assert "neighbours_across_folds" in {found["rule"] for found in written["findings"]}
    assert {p.name for p in data.iterdir() if p.is_dir()} == set()


def test_a_planted_leak_is_fatal_and_has_status_1(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = made_up_study()
    study["covariates"].append(
        {"name": "leak", "method": "observation", "column": "value", "at": -5, "unit": "degC"}
    )
    path = write_study(tmp_path, study)
    outcome = call(capsys, "audit", path, "--data", data)
    assert outcome.status == 1
    said = words(outcome.out)
    assert "The rank correlation of leak with the target is 1.0000" in said
    assert "1 fatal" in said
    quiet = call(capsys, "audit", path, "--data", data, "--quiet")
    assert (quiet.status, quiet.out, quiet.err) == (1, "", "")


def test_faults_of_the_study_are_told_as_by_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_study(tmp_path, made_up_study())
    outcome = call(capsys, "audit", path)
    assert outcome.status == 2
    assert "no such file" in outcome.err


@pytest.mark.usefixtures("unpainted")
def test_layers_made_by_the_audit_serve_the_run(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_study(data, made_up_study())
    assert call(capsys, "audit", path, "--out", tmp_path / "out", "--quiet").status == 0
    assert call(capsys, "run", path, "--out", tmp_path / "out", "--quiet").status == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["reused"]["layers"] == 5


def test_rows_left_out_by_a_covariate_are_told(data: Path) -> None:
    study = made_up_study()
    study["sites"]["quality"]["climate_consistency"] |= {"max_offset": 8.0, "fail": True}
    found = {f.rule: f for f in review(write_study(data, study))}
    assert "labels_screened_by_covariate" in found
    assert "that disagree with air, and learners see air" in found["labels_screened_by_covariate"].what
    kept = made_up_study()
    kept["sites"]["quality"]["climate_consistency"] |= {"max_offset": 8.0}
    assert "labels_screened_by_covariate" not in rules(review(write_study(data, kept)))


def test_names_from_files_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = Finding("note", "what \x1b[31m[bold]red[/bold]", "sites: \x1b]0;x\x07", "Do [red]this.", "rule")
    show_findings([evil], Console())
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[bold]red[/bold]" in out
    assert out.rstrip().endswith("1 finding: 1 note")


def coarse(name: str) -> dict[str, Any]:
    """Return a shipped study on cells of 50 km with some of its covariates, that the test may be short."""
    study: dict[str, Any] = YAML(typ="safe").load(STUDIES / f"{name}.yaml")
    study["grid"]["resolution"] = 50_000
    study["covariates"][0]["variables"] = ["bio1", "bio10", "bio12"]
    named = {"temperature_anomaly", "epoch_air_temperature", "depth", "slope", "land_cover"}
    study["covariates"] = study["covariates"][:2] + [c for c in study["covariates"] if c.get("name") in named]
    study["validation"].pop("groups")
    study["learners"] = [learner for learner in study["learners"] if learner["name"] == "random_forest"][:1]
    study["products"]["learner"] = "random_forest"
    for section in ("ensemble", "inventory"):
        study.pop(section, None)
    return study


@pytest.mark.parametrize("name", ["arctic_magt", "arctic_alt", "eurasia_extent"])
def test_shipped_studies_have_no_grave_finding(name: str, real_data: Path, tmp_path: Path) -> None:
    found = review(write_study(tmp_path, coarse(name)), data=real_data)
    assert rules(found, "fatal", "severe") == set()
    assert "climatology_for_series" in rules(found, "caution")
    assert ("epochs_without_sites" in rules(found)) == (name == "arctic_alt")


def test_station_absences_are_told_as_what_they_are(real_data: Path, tmp_path: Path) -> None:
    study = coarse("eurasia_extent")
    study["sites"]["labels"]["station_absences"] = True
    study["epochs"] = study["epochs"][:1]
    found = {f.rule: f for f in review(write_study(tmp_path, study), data=real_data)}
    assert found["labels_made_from_climate"].severity == "fatal"
    assert "bio1" in found["labels_made_from_climate"].what
