"""Where the map may be believed: what lies outside is hatched, counted and said on top of the report."""

import io

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from odc.geo.geobox import GeoBox
from odc.geo.xr import wrap_xr
from PIL import Image

from permagrid.errors import PermagridError
from permagrid.products.geotiff import write_cog
from permagrid.products.legend import LEGENDS, legend_for
from permagrid.report.applicability_figures import believed_map_figure, error_curve_figure
from permagrid.report.applicability_sections import (
    applicability_cards,
    applicability_limits,
    applicability_section,
    layer_legend,
    split_layers,
)
from permagrid.report.html import render_report
from permagrid.report.map_sections import MapLayer

TEMPERATURE = LEGENDS["mean_annual_ground_temperature"]
GRID = GeoBox.from_bbox((-3e6, -3e6, 3e6, 3e6), "EPSG:3995", resolution=100_000)
EPOCHS = ("1995-1999", "2000-2004")
TOLD = {
    "folds": "knndm",
    "distance": "euclidean",
    "threshold": 0.4,
    "mean_distance": 3.2,
    "covariates": {"air_temperature": 0.2, "slope": 0.05},
    "constant": [],
    "n_training": 151,
    "inside_share": {"all": 0.8, "1995-1999": 0.85, "2000-2004": 0.75},
    "training_di": {
        "0.0": 0.0,
        "0.05": 0.02,
        "0.25": 0.1,
        "0.5": 0.15,
        "0.75": 0.2,
        "0.95": 0.35,
        "1.0": 0.9,
    },
    "error_name": "rmse",
    "error_model": [{"di": 0.05, "error": 0.8}, {"di": 0.3, "error": 1.3}],
    "products": [],
}
STUDY = {
    "target": {"variable": "mean_annual_ground_temperature", "unit": "degC"},
    "truth": {"path": "truth_{epoch}.tif"},
}


def fields():
    rows, columns = np.indices(GRID.shape)
    di = columns / GRID.shape[1]
    inside = di <= 0.4
    return {
        "mean_annual_ground_temperature": (np.full(GRID.shape, -7.5), "degC"),
        "dissimilarity_index": (di, "1"),
        "area_of_applicability": (inside.astype(float), "1"),
        "local_point_density": (np.where(inside, 50 - rows, 0.0), "1"),
        "expected_error": (np.where(inside, 0.8 + di, np.nan), "degC"),
    }


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("belief"), []
    for epoch in EPOCHS:
        for variable, (values, unit) in fields().items():
            legend = legend_for(variable, unit=unit, valid_range=(0.0, 1.3))
            path = folder / f"{variable}_{epoch}.tif"
            array = values.astype("uint8" if legend.kind == "classes" else "float32")
            write_cog(
                path,
                wrap_xr(array, GRID),
                legend=legend,
                epoch=epoch,
                description="Made up.",
                valid_range=None,
                tags={},
            )
            made.append(MapLayer(path, variable, epoch, unit))
    return made


