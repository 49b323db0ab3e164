"""Layers that say of every cell of a map whether it may be believed, for the block engine."""

from collections.abc import Callable

import numpy as np

from permagrid.grid import Float
from permagrid.prediction.applicability import Applicability
from permagrid.prediction.error_model import ErrorModel

APPLICABILITY_LAYERS = ("di", "aoa", "lpd", "expected_error")
"""Dissimilarity index [1], 1 inside the area of applicability and 0 outside it, number of near training rows,
and the error to be expected [unit of the target, or probability]."""


def applicability_outputs(
    applicability: Applicability, error_model: ErrorModel | None = None
) -> Callable[[Float], Float]:
    """Return the function that `predict_blocks` calls with rows of covariates, for `APPLICABILITY_LAYERS`.

    Parameters
    ----------
    applicability
        Of the learner that makes the map; rows have its covariates in its order.
    error_model
        Error by nearness; without one no cell has an expected error.

    Returns
    -------
    function
        Rows, shape ``(n, covariates)``, to outputs, shape ``(n, 4)``; the expected error is NaN where
        nothing is known of cells so far away.

    Examples
    --------
    >>> from permagrid.prediction.applicability import fit_applicability
    >>> fitted = fit_applicability(np.array([[0.0], [1.0], [2.0]]), None, None, covariates=["cold"])
    >>> applicability_outputs(fitted)(np.array([[1.0], [9.0]])).tolist()
    [[0.0, 1.0, 1.0, nan], [5.25, 0.0, 0.0, nan]]
    """

    def outputs(rows: Float) -> Float:
        di, density = applicability.neighbours(rows)
        inside = (di <= applicability.threshold).astype(float)
        if error_model is None:
            error = np.full(len(di), np.nan)
        else:
            error = error_model.expected_error(di if error_model.by == "di" else density)
        return np.stack([di, inside, density, error], axis=1)

    return outputs
