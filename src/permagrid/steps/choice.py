"""Step: what the learner of the map chooses from all rows, kept until something changes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from permagrid.rundir import RunDir
from permagrid.steps.inputs import code_digest
from permagrid.steps.learners import mapped, mapped_part
from permagrid.steps.scores import Ground, table_digest
from permagrid.study import Study
from permagrid.validation import Candidate
from permagrid.validation.candidate import chosen


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

    ingredients = {
        "code": code_digest(),
        "learner": mapped_part(study).model_dump(mode="json"),
        "groups": [group.model_dump(mode="json") for group in study.validation.groups],
        "seed": study.seed,
        "task": study.target.kind,
        "data": table_digest(ground.table, [*learner.covariates, "value"]),
        "where": ground.where,
    }
    kept = rundir.keep("work/choice.json", ingredients, write)
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    covariates = tuple(found["covariates"])
    classes = tuple(name for name in learner.classes if name in covariates)
    return replace(learner, keywords=found["keywords"], covariates=covariates, classes=classes, choose=None)
