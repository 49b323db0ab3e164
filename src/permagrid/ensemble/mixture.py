"""What every mixture of learners gives, and what its kinds share: checks of rows, sums, roots."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from permagrid.errors import PermagridError
from permagrid.grid import Float

if TYPE_CHECKING:
    from permagrid.ensemble.tables import MixtureTables

Index = NDArray[np.intp]

_BISECTIONS = 4
_MOST_STEPS = 200
_CLOSE = 1e-13
"""Width of a bracket, by the size of what is sought, at which a root is found."""


class Mixture(Protocol):
    """A predictive distribution of one quantity, mixed from those that several learners' predictions give.

    Predictions ``P`` have the shape ``(n, K)``, a column for each learner; where that of a learner with a
    weight is NaN the result is NaN. The result for a row does not depend on the rows beside it.
    """

    @property
    def weights(self) -> Float:
        """Weights of the learners, shape ``(K,)``, sum 1."""

    def mean(self, predictions: Float) -> Float:
        """Return the mean of the distribution, shape ``(n,)``."""

    def cdf(self, predictions: Float, y: ArrayLike) -> Float:
        """Return the probability of `y` or less, `y` being one number or one of each row."""

    def cdf_below(self, predictions: Float, y: ArrayLike) -> Float:
        """Return the probability of less than `y`: as `cdf`, but without the mass at `y` itself."""

    def quantiles(self, predictions: Float, levels: ArrayLike) -> Float:
        """Return quantiles at levels, shape ``(n, L)``."""

    def quantile_at(self, predictions: Float, u: ArrayLike) -> Float:
        """Return for each row the quantile at a level of its own, shape ``(n,)``."""

    def log_density(self, predictions: Float, y: ArrayLike) -> Float:
        """Return the log density of `y`; where `y` has a mass, the log of the mass."""

    def component_densities(self, predictions: Float, y: ArrayLike) -> Float:
        """Return how well each learner alone holds with `y`, up to a factor of the row: shape ``(n, K)``."""

    def describe(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """Return what a report tells of the mixture, as plain values."""

    def tables(self, size: int = 512) -> "MixtureTables":
        """Return look-up tables of the distribution, for maps."""

    def plain(self) -> dict[str, Any]:
        """Return the mixture as numbers, texts, lists and mappings."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Checked rows that a mixture is fitted to."""

    predictions: Float
    """Out-of-fold predictions, shape ``(n, K)``."""
    observed: Float
    """Shape ``(n,)``."""
    weights: Float
    """How often each row counts, shape ``(n,)``, mean 1."""


def checked_rows(
    predictions: ArrayLike,
    observed: ArrayLike,
    *,
    lower: float = -np.inf,
    upper: float = np.inf,
    row_weights: ArrayLike | None = None,
) -> Rows:
    """Return the rows that a mixture is fitted to, or say what is wrong with them.

    Parameters
    ----------
    predictions
        Out-of-fold predictions, shape ``(n, K)``.
    observed
        Shape ``(n,)``.
    lower, upper
        Bounds of the observed quantity.
    row_weights
        How often each row counts, shape ``(n,)``; once if left out.

    Raises
    ------
    PermagridError
        If shapes differ, numbers are missing, observed values lie outside the bounds or are all alike, or
        a weight is negative.
    """
    columns = np.asarray(predictions, dtype=float)
    values = np.asarray(observed, dtype=float)
    if columns.ndim != 2 or columns.shape[1] == 0 or values.shape != (len(columns),):
        raise PermagridError(
            f"predictions have the shape {columns.shape} and observed values {values.shape}; a mixture needs "
            "(n, learners) and (n,)"
        )
    if not lower < upper:
        raise PermagridError(f"the lower bound {lower:g} is not below the upper bound {upper:g}")
    if not np.all(np.isfinite(values)):
        raise PermagridError(
            f"{np.sum(~np.isfinite(values))} of {len(values)} observed values are missing or infinite; "
            "a mixture is fitted to rows that have one"
        )
    for number, column in enumerate(columns.T):
        missing = int(np.sum(~np.isfinite(column)))
        if missing:
            raise PermagridError(
                f"learner {number + 1} of {columns.shape[1]} has no finite prediction for {missing} of "
                f"{len(values)} rows; every learner must predict every row that the mixture is fitted to"
            )
    counts = np.ones(len(values)) if row_weights is None else np.asarray(row_weights, dtype=float)
    if counts.shape != values.shape or not np.all(np.isfinite(counts)) or np.any(counts < 0.0):
        raise PermagridError(
            f"row weights must be {len(values)} finite numbers of 0 or more, as there are rows"
        )
    held = counts > 0.0
    _refuse_observed(values[held], lower, upper)
    return Rows(columns[held], values[held], counts[held] / counts[held].mean())


