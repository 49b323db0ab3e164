"""Intervals in the report: whether they hold, in words, tables and figures that show what the records say."""

import copy

import numpy as np
import pytest
from made_intervals import LEARNERS, REFERENCE, SCHEMES, made_record

from permagrid.report import interval_sections
from permagrid.report.interval_figures import conformal_figure, coverage_figure, crps_figure, pit_figure
from permagrid.report.interval_sections import METHODS, interval_cards, interval_section
from permagrid.report.interval_words import coverage_sentences, crps_sentences

FIGURES = ("conformal_figure", "coverage_figure", "crps_figure", "pit_figure")


@pytest.fixture
def record():
    return copy.deepcopy(made_record())


@pytest.fixture
def drawn():
    """Ask for figures that are drawn."""


@pytest.fixture(autouse=True)
def undrawn(request, monkeypatch):
    """Keep figures from being drawn where a test looks at words and tables alone."""
    if "drawn" not in request.fixturenames:
        for name in FIGURES:
            monkeypatch.setattr(interval_sections, name, lambda *rows, **keywords: b"")


def row_of(record, **keys):
    (row,) = [i for i in record["coverage"] if all(i[key] == value for key, value in keys.items())]
    return row


def widest(record, folds="block_500km", part="all"):
    return row_of(record, learner=REFERENCE, folds=folds, part=part, level=0.95)


def plainly(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_the_section_begins_with_what_the_intervals_hold_under_the_scheme_to_quote(record):
    section = interval_section(record)
    assert section.title == "How far to trust the intervals"
    row = widest(record)
    first = plainly(section.parts[0].text[0])
    assert first.startswith(
        "Under folds by 500 km blocks the 95 % intervals of the copula BMA hold "
        f"{100 * row['coverage']:.1f} % of 400 rows ({100 * row['low']:.1f} to"
    )
    assert "they are too narrow" in first
    assert f"{row['width']:.2f} °C wide" in first


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.90, 0.94, "too narrow"), (0.93, 0.97, "as they should"), (0.96, 0.99, "too wide")],
)
def test_intervals_are_judged_by_whether_what_they_hold_may_be_what_they_state(record, low, high, said):
    widest(record).update(low=low, coverage=(low + high) / 2, high=high)
    assert said in coverage_sentences(record)[0]


def test_of_one_group_nothing_is_judged(record):
    widest(record).update(low=None, high=None)
    (text, *_) = coverage_sentences(record)
    assert "narrow" not in text
    assert "(" not in text


def test_a_part_that_fails_is_named_where_the_whole_holds(record):
    widest(record).update(low=0.93, coverage=0.95, high=0.97)
    for item in record["coverage"]:
        if item["part"] not in ("all", "Siberia"):
            item.update(low=0.9, high=1.0)
    widest(record, part="Siberia").update(coverage=0.8, low=0.7, high=0.9)
    assert plainly(coverage_sentences(record)[1]) == "They are too narrow in parts: Siberia (80.0 %)."


def test_without_a_scheme_to_quote_the_most_severe_one_is_shown(record):
    del record["quote"]
    assert "500 km blocks" in interval_section(record).parts[0].text[0]
    record["quote"] = "site"
    section = interval_section(record)
    assert section.parts[0].text[0].startswith("Under folds by site")
    assert [item.title for item in section.parts[0].folded] == [
        "The same under folds by 500 km blocks",
        "The same under random folds",
    ]


def test_tables_tell_coverage_by_region_and_by_bin_of_the_index(record):
    regions, bins = interval_section(record).parts[0].tables
    assert (regions.heads[0], bins.heads[0]) == ("Region", "Dissimilarity index")
    assert [row.cells[0].text for row in regions.rows] == ["all rows", "Alaska", "Siberia", "Svalbard"]
    assert bins.rows[-1].cells[0].text == "above 0.80"
    alaska = widest(record, part="Alaska")
    cells = regions.rows[1].cells
    assert cells[1].text == str(alaska["n"])
    assert cells[-2].text == f"{100 * alaska['coverage']:.1f}"
    assert cells[-1].text == f"{alaska['width']:.2f}"
    assert regions.heads[-1] == "Width of 95 % [°C]"
    assert all(len(row.cells) == len(grid.heads) for grid in (regions, bins) for row in grid.rows)


def test_endless_intervals_are_told(record):
    widest(record).update(width=None, unbounded=0.25)
    cell = interval_section(record).parts[0].tables[0].rows[0].cells[-1]
    assert (cell.text, plainly(cell.small)) == ("–", "25.0 % endless")


