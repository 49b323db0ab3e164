"""The covariate stack: lazy layers written chunk by chunk to Zarr, and opened as one dataset."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from permagrid.covariates.lazy import DAMAGE, sentence
from permagrid.covariates.resample import CHUNK
from permagrid.covariates.table import Covariate, attributes, varies
from permagrid.errors import PermagridError
from permagrid.grid import Window, blocks, inside_region, lonlat
from permagrid.threads import pool

Layer = tuple[str, str | None]
"""A covariate's name, and its epoch such as ``1980-1984`` or None where it does not vary."""

_EMPTY = np.empty((0, 0), dtype="float32")


def stack_layers(covariates: Mapping[str, Covariate], epochs: Iterable[str]) -> list[Layer]:
    """Return the layers that a stack of these covariates has.

    Examples
    --------
    >>> static = Covariate("elevation", "raster", "m")
    >>> moving = Covariate("anomaly", "zonal_anomaly", "delta degC", years=(1880, 2022))
    >>> stack_layers({"elevation": static, "anomaly": moving}, ["1980-1984", "1985-1989"])
    [('elevation', None), ('anomaly', '1980-1984'), ('anomaly', '1985-1989')]
    """
    epochs = list(epochs)
    return [
        (name, epoch) for name in covariates for epoch in (epochs if varies(name, covariates) else [None])
    ]


def store_layers(
    layers: Mapping[Path, xr.DataArray],
    geobox: GeoBox,
    *,
    region: tuple[float, float, float, float] | None = None,
    mask: xr.DataArray | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write lazy layers to Zarr stores, chunk by chunk, in memory that does not grow with the grid.

    Parameters
    ----------
    layers
        Store to write -> lazy layer on `geobox`. A store appears under its name when it is complete.
    geobox
        The grid of all layers.
    region
        Lon/lat box outside which cells become nodata [degree].
    mask
        Lazy layer on `geobox`; where it is above 0, cells become nodata.
    workers
        Chunks in work at a time.
    progress
        Called with the chunks done and in all.

    Raises
    ------
    PermagridError
        If a source cannot be read; no store of the call appears under its name then.
    """
    if not layers:
        return
    partial = {path: path.with_name(f"{path.name}.partial") for path in layers}
    stores = {path: _new_store(partial[path], geobox, layer.attrs) for path, layer in layers.items()}
    windows = list(blocks(geobox.shape, CHUNK))

    def write(window: Window) -> None:
        wanted = [layer.data[window] for layer in layers.values()]
        parts = dask.compute(*wanted, scheduler="synchronous")
        left_out = np.zeros(parts[0].shape, dtype=bool)
        if region is not None:
            left_out |= ~inside_region(*lonlat(geobox, window), region)
        if mask is not None:
            left_out |= mask.data[window].compute(scheduler="synchronous") > 0
        for path, values in zip(layers, parts, strict=True):
            stores[path][window] = np.where(left_out, np.nan, values)

    with pool(workers) as threads:
        try:
            for done, _ in enumerate(threads.map(write, windows), start=1):
                progress(done, len(windows))
        except BaseException:
            # Chunks that wait are not worth computing any more.
            threads.shutdown(wait=True, cancel_futures=True)
            raise
    for path, temporary in partial.items():
        if path.exists():
            rmtree(path)
        temporary.rename(path)


def _new_store(path: Path, geobox: GeoBox, attrs: Mapping[Any, Any]) -> zarr.Array:
    if path.exists():
        rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return zarr.create_array(
        store=str(path),
        shape=tuple(geobox.shape),
        chunks=(CHUNK, CHUNK),
        dtype="float32",
        fill_value=float("nan"),
        attributes={str(key): str(value) for key, value in attrs.items()},
    )


def open_stack(
    stores: Mapping[Layer, Path], covariates: Mapping[str, Covariate], geobox: GeoBox
) -> xr.Dataset:
    """Return stored layers as one lazy dataset, a variable per covariate.

    Parameters
    ----------
    stores
        Layer -> Zarr store.
    covariates
        Specifications, for the attributes.
    geobox
        The grid of the stores.

    Returns
    -------
    xarray.Dataset
        Variables of dimensions ``(y, x)``, or ``(epoch, y, x)`` for those that vary. Their attributes are
        what the specification says, and what the layers say of how they were made; of what differs between
        epochs, all is said.

    Raises
    ------
    PermagridError
        If a store is missing, damaged or of another grid; when values are read, too.
    """
    variables: dict[str, xr.DataArray] = {}
    for name, covariate in covariates.items():
        mine = {epoch: path for (layer, epoch), path in stores.items() if layer == name}
        arrays = {epoch: _opened(path, geobox) for epoch, path in mine.items()}
        attrs = {**_said({epoch: array[1] for epoch, array in arrays.items()}), **attributes(covariate)}
        if list(mine) == [None]:
            variables[name] = xr.DataArray(arrays[None][0], dims=geobox.dimensions, attrs=attrs)
        else:
            data = da.stack([array for array, _ in arrays.values()])
            variables[name] = xr.DataArray(
                data,
                dims=("epoch", *geobox.dimensions),
                coords={"epoch": [str(e) for e in mine]},
                attrs=attrs,
            )
    return xr.Dataset(variables).assign_coords(xr_coords(geobox))


class _Stored:
    """A stored layer as dask sees it; what goes wrong in reading names the store."""

    def __init__(self, path: Path, array: zarr.Array) -> None:
        self.path, self.array = path, array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, key: Window) -> NDArray[np.float32]:
        try:
            return np.asarray(self.array[key])
        except DAMAGE as error:
            raise _damaged(self.path, error) from error


def _damaged(path: Path, error: BaseException) -> PermagridError:
    return PermagridError(
        f"{path}: the stored layer is damaged ({sentence(error)}); delete it, and it is made anew"
    )


def _said(attrs: Mapping[str | None, Mapping[str, str]]) -> dict[str, str]:
    """Return what the layers of one covariate say of themselves, epoch by epoch where they differ."""
    keys = dict.fromkeys(key for said in attrs.values() for key in said)
    out = {}
    for key in keys:
        texts = {epoch: said.get(key, "") for epoch, said in attrs.items()}
        same = len(set(texts.values())) == 1
        out[key] = (
            next(iter(texts.values())) if same else "; ".join(f"{e}: {t}" for e, t in texts.items() if t)
        )
    return out


def _opened(path: Path, geobox: GeoBox) -> tuple[da.Array, dict[str, str]]:
    try:
        array = zarr.open_array(str(path), mode="r")
    except DAMAGE as error:
        raise _damaged(path, error) from error
    if array.shape != tuple(geobox.shape):
        raise PermagridError(f"{path}: has {array.shape} cells, the grid has {tuple(geobox.shape)}")
    stored = _Stored(path, array)
    data = da.from_array(
        stored, chunks=array.chunks, name=f"stored-{uuid4().hex}", asarray=False, meta=_EMPTY
    )
    return data, {str(key): str(value) for key, value in array.attrs.items()}


def at_epoch(stack: xr.Dataset, epoch: str) -> xr.Dataset:
    """Return the layers that hold for one epoch, all of dimensions ``(y, x)``.

    Raises
    ------
    PermagridError
        If the stack has epochs, but not this one.
    """
    if "epoch" not in stack.dims:
        return stack
    held = [str(name) for name in stack["epoch"].values]
    if epoch not in held:
        raise PermagridError(f"no covariates for epoch {epoch}; the stack has {', '.join(held)}")
    return stack.sel(epoch=epoch, drop=True)
