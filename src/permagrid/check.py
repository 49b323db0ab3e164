"""Every mistake in a study and its data, all at once, each with its place and what is allowed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

from permagrid.covariates import COVARIATES, Covariate
from permagrid.covariates.sources import decimated, open_grid, undeclared_sentinel
from permagrid.errors import Fault, PermagridError, did_you_mean
from permagrid.grid import cells_of, make_geobox
from permagrid.learners import LEARNERS
from permagrid.registry import Table
from permagrid.sites.quality import QUALITY
from permagrid.sites.readers import READERS
from permagrid.steps.inputs import covariate_files, covariates_of, source_files
from permagrid.steps.maps import PROBABILITY, map_variables
from permagrid.steps.sites import read_sources
from permagrid.study import Study
from permagrid.units import conversion, implausible, parse_unit
from permagrid.validation import FOLDS

_LARGEST_GRID = 4_000_000_000
_SITES_OUTSIDE = 0.5


def check_study(study: Study, root: Path, *, data: bool = True) -> list[Fault]:
    """Return every fault of a study; an empty list means that it can run.

    Parameters
    ----------
    study
        The study.
    root
        Folder from which its relative paths start.
    data
        Whether to look into the files as well.

    Returns
    -------
    list of Fault
        In the order of the study file.
    """
    faults = [*_grid(study), *_tables(study), *_covariates(study), *_learners(study), *_products(study)]
    if not data:
        return faults
    missing = list(_missing_files(study, root))
    faults += missing
    if not missing:
        faults += _rasters(study, root)
        faults += _tables_of_sites(study, root)
    return faults


def _grid(study: Study) -> Iterator[Fault]:
    try:
        geobox = geobox_of(study)
    except PermagridError as error:
        yield Fault("grid", str(error).removeprefix("grid: "))
        return
    cells = geobox.shape[0] * geobox.shape[1]
    if cells > _LARGEST_GRID:
        rows, columns = geobox.shape
        yield Fault(
            "grid.resolution", f"makes {rows} x {columns} cells; at most {_LARGEST_GRID:.0e} are allowed"
        )
    spans = sorted(study.epochs)
    if len(set(spans)) < len(spans):
        yield Fault("epochs", f"an epoch stands twice among {', '.join(study.epoch_names)}")


def geobox_of(study: Study) -> GeoBox:
    """Return the grid of a study."""
    grid = study.grid
    return make_geobox(grid.crs, grid.resolution, bounds=grid.bounds, region=grid.region)


def _named(table: Table[Any], place: str, name: str, keywords: Mapping[str, Any]) -> Iterator[Fault]:
    for message in table.faults(name, keywords):
        yield Fault(place, message)


def _tables(study: Study) -> Iterator[Fault]:
    groups = {"sites.sources": study.sites.sources, "sites.stations": study.sites.stations}
    for group, sources in groups.items():
        for index, source in enumerate(sources):
            yield from _named(READERS, f"{group}[{index}]", source.reader, source.keywords)
    for name, keywords in study.sites.quality.items():
        yield from _named(QUALITY, f"sites.quality.{name}", name, keywords or {})
    labels = study.sites.labels
    if (study.target.variable == "permafrost_presence") != (labels is not None):
        yield Fault("sites.labels", "belongs to the target permafrost_presence, and only to it")
    if labels is not None and labels.station_absences and not study.sites.stations:
        yield Fault("sites.stations", "is missing; labels.station_absences needs tables of stations")
    for index, folds in enumerate(study.validation.folds):
        yield from _named(FOLDS, f"validation.folds[{index}]", folds.method, folds.keywords)
    if all(folds.method == "random" for folds in study.validation.folds):
        yield Fault("validation.folds", "random folds never stand alone; add folds by site or by block")


def _covariates(study: Study) -> Iterator[Fault]:
    covariates = covariates_of(study)
    places = {part.name: f"covariates[{i}]" for i, part in enumerate(study.covariates)}
    if len(covariates) < len(study.covariates):
        names = [part.name for part in study.covariates]
        twice = sorted({name for name in names if names.count(name) > 1})
        yield Fault("covariates", f"{', '.join(twice)} stands twice; names are unique")
    for name, covariate in covariates.items():
        place = f"{places[name]} ({name})"
        method_faults = list(_named(COVARIATES, place, covariate.method, covariate.keywords))
        yield from method_faults
        yield from _units(place, covariate)
        if not method_faults:
            yield from _inputs(place, name, covariates)
            yield from _epochs(place, covariate, study)


def _units(place: str, covariate: Covariate) -> Iterator[Fault]:
    try:
        parse_unit(covariate.unit)
        conversion(_stored_unit(covariate), _file_unit(covariate))
    except PermagridError as error:
        yield Fault(place, str(error))


def _file_unit(covariate: Covariate) -> str:
    """Return the unit to which a file's numbers are brought: of temperature where an index is made of it."""
    return "degC" if covariate.method in ("freezing_index", "thawing_index") else covariate.unit


