"""Classes within an estimator: a column for each class, or categories of the learner's own."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, is_classifier
from sklearn.pipeline import Pipeline

from permagrid.errors import PermagridError
from permagrid.learners.chain import DIRECTIONS, Chain

ClassEncoding = Literal["one_hot", "native", "codes"]

_NATIVE = "categorical_features"
"""The parameter by which an estimator of scikit-learn is told which columns are categories."""


class ClassEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns class codes into what a learner can use, by the classes of its training rows.

    A row is encoded alike whatever rows are beside it. A class that no training row had is none of the
    known ones: zeros in all their columns, or missing where they are categories.

    Parameters
    ----------
    columns
        Places of the class covariates among the columns; the others pass as they are.
    names
        Names of these covariates, for messages.
    encoding
        ``one_hot`` puts a column of 0 and 1 for each class, by rising code, in the place of each class
        covariate; ``native`` numbers the classes from 0 by rising code.
    most
        Most classes that a covariate may have, if there is a limit.

    Examples
    --------
    >>> rows = np.array([[0.5, 3.0], [0.1, 7.0]])
    >>> encoder = ClassEncoder(columns=(1,)).fit(rows)
    >>> encoder.transform(np.array([[0.2, 7.0], [0.3, 4.0]]))
    array([[0.2, 0. , 1. ],
           [0.3, 0. , 0. ]])
    """

    def __init__(
        self,
        columns: Sequence[int] = (),
        *,
        names: Sequence[str] = (),
        encoding: Literal["one_hot", "native"] = "one_hot",
        most: int | None = None,
    ) -> None:
        self.columns, self.names, self.encoding, self.most = columns, names, encoding, most

    def fit(self, X: NDArray[np.float64], y: object = None) -> "ClassEncoder":
        """Learn the classes of the class columns.

        Raises
        ------
        PermagridError
            If a covariate has more classes than the learner takes.
        """
        del y
        rows = np.asarray(X, dtype=float)
        self.n_features_in_ = rows.shape[1]
        self.categories_ = {int(column): np.unique(rows[:, column]) for column in self.columns}
        names = self.names or [f"in column {column}" for column in self.columns]
        for name, codes in zip(names, self.categories_.values(), strict=True):
            if self.most is not None and len(codes) > self.most:
                raise PermagridError(
                    f"covariate {name} has {len(codes)} classes at the sites, and the learner takes at most "
                    f"{self.most} of its own; set classes: one_hot for it, or join classes"
                )
        return self

    def transform(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return encoded rows, shape ``(n, encoded columns)``."""
        rows = np.asarray(X, dtype=float)
        parts = [
            self._encoded(rows[:, column], self.categories_[column])
            if column in self.categories_
            else rows[:, column, np.newaxis]
            for column in range(rows.shape[1])
        ]
        return np.concatenate(parts, axis=1)

    def widths(self, X: NDArray[np.float64]) -> list[int]:
        """Return how many columns are made of each column of training rows."""
        hot = set(self.columns) if self.encoding == "one_hot" else set()
        return [len(np.unique(column)) if index in hot else 1 for index, column in enumerate(X.T)]

    def _encoded(self, codes: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
        same = codes[:, np.newaxis] == known
        if self.encoding == "one_hot":
            return np.asarray(same, dtype=float)
        return np.where(same.any(axis=1), same.argmax(axis=1), np.nan)[:, np.newaxis]


def encoding_for(estimator: Any, learner: str, wanted: ClassEncoding | None) -> ClassEncoding:
    """Return how classes enter an estimator: as it is wanted, or its own way if it has one, else one-hot.

    Raises
    ------
    PermagridError
        If ``native`` is wanted of a learner that has no way of its own.
    """
    able = _NATIVE in estimator.get_params()
    if wanted == "native" and not able:
        raise PermagridError(
            f"{learner} has no way of its own for classes; allowed for classes: one_hot, codes"
        )
    return wanted or ("native" if able else "one_hot")


def with_classes(
    estimator: Any, covariates: Sequence[str], classes: Sequence[str], encoding: ClassEncoding
) -> Any:
    """Return an estimator of rows of covariates, some of which are classes.

    Parameters
    ----------
    estimator
        A scikit-learn estimator, not yet fitted.
    covariates
        Names of the columns.
    classes
        Those that hold class codes.
    encoding
        How they enter the estimator; with ``codes`` it takes them for numbers.
    """
    directions = estimator.get_params().get(DIRECTIONS)
    steps = list(estimator.steps) if isinstance(estimator, Pipeline) else [("learner", estimator)]
    if encoding == "codes" or not classes:
        # Only what sees the target knows whether directions are wanted of more than two classes.
        wrapped = directions is not None and is_classifier(estimator)
        return Chain(steps, directions=directions) if wrapped else estimator
    columns = tuple(index for index, name in enumerate(covariates) if name in classes)
    names = tuple(covariates[index] for index in columns)
    most = None
    if encoding == "native":
        estimator = estimator.set_params(**{_NATIVE: list(columns)})
        most = estimator.get_params().get("max_bins")
    encoder = ClassEncoder(columns, names=names, encoding=encoding, most=most)
    return Chain([("classes", encoder), *steps], directions=directions)
