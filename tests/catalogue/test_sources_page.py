"""The page of the data sources: its table is what the command prints, and its examples are understood."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from command_line import call, made_up_study
from permagrid.catalogue import CREDENTIALS, SOURCES
from permagrid.study import parse_study

SCENE = {"id": "a", "assets": {"red": {"href": "https://example.org/a_SR_B4.TIF"}}}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_table_is_what_the_command_prints(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = call(capsys, "fetch", "--markdown")
    assert outcome.status == 0
    assert page.endswith(f"\n\n{outcome.out}"), "permagrid fetch --markdown, below the last heading"
    assert all(f"| `{name}` |" in outcome.out for name in SOURCES)


def test_the_examples_of_studies_are_understood(page: str) -> None:
    block = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.M | re.S)[0]
    entries = YAML(typ="safe", pure=True).load(block)["covariates"]
    assert len(entries) == 7
    for entry in entries:
        study = made_up_study()
        study["covariates"].append(entry)
        assert parse_study(study).covariates[-1].citation


def test_the_examples_of_commands_are_understood(
    page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("permagrid.fetch.web.Web.size", lambda *_: 77)
    monkeypatch.setattr("permagrid.fetch.plan.find_items", lambda *_: [SCENE])
    commands = re.findall(r"^    permagrid (fetch .*?)(?: +#.*)?$", page, flags=re.M)
    assert len(commands) == 8
    for command in commands:
        words = command.split()
        wants_plan = [] if {"--list", "--dry-run"} & set(words) else ["--dry-run"]
        outcome = call(capsys, *words, *wants_plan)
        assert (outcome.status, outcome.err) == (0, ""), command


def test_every_login_is_named(page: str) -> None:
    for asked in CREDENTIALS.values():
        assert all(f"`{name}`" in page for name in (asked.token, *(asked.login or ())))
    for source in SOURCES.values():
        assert not source.credential or f"`{source.name}`" in page.partition("## Without")[0]
