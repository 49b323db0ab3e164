"""Quality test for observations that came in twice."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from permagrid.errors import PermagridError
from permagrid.sites.quality import near_duplicates
from permagrid.sites.table import site_table

METRE = 1.0 / 111_195.0


def sites(rows: list[dict[str, object]]) -> gpd.GeoDataFrame:
    defaults = {
        "latitude": 64.919,
        "longitude": 77.816,
        "variable": "ground_temperature",
        "depth": 3.2,
        "year": 2001,
        "source": "RHM",
    }
    return site_table(pd.DataFrame([defaults | row for row in rows]))


def test_the_same_series_from_two_sources_is_kept_once():
    first = [{"site_id": "a", "year": y, "value": -2.0 - 0.1 * (y - 2000)} for y in range(2000, 2006)]
    again = [row | {"site_id": "b", "source": "GTN-P", "value": row["value"] + 0.004} for row in first]
    flags = near_duplicates(sites(first + again))
    assert flags.codes.tolist() == [1] * 6 + [4] * 6
    assert flags.reasons[6] == "same as a (RHM), row 0"
    assert near_duplicates(sites(again + first)).codes.tolist() == [1] * 6 + [4] * 6


@pytest.mark.parametrize(
    "other",
    [
        {"year": 2002},
        {"depth": 1.6},
        {"value": -2.2},
        {"latitude": 64.919 + 400.0 * METRE},
        {"variable": "soil_temperature"},
    ],
)
def test_a_different_observation_is_no_copy(other: dict[str, object]):
    table = sites([{"site_id": "a", "value": -2.0}, {"site_id": "b", "value": -2.0} | other])
    assert near_duplicates(table).codes.tolist() == [1, 1]


def test_distance_and_tolerance_can_be_set():
    table = sites(
        [{"site_id": "a", "value": -2.0}, {"site_id": "b", "value": -2.2, "latitude": 64.919 + 400 * METRE}]
    )
    assert near_duplicates(table, distance=500.0, tolerance=0.2).codes.tolist() == [1, 4]
    assert near_duplicates(table, distance=300.0, tolerance=0.2).codes.tolist() == [1, 1]
    assert near_duplicates(table, distance=500.0, tolerance=0.1).codes.tolist() == [1, 1]


def test_copies_are_found_across_the_antimeridian():
    table = sites(
        [
            {"site_id": "a", "value": -9.0, "latitude": 71.0, "longitude": 179.999},
            {"site_id": "b", "value": -9.0, "latitude": 71.0, "longitude": -179.999},
        ]
    )
    assert near_duplicates(table).codes.tolist() == [1, 4]


def test_a_chance_agreement_of_neighbours_is_no_copy():
    first = [{"site_id": "a", "year": y, "value": -2.0 - 0.3 * (y % 3)} for y in range(2000, 2006)]
    other = [{"site_id": "b", "year": y, "value": -2.0} for y in range(2000, 2006)]
    assert (near_duplicates(sites(first + other)).codes == 1).all()
    assert (near_duplicates(sites(first + other), min_agreement=0.0).codes == 4).sum() == 2


def test_rows_of_one_site_that_are_alike_in_all_are_copies():
    row = {"site_id": "a", "value": -2.0, "method": "thermistor"}
    table = sites([row, row, row, row | {"method": "probe"}, row | {"value": -2.01}])
    flags = near_duplicates(table)
    assert flags.codes.tolist() == [1, 4, 4, 1, 1]
    assert flags.reasons[2] == "same as a (RHM), row 0"


def test_alike_normals_without_year_or_depth_are_copies():
    table = sites(
        [{"site_id": "a", "value": 55.0, "variable": "active_layer_thickness", "year": None, "depth": None}]
        * 2
    )
    assert near_duplicates(table).codes.tolist() == [1, 4]


def test_presence_labels_are_compared_between_sources_only():
    label = {"variable": "permafrost_presence", "value": 1.0}
    table = sites(
        [{"site_id": "a"} | label, {"site_id": "b"} | label, {"site_id": "c", "source": "NCSS"} | label]
    )
    assert near_duplicates(table).codes.tolist() == [1, 1, 4]


def test_limits_are_part_of_an_observation():
    layer = {"variable": "active_layer_thickness", "value": 260.0}
    table = sites([{"site_id": "a", "limit": "above"} | layer, {"site_id": "b", "limit": "exact"} | layer])
    assert near_duplicates(table).codes.tolist() == [1, 1]


def test_a_row_that_another_test_excludes_stands_for_no_one():
    table = sites([{"site_id": "a", "value": -2.0}, {"site_id": "b", "value": -2.0}]).assign(
        kept=[False, True]
    )
    assert near_duplicates(table).codes.tolist() == [2, 1]


def test_rows_without_value_are_not_evaluated_and_those_without_place_only_within_their_site():
    row = {"site_id": "a", "value": -2.0, "latitude": None, "longitude": None}
    table = sites([{"site_id": "b", "value": np.nan}, row, row, row | {"site_id": "c"}])
    assert near_duplicates(table).codes.tolist() == [2, 1, 4, 1]


def test_many_rows_at_one_place_do_not_explode():
    count = 20_000
    table = sites([{"site_id": "x", "value": 0.0}]).loc[[0] * count].reset_index(drop=True)
    table["site_id"] = [f"s{n}" for n in range(count)]
    assert (near_duplicates(table).codes == 4).sum() == count - 1


@pytest.mark.parametrize("keywords", [{"tolerance": -1.0}, {"min_agreement": 1.5}, {"distance": -1.0}])
def test_keywords_without_sense_are_refused(keywords: dict[str, float]):
    with pytest.raises(PermagridError):
        near_duplicates(sites([{"site_id": "a", "value": 1.0}]), **keywords)
