"""What is known of the intervals of learners: all tables of a run, from quantiles of tested rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.validation.conformal import calibrated_out_of_fold
from permagrid.validation.distribution_tables import (
    COVERAGE,
    PAIRED,
    Intervals,
    Parts,
    coverage_table,
    crps_table,
    paired_crps,
    pit_histogram,
)
from permagrid.validation.distributions import NOMINAL, central_intervals, crps, pit
from permagrid.validation.folds import Folds

Float = NDArray[np.float64]

DI_BIN = "di_bin"
"""Name of the labels that bin rows by their dissimilarity index."""


@dataclass(frozen=True)
class IntervalEvidence:
    """How far intervals are to be trusted."""

    coverage: pd.DataFrame
    """As `permagrid.validation.distribution_tables.coverage_table`; parts of the reference alone."""
    crps: pd.DataFrame
    """As `permagrid.validation.distribution_tables.crps_table`."""
    paired: pd.DataFrame
    """As `permagrid.validation.distribution_tables.paired_crps`."""
    pit: pd.DataFrame
    """As `permagrid.validation.distribution_tables.pit_histogram`."""

    def plain(self) -> dict[str, list[dict[str, Any]]]:
        """Return the tables as records of plain values, with None for what is not known."""
        return {each.name: plain_records(getattr(self, each.name)) for each in fields(self)}


def interval_evidence(
    observed: Float,
    quantiles: Mapping[tuple[str, str], Float],
    schemes: Sequence[Folds],
    *,
    reference: str,
    parts: Mapping[str, Parts] | None = None,
    nominal: Sequence[float] = NOMINAL,
    draws: int = 1000,
    seed: int = 0,
) -> IntervalEvidence:
    """Return coverage, CRPS and PIT of learners under all fold schemes.

    Parameters
    ----------
    observed
        Shape ``(n,)``.
    quantiles
        Learner and scheme -> quantiles at `permagrid.validation.levels.LEVELS`, shape
        ``(repeats, n, levels)``; NaN where a row was not tested.
    schemes
        The folds.
    reference
        The learner that the others are compared with, and that is told by parts.
    parts
        Scheme -> what its rows are told apart by -> labels, shape ``(n,)`` or ``(repeats, n)``.
    nominal
        Shares that intervals are meant to hold.
    draws, seed
        Size and seed of the bootstrap; the latter also that of `permagrid.validation.distributions.pit`.

    Raises
    ------
    PermagridError
        If the reference has no quantiles under a scheme, or shapes do not fit.
    """
    found: dict[str, list[pd.DataFrame]] = {each.name: [] for each in fields(IntervalEvidence)}
    for scheme in schemes:
        mine = {learner: each for (learner, folds), each in quantiles.items() if folds == scheme.name}
        if reference not in mine:
            raise PermagridError(f"reference {reference} has no quantiles under {scheme.name} folds")
        groups, truth = np.tile(scheme.groups, scheme.repeats), np.tile(observed, scheme.repeats)
        told = _labels((parts or {}).get(scheme.name, {}), scheme)
        losses = {}
        for learner, each in mine.items():
            rows = each.reshape(len(truth), -1)
            losses[learner] = crps(rows, truth)
            named: dict[str, Any] = {"learner": learner, "folds": scheme.name, "draws": draws, "seed": seed}
            own = told if learner == reference else {}
            intervals = central_intervals(rows, nominal)
            found["coverage"].append(coverage_table(truth, intervals, groups, own, **named))
            found["pit"].append(pit_histogram(pit(rows, truth, seed), groups, **named))
        found["crps"].append(crps_table(losses, groups, folds=scheme.name, draws=draws, seed=seed))
        rounds = {name: each.reshape(scheme.repeats, -1) for name, each in losses.items()}
        found["paired"].append(paired_crps(rounds, scheme, reference, draws=draws, seed=seed))
    return IntervalEvidence(**{name: _joined(tables) for name, tables in found.items()})


def conformal_intervals(
    observed: Float,
    quantiles: Float,
    scheme: Folds,
    *,
    nominal: Sequence[float] = NOMINAL,
    bins: Any = None,
) -> dict[str, Intervals]:
    """Return intervals as they were stated and as they are once calibrated, each fold by all others.

    Parameters
    ----------
    observed, quantiles, scheme
        As in `interval_evidence`, of one learner under one scheme.
    nominal
        Shares that are to be held.
    bins
        Labels as in `interval_evidence`, for ``mondrian``; without them there is no such method.

    Returns
    -------
    dict
        ``stated``, ``split``, ``cqr`` and ``mondrian`` -> share -> lower and upper ends, shape
        ``(repeats, n)`` each, to which others may be added for `conformal_table`.
    """
    shape = (scheme.repeats, len(observed))
    said = np.asarray(quantiles).reshape(*shape, -1)
    stated = central_intervals(said.reshape(shape[0] * shape[1], -1), nominal)
    found: dict[str, Intervals] = {
        "stated": {level: (low.reshape(shape), high.reshape(shape)) for level, (low, high) in stated.items()}
    }
    labels = None if bins is None else np.broadcast_to(np.asarray(bins, dtype=object), shape)
    for method in ("split", "cqr") if labels is None else ("split", "cqr", "mondrian"):
        ends = {float(level): (np.empty(shape), np.empty(shape)) for level in nominal}
        for level, (lower, upper) in ends.items():
            for number in range(scheme.repeats):
                mine = None if labels is None else labels[number]
                lower[number], upper[number] = calibrated_out_of_fold(
                    observed, said[number], scheme.numbers(number), method, level, bins=mine
                )
        found[method] = ends
    return found


def conformal_table(
    observed: Float,
    intervals: Mapping[str, Intervals],
    scheme: Folds,
    parts: Parts | None = None,
    *,
    learner: str = "",
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return coverage and width of intervals by the method that made them.

    Parameters
    ----------
    observed, scheme, draws, seed
        As in `interval_evidence`.
    intervals
        Method -> intervals, as `conformal_intervals` and
        `permagrid.validation.conformal_folds.cv_plus_out_of_fold` return them.
    parts
        What rows are told apart by -> labels.
    learner
        Whose intervals they are.

    Returns
    -------
    pandas.DataFrame
        As `permagrid.validation.distribution_tables.coverage_table`, with ``method`` before the others.
    """
    groups, truth = np.tile(scheme.groups, scheme.repeats), np.tile(observed, scheme.repeats)
    tables = []
    for method, each in intervals.items():
        flat = {level: (low.ravel(), high.ravel()) for level, (low, high) in each.items()}
        named: dict[str, Any] = {"learner": learner, "folds": scheme.name, "draws": draws, "seed": seed}
        table = coverage_table(truth, flat, groups, _labels(parts or {}, scheme), **named)
        table.insert(0, "method", method)
        tables.append(table)
    return _joined(tables) if tables else pd.DataFrame(columns=["method", *COVERAGE])


