"""Step: what a run costs, before it starts: all fits are counted, a few of them timed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from permagrid.progress import Advance
from permagrid.rundir import RunDir
from permagrid.steps.choice import is_settled, settled
from permagrid.steps.folds import distances_of, residual_folds, to_quote, wants_residuals
from permagrid.steps.importance import REPEATS, is_known
from permagrid.steps.layers import map_name
from permagrid.steps.learners import candidate, mapped_part
from permagrid.steps.map_cost import TARGET, Known, MapCost, MapCosts
from permagrid.steps.maps import Canvas, TargetMaker
from permagrid.steps.models import learner_model
from permagrid.steps.nested import MAP, NESTED_FOLDER, fold_name, joined_parts, nested_schemes
from permagrid.steps.scores import Ground, Kept, group_variants, parts_of
from permagrid.study import LearnerPart, Study
from permagrid.validation import Candidate, Folds, Problem, correlated_groups, refuse_or_classes
from permagrid.validation.out_of_fold import PIECE
from permagrid.validation.selection import Chooses
from permagrid.validation.timing import Cost, FoldCost, fold_cost

RESIDUALS, ALL_ROWS, IMPORTANCE = "residuals, by site", "map, from all rows", "importance"
NO_MAP = "all rows"
NESTED = "within {} for the ensemble"
"""What stands in place of a fold scheme for fits that are of no comparison."""


@dataclass(frozen=True)
class Line:
    """What one learner costs under one fold scheme."""

    learner: str
    """Its label."""
    folds: str
    """The fold scheme, or what else it is fitted for."""
    subset: str
    """The sites it is fitted to."""
    n_folds: int
    """Outer folds, all repeats together."""
    fits: int
    """Fits in all, those of its choices among them; at most so many."""
    done: int
    """Fits whose results are kept already."""
    seconds: float
    """Time of one core for those that are left, estimated [s]."""


@dataclass(frozen=True)
class Maps:
    """What the maps of a study cost."""

    kinds: tuple[MapCost, ...]
    """By kind."""
    cells: int
    """Cells of each."""

    @property
    def count(self) -> int:
        """Maps."""
        return sum(kind.count for kind in self.kinds)

    @property
    def seconds(self) -> float:
        """Time of one core for those that are not kept, estimated [s]."""
        return sum(kind.seconds for kind in self.kinds)


class Costs:
    """Tells what the fits and maps of a study cost.

    Parameters
    ----------
    study, ground, canvas, rundir
        The study, its rows, what its maps are drawn from, and its folder, where pieces may be kept.
    advance
        Told how many learners are timed.
    """

    def __init__(
        self, study: Study, ground: Ground, canvas: Canvas, rundir: RunDir, *, advance: Advance
    ) -> None:
        self._study, self._ground, self._rundir, self._advance = study, ground, rundir, advance
        # Blocks as large as the range of residuals need residuals. With a learner that chooses, these take
        # what is to be told beforehand; without choosing it leaves nearly the same.
        self._parts = parts_of(ground, _choosing_nothing(study))
        self._is_settled = is_settled(study, ground, rundir)
        learner = candidate(mapped_part(study), study, ground.domain)
        self._learner = settled(study, ground, rundir) if self._is_settled else learner
        epochs = [] if study.is_tabular else study.epoch_names
        self._cells = 0 if study.is_tabular else int(np.prod(canvas.stack.odc.geobox.shape))
        self._canvas = canvas
        maker = TargetMaker(study, learner_model(study, self._learner, ground, rundir), canvas)
        self._epochs_left = [
            epoch
            for epoch in epochs
            if not self._is_settled
            or not all(
                rundir.is_kept(map_name(study, sheet.variable, epoch), maker.recipe(sheet, epoch))
                for sheet in maker.sheets
            )
        ]
        self._timed = 0
        self._samples = [self._sample(part, schemes) for _, part, schemes in self._parts]

    def lines(self) -> list[Line]:
        """Return what the fits cost, in the order in which they are made."""
        study = self._study
        lines = list[Line]()
        for (subset, part, schemes), sample in zip(self._parts, self._samples, strict=True):
            if wants_residuals(study):
                own = sample.of(mapped_part(study).label)
                folds = residual_folds(part.table, study, part.domain)
                fits, seconds = len(folds) * own.fits, len(folds) * own.seconds * sample.share(folds.pairs)
                lines.append(
                    Line(mapped_part(study).label, RESIDUALS, subset.name, len(folds), fits, 0, seconds)
                )
            learners = {learner.label: learner for learner in study.learners}
            kept = Kept(part, study, self._rundir, subset.name, learners, schemes)
            lines += self._compared(learners, schemes, kept, sample, subset.name)
        lines += self._without_groups()
        lines += self._nested()
        return [*lines, *self._for_the_map()]

    def maps(self, left: Mapping[str, int] | None = None) -> Maps:
        """Return what the maps cost.

        Parameters
        ----------
        left
            Kind -> epochs of which maps are to be made, where that is known. Otherwise it is known of the
            target alone, and all others are taken to be made.
        """
        study, sample = self._study, self._samples[0]
        if study.is_tabular:
            return Maps((), 0)
        larger = len(self._ground.table) / sample.rows
        seconds = {label: cost.fit * larger for label, cost in sample.folds.items()}
        fitted = {label: cost.fitted for label, cost in sample.folds.items()}
        known = Known(fitted, seconds, sample.tested, self._parts[0][2][0].rounds[0])
        costs = MapCosts(study, self._ground, self._canvas, self._rundir, learner=self._learner, known=known)
        kinds = costs.costs({TARGET: len(self._epochs_left)} if left is None else left)
        return Maps(tuple(kinds), self._cells)

    def _sample(self, part: Ground, schemes: Sequence[Folds]) -> "_Sample":
        study = self._study
        problem = Problem(study.target.variable, study.target.kind, "")
        classes = refuse_or_classes(part.table, schemes, problem)
        train, test = _typical(part.table, schemes)
        known, tested = part.table.iloc[train].reset_index(drop=True), part.table.iloc[test]
        start = time.process_time()
        inner, _ = part.inner.made(known)
        made = time.process_time() - start
        found = {}
        total = len(study.learners) * len(self._parts)
        for learner in study.learners:
            found[learner.label] = fold_cost(
                candidate(learner, study, part.domain), known, tested, classes=classes
            )
            self._timed += 1
            self._advance(self._timed, total)
        n_inner = 0 if inner is None else len(inner)
        return _Sample(found, len(known), test, n_inner, made, part.workers)

    def _compared(
        self,
        learners: Mapping[str, LearnerPart],
        schemes: Sequence[Folds],
        kept: Kept,
        sample: "_Sample",
        subset: str,
        base: str | None = None,
    ) -> Iterator[Line]:
        """Yield what a comparison costs; variants of a learner take as long as the `base` for each fit."""
        candidates = {
            name: candidate(part, self._study, self._ground.domain) for name, part in learners.items()
        }
        choosing = sum(each.choose is not None for each in candidates.values())
        for scheme in schemes:
            for name, each in candidates.items():
                cost = sample.of(base or name)
                fits = sample.fits(each)
                seconds = cost.seconds * fits / cost.fits
                if each.choose is not None:
                    seconds += sample.making(choosing)
                left = [
                    pair
                    for number, start in enumerate(range(0, len(scheme), PIECE))
                    if kept.get(name, scheme.name, number) is None
                    for pair in scheme.pairs[start : start + PIECE]
                ]
                done = (len(scheme) - len(left)) * fits
                spent = seconds * len(left) * sample.share(left)
                yield Line(name, scheme.name, subset, len(scheme), len(scheme) * fits, done, spent)

    def _without_groups(self) -> Iterator[Line]:
        variants = group_variants(self._study)
        if not variants:
            return iter(())
        spatial = [scheme for scheme in self._parts[0][2] if scheme.spatial]
        kept = Kept(self._ground, self._study, self._rundir, "all", variants, spatial)
        base, *_ = variants
        without = {name: part for name, part in variants.items() if name != base}
        return self._compared(without, spatial, kept, self._samples[0], "all", base)

    def _nested(self) -> Iterator[Line]:
        """Yield what the folds within the training rows cost, from which an ensemble learns its weights."""
        study, ensemble = self._study, self._study.ensemble
        if ensemble is None:
            return
        outer = self._parts[0][2]
        parts = joined_parts(study, ensemble)
        schemes = nested_schemes(self._ground, study, ensemble, outer)
        kept = Kept(
            self._ground, study, self._rundir, "all", parts, list(schemes.values()), folder=NESTED_FOLDER
        )
        names = {fold_name(s, number): s.name for s in outer for number in range(len(s))} | {MAP: "all rows"}
        lines = list(self._compared(parts, list(schemes.values()), kept, self._samples[0], "all"))
        for scheme in dict.fromkeys(names.values()):
            for label in parts:
                own = [line for line in lines if line.learner == label and names[line.folds] == scheme]
                yield Line(
                    label,
                    NESTED.format(scheme),
                    "all",
                    sum(line.n_folds for line in own),
                    sum(line.fits for line in own),
                    sum(line.done for line in own),
                    sum(line.seconds for line in own),
                )

    def _for_the_map(self) -> Iterator[Line]:
        """Yield the choice and the fit for the map, and what its covariates are worth."""
        study, ground, sample, learner = self._study, self._ground, self._samples[0], self._learner
        label = mapped_part(study).label
        own = sample.folds[label]
        larger = len(ground.table) / sample.rows
        done = (own.choice.fits if self._is_settled else 0) + (0 if self._epochs_left else 1)
        seconds = (0.0 if self._is_settled else own.choice.seconds) + (own.fit if self._epochs_left else 0.0)
        if not study.is_tabular:
            yield Line(label, ALL_ROWS, "all", 1, own.whole.fits, done, seconds * larger)
        elif own.choice.fits:
            left = 0.0 if self._is_settled else own.choice.seconds * larger
            made = own.choice.fits if self._is_settled else 0
            yield Line(label, NO_MAP, "all", 1, own.choice.fits, made, left)
        schemes = self._parts[0][2]
        quote = to_quote(schemes, distances_of(ground.table, schemes, ground.domain))
        scheme = next(scheme for scheme in schemes if scheme.name == quote)
        groups = correlated_groups(ground.table, learner.covariates, classes=learner.classes)
        rounds = [len(learner.covariates)]
        if any(len(held) > 1 for held in groups.values()):
            rounds.append(len(groups))
        fits = len(rounds) * len(scheme) + 1
        if self._is_settled and is_known(study, ground, learner, scheme, self._rundir):
            yield Line(label, IMPORTANCE, "all", len(scheme), fits, fits, 0.0)
        else:
            spent = sum(len(scheme) * (own.fit + (1 + REPEATS * units) * own.predict) for units in rounds)
            spent = spent * sample.share(scheme.pairs) + own.fit * larger
            yield Line(label, IMPORTANCE, "all", len(scheme), fits, 0, spent)


@dataclass(frozen=True)
class _Sample:
    """What one typical fold costs each learner."""

    folds: Mapping[str, FoldCost]
    rows: int
    """Rows that train in it."""
    tested: np.ndarray
    """Those that it tests."""
    n_inner: int
    """Inner folds of these."""
    made: float
    """Time in which inner folds are made [s]."""
    workers: int

    def of(self, learner: str) -> Cost:
        """Return what one fold costs a learner."""
        return self.folds[learner].whole

    def fits(self, learner: Candidate) -> int:
        """Return how many fits one fold takes."""
        if learner.choose is None or not self.n_inner:
            return 1
        return 1 + cast(Chooses, learner.choose).fits(self.n_inner, len(learner.covariates))

    def share(self, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
        """Return how much longer folds take than this one, which is in proportion to their rows."""
        return float(np.mean([len(train) for train, _ in pairs])) / self.rows if len(pairs) else 0.0

    def making(self, learners: int) -> float:
        """Return the time each of some learners spends on inner folds, which those in one process share."""
        processes = self.workers * (1 - (1 - 1 / self.workers) ** learners)
        return self.made * processes / learners


def _typical(table: pd.DataFrame, schemes: Sequence[Folds]) -> tuple[np.ndarray, np.ndarray]:
    """Return the fold with the median number of training rows among those of several values."""
    pairs = [pair for scheme in schemes for pair in scheme]
    values = table["value"].to_numpy(float)
    usable = [pair for pair in pairs if np.unique(values[pair[0]]).size > 1] or pairs
    return sorted(usable, key=lambda pair: len(pair[0]))[len(usable) // 2]


def _choosing_nothing(study: Study) -> Study:
    learners = tuple(part.model_copy(update={"search": None, "selection": None}) for part in study.learners)
    return study.model_copy(update={"learners": learners})
