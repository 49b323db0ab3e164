"""Rules on choices: keywords, covariates and learners picked outside the folds that score them."""

from collections.abc import Iterator

from permagrid.audit.evidence import Evidence
from permagrid.audit.findings import AUDIT, Finding, listed


@AUDIT.register
def settings_by_hand(evidence: Evidence) -> Iterator[Finding]:
    """Find keywords and covariates of learners that the study fixes: nobody can tell how they were found.

    Scaling, tuning and selection of this package see the training rows of a fold only. What stands in the
    study file may have been tried on the very rows that are scored.

    Parameters
    ----------
    evidence
        What is looked at.
    """
    fixed = [learner for learner in evidence.learners if learner.keywords and not learner.chooses]
    picked = [learner for learner in evidence.learners if learner.covariates is not None]
    said = [f"{learner.name} ({listed(learner.keywords)})" for learner in fixed]
    parts = [f"keywords of {listed(said)}"] if said else []
    parts += [f"covariates of {listed(learner.name for learner in picked)}"] if picked else []
    if parts:
        yield Finding(
            "note",
            f"Set by hand: {listed(parts)}; if they were tried on these sites, the scores flatter them",
            "learners",
            "Let them be chosen within the folds, or say in the study how they were found.",
        )


@AUDIT.register
def best_of_several(evidence: Evidence) -> Iterator[Finding]:
    """Find several learners compared on the folds that are quoted: the best of them is a little lucky.

    Parameters
    ----------
    evidence
        What is looked at.
    """
    number = len(evidence.learners)
    if number > 1:
        yield Finding(
            "note",
            f"{number} learners are compared on the same folds: the best of the scores is a little too good",
            "learners",
            "Name the mapped learner before looking, or compare in pairs with intervals (corrected tests).",
        )
