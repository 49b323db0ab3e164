"""What the scores say, in words and tables: the figure to quote, and all others beside it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from permagrid.products.legend import unit_label
from permagrid.report.canvas import words
from permagrid.report.fold_names import fold_label, fold_order, fold_phrase, fold_title, is_random
from permagrid.report.metrics import (
    LOWER_IS_BETTER,
    METRICS,
    main_metric,
    on_all_sites,
    quoted_row,
    score_format,
)
from permagrid.report.page import Card, Cell, Grid, Row, number, unbroken

_MOST_INTERVALS = 6
"""Columns of scores beside each other that have room for their intervals."""


@dataclass(frozen=True)
class Statement:
    """The sentence on accuracy at the top of a report."""

    text: str
    """What to quote, and what not."""
    warning: bool
    """Whether there is no spatial score to quote."""


def statement(
    scores: pd.DataFrame,
    unit: str,
    published: str | None = None,
    quote: Mapping[str, Any] | None = None,
    *,
    maps: bool = True,
) -> Statement:
    """Return the sentence on what to quote from the scores of one target.

    Parameters
    ----------
    scores
        Scores of one target.
    unit
        Unit of the target.
    published
        The learner whose maps are published, where that is known.
    quote
        Entry ``quote`` of a summary: the folds to quote, and why.
    maps
        Whether the learner made maps.

    Examples
    --------
    >>> table = pd.DataFrame({"learner": ["a", "a"], "folds": ["random", "site"], "rmse": [0.5, 1.5]})
    >>> statement(table, "1", "a").text
    'The figure to quote is that of folds by site: RMSE 1.500 (a). ... Under random folds ... 0.500; ...'
    """
    row = quoted_row(scores, published, quoted_folds(quote))
    if row is None:
        return Statement("This run made no scores: its maps carry no statement of accuracy.", True)
    metric, form = main_metric(row), score_format(scores, unit)
    value = form.text(row[metric], metric)
    if is_random(str(row["folds"])):
        return Statement(
            f"This run has random folds only ({METRICS[metric][0]} {value}). They put neighbours of every "
            "test site into training and say nothing about places without sites: do not quote this "
            "figure; add folds by site and by spatial block to the study.",
            True,
        )
    interval = form.interval(of_the_map(row, quote), metric)
    ends = "95\N{NO-BREAK SPACE}% interval"
    what = f"{ends} for {_of_what(quote)}"
    more = f", {what} {interval}" if interval else ""
    text = (
        f"The figure to quote is that of {fold_phrase(str(row['folds']))}: "
        f"{METRICS[metric][0]} {value} ({words(str(row['learner']))}{more}). "
    )
    if quote and quote.get("wasserstein_km") is not None:
        text += (
            f"Among the folds that hold whole sites out these are the nearest to what the map does (W "
            f"{quote['wasserstein_km']:.4g} km between distances from test sites to training "
            "sites and from the map to the sites). "
        )
    table = on_all_sites(scores)
    text += _why_this_learner(str(row["learner"]), published, table["learner"].nunique(), maps)
    mild = table[(table["learner"] == row["learner"]) & table["folds"].astype(str).str.startswith("random")]
    if not mild.empty:
        text += (
            f" Under random folds the same model scores {form.text(float(mild[metric].iloc[0]), metric)}; "
            "that only tells how well it fills gaps between neighbouring observations."
        )
    return Statement(text, False)


def _why_this_learner(learner: str, published: str | None, learners: int, maps: bool) -> str:
    if learner == published:
        which = "that made these maps" if maps else "that the study names"
        return (
            f"It is the score of the learner {which}, not the best of the table: a learner "
            "chosen because it does best on the very folds that score it is flattered by them."
        )
    if learners > 1:
        return (
            f"It is the best of {learners} learners on these folds, and flattered by that choice: the study "
            "does not say which of them made the maps."
        )
    return "No other learner was tried."


def quoted_folds(quote: Mapping[str, Any] | None) -> str | None:
    """Return the folds to quote, where a summary names them."""
    return None if not quote or quote.get("folds") is None else str(quote["folds"])


def of_the_map(row: Mapping[str, Any], quote: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return a score to quote with the interval that holds for the map, where the summary has one.

    Examples
    --------
    >>> of_the_map({"rmse": 1.2, "rmse_low": 1.1}, {"rmse_interval": [1.0, 1.5]})
    {'rmse': 1.2, 'rmse_low': 1.0, 'rmse_high': 1.5}
    """
    found = (quote or {}).get("rmse_interval")
    return row if not found else {**row, "rmse_low": found[0], "rmse_high": found[1]}


