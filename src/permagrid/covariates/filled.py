"""Gaps of a covariate filled from the nearest cell that has a value, no farther than a stated distance."""

from uuid import uuid4

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from scipy.spatial import KDTree

from permagrid.covariates.resample import BlockInfo, chunked
from permagrid.covariates.table import COVARIATES, Request
from permagrid.covariates.terrain.memory import GIB, refuse_beyond
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.grid import Float, chord, lonlat, lonlat_of, place_in
from permagrid.units import conversion

_RADIUS = 6371008.8
"""Mean radius of the Earth [m]."""
_SAME = 1e-12
"""Cells whose distances differ by less are equally far: the upper left one is taken [radii]."""
_MOST_TIES = 8
_BYTES_PER_CELL = 12
"""What a cell of a block and of the ring around it takes at least."""


@COVARIATES.register
@traits(rasters=False, unit_of="input")
def filled(request: Request, *, input: str, distance: float) -> xr.DataArray:
    """Return another covariate, with cells that lack a value given that of the nearest one on the ground.

    For coarse data along coasts, whose land mask is another one than that of the study. Say
    ``predictor: false`` of the covariate that has the gaps, so that learners do not see it too. Cells in the
    sea are filled as well; other covariates tell where there is land.

    Parameters
    ----------
    request
        Grid, epoch and root folder. The unit is that of the input unless the study states another.
    input
        Name of the covariate with gaps.
    distance
        How far a value may be taken from [m].

    Raises
    ------
    PermagridError
        If the covariate is unknown or of another kind or dimension, or the distance does not reach from one
        cell to the next, or farther than memory allows.
    """
    if not distance > 0:
        raise PermagridError(
            f"covariate {request.covariate.name}: distance must be above 0 m, found {distance:g}"
        )
    geobox, whole = request.geobox, request.whole
    _refuse_distance(request, distance)
    row, column = place_in(geobox, whole)
    # Faults in the files show now, not when the first block is computed.
    request.build(input, geobox)
    factor, offset = _conversion(request, input)

    def one(block_info: BlockInfo | None = None) -> NDArray[np.float32]:
        if block_info is None:
            return np.empty((0, 0), dtype="float32")
        (top, bottom), (left, right) = block_info[None]["array-location"]
        down, along = _reach(whole, (row + top, row + bottom), (column + left, column + right), distance)
        ring = geobox[top:bottom, left:right].pad(along, down)
        values = request.build(input, ring).data.compute(scheduler="synchronous")
        inner = slice(down, down + bottom - top), slice(along, along + right - left)
        out = np.array(values[inner])
        gaps = ~np.isfinite(out)
        if gaps.any() and np.isfinite(values).any():
            begin = place_in(ring, whole)
            window = tuple(slice(b, b + size) for b, size in zip(begin, ring.shape, strict=True))
            with np.errstate(invalid="ignore"):
                places = chord(*lonlat(whole, (window[0], window[1])))
            out[gaps] = _nearest(places, values, np.isfinite(values), places[inner][gaps], distance)
        return out if (factor, offset) == (1.0, 0.0) else (out * factor + offset).astype("float32")

    data = da.map_blocks(
        one,
        chunks=(chunked(geobox.shape[0]), chunked(geobox.shape[1])),
        dtype="float32",
        meta=np.empty((0, 0), dtype="float32"),
        name=f"filled-{uuid4().hex}",
    )
    return xr.DataArray(data, coords=xr_coords(geobox), dims=geobox.dimensions)


def _refuse_distance(request: Request, distance: float) -> None:
    """Refuse a distance that reaches no cell anywhere, or farther than memory allows."""
    whole, name = request.whole, request.covariate.name
    middles = [(0.5, size - 0.5) for size in whole.shape]
    smallest = min(_smallest_steps(whole, middles[0], middles[1]))
    # Cells are measured in places, between which they may be smaller by a little.
    if np.isfinite(smallest) and distance < 0.99 * smallest:
        raise PermagridError(
            f"covariate {name}: a distance of {distance:g} m reaches no other cell, as these are "
            f"{smallest:.4g} m apart or more; it must be at least as long as a cell"
        )
    rows, columns = (max(chunked(size)) for size in whole.shape)
    down, along = _reach(whole, (0, rows), (0, columns), distance)
    refuse_beyond(
        None,
        (rows + 2 * down) * (columns + 2 * along) * _BYTES_PER_CELL / GIB,
        f"covariate {name}: a distance of {distance:g} m around a block of {rows} x {columns} cells",
        "take a shorter distance, or fill the input on a coarser grid",
    )


def _conversion(request: Request, input: str) -> tuple[float, float]:
    """Return what turns the unit of the input into that of the covariate."""
    name, other = request.covariate.name, request.others[input]
    if other.kind != request.covariate.kind:
        raise PermagridError(
            f"covariate {name}: {input} is of kind {other.kind}; set kind: {other.kind} here as well"
        )
    try:
        return conversion(other.unit, request.covariate.unit)
    except PermagridError as error:
        raise PermagridError(f"covariate {name}: {input}: {error}") from error


def _nearest(
    places: Float, values: NDArray[np.float32], known: NDArray[np.bool_], wanted: Float, distance: float
) -> NDArray[np.float32]:
    """Return the value nearest to each place; NaN where none is near enough, or the place is nowhere."""
    somewhere = known & np.isfinite(places).all(axis=-1)
    out = np.full(len(wanted), np.nan, dtype="float32")
    sound = np.isfinite(wanted).all(axis=-1)
    if not somewhere.any() or not sound.any():
        return out
    tree = KDTree(places[somewhere])
    farthest = 2.0 * np.sin(min(distance / _RADIUS, np.pi) / 2.0)
    away, index = tree.query(wanted[sound], k=_MOST_TIES, distance_upper_bound=farthest)
    # The tree gives equally near cells in any order; rows and columns of the grid decide.
    tied = away <= away[:, :1] + _SAME
    first = np.where(tied & np.isfinite(away), index, index.max(initial=0) + 1).min(axis=1)
    near = np.isfinite(away[:, 0])
    found = np.full(len(near), np.nan, dtype="float32")
    found[near] = values[somewhere][first[near]]
    out[sound] = found
    return out


def _reach(
    whole: GeoBox, rows: tuple[int, int], columns: tuple[int, int], distance: float
) -> tuple[int, int]:
    """Return how many cells down and along the rows are needed so that all within the distance are there."""
    steps = zip(_smallest_steps(whole, rows, columns), whole.shape, strict=True)
    # A tenth more, as cells shrink from one place to the next.
    cells = [int(min(np.ceil(1.1 * distance / smallest) + 1, size)) for smallest, size in steps]
    return cells[0], cells[1]


def _smallest_steps(whole: GeoBox, rows: tuple[float, float], columns: tuple[float, float]) -> list[float]:
    """Return the shortest steps down and along the rows in 9 x 9 places of a part of a grid [m]."""
    row, column = (
        axis.ravel() for axis in np.meshgrid(np.linspace(*rows, 9), np.linspace(*columns, 9), indexing="ij")
    )
    here, below, beside = (
        chord(*lonlat_of(whole, row + dr, column + dc)) for dr, dc in ((0, 0), (1, 0), (0, 1))
    )
    found = []
    for other in (below, beside):
        step = np.linalg.norm(other - here, axis=-1) * _RADIUS
        found.append(
            float(np.nanmin(np.where(step > 0, step, np.nan))) if np.isfinite(step).any() else np.inf
        )
    return found
