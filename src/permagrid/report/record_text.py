"""What a run was made from, in tables: inputs, versions, products, sources to cite, the study file."""

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import geopandas as gpd
import pandas as pd
from markupsafe import Markup, escape
from ruamel.yaml import YAML

from permagrid.products.legend import unit_label
from permagrid.report.canvas import capitalised, words
from permagrid.report.page import Cell, Folded, Grid, Part, Reference, count, table
from permagrid.sites.quality import NOT_EVALUATED, VERDICTS, tests_of

_DOI = re.compile(r"\b10\.\d{4,9}/[^\s,;<>\"')\]]*[^\s,;.<>\"')\]]")
_COUNTED = {**VERDICTS, NOT_EVALUATED: "not_evaluated"}
_MOST_SITES = 200


def with_doi(text: str) -> Markup:
    """Return `text` escaped, with every DOI in it as a link.

    Examples
    --------
    >>> with_doi("<b> doi:10.1594/PANGAEA.972777.")
    Markup('&lt;b&gt; doi:<a href="https://doi.org/10.1594/PANGAEA.972777" ...>10.1594/PANGAEA.972777</a>.')
    """
    parts: list[Markup] = []
    end = 0
    for match in _DOI.finditer(text):
        parts.append(escape(text[end : match.start()]))
        parts.append(Markup('<a href="https://doi.org/{0}" rel="noreferrer">{0}</a>').format(match.group()))
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


def input_grid(summary: Mapping[str, Any]) -> Grid | None:
    """Return the inputs with the beginning of their checksums."""
    rows = [[Cell(_path(item), code=True), _checksum(item)] for item in _items(summary, "inputs")]
    return table(["File", "SHA-256"], rows) if rows else None


def product_grid(summary: Mapping[str, Any]) -> Grid | None:
    """Return the products with unit, epoch and the beginning of their checksums."""
    rows = [
        [
            Cell(_path(item), code=True),
            words(str(item.get("variable", "–"))),
            unit_label(str(item.get("units", item.get("unit", "")))) or "1",
            _years(item),
            item.get("cells"),
            _checksum(item),
        ]
        for item in _items(summary, "products")
    ]
    return table(["File", "Variable", "Unit", "Epoch", "Cells", "SHA-256"], rows) if rows else None


def version_grid(summary: Mapping[str, Any]) -> Grid | None:
    """Return the packages and their versions."""
    versions = summary.get("versions") or {}
    rows = [[name, str(version)] for name, version in sorted(versions.items())]
    return table(["Package", "Version"], rows) if rows else None


def timing_grid(summary: Mapping[str, Any]) -> Grid | None:
    """Return the time of each step and the peak memory."""
    rows: list[list[Any]] = [
        [words(step), f"{float(seconds):.1f} s"] for step, seconds in (summary.get("timing_s") or {}).items()
    ]
    memory = summary.get("peak_memory_mb")
    if memory is not None:
        rows.append(["peak memory", f"{float(memory):.0f} MB"])
    return replace(table(["Step", "Took"], rows), numeric=frozenset({1})) if rows else None


def flag_part(summary: Mapping[str, Any], sites: gpd.GeoDataFrame, flagged: pd.DataFrame) -> Part:
    """Return what each quality test flagged: how many rows, and which sites."""
    counts: dict[str, Any] = dict((summary.get("sites") or {}).get("flagged") or {})
    for test in tests_of(sites):
        codes = sites[f"flag_{test}"]
        found = {word: int((codes == code).sum()) for code, word in _COUNTED.items()}
        counts.setdefault(test, found)
    if not counts:
        return Part(text=("No quality test was run.",))
    rows, lists = [], []
    for test in sorted(counts):
        mine = flagged[flagged["test"] == test].sort_values("site_id")
        found = counts[test]
        per_verdict = [int(found.get(word, 0)) for word in _COUNTED.values()]
        rows.append([words(test), *per_verdict, len(mine)])
        if len(mine):
            title = f"{capitalised(test)}: {count(len(mine), 'site')}"
            lists.append(Folded(title, tables=(_flagged_sites(mine),)))
    caption = "Nothing is deleted: rows that failed a test are set aside, suspect rows stay and are marked."
    grid = table(
        ["Test", "Rows suspect", "Rows failed", "Rows missing", "Not evaluated", "Sites"],
        rows,
        caption=caption,
    )
    return Part("What was flagged, and why", tables=(grid,), folded=tuple(lists))


