"""Step: agreement with reference maps and truth, and the summary that machines read."""

import json
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox
from scipy.stats import spearmanr

from permagrid.covariates import Covariate
from permagrid.covariates.resample import onto
from permagrid.covariates.sources import open_grid
from permagrid.covariates.table import attributes
from permagrid.errors import PermagridError
from permagrid.files import sha256_of
from permagrid.grid import blocks
from permagrid.sites.quality import flag_counts
from permagrid.steps.inputs import path_patterns
from permagrid.steps.layers import Map
from permagrid.study import Study
from permagrid.validation import Comparison, FoldDistances, Folds

SCHEMA = 1
"""Version of the layout of ``summary.json``."""

_BLOCK = 1024
_COUNTS = ("n", "n_sites", "n_unseen_class")
_LABELS = ("target", "learner", "folds", "subset")


class Outcome(NamedTuple):
    """What a run found."""

    flagged: gpd.GeoDataFrame
    """All observations with their flags."""
    training: gpd.GeoDataFrame
    """One row per site and epoch, with covariates, and why a row was not used."""
    comparison: Comparison
    """Out-of-fold predictions and scores."""
    maps: Sequence[Map]
    """The maps."""
    models: Sequence[str]
    """Folders of the models, within that of the run."""
    agreement: list[dict[str, Any]]
    """Rank correlations with reference maps."""
    truth: list[dict[str, Any]]
    """Errors against the truth of a virtual world."""
    covariates: list[dict[str, Any]]
    """What each covariate is and how it was made."""
    evidence: dict[str, Any]
    """What stands beside the scores: see `permagrid.steps.evidence`."""


def record_of(outcome: Outcome, folder: Path) -> dict[str, Any]:
    """Return what a run found as plain values, for ``summary.json`` and the report."""
    schemes = outcome.comparison.folds
    return {
        "sites": site_counts(outcome.flagged, outcome.training),
        "folds": [fold_record(f, outcome.comparison.distances.get(f.name)) for f in schemes],
        "scores": score_list(outcome.comparison.scores),
        **outcome.evidence,
        "products": products_of(outcome.maps, folder),
        "models": [{"path": name, "sha256": sha256_of(folder / name)} for name in outcome.models],
        "covariates": outcome.covariates,
        "covariate_groups": gain_list(outcome.comparison.gains),
        "agreement": outcome.agreement,
        "truth": outcome.truth,
    }


def fold_record(folds: Folds, distances: FoldDistances | None) -> dict[str, Any]:
    """Return what a fold scheme is, and how much it is like the making of the map."""
    record: dict[str, Any] = {
        "name": folds.name,
        "method": folds.method,
        "n_folds": len(folds) // folds.repeats,
        "repeats": folds.repeats,
        "spatial": folds.spatial,
        "all_tested": folds.all_tested,
        "found": dict(folds.record),
    }
    if distances is not None:
        record["wasserstein_km"] = distances.wasserstein / 1000.0
        record["median_km"] = {
            kind: float(np.median(getattr(distances, kind))) / 1000.0
            for kind in ("sample_to_sample", "test_to_train", "prediction_to_sample")
        }
    return record


def agreement(maps: Sequence[Map], study: Study, root: Path) -> list[dict[str, Any]]:
    """Return the rank correlation of maps with the reference maps that the study names.

    Raises
    ------
    PermagridError
        If a reference cannot be read.
    """
    found = []
    for reference in study.references:
        epoch = "-".join(map(str, reference.epoch))
        for made in maps:
            if made.epoch != epoch or made.variable != study.target.variable:
                continue
            with rasterio.open(made.path) as raster:
                mine, geobox = raster.read(1, masked=True), GeoBox.from_rio(raster)
            theirs = onto(open_grid(root / reference.path), geobox).values
            values = np.ma.filled(mine.astype(float), np.nan)
            both = np.isfinite(values) & np.isfinite(theirs)
            rank = float(spearmanr(values[both], theirs[both]).statistic) if both.sum() > 2 else float("nan")
            found.append(
                {
                    "reference": reference.name,
                    "citation": reference.citation,
                    "variable": made.variable,
                    "epoch": epoch,
                    "statistic": "spearman",
                    "value": _number(rank),
                    "n": int(both.sum()),
                }
            )
    return found


def truth_files(maps: Sequence[Map], study: Study, root: Path) -> list[tuple[Map, Path]]:
    """Return each map of the target with the file of its truth, where the study names one."""
    if study.truth is None:
        return []
    path = study.truth.path
    return [
        (made, root / path.replace("{epoch}", made.epoch))
        for made in maps
        if made.variable == study.target.variable
    ]


def against_truth(maps: Sequence[Map], study: Study, root: Path) -> list[dict[str, Any]]:
    """Return how far the maps are from the true maps of a virtual world, over all cells."""
    return [_errors(made, real) for made, real in truth_files(maps, study, root)]


