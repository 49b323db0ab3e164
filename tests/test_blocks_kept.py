"""Maps from blocks that are kept: what was finished before a fault or a kill is taken over, bit by bit."""

import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path

import numpy as np
import pytest
import rasterio

from made_maps import COLUMNS, EPOCHS, ROWS, MadeMaker, made_blocks, make_maps, products_of, run_to_be_killed
from permagrid.blockstore import stored_blocks
from permagrid.errors import PermagridError, RunError
from permagrid.executors import Threads
from permagrid.progress import Steps


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, str]:
    """Return the products of an undisturbed run."""
    out = tmp_path_factory.mktemp("whole") / "out"
    make_maps(out, MadeMaker())
    assert not list((out / "work" / "blocks").iterdir())
    return products_of(out)


def in_the_middle(out: Path, log: Path) -> None:
    """Fail at the last row of blocks."""
    log.mkdir()
    with pytest.raises(PermagridError, match="the learner cannot"):
        make_maps(out, MadeMaker(log=log, fail_at=(64,)))


@pytest.mark.parametrize(("block", "threads"), [(16, 1), (33, 4), (500, 1), ((7, 128), 2), ((64, 20), 4)])
def test_blocks_of_any_size_and_any_threads_give_the_same_maps_and_totals(whole, tmp_path, block, threads):
    make_maps(tmp_path, MadeMaker(), block=block, executor=Threads(threads))
    assert products_of(tmp_path) == whole


def test_what_was_finished_before_a_failure_is_not_made_again(whole, tmp_path):
    out, log = tmp_path / "out", tmp_path / "log"
    in_the_middle(out, log)
    kept = {path.stem for path in stored_blocks(out / "work" / "blocks")}
    assert len(kept) >= 6
    assert not list((out / "maps").iterdir())
    make_maps(out, MadeMaker(log=log))
    assert products_of(out) == whole
    # Those of the second epoch are made once, too.
    assert all(
        made_blocks(log)[f"{row}-{column}"] == 2 for row in (0, 32) for column in range(0, COLUMNS, 32)
    )
    assert not list((out / "work" / "blocks").iterdir())


@pytest.mark.parametrize("damage", ["flip", "cut", "foreign", "empty"])
def test_a_damaged_block_is_named_and_made_again(whole, tmp_path, damage):
    out, log = tmp_path / "out", tmp_path / "log"
    in_the_middle(out, log)
    first, second, *_ = stored_blocks(out / "work" / "blocks")
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 4
    damaged = {"flip": bytes(content), "cut": content[:-9], "foreign": second.read_bytes(), "empty": b""}
    first.write_bytes(damaged[damage])
    steps = Steps()
    make_maps(out, MadeMaker(), steps=steps)
    (note,) = steps.notes
    assert str(first) in note
    assert note.endswith("; it is made again")
    assert products_of(out) == whole


def test_blocks_made_from_something_else_are_left_out_and_removed(tmp_path):
    out, log = tmp_path / "out", tmp_path / "log"
    in_the_middle(out, log)
    before = {path.parent for path in stored_blocks(out / "work" / "blocks")}
    with pytest.raises(PermagridError):
        make_maps(out, MadeMaker(log=log, fail_at=(64,), seed=1))
    after = {path.parent for path in stored_blocks(out / "work" / "blocks")}
    assert after
    assert not before & after
    assert made_blocks(log)["0-0"] == 2 * len(EPOCHS)


def test_blocks_of_another_size_are_told_and_left_out(whole, tmp_path):
    out, log = tmp_path / "out", tmp_path / "log"
    in_the_middle(out, log)
    steps = Steps()
    make_maps(out, MadeMaker(), block=40, steps=steps)
    (note,) = steps.notes
    assert "finished blocks were made with another --block and are left out" in note
    assert products_of(out) == whole


def test_maps_that_are_kept_need_no_blocks(whole, tmp_path):
    out, log = tmp_path / "out", tmp_path / "log"
    log.mkdir()
    make_maps(out, MadeMaker())
    make_maps(out, MadeMaker(log=log))
    assert made_blocks(log) == {}
    (victim,) = (out / "maps").glob(f"*temperature_{EPOCHS[1]}.tif")
    victim.unlink()
    make_maps(out, MadeMaker(log=log))
    assert products_of(out) == whole
    assert set(made_blocks(log).values()) == {1}


def test_a_map_that_reads_back_other_than_its_blocks_gets_no_name(tmp_path, monkeypatch):
    copy = rasterio.shutil.copy

    def changed(source, target, **options):
        copy(source, target, **options)
        with rasterio.open(target, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
            values = raster.read(1)
            values[40, 70] = 3.0 if np.isnan(values[40, 70]) else np.nan
            raster.write(values, 1)

    monkeypatch.setattr("rasterio.shutil.copy", changed)
    with pytest.raises(RunError, match="block at column 64, row 32 reads back different"):
        make_maps(tmp_path, MadeMaker())
    assert not list((tmp_path / "maps").iterdir())
    # Blocks of all epochs are whole: the next run only puts them together.
    each = (ROWS // 32) * (COLUMNS // 32)
    assert len(list(stored_blocks(tmp_path / "work" / "blocks"))) == each * len(EPOCHS)


@pytest.mark.parametrize("place", ["scratch", "map"])
def test_a_full_disk_is_named_and_costs_no_block(whole, tmp_path, monkeypatch, place):
    def full(*_, **__):
        raise rasterio.errors.RasterioIOError("Write failed. No space left on device")

    with monkeypatch.context() as patch:
        target = {"scratch": "rasterio.io.DatasetWriter.write", "map": "rasterio.shutil.copy"}[place]
        patch.setattr(target, full)
        with pytest.raises(RunError, match=r"cannot write .*\.tif: Write failed\. No space left on device"):
            make_maps(tmp_path, MadeMaker())
    assert not [path for path in tmp_path.rglob("*") if ".partial" in path.name]
    log = tmp_path / "log"
    log.mkdir()
    make_maps(tmp_path, MadeMaker(log=log))
    assert products_of(tmp_path) == whole
    assert made_blocks(log) == {}


@pytest.fixture(scope="module")
def server() -> Iterator[BaseContext]:
    """Return what starts processes that have loaded all that they need."""
    forkserver._forkserver._stop()  # one that earlier tests may have left has loaded other modules
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["made_maps"])
        yield context
        forkserver._forkserver._stop()


def test_runs_killed_at_random_moments_end_with_the_bytes_of_an_undisturbed_one(server, whole, tmp_path):
    chance, kills = random.Random(5), 0
    while not list(tmp_path.glob("maps/*2010-2014.tif")):
        begun = server.Event()
        process = server.Process(target=run_to_be_killed, args=(tmp_path, begun))
        process.start()
        begun.wait()
        # Ever later, so that a slow machine comes to an end, too.
        time.sleep(chance.uniform(0.0, 0.1 * (kills + 2)))
        process.kill()
        process.join()
        kills += 1
        there = {name: hashed for name, hashed in products_of(tmp_path).items() if not name.startswith(".")}
        assert there.items() <= whole.items()
    assert kills > 1
    steps = Steps()
    make_maps(tmp_path, MadeMaker(), steps=steps, block=16)
    assert products_of(tmp_path) == whole
    assert steps.notes == []
    assert not list((tmp_path / "work" / "blocks").iterdir())
    assert not [path for path in tmp_path.rglob("*") if ".partial" in path.name]
