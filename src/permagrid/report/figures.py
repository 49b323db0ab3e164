"""The figures of a report, in one place; each function returns PNG bytes."""

from permagrid.report.canvas import colormap
from permagrid.report.map_figures import epoch_maps_figure, map_figure, truth_figure
from permagrid.report.score_figures import confusion_figure, roc_figure, scatter_figure
from permagrid.report.score_marks import score_figure
from permagrid.report.site_figures import site_map_figure

__all__ = [
    "colormap",
    "confusion_figure",
    "epoch_maps_figure",
    "map_figure",
    "roc_figure",
    "scatter_figure",
    "score_figure",
    "site_map_figure",
    "truth_figure",
]
