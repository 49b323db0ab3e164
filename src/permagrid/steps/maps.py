"""Step: the chosen learner fitted to all sites, and its maps for every epoch."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import rasterio
import xarray as xr
from rasterio.windows import Window
from threadpoolctl import threadpool_limits

from permagrid.covariates import at_epoch
from permagrid.files import sha256_of
from permagrid.grid import Float
from permagrid.prediction import predict_blocks, row_wise
from permagrid.products.geotiff import write_cog
from permagrid.products.legend import Legend, legend_for
from permagrid.products.scratch import open_scratch
from permagrid.products.styles import write_styles
from permagrid.progress import Advance
from permagrid.rundir import RunDir
from permagrid.steps.inputs import code_digest
from permagrid.steps.learners import mapped_part
from permagrid.steps.scores import table_digest
from permagrid.study import Study
from permagrid.validation import Candidate, Fitted, fit

PROBABILITY = "permafrost_probability"
COUNTS = ("cells", "clipped_cells", "unseen_class_cells")
"""Tags of a map that say how many cells were predicted, how many of them were brought back into the valid
range, and how many were left out because of a class that no training row had."""
UNSEEN = "unseen_classes"
"""Tag of a map that says which classes those were, where there are any: JSON, covariate -> class -> cells."""


@dataclass(frozen=True)
class Map:
    """A finished map."""

    path: Path
    """The GeoTIFF."""
    variable: str
    """What it shows."""
    epoch: str
    """The years it stands for."""
    unit: str
    """Its unit."""
    sha256: str
    """Hash of the file."""
    cells: int
    """Cells that hold a prediction."""
    clipped: int
    """Cells whose prediction was brought back into the valid range of the target."""
    unseen_class_cells: int
    """Cells that are nodata because no training row had their class."""
    unseen_classes: Mapping[str, Mapping[str, int]]
    """Covariate -> class -> cells among those."""


def map_variables(study: Study) -> list[str]:
    """Return the variables that the study maps."""
    if study.products.variables:
        return list(study.products.variables)
    probability = [PROBABILITY] if study.target.variable == "permafrost_presence" else []
    return [study.target.variable, *probability]


class MapJob:
    """Makes the maps of a study, only those whose ingredients changed.

    Parameters
    ----------
    study, learner, stack, rundir
        The study, the learner it maps by, its covariates and its folder.
    stores
        The kept covariate layers; their names hold the layers' digests.
    block, workers
        Cells per side of a block, and blocks in work at a time; neither changes a byte.
    """

    def __init__(
        self,
        study: Study,
        learner: Candidate,
        stack: xr.Dataset,
        rundir: RunDir,
        stores: Iterable[Path],
        *,
        block: int,
        workers: int,
    ) -> None:
        self._study, self._stack, self._rundir = study, stack, rundir
        self._stores = [path.name for path in stores]
        self._block, self._workers = block, workers
        self._part, self._chosen = mapped_part(study), learner
        self._learned: _Learned | None = None

    def make(self, table: pd.DataFrame, advance: Advance) -> list[Map]:
        """Return the maps of every epoch, by the learner fitted to all rows of `table`."""
        study, rundir = self._study, self._rundir
        data = table_digest(table, [*self._chosen.covariates, "value"])
        rows, columns = self._stack.odc.geobox.shape
        per_epoch = -(-rows // self._block) * -(-columns // self._block)
        maps: list[Map] = []
        for number, epoch in enumerate(study.epoch_names):
            names = {v: f"maps/{study.study}_{v}_{epoch}.tif" for v in map_variables(study)}
            recipes = {v: self._recipe(v, epoch, data) for v in names}
            missing = {v: n for v, n in names.items() if not rundir.is_kept(n, recipes[v])}
            rundir.reused += [name for v, name in names.items() if v not in missing]
            if missing:
                rundir.begin(*missing.values())
                place = number * per_epoch, len(study.epochs) * per_epoch
                self._predict(self._learn(table), missing, epoch, partial(_later, advance, place))
                for variable, name in missing.items():
                    rundir.record(name, recipes[variable])
            maps += [self._finished(rundir.path / name, v, epoch) for v, name in names.items()]
        rundir.forget("maps", {f"maps/{made.path.name}" for made in maps})
        return maps

    def _finished(self, path: Path, variable: str, epoch: str) -> Map:
        # Written each time: the ledger watches over the map, not over the styles beside it.
        write_styles(path, self._legend(variable))
        with rasterio.open(path) as raster:
            tags = raster.tags()
        cells, clipped, unseen = (int(tags[name]) for name in COUNTS)
        classes, unit = json.loads(tags.get(UNSEEN, "{}")), unit_of(variable, self._study)
        return Map(path, variable, epoch, unit, sha256_of(path), cells, clipped, unseen, classes)

    def _legend(self, variable: str) -> Legend:
        valid_range = None if variable == PROBABILITY else self._study.target.valid_range
        return legend_for(variable, unit=unit_of(variable, self._study), valid_range=valid_range)

    def _recipe(self, variable: str, epoch: str, data: str) -> dict[str, object]:
        study = self._study
        others = [f"_{other}_" for other in study.epoch_names if other != epoch]
        return {
            "code": code_digest(),
            "learner": self._part.model_dump(mode="json"),
            "seed": study.seed,
            "target": study.target.model_dump(mode="json"),
            "study": [study.study, study.metadata.title, study.metadata.licence],
            "data": data,
            "epoch": epoch,
            "variable": variable,
            "layers": sorted(name for name in self._stores if not any(o in name for o in others)),
        }

    def _learn(self, table: pd.DataFrame) -> "_Learned":
        if self._learned is None:
            with threadpool_limits(1):
                fitted = fit(self._chosen, table)
            known = {name: np.unique(table[name].to_numpy(float)) for name in fitted.classes}
            self._learned = _Learned(fitted, known)
        return self._learned

    def _predict(
        self, learned: "_Learned", missing: dict[str, str], epoch: str, finished: Callable[[int], None]
    ) -> None:
        """Predict one epoch into scratch rasters and finish them as products."""
        layers, is_class = at_epoch(self._stack, epoch), self._study.target.kind == "class"
        fitted = learned.fitted
        codes = fitted.estimator.classes_ if is_class else None
        scratch = {v: self._rundir.work / f".{Path(n).stem}.partial.tif" for v, n in missing.items()}
        counts, unseen = np.zeros(len(COUNTS), dtype=int), Counter[tuple[str, float]]()
        try:
            with ExitStack() as files:
                rasters = {v: self._open(files, scratch[v], v) for v in scratch}
                predictions = predict_blocks(
                    row_wise(fitted.estimator, task=self._study.target.kind),
                    layers,
                    fitted.covariates,
                    outputs=1 if codes is None else len(codes),
                    block=self._block,
                    valid_range=(0.0, 1.0) if is_class else self._study.target.valid_range,
                    workers=self._workers,
                    known=learned.known,
                )
                for number, part in enumerate(predictions, 1):
                    window = Window.from_slices(*part.window)
                    for variable, raster in rasters.items():
                        raster.write(_values(variable, part.values, codes), 1, window=window)
                    counts += (part.valid, part.clipped, part.unseen)
                    unseen.update(part.unseen_classes)
                    finished(number)
            tags = dict(zip(COUNTS, map(str, counts.tolist()), strict=True)) | _unseen_tag(unseen)
            for variable, name in missing.items():
                self._finish(scratch[variable], self._rundir.path / name, (variable, epoch), tags)
        finally:
            for path in scratch.values():
                path.unlink(missing_ok=True)

    def _open(self, files: ExitStack, path: Path, variable: str) -> Any:
        classes = self._legend(variable).kind == "classes"
        dtype, nodata = ("uint8", 255.0) if classes else ("float32", float("nan"))
        return files.enter_context(open_scratch(path, self._stack.odc.geobox, dtype, nodata))

    def _finish(self, scratch: Path, path: Path, layer: tuple[str, str], tags: dict[str, str]) -> None:
        study, (variable, epoch) = self._study, layer
        legend = self._legend(variable)
        depth = f" at {study.target.depth:g} m depth" if study.target.depth is not None else ""
        write_cog(
            path,
            scratch,
            legend=legend,
            epoch=epoch,
            description=f"{study.metadata.title}: {legend.title}{depth}, {epoch}, {study.products.learner}",
            valid_range=(0.0, 1.0) if variable == PROBABILITY else study.target.valid_range,
            tags={"study": study.study, "licence": study.metadata.licence, **tags},
        )


class _Learned(NamedTuple):
    """The learner fitted to all rows."""

    fitted: Fitted
    known: Mapping[str, Float]


def _later(advance: Advance, place: tuple[int, int], done: int) -> None:
    advance(place[0] + done, place[1])


def _values(variable: str, values: np.ndarray[Any, np.dtype[np.float32]], codes: Float | None) -> Any:
    """Return what a map holds, from predicted values or probabilities of classes."""
    if codes is None:
        return values[0]
    if variable == PROBABILITY:
        return values[-1]
    missing = np.isnan(values[0])
    return np.where(missing, 255, codes[np.where(missing, 0.0, values).argmax(axis=0)]).astype("uint8")


def _unseen_tag(cells: Mapping[tuple[str, float], int]) -> dict[str, str]:
    by_covariate: dict[str, dict[str, int]] = {}
    for (name, code), count in sorted(cells.items()):
        by_covariate.setdefault(name, {})[f"{code:.10g}"] = count
    return {UNSEEN: json.dumps(by_covariate)} if by_covariate else {}


def unit_of(variable: str, study: Study) -> str:
    """Return the unit in which a variable is mapped."""
    return "1" if variable == PROBABILITY else study.target.unit
