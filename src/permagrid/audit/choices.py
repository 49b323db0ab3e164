"""Rules on choices: keywords, covariates and learners picked outside the folds that score them."""

from collections.abc import Iterator

from permagrid.audit.evidence import Evidence
from permagrid.audit.findings import AUDIT, Finding, listed

_OF_ROWS = frozenset({"random", "holdout", "epoch"})


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
    fixed = [each for each in evidence.learners if each.keywords and not each.searches]
    picked = [each for each in evidence.learners if each.covariates is not None and not each.selects]
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
def choice_by_random_folds(evidence: Evidence) -> Iterator[Finding]:
    """Find learners that choose by folds of rows drawn at random, in which sites are on both sides.

    What remembers sites best is chosen then, and not what serves the map.

    Parameters
    ----------
    evidence
        What is looked at.
    """
    choosing = [each.name for each in evidence.learners if each.searches or each.selects]
    if choosing and evidence.inner in _OF_ROWS and evidence.training["site_group"].duplicated().any():
        yield Finding(
            "caution",
            f"{listed(choosing)} choose{'s' if len(choosing) == 1 else ''} by inner folds that part rows of "
            f"a site ({evidence.inner})",
            "validation.inner",
            "Choose by folds of whole sites or blocks, as those that are quoted.",
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
