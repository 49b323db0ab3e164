"""What a run would cost, told before it starts: fits, time, maps, and what is done already."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from permagrid.check import accepted
from permagrid.check.grid import geobox_of
from permagrid.executors import Threads
from permagrid.grid import BlockSize, sides
from permagrid.progress import Steps
from permagrid.rundir import RunDir
from permagrid.steps.cost import Costs, Line, Maps
from permagrid.steps.folds import domain_of
from permagrid.steps.inputs import Hashes, input_files
from permagrid.steps.layers import Atlas
from permagrid.steps.map_cost import kind_of
from permagrid.steps.maps import Canvas
from permagrid.steps.memory import planned
from permagrid.steps.prepare import Prepared, prepared
from permagrid.steps.scores import Ground
from permagrid.steps.start import started
from permagrid.steps.workshop import Workshop
from permagrid.study import Study

_BASIS = (
    "An estimate, from a few fits of each learner timed on one core; a selection may end with fewer fits.",
    "Not in it: reading covariates, the report.",
    "No product was written; the covariate stack is kept for the run.",
)


@dataclass(frozen=True)
class Blocks:
    """In what parts maps are made."""

    count: int
    """Blocks of an epoch."""
    size: BlockSize
    """Cells per side of a block, or its rows and columns."""
    at_a_time: int
    """Blocks in work at a time."""
    bytes: int
    """What these take at most, beside the process and its learners."""

    def __str__(self) -> str:
        rows, columns = sides(self.size)
        return (
            f"blocks: {self.count:,} of {rows} x {columns} cells an epoch, {self.at_a_time} at a time "
            f"in {self.bytes / 2**20:.0f} MiB beside the learners"
        )


@dataclass(frozen=True)
class Plan:
    """What a run would cost."""

    lines: tuple[Line, ...]
    """What its fits cost, by learner and fold scheme."""
    maps: Maps
    """What its maps cost."""
    workers: int
    """Fits in work at a time."""
    blocks: Blocks
    """The blocks of its maps."""

    @property
    def fits(self) -> int:
        """Fits in all, at most."""
        return sum(line.fits for line in self.lines)

    @property
    def done(self) -> int:
        """Fits whose results are kept already."""
        return sum(line.done for line in self.lines)

    @property
    def seconds(self) -> float:
        """Time of one core for what is left, estimated [s]."""
        return sum(line.seconds for line in self.lines) + self.maps.seconds

    @property
    def wall(self) -> float:
        """Time by the clock for what is left, estimated [s]: no more workers help than there are cores."""
        return self.seconds / min(self.workers, _cores())


def plan(
    study: Study | Path,
    out: Path,
    *,
    data: Path | None = None,
    workers: int = 2,
    block: BlockSize = 512,
    steps: Steps | None = None,
    memory: int | None = None,
) -> Plan:
    """Return what `permagrid.run.run` would cost, without running it.

    The covariate stack and the rows of the sites are made, and the stack is kept for the run. Fits are
    counted, and a few of them timed; those whose results are kept from an earlier run are told as done.

    Parameters
    ----------
    study, out, data, workers, block, steps, memory
        As in `permagrid.run.run`.

    Raises
    ------
    StudyError
        With every fault of the study and its data; nothing has been written then.
    PermagridError
        If something a user can mend turns up later.
    """
    root = data or (study.parent if isinstance(study, Path) else Path())
    steps = steps or Steps()
    with steps.step("check"):
        study = accepted(study, root)
        fit = planned(study, memory, block=block, workers=workers)
    with RunDir(out) as folder:
        folder.claim(study.study)
        with steps.step("hash inputs"):
            hashes = Hashes(folder.work / "hashes.json")
            hashes.of_all(input_files(study, root))
        begun = started(study, geobox_of(study), folder, hashes, root, workers=workers, steps=steps)
        with steps.step("time fits") as advance:
            ground = Ground.of(begun.used, domain_of(study, begun.cube), study, root, workers)
            canvas = Canvas.of(begun.cube, begun.stores.values(), block=fit.block)
            costs = Costs(study, ground, canvas, folder, advance=advance)
            lines = tuple(costs.lines())
        left = None
        if not study.is_tabular and all(line.done == line.fits for line in lines):
            # Only then can be known which maps are kept: all that they are made from is.
            ready = prepared(study, geobox_of(study), root, folder, hashes, workers=workers, steps=steps)
            left = _left(ready, canvas, folder)
        with steps.step("time maps"):
            windows = [] if study.is_tabular else canvas.windows
            blocks = Blocks(len(windows), fit.block, fit.workers, fit.bytes)
            return Plan(lines, costs.maps(left), workers, blocks)


def _left(ready: Prepared, canvas: Canvas, folder: RunDir) -> dict[str, int]:
    """Return kind of maps -> epochs of which some are not kept."""
    makers, _ = ready.makers(canvas)
    atlas = Atlas(ready.study, ready.geobox, folder, Workshop(folder, canvas.windows, Threads(1)))
    left = {kind_of(maker): 0 for maker in makers}
    for maker in makers:
        left[kind_of(maker)] += sum(order.is_open for order in atlas.orders([maker]))
    return left


def show_plan(told: Plan) -> str:
    """Return a plan as text: a table of its fits, the whole, the maps, and how the times were found."""
    several = len({line.subset for line in told.lines}) > 1
    rows = [
        [line.learner, line.folds, *([line.subset] if several else []), *_numbers(line)]
        for line in told.lines
    ]
    heads = ["learner", "folds", *(["subset"] if several else []), "n", "fits", "done", "CPU time left"]
    words = len(heads) - 4
    seconds = sum(line.seconds for line in told.lines)
    whole = ["all", *[""] * words, f"{told.fits:,}", f"{told.done:,}", duration(seconds)]
    pads: list[Callable[[str, int], str]] = [*[str.ljust] * words, *[str.rjust] * 4]
    maps, cores = told.maps, min(told.workers, _cores())
    return "\n".join(
        [
            *_aligned([heads, *rows, whole], pads),
            f"{maps.count} map{'s' * (maps.count != 1)} of {maps.cells:,} cells: "
            f"{duration(maps.seconds)} of CPU time left{_by_kind(maps)}"
            if maps.count
            else "no map, as the study has no grid",
            *([str(told.blocks)] if maps.count else []),
            f"by the clock: about {duration(told.wall)}, on {cores} core{'s' * (cores != 1)}",
            *_BASIS,
        ]
    )


def _by_kind(maps: Maps) -> str:
    """Return what each kind of maps takes, where there are several."""
    if len(maps.kinds) < 2:
        return ""
    return ": " + ", ".join(f"{kind.kind} {duration(kind.seconds)}" for kind in maps.kinds)


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it.

    Examples
    --------
    >>> [duration(seconds) for seconds in (0.0, 0.04, 42.4, 600.0, 9000.0, 400000.0)]
    ['0 s', '0.04 s', '42 s', '10 min', '2.5 h', '4.6 days']
    """
    for most, unit, size in ((100.0, "s", 1.0), (6000.0, "min", 60.0), (172800.0, "h", 3600.0)):
        if seconds < most:
            return f"{_two_digits(seconds / size)} {unit}"
    return f"{_two_digits(seconds / 86400.0)} days"


def _two_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _numbers(line: Line) -> list[str]:
    return [f"{line.n_folds:,}", f"{line.fits:,}", f"{line.done:,}", duration(line.seconds)]


def _aligned(rows: Sequence[Sequence[str]], pads: Sequence[Callable[[str, int], str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(pad(text, width) for text, width, pad in zip(row, widths, pads, strict=True)).rstrip()
        for row in rows
    ]


def _cores() -> int:
    return os.cpu_count() or 1
