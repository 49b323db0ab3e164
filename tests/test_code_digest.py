"""Tests of the hash of the code by which something is made."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import permagrid
from permagrid.steps import code
from permagrid.steps.code import code_digest, sources_of

PACKAGE = Path(permagrid.__file__).parent


# A module is loaded with nothing of the package there; what others made is not loaded again.
LOADED = """
import importlib, sys
for module in sys.argv[1:]:
    for name in [name for name in sys.modules if name.split(".")[0] == "permagrid"]:
        del sys.modules[name]
    importlib.import_module(module)
    print(*(m.__file__ for name, m in sys.modules.items() if name.startswith("permagrid.")))
"""


def test_all_that_python_loads_is_hashed() -> None:
    modules = ["permagrid.steps.scores", "permagrid.steps.stack", "permagrid.run"]
    command = [sys.executable, "-c", LOADED, *modules]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    for module, line in zip(modules, lines, strict=True):
        loaded = {Path(name) for name in line.split()}
        assert len(loaded) > 20
        assert loaded <= sources_of(module)


def test_threads_that_ask_at_a_time_have_it_made_once(monkeypatch) -> None:
    asked = []

    def slowly(module: str) -> set[Path]:
        asked.append(module)
        time.sleep(0.05)
        return sources_of(module)

    monkeypatch.setattr(code, "sources_of", slowly)
    code._digest_of.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(code_digest, ["permagrid.rundir"] * 8))
    assert len(found) == 1
    assert asked == ["permagrid.rundir"]


def test_pages_are_not_hashed_with_scores() -> None:
    made_by = sources_of("permagrid.steps.scores")
    assert PACKAGE / "learners" / "trees.py" in made_by
    assert not [path for path in made_by if "report" in path.relative_to(PACKAGE).parts]
