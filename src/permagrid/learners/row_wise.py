"""Sums whose result for a row does not depend on the rows beside it, as that of a matrix product does."""

from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float64]

Radial = Literal["squared_exponential", "matern_3_2", "matern_5_2"]
"""A function of the distance r between two rows: exp(-r**2 / 2), or Matérn's of order 3/2 or 5/2."""

_KINDS: tuple[Radial, ...] = ("squared_exponential", "matern_3_2", "matern_5_2")
_ROOT_3, _ROOT_5 = 3.0**0.5, 5.0**0.5


def weighted_sum(rows: Float, weights: Float) -> Float:
    """Return ``rows @ weights``, added column by column in a fixed order.

    A matrix product rounds differently for other numbers of rows, which would make a map depend on its
    blocks.

    Examples
    --------
    >>> weighted_sum(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 10.0]))
    array([21., 43.])
    """
    total = np.zeros(len(rows))
    for column, weight in zip(rows.T, weights, strict=True):
        total += column * weight
    return total


def softmax(scores: Float) -> Float:
    """Return exponentials of scores, shape ``(n, classes)``, as shares of their sum.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    columns = list(np.asarray(scores, dtype=float).T)
    largest = columns[0]
    for column in columns[1:]:
        largest = np.maximum(largest, column)
    return shares([np.exp(column - largest) for column in columns])


def shares(columns: list[Float]) -> Float:
    """Return columns of positive numbers as shares of their sum in each row, shape ``(n, columns)``."""
    total = np.zeros(len(columns[0]))
    for column in columns:
        total = total + column
    return np.stack([column / total for column in columns], axis=1)


def logistic(scores: Float) -> Float:
    """Return ``1 / (1 + exp(-scores))`` without overflow.

    Examples
    --------
    >>> logistic(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    small = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1.0, small) / (1.0 + small)


def radial_sums(rows: Float, centres: Float, weights: Float, *, kind: Radial) -> Float:
    """Return weighted sums of a function of the distances of rows to centres.

    Parameters
    ----------
    rows
        Shape ``(n, columns)``.
    centres
        Shape ``(m, columns)``.
    weights
        Shape ``(outputs, m)``.
    kind
        The function of the distance.

    Returns
    -------
    array
        Shape ``(n, outputs)``.

    Examples
    --------
    >>> radial_sums(np.array([[0.0]]), np.array([[0.0]]), np.array([[2.0]]), kind="matern_3_2")
    array([[2.]])
    """
    turned = np.ascontiguousarray(centres.T, dtype=float)
    ready = np.ascontiguousarray(rows, dtype=float)
    return np.asarray(
        _radial_sums(ready, turned, np.ascontiguousarray(weights, dtype=float), _KINDS.index(kind))
    )


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _radial_sums(rows: Float, centres: Float, weights: Float, kind: int) -> Float:
    columns, many = centres.shape
    out = np.empty((len(rows), len(weights)))
    near = np.empty(many)
    for row in range(len(rows)):
        near[:] = 0.0
        for column in range(columns):
            here = rows[row, column]
            for centre in range(many):
                apart = here - centres[column, centre]
                near[centre] += apart * apart
        for centre in range(many):
            if kind == 0:
                near[centre] = np.exp(-0.5 * near[centre])
            elif kind == 1:
                scaled = _ROOT_3 * np.sqrt(near[centre])
                near[centre] = (1.0 + scaled) * np.exp(-scaled)
            else:
                scaled = _ROOT_5 * np.sqrt(near[centre])
                near[centre] = (1.0 + scaled + scaled * scaled / 3.0) * np.exp(-scaled)
        for output in range(len(weights)):
            total = 0.0
            for centre in range(many):
                total += weights[output, centre] * near[centre]
            out[row, output] = total
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def layer(rows: Float, weights: Float, intercepts: Float) -> Float:
    """Return ``rows @ weights + intercepts``, each row by itself.

    Parameters
    ----------
    rows
        Shape ``(n, inputs)``.
    weights
        Shape ``(inputs, outputs)``.
    intercepts
        Shape ``(outputs,)``.
    """
    out = np.empty((len(rows), weights.shape[1]))
    for row in range(len(rows)):
        out[row] = intercepts
        for column in range(len(weights)):
            here = rows[row, column]
            for output in range(weights.shape[1]):
                out[row, output] += here * weights[column, output]
    return out


def probabilities(log_odds: Float) -> Float:
    """Return probabilities of classes, shape ``(n, classes)``, from log odds.

    Parameters
    ----------
    log_odds
        Of the second of two classes, shape ``(n,)``, or of each of more against the rest, shape
        ``(n, classes)``.

    Examples
    --------
    >>> probabilities(np.array([0.0, 800.0]))
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    if log_odds.ndim > 1:
        # Log odds of -700 keep a row that no class claims from dividing by 0.
        return shares([logistic(np.maximum(column, -700.0)) for column in log_odds.T])
    second = logistic(log_odds)
    return np.stack([1.0 - second, second], axis=1)
