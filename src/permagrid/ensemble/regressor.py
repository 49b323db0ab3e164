"""COP-BMA as a scikit-learn estimator: several learners joined into one predictive distribution."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from permagrid.ensemble.anchoring import keep_what_holds
from permagrid.ensemble.copula_mixture import CopulaMixture, fit_copula_mixture
from permagrid.ensemble.copulas import FAMILIES, Copula, Family
from permagrid.ensemble.defaults import default_regressors
from permagrid.ensemble.gaussian_mixture import GaussianMixture, fit_gaussian_mixture
from permagrid.ensemble.out_of_fold import Named, checked_estimators, fit_clone, fold_pairs, out_of_fold
from permagrid.ensemble.tables import MixtureTables
from permagrid.errors import PermagridError
from permagrid.grid import Float


class CopulaBMARegressor(RegressorMixin, _BaseComposition):  # type: ignore[misc]
    """Bayesian model averaging of regressors with copulas (Madadgar and Moradkhani 2014).

    Clones of the learners predict rows that they were not trained with; these predictions and what was
    observed give each learner its distribution and its weight. Of what a copula corrects in its learner, as
    much is kept as does good in folds from which it was not learned. The learners are then fitted to all
    rows.

    Parameters
    ----------
    estimators
        Pairs of a name and a regressor. If left out: support vectors, an additive model, a random forest and
        LightGBM, see `permagrid.ensemble.defaults.default_regressors`.
    method
        ``copula``, or ``gaussian``: normal distributions about corrected predictions (Raftery et al. 2005).
    cv
        Number of folds (5 if left out; whole groups where `fit` is given groups), a splitter of
        scikit-learn, or pairs of training and test rows. Rows that are never tested do not count in the
        mixture; those tested more than once count once in all. For maps use blocks or groups: of random
        folds the intervals are too narrow where observations crowd.
    lower, upper
        Bounds of the quantity, such as 0 and 100 [%].
    families
        Copulas that are tried; all if left out.
    exact
        Whether quantiles and means come from the closed form rather than from tables, which are within a
        thousandth of the standard deviation and many times as fast.
    random_state
        Seed of folds, of the default learners and of ranks within point masses.

    Attributes
    ----------
    mixture_
        The fitted `CopulaMixture` or `GaussianMixture`.
    estimators_, names_
        The learners, fitted to all rows, and their names.
    weights_
        Shape ``(K,)``.
    copulas_
        The copula of each learner; none under ``gaussian``.
    out_of_fold_
        Predictions of unseen rows that the mixture was fitted to, shape ``(r, K)``, and `out_of_fold_rows_`.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> rows = np.random.default_rng(0).random((80, 2))
    >>> ice = 60.0 * rows[:, 0] + 5.0 * np.sin(40.0 * rows[:, 1])
    >>> learners = [("line", LinearRegression()), ("tree", DecisionTreeRegressor(max_depth=3))]
    >>> model = CopulaBMARegressor(learners, families=("gaussian", "frank"))
    >>> model.fit(rows, ice).predict_interval(rows[:3], 0.9).shape
    (3, 2)
    """

    def __init__(
        self,
        estimators: Named | None = None,
        *,
        method: Literal["copula", "gaussian"] = "copula",
        cv: Any = None,
        lower: float = -np.inf,
        upper: float = np.inf,
        families: Sequence[Family] | None = None,
        exact: bool = False,
        random_state: int | None = 0,
    ) -> None:
        self.estimators = estimators
        self.method = method
        self.cv = cv
        self.lower = lower
        self.upper = upper
        self.families = families
        self.exact = exact
        self.random_state = random_state

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return parameters, with `deep` those of the named learners too."""
        return dict(self._get_params("estimators", deep=deep))

    def set_params(self, **params: Any) -> Self:
        """Set parameters, a learner by its name, its parameters by ``name__parameter``."""
        self._set_params("estimators", **params)
        return self

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit learners and mixture.

        Parameters
        ----------
        X
            Shape ``(n, features)``, an array or a data frame.
        y
            Observed values, shape ``(n,)``.
        sample_weight
            Of rows, if all learners take weights.
        groups
            Group of each row, such as its borehole, for `cv`.

        Raises
        ------
        PermagridError
            If a learner fails, which is named, or rows are not fit to be learned from.
        """
        if self.method not in ("copula", "gaussian"):
            raise PermagridError(f"method {self.method!r} is neither copula nor gaussian")
        named = checked_estimators(
            default_regressors(self.random_state) if self.estimators is None else self.estimators
        )
        X, target = training_rows(self, X, y)
        values = np.asarray(target, dtype=float)
        weights = checked_weights(sample_weight, len(values))
        pairs = fold_pairs(self.cv, X, values, groups, classes=False, seed=self.random_state)
        unseen = out_of_fold(named, X, values, pairs, sample_weight=weights, predict=_values)
        folds = np.repeat(np.arange(len(pairs)), [len(test) for _, test in pairs])
        self.mixture_: CopulaMixture | GaussianMixture = self._mixture(
            unseen.predictions, values[unseen.rows], unseen.counts, folds
        )
        self.out_of_fold_, self.out_of_fold_rows_ = unseen.predictions, unseen.rows
        self.names_ = [name for name, _ in named]
        self.estimators_ = [
            fit_clone(name, estimator, X, values, weights, where="on all rows") for name, estimator in named
        ]
        self.weights_ = self.mixture_.weights
        self.copulas_: tuple[Copula, ...] = getattr(self.mixture_, "copulas", ())
        self.tables_ = None if self.exact else self.mixture_.tables()
        return self

    def predict(self, X: Any) -> Float:
        """Return the mean of the predictive distribution, shape ``(n,)``."""
        return self._form().mean(self.predict_learners(X))

    def predict_learners(self, X: Any) -> Float:
        """Return what each learner predicts by itself, shape ``(n, K)``."""
        check_is_fitted(self, "mixture_")
        X = asked_rows(self, X)
        return np.stack([_values(estimator, X) for estimator in self.estimators_], axis=1)

    def predict_quantiles(self, X: Any, levels: ArrayLike) -> Float:
        """Return quantiles of the predictive distribution at levels, shape ``(n, L)``."""
        return self._form().quantiles(self.predict_learners(X), levels)

    def predict_interval(self, X: Any, level: float = 0.95) -> Float:
        """Return the central interval that holds a share `level` of the probability, shape ``(n, 2)``.

        Raises
        ------
        PermagridError
            If `level` is not between 0 and 1.
        """
        if not 0.0 < level < 1.0:
            raise PermagridError(f"an interval of level {level:g}: allowed is more than 0 and less than 1")
        return self.predict_quantiles(X, [0.5 - 0.5 * level, 0.5 + 0.5 * level])

    def predict_cdf(self, X: Any, y: ArrayLike) -> Float:
        """Return the probability of `y` or less, `y` being one number or one of each row, shape ``(n,)``."""
        return self._form().cdf(self.predict_learners(X), y)

    def describe(self) -> dict[str, Any]:
        """Return weights, copulas and what else a report tells, as plain values."""
        check_is_fitted(self, "mixture_")
        return self.mixture_.describe(self.names_)

    def _form(self) -> "MixtureTables | CopulaMixture | GaussianMixture":
        check_is_fitted(self, "mixture_")
        return self.mixture_ if self.tables_ is None else self.tables_

    def _mixture(
        self, predictions: Float, observed: Float, counts: Float, folds: NDArray[np.int_]
    ) -> CopulaMixture | GaussianMixture:
        if self.method == "gaussian":
            return fit_gaussian_mixture(
                predictions, observed, lower=self.lower, upper=self.upper, row_weights=counts
            )
        fitted = fit_copula_mixture(
            predictions,
            observed,
            lower=self.lower,
            upper=self.upper,
            families=FAMILIES if self.families is None else self.families,
            row_weights=counts,
            seed=0 if self.random_state is None else self.random_state,
        )
        return keep_what_holds(fitted, predictions, observed, folds, row_weights=counts)


def training_rows(estimator: Any, X: Any, y: ArrayLike) -> tuple[Any, Any]:
    """Return checked features and target, and note the features; data frames are left as they are.

    Parameters
    ----------
    estimator
        What is to learn from them.
    X
        Shape ``(n, features)``.
    y
        Shape ``(n,)``.
    """
    if hasattr(X, "iloc") and y is not None:
        validate_data(estimator, X, skip_check_array=True)
        target = column_or_1d(y, warn=True)
        check_consistent_length(X, target)
        return X, target
    numbers = isinstance(estimator, RegressorMixin)
    checked, target = validate_data(estimator, X, y, y_numeric=numbers, ensure_min_samples=2)
    return checked, target


def asked_rows(estimator: Any, X: Any) -> Any:
    """Return checked features of rows to predict; data frames are left as they are."""
    if hasattr(X, "iloc"):
        validate_data(estimator, X, skip_check_array=True, reset=False)
        return X
    return validate_data(estimator, X, reset=False)


def checked_weights(sample_weight: ArrayLike | None, rows: int) -> Float | None:
    """Return the weights of rows, if any.

    Raises
    ------
    PermagridError
        If there are more or fewer than rows, or one is negative or not a number.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=float)
    if weights.shape != (rows,) or not np.all(np.isfinite(weights)) or np.any(weights < 0.0):
        raise PermagridError(
            f"sample_weight has the shape {weights.shape}; needed are {rows} finite numbers of 0 or more"
        )
    return weights


def _values(estimator: Any, X: Any) -> Float:
    return np.asarray(estimator.predict(X), dtype=float).reshape(-1)