def index_edges(index: Float, threshold: float, *, bins: int = 3) -> Float:
    """Return edges of bins of the dissimilarity index, each with as many of the rows inside the threshold.

    Parameters
    ----------
    index
        Dissimilarity index of tested rows, of any shape; NaN is left out.
    threshold
        Above it a row lies outside the area of applicability.
    bins
        How many of the rows inside.

    Returns
    -------
    array
        From 0 to the threshold, shape ``(bins + 1,)``; fewer where rows are tied.

    Examples
    --------
    >>> index_edges(np.array([0.1, 0.2, 0.3, 0.4, 0.9]), 0.5, bins=2).round(3).tolist()
    [0.0, 0.25, 0.5]
    """
    values = np.asarray(index, dtype=float)
    inside = values[values <= threshold]
    inner = np.quantile(inside, np.linspace(0.0, 1.0, bins + 1)[1:-1]) if inside.size else np.empty(0)
    return np.unique(np.concatenate([[0.0], inner, [float(threshold)]]))


def index_bins(index: Float, edges: Float) -> NDArray[np.object_]:
    """Return labels of rows or cells by their dissimilarity index.

    Parameters
    ----------
    index
        Of any shape; where it is NaN there is no label.
    edges
        As `index_edges` returns them; what is above the last lies outside the area of applicability.

    Examples
    --------
    >>> index_bins(np.array([0.1, 0.25, 0.4, 0.9]), np.array([0.0, 0.25, 0.5])).tolist()
    ['0.00 to 0.25', '0.00 to 0.25', '0.25 to 0.50', 'above 0.50']
    """
    values = np.asarray(index, dtype=float)
    names = [f"{low:.2f} to {high:.2f}" for low, high in pairwise(edges)] + [f"above {edges[-1]:.2f}"]
    place = np.searchsorted(edges[1:], values, side="left")
    out = np.array(names, dtype=object)[place]
    out[np.isnan(values)] = None
    return np.asarray(out)


def plain_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain values, with None for what is not known.

    Examples
    --------
    >>> plain_records(pd.DataFrame({"learner": ["mean"], "n": np.array([3]), "p": [np.nan]}))
    [{'learner': 'mean', 'n': 3, 'p': None}]
    """
    return [{str(key): _plain(value) for key, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _labels(parts: Parts, scheme: Folds) -> dict[str, Any]:
    shape = (scheme.repeats, len(scheme.groups))
    return {
        by: np.broadcast_to(np.asarray(labels, dtype=object), shape).ravel() for by, labels in parts.items()
    }


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    some = [table for table in tables if len(table)]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame(columns=list(PAIRED))
