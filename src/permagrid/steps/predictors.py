"""Step: what predicts the cells of a map: the compiled form of a fitted learner, or the learner itself."""

from typing import Any

from permagrid.compiled import compile_estimator
from permagrid.prediction.blocks import Predict, row_wise


def map_predictor(estimator: Any, *, task: str) -> Predict:
    """Return what gives values of rows, or probabilities of classes.

    Parameters
    ----------
    estimator
        A fitted learner.
    task
        ``value`` or ``class``.
    """
    compiled = compile_estimator(estimator, "class" if task == "class" else "value")
    return row_wise(estimator, task=task) if compiled is None else compiled.predict
