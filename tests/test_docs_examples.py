"""Covariates and learners that the pages of documentation show are written as a study wants them."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from command_line import made_up_study
from permagrid.covariates import COVARIATES
from permagrid.steps.learners import candidate
from permagrid.study import parse_study

PAGES = sorted((Path(__file__).resolve().parents[1] / "docs").glob("*.md"))


def covariates(page: Path) -> list[dict[str, Any]]:
    """Return all entries of covariates in the YAML blocks of a page."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    found: list[dict[str, Any]] = []
    for block in blocks:
        content = YAML(typ="safe", pure=True).load(block)
        listed = content.get("covariates") if isinstance(content, dict) else content
        found += listed if isinstance(listed, list) else []
    return found


EXAMPLES = [
    pytest.param(entry, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, entry in enumerate(covariates(page))
]


@pytest.mark.parametrize("entry", EXAMPLES)
def test_a_covariate_of_the_documentation_is_one(entry: dict[str, Any]) -> None:
    study = made_up_study()
    known = {part["name"] for part in study["covariates"]}
    parsed = parse_study({**study, "covariates": [*study["covariates"], _renamed(entry, known)]})
    shown = parsed.covariates[len(study["covariates"]) :]
    assert shown
    assert [fault for part in shown for fault in COVARIATES.faults(part.method, part.keywords)] == []


def test_the_average_of_the_documentation_chooses_among_lists_that_can_be_built() -> None:
    page = next(page for page in PAGES if page.name == "choosing.md")
    block = re.search(r"^```yaml\n(learners:.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    assert block
    (entry,) = YAML(typ="safe", pure=True).load(block[1])["learners"]
    study = made_up_study()
    parsed = parse_study({**study, "learners": [*study["learners"], entry]})
    part = parsed.learners[-1]
    made = candidate(part, parsed)
    lists = part.search.space["learners"]
    assert sorted(map(len, lists)) == [1, 1, 2]
    for members in lists:
        built = made.build({**part.keywords, "learners": members}, made.covariates)
        assert len(built.learners) == len(members)


def _renamed(entry: dict[str, Any], known: set[str]) -> dict[str, Any]:
    return {**entry, "name": f"{entry['name']}_shown"} if entry.get("name") in known else entry


def test_pages_show_covariates() -> None:
    assert len(EXAMPLES) > 25
