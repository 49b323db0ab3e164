"""The self-contained HTML report of a run."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from permagrid.files import write_text
from permagrid.products.legend import LEGENDS, unit_label
from permagrid.report.agreement_text import rank_value, rank_words
from permagrid.report.applicability_sections import (
    applicability_cards,
    applicability_limits,
    applicability_section,
    split_layers,
)
from permagrid.report.audit_text import audit_limits, audit_section
from permagrid.report.canvas import capitalised
from permagrid.report.choice_sections import choice_section
from permagrid.report.classes_text import unseen_cells
from permagrid.report.comparison_sections import comparison_section
from permagrid.report.covariate_sections import covariate_section
from permagrid.report.emulation_text import emulation_section
from permagrid.report.fold_sections import fold_section
from permagrid.report.importance_sections import importance_section
from permagrid.report.interval_sections import interval_cards, interval_section
from permagrid.report.inventory_sections import inventory_cards, inventory_section
from permagrid.report.map_sections import (
    MapLayer,
    TruthPair,
    epochs_of,
    is_virtual,
    makes_maps,
    map_section,
    truth_section,
    unobserved_epochs,
)
from permagrid.report.metrics import ScoreFormat, score_format
from permagrid.report.page import Card, count, number, unbroken
from permagrid.report.raster import MapImage, read_map
from permagrid.report.record_text import with_doi
from permagrid.report.scores_text import score_cards, statement
from permagrid.report.sections import (
    agreement_section,
    prediction_section,
    published_learner,
    record_section,
    score_section,
    site_section,
    source_section,
)

__all__ = ["MapLayer", "TruthPair", "render_report", "write_report"]


def render_report(
    summary: Mapping[str, Any],
    *,
    study: Mapping[str, Any],
    sites: gpd.GeoDataFrame,
    scores: pd.DataFrame,
    predictions: pd.DataFrame,
    maps: Sequence[MapLayer],
    truth: Sequence[TruthPair] = (),
    distances: pd.DataFrame | None = None,
) -> str:
    """Return the report of a run as one HTML page that loads nothing, with no script and no time in it.

    Whatever is missing in `summary` and `study` is left out.

    Parameters
    ----------
    summary, study
        The run's ``summary.json`` and the resolved study.
    sites
        Site table with ``flag_<test>`` and ``kept`` columns.
    scores, predictions
        Score table, and out-of-fold predictions; both with ``target``, ``learner`` and ``folds``.
    maps, truth
        The maps of all epochs, and pairs of truth and map where the truth is known.
    distances
        How far test sites are from training sites, and the map from the sites, under each fold scheme.

    Raises
    ------
    PermagridError
        If a map cannot be read.

    Examples
    --------
    >>> none = pd.DataFrame()
    >>> page = render_report({}, study={}, sites=gpd.GeoDataFrame(), scores=none, predictions=none, maps=[])
    """
    target, metadata = study.get("target") or {}, study.get("metadata") or {}
    own = _own_scores(scores, target)
    unit = str(target.get("unit", "")) or _default_unit(own)
    published, quote = published_learner(study), summary.get("quote")
    if "repeat" in predictions:
        # Points of forty repeats would lie on each other: the first stands for all.
        predictions = predictions[predictions["repeat"] == 0]
    shown = split_layers(maps)[0] if summary.get("applicability") else maps
    sections = (
        map_section(shown, sites, predictions, study),
        truth_section(truth, shown, summary, study),
        emulation_section(summary),
        applicability_section(maps, summary, study),
        site_section(sites, predictions, summary, study, shown),
        prediction_section(predictions, scores, summary, study),
        score_section(scores, summary, study),
        fold_section(
            own,
            predictions,
            distances,
            summary,
            study,
            mapped=_first_map(shown),
            coasts=not is_virtual(study),
        ),
        interval_section(summary.get("intervals") or {}),
        inventory_section(summary),
        comparison_section(summary, study),
        choice_section(summary),
        importance_section(summary, study),
        covariate_section(summary, study),
        audit_section(summary),
        agreement_section(summary),
        record_section(summary, study),
        source_section(sites, study),
    )
    return _page(
        title=str(metadata.get("title") or study.get("study") or summary.get("study") or "Report"),
        kicker=_variable_title(str(target.get("variable", "")), unit) or "permagrid report",
        facts=_facts(summary, study, maps),
        abstract=_paragraphs(str(metadata.get("abstract") or "")),
        limits=[
            *_limits(metadata, unobserved_epochs(maps, predictions, study)),
            *unseen_cells(summary, study),
            *applicability_limits(summary),
            *audit_limits(summary),
        ],
        statement=statement(own, unit, published, quote, maps=makes_maps(summary)),
        cards=[
            *score_cards(own, unit, published, quote),
            *inventory_cards(summary),
            *interval_cards(summary.get("intervals") or {}),
            *applicability_cards(summary),
            *_cards(summary, study, shown, score_format(own, unit)),
        ],
        sections=[section for section in sections if section is not None],
        colophon=_colophon(summary, study),
    )


def write_report(path: Path, summary: Mapping[str, Any], **content: Any) -> None:
    """Write the page of `render_report`, whose keywords it takes, to `path`; all of it or nothing.

    Raises
    ------
    PermagridError
        If a map cannot be read or the file cannot be written.
    """
    write_text(Path(path), render_report(summary, **content))


def _first_map(maps: Sequence[MapLayer]) -> MapImage | None:
    return read_map(maps[0].path, max_pixels=60_000) if maps else None


def _page(**content: Any) -> str:
    """Fill the template; everything but our own style sheet is escaped."""
    style = _resource("report.css")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False
    )
    environment.filters |= {"with_doi": with_doi, "unbroken": unbroken}
    template = environment.from_string(_resource("report.html.j2"))
    return template.render(style=Markup(style), style_hash=_csp_hash(style), **content)


def _resource(name: str) -> str:
    return files("permagrid.report").joinpath("data", name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _variable_title(variable: str, unit: str) -> str:
    title = LEGENDS[variable].title if variable in LEGENDS else capitalised(variable)
    return f"{title} [{unit_label(unit)}]" if unit_label(unit) else title


def _paragraphs(text: str) -> list[str]:
    return [part for part in text.split("\n\n") if part.strip()]


def _limits(metadata: Mapping[str, Any], unobserved: Sequence[str]) -> list[str]:
    """Return what the maps do not say: their resolution, and epochs without observations."""
    said = [str(metadata["resolution_note"])] if metadata.get("resolution_note") else []
    if unobserved:
        years = " and ".join(epoch.replace("-", "–") for epoch in unobserved)
        said.append(f"No observation lies in {years}: the maps of these years rest on the covariates alone.")
    return said


def _own_scores(scores: pd.DataFrame, target: Mapping[str, Any]) -> pd.DataFrame:
    """Return the scores of the study's target, or all where none bears its name."""
    if scores.empty or "variable" not in target:
        return scores
    own = scores[scores["target"] == target["variable"]]
    return scores if own.empty else own


