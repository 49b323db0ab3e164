"""The reference of study files in Markdown: every section, plug-in, column and unit, read from the code."""

import ast
import inspect
import json
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import isinf
from types import ModuleType
from typing import Any

from pydantic import TypeAdapter

from permagrid.covariates import COVARIATES
from permagrid.learners import LEARNERS
from permagrid.learners.traits import traits_of
from permagrid.registry import Table
from permagrid.sites import table as site_table
from permagrid.sites.quality import QUALITY
from permagrid.sites.readers import READERS
from permagrid.study import CovariateSource, Study
from permagrid.study.bases import YearSpan
from permagrid.units import UNITS
from permagrid.validation import FOLDS

EXAMPLE = """\
study: virtual_arctic
metadata: {title: Ground temperature of a virtual Arctic, licence: CC0-1.0}
target: {variable: mean_annual_ground_temperature, unit: degC, valid_range: [-25, 15], depth: 10}
epochs: [2000-2004, 2005-2009, 2010-2014]
grid: {crs: "EPSG:3995", resolution: 5000, bounds: [-1200000, 1810000, 300000, 3310000]}
sites:
  sources:
    - {reader: table, path: boreholes.csv, source: virtual}
  quality:
    coordinates: {}
    gross_range: {}
    near_duplicates: {}
  reduce: {depth_rule: each, depth_range: [3, 30]}
covariates:
  - {name: bio1, path: "bio1_{epoch}.tif", unit: degC, years: 1980-2019}
  - {name: elevation, path: dem.tif, unit: m}
  - {name: slope, method: slope, unit: degree}
  - {name: depth, method: observation, column: depth, at: 10, unit: m}
learners:
  - {name: random_forest, n_estimators: 200}
  - {name: climate_linear, covariates: [bio1, depth]}
validation:
  folds:
    - {method: block, size: 250000, n_folds: 10}
products: {learner: random_forest}
"""
"""A small study for the virtual world."""

_TABLES: dict[str, tuple[str, Table[Any]]] = {
    "Readers": ("`reader` of a source table", READERS),
    "Quality tests": ("a key of `sites.quality`, whose value holds the keywords", QUALITY),
    "Covariate methods": ("`method` of a covariate", COVARIATES),
    "Learners": ("`name` of a learner", LEARNERS),
    "Fold methods": ("`method` of a fold scheme", FOLDS),
}
"""Heading -> where a study names an entry, and the table."""

_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "float64": "number",
    "Int64": "whole number",
    "str": "text",
}
_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_REQUIRED = "**required**"
_ABSENT = "none"


def study_reference() -> str:
    """Return the reference of the study file, key by key, as Markdown.

    Examples
    --------
    >>> study_reference().splitlines()[0]
    '# The study file, key by key'
    """
    return "\n".join([*_introduction(), *_sections(), *_plug_ins(), *_columns(), *_units()]).rstrip() + "\n"


def _introduction() -> list[str]:
    return [
        "# The study file, key by key",
        "",
        "Made from the code by `permagrid schema --markdown > docs/study.md`.",
        "",
        "A study is one YAML file, which `permagrid run` carries out. `permagrid new` writes one to start",
        "from, and `permagrid check` finds all faults of one; unknown keys are faults. A small but whole",
        "study, for the data that `permagrid world --out world --seed 7` makes:",
        "",
        "```yaml",
        *EXAMPLE.splitlines(),
        "```",
        "",
        "Contents: [sections](#sections), "
        + ", ".join(f"[{heading.lower()}](#{_anchor(heading)})" for heading in _TABLES)
        + ", [columns of the site table](#columns-of-the-site-table), [units](#units).",
        "",
    ]


def _sections() -> list[str]:
    """Return a table of keys for the study and each of its parts, in the order in which they are met."""
    schema = Study.model_json_schema()
    definitions = schema["$defs"]
    lines = [
        "## Sections",
        "",
        "### Study",
        "",
        _text(schema["description"]),
        "",
        *_keys(schema, definitions),
    ]
    met: dict[str, str] = {}
    _walk(schema, "", definitions, met)
    for model, place in met.items():
        part = definitions[model]
        lines += [f"### {_heading(model)}", "", f"`{place}`: {_text(part['description'])}", ""]
        lines += _keys(part, definitions)
        if model == "CovariatePart":
            lines += _named_sources()
    return lines


