"""Reduction to one row per site and epoch, and the fate of every row."""

from random import Random

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.errors import PermagridError
from permagrid.sites.fates import FATES, epoch_name, row_fates
from permagrid.sites.reduce import reduce_sites
from permagrid.sites.table import site_table

EPOCHS = [(1980, 1984), (1985, 1989)]


def sites(**columns: object) -> gpd.GeoDataFrame:
    defaults = {
        "site_id": "a",
        "latitude": 71.31,
        "longitude": -156.61,
        "variable": "ground_temperature",
        "depth": 10.0,
        "year": 1981,
        "source": "RHM",
    }
    length = max(len(c) for c in columns.values() if isinstance(c, list))
    return site_table(pd.DataFrame(defaults | columns, index=range(length)))


def layers(**columns: object) -> gpd.GeoDataFrame:
    return sites(variable="active_layer_thickness", depth=np.nan, **columns)


observations = st.fixed_dictionaries(
    {
        "site_id": st.sampled_from(["a", "b", "c"]),
        "longitude": st.sampled_from([25.0, 25.001, -179.9995, 179.9995]),
        "latitude": st.sampled_from([70.0, 70.001]),
        "variable": st.sampled_from(["ground_temperature", "active_layer_thickness"]),
        "value": st.one_of(st.just(np.nan), st.floats(-15.0, 100.0)),
        "limit": st.sampled_from(["exact", "exact", "above", "below"]),
        "depth": st.sampled_from([np.nan, 1.6, 3.2, 10.0]),
        "year": st.sampled_from([None, 1979, 1980, 1981, 1984, 1985, 1988]),
        "source": st.sampled_from(["RHM", "GTN-P"]),
        "kept": st.sampled_from([True, True, True, False]),
    }
)
rules = st.fixed_dictionaries(
    {
        "min_years": st.sampled_from([1, 2]),
        "depth_range": st.sampled_from([None, (1.0, 5.0)]),
        "normals": st.booleans(),
    }
).flatmap(
    lambda chosen: st.sampled_from(
        [
            chosen | extra
            for extra in (
                {"depth_rule": "mean"},
                {"depth_rule": "each"},
                {"depth_rule": "deepest"},
                {"depth_rule": "nearest", "depth": 3.0},
            )
        ]
    )
)


@st.composite
def tables(draw: st.DrawFn) -> gpd.GeoDataFrame:
    frame = pd.DataFrame(draw(st.lists(observations, min_size=1, max_size=15)))
    return site_table(frame).assign(kept=frame["kept"])


def test_a_series_becomes_one_row_per_epoch():
    reduced = reduce_sites(
        sites(value=[-8.0, -9.0, -7.0, -6.0], year=[1980, 1984, 1985, 1990]), epochs=EPOCHS
    )
    columns = ["epoch", "value", "n_years", "years", "n_observations", "limit", "n_censored"]
    assert reduced[columns].values.tolist() == [
        ["1980-1984", -8.5, 2, "1980,1984", 2, "exact", 0],
        ["1985-1989", -7.0, 1, "1985", 1, "exact", 0],
    ]


def test_epochs_may_overlap():
    reduced = reduce_sites(sites(value=[-8.0, -6.0], year=[1999, 2001]), epochs=[(1996, 2004), (2001, 2009)])
    assert reduced[["epoch", "value"]].values.tolist() == [["1996-2004", -7.0], ["2001-2009", -6.0]]


def test_a_year_with_many_sensors_weighs_no_more_than_one_with_few():
    table = sites(
        value=[-4.0, -6.0, -8.0, -10.0], depth=[3.0, 5.0, 10.0, 10.0], year=[1981, 1981, 1981, 1982]
    )
    assert reduce_sites(table, epochs=EPOCHS)["value"].tolist() == [-8.0]


@pytest.mark.parametrize(
    ("statistic", "expected"), [("mean", -4.0), ("median", -3.0), ("minimum", -8.0), ("maximum", -1.0)]
)
def test_the_statistic_over_years_can_be_chosen(statistic: str, expected: float):
    table = sites(value=[-8.0, -3.0, -1.0], year=[1981, 1982, 1983])
    assert reduce_sites(table, epochs=EPOCHS, statistic=statistic)["value"].tolist() == [expected]


