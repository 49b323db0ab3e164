"""Step: maps of every epoch from finished blocks, made anew only where what they are made from changed."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from permagrid.files import sha256_of
from permagrid.grid import Window as Part
from permagrid.prediction.blocks import BlockWork
from permagrid.products.geotiff import pixel_hash, write_cog
from permagrid.products.legend import CLASS_NODATA, Legend
from permagrid.products.scratch import open_scratch
from permagrid.products.styles import write_styles
from permagrid.progress import Advance
from permagrid.rundir import RunDir
from permagrid.steps.workshop import Job, Workshop
from permagrid.study import Study

COUNTS = ("cells", "clipped_cells", "unseen_class_cells")
"""Tags of a map that say how many cells hold a value, how many of them were brought back into the valid
range, and how many were left out because of a class that no training row had."""
UNSEEN = "unseen_classes"
"""Tag of a map that says which classes those were, where there are any: JSON, covariate -> class -> cells."""

TOGETHER = 8
"""Epochs whose blocks are made together; more would take more memory and share little more."""


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


class Count(Protocol):
    """What is added up over all blocks of a maker, and kept in a file."""

    @property
    def name(self) -> str:
        """Path of the file within the folder of the run."""

    @property
    def ingredients(self) -> object:
        """All that it depends on, as plain values."""

    def add(self, part: Mapping[str, Any]) -> None:
        """Add what a block counts."""

    def write(self, path: Path) -> None:
        """Write the sum to a file."""


class Maker(Protocol):
    """Makes some maps of an epoch together, each block by itself."""

    @property
    def epochs(self) -> Sequence[str]:
        """The spans of years of which it makes maps."""

    @property
    def sheets(self) -> Sequence[Sheet]:
        """The maps."""

    def recipe(self, sheet: Sheet, epoch: str) -> dict[str, object]:
        """Return all that a map depends on, as plain values."""

    def work(self, epoch: str) -> BlockWork:
        """Return what makes the blocks of an epoch; what it needs is fitted first."""

    def count(self, epoch: str) -> Count | None:
        """Return what is added up over the blocks of an epoch; None for nothing."""
        del epoch
        return None


@dataclass(frozen=True)
class Order:
    """The maps of a maker and an epoch: what is to be made, and from which blocks."""

    maker: int
    """Number of the maker."""
    sheets: Sequence[Sheet]
    """The maps."""
    epoch: str
    """The span of years."""
    names: Mapping[str, str]
    """Variable -> path within the folder of the run."""
    recipes: Mapping[str, Mapping[str, object]]
    """Variable -> all that its map depends on."""
    missing: Sequence[Sheet]
    """The maps that are not kept."""
    count: Count | None
    """What is to be added up beside them, and is not kept."""
    job: Job
    """Their blocks."""

    @property
    def is_open(self) -> bool:
        """Whether there is anything to be made."""
        return bool(self.missing) or self.count is not None


def map_name(study: Study, variable: str, epoch: str) -> str:
    """Return the path of a map within the folder of its run."""
    return f"maps/{study.study}_{variable}_{epoch}.tif"


class Atlas:
    """Writes the maps of a study into the folder of its run.

    Parameters
    ----------
    study, geobox, rundir
        The study, its grid and its folder.
    workshop
        Makes the blocks.
    """

    def __init__(self, study: Study, geobox: GeoBox, rundir: RunDir, workshop: Workshop) -> None:
        self._study, self._geobox, self._rundir, self._workshop = study, geobox, rundir, workshop

    def make(self, makers: Sequence[Maker], advance: Advance) -> list[Map]:
        """Return the maps of all makers and epochs, and forget those of other studies."""
        orders = self.orders(makers)
        self._workshop.keep_only([order.job for order in orders if order.is_open])
        each = len(self._workshop.windows)
        maps: list[Map] = []
        number = 0
        for together in _together(orders):
            wanted = [order for order in together if order.is_open]
            before = (number + len(together) - len(wanted)) * each

            def finished(done: int, before: int = before) -> None:
                advance(before + done, len(orders) * each)

            finished(0)
            if wanted:
                self._workshop.fill([order.job for order in wanted], finished)
            for order in together:
                maps += self._finished_order(order)
            number += len(together)
        self._rundir.forget("maps", {f"maps/{made.path.name}" for made in maps})
        return maps

    def fill(self, makers: Sequence[Maker], advance: Advance, *, first: int, step: int) -> tuple[int, int]:
        """Make every n-th block of all maps that are not kept, and no map.

        Parameters
        ----------
        makers
            What makes the maps.
        advance
            Told how many are done.
        first, step
            The first block, counted over all makers and epochs, and how many there are to the next.

        Returns
        -------
        tuple
            How many were made, and how many of the others are missing.
        """
        orders = [order for order in self.orders(makers) if order.is_open]
        groups, each = _together(orders), len(self._workshop.windows)
        # The same blocks of all epochs, which are made together.
        mine = [range((first - number * each) % step, each, step) for number in range(len(groups))]
        total = sum(len(places) * len(group) for places, group in zip(mine, groups, strict=True))
        made = 0
        for group, places in zip(groups, mine, strict=True):

            def finished(done: int, before: int = made) -> None:
                advance(before + done, total)

            self._workshop.fill([order.job for order in group], finished, places)
            made += len(places) * len(group)
        return made, sum(self._workshop.missing(order.job) for order in orders)

    def orders(self, makers: Sequence[Maker]) -> list[Order]:
        """Return what is to be made, and what is kept, in order."""
        return [
            self._order(number, maker, epoch) for number, maker in enumerate(makers) for epoch in maker.epochs
        ]

    def _order(self, number: int, maker: Maker, epoch: str) -> Order:
        is_kept, count, sheets = self._rundir.is_kept, maker.count(epoch), list(maker.sheets)
        names = {sheet.variable: map_name(self._study, sheet.variable, epoch) for sheet in sheets}
        recipes = {sheet.variable: maker.recipe(sheet, epoch) for sheet in sheets}
        missing = [sheet for sheet in sheets if not is_kept(names[sheet.variable], recipes[sheet.variable])]
        # Of all maps, whether they are kept or not: blocks must outlive the first that is finished.
        job = self._workshop.job([recipes, count.ingredients if count else None], partial(maker.work, epoch))
        if count is not None and is_kept(count.name, count.ingredients):
            count = None
        return Order(number, sheets, epoch, names, recipes, missing, count, job)

    def _finished_order(self, order: Order) -> list[Map]:
        rundir, names, sheets = self._rundir, order.names, order.sheets
        rundir.reused += [names[sheet.variable] for sheet in sheets if sheet not in order.missing]
        if order.is_open:
            self._write(order)
            self._workshop.clear(order.job)
        return [_finished(rundir.path / names[sheet.variable], sheet, order.epoch) for sheet in sheets]

    def _write(self, order: Order) -> None:
        """Put blocks together in scratch rasters, and finish these as products."""
        rundir, sheets = self._rundir, order.missing
        paths = {sheet.variable: rundir.path / order.names[sheet.variable] for sheet in sheets}
        scratch = {name: rundir.work / f".{path.stem}.partial.tif" for name, path in paths.items()}
        counts, unseen = np.zeros(len(COUNTS), dtype=int), Counter[tuple[str, float]]()
        cells = dict.fromkeys(scratch, 0)
        pixels: dict[str, list[tuple[Part, bytes]]] = {name: [] for name in scratch}
        try:
            with ExitStack() as files:
                rasters = [self._open(files, scratch[sheet.variable], sheet) for sheet in sheets]
                for part in self._workshop.blocks(order.job):
                    window = Window.from_slices(*part.window)
                    for sheet, raster in zip(sheets, rasters, strict=True):
                        values = np.asarray(sheet.take(part.values)).astype(raster.dtypes[0], copy=False)
                        raster.write(values, 1, window=window)
                        cells[sheet.variable] += _held(sheet, values)
                        pixels[sheet.variable].append((part.window, pixel_hash(values)))
                    counts += (part.valid, part.clipped, part.unseen)
                    unseen.update(part.unseen_classes)
                    if order.count is not None and part.part is not None:
                        order.count.add(part.part)
            shared = dict(zip(COUNTS, map(str, counts.tolist()), strict=True)) | _unseen_tag(unseen)
            for sheet in sheets:
                name, tags = sheet.variable, {**shared, COUNTS[0]: str(cells[sheet.variable])}
                rundir.begin(order.names[name])
                self._finish(scratch[name], paths[name], sheet, order.epoch, tags, pixels[name])
                rundir.record(order.names[name], order.recipes[name])
        finally:
            for path in scratch.values():
                path.unlink(missing_ok=True)
        if order.count is not None:
            rundir.keep(order.count.name, order.count.ingredients, order.count.write)

    def _open(self, files: ExitStack, path: Path, sheet: Sheet) -> Any:
        classes = sheet.legend.kind == "classes"
        dtype, nodata = ("uint8", 255.0) if classes else ("float32", float("nan"))
        return files.enter_context(open_scratch(path, self._geobox, dtype, nodata))

    def _finish(
        self,
        scratch: Path,
        path: Path,
        sheet: Sheet,
        epoch: str,
        tags: dict[str, str],
        pixels: Sequence[tuple[Part, bytes]],
    ) -> None:
        study = self._study
        write_cog(
            path,
            scratch,
            legend=sheet.legend,
            epoch=epoch,
            description=f"{study.metadata.title}: {sheet.description}, {epoch}, {study.products.learner}",
            valid_range=sheet.valid_range,
            tags={"study": study.study, "licence": study.metadata.licence, **sheet.tags, **tags},
            hashes=pixels,
        )


def _together(orders: Sequence[Order]) -> list[list[Order]]:
    """Return orders in groups whose blocks are made together: epochs of one maker, not too many at once."""
    own = [list(group) for _, group in groupby(orders, key=lambda order: order.maker)]
    return [group[at : at + TOGETHER] for group in own for at in range(0, len(group), TOGETHER)]


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