def _stored_unit(covariate: Covariate) -> str:
    return str(covariate.keywords.get("stored_unit") or _file_unit(covariate))


def _inputs(place: str, name: str, covariates: Mapping[str, Covariate]) -> Iterator[Fault]:
    for other in covariates[name].inputs:
        if other not in covariates:
            yield Fault(
                place, f"is made from {other!r}, which is no covariate: {did_you_mean(other, covariates)}"
            )
        elif name in _ancestors(other, covariates, {name}):
            yield Fault(place, f"is made from itself, through {other!r}")


def _ancestors(name: str, covariates: Mapping[str, Covariate], seen: set[str]) -> set[str]:
    found: set[str] = set()
    for other in covariates[name].inputs:
        found.add(other)
        if other in covariates and other not in seen:
            found |= _ancestors(other, covariates, seen | {other})
    return found


def _epochs(place: str, covariate: Covariate, study: Study) -> Iterator[Fault]:
    pattern = str(covariate.keywords.get("path", ""))
    if covariate.years is None:
        if "{year}" in pattern or "{epoch}" in pattern:
            yield Fault(place, "its path changes with time, so years must say which years the data cover")
        return
    if covariate.static:
        return
    first, last = covariate.years
    for epoch, name in zip(study.epochs, study.epoch_names, strict=True):
        if epoch[0] < first or epoch[1] > last:
            yield Fault(
                place,
                f"covers {first}-{last}, not the epoch {name}; drop the epoch, or set static: true if it is "
                "a climatology that stands for every epoch",
            )


def _learners(study: Study) -> Iterator[Fault]:
    covariates = [part.name for part in study.covariates]
    names = [part.name for part in study.learners]
    if len(set(names)) < len(names):
        yield Fault("learners", f"a learner stands twice among {', '.join(names)}")
    for index, learner in enumerate(study.learners):
        yield from _named(LEARNERS, f"learners[{index}]", learner.name, learner.keywords)
        for name in learner.covariates or ():
            if name not in covariates:
                yield Fault(
                    f"learners[{index}]", f"unknown covariate {name!r}: {did_you_mean(name, covariates)}"
                )


def _products(study: Study) -> Iterator[Fault]:
    learners = [part.name for part in study.learners]
    if study.products.learner not in learners:
        hint = did_you_mean(study.products.learner, learners)
        yield Fault("products.learner", f"{study.products.learner!r} is not among the learners: {hint}")
    allowed = {study.target.variable}
    if study.target.variable == "permafrost_presence":
        allowed.add(PROBABILITY)
    for name in map_variables(study):
        if name not in allowed:
            yield Fault("products.variables", f"{name!r} cannot be mapped: {did_you_mean(name, allowed)}")
    for index, reference in enumerate(study.references):
        if reference.epoch not in study.epochs:
            epoch = "-".join(map(str, reference.epoch))
            listed = ", ".join(study.epoch_names)
            yield Fault(f"references[{index}].epoch", f"{epoch} is no epoch of the study; allowed: {listed}")
    try:
        parse_unit(study.target.unit)
    except PermagridError as error:
        yield Fault("target.unit", str(error))


def _missing_files(study: Study, root: Path) -> Iterator[Fault]:
    groups = {"sites.sources": study.sites.sources, "sites.stations": study.sites.stations}
    wanted: list[tuple[str, Path]] = []
    for group, sources in groups.items():
        for index, source in enumerate(sources):
            wanted += [(f"{group}[{index}]", path) for path in source_files(source, root)]
    for index, covariate in enumerate(covariates_of(study).values()):
        files = covariate_files(covariate, study, root)
        wanted += [(f"covariates[{index}] ({covariate.name})", path) for path in files]
    wanted += [(f"references[{i}]", root / part.path) for i, part in enumerate(study.references)]
    if study.truth is not None:
        epochs = study.epoch_names
        wanted += [("truth", root / study.truth.path.replace("{epoch}", epoch)) for epoch in epochs]
    for place, path in wanted:
        if not path.exists():
            yield Fault(place, f"{path}: no such file; paths start from {root} (see --data)")
        elif path.is_file() and path.stat().st_size == 0:
            yield Fault(place, f"{path}: the file is empty")


