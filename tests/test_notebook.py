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


def test_folds_like_the_map_are_quoted_and_learners_told_apart_on_them(names):
    assert len(names["points"]) == 1000
    assert names["quoted"].spatial
    least = min(names["distances"].values(), key=lambda found: found.wasserstein)
    assert names["quoted"].name == least.name
    assert set(names["pairs"]["learner"]) == {"climate_linear", "extra_trees"}
    assert (names["pairs"]["difference_low"] <= names["pairs"]["difference_high"]).all()


def test_keywords_are_chosen_from_all_that_is_tried(names):
    choice = names["tuned"].choice
    assert len(choice.trail) == 6
    assert choice.keywords["min_samples_leaf"] in (1, 3, 10)


def test_the_area_of_applicability_is_mapped(names):
    index, inside, density, expected = names["belief"]
    mapped = np.isfinite(index)
    assert mapped.sum() > 2000
    assert 0.2 < inside[mapped].mean() <= 1.0
    assert ((index <= names["area"].threshold) == (inside == 1))[mapped].all()
    assert (density[mapped & (inside == 0)] == 0).all()
    assert (expected[np.isfinite(expected)] > 0).all()


def test_a_study_file_is_not_needed_for_scores(names):
    scores = names["comparison"].scores
    assert len(scores) == 9
    assert (scores["rmse"] < 3).all()
    assert len(names["by_site"]) == 10
