"""Totals of a map by region for each member, the same whatever the blocks, their order or the workers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from permagrid.errors import PermagridError, did_you_mean
from permagrid.grid import Float
from permagrid.inventory.exact import ExactSums, add_by_code, rounded

ALL = "all"
"""Name of the whole map."""
ELSEWHERE = "elsewhere"
"""Name of what lies in none of the regions."""
ICE_DENSITY_RATIO = 0.917
"""Density of ice over that of water: km3 of water that melt from 1 km3 of ice."""
KM2 = 1e-6
"""km2 in a m2: the factor of totals that are areas."""

Kind = Literal["total", "excess"]
Index = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class IceStorage:
    """What a storage of ice is of: a layer of some thickness, and total or excess ice.

    Raises
    ------
    PermagridError
        If the thickness is not above 0, or the ice is neither total nor excess.

    Examples
    --------
    >>> IceStorage(5.0, "total").name, IceStorage(5.0, "excess").title
    ('total_ice_storage', 'Excess ice in a layer of 5 m')
    """

    thickness: float
    """Of the layer that the ice content is of [m]."""
    ice: Kind
    """``total`` for all ice in the ground, ``excess`` for what is more than the pores of the thawed ground
    hold. The two differ by several times and must not be compared (Zhang et al. 1999,
    doi:10.1080/10889379909377670, tell of excess ice)."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.thickness) and self.thickness > 0.0):
            raise PermagridError(f"storage: thickness must be above 0 m, found {self.thickness:g}")
        if self.ice not in ("total", "excess"):
            raise PermagridError(
                f"storage: no such ice {self.ice!r}: {did_you_mean(self.ice, ['total', 'excess'])}"
            )

    @property
    def factor(self) -> float:
        """Ice in 1 m2 of ground of which 1 % of the volume is ice [km3]."""
        return self.thickness / 100.0 / 1e9

    @property
    def name(self) -> str:
        """Name in records."""
        return f"{self.ice}_ice_storage"

    @property
    def title(self) -> str:
        """Name as people read it."""
        return f"{self.ice.capitalize()} ice in a layer of {self.thickness:g} m"


def water(ice: Float) -> Float:
    """Return volumes of water that melt from volumes of ice.

    Examples
    --------
    >>> water(np.array([1000.0])).tolist()
    [917.0]
    """
    return np.asarray(ice) * ICE_DENSITY_RATIO


