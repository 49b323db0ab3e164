"""From log odds to probabilities of classes, row by row."""

from math import exp

import numpy as np
from numba import njit

from permagrid.compiled.nodes import Float

_LEAST = -700.0
"""Log odds that keep a row that no class claims from dividing by 0."""


def from_log_odds(scores: Float) -> Float:
    """Return probabilities, shape ``(n, classes)``.

    Parameters
    ----------
    scores
        Log odds of the second of two classes, shape ``(n, 1)``, or of each of more against the rest, whose
        probabilities are brought to a sum of 1.

    Examples
    --------
    >>> from_log_odds(np.array([[0.0]])).tolist(), from_log_odds(np.array([[0.0, 0.0, 800.0]])).tolist()
    ([[0.5, 0.5]], [[0.25, 0.25, 0.5]])
    """
    out = np.empty((len(scores), max(2, scores.shape[1])))
    _probabilities(np.ascontiguousarray(scores), out)
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _probabilities(scores: Float, out: Float) -> None:
    for row in range(len(scores)):
        if scores.shape[1] == 1:
            out[row, 1] = _logistic(scores[row, 0])
            out[row, 0] = 1.0 - out[row, 1]
            continue
        total = 0.0
        for one in range(scores.shape[1]):
            # Written so that a missing number stays one.
            score = _LEAST if scores[row, one] < _LEAST else scores[row, one]
            out[row, one] = _logistic(score)
            total += out[row, one]
        for one in range(scores.shape[1]):
            out[row, one] /= total


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _logistic(score: float) -> float:
    small = exp(-abs(score))
    return (1.0 if score >= 0 else small) / (1.0 + small)
