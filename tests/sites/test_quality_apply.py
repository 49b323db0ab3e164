"""Flagging a whole table: nothing is deleted, everything is counted and has a reason."""

import time
from random import Random

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.errors import PermagridError
from permagrid.sites.quality import (
    QUALITY,
    SUSPECT,
    Flags,
    Verdicts,
    flag_counts,
    flag_sites,
    flagged_rows,
)
from permagrid.sites.table import VARIABLES, site_table

TESTS: dict[str, dict[str, object]] = {
    "coordinates": {"region": [-180.0, 45.0, 180.0, 90.0]},
    "gross_range": {},
    "climate_consistency": {},
    "near_duplicates": {},
    "site_flags": {"fail": ["water"]},
    "elevation_mismatch": {},
    "series_jump": {"min_rows": 3},
}

floats = st.one_of(
    st.sampled_from([0.0, -5.0, 62.0, 129.5, 179.99, -179.99, np.nan, -9999.0]), st.floats(-200, 400)
)
rows = st.fixed_dictionaries(
    {
        "site_id": st.sampled_from(["a", "b", "c"]),
        "latitude": floats,
        "longitude": floats,
        "variable": st.sampled_from(list(VARIABLES)),
        "value": floats,
        "limit": st.sampled_from(["exact", "above", "below"]),
        "depth": st.sampled_from([np.nan, 1.6, 3.2, 10.0]),
        "year": st.sampled_from([None, 1999, 2000, 9999]),
        "elevation": st.sampled_from([np.nan, 10.0, 2000.0]),
        "source": st.sampled_from(["RHM", "GTN-P"]),
        "site_flags": st.sampled_from(["", "water", "urban,coast"]),
    }
)


@st.composite
def tables(draw: st.DrawFn) -> gpd.GeoDataFrame:
    table = site_table(pd.DataFrame(draw(st.lists(rows, min_size=1, max_size=12))))
    air = draw(st.lists(floats, min_size=len(table), max_size=len(table)))
    return table.assign(mean_annual_air_temperature=air, dem_elevation=100.0)


def planted() -> gpd.GeoDataFrame:
    base = {"variable": "ground_temperature", "depth": 3.2, "source": "RHM", "year": 2001}
    found = [
        {"site_id": "good", "latitude": 66.1234, "longitude": 66.1234, "value": -3.1},
        {"site_id": "swapped", "latitude": 129.7321, "longitude": 62.0321, "value": -2.0},
        {"site_id": "kelvin", "latitude": 67.1234, "longitude": 66.1234, "value": 270.1},
        {"site_id": "copy", "latitude": 66.1235, "longitude": 66.1234, "value": -3.1, "source": "GTN-P"},
        {"site_id": "lost", "latitude": None, "longitude": None, "value": -3.1},
        {"site_id": "coarse", "latitude": 66.5, "longitude": 70.0, "value": -3.9},
    ]
    return site_table(pd.DataFrame([base | row for row in found])).assign(mean_annual_air_temperature=-6.0)


def test_planted_faults_are_found_and_nothing_is_deleted():
    flagged = flag_sites(planted(), TESTS)
    assert flagged["site_id"].tolist() == planted()["site_id"].tolist()
    assert flagged["kept"].tolist() == [True, False, False, False, False, True]
    assert flagged["flag_coordinates"].tolist() == [1, 4, 1, 1, 9, 3]
    assert flagged["flag_gross_range"].tolist() == [1, 1, 4, 1, 1, 1]
    assert flagged["flag_near_duplicates"].tolist() == [1, 2, 2, 4, 2, 1]
    assert flagged["flag_coordinates"].dtype == np.uint8
    assert flagged.crs.to_epsg() == 4326


def test_counts_and_rows_tell_how_many_and_which():
    flagged = flag_sites(planted(), TESTS)
    counts = flag_counts(flagged)
    assert list(counts) == list(TESTS)
    assert counts["coordinates"] == {"suspect": 1, "fail": 1, "missing": 1, "not_evaluated": 0}
    assert counts["near_duplicates"] == {"suspect": 0, "fail": 1, "missing": 0, "not_evaluated": 3}
    listed = flagged_rows(flagged).set_index("site_id")
    assert listed.loc["lost", ["test", "verdict", "reason", "kept"]].tolist() == [
        "coordinates",
        "missing",
        "no coordinates",
        False,
    ]
    assert listed.loc["copy", "reason"] == "same as good (RHM), row 0"
    assert listed.loc["kelvin", "reason"].tolist() == [
        "270.1 degC is out of range: probably kelvin",
        "ground at 270.1 degC, air at -6.0 degC",
    ]


def test_reasons_of_several_tests_are_joined_and_told_apart():
    table = planted().iloc[[2]].assign(site_flags="water", latitude=67.5, longitude=66.0)
    flagged = flag_sites(table, {"gross_range": {}, "coordinates": {}, "site_flags": {}})
    assert flagged["flag_reason"].iloc[0] == (
        "gross_range: 270.1 degC is out of range: probably kelvin"
        " | coordinates: rounded to 0.1 degree: latitude 67.5, longitude 66 | site_flags: water"
    )
    assert flagged_rows(flagged)["reason"].tolist() == [
        "270.1 degC is out of range: probably kelvin",
        "rounded to 0.1 degree: latitude 67.5, longitude 66",
        "water",
    ]


def test_what_excludes_a_row_can_be_set():
    assert flag_sites(planted(), TESTS, exclude=(3, 4, 9))["kept"].tolist() == [True, *[False] * 5]
    assert flag_sites(planted(), TESTS, exclude=())["kept"].all()