def _flagged_sites(flagged: pd.DataFrame) -> Grid:
    rows = [
        [str(row["site_id"]), VERDICTS[int(row["code"])], int(row["rows"]), str(row["reason"])]
        for row in flagged.head(_MOST_SITES).to_dict("records")
    ]
    more = len(flagged) - _MOST_SITES
    caption = f"The first {_MOST_SITES}; {more} more are in sites.parquet." if more > 0 else ""
    return table(["Site", "Verdict", "Rows", "Why (one of the rows)"], rows, caption=caption)


def references(sites: gpd.GeoDataFrame) -> tuple[Reference, ...]:
    """Return the sources of the kept sites with citation, licence and the sites taken from each."""
    table_ = sites[sites["kept"].astype(bool)] if "kept" in sites else sites
    if table_.empty or ("source" not in table_ and "citation" not in table_):
        return ()
    names = [name for name in ("citation", "licence") if name in table_]
    found = []
    for key, rows in table_.groupby(names, sort=True, dropna=False) if names else [((), table_)]:
        said = dict(zip(names, (_text(value) for value in key), strict=True))
        sources = _sources(rows)
        more = sources if said.get("citation") else [count(rows["site_id"].nunique(), "site")]
        licence = f"licence: {said.get('licence') or 'not stated'}"
        text = said.get("citation") or "; ".join(sources) or "Source not stated"
        found.append(Reference(text, " · ".join([*more, licence])))
    return tuple(found)


def _sources(rows: gpd.GeoDataFrame) -> list[str]:
    """Return each source of `rows` with the number of its sites."""
    if "source" not in rows:
        return [count(rows["site_id"].nunique(), "site")]
    numbers = rows.groupby("source", sort=True, dropna=False)["site_id"].nunique()
    return [f"{_text(name) or 'source not stated'}: {count(int(n), 'site')}" for name, n in numbers.items()]


def named_references(study: Mapping[str, Any]) -> tuple[Reference, ...]:
    """Return what the study itself cites: its covariates and methods, and the maps it is compared with.

    Examples
    --------
    >>> named_references({"metadata": {"references": ["Somebody (2020)"]}})
    (Reference(text='Somebody (2020)', more='named by the study'),)
    """
    cited = (study.get("metadata") or {}).get("references") or []
    compared = [item for item in study.get("references") or [] if item.get("citation")]
    return (
        *(Reference(str(text), "named by the study") for text in cited),
        *(Reference(str(item["citation"]), f"reference map: {item.get('name')}") for item in compared),
    )


def study_yaml(study: Mapping[str, Any]) -> str:
    """Return the resolved study as YAML.

    Examples
    --------
    >>> print(study_yaml({"study": "demo", "seed": 1}).strip())
    study: demo
    seed: 1
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.allow_unicode = True
    yaml.width = 100
    stream = io.StringIO()
    yaml.dump(json.loads(json.dumps(study, default=str)), stream)
    return stream.getvalue()


def _items(summary: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    return summary.get(key) or []


def _years(item: Mapping[str, Any]) -> str:
    """Return the years of an epoch with a dash at which no line breaks."""
    return str(item.get("epoch", "–")).replace("-", "\N{WORD JOINER}–\N{WORD JOINER}")


def _path(item: Mapping[str, Any]) -> str:
    return str(item.get("path", "–"))


def _checksum(item: Mapping[str, Any]) -> Cell:
    return Cell(str(item.get("sha256") or "–")[:12], code=True)


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value)  # noqa: PLR0124  (NaN differs from itself)
