"""Step: the tables of a run, written so that the same content gives the same bytes."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
from ruamel.yaml import YAML

from permagrid.files import replacing, write_text
from permagrid.rundir import RunDir
from permagrid.validation import Comparison

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_tables(
    folder: RunDir, flagged: gpd.GeoDataFrame, training: gpd.GeoDataFrame, comparison: Comparison
) -> None:
    """Write ``sites.parquet``, ``training.parquet``, ``predictions.parquet`` and ``scores.csv``."""
    _write_parquet(folder.path / "sites.parquet", flagged)
    _write_parquet(folder.path / "training.parquet", training)
    _write_parquet(folder.path / "predictions.parquet", comparison.predictions)
    write_text(folder.path / "scores.csv", _safe(comparison.scores).to_csv(index=False, lineterminator="\n"))


def _write_parquet(path: Path, table: pd.DataFrame) -> None:
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts no spreadsheet takes for formulas."""
    texts = table.select_dtypes(include=["object", "string"]).columns
    return table.assign(
        **{name: table[name].map(lambda v: f"'{v}" if str(v).startswith(_FORMULA) else v) for name in texts}
    )


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_yaml(path: Path, content: Mapping[str, Any], *, comment: str) -> None:
    """Write a YAML file, keys in the order given, below a comment."""
    stream, yaml = io.StringIO(), YAML(typ="safe", pure=True)
    # As the user ordered it: quality tests become columns in this order.
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(dict(content), stream)
    write_text(path, f"# {comment}\n{stream.getvalue()}")
