"""Tests of the hash of the code by which something is made."""

import subprocess
import sys
from pathlib import Path

import pytest

import permagrid
from permagrid.steps.code import sources_of

PACKAGE = Path(permagrid.__file__).parent


@pytest.mark.parametrize("module", ["permagrid.steps.scores", "permagrid.steps.stack", "permagrid.run"])
def test_all_that_python_loads_is_hashed(module: str) -> None:
    listed = "import sys; print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('permagrid.')))"
    command = [sys.executable, "-c", f"import {module}; {listed}"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert len(loaded) > 20
    assert {Path(name) for name in loaded} <= sources_of(module)


def test_pages_are_not_hashed_with_scores() -> None:
    made_by = sources_of("permagrid.steps.scores")
    assert PACKAGE / "learners" / "trees.py" in made_by
    assert not [path for path in made_by if "report" in path.relative_to(PACKAGE).parts]
