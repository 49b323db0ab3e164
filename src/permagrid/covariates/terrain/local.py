"""Kernels over the eight neighbours of every cell: rises, the direction of the slope, and roughness."""

from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.covariates.terrain.frame import Frame
from permagrid.grid import Float

Formula = Literal["zevenbergen_thorne", "horn"]
"""Central differences, or differences of the means of three rows and of three columns."""
Direction = Literal["slope", "aspect", "aspect_sine", "aspect_cosine", "northness", "eastness"]

DIRECTIONS: tuple[Direction, ...] = (
    "slope",
    "aspect",
    "aspect_sine",
    "aspect_cosine",
    "northness",
    "eastness",
)

# Arctangent as an odd polynomial, a Chebyshev fit right to 1e-12 for up to tan(pi / 8): unlike that of the
# standard library it is computed for several cells at a time.
_TAN_22 = 0.4142135623730951
_A0, _A1, _A2, _A3 = 0.999999999999244, -0.333333332769058, 0.199999930523068, -0.142853865188603
_A4, _A5, _A6, _A7 = 0.111034564491088, -0.0899254983560418, 0.0697418771467944, -0.0376549825793831


def direction(
    elevation: NDArray[Any],
    frame: Frame,
    wanted: Direction,
    *,
    row: int = 0,
    column: int = 0,
    formula: Formula = "zevenbergen_thorne",
) -> NDArray[np.float32]:
    """Return how steep the ground is, or which way it falls, at every cell that has a ring around it.

    Parameters
    ----------
    elevation
        Shape ``(rows + 2, columns + 2)``, float32 or float64, NaN as nodata [m].
    frame
        Lengths and directions of the grid, see `frame_of`.
    wanted
        ``slope`` and ``aspect``, clockwise from true north [degree]; ``aspect_sine``, ``aspect_cosine``; and
        ``northness``, ``eastness``, the same two times the sine of the slope [1].
    row, column
        Place of the first cell that has a ring around it, in the grid that the frame counts in.
    formula
        ``zevenbergen_thorne`` for central differences (Zevenbergen and Thorne 1987,
        doi:10.1002/esp.3290120107), ``horn`` for the mean of three rows or columns (Horn 1981,
        doi:10.1109/PROC.1981.11918).

    Returns
    -------
    array
        Shape ``(rows, columns)``, computed in double precision. Where the ground is level the aspect is NaN,
        and all others are 0.

    Notes
    -----
    A missing neighbour is put where the ground would lie if it went on straight: an edge neighbour as far
    below the cell as the one across is above it, or level with it where both are missing, and a corner in the
    plane of the cell and the two edges beside it.

    Examples
    --------
    >>> from permagrid.grid import make_geobox
    >>> from permagrid.covariates.terrain.frame import frame_of
    >>> grid = make_geobox("EPSG:32632", 30, bounds=(4e5, 5e6, 400_090, 5_000_090))
    >>> frame = frame_of(grid, distances="plane")
    >>> to_the_east = np.array([[0.0, 30, 60]] * 3)
    >>> direction(to_the_east, frame, "slope"), direction(to_the_east, frame, "aspect")
    (array([[45.]], dtype=float32), array([[270.]], dtype=float32))
    """
    code, horn = DIRECTIONS.index(wanted), formula == "horn"
    return np.asarray(_directions(np.ascontiguousarray(elevation), frame, row, column, horn, code))


def gradient(
    elevation: NDArray[Any],
    frame: Frame,
    *,
    row: int = 0,
    column: int = 0,
    formula: Formula = "zevenbergen_thorne",
) -> tuple[Float, Float]:
    """Return the rise along the x and the y axis of the frame at every cell that has a ring around it [1].

    Parameters as `direction`; both arrays are of shape ``(rows, columns)``, in double precision.
    """
    along, up = _gradients(np.ascontiguousarray(elevation), frame, row, column, formula == "horn")
    return along, up


