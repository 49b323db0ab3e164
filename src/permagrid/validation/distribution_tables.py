"""Tables of predictive distributions: coverage, width, CRPS and PIT by part, with intervals over groups."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError, did_you_mean
from permagrid.validation.folds import Folds
from permagrid.validation.paired import corrected_t, holm
from permagrid.validation.scores import interval, with_draws

Float = NDArray[np.float64]
Index = NDArray[np.int_]
Intervals = Mapping[float, tuple[Float, Float]]
"""Share that is meant to be held -> lower and upper ends, shape ``(n,)`` each."""
Parts = Mapping[str, Any]
"""What rows are told apart by -> a label for each row, shape ``(n,)``; None or NaN for those without one."""

ALL = "all"
"""Label under which all rows stand together."""
COVERAGE = (
    *("learner", "folds", "by", "part", "level", "n", "groups"),
    *("coverage", "low", "high", "width", "unbounded"),
)
"""Columns of `coverage_table`."""


def coverage_table(
    observed: Float,
    intervals: Intervals,
    groups: Index,
    parts: Parts | None = None,
    *,
    learner: str = "",
    folds: str = "",
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return which share of the observations intervals hold, and how wide they are.

    Parameters
    ----------
    observed
        Shape ``(n,)``. Rows of several rounds stand one below the other.
    intervals
        Nominal share -> ends; rows where one is NaN are left out.
    groups
        Units that the bootstrap draws whole, shape ``(n,)``.
    parts
        Besides all rows, those of each label are told by themselves.
    learner, folds
        What the rows of the table are named.
    draws, seed
        Size and seed of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        One row per level and part: ``learner``, ``folds``, ``by``, ``part``, ``level``, ``n`` rows in
        ``groups`` groups, ``coverage`` with its 95 % interval ``low`` to ``high``, mean full ``width`` in the
        unit of the target, of the intervals with an end on both sides, and ``unbounded``, the share of those
        without. Of one group there is no interval. Where all rows are inside, or none, every draw says the
        same; the end that differs is then that of as many independent groups (Clopper and Pearson 1934,
        doi:10.1093/biomet/26.4.404).

    Examples
    --------
    >>> ends = {0.9: (np.zeros(4), np.array([1.0, 1.0, 3.0, 3.0]))}
    >>> table = coverage_table(np.array([0.5, 2.0, 2.0, 2.0]), ends, np.arange(4), {"side": list("aabb")})
    >>> table[["by", "part", "n", "coverage", "width"]].values.tolist()
    [['all', 'all', 4, 0.75, 2.0], ['side', 'a', 2, 0.5, 1.0], ['side', 'b', 2, 1.0, 3.0]]
    """
    columns: list[tuple[Float, NDArray[np.bool_]]] = []
    lines: list[dict[str, Any]] = []
    units = []
    for level, (lower, upper) in intervals.items():
        known = np.isfinite(observed) & ~np.isnan(lower) & ~np.isnan(upper)
        inside = ((lower <= observed) & (observed <= upper)).astype(float)
        with np.errstate(invalid="ignore"):
            width = upper - lower
        for (by, part), mask in _masks(parts or {}, known).items():
            columns.append((inside, mask))
            line = {"learner": learner, "folds": folds, "by": by, "part": part, "level": float(level)}
            units.append(len(np.unique(groups[mask])))
            lines.append({**line, "n": int(mask.sum()), "groups": units[-1], **_widths(width[mask])})
    found = _means(columns, groups, draws, seed)
    for line, many, (mean, low, high) in zip(lines, units, found, strict=True):
        ends = _exact_ends(mean, low, high, many)
        line |= {"coverage": mean, "low": ends[0], "high": ends[1]}
    return pd.DataFrame(lines, columns=list(COVERAGE))


def _widths(width: Float) -> dict[str, float]:
    bounded = np.isfinite(width)
    mean = float(width[bounded].mean()) if bounded.any() else np.nan
    return {"width": mean, "unbounded": float(1.0 - bounded.mean())}


def _exact_ends(mean: float, low: float, high: float, units: int) -> tuple[float, float]:
    if units < 2:
        return np.nan, np.nan
    tail = 0.025 ** (1.0 / units)
    return (min(low, tail) if mean == 1.0 else low), (max(high, 1.0 - tail) if mean == 0.0 else high)


