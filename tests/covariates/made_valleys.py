"""Valleys by formula: a small DEM with pits on which SAGA was run, see `saga_reference`."""

import numpy as np

from permagrid.grid import Float, make_geobox

VALLEYS_GRID = make_geobox("EPSG:32632", 30, bounds=(400_000, 5_100_000, 401_440, 5_101_920))
"""64 rows and 48 columns of 30 m."""

CHANNEL_ORDER = 4
RIDGE_ORDER = 3
"""Strahler orders that a DEM of this size has."""

_WAVES = (
    (30.0, 0.271, 0.043, 0.4),
    (20.0, -0.171, 0.093, 1.7),
    (14.0, 0.463, 0.191, 2.9),
    (9.0, -0.557, 0.481, 0.2),
    (7.0, 0.911, 0.733, 5.1),
    (4.0, -1.271, 1.163, 4.3),
    (3.0, 1.913, -1.481, 3.3),
)


def valleys() -> Float:
    """Return a sum of waves on a slope, as float32 [m]."""
    row, column = np.mgrid[0:64, 0:48].astype(float)
    height = 900.0 - 6.0 * row + 1.5 * column
    for size, along, down, phase in _WAVES:
        height += size * np.sin(along * column + down * row + phase)
    return height.astype("float32")
