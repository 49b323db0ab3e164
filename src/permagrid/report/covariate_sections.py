"""The section of a report on covariates: what they are, and what groups of them bring."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from permagrid.products.legend import unit_label
from permagrid.report.canvas import words
from permagrid.report.covariate_words import how_made
from permagrid.report.fold_names import fold_label, fold_order
from permagrid.report.gain_figures import gain_figure
from permagrid.report.metrics import LOWER_IS_BETTER, METRICS, ScoreFormat, main_metric
from permagrid.report.page import Cell, Folded, Grid, Part, Picture, Row, Section, count, table


def covariate_section(summary: Mapping[str, Any], study: Mapping[str, Any]) -> Section | None:
    """Return what the covariates of a run are, and how the scores change with groups of them."""
    parts = []
    gains = summary.get("covariate_groups") or []
    if gains:
        parts.append(_gain_part(gains, study))
    listed = covariate_grid(summary)
    if listed is not None:
        title = f"All covariates: {count(len(listed.rows), 'layer')}"
        parts.append(Part(folded=(Folded(title, tables=(listed,)),)))
    return Section("covariates", "Covariates", tuple(parts)) if parts else None


def covariate_grid(summary: Mapping[str, Any]) -> Grid | None:
    """Return what each covariate is, how it is made, from what, and for which years.

    Examples
    --------
    >>> one = {"name": "slope", "method": "slope", "units": "degree", "settings": {"analysis": "grid"}}
    >>> [cell.text for cell in covariate_grid({"covariates": [one]}).rows[0].cells]
    ['slope', 'degree', 'slope: analysis grid', '–', '–']
    """
    rows = [
        [
            Cell(str(item["name"]), _subtitle(item)),
            Cell(unit_label(str(item.get("units", ""))) or str(item.get("units") or "–")),
            Cell(how_made(item)),
            Cell(str(item.get("years") or "–"), "used for every epoch" if item.get("static") else ""),
            Cell(str(item.get("source") or "–")),
        ]
        for item in summary.get("covariates") or []
    ]
    return table(["Covariate", "Unit", "Made by", "Years", "Source"], rows) if rows else None


def _subtitle(item: Mapping[str, Any]) -> str:
    long_name = str(item.get("long_name") or "")
    said = [] if long_name == item["name"] else [long_name]
    return "; ".join([*said, *([] if item.get("predictor", True) else ["not seen by learners"])])


def _gain_part(gains: Sequence[Mapping[str, Any]], study: Mapping[str, Any]) -> Part:
    unit = str((study.get("target") or {}).get("unit", ""))
    known = {item["metric"]: 1.0 for item in gains if item.get("with") is not None}
    metric = main_metric(known)
    asked = (study.get("validation") or {}).get("group_learner")
    learner = words(str(asked or (study.get("products") or {}).get("learner", "the mapped learner")))
    members = {str(item["group"]): str(item.get("covariates") or "") for item in gains}
    listed = "; ".join(f"{words(group)}: {named}" for group, named in members.items() if named)
    text = (
        *((f"Groups: {listed}.",) if listed else ()),
        f"The {learner} is scored with all covariates and again without each group, on the same folds. A "
        "change whose interval holds zero cannot be told from chance. Groups were not chosen within the "
        "folds: one that is kept because it does well here is flattered.",
        *gain_sentences(gains, metric, unit),
    )
    picture = Picture(
        gain_figure(gains, metric=metric, unit=unit),
        f"Change of {METRICS[metric][0]} by group of covariates, under each spatial fold scheme; the table "
        "below holds the numbers.",
        "Change of the score when a group is added to the other covariates, with 95 % bootstrap intervals of "
        "whole sites or blocks.",
    )
    return Part(
        "What groups of covariates bring", text=text, figures=(picture,), tables=(_grid(gains, metric, unit),)
    )


def gain_sentences(gains: Sequence[Mapping[str, Any]], metric: str, unit: str) -> tuple[str, ...]:
    """Return which groups change the score by more than chance, under which folds.

    Examples
    --------
    >>> one = {"group": "soil", "folds": "site", "metric": "rmse", "change": -0.1,
    ...        "change_interval": [-0.2, -0.05]}
    >>> gain_sentences([one], "rmse", "degC")[0]
    'Better with it: soil (by site).'
    """
    sign = 1.0 if metric in LOWER_IS_BETTER else -1.0
    rows = [item for item in gains if item["metric"] == metric and None not in item["change_interval"]]
    ends = [(item, sorted(sign * float(end) for end in item["change_interval"])) for item in rows]
    said = []
    for title, chosen in (
        ("Better with it", [item for item, (_, high) in ends if high < 0]),
        ("Worse with it", [item for item, (low, _) in ends if low > 0]),
        ("No difference beyond chance", [item for item, (low, high) in ends if low <= 0 <= high]),
    ):
        named = [f"{words(str(item['group']))} ({fold_label(str(item['folds']))})" for item in chosen]
        if named:
            said.append(f"{title}: {', '.join(named)}.")
    return tuple(said)


def _grid(gains: Sequence[Mapping[str, Any]], metric: str, unit: str) -> Grid:
    rows = [item for item in gains if item["metric"] == metric]
    values = [abs(item["with"]) for item in rows if item["with"] is not None and math.isfinite(item["with"])]
    form = ScoreFormat(unit, 1 if values and min(values) >= 10 else 2)
    shown = f" [{unit_label(unit)}]" if METRICS[metric][1] and unit_label(unit) else ""
    groups = list(dict.fromkeys(item["group"] for item in rows))
    ordered = sorted(rows, key=lambda item: (groups.index(item["group"]), fold_order(str(item["folds"]))))
    lines = []
    for item in ordered:
        low, high = item["change_interval"]
        ends = {f"{metric}_low": low, f"{metric}_high": high}
        interval = form.interval(ends, metric) or "–"
        cells = (
            Cell(words(str(item["group"]))),
            Cell(fold_label(str(item["folds"]))),
            *(Cell(form.number(item[key], metric)) for key in ("without", "with")),
            Cell(form.number(item["change"], metric), interval),
        )
        lines.append(Row(cells))
    heads = (
        "Group",
        "Folds",
        *(f"{METRICS[metric][0]} {word}{shown}" for word in ("without", "with")),
        "Change",
    )
    return Grid(heads, tuple(lines), frozenset({2, 3, 4}), "95 % bootstrap intervals below the changes.")
