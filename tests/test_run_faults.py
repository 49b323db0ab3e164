"""Faults amid a run: each is named in one sentence, and the next run goes on and ends well."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from permagrid.errors import DataError, RunError
from permagrid.run import run
from permagrid.steps import stack
from permagrid.steps.workshop import Workshop
from permagrid.study import parse_study
from run_folder import bytes_of, carry_out
from small_study import small_study

pytestmark = pytest.mark.usefixtures("unpainted")


@pytest.fixture(scope="module")
def whole(small_world, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    carry_out(small_study(lean=True), small_world, out)
    return out


def begin(world: Path, out: Path) -> None:
    run(parse_study(small_study(lean=True)), out, data=world)


@pytest.fixture
def without_maps(whole, tmp_path) -> Path:
    """Return a copy of a run whose maps and report are gone."""
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    for path in [*(out / "maps").iterdir(), out / "report.html"]:
        path.unlink()
    return out


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


PLACES = {
    "block": ("permagrid.blockstore.os.fsync", r"cannot write .*\.block: No space left on device; finished"),
    "map": ("rasterio.shutil.copy", r"cannot write .*/maps/small_.*\.tif: No space left on device"),
    "report": ("permagrid.report.html.write_text", "No space left on device"),
    "tables": ("pandas.DataFrame.to_parquet", "No space left on device"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_disk_that_is_full_costs_nothing_that_was_finished(
    without_maps, whole, small_world, monkeypatch, place
):
    target, words = PLACES[place]
    with monkeypatch.context() as patch:
        patch.setattr(target, full)
        with pytest.raises((RunError, OSError), match=words):
            begin(small_world, without_maps)
    assert not [path for path in without_maps.rglob("*") if ".partial" in path.name]
    begin(small_world, without_maps)
    assert bytes_of(without_maps) == bytes_of(whole)


def test_an_input_that_changes_while_it_is_read_is_named_and_nothing_of_it_is_kept(
    small_world, tmp_path, monkeypatch
):
    world, out = Path(shutil.copytree(small_world, tmp_path / "world")), tmp_path / "out"
    before = (world / "dem.tif").read_bytes()

    def store_and_change(*arguments, **keywords):
        stored(*arguments, **keywords)
        with rasterio.open(world / "dem.tif", "r+") as raster:
            raster.write(raster.read(1) + np.float32(1.0), 1)

    stored = stack.store_layers
    with monkeypatch.context() as patch:
        patch.setattr(stack, "store_layers", store_and_change)
        with pytest.raises(DataError, match=r"dem\.tif: was changed while the run read it; run again"):
            begin(world, out)
    assert not (out / "summary.json").exists()
    (world / "dem.tif").write_bytes(before)
    # The hash is the old one again, and yet no layer that may hold the new values is taken over.
    assert carry_out(small_study(lean=True), world, out)["reused"]["layers"] == 0


def test_an_input_that_is_gone_at_the_end_of_a_run_is_named(whole, small_world, tmp_path, monkeypatch):
    world = Path(shutil.copytree(small_world, tmp_path / "world"))
    out = Path(shutil.copytree(whole, tmp_path / "out"))

    def gone(*_):
        (world / "dem.tif").unlink()
        return {}

    monkeypatch.setattr("permagrid.run.against_emulated", gone)
    with pytest.raises(DataError, match=r"dem\.tif: was removed while the run read it"):
        begin(world, out)


def test_blocks_of_other_versions_are_not_put_into_a_map(without_maps, whole, small_world, monkeypatch):
    other = {"numpy": "1.0", "scikit-learn": "0.1"}
    made = []

    def fill(self, jobs, advance):
        made.extend(job.store.key for job in jobs)
        return filled(self, jobs, advance)

    filled = Workshop.fill
    monkeypatch.setattr(Workshop, "fill", fill)
    with monkeypatch.context() as patch:
        patch.setattr("permagrid.steps.code.versions", lambda: other)
        patch.setattr("permagrid.steps.maps.code_digest", lambda module: f"{module} {other}")
        patch.setattr("rasterio.shutil.copy", full)
        with pytest.raises(RunError):
            begin(small_world, without_maps)
    count = len(made)
    begin(small_world, without_maps)
    first, others = made[0], made[count:]
    assert others
    assert first not in others
    assert bytes_of(without_maps) == bytes_of(whole)
