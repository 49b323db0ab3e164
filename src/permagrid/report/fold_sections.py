"""The section on folds: which of the scores says how good the map is, and how that is decided."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from permagrid.products.legend import unit_label
from permagrid.report.canvas import words
from permagrid.report.fold_figures import distance_figure, fold_map_figure, many_folds
from permagrid.report.fold_names import fold_label, fold_order, is_random
from permagrid.report.metrics import METRICS, main_metric, on_all_sites, quoted_row, score_format
from permagrid.report.page import Cell, Grid, Part, Picture, Row, Section, unbroken
from permagrid.report.raster import MapImage


def fold_section(
    scores: pd.DataFrame,
    predictions: pd.DataFrame,
    distances: pd.DataFrame | None,
    summary: Mapping[str, Any],
    study: Mapping[str, Any],
    *,
    mapped: MapImage | None = None,
    coasts: bool = True,
) -> Section | None:
    """Return the score card of the mapped learner: all fold schemes, their distance W, the one to quote.

    Parameters
    ----------
    scores, predictions
        Score table and out-of-fold predictions of one target.
    distances
        ``folds``, ``kind``, ``distance_km``, ``share`` and ``wasserstein_km``.
    summary, study
        The run's ``summary.json`` and the resolved study.
    mapped
        A map of the run.
    coasts
        Whether coastlines mean anything on it.
    """
    quote = summary.get("quote")
    if not quote or distances is None or distances.empty or scores.empty:
        return None
    unit = str((study.get("target") or {}).get("unit", ""))
    learner = str(quote["learner"])
    rows = on_all_sites(scores)
    rows = rows[rows["learner"] == learner]
    text = (
        "A score is worth as much for the map as its test sites resemble the map: where cells lie far from "
        "all sites, test sites must lie as far from the sites that train. W is the area between the curves "
        "of these two distances, over points drawn from the map in proportion to area; the smaller, the "
        "more alike. The figure to quote is the score under the folds with the smallest W among those that "
        "hold whole sites out and test each (Linnenbrink et al. 2024, doi:10.5194/gmd-17-5897-2024).",
        *_interval_of_the_map(quote),
    )
    figures = [
        Picture(
            distance_figure(distances, quote=str(quote["folds"])),
            "Distribution of distances from test sites to training sites and from the map to the sites, one "
            "panel per fold scheme.",
            "How far test sites are from the nearest training site (coloured), and how far the map is from "
            "the nearest site (black). The nearer the two lines, the better the score speaks for the map. "
            "The scale is linear below 10 km and logarithmic beyond.",
        )
    ]
    mine = predictions[predictions["learner"] == learner] if not predictions.empty else predictions
    if mapped is not None and not mine.empty:
        repeated = " Colours repeat where there are more than ten folds." if many_folds(mine) else ""
        figures.append(
            Picture(
                fold_map_figure(on_all_sites(mine), mapped, coasts=coasts),
                "Maps of the sites coloured by fold, one per fold scheme.",
                "Sites coloured by the fold that tests them; where the epochs of a site lie in several, by "
                f"one of them.{repeated}",
            )
        )
    barred = not_quotable(summary)
    part = Part(text=text, figures=tuple(figures), tables=(_grid(rows, distances, unit, quote, barred),))
    return Section("folds", "Which score to quote", (part,))


def _interval_of_the_map(quote: Mapping[str, Any]) -> tuple[str, ...]:
    spread = quote.get("rmse_spread") or {}
    if None in (spread.get("of_sites"), spread.get("of_map")):
        return ()
    return (
        "The interval to quote with it is another than that of the table, which only asks what other sites "
        f"would have said (a standard error of {spread['of_sites']:.0%} of the score): the map errs most "
        f"where no site is, and by chance more or less than at the sites ({spread['of_map']:.0%}). What "
        "no site shows, such as mountains on which none stands, is in neither.",
    )


def not_quotable(summary: Mapping[str, Any]) -> dict[str, str]:
    """Return fold schemes whose score is not that of a map, whatever their W, and why.

    Examples
    --------
    >>> not_quotable({"folds": [{"name": "random", "spatial": False, "all_tested": True}]})
    {'random': 'does not hold whole sites out'}
    """
    said = {}
    for item in summary.get("folds") or []:
        if not item.get("spatial", True):
            said[str(item["name"])] = "does not hold whole sites out"
        elif not item.get("all_tested", True):
            said[str(item["name"])] = "does not test every site"
    return said


def _grid(
    rows: pd.DataFrame,
    distances: pd.DataFrame,
    unit: str,
    quote: Mapping[str, Any],
    barred: Mapping[str, str],
) -> Grid:
    row = quoted_row(rows, str(quote["learner"]), str(quote["folds"]))
    metric = main_metric(row) if row else "rmse"
    second = "r2" if metric == "rmse" else "accuracy"
    form = score_format(rows, unit)
    widths = distances.groupby("folds")["wasserstein_km"].first()
    median = distances[distances["kind"] == "test_to_train"]
    lines = []
    for record in sorted(rows.to_dict("records"), key=lambda each: fold_order(str(each["folds"]))):
        folds = str(record["folds"])
        plain = {str(key): value for key, value in record.items()}
        chosen = folds == str(quote["folds"])
        half = median[(median["folds"] == folds) & (median["share"] >= 0.5)]["distance_km"].min()
        cells = (
            Cell(unbroken(fold_label(folds)), "to quote" if chosen else barred.get(folds, "")),
            Cell(_kilometres(widths.get(folds))),
            Cell(_kilometres(half)),
            *(Cell(form.number(plain.get(m), m), form.interval(plain, m)) for m in (metric, second)),
        )
        lines.append(Row(cells, "quoted" if chosen else "random" if is_random(folds) else ""))
    shown = f" [{unit_label(unit)}]" if METRICS[metric][1] and unit_label(unit) else ""
    heads = ("Folds", "W [km]", "Half of the test sites within [km]", f"{METRICS[metric][0]}{shown}")
    caption = f"Scores of the {words(str(quote['learner']))}, with 95 % bootstrap intervals below."
    return Grid((*heads, METRICS[second][0]), tuple(lines), frozenset({1, 2, 3, 4}), caption)


def _kilometres(value: Any) -> str:
    return "–" if value is None or pd.isna(value) else f"{float(value):.0f}"
