"""What changed between epochs, and whether it did: by the members that two epochs have in common."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.grid import Float
from permagrid.inventory.totals import Range, check_level, summarise

Values = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class ChangeMaps:
    """How much each cell changed, by its members; NaN where one of the epochs has no value."""

    mean: Float
    """Mean change, later less earlier, shape ``(n,)``."""
    low: Float
    """Lower end of the range over members."""
    high: Float
    """Upper end of the range."""
    increase: Float
    """Probability that the value grew: share of the members in which it did, of equal values one half."""
    p: Float
    """Two-sided p of no change: twice the smaller share of members on one side, not below what so many
    members can tell."""


def cell_change(before: Values, after: Values, *, level: float = 0.95) -> ChangeMaps:
    """Return the change of each cell between two epochs.

    Parameters
    ----------
    before, after
        Values of the same cells and members, shape ``(n, members)``: member by member one plausible world, so
        that errors which both epochs share fall out of the difference.
    level
        Of the range.

    Raises
    ------
    PermagridError
        If the two differ in shape, there are fewer than two members, or the level is not one.

    Examples
    --------
    >>> one = np.array([[1.0, 2.0, 3.0, 4.0]])
    >>> found = cell_change(one, one + np.array([0.5, 0.5, 0.5, -0.5]))
    >>> found.mean.tolist(), found.increase.tolist(), found.p.tolist()
    ([0.25], [0.75], [0.8])
    """
    check_level(level)
    before, after = np.asarray(before), np.asarray(after)
    if before.shape != after.shape or before.ndim != 2 or before.shape[1] < 2:
        raise PermagridError(
            f"change: two epochs of the same cells and members are needed, found {before.shape} and "
            f"{after.shape}"
        )
    difference = after.astype(float) - before.astype(float)
    members = difference.shape[1]
    lost = np.isnan(difference).any(axis=1)
    difference[lost] = 0.0
    up, down = (difference > 0.0).sum(axis=1), (difference < 0.0).sum(axis=1)
    level_ends = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    low, high = np.quantile(difference, level_ends, axis=1) if len(difference) else np.empty((2, 0))
    least = members - np.maximum(up, down)
    found = (
        difference.mean(axis=1),
        low,
        high,
        (up + 0.5 * (members - up - down)) / members,
        np.minimum(2.0 * (least + 1.0) / (members + 1.0), 1.0),
    )
    return ChangeMaps(*(np.where(lost, np.nan, values) for values in found))


@dataclass(frozen=True)
class TotalChange:
    """The change of a total."""

    range: Range
    """Later less earlier, over members."""
    increase: float
    """Probability that the total grew; of members that did not change one half is counted."""


def total_change(before: Float, after: Float, *, level: float = 0.95) -> TotalChange:
    """Return the change of a total between two epochs, member by member.

    Parameters
    ----------
    before, after
        Totals of the same members, shape ``(members,)``, from `MemberTotals.of`.
    level
        Of the range.

    Raises
    ------
    PermagridError
        If the two have different numbers of members, or fewer than two.

    Examples
    --------
    >>> found = total_change(np.array([10.0, 12.0]), np.array([9.0, 10.0]))
    >>> found.range.mean, found.increase
    (-1.5, 0.0)
    """
    first, second = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    if first.shape != second.shape or first.ndim != 1 or len(first) < 2:
        raise PermagridError(
            f"change: totals of the same members, two or more, are needed, found {first.shape} and "
            f"{second.shape}"
        )
    difference = second - first
    increase = float(((difference > 0.0) + 0.5 * (difference == 0.0)).mean())
    return TotalChange(summarise(difference, level), increase)


@dataclass(frozen=True)
class Discoveries:
    """Which of many tests are taken for real."""

    found: NDArray[np.bool_]
    """True where the hypothesis of no change is refused, shape of the p values."""
    threshold: float
    """The greatest p at which it is; 0 if nowhere."""
    tested: int
    """How many p values there were."""


def false_discovery(p: Float, rate: float = 0.1) -> Discoveries:
    """Return where a map changed if no more than a stated share of these places may be there by chance.

    Parameters
    ----------
    p
        P values, any shape; NaN where nothing was tested.
    rate
        The share. Wilks (2016) takes twice the level meant for the map as a whole where neighbouring cells
        are alike, 0.1 for 0.05.

    Raises
    ------
    PermagridError
        If a p or the rate is not one.

    Notes
    -----
    Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x; on maps Wilks (2016),
    doi:10.1175/BAMS-D-15-00267.1.

    Examples
    --------
    >>> found = false_discovery(np.array([0.001, 0.02, 0.06, 0.5, np.nan]))
    >>> found.found.tolist(), found.threshold
    ([True, True, True, False, False], 0.06)
    """
    check_level(rate)
    values = np.asarray(p, dtype=float)
    known = ~np.isnan(values)
    sorted_p = np.sort(values[known])
    if sorted_p.size and not (sorted_p[0] >= 0.0 and sorted_p[-1] <= 1.0):
        raise PermagridError(f"p values lie from 0 to 1, found {sorted_p[0]:g} to {sorted_p[-1]:g}")
    allowed = rate * np.arange(1, len(sorted_p) + 1) / max(len(sorted_p), 1)
    passed = np.flatnonzero(sorted_p <= allowed)
    if not passed.size:
        return Discoveries(np.zeros(values.shape, dtype=bool), 0.0, len(sorted_p))
    threshold = float(sorted_p[passed[-1]])
    with np.errstate(invalid="ignore"):
        return Discoveries(values <= threshold, threshold, len(sorted_p))
