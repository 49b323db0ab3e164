"""What the learner goes by: bars in the order of their ranks, groups named, other ways on demand."""

import pytest
from made_evidence_summary import QUOTE, STUDY

from permagrid.report.importance_figures import MOST_BARS, importance_figure, importance_label
from permagrid.report.importance_sections import importance_section


def worth(name, rank, method="permutation", by="covariate", **more):
    return {
        "covariate": name,
        "members": [name],
        "method": method,
        "by": by,
        "folds": "knndm" if method == "permutation" else "all rows",
        "importance": 1.0 / rank,
        "interval": [0.5 / rank, 1.5 / rank] if method == "permutation" else None,
        "rank": rank,
        "unit_text": "increase of mean squared error",
    } | more


GROUP = worth("air + 3", 1, by="group", members=["air", "bio1", "bio10", "bio11"])
FOUND = [
    *(worth(name, rank) for rank, name in enumerate(["slope", "air", "bio1"], 1)),
    worth("slope", 2, by="group"),
    GROUP,
    worth("slope", 1, "impurity", by="group"),
    worth("slope", 1, "shap", by="group"),
]


def test_groups_shuffled_together_are_open_and_the_rest_is_on_demand():
    (part,) = importance_section({"importance": FOUND, "quote": QUOTE}, STUDY).parts
    assert part.heading == "Shuffling: covariates that are alike together, kNNDM folds"
    assert [item.title for item in part.folded] == [
        "The numbers",
        "Shuffling: each covariate by itself, kNNDM folds",
        "Splits of the trees: covariates that are alike together",
        "Shapley values: covariates that are alike together",
    ]
    rows = part.folded[0].tables[0].rows
    assert [row.cells[1].text for row in rows] == ["air and 3 alike", "slope"]
    assert rows[0].cells[1].small == "air, bio1, bio10, bio11"
    assert rows[0].cells[2].small == "0.500 to 1.50"
    assert "forest" in part.text[0]


def test_bars_stand_by_rank_with_their_intervals():
    figure = importance_figure.__wrapped__([worth(f"c{rank}", rank) for rank in (3, 1, 2)])
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c1", "c2", "c3"]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([1.0, 1 / 2, 1 / 3])
    ends = [list(line.get_xdata()) for line in axes.lines if len(set(line.get_ydata())) == 1]
    assert ends == [pytest.approx([0.5 / rank, 1.5 / rank]) for rank in (1, 2, 3)]


def test_of_many_covariates_the_first_are_drawn_and_the_caption_says_so():
    many = [worth(f"c{rank}", rank) for rank in range(1, 41)]
    (axes,) = importance_figure.__wrapped__(many).axes
    assert len(axes.patches) == MOST_BARS
    (part,) = importance_section({"importance": many}, STUDY).parts
    assert f"The {MOST_BARS} first of 40." in part.figures[0].caption
    assert len(part.folded[0].tables[0].rows) == 40


@pytest.mark.parametrize(
    ("members", "label"),
    [
        ([], "air + 3"),
        (["snow_depth"], "snow depth"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a and 2 alike"),
    ],
)
def test_groups_are_named_by_their_members(members, label):
    assert importance_label(GROUP | {"members": members}) == label


@pytest.mark.parametrize("found", [[], None])
def test_without_importance_there_is_no_section(found):
    assert importance_section({"importance": found}, STUDY) is None
