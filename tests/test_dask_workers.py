"""Blocks made by Dask: the same bytes for any workers, whoever dies; a poisonous block is named."""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace

import dask
import pytest
from distributed import Client, LocalCluster
from distributed.utils import get_mp_context

from command_line import call
from made_maps import EPOCHS, MadeMaker, make_maps, products_of
from permagrid.blockstore import BlockStore, stored_blocks
from permagrid.dask_workers import DaskWorkers
from permagrid.errors import PermagridError, RunError
from permagrid.prediction.blocks import Block
from permagrid.steps.workshop import BlockTask
from run_folder import bytes_of, carry_out
from small_study import small_study


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("whole") / "out"
    make_maps(out, MadeMaker())
    return products_of(out)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        # Each death costs the test a new process: one may be a chance, two are not. Processes are begun by a
        # server that has loaded what blocks need, with the code hashed.
        settings = {
            "distributed.scheduler.allowed-failures": 1,
            "distributed.worker.multiprocessing-method": "forkserver",
        }
        with dask.config.set(settings):
            forkserver._forkserver._stop()
            get_mp_context().set_forkserver_preload(["distributed", "warmed_up"])
            with LocalCluster(
                n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
            ) as found:
                yield found
        forkserver._forkserver._stop()


@pytest.fixture
def workers(cluster) -> Iterator[DaskWorkers]:
    with DaskWorkers.at(cluster.scheduler_address) as found:
        yield found


def scaled(cluster: LocalCluster, workers: int) -> None:
    cluster.scale(workers)
    with Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=60)


class Slow(MadeMaker):
    """Work that takes a while, so that a worker can die amid it."""

    def work(self, epoch):
        return Sleeper(super().work(epoch))


@dataclass
class Sleeper:
    inner: object

    def block(self, window) -> Block:
        time.sleep(0.05)
        return self.inner.block(window)


@dataclass
class Carrier:
    """Work that is as heavy as that of a forest."""

    inner: object
    load: bytes

    def block(self, window) -> Block:
        return self.inner.block(window)


class Poisonous(MadeMaker):
    """Work of which one block kills the process that makes it."""

    def work(self, epoch):
        return Killer(super().work(epoch))


@dataclass
class Killer:
    inner: object

    def block(self, window) -> Block:
        if (window[0].start, window[1].start) == (32, 64):
            os.kill(os.getpid(), signal.SIGKILL)
        return self.inner.block(window)


def test_one_worker_and_three_give_the_bytes_of_threads(cluster, workers, whole, tmp_path):
    make_maps(tmp_path / "one", MadeMaker(), executor=workers)
    assert products_of(tmp_path / "one") == whole
    scaled(cluster, 3)
    make_maps(tmp_path / "three", MadeMaker(), executor=workers, block=16)
    assert products_of(tmp_path / "three") == whole


@pytest.mark.usefixtures("unpainted")
def test_a_study_with_an_ensemble_has_the_same_bytes_by_threads_and_by_dask(
    cluster, workers, small_world, tmp_path
):
    study = small_study(lean=True, presence=True)
    study["learners"] = [
        {"name": "random_forest", "n_estimators": 5},
        {"name": "gradient_boosting", "max_iter": 5},
    ]
    study["validation"]["folds"] = [{"method": "site", "n_folds": 3}]
    names = [learner["name"] for learner in study["learners"]]
    study["ensemble"] = {"label": "joined", "learners": names, "members": 3, "block": 200_000}
    study["ensemble"]["inner"] = {"method": "site", "n_folds": 3}
    study |= {"inventory": {"permafrost": {}}, "products": {"learner": "joined", "applicability": True}}
    out = tmp_path / "out"
    told = carry_out(study, small_world, out, workers=4)
    before = bytes_of(out)
    assert len([name for name in before if name.endswith(".tif")]) == 17
    shutil.rmtree(out / "maps")
    (out / "work" / "members.json").unlink()
    scaled(cluster, 3)
    again = carry_out(study, small_world, out, block=(24, 100), executor=workers)
    assert bytes_of(out) == before
    assert again["inventory"] == told["inventory"]


def test_a_worker_killed_amid_its_blocks_changes_no_byte(cluster, workers, whole, tmp_path):
    scaled(cluster, 3)
    victim = next(iter(cluster.workers.values())).pid

    def kill() -> None:
        while len(list(tmp_path.rglob("*.block"))) < 3:
            time.sleep(0.005)
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    make_maps(tmp_path, Slow(), executor=workers)
    killer.join()
    assert products_of(tmp_path) == whole


