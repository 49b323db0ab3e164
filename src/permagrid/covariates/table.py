"""What a covariate is: its specification, the request it answers, and the table of methods."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral
from pathlib import Path
from typing import Any, Self, get_args
from uuid import uuid4

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from permagrid.covariates.lookup import Kind, Resampling
from permagrid.covariates.resample import BlockInfo, chunked, onto
from permagrid.covariates.sources import open_grid
from permagrid.covariates.traits import Years, traits_of
from permagrid.errors import PermagridError, did_you_mean
from permagrid.grid import Float, lonlat, place_in
from permagrid.registry import Table
from permagrid.units import conversion

__all__ = ["COVARIATES", "Covariate", "Request", "Years", "build", "pointwise", "varies"]


@dataclass(frozen=True)
class Covariate:
    """One predictor: how it is made, in which unit, and for which years it holds."""

    name: str
    """Column and layer name."""
    method: str
    """Name in the table `COVARIATES`."""
    unit: str
    """Unit of the values that learners and maps see."""
    keywords: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the method."""
    kind: Kind = "continuous"
    """``continuous`` values or ``class`` codes."""
    years: Years | None = None
    """First and last year that the data cover; None for what does not change, such as terrain."""
    static: bool = False
    """Whether a covariate of stated years is used unchanged for every epoch, as a climatology is."""
    long_name: str = ""
    """What people call it."""
    source: str = ""
    """Where the data come from: a data set and its citation."""

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """Refuse names that are no field of a covariate."""
        known = [each.name for each in fields(cls)]
        for key in named:
            if key not in known:
                raise PermagridError(f"a covariate has no {key!r}: {did_you_mean(key, known)}")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        """Refuse what is no span of years, no kind, or no keywords."""
        if self.years is not None and (why := _no_span(self.years)) is not None:
            raise PermagridError(f"covariate {self.name}: years {why}")
        if self.kind not in get_args(Kind):
            allowed = did_you_mean(str(self.kind), get_args(Kind))
            raise PermagridError(f"covariate {self.name}: unknown kind {self.kind!r}: {allowed}")
        if not isinstance(self.keywords, Mapping):
            raise PermagridError(
                f"covariate {self.name}: keywords must be names with values, such as "
                f"{{'path': 'dem.tif'}}; found {self.keywords!r}"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """Every keyword of the method, those left out with their defaults."""
        if self.method not in COVARIATES:
            return dict(self.keywords)
        parameters = COVARIATES.keywords(self.method).values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        return {**defaults, **self.keywords}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the covariates that this one is made from, stated or by default of its method.

        They stand in the keywords ``input`` and ``inputs``, and in those whose name ends in ``_input``.
        """
        settings = self.settings
        single = [str(value) for key, value in settings.items() if value and is_input(key)]
        several = settings.get("inputs")
        # What is no list of names is told when the covariate is built.
        return (*single, *(several if isinstance(several, list | tuple) else ()))


def _no_span(years: object) -> str | None:
    """Return why something is no first and last year, or None."""
    whole = isinstance(years, list | tuple) and all(isinstance(year, Integral) for year in years)
    if whole and isinstance(years, list | tuple) and len(years) == 2 and years[0] <= years[1]:
        return None
    return f"must be the first and the last year, such as (2000, 2004); found {years!r}"


def is_input(keyword: str) -> bool:
    """Return whether a keyword of a method names another covariate."""
    return keyword == "input" or keyword.endswith("_input")


@dataclass(frozen=True)
class Request:
    """What a covariate method is asked for."""

    covariate: Covariate
    """The specification that is being answered."""
    geobox: GeoBox
    """The grid to answer on."""
    epoch: Years | None
    """First and last year wanted; None where the covariate does not change with time."""
    root: Path
    """Folder from which relative paths start."""
    build: Callable[..., xr.DataArray]
    """``(name, geobox, *, whole=None)`` makes another covariate of the study for the same epoch: around a
    part of this grid, or on any grid that is given as `whole`, too."""
    whole: GeoBox
    """The grid of the study, which `geobox` is, or is a part of: it decides on the resampling."""
    others: Mapping[str, Covariate] = field(default_factory=dict)
    """The specifications of the other covariates of the study, by name."""

    def path(self, path: str) -> str:
        """Return `path` from the root, unless it is absolute or a URL."""
        return path if "://" in path or Path(path).is_absolute() else str(self.root / path)

    def onto(self, source: xr.DataArray, *, resampling: Resampling = "auto") -> xr.DataArray:
        """Return a source on the grid, in the way of the covariate's kind; see `resample.onto`."""
        kind = self.covariate.kind
        return onto(source, self.geobox, kind=kind, resampling=resampling, whole=self.whole)

    def native(self, name: str) -> GeoBox:
        """Return the grid of the file from which another covariate is read, whole.

        Raises
        ------
        PermagridError
            If the covariate is unknown, or is not read from one raster.
        """
        other = _find(name, self.others)
        path = other.keywords.get("path")
        if other.method != "raster" or not isinstance(path, str) or "{" in path:
            raise PermagridError(
                f"covariate {self.covariate.name}: {name} is not read from one raster (method raster, one "
                "path), so that it has no resolution of its own to be analysed at"
            )
        keywords = {key: other.keywords.get(key) for key in ("variable", "nodata", "crs")}
        geobox: GeoBox = open_grid(self.path(path), **keywords).odc.geobox
        return geobox


CovariateMethod = Callable[..., xr.DataArray]
COVARIATES: Table[CovariateMethod] = Table("covariate method", group="covariate")
"""Covariate methods ``(request, *, ...) -> DataArray``, lazy, on the request's grid."""


def varies(name: str, covariates: Mapping[str, Covariate]) -> bool:
    """Return whether a covariate differs between epochs, itself or through what it is made from.

    Raises
    ------
    PermagridError
        If a name is unknown, or the covariate is made from itself.
    """
    covariate = _find(name, covariates)
    own = covariate.years is not None and not covariate.static
    others = {key: value for key, value in covariates.items() if key != name}
    return any([own, *(varies(other, others) for other in covariate.inputs)])


def build(
    name: str,
    covariates: Mapping[str, Covariate],
    geobox: GeoBox,
    *,
    epoch: Years | None,
    root: Path,
    whole: GeoBox | None = None,
) -> xr.DataArray:
    """Return one covariate on a grid, lazily, for an epoch.

    Parameters
    ----------
    name
        The covariate wanted.
    covariates
        All covariates of the study, by name; the wanted one may be made from others.
    geobox
        The grid.
    epoch
        First and last year; ignored by covariates that do not vary.
    root
        Folder from which relative paths start.
    whole
        The grid that `geobox` is a part of, or a rim around, where it is one: cells then get the very
        values that they have in the whole.

    Returns
    -------
    xarray.DataArray
        Lazy float32 with ``units``, ``long_name``, ``kind``, and where they are known ``source`` and
        ``years`` as attributes.

    Raises
    ------
    PermagridError
        If a name is unknown, the epoch is no span of years, keywords are not those of the method, a covariate
        is made from itself, or its files cannot be read.
    """
    if epoch is not None and (why := _no_span(epoch)) is not None:
        raise PermagridError(f"epoch {why}")
    covariate = _find(name, covariates)
    for fault in COVARIATES.faults(covariate.method, covariate.keywords):
        raise PermagridError(f"covariate {name}: {fault}")
    others = {key: value for key, value in covariates.items() if key != name}
    whole = geobox if whole is None else whole
    span = epoch if varies(name, covariates) else None

    def another(wanted: str, box: GeoBox, *, whole: GeoBox = whole) -> xr.DataArray:
        return build(wanted, others, box, epoch=epoch, root=root, whole=whole)

    request = Request(covariate, geobox, span, root, another, whole, others)
    array = COVARIATES[covariate.method](request, **covariate.keywords)
    own = traits_of(covariate.method).unit
    if own is not None and covariate.kind == "continuous" and own != covariate.unit:
        factor, offset = conversion(own, covariate.unit)
        array = (array * factor + offset).assign_attrs(array.attrs)
    grids = [(str(box.crs), tuple(box.affine), tuple(box.shape)) for box in (geobox, whole)]
    recipe = tokenize(repr([covariate, *_ancestors(name, covariates)]), span, str(root), grids)
    return _named(array, f"{name}-{recipe}").assign_attrs(attributes(covariate))


def attributes(covariate: Covariate) -> dict[str, str]:
    """Return what a layer of a covariate says of itself, besides what its method adds."""
    known = {
        "units": covariate.unit,
        "long_name": covariate.long_name or covariate.name,
        "kind": covariate.kind,
        "source": covariate.source or str(covariate.keywords.get("path", "")),
        "years": "" if covariate.years is None else f"{covariate.years[0]}-{covariate.years[1]}",
    }
    return {key: text for key, text in known.items() if text}


def _named(array: xr.DataArray, key: str) -> xr.DataArray:
    """Return an array under a name that says how it is made.

    Where several covariates are made from it and computed together, dask then makes it once.
    """
    data = da.map_blocks(_unchanged, array.data, name=key, dtype="float32", meta=np.empty((0, 0), "float32"))
    return array.copy(data=data).rename(key.rpartition("-")[0])


def _unchanged(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype("float32", copy=False)


def _ancestors(name: str, covariates: Mapping[str, Covariate]) -> list[Covariate]:
    found: list[Covariate] = []
    for other in covariates[name].inputs:
        found += [_find(other, covariates), *_ancestors(other, covariates)]
    return found


def _find(name: str, covariates: Mapping[str, Covariate]) -> Covariate:
    if name not in covariates:
        raise PermagridError(f"no covariate {name!r} to build from: {did_you_mean(name, covariates)}")
    return covariates[name]


def pointwise(
    geobox: GeoBox, function: Callable[[Float, Float], Float], *, whole: GeoBox | None = None
) -> xr.DataArray:
    """Return ``function(longitude, latitude)`` at every cell centre, lazily and in chunks.

    Parameters
    ----------
    geobox
        The grid.
    function
        From arrays [degree] to an array of their shape.
    whole
        The grid that `geobox` is a part of, where it is one.
    """
    places = _places(geobox, geobox if whole is None else whole)

    def one(lonlats: Float) -> NDArray[np.float32]:
        longitude, latitude = lonlats
        return np.asarray(function(longitude, latitude), dtype="float32")

    data = da.map_blocks(
        one,
        places,
        drop_axis=0,
        dtype="float32",
        meta=np.empty((0, 0), dtype="float32"),
        name=f"pointwise-{uuid4().hex}",
    )
    return xr.DataArray(data, coords=xr_coords(geobox), dims=geobox.dimensions)


def _places(geobox: GeoBox, whole: GeoBox) -> da.Array:
    """Return longitude and latitude, of dimensions (2, y, x), found once for all layers of a grid."""
    row, column = place_in(geobox, whole)

    def one(block_info: BlockInfo | None = None) -> Float:
        if block_info is None:
            return np.empty((0, 0, 0))
        _, (top, bottom), (left, right) = block_info[None]["array-location"]
        return np.stack(lonlat(whole, (slice(row + top, row + bottom), slice(column + left, column + right))))

    grids = [(str(box.crs), tuple(box.affine), tuple(box.shape)) for box in (geobox, whole)]
    return da.map_blocks(
        one,
        chunks=((2,), chunked(geobox.shape[0]), chunked(geobox.shape[1])),
        dtype="float64",
        meta=np.empty((0, 0, 0)),
        name=f"lonlat-{tokenize(chunked(geobox.shape[0]), grids)}",
    )
