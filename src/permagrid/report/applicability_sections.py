"""The section of a report on where its maps may be believed: area of applicability and expected error."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from permagrid.products.legend import Legend, legend_for, unit_label
from permagrid.report.applicability_figures import (
    believed_map_figure,
    error_curve_figure,
    error_title,
    nearness_figure,
)
from permagrid.report.canvas import capitalised, words
from permagrid.report.fold_names import fold_phrase
from permagrid.report.map_figures import epoch_maps_figure
from permagrid.report.map_sections import MapLayer, is_virtual, makes_maps, map_years, variable_legend
from permagrid.report.page import Card, Cell, Folded, Grid, Part, Picture, Section, all_of, number, table
from permagrid.report.raster import read_map

AREA = "area_of_applicability"
"""Variable of the maps that are 1 inside the area of applicability and 0 outside it."""
NEARNESS = ("dissimilarity_index", "local_point_density", "expected_error")
"""Variables of the other maps that say where the map of the target may be believed."""


def split_layers(maps: Sequence[MapLayer]) -> tuple[list[MapLayer], list[MapLayer]]:
    """Return the maps of the target, and those that say where they may be believed.

    Examples
    --------
    >>> from pathlib import Path
    >>> layers = [MapLayer(Path("x.tif"), name, "2000-2004", "1") for name in ("x", AREA)]
    >>> [[layer.variable for layer in some] for some in split_layers(layers)]
    [['x'], ['area_of_applicability']]
    """
    beside = [layer for layer in maps if layer.variable in (AREA, *NEARNESS)]
    return [layer for layer in maps if layer not in beside], beside


def applicability_section(
    maps: Sequence[MapLayer], summary: Mapping[str, Any], study: Mapping[str, Any]
) -> Section | None:
    """Return where the map is unlike what its learner was fitted to, and which error is to be expected.

    Parameters
    ----------
    maps
        All maps of the run: those of the target, and those of `AREA` and `NEARNESS`.
    summary, study
        The run's ``summary.json`` and the resolved study; a summary without ``applicability`` has no section.

    Raises
    ------
    PermagridError
        If a map cannot be read.
    """
    told = summary.get("applicability")
    if not told:
        return None
    shown, beside = split_layers(maps)
    target = study.get("target") or {}
    unit = str(target.get("unit", ""))
    figures = [
        *_map_pictures(shown, beside, told, study),
        Picture(
            error_curve_figure(told, unit=unit),
            f"{error_title(told)} to be expected, rising with the dissimilarity index.",
            "Expected error of a prediction by its dissimilarity to the rows that train: a monotone function "
            "laid through the errors of moving windows of tested rows. Below: where nine tenths of the "
            "training rows lie (their middle half as a bar, the median as a stroke), each compared with the "
            "rows of other folds.",
        ),
    ]
    folded = [*_every_epoch(beside, study), *_weights(told)]
    mapped = makes_maps(summary)
    text = (*(_text(told) if mapped else _text_of_a_table(told)), *range_sentences(summary))
    part = Part(text=text, figures=tuple(figures), tables=_shares(told), folded=tuple(folded))
    title = "Where the map may be believed" if mapped else "What may be predicted from these rows"
    return Section("applicability", title, (part,))


def applicability_cards(summary: Mapping[str, Any]) -> list[Card]:
    """Return the share of the map that lies inside, for the top of a report.

    Examples
    --------
    >>> shares = {"all": 0.88, "2000-2004": 0.91, "2010-2014": 0.84}
    >>> card = applicability_cards({"applicability": {"inside_share": shares}})[0]
    >>> card.value.split(), card.more
    (['84', '%'], 'of the map of 2010–2014, inside the area of applicability')
    """
    shares = _by_epoch(summary.get("applicability") or {})
    if not shares:
        return []
    epoch = max(shares)
    more = f"of the map of {map_years(epoch)}, inside the area of applicability"
    return [Card("Like the training rows", _percent(shares[epoch]), more)]


def applicability_limits(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Return how much of the maps lies outside, for the top of a report; nothing where all lies inside.

    Examples
    --------
    >>> said, = applicability_limits({"applicability": {"inside_share": {"2000-2004": 0.75}}})
    >>> said.replace("\N{NO-BREAK SPACE}", " ")
    '25 % of the map of 2000–2004 lie outside the area of applicability: ... no score speaks for it.'
    """
    shares = _by_epoch(summary.get("applicability") or {})
    if not shares or shares[max(shares)] >= 1.0:
        return ()
    epoch = max(shares)
    outside = _percent(1.0 - float(shares[epoch]))
    return (
        f"{outside} of the map of {map_years(epoch)} lie outside the area of applicability: what learners "
        "see there is unlike all that they were fitted to, and no score speaks for it.",
    )


