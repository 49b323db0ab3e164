"""Figures that are put together and not painted, for runs whose pages nobody looks at."""

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg


class Unpainted(FigureCanvasAgg):
    """A canvas on which every figure is one white square: painting is two thirds of a small run's time."""

    def draw(self) -> None:
        """Do nothing."""

    def buffer_rgba(self) -> Any:
        """Return a white square."""
        return np.full((8, 8, 4), 255, dtype=np.uint8)
