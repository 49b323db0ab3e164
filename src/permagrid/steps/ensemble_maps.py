"""Step: maps of an ensemble: its mean, its interval, the probability and the zones of permafrost."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from permagrid.compiled import patch_order
from permagrid.covariates import at_epoch
from permagrid.ensemble import ClassMixture
from permagrid.inventory import zone_codes
from permagrid.models import Model
from permagrid.prediction.blocks import Predict, Prediction
from permagrid.products.legend import CLASS_NODATA, legend_for
from permagrid.steps.code import code_digest
from permagrid.steps.layers import Maker, Sheet
from permagrid.steps.maps import PROBABILITY, Canvas, map_variables, unit_of
from permagrid.steps.models import Source
from permagrid.study import Study

Float = NDArray[np.float64]

ZONE = "permafrost_zone"
WIDTH = "interval_width"


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
    study
        The study.
    source
        The model of the ensemble.
    canvas
        What maps are drawn from.
    level
        Probability of the mapped interval.
    coverage
        Share of observed values within that, by fold scheme, and the scheme to quote.
    with_target
        Whether the target itself is mapped by the ensemble.
    """

    def __init__(
        self,
        study: Study,
        source: Source,
        canvas: Canvas,
        level: float,
        *,
        coverage: tuple[str, float] | None = None,
        with_target: bool = True,
    ) -> None:
        self._study, self._source, self._canvas = study, source, canvas
        self._coverage, self._with_target = coverage, with_target
        self._is_value = study.target.kind == "value"
        self.level = level

    @property
    def epochs(self) -> list[str]:
        """Those of the study."""
        return self._study.epoch_names

    @property
    def sheets(self) -> list[Sheet]:
        """The maps; those of the target itself only where the study maps by the ensemble."""
        wanted = set(map_variables(self._study)) if self._with_target else set()
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
        return {
            "code": code_digest(__name__),
            "model": self._source.ingredients,
            "target": study.target.model_dump(mode="json"),
            "inventory": None if study.inventory is None else study.inventory.model_dump(mode="json"),
            "study": [study.study, study.metadata.title, study.metadata.licence, study.products.learner],
            "level": self.level,
            "coverage": None if self._coverage is None else list(self._coverage),
            "epoch": epoch,
            "variable": sheet.variable,
            "layers": self._canvas.layers_of(epoch, study.epoch_names),
        }

    def work(self, epoch: str) -> Prediction:
        """Return what gives mean, lower and upper end, and the probability of permafrost; or of classes."""
        model = self._source.model
        return Prediction(
            self._predict,
            at_epoch(self._canvas.stack, epoch),
            model.covariates,
            outputs=4 if self._is_value else len(model.target.classes),
            known=model.known,
            order=patch_order,
        )

    @cached_property
    def _predict(self) -> Predict:
        """What predicts rows, one and the same for all epochs."""
        model = self._source.model
        if model.mixture is None or isinstance(model.mixture, ClassMixture):
            return model.probabilities
        ends = np.array([0.5 - self.level / 2, 0.5 + self.level / 2])
        inventory = self._study.inventory
        threshold = inventory.permafrost.threshold if inventory and inventory.permafrost else 0.0
        return partial(_moments, model, model.mixture.tables(), ends, threshold)

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
        codes, missing = np.array(self._source.model.target.classes), np.isnan(values[0])
        picked = codes[np.where(missing, 0.0, values).argmax(axis=0)]
        return np.where(missing, CLASS_NODATA, picked).astype("uint8")


def _moments(model: Model, tables: Any, ends: Float, threshold: float, rows: Float) -> Float:
    said = model.said(rows)
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