def test_a_block_that_kills_its_workers_is_named_and_all_others_are_made(cluster, workers, whole, tmp_path):
    scaled(cluster, 2)
    with pytest.raises(
        RunError, match="block r32-c64-32x32 killed every worker that made it, even by itself"
    ):
        make_maps(tmp_path, Poisonous(), executor=workers)
    assert len(list(stored_blocks(tmp_path / "work" / "blocks"))) == 11 * len(EPOCHS)
    make_maps(tmp_path, MadeMaker())
    assert products_of(tmp_path) == whole


def test_a_large_model_is_sent_without_a_word(workers, whole, tmp_path, recwarn):
    class Large(MadeMaker):
        def work(self, epoch):
            return Carrier(super().work(epoch), bytes(20_000_000))

    make_maps(tmp_path, Large(), executor=workers)
    assert products_of(tmp_path) == whole
    assert [str(each.message) for each in recwarn] == []


def test_what_a_block_fails_of_is_told_as_it_was_raised(workers, tmp_path):
    with pytest.raises(PermagridError, match="the learner cannot"):
        make_maps(tmp_path, MadeMaker(fail_at=(32,)), executor=workers)


def test_workers_with_other_versions_are_refused(tmp_path):
    task = BlockTask([MadeMaker().work("2000-2004")], [BlockStore(tmp_path, "key")], "another")
    with pytest.raises(RunError, match="a worker has other versions of permagrid"):
        task((slice(0, 4), slice(0, 4)))


def test_a_scheduler_that_dies_is_named(tmp_path):
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as mortal:
        client = Client(mortal, set_as_default=False)
        workers = DaskWorkers(client)

        def kill() -> None:
            while not list(tmp_path.rglob("*.block")):
                time.sleep(0.005)
            mortal.close(timeout=1)

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(RunError, match="the Dask scheduler is gone; finished blocks are kept"):
            make_maps(tmp_path, Slow(), executor=workers, block=8)
        killer.join()
        client.close()


def test_without_any_worker_patience_ends(tmp_path):
    with LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty:
        client = Client(empty, set_as_default=False)
        with pytest.raises(RunError, match="no Dask worker has been there for 1 s"):
            make_maps(tmp_path, MadeMaker(), executor=DaskWorkers(client, patience=1.0))
        client.close()


class Jobs(LocalCluster):
    """Stands for SLURM: jobs are threads of this process."""

    def __init__(self) -> None:
        super().__init__(n_workers=0, processes=False, dashboard_address=":0")

    def scale(self, jobs: int) -> None:
        super().scale(jobs)


def test_jobs_of_slurm_make_the_same_bytes(whole, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(PermagridError, match=r"--slurm needs dask-jobqueue: pip install 'permagrid\[cl"):
        DaskWorkers.on_slurm(2)
    monkeypatch.setitem(sys.modules, "dask_jobqueue", SimpleNamespace(SLURMCluster=Jobs))
    with DaskWorkers.on_slurm(2) as workers:
        make_maps(tmp_path, MadeMaker(), executor=workers)
    assert products_of(tmp_path) == whole

    def unsaid() -> None:
        raise ValueError("You must specify how many cores to use per job like ``cores=8``")

    monkeypatch.setitem(sys.modules, "dask_jobqueue", SimpleNamespace(SLURMCluster=unsaid))
    with pytest.raises(PermagridError, match=r"--slurm: dask-jobqueue cannot start jobs \(You must specify"):
        DaskWorkers.on_slurm(2)


def test_an_address_without_a_scheduler_is_named(monkeypatch):
    monkeypatch.setattr("permagrid.dask_workers.CONNECT", 1)
    with pytest.raises(PermagridError, match=r"--scheduler tcp://127\.0\.0\.1:9: no Dask scheduler answers"):
        DaskWorkers.at("tcp://127.0.0.1:9")
    with pytest.raises(PermagridError, match="no Dask scheduler answers"):
        DaskWorkers.at("nonsense://a:b")


def test_the_address_may_stand_in_the_environment(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("permagrid.dask_workers.CONNECT", 1)
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:9")
    outcome = call(capsys, "run", tmp_path / "study.yaml", "--out", tmp_path / "out")
    assert outcome.status == 2
    assert outcome.err.startswith("error: --scheduler tcp://127.0.0.1:9: no Dask scheduler answers there")
