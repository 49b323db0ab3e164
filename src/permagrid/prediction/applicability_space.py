"""The space in which rows are near or far: scaled by the training rows, weighted by importance."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt

import numpy as np
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.grid import Float


@dataclass(frozen=True, eq=False)
class Space:
    """Where a row of covariates lies; learned from training rows alone.

    A row's place depends on no other row.
    """

    columns: NDArray[np.int64]
    """The covariate of each dimension, the heaviest dimensions first."""
    codes: Float
    """The class for which a dimension is 1 and for all others 0; NaN where the dimension is a number."""
    centre: Float
    """What is taken off each dimension."""
    scale: Float
    """What each dimension is then divided by."""
    weight: Float
    """What it is then multiplied by."""
    class_columns: NDArray[np.int64]
    """Covariates whose classes are the same or not the same, with nothing between."""
    penalties: Float
    """What a different class adds to a distance."""
    squared: bool
    """Whether distances are Euclidean, else sums of sizes."""

    def place(self, rows: Float) -> tuple[Float, Float]:
        """Return points, shape ``(n, dimensions)``, and class codes, shape ``(n, classes)``."""
        taken = rows[:, self.columns]
        dummy = ~np.isnan(self.codes)
        taken[:, dummy] = taken[:, dummy] == self.codes[dummy]
        taken -= self.centre
        taken /= self.scale
        taken *= self.weight
        return taken, rows[:, self.class_columns]

    def distance(self, sums: Float) -> Float:
        """Return distances, of sums of differences."""
        return np.sqrt(sums) if self.squared else sums


def euclidean_space(rows: Float, weights: Float, class_columns: Sequence[int]) -> Space:
    """Return the space of Euclidean distances between centred, scaled and weighted covariates.

    Scaling is by mean and sample standard deviation, divisor n - 1. A class covariate becomes a dimension
    of 0 and 1 for each of its classes, which is centred and scaled alike and has the weight of the
    covariate (Meyer and Pebesma 2021, doi:10.1111/2041-210X.13650); a class of no training row is 0 in all.

    Parameters
    ----------
    rows
        Training rows, shape ``(n, covariates)``; finite.
    weights
        Of the covariates, not negative. Those without any are left out, as is what is constant.
    class_columns
        Covariates that hold class codes.

    Examples
    --------
    >>> space = euclidean_space(np.array([[1.0], [2.0], [3.0]]), np.array([2.0]), ())
    >>> space.place(np.array([[4.0]]))[0].tolist()
    [[4.0]]
    """
    dimensions: list[tuple[int, float, Float]] = []
    for column in np.flatnonzero(weights):
        values = rows[:, column]
        if column in class_columns:
            found = np.unique(values)
            several = found if found.size > 1 else found[:0]
            dimensions += [(int(column), float(code), (values == code).astype(float)) for code in several]
        elif np.ptp(values) > 0.0:
            dimensions.append((int(column), np.nan, values))
    columns = np.array([column for column, _, _ in dimensions], dtype=np.int64)
    codes = np.array([code for _, code, _ in dimensions], dtype=float)
    moments = np.array([_moments(values) for _, _, values in dimensions]).reshape(-1, 2)
    order = np.argsort(-weights[columns], kind="stable")
    return Space(
        columns[order],
        codes[order],
        moments[order, 0],
        moments[order, 1],
        weights[columns[order]],
        np.empty(0, dtype=np.int64),
        np.empty(0),
        squared=True,
    )


def usable_weights(weights: Float | None, rows: Float, covariates: Sequence[str]) -> Float:
    """Return weights of the covariates of which the largest is 1: negative ones are 0, constants too.

    Parameters
    ----------
    weights
        Importance of each covariate; all the same if left out, or if none is above 0.
    rows
        Training rows, shape ``(n, covariates)``.
    covariates
        Their names.

    Raises
    ------
    PermagridError
        If a weight is missing or not a number, or every covariate is constant.

    Examples
    --------
    >>> usable_weights(np.array([4.0, -1.0, 2.0]), np.eye(3), ["cold", "wet", "high"]).tolist()
    [1.0, 0.0, 0.5]
    """
    given = np.ones(len(covariates)) if weights is None else np.asarray(weights, dtype=float)
    if given.shape != (len(covariates),):
        raise PermagridError(
            f"applicability: {given.size} weights for {len(covariates)} covariates; each needs one"
        )
    for name, weight in zip(covariates, given, strict=True):
        if not np.isfinite(weight):
            raise PermagridError(f"applicability: the weight of covariate {name} is {weight}, not a number")
    varies = np.ptp(rows, axis=0) > 0.0
    if not varies.any():
        raise PermagridError("applicability: every covariate is constant at the training rows")
    kept = np.where(varies, np.maximum(given, 0.0), 0.0)
    kept = kept if kept.any() else varies.astype(float)
    return np.asarray(kept / kept.max())


def _moments(values: Float) -> tuple[float, float]:
    # Sums that are rounded once: the order of the rows changes no bit.
    mean = fsum(values) / len(values)
    return mean, sqrt(fsum(np.square(values - mean)) / (len(values) - 1))
