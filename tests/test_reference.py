"""The reference page of the study file: up to date, complete, and with an example that is a study."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from command_line import call
from permagrid.covariates import COVARIATES
from permagrid.learners import LEARNERS
from permagrid.learners.traits import traits_of
from permagrid.reference import EXAMPLE, study_reference
from permagrid.registry import Table
from permagrid.sites.quality import QUALITY
from permagrid.sites.readers import READERS
from permagrid.sites.table import COLUMNS, VARIABLES
from permagrid.study import Study, parse_study
from permagrid.validation import FOLDS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "study.md"


@pytest.fixture(scope="module")
def page() -> str:
    return study_reference()


def section(page: str, heading: str) -> str:
    """Return what stands below a heading, up to the next of its rank or above."""
    rank = len(heading) - len(heading.lstrip("#"))
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{rank}}} |\Z)", page, re.M | re.S)
    assert found, heading
    return found[1]


def row(text: str, key: str) -> list[str]:
    """Return the cells of the row of a key."""
    found = re.search(rf"^\| `{re.escape(key)}` \|.*\|$", text, re.M)
    assert found, key
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", found[0])[1:-1]]


def test_the_shipped_page_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = call(capsys, "schema", "--markdown")
    assert outcome.status == 0
    shipped = PAGE.read_text(encoding="utf-8")
    assert outcome.out == shipped, "permagrid schema --markdown > docs/study.md"


def test_the_example_is_a_study() -> None:
    study = parse_study(YAML(typ="safe", pure=True).load(EXAMPLE))
    for table, used in (
        (READERS, [(part.reader, part.keywords) for part in study.sites.sources]),
        (QUALITY, list(study.sites.quality.items())),
        (COVARIATES, [(part.method, part.keywords) for part in study.covariates]),
        (LEARNERS, [(part.name, part.keywords) for part in study.learners]),
        (FOLDS, [(part.method, part.keywords) for part in study.validation.folds]),
    ):
        assert [fault for name, keywords in used for fault in table.faults(name, keywords)] == []


def test_no_meaning_merely_names_another_method(page: str) -> None:
    assert re.findall(r"^.*\| As (?:for|in) `\w+`\. \|$", page, re.M) == []


def test_the_table_of_searches_is_what_a_search_tries(page: str) -> None:
    below = section(page, "## Learners").partition("### ")[0]
    for name in LEARNERS:
        space = dict(traits_of(name).space)
        found = re.search(rf"^\| \[`{name}`\]\(#{name}\) \| (.*) \|$", below, re.M)
        assert bool(found) == bool(space)
        if found:
            tried = YAML(typ="safe", pure=True).load("\n".join(re.findall(r"`(.*?)`", found[1])))
            assert tried == json.loads(json.dumps(space))
        else:
            assert f"`{name}`" in below


@pytest.mark.parametrize(
    ("heading", "table"),
    [
        ("## Readers", READERS),
        ("## Quality tests", QUALITY),
        ("## Covariate methods", COVARIATES),
        ("## Learners", LEARNERS),
        ("## Fold methods", FOLDS),
    ],
)
def test_every_name_and_keyword_of_a_table_is_there(heading: str, table: Table[Any], page: str) -> None:
    below = section(page, heading)
    for name in table:
        entry = section(below, f"### `{name}`")
        for key in table.keywords(name):
            _, kind, default, _ = row(entry, key)
            assert kind
            assert default


def test_every_key_of_the_study_has_its_meaning(page: str) -> None:
    below = section(page, "## Sections")
    schema = Study.model_json_schema()
    for part in (schema, *schema["$defs"].values()):
        for key in part["properties"]:
            assert f"\n| `{key}` |" in below
    for line in below.splitlines():
        if line.startswith("| `"):
            assert not line.endswith("|  |"), line


def test_types_defaults_and_meanings_are_told(page: str) -> None:
    assert row(section(page, "### Grid"), "resolution") == [
        "`resolution`", "number > 0", "**required**", "Side of a cell [unit of the CRS].",
    ]  # fmt: skip
    assert row(section(page, "### `permos_temperature`"), "min_days") == [
        "`min_days`", "whole number", "`350`", "Fewest days for an annual mean.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "key", "meaning"),
    [
        ("rihmi_air", "min_days", "Fewest days for an annual mean."),
        ("air_thawing_index", "crs", "The CRS, where the file does not say."),
        ("site", "n_folds", "Number of folds."),
    ],
)
def test_meanings_that_stand_elsewhere_are_followed(name: str, key: str, meaning: str, page: str) -> None:
    assert row(section(page, f"### `{name}`"), key)[-1] == meaning


def test_columns_and_variables_are_there(page: str) -> None:
    below = section(page, "## Columns of the site table")
    for name in COLUMNS:
        assert row(below, name)[1]
    for name, unit in VARIABLES.items():
        assert row(below, name)[1] == f"`{unit}`"
    assert "`degC day`" in section(page, "## Units")


def test_links_lead_to_headings(page: str) -> None:
    headings = {
        line.lstrip("# ").replace("`", "").lower().replace(" ", "-")
        for line in page.splitlines()
        if line.startswith("#")
    }
    links = set(re.findall(r"\]\(#([^)]+)\)", page))
    assert links
    assert links <= headings