class MemberTotals:
    """Totals of the members of an ensemble, over all cells and by region.

    Parameters
    ----------
    regions
        Their names; cells of none of them are counted as `ELSEWHERE`.
    members
        Number of members.

    Raises
    ------
    PermagridError
        If two regions have one name, or one that is kept for something else.

    Notes
    -----
    Sums are exact (`permagrid.inventory.exact`). Accumulators of parts of a map, filled by whichever worker,
    are joined with `merge` to the very totals of the whole.

    Examples
    --------
    >>> storage = IceStorage(5.0, "total")
    >>> totals = MemberTotals(["north", "south"], 2)
    >>> ice, areas = np.array([[40.0, 60.0], [20.0, 20.0]]), np.array([1e12, 1e12])
    >>> totals.add(ice, areas, presence=np.array([1.0, 0.5]), region=np.array([0, 1]), factor=storage.factor)
    >>> totals.of("north").tolist(), totals.of("all").tolist()
    ([2000.0, 3000.0], [2500.0, 3500.0])
    """

    def __init__(self, regions: Sequence[str], members: int) -> None:
        self.regions = tuple(regions)
        names = (*self.regions, ALL, ELSEWHERE)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise PermagridError(
                f"totals: region {twice[0]!r} is there twice; {ALL} and {ELSEWHERE} are taken"
            )
        self._sums = ExactSums(len(self.regions) + 1, members)
        self._areas = ExactSums(len(self.regions) + 1, 1)
        self._cells = np.zeros(len(self.regions) + 1, dtype=np.int64)

    @property
    def members(self) -> int:
        """Number of members."""
        return self._sums.shape[1]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all that there are totals of: the whole, the regions, and what lies in none of them."""
        rest = (ELSEWHERE,) if self.regions and self._cells[-1] else ()
        return (ALL, *self.regions, *rest)

    def add(
        self,
        values: NDArray[np.floating[Any]],
        areas: Float,
        *,
        presence: Float | None = None,
        region: Index | None = None,
        factor: float = 1.0,
    ) -> None:
        """Add the cells of a block, in any order of blocks and of cells.

        Parameters
        ----------
        values
            Of each cell and member, shape ``(n, members)``; cells without values (NaN) count nothing.
        areas
            Shape ``(n,)`` [m2].
        presence
            Share of the cell that the values are of, 0 to 1, shape ``(n,)`` or ``(n, members)``, as a mask of
            glaciers, lakes and sea or the permafrost of a member; NaN counts nothing. 1 if left out.
        region
            Number of the region of each cell, -1 for none, shape ``(n,)``.
        factor
            What a value times m2 is to be multiplied by.

        Raises
        ------
        PermagridError
            If shapes do not fit, a cell has values of some members only, a value is infinite, a presence lies
            outside 0 to 1, an area is negative, or there is no such region.
        """
        values, areas = np.asarray(values), np.asarray(areas, dtype=float)
        if values.shape != (len(areas), self.members) or areas.ndim != 1:
            raise PermagridError(
                f"totals: values of shape {values.shape} do not fit {areas.size} areas and {self.members} "
                "members"
            )
        if not (areas >= 0.0).all():
            raise PermagridError("totals: an area is negative or missing")
        known = _known(values, "values")
        weights = areas * factor
        if presence is not None:
            shares = np.asarray(presence, dtype=float)
            if shares.shape not in (areas.shape, values.shape):
                raise PermagridError(
                    f"totals: presence of shape {shares.shape} fits no values of {values.shape}"
                )
            known &= _known(shares.reshape(len(areas), -1), "presence")
            with np.errstate(invalid="ignore"):
                if ((shares < 0.0) | (shares > 1.0)).any():
                    raise PermagridError("totals: presence must lie from 0 to 1, found a share beyond")
            weights = weights[:, np.newaxis] * shares if shares.ndim == 2 else weights * shares
        row = region_rows(region, len(areas), len(self.regions))
        if not known.all():
            values, weights, row, areas = values[known], weights[known], row[known], areas[known]
        self._sums.add(values, weights, row)
        self._areas.add(areas[:, np.newaxis], None, row)
        self._cells += np.bincount(row, minlength=len(self._cells))

    def merge(self, other: "MemberTotals") -> None:
        """Add the totals of another part of the map.

        Raises
        ------
        PermagridError
            If it has other regions or members.
        """
        if other.regions != self.regions:
            raise PermagridError("totals: two parts have different regions")
        self._sums.merge(other._sums)
        self._areas.merge(other._areas)
        self._cells += other._cells

    def of(self, name: str = ALL) -> Float:
        """Return the total of each member in a region, in all, or elsewhere, shape ``(members,)``.

        Raises
        ------
        PermagridError
            If there is no such region.
        """
        return self._told(self._sums, name)

    def area(self, name: str = ALL) -> float:
        """Return the area of the cells that were counted in a region, in all, or elsewhere [m2]."""
        return float(self._told(self._areas, name)[0])

    def cells(self, name: str = ALL) -> int:
        """Return the number of cells that were counted in a region, in all, or elsewhere."""
        return int(self._cells.sum() if name == ALL else self._cells[self._row(name)])

    def _told(self, sums: ExactSums, name: str) -> Float:
        if name == ALL:
            return sums.column_sums()
        return np.asarray(rounded([sums.whole_numbers()[self._row(name)]])[0])

    def _row(self, name: str) -> int:
        return row_of(name, self.regions)

    def plain(self) -> dict[str, Any]:
        """Return everything as plain values, for a file; `from_plain` reads it without loss."""
        return {
            "regions": list(self.regions),
            "sums": self._sums.plain(),
            "areas": self._areas.plain(),
            "cells": self._cells.tolist(),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "MemberTotals":
        """Return the totals that `plain` told.

        Examples
        --------
        >>> totals = MemberTotals([], 1)
        >>> totals.add(np.array([[0.1]]), np.array([3.0]))
        >>> MemberTotals.from_plain(totals.plain()).of() == totals.of()
        array([ True])
        """
        sums = ExactSums.of(plain["sums"])
        out = cls(plain["regions"], sums.shape[1])
        out._sums, out._areas = sums, ExactSums.of(plain["areas"])
        out._cells = np.array(plain["cells"], dtype=np.int64)
        return out


def add_zones(
    totals: Sequence[MemberTotals],
    codes: NDArray[np.uint8],
    areas: Float,
    *,
    region: Index | None = None,
    factor: float = 1.0,
) -> None:
    """Add the areas of zones to their totals, all zones in one pass.

    The same as `MemberTotals.add` of 1 where a member has the zone and 0 elsewhere, zone by zone.

    Parameters
    ----------
    totals
        Of zone 0, 1 and so on.
    codes
        Zone of each cell and member, shape ``(n, members)``; a code without totals counts nothing.
    areas, region, factor
        As in `MemberTotals.add`.

    Raises
    ------
    PermagridError
        If shapes do not fit, the totals are of other members or regions than each other, an area is
        negative, or there is no such region.
    """
    first, areas = totals[0], np.asarray(areas, dtype=float)
    if any(each.regions != first.regions or each.members != first.members for each in totals):
        raise PermagridError("totals: those of zones must be of the same regions and members")
    if areas.ndim != 1 or codes.shape != (len(areas), first.members):
        raise PermagridError(
            f"totals: zones of shape {codes.shape} do not fit {areas.size} areas and {first.members} members"
        )
    if not (areas >= 0.0).all():
        raise PermagridError("totals: an area is negative or missing")
    row = region_rows(region, len(areas), len(first.regions))
    add_by_code([each._sums for each in totals], codes, areas * factor, row)
    cells = np.bincount(row, minlength=len(first._cells))
    for each in totals:
        each._areas.add(areas[:, np.newaxis], None, row)
        each._cells += cells


def row_of(name: str, regions: tuple[str, ...]) -> int:
    """Return the row of sums that a region has; what lies in none has the last."""
    if name != ELSEWHERE and name not in regions:
        raise PermagridError(f"totals: no region {name!r}: {did_you_mean(name, [ALL, *regions, ELSEWHERE])}")
    return len(regions) if name == ELSEWHERE else regions.index(name)


def region_rows(region: Index | None, count: int, regions: int) -> NDArray[np.int64]:
    """Return the row of sums of each cell, in place of -1 the last.

    Raises
    ------
    PermagridError
        If there is no such region, or their number is not that of the cells.
    """
    rows = np.full(count, -1, dtype=np.int64) if region is None else np.asarray(region, dtype=np.int64)
    if rows.shape != (count,) or (count and not (rows.min() >= -1 and rows.max() < regions)):
        raise PermagridError(f"totals: regions of {count} cells must be numbers from -1 to {regions - 1}")
    return np.where(rows < 0, regions, rows)


def _known(values: NDArray[np.floating[Any]], what: str) -> NDArray[np.bool_]:
    lost = np.isnan(values)
    every = lost.all(axis=1)
    if (lost.any(axis=1) & ~every).any():
        raise PermagridError(f"totals: a cell has {what} of some members only")
    return np.asarray(~every)


@dataclass(frozen=True)
class Range:
    """A total with its range over members."""

    mean: float
    """Mean of the members."""
    median: float
    """Their median."""
    low: float | None
    """Lower end of the range; none of fewer than two members."""
    high: float | None
    """Upper end of the range."""
    sd: float | None
    """Standard deviation of the members."""

    def plain(self) -> dict[str, float | None]:
        """Return it as plain values."""
        return asdict(self)


def summarise(member_totals: Float, level: float = 0.95) -> Range:
    """Return mean, median, range and standard deviation of the totals of all members.

    Parameters
    ----------
    member_totals
        Shape ``(members,)``.
    level
        Share of the members that the range holds, in the middle.

    Raises
    ------
    PermagridError
        If there are none, or the level does not lie between 0 and 1.

    Examples
    --------
    >>> found = summarise(np.arange(401.0))
    >>> found.median, round(found.low, 6), round(found.high, 6)
    (200.0, 10.0, 390.0)
    """
    totals = np.asarray(member_totals, dtype=float)
    check_level(level)
    if totals.ndim != 1 or not totals.size:
        raise PermagridError("totals: there are no members to summarise")
    mean, median = float(totals.mean()), float(np.median(totals))
    if totals.size < 2:
        return Range(mean, median, None, None, None)
    low, high = np.quantile(totals, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Range(mean, median, float(low), float(high), float(totals.std(ddof=1)))


def check_level(level: float) -> None:
    """Refuse a level that does not lie between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise PermagridError(f"level of a range must lie between 0 and 1, found {level:g}")
