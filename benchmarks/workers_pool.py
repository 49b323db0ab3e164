"""How time scales with a pool of workers: real ones on the cores there are, and up to 256 that only sleep.

``python benchmarks/workers_pool.py [--trees 500] [--blocks 16] [--pools 1 2 4 16] [--sizes 128 256 512]``

Real: a compiled forest predicts blocks of 512 x 512 cells of 8 covariates, by threads and by Dask workers of
one thread. Simulated: the same ledger, task, client and scheduler, but a block sleeps for what it takes on
one core, then writes a file of one cell. Scheduler and workers have processes of their own, so that what
each of them spends on a block is seen apart; of the workers, that is what Dask and the small file take. Each
worker gets the same number of blocks: efficiency is the share of its time in which it is at one.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import dask.array as da
import numpy as np
import psutil
import xarray as xr
from distributed import Worker

from permagrid.compiled import compile_estimator, patch_order
from permagrid.dask_workers import DaskWorkers
from permagrid.executors import Executor, Threads
from permagrid.grid import Window, blocks
from permagrid.learners import build_learner
from permagrid.prediction.blocks import Block, BlockWork, Prediction
from permagrid.rundir import RunDir
from permagrid.steps.workshop import Workshop

NAMES = tuple(f"covariate_{number}" for number in range(8))
SIDE, ROWS, SEED = 512, 1178, 0
PER_HOST = 64
"""Simulated workers of one process."""
LEAST, MOST = 8, 3000
"""Blocks of each simulated worker, and of all together."""


@dataclass(frozen=True)
class Sleeper:
    """Work that takes its time and makes one cell."""

    seconds: float

    def block(self, window: Window) -> Block:
        """Return a block that is not worth the time."""
        time.sleep(self.seconds)
        return Block(window, np.zeros((1, 1, 1), dtype="float32"), 1, 0, 0, {})


@cache
def forest(trees: int) -> Prediction:
    """Return a forest that predicts a wide map."""
    random = np.random.default_rng(SEED)
    rows = random.normal(size=(ROWS, len(NAMES)))
    values = rows[:, 0] + np.sin(2.0 * rows[:, 1]) + rows[:, 2] * rows[:, 3] + random.normal(0, 0.5, ROWS)
    fitted = build_learner("random_forest", "value", SEED, {"n_estimators": trees}).fit(rows, values)
    smooth = np.cumsum(random.normal(0, 0.05, (len(NAMES), SIDE, SIDE)), axis=1)
    layers = {}
    for name, tile in zip(NAMES, smooth.astype("float32"), strict=True):
        piece = da.from_array(tile, chunks=SIDE)
        layers[name] = (("y", "x"), da.concatenate([piece] * 64, axis=1))
    predict = compile_estimator(fitted, "value").predict
    return Prediction(predict, xr.Dataset(layers), NAMES, order=patch_order)


def windows_of(count: int, size: int) -> list[Window]:
    return list(blocks((size, size * count), size))


class Pool:
    """A Dask scheduler and its workers, in processes of their own.

    Parameters
    ----------
    scheduler, hosts
        The processes.
    workers
        The way to them.
    """

    def __init__(self, scheduler: int, hosts: Sequence[int], workers: DaskWorkers) -> None:
        self.scheduler, self.hosts, self.workers = scheduler, hosts, workers

    def spent(self) -> np.ndarray:
        """Return the processor time of client, scheduler and workers [s]."""
        hosts = sum(_spent(host) for host in self.hosts)
        return np.array([time.process_time(), _spent(self.scheduler), hosts])


def _spent(process: int) -> float:
    times = psutil.Process(process).cpu_times()
    return float(times.user + times.system)


async def _hosted(address: str, count: int) -> None:
    workers = [Worker(address, nthreads=1, dashboard=False, heartbeat_interval="5s") for _ in range(count)]
    await asyncio.gather(*workers)
    await asyncio.gather(*(worker.finished() for worker in workers))


@contextmanager
def pool(count: int, per_host: int) -> Iterator[Pool]:
    """Yield a pool of so many workers of one thread, some of them in each process."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as ends:
        file = Path(name) / "scheduler.json"

        def started(*words: object) -> int:
            process = subprocess.Popen(
                [sys.executable, *map(str, words)], stderr=subprocess.DEVNULL, cwd=Path(__file__).parent
            )
            ends.callback(process.wait)
            ends.callback(process.kill)
            return process.pid

        options = ("--port", 0, "--no-dashboard", "--scheduler-file", file)
        scheduler = started("-m", "distributed.cli.dask_scheduler", *options)
        while not file.exists() or not file.read_text():
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        hosts = [
            started(Path(__file__).name, "--host", address, min(per_host, count - first))
            for first in range(0, count, per_host)
        ]
        with DaskWorkers.at(address) as workers:
            workers._client.wait_for_workers(count, timeout=300)
            yield Pool(scheduler, hosts, workers)


