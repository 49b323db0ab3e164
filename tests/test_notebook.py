"""The page for notebook users runs from top to bottom, and its map is near the truth."""

import re
from pathlib import Path

import numpy as np
import pytest
from rio_cogeo.cogeo import cog_validate

PAGE = Path(__file__).resolve().parents[1] / "docs" / "notebook.md"


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> dict:
    """Run every block of the page, with a folder of the tests for the temporary one."""
    text = PAGE.read_text(encoding="utf-8")
    folder, names = tmp_path_factory.mktemp("notebook"), {}
    for match in re.finditer(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        # Blank lines before the code, so that a failure is told with its line of the page.
        lines = "\n" * text.count("\n", 0, match.start(1))
        code = match.group(1).replace("tempfile.mkdtemp()", repr(str(folder)))
        exec(compile(lines + code, str(PAGE), "exec"), names)
    return names


def test_the_map_is_a_cog_near_the_truth(names):
    assert cog_validate(names["path"], strict=True) == (True, [], [])
    assert np.sqrt((names["error"] ** 2).mean()) < 2.0
    assert names["error"].count() > 2000


def test_a_study_file_is_not_needed_for_scores(names):
    scores = names["comparison"].scores
    assert len(scores) == 9
    assert (scores["rmse"] < 3).all()
    assert len(names["by_site"]) == 10
