"""Step: the covariate stack on the study's grid, each layer kept by its digest."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr
from odc.geo.geobox import GeoBox

from permagrid.covariates import Covariate, build, open_stack, stack_layers, store_layers
from permagrid.covariates.raster import class_mask
from permagrid.covariates.stack import Layer
from permagrid.covariates.traits import Years
from permagrid.files import remove
from permagrid.progress import Advance
from permagrid.rundir import RunDir, digest
from permagrid.steps.code import code_digest
from permagrid.steps.inputs import Hashes, covariates_of, files_for
from permagrid.study import Study


def build_stack(
    study: Study,
    geobox: GeoBox,
    rundir: RunDir,
    stores: Mapping[Layer, Path],
    root: Path,
    *,
    hashes: Hashes,
    workers: int,
    advance: Advance,
) -> xr.Dataset:
    """Return the stack of a study, building the layers that are not kept yet.

    Parameters
    ----------
    study, geobox, rundir, root
        The study, its grid, its folder, and where its paths start.
    stores
        Layer -> store, from `layer_stores`.
    hashes
        Of the inputs; a layer of which one changed while it was made is not kept.
    workers
        Chunks in work at a time.
    advance
        Called with chunks done and in all.

    Raises
    ------
    PermagridError
        If a covariate cannot be read.
    DataError
        If an input changed while it was read.
    """
    covariates = covariates_of(study)
    spans = dict(zip(study.epoch_names, study.epochs, strict=True))
    missing: dict[Path, xr.DataArray] = {}
    names = {path: f"work/stack/{path.name}" for path in stores.values()}
    for (name, epoch), path in stores.items():
        # The digest of the ingredients is part of the name.
        if rundir.is_kept(names[path], path.name):
            rundir.reused.append(names[path])
            continue
        span = spans[epoch] if epoch is not None else None
        missing[path] = build(name, covariates, geobox, epoch=span, root=root)
    rundir.begin(*(names[path] for path in missing))
    mask, region = (study.grid.mask, study.grid.region) if study.grid is not None else (None, None)
    left_out = class_mask(str(root / mask.path), mask.exclude, geobox, crs=mask.crs) if mask else None
    store_layers(missing, geobox, region=region, mask=left_out, workers=workers, progress=advance)
    hashes.refuse_changed()
    for path in missing:
        rundir.record(names[path], path.name)
    for stale in set((rundir.work / "stack").glob("*.zarr")) - set(stores.values()):
        remove(stale)
    rundir.forget("work/stack", set(names.values()))
    return open_stack(stores, covariates, geobox)


def layer_stores(study: Study, geobox: GeoBox, hashes: Hashes, root: Path, folder: Path) -> dict[Layer, Path]:
    """Return layer -> store; the store's name holds the digest of all that the layer is made from."""
    covariates = covariates_of(study)
    spans = dict(zip(study.epoch_names, study.epochs, strict=True))
    stores: dict[Layer, Path] = {}
    for name, epoch in stack_layers(covariates, study.epoch_names):
        ingredients = {
            "code": code_digest(__name__),
            "made_from": _recipe(name, covariates, [] if epoch is None else [spans[epoch]], hashes, root),
            "epoch": epoch,
            "grid": [str(geobox.crs), list(geobox.affine)[:6], list(geobox.shape)],
            "region": None if study.grid is None else study.grid.region,
            "mask": _mask_recipe(study, hashes, root),
        }
        label = name if epoch is None else f"{name}_{epoch}"
        stores[name, epoch] = folder / f"{label}_{digest(ingredients)[:16]}.zarr"
    return stores


def _mask_recipe(study: Study, hashes: Hashes, root: Path) -> dict[str, object] | None:
    mask = None if study.grid is None else study.grid.mask
    if mask is None:
        return None
    return {"file": hashes.of(root / mask.path), "exclude": mask.exclude, "crs": mask.crs}


def _recipe(
    name: str, covariates: Mapping[str, Covariate], epochs: Sequence[Years], hashes: Hashes, root: Path
) -> dict[str, object]:
    """Return what a layer is made from: the files of its own epoch, not those of the others."""
    covariate = covariates[name]
    return {
        "method": covariate.method,
        "keywords": dict(covariate.keywords),
        "unit": covariate.unit,
        "kind": covariate.kind,
        "files": [hashes.of(path) for path in files_for(covariate, epochs, root)],
        "inputs": [_recipe(other, covariates, epochs, hashes, root) for other in covariate.inputs],
    }