def test_short_series_are_left_out():
    table = sites(site_id=["a", "a", "b"], value=[-8.0, -6.0, -3.0], year=[1981, 1982, 1981])
    assert reduce_sites(table, epochs=EPOCHS, min_years=2)["site_id"].tolist() == ["a"]
    assert row_fates(table, epochs=EPOCHS, min_years=2).tolist() == ["used", "used", "too_few_years"]


def test_two_readings_in_one_year_are_one_year():
    table = sites(value=[-8.0, -6.0], year=[1981, 1981])
    assert reduce_sites(table, epochs=EPOCHS)[["value", "n_years", "n_observations"]].values.tolist() == [
        [-7, 1, 2]
    ]
    assert reduce_sites(table, epochs=EPOCHS, min_years=2).empty


class TestDepths:
    table = sites(
        value=[-2.0, -3.0, -8.0, -2.2, -3.2, 5.0],
        depth=[1.6, 3.2, 10.0, 1.6, 3.2, np.nan],
        year=[1981, 1981, 1981, 1982, 1982, 1982],
    )

    def test_each_sensor_has_its_row(self):
        reduced = reduce_sites(self.table, epochs=EPOCHS, depth_rule="each", depth_range=(0.0, 20.0))
        assert reduced["depth"].tolist() == [1.6, 3.2, 10.0]
        assert reduced["value"].tolist() == pytest.approx([-2.1, -3.1, -8.0])
        assert reduced["n_years"].tolist() == [2, 2, 1]

    def test_a_range_leaves_out_other_and_unknown_depths(self):
        reduced = reduce_sites(self.table, epochs=EPOCHS, depth_range=(1.6, 3.2))
        assert reduced["value"].tolist() == pytest.approx([-2.6])
        assert reduced["depth"].tolist() == pytest.approx([2.4])
        fates = row_fates(self.table, epochs=EPOCHS, depth_range=(1.6, 3.2))
        assert fates.tolist() == ["used", "used", "other_depth", "used", "used", "other_depth"]

    def test_the_deepest_sensor_with_enough_years_is_taken(self):
        deepest = reduce_sites(self.table, epochs=EPOCHS, depth_rule="deepest")
        assert deepest[["depth", "value"]].values.tolist() == [[10.0, -8.0]]
        longer = reduce_sites(self.table, epochs=EPOCHS, depth_rule="deepest", min_years=2)
        assert longer[["depth", "n_years"]].values.tolist() == [[3.2, 2]]
        fates = row_fates(self.table, epochs=EPOCHS, depth_rule="deepest", min_years=2)
        assert fates.tolist() == [
            "other_sensor",
            "used",
            "other_sensor",
            "other_sensor",
            "used",
            "other_sensor",
        ]

    @pytest.mark.parametrize(("depth", "chosen"), [(0.0, 1.6), (2.0, 1.6), (2.4, 3.2), (50.0, 10.0)])
    def test_the_nearest_sensor_is_taken_and_of_equals_the_deeper(self, depth: float, chosen: float):
        reduced = reduce_sites(self.table, epochs=EPOCHS, depth_rule="nearest", depth=depth)
        assert reduced["depth"].tolist() == [chosen]

    def test_variables_without_depth_pass_any_range(self):
        table = layers(value=[55.0])
        for rule in ("each", "mean", "deepest"):
            reduced = reduce_sites(table, epochs=EPOCHS, depth_range=(5.0, 20.0), depth_rule=rule)
            assert reduced["value"].tolist() == [55.0]


class TestLimits:
    def reduced(self, **columns: object) -> list[list[object]]:
        table = reduce_sites(layers(year=[1981, 1982, 1983], **columns), epochs=EPOCHS)
        return table[["value", "limit", "n_years", "years", "n_censored"]].values.tolist()

    def test_exact_values_go_before_censored_ones(self):
        assert self.reduced(value=[200.0, 220.0, 260.0], limit=["exact", "exact", "above"]) == [
            [210.0, "exact", 2, "1981,1982", 1]
        ]

    def test_values_above_keep_the_greatest_limit(self):
        assert self.reduced(value=[200.0, 260.0, 220.0], limit="above") == [
            [260.0, "above", 3, "1981,1982,1983", 3]
        ]

    def test_values_below_keep_the_least_limit(self):
        assert self.reduced(value=[460.0, 300.0, 350.0], limit="below") == [
            [300.0, "below", 3, "1981,1982,1983", 3]
        ]

    def test_limits_that_contradict_give_no_row_and_are_counted(self):
        columns = {"value": [200.0, 460.0, 210.0], "limit": ["above", "below", "above"]}
        assert self.reduced(**columns) == []
        fates = row_fates(layers(year=[1981, 1982, 1983], **columns), epochs=EPOCHS)
        assert fates.tolist() == ["contradictory_limits"] * 3