def _default_unit(scores: pd.DataFrame) -> str:
    target = str(scores["target"].iloc[0]) if "target" in scores and len(scores) else ""
    return LEGENDS[target].unit if target in LEGENDS else ""


def _facts(summary: Mapping[str, Any], study: Mapping[str, Any], maps: Sequence[MapLayer]) -> list[str]:
    """Return what a reader wants to know first: study, epochs, grid."""
    facts = [f"study {study.get('study') or summary.get('study')}"] if study.get("study") else []
    epochs = sorted(epochs_of(maps, study))
    if epochs:
        spans = epochs[0] if len(epochs) == 1 else f"{len(epochs)} epochs, {epochs[0]} to {epochs[-1]}"
        facts.append(spans.replace("-", "–"))
    grid = study.get("grid") or {}
    if study.get("grid", grid) is None:
        facts.append("a table, without maps")
    if grid.get("crs"):
        facts.append(str(grid["crs"]))
    depth = (study.get("target") or {}).get("depth")
    if depth is not None:
        facts.append(f"depth {depth:g} m" if isinstance(depth, int | float) else f"depth: {depth}")
    if summary.get("digest"):
        facts.append(f"digest {str(summary['digest'])[:12]}")
    return facts


def _cards(
    summary: Mapping[str, Any], study: Mapping[str, Any], maps: Sequence[MapLayer], form: ScoreFormat
) -> list[Card]:
    cards = []
    counts = summary.get("sites") or {}
    if counts.get("kept") is not None:
        cards.append(Card("Sites used", number(counts["kept"]), f"of {number(counts.get('read'))} read"))
    if maps:
        cards.append(Card("Maps", str(len(maps)), count(len(epochs_of(maps, study)), "epoch")))
    for item in sorted(summary.get("truth") or [], key=lambda item: str(item.get("epoch")))[-1:]:
        cells = f"{number(item.get('n'))} cells, {str(item.get('epoch')).replace('-', '–')}"
        cards.append(Card("RMSE against the truth", form.text(item.get("rmse"), "rmse"), cells))
    for item in (summary.get("agreement") or [])[:1]:
        statistic = capitalised(str(item.get("statistic", "agreement")))
        cards.append(Card(f"{statistic} with reference", rank_value(item), rank_words(item)))
    return cards


def _colophon(summary: Mapping[str, Any], study: Mapping[str, Any]) -> str:
    version = (summary.get("versions") or {}).get("permagrid")
    made = f"Made with permagrid{f' {version}' if version else ''}."
    if is_virtual(study):
        return f"{made} The world is virtual: lines are the edge of its data, not coasts of the Earth."
    return f"{made} Coastlines and borders: Natural Earth (public domain), drawn for orientation only."