def _refuse_observed(values: Float, lower: float, upper: float) -> None:
    if len(values) < 2:
        raise PermagridError(f"a mixture needs at least 2 rows with an observed value, found {len(values)}")
    if values.min() < lower or values.max() > upper:
        raise PermagridError(
            f"observed values reach from {values.min():g} to {values.max():g}, beyond {lower:g} to "
            f"{upper:g}, the bounds"
        )
    if values.min() == values.max():
        raise PermagridError(
            f"all {len(values)} observed values are {values[0]:g}: there is nothing to tell learners apart by"
        )


def checked_predictions(predictions: ArrayLike, learners: int) -> Float:
    """Return predictions as columns of learners, shape ``(n, learners)``.

    Raises
    ------
    PermagridError
        If there are more or fewer columns than learners.
    """
    columns = np.asarray(predictions, dtype=float)
    if columns.ndim != 2 or columns.shape[1] != learners:
        raise PermagridError(
            f"predictions have the shape {columns.shape}; the mixture is of {learners} learners and needs "
            f"(n, {learners})"
        )
    return columns


def checked_levels(levels: ArrayLike, shape: tuple[int, ...] | None = None) -> Float:
    """Return levels of quantiles, probabilities from 0 to 1.

    Raises
    ------
    PermagridError
        If a level is not a probability, or there is not one for each row where `shape` is given.
    """
    found = np.asarray(levels, dtype=float)
    if shape is not None and found.shape not in ((), shape):
        raise PermagridError(f"levels have the shape {found.shape}; needed is one number or {shape}")
    if not np.all((found >= 0.0) & (found <= 1.0)):
        raise PermagridError("levels of quantiles must lie between 0 and 1")
    return found if shape is None else np.broadcast_to(found, shape)


def checked_y(y: ArrayLike, rows: int) -> Float:
    """Return one value of each row, shape ``(rows,)``.

    Raises
    ------
    PermagridError
        If `y` is neither one number nor one of each row.
    """
    values = np.asarray(y, dtype=float)
    if values.shape not in ((), (rows,)):
        raise PermagridError(f"y has the shape {values.shape}; needed is one number or ({rows},)")
    return np.broadcast_to(values, (rows,))


def blend(weights: Float, columns: Sequence[Float]) -> Float:
    """Return the weighted sum of columns, added in their order; those of weight zero are passed over.

    Examples
    --------
    >>> blend(np.array([0.5, 0.5, 0.0]), [np.array([1.0]), np.array([3.0]), np.array([np.inf])])
    array([2.])
    """
    total = np.zeros_like(columns[0])
    for weight, column in zip(weights, columns, strict=True):
        if weight > 0.0:
            total = total + weight * column
    return total


def log_blend(weights: Float, logs: Sequence[Float]) -> Float:
    """Return the log of the weighted sum of numbers whose logs are given, as `blend` without underflow.

    Examples
    --------
    >>> log_blend(np.array([0.5, 0.5]), [np.array([-2000.0]), np.array([-2000.0])])
    array([-2000.])
    """
    told = [column for weight, column in zip(weights, logs, strict=True) if weight > 0.0]
    highest = told[0]
    for column in told[1:]:
        highest = np.maximum(highest, column)
    safe = np.where(np.isfinite(highest), highest, 0.0)
    with np.errstate(divide="ignore"):
        total = np.log(blend(weights, [np.exp(column - safe) for column in logs]))
    return kept_nan(highest, safe + total)


