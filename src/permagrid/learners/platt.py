"""Probabilities from scores: a sigmoid learned of scores of rows that the machine has not seen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import StratifiedKFold

from permagrid.learners.row_wise import logistic, probabilities
from permagrid.learners.training import asked, training

Float = NDArray[np.float64]

_STEPS, _SHORTEST, _ENOUGH = 100, 1e-10, 1e-10


class PlattScaled(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Probabilities of classes by a machine that tells two of them apart by a score.

    Of more than two classes each has a machine against the rest; their probabilities are brought to a sum
    of 1. The sigmoid of a machine (Platt 1999, Probabilistic outputs for support vector machines) is learned
    of scores from stratified folds, each by a machine that has not seen the row.

    Parameters
    ----------
    machine
        An estimator of two classes with ``decision_function``.
    folds
        Number of folds; as many as there are rows of the rarer class where those are fewer. Of a class with
        a single row the scores are those of the machine that has seen it.
    random_state
        Seed of the folds.

    Attributes
    ----------
    classes_
        Sorted classes.
    machines_
        The fitted machines: one for two classes, else one for each class.
    sigmoids_
        Slope and intercept for each machine.
    """

    def __init__(self, machine: Any, *, folds: int = 5, random_state: int = 0) -> None:
        self.machine, self.folds, self.random_state = machine, folds, random_state

    def fit(self, X: Float, y: NDArray[Any], sample_weight: Float | None = None) -> "PlattScaled":
        """Fit the machines to all rows, and their sigmoids to scores of rows held out."""
        X, y, weights = training(self, X, y, sample_weight)
        wanted = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        self.machines_, self.sigmoids_ = [], []
        for one in wanted:
            is_one = y == one
            self.machines_.append(clone(self.machine).fit(X, is_one, sample_weight=weights))
            scores = self._held_out(X, is_one, weights, self.machines_[-1])
            self.sigmoids_.append(sigmoid(scores, is_one, weights))
        return self

    def _held_out(self, X: Float, is_one: NDArray[np.bool_], weights: Float, machine: Any) -> Float:
        rarer = int(min(is_one.sum(), (~is_one).sum()))
        if rarer < 2:
            return np.asarray(machine.decision_function(X))
        folds = StratifiedKFold(min(self.folds, rarer), shuffle=True, random_state=self.random_state)
        scores = np.empty(len(X))
        for train, test in folds.split(X, is_one):
            held = clone(self.machine).fit(X[train], is_one[train], sample_weight=weights[train])
            scores[test] = held.decision_function(X[test])
        return scores

    def decision_function(self, X: Float) -> Float:
        """Return log odds, shape ``(n,)``, or of more than two classes each, shape ``(n, classes)``."""
        rows = asked(self, X)
        scores = [
            slope * machine.decision_function(rows) + intercept
            for machine, (slope, intercept) in zip(self.machines_, self.sigmoids_, strict=True)
        ]
        return scores[0] if len(scores) == 1 else np.stack(scores, axis=1)

    def predict_proba(self, X: Float) -> Float:
        """Return probabilities of the classes, shape ``(n, classes)``."""
        return probabilities(self.decision_function(X))

    def predict(self, X: Float) -> NDArray[Any]:
        """Return the likeliest classes, shape ``(n,)``."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])


def sigmoid(scores: Float, is_one: NDArray[np.bool_], weights: Float) -> tuple[float, float]:
    """Return slope a and intercept b of the probability ``1 / (1 + exp(-(a score + b)))``.

    By Newton's method with steps halved as needed (Lin et al. 2007, doi:10.1007/s10994-007-5018-6), towards
    Platt's targets, which hold sure answers off 0 and 1 by as much as there are rows.

    Parameters
    ----------
    scores
        Scores, shape ``(n,)``.
    is_one
        Which rows are of the class.
    weights
        Weights of the rows.

    Examples
    --------
    >>> slope, intercept = sigmoid(np.array([-1.0, 1.0]), np.array([False, True]), np.ones(2))
    >>> bool(abs(intercept) < 1e-9), round(float(1 / (1 + np.exp(-slope))), 3)
    (True, 0.667)
    """
    ones, rest = float(weights[is_one].sum()), float(weights[~is_one].sum())
    targets = np.where(is_one, (ones + 1.0) / (ones + 2.0), 1.0 / (rest + 2.0))
    columns = np.stack([scores, np.ones(len(scores))], axis=1)

    def loss(line: Float) -> float:
        inner = columns @ line
        return float(weights @ (np.logaddexp(0.0, inner) - targets * inner))

    line = np.array([0.0, np.log((ones + 1.0) / (rest + 1.0))])
    best = loss(line)
    for _ in range(_STEPS):
        probability = logistic(columns @ line)
        gradient = columns.T @ (weights * (probability - targets))
        spread = weights * probability * (1.0 - probability)
        step = np.linalg.solve((columns.T * spread) @ columns + 1e-12 * np.eye(2), gradient)
        length = 1.0
        while (tried := loss(line - length * step)) > best - 1e-4 * length * float(gradient @ step):
            length /= 2
            if length < _SHORTEST:
                return float(line[0]), float(line[1])
        line = line - length * step
        if best - tried < _ENOUGH * (1.0 + abs(best)):
            break
        best = tried
    return float(line[0]), float(line[1])