def _of_what(quote: Mapping[str, Any] | None) -> str:
    """Return what the interval of the score to quote is meant to hold."""
    return "the error of the map" if (quote or {}).get("rmse_interval") else "the score"


def score_cards(
    scores: pd.DataFrame,
    unit: str,
    published: str | None = None,
    quote: Mapping[str, Any] | None = None,
) -> list[Card]:
    """Return the main score under the folds to quote as cards."""
    row = quoted_row(scores, published, quoted_folds(quote))
    if row is None:
        return []
    metric, form = main_metric(row), score_format(scores, unit)
    name = METRICS[metric][0]
    spatial = not is_random(str(row["folds"]))
    interval = form.interval(of_the_map(row, quote), metric)
    cards = [
        Card(
            f"{name}, {fold_phrase(str(row['folds']))}",
            form.text(row[metric], metric),
            f"95\N{NO-BREAK SPACE}% for {_of_what(quote)}: {interval}"
            if interval
            else words(str(row["learner"])),
            quoted=spatial,
        )
    ]
    side = "r2" if metric == "rmse" else "accuracy"
    if side in row and metric != side and math.isfinite(float(row[side])):
        interval = form.interval(row, side)
        more = f"95\N{NO-BREAK SPACE}% for the score: {interval}" if interval else ""
        cards.append(Card(f"{METRICS[side][0]}, same folds", form.text(row[side], side), more))
    return cards


def score_grids(scores: pd.DataFrame, unit: str, quoted: Mapping[str, Any] | None) -> tuple[Grid, ...]:
    """Return the scores of one target and one subset, the most severe folds first, random ones last.

    Five metrics make a table, so that none runs off the page.

    Parameters
    ----------
    scores
        Scores of one target and one subset.
    unit
        Unit of the target.
    quoted
        The row to highlight, from `quoted_row`.
    """
    metrics = [name for name in METRICS if name in scores and scores[name].notna().any()]
    records = _records(scores)
    records.sort(key=lambda row: fold_order(row["folds"]), reverse=True)
    form = score_format(scores, unit)
    same_sites = all(scores[name].nunique() == 1 for name in ("n", "n_sites") if name in scores)
    grids = []
    for some in (metrics[start : start + 5] for start in range(0, len(metrics), 5)):
        heads = ["Folds", "Learner", *([] if same_sites else ["n", "Places"])]
        first = 2
        heads += [_head(name, unit) for name in some]
        rows = []
        for record in records:
            cells = [Cell(unbroken(fold_label(str(record["folds"])))), _learner_cell(record, quoted)]
            cells += (
                [] if same_sites else [Cell(number(record.get("n"))), Cell(number(record.get("n_sites")))]
            )
            cells += [Cell(form.number(record.get(m), m), form.interval(record, m)) for m in some]
            rows.append(Row(tuple(cells), _mark(record, quoted)))
        grids.append(Grid(tuple(heads), tuple(rows), frozenset(range(first, len(heads))), _caption(scores)))
    return tuple(grids)


