"""The learner of additive curves: penalised splines, each as smooth as the observations ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import assert_all_finite

from permagrid.learners.additive_terms import Part, Term, classes_of, design_of, part_of
from permagrid.learners.ranges import Balance, above_zero, at_least, for_classes_only
from permagrid.learners.row_wise import probabilities
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.smoothing import Binomial, Criterion, Gaussian, chosen
from permagrid.learners.splines import Knots
from permagrid.learners.training import asked, training
from permagrid.learners.traits import traits

Float = NDArray[np.float64]

_STEADY = 0.01
"""Penalty of straight parts where classes may be told apart without a fault: coefficients stay finite."""


@LEARNERS.register
@traits(
    space={"n_splines": (6, 10), "gamma": (1.4, 4.0, 16.0), "shrink": (False, True)},
    weights=True,
)
def additive_model(
    setting: Setting,
    *,
    n_splines: int = 10,
    knots: Knots = "quantile",
    criterion: Criterion = "reml",
    shrink: bool = False,
    gamma: float = 4.0,
    smoothing: float | None = None,
    class_weight: Balance = None,
) -> Any:
    """Return a generalised additive model: a sum of curves, one for each covariate (Wood 2017).

    Curves are cubic B-splines with a penalty of their bends (Eilers and Marx 1996,
    doi:10.1214/ss/1038425655), one smoothing parameter for each, and go on straight beyond the training
    rows. Classes of class covariates are random effects, unless the study says otherwise. Classes of the
    target by logistic regression, of more than two each against the rest. Wood, S. N. (2017): Generalized
    additive models, 2nd edition, doi:10.1201/9781315370279.

    Parameters
    ----------
    setting
        What it is built for.
    n_splines
        B-splines of each curve, before the penalty; fewer where there are fewer distinct values.
    knots
        Where they join: at ``quantile`` of the distinct values, or at ``equal`` distances.
    criterion
        What the smoothing parameters make least: ``reml``, or ``gcv``, generalised cross-validation, for
        classes the unbiased risk.
    shrink
        Whether straight parts are penalised too, so that a covariate may drop out (Marra and Wood 2011,
        doi:10.1016/j.csda.2011.02.004).
    gamma
        How many rows count as one where smoothness is chosen: 1 or, to be safe, 1.4 if each says something
        of its own (Kim and Gu 2004, doi:10.1046/j.1369-7412.2003.05316.x), more where those of a site or a
        neighbourhood say much the same.
    smoothing
        One smoothing parameter for all, instead of a choice.
    class_weight
        ``balanced`` weighs classes by their inverse frequency; for classes only.

    Raises
    ------
    PermagridError
        If a keyword is out of its range, or `class_weight` is given for values.
    """
    learner = "additive_model"
    at_least(learner, 4, n_splines=n_splines)
    at_least(learner, 1, gamma=gamma)
    above_zero(learner, smoothing=smoothing)
    for_classes_only(learner, setting, class_weight=class_weight)
    shared: dict[str, Any] = {
        "knots": knots,
        "criterion": criterion,
        "shrink": shrink,
        "gamma": gamma,
        "smoothing": smoothing,
    }
    if setting.task == "value":
        return AdditiveRegressor(n_splines, **shared)
    return AdditiveClassifier(n_splines, class_weight=class_weight, **shared)


class _Additive(BaseEstimator):  # type: ignore[misc]
    """A sum of curves, lines and effects of classes.

    Missing values are allowed in columns of classes only: there they stand for a class never seen.

    Parameters
    ----------
    n_splines
        B-splines of each curve, before the penalty.
    knots
        ``quantile`` or ``equal``.
    criterion
        ``reml`` or ``gcv``.
    shrink
        Whether straight parts are penalised too.
    gamma
        How many rows count as one where smoothness is chosen.
    smoothing
        One smoothing parameter for all, instead of a choice.
    categorical_features
        Places of columns that hold classes.
    class_weight
        ``balanced`` weighs classes by their inverse frequency; for classes only.

    Attributes
    ----------
    terms_
        What each column adds, a tuple of `Term`.
    edf_
        Effective degrees of freedom of each term.
    intercept_
        What is added besides.
    score_
        The criterion at the smoothing parameters.
    """

    def __init__(
        self,
        n_splines: int = 10,
        *,
        knots: Knots = "quantile",
        criterion: Criterion = "reml",
        shrink: bool = False,
        gamma: float = 1.0,
        smoothing: float | None = None,
        categorical_features: Sequence[int] | None = None,
        class_weight: Balance = None,
    ) -> None:
        self.n_splines, self.knots, self.criterion = n_splines, knots, criterion
        self.shrink, self.gamma, self.smoothing, self.class_weight = shrink, gamma, smoothing, class_weight
        self.categorical_features = categorical_features

    def _parts(self, rows: Float, weights: Float) -> list[Part]:
        hot = set(self.categorical_features or ())
        return [
            classes_of(values, weights, column)
            if column in hot
            else part_of(values, weights, column, n_splines=self.n_splines, knots=self.knots)
            for column, values in enumerate(rows.T)
        ]

    def _fit_sum(self, parts: list[Part], target: Float, weights: Float, *, is_class: bool) -> "Sum":
        steady = _STEADY if is_class else 0.0
        if self.smoothing is None:
            # The same fit, if penalties are as much smaller.
            weights = weights / self.gamma
        design, places, numbers = design_of(parts, target, weights, shrink=self.shrink, steady=steady)
        family = Binomial(design, self.criterion) if is_class else Gaussian(design, self.criterion)
        if self.smoothing is None:
            logarithms, solution = chosen(family, design)
            scale = self.gamma
        else:
            scale, logarithms = 1.0, np.full(design.groups, np.log(self.smoothing))
            solution = family(logarithms)
        intercept, terms = float(solution.coefficients[0]), []
        for part, place, number in zip(parts, places, numbers, strict=True):
            smoothing = float(np.exp(logarithms[number])) * scale if number >= 0 else None
            term, constant = part.fitted(solution.coefficients[place], solution.freedom[place], smoothing)
            terms.append(term)
            intercept += constant
        return Sum(intercept, tuple(terms), float(solution.score))

    def _complete(self, rows: Float) -> Float:
        """Return rows, in which only columns of classes may have missing values."""
        hot = set(self.categorical_features or ())
        others = [column for column in range(rows.shape[1]) if column not in hot]
        assert_all_finite(rows[:, others], input_name="X", estimator_name=type(self).__name__)
        return rows

    def _finite(self) -> bool | str:
        return "allow-nan" if self.categorical_features else True


@dataclass(frozen=True, eq=False)
class Sum:
    """A fitted sum of terms, which adds them row by row in a fixed order."""

    intercept: float
    """What is added besides."""
    terms: tuple[Term, ...]
    """One for each column."""
    score: float
    """The criterion."""

    @property
    def edf(self) -> Float:
        """Effective degrees of freedom of each term."""
        return np.array([term.edf for term in self.terms])

    def __call__(self, rows: Float) -> Float:
        """Return sums of rows, shape ``(n,)``."""
        total = np.full(len(rows), self.intercept)
        for term in self.terms:
            total = total + term(rows[:, term.column])
        return total


class AdditiveRegressor(RegressorMixin, _Additive):  # type: ignore[misc]
    """An additive model of values, by least squares; parameters and attributes as in `_Additive`.

    Examples
    --------
    >>> rows = np.linspace(0, 6, 60)[:, np.newaxis]
    >>> model = AdditiveRegressor().fit(rows, np.sin(rows[:, 0]))
    >>> model.predict([[1.5]]).round(2)
    array([1.])
    """

    def fit(self, X: Float, y: Float, sample_weight: Float | None = None) -> "AdditiveRegressor":
        """Find the curves."""
        rows, y, weights = training(self, X, y, sample_weight, finite=self._finite())
        self._complete(rows)
        # About its mean, or small residuals of a large target would be lost to rounding.
        centre = float(np.average(y, weights=weights))
        found = self._fit_sum(self._parts(rows, weights), y - centre, weights, is_class=False)
        self.sum_ = Sum(found.intercept + centre, found.terms, found.score)
        self.intercept_, self.terms_, self.edf_ = self.sum_.intercept, found.terms, found.edf
        self.score_ = found.score
        return self

    def predict(self, X: Float) -> Float:
        """Return predictions, shape ``(n,)``."""
        rows = self._complete(asked(self, X, finite=self._finite()))
        return self.sum_(rows)


class AdditiveClassifier(ClassifierMixin, _Additive):  # type: ignore[misc]
    """An additive model of classes, by their log odds; parameters and attributes as in `_Additive`.

    Of more than two classes each has a model against the rest, and the attributes hold one entry for each;
    their probabilities are brought to a sum of 1. Straight parts have a slight penalty, without which classes
    that a covariate tells apart without a fault would have endless odds.
    """

    def fit(self, X: Float, y: NDArray[Any], sample_weight: Float | None = None) -> "AdditiveClassifier":
        """Find the curves."""
        rows, y, weights = training(self, X, y, sample_weight, finite=self._finite())
        self._complete(rows)
        parts = self._parts(rows, weights)
        wanted = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        self.sums_ = [
            self._fit_sum(parts, np.asarray(y == one, dtype=float), weights, is_class=True) for one in wanted
        ]
        several = len(self.sums_) > 1
        self.terms_ = tuple(one.terms for one in self.sums_) if several else self.sums_[0].terms
        self.edf_ = np.stack([one.edf for one in self.sums_]) if several else self.sums_[0].edf
        self.intercept_ = np.array([one.intercept for one in self.sums_])
        self.score_ = np.array([one.score for one in self.sums_])
        return self

    def decision_function(self, X: Float) -> Float:
        """Return log odds, shape ``(n,)``, or of more than two classes each, shape ``(n, classes)``."""
        rows = self._complete(asked(self, X, finite=self._finite()))
        scores = [one(rows) for one in self.sums_]
        return scores[0] if len(scores) == 1 else np.stack(scores, axis=1)

    def predict_proba(self, X: Float) -> Float:
        """Return probabilities of the classes, shape ``(n, classes)``."""
        return probabilities(self.decision_function(X))

    def predict(self, X: Float) -> NDArray[Any]:
        """Return the likeliest classes, shape ``(n,)``."""
        chosen_class = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[chosen_class])