def kept_nan(maybe: Float, values: Float) -> Float:
    """Return values, but NaN where `maybe` is."""
    return np.asarray(np.where(np.isnan(maybe), np.nan, values))


def root(rising: Callable[[Float, Index], Float], low: Float, high: Float) -> Float:
    """Return where a rising function of one number is zero, for many such functions at once.

    Parameters
    ----------
    rising
        ``rising(x, index)``: values of the functions numbered `index` at `x`.
    low, high
        Between which the zeros lie, shape ``(n,)``. Where the function has one sign throughout, its end that
        is nearer to zero is returned; where a bound is NaN, NaN.

    Notes
    -----
    Four halvings, then false position as by the Illinois rule (Dowell and Jarratt 1971,
    doi:10.1007/BF01934364) with a halving at each fourth step. Each function takes its own steps, whatever
    stands beside it.

    Examples
    --------
    >>> root(lambda x, index: x**3 - np.array([8.0, 27.0])[index], np.zeros(2), np.full(2, 9.0)).round(9)
    array([2., 3.])
    """
    found = np.where(np.isnan(low) | np.isnan(high), np.nan, low)
    index = np.flatnonzero(~np.isnan(found))
    left, right = low[index].astype(float), high[index].astype(float)
    at_left, at_right = rising(left, index), rising(right, index)
    ended = (at_left >= 0.0) | (at_right <= 0.0)
    found[index[ended]] = np.where(at_left >= 0.0, left, right)[ended]
    kept = ~ended
    index, left, right = index[kept], left[kept], right[kept]
    at_left, at_right = at_left[kept], at_right[kept]
    side = np.zeros(len(index))
    for step in range(_MOST_STEPS):
        if len(index) == 0:
            break
        halfway = 0.5 * (left + right)
        chord = (left * at_right - right * at_left) / (at_right - at_left)
        inside = (chord > left) & (chord < right) & (step >= _BISECTIONS and step % 4 != 3)
        here = np.where(inside, chord, halfway)
        value = rising(here, index)
        low_side = value < 0.0
        # An end that stays twice counts half, or false position would creep towards the other.
        at_right = np.where(low_side, np.where(side < 0, 0.5, 1.0) * at_right, value)
        at_left = np.where(low_side, value, np.where(side > 0, 0.5, 1.0) * at_left)
        left, right = np.where(low_side, here, left), np.where(low_side, right, here)
        side = np.where(low_side, -1.0, 1.0)
        done = (right - left <= _CLOSE * (1.0 + np.abs(here))) | (value == 0.0)
        found[index] = here
        kept = ~done
        index, left, right = index[kept], left[kept], right[kept]
        at_left, at_right, side = at_left[kept], at_right[kept], side[kept]
    return found


def named(names: Sequence[str], learners: int) -> list[str]:
    """Return the names of learners, or numbers in their place.

    Raises
    ------
    PermagridError
        If there are names, but not one for each learner.

    Examples
    --------
    >>> named((), 2)
    ['learner 1', 'learner 2']
    """
    if names and len(names) != learners:
        raise PermagridError(f"{len(names)} names for {learners} learners")
    return list(names) or [f"learner {number + 1}" for number in range(learners)]


def plain_number(value: float) -> float | None:
    """Return a number as JSON knows it: None in place of an infinite one."""
    return float(value) if np.isfinite(value) else None


def bounds_of(plain: Mapping[str, Any]) -> tuple[float, float]:
    """Return the bounds that `plain_number` wrote."""
    lower, upper = plain["lower"], plain["upper"]
    return (-np.inf if lower is None else float(lower), np.inf if upper is None else float(upper))
