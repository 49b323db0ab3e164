"""Step: what is counted over a map in every member: storage, permafrost, zones, and bounds of their error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from permagrid.inventory import KM2, ZONES, ErrorSums, IceStorage, MemberTotals, add_zones, zone_codes
from permagrid.study import Study

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Index = NDArray[np.integer[Any]]

PERMAFROST = "permafrost_area"


class Worlds(NamedTuple):
    """What the members hold in some cells."""

    values: Float32
    """The target, shape ``(n, members)``; of permafrost presence 0 or 1."""
    probability: Float32 | None
    """Probability of permafrost as each member's learners tell it, shape ``(n, members)``, if asked for."""


@dataclass(frozen=True, eq=False)
class Tally:
    """Totals of every member, by quantity and epoch; two tallies of parts of a map add up to that of both."""

    storage: IceStorage | None
    """What ice is counted, if any."""
    threshold: float | None
    """Temperature at or below which there is permafrost; None where the members hold presence itself, or
    where permafrost is not counted."""
    counts_permafrost: bool
    """Whether it is counted."""
    regions: tuple[str, ...]
    """Names of the parts of the map."""
    members: int
    """How many there are."""
    totals: dict[tuple[str, str], MemberTotals] = field(default_factory=dict)
    """Quantity and epoch -> totals: ice [km3], areas [km2]."""
    errors: dict[tuple[str, str], ErrorSums] = field(default_factory=dict)
    """Quantity and epoch -> standard deviations of cells."""

    @classmethod
    def of(cls, study: Study, regions: tuple[str, ...], members: int) -> Self:
        """Return an empty tally of what the inventory of a study asks for."""
        asked = study.inventory
        storage = asked.storage if asked else None
        permafrost = asked.permafrost if asked else None
        is_value = study.target.kind == "value"
        return cls(
            IceStorage(storage.thickness, storage.ice) if storage else None,
            permafrost.threshold if permafrost and is_value else None,
            permafrost is not None,
            regions,
            members,
        )

    def empty(self) -> "Tally":
        """Return a tally of the same that has counted nothing."""
        return Tally(self.storage, self.threshold, self.counts_permafrost, self.regions, self.members)

    def add(
        self, epoch: str, worlds: Worlds, areas: Float, presence: Float | None, region: Index | None
    ) -> None:
        """Count some cells of an epoch.

        Parameters
        ----------
        epoch
            The epoch.
        worlds
            What the members hold there.
        areas
            Of the cells [m2], shape ``(n,)``.
        presence
            Fraction of each cell whose ice is counted; all if None.
        region
            Number of each cell's region, -1 for none; None for no regions.
        """
        more: dict[str, Any] = {"region": region}
        if self.storage is not None:
            more |= {"presence": presence, "factor": self.storage.factor}
            self._count(self.storage.name, epoch, worlds.values, areas, more)
        if self.counts_permafrost:
            frozen = worlds.values if self.threshold is None else worlds.values <= self.threshold
            self._count(
                PERMAFROST, epoch, frozen.astype(np.float32), areas, {"region": region, "factor": KM2}
            )
            if worlds.probability is not None:
                codes = zone_codes(worlds.probability)
                zones = [self._totals(name, epoch) for name in ZONES]
                add_zones(zones, codes, areas, region=region, factor=KM2)

    def _count(
        self,
        name: str,
        epoch: str,
        values: Float32,
        areas: Float,
        more: Mapping[str, Any],
    ) -> None:
        key = name, epoch
        self._totals(name, epoch).add(values, areas, **more)
        if self.members > 1:
            if key not in self.errors:
                self.errors[key] = ErrorSums(self.regions)
            self.errors[key].add(values.std(axis=1, ddof=1, dtype=float), areas, **more)

    def _totals(self, name: str, epoch: str) -> MemberTotals:
        key = name, epoch
        if key not in self.totals:
            self.totals[key] = MemberTotals(self.regions, self.members)
        return self.totals[key]

    def merge(self, other: "Tally") -> None:
        """Add what another part of the map counted."""
        for key, totals in other.totals.items():
            if key in self.totals:
                self.totals[key].merge(totals)
            else:
                self.totals[key] = totals
        for key, errors in other.errors.items():
            if key in self.errors:
                self.errors[key].merge(errors)
            else:
                self.errors[key] = errors

    def plain(self) -> dict[str, Any]:
        """Return what was counted as plain values, without loss."""
        return {
            "totals": [[*key, totals.plain()] for key, totals in sorted(self.totals.items())],
            "errors": [[*key, errors.plain()] for key, errors in sorted(self.errors.items())],
        }

    def read(self, plain: Mapping[str, Any]) -> "Tally":
        """Return a tally of the same that has counted what `plain` told."""
        found = self.empty()
        for name, epoch, totals in plain["totals"]:
            found.totals[name, epoch] = MemberTotals.from_plain(totals)
        for name, epoch, errors in plain["errors"]:
            found.errors[name, epoch] = ErrorSums.from_plain(errors)
        return found
