"""What a grid is too small for, or a memory: radii, smoothing and stream orders, told before any analysis."""

import numpy as np
from odc.geo.geobox import GeoBox

from permagrid.covariates.resample import chunked
from permagrid.covariates.table import Request
from permagrid.covariates.terrain.frame import Distances, frame_of
from permagrid.covariates.terrain.memory import GIB, refuse_beyond
from permagrid.errors import PermagridError

_BYTES_PER_CELL = 12
"""What a cell of a block and of the ring around it takes at most."""

_ALWAYS_SMOOTHED = 3.0
"""Smoothing that is taken of however small a DEM [cell]."""


def refuse_radius(request: Request, input: str, radius: float, distances: Distances) -> None:
    """Refuse a radius that reaches no neighbour, or farther than there is ground or memory.

    Parameters
    ----------
    request
        Grid that is analysed.
    input
        Name of the elevation covariate.
    radius
        Radius [m].
    distances
        ``ellipsoid`` or ``plane``, see `frame_of`.

    Raises
    ------
    PermagridError
        If it is shorter than a cell or longer than half of the DEM's longer side, or if memory does not
        suffice for one block with as much ground around it.
    """
    what = f"covariate {request.covariate.name}: a radius of {radius:g} m"
    height, width = _largest_steps(request.whole, distances)
    cell = max(height, width)
    if not radius >= cell * (1.0 - 1e-6):
        raise PermagridError(
            f"{what} reaches no neighbour where cells are {cell:.4g} m long; it must be at least as long as "
            "a cell"
        )
    side = _longer_side(request, input)
    if side is not None and radius > side / 2.0:
        raise PermagridError(
            f"{what} is more than half of the longer side of the DEM, {side:.0f} m; it must be at most "
            f"{int(side / 2.0)} m"
        )
    _refuse_ring(request, (radius / height, radius / width), what, "radius")


def refuse_smoothing(request: Request, input: str, smoothing: float) -> None:
    """Refuse a disk of cells that is wider than the DEM, or than memory allows around a block.

    Parameters
    ----------
    request
        Grid that is analysed.
    input
        Name of the elevation covariate.
    smoothing
        Radius [cell].

    Raises
    ------
    PermagridError
        If it is more than half of the DEM's longer side, or memory does not suffice.
    """
    if smoothing <= _ALWAYS_SMOOTHED:
        return
    what = f"covariate {request.covariate.name}: smoothing of {smoothing:g} cells"
    side, cell = _longer_side(request, input), max(_largest_steps(request.whole, "ellipsoid"))
    most = np.inf if side is None else max(np.ceil(side / cell / 2.0), _ALWAYS_SMOOTHED)
    if smoothing > most:
        raise PermagridError(
            f"{what} is more than half of the longer side of the DEM, {(side or 0.0) / cell:.0f} cells; it "
            f"must be at most {int(most)}"
        )
    _refuse_ring(request, (smoothing, smoothing), what, "smoothing")


def refuse_orders(request: Request) -> None:
    """Refuse a Strahler order that no stream of a grid of this size can reach.

    A stream of order n has at least two of order n - 1 and the cell where they meet: 2^n - 1 cells.

    Parameters
    ----------
    request
        Grid that is analysed; the orders are keywords of its covariate, or their defaults.

    Raises
    ------
    PermagridError
        If an order is too high.
    """
    rows, columns = request.whole.shape
    highest = (rows * columns + 1).bit_length() - 1
    for key in ("channel_order", "ridge_order"):
        order = request.covariate.settings.get(key, 1)
        if order > highest:
            raise PermagridError(
                f"covariate {request.covariate.name}: {key} is {order}, which nothing in a grid of {rows} x "
                f"{columns} cells can be of; it must be at most {highest}"
            )


def _refuse_ring(request: Request, reach: tuple[float, float], what: str, key: str) -> None:
    """Refuse a ring of so many cells down and along, if a block with it is larger than memory."""
    whole = request.whole
    # Degrees go round the Earth once.
    most = 360.0 / abs(whole.affine.a) if whole.crs.geographic else np.inf
    rows, columns = (max(chunked(size)) for size in whole.shape)
    cells = (rows + 2.0 * reach[0]) * (columns + min(2.0 * reach[1], most))
    refuse_beyond(
        None,
        cells * _BYTES_PER_CELL / GIB,
        f"{what} around a block of {rows} x {columns} cells",
        f"take a smaller {key}, or with analysis: source a coarser DEM or analysis: grid",
    )


def _longer_side(request: Request, input: str) -> float | None:
    """Return the longer side of the DEM [m], or None where it is not one raster."""
    try:
        native = request.native(input)
    except PermagridError:
        return None
    steps = _largest_steps(native, "ellipsoid")
    return float(max(size * step for size, step in zip(native.shape, steps, strict=True)))


def _largest_steps(whole: GeoBox, distances: Distances) -> tuple[float, float]:
    """Return the longest steps down and along a row in the corners and the middle of a grid [m]."""
    down: list[float] = []
    along: list[float] = []
    for row in {0, whole.shape[0] // 2, whole.shape[0] - 1}:
        for column in {0, whole.shape[1] // 2, whole.shape[1] - 1}:
            here = slice(row, row + 1), slice(column, column + 1)
            frame = frame_of(whole, here, distances=distances)
            down.append(float(np.nanmax(frame.height, initial=0.0)))
            along.append(float(np.nanmax(frame.width, initial=0.0)))
    return max(down), max(along)
