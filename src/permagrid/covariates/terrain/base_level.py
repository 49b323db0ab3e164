"""The level between channels: a membrane stretched from channel to channel that stays below the ground."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from permagrid.covariates.terrain import membrane
from permagrid.covariates.terrain.flow import isotropic
from permagrid.covariates.terrain.frame import Frame
from permagrid.grid import Float

TOLERANCE = 0.1
"""The membrane is at rest when a cycle moves no cell by more [m]."""

_CYCLES = 100
_COARSEST = 8
_SWEEPS_ON_COARSEST = 40
_FIRST_CYCLES = 2

_NOTHING = np.zeros((1, 1))


class _Grid(NamedTuple):
    """One grid of the hierarchy; arrays have a ring around them."""

    cells: Float
    """Width and height of a cell, row by row, shape ``(rows, 2)`` [m]."""
    weights: Float
    """Of a neighbour along the row, down the column and across a corner, row by row; all eight sum to 1."""
    kind: NDArray[np.uint8]
    level: Float
    """The membrane."""
    ceiling: Float
    """What it may not rise above."""
    reach: tuple[int, int]
    """Rows and columns of the finer grid in a cell."""
    scale: Float
    """How much farther second derivatives reach than on the finer grid, row by row."""


class _Error(NamedTuple):
    """What the membrane of a grid lacks, in equations on the next coarser one."""

    kind: NDArray[np.uint8]
    value: Float
    source: Float
    """What the mean of the neighbours lacks of a cell."""
    pull: Float
    """Weight with which cells that hold the membrane pull the error to 0."""
    yielding: Float
    """One over the weights of the neighbours that are there and the pull."""


def base_level(
    surface: Float, channels: NDArray[np.bool_], frame: Frame, *, tolerance: float = TOLERANCE
) -> Float:
    """Return the level of a channel network under the ground between channels [m].

    In channels it is the elevation. Elsewhere it is the mean of the eight neighbours weighted by one over
    their distance (as Laplace's equation has it; on cells that are not square, with the weights that solve
    it there), or the ground where that is lower. Solved by multigrid with the ground as an obstacle.

    Parameters
    ----------
    surface
        Elevation with a ring of nodata [m].
    channels
        Where there are channels, of the shape of `surface`. A part of the land that has none is held at its
        lowest cell.
    frame
        True lengths of the grid.
    tolerance
        The membrane is at rest when a cycle moves no cell by more [m].

    Returns
    -------
    array
        Shape of `surface`, NaN where it is. Of ridges above the ground, give the surface upside down.

    Examples
    --------
    >>> from permagrid.covariates.terrain.frame import frame_of
    >>> from permagrid.grid import make_geobox
    >>> frame = frame_of(make_geobox("EPSG:3995", 30, bounds=(0, 0, 150, 30)), distances="plane")
    >>> surface = np.full((3, 7), np.nan)
    >>> surface[1, 1:-1] = 10, 25, 40, 16, 20
    >>> channels = np.zeros(surface.shape, dtype=bool)
    >>> channels[1, [1, -2]] = True
    >>> base_level(surface, channels, frame)[1, 1:-1].round(1)
    array([10., 12., 14., 16., 20.])
    """
    grids = _grids(surface, _with_all_parts(surface, channels), frame)
    errors = [_Error(np.zeros_like(g.kind), *(np.zeros(g.kind.shape) for _ in range(4))) for g in grids[1:]]
    for k in range(len(grids) - 1, -1, -1):
        grid = grids[k]
        if k + 1 < len(grids):
            coarse = grids[k + 1]
            membrane.bring(
                coarse.level, coarse.kind, coarse.reach, grid.level, grid.kind, grid.ceiling, False
            )
        if k + 1 == len(grids):
            for _ in range(_SWEEPS_ON_COARSEST):
                membrane.sweep(grid.level, grid.kind, _NOTHING, _NOTHING, grid.ceiling, grid.weights, True)
            continue
        for _ in range(_FIRST_CYCLES if k else _CYCLES):
            if _cycle(grids, errors, k) < tolerance:
                break
    level = grids[0].level
    level[np.isnan(surface)] = np.nan
    return level


def _with_all_parts(surface: Float, channels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the channels and the lowest cell of each part of the land that has none."""
    land = np.isfinite(surface)
    held = channels & land
    if land[1:-1, 1:-1].all() and held.any():
        return held
    parts, count = ndimage.label(land, structure=np.ones((3, 3)))
    dry = np.setdiff1d(np.arange(1, count + 1), parts[held])
    if dry.size:
        lowest = ndimage.minimum_position(np.where(land, surface, np.inf), parts, dry)
        held[tuple(np.transpose(lowest))] = True
    return held


