"""Step: where the map may be believed: maps of dissimilarity, applicability, density and expected error."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from permagrid.covariates import at_epoch
from permagrid.grid import Float
from permagrid.prediction.applicability import Applicability, fit_applicability
from permagrid.prediction.applicability_layers import applicability_outputs
from permagrid.prediction.blocks import Prediction
from permagrid.prediction.error_model import ErrorModel, HeldOut, Measure, fit_error_model
from permagrid.products.legend import legend_for
from permagrid.rundir import digest
from permagrid.steps.code import code_digest
from permagrid.steps.layers import Maker, Sheet
from permagrid.steps.maps import Canvas
from permagrid.steps.models import known_classes
from permagrid.steps.scores import Ground, table_digest
from permagrid.study import Study
from permagrid.validation import Candidate, Comparison, Folds

LAYERS = ("dissimilarity_index", "area_of_applicability", "local_point_density", "expected_error")
"""Maps beside that of the target, in the order of the outputs of `applicability_outputs`."""
_OUTSIDE = 255


@dataclass(frozen=True)
class Belief:
    """Where the learner of the map may be believed, and what it may be believed to."""

    area: Applicability
    """Nearness to the rows it was fitted to."""
    error: ErrorModel
    """Error by nearness, from the rows that folds held out."""
    folds: str
    """The fold scheme of the threshold."""


def belief_of(
    study: Study, ground: Ground, learner: Candidate, comparison: Comparison, weights: pd.Series, quote: str
) -> Belief | None:
    """Return where the learner of the map may be believed; None where the study does not ask.

    Parameters
    ----------
    study, ground
        The study, and the rows that the learner was fitted to.
    learner
        The learner of the map, which has nothing left to choose.
    comparison
        Its out-of-fold predictions.
    weights
        Importance of each covariate that it sees.
    quote
        The fold scheme to quote, whose folds give the threshold.
    """
    if not study.products.applicability:
        return None
    rows = ground.table[list(learner.covariates)].to_numpy(float)
    schemes = {scheme.name: scheme for scheme in comparison.folds}
    area = fit_applicability(
        rows,
        weights[list(learner.covariates)].to_numpy(float),
        schemes[quote].rounds[0],
        covariates=learner.covariates,
        classes=learner.classes,
    )
    held_out = [
        _held_out(study, ground, comparison, scheme, area) for scheme in comparison.folds if scheme.spatial
    ]
    measure: Measure = "rmse" if study.target.kind == "value" else "misclassification"
    return Belief(area, fit_error_model(held_out, measure=measure), quote)


def _held_out(
    study: Study, ground: Ground, comparison: Comparison, scheme: Folds, area: Applicability
) -> HeldOut:
    observed = ground.table["value"].to_numpy(float)
    raw = comparison.raw[study.products.learner, scheme.name].values[0]
    if study.target.kind == "value":
        predicted = raw
    else:
        classes, told = np.unique(observed), np.isfinite(raw[:, 0])
        predicted = np.where(told, classes[np.where(told[:, np.newaxis], raw, 0.0).argmax(axis=1)], np.nan)
    return HeldOut(observed, predicted, area.across(scheme.rounds[0]).di)


class BeliefMaker(Maker):
    """Makes the maps that say where that of the target may be believed.

    Parameters
    ----------
    study, ground
        The study, and the rows that the learner was fitted to.
    learner
        The learner of the map, which has nothing left to choose.
    belief
        Where it may be believed.
    canvas
        What maps are drawn from.
    """

    def __init__(
        self, study: Study, ground: Ground, learner: Candidate, belief: Belief, canvas: Canvas
    ) -> None:
        self._study, self._learner, self._belief, self._canvas = study, learner, belief, canvas
        self._known = known_classes(learner.classes, ground.table)
        self._data = digest(
            [
                table_digest(ground.table, list(learner.covariates)),
                [float(weight).hex() for weight in belief.area.weights],
                [belief.area.threshold.hex(), belief.folds],
                [float(value).hex() for value in (*belief.error.knots, *belief.error.errors)],
            ]
        )

    @property
    def epochs(self) -> list[str]:
        """Those of the study."""
        return self._study.epoch_names

    @property
    def sheets(self) -> list[Sheet]:
        """The four maps."""
        return [self._sheet(number, variable) for number, variable in enumerate(LAYERS)]

    def recipe(self, sheet: Sheet, epoch: str) -> dict[str, object]:
        """Return all that a map depends on, as plain values."""
        study = self._study
        return {
            "code": code_digest(__name__),
            "study": [study.study, study.metadata.title, study.metadata.licence, study.products.learner],
            "data": self._data,
            "covariates": list(self._learner.covariates),
            "epoch": epoch,
            "variable": sheet.variable,
            "layers": self._canvas.layers_of(epoch, study.epoch_names),
        }

    def work(self, epoch: str) -> Prediction:
        """Return what gives the four layers."""
        return Prediction(
            applicability_outputs(self._belief.area, self._belief.error),
            at_epoch(self._canvas.stack, epoch),
            self._learner.covariates,
            outputs=len(LAYERS),
            known=self._known,
        )

    def _sheet(self, number: int, variable: str) -> Sheet:
        study = self._study
        is_error = variable == "expected_error"
        unit = study.target.unit if is_error and study.target.kind == "value" else "1"
        # As single precision has it, in which the map is written.
        worst = np.nextafter(np.float32(self._belief.error.errors.max()), np.float32(np.inf))
        highest = {"expected_error": max(float(worst), 1e-6), "area_of_applicability": 1.0}.get(
            variable, np.inf
        )
        legend = legend_for(variable, unit=unit, valid_range=(0.0, highest) if is_error else None)
        take = partial(_inside, number) if legend.kind == "classes" else partial(_layer, number)
        return Sheet(variable, unit, legend, (0.0, highest), legend.title, take)


def _layer(number: int, values: Any) -> Float:
    return np.asarray(values[number])


def _inside(number: int, values: Any) -> Any:
    layer = values[number]
    return np.where(np.isnan(layer), _OUTSIDE, layer).astype("uint8")
