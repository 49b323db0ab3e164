"""Where water goes: steepest descent, multiple flow directions, and the areas that drain through cells."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.covariates.terrain.frame import Frame
from permagrid.covariates.terrain.local import spread
from permagrid.grid import Float

NOWHERE = 8
"""Direction code of a cell whose water leaves the grid or goes nowhere."""

CONVERGENCE = 1.1
"""Exponent of the slope in multiple flow directions (Freeman 1991): the higher, the less water spreads."""

_ROW_STEPS = np.array([-1, -1, 0, 1, 1, 1, 0, -1])
_COLUMN_STEPS = np.array([0, 1, 1, 1, 0, -1, -1, -1])


class Reach(NamedTuple):
    """One over the distances to neighbours, known at nodes and bilinear between them."""

    values: Float
    """For directions 0 to 3, and the same for 4 to 7; shape ``(nodes down, nodes along, 4)`` [1/m]."""
    per_row: float
    """Nodes per row."""
    per_column: float
    """Nodes per column."""


def reach_of(frame: Frame, convergence: float | None = None) -> Reach:
    """Return one over the distances to the neighbours of a cell, of a frame that begins with the grid.

    Parameters
    ----------
    frame
        True lengths of the grid.
    convergence
        Exponent of the slope, where shares of water are wanted: then a distance counts as shorter where more
        of the rim of a cell lies that way.

    Examples
    --------
    >>> from permagrid.covariates.terrain.frame import frame_of
    >>> from permagrid.grid import make_geobox
    >>> frame = frame_of(make_geobox("EPSG:3995", 30, bounds=(0, 0, 300, 300)), distances="plane")
    >>> (1.0 / reach_of(frame).values[0, 0]).round(2)
    array([30.  , 42.43, 30.  , 42.43])
    """
    width, height, shear = frame.width, frame.height, frame.shear
    steps = np.hypot(shear, height), np.hypot(width - shear, height), width, np.hypot(width + shear, height)
    per_row = 1.0 / frame.row_step if width.shape[0] > 1 else 0.0
    per_column = 1.0 / frame.column_step if width.shape[1] > 1 else 0.0
    values = 1.0 / np.stack(steps, axis=-1)
    if convergence is not None:
        values *= (_contours(width, height) / values) ** (1.0 / convergence)
    # One node more, so that each has a next one.
    return Reach(np.pad(values, ((0, 1), (0, 1), (0, 0)), mode="edge"), per_row, per_column)


def _contours(width: Float, height: Float) -> Float:
    """Return weights of the ways to neighbours over their lengths, the same for all if cells are square.

    They let water on a plane go where the plane falls, on average, whatever the shape of the cells.
    """
    along, down, corner = isotropic(width, height)
    return np.stack([down, corner, along, corner], axis=-1)


def isotropic(width: Float, height: Float) -> tuple[Float, Float, Float]:
    """Return weights of neighbours along the row, down the column and across corners of cells [1/m2].

    The squares of the distances, weighted, add up to the same along x and y, as Laplace's equation wants it;
    of square cells the weights go with one over the distance.

    Examples
    --------
    >>> along, down, corner = isotropic(np.array([10.0]), np.array([10.0]))
    >>> (along / corner, down / corner)
    (array([1.41421356]), array([1.41421356]))
    """
    corner = (1.0 - np.sqrt(0.5)) / np.maximum(width, height) ** 2
    return 1.0 / width**2 - 2.0 * corner, 1.0 / height**2 - 2.0 * corner, corner


def steepest_descent(surface: Float, frame: Frame, *, upward: bool = False) -> NDArray[np.uint8]:
    """Return the direction of the steepest way down from each cell (D8).

    Parameters
    ----------
    surface
        Elevation with a ring of nodata [m].
    frame
        True lengths of its grid.
    upward
        Whether to look for the steepest way up instead, as water would take on the inverted surface.

    Returns
    -------
    array
        Shape of `surface`: 0 to 7, clockwise from up the grid, of equally steep ways the first; `NOWHERE`
        in pits, at nodata, and in cells at the edge of the grid or beside nodata, whose water leaves.
    """
    directions = np.full(surface.shape, NOWHERE, dtype=np.uint8)
    reach = reach_of(frame)
    _steepest(surface, -1.0 if upward else 1.0, reach.values, reach.per_row, reach.per_column, directions)
    return directions


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _reach_at(values: Any, per_row: float, per_column: float, row: int, column: int) -> Any:
    down, along = row * per_row, column * per_column
    i, j = int(down), int(along)
    down -= i
    along -= j
    a, b, c, d = (1.0 - down) * (1.0 - along), (1.0 - down) * along, down * (1.0 - along), down * along
    return (
        a * values[i, j, 0] + b * values[i, j + 1, 0] + c * values[i + 1, j, 0] + d * values[i + 1, j + 1, 0],
        a * values[i, j, 1] + b * values[i, j + 1, 1] + c * values[i + 1, j, 1] + d * values[i + 1, j + 1, 1],
        a * values[i, j, 2] + b * values[i, j + 1, 2] + c * values[i + 1, j, 2] + d * values[i + 1, j + 1, 2],
        a * values[i, j, 3] + b * values[i, j + 1, 3] + c * values[i + 1, j, 3] + d * values[i + 1, j + 1, 3],
    )


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def steps_of(width: int) -> Any:
    """Return how far apart neighbours are, direction by direction, in a grid laid out row by row."""
    return _ROW_STEPS * width + _COLUMN_STEPS


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _steepest(
    surface: Any, sign: float, reach: Any, per_row: float, per_column: float, directions: Any
) -> None:
    heights, codes, width = surface.ravel(), directions.ravel(), surface.shape[1]
    steps = steps_of(width)
    for row in range(1, surface.shape[0] - 1):
        for n in range(row * width + 1, (row + 1) * width - 1):
            here = sign * heights[n]
            per = _reach_at(reach, per_row, per_column, row - 1, n - row * width - 1)
            best, steepest, total = NOWHERE, 0.0, 0.0
            for k in range(8):
                fall = (here - sign * heights[n + steps[k]]) * per[k & 3]
                total += fall
                if fall > steepest:
                    best, steepest = k, fall
            codes[n] = NOWHERE if np.isnan(total) else best


def cell_areas(frame: Frame, shape: tuple[int, int]) -> Float:
    """Return the area of each cell of a grid with a ring around it [m2]."""
    areas = np.zeros(shape)
    _fill_areas(frame.width * frame.height, frame, areas)
    return areas


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _fill_areas(at_nodes: Any, frame: Any, areas: Any) -> None:
    for row in range(areas.shape[0] - 2):
        spread(at_nodes, frame, row, 0, areas[row + 1, 1 : areas.shape[1] - 1])


def drained_area(directions: NDArray[np.uint8], frame: Frame) -> Float:
    """Return the area that drains through each cell along single directions, itself included [m2].

    Parameters
    ----------
    directions
        See `steepest_descent`.
    frame
        True lengths of the grid.

    Returns
    -------
    array
        Shape of `directions`; nowhere nodata, not even where the elevation is.
    """
    areas = cell_areas(frame, directions.shape)
    _gather(directions.ravel(), directions.shape[1], areas.ravel())
    return areas


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def donors_of(directions: Any, width: int) -> Any:
    """Return how many cells drain straight into each cell."""
    steps, count = steps_of(width), np.zeros(directions.size, dtype=np.uint8)
    for n in range(directions.size):
        if directions[n] != NOWHERE:
            count[n + steps[directions[n]]] += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _gather(directions: Any, width: int, areas: Any) -> None:
    steps, waiting = steps_of(width), donors_of(directions, width)
    for start in range(directions.size):
        n = start
        # From each source downstream, until a cell whose other donors are not done.
        while waiting[n] == 0:
            waiting[n] = _DONE
            if directions[n] == NOWHERE:
                break
            m = n + steps[directions[n]]
            areas[m] += areas[n]
            waiting[m] -= 1
            n = m


_DONE = 255


def spread_area(surface: Float, frame: Frame, *, convergence: float = CONVERGENCE) -> Float:
    """Return the area that drains through each cell along multiple directions, itself included [m2].

    Water goes to all lower neighbours in shares of the slope to the power of `convergence` (Freeman 1991,
    doi:10.1016/0098-3004(91)90048-I); of cells that are not square, also in shares that keep it from going
    astray on a plane. At the edge of the grid and beside nodata the missing neighbour is
    taken to be as much lower as the one across is higher, and what goes there has left.

    Parameters
    ----------
    surface
        Filled elevation with a ring of nodata, see `fill.fill` [m].
    frame
        True lengths of its grid.
    convergence
        Exponent of the slope.

    Returns
    -------
    array
        Shape of `surface`.
    """
    areas = cell_areas(frame, surface.shape)
    reach = reach_of(frame, convergence)
    _spread(surface, np.float32(convergence), reach.values, reach.per_row, reach.per_column, areas.ravel())
    return areas


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _spread(
    surface: Any, convergence: Any, reach: Any, per_row: float, per_column: float, areas: Any
) -> None:
    width = surface.shape[1]
    heights, steps = surface.ravel(), steps_of(width)
    waiting, stack = np.zeros(heights.size, dtype=np.uint8), np.empty(heights.size, dtype=np.int32)
    depth = 0
    for n in range(width, heights.size - width):
        count = 0
        for k in range(8):
            count += heights[n + steps[k]] > heights[n]
        waiting[n] = count
    shares = np.empty(8, dtype=np.float32)
    for start in range(width, heights.size - width):
        if waiting[start] > 0 or np.isnan(heights[start]):
            continue
        stack[0], depth = start, 1
        while depth > 0:
            depth -= 1
            n = stack[depth]
            waiting[n] = _DONE
            row = n // width
            per = _reach_at(reach, per_row, per_column, row - 1, n - row * width - 1)
            here, total = heights[n], np.float32(0.0)
            for k in range(8):
                fall = here - heights[n + steps[k]]
                if np.isnan(fall):
                    fall = heights[n + steps[(k + 4) & 7]] - here
                shares[k] = 0.0
                if fall > 0.0:
                    shares[k] = np.float32(fall * per[k & 3]) ** convergence
                    total += shares[k]
            flow = areas[n] / total
            for k in range(8):
                m = n + steps[k]
                if heights[m] < here:
                    areas[m] += flow * shares[k]
                    waiting[m] -= 1
                    if waiting[m] == 0:
                        stack[depth] = m
                        depth += 1
