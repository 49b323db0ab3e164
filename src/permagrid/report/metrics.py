"""Metrics as people read them, and the row of the score table that a report quotes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from permagrid.errors import PermagridError
from permagrid.products.legend import unit_label
from permagrid.report.fold_names import fold_order

METRICS: dict[str, tuple[str, bool]] = {
    "rmse": ("RMSE", True),
    "mae": ("MAE", True),
    "bias": ("Bias", True),
    "r2": ("R²", False),
    "accuracy": ("Accuracy", False),
    "balanced_accuracy": ("Balanced accuracy", False),
    "precision": ("Precision", False),
    "recall": ("Recall", False),
    "f1": ("F1", False),
    "kappa": ("Kappa", False),
    "mcc": ("MCC", False),
    "roc_auc": ("ROC AUC", False),
    "pr_auc": ("PR AUC", False),
    "brier": ("Brier score", False),
}
"""Metric -> its name as people read it, and whether it has the unit of the target."""
LOWER_IS_BETTER = frozenset({"rmse", "mae", "brier"})
"""Metrics of which the smaller is the better; of the others, bias aside, it is the larger."""


_MOST_DIGITS = 6
"""Decimals that an end of an interval gets, at most, beyond those of the scores."""


@dataclass(frozen=True)
class ScoreFormat:
    """How the scores of one target are written: all with the same number of decimals."""

    unit: str
    """Unit of the target."""
    decimals: int = 2
    """Decimals of metrics that bear the unit; others have three."""

    def number(self, value: object, metric: str, more: int = 0) -> str:
        """Return a score without its unit, with so many decimals `more` than others.

        Examples
        --------
        >>> ScoreFormat("cm", 1).number(86.0, "rmse"), ScoreFormat("cm", 1).number(-0.5, "r2")
        ('86.0', '−0.500')
        """
        if not isinstance(value, int | float) or not math.isfinite(value):
            return "–"
        decimals = more + (self.decimals if METRICS[metric][1] and unit_label(self.unit) else 3)
        # adding 0 turns a negative zero, which would be written with a sign, into zero
        return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "\N{MINUS SIGN}")

    def text(self, value: object, metric: str) -> str:
        """Return a score with its unit.

        Examples
        --------
        >>> ScoreFormat("degC").text(-0.25, "bias").split()
        ['−0.25', '°C']
        """
        unit = unit_label(self.unit) if METRICS[metric][1] else ""
        number = self.number(value, metric)
        return f"{number}\N{NO-BREAK SPACE}{unit}" if unit and number != "–" else number

    def interval(self, row: Mapping[str, Any], metric: str) -> str:
        """Return the 95 % interval of a score, or nothing where the table has none.

        An interval that does not hold zero is not written as if it did: it gets more digits.

        Examples
        --------
        >>> ScoreFormat("degC").interval({"rmse_low": 1.0, "rmse_high": 1.5}, "rmse")
        '1.00 to 1.50'
        >>> ScoreFormat("degC").interval({"rmse_low": 0.004, "rmse_high": 1.5}, "rmse")
        '0.004 to 1.500'
        """
        values = [row.get(f"{metric}_{end}") for end in ("low", "high")]
        ends = [self.number(value, metric) for value in values]
        if "–" in ends:
            return ""
        low, high = (float(value) for value in values if value is not None)
        more = 0
        while low * high > 0.0 and more < _MOST_DIGITS and not all(map(_digits, ends)):
            more += 1
            ends = [self.number(value, metric, more) for value in values]
        return " to ".join(ends)


def _digits(text: str) -> bool:
    """Return whether a number is written with a digit that is not zero."""
    return any(digit in text for digit in "123456789")


def score_format(scores: pd.DataFrame, unit: str) -> ScoreFormat:
    """Return the format in which the errors of most learners have three digits, two decimals at most.

    Examples
    --------
    >>> score_format(pd.DataFrame({"rmse": [62.3, 113.8, 86.4]}), "cm").decimals
    1
    """
    errors = next((scores[name] for name in ("rmse", "mae", "bias") if name in scores), None)
    size = float(np.nanmedian(errors.abs())) if errors is not None and errors.notna().any() else 0.0
    return ScoreFormat(unit, 2 if size < 10 else (1 if size < 100 else 0))


def on_all_sites(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of scores or predictions that are not of a subset of the sites."""
    return table[table["subset"] == "all"] if "subset" in table else table


def best_learner(scores: pd.DataFrame, quote: str | None = None) -> tuple[str, str]:
    """Return the learner that does best under the fold scheme to quote, and that scheme.

    Parameters
    ----------
    scores
        Scores of one target.
    quote
        The scheme to quote; the most severe where it is not known or not in the table.

    Raises
    ------
    PermagridError
        If the table is empty.

    Examples
    --------
    >>> best_learner(pd.DataFrame({"learner": ["a", "b", "a", "b"], "rmse": [1.0, 1.1, 2.0, 1.9],
    ...                            "folds": ["random", "random", "block_500km", "block_500km"]}))
    ('b', 'block_500km')
    """
    table = on_all_sites(scores)
    if table.empty:
        raise PermagridError("the score table is empty")
    schemes = [str(name) for name in table["folds"].unique()]
    severe = quote if quote is not None and quote in schemes else max(schemes, key=fold_order)
    rows = table[table["folds"] == severe]
    for metric, sign in (("rmse", 1.0), ("kappa", -1.0), ("accuracy", -1.0)):
        if metric in rows and rows[metric].notna().any():
            best = int(np.nanargmin(sign * rows[metric].to_numpy(float)))
            return str(rows["learner"].iloc[best]), severe
    return str(rows["learner"].iloc[0]), severe


def quoted_row(
    scores: pd.DataFrame, published: str | None, quote: str | None = None
) -> dict[str, Any] | None:
    """Return the row to quote: the published learner under the folds to quote, on all sites.

    Parameters
    ----------
    scores
        Scores of one target.
    published
        The learner that made the maps. The best one is taken where it is not known or not in the table.
    quote
        The scheme to quote; the most severe where it is not known or not in the table.

    Examples
    --------
    >>> table = pd.DataFrame({"learner": ["a", "b"], "folds": ["site", "site"], "rmse": [1.0, 2.0]})
    >>> quoted_row(table, "b")["rmse"], quoted_row(table, None)["rmse"]
    (2.0, 1.0)
    """
    table = on_all_sites(scores)
    if table.empty:
        return None
    learner, folds = best_learner(table, quote)
    severe = table[table["folds"] == folds]
    if published is not None and published in set(severe["learner"]):
        learner = published
    row = severe[severe["learner"] == learner].iloc[0]
    return {str(key): value for key, value in row.to_dict().items()}


def main_metric(row: Mapping[str, Any]) -> str:
    """Return the metric by which a row of scores is quoted.

    Examples
    --------
    >>> main_metric({"accuracy": 0.9, "kappa": 0.8})
    'kappa'
    """
    order = ("rmse", "kappa", "accuracy", *METRICS)
    return next((m for m in order if m in row and math.isfinite(float(row[m]))), "rmse")
