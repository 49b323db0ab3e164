"""The section of the report on covariates and on what groups of them bring."""

import re

import pytest

from permagrid.covariates import COVARIATES
from permagrid.reference import study_reference
from permagrid.report.covariate_sections import covariate_grid, covariate_section, gain_sentences
from permagrid.report.covariate_words import KEYWORD_UNITS, how_made
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


@pytest.mark.parametrize(
    ("method", "settings", "notes", "said"),
    [
        (
            "air_freezing_index",
            {"path": "t_{year}.tif", "approximation": "monthly", "window": 9, "stored_unit": "K"},
            {"approximation": "monthly", "season": "July-June", "valid_years": "9 of 9: 1998-2006"},
            "approximation monthly, window 9 years, stored unit K, season July-June, "
            "valid years 9 of 9: 1998-2006",
        ),
        (
            "topographic_position_index",
            {"input": "elevation", "analysis": "source", "radius": 1_500_000.0},
            {"analysis": "analysed at 30 m, then averaged"},
            "input elevation, analysed at 30 m, then averaged, radius 1500000 m",
        ),
        (
            "valid_years",
            {"input": "frost"},
            {"approximation": "monthly"},
            "input frost, approximation monthly",
        ),
        (
            "lapse_rate_downscaling",
            {"lapse_rate": "local", "window_radius": 150e3, "limits": (-0.0098, 0.0), "fallback": None},
            {},
            "lapse rate local, window radius 150000 m, limits -0.0098 to 0 \N{DEGREE SIGN}C/m",
        ),
        (
            "soil_layers",
            {"between": [0.0, 30.0], "depths": [[0, 5], [5, 30]]},
            {"depth": "0-30 cm", "source": "sand.tif"},
            "between 0 to 30 cm, depths 0 to 5; 5 to 30 cm",
        ),
        ("filled", {"input": "sand", "distance": 50e3}, {}, "input sand, distance 50000 m"),
        ("distance_to", {"inside": "zero", "maximum": 500.0}, {}, "inside zero, maximum 500 km"),
        ("snow_cover_days", {"maximum": 100.0, "months": [7, 8]}, {}, "maximum 100, months 7; 8"),
        ("snow_season_precipitation", {"threshold": 0.0}, {}, "threshold 0 \N{DEGREE SIGN}C"),
        ("observation", {"column": "depth", "at": 10.0}, {}, "column depth, at 10 cm"),
    ],
)
def test_settings_have_their_units_and_nothing_is_said_twice(method, settings, notes, said):
    item = {"method": method, "settings": settings, "notes": notes, "units": "cm"}
    assert how_made(item) == f"{method.replace('_', ' ')}: {said}"


def test_every_keyword_with_a_unit_is_shown_with_it():
    """Of numbers, as the reference says what they are; memory is how a run is made, not what."""
    documented, page = {}, study_reference()
    for method in COVARIATES:
        entry = re.search(rf"^### `{method}`\n(.*?)(?=^##|\Z)", page, re.M | re.S)[1]
        for key, kind, meaning in re.findall(r"^\| `(\w+)` \| (.*?) \| .*? \| (.*) \|$", entry, re.M):
            unit = re.search(r"\[(m|km|cm|mm|m/m|cell|degC|degC/m|K|%)\]", meaning)
            if unit and kind != "text":
                documented[f"{method}.{key}"] = unit[1].replace("cell", "cells")
    assert documented == KEYWORD_UNITS
