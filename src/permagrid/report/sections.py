"""The sections of a report beside its maps: sites, predictions, scores, agreement, and the record."""

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from permagrid.products.legend import LEGENDS, Legend
from permagrid.report import record_text
from permagrid.report.agreement_text import agreement_grid, agreement_sentences
from permagrid.report.canvas import capitalised, words
from permagrid.report.classes_text import unseen_rows
from permagrid.report.fold_names import fewer_folds, fold_order, fold_phrase
from permagrid.report.map_sections import MapLayer, is_virtual, makes_maps, used_sites, variable_legend
from permagrid.report.metrics import on_all_sites, quoted_row
from permagrid.report.page import Folded, Grid, Part, Picture, Section, count
from permagrid.report.raster import read_map
from permagrid.report.score_figures import confusion_figure, roc_figure, scatter_figure
from permagrid.report.score_marks import drawn_folds, score_figure
from permagrid.report.scores_text import (
    fold_sentences,
    overview_grid,
    quoted_folds,
    score_grids,
    subset_words,
)
from permagrid.report.site_figures import flags_by_site, site_map_figure
from permagrid.report.site_text import site_counts

_MOST_ROWS = 12
"""Scores that one table holds; of more, each fold scheme has its own."""
_SCHEMES, _FEWER_SCHEMES = 4, 2
"""Where there are more schemes than the first, fewer are drawn of learners that did not make the maps."""


def published_learner(study: Mapping[str, Any]) -> str | None:
    """Return the learner whose maps a study publishes, where it says so.

    Examples
    --------
    >>> published_learner({"products": {"learner": "random_forest"}})
    'random_forest'
    """
    learner = (study.get("products") or {}).get("learner")
    return None if learner is None else str(learner)


def site_section(
    sites: gpd.GeoDataFrame,
    predictions: pd.DataFrame,
    summary: Mapping[str, Any],
    study: Mapping[str, Any],
    maps: Sequence[MapLayer],
) -> Section:
    """Return where the sites lie, in the CRS of the maps, and what each test flagged."""
    mapped = read_map(maps[0].path, max_pixels=150_000) if maps else None
    columns = ["test", "site_id", "code", "rows", "reason"]
    flagged = flags_by_site(sites) if len(sites) else pd.DataFrame(columns=columns)
    pictures: tuple[Picture, ...] = ()
    if len(sites) and bool((sites["latitude"].abs() <= 90).any()):
        target = study.get("target") or {}
        table = sites if "value" in sites else sites.assign(value=np.nan)
        variable = str(target.get("variable", "value"))
        legend = variable_legend(variable, str(target.get("unit", "")), table["value"], study)
        used = used_sites(predictions, variable)
        shown = "used for training" if used is not None else "kept"
        others = "; grey circles lack something that the study asks for" if used is not None else ""
        picture = site_map_figure(table, legend, mapped=mapped, used=used, coasts=not is_virtual(study))
        pictures = (
            Picture(
                picture,
                f"Two maps: the sites {shown}, coloured by {legend.inline}, and "
                f"{count(flagged['site_id'].nunique(), 'flagged site')} marked by test.",
                f"Left: sites {shown}, coloured by {legend.inline} (mean of all observations){others}. "
                "Right: sites with flagged rows, one mark for each test, those of a site side by "
                "side; it may be used all the same, with its other rows.",
            ),
        )
    first = Part(text=site_counts(summary, sites, predictions, study), figures=pictures)
    return Section("sites", "Sites and quality", (first, record_text.flag_part(summary, sites, flagged)))


