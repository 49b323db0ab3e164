"""Runs that are killed: whatever the moment, no half product is left and the next run goes on from there."""

import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path

import pytest

from permagrid.files import sha256_of
from permagrid.run import run
from permagrid.rundir import FILES
from run_folder import TABLES, bytes_of, carry_out
from small_study import EPOCHS, small_study

MOMENTS = [
    "work/stack/*.partial",
    "work/stack/*.zarr",
    "work/folds/.*partial*",
    "work/folds/*.npy",
    "work/blocks/*/.*.partial",
    "work/blocks/*/*.block",
    "work/.*.partial.tif",
    "maps/.*partial*",
    f"maps/*{EPOCHS[0]}.tif",
    f"maps/*{EPOCHS[1]}.tif",
    "sites.parquet",
    ".report.partial.html",
    "report.html",
]
"""What appears in the folder of a run, in this order: at each a run is killed."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseContext]:
    """Return what starts processes that have loaded all that a run needs, with the code hashed already."""
    forkserver._forkserver._stop()  # one that earlier tests may have left has loaded other modules
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["warmed_up"])
    yield context
    forkserver._forkserver._stop()


def test_runs_killed_at_any_moment_leave_no_half_product_and_the_last_one_ends_as_if_undisturbed(
    server, small_world, tmp_path, unpainted
):
    carry_out(small_study(lean=True), small_world, tmp_path / "undisturbed")
    study, out = tmp_path / "study.json", tmp_path / "out"
    study.write_text(json.dumps(small_study(lean=True)))
    whole, killed = bytes_of(tmp_path / "undisturbed"), []
    for moment in MOMENTS:
        process = server.Process(target=run, args=(study, out), kwargs={"data": small_world, "workers": 1})
        process.start()
        while not list(out.glob(moment)) and process.is_alive():
            time.sleep(0.0005)
        process.kill()
        process.join()
        if process.exitcode == 0:
            # Too short a moment to be seen: the run came to its end.
            shutil.rmtree(out)
            continue
        killed.append(moment)
        there = {path.name: sha256_of(path) for path in (out / "maps").glob("[!.]*")}
        there |= {name: sha256_of(out / name) for name in (*TABLES, "report.html") if (out / name).exists()}
        assert there.items() <= whole.items(), f"killed at {moment}"
        assert not (out / "summary.json").exists()
    assert len(killed) >= 6
    run(study, out, data=small_world)
    assert bytes_of(out) == whole
    assert {path.name for path in out.iterdir()} == set(FILES)
    assert not [path for path in out.rglob("*") if ".partial" in path.name]
