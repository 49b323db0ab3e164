"""How much there is, in words, tables and figures: units, digits, bounds, zones and changes."""

from dataclasses import replace

import pytest
from made_inventory import EPOCHS, REGIONS, made_inventory

from permagrid.report.html import render_report
from permagrid.report.inventory_figures import change_figure, totals_figure, zones_figure
from permagrid.report.inventory_sections import (
    change_sentences,
    inventory_cards,
    inventory_section,
    total_sentences,
)
from permagrid.report.inventory_words import largest_first, readable, rounded

pytestmark = pytest.mark.usefixtures("unpainted")


@pytest.fixture(scope="module")
def inventory():
    return made_inventory()


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_the_section_tells_totals_zones_and_changes(inventory):
    section = inventory_section({"inventory": inventory})
    assert section.title == "How much there is"
    assert [part.heading for part in section.parts] == [
        "Total ice in a layer of 5 m",
        "Permafrost area",
        "Permafrost zones",
        "Change of total ice in a layer of 5 m",
        "Change of permafrost area",
    ]
    assert section.parts[0].text[-1] == "Glaciers and lakes are left out."
    assert all(len(part.figures) == 1 and part.tables for part in section.parts)
    ice = section.parts[0].tables[0]
    assert ice.heads[-3:] == ("If errors were independent", "If all alike", "Effective samples")
    assert [row.cells[0].text for row in ice.rows[:5]] == ["Whole map", *REGIONS, "Elsewhere"]
    assert section.parts[1].tables[0].heads == ("Region", "Epoch", "Total [million km²]")
    zones = section.parts[2]
    assert [row.cells[0].text for row in zones.tables[0].rows] == [
        *("Continuous", "Discontinuous", "Sporadic", "Isolated", "None")
    ]
    assert [folded.title for folded in zones.folded] == [*REGIONS, "Elsewhere"]
    assert "0.47 in 2000–2004, 0.49 in 2010–2014" in zones.text[1]


def test_no_inventory_has_no_section_and_no_card():
    for summary in ({}, {"inventory": None}, {"inventory": {"totals": [], "notes": ["nothing"]}}):
        assert inventory_section(summary) is None
        assert inventory_cards(summary) == []


def test_each_part_may_be_missing(inventory):
    for name in ("totals", "zones", "changes"):
        section = inventory_section({"inventory": {name: inventory[name]}})
        assert section.parts
        assert all(part.text for part in section.parts)


def test_cards_are_of_the_last_epoch(inventory):
    cards = inventory_cards({"inventory": inventory})
    assert [card.name for card in cards] == ["Total ice in a layer of 5 m", "Permafrost area"]
    assert all(card.more.endswith("2010–2014") for card in cards)


def test_small_areas_are_told_in_km2():
    section = inventory_section({"inventory": made_inventory(scale=1e-3)})
    assert section.parts[1].tables[0].heads[-1] == "Total [km²]"
    assert section.parts[2].tables[0].heads[-1] == "2010–2014 [km²]"


def test_the_truth_is_told_within_or_outside(inventory):
    raw = [item for item in inventory["totals"] if item["quantity"] == "total_ice_storage"]
    rows = readable(raw)
    last = next(item for item in rows if item["region"] == "all" and item["epoch"] == EPOCHS[1])
    for value, said in ((last["mean"], "within"), (10 * last["mean"], "outside")):
        assert total_sentences(rows, {("all", EPOCHS[1]): value})[-1].endswith(f"{said} the range.")
    truth = [
        {"quantity": "permafrost_area", "epoch": EPOCHS[1], "region": "all", "value": 9.5e6},
    ]
    section = inventory_section({"inventory": {**inventory, "truth": truth}})
    assert plain(section.parts[1].text[-1]).startswith("The truth is 9.5 million km², within")


def test_fewer_than_one_sample_is_explained(inventory):
    rows = readable(inventory["totals"][:1])
    (_, text) = total_sentences([{**rows[0], "effective_samples": 0.4}])
    assert "0.40 independent samples: fewer than one" in text
    (_, text) = total_sentences([{**rows[0], "effective_samples": None}])
    assert "independent samples" not in text


def test_one_member_has_no_range():
    one = {"unit": "km2", "epoch": "2000", "region": "all", "level": 0.95, "members": 1, "mean": 1234.0}
    rows = readable([{**one, "low": None, "high": None}])
    assert plain(total_sentences(rows)[0]) == "Whole map, 2000: 1234 km²."
    assert totals_figure([{**rows[0], "title": "Area"}])


def test_changes_are_told_with_their_direction(inventory):
    rows = readable([item for item in inventory["changes"] if item["quantity"] == "permafrost_area"])
    shrank, pairs = change_sentences(rows)
    assert "shrank in 100 % of the members" in shrank
    assert "paired" in pairs
    grew = change_sentences([{**rows[0], "mean": 0.2, "increase": 0.8, "share": None}])[0]
    assert "it grew in 80 % of the members" in grew
    assert "%, it" not in grew


def test_digits_follow_the_range():
    item = {"mean": 1.0, "low": 0.9991, "high": 1.0013}
    assert rounded(1.00023, item) == "1.0002"
    assert rounded(-0.00001, item) == "0.0000"
    assert rounded(None, item) == "–"
    assert rounded(0.0, {"mean": 0.0, "low": 0.0, "high": 0.0}) == "0.00"


def test_regions_stand_from_the_largest(inventory):
    rows = [item for item in inventory["totals"] if item["quantity"] == "permafrost_area"]
    assert list(dict.fromkeys(item["region"] for item in largest_first(rows, 20))) == [
        *("Siberia", "Alaska", "Tibet", "elsewhere")
    ]
    many = [{**rows[0], "region": f"region {number}"} for number in range(40)]
    section = inventory_section({"inventory": {"totals": [rows[0], *many]}})
    assert len(section.parts[0].tables[0].rows) == 14
    assert len(section.parts[0].folded[0].tables[0].rows) == 27


def test_names_from_files_are_escaped(inventory):
    """Regions are named by whoever made the polygons."""
    hostile = '<script>alert("x")</script>'
    rows = [
        {**item, "region": hostile} if item["region"] == "Alaska" else item for item in inventory["totals"]
    ]
    section = inventory_section({"inventory": {"totals": rows}})
    assert section.parts[0].tables[0].rows[1].cells[0].text == hostile
    assert callable(render_report)


@pytest.mark.parametrize("draw", [totals_figure, change_figure])
def test_figures_are_the_same_each_time(inventory, monkeypatch, draw):
    monkeypatch.undo()
    name = "totals" if draw is totals_figure else "changes"
    rows = readable([item for item in inventory[name] if item["quantity"] == "permafrost_area"])
    assert draw(rows) == draw(rows)


def test_zones_of_one_epoch_are_drawn(inventory):
    rows = readable(
        [i for i in inventory["zones"] if i["epoch"] == EPOCHS[0] and i["region"] == "all"], "km2"
    )
    assert zones_figure(rows, ("continuous", "sporadic"))
    assert replace(inventory_section({"inventory": inventory}).parts[0], text=()).figures
