"""Regression kriging: a learner's trend, and the kriging of what it leaves over."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin

from permagrid.errors import PermagridError, did_you_mean
from permagrid.grid import chord, wrapped
from permagrid.learners.kriging_field import RADIUS, Field, Float, Shape, Variogram, fit_variogram, krige
from permagrid.learners.nested import fitted, nested, seen
from permagrid.learners.ranges import above_zero, at_least
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.traits import traits

_MOST = 10_000
"""Most places, as their covariances are held in memory."""


@LEARNERS.register
@traits(
    by_name=True,
    weights=True,
    tasks=("value",),
    space={"variogram": ("exponential", "spherical", "matern"), "mean": ("zero", "unknown")},
)
def regression_kriging(  # noqa: PLR0913
    setting: Setting,
    *,
    learner: dict[str, Any],
    coordinates: tuple[str, str] = ("longitude", "latitude"),
    variogram: Shape = "exponential",
    nugget: float | None = None,
    length: float | None = None,
    mean: Literal["zero", "unknown"] = "zero",
    residuals: Literal["out_of_fold", "in_sample"] = "out_of_fold",
    n_folds: int = 10,
) -> "RegressionKriging":
    """Return a learner's trend plus the kriging of its residuals (Hengl et al. 2007).

    Far from all training places only the trend is left. Rows of one place, such as epochs of a borehole,
    are one value of the field: their mean.

    Parameters
    ----------
    setting
        What it is built for; values only.
    learner
        The learner of the trend as in `learners`, such as ``{name: random_forest}``. It does not see the
        coordinates.
    coordinates
        Covariates of longitude and latitude [degree].
    variogram
        How likeness of residuals falls with distance: ``exponential``, ``spherical``, or ``matern`` of order
        3/2, the smoothest.
    nugget
        Share of the residuals' variance that even near places do not share, 0 to 1; fitted if left out.
    length
        Length of the variogram [m]: where likeness has fallen to 0.37, 0 and 0.48 by its kind; fitted if
        left out.
    mean
        ``zero`` is simple kriging; ``unknown`` is ordinary kriging, which finds the residuals' mean and adds
        it everywhere.
    residuals
        ``out_of_fold`` kriges residuals of rows that the trend was not fitted to, by folds of whole places;
        ``in_sample`` those of the trend that was fitted to all, with which the prediction goes through the
        training values if there is no nugget, but which are too small where the learner is flexible. The
        variogram is always that of the former.
    n_folds
        Folds for the residuals.

    Raises
    ------
    PermagridError
        If a keyword is out of its range, a coordinate is no covariate that the learner sees, or the trend's
        learner is unknown.

    Notes
    -----
    Hengl, Heuvelink and Rossiter (2007), doi:10.1016/j.cageo.2007.05.001. Distances are chords through the
    Earth: all three kinds of variogram hold for them, which along the surface is not so.
    """
    name = "regression_kriging"
    at_least(name, 2, n_folds=n_folds)
    above_zero(name, length=length)
    if nugget is not None and not 0 <= nugget <= 1:
        raise PermagridError(f"{name}: nugget is a share of 0 to 1, found {nugget:g}")
    for each in coordinates:
        if setting.covariates and each not in setting.covariates:
            raise PermagridError(
                f"{name}: coordinates names {each!r}, a covariate that it does not see: "
                f"{did_you_mean(each, setting.covariates)}"
            )
    trend, columns = nested(name, "learner", learner, setting, without=coordinates)
    places = tuple(setting.covariates.index(each) for each in coordinates) if setting.covariates else (0, 1)
    options = Options(variogram, nugget, length, mean, residuals, n_folds, setting.seed)
    return RegressionKriging(trend, columns, places, options)


@dataclass(frozen=True)
class Options:
    """How residuals are kriged: the keywords of `regression_kriging`."""

    variogram: Shape = "exponential"
    nugget: float | None = None
    length: float | None = None
    mean: Literal["zero", "unknown"] = "zero"
    residuals: Literal["out_of_fold", "in_sample"] = "out_of_fold"
    n_folds: int = 10
    seed: int = 0


class RegressionKriging(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A trend plus kriged residuals.

    Parameters
    ----------
    trend
        Learner of the trend.
    columns
        Places of the columns that it sees; all if None.
    coordinates
        Places of the columns of longitude and latitude [degree].
    options
        How residuals are kriged.

    Attributes
    ----------
    trend_
        The fitted trend.
    field_
        The kriged residuals, with their `variogram`.
    """

    trend_: Any
    field_: Field

    def __init__(
        self,
        trend: Any,
        columns: Sequence[int] | None = None,
        coordinates: Sequence[int] = (0, 1),
        options: Options | None = None,
    ) -> None:
        self.trend, self.columns, self.coordinates, self.options = trend, columns, coordinates, options

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the trend, the variogram of its residuals, and the field.

        Raises
        ------
        PermagridError
            If coordinates are none, or there are too many places.
        """
        options = self.options or Options()
        rows, values = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
        if weights is not None:
            counted = weights > 0
            rows, values, weights = rows[counted], values[counted], weights[counted] / weights.mean()
        places, group = self._places(rows)
        if len(places) > _MOST:
            raise PermagridError(
                f"regression_kriging holds at most {_MOST} places, as each is compared with every other; "
                f"found {len(places)}"
            )
        self.n_features_in_ = rows.shape[1]
        self.trend_ = fitted(self.trend, seen(rows, self.columns), values, weights)
        left = self._out_of_fold(rows, values, weights, group, options)
        means = _Means.of(left, weights, group, len(places))
        variogram = fit_variogram(
            places, means.values, options.variogram, nugget=options.nugget, length=options.length
        )
        if options.residuals == "in_sample":
            left = values - self.trend_.predict(seen(rows, self.columns))
        averaged = _Means.of(left, weights, group, len(places)).values
        noise = means.noise(variogram.nugget)
        self.field_ = krige(places, averaged, noise, variogram, ordinary=options.mean == "unknown")
        return self

    @property
    def variogram_(self) -> Variogram:
        """The fitted variogram of the residuals."""
        return self.field_.variogram

    def predict(self, X: ArrayLike) -> Float:
        """Return predictions, shape ``(n,)``."""
        rows = np.asarray(X, dtype=float)
        return np.asarray(self.trend_.predict(seen(rows, self.columns)) + self.field_.at(self._points(rows)))

    def _points(self, rows: Float) -> Float:
        longitude, latitude = (np.ascontiguousarray(rows[:, place]) for place in self.coordinates)
        if np.nanmax(np.abs(latitude), initial=0.0) > 90.0:
            raise PermagridError(
                "regression_kriging: the second of coordinates is the latitude, -90 to 90, found "
                f"{latitude[np.nanargmax(np.abs(latitude))]:g}"
            )
        return np.asarray(chord(wrapped(longitude), latitude) * RADIUS)

    def _places(self, rows: Float) -> tuple[Float, Any]:
        """Return the different places, in an order of their own, and the one of each row."""
        points = self._points(rows)
        if not np.isfinite(points).all():
            raise PermagridError("regression_kriging: a training row has no longitude or latitude")
        # To the metre: digits beyond it are those of the writing.
        _, first, group = np.unique(np.round(points), axis=0, return_index=True, return_inverse=True)
        return points[first], group.ravel()

    def _out_of_fold(
        self, rows: Float, values: Float, weights: Float | None, group: Any, options: Options
    ) -> Float:
        """Return the residuals of rows whose place the trend was not fitted to."""
        many = int(group.max()) + 1
        if many < 2:
            return np.asarray(values - self.trend_.predict(seen(rows, self.columns)))
        # By place, so that the folds do not hang on the order of the rows.
        fold = np.random.default_rng(options.seed).permutation(many)[group] % min(options.n_folds, many)
        out = np.empty(len(values))
        for each in np.unique(fold):
            test = fold == each
            own = None if weights is None else weights[~test]
            part = fitted(self.trend, seen(rows[~test], self.columns), values[~test], own)
            out[test] = values[test] - part.predict(seen(rows[test], self.columns))
        return out


class _Means(NamedTuple):
    """Values of rows as means of their places."""

    values: Float
    """Mean of each place."""
    weights: Float
    """Weight of each place."""
    within: float
    """Variance of the values of one place, of all places together."""

    @classmethod
    def of(cls, values: Float, weights: Float | None, group: Any, many: int) -> "_Means":
        """Return the means of values by place."""
        each = np.ones(len(values)) if weights is None else weights
        total = np.bincount(group, each, many)
        means = np.bincount(group, each * values, many) / total
        freedom = len(values) - many
        within = float(np.sum(each * (values - means[group]) ** 2) / freedom) if freedom > 0 else 0.0
        return cls(means, np.asarray(total, dtype=float), within)

    def noise(self, nugget: float) -> Float:
        """Return the variance of each mean that is no part of the field.

        The nugget of the means is what rows of one place scatter, less where there are many, and the rest,
        which is the same for all.
        """
        inverse = 1.0 / self.weights
        typical = float(np.mean(inverse))
        scatter = min(self.within * typical, nugget)
        return np.asarray(nugget - scatter + scatter * inverse / typical)
