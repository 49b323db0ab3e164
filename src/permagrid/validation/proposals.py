"""Proposals of a Bayesian search: which combination promises most, by a Gaussian process over all of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtr

from permagrid.validation.shared_work import told

Float = NDArray[np.float64]

LENGTHS = (0.15, 0.3, 0.6, 1.2, 2.4)
"""Correlation lengths among which the likelihood chooses, in units of the range of a keyword."""
NOISES = (1e-4, 1e-2, 1e-1, 0.5)
"""Shares of the variance that a combination does not explain, among which it chooses too."""


def encoded(combinations: Sequence[Mapping[str, Any]]) -> Float:
    """Return combinations as points, shape ``(combinations, dimensions)``.

    A keyword of numbers is one dimension from 0 to 1, by ratio where they are positive and span a factor of
    ten; any other keyword has a dimension for each value.

    Examples
    --------
    >>> encoded([{"C": 0.1, "form": "a"}, {"C": 1.0, "form": "a"}, {"C": 10.0, "form": "b"}]).round(2)
    array([[0.  , 0.71, 0.  ],
           [0.5 , 0.71, 0.  ],
           [1.  , 0.  , 0.71]])
    """
    columns = []
    for keyword in combinations[0]:
        values = [each[keyword] for each in combinations]
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            columns.append(_scaled(np.array(values, dtype=float)))
        else:
            names = [told(value) for value in values]
            # Two values are then as far apart as the ends of a keyword of numbers.
            columns += [
                np.array([name == other for name in names]) / np.sqrt(2.0) for other in sorted(set(names))
            ]
    return np.stack(columns, axis=1) if columns else np.zeros((len(combinations), 1))


def _scaled(values: Float) -> Float:
    if values.min() > 0 and values.max() >= 10.0 * values.min():
        values = np.log(values)
    width = values.max() - values.min()
    return (values - values.min()) / width if width > 0 else np.zeros(len(values))


def next_proposal(places: Float, tried: Sequence[int], losses: Sequence[float]) -> int:
    """Return the number of the combination with the largest expected improvement, the first of equals.

    Parameters
    ----------
    places
        All combinations as points, shape ``(combinations, dimensions)``.
    tried
        Numbers of those that were tried.
    losses
        Their losses; one that is infinite counts as the worst that is not.

    Examples
    --------
    >>> line = np.linspace(0.0, 1.0, 11)[:, np.newaxis]
    >>> next_proposal(line, [0, 5, 10], [1.0, 0.1, 1.2]) in (3, 4, 6, 7)
    True
    """
    values = np.array(losses, dtype=float)
    known = np.isfinite(values)
    values = np.where(known, values, values[known].max(initial=0.0) if known.any() else 0.0)
    spread = float(values.std())
    values = (values - values.mean()) / (spread if spread > 0 else 1.0)
    rest = np.setdiff1d(np.arange(len(places)), np.array(tried))
    mean, deviation = _posterior(places[np.array(tried)], values, places[rest])
    gain = values.min() - mean
    ratio = gain / deviation
    improvement = gain * ndtr(ratio) + deviation * np.exp(-0.5 * ratio**2) / np.sqrt(2.0 * np.pi)
    return int(rest[np.argmax(improvement)])


def _posterior(known: Float, values: Float, asked: Float) -> tuple[Float, Float]:
    """Return mean and standard deviation of the most likely of the Gaussian processes (Rasmussen 2006)."""
    best: tuple[float, Float, Float] | None = None
    for length in LENGTHS:
        for noise in NOISES:
            across = (1.0 - noise) * _matern(known, known, length) + noise * np.eye(len(known))
            factor = cho_factor(across, lower=True)
            weights = cho_solve(factor, values)
            likelihood = -0.5 * float(values @ weights) - float(np.log(np.diag(factor[0])).sum())
            if best is None or likelihood > best[0] + 1e-9:
                between = (1.0 - noise) * _matern(asked, known, length)
                told_by = (between * cho_solve(factor, between.T).T).sum(axis=1)
                variance = np.maximum(1.0 - noise - told_by, 1e-12)
                best = likelihood, between @ weights, np.sqrt(variance)
    return (best[1], best[2]) if best is not None else (np.zeros(len(asked)), np.ones(len(asked)))


def _matern(one: Float, other: Float, length: float) -> Float:
    """Return correlations of the Matern kind with smoothness 5/2, shape ``(one, other)``."""
    apart = np.linalg.norm(one[:, np.newaxis] - other, axis=2) * np.sqrt(5.0) / length
    return np.asarray((1.0 + apart + apart**2 / 3.0) * np.exp(-apart))
