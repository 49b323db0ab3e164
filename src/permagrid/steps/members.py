"""Step: members of an ensemble, plausible worlds drawn block by block: their totals and their changes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtr
from threadpoolctl import threadpool_limits

from permagrid.covariates import at_epoch
from permagrid.ensemble import ClassMixture, CorrelatedField, block_weights, em_weights
from permagrid.grid import Window, chord, lonlat
from permagrid.inventory import Regions, cell_areas, cell_change
from permagrid.learners.resampled import Resampled, resampled
from permagrid.prediction.blocks import Block, Cells, read_cells
from permagrid.prediction.repeats import of_distinct
from permagrid.steps.ensemble import Joined
from permagrid.steps.learners import candidate
from permagrid.steps.maps import Canvas
from permagrid.steps.models import FittedEnsemble, known_classes
from permagrid.steps.nested import joined_parts
from permagrid.steps.scores import Ground
from permagrid.steps.tallies import Tally, Worlds
from permagrid.study import Ensemble, LearnerPart, Study
from permagrid.validation import Variogram
from permagrid.validation.candidate import weights_of
from permagrid.validation.sphere import EARTH_RADIUS

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]

_CELLS_AT_A_TIME = 4096
_BLOCKS_ACROSS = 6.0
_LEAST_SHARED = 0.25


class Likeness(NamedTuple):
    """How far the errors of an ensemble are taken to be alike."""

    range_: float
    """Distance at which next to nothing is shared [m]."""
    shared: float
    """Share of their variance that near cells have in common."""


@dataclass(frozen=True, eq=False)
class Members:
    """What the members of an ensemble are drawn from."""

    resampled: tuple[Resampled, ...]
    """The members of each learner."""
    weights: Float32
    """Weights of the learners in each member, shape ``(members, learners)``."""
    field: CorrelatedField
    """How far each member lies from what the learners say, alike at near places and in all epochs."""
    block: float
    """Side of the blocks of sites that were drawn [m]."""
    errors: Variogram
    """How far the errors of held-out rows are alike."""
    likeness: Likeness
    """How far those of the map are taken to be."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.weights)


def make_members(
    study: Study,
    ensemble: Ensemble,
    ground: Ground,
    fitted: FittedEnsemble,
    errors: Variogram,
) -> Members:
    """Return the members of an ensemble.

    Member m rests on blocks of sites drawn with replacement: its learners and their weights are those of the
    sites drawn. Marginals and copulas are shared by all members.

    Parameters
    ----------
    study, ensemble, ground
        The study, what it joins, and all rows.
    fitted
        The learners fitted to all rows, and their mixture.
    errors
        Variogram of the normal scores of held-out rows.

    Raises
    ------
    PermagridError
        If there are too few blocks to draw from, or a learner cannot be refitted.
    """
    table = ground.table
    likeness = likeness_of(table, errors)
    size = ensemble.block or likeness.range_
    counts = block_weights(
        table["longitude"].to_numpy(float),
        table["latitude"].to_numpy(float),
        table["site_group"].to_numpy(),
        size=size,
        members=ensemble.members,
        seed=study.seed,
    )
    observed = table["value"].to_numpy(float)
    with threadpool_limits(1):
        made = tuple(
            resampled(
                each.estimator,
                table[list(each.covariates)].to_numpy(float),
                observed,
                counts,
                sample_weight=_own_weights(part, study, table),
            )
            for each, part in zip(fitted.learners, joined_parts(study, ensemble).values(), strict=True)
        )
    return Members(
        made,
        _member_weights(fitted.joined, observed, counts),
        _field(study, ensemble, likeness),
        size,
        errors,
        likeness,
    )


def _own_weights(part: LearnerPart, study: Study, table: pd.DataFrame) -> Float | None:
    """Return how much each row counts in the fit of a learner; None where all count alike."""
    weigh = candidate(part, study).weigh
    return None if weigh is None else weights_of(weigh, table)


