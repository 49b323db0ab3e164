"""Bayesian model averaging with normal distributions about corrected predictions: the plain reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr, ndtr, ndtri

from permagrid.ensemble.mixture import (
    blend,
    bounds_of,
    checked_levels,
    checked_predictions,
    checked_rows,
    checked_y,
    kept_nan,
    log_blend,
    named,
    plain_number,
    root,
)
from permagrid.ensemble.tables import MixtureTables, Sheet
from permagrid.ensemble.weights import em_weights, log_likelihood
from permagrid.grid import Float

_LOG_ROOT = 0.5 * np.log(2.0 * np.pi)
_NARROWEST = 1e-6
"""Least standard deviation of a member, by that of the observed values."""
_TAIL = 6.0
"""Standard deviations beyond the predictions that tables reach to."""


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture whose member k is normal about ``a_k + b_k f_k`` with one standard deviation (Raftery 2005).

    What a member gives beyond a bound is mass at the bound.
    """

    weights: Float
    """Shape ``(K,)``, sum 1."""
    intercepts: Float
    """a_k, shape ``(K,)``."""
    slopes: Float
    """b_k, shape ``(K,)``."""
    deviations: Float
    """Standard deviations, shape ``(K,)``."""
    spans: Float
    """Least and greatest prediction that each learner was fitted with, shape ``(K, 2)``."""
    lower: float = -np.inf
    upper: float = np.inf
    log_likelihood: float = np.nan
    """Of the rows that it was fitted to."""

    def mean(self, predictions: ArrayLike) -> Float:
        """Return the mean of the distribution within its bounds, shape ``(n,)``."""
        return blend(self.weights, [self._mean(k, at) for k, at in enumerate(self._centres(predictions))])

    def cdf(self, predictions: ArrayLike, y: ArrayLike) -> Float:
        """Return the probability of `y` or less, `y` being one number or one of each row."""
        centres = self._centres(predictions)
        values = checked_y(y, len(centres[0]))
        inside = self._normal(centres, values)
        return kept_nan(
            inside, np.where(values >= self.upper, 1.0, np.where(values < self.lower, 0.0, inside))
        )

    def cdf_below(self, predictions: ArrayLike, y: ArrayLike) -> Float:
        """Return the probability of less than `y`."""
        centres = self._centres(predictions)
        values = checked_y(y, len(centres[0]))
        inside = self._normal(centres, values)
        return kept_nan(
            inside, np.where(values > self.upper, 1.0, np.where(values <= self.lower, 0.0, inside))
        )

    def quantiles(self, predictions: ArrayLike, levels: ArrayLike) -> Float:
        """Return quantiles at levels, shape ``(n, L)``."""
        asked = np.atleast_1d(checked_levels(levels))
        columns = [self.quantile_at(predictions, float(level)) for level in asked]
        return np.stack(columns, axis=1)

    def quantile_at(self, predictions: ArrayLike, u: ArrayLike) -> Float:
        """Return for each row the quantile at a level of its own, shape ``(n,)``."""
        centres = self._centres(predictions)
        level = checked_levels(u, (len(centres[0]),))
        score = ndtri(np.clip(level, 1e-300, 1.0 - 1e-16))
        each = [
            centre + deviation * score
            for weight, centre, deviation in zip(self.weights, centres, self.deviations, strict=True)
            if weight > 0.0
        ]
        low, high = each[0], each[0]
        for column in each[1:]:
            low, high = np.minimum(low, column), np.maximum(high, column)
        if len(each) > 1:
            # All members agree where the bracket is empty.
            room = 1e-9 * (1.0 + np.abs(high - low))
            low = root(
                lambda y, index: self._normal([centre[index] for centre in centres], y) - level[index],
                low - room,
                high + room,
            )
        inside = np.clip(low, self.lower, self.upper)
        missing = np.isnan(blend(self.weights, centres))
        ends = np.where(level == 0.0, self.lower, np.where(level == 1.0, self.upper, inside))
        return np.where(missing, np.nan, ends)

    def log_density(self, predictions: ArrayLike, y: ArrayLike) -> Float:
        """Return the log density of `y`; at a finite bound, the log of the mass there."""
        centres = self._centres(predictions)
        values = checked_y(y, len(centres[0]))
        return log_blend(
            self.weights,
            [
                _log_member(values, centre, deviation, self.lower, self.upper)
                for centre, deviation in zip(centres, self.deviations, strict=True)
            ],
        )

    def component_densities(self, predictions: ArrayLike, y: ArrayLike) -> Float:
        """Return the density of `y` under each learner, at a bound the mass there, shape ``(n, K)``."""
        centres = self._centres(predictions)
        values = checked_y(y, len(centres[0]))
        each = [
            _log_member(values, centre, deviation, self.lower, self.upper)
            for centre, deviation in zip(centres, self.deviations, strict=True)
        ]
        return np.asarray(np.exp(np.stack(each, axis=1)))

    def describe(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """Return what a report tells of the mixture, as plain values."""
        return {
            "method": "gaussian",
            "lower": plain_number(self.lower),
            "upper": plain_number(self.upper),
            "log_likelihood": plain_number(self.log_likelihood),
            "learners": [
                {
                    "name": name,
                    "weight": float(self.weights[k]),
                    "intercept": float(self.intercepts[k]),
                    "slope": float(self.slopes[k]),
                    "deviation": float(self.deviations[k]),
                }
                for k, name in enumerate(named(names, len(self.weights)))
            ],
        }

    def tables(self, size: int = 512) -> MixtureTables:
        """Return look-up tables of `size` rows and columns; a learner's reach half its span beyond it."""
        room = 0.5 * (self.spans[:, 1] - self.spans[:, 0]) + 1e-9
        ends = np.stack([self.spans[:, 0] - room, self.spans[:, 1] + room])
        centres = self.intercepts + self.slopes * ends
        low = max(self.lower, float((centres.min(axis=0) - _TAIL * self.deviations).min()))
        high = min(self.upper, float((centres.max(axis=0) + _TAIL * self.deviations).max()))
        y = np.linspace(low if low < high else self.lower, high if low < high else self.upper, size)
        sheets = []
        for k in range(len(self.weights)):
            at = np.linspace(ends[0, k], ends[1, k], size)
            apart = (y[None, :] - (self.intercepts[k] + self.slopes[k] * at)[:, None]) / self.deviations[k]
            sheets.append(Sheet(at, ndtr(apart)))
        return MixtureTables.of_sheets(sheets, y, self.weights, lower=self.lower, upper=self.upper)

    def plain(self) -> dict[str, Any]:
        """Return the mixture as numbers, texts, lists and mappings."""
        return {
            "method": "gaussian",
            "weights": self.weights.tolist(),
            "intercepts": self.intercepts.tolist(),
            "slopes": self.slopes.tolist(),
            "deviations": self.deviations.tolist(),
            "spans": self.spans.tolist(),
            "lower": plain_number(self.lower),
            "upper": plain_number(self.upper),
            "log_likelihood": plain_number(self.log_likelihood),
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "GaussianMixture":
        """Return the mixture that `plain` wrote."""
        lower, upper = bounds_of(plain)
        reached = plain["log_likelihood"]
        return cls(
            weights=np.array(plain["weights"], dtype=float),
            intercepts=np.array(plain["intercepts"], dtype=float),
            slopes=np.array(plain["slopes"], dtype=float),
            deviations=np.array(plain["deviations"], dtype=float),
            spans=np.array(plain["spans"], dtype=float),
            lower=lower,
            upper=upper,
            log_likelihood=np.nan if reached is None else float(reached),
        )

    def _centres(self, predictions: ArrayLike) -> list[Float]:
        columns = checked_predictions(predictions, len(self.weights)).T
        return [
            intercept + slope * column
            for intercept, slope, column in zip(self.intercepts, self.slopes, columns, strict=True)
        ]

    def _normal(self, centres: Sequence[Float], y: Float) -> Float:
        each = [
            ndtr((y - centre) / deviation) for centre, deviation in zip(centres, self.deviations, strict=True)
        ]
        # Weights may sum to a hair above 1.
        return np.minimum(blend(self.weights, each), 1.0)

    def _mean(self, k: int, centre: Float) -> Float:
        deviation = self.deviations[k]
        low, high = (self.lower - centre) / deviation, (self.upper - centre) / deviation
        total = centre * (ndtr(high) - ndtr(low)) + deviation * (_height(low) - _height(high))
        if np.isfinite(self.lower):
            total = total + self.lower * ndtr(low)
        if np.isfinite(self.upper):
            total = total + self.upper * ndtr(-high)
        return np.asarray(total)


def fit_gaussian_mixture(
    predictions: ArrayLike,
    observed: ArrayLike,
    *,
    lower: float = -np.inf,
    upper: float = np.inf,
    row_weights: ArrayLike | None = None,
) -> GaussianMixture:
    """Return the mixture of normal distributions that out-of-fold predictions and observed values give.

    Parameters
    ----------
    predictions
        Out-of-fold predictions, shape ``(n, K)``: never those of rows that a learner was trained with.
    observed
        Shape ``(n,)``.
    lower, upper
        Bounds of the quantity.
    row_weights
        How often each row counts, shape ``(n,)``; once if left out.

    Raises
    ------
    PermagridError
        If the rows are not fit to be learned from, see `permagrid.ensemble.mixture.checked_rows`.

    Notes
    -----
    Raftery et al. (2005), doi:10.1175/MWR2906.1, but each member has its own standard deviation, that of its
    own residuals: a_k, b_k and it are the most probable under member k alone, the weights by EM.

    Examples
    --------
    >>> observed = np.array([1.0, 2.0, 3.0, 4.5, 5.0, 5.5])
    >>> mixture = fit_gaussian_mixture(np.stack([observed + 0.1 * np.sin(9 * observed)], axis=1), observed)
    >>> mixture.weights
    array([1.])
    >>> mixture.quantiles([[3.0]], [0.5]).round(1)
    array([[3.]])
    """
    rows = checked_rows(predictions, observed, lower=lower, upper=upper, row_weights=row_weights)
    by = rows.weights / rows.weights.sum()
    middle = (by * rows.observed).sum()
    spread = np.sqrt((by * (rows.observed - middle) ** 2).sum())
    lines = [_line(column, rows.observed, by, _NARROWEST * spread) for column in rows.predictions.T]
    intercepts, slopes, deviations = (np.array(values) for values in zip(*lines, strict=True))
    logs = [
        _log_member(rows.observed, intercept + slope * column, deviation, lower, upper)
        for column, intercept, slope, deviation in zip(
            rows.predictions.T, intercepts, slopes, deviations, strict=True
        )
    ]
    stacked = np.stack(logs, axis=1)
    highest = stacked.max(axis=1)
    densities = np.exp(stacked - highest[:, None])
    weights = em_weights(densities, row_weights=rows.weights)
    return GaussianMixture(
        weights,
        intercepts,
        slopes,
        deviations,
        spans=np.stack([rows.predictions.min(axis=0), rows.predictions.max(axis=0)], axis=1),
        lower=lower,
        upper=upper,
        log_likelihood=log_likelihood(densities, weights, row_weights=rows.weights)
        + float((rows.weights * highest).sum()),
    )


def _line(column: Float, observed: Float, by: Float, narrowest: float) -> tuple[float, float, float]:
    middle, target = (by * column).sum(), (by * observed).sum()
    apart = column - middle
    spread = (by * apart * apart).sum()
    # A learner that always says the same tells no more than the mean.
    flat = spread <= (1e-12 * (1.0 + abs(middle))) ** 2
    slope = 0.0 if flat else float((by * apart * (observed - target)).sum() / spread)
    left = observed - target - slope * apart
    return float(target - slope * middle), slope, max(float(np.sqrt((by * left * left).sum())), narrowest)


def _log_member(y: Float, centre: Float, deviation: float, lower: float, upper: float) -> Float:
    score = (y - centre) / deviation
    inside = -0.5 * score * score - np.log(deviation) - _LOG_ROOT
    out = np.where(y == lower, log_ndtr(score), np.where(y == upper, log_ndtr(-score), inside))
    return np.where((y < lower) | (y > upper), -np.inf, out)


def _height(score: Float) -> Float:
    return np.asarray(np.exp(-0.5 * score * score - _LOG_ROOT))
