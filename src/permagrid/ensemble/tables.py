"""Look-up tables of a mixture: quantiles, means and draws at the cost of a few look-ups a cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from permagrid.ensemble.mixture import checked_levels, checked_predictions, checked_y
from permagrid.errors import PermagridError
from permagrid.grid import Float

Float32 = NDArray[np.float32]
Whole = NDArray[np.int64]

_STEPS = 4096
"""Steps of equal width, over a learner's predictions, by which its row is looked up."""


class Sheet(NamedTuple):
    """What the distribution of one learner is at each of its predictions."""

    at: Float
    """Predictions, rising, shape ``(R,)``."""
    cdf: Float
    """Probability of y or less at each prediction and each y; at the last y, of less than it: ``(R, Y)``."""
    below: tuple[float, Float] | None = None
    """A prediction that many rows share, and what holds for it and lower ones: ``(at, (Y,))``."""
    above: tuple[float, Float] | None = None
    """The same for it and higher ones."""


@dataclass(frozen=True, eq=False)
class MixtureTables:
    """Tables of the distribution that each learner's prediction gives, and the mixture they make.

    Between two predictions of a table its rows are mixed, and between two values the distribution is a
    straight line, so that it rises wherever it is asked. Beyond the predictions of a table its first or last
    row holds. The result for a row is the same bits whatever rows are beside it.
    """

    weights: Float
    """Weights of the learners, shape ``(K,)``."""
    y: Float
    """Values at which the distributions are known, rising, shape ``(Y,)``."""
    cdfs: Float32
    """Shape ``(K, R + 2, Y)``: R rows of predictions, then that of the atom below and that above."""
    means: Float
    """Of the rows of `cdfs`, shape ``(K, R + 2)``."""
    places: Float32
    """Row of each of the steps over a learner's predictions, shape ``(K, steps)``."""
    frames: Float
    """First prediction, steps in one unit, atom below and atom above (NaN: none), shape ``(K, 4)``."""
    lower: float = -np.inf
    upper: float = np.inf

    @classmethod
    def of_sheets(
        cls,
        sheets: Sequence[Sheet],
        y: Float,
        weights: Float,
        *,
        lower: float = -np.inf,
        upper: float = np.inf,
    ) -> "MixtureTables":
        """Return the tables of learners whose sheets have the same numbers of rows, and columns for each `y`.

        Parameters
        ----------
        sheets
            One of each learner.
        y
            Values, rising, shape ``(Y,)``; the first is `lower` and the last `upper` where these are finite.
        weights
            Of the learners, shape ``(K,)``.
        lower, upper
            Bounds of the quantity: mass that the first row has at `lower` stays there, and what the last
            column lacks of 1 is at `upper`.
        """
        rows = len(sheets[0].at)
        cdfs = np.empty((len(sheets), rows + 2, len(y)), dtype=np.float32)
        means = np.empty(cdfs.shape[:2])
        places = np.empty((len(sheets), _STEPS), dtype=np.float32)
        frames = np.full((len(sheets), 4), np.nan)
        for k, sheet in enumerate(sheets):
            below = (np.nan, sheet.cdf[0]) if sheet.below is None else sheet.below
            above = (np.nan, sheet.cdf[-1]) if sheet.above is None else sheet.above
            stacked = np.concatenate([sheet.cdf, below[1][None, :], above[1][None, :]])
            # Rounding must not make a distribution fall.
            rising = np.maximum.accumulate(np.clip(stacked, 0.0, 1.0), axis=1)
            cdfs[k], means[k] = rising, _means(rising, y)
            steps = np.linspace(sheet.at[0], sheet.at[-1], _STEPS)
            places[k] = np.interp(steps, sheet.at, np.arange(rows))
            width = sheet.at[-1] - sheet.at[0]
            frames[k] = sheet.at[0], (_STEPS - 1) / width if width > 0.0 else 0.0, below[0], above[0]
        return cls(
            np.asarray(weights, dtype=float), np.asarray(y, float), cdfs, means, places, frames, lower, upper
        )

    def mean(self, predictions: ArrayLike) -> Float:
        """Return the mean of the distribution, shape ``(n,)``."""
        columns = self._columns(predictions)
        found = _mix_means(columns, self.weights, self.means, self.places, self.frames)
        return np.asarray(np.clip(found, self.y[0], self.y[-1]))

    def cdf(self, predictions: ArrayLike, y: ArrayLike) -> Float:
        """Return the probability of `y` or less, `y` being one number or one of each row."""
        columns = self._columns(predictions)
        values = checked_y(y, len(columns)).astype(float)
        found = _mix_cdf(columns, values, self.weights, self.y, self.cdfs, self.places, self.frames)
        full = (values >= self.upper) & ~np.isnan(found)
        return np.where(full, 1.0, found)

    def quantiles(self, predictions: ArrayLike, levels: ArrayLike) -> Float:
        """Return quantiles at levels, shape ``(n, L)``."""
        asked = np.atleast_1d(checked_levels(levels)).astype(float)
        columns = self._columns(predictions)
        return np.asarray(
            _mix_quantiles(columns, asked, self.weights, self.y, self.cdfs, self.places, self.frames)
        )

    def draw(
        self, predictions: Float32, u: NDArray[np.floating], weights: ArrayLike | None = None
    ) -> Float32:
        """Return for each row and member the quantile at the member's level.

        Parameters
        ----------
        predictions
            Of each learner in each member, shape ``(n, M, K)``.
        u
            Levels, shape ``(n, M)``.
        weights
            Of the learners in each member, shape ``(M, K)``; those of the mixture if left out.

        Returns
        -------
        array
            float32, shape ``(n, M)``; NaN where a prediction or level is.

        Raises
        ------
        PermagridError
            If shapes do not go together.
        """
        learners = len(self.weights)
        given = np.ascontiguousarray(predictions, dtype=np.float32)
        if given.ndim != 3 or given.shape[2] != learners or np.shape(u) != given.shape[:2]:
            raise PermagridError(
                f"draws: predictions have the shape {given.shape} and levels {np.shape(u)}; needed are "
                f"(n, members, {learners}) and (n, members)"
            )
        each = self.weights[None, :] if weights is None else np.asarray(weights, dtype=float)
        if weights is None:
            each = np.repeat(each, given.shape[1], axis=0)
        if each.shape != given.shape[1:]:
            raise PermagridError(f"draws: weights have the shape {each.shape}; needed is {given.shape[1:]}")
        if not np.all(each >= 0.0) or not np.allclose(each.sum(axis=1), 1.0, atol=1e-6):
            raise PermagridError("draws: the weights of a member are not shares that sum to 1")
        levels = np.ascontiguousarray(u, dtype=np.float64)
        return np.asarray(
            _draw(given, levels, np.ascontiguousarray(each), self.y, self.cdfs, self.places, self.frames)
        )

    def _columns(self, predictions: ArrayLike) -> Float:
        return np.ascontiguousarray(checked_predictions(predictions, len(self.weights)))


