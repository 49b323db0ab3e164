"""Step: what predicts the cells of a map: the compiled form of a fitted learner, or the learner itself."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from permagrid.compiled import compile_estimator
from permagrid.grid import Float
from permagrid.learners.average import AverageClassifier, AverageRegressor
from permagrid.learners.nested import seen
from permagrid.prediction.blocks import Predict, row_wise


def map_predictor(estimator: Any, *, task: str) -> Predict:
    """Return what gives values of rows, or probabilities of classes.

    Of a mean of learners that have no compiled form together, each has its own where it can.

    Parameters
    ----------
    estimator
        A fitted learner.
    task
        ``value`` or ``class``.
    """
    compiled = compile_estimator(estimator, "class" if task == "class" else "value")
    if compiled is not None:
        return compiled.predict
    if isinstance(estimator, AverageRegressor | AverageClassifier):
        return partial(_mean, estimator, [map_predictor(each, task=task) for each in estimator.members_])
    return row_wise(estimator, task=task)


def _mean(estimator: AverageRegressor | AverageClassifier, members: Sequence[Predict], rows: Float) -> Float:
    said = [predict(seen(rows, columns)) for predict, columns in zip(members, estimator.columns, strict=True)]
    return estimator.combined(said)