def test_the_copy_is_kept_where_the_first_is_excluded():
    table = planted().iloc[[0, 3]].assign(site_flags=["water", ""])
    flagged = flag_sites(table, {"near_duplicates": {}, "site_flags": {"fail": ["water"]}})
    assert flagged["kept"].tolist() == [False, True]


def test_no_test_keeps_all():
    flagged = flag_sites(planted(), {})
    assert flagged["kept"].all()
    assert flag_counts(flagged) == {}
    assert flagged_rows(flagged).empty


def test_an_empty_table_can_be_flagged():
    flagged = flag_sites(planted().iloc[:0], TESTS)
    assert flagged.empty
    assert flag_counts(flagged)["coordinates"] == {"suspect": 0, "fail": 0, "missing": 0, "not_evaluated": 0}


@pytest.mark.parametrize(
    ("tests", "exclude", "message"),
    [
        ({"coordinate": {}}, (4,), "unknown quality test 'coordinate': did you mean 'coordinates'"),
        ({"coordinates": {"regoin": []}}, (4,), "unknown keyword 'regoin' of quality test coordinates"),
        ({}, (5,), "unknown quality code 5"),
    ],
)
def test_unknown_names_are_refused(
    tests: dict[str, dict[str, object]], exclude: tuple[int, ...], message: str
):
    with pytest.raises(PermagridError, match=message):
        flag_sites(planted(), tests, exclude=exclude)


def test_a_test_from_elsewhere_joins_the_table(monkeypatch: pytest.MonkeyPatch):
    def unnamed(sites: gpd.GeoDataFrame, *, allowed: str = "x") -> Flags:
        found = Verdicts(sites)
        found.mark((sites["name"] != allowed).to_numpy(), SUSPECT, "no name | at all")
        return found.flags()

    monkeypatch.setitem(QUALITY._functions, "unnamed", unnamed)
    flagged = flag_sites(planted(), {"unnamed": {"allowed": "y"}})
    assert flagged_rows(flagged)["reason"].unique().tolist() == ["no name / at all"]


@pytest.mark.parametrize("result", ["codes alone", "strange code", "too short"])
def test_a_test_that_returns_nonsense_is_named(monkeypatch: pytest.MonkeyPatch, result: str):
    def odd(sites: gpd.GeoDataFrame) -> object:
        code = pd.Series(7 if result == "strange code" else 1, index=sites.index)
        part = slice(1) if result == "too short" else slice(None)
        return code if result == "codes alone" else Flags(code[part], pd.Series("", index=sites.index)[part])

    monkeypatch.setitem(QUALITY._functions, "odd", odd)
    with pytest.raises(PermagridError, match="quality test odd"):
        flag_sites(planted(), {"odd": {}})


def test_the_most_severe_finding_of_a_row_wins():
    found = Verdicts(pd.DataFrame(index=range(3)))
    every, first = np.array([True, True, True]), np.array([True, False, False])
    found.mark(first, 4, "worst")
    found.mark(every, 3, "bad")
    found.mark(first, 9, "missing")
    assert found.flags().codes.tolist() == [4, 3, 3]
    assert found.flags().reasons.tolist() == ["worst", "bad", "bad"]


@pytest.mark.parametrize("name", sorted(TESTS))
@given(table=tables())
@settings(max_examples=25, deadline=None)
def test_every_test_gives_each_row_a_code_and_each_finding_a_reason(name: str, table: gpd.GeoDataFrame):
    before = table.copy()
    flags = QUALITY[name](table, **TESTS[name])
    pd.testing.assert_frame_equal(table, before)
    assert flags.codes.index.equals(table.index)
    assert flags.codes.dtype == np.uint8
    assert set(flags.codes) <= {1, 2, 3, 4, 9}
    assert ((flags.reasons != "") == flags.codes.isin([3, 4, 9])).all()


@given(tables())
@settings(max_examples=15, deadline=None)
def test_flagging_deletes_nothing_and_is_idempotent(table: gpd.GeoDataFrame):
    once = flag_sites(table, TESTS)
    pd.testing.assert_frame_equal(pd.DataFrame(once[table.columns]), pd.DataFrame(table))
    pd.testing.assert_frame_equal(flag_sites(once, TESTS), once)
    found = sum(sum(words.values()) - words["not_evaluated"] for words in flag_counts(once).values())
    assert found == len(flagged_rows(once))
    assert (once["kept"] | (once["flag_reason"] != "")).all()


@given(tables(), st.randoms())
@settings(max_examples=15, deadline=None)
def test_codes_do_not_depend_on_the_order_of_rows(table: gpd.GeoDataFrame, random: Random):
    order = list(range(len(table)))
    random.shuffle(order)
    flagged, shuffled = flag_sites(table, TESTS), flag_sites(table.iloc[order], TESTS)
    # Which of two copies is the first depends on the order, and only that.
    columns = [f"flag_{name}" for name in TESTS if name != "near_duplicates"]
    pd.testing.assert_frame_equal(shuffled.sort_index()[columns], flagged[columns])


def test_thirty_thousand_rows_are_quick():
    random = np.random.default_rng(5)
    count = 30_000
    site = random.integers(0, 400, count)
    table = site_table(
        pd.DataFrame(
            {
                "site_id": [f"s{number}" for number in site],
                "latitude": random.uniform(50, 80, 400)[site],
                "longitude": random.uniform(-180, 180, 400)[site],
                "variable": "ground_temperature",
                "value": random.normal(-4.0, 3.0, count),
                "depth": random.choice([0.2, 1.6, 3.2, 10.0, 20.0], count),
                "year": random.integers(1980, 2019, count),
            }
        )
    )
    start = time.perf_counter()
    flag_sites(table, TESTS)
    assert time.perf_counter() - start < 10.0
