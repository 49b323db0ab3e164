"""Step: totals of the members of an ensemble, and maps of their change from the first to the last epoch."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from permagrid.files import write_text
from permagrid.inventory import Regions
from permagrid.products.legend import Legend, legend_for
from permagrid.rundir import RunDir
from permagrid.steps.code import code_digest
from permagrid.steps.ensemble_maps import EnsembleMaker
from permagrid.steps.layers import Maker, Sheet
from permagrid.steps.maps import Canvas, unit_of
from permagrid.steps.members import Members, MemberWalk, make_members
from permagrid.steps.models import EnsembleFit
from permagrid.steps.tallies import Tally
from permagrid.validation import Variogram

_NAME = "work/members.json"
CHANGE, CHANGE_PROBABILITY, CHANGE_P = "change", "increase_probability", "change_p_value"
"""What the maps of change are called, after the target."""


class MemberMaker(Maker):
    """Draws all members over the whole map once: tallies them, and maps their change.

    Parameters
    ----------
    fit, canvas
        The ensemble, and what maps are drawn from.
    central
        Makes the maps of the ensemble.
    errors
        How far the errors of the ensemble are alike.
    regions
        Parts of the map that are counted by themselves; None for none.
    rundir
        Folder in which the tally is kept.
    """

    def __init__(
        self,
        fit: EnsembleFit,
        canvas: Canvas,
        central: EnsembleMaker,
        errors: Variogram,
        regions: Regions | None,
        rundir: RunDir,
    ) -> None:
        self._study, self._ensemble, self._ground = fit.study, fit.ensemble, fit.ground
        self._fit, self._canvas = fit, canvas
        self._central, self._errors, self._regions, self._rundir = central, errors, regions, rundir
        self._made: Members | None = None

    @property
    def members(self) -> Members:
        """The members, made when they are first needed."""
        if self._made is None:
            self._made = make_members(
                self._study, self._ensemble, self._ground, self._fit.fitted, self._errors
            )
        return self._made

    @property
    def epochs(self) -> list[str]:
        """From the first to the last year of the study."""
        spans = self._study.epochs
        return [f"{spans[0][0]}-{spans[-1][1]}"]

    @property
    def sheets(self) -> list[Sheet]:
        """Mean change, share of members that rise, and the p of no change; none of one epoch."""
        return self._all() if len(self._study.epochs) > 1 else []

    def _all(self) -> list[Sheet]:
        study, names = self._study, self._study.epoch_names
        variable, unit = study.target.variable, unit_of(study.target.variable, study)
        low, high = study.target.valid_range
        span = high - low
        words = f"from {names[0]} to {names[-1]}, mean of {self._ensemble.members} paired members"
        share = f"share of {self._ensemble.members} paired members that rise from {names[0]} to {names[-1]}"
        p = f"two-sided p of no change from {names[0]} to {names[-1]}, by paired members"
        return [
            _sheet(f"{variable}_{CHANGE}", unit, self._change_legend(unit), (-span, span), words, 0),
            _sheet(f"{variable}_{CHANGE_PROBABILITY}", "1", None, (0.0, 1.0), share, 1),
            _sheet(f"{variable}_{CHANGE_P}", "1", None, (0.0, 1.0), p, 2),
        ]

    def _change_legend(self, unit: str) -> Legend:
        variable, valid_range = self._study.target.variable, self._study.target.valid_range
        base = legend_for(variable, unit=unit, valid_range=valid_range)
        limit = (base.stops[-1].value - base.stops[0].value) / 4.0
        return legend_for(f"{variable}_{CHANGE}", unit=unit, valid_range=(-limit, limit))

    def recipe(self, sheet: Sheet, epoch: str) -> dict[str, object]:
        """Return all that a map depends on, as plain values."""
        central = self._central
        names = self._study.epoch_names
        return {
            "code": code_digest(__name__),
            "central": [central.recipe(each, name) for each in central.sheets[:1] for name in names],
            "ensemble": self._ensemble.model_dump(mode="json"),
            "errors": [self._errors.nugget, self._errors.sill, self._errors.range_, self._errors.structured],
            "regions": self._study.inventory.model_dump(mode="json") if self._study.inventory else None,
            "variable": sheet.variable,
            "epoch": epoch,
        }

    def work(self, epoch: str) -> MemberWalk:
        """Return what draws the members: change, share of members that rise and p, and a tally."""
        del epoch
        return MemberWalk(
            self._study,
            self._ground,
            self._canvas,
            self._fit.fitted,
            self.members,
            self._regions,
        )

    def count(self, epoch: str) -> "MemberCount":
        """Return what adds up the tallies of all blocks."""
        del epoch
        return MemberCount(_NAME, self.recipe(self._all()[0], "all"), self._tally(), self._how)

    def tally(self) -> tuple[Tally, dict[str, Any]]:
        """Return the totals, and how the members were made, when all have been drawn."""
        found = json.loads((self._rundir.path / _NAME).read_text(encoding="utf-8"))
        return self._tally().read(found["tally"]), found["how"]

    def _tally(self) -> Tally:
        names = () if self._regions is None else self._regions.names
        return Tally.of(self._study, names, self._ensemble.members)

    def _how(self) -> dict[str, Any]:
        """Return how the members were made, as plain values."""
        members = self.members
        return {
            "members": members.count,
            "block_m": members.block,
            "learners": {
                label: made.scheme
                for label, made in zip(self._ensemble.learners, members.resampled, strict=True)
            },
            "errors": str(members.errors),
            "errors_range_m": members.likeness.range_,
            "errors_shared": members.likeness.shared,
            "weights_mean": [float(value) for value in members.weights.mean(axis=0)],
            "weights_sd": [float(value) for value in members.weights.std(axis=0)],
        }


@dataclass(frozen=True)
class MemberCount:
    """Adds up the tallies of all blocks."""

    name: str
    """The file that keeps it, within the folder of the run."""
    ingredients: object
    """All that it depends on, as plain values."""
    tally: Tally
    """What has been added."""
    how: Callable[[], dict[str, Any]]
    """Tells how the members were made."""

    def add(self, part: Mapping[str, Any]) -> None:
        """Add the tally of a block."""
        self.tally.merge(self.tally.read(part))

    def write(self, path: Path) -> None:
        """Write the sum to a file."""
        write_text(path, json.dumps({"tally": self.tally.plain(), "how": self.how()}))


def _sheet(
    variable: str, unit: str, legend: Legend | None, valid_range: tuple[float, float], words: str, number: int
) -> Sheet:
    shown = legend or legend_for(variable, unit=unit, valid_range=valid_range)
    return Sheet(variable, unit, shown, valid_range, f"{shown.title}, {words}", partial(_layer, number))


def _layer(number: int, values: Any) -> Any:
    return values[number]