def crps_table(
    losses: Mapping[str, Float],
    groups: Index,
    parts: Parts | None = None,
    *,
    folds: str = "",
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the mean CRPS of learners.

    Parameters
    ----------
    losses
        Learner -> CRPS of each row as `permagrid.validation.distributions.crps` returns it, shape ``(n,)``;
        NaN where it said nothing.
    groups, parts, folds, draws, seed
        As in `coverage_table`.

    Returns
    -------
    pandas.DataFrame
        One row per learner and part: ``learner``, ``folds``, ``by``, ``part``, ``n``, ``crps`` in the unit of
        the target, with its 95 % interval ``low`` to ``high``; no interval of one group.
    """
    columns, lines = [], []
    for learner, each in losses.items():
        for (by, part), mask in _masks(parts or {}, np.isfinite(each)).items():
            columns.append((np.nan_to_num(each), mask))
            line = {"learner": learner, "folds": folds, "by": by, "part": part, "n": int(mask.sum())}
            lines.append(line | {"one": len(np.unique(groups[mask])) < 2})
    for line, (mean, low, high) in zip(lines, _means(columns, groups, draws, seed), strict=True):
        ends = (np.nan, np.nan) if line["one"] else (low, high)
        line |= {"crps": mean, "low": ends[0], "high": ends[1]}
    return pd.DataFrame(lines, columns=["learner", "folds", "by", "part", "n", "crps", "low", "high"])


def paired_crps(
    losses: Mapping[str, Float], scheme: Folds, reference: str, *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Return by how much the CRPS of learners differs from that of one of them, on the same rows and draws.

    Parameters
    ----------
    losses
        Learner -> CRPS of each row, shape ``(repeats, n)``; NaN where a row was not tested.
    scheme
        The folds.
    reference
        The learner that the others are compared with.
    draws, seed
        Size and seed of the bootstrap, which draws the groups of the scheme.

    Returns
    -------
    pandas.DataFrame
        One row per other learner: ``learner``, ``reference``, ``folds``, ``n`` rows that both speak of,
        ``crps``, ``reference_crps``, their ``difference`` (above 0 where the reference is better) with its
        95 % interval ``difference_low`` to ``difference_high``, ``p`` of the corrected resampled t test
        over folds as in `permagrid.validation.paired.paired_differences`, and ``p_holm``, adjusted for the
        number of learners; NaN where there is one fold.

    Raises
    ------
    PermagridError
        If the reference is none of them.
    """
    if reference not in losses:
        raise PermagridError(f"reference {reference}: {did_you_mean(reference, list(losses))}")
    own = np.atleast_2d(losses[reference])
    groups = np.tile(scheme.groups, len(own))
    share = float(np.mean([len(test) / len(train) for train, test in scheme]))
    lines = []
    for learner, other in losses.items():
        if learner == reference:
            continue
        apart = np.atleast_2d(other) - own
        known = np.isfinite(apart)
        column = np.nan_to_num(apart).ravel(), known.ravel()
        mean, low, high = _means([column], groups, draws, seed)[0]
        tested = [
            apart[number, test][known[number, test]].mean()
            for number, pairs in enumerate(scheme.rounds)
            for _, test in pairs
            if known[number, test].any()
        ]
        lines.append(
            {
                "learner": learner,
                "reference": reference,
                "folds": scheme.name,
                "n": int(known.sum()),
                "crps": float(np.atleast_2d(other)[known].mean()) if known.any() else np.nan,
                "reference_crps": float(own[known].mean()) if known.any() else np.nan,
                "difference": mean,
                "difference_low": low,
                "difference_high": high,
                "p": corrected_t(np.array(tested), share) if len(tested) > 1 else np.nan,
            }
        )
    table = pd.DataFrame(lines, columns=list(PAIRED[:-1]))
    return table.assign(p_holm=holm(table["p"].tolist()))


PAIRED = (
    *("learner", "reference", "folds", "n", "crps", "reference_crps"),
    *("difference", "difference_low", "difference_high", "p", "p_holm"),
)
"""Columns of `paired_crps`."""


def pit_histogram(
    values: Float,
    groups: Index,
    *,
    bins: int = 20,
    learner: str = "",
    folds: str = "",
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the histogram of a probability integral transform, 1 throughout where distributions are right.

    Parameters
    ----------
    values
        As `permagrid.validation.distributions.pit` returns them, shape ``(n,)``; NaN is left out.
    groups, learner, folds, draws, seed
        As in `coverage_table`.
    bins
        How many, of equal width.

    Returns
    -------
    pandas.DataFrame
        One row per bin: ``learner``, ``folds``, ``left``, ``right``, ``n`` and ``density``, the share of the
        rows over that of a bin, with its 95 % interval ``low`` to ``high``.

    Examples
    --------
    >>> pit_histogram(np.array([0.1, 0.2, 0.3, 0.9]), np.arange(4), bins=2)["density"].tolist()
    [1.5, 0.5]
    """
    known = np.isfinite(values)
    place = np.minimum((np.nan_to_num(values) * bins).astype(int), bins - 1)
    columns = [(bins * (place == number).astype(float), known) for number in range(bins)]
    lines = []
    for number, (mean, low, high) in enumerate(_means(columns, groups, draws, seed)):
        line = {"learner": learner, "folds": folds, "left": number / bins, "right": (number + 1) / bins}
        here = int(((place == number) & known).sum())
        lines.append({**line, "n": here, "density": mean, "low": low, "high": high})
    return pd.DataFrame(lines)


def _masks(parts: Parts, known: NDArray[np.bool_]) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """Return which rows each label has, those of all first; labels in the order of their values."""
    masks = {(ALL, ALL): known}
    for by, labels in parts.items():
        series = pd.Series(labels)
        if len(series) != len(known):
            raise PermagridError(f"{by}: {len(series)} labels for {len(known)} rows")
        for label in sorted(series.dropna().unique(), key=lambda label: (isinstance(label, str), label)):
            masks[by, str(label)] = (series == label).fillna(False).to_numpy(bool) & known
    return {key: mask for key, mask in masks.items() if mask.any()}


def _means(
    columns: list[tuple[Float, NDArray[np.bool_]]], groups: Index, draws: int, seed: int
) -> list[tuple[float, float, float]]:
    """Return the mean of the values of each column where its mask is, with its interval over groups."""
    if not columns:
        return []
    units, place = np.unique(groups, return_inverse=True)
    count = np.stack([np.bincount(place[mask], minlength=len(units)) for _, mask in columns], axis=1)
    total = np.stack([np.bincount(place[m], part[m], minlength=len(units)) for part, m in columns], axis=1)

    def score(weights: Float | None) -> dict[str, Float]:
        drawn = np.ones((1, len(units))) if weights is None else weights
        with np.errstate(invalid="ignore"):
            # A draw may hold no group of a part.
            found = (drawn @ total) / (drawn @ count)
        return {str(number): found[:, number] for number in range(len(columns))}

    plain, drawn = with_draws(score, np.arange(len(units)), draws=draws, seed=seed)
    return [(plain[name], *interval(drawn[name])) for name in plain]
