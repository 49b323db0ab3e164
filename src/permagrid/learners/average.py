"""The mean of several learners, each fitted to the same rows."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from permagrid.errors import PermagridError
from permagrid.learners.nested import Float, fitted, nested, seen
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.traits import traits


@LEARNERS.register
@traits(by_name=True, weights=True)
def average(setting: Setting, *, learners: list[dict[str, Any]]) -> "AverageRegressor | AverageClassifier":
    """Return the mean of the predictions of several learners, or of their probabilities.

    Learners that err in different ways err less together (Perrone and Cooper 1993,
    doi:10.1142/9789812795885_0025). Equal weights have nothing to learn and so nothing to overfit; a search
    over lists of learners, with ``search: {space: {learners: [[...], [...]]}}``, chooses which take part.

    Parameters
    ----------
    setting
        What it is built for.
    learners
        Each as in `learners` of a study, such as ``[{name: random_forest}, {name: support_vectors, C: 3}]``;
        each sees every covariate, or those that its ``covariates`` names.

    Raises
    ------
    PermagridError
        If there are none, or one is unknown or has unfit keywords.
    """
    if not learners:
        raise PermagridError("average: learners is empty; name at least one, such as {name: random_forest}")
    members = [
        nested("average", f"learners[{number}]", given, setting) for number, given in enumerate(learners)
    ]
    model = AverageRegressor if setting.task == "value" else AverageClassifier
    return model([member for member, _ in members], [columns for _, columns in members], learners)


class _Average(BaseEstimator):  # type: ignore[misc]
    """What both means share.

    Parameters
    ----------
    learners
        The members, not yet fitted.
    columns
        Places of the columns that each sees; None for all.
    described
        What each is made of, as a study says it.
    """

    _method: ClassVar[str]

    def __init__(
        self,
        learners: Sequence[Any],
        columns: Sequence[tuple[int, ...] | None],
        described: Sequence[Mapping[str, Any]],
    ) -> None:
        self.learners, self.columns, self.described = learners, columns, described

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit every member to the same rows."""
        target = np.asarray(y)
        self.n_features_in_ = np.asarray(X).shape[1]
        self.members_ = [
            fitted(learner, seen(X, columns), target, sample_weight)
            for learner, columns in zip(self.learners, self.columns, strict=True)
        ]
        return self

    def members(self) -> list[tuple[Mapping[str, Any], tuple[int, ...] | None]]:
        """Return what each member is made of, and the places of the columns that it sees, None for all.

        All members have the seed of the study: two that are made of the same and see the same covariates are
        the same, in whatever mean they stand, and a search over means fits them once.
        """
        return list(zip(self.described, self.columns, strict=True))

    def said_by(
        self, number: int, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, rows: ArrayLike
    ) -> Float:
        """Return what one member, fitted to `X` and `y`, predicts for other rows; it is not kept."""
        learner, columns = self.learners[number], self.columns[number]
        return self._said(fitted(learner, seen(X, columns), np.asarray(y), sample_weight), columns, rows)

    def combined(self, said: Sequence[Float]) -> Float:
        """Return the mean of what the members say, added up in their order."""
        total = said[0].copy()
        for each in said[1:]:
            total += each
        return np.asarray(total / len(said))

    def _said(self, member: Any, columns: tuple[int, ...] | None, rows: ArrayLike) -> Float:
        return np.asarray(getattr(member, self._method)(seen(rows, columns)), dtype=float)

    def _mean(self, X: ArrayLike) -> Float:
        members = zip(self.members_, self.columns, strict=True)
        return self.combined([self._said(member, columns, X) for member, columns in members])


class AverageRegressor(RegressorMixin, _Average):  # type: ignore[misc]
    """The mean of predicted values; parameters as those of its base."""

    _method = "predict"

    def predict(self, X: ArrayLike) -> Float:
        """Return predictions, shape ``(n,)``."""
        return self._mean(X)


class AverageClassifier(ClassifierMixin, _Average):  # type: ignore[misc]
    """The mean of probabilities; parameters as those of its base."""

    _method = "predict_proba"

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit every member to the same rows."""
        self.classes_ = np.unique(np.asarray(y))
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X: ArrayLike) -> Float:
        """Return probabilities, shape ``(n, classes)``."""
        return self._mean(X)

    def predict(self, X: ArrayLike) -> Any:
        """Return the most probable classes, shape ``(n,)``."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
