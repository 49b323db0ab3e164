"""The sections of a report that show maps: those of the run, and maps against the known truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from permagrid.products.legend import LEGENDS, Legend, legend_for, unit_label
from permagrid.report.agreement_text import truth_grid, truth_sentences
from permagrid.report.map_figures import epoch_maps_figure, map_figure, truth_figure
from permagrid.report.metrics import on_all_sites, score_format
from permagrid.report.page import Folded, Part, Picture, Section, all_of, count
from permagrid.report.raster import read_map


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
        if variable.endswith("_interval_width"):
            low = 0.0
        declared = (low, high if high > low else low + 1.0)
    return legend_for(variable, unit=unit or "1", valid_range=(declared[0], declared[1]))


def is_virtual(study: Mapping[str, Any]) -> bool:
    """Return whether a study maps a virtual world, on which the coasts of the Earth mean nothing."""
    return bool(study.get("truth"))


def makes_maps(summary: Mapping[str, Any]) -> bool:
    """Return whether a run made maps; one of a study without grid made none.

    Examples
    --------
    >>> makes_maps({}), makes_maps({"products": []})
    (True, False)
    """
    return bool(summary.get("products", True))


def used_sites(predictions: pd.DataFrame, variable: str) -> pd.DataFrame | None:
    """Return the sites from which a variable was learned, with the mean of their observed values.

    Parameters
    ----------
    predictions
        Out-of-fold predictions.
    variable
        Name of the target.

    Examples
    --------
    >>> table = pd.DataFrame({"target": "t", "site_id": ["a", "a"], "longitude": 10.0, "latitude": 70.0,
    ...                       "observed": [1.0, 3.0]})
    >>> used_sites(table, "t")["value"].tolist()
    [2.0]
    """
    needed = ["site_id", "longitude", "latitude", "observed"]
    if predictions.empty or not set(needed) <= set(predictions):
        return None
    rows = on_all_sites(predictions[predictions["target"] == variable])
    if rows.empty:
        return None
    means = rows.groupby("site_id", sort=True)[needed[1:]].mean().reset_index()
    return means.rename(columns={"observed": "value"})


def unobserved_epochs(
    maps: Sequence[MapLayer], predictions: pd.DataFrame, study: Mapping[str, Any]
) -> list[str]:
    """Return the epochs that are mapped although no observation of the target lies in them."""
    variable = (study.get("target") or {}).get("variable")
    if predictions.empty or "epoch" not in predictions or variable is None:
        return []
    seen = set(predictions.loc[predictions["target"] == variable, "epoch"].astype(str))
    return sorted(epochs_of(maps, study) - seen) if seen else []


def epochs_of(maps: Sequence[MapLayer], study: Mapping[str, Any]) -> set[str]:
    """Return the epochs of maps; a map of the change over several stands for none."""
    told = {str(epoch) for epoch in study.get("epochs") or []}
    return {layer.epoch for layer in maps if not told or layer.epoch in told}


def map_section(
    maps: Sequence[MapLayer],
    sites: gpd.GeoDataFrame,
    predictions: pd.DataFrame,
    study: Mapping[str, Any],
) -> Section | None:
    """Return the latest epoch of each variable at full size, and all epochs side by side."""
    if not maps:
        return None
    target = (study.get("target") or {}).get("variable")
    used = used_sites(predictions, str(target))
    drawn = used if used is not None else (sites if len(sites) and "value" in sites else None)
    said = "sites used for training" if used is not None else "kept sites"
    circles = f" Circles: {said}, in the colours of their mean observed values."
    # Tests are for machines; the report tells on which share of the map they find a change.
    maps = [layer for layer in maps if not layer.variable.endswith("_p_value")]
    variables = list(dict.fromkeys(layer.variable for layer in maps))
    parts = []
    for variable in variables:
        layers = sorted((x for x in maps if x.variable == variable), key=lambda x: x.epoch)
        over = drawn if variable == target else None
        title, pictures = _map_pictures(layers, over, study, circles if over is not None else "")
        parts.append(Part(title if len(variables) > 1 else "", figures=pictures))
    return Section("maps", "Maps", tuple(parts))


def _map_pictures(
    layers: Sequence[MapLayer], sites: pd.DataFrame | None, study: Mapping[str, Any], circles: str
) -> tuple[str, tuple[Picture, ...]]:
    """Return the title of a variable and its figures, from its maps by rising epoch."""
    latest, coasts = layers[-1], not is_virtual(study)
    values = read_map(latest.path, max_pixels=200_000).values
    legend = variable_legend(latest.variable, latest.unit, values, study)
    years = map_years(latest.epoch)
    first = Picture(
        map_figure(latest.path, legend, title=f"{legend.title}, {years}", sites=sites, coasts=coasts),
        f"Map of {legend.inline} for {years}. {_range_words(values, legend)}",
        f"{legend.label}, {years}.{circles} The scale bar is true at the centre of the map.",
    )
    if len(layers) == 1:
        return legend.title, (first,)
    sources = {layer.epoch: layer.path for layer in layers}
    every = Picture(
        epoch_maps_figure(sources, legend, title=f"{legend.title}, all epochs", coasts=coasts),
        f"{len(layers)} maps of {legend.inline}, one for each epoch: {', '.join(map(map_years, sources))}.",
        f"{legend.label} in {all_of(len(layers), 'epoch')}, one legend for all.",
    )
    return legend.title, (first, every)


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
    """Return truth, map and error side by side: the last epoch open, the others on demand."""
    units = {layer.variable: layer.unit for layer in maps}
    grid = truth_grid(summary, units)
    if not truth and grid is None:
        return None
    shown, folded = [], []
    for variable in dict.fromkeys(pair.variable for pair in truth):
        pairs = sorted((pair for pair in truth if pair.variable == variable), key=lambda pair: pair.epoch)
        pictures = [_truth_picture(pair, units.get(variable, ""), study) for pair in pairs]
        shown.append(pictures[-1])
        if len(pairs) > 1:
            epochs = f"{map_years(pairs[0].epoch)} to {map_years(pairs[-2].epoch)}" if len(pairs) > 2 else ""
            others = "epoch" if len(pairs) == 2 else count(len(pairs) - 1, "epoch")
            title = f"The other {others}, {epochs or map_years(pairs[0].epoch)}"
            folded.append(Folded(title, figures=tuple(pictures[:-1])))
    text = _truth_text(summary, study)
    part = Part(text=text, figures=tuple(shown), tables=(grid,) if grid else (), folded=tuple(folded))
    return Section("truth", "Map against truth", (part,))


def _truth_text(summary: Mapping[str, Any], study: Mapping[str, Any]) -> tuple[str, ...]:
    target = study.get("target") or {}
    errors = [item["rmse"] for item in summary.get("truth") or [] if item.get("rmse") is not None]
    form = score_format(pd.DataFrame({"rmse": errors}, dtype=float), str(target.get("unit", "")))
    return truth_sentences(summary, str(target.get("variable")), form)


def _truth_picture(pair: TruthPair, unit: str, study: Mapping[str, Any]) -> Picture:
    values = read_map(pair.truth_path, max_pixels=100_000).values
    legend = variable_legend(pair.variable, unit, values, study)
    years = map_years(pair.epoch)
    return Picture(
        truth_figure(
            pair.truth_path,
            pair.map_path,
            legend,
            title=f"{legend.title}, {years}",
            coasts=not is_virtual(study),
        ),
        f"Three maps of {legend.inline} for {years}: the truth, the map, and map minus truth.",
        f"{legend.label}, {years}: the known truth of the virtual world, the map made from its "
        "sites and covariates, and the error.",
    )


def map_years(epoch: str) -> str:
    """Return an epoch as people read it.

    Examples
    --------
    >>> map_years("2000-2004")
    '2000–2004'
    """
    return epoch.replace("-", "–")
