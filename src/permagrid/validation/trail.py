"""The trail of a choice: a table of what was tried, its scores, and what was taken."""

from collections.abc import Sequence

import pandas as pd

from permagrid.validation.candidate import Candidate, Choice
from permagrid.validation.objective import Score
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
    scores = [None] * len(tried) if trials.folds is None else trials.scored(tried)
    rows = [
        row(trials, stage, trial, score, chosen=trial == chosen, note=trials.why(trial))
        for trial, score in zip(tried, scores, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def row(
    trials: Trials, stage: str, trial: Trial, score: Score | None, *, chosen: bool, note: str
) -> tuple[object, ...]:
    """Return one row of a trail.

    Parameters
    ----------
    trials
        On whose inner folds it was scored.
    stage
        Part of the choice to which it belongs.
    trial
        What was tried.
    score
        Its score, if it has one.
    chosen
        Whether it was taken.
    note
        What is to be said of it, besides what is to be said of the folds.
    """
    return (
        stage,
        shown(trial.keywords),
        ", ".join(trial.covariates),
        len(trial.covariates),
        trials.judge.objective.metric,
        float("nan") if score is None else score.score,
        float("nan") if score is None else score.standard_error,
        "" if trials.folds is None else trials.folds.name,
        chosen,
        "; ".join(filter(None, (trials.note, note, _tried_with(trials)))),
    )


def _tried_with(trials: Trials) -> str:
    held = trials.judge.in_trials
    return f"tried with {shown(held)}" if held and trials.folds is not None else ""


def nothing_tried(candidate: Candidate, trials: Trials, stage: str) -> Choice:
    """Return a candidate as it is, and a trail that says why nothing was tried."""
    kept = Trial(candidate.keywords, candidate.covariates)
    return Choice(kept.keywords, kept.covariates, trail_of(trials, stage, [kept], kept), trials.untried)
