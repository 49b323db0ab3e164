"""What predicts for a fitted estimator: its compiled form, or the estimator itself."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from permagrid.compiled import compile_estimator
from permagrid.grid import Float
from permagrid.learners.average import AverageClassifier, AverageRegressor
from permagrid.learners.nested import seen
from permagrid.models.model import Learner
from permagrid.prediction.blocks import Predict, row_wise


def learner_of(label: str, covariates: tuple[str, ...], estimator: Any, *, task: str) -> Learner:
    """Return a fitted estimator as a learner of a model, compiled if it can be.

    Of a mean of learners that have no compiled form together, each has its own where it can.

    Parameters
    ----------
    label, covariates
        Its name, and the columns that it sees, in order.
    estimator
        A fitted learner.
    task
        ``value`` or ``class``.
    """
    compiled = compile_estimator(estimator, "class" if task == "class" else "value")
    if compiled is not None:
        return Learner(label, covariates, compiled, compiled.predict)
    if isinstance(estimator, AverageRegressor | AverageClassifier):
        members = [map_predictor(each, task=task) for each in estimator.members_]
        return Learner(label, covariates, estimator, partial(_mean, estimator, members))
    return Learner(label, covariates, estimator, row_wise(estimator, task=task))


def map_predictor(estimator: Any, *, task: str) -> Predict:
    """Return what gives values of rows, or probabilities of classes.

    Parameters
    ----------
    estimator
        A fitted learner.
    task
        ``value`` or ``class``.
    """
    return learner_of("", (), estimator, task=task).predict


def _mean(estimator: AverageRegressor | AverageClassifier, members: Sequence[Predict], rows: Float) -> Float:
    said = [predict(seen(rows, columns)) for predict, columns in zip(members, estimator.columns, strict=True)]
    return estimator.combined(said)
