"""Blocks made by the workers of a Dask scheduler, which write them to a folder that all of them share."""

import asyncio
import concurrent.futures
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from time import monotonic, sleep
from typing import Any, Self

import dask
from distributed import Client, Future, KilledWorker, wait
from threadpoolctl import ThreadpoolController

from permagrid.blockstore import named
from permagrid.errors import PermagridError, RunError
from permagrid.executors import Task
from permagrid.grid import Window

_POLL, _PAUSE = 5.0, 0.2
CONNECT = 20
"""How long a scheduler may take to answer [s]."""
_PER_THREAD = 3
"""Blocks at the scheduler for each thread of a worker: none waits for work, and few are lost with it."""
_LARGE = "distributed.admin.large-graph-warning-threshold"
_GONE = (asyncio.CancelledError, concurrent.futures.CancelledError, OSError)
"""What distributed raises when its scheduler is gone."""


class DaskWorkers:
    """Makes blocks by the workers of a Dask scheduler.

    What makes the blocks goes to the workers over Dask's own wire; blocks go to the folder of the run, which
    all must see under the same path, and only their hashes come back. A worker that dies is replaced by the
    others. A block during which workers died again and again is made by itself when all others are
    finished, as Dask blames each block that a dying worker held.

    Parameters
    ----------
    client
        Of the scheduler.
    patience
        How long to wait where there is no worker at all [s].
    cluster
        Closed with this one, if it was started for it.
    """

    def __init__(self, client: Client, *, patience: float = 600.0, cluster: Any = None) -> None:
        self._client, self._patience, self._cluster = client, patience, cluster

    @classmethod
    def at(cls, address: str) -> Self:
        """Return the workers of a scheduler that is running.

        Raises
        ------
        PermagridError
            If none answers.
        """
        try:
            return cls(Client(address, timeout=CONNECT, set_as_default=False))
        except (OSError, ValueError, TimeoutError) as error:
            raise PermagridError(
                f"--scheduler {address}: no Dask scheduler answers there; give its address: tcp://host:8786"
            ) from error

    @classmethod
    def on_slurm(cls, jobs: int) -> Self:
        """Return workers in jobs of SLURM, as the file jobqueue.yaml of dask-jobqueue describes them.

        Raises
        ------
        PermagridError
            If dask-jobqueue is not installed or not told what a job is.
        """
        try:
            from dask_jobqueue import SLURMCluster  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise PermagridError("--slurm needs dask-jobqueue: pip install 'permagrid[cluster]'") from error
        try:
            cluster = SLURMCluster()
        except (OSError, ValueError, TypeError) as error:
            raise PermagridError(
                f"--slurm: dask-jobqueue cannot start jobs ({error}); state cores and memory of a job in "
                "~/.config/dask/jobqueue.yaml"
            ) from error
        cluster.scale(jobs=jobs)
        return cls(Client(cluster, set_as_default=False), cluster=cluster)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()

    def each(self, task: Task, windows: Sequence[Window]) -> Iterator[Window]:
        """Yield each block when it is made.

        Raises
        ------
        RunError
            If a block kills its workers even alone, no worker is there, or the scheduler is gone.
        """
        suspects: list[Window] = []
        for window, fault in self._made(task, windows):
            if isinstance(fault, KilledWorker):
                suspects.append(window)
            elif fault is not None:
                raise fault
            else:
                yield window
        guilty: list[Window] = []
        for suspect in suspects:
            for window, fault in self._made(task, [suspect]):
                if isinstance(fault, KilledWorker):
                    guilty.append(window)
                elif fault is not None:
                    raise fault
                else:
                    yield window
        if guilty:
            raise RunError(
                f"block {', '.join(map(named, guilty))} killed every worker that made it, even by itself; "
                "give workers more memory or choose a smaller --block; finished blocks are kept"
            )

    def _made(self, task: Task, windows: Sequence[Window]) -> Iterator[tuple[Window, BaseException | None]]:
        """Yield each block, and why it was not made; `KilledWorker` if workers died of it or beside it."""
        waiting, at_work = list(reversed(windows)), dict[Future, Window]()
        try:
            # Not scattered: what was scattered is lost with its worker, and this is sent again. It serves all
            # blocks, so that Dask's advice on large tasks does not hold for it.
            with dask.config.set({_LARGE: "1 TiB"}):
                shared = self._client.submit(_given, task, pure=False)
            room = self._room()
            while waiting or at_work:
                for _ in range(min(len(waiting), room - len(at_work))):
                    window = waiting.pop()
                    future = self._client.submit(_make, shared, *_plain(window), pure=False)
                    at_work[future] = window
                finished = self._finished(list(at_work))
                if not finished:
                    room = self._room()
                for future in finished:
                    yield at_work.pop(future), future.exception()
        except _GONE as error:
            raise RunError(
                "the Dask scheduler is gone; finished blocks are kept, and the next run goes on from them"
            ) from error
        finally:
            for future in at_work:
                future.release()

    def _finished(self, futures: list[Future]) -> list[Future]:
        """Return what is finished, after a while nothing."""
        try:
            with self._client.as_current():
                return list(wait(futures, timeout=_POLL, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            if self._client.status != "running":
                raise
            return []

    def _room(self) -> int:
        """Return how many blocks the scheduler may have at a time; wait for the first worker."""
        begun = monotonic()
        while not (threads := sum(self._client.nthreads().values())):
            if monotonic() - begun > self._patience:
                raise RunError(
                    f"no Dask worker has been there for {self._patience:.0f} s; finished blocks are kept"
                )
            sleep(_PAUSE)
        return _PER_THREAD * int(threads)


def _given(task: Task) -> Task:
    return task


def _plain(window: Window) -> tuple[int, int, int, int]:
    rows, columns = window
    return rows.start, rows.stop, columns.start, columns.stop


@lru_cache(maxsize=1)
def _pools(modules: int) -> ThreadpoolController:
    """Return what holds back the threads of all libraries; they are looked for again when more are loaded.

    Looking for them takes some 4 ms, as long as all else that Dask takes for a block.
    """
    del modules
    return ThreadpoolController()


def _make(task: Task, top: int, bottom: int, left: int, right: int) -> str:
    """Make a block on a worker."""
    with _pools(len(sys.modules)).limit(limits=1):
        return task((slice(top, bottom), slice(left, right)))
