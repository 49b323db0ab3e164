"""Step: all that comes before the maps, from covariates to learners that have nothing left to choose."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from odc.geo.geobox import GeoBox

from permagrid.grid import BlockSize
from permagrid.progress import Steps
from permagrid.rundir import RunDir
from permagrid.steps import scores
from permagrid.steps.applicability import Belief, BeliefMaker, belief_of
from permagrid.steps.choice import settled
from permagrid.steps.folds import domain_of, to_quote
from permagrid.steps.importance import importance_of, weights_of
from permagrid.steps.inputs import Hashes
from permagrid.steps.layers import Maker
from permagrid.steps.learners import is_joined
from permagrid.steps.maps import Canvas, TargetMaker
from permagrid.steps.models import KeptModel, keep_models, learner_model
from permagrid.steps.start import Start, started
from permagrid.steps.uncertainty import Makers, Uncertainty
from permagrid.study import Study
from permagrid.validation import Candidate, Comparison


@dataclass(frozen=True)
class Prepared:
    """What the maps of a study are made from, and what was learned on the way."""

    study: Study
    """The study."""
    geobox: GeoBox | None
    """Its grid; None for a study of a table."""
    folder: RunDir
    """Its folder."""
    begun: Start
    """Covariates and rows."""
    ground: scores.Ground
    """The rows that learners see."""
    comparison: Comparison
    """Learners on held-out rows, an ensemble among them."""
    learner: Candidate
    """The learner of the map."""
    quote: str
    """The fold scheme to quote."""
    uncertainty: Uncertainty | None
    """The ensemble, if any."""
    worth: Any
    """What covariates are worth to the learner."""
    belief: Belief | None
    """Where it may be believed."""
    intervals: dict[str, Any] | None
    """How far intervals may be trusted."""

    @cached_property
    def models(self) -> list[KeptModel]:
        """The models that the study leaves: its learner where that is mapped, and its ensemble."""
        found = []
        if not is_joined(self.study):
            found.append(learner_model(self.study, self.learner, self.ground, self.folder))
        if self.uncertainty is not None:
            found.append(self.uncertainty.model(self.intervals))
        return found

    def canvas(self, block: BlockSize) -> Canvas:
        """Return what maps are drawn from."""
        return Canvas.of(self.begun.cube, self.begun.stores.values(), block=block)

    def makers(self, canvas: Canvas) -> tuple[list[Maker], Makers | None]:
        """Return what makes the maps, and those of an ensemble by themselves; none without a grid."""
        if self.geobox is None:
            return [], None
        makers: list[Maker] = []
        if not is_joined(self.study):
            makers.append(TargetMaker(self.study, self.models[0], canvas))
        joined = None
        if self.uncertainty is not None:
            joined = self.uncertainty.makers(canvas, self.geobox, self.quote, self.intervals)
            makers += joined.all()
        if self.belief is not None:
            makers.append(BeliefMaker(self.study, self.ground, self.learner, self.belief, canvas))
        return makers, joined


def prepared(
    study: Study,
    geobox: GeoBox | None,
    root: Path,
    folder: RunDir,
    hashes: Hashes,
    *,
    workers: int,
    steps: Steps,
) -> Prepared:
    """Return all that comes before the maps; steps that are kept are taken over.

    Parameters
    ----------
    study, geobox, root, folder, hashes
        The study, its grid if it has one, where its paths start, its folder, and the hashes of its inputs.
    workers
        Fits or chunks in work at a time.
    steps
        Shows progress.

    Raises
    ------
    PermagridError
        If data cannot be read or nothing can be learned from them.
    """
    begun = started(study, geobox, folder, hashes, root, workers=workers, steps=steps)
    cube, used = begun.cube, begun.used

    with steps.step("validation") as advance:
        ground = scores.Ground.of(used, domain_of(study, cube), study, root, workers)
        comparison = scores.compare_learners(ground, study, folder, advance=advance)
        learner = settled(study, ground, folder)
        quote = to_quote(list(comparison.folds), dict(comparison.distances))

    uncertainty = None
    if study.ensemble is not None:
        with steps.step("ensemble") as advance:
            uncertainty = Uncertainty.of(study, ground, comparison, folder, advance=advance)
            comparison = uncertainty.comparison if uncertainty else comparison

    with steps.step("importance"):
        worth = importance_of(study, ground, learner, comparison, quote, folder)

    with steps.step("applicability"):
        weights: pd.Series = weights_of(worth, learner.covariates)
        belief = belief_of(study, ground, learner, comparison, weights, quote)
        intervals = uncertainty.intervals(belief, quote) if uncertainty else None
    ready = Prepared(
        study,
        geobox,
        folder,
        begun,
        ground,
        comparison,
        learner,
        quote,
        uncertainty,
        worth,
        belief,
        intervals,
    )

    with steps.step("models"):
        keep_models(ready.models, folder)
    return ready