def _means(cdf: Float, y: Float) -> Float:
    """Return the mean of distributions that are straight lines between values, shape ``(R,)``."""
    total = np.full(len(cdf), y[-1])
    for column in range(len(y) - 1):
        total = total - 0.5 * (cdf[:, column] + cdf[:, column + 1]) * (y[column + 1] - y[column])
    return total


@njit(inline="always")  # type: ignore[untyped-decorator]
def _find_rows(
    predictions: Float, weights: Float, places: Float32, frames: Float, rows: int, at: Whole, parts: Float
) -> int:
    """Set, for each learner with a weight, its row and the parts that this and the next one make up.

    Returns how many learners these are, or -1 where a prediction is missing.
    """
    many, last = 0, places.shape[1] - 1
    for k in range(len(weights)):
        if weights[k] == 0.0:
            continue
        here = np.float64(predictions[k])
        if np.isnan(here):
            return -1
        row, part = 0, 1.0
        if here <= frames[k, 2]:
            row = rows - 1
        elif here >= frames[k, 3]:
            row = rows
        else:
            step = min(max((here - frames[k, 0]) * frames[k, 1], 0.0), np.float64(last))
            before = min(int(step), last - 1)
            low = np.float64(places[k, before])
            place = low + (step - before) * (np.float64(places[k, before + 1]) - low)
            row = min(int(place), rows - 2)
            part = place - row
        at[many] = k * (rows + 2) + row
        parts[many, 0], parts[many, 1] = weights[k] * (1.0 - part), weights[k] * part
        many += 1
    return many


