"""Step: all that an ensemble adds to a run: scores, intervals, maps, and the totals of its members."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.special import ndtri

from permagrid.grid import cells_of
from permagrid.rundir import RunDir
from permagrid.steps.applicability import Belief
from permagrid.steps.ensemble import Joined, joined
from permagrid.steps.ensemble_maps import EnsembleMaker
from permagrid.steps.intervals import interval_record, measured_coverage
from permagrid.steps.inventory import inventory_record
from permagrid.steps.layers import Maker, Map
from permagrid.steps.learners import is_joined
from permagrid.steps.maps import Canvas
from permagrid.steps.member_maps import MemberMaker
from permagrid.steps.models import EnsembleFit, KeptModel
from permagrid.steps.nested import nested_predictions
from permagrid.steps.regions import region_of_cells
from permagrid.steps.scores import Ground
from permagrid.study import Ensemble, Study
from permagrid.validation import Comparison, Variogram, fit_variogram
from permagrid.validation.distributions import pit

Float = NDArray[np.float64]

_SURE = 1e-3
"""Held-out rows are not taken to be more extreme than this, or one of them would make the variogram."""


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """An ensemble under way: what it said of held-out rows, and what its maps and members are made from."""

    study: Study
    ensemble: Ensemble
    ground: Ground
    rundir: RunDir
    joined: Joined

    @classmethod
    def of(
        cls,
        study: Study,
        ground: Ground,
        comparison: Comparison,
        rundir: RunDir,
        *,
        advance: Callable[[int, int], None],
    ) -> Self | None:
        """Return the ensemble of a study, scored; None where it has none."""
        if study.ensemble is None:
            return None
        nested = nested_predictions(ground, study, study.ensemble, comparison, rundir, advance=advance)
        found = joined(ground, study, comparison, nested, rundir, advance=advance)
        return cls(study, study.ensemble, ground, rundir, found)

    @property
    def comparison(self) -> Comparison:
        """The comparison, with the ensemble as one more learner."""
        return self.joined.comparison

    def intervals(self, belief: Belief | None, quote: str) -> dict[str, Any] | None:
        """Return how far its intervals may be trusted, as plain values; None for classes."""
        return interval_record(
            self.study, self.ensemble, self.ground, self.comparison, self.joined, belief, quote
        )

    def errors(self, quote: str, geobox: GeoBox) -> Variogram:
        """Return how far its errors are alike, from rows that the folds to quote hold out.

        Of values from the normal scores of their probability integral transform; of classes from Pearson
        residuals, which are alike over shorter distances and less than what lies behind them. Rows of one
        cell of the map share its covariates and so its error: their mean stands for the cell, or the errors
        of neighbouring cells would look more alike than they are, and those of distant ones less.
        """
        table, scheme = self.ground.table, quote
        observed = table["value"].to_numpy(float)
        if self.study.target.kind == "class":
            chance = self.comparison.raw[self.ensemble.label, scheme].values[0][:, -1]
            chance = np.clip(chance, 0.01, 0.99)
            scores = ((observed == observed.max()) - chance) / np.sqrt(chance * (1.0 - chance))
        else:
            told = pit(self.joined.quantiles[self.ensemble.label, scheme][0], observed, self.study.seed)
            scores = ndtri(np.clip(told, _SURE, 1.0 - _SURE))
        longitude, latitude = (table[name].to_numpy(float) for name in ("longitude", "latitude"))
        row, column = (np.floor(part) for part in cells_of(geobox, longitude, latitude))
        cells = np.unique(np.stack([row, column]), axis=1, return_inverse=True)[1]
        return fit_variogram(longitude, latitude, np.asarray(scores), cells.ravel())

    @cached_property
    def fit(self) -> EnsembleFit:
        """Its learners, fitted to all rows when they are first needed."""
        return EnsembleFit(self.study, self.ensemble, self.ground, self.joined)

    def model(self, intervals: dict[str, Any] | None) -> KeptModel:
        """Return its model, which knows how far its interval may be trusted."""
        return self.fit.kept(self.rundir, measured_coverage(intervals, max(self.ensemble.intervals)))

    def makers(
        self, canvas: Canvas, geobox: GeoBox, quote: str, intervals: dict[str, Any] | None
    ) -> "Makers":
        """Return what makes its maps and draws its members."""
        study, ensemble, root = self.study, self.ensemble, self.ground.root
        level = max(ensemble.intervals)
        central = EnsembleMaker(
            study,
            self.model(intervals),
            canvas,
            level,
            coverage=measured_coverage(intervals, level),
            with_target=is_joined(study),
        )
        if not has_members(study, ensemble):
            return Makers(study, canvas.stack, root, central, None)
        regions = region_of_cells(geobox, study, root)
        members = MemberMaker(self.fit, canvas, central, self.errors(quote, geobox), regions, self.rundir)
        return Makers(study, canvas.stack, root, central, members)


def has_members(study: Study, ensemble: Ensemble) -> bool:
    """Return whether members are drawn: of values and of presence, where something is told of them."""
    if not ensemble.members or (len(study.epochs) == 1 and study.inventory is None):
        return False
    return study.target.kind != "class" or study.target.variable == "permafrost_presence"


@dataclass(frozen=True, eq=False)
class Makers:
    """What makes the maps of an ensemble and draws its members."""

    study: Study
    stack: xr.Dataset
    root: Path
    central: EnsembleMaker
    members: MemberMaker | None

    def all(self) -> list[Maker]:
        """Return the makers of maps."""
        return [self.central] if self.members is None else [self.central, self.members]

    def inventory(self, maps: list[Map]) -> dict[str, Any] | None:
        """Return totals, areas and changes with their ranges, as plain values; None without members."""
        if self.members is None:
            return None
        tally, how = self.members.tally()
        return inventory_record(self.study, tally, how, maps, self.stack, self.root)
