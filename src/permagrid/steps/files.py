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
    """Write the parquet tables of sites, training and predictions, and the scores and distances as text."""
    _write_parquet(folder.path / "sites.parquet", flagged)
    _write_parquet(folder.path / "training.parquet", training)
    _write_parquet(folder.path / "predictions.parquet", comparison.predictions)
    for name, table in (("scores", comparison.scores), ("fold_distances", fold_curves(comparison))):
        text = _safe(table).to_csv(index=False, lineterminator="\n")
        write_text(folder.path / f"{name}.csv", text)


def fold_curves(comparison: Comparison) -> pd.DataFrame:
    """Return the distributions of distances under all fold schemes [km].

    Returns
    -------
    pandas.DataFrame
        ``folds``, ``wasserstein_km``, ``kind``, ``distance_km`` and ``share`` of the distances that are no
        longer.
    """
    parts = []
    for name, found in comparison.distances.items():
        curves = found.curves()
        curves["distance_km"] = curves.pop("distance") / 1000.0
        curves.insert(0, "folds", name)
        curves.insert(1, "wasserstein_km", found.wasserstein / 1000.0)
        parts.append(curves[["folds", "wasserstein_km", "kind", "distance_km", "share"]])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


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
