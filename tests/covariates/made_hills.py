"""Hills by formula: a small DEM on which other programs were run, see `terrain_reference`."""

import numpy as np

from permagrid.grid import Float, make_geobox

HILLS_GRID = make_geobox("EPSG:32632", 30, bounds=(400_000, 5_100_000, 400_720, 5_100_720))
"""24 x 24 cells of 30 m."""


def hills() -> Float:
    """Return a sum of waves, steep enough for slopes of up to 50 degrees; float32 as it is written [m]."""
    row, column = np.mgrid[0:24, 0:24].astype(float)
    waves = (
        (180.0, 0.21, 0.13, 0.4),
        (90.0, -0.35, 0.42, 1.7),
        (25.0, 0.9, 0.75, 2.9),
        (9.0, -1.3, 1.6, 0.2),
    )
    height = sum(size * np.sin(a * column + b * row + phase) for size, a, b, phase in waves)
    return (1500.0 + height).astype("float32")
