"""Input files of a study and their hashes, and the hash of the code that reads them."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from inspect import Parameter
from pathlib import Path
from typing import Any

from permagrid.covariates import COVARIATES, Covariate
from permagrid.files import sha256_of, write_text
from permagrid.rundir import digest
from permagrid.steps.versions import versions
from permagrid.study import SourceTable, Study


def covariates_of(study: Study) -> dict[str, Covariate]:
    """Return the covariates of a study by name."""
    return {
        part.name: Covariate(
            name=part.name,
            method=part.method,
            unit=part.unit,
            keywords={**_usual_inputs(part.method), **part.keywords},
            kind=part.kind,
            years=part.years,
            static=part.static,
            long_name=part.long_name,
        )
        for part in study.covariates
    }


def _usual_inputs(method: str) -> dict[str, Any]:
    """Return the covariates that a method takes as its input unless told otherwise."""
    if method not in COVARIATES:
        return {}
    parameters = COVARIATES.keywords(method)
    return {
        name: parameters[name].default
        for name in ("input", "inputs")
        if name in parameters and parameters[name].default is not Parameter.empty
    }


def covariate_files(covariate: Covariate, study: Study, root: Path) -> list[Path]:
    """Return the local files that a covariate reads for all epochs of a study."""
    return files_for(covariate, study.epoch_names, root)


def files_for(covariate: Covariate, epochs: Sequence[str], root: Path) -> list[Path]:
    """Return the local files that a covariate reads for epochs such as ``1980-1984``.

    Years, epochs and months in its path are filled in.
    """
    pattern = covariate.keywords.get("path")
    if not isinstance(pattern, str) or "://" in pattern:
        return []
    names = {pattern}
    if "{epoch}" in pattern:
        names = {pattern.replace("{epoch}", epoch) for epoch in epochs}
    if "{year}" in pattern:
        spans = [[int(year) for year in epoch.split("-")] for epoch in epochs]
        years = {year for first, last in spans for year in range(first, last + 1)}
        if covariate.method == "freezing_index":
            # The winter that ends in an epoch's first year began in the year before, where that is known.
            before = {first - 1 for first, _ in spans}
            years |= {year for year in before if (root / pattern.replace("{year}", str(year))).exists()}
        names = {pattern.replace("{year}", str(year)) for year in years}
    if "{month}" in pattern:
        names = {name.replace("{month}", f"{month:02d}") for name in names for month in range(1, 13)}
    return sorted(root / name for name in names)


def source_files(source: SourceTable, root: Path) -> list[Path]:
    """Return the files that a reader opens: its path, and every keyword that ends in ``_path``."""
    extra = [str(value) for key, value in source.keywords.items() if key.endswith("_path") and value]
    return [root / name for name in (source.path, *extra)]


def rooted(source: SourceTable, root: Path) -> dict[str, object]:
    """Return a reader's keywords with the paths among them put under the root."""
    return {
        key: root / str(value) if key.endswith("_path") and value else value
        for key, value in source.keywords.items()
    }


def input_files(study: Study, root: Path) -> list[Path]:
    """Return every local file that a study reads."""
    files: set[Path] = set()
    for source in (*study.sites.sources, *study.sites.stations):
        files.update(source_files(source, root))
    for covariate in covariates_of(study).values():
        files.update(covariate_files(covariate, study, root))
    files.update(root / reference.path for reference in study.references)
    if study.grid.mask is not None:
        files.add(root / study.grid.mask.path)
    if study.truth is not None:
        files.update(root / study.truth.path.replace("{epoch}", epoch) for epoch in study.epoch_names)
    return sorted(files)


class Hashes:
    """SHA-256 of input files, computed again only when size or time of change differ.

    Parameters
    ----------
    cache
        JSON file in which hashes are remembered between runs.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        try:
            self._known: dict[str, list[object]] = json.loads(cache.read_text())
        except (OSError, ValueError):
            self._known = {}

    def of(self, path: Path) -> str:
        """Return the hash of one file or folder."""
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file())
            return digest([(str(p.relative_to(path)), self.of(p)) for p in files])
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        known = self._known.get(str(path))
        if known is None or known[:2] != stamp:
            known = [*stamp, sha256_of(path)]
            self._known[str(path)] = known
        return str(known[2])

    def of_all(self, paths: Iterable[Path]) -> dict[str, str]:
        """Return path -> hash, and remember them."""
        found = {str(path): self.of(path) for path in paths}
        write_text(self._cache, json.dumps(self._known, indent=0, sort_keys=True))
        return found


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Return the hash of the package's source and of the versions beneath: what others made is not reused."""
    package = Path(__file__).resolve().parents[1]
    sources = [(str(p.relative_to(package)), sha256_of(p)) for p in sorted(package.rglob("*.py"))]
    return digest([sources, versions()])
