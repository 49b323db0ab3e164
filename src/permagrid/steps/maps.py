"""Step: the chosen learner fitted to all sites, and its maps of the target for every epoch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from threadpoolctl import threadpool_limits

from permagrid.compiled import patch_order
from permagrid.covariates import at_epoch
from permagrid.grid import BlockSize, Float, Window, blocks
from permagrid.prediction.blocks import Prediction
from permagrid.products.legend import Legend, legend_for
from permagrid.steps.code import code_digest
from permagrid.steps.layers import Maker, Sheet
from permagrid.steps.learners import mapped_part
from permagrid.steps.predictors import map_predictor
from permagrid.steps.scores import Ground, table_digest
from permagrid.study import Study
from permagrid.validation import Candidate, Fitted, fit

PROBABILITY = "permafrost_probability"


@dataclass(frozen=True)
class Canvas:
    """What maps are drawn from, and how much of it at a time."""

    stack: xr.Dataset
    """The covariates."""
    stores: tuple[str, ...]
    """Names of their kept layers, which hold the layers' digests."""
    block: BlockSize
    """Size of a block; changes no byte."""

    @classmethod
    def of(cls, stack: xr.Dataset, stores: Iterable[Path], *, block: BlockSize) -> "Canvas":
        """Return a canvas of a stack whose layers are kept in some stores."""
        return cls(stack, tuple(path.name for path in stores), block)

    @property
    def windows(self) -> list[Window]:
        """Blocks of an epoch, row by row."""
        rows, columns = self.stack.odc.geobox.shape
        return list(blocks((int(rows), int(columns)), self.block))

    def layers_of(self, epoch: str, epochs: Iterable[str]) -> list[str]:
        """Return the names of the kept layers that an epoch is drawn from."""
        others = [f"_{other}_" for other in epochs if other != epoch]
        return sorted(name for name in self.stores if not any(other in name for other in others))


def map_variables(study: Study) -> list[str]:
    """Return the variables of the target that the study maps."""
    if study.products.variables:
        return list(study.products.variables)
    probability = [PROBABILITY] if study.target.variable == "permafrost_presence" else []
    return [study.target.variable, *probability]


class TargetMaker(Maker):
    """Makes the maps of the target, by the learner fitted to all rows.

    Parameters
    ----------
    study, learner
        The study, and the learner it maps by, which has nothing left to choose.
    ground
        The rows it is fitted to.
    canvas
        What maps are drawn from.
    """

    def __init__(self, study: Study, learner: Candidate, ground: Ground, canvas: Canvas) -> None:
        self._study, self._learner, self._table, self._canvas = study, learner, ground.table, canvas
        weighed = [ground.where] if learner.weigh else []
        data = table_digest(ground.table, [*learner.covariates, "value"])
        self._data = [data, dict(learner.keywords), list(learner.covariates), *weighed]

    @cached_property
    def fitted(self) -> Fitted:
        """The learner, fitted when it is first needed."""
        with threadpool_limits(1):
            return fit(self._learner, self._table)

    @property
    def epochs(self) -> list[str]:
        """Those of the study."""
        return self._study.epoch_names

    @property
    def sheets(self) -> list[Sheet]:
        """The target, and its probability for a class of two."""
        return [self._sheet(variable) for variable in map_variables(self._study)]

    def recipe(self, sheet: Sheet, epoch: str) -> dict[str, object]:
        """Return all that a map depends on, as plain values."""
        study = self._study
        return {
            "code": code_digest(__name__),
            "learner": mapped_part(study).model_dump(mode="json"),
            "seed": study.seed,
            "target": study.target.model_dump(mode="json"),
            "study": [study.study, study.metadata.title, study.metadata.licence],
            "data": self._data,
            "epoch": epoch,
            "variable": sheet.variable,
            "layers": self._canvas.layers_of(epoch, study.epoch_names),
        }

    def work(self, epoch: str) -> Prediction:
        """Return what predicts values, or probabilities of all classes."""
        is_class = self._study.target.kind == "class"
        return Prediction(
            map_predictor(self.fitted.estimator, task=self._study.target.kind),
            at_epoch(self._canvas.stack, epoch),
            self.fitted.covariates,
            outputs=len(self.fitted.estimator.classes_) if is_class else 1,
            valid_range=(0.0, 1.0) if is_class else self._study.target.valid_range,
            known=known_classes(self.fitted.classes, self._table),
            order=patch_order,
        )

    def _sheet(self, variable: str) -> Sheet:
        study = self._study
        is_probability = variable == PROBABILITY
        valid_range = (0.0, 1.0) if is_probability else study.target.valid_range
        legend = self._legend(variable)
        depth = f" at {study.target.depth:g} m depth" if study.target.depth is not None else ""
        take = partial(self._values, variable)
        return Sheet(variable, unit_of(variable, study), legend, valid_range, f"{legend.title}{depth}", take)

    def _legend(self, variable: str) -> Legend:
        valid_range = None if variable == PROBABILITY else self._study.target.valid_range
        return legend_for(variable, unit=unit_of(variable, self._study), valid_range=valid_range)

    def _values(self, variable: str, values: np.ndarray[Any, np.dtype[np.float32]]) -> Any:
        """Return what a map holds, from predicted values or probabilities of classes."""
        if self._study.target.kind == "value":
            return values[0]
        if variable == PROBABILITY:
            return values[-1]
        codes, missing = self.fitted.estimator.classes_, np.isnan(values[0])
        return np.where(missing, 255, codes[np.where(missing, 0.0, values).argmax(axis=0)]).astype("uint8")


def known_classes(classes: Sequence[str], table: pd.DataFrame) -> Mapping[str, Float]:
    """Return the classes of each class covariate in the rows that a learner is fitted to."""
    return {name: np.unique(table[name].to_numpy(float)) for name in classes}


def unit_of(variable: str, study: Study) -> str:
    """Return the unit in which a variable is mapped."""
    return "1" if variable == PROBABILITY else study.target.unit
