"""Mistakes in tables of observations: where sites lie, what their values mean, and what is left of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from odc.geo.geobox import GeoBox

from permagrid.check.files import is_there
from permagrid.check.folds import inner_faults
from permagrid.check.grid import sound_geobox
from permagrid.check.named import named
from permagrid.check.tabular import column_faults, has_places, of_places, place_faults
from permagrid.covariates import COVARIATES
from permagrid.ensemble import block_weights
from permagrid.errors import PermagridError
from permagrid.grid import Float, cells_of, inside_region
from permagrid.sites.identity import site_groups
from permagrid.sites.readers import READERS
from permagrid.sites.table import VARIABLES
from permagrid.steps.folds import fold_schemes, looks_at_the_map
from permagrid.steps.inputs import covariates_of, source_files
from permagrid.steps.learners import folds_spec
from permagrid.steps.sites import read_sources, reduce_observations
from permagrid.steps.tabular import rows_of
from permagrid.study import Finding, FoldsPart, Location, SourceTable, Study
from permagrid.units import conversion, implausible
from permagrid.validation import FOLDS

_SITES_OUTSIDE = 0.5
_SHALLOWEST_USUAL = 10.0
"""Active layers or thaw depths of a whole table that are thinner [cm] are probably given in metres."""


class Tables:
    """The tables of observations of a study, read once.

    Parameters
    ----------
    study, root
        The study, and the folder from which its paths start.
    grid
        Whether the grid of the study is sound.
    """

    def __init__(self, study: Study, root: Path, *, grid: bool) -> None:
        self._study, self._root = study, root
        self._geobox = sound_geobox(study) if grid else None
        self._rows: list[gpd.GeoDataFrame] = []

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with each table."""
        sites = self._study.sites
        stations = sites.stations if sites.labels is not None and sites.labels.station_absences else ()
        for group, sources in (("sources", sites.sources), ("stations", stations)):
            for index, source in enumerate(sources):
                yield from self._table(("sites", group, index), source, keep=group == "sources")

    def _table(self, location: Location, source: SourceTable, *, keep: bool) -> Iterator[Finding]:
        if READERS.faults(source.reader, source.keywords):
            return
        if not all(map(is_there, source_files(source, self._root))):
            return
        try:
            rows = read_sources((source,), self._root)
        except PermagridError as error:
            yield Finding(location, str(error))
            return
        if rows.empty:
            yield Finding(location, f"{self._root / source.path}: holds no observation")
            return
        if keep:
            self._rows.append(rows)
        stated = str(source.keywords.get("unit") or "")
        yield from _units(location, self._root / source.path, rows, stated)
        grid = self._study.grid
        if keep and self._geobox is not None and grid is not None:
            region = self._study.sites.region or grid.region
            yield from _positions(location, self._root / source.path, rows, self._geobox, region)

    def left_to_learn_from(self, sound: frozenset[str]) -> Iterator[Finding]:
        """Yield why nothing, or too little, is left to learn from, even if every row passes the tests.

        Parameters
        ----------
        sound
            Sections of the study in which no fault was found.
        """
        study = self._study
        if not sound >= {"target", "epochs", "grid"}:
            return
        if len(self._rows) < len(study.sites.sources) or (self._geobox is None and not study.is_tabular):
            return
        rows = gpd.GeoDataFrame(pd.concat(self._rows, ignore_index=True), crs="EPSG:4326")
        if study.is_tabular:
            yield from place_faults(study, rows)
        rows = self._inside(rows)
        if rows.empty:
            return
        try:
            reduced = self._reduced(rows.assign(kept=True))
        except PermagridError as error:
            yield Finding(("sites", "sources"), str(error))
            return
        if "covariates" in sound:
            yield from (column_faults if study.is_tabular else _columns)(study, reduced)
        used = reduced[reduced["limit"] == "exact"].reset_index(drop=True)
        if used.empty:
            yield Finding(
                ("sites", "sources"), f"all {len(reduced)} site-epochs are censored; none can be learned from"
            )
            return
        low, high = study.target.valid_range
        value = used["value"]
        valid = used[(value >= low) & (value <= high)].reset_index(drop=True)
        if valid.empty:
            yield Finding(
                ("target", "valid_range"),
                f"no site is left: all values lie outside {low:g} to {high:g} {study.target.unit}; "
                f"the tables hold {value.min():g} to {value.max():g}",
            )
            return
        yield from _classes(study, valid)
        yield from _all_alike(study, valid)
        if "validation" in sound:
            yield from _validation(study, valid, self._root)

    def _reduced(self, rows: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        if self._study.is_tabular:
            return rows_of(rows, self._study)
        return reduce_observations(rows, self._study, self._root)

    def _inside(self, rows: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        longitude, latitude = rows["longitude"].to_numpy(float), rows["latitude"].to_numpy(float)
        if self._study.is_tabular and not has_places(rows):
            return rows
        keep = np.full(len(rows), self._study.is_tabular)
        if self._geobox is not None:
            keep = _inside(self._geobox, longitude, latitude)
        if self._study.sites.region is not None:
            with np.errstate(invalid="ignore"):
                keep &= inside_region(longitude, latitude, self._study.sites.region)
        return rows[keep].reset_index(drop=True)


def _units(location: Location, path: Path, rows: gpd.GeoDataFrame, stated: str) -> Iterator[Finding]:
    """Report values that are, as a whole, in another unit; single strange rows are for the quality tests."""
    for variable, values in rows.groupby("variable")["value"]:
        unit = VARIABLES[str(variable)]
        low, high = (float(v) for v in values.quantile([0.05, 0.95]))
        why = implausible(low, high, unit)
        if why is None and unit == "cm" and 0 < high < _SHALLOWEST_USUAL:
            why = f"values {low:g} to {high:g} do not fit unit 'cm'; they look like m: set stored_unit: m"
        if why is None and unit == "%" and 0 < values.max() <= 1:
            why = f"values {low:g} to {high:g} do not fit '%'; they look like fractions: set stored_unit: 1"
        if why is None:
            continue
        if stated and stated != unit:
            # What the file holds, not what the stated unit made of it, tells the right unit.
            factor, offset = conversion(unit, stated)
            low, high = low * factor + offset, high * factor + offset
            fits = implausible(low, high, unit) is None
            right = f"; they look like {unit}: set unit: {unit}" if fits else ""
            why = f"values {low:g} to {high:g} do not fit the stated unit {stated!r}{right}"
        place = (*location, "unit") if stated else location
        yield Finding(place, f"{path}: {variable}: {why.replace('stored_unit', 'unit')}")


def _positions(
    location: Location, path: Path, rows: gpd.GeoDataFrame, geobox: GeoBox, region: Sequence[float] | None
) -> Iterator[Finding]:
    """Report a table most of whose sites miss the grid, and the exchange that would bring them back."""
    sites = rows.drop_duplicates("site_id")
    longitude, latitude = sites["longitude"].to_numpy(float), sites["latitude"].to_numpy(float)
    seen = np.isfinite(longitude) & np.isfinite(latitude)
    if not seen.any():
        yield Finding(location, f"{path}: no row has coordinates")
        return
    longitude, latitude = longitude[seen], latitude[seen]
    inside = float(_inside(geobox, longitude, latitude).mean())
    if inside >= _SITES_OUTSIDE:
        return
    found = f"{path}: {1 - inside:.0%} of {len(longitude)} sites lie outside the grid"
    exchanges = {
        "latitude and longitude are probably swapped": (latitude, longitude),
        "the sign of the longitude is probably wrong": (-longitude, latitude),
        "the sign of the latitude is probably wrong": (longitude, -latitude),
    }
    for cause, others in exchanges.items():
        if float(_inside(geobox, *others).mean()) > max(_SITES_OUTSIDE, inside):
            yield Finding(location, f"{found}; {cause}")
            return
    if inside == 0:
        box = f" (region {', '.join(f'{v:g}' for v in region)})" if region else ""
        yield Finding(location, f"{found}{box}; at least one must lie inside")


def _inside(geobox: GeoBox, longitude: Float, latitude: Float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    with np.errstate(invalid="ignore"):
        possible = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 360)
        row, column = cells_of(geobox, np.where(possible, longitude, 0), np.where(possible, latitude, 0))
        within = (row >= 0) & (row < geobox.shape[0]) & (column >= 0) & (column < geobox.shape[1])
    return np.asarray(within & possible)


def _columns(study: Study, reduced: gpd.GeoDataFrame) -> Iterator[Finding]:
    """Report covariates of the observation whose column no table has, or that is empty."""
    allowed = [name for name in reduced.columns if pd.api.types.is_numeric_dtype(reduced[name])]
    for index, covariate in enumerate(covariates_of(study).values()):
        if covariate.method != "observation" or COVARIATES.faults(covariate.method, covariate.keywords):
            continue
        column = str(covariate.keywords["column"])
        if column not in allowed:
            yield Finding(
                ("covariates", index, "column"),
                f"the site table has no column {column!r}; allowed: {', '.join(allowed)}",
            )
        elif reduced[column].isna().all():
            yield Finding(
                ("covariates", index, "column"),
                f"the column {column!r} of the site table is empty at every site",
            )


def _classes(study: Study, valid: gpd.GeoDataFrame) -> Iterator[Finding]:
    found = sorted(valid["value"].unique())
    broken = [value for value in found if value != round(value)]
    if study.target.kind == "class" and broken:
        yield Finding(("target", "kind"), f"is class, but values such as {broken[0]:g} are no codes")
    if study.target.kind == "class" and len(found) < 2:
        yield Finding(
            ("sites", "sources"),
            f"all {len(valid)} site-epochs are of the one class {found[0]:g}; a map of classes needs two",
        )


def _all_alike(study: Study, valid: gpd.GeoDataFrame) -> Iterator[Finding]:
    values = valid["value"]
    if study.target.kind == "value" and values.min() == values.max():
        yield Finding(
            ("sites", "sources"),
            f"all {len(valid)} site-epochs have the value {values.iloc[0]:g} {study.target.unit}; there is "
            "nothing to learn from",
        )


def _validation(study: Study, valid: gpd.GeoDataFrame, root: Path) -> Iterator[Finding]:
    valid = valid.assign(site_group=site_groups(valid, distance=study.sites.same_place))
    parts: dict[Location, gpd.GeoDataFrame] = {("validation", "folds"): valid}
    for index, subset in enumerate(study.validation.subsets):
        part = valid[(valid["value"] >= subset.minimum) & (valid["value"] < subset.maximum)]
        place: Location = ("validation", "subsets", index)
        if part.empty:
            yield Finding(
                place,
                f"no site-epoch has a value from {subset.minimum:g} to {subset.maximum:g}; the tables hold "
                f"{valid['value'].min():g} to {valid['value'].max():g} {study.target.unit}",
            )
        else:
            parts[place] = part.reset_index(drop=True)
    for place, part in parts.items():
        for index, folds in enumerate(study.validation.folds):
            if looks_at_the_map(folds) or list(named(FOLDS, (), folds.method, folds.keywords)):
                continue
            if of_places(folds) and not has_places(part):
                continue
            if isinstance(path := folds.keywords.get("path"), str) and not is_there(root / path):
                continue
            alone = study.validation.model_copy(update={"folds": (folds,)})
            try:
                fold_schemes(part, study.model_copy(update={"validation": alone}), root)
            except PermagridError as error:
                here = (*place, index) if place[-1] == "folds" else place
                yield Finding(here, str(error).removeprefix("folds: "))
    yield from _inner(study, valid)


def _inner(study: Study, valid: gpd.GeoDataFrame) -> Iterator[Finding]:
    """Report inner folds that not even all rows together can make, and blocks that hold all of them."""
    ensemble, inner = study.ensemble, study.validation.inner
    choosing = any(part.search or part.selection for part in study.learners)
    asked: list[tuple[Location, FoldsPart]] = []
    if choosing or (ensemble is not None and ensemble.inner is None):
        asked.append((("validation", "inner"), inner))
    if ensemble is not None and ensemble.inner is not None:
        asked.append((("ensemble", "inner"), ensemble.inner))
    for place, part in asked:
        known = not list(named(FOLDS, (), part.method, part.keywords))
        if looks_at_the_map(part) or not known or list(inner_faults(part)):
            continue
        if of_places(part) and not has_places(valid):
            continue
        folds, why = folds_spec(part, study).made(valid)
        if folds is None:
            yield Finding(place, why.removeprefix("nothing could be tried: folds: "))
    if ensemble is not None and ensemble.block is not None and has_places(valid):
        place = ("ensemble", "block")
        members = max(ensemble.members, 1)
        longitude, latitude = (valid[name].to_numpy(float) for name in ("longitude", "latitude"))
        groups = valid["site_group"].to_numpy()
        try:
            block_weights(longitude, latitude, groups, size=ensemble.block, members=members, seed=study.seed)
        except PermagridError as error:
            yield Finding(place, str(error).removeprefix("members: "))
