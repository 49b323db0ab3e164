"""Step: blocks of maps, made where they are missing, and kept on disk until their maps are finished."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from permagrid.blockstore import BlockError, BlockStore, StoredBlock
from permagrid.errors import RunError
from permagrid.executors import Executor
from permagrid.files import remove
from permagrid.grid import Window
from permagrid.prediction.blocks import Block, BlockWork, blocks_together
from permagrid.progress import Steps
from permagrid.rundir import RunDir, digest
from permagrid.steps.code import code_digest

FOLDER = "blocks"
"""Where blocks are kept, within the folder of kept steps."""


@dataclass(frozen=True)
class BlockTask:
    """Makes the blocks of one or more epochs and writes them to their stores."""

    works: Sequence[BlockWork]
    """What makes them, for each epoch."""
    stores: Sequence[BlockStore]
    """Where they are kept, for each."""
    code: str
    """Hash of the code and of the versions beneath it, where the run is at home."""

    @classmethod
    def of(cls, jobs: "Sequence[Job]") -> "BlockTask":
        """Return what makes the blocks of jobs."""
        return cls([job.begin() for job in jobs], [job.store for job in jobs], code_digest(__name__))

    def __call__(self, window: Window) -> str:
        """Make the blocks of a part of the grid that are missing, and return the hashes of their files.

        Raises
        ------
        RunError
            If this process has other code or other versions than the run.
        """
        if code_digest(__name__) != self.code:
            raise RunError(
                "a worker has other versions of permagrid or of its packages than the run; install the same "
                "on all machines"
            )
        missing = [place for place, store in enumerate(self.stores) if store.missing([window])]
        if not missing:
            return ""
        made = blocks_together([self.works[place] for place in missing], window)
        return " ".join(
            self.stores[place].write(window, block.values, _facts_of(block))
            for place, block in zip(missing, made, strict=True)
        )


@dataclass(frozen=True)
class Job:
    """The blocks of some maps of an epoch, which are made together."""

    store: BlockStore
    """Where they are kept."""
    begin: Callable[[], BlockWork]
    """Fits what has to be fitted, and returns what makes them."""


class Workshop:
    """Makes the blocks of maps, keeps them, and hands them out.

    Parameters
    ----------
    rundir
        The folder of the run.
    windows
        The blocks of each map.
    executor
        Makes them.
    steps
        Told of blocks that are damaged.
    """

    def __init__(
        self, rundir: RunDir, windows: Sequence[Window], executor: Executor, steps: Steps | None = None
    ) -> None:
        self._folder, self.windows = rundir.work / FOLDER, windows
        self._executor, self._steps = executor, steps or Steps()

    def job(self, ingredients: object, begin: Callable[[], BlockWork]) -> Job:
        """Return the blocks that are made from some ingredients, all of which count."""
        key = digest(ingredients)
        return Job(BlockStore(self._folder / key[:24], key), begin)

    def keep_only(self, jobs: Sequence[Job]) -> None:
        """Remove the blocks of all other jobs: what those were made from has changed."""
        wanted = {job.store.folder.name for job in jobs}
        for folder in self._folder.glob("*"):
            if folder.is_dir() and folder.name not in wanted:
                remove(folder)

    def missing(self, job: Job) -> int:
        """Return how many blocks of a job are not there."""
        return len(job.store.missing(self.windows))

    def fill(
        self, jobs: Sequence[Job], advance: Callable[[int], None], places: Sequence[int] | None = None
    ) -> None:
        """Make those blocks of some jobs that are missing, of all jobs at once.

        Parameters
        ----------
        jobs
            The jobs, such as the epochs of a maker.
        advance
            Told how many of these are there.
        places
            Which blocks of each; all if left out.

        Raises
        ------
        PermagridError
            If one cannot be made or written; those that are finished stay.
        """
        wanted = self.windows if places is None else [self.windows[place] for place in places]
        self._tell_others(jobs)
        absent: dict[tuple[int, int], list[Window]] = {}
        begun = []
        for job in jobs:
            job.store.open()
            missing = job.store.missing(wanted)
            begun += [job] if missing else []
            for window in missing:
                absent.setdefault((window[0].start, window[1].start), []).append(window)
        there = len(jobs) * len(wanted) - sum(map(len, absent.values()))
        advance(there)
        if absent:
            windows = [each[0] for _, each in sorted(absent.items())]
            for rows, columns in self._executor.each(BlockTask.of(begun), windows):
                there += len(absent[rows.start, columns.start])
                advance(there)

    def _tell_others(self, jobs: Sequence[Job]) -> None:
        others = sum(job.store.others(self.windows) for job in jobs)
        if others:
            self._steps.note(
                f"{others} finished blocks were made with another --block and are left out; "
                "with that one they would be taken over"
            )

    def blocks(self, job: Job) -> Iterator[Block]:
        """Yield all blocks of a job in the order of the grid; one that is damaged is made again.

        Raises
        ------
        PermagridError
            If a damaged one cannot be made again.
        """
        for window in self.windows:
            try:
                found = job.store.read(window)
            except BlockError as fault:
                self._steps.note(f"{fault}; it is made again")
                job.store.discard(window)
                for _ in self._executor.each(BlockTask.of([job]), [window]):
                    pass
                found = job.store.read(window)
            yield _block_of(window, found)

    def clear(self, job: Job) -> None:
        """Remove the blocks of a job, as its maps are finished."""
        if job.store.folder.is_dir():
            # A worker of a run that was killed may still write here; what it leaves is swept by the next run.
            with suppress(OSError):
                remove(job.store.folder)


def _facts_of(block: Block) -> dict[str, Any]:
    return {
        "valid": block.valid,
        "clipped": block.clipped,
        "unseen": block.unseen,
        "unseen_classes": [[*which, cells] for which, cells in sorted(block.unseen_classes.items())],
        "part": block.part,
    }


def _block_of(window: Window, stored: StoredBlock) -> Block:
    facts: Mapping[str, Any] = stored.facts
    classes = {(name, code): cells for name, code, cells in facts["unseen_classes"]}
    return Block(
        window, stored.values, facts["valid"], facts["clipped"], facts["unseen"], classes, facts["part"]
    )
