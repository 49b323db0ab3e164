"""Covariates of whole catchments: where water gathers, and how far it is to channels and ridges."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from permagrid.covariates.table import COVARIATES, Request
from permagrid.covariates.terrain.analysis import (
    CHANNEL_ORDER,
    SMOOTHING,
    Flow,
    Layer,
    TerrainAnalysis,
    Voids,
)
from permagrid.covariates.terrain.flow import CONVERGENCE
from permagrid.covariates.terrain.frame import Distances, frame_of
from permagrid.covariates.terrain.lazily import Analysis, on_grid_or_source
from permagrid.covariates.terrain.limits import refuse_orders, refuse_smoothing
from permagrid.covariates.terrain.shared import whole_grid_index
from permagrid.covariates.terrain.wetness import LEAST_SLOPE
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError


class _Ground(NamedTuple):
    """What is analysed, and where."""

    input: str
    analysis: Analysis
    distances: Distances
    voids: Voids
    memory: float | None


def _faults(settings: Mapping[str, Any], files: Sequence[Path]) -> Iterator[str]:
    """Yield a sentence for each keyword that is out of its range."""
    del files
    for key in ("channel_order", "ridge_order"):
        if settings.get(key, 2) < 2:
            # Every cell has a stream of order 1, so that the level would be the ground itself.
            yield f"{key} is a Strahler order, at least 2; found {settings[key]:g}"
    for key, meaning in (
        ("convergence", "an exponent of the slope"),
        ("least_slope", "a slope [m/m]"),
        ("memory", "a size [GiB]"),
    ):
        value = settings.get(key)
        if value is not None and not value > 0.0:
            yield f"{key} is {meaning}, above 0; found {value:g}"
    smoothing = settings.get("smoothing", 0.0)
    if smoothing != 0.0 and not smoothing >= 1.0:
        yield f"smoothing is the radius of a disk of cells, 0 for none or at least 1; found {smoothing:g}"


def _made(request: Request, ground: _Ground, index: Callable[[TerrainAnalysis], Layer]) -> xr.DataArray:
    for fault in _faults(request.covariate.settings, ()):
        raise PermagridError(f"covariate {request.covariate.name}: {fault}")
    input, analysis, distances, voids, memory = ground

    def make(each: Request) -> xr.DataArray:
        # What cannot be measured so is told now, not when the first block is computed.
        frame_of(each.whole, (slice(0, 1), slice(0, 1)), distances=distances)
        refuse_orders(each)
        refuse_smoothing(each, input, request.covariate.settings.get("smoothing", 0.0))
        return whole_grid_index(each, input, index, distances=distances, voids=voids, memory=memory)

    return on_grid_or_source(request, input, analysis, make)


@COVARIATES.register
@traits(unit="m2", rasters=False, faults=_faults)
def total_catchment_area(
    request: Request,
    *,
    flow: Flow = "multiple",
    convergence: float = CONVERGENCE,
    input: str = "elevation",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
    voids: Voids = "drain",
    memory: float | None = None,
) -> xr.DataArray:
    """Return the area that drains through each cell, itself included [m2].

    Depressions are filled first, rising by a millimetre a step from their outlets. Water leaves at the edge
    of the grid and into nodata: only catchments that lie whole in the grid have their true area.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    flow
        ``multiple`` spreads water over all lower neighbours (Freeman 1991, doi:10.1016/0098-3004(91)90048-I),
        ``single`` sends it down the steepest way (O'Callaghan and Mark 1984,
        doi:10.1016/S0734-189X(84)80011-0).
    convergence
        Exponent of the slope by which multiple flow is shared.
    input
        Name of the elevation covariate.
    distances
        ``ellipsoid`` for true distances and areas, ``plane`` for those that the grid's coordinates say.
    analysis
        ``grid`` brings the elevation to the grid of the study and analyses it there, ``source`` analyses the
        whole DEM at its own resolution and takes the plain mean of the index in each cell of the grid of the
        study, of areas and logarithms too.
    voids
        ``drain`` lets water leave into nodata that land encloses, as into a lake; ``refuse`` does not take
        such a DEM.
    memory
        What the analysis of the whole grid may take, all that there is if left out [GiB].

    Returns
    -------
    xarray.DataArray
        Lazy, float32. The whole grid is analysed once, when a value is first wanted, for all layers of one
        elevation.

    Raises
    ------
    PermagridError
        If a keyword is out of its range, memory does not suffice, or the elevation is not a length, has
        fewer than 3 x 3 cells or cannot be read; if it is to be analysed at its own resolution and is not
        one raster; if a grid of degrees is to be a plane. When values are computed, if the elevation has no
        data, or voids that are refused.
    """
    ground = _Ground(input, analysis, distances, voids, memory)
    return _made(request, ground, lambda each: each.total_catchment_area(flow, convergence))


@COVARIATES.register
@traits(unit="m", rasters=False, faults=_faults)
def specific_catchment_area(
    request: Request,
    *,
    flow: Flow = "multiple",
    convergence: float = CONVERGENCE,
    input: str = "elevation",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
    voids: Voids = "drain",
    memory: float | None = None,
) -> xr.DataArray:
    """Return the catchment area over the width of the cell across the slope [m].

    Parameters and errors as `total_catchment_area`.
    """
    ground = _Ground(input, analysis, distances, voids, memory)
    return _made(request, ground, lambda each: each.specific_catchment_area(flow, convergence))


@COVARIATES.register
@traits(unit="1", rasters=False, faults=_faults)
def topographic_wetness_index(  # noqa: PLR0913
    request: Request,
    *,
    least_slope: float = LEAST_SLOPE,
    flow: Flow = "multiple",
    convergence: float = CONVERGENCE,
    input: str = "elevation",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
    voids: Voids = "drain",
    memory: float | None = None,
) -> xr.DataArray:
    """Return ln(specific catchment area / tan slope): high where water gathers (Beven and Kirkby 1979) [1].

    This is the standard index (doi:10.1080/02626667909491834), not the SAGA wetness index.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    least_slope
        Gentler slopes count as this one [m/m].
    flow, convergence, input, distances, analysis, voids, memory
        As in `total_catchment_area`.

    Raises
    ------
    PermagridError
        As `total_catchment_area`.
    """
    ground = _Ground(input, analysis, distances, voids, memory)
    return _made(request, ground, lambda each: each.topographic_wetness_index(flow, convergence, least_slope))


@COVARIATES.register
@traits(unit="1", rasters=False, faults=_faults)
def ls_factor(
    request: Request,
    *,
    flow: Flow = "multiple",
    convergence: float = CONVERGENCE,
    input: str = "elevation",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
    voids: Voids = "drain",
    memory: float | None = None,
) -> xr.DataArray:
    """Return the factor of slope length and steepness of soil loss (Moore et al. 1991) [1].

    1.4 (A / 22.13)^0.4 (sin slope / 0.0896)^1.3 with the specific catchment area A
    (doi:10.1002/hyp.3360050103).

    Parameters and errors as `total_catchment_area`.
    """
    ground = _Ground(input, analysis, distances, voids, memory)
    return _made(request, ground, lambda each: each.ls_factor(flow, convergence))


@COVARIATES.register
@traits(unit="%", rasters=False, faults=_faults)
def convergence_index(
    request: Request,
    *,
    smoothing: float = SMOOTHING,
    input: str = "elevation",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
    voids: Voids = "drain",
    memory: float | None = None,
) -> xr.DataArray:
    """Return how much slopes around a cell face it: -100 in a pit, 0 on a plane, 100 on a summit [%].

    Of the filled elevation after a mean filter; see `convergence.convergence_index`.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    smoothing
        Radius of the disk of cells whose mean is analysed; 0 for none [cell].
    input, distances, analysis, voids, memory
        As in `total_catchment_area`.

    Raises
    ------
    PermagridError
        As `total_catchment_area`.
    """
    ground = _Ground(input, analysis, distances, voids, memory)
    return _made(request, ground, lambda each: each.convergence_index(smoothing))


@COVARIATES.register
@traits(unit="m", rasters=False, faults=_faults)
def closed_depressions(
    request: Request,
    *,
    input: str = "elevation",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
    voids: Voids = "drain",
    memory: float | None = None,
) -> xr.DataArray:
    """Return how deep water would stand before it flows over; 0 where it would not [m].

    Parameters and errors as `total_catchment_area`.
    """
    ground = _Ground(input, analysis, distances, voids, memory)
    return _made(request, ground, lambda each: each.closed_depressions())


@COVARIATES.register
@traits(unit="1", rasters=False, faults=_faults)
def strahler_order(
    request: Request,
    *,
    input: str = "elevation",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
    voids: Voids = "drain",
    memory: float | None = None,
) -> xr.DataArray:
    """Return the order of the stream through each cell, 1 at its source (Strahler 1957) [1].

    Streams go down the steepest way from every cell of the filled elevation. Where the DEM is analysed at its
    own resolution, orders are averaged, or with ``kind: class`` the most frequent one is taken.

    Parameters and errors as `total_catchment_area`.
    """
    ground = _Ground(input, analysis, distances, voids, memory)
    return _made(request, ground, lambda each: each.strahler_order())


@COVARIATES.register
@traits(unit="m", rasters=False, faults=_faults)
def channel_network_distance(
    request: Request,
    *,
    channel_order: int = CHANNEL_ORDER,
    input: str = "elevation",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
    voids: Voids = "drain",
    memory: float | None = None,
) -> xr.DataArray:
    """Return the height above the level of channels, 0 in channels [m].

    The level is a membrane stretched from channel to channel that stays below the ground; see
    `base_level.base_level`.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    channel_order
        Strahler order from which on a stream is a channel. It goes with the size of the cells: order 5 begins
        where some 350 cells drain together, each order more where four to five times as many do.
    input, distances, analysis, voids, memory
        As in `total_catchment_area`.

    Raises
    ------
    PermagridError
        As `total_catchment_area`; when values are computed, if no stream is of that order.
    """
    ground = _Ground(input, analysis, distances, voids, memory)
    return _made(request, ground, lambda each: each.channel_network_distance(channel_order))


@COVARIATES.register
@traits(unit="m", rasters=False, faults=_faults)
def valley_depth(
    request: Request,
    *,
    ridge_order: int = CHANNEL_ORDER,
    input: str = "elevation",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
    voids: Voids = "drain",
    memory: float | None = None,
) -> xr.DataArray:
    """Return the depth below the level of ridges, 0 on ridges [m].

    Ridges are the channels of the filled elevation upside down, each up to the next summit.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    ridge_order
        Strahler order from which on a stream of the ground upside down is a ridge, as ``channel_order``.
    input, distances, analysis, voids, memory
        As in `total_catchment_area`.

    Raises
    ------
    PermagridError
        As `total_catchment_area`; when values are computed, if no ridge is of that order.
    """
    ground = _Ground(input, analysis, distances, voids, memory)
    return _made(request, ground, lambda each: each.valley_depth(ridge_order))


@COVARIATES.register
@traits(unit="1", rasters=False, faults=_faults)
def relative_slope_position(
    request: Request,
    *,
    channel_order: int = CHANNEL_ORDER,
    ridge_order: int = CHANNEL_ORDER,
    input: str = "elevation",
    distances: Distances = "ellipsoid",
    analysis: Analysis = "grid",
    voids: Voids = "drain",
    memory: float | None = None,
) -> xr.DataArray:
    """Return the share of the way up from the level of channels to that of ridges, 0 to 1 [1].

    The channel network distance over its sum with the valley depth, and 0 where both are 0.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    channel_order
        As in `channel_network_distance`.
    ridge_order
        As in `valley_depth`.
    input, distances, analysis, voids, memory
        As in `total_catchment_area`.

    Raises
    ------
    PermagridError
        As `total_catchment_area`; when values are computed, if no stream or no ridge is of its order.
    """
    ground = _Ground(input, analysis, distances, voids, memory)
    return _made(request, ground, lambda each: each.relative_slope_position(channel_order, ridge_order))