def _named_sources() -> list[str]:
    """Return the keys of a named source, which may stand among the covariates."""
    part = CovariateSource.model_json_schema()
    return [
        "### Covariate source",
        "",
        f"`covariates`, in place of a covariate: {_text(part['description'])}",
        "The sources are listed in [sources.md](sources.md).",
        "",
        *_keys(part, {}),
    ]


def _walk(part: dict[str, Any], place: str, definitions: dict[str, Any], met: dict[str, str]) -> None:
    """Note each part below this one with the place at which it is met first."""
    for key, rule in part["properties"].items():
        for model in _models(rule):
            if model not in met:
                met[model] = f"{place}{key}"
                _walk(definitions[model], f"{place}{key}.", definitions, met)


def _models(rule: Any) -> list[str]:
    return list(dict.fromkeys(re.findall(r"#/\$defs/(\w+)", json.dumps(rule))))


def _keys(part: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    rows = []
    for key, rule in part["properties"].items():
        models = _models(rule)
        meaning = rule.get("description") or (definitions[models[0]]["description"] if models else "")
        required = key in part.get("required", [])
        default = _REQUIRED if required else _default(rule.get("default"), has_parts=bool(models))
        rows.append((f"`{key}`", _type(rule), default, _text(meaning)))
    return _table(("key", "type or allowed", "default", "meaning"), rows)


def _default(value: Any, *, has_parts: bool = False) -> str:
    # The defaults of a part stand in its own table.
    if value in (None, "", [], {}) or (isinstance(value, float) and isinf(value)):
        return _ABSENT
    if has_parts:
        return "that of each key"
    return f"`{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}`"


def _type(rule: dict[str, Any]) -> str:
    """Return what a rule of JSON Schema allows, in words."""
    if "$ref" in rule:
        heading = _heading(rule["$ref"].rsplit("/", 1)[1])
        return f"[{heading}](#{_anchor(heading)})"
    if "anyOf" in rule:
        return " or ".join(dict.fromkeys(_type(one) for one in rule["anyOf"] if one.get("type") != "null"))
    if "const" in rule or "enum" in rule:
        return ", ".join(f"`{value}`" for value in rule.get("enum", [rule.get("const")]))
    if rule.get("type") == "array":
        if "prefixItems" in rule:
            return "[" + ", ".join(_type(one) for one in rule["prefixItems"]) + "]"
        return f"list of {_type(rule.get('items', {}))}"
    return _scalar(rule)


def _scalar(rule: dict[str, Any]) -> str:
    if isinstance(rule.get("additionalProperties"), dict):
        return f"mapping of names to {_type(rule['additionalProperties'])}"
    if "pattern" in rule:
        spans = TypeAdapter(YearSpan).json_schema(mode="validation")["pattern"]
        return "years, such as `1980-1984`" if rule["pattern"] == spans else f"text like `{rule['pattern']}`"
    limits = [
        f"{sign} {rule[name]:g}" if rule[name] < 1e6 else f"{sign} {rule[name]}"
        for name, sign in _LIMITS.items()
        if name in rule
    ]
    return " ".join([_TYPES.get(str(rule.get("type")), "anything"), ", ".join(limits)]).strip()


def _plug_ins() -> list[str]:
    lines = []
    for heading, (place, table) in _TABLES.items():
        lines += [f"## {heading}", "", f"Named as {place}.", ""]
        if table is LEARNERS:
            lines += _search_spaces()
        for name in table:
            lines += [f"### `{name}`", "", _text(_documentation(table, name).split("\n\n")[0]), ""]
            if rows := _keywords(table, name):
                lines += _table(("keyword", "type or allowed", "default", "meaning"), rows)
            else:
                lines += ["No keywords.", ""]
    return lines


def _search_spaces() -> list[str]:
    """Return what each learner tries where a study asks for a search and names no space."""
    spaces = {name: traits_of(name).space for name in LEARNERS}
    rows = [
        (f"[`{name}`](#{name})", "; ".join(f"`{key}: {_flow(values)}`" for key, values in space.items()))
        for name, space in spaces.items()
        if space
    ]
    others = ", ".join(f"`{name}`" for name, space in spaces.items() if not space)
    return [
        "What `search: {}` tries, the simplest first, where the search names no `space`. "
        f"Without one of their own: {others}.",
        "",
        *_table(("learner", "tries"), rows),
    ]


def _flow(value: Any) -> str:
    """Return a value as a study states it in one line."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _keywords(table: Table[Any], name: str) -> list[Sequence[str]]:
    hints, meanings = table.hints(name), _meanings(table, name)
    rows: list[Sequence[str]] = []
    for key, parameter in table.keywords(name).items():
        adapter: TypeAdapter[Any] = TypeAdapter(hints[key])
        if parameter.default is inspect.Parameter.empty:
            default = _REQUIRED
        else:
            default = _default(adapter.dump_python(parameter.default, mode="json"))
        rows.append((f"`{key}`", _type(adapter.json_schema()), default, _text(meanings.get(key, ""))))
    return rows


def _documentation(table: Table[Any], name: str) -> str:
    return inspect.getdoc(table[name]) or ""


def _meanings(table: Table[Any], name: str) -> dict[str, str]:
    """Return keyword -> meaning from a numpydoc section ``Parameters``, following "as `other`"."""
    documentation = _documentation(table, name)
    other = re.search(r"Parameters(?: and errors)? as `(\w+)`", documentation)
    found = _meanings(table, other[1]) if other and other[1] in table else {}
    section = re.search(r"^Parameters\n-+\n(.*?)(?=\n\n\w[\w ]*\n-+\n|\Z)", documentation, re.M | re.S)
    for names, text in re.findall(r"^(\w.*)\n((?:[ \t]+.*\n?|\n)+)", section[1] if section else "", re.M):
        meaning = " ".join(text.split())
        same = re.fullmatch(r"As in `(\w+)`\.", meaning)
        meant = _meanings(table, same[1]) if same and same[1] in table else {}
        found |= {key: meant.get(key, meaning) for key in names.split(", ")}
    return found


def _columns() -> list[str]:
    said = _attribute_texts(site_table)
    columns = [(f"`{name}`", _TYPES[kind]) for name, kind in site_table.COLUMNS.items()]
    variables = [(f"`{name}`", f"`{unit}`") for name, unit in site_table.VARIABLES.items()]
    limits = ", ".join(f"`{limit}`" for limit in site_table.LIMITS)
    return [
        "## Columns of the site table",
        "",
        *(_text(paragraph) + "\n" for paragraph in said["COLUMNS"].split("\n\n")),
        f"`limit` is one of {limits}. {_text(said['LIMITS'])}",
        "",
        *_table(("column", "type"), columns),
        "### Variables",
        "",
        _text(said["VARIABLES"]),
        "",
        *_table(("variable", "unit"), variables),
    ]


def _attribute_texts(module: ModuleType) -> dict[str, str]:
    """Return the texts that stand below the names of a module, which Python itself does not keep."""
    body = ast.parse(inspect.getsource(module)).body
    return {
        inspect.cleandoc(
            ast.unparse(named.target if isinstance(named, ast.AnnAssign) else named.targets[0])
        ): inspect.cleandoc(said.value.value)
        for named, said in pairwise(body)
        if isinstance(named, ast.Assign | ast.AnnAssign)
        and isinstance(said, ast.Expr)
        and isinstance(said.value, ast.Constant)
        and isinstance(said.value.value, str)
    }


def _units() -> list[str]:
    dimensions: dict[str, list[str]] = {}
    for unit, (dimension, _, _) in UNITS.items():
        dimensions.setdefault(dimension, []).append(f"`{unit}`")
    return [
        "## Units",
        "",
        "Values are converted between units of one row. A multiple, such as `0.1 degC`, is a unit too.",
        "",
        *_table(("measures", "units"), [(name, ", ".join(units)) for name, units in dimensions.items()]),
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    lines = [head, ["---"] * len(head), *escaped]
    return [*("| " + " | ".join(cells) + " |" for cells in lines), ""]


def _heading(model: str) -> str:
    """Return the name of a model in words: ``Source table`` for ``SourceTable``."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda match: f" {match[1].lower()}", model.removesuffix("Part"))


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def _text(documentation: str) -> str:
    """Return a docstring's words as one line of Markdown."""
    return " ".join(documentation.replace("``", "`").split())
