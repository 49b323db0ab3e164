"""Layers of soil in one or several files, and their mean over a span of depths, read when it is needed."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from permagrid.covariates.lazy import Key, lazy_grid, shown
from permagrid.covariates.sources import open_grid
from permagrid.errors import PermagridError
from permagrid.grid import Float

Span = tuple[float, float]
"""Top and bottom [cm]."""

STANDARD_DEPTHS: tuple[Span, ...] = ((0, 5), (5, 15), (15, 30), (30, 60), (60, 100), (100, 200))
"""The layers of GlobalSoilMap, and so of SoilGrids 2.0 [cm]."""


class Layer(NamedTuple):
    """A layer that counts."""

    path: str
    """Its file, as the study names it."""
    thickness: float
    """How much of it lies in the span [cm]."""
    step: int | None = None
    """Its place on the file's third axis; None where a file holds one layer."""
    steps: int = 1
    """How many layers the file holds."""


class Stored(NamedTuple):
    """How numbers stand in files."""

    variable: str | int | None
    """Name, or number of the band."""
    nodata: float | None
    """A missing value that the files do not declare."""
    crs: str | None
    """The CRS, where they do not say."""


def overlaps(depths: Sequence[Span], between: Span) -> list[float]:
    """Return how much of each layer lies within a span [cm].

    Parameters
    ----------
    depths
        Top and bottom of each layer [cm].
    between
        Top and bottom of the span [cm].

    Raises
    ------
    PermagridError
        If the span or a layer is empty, two layers overlap, or no layer covers some of the span.

    Examples
    --------
    >>> overlaps([(0, 5), (5, 15), (15, 30), (30, 60)], (0, 20))
    [5, 10, 5, 0]
    """
    top, bottom = between
    if not 0 <= top < bottom:
        raise PermagridError(f"between: [{top:g}, {bottom:g}] is no span; write [top, bottom] in cm")
    if bottom - top < 1:
        raise PermagridError(
            f"between: [{top:g}, {bottom:g}] is thinner than 1 cm; depths are in cm, not in m"
        )
    layers = sorted((upper, lower) for upper, lower in depths)
    for upper, lower in layers:
        if not 0 <= upper < lower:
            raise PermagridError(f"depths: [{upper:g}, {lower:g}] is no layer; write [top, bottom] in cm")
    for (_, above), (upper, lower) in pairwise(layers):
        if upper < above:
            raise PermagridError(f"depths: two layers overlap from {upper:g} to {min(above, lower):g} cm")
    reached = top
    for upper, lower in layers:
        if upper <= reached < lower:
            reached = lower
    if reached < bottom:
        deeper = min([bottom, *(upper for upper, _ in layers if upper > reached)])
        raise PermagridError(
            f"depths: no layer covers {reached:g} to {deeper:g} cm, and between is [{top:g}, {bottom:g}]"
        )
    return [max(0, min(lower, bottom) - max(upper, top)) for upper, lower in depths]


def layers_of(
    path: str | None,
    between: Span | None,
    *,
    paths: Sequence[str] | None = None,
    depths: Sequence[Span] | None = None,
) -> list[Layer]:
    """Return the layers that lie in a span.

    Parameters
    ----------
    path
        Files with ``{depth}`` in the name, or one file whose third axis holds the layers.
    between
        The span [cm]; None where `path` holds one layer.
    paths
        Files of the layers, in place of `path`.
    depths
        Top and bottom of the layers [cm]; the standard ones if left out.

    Raises
    ------
    PermagridError
        If the keywords contradict each other, and as `overlaps`.

    Examples
    --------
    >>> [layer.path for layer in layers_of("clay_{depth}cm.tif", (0, 10))]
    ['clay_0-5cm.tif', 'clay_5-15cm.tif']
    """
    if (path is None) == (paths is None):
        raise PermagridError(
            "either path, with {depth} in it or the layers within the file, or paths is needed"
        )
    if between is None:
        if path is None or "{depth}" in path or depths is not None:
            raise PermagridError("between is missing: the span to average over, such as [0, 30] cm")
        return [Layer(path, 1.0)]
    if paths is not None and depths is None:
        raise PermagridError(
            "depths is missing: top and bottom of the layer that each of the paths holds [cm]"
        )
    given = depths or STANDARD_DEPTHS
    if paths is not None and len(paths) != len(given):
        raise PermagridError(f"paths names {len(paths)} files, and depths {len(given)} layers")
    found = []
    for index, ((top, bottom), thickness) in enumerate(zip(given, overlaps(given, between), strict=True)):
        if thickness == 0:
            continue
        if paths is not None:
            found.append(Layer(paths[index], thickness))
        elif path is not None and "{depth}" in path:
            found.append(Layer(path.replace("{depth}", f"{top:g}-{bottom:g}"), thickness))
        else:
            found.append(Layer(str(path), thickness, index, len(given)))
    return found


def mean_of(layers: Sequence[Layer], stored: Stored, place: Callable[[str], str]) -> xr.DataArray:
    """Return the mean of layers by thickness on the grid of their files, lazily; NaN where one has no data.

    Parameters
    ----------
    layers
        From `layers_of`.
    stored
        How numbers stand in the files.
    place
        Gives the place of a file that the study names.

    Raises
    ------
    PermagridError
        If a file cannot be read, holds other layers than stated, or lies on another grid.
    """
    grids = [_opened(layer, stored, place) for layer in layers]
    whole = sum(layer.thickness for layer in layers)

    def mean(values: list[Float]) -> Float:
        parts = [layer.thickness * value for layer, value in zip(layers, values, strict=True)]
        return np.asarray(sum(parts[1:], parts[0]) / whole)

    return combined(list(zip(layers, grids, strict=True)), mean)


def _opened(layer: Layer, stored: Stored, place: Callable[[str], str]) -> xr.DataArray:
    path = place(layer.path)
    grid = open_grid(path, variable=stored.variable, nodata=stored.nodata, crs=stored.crs)
    if grid.ndim == 2 and layer.step is None:
        return grid
    held = grid.shape[0] if grid.ndim == 3 else 1
    if held != layer.steps:
        wanted = "one layer is" if layer.step is None else f"{layer.steps} layers are"
        raise PermagridError(
            f"{shown(path)}: holds {held} {'layer' if held == 1 else 'layers'} where {wanted} looked for; "
            "state the layers as depths, or their files with {depth} in path"
        )
    return grid[layer.step or 0] if grid.ndim == 3 else grid


def combined(
    grids: Sequence[tuple[Layer, xr.DataArray]], combine: Callable[[list[Float]], Float]
) -> xr.DataArray:
    """Return what is made of the values of grids cell by cell, read when it is needed.

    Parameters
    ----------
    grids
        Each with the layer that it holds, or the first of several; all on one grid.
    combine
        From arrays of one shape to one of that shape.

    Raises
    ------
    PermagridError
        If a grid is another one than the first.
    """
    (first, grid), *others = grids
    geobox: GeoBox = grid.odc.geobox
    for layer, other in others:
        if not _same(other.odc.geobox, geobox):
            raise PermagridError(f"{layer.path}: lies on another grid than {first.path}; they must share one")

    def read(key: Key) -> Float:
        return combine([np.asarray(grid.variable[key].values, dtype=float) for _, grid in grids])

    return lazy_grid(read, geobox, {})


def _same(one: GeoBox, other: GeoBox) -> bool:
    tolerance = 1e-3 * abs(one.affine.a)
    return bool(
        one.shape == other.shape
        and one.affine.almost_equals(other.affine, tolerance)
        and one.crs == other.crs
    )
