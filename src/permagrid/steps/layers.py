"""Step: maps of every epoch from predicted blocks, made anew only where what they are made from changed."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from permagrid.files import sha256_of
from permagrid.prediction.blocks import Block
from permagrid.products.geotiff import write_cog
from permagrid.products.legend import CLASS_NODATA, Legend
from permagrid.products.scratch import open_scratch
from permagrid.products.styles import write_styles
from permagrid.progress import Advance
from permagrid.rundir import RunDir
from permagrid.study import Study

COUNTS = ("cells", "clipped_cells", "unseen_class_cells")
"""Tags of a map that say how many cells hold a value, how many of them were brought back into the valid
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
    """Cells that hold a value."""
    clipped: int
    """Cells whose prediction was brought back into the valid range of the target."""
    unseen_class_cells: int
    """Cells that are nodata because no training row had their class."""
    unseen_classes: Mapping[str, Mapping[str, int]]
    """Covariate -> class -> cells among those."""


@dataclass(frozen=True)
class Sheet:
    """A map that is to be made for every epoch."""

    variable: str
    """What it shows."""
    unit: str
    """Its unit."""
    legend: Legend
    """Its colours and title."""
    valid_range: tuple[float, float]
    """What its values can be."""
    description: str
    """What stands beside its title in the file."""
    take: Callable[[Any], Any]
    """Takes its values from what a block holds, shape ``(outputs, rows, columns)``."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What the file says of itself beside what every map says."""


class Maker(Protocol):
    """Makes some maps of an epoch together, block by block."""

    @property
    def epochs(self) -> Sequence[str]:
        """The spans of years of which it makes maps."""

    @property
    def sheets(self) -> Sequence[Sheet]:
        """The maps."""

    def recipe(self, sheet: Sheet, epoch: str) -> dict[str, object]:
        """Return all that a map depends on, as plain values."""

    def blocks(self, epoch: str) -> Iterator[Block]:
        """Yield what the maps of an epoch are taken from."""


def map_name(study: Study, variable: str, epoch: str) -> str:
    """Return the path of a map within the folder of its run."""
    return f"maps/{study.study}_{variable}_{epoch}.tif"


class Atlas:
    """Writes the maps of a study into the folder of its run.

    Parameters
    ----------
    study, geobox, rundir
        The study, its grid and its folder.
    n_blocks
        Blocks of an epoch, for progress.
    """

    def __init__(self, study: Study, geobox: GeoBox, rundir: RunDir, n_blocks: int) -> None:
        self._study, self._geobox, self._rundir, self._n_blocks = study, geobox, rundir, n_blocks

    def make(self, makers: Sequence[Maker], advance: Advance) -> list[Map]:
        """Return the maps of all makers and epochs, and forget those of other studies."""
        total = sum(len(maker.epochs) for maker in makers) * self._n_blocks
        maps: list[Map] = []
        begun = 0
        for maker in makers:
            for epoch in maker.epochs:
                before = begun * self._n_blocks
                begun += 1

                def finished(done: int, before: int = before) -> None:
                    advance(before + done, total)

                maps += self._of_epoch(maker, epoch, finished)
        self._rundir.forget("maps", {f"maps/{made.path.name}" for made in maps})
        return maps

    def _of_epoch(self, maker: Maker, epoch: str, finished: Callable[[int], None]) -> list[Map]:
        rundir, sheets = self._rundir, list(maker.sheets)
        names = {sheet.variable: map_name(self._study, sheet.variable, epoch) for sheet in sheets}
        recipes = {sheet.variable: maker.recipe(sheet, epoch) for sheet in sheets}
        missing = [
            sheet for sheet in sheets if not rundir.is_kept(names[sheet.variable], recipes[sheet.variable])
        ]
        rundir.reused += [names[sheet.variable] for sheet in sheets if sheet not in missing]
        if missing:
            rundir.begin(*(names[sheet.variable] for sheet in missing))
            paths = {sheet.variable: rundir.path / names[sheet.variable] for sheet in missing}
            self._write(missing, paths, maker.blocks(epoch), epoch, finished)
            for sheet in missing:
                rundir.record(names[sheet.variable], recipes[sheet.variable])
        return [_finished(rundir.path / names[sheet.variable], sheet, epoch) for sheet in sheets]

    def _write(
        self,
        sheets: Sequence[Sheet],
        paths: Mapping[str, Path],
        blocks: Iterator[Block],
        epoch: str,
        finished: Callable[[int], None],
    ) -> None:
        """Write blocks into scratch rasters, and finish these as products."""
        scratch = {name: self._rundir.work / f".{path.stem}.partial.tif" for name, path in paths.items()}
        counts, unseen = np.zeros(len(COUNTS), dtype=int), Counter[tuple[str, float]]()
        cells = dict.fromkeys(scratch, 0)
        try:
            with ExitStack() as files:
                rasters = [self._open(files, scratch[sheet.variable], sheet) for sheet in sheets]
                for number, part in enumerate(blocks, 1):
                    window = Window.from_slices(*part.window)
                    for sheet, raster in zip(sheets, rasters, strict=True):
                        values = sheet.take(part.values)
                        raster.write(values, 1, window=window)
                        cells[sheet.variable] += _held(sheet, values)
                    counts += (part.valid, part.clipped, part.unseen)
                    unseen.update(part.unseen_classes)
                    finished(number)
            shared = dict(zip(COUNTS, map(str, counts.tolist()), strict=True)) | _unseen_tag(unseen)
            for sheet in sheets:
                tags = {**shared, COUNTS[0]: str(cells[sheet.variable])}
                self._finish(scratch[sheet.variable], paths[sheet.variable], sheet, epoch, tags)
        finally:
            for path in scratch.values():
                path.unlink(missing_ok=True)

    def _open(self, files: ExitStack, path: Path, sheet: Sheet) -> Any:
        classes = sheet.legend.kind == "classes"
        dtype, nodata = ("uint8", 255.0) if classes else ("float32", float("nan"))
        return files.enter_context(open_scratch(path, self._geobox, dtype, nodata))

    def _finish(self, scratch: Path, path: Path, sheet: Sheet, epoch: str, tags: dict[str, str]) -> None:
        study = self._study
        write_cog(
            path,
            scratch,
            legend=sheet.legend,
            epoch=epoch,
            description=f"{study.metadata.title}: {sheet.description}, {epoch}, {study.products.learner}",
            valid_range=sheet.valid_range,
            tags={"study": study.study, "licence": study.metadata.licence, **sheet.tags, **tags},
        )


def _held(sheet: Sheet, values: Any) -> int:
    """Return how many cells hold a value."""
    return int(
        np.sum(values != CLASS_NODATA) if sheet.legend.kind == "classes" else np.isfinite(values).sum()
    )


def _finished(path: Path, sheet: Sheet, epoch: str) -> Map:
    # Written each time: the ledger watches over the map, not over the styles beside it.
    write_styles(path, sheet.legend)
    with rasterio.open(path) as raster:
        tags = raster.tags()
    cells, clipped, unseen = (int(tags[name]) for name in COUNTS)
    classes = json.loads(tags.get(UNSEEN, "{}"))
    return Map(path, sheet.variable, epoch, sheet.unit, sha256_of(path), cells, clipped, unseen, classes)


def _unseen_tag(cells: Mapping[tuple[str, float], int]) -> dict[str, str]:
    by_covariate: dict[str, dict[str, int]] = {}
    for (name, code), count in sorted(cells.items()):
        by_covariate.setdefault(name, {})[f"{code:.10g}"] = count
    return {UNSEEN: json.dumps(by_covariate)} if by_covariate else {}
