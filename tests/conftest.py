"""Fixtures shared by all tests: the real data, where it is present."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data, or skip: it is not part of the project."""
    named = os.environ.get("PERMAGRID_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip(f"real data not found in {folder}; set PERMAGRID_DATA to its folder")
    return folder