def _errors(made: Map, truth_path: Path) -> dict[str, Any]:
    sums = np.zeros(6)
    with rasterio.open(made.path) as raster, rasterio.open(truth_path) as truth:
        if raster.shape != truth.shape or not raster.transform.almost_equals(truth.transform, 1e-3):
            raise PermagridError(
                f"{truth_path}: the truth must lie on the grid of the maps, {raster.shape} cells within "
                f"{tuple(raster.bounds)}; found {truth.shape} within {tuple(truth.bounds)}"
            )
        for rows, columns in blocks(raster.shape, _BLOCK):
            window = rasterio.windows.Window.from_slices(rows, columns)
            mine = np.ma.filled(raster.read(1, window=window, masked=True).astype(float), np.nan)
            real = np.ma.filled(truth.read(1, window=window, masked=True).astype(float), np.nan)
            both = np.isfinite(mine) & np.isfinite(real)
            error, real = mine[both] - real[both], real[both]
            sums += [
                both.sum(),
                error.sum(),
                (error**2).sum(),
                real.sum(),
                (real**2).sum(),
                (error == 0).sum(),
            ]
    n, bias, squares, total, total_squares, equal = sums
    spread = total_squares - total**2 / max(n, 1.0)
    return {
        "variable": made.variable,
        "epoch": made.epoch,
        "n": int(n),
        "rmse": float(np.sqrt(squares / n)) if n else None,
        "bias": float(bias / n) if n else None,
        "r2": float(1.0 - squares / spread) if n and spread > 0 else None,
        "equal_share": float(equal / n) if n else None,
    }


def drop_other(path: Path, identity: str) -> None:
    """Remove the summary of another study or other data: it would not fit the files that change now."""
    try:
        same = json.loads(path.read_text(encoding="utf-8"))["digest"] == identity
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        path.unlink(missing_ok=True)


def site_counts(flagged: gpd.GeoDataFrame, training: pd.DataFrame) -> dict[str, Any]:
    """Return how many rows and sites were read, kept and used, and what each test flagged."""
    used = training[training["excluded"] == ""]
    why = training.loc[training["excluded"] != "", "excluded"].value_counts()
    return {
        "read": len({*flagged["site_id"], *training["site_id"]}),
        "kept": int(used["site_id"].nunique()),
        "rows_read": len(flagged),
        "rows_kept": int(flagged["kept"].sum()),
        "site_epochs": len(used),
        "flagged": flag_counts(flagged),
        "not_used": {str(reason): int(count) for reason, count in why.items()},
    }


def score_list(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """Return scores as records: each metric with its interval ``[low, high]`` beside it."""
    records = []
    for row in scores.to_dict("records"):
        record: dict[str, Any] = {name: row[name] for name in (*_LABELS, *_COUNTS)}
        for name in scores.columns:
            if name not in record and not name.endswith(("_low", "_high")):
                record[name] = _number(row[name])
                record[f"{name}_interval"] = [_number(row[f"{name}_low"]), _number(row[f"{name}_high"])]
        records.append(record)
    return records


def gain_list(gains: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what groups of covariates bring as records, each change with its interval ``[low, high]``."""
    return [
        {
            **{key: row[key] for key in ("group", "covariates", "folds", "metric")},
            **{key: _number(row[key]) for key in ("without", "with", "change")},
            "change_interval": [_number(row["change_low"]), _number(row["change_high"])],
        }
        for row in gains.to_dict("records")
    ]


def covariates_list(
    covariates: Mapping[str, Covariate], stack: xr.Dataset, seen: Sequence[str]
) -> list[dict[str, Any]]:
    """Return what each covariate is and how it was made, the settings that the study leaves out included."""
    return [
        {
            "name": covariate.name,
            "long_name": covariate.long_name or covariate.name,
            "method": covariate.method,
            "units": covariate.unit,
            "kind": covariate.kind,
            "years": None if covariate.years is None else "-".join(map(str, covariate.years)),
            "static": covariate.static,
            "predictor": covariate.name in seen,
            "source": covariate.source or ", ".join(path_patterns(covariate.settings)),
            "settings": covariate.settings,
            "notes": {
                key: text
                for key, text in stack[covariate.name].attrs.items()
                if key not in attributes(covariate)
            },
        }
        for covariate in covariates.values()
    ]


def inputs_of(hashes: Mapping[str, str], root: Path) -> list[dict[str, str]]:
    """Return path and hash of every input file; paths start from the data folder wherever they lie in it."""

    def shown(path: Path) -> str:
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()

    return [{"path": shown(Path(path)), "sha256": sha} for path, sha in hashes.items()]


def _number(value: float) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def products_of(maps: Sequence[Map], folder: Path) -> list[dict[str, Any]]:
    """Return path, hash, units, epoch, variable, and cells mapped, clipped and left out, of every map."""
    return [
        {
            "path": made.path.relative_to(folder).as_posix(),
            "sha256": made.sha256,
            "units": made.unit,
            "epoch": made.epoch,
            "variable": made.variable,
            "cells": made.cells,
            "clipped": made.clipped,
            "unseen_class_cells": made.unseen_class_cells,
            "unseen_classes": made.unseen_classes,
        }
        for made in maps
    ]


def peak_memory_mb() -> float:
    """Return the most memory that this process has held [MB]."""
    # Linux counts in KiB, macOS in bytes.
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
