"""How much of what a copula corrects in its learner is kept, judged by parts that it was not learned from."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from permagrid.ensemble.copula_member import CopulaMember
from permagrid.ensemble.copula_mixture import CopulaMixture
from permagrid.ensemble.marginals import Marginal
from permagrid.ensemble.mixture import checked_rows
from permagrid.ensemble.smoothing import rising
from permagrid.ensemble.weights import em_weights
from permagrid.errors import PermagridError
from permagrid.grid import Float

_NODES = 513


def shares_kept(predictions: Float, observed: Float, weights: Float, parts: NDArray[Any]) -> Float:
    """Return how much of a correction does good in parts that it was not learned from, for each learner.

    Parameters
    ----------
    predictions
        Out-of-fold predictions, shape ``(n, K)``.
    observed, weights, parts
        What was observed, how often each row counts, and the part of each, such as its fold; shape ``(n,)``.

    Returns
    -------
    array
        Shape ``(K,)``, from 0 to 1; 1 where there are not two parts to tell by.

    Notes
    -----
    For each part a line of the observation on the prediction is fitted to all others, and d is what it adds
    to the predictions f of the part; the share c is that which makes the sum of (y - f - c d)**2 least.
    Sites in clusters are a few dozen independent ones: a line through them errs by more than the bias of a
    learner may be, and whole clusters then lie off by it (docs/ensemble.md has what this does on virtual
    worlds).

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> truth, parts = random.normal(size=400), np.repeat(np.arange(20), 20)
    >>> good, biased = truth + random.normal(size=400) / 3.0, 2.0 * truth + 5.0
    >>> shares_kept(np.stack([good - 0.1 * good, biased], axis=1), truth, np.ones(400), parts).round(2)[1]
    np.float64(1.0)
    """
    different = np.unique(parts)
    if len(different) < 2:
        return np.ones(predictions.shape[1])
    added = np.zeros_like(predictions)
    for part in different:
        inside = parts == part
        for k, column in enumerate(predictions.T):
            slope, start = _line(column[~inside], observed[~inside], weights[~inside])
            added[inside, k] = start + slope * column[inside] - column[inside]
    left = weights[:, None] * (observed[:, None] - predictions)
    gain, size = (left * added).sum(axis=0), (weights[:, None] * added * added).sum(axis=0)
    return np.asarray(np.clip(np.divide(gain, size, out=np.ones(len(size)), where=size > 0.0), 0.0, 1.0))


def _line(x: Float, y: Float, weights: Float) -> tuple[float, float]:
    """Return slope and start of the line of least squares."""
    total = weights.sum()
    middle, height = float((weights * x).sum() / total), float((weights * y).sum() / total)
    spread = float((weights * (x - middle) ** 2).sum())
    slope = float((weights * (x - middle) * (y - height)).sum()) / spread if spread > 0.0 else 0.0
    return slope, height - slope * middle


def anchored(mixture: CopulaMixture, place: int, kept: float) -> CopulaMember:
    """Return a member of a mixture whose mean lies a part of the way from its learner's prediction.

    Parameters
    ----------
    mixture, place
        The mixture, and the place of the learner.
    kept
        Which part: 1 is the copula's own mean, 0 the prediction itself.

    Notes
    -----
    The copula, and with it the spread and the tails that it gives, is left as it is: a prediction f is only
    placed at another rank, that of which the copula's mean is ``kept`` times its own mean at f and else f.
    Where the mean does not rise with the rank, or many rows share a prediction at a bound, all is left as it
    is.
    """
    member = mixture.members[place]
    own = member.marginal
    if kept >= 1.0 or member.copula.tau <= 0.0 or not isinstance(own, Marginal):
        return member
    if own.atom_lower > 0.0 or own.atom_upper > 0.0:
        return member
    thin = np.unique(np.linspace(0, len(own.nodes) - 1, _NODES).astype(int))
    said, ranks = own.nodes[thin], own.heights[thin]
    means = np.maximum.accumulate(mixture.alone(place).mean(said[:, None]))
    moved = np.maximum.accumulate(np.interp(kept * means + (1.0 - kept) * said, means, ranks))
    nodes, heights = rising(said, moved)
    if len(nodes) < 2:
        return member
    return replace(member, placed=replace(own, nodes=nodes, heights=heights), kept=kept)


def keep_what_holds(
    mixture: CopulaMixture,
    predictions: ArrayLike,
    observed: ArrayLike,
    parts: ArrayLike,
    *,
    row_weights: ArrayLike | None = None,
) -> CopulaMixture:
    """Return a mixture that keeps as much of its corrections as does good in other parts, weighed anew.

    Parameters
    ----------
    mixture
        Fitted to the rows.
    predictions, observed, row_weights
        The rows, as in `permagrid.ensemble.fit_copula_mixture`.
    parts
        Part of each row, such as the fold that predicted it, shape ``(n,)``.

    Raises
    ------
    PermagridError
        If there are more or fewer parts than rows, or the rows are not fit to be learned from.
    """
    rows = checked_rows(
        predictions, observed, lower=mixture.lower, upper=mixture.upper, row_weights=row_weights
    )
    of_rows = np.asarray(parts).ravel()
    counts = np.ones(len(of_rows)) if row_weights is None else np.asarray(row_weights, dtype=float)
    if len(of_rows) != len(counts) or int((counts > 0.0).sum()) != len(rows.observed):
        raise PermagridError(
            f"there are {len(of_rows)} parts of {len(rows.observed)} rows; needed is one each"
        )
    kept = shares_kept(rows.predictions, rows.observed, rows.weights, of_rows[counts > 0.0])
    members = tuple(anchored(mixture, place, float(share)) for place, share in enumerate(kept))
    placed = replace(mixture, members=members)
    densities = placed.component_densities(rows.predictions, rows.observed)
    return replace(placed, weights=em_weights(densities, row_weights=rows.weights))
