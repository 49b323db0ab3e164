"""The run folder keeps a file only while its ingredients and its bytes hold, and is one run's at a time."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from permagrid.errors import PermagridError
from permagrid.files import sha256_of, write_text
from permagrid.rundir import FILES, RunDir, digest


def writer(text, log=None):
    def make(path):
        if log is not None:
            log.append(text)
        path.write_text(text)

    return make


def test_a_file_is_kept_while_its_ingredients_and_its_bytes_hold(tmp_path):
    made = []
    for number in range(3):
        with RunDir(tmp_path) as folder:
            path = folder.keep("work/a.txt", {"x": 1}, writer("one", made))
            assert (path.read_text(), folder.reused) == ("one", [] if number == 0 else ["work/a.txt"])
    assert made == ["one"]
    with RunDir(tmp_path) as folder:
        assert folder.keep("work/a.txt", {"x": 2}, writer("two", made)).read_text() == "two"
        assert folder.reused == []
    assert made == ["one", "two"]


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "empty"])
def test_a_damaged_file_is_made_again(tmp_path, damage):
    made = []
    with RunDir(tmp_path) as folder:
        path = folder.keep("maps/a.tif", [1], writer("the true bytes", made))
    if damage == "flip":
        path.write_text("the truE bytes")
    elif damage == "gone":
        path.unlink()
    else:
        path.write_text("" if damage == "empty" else "the true by")
    with RunDir(tmp_path) as folder:
        assert not folder.is_kept("maps/a.tif", [1])
        assert folder.keep("maps/a.tif", [1], writer("the true bytes", made)).read_text() == "the true bytes"
    assert len(made) == 2


def test_a_folder_is_watched_over_like_a_file(tmp_path):
    with RunDir(tmp_path) as folder:
        store = folder.work / "stack" / "a.zarr"
        (store / "c").mkdir(parents=True)
        (store / "c" / "0").write_bytes(b"chunk")
        folder.record("work/stack/a.zarr", "a")
    for change in (
        lambda: (store / "c" / "0").write_bytes(b"chunK"),
        lambda: (store / "c" / "0").write_bytes(b"chunk"),
        lambda: (store / "c" / "0").rename(store / "c" / "1"),
    ):
        change()
        with RunDir(tmp_path) as folder:
            assert folder.is_kept("work/stack/a.zarr", "a") == (
                (store / "c" / "0").is_file() and (store / "c" / "0").read_bytes() == b"chunk"
            )


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"work/a.txt": 3}', '{"work/a.txt": {"digest": "x"}}', "\0"]
)
def test_a_ledger_that_cannot_be_read_keeps_nothing(tmp_path, text):
    with RunDir(tmp_path) as folder:
        folder.keep("work/a.txt", 1, writer("one"))
    (tmp_path / "work" / "ledger.json").write_text(text)
    with RunDir(tmp_path) as folder:
        folder.keep("work/a.txt", 1, writer("one"))
        assert folder.reused == []
    with RunDir(tmp_path) as folder:
        assert folder.is_kept("work/a.txt", 1)


def test_a_failure_leaves_the_former_file_and_no_half_of_a_new_one(tmp_path):
    with RunDir(tmp_path) as folder:
        path = folder.keep("scores.csv", 1, writer("whole"))

        def fail(temporary):
            temporary.write_text("ha")
            raise PermagridError("disk full")

        with pytest.raises(PermagridError, match="disk full"):
            folder.keep("scores.csv", 2, fail)
        assert path.read_text() == "whole"
        assert sorted(p.name for p in tmp_path.iterdir()) == ["maps", "scores.csv", "work"]
    with RunDir(tmp_path) as folder:
        # What it was made from is not known for sure any more.
        assert not folder.is_kept("scores.csv", 1)


def test_a_second_run_is_refused_while_the_first_is_at_work(tmp_path):
    with RunDir(tmp_path), pytest.raises(PermagridError, match="another run is at work in this folder"):
        RunDir(tmp_path).__enter__()
    with RunDir(tmp_path):
        pass


def test_the_lock_of_a_killed_run_is_free(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from permagrid.rundir import RunDir\n"
        "with RunDir(Path(sys.argv[1])):\n  print('in', flush=True)\n  time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"in\n"
        with pytest.raises(PermagridError, match="another run is at work"):
            RunDir(tmp_path).__enter__()
        process.send_signal(signal.SIGKILL)
        process.wait()
    with RunDir(tmp_path):
        pass


def test_what_another_run_recorded_meanwhile_is_not_forgotten(tmp_path):
    early = RunDir(tmp_path)
    with RunDir(tmp_path) as folder:
        folder.keep("work/a.txt", 1, writer("one"))
    with early:
        assert early.is_kept("work/a.txt", 1)
        early.keep("work/b.txt", 1, writer("two"))
    with RunDir(tmp_path) as folder:
        assert folder.is_kept("work/a.txt", 1)
        assert folder.is_kept("work/b.txt", 1)


def test_sweep_removes_what_a_killed_run_left_and_nothing_else(tmp_path):
    with RunDir(tmp_path) as folder:
        left = [
            tmp_path / ".scores.partial.csv",
            folder.maps / ".a.partial.tif",
            folder.maps / ".a.partial.tif.ovr.tmp",
            folder.maps / ".a.qml.partial",
            folder.work / ".a.partial.tif",
            folder.work / "folds" / ".all_site_forest.partial.npy",
            folder.work / "stack" / "a_1.zarr.partial",
        ]
        kept = [tmp_path / "my.partial.txt", folder.maps / ".hidden", folder.work / "stack" / "a_1.zarr"]
        for path in (*left, *kept):
            path.parent.mkdir(exist_ok=True)
            if path.suffix in (".zarr",) or path.name.endswith(".zarr.partial"):
                (path / "c").mkdir(parents=True)
            else:
                path.write_text("half")
        folder.sweep()
    assert not [path for path in left if path.exists()]
    assert all(path.exists() for path in kept)


def test_forget_removes_stale_maps_with_their_side_files_and_not_those_of_others(tmp_path):
    with RunDir(tmp_path) as folder:
        for name in ("old_alt_1980-1984", "old_alt_1985-1989"):
            folder.keep(f"maps/{name}.tif", 1, writer(name))
            for suffix in (".qml", ".sld", ".tif.aux.xml"):
                (folder.maps / f"{name}{suffix}").write_text("side")
        folder.begin("maps/killed_alt_1980-1984.tif")
        (folder.maps / "killed_alt_1980-1984.tif").write_text("its run was killed before it was recorded")
        (folder.maps / "mine.tif").write_text("put there by hand")
    with RunDir(tmp_path) as folder:
        folder.forget("maps", {"maps/old_alt_1985-1989.tif"})
    with RunDir(tmp_path) as folder:
        assert folder.is_kept("maps/old_alt_1985-1989.tif", 1)
        names = sorted(path.name for path in folder.maps.iterdir())
    stem = "old_alt_1985-1989"
    assert names == ["mine.tif", *(f"{stem}{s}" for s in (".qml", ".sld", ".tif", ".tif.aux.xml"))]
    assert "1980-1984" not in (tmp_path / "work" / "ledger.json").read_text()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermagridError, match=r"cannot be written to .* choose another --out"):
        RunDir(tmp_path / "out")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(PermagridError, match="cannot be written to"):
        RunDir(tmp_path / "out")


def test_digests_differ_where_values_do_and_only_there(tmp_path):
    same = {"a": (1, 2), "b": {"x", "y"}, "c": tmp_path}
    assert digest(same) == digest({"c": str(tmp_path), "b": ["x", "y"], "a": [1, 2]})
    different = [0, 0.0, "0", None, [], {}, [0], [[0]], {"a": 0}, {"a": 1}, False, float("nan"), 1e-300]
    assert len({digest(value) for value in different}) == len(different)
    with pytest.raises(TypeError, match="is no plain value"):
        digest(object())


def test_sha256_of_a_folder_knows_names_and_contents(tmp_path):
    (tmp_path / "a").write_text("bc")
    one = sha256_of(tmp_path)
    (tmp_path / "a").rename(tmp_path / "ab")
    (tmp_path / "ab").write_text("c")
    assert sha256_of(tmp_path) != one


def test_write_text_replaces_whole_files(tmp_path):
    path = tmp_path / "a.json"
    write_text(path, "x" * 100)
    write_text(path, json.dumps({"schema": 1}))
    assert path.read_text() == '{"schema": 1}'
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_file_is_never_seen_half_written_by_a_run_that_is_killed(tmp_path):
    """Kill a process that keeps big files again and again: each is whole, or not there."""
    code = (
        "import sys; from pathlib import Path; from permagrid.rundir import RunDir\n"
        "def make(path):\n"
        "  with path.open('wb') as f:\n"
        "    for _ in range(64): f.write(b'x' * 65536); f.flush()\n"
        "n = 0\n"
        "with RunDir(Path(sys.argv[1])) as folder:\n"
        "  folder.sweep(); print('in', flush=True)\n"
        "  while True: n += 1; folder.keep(f'maps/{n % 7}.tif', n, make)\n"
    )
    for delay in (0.0, 0.004, 0.011, 0.023, 0.05):
        with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(delay)
            process.kill()
            process.wait()
        assert {path.stat().st_size for path in (tmp_path / "maps").glob("[0-9].tif")} <= {64 * 65536}
    with RunDir(tmp_path) as folder:
        folder.sweep()
        assert not list(folder.maps.glob(".*"))


def test_every_file_of_a_run_has_a_description():
    assert {
        "maps",
        "scores.csv",
        "sites.parquet",
        "report.html",
        "summary.json",
        "study.resolved.yaml",
    } <= set(FILES)
    assert all(FILES.values())
