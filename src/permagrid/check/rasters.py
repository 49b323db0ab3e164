"""Mistakes in rasters: CRS, extent, nodata, and values that do not fit their unit."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from permagrid.check.covariates import file_unit, stored_unit
from permagrid.check.files import is_there, truth_files
from permagrid.check.grid import sound_geobox
from permagrid.covariates import COVARIATES, Covariate
from permagrid.covariates.sources import decimated, open_grid, undeclared_sentinel
from permagrid.covariates.traits import traits_of
from permagrid.errors import PermagridError
from permagrid.grid import Float, lonlat_of
from permagrid.steps.inputs import covariate_files, each_covariate, path_patterns
from permagrid.study import Finding, Location, Study
from permagrid.units import UNITS, conversion, implausible, parse_unit

_OUTLINE = 60
"""Points per side at which is asked whether a raster and the grid overlap."""


def covariate_rasters(study: Study, root: Path, *, grid: bool, epochs: bool) -> Iterator[Finding]:
    """Yield what is wrong with the rasters of covariates.

    All files of a series are opened; values are looked at in the first and the last.

    Parameters
    ----------
    study, root
        The study, and the folder from which its paths start.
    grid, epochs
        Whether these sections of the study are sound.
    """
    geobox = sound_geobox(study) if grid else None
    for index, covariate in enumerate(each_covariate(study)):
        if COVARIATES.faults(covariate.method, covariate.keywords):
            continue
        patterns = path_patterns(covariate.settings)
        files = covariate_files(covariate, study, root)
        if not epochs and any(key in pattern for key in ("{epoch}", "{year}") for pattern in patterns):
            continue
        if not all(map(is_there, files)):
            continue
        place, known = ("covariates", index), traits_of(covariate.method)
        if known.faults is not None:
            yield from (Finding(place, why) for why in known.faults(covariate.settings, files))
        if known.rasters and files:
            yield from _series(place, covariate, files, geobox)


def _series(
    location: Location, covariate: Covariate, files: list[Path], geobox: GeoBox | None
) -> Iterator[Finding]:
    looked_into = {files[0], files[-1]}
    for path in files:
        try:
            opened = _open(covariate, path)
            findings = list(_layer(location, covariate, path, opened, geobox)) if path in looked_into else []
        except PermagridError as error:
            findings = [Finding((*location, "path"), str(error))]
        if findings:
            # What is wrong with one file of a series is most often wrong with all.
            yield from findings
            return


def _open(covariate: Covariate, path: Path) -> xr.DataArray:
    keywords = covariate.keywords
    opened = open_grid(
        path, variable=keywords.get("variable"), nodata=keywords.get("nodata"), crs=keywords.get("crs")
    )
    return opened if opened.ndim == 2 else opened[0].assign_attrs(opened.attrs)


def _layer(
    location: Location, covariate: Covariate, path: Path, layer: xr.DataArray, geobox: GeoBox | None
) -> Iterator[Finding]:
    if (why := _misplaced(layer, geobox)) is not None:
        yield Finding((*location, "path"), f"{path}: {why}")
        return
    values = decimated(layer)
    seen = values[np.isfinite(values)]
    if seen.size == 0:
        yield Finding((*location, "path"), f"{path}: holds no data, only nodata")
        return
    sentinel = undeclared_sentinel(values)
    if sentinel is not None:
        yield Finding(
            (*location, "path"),
            f"{path}: {sentinel:g} looks like an undeclared nodata value; set nodata: {sentinel:g}",
        )
        return
    yield from _values(location, covariate, path, str(layer.attrs.get("units", "")), seen)


def _values(
    location: Location, covariate: Covariate, path: Path, declared: str, seen: Float
) -> Iterator[Finding]:
    unit, stored = file_unit(covariate), stored_unit(covariate)
    if covariate.kind == "class":
        strange = seen[seen != np.round(seen)]
        if strange.size:
            yield Finding(
                (*location, "kind"), f"{path}: kind is class, but values such as {strange[0]:g} are no codes"
            )
        return
    try:
        factor, offset = conversion(stored, unit)
    except PermagridError:
        return
    low, high = float(seen.min()) * factor + offset, float(seen.max()) * factor + offset
    if (why := implausible(low, high, unit)) is not None:
        yield Finding((*location, "unit"), f"{path}: {why}")
        return
    also, name = traits_of(covariate.method).or_reads, _unit_name(declared)
    if "stored_unit" not in covariate.keywords and _contradicts(declared, stored, also):
        rate = f", or {name}/day if it is a mean rate" if also and f"{name}/day" in UNITS else ""
        yield Finding(
            (*location, "unit"),
            f"{path}: the file gives its unit as {declared!r}, not {stored!r}; set stored_unit: {name}{rate}",
        )


_FEET = ("ft", "foot", "feet", "us-ft", "ftus", "us survey foot", "us survey feet", "us_survey_foot")
"""What files call a foot, of which a survey has one that is longer by 2 millionths."""


def _unit_name(declared: str) -> str:
    """Return the name that a file's own unit has here."""
    return "ft" if declared.strip().lower() in _FEET else declared


