"""The JSON Schema of study files, with the keywords of every reader, test, covariate, learner and fold."""

import inspect
from math import isinf
from typing import Any

from pydantic import TypeAdapter

from permagrid.catalogue import SOURCES, Source
from permagrid.covariates import COVARIATES
from permagrid.learners import LEARNERS
from permagrid.registry import Table
from permagrid.sites.quality import QUALITY
from permagrid.sites.readers import READERS
from permagrid.study import CovariatePart, CovariateSource, Study
from permagrid.validation import FOLDS

_PLUG_INS: dict[str, tuple[str, Table[Any]]] = {
    "SourceTable": ("reader", READERS),
    "CovariatePart": ("method", COVARIATES),
    "LearnerPart": ("name", LEARNERS),
    "FoldsPart": ("method", FOLDS),
}
"""Model of a plug-in -> its key and its table."""


def study_schema() -> dict[str, Any]:
    """Return the JSON Schema by which editors complete and check study files.

    Examples
    --------
    >>> sorted(study_schema()["properties"])[:3]
    ['covariates', 'ensemble', 'epochs']
    """
    schema = Study.model_json_schema()
    definitions = schema["$defs"]
    for model, (key, table) in _PLUG_INS.items():
        base = definitions[model]
        definitions[model] = {
            "title": base["title"],
            "description": base["description"],
            "anyOf": [_variant(base, key, table, name) for name in table],
        }
    _add_named_sources(schema)
    _let_tables_have_no_products(schema)
    tests = definitions["Sites"]["properties"]["quality"]
    tests["properties"] = {name: {"anyOf": [_keywords(QUALITY, name), {"type": "null"}]} for name in QUALITY}
    tests["additionalProperties"] = False
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "permagrid study"}
    return {**about, **_without_infinity(schema)}


def _let_tables_have_no_products(schema: dict[str, Any]) -> None:
    """Let a study without grid leave out what is to be mapped."""
    schema["required"] = [key for key in schema["required"] if key != "products"]
    schema["anyOf"] = [{"required": ["products"]}, {"properties": {"grid": {"type": "null"}}}]


def _add_named_sources(schema: dict[str, Any]) -> None:
    """Let the list of covariates hold named sources beside covariates."""
    definitions, listed = schema["$defs"], schema["properties"]["covariates"]
    own = CovariateSource.model_json_schema()
    part = CovariatePart.model_json_schema()["properties"]
    usable = [source for source in SOURCES.values() if source.variables]
    methods = dict.fromkeys(source.method for source in usable)
    keywords = {
        key: rule for name in methods for key, rule in _keywords(COVARIATES, name)["properties"].items()
    }
    alone = {**keywords, **part, **own["properties"]}
    for key in ("name", "method"):
        del alone[key]
    definitions["CovariateSourceKeys"] = {
        "type": "object",
        "properties": alone,
        "required": ["source"],
        "additionalProperties": False,
    }
    made = {**own["properties"], "source": {"enum": [source.name for source in usable]}}
    made |= {"name": part["name"], "method": {"enum": [name for name in COVARIATES if name not in methods]}}
    definitions["CovariateSource"] = {
        "title": "CovariateSource",
        "description": own["description"],
        "anyOf": [
            {"$ref": "#/$defs/CovariateSourceKeys", "anyOf": [_of_source(source) for source in usable]},
            {"type": "object", "properties": made, "required": ["source", "name", "method"]},
        ],
    }
    listed["items"] = {"anyOf": [listed["items"], {"$ref": "#/$defs/CovariateSource"}]}


def _of_source(source: Source) -> dict[str, Any]:
    names = dict.fromkeys(name for each in source.variables for name in (each.name, each.group) if name)
    properties: dict[str, Any] = {
        "source": {"const": source.name},
        "variables": {"type": "array", "items": {"enum": list(names)}},
    }
    if source.resolutions:
        properties["resolution"] = {"enum": list(source.resolutions)}
    required = ["source", *source.needs, *([] if source.covariates else ["files"])]
    return {"title": source.name, "description": source.title, "properties": properties, "required": required}


def _without_infinity(schema: Any) -> Any:
    """Return a schema without defaults that JSON cannot write."""
    if isinstance(schema, dict):
        infinite = {key for key, value in schema.items() if isinstance(value, float) and isinf(value)}
        return {key: _without_infinity(value) for key, value in schema.items() if key not in infinite}
    if isinstance(schema, list):
        return [_without_infinity(value) for value in schema]
    return schema


def _variant(base: dict[str, Any], key: str, table: Table[Any], name: str) -> dict[str, Any]:
    plug_in = _keywords(table, name)
    properties = {**base["properties"], key: {"const": name}, **plug_in["properties"]}
    required = dict.fromkeys([*base.get("required", []), *plug_in.get("required", [])])
    if base["properties"][key].get("default") != name:
        required[key] = None
    return {
        "title": name,
        "description": plug_in.get("description", ""),
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _keywords(table: Table[Any], name: str) -> dict[str, Any]:
    hints = table.hints(name)
    properties: dict[str, Any] = {}
    required = []
    for key, parameter in table.keywords(name).items():
        properties[key] = TypeAdapter(hints[key]).json_schema()
        if parameter.default is inspect.Parameter.empty:
            required.append(key)
        elif parameter.default is not None:
            properties[key]["default"] = TypeAdapter(hints[key]).dump_python(parameter.default, mode="json")
    documentation = (inspect.getdoc(table[name]) or "").splitlines()
    return {
        "type": "object",
        "description": documentation[0] if documentation else "",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
