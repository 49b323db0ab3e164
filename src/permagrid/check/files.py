"""Files that a study names and that are not there."""

from collections.abc import Iterator
from pathlib import Path

from permagrid.steps.inputs import covariate_files, each_covariate, path_patterns, source_files
from permagrid.study import Finding, Location, Study


def missing_files(study: Study, root: Path, usable: frozenset[str]) -> Iterator[Finding]:
    """Yield one finding for each part of a study whose files are missing or empty.

    Parameters
    ----------
    study, root
        The study, and the folder from which its paths start.
    usable
        Sections that can be judged.
    """
    for location, paths in _wanted(study, root, usable):
        absent = [path for path in paths if not path.exists()]
        empty = [path for path in paths if path.is_file() and path.stat().st_size == 0]
        if absent:
            more = f" (and {len(absent) - 1} more of {len(paths)} files)" if len(absent) > 1 else ""
            yield Finding(location, f"no such file: {absent[0]}{more}; paths start from {root} (see --data)")
        elif empty:
            yield Finding(location, f"the file is empty: {empty[0]}")


def is_there(path: Path) -> bool:
    """Return whether a file or folder exists and is not empty."""
    return path.is_dir() or (path.is_file() and path.stat().st_size > 0)


def _wanted(study: Study, root: Path, usable: frozenset[str]) -> Iterator[tuple[Location, list[Path]]]:
    if "sites" in usable:
        for group, sources in (("sources", study.sites.sources), ("stations", study.sites.stations)):
            for index, source in enumerate(sources):
                yield ("sites", group, index), source_files(source, root)
    if "covariates" in usable:
        for index, covariate in enumerate(each_covariate(study)):
            files = covariate_files(covariate, study, root)
            patterns = " ".join(path_patterns(covariate.settings))
            varies = "{epoch}" in patterns or "{year}" in patterns
            if files and ("epochs" in usable or not varies):
                yield ("covariates", index, "path"), files
    if "validation" in usable:
        for index, folds in enumerate(study.validation.folds):
            if isinstance(folds.keywords.get("path"), str):
                yield ("validation", "folds", index, "path"), [root / folds.keywords["path"]]
    yield from _of_maps(study, root, usable)


def _of_maps(study: Study, root: Path, usable: frozenset[str]) -> Iterator[tuple[Location, list[Path]]]:
    if "grid" in usable and study.grid is not None and study.grid.mask is not None:
        yield ("grid", "mask", "path"), [root / study.grid.mask.path]
    for index, reference in enumerate(study.references):
        yield ("references", index, "path"), [root / reference.path]
    if study.inventory is not None and study.inventory.regions is not None:
        yield ("inventory", "regions", "path"), [root / study.inventory.regions.path]
    if study.truth is not None and "epochs" in usable:
        yield ("truth", "path"), truth_files(study, root)


def truth_files(study: Study, root: Path) -> list[Path]:
    """Return the true maps of a study, one an epoch."""
    pattern = study.truth.path if study.truth is not None else ""
    return [root / pattern.replace("{epoch}", epoch) for epoch in study.epoch_names]
