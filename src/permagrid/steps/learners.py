"""Step: the learners of a study as candidates: what each sees, how it is built and what it chooses."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from permagrid.learners import build_learner
from permagrid.steps.inputs import predictors
from permagrid.study import LearnerPart, Study
from permagrid.validation import Candidate


def candidate(part: LearnerPart, study: Study) -> Candidate:
    """Return a learner of the study with the covariates it sees."""
    names = tuple(predictors(study)) if part.covariates is None else part.covariates
    classes = tuple(c.name for c in study.covariates if c.kind == "class" and c.name in names)
    return Candidate(
        partial(_build, part, study.target.kind, study.seed, classes),
        names,
        keywords=part.keywords,
        classes=() if part.classes == "codes" else classes,
    )


def _build(
    part: LearnerPart,
    task: Any,
    seed: int,
    classes: tuple[str, ...],
    keywords: Mapping[str, Any],
    covariates: tuple[str, ...],
) -> Any:
    return build_learner(
        part.name,
        task,
        seed,
        dict(keywords),
        covariates=covariates,
        classes=tuple(name for name in classes if name in covariates),
        encoding=part.classes,
    )
