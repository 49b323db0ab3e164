"""A pipeline whose every step takes the weights of the rows, and that spreads directions over columns."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import has_fit_parameter

from permagrid.errors import PermagridError

DIRECTIONS = "monotonic_cst"
"""The parameter by which estimators of scikit-learn are told the directions of their columns."""


def _last_knows(method: str) -> Callable[[Any], bool]:
    return lambda chain: hasattr(chain.steps[-1][1], method)


class Chain(Pipeline):  # type: ignore[misc]
    """A pipeline of scikit-learn that is fitted with weights as a single estimator is.

    Parameters
    ----------
    steps
        Names and estimators; the last one predicts.
    directions
        For each column of the rows 1 where the prediction may only rise with it, -1 where it may only fall,
        0 where it is free. A step that makes several columns of one makes free ones.
    transform_input, memory, verbose
        As in `sklearn.pipeline.Pipeline`.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> rows, weights = np.array([[0.0], [0.0], [1.0]]), np.array([3.0, 1.0, 1.0])
    >>> chain = scaled(LinearRegression()).fit(rows, [0.0, 4.0, 2.0], sample_weight=weights)
    >>> chain.predict(rows).round(6)
    array([1., 1., 2.])
    """

    def __init__(
        self,
        steps: Sequence[tuple[str, Any]],
        *,
        directions: Sequence[int] | None = None,
        transform_input: Any = None,
        memory: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)
        self.directions = directions

    def fit(
        self,
        X: NDArray[np.float64],
        y: NDArray[np.float64],
        sample_weight: NDArray[np.float64] | None = None,
        **parameters: Any,
    ) -> "Chain":
        """Fit every step, with weights of the rows if there are any.

        Raises
        ------
        PermagridError
            If the last step takes no weights, or directions are wanted of more than two classes.
        """
        rows, learner = np.asarray(X, dtype=float), self.steps[-1][1]
        if self.directions is not None:
            learner.set_params(**{DIRECTIONS: self._spread(rows, np.asarray(y))})
        if sample_weight is not None:
            if not has_fit_parameter(learner, "sample_weight"):
                raise PermagridError(f"{type(learner).__name__} takes no weights of rows")
            parameters |= {
                f"{name}__sample_weight": sample_weight
                for name, step in self.steps
                if has_fit_parameter(step, "sample_weight")
            }
        super().fit(rows, y, **parameters)
        return self

    @available_if(_last_knows("predict_quantiles"))  # type: ignore[untyped-decorator]
    def predict_quantiles(
        self, X: NDArray[np.float64], levels: Sequence[float] | NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return quantiles of predictions, shape ``(n, levels)``, where the last step knows them."""
        return np.asarray(self.steps[-1][1].predict_quantiles(self._transformed(X), levels))

    @available_if(_last_knows("predict_cdf"))  # type: ignore[untyped-decorator]
    def predict_cdf(self, X: NDArray[np.float64], values: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return probabilities that the target is not above a value, where the last step knows them."""
        return np.asarray(self.steps[-1][1].predict_cdf(self._transformed(X), values))

    def _transformed(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = np.asarray(X, dtype=float)
        for _, step in self.steps[:-1]:
            rows = step.transform(rows)
        return rows

    def _spread(self, rows: NDArray[np.float64], y: NDArray[np.float64]) -> list[int]:
        classes = len(np.unique(y))
        if is_classifier(self) and classes > 2:
            raise PermagridError(
                f"monotone: a direction is a matter of two classes at most, and the target has {classes}"
            )
        found = list(self.directions or ())
        for _, step in self.steps[:-1]:
            if hasattr(step, "widths"):
                found = [
                    direction if width == 1 else 0
                    for direction, width in zip(found, step.widths(rows), strict=True)
                    for _ in range(width)
                ]
        return found


def scaled(estimator: Any) -> Chain:
    """Return an estimator of columns with mean 0 and standard deviation 1, as in its training rows."""
    return Chain([("scale", StandardScaler()), ("learner", estimator)])
