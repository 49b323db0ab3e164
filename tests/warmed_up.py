"""Loads what a run needs, hashes its code and leaves figures unpainted, for processes to be killed."""

from permagrid.report import canvas
from permagrid.steps import applicability, choice, importance, maps, models, scores, stack, workshop
from permagrid.steps.code import code_digest
from unpainted import Unpainted

for module in (applicability, choice, importance, maps, models, scores, stack, workshop):
    code_digest(module.__name__)
code_digest("permagrid.run")
canvas.FigureCanvasAgg = Unpainted