class TestNormals:
    table = sites(site_id=["a", "a", "b"], value=[-3.0, -4.0, -5.0], year=[None, 1981, None])

    def test_rows_without_year_are_left_out_by_default(self):
        assert reduce_sites(self.table, epochs=EPOCHS)["site_id"].tolist() == ["a"]
        assert row_fates(self.table, epochs=EPOCHS).tolist() == ["no_year", "used", "no_year"]

    def test_on_request_they_count_where_the_site_has_no_year(self):
        reduced = reduce_sites(self.table, epochs=EPOCHS, normals=True, min_years=1)
        assert reduced[["site_id", "epoch", "value", "n_years", "years"]].values.tolist() == [
            ["a", "1980-1984", -4.0, 1, "1981"],
            ["a", "1985-1989", -3.0, 0, ""],
            ["b", "1980-1984", -5.0, 0, ""],
            ["b", "1985-1989", -5.0, 0, ""],
        ]

    def test_they_have_a_fate_of_their_own_beside_a_series(self):
        fates = row_fates(self.table, epochs=EPOCHS[:1], normals=True)
        assert fates.tolist() == ["normal_beside_series", "used", "used"]


def test_flagged_rows_and_missing_values_are_left_out_and_counted():
    table = sites(value=[-3.0, np.nan, -5.0], year=[1981, 1982, 1983]).assign(kept=[False, True, True])
    assert reduce_sites(table, epochs=EPOCHS)["value"].tolist() == [-5.0]
    assert row_fates(table, epochs=EPOCHS).tolist() == ["flagged", "no_value", "used"]


def test_provenance_place_and_limits_are_carried_on():
    table = sites(
        value=[-3.0, -4.0, -5.0],
        year=[1981, 1982, 1983],
        longitude=[25.0, 25.01, 25.01],
        source=["RHM", "GTN-P", "RHM"],
        citation=["Heim; 2021", "", "Heim; 2021"],
        licence="CC-BY-4.0",
        site_flags=["coast", "urban,coast", ""],
        elevation=[10.0, 20.0, 12.0],
        observation_limit=[15.0, 30.0, np.nan],
        n_observations=[12, 300, 1],
        name="Tiksi",
    )
    reduced = reduce_sites(table, epochs=EPOCHS)
    columns = ["name", "source", "citation", "licence", "site_flags", "elevation", "observation_limit"]
    assert reduced[columns].values.tolist() == [
        ["Tiksi", "GTN-P; RHM", "Heim; 2021", "CC-BY-4.0", "coast,urban", 12.0, 30.0]
    ]
    assert reduced[["n_observations", "longitude", "site_group"]].values.tolist() == [[313, 25.01, "a"]]
    assert reduced.crs.to_epsg() == 4326
    assert (reduced.geometry.iloc[0].x, reduced.geometry.iloc[0].y) == (25.01, 71.31)


def test_neighbours_share_a_site_group_over_the_antimeridian():
    table = sites(site_id=["a", "b"], value=[-3.0, -4.0], longitude=[179.999, -179.999])
    assert reduce_sites(table, epochs=EPOCHS)["site_group"].tolist() == ["a", "a"]


def test_variables_do_not_mix():
    table = sites(variable=["ground_temperature", "soil_temperature"], value=[-3.0, 5.0])
    assert reduce_sites(table, epochs=EPOCHS)["value"].tolist() == [-3.0, 5.0]


