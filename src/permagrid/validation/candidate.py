"""A learner that takes part in a comparison: what it sees, how it is built, chosen, weighed and fitted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from permagrid.errors import PermagridError

Float = NDArray[np.float64]

Build = Callable[[Mapping[str, Any], tuple[str, ...]], Any]
"""``(keywords, covariates) -> estimator``, not yet fitted, for rows with these columns in this order."""
Weigh = Callable[[pd.DataFrame], Float]
"""``(training rows) -> weights``, shape ``(n,)``."""


@dataclass(frozen=True)
class Choice:
    """What was chosen from training rows."""

    keywords: Mapping[str, Any]
    """Keywords of the learner."""
    covariates: tuple[str, ...]
    """Covariates that it sees, in order."""
    trail: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What was tried on the way, with its scores; one row each."""
    untried: str = ""
    """Why nothing could be tried, so that it is no choice at all; empty where something was."""


@dataclass(frozen=True)
class Candidate:
    """A learner that takes part in a comparison."""

    build: Build
    """Makes the estimator."""
    covariates: tuple[str, ...]
    """Columns that it sees, in order."""
    keywords: Mapping[str, Any] = field(default_factory=dict)
    """Its keywords."""
    classes: tuple[str, ...] = ()
    """Covariates that hold classes which it keeps apart: one that it did not learn from is unknown to it."""
    choose: "Choose | None" = None
    """Chooses keywords and covariates from the rows that the learner is then fitted to, and from no other."""
    weigh: Weigh | None = None
    """Weights of training rows."""

    @classmethod
    def of(cls, estimator: Any, covariates: Sequence[str], classes: Sequence[str] = ()) -> "Candidate":
        """Return a candidate of a scikit-learn estimator; its keywords are the estimator's parameters.

        Examples
        --------
        >>> from sklearn.linear_model import Ridge
        >>> Candidate.of(Ridge(), ["air", "snow"]).build({"alpha": 2.0}, ("air",))
        Ridge(alpha=2.0)
        """
        return cls(partial(_ready_made, estimator), tuple(covariates), classes=tuple(classes))


Choose = Callable[[Candidate, pd.DataFrame], Choice]
"""``(candidate, training rows) -> choice``; what it returns rests on those rows alone."""


@dataclass(frozen=True)
class Fitted:
    """A learner fitted to rows."""

    estimator: Any
    """The fitted estimator."""
    choice: Choice
    """The keywords and covariates it was fitted with."""
    classes: tuple[str, ...]
    """Class covariates among them."""

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns that it sees, in order."""
        return self.choice.covariates

    def predict(self, table: pd.DataFrame) -> Float:
        """Return predicted values of rows, shape ``(n,)``."""
        return np.asarray(self.estimator.predict(_columns(table, self.covariates)), dtype=float)

    def predict_quantiles(self, table: pd.DataFrame, levels: Float) -> Float:
        """Return quantiles of the predictive distributions of rows, shape ``(n, levels)``."""
        return np.asarray(self.estimator.predict_quantiles(_columns(table, self.covariates), levels), float)

    def predict_proba(self, table: pd.DataFrame, classes: Float) -> Float:
        """Return probabilities of sorted `classes`, shape ``(n, classes)``; 0 for one never learned."""
        out = np.zeros((len(table), len(classes)))
        known = np.searchsorted(classes, self.estimator.classes_)
        out[:, known] = self.estimator.predict_proba(_columns(table, self.covariates))
        return out


def chosen(candidate: Candidate, table: pd.DataFrame) -> Choice:
    """Return the keywords and covariates that a candidate takes for training rows."""
    if candidate.choose is None:
        return Choice(candidate.keywords, candidate.covariates)
    return candidate.choose(candidate, table)


def fit(candidate: Candidate, table: pd.DataFrame) -> Fitted:
    """Return a candidate fitted to rows, after what it chooses is chosen from the same rows.

    Parameters
    ----------
    candidate
        The learner.
    table
        Rows with ``value`` and its covariates, and what its choice and weights ask for.

    Raises
    ------
    PermagridError
        If weights are asked for that the estimator cannot take, or are not positive numbers.
    """
    choice = chosen(candidate, table)
    estimator = candidate.build(choice.keywords, choice.covariates)
    rows, values = _columns(table, choice.covariates), table["value"].to_numpy(float)
    if candidate.weigh is None:
        estimator = estimator.fit(rows, values)
    else:
        estimator = estimator.fit(rows, values, sample_weight=weights_of(candidate.weigh, table))
    return Fitted(estimator, choice, tuple(name for name in candidate.classes if name in choice.covariates))


def weights_of(weigh: Weigh, table: pd.DataFrame) -> Float:
    """Return the weights of training rows, of mean 1.

    Raises
    ------
    PermagridError
        If they are not positive numbers, one per row.
    """
    weights = np.asarray(weigh(table), dtype=float)
    if weights.shape != (len(table),) or not (np.isfinite(weights) & (weights > 0)).all():
        raise PermagridError(
            f"weights: {len(table)} positive numbers are needed, one per training row; found {weights.size}, "
            f"{int((~(weights > 0)).sum())} of them not above 0"
        )
    # So that a penalty or a fewest weight in a leaf means the same with weights and without.
    return np.asarray(weights / weights.mean())


def _columns(table: pd.DataFrame, covariates: Sequence[str]) -> Float:
    return table[list(covariates)].to_numpy(float)


def _ready_made(estimator: Any, keywords: Mapping[str, Any], covariates: tuple[str, ...]) -> Any:
    del covariates
    return clone(estimator).set_params(**keywords)
