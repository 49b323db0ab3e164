"""Rows that a prediction is asked of: checked, and in which order they are taken."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from permagrid.compiled.nodes import Index
from permagrid.compiled.ranks import complete
from permagrid.errors import PermagridError


def asked_rows(rows: NDArray[Any], columns: int, order: Index | None) -> tuple[NDArray[Any], Index]:
    """Return checked rows, and the places of those that lack no value, in the order they are taken in.

    Parameters
    ----------
    rows
        Shape ``(n, columns)``.
    columns
        How many are read.
    order
        Places of the rows, shape ``(n,)``; as they stand if None.

    Raises
    ------
    PermagridError
        If rows have another number of covariates, or the order is not one of them.
    """
    rows = np.asarray(rows)
    if rows.ndim != 2 or rows.shape[1] != columns:
        raise PermagridError(f"{columns} columns are read; found an array of shape {rows.shape}")
    if rows.dtype not in (np.float32, np.float64):
        rows = rows.astype(float)
    wanted = np.arange(len(rows)) if order is None else np.ascontiguousarray(order, dtype=np.int64)
    if wanted.shape != (len(rows),):
        raise PermagridError(f"an order of {len(rows)} rows was expected; found shape {wanted.shape}")
    places = np.empty(len(rows), dtype=np.int64)
    return rows, places[: complete(rows, wanted, places)]
