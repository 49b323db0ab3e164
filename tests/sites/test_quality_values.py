"""Quality tests of values: range, unit mix-ups, jumps, climate, site words."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from permagrid.errors import PermagridError
from permagrid.sites.quality import RANGES, climate_consistency, gross_range, series_jump, site_flags
from permagrid.sites.table import VARIABLES, site_table


def sites(**columns: object) -> gpd.GeoDataFrame:
    defaults = {"site_id": "a", "latitude": 66.1234, "longitude": 66.1234, "variable": "ground_temperature"}
    length = max(len(c) for c in columns.values() if isinstance(c, list))
    return site_table(pd.DataFrame(defaults | columns, index=range(length)))


def test_every_variable_has_a_range():
    assert set(RANGES) == set(VARIABLES)


@pytest.mark.parametrize(
    ("variable", "value", "cause"),
    [
        ("ground_temperature", 268.4, "probably kelvin"),
        ("air_temperature", 258.15, "probably kelvin"),
        ("ground_temperature", -84.0, "perhaps tenths of a degree"),
        ("air_temperature", -1532.0, "perhaps hundredths of a degree"),
        ("ground_temperature", -999.99, "probably a code for a missing value"),
        ("ground_temperature", -6999.0, "probably a code for a missing value"),
        ("active_layer_thickness", 9999.0, "probably a code for a missing value"),
        ("active_layer_thickness", 5500.0, "perhaps millimetres"),
        ("active_layer_thickness", -5.0, "is out of range"),
        ("volumetric_ice_content", 120.0, "is out of range"),
        ("permafrost_presence", 2.0, "is out of range"),
    ],
)
def test_impossible_values_fail_with_their_likely_cause(variable: str, value: float, cause: str):
    flags = gross_range(sites(variable=variable, value=[value]))
    assert flags.codes.tolist() == [4]
    assert cause in flags.reasons[0]


def test_possible_values_are_good_and_missing_ones_missing():
    flags = gross_range(sites(value=[-15.3, 8.6, np.nan], depth=[20.0, 1.6, 0.0], year=[1980, 2018, 2000]))
    assert flags.codes.tolist() == [1, 1, 9]
    assert flags.reasons.tolist() == ["", "", "no value"]


def test_ranges_can_be_set_by_variable():
    table = sites(value=[-15.3, -5.0])
    assert gross_range(table, ranges={"ground_temperature": [-10.0, 10.0]}).codes.tolist() == [4, 1]


def test_active_layers_in_metres_are_suspect():
    table = sites(
        site_id=["a", "a", "b", "b", "c", "c"],
        variable="active_layer_thickness",
        value=[55.0, 61.0, 1.2, 1.4, 12.0, 45.0],
    )
    flags = gross_range(table)
    assert flags.codes.tolist() == [1, 1, 3, 3, 1, 1]
    assert flags.reasons[2] == "site's thickest active layer is 1.4 cm: probably metres"
    assert gross_range(table, metres_below=0.0).codes.tolist() == [1] * 6


def test_sensor_depth_and_year_are_tested():
    flags = gross_range(
        sites(value=[-5.0] * 4, depth=[-0.5, 320.0, 3.2, 3.2], year=[2000, 2000, 20001, 1700])
    )
    assert flags.codes.tolist() == [4, 3, 4, 4]
    assert flags.reasons.tolist() == [
        "sensor depth -0.5 m is above the surface",
        "sensor depth 320 m: perhaps centimetres",
        "impossible year 20001",
        "impossible year 1700",
    ]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"ranges": {"ground_temprature": [0, 1]}}, "did you mean 'ground_temperature'"),
        ({"ranges": {"ground_temperature": [1, 0]}}, r"must be \[least, greatest\]"),
        ({"depth_range": [0.0]}, r"depth_range must be \[least, greatest\]"),
        ({"years": [2000, 1900]}, r"years must be \[least, greatest\]"),
    ],
)
def test_strange_range_keywords_are_refused(keywords: dict[str, object], message: str):
    with pytest.raises(PermagridError, match=message):
        gross_range(sites(value=[1.0]), **keywords)


def test_a_jump_in_a_series_is_suspect():
    values = [-5.0, -5.2, -4.9, -5.1, 3.0, -5.0]
    flags = series_jump(sites(value=values, depth=[10.0] * 6))
    assert flags.codes.tolist() == [1, 1, 1, 1, 3, 1]
    assert flags.reasons[4] == "3 where its series has a median of -5"


def test_a_jump_is_measured_within_site_variable_and_depth():
    values = [-5.0, -5.1, -5.0, -4.9, -5.0, 1.0, 1.1, 1.0, 0.9, 1.0]
    table = sites(value=values, depth=[10.0] * 5 + [0.2] * 5)
    assert (series_jump(table).codes == 1).all()
    assert series_jump(table.assign(depth=np.nan)).codes.ne(2).all()


def test_short_series_and_missing_values_are_not_evaluated():
    assert series_jump(sites(value=[-5.0, 8.0])).codes.tolist() == [2, 2]
    flags = series_jump(sites(value=[-5.0, -5.1, -5.0, -4.9, -5.0, np.nan]))
    assert flags.codes.tolist() == [1, 1, 1, 1, 1, 2]


def test_noisy_series_have_wider_bounds_and_jumps_can_be_set():
    noisy = sites(variable="active_layer_thickness", value=[200.0, 300.0, 250.0, 350.0, 280.0, 450.0])
    assert (series_jump(noisy).codes == 1).all()
    calm = sites(value=[-5.0, -5.0, -5.0, -5.0, -4.0])
    assert series_jump(calm).codes[4] == 1
    assert series_jump(calm, jumps={"degC": 0.5}).codes[4] == 3
    with pytest.raises(PermagridError, match="unknown unit 'K'"):
        series_jump(calm, jumps={"K": 0.5})


def test_climate_flags_what_does_not_suit_the_air_temperature():
    table = sites(
        variable=[
            "ground_temperature",
            "ground_temperature",
            *["permafrost_presence"] * 4,
            "active_layer_thickness",
        ],
        value=[5.0, -2.0, 1.0, 1.0, 0.0, 0.0, 60.0],
    ).assign(mean_annual_air_temperature=[-9.0, -9.0, 6.0, -1.0, -11.0, -1.0, 9.0])
    flags = climate_consistency(table)
    assert flags.codes.tolist() == [3, 1, 3, 1, 3, 1, 3]
    assert flags.reasons[2] == "permafrost where the air has 6.0 degC"
    assert climate_consistency(table, fail=True).codes.tolist() == [4, 1, 4, 1, 4, 1, 4]


def test_climate_does_not_judge_what_it_does_not_know():
    table = sites(variable=["ground_temperature", "air_temperature"], value=[30.0, 30.0])
    assert climate_consistency(table).codes.tolist() == [2, 2]
    assert climate_consistency(table.assign(t2m=[np.nan, -9.0]), air_temperature="t2m").codes.tolist() == [
        2,
        2,
    ]
    assert climate_consistency(table.assign(t2m=[-9.0, -9.0]), air_temperature="t2m").codes.tolist() == [3, 2]


@pytest.mark.parametrize("keywords", [{"warm_limit": -9.0}, {"max_offset": 0.0}])
def test_climate_refuses_limits_without_sense(keywords: dict[str, float]):
    with pytest.raises(PermagridError, match="climate_consistency"):
        climate_consistency(sites(value=[1.0]), **keywords)


def test_site_words_make_rows_suspect_or_fail():
    table = sites(
        value=[-1.0] * 5, site_flags=["", "coast", "mountain, water", "urban,infrastructure", "waterfall"]
    )
    flags = site_flags(table)
    assert flags.codes.tolist() == [1, 1, 3, 3, 1]
    assert flags.reasons.tolist() == ["", "", "water", "infrastructure, urban", ""]
    assert site_flags(table, fail=["water"]).codes.tolist() == [1, 1, 4, 3, 1]
    assert site_flags(table, suspect=[]).codes.tolist() == [1] * 5


def test_site_words_must_be_a_list():
    with pytest.raises(PermagridError, match="must be a list of words"):
        site_flags(sites(value=[1.0]), fail="water")
