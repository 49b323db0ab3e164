"""Planned memory: what a plan says holds what is measured, and blocks shrink before a run is refused."""

import re
import tracemalloc
from functools import partial

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.xr import xr_coords

from command_line import call, made_up_study, write_data, write_study
from permagrid.errors import PermagridError
from permagrid.grid import make_geobox
from permagrid.prediction.blocks import Prediction, blocks_together
from permagrid.steps import memory
from permagrid.steps.memory import block_bytes, parse_size, planned
from permagrid.study import parse_study
from small_study import small_study

STUDY = parse_study(small_study())
GIB = 2**30


def same(outputs: int, rows: np.ndarray) -> np.ndarray:
    return np.repeat(rows[:, :1], outputs, axis=1)


@pytest.mark.parametrize(("outputs", "epochs"), [(1, 1), (4, 1), (1, 5), (4, 2), (4, 8)])
def test_a_block_takes_no_more_than_planned_and_not_much_less(monkeypatch, outputs, epochs):
    names = [f"c{number}" for number in range(12)]
    grid = make_geobox("EPSG:3995", 1000, bounds=(0, 0, 384_000, 384_000))
    values = np.random.default_rng(0).integers(0, 9, (384, 384)).astype("float32")
    known = {"c0": np.arange(9.0)}
    tell = partial(same, outputs)

    def work(epochs: int) -> Prediction:
        layers = {name: (grid.dimensions, da.from_array(values, chunks=256)) for name in names}
        layers |= {name: (grid.dimensions, da.from_array(values + epochs, chunks=256)) for name in names[6:]}
        stack = xr.Dataset(layers).assign_coords(xr_coords(grid))
        return Prediction(tell, stack, tuple(names), outputs, known=known)

    monkeypatch.setattr(memory, "predictors", lambda study: names[1:])
    works = [work(number) for number in range(epochs)]
    blocks_together(works, (slice(0, 16), slice(0, 16)))  # what it imports is not of the block
    tracemalloc.start()
    blocks_together(works, (slice(0, 384), slice(0, 384)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    study = parse_study(small_study() | {"epochs": [f"{2000 + n}-{2000 + n}" for n in range(epochs)]})
    assert 0.5 * block_bytes(study, 384) < peak < block_bytes(study, 384)


@given(
    size=st.floats(1.05, 64), block=st.sampled_from([64, 100, 512, 1000, 4096]), workers=st.integers(1, 64)
)
def test_a_plan_stays_within_its_memory_and_within_what_was_asked(size, block, workers):
    total = int(size * GIB)
    found = planned(STUDY, total, block=block, workers=workers)
    assert found.bytes == found.workers * block_bytes(STUDY, found.block)
    assert found.bytes <= total - max(GIB, total // 2)
    assert (1 <= found.workers <= workers, 64 <= found.block <= block) == (True, True)
    more = planned(STUDY, 2 * total, block=block, workers=workers)
    assert (more.block, more.workers) >= (found.block, found.workers)


def test_without_a_limit_blocks_are_as_asked():
    found = planned(STUDY, None, block=700, workers=3)
    assert (found.block, found.workers) == (700, 3)


def test_blocks_of_whole_rows_are_as_asked_and_become_squares_that_fit():
    assert planned(STUDY, 2 * GIB, block=(16, 4000), workers=1).block == (16, 4000)
    assert block_bytes(STUDY, (16, 4000)) == block_bytes(STUDY, (4000, 16)) < block_bytes(STUDY, 512)
    found = planned(STUDY, 2 * GIB, block=(4000, 10000), workers=1)
    assert found.block == 1250
    assert found.bytes <= GIB


def test_members_take_more_than_maps():
    joined = small_study()
    joined["ensemble"] = {"label": "bma", "learners": ["random_forest", "climate_linear"], "members": 200}
    assert block_bytes(parse_study(joined), 512) > 1.5 * block_bytes(STUDY, 512)


def test_a_memory_that_holds_no_block_is_refused_in_one_sentence():
    with pytest.raises(PermagridError, match=r"1 GiB do not hold a block of 64 x 64 cells \(1\.\d MiB"):
        planned(STUDY, GIB, block=512, workers=1)


@pytest.mark.parametrize("text", ["", "4", "0GiB", "4 gb", "4GiB", "many", "4Gi", "-1GiB", "1e3MB"])
def test_sizes_are_numbers_with_a_unit(text):
    if text in ("4", "4 gb", "4GiB"):
        assert parse_size(text) == {"4": 4, "4 gb": 4 * 10**9, "4GiB": 4 * GIB}[text]
    else:
        with pytest.raises(PermagridError, match="allowed is a number with a unit"):
            parse_size(text)


def test_a_dry_run_tells_blocks_and_bytes(tmp_path, capsys):
    write_data(tmp_path)
    path = write_study(tmp_path, made_up_study())
    words = ["run", path, "--out", tmp_path / "out", "--dry-run", "--memory", "4GiB", "--block", "16"]
    outcome = call(capsys, *words)
    assert outcome.status == 0, outcome.err
    assert re.search(r"blocks: \d+ of 16 x 16 cells an epoch, 2 at a time in 0 MiB beside", outcome.out)
    assert call(capsys, *words[:-4], "--memory", "1GiB").status == 2
