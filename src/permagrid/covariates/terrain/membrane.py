"""Kernels of a membrane on a grid and on coarser ones: sweeps over cells, and what passes between grids."""

from typing import Any

import numpy as np
from numba import njit

# A cell is outside; or holds the membrane; or is free, with all of its eight neighbours there or not.
OUTSIDE, HELD, FREE, SHORE = 0, 1, 2, 3


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def begin(surface: Any, held: Any, kind: Any, level: Any) -> None:
    """Set the kinds of cells, all with eight neighbours so far, and the level of those that hold it."""
    for n in range(surface.size):
        kind[n] = OUTSIDE if np.isnan(surface[n]) else HELD if held[n] else FREE
        level[n] = surface[n] if held[n] else 0.0


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def mark_shores(kind: Any) -> None:
    """Tell free cells that lack a neighbour from those that have all."""
    for row in range(1, kind.shape[0] - 1):
        for column in range(1, kind.shape[1] - 1):
            if kind[row, column] >= FREE:
                lacking = False
                for y in range(row - 1, row + 2):
                    for x in range(column - 1, column + 2):
                        lacking |= kind[y, x] == OUTSIDE
                kind[row, column] = SHORE if lacking else FREE


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _share(kind: Any, row: int, column: int, along: float, down: float, corner: float) -> float:
    """Return the weight of the neighbours that are there, of a cell that has at least one."""
    if kind[row, column] == FREE:
        return 1.0
    share = along * ((kind[row, column - 1] > 0) + (kind[row, column + 1] > 0))
    share += down * ((kind[row - 1, column] > 0) + (kind[row + 1, column] > 0))
    share += corner * ((kind[row - 1, column - 1] > 0) + (kind[row - 1, column + 1] > 0))
    share += corner * ((kind[row + 1, column - 1] > 0) + (kind[row + 1, column + 1] > 0))
    return float(share)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def fill_yielding(kind: Any, pull: Any, weights: Any, yielding: Any) -> None:
    """Set how much a cell changes for what its neighbours lack."""
    for row in range(1, kind.shape[0] - 1):
        along, down, corner = weights[row - 1, 0], weights[row - 1, 1], weights[row - 1, 2]
        for n in range(1, kind.shape[1] - 1):
            share = _share(kind, row, n, along, down, corner)
            yielding[row, n] = 1.0 / (share + pull[row, n])


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def sweep(
    value: Any, kind: Any, source: Any, yielding: Any, ceiling: Any, weights: Any, backward: bool
) -> float:
    """Set each free cell to what its neighbours ask for, one after the other; return the largest change.

    What lies outside is 0, so that sums over neighbours need not ask.
    """
    rows, columns = value.shape[0] - 2, value.shape[1] - 2
    driven, bounded = source.size > 1, ceiling.size > 1
    largest, others = 0.0, np.empty(columns + 2)
    for done in range(rows):
        row = rows - done if backward else done + 1
        along, down, corner = weights[row - 1, 0], weights[row - 1, 1], weights[row - 1, 2]
        above, here, below, kinds = value[row - 1], value[row], value[row + 1], kind[row]
        ahead = -1 if backward else 1
        for n in range(1, columns + 1):
            others[n] = (
                along * here[n + ahead]
                + down * (above[n] + below[n])
                + corner * ((above[n - 1] + above[n + 1]) + (below[n - 1] + below[n + 1]))
            )
        n, last = (columns, here[columns + 1]) if backward else (1, here[0])
        for _ in range(columns):
            if kinds[n] >= FREE:
                wanted = others[n] + along * last
                if driven:
                    wanted = (wanted + source[row, n]) * yielding[row, n]
                elif kinds[n] == SHORE:
                    wanted /= _share(kind, row, n, along, down, corner)
                if bounded:
                    wanted = min(wanted, ceiling[row, n])
                largest = max(largest, abs(wanted - here[n]))
                here[n] = wanted
            last = here[n]
            n += ahead
    return largest


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _pins(level: Any, kind: Any, ceiling: Any, row: int, pins: Any) -> None:
    """Fill a row with 1 where the membrane is held or lies on the ground."""
    for n in range(1, pins.size - 1):
        pins[n] = 1.0 if kind[row, n] == HELD or level[row, n] >= ceiling[row, n] else 0.0


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def measure_lack(
    level: Any, kind: Any, ceiling: Any, weights: Any, reach: Any, scale: Any, error: Any
) -> None:
    """Set up the equations for what a membrane lacks, on the coarser grid."""
    error_kind, _, source, pull, _ = error
    error_kind[:], source[:], pull[:] = OUTSIDE, 0.0, 0.0
    halved = reach[1] - 1
    rows, columns = level.shape[0] - 2, level.shape[1] - 2
    pins, lack, held = np.zeros((3, columns + 2)), np.empty(columns + 2), np.empty(columns + 2)
    _pins(level, kind, ceiling, 1, pins[1])
    for row in range(1, rows + 1):
        along, down, corner = weights[row - 1, 0], weights[row - 1, 1], weights[row - 1, 2]
        above, here, below = level[row - 1], level[row], level[row + 1]
        before, own, after = pins[(row - 1) % 3], pins[row % 3], pins[(row + 1) % 3]
        if row < rows:
            _pins(level, kind, ceiling, row + 1, after)
        else:
            after[:] = 0.0
        for n in range(1, columns + 1):
            corners = (above[n - 1] + above[n + 1]) + (below[n - 1] + below[n + 1])
            lack[n] = along * (here[n - 1] + here[n + 1]) + down * (above[n] + below[n]) + corner * corners
            corners = (before[n - 1] + before[n + 1]) + (after[n - 1] + after[n + 1])
            held[n] = along * (own[n - 1] + own[n + 1]) + down * (before[n] + after[n]) + corner * corners
        coarse_row = ((row - 1) >> (reach[0] - 1)) + 1
        factor = scale[coarse_row - 1]
        for n in range(1, columns + 1):
            if kind[row, n] == OUTSIDE:
                continue
            coarse = ((n - 1) >> halved) + 1
            if own[n] > 0.0:
                error_kind[coarse_row, coarse] = max(error_kind[coarse_row, coarse], HELD)
                continue
            error_kind[coarse_row, coarse] = FREE
            share = _share(kind, row, n, along, down, corner)
            source[coarse_row, coarse] += factor * (lack[n] - share * here[n])
            pull[coarse_row, coarse] += factor * held[n]


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def pass_lack_on(fine: Any, weights: Any, reach: Any, scale: Any, error: Any) -> None:
    """Set up the equations for what the error of one grid lacks, on the next coarser one."""
    kind, value, fine_source, fine_pull, yielding = fine
    error_kind, _, source, pull, _ = error
    error_kind[:], source[:], pull[:] = OUTSIDE, 0.0, 0.0
    halved = reach[1] - 1
    for row in range(1, value.shape[0] - 1):
        along, down, corner = weights[row - 1, 0], weights[row - 1, 1], weights[row - 1, 2]
        above, here, below = value[row - 1], value[row], value[row + 1]
        coarse_row = ((row - 1) >> (reach[0] - 1)) + 1
        factor = scale[coarse_row - 1]
        for n in range(1, value.shape[1] - 1):
            if kind[row, n] == OUTSIDE:
                continue
            coarse = ((n - 1) >> halved) + 1
            error_kind[coarse_row, coarse] = max(error_kind[coarse_row, coarse], min(kind[row, n], FREE))
            if kind[row, n] == HELD:
                continue
            corners = (above[n - 1] + above[n + 1]) + (below[n - 1] + below[n + 1])
            mean = along * (here[n - 1] + here[n + 1]) + down * (above[n] + below[n]) + corner * corners
            lack = fine_source[row, n] + mean - here[n] / yielding[row, n]
            source[coarse_row, coarse] += factor * lack
            pull[coarse_row, coarse] += factor * fine_pull[row, n]


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def bring(coarse: Any, coarse_kind: Any, reach: Any, value: Any, kind: Any, ceiling: Any, add: bool) -> float:
    """Set the free cells of a grid to a coarser one, bilinear, or add it; return the largest change."""
    columns, coarse_columns = value.shape[1] - 2, coarse.shape[1] - 2
    bounded, halved, largest, line = ceiling.size > 1, reach[1] - 1, 0.0, np.empty(coarse.shape[1])
    for row in range(1, value.shape[0] - 1):
        own = ((row - 1) >> (reach[0] - 1)) + 1
        beside = own if reach[0] == 1 else own - 1 if row % 2 == 1 else own + 1
        for n in range(1, coarse_columns + 1):
            there = coarse[beside, n] if coarse_kind[beside, n] > 0 else coarse[own, n]
            line[n] = 0.75 * coarse[own, n] + 0.25 * there
        for n in range(1, columns + 1):
            if kind[row, n] < FREE:
                continue
            at = ((n - 1) >> halved) + 1
            side = at if reach[1] == 1 else at - 1 if n % 2 == 1 else at + 1
            new = 0.75 * line[at] + 0.25 * (line[side] if coarse_kind[own, side] > 0 else line[at])
            if add:
                new += value[row, n]
            if bounded:
                new = min(new, ceiling[row, n])
            largest = max(largest, abs(new - value[row, n]))
            value[row, n] = new
    return largest


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def coarsen(
    level: Any, kind: Any, ceiling: Any, reach: Any, coarse: Any, coarse_kind: Any, coarse_ceiling: Any
) -> None:
    """Take means over cells for the first guess: of what is held, and of the ground."""
    for row in range(1, coarse.shape[0] - 1):
        for column in range(1, coarse.shape[1] - 1):
            there, held, total, ground = 0, 0, 0.0, 0.0
            for y in range((row - 1) * reach[0] + 1, min(row * reach[0], kind.shape[0] - 2) + 1):
                for x in range((column - 1) * reach[1] + 1, min(column * reach[1], kind.shape[1] - 2) + 1):
                    if kind[y, x] != OUTSIDE:
                        there += 1
                        ground += ceiling[y, x]
                    if kind[y, x] == HELD:
                        held += 1
                        total += level[y, x]
            if there > 0:
                coarse_kind[row, column] = HELD if held > 0 else FREE
                coarse_ceiling[row, column] = ground / there
                coarse[row, column] = total / max(held, 1)