def prediction_section(
    predictions: pd.DataFrame, scores: pd.DataFrame, summary: Mapping[str, Any], study: Mapping[str, Any]
) -> Section | None:
    """Return out-of-fold predictions against observations: the quoted learner open, others on demand."""
    if predictions.empty:
        return None
    parts = []
    targets = list(dict.fromkeys(predictions["target"]))
    for target in targets:
        mine = predictions[predictions["target"] == target]
        rows = on_all_sites(mine)
        learners = list(dict.fromkeys(rows["learner"]))
        own = scores[scores["target"] == target] if not scores.empty else scores
        folds = quoted_folds(summary.get("quote"))
        row = quoted_row(own, published_learner(study), folds) if not own.empty else None
        first = str(row["learner"]) if row and row["learner"] in learners else learners[0]
        unit = _unit(target, study)
        legend = variable_legend(target, unit, rows["observed"], study)
        schemes = [str(name) for name in rows["folds"].unique()]
        fewer = fewer_folds(schemes, folds, _FEWER_SCHEMES) if len(schemes) > _SCHEMES else schemes
        shown = rows[rows["folds"].isin(fewer)]
        folded = [
            Folded(capitalised(name), figures=_fit_pictures(shown, legend, name))
            for name in learners
            if name != first
        ]
        for subset in _subsets(mine):
            part = mine[(mine["subset"] == subset) & mine["folds"].isin(fewer)]
            title = f"{capitalised(first)}, fitted to {subset_words(subset, study, unit)} alone"
            folded.append(Folded(title, figures=_fit_pictures(part, legend, first)))
        text = (
            "Every prediction is out-of-fold: made by a model that has not seen the fold it is scored on.",
        )
        heading = legend.title if len(targets) > 1 else ""
        parts.append(
            Part(heading, text=text, figures=_fit_pictures(rows, legend, first), folded=tuple(folded))
        )
    return Section("predictions", "Observed against predicted", tuple(parts))


def _subsets(table: pd.DataFrame) -> list[str]:
    """Return the parts of the sites for which the comparison was made once more."""
    names = dict.fromkeys(table["subset"]) if "subset" in table else ()
    return [str(name) for name in names if name != "all"]


def _fit_pictures(table: pd.DataFrame, legend: Legend, learner: str) -> tuple[Picture, ...]:
    name, rows = words(learner), table[table["learner"] == learner]
    if not rows[["observed", "predicted"]].astype(float).notna().all(axis=1).any():
        return ()
    if legend.kind != "classes":
        return (
            Picture(
                scatter_figure(rows, legend),
                f"Observed against predicted {legend.inline} by {name}, one panel per fold scheme.",
                f"{capitalised(learner)}: observed and predicted {legend.inline}. The line is 1:1; where "
                "points are many, colour shows their density (darker: more, on a logarithmic scale).",
            ),
        )
    found = [
        Picture(
            confusion_figure(rows, legend),
            f"Confusion matrices of {name}, one per fold scheme.",
            f"{capitalised(learner)}: observed against predicted classes; percentages are shares of each "
            "observed class.",
        )
    ]
    if "probability" in rows and rows["probability"].notna().any() and rows["observed"].nunique() == 2:
        found.append(
            Picture(
                roc_figure(rows),
                f"ROC curves and reliability diagram of {name}, one line per fold scheme.",
                f"{capitalised(learner)}: ROC curve, and observed frequency against predicted probability "
                "(tenths with at least 10 observations).",
            )
        )
    return tuple(found)


def score_section(
    scores: pd.DataFrame, summary: Mapping[str, Any], study: Mapping[str, Any]
) -> Section | None:
    """Return the scores of all learners under all fold schemes, for all sites and for each subset."""
    if scores.empty:
        return None
    schemes, published = fold_sentences(summary), published_learner(study)
    folds = quoted_folds(summary.get("quote"))
    parts = []
    targets = list(dict.fromkeys(scores["target"]))
    for target in targets:
        rows = scores[scores["target"] == target]
        unit, quoted = _unit(target, study), quoted_row(rows, published, folds)
        title = LEGENDS[target].title if target in LEGENDS else capitalised(target)
        every = on_all_sites(rows)
        if not every.empty:
            text = tuple(text for text in (schemes, unseen_rows(every, maps=makes_maps(summary))) if text)
            pictures = (_score_picture(every, unit, title, published, folds),)
            heading = title if len(targets) > 1 else ""
            parts.append(Part(heading, text, pictures, *_score_tables(every, unit, quoted)))
        for subset in _subsets(rows):
            said, part = subset_words(subset, study, unit), rows[rows["subset"] == subset]
            text = (
                f"Models fitted to {said} alone, and scored on them alone. The maps come from a model "
                "of all sites: these scores are not theirs.",
            )
            heading = f"{title if len(targets) > 1 else 'Only'} {said}"
            pictures = (_score_picture(part, unit, said, None, folds),)
            parts.append(Part(heading, text, pictures, *_score_tables(part, unit, quoted)))
    return Section("scores", "Scores", tuple(parts))