@njit(inline="always")  # type: ignore[untyped-decorator]
def _cdf_at(column: int, cdfs: Float32, many: int, at: Whole, parts: Float) -> float:
    # Products and sums of what rises, rounded, still rise.
    total = 0.0
    for j in range(many):
        total += parts[j, 0] * cdfs[at[j], column] + parts[j, 1] * cdfs[at[j] + 1, column]
    return min(total, 1.0)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _quantile(level: float, y: Float, cdfs: Float32, many: int, at: Whole, parts: Float) -> float:
    left, right = 0, len(y) - 1
    at_left = _cdf_at(left, cdfs, many, at, parts)
    if level <= at_left:
        return float(y[left])
    at_right = _cdf_at(right, cdfs, many, at, parts)
    if level > at_right:
        return float(y[right])
    while right - left > 1:
        middle = (left + right) // 2
        here = _cdf_at(middle, cdfs, many, at, parts)
        if here < level:
            left, at_left = middle, here
        else:
            right, at_right = middle, here
    return float(y[left] + (level - at_left) / (at_right - at_left) * (y[right] - y[left]))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _draw(
    predictions: Float32,
    levels: Float,
    weights: Float,
    y: Float,
    cdfs: Float32,
    places: Float32,
    frames: Float,
) -> Float32:
    n, members, learners = predictions.shape
    at, parts = np.zeros(learners, dtype=np.int64), np.zeros((learners, 2))
    out = np.empty((n, members), dtype=np.float32)
    rows, flat = cdfs.shape[1] - 2, cdfs.reshape(-1, cdfs.shape[2])
    for i in range(n):
        for m in range(members):
            many = _find_rows(predictions[i, m], weights[m], places, frames, rows, at, parts)
            if many > 0 and not np.isnan(levels[i, m]):
                out[i, m] = _quantile(levels[i, m], y, flat, many, at, parts)
            else:
                out[i, m] = np.nan
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mix_quantiles(
    predictions: Float,
    levels: Float,
    weights: Float,
    y: Float,
    cdfs: Float32,
    places: Float32,
    frames: Float,
) -> Float:
    n, learners = predictions.shape
    at, parts = np.zeros(learners, dtype=np.int64), np.zeros((learners, 2))
    out = np.empty((n, len(levels)))
    rows, flat = cdfs.shape[1] - 2, cdfs.reshape(-1, cdfs.shape[2])
    for i in range(n):
        many = _find_rows(predictions[i], weights, places, frames, rows, at, parts)
        for j in range(len(levels)):
            out[i, j] = _quantile(levels[j], y, flat, many, at, parts) if many > 0 else np.nan
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mix_means(predictions: Float, weights: Float, means: Float, places: Float32, frames: Float) -> Float:
    n, learners = predictions.shape
    at, parts = np.zeros(learners, dtype=np.int64), np.zeros((learners, 2))
    out = np.full(n, np.nan)
    rows, flat = means.shape[1] - 2, means.reshape(-1)
    for i in range(n):
        many = _find_rows(predictions[i], weights, places, frames, rows, at, parts)
        if many > 0:
            total = 0.0
            for j in range(many):
                total += parts[j, 0] * flat[at[j]] + parts[j, 1] * flat[at[j] + 1]
            out[i] = total
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mix_cdf(
    predictions: Float,
    values: Float,
    weights: Float,
    y: Float,
    cdfs: Float32,
    places: Float32,
    frames: Float,
) -> Float:
    n, learners = predictions.shape
    at, parts = np.zeros(learners, dtype=np.int64), np.zeros((learners, 2))
    out = np.full(n, np.nan)
    rows, flat, last = cdfs.shape[1] - 2, cdfs.reshape(-1, cdfs.shape[2]), len(y) - 1
    for i in range(n):
        many = _find_rows(predictions[i], weights, places, frames, rows, at, parts)
        if many < 1 or np.isnan(values[i]):
            continue
        if values[i] < y[0]:
            out[i] = 0.0
        elif values[i] > y[last]:
            out[i] = 1.0
        else:
            column = min(np.searchsorted(y, values[i], side="right") - 1, last - 1)
            low = _cdf_at(column, flat, many, at, parts)
            high = _cdf_at(column + 1, flat, many, at, parts)
            part = (values[i] - y[column]) / (y[column + 1] - y[column])
            out[i] = min(low + part * (high - low), high)
    return out
