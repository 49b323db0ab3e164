"""The section of a report on emulations."""

from permagrid.report.emulation_text import emulation_section

RECORD = {
    **{"map": "IPA map", "citation": "", "variable": "excess_ice_content", "epoch": "1960-1990"},
    **{"cells": 1000, "drawn": 100, "not_mapped": 50, "n": 850, "classes": [5.0, 15.0]},
    **{"accuracy": 0.75, "kappa": 0.5, "rmse": 4.2, "bias": -0.1, "confusion": [[400, 50], [160, 240]]},
    "inside": {"n": 800, "accuracy": 0.76, "kappa": 0.52},
    "coverage": {"95": {"n": 850, "share": 0.96}},
    "storage": {"ice": "excess", "unit": "km3", "total": 20_000.0},
}


def total(low: float, high: float) -> dict:
    return {
        "region": "all",
        "epoch": "1960-1990",
        "quantity": "excess_ice_storage",
        "mean": 21_000.0,
        "low": low,
        "high": high,
    }


def text_of(**inventory: object) -> str:
    section = emulation_section({"emulation": [RECORD], "inventory": inventory})
    return " ".join(section.parts[0].text).replace("\N{NO-BREAK SPACE}", " ")


def test_an_emulation_tells_what_is_compared_and_that_it_is_no_truth():
    text = text_of()
    assert "100 of them were drawn as sites" in text
    assert "850 are left to compare" in text
    assert "nothing of how right it is" in text
    section = emulation_section({"emulation": [RECORD]})
    scores, confusion = section.parts[0].tables
    assert [row.cells[0].text for row in scores.rows] == [
        *("Accuracy", "Kappa", "RMSE", "Bias"),
        "Held by the 95 % interval",
    ]
    assert [[cell.text for cell in row.cells] for row in confusion.rows] == [
        ["5", "400", "50"],
        ["15", "160", "240"],
    ]


def test_the_total_of_the_map_stands_beside_the_range():
    assert "20 000 km³ of excess ice" in text_of(totals=[total(19_000.0, 23_000.0)])
    assert "a range that holds it" in text_of(totals=[total(19_000.0, 23_000.0)])
    assert "a range that misses it" in text_of(totals=[total(20_500.0, 23_000.0)])


def test_without_an_emulation_there_is_no_section():
    assert emulation_section({}) is None
    assert emulation_section({"emulation": []}) is None