def _grids(surface: Float, held: NDArray[np.bool_], frame: Frame) -> list[_Grid]:
    kind, level = np.empty(surface.shape, dtype=np.uint8), np.empty(surface.shape)
    membrane.begin(surface.ravel(), held.ravel(), kind.ravel(), level.ravel())
    membrane.mark_shores(kind)
    cells = _cell_sizes(frame, surface.shape[0] - 2)
    weights, farness = _weights(cells)
    grids = [_Grid(cells, weights, kind, level, surface, (1, 1), farness)]
    while max(grids[-1].kind.shape) - 2 > _COARSEST:
        fine = grids[-1]
        rows, columns = fine.kind.shape[0] - 2, fine.kind.shape[1] - 2
        # Across long cells a grid stays as it is until they are about square.
        shape = np.median(fine.cells[:, 0] / fine.cells[:, 1])
        down = 2 if rows > 1 and (shape > 0.7 or columns == 1) else 1
        along = 2 if columns > 1 and (shape < 1.4 or rows == 1) else 1
        size = -(-rows // down) + 2, -(-columns // along) + 2
        first = np.arange(size[0] - 2) * down
        cells = fine.cells[first] * (along, down)
        farness_before = farness[first]
        weights, farness = _weights(cells)
        coarse = _Grid(
            cells, weights, np.zeros(size, np.uint8), np.zeros(size), np.zeros(size), (down, along),
            farness / farness_before / (down * along),
        )  # fmt: skip
        membrane.coarsen(
            fine.level, fine.kind, fine.ceiling, coarse.reach, coarse.level, coarse.kind, coarse.ceiling
        )
        membrane.mark_shores(coarse.kind)
        grids.append(coarse)
    return grids


def _cell_sizes(frame: Frame, rows: int) -> Float:
    """Return mean width and height of the cells of each row."""
    sizes = []
    for field in (frame.width, frame.height):
        mean = field.mean(axis=1)
        known = np.isfinite(mean)
        nodes = frame.row + frame.row_step * np.arange(mean.size)
        sizes.append(np.interp(np.arange(rows), nodes[known], mean[known]))
    return np.stack(sizes, axis=-1)


def _weights(cells: Float) -> tuple[Float, Float]:
    """Return the weights of neighbours, which sum to 1, and how far second derivatives reach [m2]."""
    along, down, corner = isotropic(cells[:, 0], cells[:, 1])
    total = 2.0 * along + 2.0 * down + 4.0 * corner
    return np.stack([along / total, down / total, corner / total], axis=-1), 1.0 / total


def _cycle(grids: list[_Grid], errors: list[_Error], k: int) -> float:
    """Bring the membrane of a grid nearer to rest; return the farthest that a cell has moved [m]."""
    grid, coarse, error = grids[k], grids[k + 1], errors[k]
    membrane.measure_lack(
        grid.level, grid.kind, grid.ceiling, grid.weights, coarse.reach, coarse.scale, error
    )
    _solve_error(grids, errors, k)
    moved = membrane.bring(error.value, error.kind, coarse.reach, grid.level, grid.kind, grid.ceiling, True)
    swept = membrane.sweep(grid.level, grid.kind, _NOTHING, _NOTHING, grid.ceiling, grid.weights, True)
    return float(max(moved, swept))


def _solve_error(grids: list[_Grid], errors: list[_Error], k: int) -> None:
    """Solve about for the error that a grid has, on the grids below it."""
    error, weights = errors[k], grids[k + 1].weights
    membrane.mark_shores(error.kind)
    membrane.fill_yielding(error.kind, error.pull, weights, error.yielding)
    error.value[:] = 0.0
    if k + 2 == len(grids):
        for _ in range(_SWEEPS_ON_COARSEST):
            membrane.sweep(error.value, error.kind, error.source, error.yielding, _NOTHING, weights, True)
        return
    below, coarser = errors[k + 1], grids[k + 2]
    membrane.sweep(error.value, error.kind, error.source, error.yielding, _NOTHING, weights, False)
    membrane.pass_lack_on(error, weights, coarser.reach, coarser.scale, below)
    _solve_error(grids, errors, k + 1)
    membrane.bring(below.value, below.kind, coarser.reach, error.value, error.kind, _NOTHING, True)
    membrane.sweep(error.value, error.kind, error.source, error.yielding, _NOTHING, weights, True)
