"""What predicts for a fitted estimator: its compiled form, or the estimator itself."""

from typing import Any

from permagrid.compiled import compile_estimator
from permagrid.models.model import Learner
from permagrid.prediction.blocks import Predict, row_wise


def learner_of(label: str, covariates: tuple[str, ...], estimator: Any, *, task: str) -> Learner:
    """Return a fitted estimator as a learner of a model, compiled if it can be.

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
