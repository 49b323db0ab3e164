"""Bayesian model averaging of classifiers as a scikit-learn estimator."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from permagrid.ensemble.class_mixture import ClassMixture, fit_class_mixture
from permagrid.ensemble.defaults import default_classifiers
from permagrid.ensemble.out_of_fold import Named, checked_estimators, fit_clone, fold_pairs, out_of_fold
from permagrid.ensemble.regressor import asked_rows, checked_weights, training_rows
from permagrid.errors import PermagridError
from permagrid.grid import Float


class BMAClassifier(ClassifierMixin, _BaseComposition):  # type: ignore[misc]
    """Bayesian model averaging of classifiers: the weighted mean of their probabilities.

    Weights are those under which what was observed was most probable, by probabilities that clones of the
    learners gave to rows they were not trained with. The learners are then fitted to all rows.

    Parameters
    ----------
    estimators
        Pairs of a name and a classifier with ``predict_proba``. If left out: logistic regression, the same
        on splines, a random forest and LightGBM, see `permagrid.ensemble.defaults.default_classifiers`.
    cv
        Number of folds (5 if left out; whole groups where `fit` is given groups, else with the shares of
        classes kept), a splitter of scikit-learn, or pairs of training and test rows. A class that a fold
        has no training rows of is given the probability 0 there.
    random_state
        Seed of folds and of the default learners.

    Attributes
    ----------
    mixture_
        The fitted `ClassMixture`.
    classes_
        Sorted classes.
    estimators_, names_
        The learners, fitted to all rows, and their names.
    weights_
        Shape ``(K,)``.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> rows = np.random.default_rng(0).random((60, 2))
    >>> learners = [("line", LogisticRegression()), ("tree", DecisionTreeClassifier(max_depth=2))]
    >>> model = BMAClassifier(learners).fit(rows, np.where(rows[:, 0] > 0.5, "frozen", "thawed"))
    >>> model.predict([[0.9, 0.5]])
    array(['frozen'], dtype='<U6')
    """

    def __init__(
        self, estimators: Named | None = None, *, cv: Any = None, random_state: int | None = 0
    ) -> None:
        self.estimators = estimators
        self.cv = cv
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
            Observed classes, shape ``(n,)``.
        sample_weight
            Of rows, if all learners take weights.
        groups
            Group of each row, such as its borehole, for `cv`.

        Raises
        ------
        PermagridError
            If a learner fails, which is named, or there is one class only.
        """
        named = checked_estimators(
            default_classifiers(self.random_state) if self.estimators is None else self.estimators
        )
        X, target = training_rows(self, X, y)
        check_classification_targets(target)
        self.classes_, codes = np.unique(target, return_inverse=True)
        if len(self.classes_) < 2:
            raise PermagridError(f"one class only, {self.classes_[0]}: a classifier needs two or more")
        weights = checked_weights(sample_weight, len(codes))
        pairs = fold_pairs(self.cv, X, codes, groups, classes=True, seed=self.random_state)
        unseen = out_of_fold(named, X, codes, pairs, sample_weight=weights, predict=self._probabilities)
        held = unseen.counts > 0.0
        self.mixture_: ClassMixture = fit_class_mixture(
            unseen.predictions[held],
            codes[unseen.rows][held],
            np.arange(len(self.classes_)),
            row_weights=unseen.counts[held],
        )
        self.names_ = [name for name, _ in named]
        self.estimators_ = [
            fit_clone(name, estimator, X, codes, weights, where="on all rows") for name, estimator in named
        ]
        self.weights_ = self.mixture_.weights
        return self

    def predict_proba(self, X: Any) -> Float:
        """Return class probabilities, shape ``(n, classes)``."""
        check_is_fitted(self, "mixture_")
        X = asked_rows(self, X)
        each = [self._probabilities(estimator, X) for estimator in self.estimators_]
        return self.mixture_.proba(np.stack(each, axis=1))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row, shape ``(n,)``."""
        likeliest = np.argmax(self.predict_proba(X), axis=1)
        return np.asarray(self.classes_[likeliest])

    def describe(self) -> dict[str, Any]:
        """Return weights and what else a report tells, as plain values."""
        check_is_fitted(self, "mixture_")
        return self.mixture_.describe(self.names_)

    def _probabilities(self, fitted: Any, X: Any) -> Float:
        found = np.zeros((len(X), len(self.classes_)))
        found[:, np.asarray(fitted.classes_, dtype=int)] = fitted.predict_proba(X)
        return found
