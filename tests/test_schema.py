"""The JSON Schema: accepts the shipped studies, refuses what the reader refuses, is kept up to date."""

import json
import os
import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from command_line import call, made_up_study
from permagrid.registry import Table
from permagrid.schema import study_schema
from permagrid.sites.quality import QUALITY
from permagrid.sites.readers import READERS

STUDIES = Path(__file__).resolve().parents[1] / "studies"
_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
    "integer": int,
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """Return the schema as editors read it."""
    content: dict[str, Any] = json.loads(json.dumps(study_schema(), allow_nan=False))
    return content


def accepts(value: Any, rule: Any, root: dict[str, Any]) -> bool:
    """Return whether a value follows a rule of JSON Schema, as far as our schema uses it."""
    if isinstance(rule, bool):
        return rule
    unknown = set(rule) - _JUDGED - {"title", "description", "default", "$schema", "$defs"}
    assert not unknown, f"this test does not know {unknown}"
    if "$ref" in rule and not accepts(value, root["$defs"][rule["$ref"].rsplit("/", 1)[1]], root):
        return False
    if "anyOf" in rule and not any(accepts(value, each, root) for each in rule["anyOf"]):
        return False
    one_of = [rule["const"]] if "const" in rule else rule.get("enum", [value])
    kind = rule.get("type")
    wrong_bool = isinstance(value, bool) and kind not in (None, "boolean")
    if value not in one_of or wrong_bool or not isinstance(value, _TYPES.get(kind, object)):
        return False
    return _object(value, rule, root) and _array(value, rule, root) and _scalar(value, rule)


_JUDGED = {
    "$ref", "anyOf", "const", "enum", "type", "properties", "required", "additionalProperties", "items",
    "prefixItems", "minItems", "maxItems", "pattern", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum",
}  # fmt: skip


def _object(value: Any, rule: dict[str, Any], root: dict[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    if not set(rule.get("required", [])) <= set(value):
        return False
    known = rule.get("properties", {})
    rest = rule.get("additionalProperties", True)
    return all(accepts(inner, known.get(key, rest), root) for key, inner in value.items())


def _array(value: Any, rule: dict[str, Any], root: dict[str, Any]) -> bool:
    if not isinstance(value, list):
        return True
    first = rule.get("prefixItems", [])
    fits = rule.get("minItems", 0) <= len(value) <= rule.get("maxItems", len(value))
    each = [*first, *[rule.get("items", True)] * max(0, len(value) - len(first))]
    return fits and all(accepts(inner, one, root) for inner, one in zip(value, each, strict=False))


def _scalar(value: Any, rule: dict[str, Any]) -> bool:
    if isinstance(value, str) and "pattern" in rule:
        return re.search(rule["pattern"], value) is not None
    if isinstance(value, int | float) and not isinstance(value, bool):
        low = value >= rule.get("minimum", value) and value > rule.get("exclusiveMinimum", float("-inf"))
        return (
            low and value <= rule.get("maximum", value) and value < rule.get("exclusiveMaximum", float("inf"))
        )
    return True


def load(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def test_the_schema_is_valid_where_that_can_be_asked(schema: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in sorted(STUDIES.glob("*.yaml")):
        validator.validate(load(path))


def test_references_lead_somewhere(schema: dict[str, Any]) -> None:
    found = re.findall(r'"\$ref": "#/\$defs/(\w+)"', json.dumps(schema))
    assert found
    assert set(found) <= set(schema["$defs"])


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_studies_are_accepted(path: Path, schema: dict[str, Any]) -> None:
    assert accepts(load(path), schema, schema)


def test_the_made_up_study_is_accepted(schema: dict[str, Any]) -> None:
    assert accepts(made_up_study(), schema, schema)


@pytest.mark.parametrize(
    ("steps", "value"),
    [
        (("colour",), "blue"),
        (("grid", "units"), "m"),
        (("sites", "sources", 0, "delimeter"), ";"),
        (("sites", "sources", 0, "reader"), "tabel"),
        (("sites", "quality", "gros_range"), {}),
        (("sites", "quality", "coordinates"), {"limit": 3}),
        (("covariates", 0, "resample"), "bilinear"),
        (("covariates", 0, "path"), 5),
        (("covariates", 2, "method"), "slop"),
        (("learners", 0, "trees"), 9),
        (("learners", 0, "n_estimators"), "many"),
        (("validation", "folds", 1, "k"), 9),
        (("target", "kind"), "classes"),
        (("epochs", 0), "the nineties"),
        (("grid", "resolution"), -1),
        (("study",), "My study"),
    ],
)
def test_what_the_reader_refuses_is_refused(
    steps: tuple[Any, ...], value: Any, schema: dict[str, Any]
) -> None:
    study = deepcopy(made_up_study())
    inner: Any = study
    for step in steps[:-1]:
        inner = inner[step]
    inner[steps[-1]] = value
    assert not accepts(study, schema, schema)


def test_keys_that_must_be_given_are_required(schema: dict[str, Any]) -> None:
    without_path = made_up_study()
    del without_path["covariates"][0]["path"]
    assert not accepts(without_path, schema, schema)
    without_method = made_up_study()
    del without_method["covariates"][2]["method"]
    assert not accepts(without_method, schema, schema)


def test_a_blank_quality_test_is_accepted(schema: dict[str, Any]) -> None:
    study = made_up_study()
    study["sites"]["quality"]["coordinates"] = None
    assert accepts(study, schema, schema)


@pytest.mark.parametrize("table", [READERS, QUALITY], ids=["readers", "tests"])
def test_every_entry_of_a_table_has_its_description(table: Table[Any], schema: dict[str, Any]) -> None:
    text = json.dumps(schema)
    for name in table:
        first = (table[name].__doc__ or "").splitlines()[0]
        assert json.dumps(first) in text


def test_keys_tell_editors_what_they_are(schema: dict[str, Any]) -> None:
    assert schema["$defs"]["Grid"]["properties"]["resolution"]["description"].startswith("Side of a cell")


def test_the_shipped_schema_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = call(capsys, "schema")
    assert outcome.status == 0
    shipped = (STUDIES / "study.schema.json").read_text(encoding="utf-8")
    assert outcome.out == shipped, "permagrid schema > studies/study.schema.json"


@pytest.mark.parametrize("seed", ["1", "8"])
def test_the_schema_is_the_same_in_whatever_order_python_holds_its_sets(seed: str) -> None:
    code = "from permagrid.cli import main; main(['schema'], prog_name='permagrid')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (STUDIES / "study.schema.json").read_text(encoding="utf-8")
