"""The audit of a study before its run: sites and covariates are read, and no learner is compared."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from permagrid.audit import SEVERITIES, Finding
from permagrid.check import accepted
from permagrid.check.grid import geobox_of
from permagrid.files import write_text
from permagrid.progress import Steps
from permagrid.rundir import RunDir
from permagrid.steps import folds
from permagrid.steps.audit import Sample, audit_of
from permagrid.steps.inputs import Hashes, input_files
from permagrid.steps.start import started
from permagrid.study import Study

SCHEMA = 1
"""Version of the layout of the findings as JSON."""

_STYLES = {"fatal": "bold red", "severe": "red", "caution": "yellow", "note": "cyan"}


def review(
    study: Study | Path,
    *,
    data: Path | None = None,
    out: Path | None = None,
    workers: int = 2,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    steps: Steps | None = None,
) -> list[Finding]:
    """Return the findings of the audit of a study, the worst first.

    Parameters
    ----------
    study
        A study, or the path of its file.
    data
        Folder from which the study's relative paths start; that of the study file if left out.
    out
        Folder of a run, whose covariate layers are used and made, so that the run has them; a folder that
        is gone afterwards if left out.
    workers
        Threads.
    settings
        Rule -> keywords that differ from their defaults.
    steps
        Shows progress; silent if left out.

    Raises
    ------
    StudyError
        With every fault of the study and its data.
    PermagridError
        If something a user can mend turns up later.
    """
    root = data or (study.parent if isinstance(study, Path) else Path())
    steps = steps or Steps()
    with steps.step("check"):
        study = accepted(study, root)
    with ExitStack() as open_folders:
        if out is None:
            out = Path(open_folders.enter_context(tempfile.TemporaryDirectory(prefix="permagrid-audit-")))
        folder = open_folders.enter_context(RunDir(out))
        folder.claim(study.study)
        with steps.step("hash inputs"):
            hashes = Hashes(folder.work / "hashes.json")
            hashes.of_all(input_files(study, root))
        begun = started(study, geobox_of(study), folder, hashes, root, workers=workers, steps=steps)
        used, cube = begun.used, begun.cube
        with steps.step("folds"):
            domain = folds.domain_of(study, cube)
            schemes = folds.fold_schemes(used, study, root, domain, workers=workers)
        with steps.step("audit"):
            return audit_of(study, cube, Sample(begun.flagged, begun.table, schemes, domain), settings)


def show_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print findings as a table, the worst first, and how many there are of each severity."""
    if findings:
        shown = Table(show_lines=True, expand=True)
        shown.add_column("Severity", no_wrap=True)
        shown.add_column("What was found, and what to do", ratio=1, overflow="fold")
        for finding in findings:
            said = Text.assemble(
                (f"{finding.rule}\n", "bold"),
                f"{_printable(finding.what)}.\n",
                (f"{_printable(finding.where)}\n", "dim"),
                (_printable(finding.advice), "italic"),
            )
            shown.add_row(Text(finding.severity, _STYLES[finding.severity]), said)
        console.print(shown)
    console.print(counted(findings), highlight=False, markup=False)


def _printable(text: str) -> str:
    """Return a text that cannot reach into the terminal: names of sites come from files."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def counted(findings: Sequence[Finding]) -> str:
    """Return how many findings of each severity there are.

    Examples
    --------
    >>> counted([Finding("note", "", "", ""), Finding("note", "", "", "")])
    '2 findings: 2 note'
    >>> counted([])
    'no finding'
    """
    if not findings:
        return "no finding"
    numbers = {name: sum(found.severity == name for found in findings) for name in SEVERITIES}
    told = ", ".join(f"{number} {name}" for name, number in numbers.items() if number)
    return f"{len(findings)} finding{'' if len(findings) == 1 else 's'}: {told}"


def write_findings(path: Path, study: str, findings: Sequence[Finding]) -> None:
    """Write findings as JSON.

    Parameters
    ----------
    path
        File to write.
    study
        Name of the study file.
    findings
        What was found.

    Raises
    ------
    PermagridError
        If the file cannot be written.
    """
    content = {"schema": SCHEMA, "study": study, "findings": [found.as_dict() for found in findings]}
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
