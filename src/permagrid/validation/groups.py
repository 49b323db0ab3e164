"""What groups of covariates bring: scores of a learner with and without them, on the same folds."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.validation.comparison import Task
from permagrid.validation.folds import Folds
from permagrid.validation.scores import CLASS_METRICS, VALUE_METRICS, repeated_scores, with_intervals

Float = NDArray[np.float64]

ALL_GROUPS = "all of them"
"""Name under which the covariates of all groups are left out together."""


def without_groups(covariates: Sequence[str], groups: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the covariates that remain when each group, and all of them together, is left out.

    Examples
    --------
    >>> without_groups(["air", "slope", "sand"], {"terrain": ["slope"], "soil": ["sand"]})
    {'terrain': ['air', 'sand'], 'soil': ['air', 'slope'], 'all of them': ['air']}
    """
    left_out = {name: set(members) for name, members in groups.items()}
    if len(left_out) > 1:
        left_out[ALL_GROUPS] = set().union(*left_out.values())
    return {name: [c for c in covariates if c not in members] for name, members in left_out.items()}


def group_gains(
    values: Float,
    groups: Sequence[str],
    schemes: Sequence[Folds],
    predicted: Callable[[str | None, Folds], Float],
    *,
    task: Task,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Return how the scores of a learner change when groups of covariates are added to the others.

    Parameters
    ----------
    values
        Observed values or classes, shape ``(n,)``.
    groups
        Names of the groups.
    schemes
        Fold schemes; the same folds serve both sides.
    predicted
        ``(group, folds)`` gives out-of-fold predictions of the learner without a group, or with all of them
        for None, as `permagrid.validation.out_of_fold` returns them.
    task
        What is predicted.
    draws, seed
        Size and seed of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        One row per group, scheme and metric: ``without``, ``with``, and ``change`` (with minus without), its
        interval ``change_low`` to ``change_high`` from the same draws of sites or blocks on both sides.
    """
    classes = np.unique(values) if task == "class" else None
    rows = []
    for scheme in schemes:
        whole = predicted(None, scheme)
        for group in groups:
            sides = partial(_sides, values, predicted(group, scheme), whole, classes)
            found = with_intervals(sides, scheme.groups, draws=draws, seed=seed)
            for metric in CLASS_METRICS if task == "class" else VALUE_METRICS:
                labels = {"group": group, "folds": scheme.name, "metric": metric}
                pair = {"without": found[f"without_{metric}"], "with": found[f"with_{metric}"]}
                change = {f"change{end}": found[f"change_{metric}{end}"] for end in ("", "_low", "_high")}
                rows.append({**labels, **pair, **change})
    return pd.DataFrame(rows)


def _sides(
    values: Float, part: Float, whole: Float, classes: Float | None, weights: Float | None
) -> dict[str, Float]:
    """Return every metric without and with the group, and the change, of the same draws."""
    without, full = (repeated_scores(values, raw, classes, weights) for raw in (part, whole))
    return {
        **{f"without_{metric}": without[metric] for metric in full},
        **{f"with_{metric}": full[metric] for metric in full},
        **{f"change_{metric}": full[metric] - without[metric] for metric in full},
    }
