"""Every mistake in a study and its data, all at once, each with its place and what is allowed."""

from collections.abc import Iterator
from pathlib import Path

from permagrid.check.builds import build_faults
from permagrid.check.ensembles import region_faults
from permagrid.check.files import missing_files
from permagrid.check.grid import geobox_of
from permagrid.check.observations import Tables
from permagrid.check.rasters import covariate_rasters, other_rasters
from permagrid.check.rules import RULES
from permagrid.errors import Fault, StudyError
from permagrid.study import Draft, Finding, Study, draft, read_draft

__all__ = ["accepted", "check_file", "check_study"]


def check_study(study: Study, root: Path, *, data: bool = True) -> list[Fault]:
    """Return every fault of a study; an empty list means that it can run.

    Parameters
    ----------
    study
        The study.
    root
        Folder from which its relative paths start.
    data
        Whether to look into the files as well.

    Returns
    -------
    list of Fault
        In the order of the study file.
    """
    return _faults(draft(study), root, data=data)


def check_file(path: Path, root: Path, *, data: bool = True) -> list[Fault]:
    """Return every fault of a study file, with line numbers.

    Where one part is faulty the others are judged all the same, and so are the data they name.

    Parameters
    ----------
    path
        The study file.
    root
        Folder from which its relative paths start.
    data
        Whether to look into the files as well.

    Returns
    -------
    list of Fault
        In the order of the study file.

    Raises
    ------
    StudyError
        If the file cannot be read or is no YAML mapping.
    """
    return _faults(read_draft(path), root, data=data)


def accepted(study: Study | Path, root: Path, *, sites: bool = True) -> Study:
    """Return a study, read from its file if need be, that has no fault.

    Parameters
    ----------
    study
        The study, or the path of its file.
    root
        Folder from which its relative paths start.
    sites
        Whether to look into all its files; else into those of its grid and covariates alone.

    Raises
    ------
    StudyError
        With every fault of the study and its data.
    """
    read = read_draft(study) if isinstance(study, Path) else draft(study)
    faults = _faults(read, root, data=True, sites=sites)
    if faults or read.study is None:
        raise StudyError(faults)
    return read.study


def _faults(read: Draft, root: Path, *, data: bool, sites: bool = True) -> list[Fault]:
    findings = [*read.findings, *_judged(read, root, data=data, sites=sites)]
    # Locations in a study from which faulty items were taken are those of what remains.
    original = [Finding(read.places.original(f.location), f.message) for f in findings[len(read.findings) :]]
    return read.places.faults([*read.findings, *original])


def _judged(read: Draft, root: Path, *, data: bool, sites: bool) -> Iterator[Finding]:
    study = read.study
    if study is None:
        return
    whole = frozenset(type(study).model_fields) - read.doubtful - read.absent
    usable = whole | (read.doubtful - read.absent)
    applicable = [rule for rule in RULES if whole >= rule.whole and usable >= rule.usable]
    broken = [finding for rule in applicable for finding in rule.judge(study)]
    yield from broken
    if not data:
        return
    sound = whole - {str(finding.location[0]) for finding in broken}
    drawn = study if sites else study.model_copy(update={"references": (), "inventory": None, "truth": None})
    parts = usable if sites else usable & {"covariates", "epochs", "grid"}
    missing = list(missing_files(drawn, root, parts))
    yield from missing
    if "covariates" in usable:
        looked = list(covariate_rasters(study, root, grid="grid" in sound, epochs="epochs" in sound))
        yield from looked
        geobox = geobox_of(study) if sound >= {"covariates", "grid", "epochs"} else None
        if geobox is not None:
            told = {int(f.location[1]) for f in (*missing, *looked) if f.location[0] == "covariates"}
            yield from build_faults(study, root, geobox, told=told)
    if not sites:
        return
    if not study.is_tabular:
        yield from other_rasters(study, root, grid="grid" in sound)
    geobox = geobox_of(study) if sound >= {"grid", "inventory"} else None
    if geobox is not None:
        yield from region_faults(study, root, geobox)
    if "sites" in usable:
        tables = Tables(study, root, grid="grid" in sound)
        faulty = list(tables.findings())
        yield from faulty
        rest = [finding for finding in broken if finding.location[:2] != ("sites", "quality")]
        if "sites" in whole and not faulty and not any(f.location[0] == "sites" for f in rest):
            yield from tables.left_to_learn_from(sound)
