"""The convergence index: whether the slopes around a cell face it or turn away from it."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.covariates.terrain.frame import Frame
from permagrid.covariates.terrain.local import arctangent, spread

_QUARTER = 0.5 * np.pi


def convergence_index(elevation: NDArray[Any], frame: Frame) -> NDArray[np.float32]:
    """Return how much water gathers around each cell, from -100 where all slopes face it to 100 on a summit.

    The mean angle between the direction in which each of the four squares of 2 x 2 cells around a corner of
    the cell falls and the direction from there to the cell, less a right angle, in hundredths of a right
    angle (Koethe and Lehmeier 1996). A missing neighbour counts as level with the cell, and level squares do
    not count.

    Parameters
    ----------
    elevation
        With a ring of nodata [m].
    frame
        True lengths of its grid.

    Returns
    -------
    array
        Shape of the grid without the ring; 0 where all is level [1].

    Examples
    --------
    >>> from permagrid.covariates.terrain.frame import frame_of
    >>> from permagrid.grid import make_geobox
    >>> frame = frame_of(make_geobox("EPSG:3995", 30, bounds=(0, 0, 90, 90)), distances="plane")
    >>> pit = np.pad(np.array([[1.4, 1, 1.4], [1, 0, 1], [1.4, 1, 1.4]]), 1, constant_values=np.nan)
    >>> float(convergence_index(pit, frame)[1, 1])
    -100.0
    """
    out = np.empty((elevation.shape[0] - 2, elevation.shape[1] - 2), dtype=np.float32)
    _converging(elevation, frame, out)
    return out


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _angle(
    along: float, up: float, width: float, height: float, shear: float, to_x: float, to_y: float
) -> float:
    """Return the angle between the fall of a square and a direction [radian], NaN where it is level.

    The fall is given in heights of steps along the row and up the column.
    """
    x = along / width
    y = (up + shear * x) / height
    across, straight = x * to_y - y * to_x, x * to_x + y * to_y
    if x == 0.0 and y == 0.0:
        return np.nan
    angle = arctangent(abs(across), abs(straight))
    return float(np.pi - angle if straight < 0.0 else angle)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _converging(elevation: Any, frame: Any, out: Any) -> None:
    columns = out.shape[1]
    lengths, angles = np.empty((3, columns)), np.empty((4, columns))
    for i in range(out.shape[0]):
        spread(frame.width, frame, i, 0, lengths[0])
        spread(frame.height, frame, i, 0, lengths[1])
        spread(frame.shear, frame, i, 0, lengths[2])
        _angles(elevation[i], elevation[i + 1], elevation[i + 2], lengths, angles)
        for k in range(columns):
            z = elevation[i + 1, k + 1]
            total, count = 0.0, 0
            for quarter in range(4):
                if not np.isnan(angles[quarter, k]):
                    total += angles[quarter, k]
                    count += 1
            index = 100.0 * (total / count - _QUARTER) / _QUARTER if count > 0 else 0.0
            out[i, k] = np.nan if np.isnan(z) else index


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _or(value: float, otherwise: float) -> float:
    return otherwise if np.isnan(value) else value


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _angles(above: Any, middle: Any, below: Any, lengths: Any, angles: Any) -> None:
    """Fill rows with the angles of the squares to the upper right, lower right, lower left and upper left."""
    for k in range(angles.shape[1]):
        w, h, s = lengths[0, k], lengths[1, k], lengths[2, k]
        z = middle[k + 1]
        nw, n, ne = _or(above[k], z), _or(above[k + 1], z), _or(above[k + 2], z)
        west, east = _or(middle[k], z), _or(middle[k + 2], z)
        sw, south, se = _or(below[k], z), _or(below[k + 1], z), _or(below[k + 2], z)
        angles[0, k] = _angle((n - ne) + (z - east), (z - n) + (east - ne), w, h, s, s - w, -h)
        angles[1, k] = _angle((z - east) + (south - se), (south - z) + (se - east), w, h, s, -w - s, h)
        angles[2, k] = _angle((west - z) + (sw - south), (sw - west) + (south - z), w, h, s, w - s, h)
        angles[3, k] = _angle((nw - n) + (west - z), (west - nw) + (z - n), w, h, s, w + s, -h)
