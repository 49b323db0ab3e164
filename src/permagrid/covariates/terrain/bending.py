"""Kernels of the curvatures of the ground: second derivatives over true distances."""

from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.covariates.terrain.frame import Frame
from permagrid.covariates.terrain.local import completed, spread

Curvature = Literal["plan", "profile", "cross_sectional", "longitudinal", "tangential"]

CURVATURES: tuple[Curvature, ...] = ("plan", "profile", "cross_sectional", "longitudinal", "tangential")

_LEVEL = 1e-9
"""Ground that rises by less faces nowhere, so that it has no curvature along or across the slope [1]."""


def curvature(
    elevation: NDArray[Any], frame: Frame, wanted: Curvature, *, row: int = 0, column: int = 0
) -> NDArray[np.float32]:
    """Return a curvature of the ground at every cell that has a ring around it [1/m].

    All are above 0 where the ground is convex, as on a ridge or at the upper edge of a slope, below 0 where
    it is hollow, and 0 where it is level or straight.

    Parameters
    ----------
    elevation
        Shape ``(rows + 2, columns + 2)``, float32 or float64, NaN as nodata [m].
    frame
        Lengths and directions of the grid, see `frame_of`. On a grid of degrees it should reach one row
        beyond the cells that are wanted on each side.
    wanted
        ``longitudinal`` and ``cross_sectional``: the second derivative of the height along the slope and
        across it, turned upside down. ``profile`` and ``tangential``: the curvature of the surface in these
        two directions. ``plan``: the curvature of the contour line, which has no bound where the slope is
        gentle.
    row, column
        Place of the first cell that has a ring around it, in the grid that the frame counts in.

    Notes
    -----
    With first derivatives p, q and second derivatives r, s, t over true lengths and g² = p² + q²,

    - longitudinal = -(p²r + 2pqs + q²t) / g², profile = longitudinal / (1 + g²)^1.5,
    - cross-sectional = -(q²r - 2pqs + p²t) / g², plan = cross-sectional / g,
      tangential = cross-sectional / (1 + g²)^0.5,

    the same whichever way the slope faces (Zevenbergen and Thorne 1987, doi:10.1002/esp.3290120107; Schmidt
    et al. 2003, doi:10.1080/13658810310001596058). Rows and columns that are curved themselves, as parallels
    are, are made straight by the way their lengths change. A missing neighbour is put where the ground would
    lie if it went on straight, see `direction`: it bends nothing.

    Examples
    --------
    >>> from permagrid.grid import make_geobox
    >>> from permagrid.covariates.terrain.frame import frame_of
    >>> frame = frame_of(make_geobox("EPSG:32632", 10, bounds=(0, 0, 30, 30)), distances="plane")
    >>> ridge = np.array([[20.0, 22, 20], [10, 12, 10], [0, 2, 0]])
    >>> curvature(ridge, frame, "cross_sectional"), curvature(ridge, frame, "longitudinal")
    (array([[0.04]], dtype=float32), array([[0.]], dtype=float32))
    """
    code = CURVATURES.index(wanted)
    return np.asarray(_curvatures(np.ascontiguousarray(elevation), frame, row, column, code))


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _changes(values: Any, frame: Any, row: int, column: int, along: Any, down: Any) -> None:
    """Fill a row with the change of a field of a frame from a cell to the next, along the row and down."""
    along[:], down[:] = 0.0, 0.0
    if values.size == 1:
        return
    at = (row - frame.row) // frame.row_step
    if values.shape[1] == 1:
        # All rows are nodes, so that the change is that from the row before to the one after.
        before, after = max(at - 1, 0), min(at + 1, values.shape[0] - 1)
        if after > before:
            down[:] = (values[after, 0] - values[before, 0]) / (after - before)
        return
    share = (row - frame.row - at * frame.row_step) / frame.row_step
    done = 0
    while done < along.shape[0]:
        node = (column + done - frame.column) // frame.column_step
        first = column + done - frame.column - node * frame.column_step
        count = min(frame.column_step - first, along.shape[0] - done)
        upper = values[at, node + 1] - values[at, node]
        lower = values[at + 1, node + 1] - values[at + 1, node]
        left, right = values[at + 1, node] - values[at, node], values[at + 1, node + 1] - values[at, node + 1]
        for k in range(count):
            part = (first + k) / frame.column_step
            along[done + k] = (upper + (lower - upper) * share) / frame.column_step
            down[done + k] = (left + (right - left) * part) / frame.row_step
        done += count


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _metric(frame: Any, row: int, column: int, steps: Any) -> None:
    """Fill a row with width, height and shear, and with how they change along the row and down."""
    for n, values in enumerate((frame.width, frame.height, frame.shear)):
        spread(values, frame, row, column, steps[n])
        _changes(values, frame, row, column, steps[3 + n], steps[6 + n])


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _differences(elevation: Any, i: int, steps: Any) -> None:
    """Fill a row with first and second differences: u and v, then uu, uv and vv, u along and v down."""
    above, middle, below = elevation[i], elevation[i + 1], elevation[i + 2]
    lacking = False
    for k in range(steps.shape[1]):
        nw, north, ne = np.float64(above[k]), np.float64(above[k + 1]), np.float64(above[k + 2])
        west, centre, east = np.float64(middle[k]), np.float64(middle[k + 1]), np.float64(middle[k + 2])
        sw, south, se = np.float64(below[k]), np.float64(below[k + 1]), np.float64(below[k + 2])
        steps[0, k], steps[1, k] = (east - west) * 0.5, (south - north) * 0.5
        steps[2, k] = (east - centre) - (centre - west)
        steps[3, k] = ((se - sw) - (ne - nw)) * 0.25
        steps[4, k] = (south - centre) - (centre - north)
        lacking |= np.isnan(steps[2, k] + steps[3, k] + steps[4, k])
    if not lacking:
        return
    z = np.empty(9)
    for k in range(steps.shape[1]):
        if np.isnan(elevation[i + 1, k + 1]):
            steps[:, k] = np.nan
        elif np.isnan(steps[2, k] + steps[3, k] + steps[4, k]):
            completed(elevation, i, k, z)
            steps[0, k], steps[1, k] = (z[5] - z[3]) * 0.5, (z[7] - z[1]) * 0.5
            steps[2, k] = (z[5] - z[4]) - (z[4] - z[3])
            steps[3, k] = ((z[8] - z[6]) - (z[2] - z[0])) * 0.25
            steps[4, k] = (z[7] - z[4]) - (z[4] - z[1])


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _straightened(metric: Any, steps: Any) -> None:
    """Turn differences into derivatives p, q, r, s and t along the axes of each cell, in place.

    Second differences along curved rows and columns lack what these bend away from the surface's straightest
    lines: the Christoffel symbols of the metric E = w², F = ws, G = s² + h² give how much.
    """
    for k in range(steps.shape[1]):
        w, h, s = metric[0, k], metric[1, k], metric[2, k]
        wu, hu, su = metric[3, k], metric[4, k], metric[5, k]
        wv, hv, sv = metric[6, k], metric[7, k], metric[8, k]
        u, v = steps[0, k], steps[1, k]
        e, f, g = w * w, w * s, s * s + h * h
        eu, ev = 2.0 * w * wu, 2.0 * w * wv
        fu, fv = wu * s + w * su, wv * s + w * sv
        gu, gv = 2.0 * (s * su + h * hu), 2.0 * (s * sv + h * hv)
        # Christoffel symbols of the first kind, raised by the inverse of the metric.
        twice = 0.5 / (w * w * h * h)
        along, down = (g * u - f * v) * twice, (e * v - f * u) * twice
        uu = steps[2, k] - (eu * along + (2.0 * fu - ev) * down)
        uv = steps[3, k] - (ev * along + gu * down)
        vv = steps[4, k] - ((2.0 * fv - gu) * along + gv * down)
        lean = s / w
        steps[0, k], steps[1, k] = u / w, (lean * u - v) / h
        steps[2, k] = uu / e
        steps[3, k] = (lean * uu - uv) / (w * h)
        steps[4, k] = (lean * lean * uu - 2.0 * lean * uv + vv) / (h * h)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _curvatures(elevation: Any, frame: Any, row: int, column: int, code: int) -> Any:
    rows, columns = elevation.shape[0] - 2, elevation.shape[1] - 2
    out = np.empty((rows, columns), dtype=np.float32)
    metric, steps = np.empty((9, columns)), np.empty((5, columns))
    for i in range(rows):
        if i == 0 or frame.width.size > 1:
            _metric(frame, row + i, column, metric)
        _differences(elevation, i, steps)
        _straightened(metric, steps)
        for k in range(columns):
            p, q, r, s, t = steps[0, k], steps[1, k], steps[2, k], steps[3, k], steps[4, k]
            steep = p * p + q * q
            if code in (1, 3):
                bend = (0.0 - (p * p * r + 2.0 * p * q * s + q * q * t)) / steep
            else:
                bend = (0.0 - (q * q * r - 2.0 * p * q * s + p * p * t)) / steep
            if code == 0:
                bend /= np.sqrt(steep)
            elif code == 1:
                bend /= (1.0 + steep) * np.sqrt(1.0 + steep)
            elif code == 4:
                bend /= np.sqrt(1.0 + steep)
            out[i, k] = 0.0 if steep < _LEVEL * _LEVEL else bend
    return out
