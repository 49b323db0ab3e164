"""The sections of a report: maps, truth, sites, predictions, scores, agreement, and the record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from permagrid.products.legend import LEGENDS, Legend, legend_for, unit_label
from permagrid.report import record_text
from permagrid.report.canvas import words
from permagrid.report.figures import (
    confusion_figure,
    epoch_maps_figure,
    map_figure,
    roc_figure,
    scatter_figure,
    score_figure,
    site_map_figure,
    truth_figure,
)
from permagrid.report.page import Folded, Part, Picture, Section
from permagrid.report.raster import read_map
from permagrid.report.score_figures import best_learner
from permagrid.report.scores_text import score_grids
from permagrid.report.site_figures import flags_by_site


@dataclass(frozen=True)
class MapLayer:
    """One map of a run."""

    path: Path
    """The GeoTIFF."""
    variable: str
    """Name of its variable."""
    epoch: str
    """Inclusive years, such as ``1980-1984``."""
    unit: str
    """Unit of its values."""


@dataclass(frozen=True)
class TruthPair:
    """A map and the known truth, as on the virtual world."""

    truth_path: Path
    """The truth."""
    map_path: Path
    """The map."""
    variable: str
    """Name of the variable of both."""
    epoch: str
    """Inclusive years."""


def variable_legend(variable: str, unit: str, values: Any, study: Mapping[str, Any]) -> Legend:
    """Return the legend of a variable; unknown ones range over the study's valid range or `values`."""
    known = LEGENDS.get(variable)
    if known is not None and unit in (known.unit, ""):
        return known
    target = study.get("target") or {}
    declared = target.get("valid_range") if target.get("variable") == variable else None
    if declared is None:
        finite = np.asarray(values, dtype=float)
        finite = finite[np.isfinite(finite)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        declared = (low, high if high > low else low + 1.0)
    return legend_for(variable, unit=unit or "1", valid_range=(declared[0], declared[1]))


def map_section(
    maps: Sequence[MapLayer], sites: gpd.GeoDataFrame, study: Mapping[str, Any]
) -> Section | None:
    """Return all epochs of each variable side by side, and the latest at full size."""
    if not maps:
        return None
    parts = []
    circles = " Circles: kept sites in the colours of their mean observed values."
    variables = list(dict.fromkeys(layer.variable for layer in maps))
    for variable in variables:
        layers = sorted((x for x in maps if x.variable == variable), key=lambda x: x.epoch)
        latest = layers[-1]
        values = read_map(latest.path, max_pixels=200_000).values
        legend = variable_legend(variable, latest.unit, values, study)
        years = latest.epoch.replace("-", "–")
        drawn = sites if variable == (study.get("target") or {}).get("variable") and len(sites) else None
        pictures = [
            Picture(
                map_figure(latest.path, legend, title=f"{legend.title}, {years}", sites=drawn),
                f"Map of {legend.inline} for {years}. {_range_words(values, legend)}",
                f"{legend.label}, {years}.{'' if drawn is None else circles} "
                "The scale bar is true at the centre of the map.",
            )
        ]
        if len(layers) > 1:
            epochs = [layer.epoch.replace("-", "–") for layer in layers]
            pictures.append(
                Picture(
                    epoch_maps_figure(
                        {layer.epoch: layer.path for layer in layers},
                        legend,
                        title=f"{legend.title}, all epochs",
                    ),
                    f"{len(layers)} maps of {legend.inline}, one for each epoch: {', '.join(epochs)}.",
                    f"{legend.label} in all {len(layers)} epochs, one legend for all.",
                )
            )
        parts.append(Part(legend.title if len(variables) > 1 else "", figures=tuple(pictures)))
    return Section("maps", "Maps", tuple(parts))


def _range_words(values: Any, legend: Legend) -> str:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "It holds no data."
    if legend.kind == "classes":
        shares = [f"{stop.label} {np.mean(finite == stop.value):.0%}" for stop in legend.stops]
        return f"Share of cells: {', '.join(shares)}."
    low, middle, high = np.quantile(finite, [0.05, 0.5, 0.95])
    unit = f" {unit_label(legend.unit)}" if unit_label(legend.unit) else ""
    return f"90 % of cells lie between {low:.3g} and {high:.3g}{unit}; the median is {middle:.3g}{unit}."


def truth_section(
    truth: Sequence[TruthPair], maps: Sequence[MapLayer], summary: Mapping[str, Any], study: Mapping[str, Any]
) -> Section | None:
    """Return truth, map and error side by side for each pair."""
    units = {layer.variable: layer.unit for layer in maps}
    grid = record_text.truth_grid(summary, units)
    if not truth and grid is None:
        return None
    pictures = []
    for pair in truth:
        values = read_map(pair.truth_path, max_pixels=100_000).values
        legend = variable_legend(pair.variable, units.get(pair.variable, ""), values, study)
        years = pair.epoch.replace("-", "–")
        pictures.append(
            Picture(
                truth_figure(pair.truth_path, pair.map_path, legend, title=f"{legend.title}, {years}"),
                f"Three maps of {legend.inline} for {years}: the truth, the map, and map minus truth.",
                f"{legend.label}, {years}: the known truth of the virtual world, the map made from its "
                "sites and covariates, and the error.",
            )
        )
    part = Part(figures=tuple(pictures), tables=(grid,) if grid else ())
    return Section("truth", "Map against truth", (part,))


def site_section(
    sites: gpd.GeoDataFrame, summary: Mapping[str, Any], study: Mapping[str, Any], maps: Sequence[MapLayer]
) -> Section:
    """Return where the sites lie, in the CRS of the maps, and what each test flagged."""
    crs = read_map(maps[0].path, max_pixels=10_000).crs if maps else None
    flagged = (
        flags_by_site(sites)
        if len(sites)
        else pd.DataFrame(columns=["test", "site_id", "code", "rows", "reason"])
    )
    counts = summary.get("sites") or {}
    text = []
    if counts.get("read") is not None and counts.get("kept") is not None:
        text.append(f"{counts['read']} sites were read; {counts['kept']} were kept for training and scoring.")
    pictures: tuple[Picture, ...] = ()
    placed = len(sites) > 0 and bool((sites["latitude"].abs() <= 90).any())
    if placed:
        target = study.get("target") or {}
        table = sites if "value" in sites else sites.assign(value=np.nan)
        variable = str(target.get("variable", "value"))
        legend = variable_legend(variable, str(target.get("unit", "")), table["value"], study)
        pictures = (
            Picture(
                site_map_figure(table, legend, crs=crs),
                f"Two maps: {_kept(sites)} kept sites coloured by {legend.inline}, and "
                f"{flagged['site_id'].nunique()} flagged sites marked by test.",
                f"Left: kept sites, coloured by {legend.inline} (mean over all years). "
                "Right: sites with flagged rows.",
            ),
        )
    first = Part(text=tuple(text), figures=pictures)
    return Section("sites", "Sites and quality", (first, record_text.flag_part(summary, sites, flagged)))


def _kept(sites: gpd.GeoDataFrame) -> int:
    table = sites[sites["kept"].astype(bool)] if "kept" in sites else sites
    return int(table["site_id"].nunique())


def prediction_section(
    predictions: pd.DataFrame, scores: pd.DataFrame, study: Mapping[str, Any]
) -> Section | None:
    """Return out-of-fold predictions against observations, the best learner first, others folded away."""
    if predictions.empty:
        return None
    parts = []
    targets = list(dict.fromkeys(predictions["target"]))
    for target in targets:
        rows = predictions[predictions["target"] == target]
        learners = list(dict.fromkeys(rows["learner"]))
        own = scores[scores["target"] == target] if not scores.empty else scores
        best = best_learner(own)[0] if not own.empty else learners[0]
        best = best if best in learners else learners[0]
        legend = variable_legend(target, _unit(target, study), rows["observed"], study)
        pictures = {name: _fit_pictures(rows[rows["learner"] == name], legend, name) for name in learners}
        others = tuple(
            Folded(words(name).capitalize(), figures=pictures[name]) for name in learners if name != best
        )
        text = (
            "Every prediction is out-of-fold: made by a model that has not seen the fold it is scored on.",
        )
        parts.append(
            Part(
                legend.title if len(targets) > 1 else "",
                text=text,
                figures=pictures[best],
                folded=others,
            )
        )
    return Section("predictions", "Observed against predicted", tuple(parts))


def _fit_pictures(rows: pd.DataFrame, legend: Legend, learner: str) -> tuple[Picture, ...]:
    name = words(learner)
    if not rows[["observed", "predicted"]].astype(float).notna().all(axis=1).any():
        return ()
    if legend.kind != "classes":
        return (
            Picture(
                scatter_figure(rows, legend),
                f"Observed against predicted {legend.inline} by {name}, one panel per fold scheme.",
                f"{name.capitalize()}: observed and predicted {legend.inline}. The line is 1:1; where points "
                "are many, colour shows their density (darker: more, on a logarithmic scale).",
            ),
        )
    found = [
        Picture(
            confusion_figure(rows, legend),
            f"Confusion matrices of {name}, one per fold scheme.",
            f"{name.capitalize()}: observed against predicted classes; percentages are shares of each "
            "observed class.",
        )
    ]
    if "probability" in rows and rows["probability"].notna().any() and rows["observed"].nunique() == 2:
        found.append(
            Picture(
                roc_figure(rows),
                f"ROC curves and reliability diagram of {name}, one line per fold scheme.",
                f"{name.capitalize()}: ROC curve, and observed frequency against predicted probability "
                "(tenths with at least 10 observations).",
            )
        )
    return tuple(found)


def score_section(scores: pd.DataFrame, study: Mapping[str, Any]) -> Section | None:
    """Return the scores of all learners under all fold schemes."""
    if scores.empty:
        return None
    parts = []
    targets = list(dict.fromkeys(scores["target"]))
    for target in targets:
        rows = scores[scores["target"] == target]
        unit = _unit(target, study)
        title = LEGENDS[target].title if target in LEGENDS else words(target).capitalize()
        picture = Picture(
            score_figure(rows, unit=unit),
            f"Scores of {rows['learner'].nunique()} learners on {title} under {rows['folds'].nunique()} "
            "fold schemes; the table below holds the numbers.",
            "Scores with 95 % bootstrap intervals. Hollow grey: random folds, which flatter every learner; "
            "the other colours hold out whole sites or regions.",
        )
        parts.append(
            Part(title if len(targets) > 1 else "", figures=(picture,), tables=score_grids(rows, unit))
        )
    return Section("scores", "Scores", tuple(parts))


def agreement_section(summary: Mapping[str, Any]) -> Section | None:
    """Return how the maps agree with independent ones."""
    grid = record_text.agreement_grid(summary)
    if grid is None:
        return None
    text = (
        "Reference maps were not used for training. Agreement in rank is asked for, not equality of values."
    )
    return Section("agreement", "Agreement with reference maps", (Part(text=(text,), tables=(grid,)),))


def record_section(summary: Mapping[str, Any], study: Mapping[str, Any]) -> Section:
    """Return inputs, products, versions, timing and the study file."""
    parts = []
    for heading, grid in (
        ("Products", record_text.product_grid(summary)),
        ("Inputs", record_text.input_grid(summary)),
    ):
        if grid is not None:
            parts.append(Part(heading, tables=(grid,)))
    folded = [
        Folded(title, tables=(grid,))
        for title, grid in (
            ("Versions of the software", record_text.version_grid(summary)),
            ("Time and memory", record_text.timing_grid(summary)),
        )
        if grid is not None
    ]
    if study:
        folded.append(Folded("The study file, resolved", code=record_text.study_yaml(study)))
    parts.append(Part(folded=tuple(folded)))
    return Section("record", "Data, versions and study", tuple(parts))


def source_section(sites: gpd.GeoDataFrame) -> Section | None:
    """Return the sources to cite."""
    found = record_text.references(sites) if len(sites) else ()
    if not found:
        return None
    text = "Cite these with any use of the maps; licences bind what may be passed on."
    return Section("sources", "Sources and licences", (Part(text=(text,), references=found),))


def _unit(target: str, study: Mapping[str, Any]) -> str:
    declared = study.get("target") or {}
    if declared.get("variable") == target and declared.get("unit"):
        return str(declared["unit"])
    return LEGENDS[target].unit if target in LEGENDS else ""
