"""Step: maps of an ensemble: its mean, its interval, the probability and the zones of permafrost."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from permagrid.compiled import patch_order
from permagrid.covariates import at_epoch
from permagrid.ensemble import ClassMixture
from permagrid.inventory import zone_codes
from permagrid.prediction.blocks import Predict, Prediction
from permagrid.products.legend import CLASS_NODATA, legend_for
from permagrid.rundir import digest
from permagrid.steps.code import code_digest
from permagrid.steps.ensemble import Joined
from permagrid.steps.layers import Maker, Sheet
from permagrid.steps.learners import candidate, is_joined
from permagrid.steps.maps import PROBABILITY, Canvas, known_classes, map_variables, unit_of
from permagrid.steps.nested import joined_parts
from permagrid.steps.predictors import map_predictor
from permagrid.steps.scores import Ground, table_digest
from permagrid.study import Ensemble, Study
from permagrid.validation import Fitted, fit

Float = NDArray[np.float64]

ZONE = "permafrost_zone"
WIDTH = "interval_width"


@dataclass(frozen=True, eq=False)
class FittedEnsemble:
    """The learners of an ensemble fitted to all rows, and the mixture that joins what they say."""

    learners: tuple[Fitted, ...]
    """In the order of the study."""
    joined: Joined
    """The mixture, and what it was learned from."""
    _made: dict[str, list[Predict]] = field(default_factory=dict, repr=False)

    @cached_property
    def covariates(self) -> tuple[str, ...]:
        """All covariates that any of them sees."""
        return tuple(dict.fromkeys(name for each in self.learners for name in each.covariates))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class covariates of which an unknown class cannot be predicted."""
        return tuple(dict.fromkeys(name for each in self.learners for name in each.classes))

    def columns(self, number: int) -> list[int]:
        """Return the places, among `covariates`, of those that one learner sees."""
        return [self.covariates.index(name) for name in self.learners[number].covariates]

    def predictors(self, task: str) -> list[Predict]:
        """Return what gives values, or probabilities of classes, for each learner."""
        if task not in self._made:
            self._made[task] = [map_predictor(each.estimator, task=task) for each in self.learners]
        return self._made[task]

    def said(self, rows: Float, *, task: str) -> Float:
        """Return what the learners say of rows, shape ``(n, learners)`` or ``(n, learners, classes)``."""
        found = []
        for number, predict in enumerate(self.predictors(task)):
            found.append(predict(np.ascontiguousarray(rows[:, self.columns(number)])))
        return np.stack(found, axis=1).astype(float)


def fit_ensemble(ground: Ground, study: Study, ensemble: Ensemble, joined: Joined) -> FittedEnsemble:
    """Return the learners of an ensemble, fitted to all rows."""
    with threadpool_limits(1):
        learners = [
            fit(candidate(part, study, ground.domain), ground.table)
            for part in joined_parts(study, ensemble).values()
        ]
    return FittedEnsemble(tuple(learners), joined)


def percent(level: float) -> str:
    """Return a probability as it stands in names.

    Examples
    --------
    >>> percent(0.95), percent(0.995)
    ('95', '99_5')
    """
    return f"{100 * level:.6g}".replace(".", "_")


