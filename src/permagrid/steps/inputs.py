"""Input files of a study and their hashes."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from permagrid.covariates import Covariate
from permagrid.covariates.patterns import has_month, of_month
from permagrid.covariates.traits import traits_of
from permagrid.errors import DataError
from permagrid.files import sha256_of, write_text
from permagrid.rundir import digest
from permagrid.study import CovariatePart, SourceTable, Study, resolved


def covariates_of(study: Study) -> dict[str, Covariate]:
    """Return the covariates of a study by name, the unit of each stated."""
    return {covariate.name: covariate for covariate in each_covariate(study)}


def each_covariate(study: Study) -> list[Covariate]:
    """Return the covariates of a study in order, also those whose name stands twice."""
    parts = {part.name: part for part in study.covariates}
    return [_covariate(part, parts) for part in study.covariates]


def predictors(study: Study) -> list[str]:
    """Return the names of the covariates that learners may see."""
    return [part.name for part in study.covariates if part.predictor]


def _covariate(part: CovariatePart, parts: Mapping[str, CovariatePart]) -> Covariate:
    """Return a covariate as a study states it, in the unit of its method or input where it states none."""
    return Covariate(
        name=part.name,
        method=part.method,
        unit=_unit(part, parts),
        keywords=part.keywords,
        kind=part.kind,
        years=part.years,
        static=part.static,
        long_name=part.long_name,
        source=part.citation,
    )


def _unit(part: CovariatePart, parts: Mapping[str, CovariatePart]) -> str:
    if part.unit or part.kind == "class":
        return part.unit or "class"
    known = traits_of(part.method)
    other = parts.get(str(part.keywords.get(known.unit_of))) if known.unit_of else None
    if other is not None:
        return _unit(other, {name: rest for name, rest in parts.items() if rest is not part})
    return known.unit or ""


def covariate_files(covariate: Covariate, study: Study, root: Path) -> list[Path]:
    """Return the local files that a covariate reads for all epochs of a study."""
    return files_for(covariate, study.epochs, root)


def files_for(covariate: Covariate, epochs: Sequence[tuple[int, int]], root: Path) -> list[Path]:
    """Return the local files that a covariate reads for epochs.

    Years, epochs and months in its paths are filled in.
    """
    known, settings = traits_of(covariate.method), covariate.settings
    if known.files is not None:
        return sorted(set(known.files(settings, epochs, root)))
    spans = [known.years(settings, epoch) for epoch in epochs]
    files: set[Path] = set()
    for pattern in path_patterns(settings):
        files.update(_filled(root, pattern, spans, epochs, known.earlier))
    return sorted(files)


def path_patterns(settings: Mapping[str, Any]) -> list[str]:
    """Return the local paths among the keywords of a method, years and months not yet filled in."""
    given = [value for key, value in settings.items() if key == "path" or key.endswith("_path")]
    several = settings.get("paths") or ()
    return [path for path in (*given, *several) if isinstance(path, str) and path and "://" not in path]


def _filled(
    root: Path,
    pattern: str,
    spans: Sequence[tuple[int, int]],
    epochs: Sequence[tuple[int, int]],
    earlier: int,
) -> Iterator[Path]:
    names = {pattern}
    if "{epoch}" in pattern:
        names = {pattern.replace("{epoch}", f"{first}-{last}") for first, last in epochs}
    if "{year}" in pattern:
        years = {year for first, last in spans for year in range(first, last + 1)}
        # What begins in the years before, as a winter does, is read where it is known.
        before = {year for first, _ in spans for year in range(first - earlier, first)}
        years |= {
            year
            for year in before
            if all((root / name).exists() for name in _of_months(pattern.replace("{year}", str(year))))
        }
        names = {name.replace("{year}", str(year)) for name in names for year in years}
    yield from (root / file for name in names for file in _of_months(name))


def _of_months(name: str) -> list[str]:
    return [of_month(name, month) for month in range(1, 13)] if has_month(name) else [name]


def source_files(source: SourceTable, root: Path) -> list[Path]:
    """Return the files that a reader opens: its path, and every keyword that ends in ``_path``."""
    extra = [str(value) for key, value in source.keywords.items() if key.endswith("_path") and value]
    return [root / name for name in (source.path, *extra)]


def identity_of(study: Study, hashes: Mapping[str, str]) -> str:
    """Return the hash of a study with its defaults, and of its inputs wherever they are."""
    return digest({"study": resolved(study), "inputs": sorted(hashes.values())})


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
    for folds in study.validation.folds:
        if folds.keywords.get("path"):
            files.add(root / str(folds.keywords["path"]))
    if study.grid is not None and study.grid.mask is not None:
        files.add(root / study.grid.mask.path)
    if study.inventory is not None and study.inventory.regions is not None:
        files.add(root / study.inventory.regions.path)
    if study.truth is not None:
        files.update(root / study.truth.path.replace("{epoch}", epoch) for epoch in study.epoch_names)
    return sorted(files)


class Hashes:
    """SHA-256 of input files, computed again only when size or time of change differ.

    Parameters
    ----------
    cache
        JSON file in which hashes are remembered between runs; nowhere if left out.
    remember
        Whether to write that file, which only one process at a time may.
    """

    def __init__(self, cache: Path | None = None, *, remember: bool = True) -> None:
        self._cache = cache if remember else None
        self._told: dict[str, str] = {}
        try:
            self._known: dict[str, list[object]] = json.loads(cache.read_text()) if cache else {}
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
        self._told.setdefault(str(path), str(known[2]))
        return str(known[2])

    def of_all(self, paths: Iterable[Path]) -> dict[str, str]:
        """Return path -> hash, and remember them."""
        found = {str(path): self.of(path) for path in paths}
        if self._cache is not None:
            write_text(self._cache, json.dumps(self._known, indent=0, sort_keys=True))
        return found

    def refuse_changed(self) -> None:
        """Raise if a file is not any more what it was when its hash was first told.

        Raises
        ------
        DataError
            Naming the first.
        """
        for name, told in list(self._told.items()):
            path = Path(name)
            if not path.exists():
                raise DataError(f"{path}: was removed while the run read it; bring it back and run again")
            if self.of(path) != told:
                raise DataError(f"{path}: was changed while the run read it; run again")