def test_nothing_to_reduce_gives_an_empty_table():
    reduced = reduce_sites(sites(value=[-3.0], year=1999), epochs=EPOCHS)
    assert reduced.empty
    assert {"value", "epoch", "site_group", "geometry"} <= set(reduced)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"epochs": []}, "at least one epoch"),
        ({"epochs": [(1985, 1980)]}, "a first and a last year"),
        ({"epochs": [(1980, 1984), (1980, 1984)]}, "epochs must differ"),
        ({"statistic": "average"}, "unknown statistic 'average'"),
        ({"min_years": 0}, "min_years must be 1 or more"),
        ({"depth_range": (5.0, 1.0)}, "depth_range must be"),
        ({"depth_rule": "depest"}, "did you mean 'deepest'"),
        ({"depth_rule": "nearest"}, "needs the keyword depth"),
        ({"depth_rule": "mean", "depth": 5.0}, "the others take none"),
    ],
)
def test_rules_without_sense_are_refused(keywords: dict[str, object], message: str):
    with pytest.raises(PermagridError, match=message):
        reduce_sites(sites(value=[-3.0]), **({"epochs": EPOCHS} | keywords))


@given(tables(), rules, st.randoms())
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_does_not_matter(
    table: gpd.GeoDataFrame, keywords: dict[str, object], random: Random
):
    order = list(range(len(table)))
    random.shuffle(order)
    shuffled = table.iloc[order]
    expected = reduce_sites(table, epochs=EPOCHS, **keywords)
    pd.testing.assert_frame_equal(
        reduce_sites(shuffled, epochs=EPOCHS, **keywords), expected, check_exact=True
    )
    fates = row_fates(shuffled, epochs=EPOCHS, **keywords).sort_index()
    pd.testing.assert_series_equal(fates, row_fates(table, epochs=EPOCHS, **keywords))


@given(tables(), rules)
@settings(max_examples=20, deadline=None)
def test_every_row_has_a_fate_and_every_used_one_an_epoch(
    table: gpd.GeoDataFrame, keywords: dict[str, object]
):
    fates = row_fates(table, epochs=EPOCHS, **keywords)
    reduced = reduce_sites(table, epochs=EPOCHS, **keywords)
    assert fates.index.equals(table.index)
    assert set(fates) <= set(FATES)
    assert (fates[~table["kept"]] == "flagged").all()
    used = table[fates == "used"]
    assert set(used["site_id"]) == set(reduced["site_id"])
    in_epochs = sum(used["year"].between(*epoch).sum() for epoch in EPOCHS)
    if not keywords["normals"]:
        assert in_epochs == reduced["n_observations"].sum()
    keys = ["site_id", "variable", "epoch"] + (["depth"] if keywords["depth_rule"] == "each" else [])
    assert not reduced.duplicated(keys).any()
    assert set(reduced["epoch"]) <= set(map(epoch_name, EPOCHS))


@given(tables())
@settings(max_examples=20, deadline=None)
def test_a_reduced_value_lies_among_the_values_behind_it(table: gpd.GeoDataFrame):
    kept = table[table["kept"]]
    for row in reduce_sites(table, epochs=EPOCHS).itertuples():
        first, last = map(int, row.epoch.split("-"))
        behind = kept[(kept["site_id"] == row.site_id) & (kept["variable"] == row.variable)]
        values = behind.loc[behind["year"].between(first, last) & (behind["limit"] == row.limit), "value"]
        assert values.min() - 1e-9 <= row.value <= values.max() + 1e-9


def test_thirty_thousand_rows_reduce_to_the_known_truth():
    random = np.random.default_rng(3)
    truth = pd.Series(random.normal(-4.0, 3.0, 300), index=[f"s{number:03}" for number in range(300)])
    grid = pd.MultiIndex.from_product([truth.index, range(1980, 1990), [1.6, 3.2, 5.0, 10.0, 20.0]])
    frame = grid.to_frame(index=False, name=["site_id", "year", "depth"])
    frame["value"] = frame["site_id"].map(truth) + 0.1 * (frame["depth"] - frame["depth"].mean())
    table = sites(**{name: frame[name].tolist() for name in frame})
    reduced = reduce_sites(table, epochs=EPOCHS)
    assert len(reduced) == 600
    assert reduced["value"].to_numpy() == pytest.approx(reduced["site_id"].map(truth).to_numpy())
