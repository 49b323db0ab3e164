"""The trail of a choice: a table of what was tried, its scores, and what was taken."""

from collections.abc import Sequence

import pandas as pd

from permagrid.validation.candidate import Candidate, Choice
from permagrid.validation.trials import Trial, Trials, shown

COLUMNS = (
    "stage",
    "keywords",
    "covariates",
    "n_covariates",
    "metric",
    "score",
    "standard_error",
    "folds",
    "chosen",
    "note",
)
"""Columns of a trail; covariates are parted by commas."""


def trail_of(trials: Trials, stage: str, tried: Sequence[Trial], chosen: Trial) -> pd.DataFrame:
    """Return the trail of trials, one row each, in their order.

    Parameters
    ----------
    trials
        Knows their scores.
    stage
        Part of the choice to which they belong.
    tried
        What was tried.
    chosen
        Which of them was taken.
    """
    scores = trials.scored(tried) if trials.folds is not None else []
    rows = []
    for number, trial in enumerate(tried):
        score = scores[number] if scores else None
        rows.append(
            (
                stage,
                shown(trial.keywords),
                ", ".join(trial.covariates),
                len(trial.covariates),
                trials.judge.objective.metric,
                float("nan") if score is None else score.score,
                float("nan") if score is None else score.standard_error,
                "" if trials.folds is None else trials.folds.name,
                trial == chosen,
                "; ".join(filter(None, (trials.note, trials.why(trial)))),
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def nothing_tried(candidate: Candidate, trials: Trials, stage: str) -> Choice:
    """Return a candidate as it is, and a trail that says why nothing was tried."""
    kept = Trial(candidate.keywords, candidate.covariates)
    return Choice(kept.keywords, kept.covariates, trail_of(trials, stage, [kept], kept))
