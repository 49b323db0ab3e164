"""The error that is to be expected of a prediction, by how near its covariates are to the training rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from permagrid.errors import PermagridError
from permagrid.grid import Float
from permagrid.prediction.applicability import threshold_of

Measure = Literal["rmse", "misclassification"]
Nearness = Literal["di", "density"]

_FEWEST = 10
"""Rows in the smallest window."""
_SHARE = 10
"""Windows beside each other in all rows, where there are enough."""


class HeldOut(NamedTuple):
    """Rows that the folds of one scheme tested, as an error model learns from them."""

    observed: Float
    """Values, or class codes, shape ``(n,)``."""
    predicted: Float
    """Out-of-fold predictions of the same; NaN where a row was not tested."""
    nearness: Float
    """Dissimilarity index, or local point density, of each row among those that trained for it."""


@dataclass(frozen=True, eq=False)
class ErrorModel:
    """Expected error as a monotone function of dissimilarity or point density; see `fit_error_model`."""

    measure: Measure
    """``rmse`` in the unit of the target, or ``misclassification``, a probability."""
    by: Nearness
    """``di``: the error never falls as the index rises; ``density``: it never rises with it."""
    reach: float
    """Largest index, or smallest density, of which anything is known."""
    knots: Float
    """Nearness at the corners of the function, rising."""
    errors: Float
    """Expected error there; between corners it is linear, and beyond the first and last constant."""
    windows: Float = field(repr=False)
    """What the function was fitted to: mean nearness and error of moving windows, shape ``(windows, 2)``."""
    rows: int
    """HeldOut rows that it rests on; a row that two schemes tested counts twice."""

    def expected_error(self, nearness: Float) -> Float:
        """Return the expected error, shape ``(n,)``; NaN beyond `reach`, for it is not extrapolated.

        Parameters
        ----------
        nearness
            Dissimilarity index or local point density, as `by` says.
        """
        at = np.asarray(nearness, dtype=float)
        step = np.clip(np.searchsorted(self.knots, at, side="right") - 1, 0, max(self.knots.size - 2, 0))
        after = np.minimum(step + 1, self.knots.size - 1)
        width = np.where(after > step, self.knots[after] - self.knots[step], 1.0)
        share = np.clip((at - self.knots[step]) / width, 0.0, 1.0)
        ends = self.errors[step], self.errors[after]
        # Rounding may lead a little beyond the far end, and then the function would turn there.
        error = np.clip(ends[0] + share * (ends[1] - ends[0]), np.minimum(*ends), np.maximum(*ends))
        known = at <= self.reach if self.by == "di" else at >= self.reach
        return np.where(known, error, np.nan)


def fit_error_model(
    tested: Sequence[HeldOut],
    *,
    measure: Measure = "rmse",
    by: Nearness = "di",
    window: int | None = None,
) -> ErrorModel:
    """Return the expected error as a monotone function of how near the training rows are.

    After the calibration of the dissimilarity index by Meyer and Pebesma (2021,
    doi:10.1111/2041-210X.13650): out-of-fold errors are averaged in moving windows of rows by nearness, and
    a monotone function is laid through the windows, here by isotonic regression of their mean squares or
    shares, weighted alike. Schemes whose folds are ever further from what trained for them can be pooled:
    they reach further.

    It is an error at a tested row, and holds what is wrong with the observation as well. It comes from
    learners that had fewer rows than the one that makes the map, and so is a little large. Isotonic
    regression is drawn down at its near end and up at its far end, by at most what one window varies.

    Parameters
    ----------
    tested
        Rows of one scheme each. Of a scheme, the rows above its own `threshold_of` the index, or of density
        0, are left out: the few there are say little.
    measure
        ``rmse`` for values; ``misclassification`` for classes, the share of rows of which another class was
        predicted.
    by
        Whether nearness is the dissimilarity index or the local point density.
    window
        Rows in a window; a tenth of all, and at least 10, if left out.

    Raises
    ------
    PermagridError
        If there are fewer rows than a window holds, or arrays differ in length.

    Examples
    --------
    >>> di = np.linspace(0.0, 1.0, 200)
    >>> error = np.where(np.arange(200) % 2, 1.0, -1.0) * (0.5 + di)
    >>> model = fit_error_model([HeldOut(error, np.zeros(200), di)])
    >>> model.expected_error(np.array([0.1, 0.5, 0.9, 1.1])).round(2).tolist()
    [0.6, 1.0, 1.4, nan]
    """
    parts = [_kept(rows, measure, by) for rows in tested]
    nearness, losses = (np.concatenate([part[k] for part in parts] or [np.empty(0)]) for k in range(2))
    held = max(_FEWEST, len(losses) // _SHARE) if window is None else window
    if held < 1:
        raise PermagridError(f"error model: window must be 1 or more rows, found {held}")
    if len(losses) < held:
        raise PermagridError(f"error model: {len(losses)} tested rows are fewer than a window of {held}")
    centres, means = _windows(nearness, losses, held)
    fitted = IsotonicRegression(increasing=by == "di").fit(centres, means)
    knots = np.asarray(fitted.X_thresholds_, dtype=float)
    smooth = np.asarray(fitted.y_thresholds_, dtype=float)
    reach = max(part[2] for part in parts) if by == "di" else min(part[2] for part in parts)
    finished, raw = (np.sqrt(values) if measure == "rmse" else values for values in (smooth, means))
    return ErrorModel(
        measure, by, float(reach), knots, finished, np.stack([centres, raw], axis=1), len(losses)
    )


def _kept(rows: HeldOut, measure: Measure, by: Nearness) -> tuple[Float, Float, float]:
    """Return nearness and loss of the rows of a scheme that are used, and how far they reach."""
    observed, predicted, nearness = (np.asarray(part, dtype=float) for part in rows)
    if not observed.shape == predicted.shape == nearness.shape:
        raise PermagridError(
            f"error model: {observed.size} observed, {predicted.size} predicted values and {nearness.size} "
            "of nearness; each tested row needs one of each"
        )
    known = np.isfinite(observed) & np.isfinite(predicted) & np.isfinite(nearness)
    beyond = -np.inf if by == "di" else np.inf
    if not known.any():
        return np.empty(0), np.empty(0), beyond
    used = known & (nearness <= threshold_of(nearness[known]) if by == "di" else nearness > 0.0)
    near, wrong = nearness[used], observed[used] != predicted[used]
    losses = np.square(observed[used] - predicted[used]) if measure == "rmse" else wrong.astype(float)
    if not near.size:
        return near, losses, beyond
    reach = threshold_of(nearness[known]) if by == "di" else float(near.min())
    return near, losses, reach


def _windows(nearness: Float, losses: Float, window: int) -> tuple[Float, Float]:
    """Return mean nearness and mean loss of all runs of so many rows, by rising nearness."""
    order = np.lexsort([losses, nearness])
    nearness, losses = nearness[order], losses[order]
    # Rows that are equally near have no order: each takes the mean of them all.
    _, group = np.unique(nearness, return_inverse=True)
    losses = (np.bincount(group, losses) / np.bincount(group))[group]
    return _running_mean(nearness, window), _running_mean(losses, window)


def _running_mean(values: Float, window: int) -> NDArray[np.float64]:
    return np.asarray(np.lib.stride_tricks.sliding_window_view(values, window).mean(axis=1))