def overview_grid(scores: pd.DataFrame, unit: str, quoted: Mapping[str, Any]) -> Grid:
    """Return the main score of every learner under every fold scheme, one row per learner, the best first.

    Parameters
    ----------
    scores
        Scores of one target and one subset.
    unit
        Unit of the target.
    quoted
        The row to quote: its scheme orders the learners, its metric is shown.
    """
    metric, form = main_metric(quoted), score_format(scores, unit)
    first = str(quoted["folds"])
    schemes = sorted((str(name) for name in scores["folds"].unique()), key=fold_order, reverse=True)
    schemes.sort(key=lambda name: name != first)
    with_intervals = schemes if len(schemes) <= _MOST_INTERVALS else schemes[:1]
    found = {(str(row["learner"]), str(row["folds"])): row for row in _records(scores)}
    sign = 1.0 if metric in LOWER_IS_BETTER else -1.0

    def rank(learner: str) -> float:
        value = float((found.get((learner, first)) or {}).get(metric, math.nan))
        return sign * value if math.isfinite(value) else math.inf

    rows = []
    for learner in sorted(dict.fromkeys(name for name, _ in found), key=rank):
        cells = [_learner_cell({"learner": learner}, None)]
        for folds in schemes:
            record = found.get((learner, folds)) or {}
            small = form.interval(record, metric) if folds in with_intervals else ""
            cells.append(Cell(form.number(record.get(metric), metric), small))
        rows.append(Row(tuple(cells), "quoted" if learner == quoted["learner"] else ""))
    heads = [fold_label(folds) + (" (to quote)" if folds == first else "") for folds in schemes]
    caption = (
        f"{_head(metric, unit)} of every learner under all folds, best first by those to quote; the learner "
        "that is quoted is tinted. 95 % bootstrap intervals below."
    )
    return Grid(("Learner", *heads), tuple(rows), frozenset(range(1, len(heads) + 1)), caption)


def _records(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a score table by learner, in the order of the study."""
    learners = list(dict.fromkeys(scores["learner"]))
    records: list[dict[str, Any]] = [
        {str(key): value for key, value in record.items()} for record in scores.to_dict("records")
    ]
    return sorted(records, key=lambda row: learners.index(row["learner"]))


def _head(metric: str, unit: str) -> str:
    name, bears_unit = METRICS[metric]
    return f"{name} [{unit_label(unit)}]" if bears_unit and unit_label(unit) else name


def _caption(scores: pd.DataFrame) -> str:
    caption = "Pooled out-of-fold scores, with 95 % bootstrap intervals below."
    if {"n", "n_sites"} <= set(scores) and len(scores):
        places = number(int(scores["n_sites"].max()))
        caption += f" {number(int(scores['n'].max()))} site-epochs at {places} places."
    return caption


def _learner_cell(record: Mapping[str, Any], quoted: Mapping[str, Any] | None) -> Cell:
    return Cell(unbroken(words(str(record["learner"]))), "to quote" if _same(record, quoted) else "")


def _same(record: Mapping[str, Any], quoted: Mapping[str, Any] | None) -> bool:
    keys = ("learner", "folds", "subset")
    return quoted is not None and all(record.get(key, "all") == quoted.get(key, "all") for key in keys)


def _mark(record: Mapping[str, Any], quoted: Mapping[str, Any] | None) -> str:
    if _same(record, quoted):
        return "quoted"
    return "random" if is_random(str(record["folds"])) else ""


def fold_sentences(summary: Mapping[str, Any]) -> str:
    """Return how each fold scheme of a run holds sites out.

    Examples
    --------
    >>> fold_sentences({"folds": [{"name": "site", "method": "10 folds of whole sites"}]})
    'Folds by site: 10 folds of whole sites.'
    """
    schemes = sorted(summary.get("folds") or [], key=lambda item: fold_order(str(item.get("name"))))
    return " ".join(
        f"{fold_title(str(item['name']))}: {item['method']}."
        for item in schemes
        if item.get("name") and item.get("method")
    )


def subset_words(name: str, study: Mapping[str, Any], unit: str) -> str:
    """Return which values a subset of the study holds.

    Examples
    --------
    >>> parts = {"validation": {"subsets": [{"name": "thin", "maximum": 300.0}]}}
    >>> subset_words("thin", parts, "cm").split()
    ['values', 'below', '300', 'cm']
    """
    parts = (study.get("validation") or {}).get("subsets") or []
    declared: Mapping[str, Any] = next((part for part in parts if part.get("name") == name), {})
    shown = f"\N{NO-BREAK SPACE}{unit_label(unit)}" if unit_label(unit) else ""
    ends = [
        f"{word} {declared[key]:g}{shown}".replace("-", "\N{MINUS SIGN}")
        for key, word in (("minimum", "from"), ("maximum", "below"))
        if declared.get(key) is not None
    ]
    return f"values {' and '.join(ends)}" if ends else f"subset {words(name)}"