def likeness_of(table: pd.DataFrame, errors: Variogram) -> Likeness:
    """Return how far errors are taken to be alike: as held-out rows tell, but not less than they can tell.

    Where sites stand in clusters a variogram speaks of pairs within a cluster, or of few pairs of clusters:
    what all sites of a cluster have in common is hardly in it, and it is the greater part of the error of a
    total. So the range is not below a sixth of the greatest distance between sites, and at least a quarter of
    the variance is shared. Both were settled on virtual worlds and tried on others (docs/ensemble-worlds.md).

    Parameters
    ----------
    table
        Rows with their coordinates.
    errors
        Variogram of the normal scores of held-out rows.
    """
    points = chord(table["longitude"].to_numpy(float), table["latitude"].to_numpy(float))
    straight = max(float(np.linalg.norm(points - point, axis=1).max()) for point in np.unique(points, axis=0))
    apart = 2.0 * EARTH_RADIUS * float(np.arcsin(min(straight / 2.0, 1.0)))
    told = 1.0 - errors.nugget / errors.sill if errors.structured else 0.0
    reach = errors.range_ if errors.structured else 0.0
    return Likeness(max(reach, apart / _BLOCKS_ACROSS), max(told, _LEAST_SHARED))


def _member_weights(joined: Joined, observed: Float, counts: Float) -> Float32:
    """Return the weights of the learners for the rows of each member."""
    said = joined.said
    told = np.isfinite(said.reshape(len(said), -1)).all(axis=1)
    densities = joined.mixture.component_densities(said[told], observed[told])
    weights = [em_weights(densities, row_weights=column) for column in counts[told].T]
    return np.asarray(weights, dtype=np.float32)


def _field(study: Study, ensemble: Ensemble, likeness: Likeness) -> CorrelatedField:
    structures = [(likeness.shared, likeness.range_)]
    return CorrelatedField.of(structures, 1.0 - likeness.shared, members=ensemble.members, seed=study.seed)


