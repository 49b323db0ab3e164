"""Maps by a model that was fitted elsewhere: a study's covariates, grid and epochs, and no site."""

from dataclasses import dataclass
from pathlib import Path

from odc.geo.geobox import GeoBox

from permagrid.check import accepted
from permagrid.check.grid import geobox_of
from permagrid.errors import PermagridError
from permagrid.executors import Executor, Threads
from permagrid.files import sha256_of
from permagrid.grid import BlockSize
from permagrid.models import Model, load_model
from permagrid.progress import Steps
from permagrid.rundir import RunDir
from permagrid.steps import stack
from permagrid.steps.ensemble_maps import EnsembleMaker
from permagrid.steps.inputs import Hashes, covariates_of
from permagrid.steps.layers import Atlas, Maker
from permagrid.steps.maps import Canvas, TargetMaker
from permagrid.steps.memory import planned
from permagrid.steps.models import StoredModel
from permagrid.steps.workshop import Workshop
from permagrid.study import Study

_LEVEL = 0.95
"""Probability of the interval that is mapped of an ensemble which states none."""


@dataclass(frozen=True)
class Means:
    """By what blocks are made; nothing of it changes a byte of a map."""

    workers: int = 2
    """Blocks in work at a time."""
    block: BlockSize = 512
    """Cells per side of a block, or its rows and columns."""
    memory: int | None = None
    """Bytes that blocks may take, and half of it be left; any if None."""
    executor: Executor | None = None
    """Makes the blocks; threads of this process if None."""


def predict(
    model: Path,
    study: Study | Path,
    out: Path,
    *,
    data: Path | None = None,
    means: Means | None = None,
    steps: Steps | None = None,
) -> list[Path]:
    """Draw the maps of a study by a model that was fitted before, perhaps on another machine.

    Of the study, its grid, epochs and covariates are used; tables of sites are not read, and nothing is
    fitted. The study that a model was fitted by gives the same bytes as its run; another grid, other epochs
    or other files of the same covariates give the map there.

    Parameters
    ----------
    model
        Folder of the model, such as ``models/random_forest`` within that of a run.
    study
        A study, or the path of its file.
    out
        Folder to write.
    data
        Folder from which the study's relative paths start; that of the study file if left out.
    means
        By what blocks are made.
    steps
        Shows progress; silent if left out.

    Returns
    -------
    list of Path
        The maps.

    Raises
    ------
    StudyError
        With every fault of the study and its rasters.
    PermagridError
        If the model is damaged, or is not of this target and these covariates.
    """
    root = data or (study.parent if isinstance(study, Path) else Path())
    steps, means = steps or Steps(), means or Means()
    with steps.step("check"):
        fitted = load_model(model)
        study = accepted(study, root, sites=False)
        geobox = geobox_of(study)
        if geobox is None:
            raise PermagridError(f"{study.study}: has no grid, and so no maps")
        study = _of_model(study, fitted, model)
        fit = planned(study, means.memory, block=means.block, workers=means.workers)
    with RunDir(out) as folder:
        folder.claim(f"{study.study} by {fitted.name}")
        folder.unseal()
        canvas = _canvas(study, geobox, root, folder, steps, workers=means.workers, block=fit.block)
        source = StoredModel(fitted, sha256_of(model))
        maker = _maker(study, source, canvas)
        with steps.step("maps") as advance:
            workshop = Workshop(folder, canvas.windows, means.executor or Threads(fit.workers), steps)
            made = Atlas(study, geobox, folder, workshop).make([maker], advance)
        folder.seal(each.path for each in made)
    return [each.path for each in made]


def _canvas(
    study: Study, geobox: GeoBox, root: Path, folder: RunDir, steps: Steps, *, workers: int, block: BlockSize
) -> Canvas:
    with steps.step("covariate stack") as advance:
        hashes = Hashes(folder.work / "hashes.json")
        stores = stack.layer_stores(study, geobox, hashes, root, folder.work / "stack")
        cube = stack.build_stack(
            study, geobox, folder, stores, root, hashes=hashes, workers=workers, advance=advance
        )
    return Canvas.of(cube, stores.values(), block=block)


def _maker(study: Study, source: StoredModel, canvas: Canvas) -> Maker:
    if source.model.mixture is None:
        return TargetMaker(study, source, canvas)
    told = source.model.origin.get("fitted_to", {}).get("interval", {})
    held = told.get("coverage")
    coverage = None if held is None else (str(held[0]), float(held[1]))
    return EnsembleMaker(study, source, canvas, float(told.get("level", _LEVEL)), coverage=coverage)


def _of_model(study: Study, model: Model, path: Path) -> Study:
    """Return a study with those covariates alone that a model needs, and that says whose maps they are.

    Raises
    ------
    PermagridError
        If its target or a covariate is not what the model was fitted to.
    """
    target, given = model.target, study.target
    for what, wanted, found in (
        ("variable", target.variable, given.variable),
        ("unit", target.unit, given.unit),
        ("depth", target.depth, given.depth),
        ("valid_range", tuple(target.valid_range), tuple(given.valid_range)),
    ):
        if wanted != found:
            raise PermagridError(f"target.{what}: {path} is a model of {wanted}, the study has {found}")
    covariates = covariates_of(study)
    for column in model.columns:
        own = covariates.get(column.name)
        if own is None:
            raise PermagridError(f"covariates: {path} reads {column.name}, which the study lacks")
        if (own.unit, own.kind) != (column.unit, column.kind):
            raise PermagridError(
                f"covariates: {path} reads {column.name} as {column.kind} in {column.unit}, "
                f"the study has it as {own.kind} in {own.unit}"
            )
    needed, waiting = set[str](), list(model.covariates)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(covariates[name].inputs)
    kept = tuple(part for part in study.covariates if part.name in needed)
    products = study.products.model_copy(update={"learner": model.name})
    return study.model_copy(update={"covariates": kept, "products": products})