def filled(executor: Executor, work: BlockWork, windows: Sequence[Window]) -> float:
    """Return the time in which an executor makes blocks in a new folder [s]."""
    with tempfile.TemporaryDirectory() as name, RunDir(Path(name) / "out") as folder:
        folder.claim("pool")
        workshop = Workshop(folder, windows, executor)
        job = workshop.job([time.time_ns()], lambda: work)
        begun = time.perf_counter()
        workshop.fill([job], lambda _: None)
        seconds = time.perf_counter() - begun
        if workshop.missing(job):
            sys.exit("blocks are missing")
    return seconds


def real(trees: int, count: int) -> float:
    """Print how real workers share blocks, and return what a block takes of one core [s]."""
    work, windows = forest(trees), windows_of(count, SIDE)
    filled(Threads(1), work, windows[:2])
    print(f"real: {count} blocks of {SIDE} x {SIDE} cells, a forest of {trees} trees")
    print(f"  {'':16}{'seconds':>9}{'ratio':>7}{'processor time a block [ms]':>30}")
    alone, each = 0.0, 0.0
    for workers in (1, 2):
        before = time.process_time()
        seconds = filled(Threads(workers), work, windows)
        spent = (time.process_time() - before) / count
        alone, each = alone or seconds, each or spent
        words = f"{workers} thread{'s' * (workers > 1)}"
        print(f"  {words:16}{seconds:9.2f}{alone / seconds:7.2f}{1000 * spent:30.1f}", flush=True)
    for workers in (1, 2):
        with pool(workers, 1) as there:
            filled(there.workers, work, windows[: 2 * workers])
            before = there.spent()
            seconds = filled(there.workers, work, windows)
            spent = (there.spent() - before).sum() / count
        words = f"{workers} Dask worker{'s' * (workers > 1)}"
        print(f"  {words:16}{seconds:9.2f}{alone / seconds:7.2f}{1000 * spent:30.1f}", flush=True)
    return each


def simulated(pools: Sequence[int], sizes: Sequence[int], each: float) -> None:
    """Print how pools of workers that sleep share blocks of some sizes."""
    print(f"simulated: a block of {SIDE} takes {1000 * each:.0f} ms; processor time a block [ms] of ...")
    heads = ("workers", "block", "blocks", "seconds", "efficiency", "client", "scheduler", "workers")
    print("  " + "".join(f"{head:>11}" for head in heads))
    for workers in pools:
        with pool(workers, PER_HOST) as there:
            filled(there.workers, Sleeper(0.0), windows_of(4 * workers, SIDE))
            for size in sizes:
                seconds = each * (size / SIDE) ** 2
                rounds = max(LEAST, min(int(2.0 / seconds), MOST // workers))
                count = workers * rounds
                before = there.spent()
                wall = filled(there.workers, Sleeper(seconds), windows_of(count, size))
                spent = 1000 * (there.spent() - before) / count
                share = rounds * seconds / wall
                numbers = f"{workers:11}{size:11}{count:11}{wall:11.2f}{share:11.1%}"
                print("  " + numbers + "".join(f"{one:11.2f}" for one in spent), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--blocks", type=int, default=16, help="of real workers")
    parser.add_argument("--pools", type=int, nargs="+", default=[1, 2, 4, 16, 64, 256])
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512, 1024])
    parser.add_argument("--each", type=float, help="time of a block of 512 [s; measured by real workers]")
    parser.add_argument("--host", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.host:
        asyncio.run(_hosted(options.host[0], int(options.host[1])))
        return
    each = options.each or real(options.trees, options.blocks)
    simulated(options.pools, options.sizes, each)


if __name__ == "__main__":
    main()
