"""Look-up tables of a mixture: quantiles, means and draws at the cost of a few look-ups a cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from permagrid.ensemble.look_ups import draw_all, mix_cdf, mix_means, mix_quantiles
from permagrid.ensemble.mixture import checked_levels, checked_predictions, checked_y
from permagrid.errors import PermagridError
from permagrid.grid import Float

Float32 = NDArray[np.float32]

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
    """Shape ``(K, Y, R + 2)``: R predictions, then the atom below and that above; what is mixed lies side by
    side."""
    means: Float
    """Of the predictions of `cdfs`, shape ``(K, R + 2)``."""
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
        cdfs = np.empty((len(sheets), len(y), rows + 2), dtype=np.float32)
        means = np.empty((len(sheets), rows + 2))
        places = np.empty((len(sheets), _STEPS), dtype=np.float32)
        frames = np.full((len(sheets), 4), np.nan)
        for k, sheet in enumerate(sheets):
            below = (np.nan, sheet.cdf[0]) if sheet.below is None else sheet.below
            above = (np.nan, sheet.cdf[-1]) if sheet.above is None else sheet.above
            stacked = np.concatenate([sheet.cdf, below[1][None, :], above[1][None, :]])
            # Rounding must not make a distribution fall.
            rising = np.maximum.accumulate(np.clip(stacked, 0.0, 1.0), axis=1)
            cdfs[k], means[k] = rising.T, _means(rising, y)
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
        found = mix_means(columns, self.weights, self.means, self.places, self.frames)
        return np.asarray(np.clip(found, self.y[0], self.y[-1]))

    def cdf(self, predictions: ArrayLike, y: ArrayLike) -> Float:
        """Return the probability of `y` or less, `y` being one number or one of each row."""
        columns = self._columns(predictions)
        values = checked_y(y, len(columns)).astype(float)
        found = mix_cdf(columns, values, self.weights, self.y, self.cdfs, self.places, self.frames)
        full = (values >= self.upper) & ~np.isnan(found)
        return np.where(full, 1.0, found)

    def quantiles(self, predictions: ArrayLike, levels: ArrayLike) -> Float:
        """Return quantiles at levels, shape ``(n, L)``."""
        asked = np.atleast_1d(checked_levels(levels)).astype(float)
        columns = self._columns(predictions)
        return np.asarray(
            mix_quantiles(columns, asked, self.weights, self.y, self.cdfs, self.places, self.frames)
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
        return self._drawn(predictions, u, weights, -1)[0]

    def draw_with_cdf(
        self,
        predictions: Float32,
        u: NDArray[np.floating],
        y: float,
        weights: ArrayLike | None = None,
    ) -> tuple[Float32, Float32]:
        """Return what `draw` does, and what `cdf` says at `y` of the predictions of each member.

        Learners of each member have their own weights in the draw, and those of the mixture in the
        probability. It takes little more than the draw, as rows are looked up once.

        Raises
        ------
        PermagridError
            If shapes do not go together, or `y` is missing.
        """
        value = float(checked_y(y, 1)[0])
        if np.isnan(value):
            raise PermagridError("draws: the value at which a probability is asked for is missing")
        last = len(self.y) - 1
        column = min(max(int(np.searchsorted(self.y, value, side="right")) - 1, 0), last - 1)
        part = (value - self.y[column]) / (self.y[column + 1] - self.y[column])
        drawn, told = self._drawn(predictions, u, weights, column, part)
        if value < self.y[0] or value > self.y[last] or value >= self.upper:
            told[~np.isnan(told)] = 0.0 if value < self.y[0] and value < self.upper else 1.0
        return drawn, told

    def _drawn(
        self,
        predictions: Float32,
        u: NDArray[np.floating],
        weights: ArrayLike | None,
        column: int,
        part: float = 0.0,
    ) -> tuple[Float32, Float32]:
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
        shares = np.ascontiguousarray(np.concatenate([each, self.weights[None, :]]))
        out = np.empty((2 if column >= 0 else 1, *given.shape[:2]), dtype=np.float32)
        tables = self.y, self.cdfs, self.places, self.frames
        draw_all(given, np.ascontiguousarray(u), shares, tables, (column, part), out)
        return out[0], out[-1]

    def _columns(self, predictions: ArrayLike) -> Float:
        return np.ascontiguousarray(checked_predictions(predictions, len(self.weights)))


def _means(cdf: Float, y: Float) -> Float:
    """Return the mean of distributions that are straight lines between values, shape ``(R,)``."""
    total = np.full(len(cdf), y[-1])
    for column in range(len(y) - 1):
        total = total - 0.5 * (cdf[:, column] + cdf[:, column + 1]) * (y[column + 1] - y[column])
    return total
