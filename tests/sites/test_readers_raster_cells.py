"""Cells of a map as sites: drawn without repeats, at the middles of cells, with the values of their codes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from test_readers_made import make_raster_cells

from permagrid.errors import PermagridError
from permagrid.sites.readers import READERS
from permagrid.sites.readers.raster_cells import KnownCells, drawn_cells, known_cells

ICE = {1: 25, 5: 15, 9: 5}


def read(path: Path, **keywords: object):
    return READERS["raster_cells"](path, **{"variable": "excess_ice_content", "values": ICE, **keywords})


def test_all_cells_with_a_value_are_there_to_be_drawn(tmp_path: Path) -> None:
    sites = read(make_raster_cells(tmp_path), n=9)
    assert sorted(sites["value"]) == [5, 5, 5, 5, 5, 15, 15, 25, 25]
    assert sites["original_id"].iloc[0] == "row 1 column 1"
    assert sites["original_id"].is_unique
    assert sites["year"].isna().all()
    assert set(sites["method"]) == {"cell of a map, not an observation"}


def test_sites_lie_in_the_middle_of_their_cell(tmp_path: Path) -> None:
    sites = read(make_raster_cells(tmp_path), n=9)
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:3408", always_xy=True).transform(
        sites["longitude"].to_numpy(), sites["latitude"].to_numpy()
    )
    column, row = (np.asarray(x) + 3e6) / 12500 - 0.5, (1e6 - np.asarray(y)) / 12500 - 0.5
    np.testing.assert_allclose(column, np.round(column), atol=1e-6)
    told = [f"row {r + 1:.0f} column {c + 1:.0f}" for r, c in zip(row, column, strict=True)]
    assert told == sites["original_id"].tolist()


def test_numbers_stand_for_themselves_but_for_those_excluded(tmp_path: Path) -> None:
    sites = read(make_raster_cells(tmp_path), values=None, exclude=[24, 25], n=9)
    assert sorted(set(sites["value"])) == [1, 5, 9]


def test_codes_may_be_texts_as_in_json(tmp_path: Path) -> None:
    sites = read(make_raster_cells(tmp_path), values={"1": 25.0}, n=2)
    assert sites["value"].tolist() == [25, 25]


def test_another_seed_draws_other_cells(tmp_path: Path) -> None:
    path = make_raster_cells(tmp_path)
    draws = {tuple(read(path, n=4, seed=seed)["original_id"]) for seed in range(6)}
    assert len(draws) > 1
    assert tuple(read(path, n=4, seed=3)["original_id"]) in draws


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    share=st.floats(0.01, 1.0),
    seed=st.integers(0, 99),
)
def test_strata_get_even_shares_and_no_cell_comes_twice(sizes, share, seed) -> None:
    value = np.repeat(np.arange(len(sizes), dtype=float), sizes)
    place = np.arange(len(value))
    cells = KnownCells(place, place, place / 1.0, place / 1.0, value)
    n = max(1, int(share * len(cells)))
    drawn = drawn_cells(cells, n, seed=seed, stratified=True)
    assert len(set(drawn.tolist())) == n
    counts = np.bincount(value[drawn].astype(int), minlength=len(sizes))
    unfilled = counts < np.array(sizes)
    assert (counts.max() - counts[unfilled] <= 1).all()


def test_a_region_bounds_the_draw(tmp_path: Path) -> None:
    path = make_raster_cells(tmp_path)
    everywhere = known_cells(path, values=ICE)
    middle = float(np.median(everywhere.longitude))
    part = known_cells(path, values=ICE, region=(middle, 0.0, 179.0, 90.0))
    assert 0 < len(part) < len(everywhere)
    assert (part.longitude >= middle).all()


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"n": 10}, "1 to 9, the cells that hold a value"),
        ({"n": 3, "seed": -1}, "seed 0 or more"),
        ({"n": 3, "values": {77: 1.0}}, "no cell holds a value"),
        ({"n": 3, "exclude": [1]}, "give values or exclude"),
        ({"n": 3, "variable": "ice"}, "unknown variable 'ice'"),
        ({"n": 3, "region": (0, -80, 1, -70)}, "no cell in region 0, -80, 1, -70"),
        ({"n": 3, "crs": "EPSG:nothing"}, "unknown coordinate reference system"),
    ],
)
def test_nonsense_is_refused(keywords, message, tmp_path: Path) -> None:
    with pytest.raises(PermagridError, match=message):
        read(make_raster_cells(tmp_path), **keywords)


def test_what_is_no_raster_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.tif"
    path.write_text("no raster")
    with pytest.raises(PermagridError, match=r"text\.tif: cannot be read as a raster"):
        read(path, n=3)


def test_the_ground_ice_map(real_data: Path) -> None:
    path = real_data / "brown-ipa-permafrost" / "nhipa.tif"
    cells = known_cells(path, values=dict.fromkeys(range(1, 21), 1.0))
    assert len(cells) == 148_887
    assert cells.latitude.min() == pytest.approx(27.25, abs=0.1)
    sites = read(path, values={1: 25, 5: 15, 9: 5}, n=300, stratified=True, seed=2)
    assert sites["value"].value_counts().to_dict() == {25.0: 100, 15.0: 100, 5.0: 100}
