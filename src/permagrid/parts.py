"""Parts of a run for job arrays: all that comes before the maps, made once, and shards of their blocks."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from permagrid.check import accepted
from permagrid.check.grid import geobox_of
from permagrid.errors import PartialError, PermagridError
from permagrid.executors import Executor, Threads
from permagrid.files import write_text
from permagrid.grid import BlockSize, block_text
from permagrid.progress import Steps
from permagrid.rundir import UNPREPARED, RunDir, digest
from permagrid.steps.code import code_digest
from permagrid.steps.inputs import Hashes, identity_of, input_files
from permagrid.steps.layers import Atlas
from permagrid.steps.prepare import prepared
from permagrid.steps.workshop import Workshop
from permagrid.study import Study

_NOTE = "prepared.json"


@dataclass(frozen=True)
class Shard:
    """One of several equal parts of the blocks of all maps.

    Examples
    --------
    >>> Shard.parse("2/8")
    Shard(number=2, of=8)
    """

    number: int
    """Which, from 1."""
    of: int
    """How many there are."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard that a text such as ``2/8`` names.

        Raises
        ------
        PermagridError
            If it names none.
        """
        first, _, last = text.partition("/")
        if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
            raise PermagridError(f"--shard {text}: allowed are 1/n to n/n, such as 2/8")
        return cls(int(first), int(last))

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{self.number}of{self.of}"


@dataclass(frozen=True)
class Task:
    """What is asked of each part."""

    study: Study | Path
    """A study, or the path of its file."""
    out: Path
    """The folder that all parts and the run at the end share."""
    data: Path | None = None
    """Folder from which the study's relative paths start; that of the study file if left out."""
    workers: int = 2
    """Fits or blocks in work at a time."""
    block: BlockSize = 512
    """Cells per side of a block, or its rows and columns; the same for all parts."""


def prepare(task: Task, *, steps: Steps | None = None) -> None:
    """Do all of a run that comes before its maps, for shards to take over.

    Parameters
    ----------
    task
        What is asked.
    steps
        Shows progress; silent if left out.

    Raises
    ------
    PermagridError
        As `permagrid.run.run`.
    """
    steps = steps or Steps()
    study, root = _accepted(task, steps)
    with RunDir(task.out) as folder:
        folder.claim(study.study)
        with steps.step("hash inputs"):
            hashes = Hashes(folder.work / "hashes.json")
            inputs = hashes.of_all(input_files(study, root))
        prepared(study, geobox_of(study), root, folder, hashes, workers=task.workers, steps=steps)
        hashes.refuse_changed()
        told = {"key": _key(study, inputs), "block": block_text(task.block)}
        write_text(folder.work / _NOTE, json.dumps(told))


def make_shard(
    task: Task, shard: Shard, *, executor: Executor | None = None, steps: Steps | None = None
) -> None:
    """Make every n-th block of all maps, beside other shards of the same folder.

    Parameters
    ----------
    task
        What is asked, the same as of `prepare`.
    shard
        Which blocks.
    executor
        Makes them; threads of this process if left out.
    steps
        Shows progress; silent if left out.

    Raises
    ------
    PartialError
        When its blocks are made, and those of other shards are still missing.
    PermagridError
        If nothing was prepared, or for another study, other data, versions or blocks.
    """
    steps = steps or Steps()
    study, root = _accepted(task, steps)
    with RunDir(task.out, shard=shard.name) as folder:
        folder.claim(study.study)
        hashes = Hashes(folder.work / "hashes.json", remember=False)
        inputs = hashes.of_all(input_files(study, root))
        _refuse_unprepared(folder, _key(study, inputs), block_text(task.block))
        ready = prepared(study, geobox_of(study), root, folder, hashes, workers=task.workers, steps=steps)
        if ready.geobox is None:
            raise PermagridError(f"--shard: the study {study.study} has no grid, and so no maps")
        canvas = ready.canvas(task.block)
        makers, _ = ready.makers(canvas)
        workshop = Workshop(folder, canvas.windows, executor or Threads(task.workers), steps)
        with steps.step("maps") as advance:
            atlas = Atlas(study, ready.geobox, folder, workshop)
            made, missing = atlas.fill(makers, advance, first=shard.number - 1, step=shard.of)
        hashes.refuse_changed()
    if missing:
        raise PartialError(
            f"shard {shard.number}/{shard.of}: its {made} blocks are made, {missing} of other shards are not"
            "; permagrid run puts all together at the end"
        )


def _accepted(task: Task, steps: Steps) -> tuple[Study, Path]:
    root = task.data or (task.study.parent if isinstance(task.study, Path) else Path())
    with steps.step("check"):
        return accepted(task.study, root), root


def _key(study: Study, inputs: dict[str, str]) -> str:
    return digest([identity_of(study, inputs), code_digest(__name__)])


def _refuse_unprepared(folder: RunDir, key: str, block: str) -> None:
    try:
        note = json.loads((folder.work / _NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        note = {}
    if note.get("key") != key:
        raise PermagridError(f"{folder.path}: {UNPREPARED}")
    if note["block"] != block:
        raise PermagridError(
            f"{folder.path}: was prepared for --block {note['block']}, not {block}; all parts need the same"
        )
