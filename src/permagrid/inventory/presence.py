"""How much permafrost there is: area by probability, zones, and the threshold that keeps the area."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.grid import Float
from permagrid.inventory.exact import ExactSums
from permagrid.inventory.totals import KM2, Index, MemberTotals

Codes = NDArray[np.uint8]

ZONES: tuple[str, ...] = ("none", "isolated", "sporadic", "discontinuous", "continuous")
"""Zones by code, from 0."""
ZONE_EDGES = (0.1, 0.5, 0.9)
"""Probabilities at which sporadic, discontinuous and continuous permafrost begin."""
LOWEST = 0.01
"""Probability at which isolated permafrost begins. The probability of a smooth distribution is zero nowhere,
so that without such an end all the Earth would be a zone of isolated permafrost."""
NO_ZONE = 255
"""Code of cells without a probability."""

_BINS = 1000


def zone_codes(probability: NDArray[np.floating[Any]], *, lowest: float = LOWEST) -> Codes:
    """Return the permafrost zone of each cell.

    Parameters
    ----------
    probability
        Of permafrost, or the share of a cell that is underlain by it, any shape; NaN where it is not known.
    lowest
        Where isolated permafrost begins.

    Returns
    -------
    array
        0 none, 1 isolated (from `lowest`), 2 sporadic (from 0.1), 3 discontinuous (from 0.5), 4 continuous
        (from 0.9), 255 not known.

    Raises
    ------
    PermagridError
        If a probability lies outside 0 to 1, or `lowest` does not lie between 0 and 0.1.

    Notes
    -----
    The classes of the map of the International Permafrost Association (Brown et al. 1997) and of ESA CCI
    Permafrost, with each edge in the zone above it.

    Examples
    --------
    >>> zone_codes(np.array([0.0, 0.05, 0.1, 0.5, 0.9, np.nan])).tolist()
    [0, 1, 2, 3, 4, 255]
    """
    if not 0.0 < lowest < ZONE_EDGES[0]:
        raise PermagridError(f"zones: isolated permafrost begins between 0 and 0.1, not at {lowest:g}")
    values = np.asarray(probability)
    # In its own precision: a float32 of 0.9 is not below 0.9.
    edges = np.array([lowest, *ZONE_EDGES], dtype=values.dtype)
    lost = np.isnan(values)
    if not ((values >= 0.0) & (values <= 1.0) | lost).all():
        _check(values[~lost])
    codes = np.zeros(values.shape, dtype=np.uint8)
    for edge in edges:
        codes += values >= edge
    codes[lost] = NO_ZONE
    return codes


class PresenceTotals:
    """Permafrost area and the areas of its zones, by region, for the map or for each member.

    Parameters
    ----------
    regions
        Their names.
    members
        Number of members; 1 for a map alone.
    lowest
        Where the zone of isolated permafrost begins.

    Notes
    -----
    The area is the sum of probability times area: what is to be expected of ground whose presence is not
    known, cell by cell. It is the estimate of a model, not of a probability sample (methods: Olofsson et al.
    2014 is for those). Where members are worlds of presence and absence (0 or 1), each has its own area, but
    all its ground is continuous or none: for ranges of zones give members of probabilities.

    Examples
    --------
    >>> totals = PresenceTotals([], 1)
    >>> totals.add(np.array([[0.95], [0.5]]), np.array([2e6, 2e6]))
    >>> totals.permafrost.of().round(6).tolist(), totals.zones["continuous"].of().tolist()
    ([2.9], [2.0])
    """

    def __init__(self, regions: Sequence[str], members: int, *, lowest: float = LOWEST) -> None:
        self.lowest = lowest
        self.permafrost = MemberTotals(regions, members)
        self.zones = {name: MemberTotals(regions, members) for name in reversed(ZONES)}

    def add(
        self,
        probability: NDArray[np.floating[Any]],
        areas: Float,
        *,
        presence: Float | None = None,
        region: Index | None = None,
    ) -> None:
        """Add the cells of a block.

        Parameters
        ----------
        probability
            Of permafrost, shape ``(n, members)``; NaN where it is not known.
        areas, presence, region
            As in `MemberTotals.add`; presence is the share of the cell that is land.

        Raises
        ------
        PermagridError
            As `MemberTotals.add`, or if a probability lies outside 0 to 1.
        """
        codes = zone_codes(probability, lowest=self.lowest)
        more: dict[str, Any] = {"presence": presence, "region": region, "factor": KM2}
        self.permafrost.add(probability, areas, **more)
        for name, totals in self.zones.items():
            inside = np.where(codes == NO_ZONE, np.nan, codes == ZONES.index(name)).astype(np.float32)
            totals.add(inside, areas, **more)

    def merge(self, other: "PresenceTotals") -> None:
        """Add the totals of another part of the map."""
        if other.lowest != self.lowest:
            raise PermagridError("zones: isolated permafrost begins elsewhere in another part")
        self.permafrost.merge(other.permafrost)
        for name, totals in self.zones.items():
            totals.merge(other.zones[name])


class AreaMatch:
    """The threshold of probability above which a map has the area that is to be expected.

    Examples
    --------
    >>> match = AreaMatch()
    >>> match.add(np.array([0.9, 0.6, 0.3, 0.2]), np.full(4, 1e6))
    >>> match.threshold(), match.expected
    (0.6, 2000000.0)
    """

    def __init__(self) -> None:
        self._sums = ExactSums(_BINS + 1, 2)

    def add(self, probability: NDArray[np.floating[Any]], areas: Float) -> None:
        """Add cells of the map, shape ``(n,)`` each; those without a probability (NaN) count nothing.

        Raises
        ------
        PermagridError
            If a probability lies outside 0 to 1.
        """
        values = np.asarray(probability, dtype=float)
        known = ~np.isnan(values)
        values, weights = values[known], np.asarray(areas, dtype=float)[known]
        _check(values)
        # At the edge of two bins the upper one is meant, though a probability be a digit short of it.
        bins = np.minimum(np.floor(values * _BINS + 1e-3), _BINS).astype(np.int64)
        self._sums.add(np.stack([weights, weights * values], axis=1), None, bins)

    def merge(self, other: "AreaMatch") -> None:
        """Add the cells of another part of the map."""
        self._sums.merge(other._sums)

    @property
    def expected(self) -> float:
        """Sum of probability times area [m2]."""
        return float(self._sums.column_sums()[1])

    def area_above(self, threshold: float) -> float:
        """Return the area whose probability reaches a threshold, told in steps of 0.001 [m2]."""
        return float(self._above()[min(max(round(threshold * _BINS), 0), _BINS)])

    def threshold(self) -> float:
        """Return the probability from which on the area is nearest to that expected, in steps of 0.001.

        Of several that are equally near the greatest that a cell has is returned.

        Raises
        ------
        PermagridError
            If no cell has a probability.
        """
        above = self._above()
        if above[0] == 0.0:
            raise PermagridError("threshold: no cell has a probability")
        away = np.abs(above - self.expected)
        best = np.flatnonzero(away == away.min())[-1]
        return float(best / _BINS)

    def _above(self) -> Float:
        numbers = [row[0] for row in self._sums.whole_numbers()]
        unit, found, total = 1 << 320, [], 0
        for number in reversed(numbers):
            total += number
            found.append(total / unit)
        return np.array(found[::-1])


def _check(values: NDArray[np.floating[Any]]) -> None:
    if values.size and not (values.min() >= 0.0 and values.max() <= 1.0):
        raise PermagridError(
            f"permafrost: a probability lies from 0 to 1, found {values.min():g} to {values.max():g}"
        )