def image_of(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def drawn(inside):
    values = {name: wrap_xr(array, GRID) for name, (array, _) in fields().items()}
    area = wrap_xr(np.where(inside, 1, 0).astype("uint8"), GRID)
    return image_of(
        believed_map_figure(
            values["mean_annual_ground_temperature"], area, TEMPERATURE, title="x", coasts=False
        )
    )


def test_what_lies_outside_is_pale_and_hatched_and_the_rest_is_as_it_was():
    everywhere = drawn(np.ones(GRID.shape, dtype=bool))
    half = np.indices(GRID.shape)[1] < GRID.shape[1] // 2
    parted = drawn(half)
    changed = np.abs(parted - everywhere).sum(axis=2)[: int(0.8 * len(parted))] > 30
    width = changed.shape[1]
    # A few pixels at the edges of letters get another colour of the palette.
    assert changed[:, : int(0.45 * width)].mean() < 0.001
    assert changed[100:, int(0.55 * width) : int(0.9 * width)].mean() > 0.9
    row = parted[parted.shape[0] // 2, int(0.75 * parted.shape[1]) :][:120].sum(axis=1)
    assert row.max() - row.min() > 300  # hatching on white


def test_a_map_and_an_area_of_other_grids_are_refused():
    other = GeoBox.from_bbox((-3e6, -3e6, 3e6, 3e6), "EPSG:3995", resolution=200_000)
    area = wrap_xr(np.ones(other.shape, dtype="uint8"), other)
    with pytest.raises(PermagridError, match="different grids"):
        believed_map_figure(wrap_xr(np.ones(GRID.shape), GRID), area, TEMPERATURE, title="x")


def test_the_section_shows_the_latest_epoch_its_layers_and_the_curve(layers):
    (part,) = applicability_section(layers, {"applicability": TOLD}, STUDY).parts
    main, near, curve = part.figures
    assert "2000–2004" in main.caption
    assert "75\N{NO-BREAK SPACE}% of the area lie inside" in main.caption
    assert near.caption.startswith(
        "Dissimilarity index [1], local point density [rows], expected error [°C], 2000–2004."
    )
    assert curve.alt.startswith("RMSE to be expected")
    epochs = [[cell.text for cell in row.cells] for row in part.tables[0].rows]
    assert epochs == [["1995–1999", "85\N{NO-BREAK SPACE}%"], ["2000–2004", "75\N{NO-BREAK SPACE}%"]]
    assert [item.title for item in part.folded] == ["Both epochs", "What counts as near: 2 covariates"]
    weights = [[cell.text for cell in row.cells] for row in part.folded[1].tables[0].rows]
    assert weights == [["air temperature", "1.00"], ["slope", "0.25"]]
    assert "151 training rows" in part.text[0]
    assert "Gower" not in part.text[0]
    assert "other folds, here kNNDM folds" in part.text[0]


def test_classes_are_spoken_of_where_they_count(layers):
    told = TOLD | {"distance": "gower", "error_name": "misclassification"}
    (part,) = applicability_section([], {"applicability": told}, STUDY).parts
    assert "Gower" in part.text[0]
    assert part.figures[0].alt.startswith("Share of wrong classes")


def test_what_the_audit_counts_is_told_apart_where_it_counts():
    found = {
        "rule": "unseen_covariate_values",
        "severity": "caution",
        "what": "29 %",
        "where": "",
        "advice": "",
    }
    (with_it,) = applicability_section([], {"applicability": TOLD, "audit": [found]}, STUDY).parts
    (without,) = applicability_section([], {"applicability": TOLD, "audit": []}, STUDY).parts
    assert with_it.text[:-1] == without.text
    assert with_it.text[-1].startswith("The audit counts other cells")


def test_every_colour_bar_has_a_unit(layers):
    _, beside = split_layers(layers)
    shown = {layer.variable: layer_legend(layer, TOLD).label for layer in beside if layer.epoch == EPOCHS[0]}
    assert shown["dissimilarity_index"].endswith("[1]")
    assert shown["local_point_density"].endswith("[rows]")
    assert shown["expected_error"].endswith("[°C]")


@pytest.mark.parametrize("summary", [{}, {"applicability": None}])
def test_without_it_there_is_no_section_card_or_limit(layers, summary):
    assert applicability_section(layers, summary, STUDY) is None
    assert applicability_cards(summary) == []
    assert applicability_limits(summary) == ()


def test_a_share_is_called_all_or_nothing_only_where_it_is():
    for share, text in ((1.0, "100"), (0.9999, "99.9"), (0.5, "50"), (0.0004, "0.1"), (0.0, "0")):
        (card,) = applicability_cards({"applicability": {"inside_share": {"2000-2004": share}}})
        assert card.value == f"{text}\N{NO-BREAK SPACE}%"
    assert applicability_limits({"applicability": {"inside_share": {"2000-2004": 1.0}}}) == ()


def test_the_curve_ends_where_nothing_more_is_known():
    (axes,) = error_curve_figure.__wrapped__(TOLD, unit="degC").axes
    curve, edge = axes.lines[:2]
    assert list(curve.get_xdata()) == [0.0, 0.05, 0.3]
    assert list(curve.get_ydata()) == [0.8, 0.8, 1.3]
    assert set(edge.get_xdata()) == {0.4}
    assert axes.get_xlim()[1] > 0.4
    assert axes.get_ylabel() == "RMSE [°C]"
    without = error_curve_figure.__wrapped__(
        {k: v for k, v in TOLD.items() if k != "training_di"}, unit="degC"
    )
    assert len(without.axes[0].lines) == 2


def test_the_legend_of_the_error_is_that_of_all_epochs(layers):
    _, beside = split_layers(layers)
    errors = [layer for layer in beside if layer.variable == "expected_error"]
    legends = {layer_legend(layer, TOLD) for layer in errors}
    assert [legend.stops[-1].value for legend in legends] == [1.5]


def test_the_report_shows_these_layers_once_and_says_on_top_what_lies_outside(layers):
    nothing = pd.DataFrame()
    given = {"sites": gpd.GeoDataFrame(), "scores": nothing, "predictions": nothing, "maps": layers}
    page = render_report({"applicability": TOLD}, study=STUDY, **given)
    top, maps = (
        page[: page.index("<section")],
        page[page.index('id="maps"') : page.index('id="applicability"')],
    )
    assert "25\N{NO-BREAK SPACE}% of the map of 2000–2004 lie outside" in top
    assert "Like the training rows" in top
    assert "May be believed" not in top
    assert "issimilarity" not in maps
    assert '<span class="value">2</span> <span class="more">2 epochs' in top
    without = render_report({}, study=STUDY, **given)
    assert 'id="applicability"' not in without
    assert "Dissimilarity index" in without
