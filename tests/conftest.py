"""Fixtures shared by all tests: the real data, where it is present, and a small virtual world."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from permagrid.world import write_world
from unpainted import Unpainted

collect_ignore = ["warmed_up.py"]
"""What changes the process that imports it, as a search for doctests would."""

LONGEST = (
    *("test_run_real.py", "test_run.py", "test_run_killed.py", "test_bad_input.py", "test_run_again.py"),
    *("test_audit_study.py", "test_dry_run.py", "test_dask_workers.py", "test_every_covariate.py"),
    *("test_worlds.py", "test_run_faults.py", "test_run_ensemble.py", "test_workers.py"),
    *("test_run_comparison.py", "test_cli.py", "test_learner_table.py", "test_bad_ensembles.py"),
    *("test_climate_checks.py", "test_classes_end_to_end.py", "test_selection.py", "test_check.py"),
    *("test_grids_end_to_end.py", "test_blocks.py", "test_blocks_kept.py", "test_shards.py"),
)
"""Files of tests that take longest, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, or one core waits for another at the end."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data, or skip: it is not part of the project."""
    named = os.environ.get("PERMAGRID_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip(f"real data not found in {folder}; set PERMAGRID_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a virtual world of 80 x 80 cells of 10 km, with planted faults."""
    folder = tmp_path_factory.mktemp("small") / "world"
    return write_world(folder, seed=7, size=80, resolution=10000.0, n_boreholes=80)


@pytest.fixture(scope="module")
def unpainted() -> Iterator[None]:
    """Put the figures of reports together without painting them, in a module whose tests look at none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("permagrid.report.canvas.FigureCanvasAgg", Unpainted)
        yield
