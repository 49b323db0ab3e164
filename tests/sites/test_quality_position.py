"""Quality tests of coordinates and elevation."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from permagrid.errors import PermagridError
from permagrid.sites.quality import coordinates, elevation_mismatch
from permagrid.sites.table import site_table

ARCTIC = [-180.0, 45.0, 180.0, 90.0]
CHUKOTKA = [160.0, 60.0, -165.0, 75.0]


def sites(*positions: tuple[float, float], site_ids: list[str] | None = None) -> gpd.GeoDataFrame:
    latitude, longitude = zip(*positions, strict=True)
    ids = site_ids or [f"s{number}" for number in range(len(positions))]
    return site_table(
        pd.DataFrame(
            {
                "site_id": ids,
                "latitude": latitude,
                "longitude": longitude,
                "variable": "ground_temperature",
                "value": -3.0,
            }
        )
    )


def verdict(position: tuple[float, float], **keywords: object) -> tuple[int, str]:
    flags = coordinates(sites(position), **keywords)
    return int(flags.codes.iloc[0]), flags.reasons.iloc[0]


def test_a_site_in_its_place_is_good():
    assert verdict((71.3125, -156.6123), region=ARCTIC) == (1, "")


@pytest.mark.parametrize("position", [(np.nan, 60.123), (60.123, np.nan), (np.nan, np.nan)])
def test_missing_coordinates_are_missing(position: tuple[float, float]):
    assert verdict(position) == (9, "no coordinates")


@pytest.mark.parametrize("position", [(95.123, 190.5), (60.12, 720.5), (-9999.0, -9999.0)])
def test_impossible_coordinates_fail(position: tuple[float, float]):
    code, reason = verdict(position)
    assert code == 4
    assert reason.startswith("out of range: latitude")


def test_zero_zero_fails():
    assert verdict((0.0, 0.0)) == (4, "exactly 0, 0")


def test_a_longitude_in_the_latitude_column_is_recognised_as_swapped():
    assert verdict((129.7312, 62.0312)) == (
        4,
        "probably latitude and longitude swapped: latitude 129.731, longitude 62.0312",
    )


def test_swapped_coordinates_are_found_by_the_region():
    code, reason = verdict((15.6512, 78.2243), region=ARCTIC)
    assert code == 4
    assert reason.startswith("outside the region, but inside with latitude and longitude swapped")


def test_a_swap_is_only_suspect_where_its_source_reaches_beyond_the_region():
    kabul, delhi, tiksi = (34.5678, 69.2123), (28.6123, 77.2123), (71.6412, 128.8712)
    unexplained = [(13.7345, 100.5123), (-12.0456, -77.0345), (6.5234, 3.3712)]
    table = sites(kabul, delhi, tiksi, *unexplained)
    assert coordinates(table, region=ARCTIC).codes.tolist() == [3, 3, 1, 1, 1, 1]
    assert coordinates(table.iloc[:3], region=ARCTIC).codes.tolist() == [4, 4, 1]
    assert coordinates(table.assign(source=list("aabbbb")), region=ARCTIC).codes.tolist() == [
        4,
        4,
        1,
        1,
        1,
        1,
    ]


def test_a_flipped_sign_is_only_suspect_by_the_region():
    code, reason = verdict((-71.3125, 156.6123), region=ARCTIC)
    assert code == 3
    assert "the sign of the latitude flipped" in reason
    code, reason = verdict((60.7231, -114.8123), region=[60.0, 50.0, 180.0, 75.0])
    assert (code, "the sign of the longitude flipped" in reason) == (3, True)


def test_a_site_just_outside_the_region_is_taken_at_its_word():
    almaty = (43.0833, 76.9167)
    assert verdict(almaty, region=ARCTIC)[0] == 1
    assert verdict(almaty, region=ARCTIC, margin=0.0)[0] == 4


def test_a_site_far_outside_the_region_is_no_fault_if_nothing_explains_it():
    assert verdict((-33.4567, 151.2345), region=[0.0, 50.0, 60.0, 75.0])[0] == 1


@pytest.mark.parametrize("longitude", [161.0123, 179.9912, -179.9912, -166.0123])
def test_a_region_may_cross_the_antimeridian(longitude: float):
    assert verdict((66.1234, longitude), region=CHUKOTKA) == (1, "")


def test_a_region_over_the_antimeridian_tells_the_flipped_sign():
    code, reason = verdict((66.1234, -170.5123), region=[160.0, 60.0, 175.0, 75.0], margin=1.0)
    assert (code, "the sign of the longitude flipped" in reason) == (3, True)
    assert verdict((66.1234, -170.5123), region=CHUKOTKA)[0] == 1


@pytest.mark.parametrize(
    ("position", "word"),
    [((62.0, 130.0), "whole degrees"), ((62.1, 129.7), "0.1 degree"), ((62.0, 129.7), "0.1")],
)
def test_rounded_coordinates_are_suspect(position: tuple[float, float], word: str):
    code, reason = verdict(position)
    assert (code, word in reason) == (3, True)


def test_precision_can_be_set_and_switched_off():
    assert verdict((62.03, 129.73))[0] == 1
    assert verdict((62.03, 129.73), precision=0.01)[0] == 3
    assert verdict((62.1, 129.7), precision=0.05)[0] == 3
    assert verdict((62.1, 129.7), precision=0.0)[0] == 1


def test_a_row_swapped_or_mirrored_against_its_own_site_fails():
    places = [(62.0312, 29.7312)] * 3 + [(29.7312, 62.0312), (62.0312, -29.7312), (-62.0312, 29.7312)]
    flags = coordinates(sites(*places, site_ids=["a"] * 6))
    assert flags.codes.tolist() == [1, 1, 1, 4, 4, 4]
    assert [reason.split(":")[0] for reason in flags.reasons[3:]] == [
        "at the site's other rows with latitude and longitude swapped",
        "at the site's other rows with the sign of the longitude flipped",
        "at the site's other rows with the sign of the latitude flipped",
    ]


def test_two_mirrored_rows_are_both_suspect():
    flags = coordinates(sites((62.0312, 29.7312), (62.0312, -29.7312), site_ids=["a", "a"]))
    assert flags.codes.tolist() == [3, 3]
    assert "here or in the site's other rows" in flags.reasons[0]


def test_a_row_far_from_its_site_is_suspect_with_the_distance():
    flags = coordinates(sites((62.0312, 29.7312), (62.0313, 29.7313), (61.0312, 29.7312), site_ids=["a"] * 3))
    assert flags.codes.tolist() == [1, 1, 3]
    assert flags.reasons[2] == "111 km from the site's other rows"


def test_rows_of_a_site_on_both_sides_of_the_antimeridian_are_near():
    flags = coordinates(sites((71.0123, 179.9989), (71.0124, -179.9987), site_ids=["a", "a"]))
    assert flags.codes.tolist() == [1, 1]


@pytest.mark.parametrize(
    "region",
    [
        [0.0, 1.0, 2.0],
        [0.0, 75.0, 60.0, 45.0],
        [0.0, 45.0, 60.0, 95.0],
        [10.0, 45.0, 10.0, 90.0],
        [np.nan, 1, 2, 3],
    ],
)
def test_a_region_that_is_no_box_is_refused(region: list[float]):
    with pytest.raises(PermagridError, match="region must be"):
        verdict((62.0, 130.0), region=region)


def test_a_negative_margin_is_refused():
    with pytest.raises(PermagridError, match="margin must be"):
        verdict((62.0, 130.0), region=ARCTIC, margin=-1.0)


def test_elevation_is_compared_with_the_terrain_model():
    table = sites((46.5123, 9.8123), (46.5123, 9.8123), (46.5123, 9.8123), (46.5123, 9.8123))
    table["elevation"] = [2700.0, 2700.0, np.nan, 2700.0]
    table["dem"] = [2500.0, 640.0, 640.0, np.nan]
    flags = elevation_mismatch(table, dem_elevation="dem")
    assert flags.codes.tolist() == [1, 3, 2, 2]
    assert elevation_mismatch(table, dem_elevation="dem", max_difference=100.0).codes[0] == 3
    assert elevation_mismatch(table).codes.tolist() == [2, 2, 2, 2]
