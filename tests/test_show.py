"""What `permagrid show` prints: a table whose columns never touch and whose numbers stand in line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from permagrid.show import show_run


def shown(folder: Path, scores: list[dict[str, Any]]) -> list[str]:
    """Return the table of scores as it is printed."""
    sites = {"kept": 250, "read": 263, "site_epochs": 822}
    summary = {"schema": 1, "study": "s", "sites": sites, "scores": scores, "products": []}
    (folder / "summary.json").write_text(json.dumps(summary))
    return show_run(folder).splitlines()[1 : 2 + len(scores)]


def score(learner: str, n: int, **metrics: tuple[float | None, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {"learner": learner, "folds": "block_500km", "subset": "below_300cm", "n": n}
    for name, (value, low, high) in metrics.items():
        found |= {name: value, f"{name}_interval": [low, high]}
    return found


@pytest.mark.parametrize("n", [822, 822_105])
def test_columns_are_two_spaces_apart_however_wide_their_numbers(n: int, tmp_path: Path) -> None:
    rmse, r2 = (105_940.95, 88_000.0, 123_456.78), (-12.3, -1e6, 0.5)
    table = shown(tmp_path, [score("random_forest_with_a_long_name", n, rmse=rmse, r2=r2)])
    assert [re.split(r" {2,}", line) for line in table] == [
        ["learner", "folds", "subset", "n", "RMSE", "R2"],
        [
            "random_forest_with_a_long_name",
            "block_500km",
            "below_300cm",
            str(n),
            "105940.95 (88000.00 to 123456.78)",
            "-12.30 (-1000000.00 to 0.50)",
        ],
    ]


def test_decimal_points_stand_in_line(tmp_path: Path) -> None:
    rows = [
        score("a", 5, rmse=(1.0, 0.5, 1.5), bias=(-0.1, None, None)),
        score("bb", 1200, rmse=(1050.25, 90.0, 2000.0), bias=(12.0, None, None)),
        score("c", 30, rmse=(None, None, None), bias=(0.0, None, None)),
    ]
    head, first, second, third = shown(tmp_path, rows)
    assert first.index("1.00 (") == second.index("0.25 (")
    assert first.index(".10") == second.index(".00", second.index("12.00")) == third.index(".00")
    assert third.split() == ["c", "block_500km", "below_300cm", "30", "-", "0.00"]
    assert head.endswith("bias")
    assert len({len(line) for line in (head, first, second, third)}) == 1
    assert first.index(" 5 ") + 1 == second.index("1200") + 3


def test_a_run_without_scores_has_no_rows(tmp_path: Path) -> None:
    assert shown(tmp_path, []) == ["learner  folds  subset  n"]
