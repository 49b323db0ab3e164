"""What a covariate is: its specification, the request it answers, and the table of methods."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from permagrid.covariates.resample import CHUNK, Kind
from permagrid.errors import PermagridError, did_you_mean
from permagrid.grid import Float, lonlat
from permagrid.registry import Table

Years = tuple[int, int]


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

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the covariates that this one is made from."""
        single = self.keywords.get("input")
        several = self.keywords.get("inputs", ())
        return (*((single,) if single else ()), *several)


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
    build: Callable[[str, GeoBox], xr.DataArray]
    """Makes another covariate of the study for the same epoch, on any grid."""

    def path(self, path: str) -> str:
        """Return `path` from the root, unless it is absolute or a URL."""
        return path if "://" in path or Path(path).is_absolute() else str(self.root / path)


CovariateMethod = Callable[..., xr.DataArray]
COVARIATES: Table[CovariateMethod] = Table("covariate")
"""Covariate methods ``(request, *, ...) -> DataArray`` with ``units`` in its attributes."""


def varies(name: str, covariates: Mapping[str, Covariate]) -> bool:
    """Return whether a covariate differs between epochs, itself or through what it is made from."""
    covariate = _find(name, covariates)
    own = covariate.years is not None and not covariate.static
    return own or any(varies(other, covariates) for other in covariate.inputs)


def build(
    name: str, covariates: Mapping[str, Covariate], geobox: GeoBox, *, epoch: Years | None, root: Path
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

    Returns
    -------
    xarray.DataArray
        Lazy float32 with ``units``, ``long_name`` and ``kind`` as attributes.

    Raises
    ------
    PermagridError
        If a name is unknown, a covariate is made from itself, or its files cannot be read.
    """
    covariate = _find(name, covariates)
    others = {key: value for key, value in covariates.items() if key != name}

    def another(wanted: str, box: GeoBox) -> xr.DataArray:
        return build(wanted, others, box, epoch=epoch, root=root)

    request = Request(covariate, geobox, epoch, root, another)
    array = COVARIATES[covariate.method](request, **covariate.keywords)
    return array.rename(name).assign_attrs(
        units=covariate.unit, long_name=covariate.long_name or name, kind=covariate.kind
    )


def _find(name: str, covariates: Mapping[str, Covariate]) -> Covariate:
    if name not in covariates:
        raise PermagridError(f"no covariate {name!r} to build from: {did_you_mean(name, covariates)}")
    return covariates[name]


def pointwise(geobox: GeoBox, function: Callable[[Float, Float], Float]) -> xr.DataArray:
    """Return ``function(longitude, latitude)`` at every cell centre, lazily and in chunks."""
    rows, columns = geobox.shape

    def one(
        block_info: dict[int | None, dict[str, list[tuple[int, int]]]] | None = None,
    ) -> NDArray[np.float32]:
        if block_info is None:
            return np.empty((0, 0), dtype="float32")
        (top, bottom), (left, right) = block_info[None]["array-location"]
        return np.asarray(function(*lonlat(geobox[top:bottom, left:right])), dtype="float32")

    chunks = da.core.normalize_chunks((CHUNK, CHUNK), shape=(rows, columns))
    data = da.map_blocks(one, chunks=chunks, dtype="float32", meta=np.empty((0, 0), dtype="float32"))
    return xr.DataArray(data, coords=xr_coords(geobox), dims=geobox.dimensions)
