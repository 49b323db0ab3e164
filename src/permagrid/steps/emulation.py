"""Step: how well maps reproduce a published map in all cells of it that were not drawn as sites."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from permagrid.grid import Float, cells_of
from permagrid.inventory.areas import cell_areas
from permagrid.sites.readers.raster_cells import KnownCells, drawn_cells, known_cells
from permagrid.steps.layers import Map
from permagrid.study import SourceTable, Study
from permagrid.validation.scores import confusion_scores, value_scores

Mask = NDArray[np.bool_]
Plain = dict[str, Any]

READER = "raster_cells"
"""Reader whose rows are cells of a map."""
_AREA = "area_of_applicability"
_ROWS = 1024  # of a map that are read at a time
_OF_CELLS = ("values", "exclude", "region", "crs")


def against_emulated(maps: Sequence[Map], study: Study, cube: xr.Dataset, root: Path) -> list[Plain]:
    """Return how far maps are from the published maps whose cells they were learned from.

    Only cells that were not drawn count. A cell has the value of the map at its middle, whatever the grids.
    Values are also told as classes: each is of the nearest value that the published map has.

    Parameters
    ----------
    maps
        Finished maps; those of the target are compared, and the ends of its interval if there are any.
    study
        The study.
    cube
        The covariates, for the share of permafrost in the total.
    root
        Where the study's paths start.

    Returns
    -------
    list
        One record for each map and each source that is read by `READER`: ``cells`` of the published map,
        of which ``drawn`` were drawn and ``not_mapped`` have no value here; scores, ``confusion`` (rows the
        published map, columns ours) over ``classes``; the same ``inside`` the area of applicability;
        ``coverage`` of the interval; and ``storage``, the ice of the published map itself over the cells that
        are mapped [km3], where the study asks for one.

    Raises
    ------
    PermagridError
        If a published map cannot be read.
    """
    mine = [made for made in maps if made.variable == study.target.variable]
    sources = [part for part in study.sites.sources if part.reader == READER]
    found = []
    for source in sources if mine else []:
        emulated = _Emulated.of(source, root)
        for made in mine:
            beside = {other.variable: other for other in maps if other.epoch == made.epoch}
            found.append(_record(emulated, made, beside, study, cube))
    return found


@dataclass(frozen=True)
class _Emulated:
    """A published map, and which of its cells were drawn."""

    name: str
    citation: str
    path: Path
    cells: KnownCells
    drawn: Mask

    @classmethod
    def of(cls, source: SourceTable, root: Path) -> "_Emulated":
        """Return the map that a source reads, drawn from as its reader draws."""
        path, given = root / source.path, source.keywords
        cells = known_cells(path, **{key: given[key] for key in _OF_CELLS if key in given})
        positions = drawn_cells(
            cells, given["n"], seed=given.get("seed", 0), stratified=given.get("stratified", False)
        )
        drawn = np.zeros(len(cells), dtype=bool)
        drawn[positions] = True
        name = str(given.get("source") or path.name.split(".")[0])
        return cls(name, str(given.get("citation") or ""), path, cells, drawn)

    def areas(self) -> Float:
        """Return the area of each cell on the ellipsoid [m2]."""
        with rasterio.open(self.path) as raster:
            geobox = GeoBox.from_rio(raster)
        rows = slice(int(self.cells.row.min()), int(self.cells.row.max()) + 1)
        columns = slice(int(self.cells.column.min()), int(self.cells.column.max()) + 1)
        areas = cell_areas(geobox, (rows, columns))
        return np.asarray(areas[self.cells.row - rows.start, self.cells.column - columns.start])


def _record(
    emulated: _Emulated, made: Map, beside: Mapping[str, Map], study: Study, cube: xr.Dataset
) -> Plain:
    cells = emulated.cells
    value = _values_at(made.path, cells)
    mapped = np.isfinite(value)
    tested = mapped & ~emulated.drawn
    classes = np.unique(cells.value)
    record: Plain = {
        "map": emulated.name,
        "citation": emulated.citation,
        "variable": made.variable,
        "epoch": made.epoch,
        "cells": len(cells),
        "drawn": int(emulated.drawn.sum()),
        "not_mapped": int((~mapped & ~emulated.drawn).sum()),
        "n": int(tested.sum()),
        "classes": classes.tolist(),
    }
    if not tested.any():
        return record
    observed, predicted = cells.value[tested], value[tested]
    if study.target.kind == "value":
        record |= {name: _number(score[0]) for name, score in value_scores(observed, predicted).items()}
    record |= _class_scores(observed, predicted, classes)
    if _AREA in beside:
        inside = _values_at(beside[_AREA].path, cells)[tested] == 1
        record["inside"] = {"n": int(inside.sum()), **_scores_inside(observed, predicted, classes, inside)}
    covered = _coverage(emulated, beside, made.variable, tested)
    if covered:
        record["coverage"] = covered
    storage = study.inventory.storage if study.inventory is not None else None
    if storage is not None:
        presence = (
            np.ones(len(cells)) if storage.presence is None else _sampled(cube, storage.presence, cells)
        )
        ice = cells.value / 100.0 * storage.thickness * emulated.areas() * presence
        known = mapped & np.isfinite(presence)
        record["storage"] = {"ice": storage.ice, "unit": "km3", "total": float(ice[known].sum() / 1e9)}
    return record


def _class_scores(observed: Float, predicted: Float, classes: Float) -> Plain:
    """Return the confusion of classes, and the scores that follow from it."""
    # The middle between two values belongs to the higher, as do the classes of the map.
    ends = (classes[1:] + classes[:-1]) / 2.0
    truth, guess = (np.searchsorted(ends, values, side="right") for values in (observed, predicted))
    confusion = np.zeros((len(classes), len(classes)))
    np.add.at(confusion, (truth, guess), 1.0)
    scores = {name: _number(score[0]) for name, score in confusion_scores(confusion[None]).items()}
    return {**scores, "confusion": confusion.astype(int).tolist()}


def _scores_inside(observed: Float, predicted: Float, classes: Float, inside: Mask) -> Plain:
    if not inside.any():
        return {}
    scores = _class_scores(observed[inside], predicted[inside], classes)
    return {name: scores[name] for name in ("accuracy", "kappa")}


def _coverage(emulated: _Emulated, beside: Mapping[str, Map], variable: str, tested: Mask) -> Plain:
    """Return, by percentage of the interval, the share of tested cells whose value lies within it."""
    found: Plain = {}
    for name, lower in beside.items():
        stem, _, percent = name.partition("_lower_")
        upper = beside.get(f"{stem}_upper_{percent}")
        if stem != variable or not percent or upper is None:
            continue
        low, high = (_values_at(end.path, emulated.cells) for end in (lower, upper))
        known = tested & np.isfinite(low) & np.isfinite(high)
        inside = (emulated.cells.value >= low) & (emulated.cells.value <= high)
        found[percent] = {
            "n": int(known.sum()),
            "share": _number(inside[known].mean()) if known.any() else None,
        }
    return found


def _values_at(path: Path, cells: KnownCells) -> Float:
    """Return what a map says at the middles of cells; NaN where it says nothing."""
    found = np.full(len(cells), np.nan)
    with rasterio.open(path) as raster:
        row, column, inside = _places(GeoBox.from_rio(raster), cells)
        for top in range(0, raster.height, _ROWS):
            here = np.flatnonzero(inside & (row >= top) & (row < top + _ROWS))
            if here.size == 0:
                continue
            height = min(_ROWS, raster.height - top)
            window = rasterio.windows.Window(0, top, raster.width, height)
            part = np.ma.filled(raster.read(1, window=window, masked=True).astype(float), np.nan)
            found[here] = part[row[here] - top, column[here]]
    return found


def _sampled(cube: xr.Dataset, name: str, cells: KnownCells) -> Float:
    """Return a covariate, the mean over the epochs, at the middles of cells."""
    layer = cube[name].mean("epoch") if "epoch" in cube[name].dims else cube[name]
    row, column, inside = _places(cube.odc.geobox, cells)
    values = np.asarray(layer.values, dtype=float)
    found = np.full(len(cells), np.nan)
    found[inside] = values[row[inside], column[inside]]
    return found


def _places(geobox: GeoBox, cells: KnownCells) -> tuple[NDArray[np.int64], NDArray[np.int64], Mask]:
    """Return row and column of the middles of cells on a grid, and whether they lie on it."""
    row, column = cells_of(geobox, cells.longitude, cells.latitude)
    with np.errstate(invalid="ignore"):
        inside = (row >= 0) & (row < geobox.shape[0]) & (column >= 0) & (column < geobox.shape[1])
    whole = [np.where(inside, place, 0).astype(np.int64) for place in (row, column)]
    return whole[0], whole[1], inside


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
