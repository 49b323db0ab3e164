"""Scores of many learners under many schemes: few marks, an overview, and the rest on demand."""

import numpy as np
import pytest
from made_evidence_summary import FOLDS, QUOTE, STUDY, made_scores

from permagrid.report.metrics import quoted_row
from permagrid.report.score_marks import drawn_folds, score_figure, without_strays
from permagrid.report.scores_text import overview_grid, score_cards, statement
from permagrid.report.sections import score_section

MANY = (*(f"learner_{number}" for number in range(14)), "forest")


def test_few_scores_are_all_drawn_and_stand_in_one_table():
    scores = made_scores(folds=("random", "site", "knndm"))
    assert drawn_folds(scores, "knndm") == ["random", "site", "knndm"]
    (part,) = score_section(scores, {"quote": QUOTE}, STUDY).parts
    assert len(part.tables[0].rows) == len(scores)
    assert part.folded == ()


def test_of_many_scores_an_overview_is_open_and_every_scheme_on_demand():
    scores = made_scores(MANY)
    (part,) = score_section(scores, {"quote": QUOTE}, STUDY).parts
    assert [len(grid.rows) for grid in part.tables] == [len(MANY)]
    assert [item.title for item in part.folded][:2] == [
        "All scores, kNNDM folds (to quote)",
        "All scores, folds by 500 km blocks",
    ]
    assert part.folded[-1].title == "All scores, random folds"
    inside = [row for item in part.folded for grid in item.tables for row in grid.rows]
    assert len(inside) == len(scores)
    assert sum(row.mark == "quoted" for row in inside) == 1
    assert "Drawn are 4 of 7 fold schemes" in part.figures[0].caption


def test_the_overview_orders_learners_by_the_scheme_to_quote():
    scores = made_scores(MANY)
    best = scores["learner"].eq("learner_9") & scores["folds"].eq("knndm")
    scores.loc[best, "rmse"] = 0.1
    scores.loc[scores["learner"].eq("learner_3") & scores["folds"].eq("knndm"), "rmse"] = np.nan
    grid = overview_grid(scores, "degC", quoted_row(scores, "forest", "knndm"))
    learners = [row.cells[0].text.replace("\N{NO-BREAK SPACE}", " ") for row in grid.rows]
    assert learners[:2] == ["learner 9", "learner 0"]
    assert learners[-1] == "learner 3"
    assert [row.mark for row in grid.rows if row.cells[0].text == "forest"] == ["quoted"]
    assert grid.heads[1] == "kNNDM (to quote)"
    assert grid.heads[-1] == "random"
    # So many columns have no room for intervals but in that to quote.
    assert [bool(cell.small) for cell in grid.rows[0].cells[1:]] == [True] + [False] * (len(FOLDS) - 1)


def test_the_larger_is_the_better_for_other_metrics():
    scores = made_scores(MANY, metrics=("kappa",))
    grid = overview_grid(scores, "1", quoted_row(scores, None, "knndm"))
    values = [float(row.cells[1].text) for row in grid.rows]
    assert values == sorted(values, reverse=True)


def points(figure, marker):
    return [line for axes in figure.axes for line in axes.lines if line.get_marker() == marker]


def test_marks_of_a_learner_never_lie_on_each_other():
    for learners in (MANY[:3], MANY):
        figure = score_figure.__wrapped__(made_scores(learners), unit="degC", quote="knndm")
        heights = sorted(
            {round(float(line.get_ydata()[0]), 6) for line in points(figure, "o") if len(line.get_ydata())}
        )
        pixels = np.diff(heights) * figure.get_figheight() * 72 / (len(learners) + 0.2)
        assert pixels.min() > 6.0  # points; a mark is 5 wide


def test_a_stray_score_is_led_to_by_an_arrow_and_presses_nothing_together():
    scores = made_scores(MANY)
    stray = scores["learner"].eq("learner_5")
    scores.loc[stray, ["rmse", "rmse_low", "rmse_high"]] = [4e5, 1e5, 9e5]
    figure = score_figure.__wrapped__(scores, unit="degC", quote="knndm")
    assert figure.axes[0].get_xlim()[1] < 10.0
    assert len(points(figure, ">")) == 4
    tame = score_figure.__wrapped__(made_scores(MANY), unit="degC", quote="knndm")
    assert points(tame, ">") == points(tame, "<") == []


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0, 2.0], [0.0, 0.0], [1.0, np.nan, 3.0], [-5.0, 5.0]])
def test_limits_hold_all_that_lies_together(values):
    low, high = without_strays(np.array(values))
    assert low < np.nanmin(values)
    assert high > np.nanmax(values)


def test_what_is_quoted_is_named_as_people_say_it():
    scores = made_scores()
    assert score_cards(scores, "degC", "forest", QUOTE)[0].name == "RMSE, kNNDM folds"
    text = statement(scores, "degC", "forest", QUOTE).text
    assert text.startswith(
        "The figure to quote is that of kNNDM folds: RMSE 1.60\N{NO-BREAK SPACE}°C (forest"
    )
    assert "W 9 km" in text.replace("\N{NO-BREAK SPACE}", " ")


def test_the_interval_of_the_map_takes_the_place_of_that_of_the_score():
    quote = QUOTE | {"rmse_interval": [1.23, 2.34]}
    assert "1.23 to 2.34" in score_cards(made_scores(), "degC", "forest", quote)[0].more
    text = statement(made_scores(), "degC", "forest", quote).text
    assert "interval for the error of the map 1.23 to 2.34" in text.replace("\N{NO-BREAK SPACE}", " ")


def test_the_flattering_score_of_random_folds_is_within_the_picture():
    low, high = without_strays(
        np.array([0.30, 1.02, 1.12, 1.10, 0.34, 1.01, 1.17, 1.16, 1.04, 1.07, 1.11, 1.10])
    )
    assert low < 0.30
    assert 1.17 < high < 2.0
