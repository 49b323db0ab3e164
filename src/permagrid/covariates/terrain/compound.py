"""The indices of SAGA's compound basic terrain analysis, of a whole grid at once."""

from collections.abc import Sequence

import xarray as xr
from numpy.typing import ArrayLike
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from permagrid.covariates.terrain.analysis import CHANNEL_ORDER, TerrainAnalysis, Voids
from permagrid.covariates.terrain.frame import Distances
from permagrid.errors import PermagridError, did_you_mean

ELEVEN: dict[str, str] = {
    "elevation": "m",
    "slope": "degree",
    "cross_sectional_curvature": "1/m",
    "longitudinal_curvature": "1/m",
    "topographic_wetness_index": "1",
    "total_catchment_area": "m2",
    "relative_slope_position": "1",
    "ls_factor": "1",
    "convergence_index": "%",
    "valley_depth": "m",
    "closed_depressions": "m",
}
"""Index -> unit, in the order of SAGA's compound basic terrain analysis."""

OTHERS: dict[str, str] = {
    "filled_elevation": "m",
    "specific_catchment_area": "m",
    "channel_network_distance": "m",
    "strahler_order": "1",
}
"""Indices that come with them -> unit."""


def compound_analysis(
    elevation: ArrayLike,
    geobox: GeoBox,
    *,
    only: Sequence[str] | None = None,
    channel_order: int = CHANNEL_ORDER,
    ridge_order: int = CHANNEL_ORDER,
    distances: Distances = "ellipsoid",
    voids: Voids = "drain",
    memory: float | None = None,
) -> xr.Dataset:
    """Return the eleven indices of SAGA's compound basic terrain analysis for a whole grid.

    Parameters
    ----------
    elevation
        Shape of the grid, NaN as nodata [m].
    geobox
        The grid.
    only
        Names of the indices that are wanted, of `ELEVEN` or `OTHERS`; the eleven if left out.
    channel_order, ridge_order
        Strahler orders from which on a stream is a channel, and upside down a ridge.
    distances, voids, memory
        As for `TerrainAnalysis`.

    Returns
    -------
    xarray.Dataset
        float32, NaN as nodata, with ``units``.

    Raises
    ------
    PermagridError
        As `TerrainAnalysis` and its methods do, or if a name is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from permagrid.grid import make_geobox
    >>> grid = make_geobox("EPSG:3995", 10, bounds=(0, 0, 30, 30))
    >>> pit = np.array([[3.0, 3, 3], [3, 1, 3], [3, 3, 2]])
    >>> found = compound_analysis(pit, grid, only=["closed_depressions"])
    >>> float(found.closed_depressions[1, 1]), found.closed_depressions.units
    (1.0, 'm')
    """
    units = {**ELEVEN, **OTHERS}
    names = list(ELEVEN) if only is None else list(only)
    for name in names:
        if name not in units:
            raise PermagridError(f"no terrain index {name!r}: {did_you_mean(name, units)}")
    analysis = TerrainAnalysis(elevation, geobox, distances=distances, voids=voids, memory=memory)
    orders = {
        "channel_network_distance": (channel_order,),
        "valley_depth": (ridge_order,),
        "relative_slope_position": (channel_order, ridge_order),
    }
    # What needs most beside its result is made while there is most room.
    first = ["closed_depressions", *orders, "total_catchment_area"]
    together = ["cross_sectional_curvature", "longitudinal_curvature", "convergence_index"]
    made, smooth = {}, None
    for name in [*first, *together, *names]:
        if name in names and name not in made:
            smooth = analysis.smoothed_elevation() if name in together else None
            made[name] = getattr(analysis, name)(*orders.get(name, ()))
    del smooth
    variables = {
        name: xr.DataArray(
            made[name],
            dims=geobox.dimensions,
            attrs={"units": units[name], "long_name": name.replace("_", " ")},
        )
        for name in names
    }
    return xr.Dataset(variables).assign_coords(xr_coords(geobox))