class MemberWalk:
    """Draws all members of all epochs in a block of the map, and tallies them.

    Parameters
    ----------
    study, ground, canvas
        The study, its rows, and what maps are drawn from.
    fitted, members
        The learners fitted to all rows, and the members.
    regions
        Parts of the map that are counted by themselves; None for none.
    """

    def __init__(
        self,
        study: Study,
        ground: Ground,
        canvas: Canvas,
        fitted: FittedEnsemble,
        members: Members,
        regions: Regions | None,
    ) -> None:
        self._study, self._geobox = study, canvas.stack.odc.geobox
        self._tally = Tally.of(study, () if regions is None else regions.names, members.count)
        self._fitted, self._members, self._regions = fitted, members, regions
        self._known = known_classes(fitted.classes, ground.table)
        storage = study.inventory.storage if study.inventory else None
        self._presence = storage.presence if storage else None
        self._stacks: dict[str, xr.Dataset] = {e: at_epoch(canvas.stack, e) for e in study.epoch_names}
        mixture = fitted.joined.mixture
        self._tables = None if isinstance(mixture, ClassMixture) else mixture.tables()

    def block(self, window: Window) -> Block:
        """Return the change from the first to the last epoch, and what every cell counts.

        A block holds the mean change of the members, the share of members that rise, and the two-sided p of
        no change.
        """
        tally = self._tally.empty()
        geobox = self._geobox
        wanted = [*self._fitted.covariates, *self._extra()]
        read = {
            epoch: read_cells(stack, wanted, window, self._known) for epoch, stack in self._stacks.items()
        }
        shape = next(iter(read.values())).shape
        out = np.full((3, shape[0] * shape[1]), np.nan, dtype=np.float32)
        everywhere = np.unique(np.concatenate([cells.places for cells in read.values()]))
        if len(everywhere):
            areas = cell_areas(geobox, window).ravel()
            longitude, latitude = (part.ravel() for part in lonlat(geobox, window))
            numbers = _cell_numbers(window, int(geobox.shape[1]))
            region = None if self._regions is None else self._regions.index(geobox, window).ravel()
            for start in range(0, len(everywhere), _CELLS_AT_A_TIME):
                some = everywhere[start : start + _CELLS_AT_A_TIME]
                uniform = ndtr(self._members.field.normal(longitude[some], latitude[some], numbers[some]))
                drawn = {}
                for epoch, cells in read.items():
                    held, rows, here = _rows_at(cells, some)
                    if not len(held):
                        continue
                    worlds = self._worlds(rows, uniform[here])
                    presence = rows[:, -1].astype(float) if self._presence else None
                    some_region = None if region is None else region[held]
                    tally.add(epoch, worlds, areas[held], presence, some_region)
                    drawn[epoch] = (held, worlds.values)
                self._change(drawn, out)
        valid = int(np.isfinite(out[0]).sum())
        return Block(window, out.reshape(3, *shape), valid, 0, 0, {}, tally.plain())

    def _extra(self) -> list[str]:
        return [self._presence] if self._presence else []

    def _worlds(self, rows: NDArray[np.float32], uniform: Float32) -> Worlds:
        """Return what every member holds in some cells."""
        fitted, members = self._fitted, self._members
        said = of_distinct(self._said, rows[:, : len(fitted.covariates)])
        if self._tables is None:
            probability = _weighted(said, members.weights)
            return Worlds((uniform < probability).astype(np.float32), probability)
        inventory = self._study.inventory
        if inventory is None or inventory.permafrost is None:
            return Worlds(self._tables.draw(said, uniform, members.weights), None)
        threshold = inventory.permafrost.threshold
        return Worlds(*self._tables.draw_with_cdf(said, uniform, threshold, members.weights))

    def _said(self, rows: NDArray[np.float32]) -> Float32:
        """Return what every member of every learner says of rows, shape ``(n, members, learners)``."""
        fitted, members, plain = self._fitted, self._members, rows.astype(float)
        said = np.empty((len(rows), members.count, len(fitted.learners)), dtype=np.float32)
        for number, made in enumerate(members.resampled):
            said[:, :, number] = made.predict(np.ascontiguousarray(plain[:, fitted.columns(number)]))
        return said

    def _change(self, drawn: dict[str, tuple[NDArray[np.int_], Float32]], out: Float32) -> None:
        first, last = self._study.epoch_names[0], self._study.epoch_names[-1]
        if first == last or first not in drawn or last not in drawn:
            return
        both, at_first, at_last = np.intersect1d(
            drawn[first][0], drawn[last][0], assume_unique=True, return_indices=True
        )
        if not len(both):
            return
        found = cell_change(drawn[first][1][at_first], drawn[last][1][at_last])
        out[:, both] = np.stack([found.mean, found.increase, found.p])


def _weighted(said: Float32, weights: Float32) -> Float32:
    total = np.zeros(said.shape[:2], dtype=np.float32)
    for learner in range(said.shape[2]):
        total += said[:, :, learner] * weights[np.newaxis, :, learner]
    return np.clip(total, 0.0, 1.0)


def _cell_numbers(window: Window, columns: int) -> NDArray[np.int64]:
    """Return the number of each cell of a part among all cells of the grid, row by row."""
    rows, across = (np.arange(part.start, part.stop, dtype=np.int64) for part in window)
    return (rows[:, np.newaxis] * columns + across[np.newaxis]).ravel()


def _rows_at(
    cells: Cells, some: NDArray[np.int_]
) -> tuple[NDArray[np.int_], NDArray[np.float32], NDArray[np.int_]]:
    """Return which of some places an epoch holds, its covariates there, and their numbers among them."""
    held, at, here = np.intersect1d(cells.places, some, assume_unique=True, return_indices=True)
    return held, cells.rows[at], here
