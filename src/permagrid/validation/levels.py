"""The probabilities at which a predictive distribution is told by its quantiles."""

import numpy as np

from permagrid.grid import Float

LEVELS: Float = np.unique(np.concatenate([np.arange(1, 200) / 200.0, [0.001, 0.0025, 0.9975, 0.999]])).round(
    6
)
"""From 0.001 to 0.999, in steps of 0.005 between; the ends of all intervals in use are among them."""
LEVELS.setflags(write=False)
