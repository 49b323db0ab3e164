"""A whole run on one page: from a study file to validated maps."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from permagrid.check import accepted
from permagrid.check.grid import geobox_of
from permagrid.executors import Executor, Threads
from permagrid.files import sha256_of
from permagrid.grid import BlockSize
from permagrid.progress import Steps
from permagrid.report.html import MapLayer, TruthPair, write_report
from permagrid.rundir import RunDir
from permagrid.steps import evidence, files, layers, sites, summary
from permagrid.steps.audit import Sample, audit_of, residuals
from permagrid.steps.code import code_digest
from permagrid.steps.emulation import against_emulated
from permagrid.steps.inputs import Hashes, covariates_of, identity_of, input_files, predictors
from permagrid.steps.memory import planned
from permagrid.steps.prepare import Prepared, prepared
from permagrid.steps.versions import versions
from permagrid.steps.workshop import Workshop
from permagrid.study import Study, resolved

_HOW_TO_REPEAT = "permagrid run study.resolved.yaml --data INPUTS --out OUT gives the same bytes"


@dataclass(frozen=True)
class _Run:
    """Where a run reads and writes, and how."""

    study: Study
    root: Path
    folder: RunDir
    steps: Steps
    workers: int
    block: BlockSize
    executor: Executor


def run(
    study: Study | Path,
    out: Path,
    *,
    data: Path | None = None,
    workers: int = 2,
    block: BlockSize = 512,
    steps: Steps | None = None,
    executor: Executor | None = None,
    memory: int | None = None,
) -> Path:
    """Carry out a study and leave maps, scores, sites, a report and a summary in a folder.

    A second run in the same folder makes anew only what depends on what changed. Long comparisons, and
    learners that choose, use processes: a script that calls this keeps the call under
    ``if __name__ == "__main__":``.

    Parameters
    ----------
    study
        A study, or the path of its file.
    out
        Folder to write; see `permagrid.rundir.FILES`.
    data
        Folder from which the study's relative paths start; that of the study file if left out.
    workers, block
        Fits or blocks in work at a time, and cells per side of a block of prediction, or its rows and
        columns. Neither changes a byte of a product.
    steps
        Shows progress; silent if left out.
    executor
        Makes the blocks of maps, such as `permagrid.dask_workers.DaskWorkers`; threads of this process if
        left out. It changes no byte of a product.
    memory
        Bytes that the run may take; blocks are made smaller, and fewer at a time, for it to hold.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StudyError
        With every fault of the study and its data; nothing has been written then.
    PermagridError
        If something a user can mend turns up later.
    """
    root = data or (study.parent if isinstance(study, Path) else Path())
    steps = steps or Steps()

    with steps.step("check"):
        study = accepted(study, root)
        fit = planned(study, memory, block=block, workers=workers)

    with RunDir(out) as folder:
        folder.claim(study.study)
        folder.unseal()
        with steps.step("hash inputs"):
            hashes = Hashes(folder.work / "hashes.json")
            inputs = hashes.of_all(input_files(study, root))
            plain, identity = resolved(study), identity_of(study, inputs)
            summary.drop_other(folder.path / "summary.json", identity)

        job = _Run(study, root, folder, steps, workers, fit.block, executor or Threads(fit.workers))
        outcome = _carry_out(job, hashes)
        hashes.refuse_changed()

        with steps.step("tables"):
            files.write_tables(folder, outcome.flagged, outcome.training, outcome.comparison)
            files.write_yaml(folder.path / "study.resolved.yaml", plain, comment=_HOW_TO_REPEAT)
        record: dict[str, Any] = {
            "schema": summary.SCHEMA,
            "study": study.study,
            "digest": identity,
            "versions": versions(),
            "inputs": summary.inputs_of(inputs, root),
            **summary.record_of(outcome, folder.path),
        }
        with steps.step("report"):
            _report(job, record, outcome)
        record |= {
            "reused": folder.reused_counts(),
            "timing_s": steps.seconds,
            "peak_memory_mb": summary.peak_memory_mb(),
        }
        files.write_json(folder.path / "summary.json", record)
        folder.seal(made.path for made in outcome.maps)
    return out


def _carry_out(job: _Run, hashes: Hashes) -> summary.Outcome:
    """Return all that a study asks for, the maps written."""
    study, root, folder, steps = job.study, job.root, job.folder, job.steps
    ready = prepared(study, geobox_of(study), root, folder, hashes, workers=job.workers, steps=steps)
    begun, ground, comparison = ready.begun, ready.ground, ready.comparison
    made, inventory = _maps(job, ready)

    with steps.step("audit"):
        left = residuals(study, begun.used["value"].to_numpy(float), comparison, ready.quote)
        findings = audit_of(
            study, begun.cube, Sample(begun.flagged, begun.table, comparison.folds, ground.domain, left)
        )

    with steps.step("compare with references"):
        return summary.Outcome(
            flagged=begun.flagged,
            training=begun.table,
            comparison=comparison,
            maps=made,
            models=[model.path for model in ready.models],
            agreement=summary.agreement(made, study, root),
            truth=summary.against_truth(made, study, root),
            covariates=summary.covariates_list(covariates_of(study), begun.cube, predictors(study)),
            evidence={
                "quote": evidence.quote_record(study, ground, comparison, ready.quote),
                "paired": evidence.paired_list(study, ground, comparison),
                "choices": evidence.choice_list(comparison, study.products.learner, ready.learner),
                "importance": evidence.importance_list(ready.worth),
                "applicability": evidence.applicability_record(ground, ready.belief, made),
                "audit": evidence.audit_list(findings),
                "intervals": ready.intervals,
                "inventory": inventory,
                "emulation": against_emulated(made, study, begun.cube, root),
            },
        )


def _maps(job: _Run, ready: Prepared) -> tuple[list[layers.Map], dict[str, Any] | None]:
    """Return the maps, written, and the totals over them; none where the study has no grid."""
    if ready.geobox is None:
        job.folder.forget("maps", set())
        return [], None
    with job.steps.step("maps") as advance:
        canvas = ready.canvas(job.block)
        makers, joined = ready.makers(canvas)
        workshop = Workshop(job.folder, canvas.windows, job.executor, job.steps)
        made = layers.Atlas(job.study, ready.geobox, job.folder, workshop).make(makers, advance)
        return made, joined.inventory(made) if joined else None


def _report(job: _Run, record: dict[str, Any], outcome: summary.Outcome) -> None:
    """Write the report, unless nothing that it shows has changed."""
    folder, study, made = job.folder, job.study, outcome.maps
    names = ("sites.parquet", "predictions.parquet", "fold_distances.csv")
    tables = [sha256_of(folder.path / name) for name in names]

    def write(path: Path) -> None:
        pairs = summary.truth_files(made, study, job.root)
        write_report(
            path,
            record,
            study=resolved(study),
            sites=sites.rows_of_target(outcome.flagged, study),
            scores=outcome.comparison.scores,
            predictions=outcome.comparison.predictions,
            maps=[MapLayer(m.path, m.variable, m.epoch, m.unit) for m in made],
            truth=[TruthPair(real, m.path, m.variable, m.epoch) for m, real in pairs],
            distances=files.fold_curves(outcome.comparison),
        )

    folder.keep("report.html", {"code": code_digest(__name__), "record": record, "tables": tables}, write)