def _score_tables(
    rows: pd.DataFrame, unit: str, quoted: Mapping[str, Any] | None
) -> tuple[tuple[Grid, ...], tuple[Folded, ...]]:
    """Return tables of scores: all in one, or where that is long an overview and each scheme on demand."""
    if quoted is None or len(rows) <= _MOST_ROWS:
        return score_grids(rows, unit, quoted), ()
    first = str(quoted["folds"])
    schemes = sorted(
        (str(name) for name in rows["folds"].unique()),
        key=lambda name: (name == first, fold_order(name)),
        reverse=True,
    )
    folded = tuple(
        Folded(
            f"All scores, {fold_phrase(folds)}{' (to quote)' if folds == first else ''}",
            tables=score_grids(rows[rows["folds"] == folds], unit, quoted),
        )
        for folds in schemes
    )
    return (overview_grid(rows, unit, quoted),), folded


def _score_picture(
    rows: pd.DataFrame, unit: str, subject: str, published: str | None, quote: str | None
) -> Picture:
    drawn, schemes = drawn_folds(rows, quote), rows["folds"].nunique()
    fewer = (
        f" Drawn are {len(drawn)} of {schemes} fold schemes; the tables hold all."
        if len(drawn) < schemes
        else ""
    )
    return Picture(
        score_figure(rows, unit=unit, published=published, quote=quote),
        f"Scores of {count(rows['learner'].nunique(), 'learner')} on {subject} under "
        f"{count(len(drawn), 'fold scheme')}; the table below holds the numbers.",
        "Scores with 95 % bootstrap intervals. Hollow grey: random folds, which flatter every learner; "
        f"the other colours hold out whole sites, regions or epochs. Arrows at an edge lead to scores beyond "
        f"it.{fewer}",
    )


def agreement_section(summary: Mapping[str, Any]) -> Section | None:
    """Return how the maps agree with independent ones."""
    grid = agreement_grid(summary)
    if grid is None:
        return None
    text = (
        "Reference maps were not used for training. Map and reference are compared in rank (Spearman), as "
        "they need not show the same quantity. Neighbouring cells are alike: their number says nothing about "
        "significance.",
        *agreement_sentences(summary),
    )
    return Section("agreement", "Agreement with reference maps", (Part(text=text, tables=(grid,)),))


def record_section(summary: Mapping[str, Any], study: Mapping[str, Any]) -> Section:
    """Return inputs, products, versions, timing and the study file, all on demand."""
    products, inputs = record_text.product_grid(summary), record_text.input_grid(summary)
    folded = [
        Folded(title, tables=(grid,))
        for title, grid in (
            (f"Products: {count(len(products.rows), 'map')}" if products else "", products),
            (f"Inputs: {count(len(inputs.rows), 'file')}" if inputs else "", inputs),
            ("Versions of the software", record_text.version_grid(summary)),
            ("Time and memory", record_text.timing_grid(summary)),
        )
        if grid is not None
    ]
    if study:
        folded.append(Folded("The study file, resolved", code=record_text.study_yaml(study)))
    return Section("record", "Data, versions and study", (Part(folded=tuple(folded)),))


def source_section(sites: gpd.GeoDataFrame, study: Mapping[str, Any]) -> Section | None:
    """Return the sources to cite."""
    found = record_text.references(sites) if len(sites) else ()
    found = (*found, *record_text.named_references(study))
    if not found:
        return None
    of = "results" if study.get("grid", True) is None else "maps"
    text = f"Cite these with any use of the {of}; licences bind what may be passed on."
    return Section("sources", "Sources and licences", (Part(text=(text,), references=found),))


def _unit(target: str, study: Mapping[str, Any]) -> str:
    declared = study.get("target") or {}
    if declared.get("variable") == target and declared.get("unit"):
        return str(declared["unit"])
    return LEGENDS[target].unit if target in LEGENDS else ""