def _rasters(study: Study, root: Path) -> Iterator[Fault]:
    covariates = covariates_of(study)
    for index, covariate in enumerate(covariates.values()):
        files = covariate_files(covariate, study, root)
        if covariate.method in ("zonal_anomaly", "observation") or not files:
            continue
        place = f"covariates[{index}] ({covariate.name})"
        # One file of a series is looked into; the others are opened when they are read.
        yield from _raster(place, covariate, files[0])
    for index, reference in enumerate(study.references):
        try:
            open_grid(root / reference.path)
        except PermagridError as error:
            yield Fault(f"references[{index}]", str(error))


def _raster(place: str, covariate: Covariate, path: Path) -> Iterator[Fault]:
    keywords = covariate.keywords
    try:
        grid = open_grid(
            path,
            variable=keywords.get("variable"),
            nodata=keywords.get("nodata"),
            crs=keywords.get("crs"),
        )
        layer = grid if grid.ndim == 2 else grid[0]
        values = decimated(layer)
    except PermagridError as error:
        yield Fault(place, str(error))
        return
    seen = values[np.isfinite(values)]
    if seen.size == 0:
        yield Fault(place, f"{path}: holds no data, only nodata")
        return
    sentinel = undeclared_sentinel(layer)
    if sentinel is not None:
        yield Fault(
            place, f"{path}: {sentinel:g} looks like an undeclared nodata value; set nodata: {sentinel:g}"
        )
        return
    unit = _file_unit(covariate)
    factor, offset = conversion(_stored_unit(covariate), unit)
    low, high = float(seen.min()) * factor + offset, float(seen.max()) * factor + offset
    if covariate.kind == "continuous" and (why := implausible(low, high, unit)) is not None:
        yield Fault(place, f"{path}: {why}")
    if covariate.kind == "class" and not np.array_equal(seen, np.round(seen)):
        yield Fault(
            place,
            f"{path}: kind is class, but values such as {seen[seen != np.round(seen)][0]:g} are no codes",
        )


def _tables_of_sites(study: Study, root: Path) -> Iterator[Fault]:
    geobox = geobox_of(study) if not list(_grid(study)) else None
    for index, source in enumerate(study.sites.sources):
        place = f"sites.sources[{index}]"
        if READERS.faults(source.reader, source.keywords):
            continue
        try:
            rows = read_sources((source,), root)
        except PermagridError as error:
            yield Fault(place, str(error))
            continue
        if rows.empty:
            yield Fault(place, f"{root / source.path}: holds no observation")
        elif geobox is not None:
            yield from _positions(
                place, root / source.path, rows, geobox, study.sites.region or study.grid.region
            )


def _positions(
    place: str, path: Path, rows: Any, geobox: GeoBox, region: Sequence[float] | None
) -> Iterator[Fault]:
    """Report a table most of whose sites miss the grid, and the exchange that would bring them back."""
    sites = rows.drop_duplicates("site_id")
    longitude, latitude = sites["longitude"].to_numpy(float), sites["latitude"].to_numpy(float)
    seen = np.isfinite(longitude) & np.isfinite(latitude)
    if not seen.any():
        yield Fault(place, f"{path}: no row has coordinates")
        return
    longitude, latitude = longitude[seen], latitude[seen]
    inside = _share_inside(geobox, longitude, latitude)
    if inside >= _SITES_OUTSIDE:
        return
    found = f"{path}: {1 - inside:.0%} of {len(longitude)} sites lie outside the grid"
    exchanges = {
        "latitude and longitude are probably swapped": (latitude, longitude),
        "the sign of the longitude is probably wrong": (-longitude, latitude),
        "the sign of the latitude is probably wrong": (longitude, -latitude),
    }
    for cause, (other_longitude, other_latitude) in exchanges.items():
        if _share_inside(geobox, other_longitude, other_latitude) > max(_SITES_OUTSIDE, inside):
            yield Fault(place, f"{found}; {cause}")
            return
    if inside == 0:
        box = f" (region {', '.join(f'{v:g}' for v in region)})" if region else ""
        yield Fault(place, f"{found}{box}; at least one must lie inside")


def _share_inside(geobox: GeoBox, longitude: Any, latitude: Any) -> float:
    possible = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 360)
    row, column = cells_of(geobox, np.where(possible, longitude, 0), np.where(possible, latitude, 0))
    with np.errstate(invalid="ignore"):
        within = (row >= 0) & (row < geobox.shape[0]) & (column >= 0) & (column < geobox.shape[1])
    return float((within & possible).mean())