def roughness(elevation: NDArray[Any]) -> NDArray[np.float32]:
    """Return the highest minus the lowest of every cell that has a ring around it and its neighbours [m].

    Neighbours without data are left out (Wilson et al. 2007, doi:10.1080/01490410701295962).

    Examples
    --------
    >>> roughness(np.array([[1.0, 2, 3], [1, 2, np.nan], [1, 2, 7]]))
    array([[6.]], dtype=float32)
    """
    return np.asarray(_roughness(np.ascontiguousarray(elevation)))


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def spread(values: Any, frame: Any, row: int, column: int, out: Any) -> None:
    """Fill a row of cells from `column` on with a field of a frame, bilinear between the nodes."""
    at_row, down = 0, 0.0
    if values.shape[0] > 1:
        at_row = (row - frame.row) // frame.row_step
        down = (row - frame.row - at_row * frame.row_step) / frame.row_step
    below = min(at_row + 1, values.shape[0] - 1)
    if values.shape[1] == 1:
        start = values[at_row, 0]
        if down > 0.0:
            start += (values[below, 0] - start) * down
        out[:] = start
        return
    done = 0
    while done < out.shape[0]:
        node = (column + done - frame.column) // frame.column_step
        first = column + done - frame.column - node * frame.column_step
        count = min(frame.column_step - first, out.shape[0] - done)
        start, end = values[at_row, node], values[at_row, node + 1]
        if down > 0.0:
            start += (values[below, node] - start) * down
            end += (values[below, node + 1] - end) * down
        for k in range(count):
            out[done + k] = start + (end - start) * ((first + k) / frame.column_step)
        done += count


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _axes(frame: Any, row: int, column: int, steps: Any) -> None:
    """Fill a row with 1 / width, 1 / height, shear and the direction of north."""
    spread(frame.width, frame, row, column, steps[0])
    spread(frame.height, frame, row, column, steps[1])
    spread(frame.shear, frame, row, column, steps[2])
    spread(frame.north_x, frame, row, column, steps[3])
    spread(frame.north_y, frame, row, column, steps[4])
    for k in range(steps.shape[1]):
        steps[0, k] = 1.0 / steps[0, k]
        steps[1, k] = 1.0 / steps[1, k]


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _straight(value: float, across: float, centre: float) -> float:
    if not np.isnan(value):
        return value
    return centre if np.isnan(across) else 2.0 * centre - across


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def completed(elevation: Any, i: int, k: int, out: Any) -> None:
    """Fill `out` with the neighbourhood of a cell, row by row; what is missing goes on straight."""
    for n in range(9):
        out[n] = elevation[i + n // 3, k + n % 3]
    centre, north, west, east, south = out[4], out[1], out[3], out[5], out[7]
    out[1], out[7] = _straight(north, south, centre), _straight(south, north, centre)
    out[3], out[5] = _straight(west, east, centre), _straight(east, west, centre)
    for corner, one, other in ((0, 1, 3), (2, 1, 5), (6, 7, 3), (8, 7, 5)):
        if np.isnan(out[corner]):
            out[corner] = out[one] + out[other] - centre


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _rises(elevation: Any, i: int, horn: bool, along: Any, down: Any) -> None:
    """Fill a row with the rise of a step along it and of a step down."""
    above, middle, below = elevation[i], elevation[i + 1], elevation[i + 2]
    lacking = False
    if horn:
        for k in range(along.shape[0]):
            nw, north, ne = np.float64(above[k]), np.float64(above[k + 1]), np.float64(above[k + 2])
            west, east = np.float64(middle[k]), np.float64(middle[k + 2])
            sw, south, se = np.float64(below[k]), np.float64(below[k + 1]), np.float64(below[k + 2])
            along[k] = ((ne - nw) + 2.0 * (east - west) + (se - sw)) * 0.125
            down[k] = ((sw - nw) + 2.0 * (south - north) + (se - ne)) * 0.125
            lacking |= np.isnan(along[k] + down[k] + middle[k + 1])
    else:
        for k in range(along.shape[0]):
            along[k] = (np.float64(middle[k + 2]) - np.float64(middle[k])) * 0.5
            down[k] = (np.float64(below[k + 1]) - np.float64(above[k + 1])) * 0.5
            lacking |= np.isnan(along[k] + down[k] + middle[k + 1])
    if lacking:
        _mended(elevation, i, horn, along, down)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _mended(elevation: Any, i: int, horn: bool, along: Any, down: Any) -> None:
    z = np.empty(9)
    for k in range(along.shape[0]):
        if np.isnan(elevation[i + 1, k + 1]):
            along[k], down[k] = np.nan, np.nan
        elif np.isnan(along[k] + down[k]):
            completed(elevation, i, k, z)
            if horn:
                along[k] = ((z[2] - z[0]) + 2.0 * (z[5] - z[3]) + (z[8] - z[6])) * 0.125
                down[k] = ((z[6] - z[0]) + 2.0 * (z[7] - z[1]) + (z[8] - z[2])) * 0.125
            else:
                along[k], down[k] = (z[5] - z[3]) * 0.5, (z[7] - z[1]) * 0.5


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def arctangent(opposite: float, adjacent: float) -> float:
    """Return the angle [radian] whose tangent is the ratio of two lengths, neither below 0."""
    low = opposite if opposite < adjacent else adjacent
    high = adjacent if opposite < adjacent else opposite
    beyond = low > _TAN_22 * high
    above = low - high if beyond else low
    below = low + high if beyond else high
    ratio = above / below
    z = ratio * ratio
    series = _A3 + z * (_A4 + z * (_A5 + z * (_A6 + z * _A7)))
    angle = ratio * (_A0 + z * (_A1 + z * (_A2 + z * series)))
    angle = angle + 0.25 * np.pi if beyond else angle
    return angle if opposite < adjacent else 0.5 * np.pi - angle


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _gradients(elevation: Any, frame: Any, row: int, column: int, horn: bool) -> Any:
    rows, columns = elevation.shape[0] - 2, elevation.shape[1] - 2
    along, up, steps = np.empty((rows, columns)), np.empty((rows, columns)), np.empty((5, columns))
    for i in range(rows):
        _axes(frame, row + i, column, steps)
        _rises(elevation, i, horn, along[i], up[i])
        _turned(steps, along[i], up[i])
    return along, up


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _turned(steps: Any, along: Any, down: Any) -> None:
    """Turn rises of steps into slopes along the axes, in place."""
    for k in range(along.shape[0]):
        p = along[k] * steps[0, k]
        down[k] = (steps[2, k] * p - down[k]) * steps[1, k]
        along[k] = p


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _directions(elevation: Any, frame: Any, row: int, column: int, horn: bool, code: int) -> Any:
    rows, columns = elevation.shape[0] - 2, elevation.shape[1] - 2
    out = np.empty((rows, columns), dtype=np.float32)
    along, up, steps = np.empty(columns), np.empty(columns), np.empty((5, columns))
    for i in range(rows):
        if i == 0 or frame.width.size > 1:
            _axes(frame, row + i, column, steps)
        _rises(elevation, i, horn, along, up)
        _turned(steps, along, up)
        if code == 0:
            for k in range(columns):
                angle = arctangent(np.sqrt(along[k] * along[k] + up[k] * up[k]), 1.0)
                out[i, k] = angle * (180.0 / np.pi)
            continue
        # Towards where it falls: east in `along`, north in `up`.
        for k in range(columns):
            p, q = along[k], up[k]
            along[k] = q * steps[3, k] - p * steps[4, k]
            up[k] = -(p * steps[3, k] + q * steps[4, k])
        if code == 1:
            _aspects(along, up, out[i])
        else:
            _shares(along, up, steps, code, out[i])
    return out


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _aspects(east: Any, north: Any, out: Any) -> None:
    for k in range(out.shape[0]):
        angle = arctangent(abs(east[k]), abs(north[k])) * (180.0 / np.pi)
        angle = 180.0 - angle if north[k] < 0.0 else angle
        angle = 360.0 - angle if east[k] < 0.0 else angle
        single = np.float32(angle)
        out[k] = np.float32(0.0) if single >= np.float32(360.0) else single


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _shares(east: Any, north: Any, steps: Any, code: int, out: Any) -> None:
    """Fill a row with the sine or cosine of the aspect, by itself or times the sine of the slope."""
    for k in range(out.shape[0]):
        wanted = east[k] if code in (2, 5) else north[k]
        # The rise and the vector to the north are both turned alike, so that their lengths go into one root.
        fall = east[k] * east[k] + north[k] * north[k]
        level = steps[3, k] * steps[3, k] + steps[4, k] * steps[4, k] if code > 3 else 0.0
        out[k] = wanted / np.sqrt(fall + level) if wanted != 0.0 else wanted


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _roughness(elevation: Any) -> Any:
    rows, columns = elevation.shape[0] - 2, elevation.shape[1] - 2
    out = np.empty((rows, columns), dtype=np.float32)
    lowest, highest = np.empty((2, columns + 2), dtype=elevation.dtype)
    for i in range(rows):
        above, middle, below = elevation[i], elevation[i + 1], elevation[i + 2]
        # Nothing is above or below what is missing.
        for k in range(columns + 2):
            one, two, three = above[k], middle[k], below[k]
            low = one if one < two or np.isnan(two) else two
            lowest[k] = three if three < low or np.isnan(low) else low
            high = one if one > two or np.isnan(two) else two
            highest[k] = three if three > high or np.isnan(high) else high
        for k in range(columns):
            low, high = lowest[k + 1], highest[k + 1]
            low = lowest[k] if lowest[k] < low else low
            low = lowest[k + 2] if lowest[k + 2] < low else low
            high = highest[k] if highest[k] > high else high
            high = highest[k + 2] if highest[k + 2] > high else high
            out[i, k] = np.float32(np.nan) if np.isnan(middle[k + 1]) else high - low
    return out
