"""What catchment and slope together say of water: specific catchment area, wetness index and LS factor."""

from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.covariates.terrain.frame import Frame
from permagrid.covariates.terrain.local import gradient, spread
from permagrid.grid import Float

LEAST_SLOPE = 1e-3
"""Gentler slopes count as this one in the wetness index, as in SAGA 8.5 [1]."""

WaterIndex = Literal["specific_catchment_area", "topographic_wetness_index", "ls_factor"]
_INDICES: tuple[WaterIndex, ...] = ("specific_catchment_area", "topographic_wetness_index", "ls_factor")
_ROWS_AT_A_TIME = 128


def water_index(
    surface: Float,
    area: NDArray[np.float32],
    frame: Frame,
    wanted: WaterIndex,
    *,
    least_slope: float = LEAST_SLOPE,
) -> NDArray[np.float32]:
    """Return an index of catchment area and slope.

    Parameters
    ----------
    surface
        Filled elevation with a ring of nodata [m].
    area
        What drains through each cell, without the ring [m2].
    frame
        True lengths of the grid.
    wanted
        ``specific_catchment_area``: the area A over the width of the cell across the slope [m].
        ``topographic_wetness_index``: ln(A / tan slope) of the specific area A (Beven and Kirkby 1979,
        doi:10.1080/02626667909491834) [1].
        ``ls_factor``: of slope length and steepness, 1.4 (A / 22.13)^0.4 (sin slope / 0.0896)^1.3 (Moore et
        al. 1991, doi:10.1002/hyp.3360050103) [1].
    least_slope
        Gentler slopes count as this one in the wetness index [1].

    Returns
    -------
    array
        Shape of `area`, NaN where the surface is.

    Examples
    --------
    >>> from permagrid.covariates.terrain.fill import ringed
    >>> from permagrid.covariates.terrain.frame import frame_of
    >>> from permagrid.grid import make_geobox
    >>> frame = frame_of(make_geobox("EPSG:3995", 10, bounds=(0, 0, 30, 30)), distances="plane")
    >>> plane = ringed(np.array([[1.0, 2, 3]] * 3), dtype="float64")
    >>> area = np.full((3, 3), 300.0, dtype="float32")
    >>> water_index(plane, area, frame, "specific_catchment_area")[1]
    array([30., 30., 30.], dtype=float32)
    >>> water_index(plane, area, frame, "topographic_wetness_index")[1].round(3)
    array([5.704, 5.704, 5.704], dtype=float32)
    """
    out = np.empty(area.shape, dtype=np.float32)
    for top in range(0, area.shape[0], _ROWS_AT_A_TIME):
        strip = slice(top, top + _ROWS_AT_A_TIME)
        along, up = gradient(surface[top : top + _ROWS_AT_A_TIME + 2], frame, row=top)
        _combine(along, up, area[strip], frame, top, _INDICES.index(wanted), least_slope, out[strip])
    return out


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _combine(
    along: Any, up: Any, area: Any, frame: Any, top: int, code: int, least_slope: float, out: Any
) -> None:
    lengths = np.empty((3, out.shape[1]))
    for i in range(out.shape[0]):
        spread(frame.width, frame, top + i, 0, lengths[0])
        spread(frame.height, frame, top + i, 0, lengths[1])
        spread(frame.shear, frame, top + i, 0, lengths[2])
        for k in range(out.shape[1]):
            p, q = along[i, k], up[i, k]
            width, height, shear = lengths[0, k], lengths[1, k], lengths[2, k]
            steep = np.sqrt(p * p + q * q)
            # The shadow of the cell along the slope; of level ground, its mean over all directions.
            across = (abs(q) * width + abs(p * height + q * shear)) / steep
            if steep == 0.0:
                across = (width + np.sqrt(height * height + shear * shear)) * (2.0 / np.pi)
            specific = area[i, k] / across
            if code == 0:
                out[i, k] = specific
            elif code == 1:
                out[i, k] = np.log(specific / max(steep, least_slope))
            else:
                sine = steep / np.sqrt(1.0 + steep * steep)
                long = np.float32(specific / 22.13) ** np.float32(0.4)
                out[i, k] = np.float32(1.4) * long * np.float32(sine / 0.0896) ** np.float32(1.3)
            if np.isnan(steep):
                out[i, k] = np.nan
