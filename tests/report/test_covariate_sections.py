"""The section of the report on covariates and on what groups of them bring."""

from permagrid.report.covariate_sections import covariate_grid, covariate_section, gain_sentences
from permagrid.report.gain_figures import gain_figure

STUDY = {"target": {"variable": "x", "unit": "degC"}, "products": {"learner": "random_forest"}}


def gain(group, folds, change, low, high, metric="rmse"):
    sides = {"without": 1.5, "with": 1.5 + change}
    return {
        "group": group,
        "folds": folds,
        "metric": metric,
        **sides,
        "change": change,
        "change_interval": [low, high],
    }


GAINS = [
    gain("terrain", "site", -0.1, -0.2, -0.02),
    gain("terrain", "block_500km", 0.05, -0.1, 0.2),
    gain("soil", "site", 0.2, 0.1, 0.3),
    gain("soil", "site", 0.2, 0.1, 0.3, "mae"),
]


def test_better_worse_and_neither_are_told_apart_whichever_way_a_metric_runs():
    assert gain_sentences(GAINS, "rmse", "degC") == (
        "Better with it: terrain (by site).",
        "Worse with it: soil (by site).",
        "No difference beyond chance: terrain (500 km blocks).",
    )
    kappa = [gain("soil", "site", 0.2, 0.1, 0.3, "kappa")]
    assert gain_sentences(kappa, "kappa", "1") == ("Better with it: soil (by site).",)


def test_the_section_holds_figure_table_and_list():
    layer = {"name": "slope", "method": "slope", "units": "degree", "settings": {"input": "elevation"}}
    section = covariate_section({"covariate_groups": GAINS, "covariates": [layer]}, STUDY)
    assert section is not None
    first, last = section.parts
    assert len(first.figures) == 1
    assert [row.cells[0].text for row in first.tables[0].rows] == ["terrain", "terrain", "soil"]
    assert first.tables[0].rows[0].cells[4].small == "\N{MINUS SIGN}0.20 to \N{MINUS SIGN}0.02"
    assert last.folded[0].tables[0].rows[0].cells[2].text == "slope: input elevation"


def test_without_anything_to_say_there_is_no_section():
    assert covariate_section({}, STUDY) is None
    assert covariate_grid({}) is None


def test_a_score_that_cannot_be_told_is_drawn_as_a_gap():
    lost = {**gain("soil", "site", 0.0, 0.0, 0.0), "change": None, "change_interval": [None, None]}
    assert gain_figure([GAINS[0], lost], metric="rmse", unit="degC").startswith(b"\x89PNG")
