"""Step: what the maps of a study cost: each kind is made on a part of the grid, and timed."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from permagrid.covariates import at_epoch
from permagrid.grid import Window, cells_of
from permagrid.models import Model
from permagrid.prediction.applicability import fit_applicability
from permagrid.prediction.blocks import BlockWork, read_cells
from permagrid.prediction.error_model import ErrorModel
from permagrid.rundir import RunDir
from permagrid.sites.domain import SHARE
from permagrid.steps.applicability import Belief, BeliefMaker
from permagrid.steps.ensemble import Joined, fit_classes, fit_mixture
from permagrid.steps.ensemble_maps import EnsembleMaker
from permagrid.steps.inputs import predictors
from permagrid.steps.layers import Maker
from permagrid.steps.learners import candidate, is_joined, mapped_part
from permagrid.steps.maps import Canvas, TargetMaker
from permagrid.steps.member_maps import MemberMaker
from permagrid.steps.models import EnsembleFit, FittedEnsemble, StoredModel, learner_model
from permagrid.steps.nested import joined_parts
from permagrid.steps.regions import region_of_cells
from permagrid.steps.scores import Ground
from permagrid.steps.uncertainty import has_members
from permagrid.study import Ensemble, Study
from permagrid.validation import Candidate, Comparison, Fitted, Variogram, fit

TARGET, ENSEMBLE, MEMBERS, APPLICABILITY = "target", "ensemble", "members", "applicability"
"""Kinds of maps, each of which has a maker."""
_PLACES, _SIDE, _LEAST_SIDE, _PATIENCE = 3, 512, 48, 1.0
"""Parts that are timed, their cells per side, at most and at least, and what each may take [s]."""
_FEW, _FEWEST_ROWS = 10, 50
"""Members that are timed, and twice as many, and held-out rows that a mixture is learned from."""
_OPENED, _FINISHED = 0.04, 1.4e-7
"""Time in which a map is begun and ended, and in which a cell of it is written and read, in its block and its
GeoTIFF [s]."""


@dataclass(frozen=True)
class MapCost:
    """What the maps of one kind cost."""

    kind: str
    """`TARGET`, `ENSEMBLE`, `MEMBERS` or `APPLICABILITY`."""
    count: int
    """Maps, those that are kept among them."""
    seconds: float
    """Time of one core for those that are not kept, estimated [s]."""


@dataclass(frozen=True)
class Known:
    """What is known of learners before a run: a fit of each to the rows of a fold."""

    fitted: Mapping[str, Fitted]
    """By label."""
    seconds: Mapping[str, float]
    """What a fit to all rows takes [s]."""
    tested: NDArray[np.int_]
    """Rows that the fold tests."""
    pairs: Sequence[tuple[NDArray[np.int_], NDArray[np.int_]]]
    """All folds of the scheme, once."""


def kind_of(maker: Maker) -> str:
    """Return the kind of the maps of a maker."""
    kinds = {EnsembleMaker: ENSEMBLE, MemberMaker: MEMBERS, BeliefMaker: APPLICABILITY}
    return next((kind for made_by, kind in kinds.items() if isinstance(maker, made_by)), TARGET)


class MapCosts:
    """Tells what the maps of a study cost, by the makers of a run that has chosen nothing.

    Parameters
    ----------
    study, ground, canvas, rundir
        The study, its rows, what its maps are drawn from, and its folder.
    learner
        The learner of the map; what it has to choose is left as it is.
    known
        What is known of all learners.
    """

    def __init__(
        self,
        study: Study,
        ground: Ground,
        canvas: Canvas,
        rundir: RunDir,
        *,
        learner: Candidate,
        known: Known,
    ) -> None:
        self._study, self._ground, self._canvas, self._rundir = study, ground, canvas, rundir
        self._learner = _settled(learner)
        self._known = known
        self._stack = at_epoch(canvas.stack, study.epoch_names[0])

    def costs(self, left: Mapping[str, int]) -> list[MapCost]:
        """Return what each kind costs.

        Parameters
        ----------
        left
            Kind -> epochs of which maps are to be made; those of other kinds are all to be made.
        """
        with threadpool_limits(1):
            return list(self._costs(left))

    def _costs(self, left: Mapping[str, int]) -> Iterator[MapCost]:
        cells = int(np.prod(self._canvas.stack.odc.geobox.shape))
        for kind, maker in self._makers().items():
            asked = maker()
            count, epochs = len(asked.sheets), left.get(kind, len(asked.epochs))
            seconds = 0.0
            if epochs:
                begun, each = self._of_members() if kind == MEMBERS else self._timed(asked)
                finished = count * (_FINISHED * cells + _OPENED)
                seconds = self._fits(kind) + begun + epochs * (each * self._share * cells + finished)
            yield MapCost(kind, count * len(asked.epochs), seconds)

    def _makers(self) -> dict[str, Callable[[], Maker]]:
        study = self._study
        found: dict[str, Callable[[], Maker]] = {}
        if not is_joined(study):
            found[TARGET] = self._target
        if study.ensemble is not None:
            found[ENSEMBLE] = self._ensemble
            if has_members(study, study.ensemble):
                found[MEMBERS] = partial(self._members, 1)
        if study.products.applicability:
            found[APPLICABILITY] = self._belief
        return found

    def _of_members(self) -> tuple[float, float]:
        """Return the same as `_timed` for all members, from a few and twice as many."""
        count = self._fit.ensemble.members
        few, more = min(count, _FEW), min(count, 2 * _FEW)
        told = np.array(self._timed(self._members(few)))
        if more > few:
            rise = (np.array(self._timed(self._members(more))) - told) / (more - few)
            told = told + np.maximum(rise, 0.0) * (count - few)
        return float(told[0]), float(told[1])

    def _fits(self, kind: str) -> float:
        """Return what fits to all rows take that no other line tells [s]."""
        ensemble = self._study.ensemble
        if kind != ENSEMBLE or ensemble is None:
            return 0.0
        told = mapped_part(self._study).label
        return sum(self._known.seconds[label] for label in ensemble.learners if label != told)

    def _target(self) -> Maker:
        made = learner_model(self._study, self._learner, self._ground, self._rundir).make()
        return TargetMaker(self._study, StoredModel(made, ""), self._canvas)

    def _ensemble(self) -> EnsembleMaker:
        return EnsembleMaker(
            self._study,
            StoredModel(self._model, ""),
            self._canvas,
            max(self._fit.ensemble.intervals),
            with_target=is_joined(self._study),
        )

    def _members(self, count: int) -> Maker:
        nothing, few = np.zeros(0), self._fit.ensemble.model_copy(update={"members": count})
        made = EnsembleFit(self._study, few, self._ground, self._fit.joined)
        vars(made)["fitted"] = self._fit.fitted
        errors = Variogram("exponential", 0.5, 1.0, 1e5, nothing, nothing, np.zeros(0, dtype=int), True)
        regions = region_of_cells(self._canvas.stack.odc.geobox, self._study, self._ground.root)
        return MemberMaker(made, self._canvas, self._ensemble(), errors, regions, self._rundir)

    def _belief(self) -> Maker:
        learner = self._learner
        rows = self._ground.table[list(learner.covariates)].to_numpy(float)
        area = fit_applicability(
            rows, None, self._known.pairs, covariates=learner.covariates, classes=learner.classes
        )
        ends = np.array([0.0, 1.0])
        error = ErrorModel("rmse", "di", np.inf, ends, ends, np.zeros((0, 2)), 0)
        return BeliefMaker(self._study, self._ground, learner, Belief(area, error, ""), self._canvas)

    @cached_property
    def _model(self) -> Model:
        return self._fit.kept(self._rundir, None).make()

    @cached_property
    def _fit(self) -> EnsembleFit:
        """The ensemble, of learners that choose nothing."""
        study = self._study
        ensemble = cast(Ensemble, study.ensemble)
        ground, parts = self._ground, joined_parts(study, ensemble)
        learners = tuple(
            fit(_settled(candidate(part, study, ground.domain)), ground.table) for part in parts.values()
        )
        joined = self._joined(ensemble, [self._known.fitted[label] for label in parts])
        made = EnsembleFit(study, ensemble, self._ground, joined)
        vars(made)["fitted"] = FittedEnsemble(learners, joined)
        return made

    def _joined(self, ensemble: Ensemble, learners: Sequence[Fitted]) -> Joined:
        """Return a mixture that takes as long as the real one, whatever it says."""
        study, table = self._study, self._ground.table
        observed = table["value"].to_numpy(float)
        rows = self._known.tested
        if len(rows) < _FEWEST_ROWS or len(np.unique(observed[rows])) < len(np.unique(observed)):
            rows = np.arange(len(table))
        some, classes = table.iloc[rows], np.unique(observed)
        is_class = study.target.kind == "class"
        told = np.stack(
            [each.predict_proba(some, classes) if is_class else each.predict(some) for each in learners],
            axis=1,
        )
        said = np.full((len(table), *told.shape[1:]), np.nan)
        said[rows] = told
        parts = np.arange(len(table)) % 3
        mixture = (
            fit_classes(said, observed)
            if is_class
            else fit_mixture(ensemble, study, said, observed, parts=parts)
        )
        return Joined(Comparison(pd.DataFrame(), pd.DataFrame(), ()), {}, mixture, said)

    def _timed(self, maker: Maker) -> tuple[float, float]:
        """Return what is done before the first block, and then for each cell that holds a value [s]."""
        start = time.process_time()
        work = maker.work(maker.epochs[0])
        begun = time.process_time() - start
        first, *_ = self._places
        # What is compiled when it is first used is kept.
        work.block(self._window(first, _LEAST_SIDE))
        each = self._each(work, [self._window(first, _LEAST_SIDE)])
        side = min(max(int(np.sqrt(_PATIENCE / max(each, 1e-9))), _LEAST_SIDE), _SIDE)
        return begun, self._each(work, [self._window(place, side) for place in self._places])

    def _each(self, work: BlockWork, windows: Sequence[Window]) -> float:
        names = predictors(self._study)
        valid = sum(len(read_cells(self._stack, names, window).places) for window in windows)
        start = time.process_time()
        for window in windows:
            work.block(window)
        return (time.process_time() - start) / max(valid, 1)

    @property
    def _share(self) -> float:
        """Share of the cells that hold values."""
        points = self._ground.domain
        return 1.0 if points is None else float(points.attrs.get(SHARE, 1.0))

    def _window(self, place: tuple[int, int], side: int) -> Window:
        """Return a part of the grid around a cell, so many cells a side."""
        shape = self._canvas.stack.odc.geobox.shape
        rows, columns = (_part(*asked, side) for asked in zip(place, shape, strict=True))
        return rows, columns

    @cached_property
    def _places(self) -> list[tuple[int, int]]:
        """Rows and columns of some cells that hold values, at random."""
        points: pd.DataFrame = self._ground.domain if self._ground.domain is not None else self._ground.table
        where = (points[name].to_numpy(float)[:_PLACES] for name in ("longitude", "latitude"))
        rows, columns = cells_of(self._canvas.stack.odc.geobox, *where)
        return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]


def _settled(learner: Candidate) -> Candidate:
    """Return a learner that chooses nothing."""
    return Candidate(
        learner.build, learner.covariates, learner.keywords, learner.classes, weigh=learner.weigh
    )


def _part(place: int, size: int, side: int) -> slice:
    """Return a part of an axis that holds a place and, where it can, lies within one block."""
    block = place // _SIDE * _SIDE
    start = max(min(max(place - side // 2, block), block + _SIDE - side, size - side), 0)
    return slice(start, min(start + side, size))
