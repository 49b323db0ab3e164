"""What `permagrid show` prints: a table whose columns never touch and whose numbers stand in line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from permagrid.errors import PermagridError
from permagrid.show import show_run


def printed(folder: Path, scores: list[dict[str, Any]], **more: Any) -> list[str]:
    """Return the lines of a run as they are printed."""
    sites = {"kept": 250, "read": 263, "site_epochs": 822}
    summary = {"schema": 1, "study": "s", "sites": sites, "scores": scores, "products": [], **more}
    (folder / "summary.json").write_text(json.dumps(summary))
    return show_run(folder).splitlines()


def shown(folder: Path, scores: list[dict[str, Any]]) -> list[str]:
    """Return the table of scores as it is printed."""
    return printed(folder, scores)[1 : 2 + len(scores)]


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


def test_the_score_to_quote_comes_first_and_random_folds_never_alone(tmp_path: Path) -> None:
    rmse = {"site": (1.2, 1.0, 1.4), "knndm": (1.5, 1.3, 1.7), "random": (0.5, 0.4, 0.6)}
    rows = [
        score(learner, 9, rmse=values) | {"folds": folds, "subset": subset}
        for subset in ("all", "thin")
        for learner in ("ridge", "forest")
        for folds, values in rmse.items()
    ]
    lines = printed(
        tmp_path,
        rows,
        quote={"learner": "forest", "folds": "knndm", "wasserstein_km": 8.76543, "rule": "smallest W"},
        applicability={"inside_share": {"all": 0.9, "1995-1999": 0.95, "2000-2004": 0.853}},
        audit=[{"severity": "note"}, {"severity": "severe"}, {"severity": "note"}],
    )
    assert lines[1:5] == [
        "to quote: RMSE 1.50 (1.30 to 1.70), forest, folds knndm, W 8.765 km",
        "not to quote: RMSE 0.50 (0.40 to 0.60), the same learner under random folds, which flatter",
        "inside the area of applicability: 85% of the map of 2000-2004",
        "audit: 1 severe, 2 note",
    ]
    assert lines[5].startswith("learner")


def test_what_a_run_does_not_tell_is_not_printed(tmp_path: Path) -> None:
    rows = [score("forest", 9, rmse=(None, None, None)) | {"folds": "knndm", "subset": "all"}]
    quote = {"learner": "forest", "folds": "knndm", "wasserstein_km": 1.0, "rule": "smallest W"}
    lines = printed(tmp_path, rows, quote=quote, applicability=None, audit=[])
    assert lines[1] == "to quote: no score, forest, folds knndm, W 1 km"
    assert lines[2] == "audit: no findings"
    assert printed(tmp_path, rows, quote=None)[1].startswith("learner")


def test_a_score_to_quote_that_is_not_there_is_told_in_a_sentence(tmp_path: Path) -> None:
    quote = {"learner": "forest", "folds": "knndm", "wasserstein_km": 1.0, "rule": "smallest W"}
    with pytest.raises(PermagridError, match="lacks what a run writes"):
        printed(tmp_path, [score("forest", 9)], quote=quote)


def test_where_a_learner_could_try_nothing_it_is_said_with_the_first_reason(tmp_path: Path) -> None:
    few, one = ({"reason": f"{n} sites cannot make 5 folds", "n_folds": n} for n in (3, 1))
    choices = [
        {"learner": "ridge", "folds": "site", "n_folds": 10, "untried": [few, one]},
        {"learner": "ridge", "folds": "block_500km", "n_folds": 7, "untried": [few]},
        {"learner": "forest", "folds": "site", "n_folds": 10, "untried": []},
    ]
    lines = printed(tmp_path, [score("ridge", 5, rmse=(1.0, 0.5, 1.5))], choices=choices)
    assert [line for line in lines if "could try nothing" in line] == [
        "not chosen: ridge could try nothing in folds 4 of 10 (site), 3 of 7 (block_500km): "
        "3 sites cannot make 5 folds (and 1 other reason)"
    ]
