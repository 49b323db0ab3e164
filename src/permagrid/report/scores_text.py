"""What the scores say, in words and tables: the figure to quote, and all others beside it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from permagrid.products.legend import unit_label
from permagrid.report.canvas import fold_label, fold_order, words
from permagrid.report.page import Card, Cell, Grid, Row, number
from permagrid.report.score_figures import METRICS, best_learner


@dataclass(frozen=True)
class Statement:
    """The sentence on accuracy at the top of a report."""

    text: str
    """What to quote, and what not."""
    warning: bool
    """Whether there is no spatial score to quote."""


def score_text(value: float, metric: str, unit: str) -> str:
    """Return a score with sensible decimals and its unit.

    Examples
    --------
    >>> score_text(0.91, "r2", "degC"), score_text(-0.25, "bias", "degC").split()
    ('0.910', ['−0.25', '°C'])
    """
    if not math.isfinite(value):
        return "–"
    has_unit = METRICS[metric][1] and unit_label(unit)
    size = abs(value)
    decimals = 3 if not has_unit else (2 if size < 10 else (1 if size < 100 else 0))
    shown = f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")
    return f"{shown}\N{NO-BREAK SPACE}{unit_label(unit)}" if has_unit else shown


def interval_text(row: Mapping[str, Any], metric: str, unit: str) -> str:
    """Return the 95 % interval of a score, or nothing where the table has none."""
    low, high = row.get(f"{metric}_low"), row.get(f"{metric}_high")
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    plain = [score_text(float(bound), metric, unit).split("\N{NO-BREAK SPACE}")[0] for bound in (low, high)]
    return f"{plain[0]} to {plain[1]}"


def quoted_row(scores: pd.DataFrame) -> dict[str, Any] | None:
    """Return the row of the best learner under the most severe folds, on all sites."""
    if scores.empty:
        return None
    learner, folds = best_learner(scores)
    rows = _on_all_sites(scores)
    rows = rows[(rows["learner"] == learner) & (rows["folds"] == folds)]
    return {str(key): value for key, value in rows.iloc[0].to_dict().items()}


def statement(scores: pd.DataFrame, unit: str) -> Statement:
    """Return the sentence on what to quote from the scores of one target.

    Examples
    --------
    >>> table = pd.DataFrame({"learner": ["a", "a"], "folds": ["random", "site"], "rmse": [0.5, 1.5]})
    >>> statement(table, "1").text
    'The figure to quote is that of folds by site: RMSE 1.500 (a). Under random folds ... 0.500; ...'
    """
    row = quoted_row(scores)
    if row is None:
        return Statement("This run made no scores: its maps carry no statement of accuracy.", True)
    metric = _main_metric(row)
    value = score_text(float(row[metric]), metric, unit)
    if row["folds"] == "random":
        return Statement(
            f"This run has random folds only ({METRICS[metric][0]} {value}). They put neighbours of every "
            "test site into training and say nothing about places without sites: do not quote this "
            "figure; add folds by site and by spatial block to the study.",
            True,
        )
    interval = interval_text(row, metric, unit)
    more = f", 95\N{NO-BREAK SPACE}% interval {interval}" if interval else ""
    text = (
        f"The figure to quote is that of folds by {_fold_words(str(row['folds']))}: "
        f"{METRICS[metric][0]} {value} ({words(str(row['learner']))}{more})."
    )
    mild = _on_all_sites(scores)
    mild = mild[(mild["learner"] == row["learner"]) & (mild["folds"] == "random")]
    if not mild.empty:
        other = score_text(float(mild[metric].iloc[0]), metric, unit)
        text += (
            f" Under random folds the same model scores {other}; that only tells how well it fills gaps "
            "between neighbouring observations."
        )
    return Statement(text, False)


def score_cards(scores: pd.DataFrame, unit: str) -> list[Card]:
    """Return the main score under the most severe and under random folds as cards."""
    row = quoted_row(scores)
    if row is None:
        return []
    metric = _main_metric(row)
    name = METRICS[metric][0]
    spatial = str(row["folds"]) != "random"
    interval = interval_text(row, metric, unit)
    cards = [
        Card(
            f"{name}, folds by {_fold_words(str(row['folds']))}" if spatial else f"{name}, random folds",
            score_text(float(row[metric]), metric, unit),
            f"95\N{NO-BREAK SPACE}%: {interval}" if interval else words(str(row["learner"])),
            quoted=spatial,
        )
    ]
    side = "r2" if metric == "rmse" else "accuracy"
    if side in row and metric != side and math.isfinite(float(row[side])):
        interval = interval_text(row, side, unit)
        value = score_text(float(row[side]), side, unit)
        more = f"95\N{NO-BREAK SPACE}%: {interval}" if interval else ""
        cards.append(Card(f"{METRICS[side][0]}, same folds", value, more))
    return cards


def score_grids(scores: pd.DataFrame, unit: str) -> tuple[Grid, ...]:
    """Return all scores of one target, learners in order, folds from mild to severe.

    Five metrics make a table, so that none runs off the page.
    """
    metrics = [name for name in METRICS if name in scores and scores[name].notna().any()]
    learners = list(dict.fromkeys(scores["learner"]))
    records: list[dict[str, Any]] = [
        {str(key): value for key, value in record.items()} for record in scores.to_dict("records")
    ]
    records.sort(
        key=lambda row: (
            str(row.get("subset", "all")) != "all",
            learners.index(row["learner"]),
            fold_order(row["folds"]),
        )
    )
    quoted = quoted_row(scores)
    return tuple(
        _score_grid(records, metrics[start : start + 5], unit, quoted) for start in range(0, len(metrics), 5)
    )


def _score_grid(
    records: Sequence[Mapping[str, Any]], metrics: Sequence[str], unit: str, quoted: Mapping[str, Any] | None
) -> Grid:
    subsets = any(record.get("subset", "all") != "all" for record in records)
    heads = ["Learner", "Folds", *(["Subset"] if subsets else []), "n", "Sites"]
    first = len(heads) - 2
    shown = f" [{unit_label(unit)}]" if unit_label(unit) else ""
    heads += [f"{METRICS[name][0]}{shown if METRICS[name][1] else ''}" for name in metrics]
    rows = []
    for record in records:
        cells = [
            Cell(words(str(record["learner"]))),
            Cell(fold_label(str(record["folds"])).replace(" ", "\N{NO-BREAK SPACE}")),
        ]
        cells += [Cell(words(str(record.get("subset", "all"))))] if subsets else []
        cells += [Cell(number(record.get("n"))), Cell(number(record.get("n_sites")))]
        cells += [_score_cell(record, metric, unit) for metric in metrics]
        same = quoted is not None and all(
            record.get(key, "all") == quoted.get(key, "all") for key in ("learner", "folds", "subset")
        )
        mark = "quoted" if same else ("random" if record["folds"] == "random" else "")
        rows.append(Row(tuple(cells), mark))
    caption = "Pooled out-of-fold scores with 95 % bootstrap intervals below. Highlighted: the row to quote."
    return Grid(tuple(heads), tuple(rows), frozenset(range(first, len(heads))), caption)


def _score_cell(record: Mapping[str, Any], metric: str, unit: str) -> Cell:
    value = record.get(metric)
    if value is None or not math.isfinite(float(value)):
        return Cell("–")
    return Cell(
        score_text(float(value), metric, unit).split("\N{NO-BREAK SPACE}")[0],
        interval_text(record, metric, unit),
    )


def _on_all_sites(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["subset"] == "all"] if "subset" in scores else scores


def _main_metric(row: Mapping[str, Any]) -> str:
    order = ("rmse", "kappa", "accuracy", *METRICS)
    return next((m for m in order if m in row and math.isfinite(float(row[m]))), "rmse")


def _fold_words(folds: str) -> str:
    return "site" if folds == "site" else fold_label(folds)
