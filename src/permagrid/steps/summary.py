"""Step: agreement with reference maps and truth, and the summary that machines read."""

import resource
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
from odc.geo.geobox import GeoBox
from scipy.stats import spearmanr

import permagrid
from permagrid.covariates.resample import onto
from permagrid.covariates.sources import open_grid
from permagrid.grid import blocks
from permagrid.sites.quality import flag_counts
from permagrid.steps.maps import Map
from permagrid.study import Study

SCHEMA = 1
"""Version of the layout of ``summary.json``."""

_PACKAGES = (
    "geopandas",
    "numpy",
    "odc-geo",
    "pandas",
    "pyproj",
    "rasterio",
    "scikit-learn",
    "scipy",
    "xarray",
    "zarr",
)
_BLOCK = 1024
_COUNTS = ("n", "n_sites")
_LABELS = ("target", "learner", "folds", "subset")


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
                    "value": rank,
                    "n": int(both.sum()),
                }
            )
    return found


def against_truth(maps: Sequence[Map], study: Study, root: Path) -> list[dict[str, Any]]:
    """Return how far the maps are from the true maps of a virtual world, over all cells."""
    if study.truth is None:
        return []
    return [
        _errors(made, root / study.truth.path.replace("{epoch}", made.epoch))
        for made in maps
        if made.variable == study.target.variable
    ]


def _errors(made: Map, truth_path: Path) -> dict[str, Any]:
    sums = np.zeros(6)
    with rasterio.open(made.path) as raster, rasterio.open(truth_path) as truth:
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


def site_counts(flagged: gpd.GeoDataFrame, training: pd.DataFrame) -> dict[str, Any]:
    """Return how many rows and sites were read, kept and used, and what each test flagged."""
    used = training[training["excluded"] == ""]
    why = training.loc[training["excluded"] != "", "excluded"].value_counts()
    return {
        "read": int(flagged["site_id"].nunique()),
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


def _number(value: float) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def products_of(maps: Sequence[Map], folder: Path) -> list[dict[str, Any]]:
    """Return path, hash, units, epoch and variable of every map."""
    return [
        {
            "path": str(made.path.relative_to(folder)),
            "sha256": made.sha256,
            "units": made.unit,
            "epoch": made.epoch,
            "variable": made.variable,
        }
        for made in maps
    ]


def versions() -> dict[str, str]:
    """Return the versions of permagrid and of the packages that shape its results."""
    found = {"permagrid": permagrid.__version__, "gdal": rasterio.__gdal_version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return dict(sorted(found.items()))


def peak_memory_mb() -> float:
    """Return the most memory that this process has held [MB]."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
