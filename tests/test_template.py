"""The study files that `permagrid new` writes: without fault, their examples in comments too."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from command_line import call
from permagrid.covariates import COVARIATES
from permagrid.study import parse_study
from permagrid.template import template

TARGETS = ["magt", "alt", "extent"]
_COMMENTED = re.compile(r"^  # (?=- \{|   )", re.MULTILINE)


def with_examples(target: str) -> str:
    """Return a template with its examples no longer in comments."""
    return _COMMENTED.sub("  ", template(target))


@pytest.mark.parametrize("target", TARGETS)
def test_the_examples_in_comments_have_no_fault(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(with_examples(target), encoding="utf-8")
    outcome = call(capsys, "check", path, "--no-data")
    assert (outcome.status, outcome.err) == (0, "")


@pytest.mark.parametrize("target", TARGETS)
def test_the_examples_show_every_family_of_covariates(target: str) -> None:
    yaml = YAML(typ="safe", pure=True)
    plain, full = (parse_study(yaml.load(text)) for text in (template(target), with_examples(target)))
    shown = [part for part in full.covariates if part not in plain.covariates]
    methods = {part.method for part in shown}
    assert {"relief_amplitude", "topographic_position_index", "topographic_wetness_index"} <= methods
    assert {"air_freezing_index", "soil_layers"} <= methods
    assert [part.name for part in shown if part.kind == "class"] == ["land_cover"]
    assert {"bio10", "bio11"} <= {part.name for part in shown}, "a source stands for its covariates"
    faults = [fault for part in shown for fault in COVARIATES.faults(part.method, part.keywords)]
    assert faults == []


@pytest.mark.parametrize("target", TARGETS)
def test_lines_fit_a_screen(target: str) -> None:
    assert max(map(len, template(target).splitlines())) <= 120