class EnsembleMaker(Maker):
    """Makes the maps of an ensemble, from tables of its distribution.

    Parameters
    ----------
    study, ensemble, ground
        The study, what it joins, and the rows that the learners are fitted to.
    joined
        The mixture.
    canvas
        What maps are drawn from.
    coverage
        Share of observed values within the mapped interval, by fold scheme, and the scheme to quote.
    """

    def __init__(
        self,
        study: Study,
        ensemble: Ensemble,
        ground: Ground,
        joined: Joined,
        canvas: Canvas,
        coverage: tuple[str, float] | None = None,
    ) -> None:
        self._study, self._ensemble, self._ground = study, ensemble, ground
        self._joined, self._canvas, self._coverage = joined, canvas, coverage
        self._is_value = study.target.kind == "value"
        self.level = max(ensemble.intervals)

    @cached_property
    def fitted(self) -> FittedEnsemble:
        """The learners, fitted when they are first needed."""
        return fit_ensemble(self._ground, self._study, self._ensemble, self._joined)

    @property
    def epochs(self) -> list[str]:
        """Those of the study."""
        return self._study.epoch_names

    @property
    def sheets(self) -> list[Sheet]:
        """The maps; those of the target itself only where the study maps by the ensemble."""
        wanted = set(map_variables(self._study)) if is_joined(self._study) else set()
        return [sheet for sheet in self._all() if sheet.variable in wanted or not self._is_target(sheet)]

    def _is_target(self, sheet: Sheet) -> bool:
        return sheet.variable in {self._study.target.variable} or (
            sheet.variable == PROBABILITY and not self._is_value
        )

    def _all(self) -> Iterator[Sheet]:
        study, variable = self._study, self._study.target.variable
        has_presence = study.inventory is not None and study.inventory.permafrost is not None
        if not self._is_value:
            yield self._sheet(variable, "", study.target.valid_range, self._most_probable)
            if has_presence or variable == "permafrost_presence":
                yield self._sheet(PROBABILITY, "", (0.0, 1.0), _last)
            if has_presence:
                yield self._sheet(ZONE, "", (0.0, 254.0), _zone_of_last)
            return
        bounds, shown = study.target.valid_range, percent(self.level)
        width = bounds[1] - bounds[0]
        said = f"{100 * self.level:g} % prediction interval"
        yield self._sheet(variable, "mean of the predictive distribution", bounds, partial(_layer, 0))
        yield self._sheet(f"{variable}_lower_{shown}", f"lower end of the {said}", bounds, partial(_layer, 1))
        yield self._sheet(f"{variable}_upper_{shown}", f"upper end of the {said}", bounds, partial(_layer, 2))
        words = f"full width, upper less lower end, of the {said}"
        yield self._sheet(f"{variable}_{WIDTH}", words, (0.0, width), _width)
        if has_presence:
            yield self._sheet(PROBABILITY, "", (0.0, 1.0), _last)
            yield self._sheet(ZONE, "", (0.0, 254.0), _zone_of_last)

    def recipe(self, sheet: Sheet, epoch: str) -> dict[str, object]:
        """Return all that a map depends on, as plain values."""
        study = self._study
        parts = joined_parts(study, self._ensemble).values()
        columns = dict.fromkeys(name for part in parts for name in candidate(part, study).covariates)
        return {
            "code": code_digest(__name__),
            "ensemble": self._ensemble.model_dump(mode="json", exclude={"members", "block"}),
            "learners": [part.model_dump(mode="json") for part in parts],
            "seed": study.seed,
            "target": study.target.model_dump(mode="json"),
            "inventory": None if study.inventory is None else study.inventory.model_dump(mode="json"),
            "study": [study.study, study.metadata.title, study.metadata.licence, study.products.learner],
            "data": table_digest(self._ground.table, [*columns, "value"]),
            "where": self._ground.where,
            "said": digest([self._joined.said.tobytes().hex()]),
            "coverage": None if self._coverage is None else list(self._coverage),
            "epoch": epoch,
            "variable": sheet.variable,
            "layers": self._canvas.layers_of(epoch, study.epoch_names),
        }

    def work(self, epoch: str) -> Prediction:
        """Return what gives mean, lower and upper end, and the probability of permafrost; or of classes."""
        fitted = self.fitted
        n_classes = len(np.unique(self._ground.table["value"]))
        return Prediction(
            self._predict(fitted),
            at_epoch(self._canvas.stack, epoch),
            fitted.covariates,
            outputs=4 if self._is_value else n_classes,
            known=known_classes(fitted.classes, self._ground.table),
            order=patch_order,
        )

    def _predict(self, fitted: FittedEnsemble) -> Predict:
        mixture = self._joined.mixture
        # Made here once, or every thread would make them for itself.
        fitted.predictors(self._study.target.kind)
        if isinstance(mixture, ClassMixture):
            return partial(_probabilities, fitted, mixture)
        ends = np.array([0.5 - self.level / 2, 0.5 + self.level / 2])
        inventory = self._study.inventory
        threshold = inventory.permafrost.threshold if inventory and inventory.permafrost else 0.0
        return partial(_moments, fitted, mixture.tables(), ends, threshold)

    def _sheet(self, variable: str, words: str, valid_range: tuple[float, float], take: Any) -> Sheet:
        study = self._study
        is_share = variable in (PROBABILITY, ZONE)
        unit = "1" if is_share else unit_of(study.target.variable, study)
        legend = legend_for(variable, unit=unit, valid_range=None if is_share else valid_range)
        depth = (
            f" at {study.target.depth:g} m depth" if study.target.depth is not None and not is_share else ""
        )
        told = f", {words}" if words else ""
        sheet = Sheet(variable, unit, legend, valid_range, f"{legend.title}{depth}{told}", take)
        return replace(sheet, tags=self._tags(variable)) if self._is_value and not is_share else sheet

    def _tags(self, variable: str) -> dict[str, str]:
        """Return what a machine reads of an interval: its probability, what is mapped, and what it covers."""
        if variable == self._study.target.variable:
            return {}
        tags = {"interval_probability": f"{self.level:g}"}
        if variable.endswith(WIDTH):
            tags["interval_measure"] = "full width"
        if self._coverage is not None:
            folds, share = self._coverage
            tags |= {"interval_measured_coverage": f"{share:.4f}", "interval_coverage_folds": folds}
        return tags

    def _most_probable(self, values: Any) -> Any:
        codes, missing = np.unique(self._ground.table["value"].to_numpy(float)), np.isnan(values[0])
        picked = codes[np.where(missing, 0.0, values).argmax(axis=0)]
        return np.where(missing, CLASS_NODATA, picked).astype("uint8")


def _probabilities(fitted: FittedEnsemble, mixture: ClassMixture, rows: Float) -> Float:
    return mixture.proba(fitted.said(rows, task="class"))


def _moments(fitted: FittedEnsemble, tables: Any, ends: Float, threshold: float, rows: Float) -> Float:
    said = fitted.said(rows, task="value")
    frozen = tables.cdf(said, threshold)
    return np.column_stack([tables.mean(said), tables.quantiles(said, ends), frozen])


def _layer(number: int, values: Any) -> Any:
    return values[number]


def _width(values: Any) -> Any:
    return values[2] - values[1]


def _last(values: Any) -> Any:
    return values[-1]


def _zone_of_last(values: Any) -> Any:
    return zone_codes(values[-1])
