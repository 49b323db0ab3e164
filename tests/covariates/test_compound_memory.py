"""What memory there is: the machine's, less what control groups have left; and what is refused for it."""

import pytest

from permagrid.covariates.terrain import memory
from permagrid.covariates.terrain.memory import GIB, available_memory, refuse_beyond
from permagrid.errors import PermagridError


def test_it_is_the_least_of_the_machine_and_the_groups(monkeypatch):
    monkeypatch.setattr(memory, "_of_machine", lambda: 8 * GIB)
    monkeypatch.setattr(memory, "_of_groups", lambda: [None, 3 * GIB, 5 * GIB])
    assert available_memory() == 3.0
    monkeypatch.setattr(memory, "_of_groups", lambda: [None])
    assert available_memory() == 8.0
    monkeypatch.setattr(memory, "_of_machine", lambda: None)
    assert available_memory() is None
    refuse_beyond(None, 1e9, "anything", "nothing")


@pytest.mark.parametrize(
    ("limit", "used", "spare", "first_version"),
    [
        ("max", "current", "inactive_file", False),
        ("limit_in_bytes", "usage_in_bytes", "total_inactive_file", True),
    ],
)
def test_files_kept_in_memory_do_not_count(tmp_path, limit, used, spare, first_version):
    (tmp_path / f"memory.{limit}").write_text("1000\n")
    (tmp_path / f"memory.{used}").write_text("700\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\n{spare} 250\n{spare}_other 9\n")
    assert memory._left(tmp_path, limit, first_version) == 550.0
    (tmp_path / f"memory.{limit}").write_text("max\n")
    assert memory._left(tmp_path, limit, first_version) is None
    assert memory._left(tmp_path / "none", limit, first_version) is None


def test_where_the_system_does_not_tell_there_is_no_limit(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "Path", lambda path: tmp_path / "none")
    monkeypatch.delattr(memory.os, "sysconf")
    assert available_memory() is None


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        (2.0, r"it needs about 3.5 GiB of memory, but 2 GiB are allowed \(memory\): make it smaller"),
        (None, r"it needs about 3.5 GiB of memory, but 1.5 GiB are available: make it smaller"),
    ],
)
def test_what_does_not_fit_is_refused(monkeypatch, allowed, message):
    monkeypatch.setattr(memory, "available_memory", lambda: 1.5)
    with pytest.raises(PermagridError, match=message):
        refuse_beyond(allowed, 3.5, "it", "make it smaller")
    refuse_beyond(4.0, 3.5, "it", "make it smaller")
