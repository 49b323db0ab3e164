"""Step: maps of the target for every epoch, by the model of one learner."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from permagrid.compiled import patch_order
from permagrid.covariates import at_epoch
from permagrid.grid import BlockSize, Window, blocks
from permagrid.prediction.blocks import Prediction
from permagrid.products.legend import Legend, legend_for
from permagrid.steps.code import code_digest
from permagrid.steps.layers import Maker, Sheet
from permagrid.steps.models import Source
from permagrid.study import Study

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
    """Makes the maps of the target, by one learner.

    Parameters
    ----------
    study
        The study.
    source
        Its model.
    canvas
        What maps are drawn from.
    """

    def __init__(self, study: Study, source: Source, canvas: Canvas) -> None:
        self._study, self._source, self._canvas = study, source, canvas

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
            "model": self._source.ingredients,
            "target": study.target.model_dump(mode="json"),
            "study": [study.study, study.metadata.title, study.metadata.licence],
            "epoch": epoch,
            "variable": sheet.variable,
            "layers": self._canvas.layers_of(epoch, study.epoch_names),
        }

    def work(self, epoch: str) -> Prediction:
        """Return what predicts values, or probabilities of all classes."""
        model, is_class = self._source.model, self._study.target.kind == "class"
        return Prediction(
            model.learners[0].predict,
            at_epoch(self._canvas.stack, epoch),
            model.learners[0].covariates,
            outputs=len(model.target.classes) if is_class else 1,
            valid_range=(0.0, 1.0) if is_class else self._study.target.valid_range,
            known=model.known,
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
        codes, missing = np.array(self._source.model.target.classes), np.isnan(values[0])
        return np.where(missing, 255, codes[np.where(missing, 0.0, values).argmax(axis=0)]).astype("uint8")


def unit_of(variable: str, study: Study) -> str:
    """Return the unit in which a variable is mapped."""
    return "1" if variable == PROBABILITY else study.target.unit
