"""Learners of classes that describe each class by a normal distribution and ask which is the likeliest."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from permagrid.learners.chain import scaled
from permagrid.learners.ranges import Balance, share
from permagrid.learners.row_wise import softmax, weighted_sum
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.training import asked, training
from permagrid.learners.traits import traits

Float = NDArray[np.float64]
Covariance = Literal["shared", "own", "diagonal"]

_LEAST = 1e-9
"""Least variance along any direction, as a share of the mean variance."""


@LEARNERS.register
@traits(
    tasks=("class",),
    space={"shrinkage": (0.001, 0.03, 0.1, 0.3), "class_weight": (None, "balanced")},
    weights=True,
)
def linear_discriminant(setting: Setting, *, shrinkage: float = 0.03, class_weight: Balance = None) -> Any:
    """Return linear discriminant analysis: classes of one covariance (Fisher 1936).

    The covariance is shrunk towards a multiple of the identity (Friedman 1989,
    doi:10.1080/01621459.1989.10478752); doi:10.1111/j.1469-1809.1936.tb02137.x.

    Parameters
    ----------
    setting
        What it is built for.
    shrinkage
        Share of the identity in the covariance, above 0 to 1.
    class_weight
        ``balanced`` takes all classes for equally frequent.

    Raises
    ------
    PermagridError
        If `shrinkage` is no share.
    """
    del setting
    share("linear_discriminant", shrinkage=shrinkage)
    return scaled(Discriminant("shared", shrinkage=shrinkage, class_weight=class_weight))


@LEARNERS.register
@traits(
    tasks=("class",),
    space={"shrinkage": (0.01, 0.1, 0.3, 0.6), "class_weight": (None, "balanced")},
    weights=True,
)
def quadratic_discriminant(setting: Setting, *, shrinkage: float = 0.1, class_weight: Balance = None) -> Any:
    """Return quadratic discriminant analysis: each class with a covariance of its own (Friedman 1989).

    Each is shrunk towards a multiple of the identity, without which a class of few rows, or one that a
    class covariate tells apart, has none; doi:10.1080/01621459.1989.10478752.

    Parameters
    ----------
    setting
        What it is built for.
    shrinkage
        Share of the identity in the covariances, above 0 to 1.
    class_weight
        ``balanced`` takes all classes for equally frequent.

    Raises
    ------
    PermagridError
        If `shrinkage` is no share.
    """
    del setting
    share("quadratic_discriminant", shrinkage=shrinkage)
    return scaled(Discriminant("own", shrinkage=shrinkage, class_weight=class_weight))


@LEARNERS.register
@traits(
    tasks=("class",),
    space={"shrinkage": (0.0001, 0.01, 0.1), "class_weight": (None, "balanced")},
    weights=True,
)
def naive_bayes(setting: Setting, *, shrinkage: float = 0.01, class_weight: Balance = None) -> Any:
    """Return naive Bayes: within a class, covariates are normal and independent (Hand and Yu 2001).

    Its probabilities are too sure where covariates say the same thing.
    doi:10.1111/j.1751-5823.2001.tb00465.x.

    Parameters
    ----------
    setting
        What it is built for.
    shrinkage
        Share of the mean variance in each variance, above 0 to 1.
    class_weight
        ``balanced`` takes all classes for equally frequent.

    Raises
    ------
    PermagridError
        If `shrinkage` is no share.
    """
    del setting
    share("naive_bayes", shrinkage=shrinkage)
    return scaled(Discriminant("diagonal", shrinkage=shrinkage, class_weight=class_weight))


class Discriminant(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classes as normal distributions, whose answer for a row does not depend on the rows beside it.

    Parameters
    ----------
    covariance
        ``shared`` by all classes, each its ``own``, or ``diagonal``, each its own variances.
    shrinkage
        Share, 0 to 1, of a multiple of the identity with the same mean variance.
    class_weight
        ``balanced`` weighs classes by their inverse frequency.

    Attributes
    ----------
    classes_
        Sorted classes.
    priors_
        Frequencies of the classes.
    means_
        Means, shape ``(classes, columns)``.

    Examples
    --------
    >>> rows = np.array([[-1.2], [-0.8], [0.9], [1.1]])
    >>> Discriminant().fit(rows, [0, 0, 1, 1]).predict([[-0.1], [0.2]])
    array([0, 1])
    """

    def __init__(
        self, covariance: Covariance = "shared", *, shrinkage: float = 0.0, class_weight: Balance = None
    ) -> None:
        self.covariance, self.shrinkage, self.class_weight = covariance, shrinkage, class_weight

    def fit(self, X: Float, y: NDArray[Any], sample_weight: Float | None = None) -> "Discriminant":
        """Find the distributions, by maximum likelihood with weights of rows."""
        X, y, weights = training(self, X, y, sample_weight)
        members = [np.where(y == one, weights, 0.0) for one in self.classes_]
        sums = np.array([member.sum() for member in members])
        self.priors_ = sums / sums.sum()
        self.means_ = np.stack([member @ X / total for member, total in zip(members, sums, strict=True)])
        spreads = [
            ((X - mean).T * member) @ (X - mean) / total
            for member, mean, total in zip(members, self.means_, sums, strict=True)
        ]
        if self.covariance == "shared":
            pooled = np.tensordot(self.priors_, spreads, axes=1)
            spreads = [pooled] * len(spreads)
        whitened = [self._whitening(spread) for spread in spreads]
        self._roots = [root for root, _ in whitened]
        self._constants = np.log(self.priors_) - 0.5 * np.array([log for _, log in whitened])
        return self

    def _whitening(self, spread: Float) -> tuple[Float, float]:
        """Return a root R of the inverse covariance, R R' = inverse, and the log of the determinant."""
        if self.covariance == "diagonal":
            spread = np.diag(np.diag(spread))
        mean = float(np.trace(spread)) / len(spread) or 1.0
        shrunk = (1.0 - self.shrinkage) * spread + self.shrinkage * mean * np.eye(len(spread))
        values, vectors = np.linalg.eigh(shrunk)
        values = np.maximum(values, _LEAST * mean)
        return vectors / np.sqrt(values), float(np.log(values).sum())

    def decision_function(self, X: Float) -> Float:
        """Return log-likelihoods of the classes, shape ``(n, classes)``; of two classes their difference."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def _scores(self, X: Float) -> Float:
        rows, scores = asked(self, X), []
        for mean, root, constant in zip(self.means_, self._roots, self._constants, strict=True):
            apart, total = rows - mean, np.zeros(len(rows))
            for direction in root.T:
                along = weighted_sum(apart, direction)
                total += along * along
            scores.append(constant - 0.5 * total)
        return np.stack(scores, axis=1)

    def predict_proba(self, X: Float) -> Float:
        """Return probabilities of the classes, shape ``(n, classes)``."""
        return softmax(self._scores(X))

    def predict(self, X: Float) -> NDArray[Any]:
        """Return the likeliest classes, shape ``(n,)``."""
        likeliest = self._scores(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])