def test_whose_distributions_are_better_is_told_by_the_interval_of_the_difference(record):
    (text,) = crps_sentences(record)
    pairs = {i["learner"]: i for i in record["paired"] if i["folds"] == "block_500km"}
    assert pairs["ridge"]["difference_low"] > 0
    assert "lower than that of: random forest, ridge" in text
    pairs["ridge"].update(difference_low=-0.3, difference_high=-0.1)
    (text,) = crps_sentences(record)
    assert "higher than that of: ridge" in text
    grid = interval_section(record).parts[2].tables[0]
    assert [row.cells[0].text for row in grid.rows] == ["plain BMA", "random forest", "ridge"]
    assert grid.rows[1].cells[2].text.startswith("+")
    assert f"{pairs['ridge']['reference_crps']:.2f}" in grid.caption


def test_methods_of_calibration_stand_side_by_side_with_their_widths(record):
    part = interval_section(record).parts[3]
    (grid,), (folded,) = part.tables, part.folded
    assert [row.cells[0].text for row in grid.rows] == ["as stated", "split", "CQR", "CQR by DI bin"]
    assert len(folded.tables) == 4
    record["conformal"] += [i | {"method": "my_own"} for i in record["conformal"] if i["method"] == "cqr"]
    grid = interval_section(record).parts[3].tables[0]
    assert grid.rows[-1].cells[0].text == "my own"


def test_the_figure_of_coverage_shows_every_learner_under_every_scheme(record):
    figure = coverage_figure.__wrapped__(record["coverage"], reference=REFERENCE, quote="site")
    assert [axes.get_title() for axes in figure.axes] == [
        "Random folds",
        "Folds by site (to quote)",
        "Folds by 500 km blocks",
    ]
    for folds, axes in zip(SCHEMES, figure.axes, strict=True):
        marks = sorted(line.get_ydata()[0] for line in axes.lines if line.get_marker() == "o")
        told = sorted(
            100 * item["coverage"]
            for item in record["coverage"]
            if item["folds"] == folds and item["by"] == "all"
        )
        assert len(told) == 4 * len(LEARNERS)
        np.testing.assert_allclose(marks, told)


def test_bars_of_histograms_and_scores_are_as_high_as_the_records_say(record):
    own = [i for i in record["pit"] if i["learner"] == REFERENCE]
    figure = pit_figure.__wrapped__(own, by="folds", shown=["site", "random"], titles=["a", "b"])
    for name, axes in zip(["site", "random"], figure.axes, strict=True):
        np.testing.assert_allclose(
            [bar.get_height() for bar in axes.patches], [i["density"] for i in own if i["folds"] == name]
        )
    figure = crps_figure.__wrapped__(record["crps"], reference=REFERENCE, unit="degC", quote="block_500km")
    axes = figure.axes[2]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    found = {names[round(bar.get_y() + bar.get_height() / 2)]: bar.get_width() for bar in axes.patches}
    told = {i["learner"]: i["crps"] for i in record["crps"] if i["folds"] == "block_500km"}
    assert {name.replace(" ", "_").lower(): width for name, width in found.items()} == pytest.approx(told)
    assert found[names[0]] == min(told.values())


def test_the_figure_of_methods_marks_each_part_once_for_each_method(record):
    rows = [i for i in record["conformal"] if i["level"] == 0.95]
    parts = {(i["by"], i["part"]): i["part"] for i in rows}
    names = {name: METHODS[name] for name in ("stated", "split", "cqr", "mondrian")}
    figure = conformal_figure.__wrapped__(rows, names=names, parts=parts, unit="degC")
    marks = [line for line in figure.axes[0].lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert len(marks) == len(rows) == 20
    assert figure.axes[1].get_xlabel() == "Mean full width [°C]"


@pytest.mark.usefixtures("drawn")
def test_every_picture_is_drawn_and_said_in_words(record):
    one = interval_section(record)
    assert [len(part.figures) for part in one.parts] == [1, 1, 1, 1]
    for part in one.parts:
        for picture in part.figures:
            assert picture.png.startswith(b"\x89PNG")
            assert picture.alt.endswith(".")
            assert picture.caption.endswith(".")


@pytest.mark.parametrize("missing", ["crps", "paired", "pit", "conformal", "unit"])
def test_what_is_missing_is_left_out(record, missing):
    whole = len(interval_section(record).parts)
    del record[missing]
    section = interval_section(record)
    assert len(section.parts) == whole - (missing in ("crps", "pit", "conformal"))


def test_without_coverage_of_the_learner_of_the_maps_there_is_no_section(record):
    assert interval_section({}) is None
    record["coverage"] = [i for i in record["coverage"] if i["learner"] != REFERENCE]
    assert interval_section(record) is None
    assert interval_cards(record) == []
