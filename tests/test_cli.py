"""The command line: help, exit states, silence, and what it prints."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

import permagrid
from command_line import call, made_up_study, write_data, write_study
from permagrid.cli import main

COMMANDS = ("new", "schema", "check", "audit", "fetch", "run", "predict", "show", "verify", "world")


def raising(error: BaseException) -> Any:
    def function(*arguments: object, **keywords: object) -> NoReturn:
        del arguments, keywords
        raise error

    return function


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = call(capsys, "--version")
    assert (outcome.status, outcome.out) == (0, f"permagrid, version {permagrid.__version__}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = call(capsys, command, "--help")
    assert outcome.status == 0
    assert f"Example:\n    permagrid {command}" in outcome.out


def test_all_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(main.commands) == sorted(COMMANDS)
    outcome = call(capsys, "-h")
    assert all(f"\n  {command} " in outcome.out for command in COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from permagrid.cli import main\n"
        "try: main(['run', '--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'numpy', 'pandas', 'xarray', 'pydantic', 'rasterio', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_usage_mistake_has_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "run").status == 2
    assert call(capsys, "rnu").status == 2


def test_an_internal_error_is_one_line_and_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("permagrid.run.run", raising(KeyError("depth")))
    path = write_study(tmp_path, made_up_study())
    outcome = call(capsys, "run", path, "--out", tmp_path / "out")
    assert outcome.status == 1
    assert outcome.err == (
        "error: internal error, a bug in permagrid (KeyError: 'depth'); -v shows the traceback\n"
    )
    loud = call(capsys, "run", path, "--out", tmp_path / "out", "-v")
    assert loud.status == 1
    assert loud.err.startswith("Traceback (most recent call last):")
    assert loud.err.splitlines()[-1].startswith("error: internal error")


def test_a_full_disk_is_no_bug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("permagrid.run.run", raising(OSError(28, "No space left on device", "map.tif")))
    outcome = call(capsys, "run", "study.yaml", "--out", tmp_path)
    assert (outcome.status, outcome.err) == (1, "error: map.tif: No space left on device\n")


def test_an_interrupted_run_has_status_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("permagrid.run.run", raising(KeyboardInterrupt()))
    outcome = call(capsys, "run", "study.yaml", "--out", tmp_path)
    assert outcome.status == 130
    assert outcome.err == "interrupted; kept steps are reused by the next run\n"


def test_an_interrupt_amid_a_run_leaves_no_half_written_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_data(tmp_path)
    monkeypatch.setattr("permagrid.steps.files.write_tables", raising(KeyboardInterrupt()))
    outcome = call(capsys, "run", write_study(tmp_path, made_up_study()), "--out", tmp_path / "out")
    assert outcome.status == 130
    assert not list((tmp_path / "out").rglob("*partial*"))
    assert not (tmp_path / "out" / "summary.json").exists()


def test_control_characters_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text('study: "a\\e[31m\\nb"\n', encoding="utf-8")
    outcome = call(capsys, "check", path)
    assert outcome.status == 2
    assert "\x1b" not in outcome.err
    assert all(line.startswith("error: ") for line in outcome.err.splitlines())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data, study and a run made in a process of its own; its words are kept."""
    folder = tmp_path_factory.mktemp("finished")
    write_data(folder)
    path = write_study(folder, made_up_study())
    done = subprocess.run(
        [sys.executable, "-m", "permagrid.cli", "run", path, "--out", folder / "out"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    (folder / "stdout").write_text(done.stdout)
    (folder / "stderr").write_text(done.stderr)
    return folder


def test_a_run_is_silent_but_for_its_result_where_no_one_looks(finished: Path) -> None:
    assert (finished / "stderr").read_text() == ""
    out = (finished / "stdout").read_text()
    assert out.startswith("small: 40 of 40 sites, 80 site-epochs\n")
    assert "\x1b" not in out
    assert str(finished / "out" / "report.html") in out


def test_show_prints_what_the_run_printed(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = call(capsys, "show", finished / "out")
    assert (outcome.status, outcome.out) == (0, (finished / "stdout").read_text())


def test_quiet_and_verbose(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = ("run", finished / "study.yaml", "--out", finished / "out")
    quiet = call(capsys, *again, "--quiet")
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")
    verbose = call(capsys, *again, "-v")
    assert verbose.status == 0
    assert "validation: " in verbose.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "holds no finished run (summary.json is missing)"),
        ("{", "is no JSON"),
        ("[]", "is no summary of schema 1, found None"),
        (json.dumps({"schema": 99}), "is no summary of schema 1, found 99"),
        (json.dumps({"schema": 1}), "lacks what a run writes ('sites')"),
    ],
)
def test_show_on_a_folder_without_a_run(
    content: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "summary.json").write_text(content)
    outcome = call(capsys, "show", tmp_path)
    assert outcome.status == 2
    assert outcome.err.startswith("error: ")
    assert said in outcome.err


@pytest.mark.parametrize("target", ["magt", "alt", "extent"])
def test_new_writes_a_study_that_has_no_fault_of_form(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    assert call(capsys, "new", target, path).status == 0
    assert call(capsys, "check", path, "--no-data").status == 0
    assert "@" not in path.read_text(encoding="utf-8")


def test_new_keeps_a_file_that_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    outcome = call(capsys, "new", "magt", path)
    assert (outcome.status, outcome.err) == (2, f"error: {path}: exists already; choose another name\n")
    assert path.read_text() == "mine"


def test_new_in_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = call(capsys, "new", "magt", tmp_path / "none" / "mine.yaml")
    assert outcome.status == 2
    assert "cannot write" in outcome.err
    assert "No such file or directory" in outcome.err


def test_a_world_where_a_file_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "world").write_text("in the way")
    outcome = call(capsys, "world", "--out", tmp_path / "world", "--size", 16)
    assert outcome.status == 2
    assert outcome.err.startswith("error: ")
