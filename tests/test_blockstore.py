"""Blocks on disk: what was written comes back bit by bit, and nothing else is ever taken for it."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from permagrid.blockstore import BlockError, BlockStore, fault_of, named, stored_blocks
from permagrid.errors import RunError

WINDOW = (slice(8, 12), slice(0, 5))
FACTS = {"valid": 3, "classes": [["geology", 2.5, 7]], "part": {"sums": [["-7f", "0"]]}, "none": None}


def values(dtype: str = "float32") -> np.ndarray:
    return np.arange(40, dtype=dtype).reshape(2, 4, 5)


@pytest.fixture
def store(tmp_path) -> BlockStore:
    found = BlockStore(tmp_path / "blocks" / "abc", "abc")
    found.open()
    return found


@settings(max_examples=40, deadline=None)
@given(
    block=st.sampled_from(["float32", "float64", "uint8"]).flatmap(
        lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=3, max_dims=3, max_side=6))
    ),
    first=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
)
def test_what_was_written_comes_back_bit_by_bit(block, first):
    window = tuple(slice(at, at + n) for at, n in zip(first, block.shape[1:], strict=True))
    with TemporaryDirectory() as folder:
        store = BlockStore(Path(folder), "key")
        hashed = store.write(window, block, FACTS)
        found = store.read(window)
        assert (found.values.tobytes(), found.values.dtype) == (block.tobytes(), block.dtype)
        assert (found.values.shape, found.facts) == (block.shape, FACTS)
        assert hashed == store.write(window, block, FACTS)
        assert [path.name for path in Path(folder).iterdir()] == [f"{named(window)}.block"]


def test_blocks_are_missing_until_they_are_written(store):
    other = (slice(12, 16), slice(0, 5))
    assert store.missing([WINDOW, other]) == [WINDOW, other]
    store.write(WINDOW, values(), {})
    assert store.missing([WINDOW, other]) == [other]
    store.discard(WINDOW)
    store.discard(WINDOW)
    assert store.missing([WINDOW, other]) == [WINDOW, other]
    assert BlockStore(store.folder.parent / "nowhere", "k").missing([WINDOW]) == [WINDOW]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_flip_of_any_bit_is_found(data):
    with TemporaryDirectory() as folder:
        store = BlockStore(Path(folder), "key")
        store.write(WINDOW, values(), FACTS)
        path = store.path(WINDOW)
        content = bytearray(path.read_bytes())
        bit = data.draw(st.integers(0, 8 * len(content) - 1))
        content[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(content)
        with pytest.raises(BlockError, match=r"r8-c0-4x5\.block: is (damaged|no block)"):
            store.read(WINDOW)
        assert "is damaged" in fault_of(path) or "is no block" in fault_of(path)


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_block_that_is_cut_off_is_found_wherever_it_ends(share):
    with TemporaryDirectory() as folder:
        store = BlockStore(Path(folder), "key")
        store.write(WINDOW, values(), FACTS)
        path = store.path(WINDOW)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(BlockError, match=r"is (damaged or cut off|no block)"):
            store.read(WINDOW)


def test_the_block_of_other_maps_or_of_another_place_is_not_taken(store):
    store.write(WINDOW, values(), {})
    assert fault_of(store.path(WINDOW)) is None
    assert list(stored_blocks(store.folder.parent)) == [store.path(WINDOW)]
    with pytest.raises(BlockError, match="is the block r8-c0-4x5 of other maps"):
        BlockStore(store.folder, "another").read(WINDOW)
    moved = (slice(0, 4), slice(0, 5))
    store.path(WINDOW).rename(store.path(moved))
    with pytest.raises(BlockError, match=r"r0-c0-4x5\.block: is the block r8-c0-4x5"):
        store.read(moved)
    with pytest.raises(BlockError, match="cannot be read"):
        store.read(WINDOW)


def test_values_that_do_not_fill_the_block_are_not_taken(store):
    store.write(WINDOW, values()[:, :3], {})
    with pytest.raises(BlockError, match="another shape or type"):
        store.read(WINDOW)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_named_and_leaves_no_half_of_a_block(store, monkeypatch, call):
    store.write(WINDOW, values(), {"valid": 1})

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    other = (slice(12, 16), slice(0, 5))
    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync", full) if call == "fsync" else (Path, "replace", full)))
        with pytest.raises(RunError, match=r"cannot write .*r12-c0-4x5\.block: No space left on device; fin"):
            store.write(other, values(), {})
    assert [path.name for path in store.folder.iterdir()] == [f"{named(WINDOW)}.block"]
    assert store.read(WINDOW).facts == {"valid": 1}


def test_a_store_whose_folder_cannot_be_made_is_named(tmp_path):
    (tmp_path / "blocks").write_text("a file")
    with pytest.raises(RunError, match=r"cannot write .*Not a directory"):
        BlockStore(tmp_path / "blocks" / "abc", "abc").open()


WRITES = """
import sys
import numpy as np
from pathlib import Path
from permagrid.blockstore import BlockStore
store = BlockStore(Path(sys.argv[1]), "key")
store.open()
print("in", flush=True)
for number in range(100000):
    row = 512 * (number % 7)
    values = np.full((1, 512, 512), number, dtype="float32") + np.arange(512, dtype="float32")
    store.write((slice(row, row + 512), slice(0, 512)), values, {"number": number})
"""


def test_a_process_killed_at_any_moment_leaves_whole_blocks_only(tmp_path):
    windows = [(slice(512 * row, 512 * row + 512), slice(0, 512)) for row in range(7)]
    store = BlockStore(tmp_path, "key")
    for delay in (0.0, 0.007, 0.02, 0.0):
        with subprocess.Popen([sys.executable, "-c", WRITES, tmp_path], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            while not list(tmp_path.glob("*.block")):
                time.sleep(0.001)
            time.sleep(delay)
            process.kill()
            process.wait()
        for window in windows:
            if window not in store.missing(windows):
                found = store.read(window)
                assert (found.values[0, :, 0] == found.facts["number"]).all()
    assert len(store.missing(windows)) < 7
