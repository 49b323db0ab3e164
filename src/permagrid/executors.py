"""What makes the blocks of maps: an executor, of which threads of this process are one."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from typing import Protocol

from threadpoolctl import threadpool_limits

from permagrid.grid import Window
from permagrid.threads import pool

Task = Callable[[Window], str]
"""Makes a block, writes it to where it is kept, and returns its hash; it can be pickled."""


class Executor(Protocol):
    """Carries out a task for many blocks, several at a time."""

    def each(self, task: Task, windows: Sequence[Window]) -> Iterator[Window]:
        """Yield each block when it is made, in whatever order; the first that fails ends it."""


class Threads:
    """Makes blocks in threads of this process.

    Parameters
    ----------
    workers
        Blocks in work at a time.

    Examples
    --------
    >>> windows = [(slice(0, 4), slice(0, 4)), (slice(4, 8), slice(0, 4))]
    >>> sorted(rows.start for rows, _ in Threads(2).each(lambda window: "made", windows))
    [0, 4]
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def each(self, task: Task, windows: Sequence[Window]) -> Iterator[Window]:
        """Yield each block when it is made; what has not begun when one fails is dropped."""
        with threadpool_limits(1), pool(self.workers) as threads:
            begun = {threads.submit(task, window): window for window in windows}
            for done in as_completed(begun):
                done.result()
                yield begun[done]
