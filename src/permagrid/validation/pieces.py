"""Pieces in which covariates are selected: each by itself, or several that come and go together."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain

from permagrid.errors import PermagridError, did_you_mean

Units = Mapping[str, Sequence[str]]
"""Name -> covariates that come and go together."""


class Pieces:
    """The covariates of a candidate by the units in which they are selected.

    Parameters
    ----------
    covariates
        All covariates, in order.
    units
        Name -> covariates that come and go together; every other covariate is a unit of its own name.
    start
        Units or covariates that are always kept.

    Raises
    ------
    PermagridError
        If a unit names a covariate that the candidate does not see, two name the same, or nothing is left.

    Examples
    --------
    >>> pieces = Pieces(["air", "slope", "sand", "clay"], {"soil": ["clay", "sand"]}, ["air"])
    >>> pieces.names, pieces.covariates(["soil"])
    (('slope', 'soil'), ('air', 'sand', 'clay'))
    """

    def __init__(self, covariates: Sequence[str], units: Units, start: Sequence[str] = ()) -> None:
        self._all = tuple(covariates)
        inside = list(chain.from_iterable(units.values()))
        for name in inside:
            if name not in self._all:
                raise PermagridError(
                    f"selection: a unit has the covariate {name!r}, which the learner does not see: "
                    f"{did_you_mean(name, list(self._all))}"
                )
        twice = sorted({name for name in inside if inside.count(name) > 1})
        if twice:
            raise PermagridError(f"selection: {twice[0]} is in more than one unit")
        owner = {name: unit for unit, members in units.items() for name in members}
        self.members: dict[str, tuple[str, ...]] = {}
        for name in self._all:
            unit = owner.get(name, name)
            self.members[unit] = (*self.members.get(unit, ()), name)
        self.start = tuple(self._kept(name, owner) for name in start)
        self.names = tuple(name for name in self.members if name not in self.start)
        if not self.names:
            raise PermagridError(
                "selection: all covariates are kept from the start, and none can be selected"
            )

    def _kept(self, name: str, owner: Mapping[str, str]) -> str:
        if name not in self.members and name not in owner:
            raise PermagridError(
                f"selection: start names {name!r}, which the learner does not see: "
                f"{did_you_mean(name, list(self.members))}"
            )
        return name if name in self.members else owner[name]

    def covariates(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the covariates of the start and of some units, in the order of the candidate."""
        inside = set(chain.from_iterable(self.members[name] for name in (*self.start, *names)))
        return tuple(name for name in self._all if name in inside)


def among(
    units: Units, start: Sequence[str], left: Sequence[str], gone: Collection[str]
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]] | None:
    """Return units and a start without what was dropped before, or None if nothing is left to select.

    Parameters
    ----------
    units, start
        As in `Pieces`.
    left
        Covariates that are left.
    gone
        Covariates that were dropped. A name that is in neither stays, for `Pieces` to refuse.

    Examples
    --------
    >>> among({"soil": ["clay", "sand"], "ice": ["peat"]}, ["peat", "air"], ["air", "sand"], ["clay", "peat"])
    ({'soil': ('sand',)}, ('air',))
    """
    owner = {name: unit for unit, members in units.items() for name in members}
    kept = {unit: tuple(name for name in members if name not in gone) for unit, members in units.items()}
    kept = {unit: members for unit, members in kept.items() if members}
    named = dict.fromkeys(owner.get(name, name) for name in start)
    begin = tuple(name for name in named if name in kept or not (name in units or name in gone))
    return (kept, begin) if {owner.get(name, name) for name in left} - set(begin) else None
