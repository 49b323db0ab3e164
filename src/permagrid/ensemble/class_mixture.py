"""Bayesian model averaging of classes: the weighted mean of what learners hold each class for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from permagrid.ensemble.mixture import blend, named
from permagrid.ensemble.weights import em_weights, log_likelihood
from permagrid.errors import PermagridError
from permagrid.grid import Float

_LEAST = 1e-9
"""A learner that held what was observed for impossible would be ruled out by one row."""


@dataclass(frozen=True, eq=False)
class ClassMixture:
    """A weighted mean of the class probabilities of learners."""

    weights: Float
    """Shape ``(K,)``, sum 1."""
    classes: NDArray[Any]
    """Sorted classes, shape ``(C,)``."""
    log_scores: Float
    """Mean log of the probability that each learner gave to the observed class, shape ``(K,)``."""
    log_score: float
    """The same of the mixture."""

    def proba(self, probabilities: ArrayLike) -> Float:
        """Return class probabilities of the mixture, each row by itself.

        Parameters
        ----------
        probabilities
            Of the learners, shape ``(n, K, C)``.

        Returns
        -------
        array
            Shape ``(n, C)``; NaN where that of a learner with a weight is.

        Raises
        ------
        PermagridError
            If there are other numbers of learners or classes.
        """
        given = _checked(probabilities, len(self.weights), len(self.classes))
        columns = [
            blend(self.weights, [given[:, k, c] for k in range(len(self.weights))])
            for c in range(len(self.classes))
        ]
        total = np.zeros(len(given))
        for column in columns:
            total = total + column
        return np.stack([column / total for column in columns], axis=1)

    def component_densities(self, probabilities: ArrayLike, observed: ArrayLike) -> Float:
        """Return the probability that each learner gave to the observed class, shape ``(n, K)``."""
        given = _checked(probabilities, len(self.weights), len(self.classes))
        return _given_to(given, np.asarray(observed), self.classes)

    def describe(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """Return what a report tells of the mixture, as plain values."""
        return {
            "method": "classes",
            "log_score": float(self.log_score),
            "learners": [
                {"name": name, "weight": float(self.weights[k]), "log_score": float(self.log_scores[k])}
                for k, name in enumerate(named(names, len(self.weights)))
            ],
        }

    def plain(self) -> dict[str, Any]:
        """Return the mixture as numbers, texts, lists and mappings."""
        return {
            "method": "classes",
            "weights": self.weights.tolist(),
            "classes": self.classes.tolist(),
            "log_scores": self.log_scores.tolist(),
            "log_score": float(self.log_score),
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "ClassMixture":
        """Return the mixture that `plain` wrote."""
        return cls(
            np.array(plain["weights"], dtype=float),
            np.array(plain["classes"]),
            np.array(plain["log_scores"], dtype=float),
            float(plain["log_score"]),
        )


def fit_class_mixture(
    probabilities: ArrayLike,
    observed: ArrayLike,
    classes: ArrayLike,
    *,
    row_weights: ArrayLike | None = None,
) -> ClassMixture:
    """Return the mixture of classes under which what was observed was most probable.

    Parameters
    ----------
    probabilities
        Out-of-fold class probabilities of the learners, shape ``(n, K, C)``: never those of rows that a
        learner was trained with.
    observed
        Observed classes, shape ``(n,)``, each one of `classes`.
    classes
        Sorted classes, shape ``(C,)``, in the order of the probabilities.
    row_weights
        How often each row counts, shape ``(n,)``; once if left out.

    Raises
    ------
    PermagridError
        If shapes do not go together, a probability is missing or none, or an observed class is not listed.

    Notes
    -----
    Raftery et al. (2005), doi:10.1175/MWR2906.1, the density of a member being the probability that it gave
    to the observed class, 1e-9 at the least.

    Examples
    --------
    >>> sure, unsure = [[0.9, 0.1], [0.1, 0.9]], [[0.5, 0.5], [0.5, 0.5]]
    >>> mixture = fit_class_mixture(np.stack([sure, unsure], axis=1), [0, 1], [0, 1])
    >>> mixture.weights
    array([1., 0.])
    """
    listed, found = np.asarray(classes), np.asarray(observed)
    given = _checked(probabilities, None, len(listed))
    if found.shape != (len(given),):
        raise PermagridError(f"{len(given)} rows of probabilities, but observed classes {found.shape}")
    if not np.all(np.isfinite(given)) or given.min() < 0.0 or given.max() > 1.0 + 1e-6:
        raise PermagridError("class probabilities must be finite and lie between 0 and 1")
    unknown = found[~np.isin(found, listed)]
    if len(unknown):
        raise PermagridError(
            f"observed class {unknown[0]!s} is none of the classes {', '.join(map(str, listed))}"
        )
    place = np.array(
        [{label: c for c, label in enumerate(listed.tolist())}[label] for label in found.tolist()]
    )
    densities = np.maximum(given[np.arange(len(given)), :, place], _LEAST)
    counts = np.ones(len(given)) if row_weights is None else np.asarray(row_weights, dtype=float)
    weights = em_weights(densities, row_weights=counts)
    total = float(counts.sum())
    alone = [float((counts * np.log(column)).sum()) / total for column in densities.T]
    mixed = log_likelihood(densities, weights, row_weights=counts) / total
    return ClassMixture(weights, listed, np.array(alone), mixed)


def _given_to(given: Float, observed: NDArray[Any], classes: NDArray[Any]) -> Float:
    place = np.searchsorted(classes, observed)
    return np.maximum(given[np.arange(len(given)), :, place], _LEAST)


def _checked(probabilities: ArrayLike, learners: int | None, classes: int) -> Float:
    given = np.asarray(probabilities, dtype=float)
    wanted = (given.ndim == 3 and given.shape[2] == classes) and (
        given.shape[1] > 0 if learners is None else given.shape[1] == learners
    )
    if not wanted:
        raise PermagridError(
            f"class probabilities have the shape {given.shape}; needed is "
            f"(n, {'learners' if learners is None else learners}, {classes})"
        )
    return given
