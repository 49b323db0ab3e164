"""Shards of a run: made in any order beside each other, and then put together to the bytes of a whole run."""

import json
from pathlib import Path

import pytest

from command_line import call
from permagrid.blockstore import stored_blocks
from permagrid.errors import PartialError, PermagridError
from permagrid.parts import Shard, Task, make_shard, prepare
from permagrid.prediction.blocks import Prediction
from permagrid.run import run
from permagrid.rundir import RunDir
from permagrid.study import parse_study
from run_folder import bytes_of, carry_out
from small_study import small_study

pytestmark = pytest.mark.usefixtures("unpainted")
BLOCK = 30


@pytest.fixture(scope="module")
def whole(small_world, tmp_path_factory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("whole") / "out"
    carry_out(small_study(lean=True), small_world, out)
    return bytes_of(out)


@pytest.fixture(scope="module")
def task(small_world, tmp_path_factory) -> Task:
    """Return what shards are to do in a folder that is prepared."""
    out = tmp_path_factory.mktemp("shards") / "out"
    asked = Task(parse_study(small_study(lean=True)), out, small_world, workers=1, block=BLOCK)
    prepare(asked)
    assert not list((out / "maps").iterdir())
    return asked


def test_shards_in_any_order_and_then_a_run_give_the_bytes_of_a_whole_run(
    task, whole, small_world, monkeypatch, capsys, tmp_path
):
    def none_is_fitted(*_):
        raise AssertionError

    # Shards read the model that was prepared.
    monkeypatch.setattr("permagrid.steps.models.fit", none_is_fitted)
    with pytest.raises(PartialError, match="shard 3/3: its 12 blocks are made, 24 of other shards are not"):
        make_shard(task, Shard(3, 3))
    # As a shell calls it, from the study's file.
    (tmp_path / "study.json").write_text(json.dumps(small_study(lean=True)))
    words = ["run", tmp_path / "study.json", "--data", small_world, "--out", task.out, "--block", BLOCK]
    outcome = call(capsys, *words, "--shard", "1/3")
    assert outcome.status == 4
    assert outcome.err.startswith("error: shard 1/3: its 12 blocks are made, 12 of other shards are not")
    make_shard(task, Shard(2, 3))
    assert len(list(stored_blocks(task.out / "work" / "blocks"))) == 36

    def none_is_left(*_):
        raise AssertionError

    monkeypatch.setattr(Prediction, "block", none_is_left)
    run(task.study, task.out, data=small_world, block=BLOCK)
    assert bytes_of(task.out) == whole


def test_a_shard_that_finds_nothing_prepared_says_so_and_writes_nothing(task, small_world, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(PermagridError, match=r"nothing is prepared .* permagrid run --prepare comes first"):
        make_shard(Task(task.study, out, small_world), Shard(1, 2))
    assert not out.exists()
    other = parse_study(small_study(lean=True) | {"seed": 9})
    with pytest.raises(PermagridError, match="nothing is prepared for this study, data and version"):
        make_shard(Task(other, task.out, small_world, block=BLOCK), Shard(1, 2))
    with pytest.raises(PermagridError, match="was prepared for --block 30, not 64; all parts need the same"):
        make_shard(Task(task.study, task.out, small_world, block=64), Shard(1, 2))


def test_kept_steps_that_are_gone_are_not_made_by_a_shard(task, small_world):
    path = Path(task.out) / "work" / "importance.csv"
    content = path.read_bytes()
    path.write_bytes(b"damaged")
    with pytest.raises(PermagridError, match=r"work/importance\.csv is not kept; nothing is prepared"):
        make_shard(task, Shard(1, 2))
    assert path.read_bytes() == b"damaged"
    path.write_bytes(content)


def test_shards_work_beside_each_other_and_not_beside_a_whole_run(tmp_path, monkeypatch):
    monkeypatch.setattr("permagrid.rundir._A_MOMENT", 0.1)
    with RunDir(tmp_path) as folder:
        folder.begin()
        with pytest.raises(PermagridError, match="another run is at work"):
            RunDir(tmp_path, shard="1of2").__enter__()
    with RunDir(tmp_path, shard="1of2"), RunDir(tmp_path, shard="2of2"):
        with pytest.raises(PermagridError, match="another run is at work"):
            RunDir(tmp_path, shard="2of2").__enter__()
        with pytest.raises(PermagridError, match="another run is at work"):
            RunDir(tmp_path).__enter__()
    with RunDir(tmp_path):
        pass


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "-1/2", "1/0", "1/2/3", ""])
def test_shards_that_are_none_are_refused(text):
    with pytest.raises(PermagridError, match="allowed are 1/n to n/n"):
        Shard.parse(text)