def range_sentences(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Return why the audit may call more of the map unlike the sites, where it does.

    Examples
    --------
    >>> found = {"rule": "unseen_covariate_values", "what": "29 % of the map lies outside"}
    >>> said, = range_sentences({"audit": [found]})
    >>> said.split(":")[0]
    'The audit counts other cells, those outside what sites show in any one covariate'
    >>> range_sentences({"audit": []})
    ()
    """
    if not any(found.get("rule") == "unseen_covariate_values" for found in summary.get("audit") or ()):
        return ()
    return (
        "The audit counts other cells, those outside what sites show in any one covariate: such a cell lies "
        "inside here where it is a little beyond the range, or that covariate hardly counts, and the learner "
        "can only go on from the rows that are nearest.",
    )


def _text(told: Mapping[str, Any]) -> tuple[str, ...]:
    gower = told.get("distance") == "gower"
    kind = "distance of Gower, which knows classes," if gower else "distance"
    folds = f", here {fold_phrase(str(told['folds']))}" if told.get("folds") else ""
    return (
        f"The dissimilarity index of a cell is the {kind} of its covariates to those of the nearest training "
        "row, each covariate weighted by its importance, over the mean distance between training rows "
        f"({number(float(told['mean_distance']))}). Outside the area of applicability lie cells whose index "
        f"is above {number(float(told['threshold']))}, the largest that is no outlier among "
        f"{number(int(told['n_training']))} training rows, each compared with the rows of other "
        f"folds{folds} (Meyer and Pebesma 2021, doi:10.1111/2041-210X.13650). The local point density is the "
        "number of training rows that are nearer to a cell than that (Schumacher et al. 2025, "
        "doi:10.5194/gmd-18-10185-2025).",
        "The scores of this report speak for cells inside only. The expected error is that of a prediction, "
        "known as far as tested rows reach, and it holds the errors of observations as well.",
    )


def _text_of_a_table(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what nearness is where rows are predicted and no map is made."""
    folds = f", here {fold_phrase(str(told['folds']))}" if told.get("folds") else ""
    return (
        "The dissimilarity index of a row is the distance of its covariates to those of the nearest row that "
        "trains, each covariate weighted by its importance, over the mean distance between training rows "
        f"({number(float(told['mean_distance']))}). The largest that is no outlier among "
        f"{number(int(told['n_training']))} rows, each compared with the rows of other folds{folds}, is "
        f"{number(float(told['threshold']))}: no score of this report speaks for rows that are less like "
        "these (Meyer and Pebesma 2021, doi:10.1111/2041-210X.13650).",
    )


def _map_pictures(
    shown: Sequence[MapLayer],
    beside: Sequence[MapLayer],
    told: Mapping[str, Any],
    study: Mapping[str, Any],
) -> list[Picture]:
    """Return the latest map with what lies outside, and how near its cells are to training rows."""
    areas = sorted((layer for layer in beside if layer.variable == AREA), key=lambda layer: layer.epoch)
    if not areas:
        return []
    latest, coasts = areas[-1], not is_virtual(study)
    wanted = (study.get("target") or {}).get("variable")
    mine = [layer for layer in shown if layer.epoch == latest.epoch]
    mine.sort(key=lambda layer: layer.variable != wanted)
    years, pictures = map_years(latest.epoch), []
    if mine:
        values = read_map(mine[0].path, max_pixels=200_000).values
        legend = variable_legend(mine[0].variable, mine[0].unit, values, study)
        share = _by_epoch(told).get(latest.epoch)
        inside = f" {_percent(share)} of the area lie inside." if share is not None else ""
        pictures.append(
            Picture(
                believed_map_figure(
                    mine[0].path, latest.path, legend, title=f"{legend.title}, {years}", coasts=coasts
                ),
                f"Map of {legend.inline} for {years}; cells outside the area of applicability are hatched."
                f"{inside}",
                f"{legend.label}, {years}. Pale and hatched: outside the area of applicability.{inside}",
            )
        )
    near = [
        (layer.path, layer_legend(layer, told))
        for variable in NEARNESS
        for layer in beside
        if layer.variable == variable and layer.epoch == latest.epoch
    ]
    if near:
        names = ", ".join(legend.inline for _, legend in near)
        pictures.append(
            Picture(
                nearness_figure(near, title=f"How near the training rows are, {years}", coasts=coasts),
                f"{len(near)} maps for {years}: {names}.",
                f"{names[:1].upper()}{names[1:]}, {years}. Where nothing is known of cells so far from all "
                "training rows, there is no expected error.",
            )
        )
    return pictures


def layer_legend(layer: MapLayer, told: Mapping[str, Any]) -> Legend:
    """Return the legend of one of the maps of `AREA` and `NEARNESS`, the same for all epochs.

    Parameters
    ----------
    layer
        The map.
    told
        Entry ``applicability`` of a summary.
    """
    errors = [float(item["error"]) for item in told.get("error_model") or []]
    legend = legend_for(layer.variable, unit=layer.unit or "1", valid_range=(0.0, max([*errors, 1e-6])))
    if legend.kind == "classes" or unit_label(legend.unit):
        return legend
    # A pure number has no unit in files; a colour bar without one leaves its reader to guess.
    if layer.variable == "local_point_density":
        return replace(legend, unit="rows")
    return replace(legend, title=f"{legend.title} [1]")


def _every_epoch(beside: Sequence[MapLayer], study: Mapping[str, Any]) -> list[Folded]:
    areas = sorted((layer for layer in beside if layer.variable == AREA), key=lambda layer: layer.epoch)
    if len(areas) < 2:
        return []
    legend, every = legend_for(AREA, unit="1"), all_of(len(areas), "epoch")
    picture = Picture(
        epoch_maps_figure(
            {layer.epoch: layer.path for layer in areas},
            legend,
            title=f"{legend.title}, all epochs",
            coasts=not is_virtual(study),
        ),
        f"{len(areas)} maps of the area of applicability, one for each epoch.",
        f"Area of applicability in {every}.",
    )
    return [Folded(capitalised(every), figures=(picture,))]


def _shares(told: Mapping[str, Any]) -> tuple[Grid, ...]:
    shares = _by_epoch(told)
    if len(shares) < 2:
        return ()
    rows = [[map_years(epoch), Cell(_percent(shares[epoch]))] for epoch in sorted(shares)]
    return (table(["Epoch", "Share of the mapped area inside"], rows),)


def _weights(told: Mapping[str, Any]) -> list[Folded]:
    """Return the weights of the covariates, the heaviest first."""
    weights = {str(name): float(weight) for name, weight in (told.get("covariates") or {}).items()}
    if not weights:
        return []
    ordered = sorted(weights, key=lambda name: (-weights[name], name))
    largest = max(*weights.values(), 1e-12)
    rows = [[words(name), Cell(f"{max(weights[name], 0.0) / largest:.2f}")] for name in ordered]
    caption = "Weights of the covariates in the dissimilarity index, the largest set to 1."
    grid = table(["Covariate", "Weight"], rows, caption=caption)
    return [Folded(f"What counts as near: {len(ordered)} covariates", tables=(grid,))]


def _by_epoch(told: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of the area that lies inside in each epoch."""
    shares = told.get("inside_share") or {}
    return {str(epoch): float(share) for epoch, share in shares.items() if epoch != "all"}


def _percent(share: float) -> str:
    """Return a share in per cent that is 100 or 0 only where it is all or nothing."""
    percent = 100.0 * float(share)
    if 99.5 <= percent < 100.0 or 0.0 < percent < 0.5:
        return f"{min(max(percent, 0.1), 99.9):.1f}\N{NO-BREAK SPACE}%"
    return f"{percent:.0f}\N{NO-BREAK SPACE}%"
