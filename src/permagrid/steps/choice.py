"""Step: what the learner of the map chooses from all rows, kept until something changes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from permagrid.rundir import RunDir
from permagrid.steps.code import code_digest
from permagrid.steps.learners import mapped, mapped_part
from permagrid.steps.scores import Ground, table_digest
from permagrid.study import Study
from permagrid.validation import Candidate
from permagrid.validation.candidate import chosen

_NAME = "work/choice.json"


def settled(study: Study, ground: Ground, rundir: RunDir) -> Candidate:
    """Return the learner of the map with what it chose from all rows, and nothing left to choose.

    Parameters
    ----------
    study, ground
        The study, and all rows.
    rundir
        Folder in which the choice is kept.
    """
    learner = mapped(study, ground.domain)
    if learner.choose is None:
        return learner

    def write(path: Path) -> None:
        with threadpool_limits(1):
            choice = chosen(learner, ground.table)
        found = {"keywords": dict(choice.keywords), "covariates": list(choice.covariates)}
        path.write_text(json.dumps(found), encoding="utf-8")

    kept = rundir.keep(_NAME, _ingredients(study, ground, learner), write)
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    covariates = tuple(found["covariates"])
    classes = tuple(name for name in learner.classes if name in covariates)
    return replace(learner, keywords=found["keywords"], covariates=covariates, classes=classes, choose=None)


def is_settled(study: Study, ground: Ground, rundir: RunDir) -> bool:
    """Return whether nothing is left to choose: the choice is kept, or the learner of the map makes none."""
    learner = mapped(study, ground.domain)
    return learner.choose is None or rundir.is_kept(_NAME, _ingredients(study, ground, learner))


def _ingredients(study: Study, ground: Ground, learner: Candidate) -> dict[str, Any]:
    return {
        "code": code_digest(__name__),
        "learner": mapped_part(study).model_dump(mode="json"),
        "groups": [group.model_dump(mode="json") for group in study.validation.groups],
        "seed": study.seed,
        "task": study.target.kind,
        "data": table_digest(ground.table, [*learner.covariates, "value"]),
        "where": ground.where,
    }
