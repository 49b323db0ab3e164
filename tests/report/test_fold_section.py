"""Fold schemes in the report: their names, the score to quote, and pictures of their distances and places."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from made_evidence_summary import FOLDS, QUOTE, STUDY, made_distances, made_scores
from odc.geo.geobox import GeoBox
from odc.geo.xr import wrap_xr

from permagrid.report.fold_figures import distance_figure, fold_map_figure, many_folds
from permagrid.report.fold_names import (
    fewer_folds,
    fold_colours,
    fold_label,
    fold_order,
    fold_phrase,
    fold_title,
    is_random,
)
from permagrid.report.fold_sections import fold_section
from permagrid.report.raster import read_map


@pytest.mark.parametrize(
    ("name", "label", "title"),
    [
        ("random_40x5", "random, 40 times 5", "Random folds, 40 times 5"),
        ("holdout", "holdout", "Holdout"),
        ("holdout_3x", "holdout, 3 times", "Holdout, 3 times"),
        ("site_2x5", "by site, 2 times 5", "Folds by site, 2 times 5"),
        ("epoch", "by epoch", "Folds by epoch"),
        ("region", "by region", "Folds by region"),
        ("region_permafrost_zone", "by permafrost zone", "Folds by permafrost zone"),
        (
            "block_residual",
            "blocks as large as the range of the residuals",
            "Folds by blocks as large as the range of the residuals",
        ),
        (
            "hexagon_residual_buffer_50km_3x5",
            "hexagons as large as the range of the residuals, buffer 50 km, 3 times 5",
            "Folds by hexagons as large as the range of the residuals, buffer 50 km, 3 times 5",
        ),
        ("block_12.5km", "12.5 km blocks", "Folds by 12.5 km blocks"),
        ("buffered_200km", "site, buffer 200 km", "Folds by site, buffer 200 km"),
        ("knndm", "kNNDM", "kNNDM folds"),
        (
            "knndm_feature_kmeans",
            "kNNDM in the space of the covariates by k-means",
            "kNNDM folds in the space of the covariates by k-means",
        ),
    ],
)
def test_every_scheme_has_a_name_that_people_read(name, label, title):
    assert fold_label(name) == label
    assert fold_title(name) == title
    assert fold_phrase(name).lower() == title.lower()


def test_the_order_and_the_colours_do_not_depend_on_chance():
    code = (
        "from permagrid.report.fold_names import fold_colours, fewer_folds;"
        f"print(fold_colours({list(FOLDS)!r}), fewer_folds({list(FOLDS)!r}, 'knndm', 4))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


def test_random_schemes_are_grey_and_told_apart():
    colours = fold_colours(list(FOLDS))
    greys = {colours[name] for name in FOLDS if is_random(name)}
    assert len(set(colours.values())) == len(FOLDS)
    for grey in greys:
        channels = [int(grey[i : i + 2], 16) for i in (1, 3, 5)]
        assert max(channels) - min(channels) < 30


@pytest.mark.parametrize("quote", [*FOLDS, None])
@pytest.mark.parametrize("most", [2, 3, 4, 7])
def test_of_many_schemes_the_one_to_quote_and_random_ones_stay(quote, most):
    kept = fewer_folds(list(FOLDS), quote, most)
    assert len(kept) == most
    assert any(is_random(name) for name in kept)
    assert quote is None or quote in kept
    assert kept == sorted(kept, key=fold_order)


@pytest.mark.parametrize("furthest", [4.0, 80.0, 2500.0, 9000.0])
def test_distances_have_plain_ticks_below_the_lowest_panel_of_each_column(furthest):
    figure = distance_figure.__wrapped__(made_distances(furthest=furthest), quote="knndm")
    figure.draw_without_rendering()
    labelled = {}
    for place, axes in enumerate(figure.axes):
        shown = [t.get_text() for t in axes.get_xticklabels() if t.get_text() and t.get_visible()]
        labelled[place] = bool(axes.get_xlabel())
        assert bool(shown) == labelled[place]
        assert all(text.replace("\N{THIN SPACE}", "").isdigit() for text in shown)
        if shown:
            assert shown[:2] == ["0", "10"]
    assert [place for place, bears in labelled.items() if bears] == [4, 5, 6]
    titles = [axes.get_title() for axes in figure.axes]
    assert sum("to quote" in title for title in titles) == 1


def test_each_site_is_drawn_in_the_colour_of_its_fold():
    grid = GeoBox.from_bbox((0, 60, 40, 80), "EPSG:4326", resolution=1)
    image = read_map(wrap_xr(np.ones(grid.shape), grid))
    rows = pd.DataFrame(
        {
            "folds": "site",
            "fold": [0, 1, 1, 11],
            "site_id": list("abcd"),
            "longitude": [5.0, 10.0, 15.0, 20.0],
            "latitude": 70.0,
        }
    )
    figure = fold_map_figure.__wrapped__(rows, image)
    (axes,) = figure.axes
    (points,) = [item for item in axes.collections if len(item.get_offsets()) == 4]
    colours = [tuple(colour) for colour in points.get_facecolors()]
    assert colours[1] == colours[2]
    assert len(set(colours)) == 2  # the twelfth fold has the colour of the second
    assert axes.get_title() == "Folds by site: 3 folds"
    assert not many_folds(rows)
    assert many_folds(pd.DataFrame({"folds": "site", "fold": range(11)}))


def section(**more):
    summary = {
        "quote": QUOTE,
        "folds": [
            {"name": "random", "spatial": False, "all_tested": True},
            {"name": "block_500km", "spatial": True, "all_tested": False},
        ],
    }
    given = {"scores": made_scores(), "predictions": pd.DataFrame(), "distances": made_distances()} | more
    return fold_section(*given.values(), summary, STUDY)


def test_the_score_card_holds_every_scheme_of_the_mapped_learner_and_marks_one():
    (part,) = section().parts
    rows = {row.cells[0].text.replace("\N{NO-BREAK SPACE}", " "): row for row in part.tables[0].rows}
    assert list(rows) == [fold_label(name) for name in sorted(FOLDS, key=fold_order)]
    assert [name for name, row in rows.items() if row.mark == "quoted"] == ["kNNDM"]
    assert rows["kNNDM"].cells[0].small == "to quote"
    assert rows["random"].cells[0].small == "does not hold whole sites out"
    assert rows["500 km blocks"].cells[0].small == "does not test every site"
    assert [cell.text for cell in rows["by site"].cells[1:]] == ["30", "156", "1.40", "0.720"]
    assert rows["by site"].cells[3].small == "1.30 to 1.50"


@pytest.mark.parametrize(
    "lacking", [{"distances": None}, {"distances": pd.DataFrame()}, {"scores": pd.DataFrame()}]
)
def test_without_distances_or_scores_there_is_no_section(lacking):
    assert section(**lacking) is None


def test_without_a_score_to_quote_there_is_no_section():
    assert fold_section(made_scores(), pd.DataFrame(), made_distances(), {"quote": None}, STUDY) is None
