"""What tests of whole runs ask of a run's folder: the bytes of its products, and when a part was made."""

import json
from pathlib import Path

from permagrid.files import sha256_of
from permagrid.run import run
from permagrid.study import parse_study

TABLES = ("scores.csv", "sites.parquet", "training.parquet", "predictions.parquet")
TARGET = "mean_annual_ground_temperature"


def carry_out(study: dict, world: Path, out: Path, **keywords) -> dict:
    """Run a study and return its summary."""
    run(parse_study(study), out, data=world, **keywords)
    return json.loads((out / "summary.json").read_text())


def stamps(folder: Path, pattern: str) -> dict[str, int]:
    """Return name -> when it was made."""
    return {path.name: path.stat().st_mtime_ns for path in sorted(folder.glob(pattern))}


def bytes_of(folder: Path) -> dict[str, str]:
    """Return name -> hash of each product."""
    names = [*TABLES, "report.html", "study.resolved.yaml"]
    paths = [folder / name for name in names] + sorted((folder / "maps").iterdir())
    paths += sorted((folder / "models").iterdir())
    return {path.name: sha256_of(path) for path in paths}