def _contradicts(declared: str, stated: str, also: tuple[str, ...] = ()) -> bool:
    """Return whether a file's own unit is known and another one of the same dimension, or of `also`."""
    try:
        mine, theirs = parse_unit(stated), parse_unit(_unit_name(declared))
    except PermagridError:
        return False
    return theirs[0] in {mine[0], *(parse_unit(unit)[0] for unit in also)} and mine != theirs


def other_rasters(study: Study, root: Path, *, grid: bool) -> Iterator[Finding]:
    """Yield what is wrong with the reference maps and the truth of a study.

    Parameters
    ----------
    study, root
        The study, and the folder from which its paths start.
    grid
        Whether the grid of the study is sound.
    """
    geobox = sound_geobox(study) if grid else None
    if grid and study.grid is not None and study.grid.mask is not None:
        mask = study.grid.mask
        yield from _map(("grid", "mask", "path"), root / mask.path, geobox, crs=mask.crs)
    for index, reference in enumerate(study.references):
        yield from _map(("references", index, "path"), root / reference.path, geobox)
    if study.truth is not None:
        found = (list(_map(("truth", "path"), path, geobox, same=True)) for path in truth_files(study, root))
        yield from next((findings for findings in found if findings), [])


def _map(
    location: Location, path: Path, geobox: GeoBox | None, *, same: bool = False, crs: str | None = None
) -> Iterator[Finding]:
    if not is_there(path):
        return
    try:
        opened = open_grid(path, crs=crs)
    except PermagridError as error:
        yield Finding(location, str(error))
        return
    found = opened.odc.geobox
    if (why := _misplaced(opened, geobox)) is not None:
        yield Finding(location, f"{path}: {why}")
    elif same and geobox is not None and (found.shape != geobox.shape or found.affine != geobox.affine):
        yield Finding(
            location,
            f"{path}: the truth must lie on the grid of the study, {_grid_words(geobox)}; "
            f"found {_grid_words(found)}",
        )


def _grid_words(geobox: GeoBox) -> str:
    rows, columns = geobox.shape
    left, top = geobox.affine.c, geobox.affine.f
    return f"{rows} x {columns} cells of {geobox.affine.a:g} from x {left:.10g}, y {top:.10g}"


def _misplaced(layer: xr.DataArray, geobox: GeoBox | None) -> str | None:
    """Return why a raster cannot lie where it says, or that it misses the grid."""
    found = layer.odc.geobox
    box = found.boundingbox
    corners = f"x {box.left:g} to {box.right:g}, y {box.bottom:g} to {box.top:g}"
    wide = box.right - box.left
    if found.crs.geographic and (
        abs(box.bottom) > 91 or abs(box.top) > 91 or wide > 361 or abs(box.left) > 361
    ):
        return f"its CRS is in degrees, but it covers {corners}: a wrong CRS; state the right one as crs"
    if geobox is not None and not _overlaps(found, geobox):
        return f"misses the grid of the study; it covers {corners} in {_name(found)}: is its CRS right?"
    return None


def _name(geobox: GeoBox) -> str:
    return f"EPSG:{geobox.crs.epsg}" if geobox.crs.epsg else str(geobox.crs.proj.name)


def _overlaps(raster: GeoBox, grid: GeoBox) -> bool:
    rows, columns = (np.linspace(0, size, _OUTLINE + 1) for size in grid.shape)
    column, row = np.meshgrid((columns[1:] + columns[:-1]) / 2, (rows[1:] + rows[:-1]) / 2)
    longitude, latitude = lonlat_of(grid, row, column)
    known = np.isfinite(longitude) & np.isfinite(latitude)
    to_raster = Transformer.from_crs("EPSG:4326", raster.crs, always_xy=True)
    x, y = to_raster.transform(longitude[known], latitude[known])
    box = raster.boundingbox
    if raster.crs.geographic:
        x = (x - box.left) % 360.0 + box.left
    return bool(((x >= box.left) & (x <= box.right) & (y >= box.bottom) & (y <= box.top)).any())
