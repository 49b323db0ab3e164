"""Presence and absence by a stated rule."""

from pathlib import Path
from random import Random

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.errors import PermagridError
from permagrid.sites.labels import BASES, epoch_labels, presence_labels, station_absences
from permagrid.sites.table import check_sites, site_table


def sites(**columns: object) -> gpd.GeoDataFrame:
    defaults = {
        "site_id": "a",
        "latitude": 66.12,
        "longitude": 66.12,
        "variable": "ground_temperature",
        "year": 2001,
        "source": "RHM",
    }
    length = max(len(c) for c in columns.values() if isinstance(c, list))
    return site_table(pd.DataFrame(defaults | columns, index=range(length)))


def values(labels: gpd.GeoDataFrame) -> list[float | None]:
    return [None if np.isnan(value) else value for value in labels["value"]]


class TestTemperatures:
    table = sites(value=[1.2, -0.3, 0.4], depth=[0.8, 1.6, 3.2])

    def test_any_cold_sensor_shows_presence(self):
        labels = presence_labels(self.table)
        check_sites(labels)
        assert values(labels) == [1.0]
        assert labels[["variable", "depth", "observation_limit", "label_basis"]].values.tolist() == [
            ["permafrost_presence", 1.6, 3.2, "temperature"]
        ]
        assert labels["label_rule"][0] == "-0.30 degC at 1.6 m; any sensor at or below 0 degC"

    def test_every_sensor_may_have_to_be_cold(self):
        assert values(presence_labels(self.table, sensors="every")) == [0.0]
        cold = presence_labels(sites(value=[-1.0, -0.5], depth=[1.6, 3.2]), sensors="every")
        assert values(cold) == [1.0]
        assert cold["depth"].tolist() == [3.2]

    def test_the_threshold_counts_in(self):
        table = sites(value=[0.5], depth=[3.2])
        assert values(presence_labels(table)) == [0.0]
        assert values(presence_labels(table, temperature_threshold=0.5)) == [1.0]

    def test_warm_sensors_show_absence_only_where_one_lies_deep_enough(self):
        table = sites(site_id=["a", "a", "b"], value=[1.2, 0.9, 1.1], depth=[0.8, 3.2, 0.8])
        labels = presence_labels(table)
        assert values(labels) == [0.0, None]
        assert labels["observation_limit"].tolist() == [3.2, 0.8]
        assert "no absence" in labels["label_rule"][1]
        assert values(presence_labels(table, min_absence_depth=0.5)) == [0.0, 0.0]

    def test_only_sensors_in_the_depth_range_count(self):
        table = sites(value=[-3.0, 1.0], depth=[50.0, 3.2])
        assert values(presence_labels(table)) == [0.0]
        assert values(presence_labels(table, depth_range=(0.0, 100.0))) == [1.0]

    def test_a_sensor_of_unknown_depth_shows_presence_but_no_absence(self):
        labels = presence_labels(sites(site_id=["a", "b"], value=[-1.0, 1.0], depth=np.nan))
        assert values(labels) == [1.0, None]
        assert labels["label_rule"][0] == "-1.00 degC at unknown depth; any sensor at or below 0 degC"

    def test_years_have_their_own_labels(self):
        labels = presence_labels(sites(value=[-0.2, 0.3, 0.1], depth=[3.2] * 3, year=[2001, 2002, None]))
        assert values(labels) == [1.0, 0.0, 0.0]


class TestActiveLayers:
    def labels(self, value: float, limit: str = "exact", **keywords: float) -> gpd.GeoDataFrame:
        return presence_labels(
            sites(variable="active_layer_thickness", value=[value], limit=limit), **keywords
        )

    def test_a_measured_one_shows_presence(self):
        labels = self.labels(55.0)
        assert values(labels) == [1.0]
        assert labels[["limit", "label_basis", "label_rule"]].values.tolist() == [
            ["exact", "active_layer", "active layer of 55 cm"]
        ]

    def test_one_beyond_the_probe_gives_no_label(self):
        labels = self.labels(260.0, "above")
        assert values(labels) == [None]
        assert labels["label_rule"][0].startswith("thaw beyond 260 cm; permafrost not reached")

    def test_one_that_is_less_than_a_limit_shows_presence(self):
        labels = self.labels(460.0, "below")
        assert values(labels) == [1.0]
        assert labels["label_rule"][0] == "active layer of less than 460 cm"

    def test_a_thick_one_gives_no_label_by_option(self):
        assert values(self.labels(500.0)) == [1.0]
        assert values(self.labels(500.0, active_layer_max=300.0)) == [None]
        assert values(self.labels(300.0, active_layer_max=300.0)) == [1.0]


class TestReports:
    def labels(self, value: float, observation_limit: float, **keywords: float) -> gpd.GeoDataFrame:
        table = sites(variable="permafrost_presence", value=[value], observation_limit=observation_limit)
        return presence_labels(table, **keywords)

    def test_presence_counts_whatever_the_limit(self):
        assert values(self.labels(1.0, 0.4)) == [1.0]

    def test_an_absence_seen_to_a_shallow_depth_is_no_absence(self):
        labels = self.labels(0.0, 1.0)
        assert values(labels) == [None]
        assert (
            labels["label_rule"][0] == "reported absent, observed to 1 m; permafrost not reached: no absence"
        )
        assert values(self.labels(0.0, 1.0, min_absence_depth=1.0)) == [0.0]

    def test_an_absence_seen_deep_enough_counts(self):
        assert values(self.labels(0.0, 3.0)) == [0.0]

    def test_an_absence_of_unknown_depth_counts_and_says_so(self):
        labels = self.labels(0.0, np.nan)
        assert values(labels) == [0.0]
        assert labels["label_rule"][0] == "reported absent, observed to unknown depth"


def test_evidence_of_several_kinds_keeps_its_rows_and_provenance():
    table = sites(
        site_id=["a", "a", "b", "b"],
        variable=["ground_temperature", "active_layer_thickness", "permafrost_presence", "thaw_depth"],
        value=[-2.0, 60.0, 0.0, 30.0],
        depth=[3.2, np.nan, np.nan, np.nan],
        source=["RHM", "CALM", "NCSS", "USGS"],
        row=[11, 12, 13, 14],
    )
    labels = presence_labels(table)
    assert labels[["source", "row", "label_basis"]].values.tolist() == [
        ["RHM", 11, "temperature"],
        ["CALM", 12, "active_layer"],
        ["NCSS", 13, "observation"],
    ]
    assert set(labels["label_basis"]) < set(BASES)


def test_flagged_rows_give_no_label():
    table = sites(value=[-2.0, 3.0], depth=[3.2, 3.2], year=[2001, 2002]).assign(
        kept=[False, True], flag_reason="x"
    )
    labels = presence_labels(table)
    assert values(labels) == [0.0]
    assert not [name for name in labels if name.startswith("flag_") or name == "kept"]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"depth_range": (3.0, 1.0)}, "depth_range must be"),
        ({"sensors": "evry"}, "did you mean 'every'"),
        ({"active_layer_max": 0.0}, "active_layer_max must be above 0"),
        ({"min_absence_depth": -1.0}, "min_absence_depth must be 0"),
    ],
)
def test_rules_without_sense_are_refused(keywords: dict[str, object], message: str):
    with pytest.raises(PermagridError, match=message):
        presence_labels(sites(value=[1.0]), **keywords)


def test_a_table_that_can_give_no_label_is_refused():
    with pytest.raises(
        PermagridError, match=r"labels need rows of ground_temperature.*found air_temperature"
    ):
        presence_labels(sites(variable="air_temperature", value=[3.0]))
    with pytest.raises(PermagridError, match="no row that passed"):
        presence_labels(sites(value=[3.0]).assign(kept=False))


class TestStations:
    def test_stations_between_the_bounds_become_absences_that_say_so(self):
        table = sites(
            site_id=["cold", "low", "high", "hot"],
            variable="air_temperature",
            value=[1.9, 2.0, 10.0, 10.1],
            year=None,
        )
        labels = station_absences(table)
        check_sites(labels)
        assert labels["site_id"].tolist() == ["low", "high"]
        assert values(labels) == [0.0, 0.0]
        assert set(labels["label_basis"]) == {"station_climate"}
        assert labels["remark"][0] == (
            "label made from climate: mean annual air temperature 2.0 degC in 2 to 10 degC; not observed"
        )

    def test_the_mean_over_the_years_of_a_station_decides(self):
        table = sites(
            site_id=["a", "a", "b", "b"],
            variable="air_temperature",
            value=[1.0, 4.0, 1.0, 2.0],
            year=[2001, 2002, 2001, 2002],
        )
        assert station_absences(table)[["site_id", "year"]].values.tolist() == [["a", 2001], ["a", 2002]]

    def test_bounds_are_options(self):
        table = sites(variable="air_temperature", value=[1.0])
        assert station_absences(table).empty
        assert len(station_absences(table, low=0.0, high=1.0)) == 1
        with pytest.raises(PermagridError, match="low must be below high"):
            station_absences(table, low=5.0, high=5.0)

    def test_air_temperature_is_needed(self):
        with pytest.raises(PermagridError, match="need rows of air_temperature"):
            station_absences(sites(value=[3.0]))
        with pytest.raises(PermagridError, match="none that passed"):
            station_absences(sites(variable="air_temperature", value=[3.0]).assign(kept=False))


class TestEpochs:
    def labels(self, *present: float, year: int = 1998) -> gpd.GeoDataFrame:
        years = [year + number for number in range(len(present))]
        return presence_labels(sites(variable="permafrost_presence", value=list(present), year=years))

    @pytest.mark.parametrize(
        ("present", "label", "share"), [((1, 1, 0), 1.0, 2 / 3), ((0, 0, 1), 0.0, 1 / 3), ((0, 0), 0.0, 0.0)]
    )
    def test_the_majority_of_years_decides_and_the_share_is_kept(
        self, present: tuple[int, ...], label: float, share: float
    ):
        table = epoch_labels(self.labels(*present), epochs=[(1998, 2002)])
        assert table["value"].tolist() == [label]
        assert table["present_share"].tolist() == pytest.approx([share])
        assert table["label_rule"][0] == f"present in {100 * share:.0f} % of {len(present)} years"
        assert table["label_basis"].tolist() == ["observation"]

    def test_ties_are_left_out_or_kept_by_rule(self):
        tied = self.labels(1, 0)
        assert epoch_labels(tied, epochs=[(1998, 2002)]).empty
        for rule, expected in (("undecided", None), ("present", 1.0), ("absent", 0.0)):
            assert values(epoch_labels(tied, epochs=[(1998, 2002)], ties=rule)) == [expected]
        with pytest.raises(PermagridError, match="unknown rule for ties"):
            epoch_labels(tied, epochs=[(1998, 2002)], ties="coin")

    def test_rows_without_label_do_not_vote(self):
        table = sites(
            variable="permafrost_presence",
            value=[1.0, 0.0, 0.0],
            observation_limit=[np.nan, 0.5, 0.5],
            year=[1998, 1999, 2000],
        )
        labels = epoch_labels(presence_labels(table), epochs=[(1998, 2002)])
        assert labels[["value", "n_years"]].values.tolist() == [[1.0, 1]]

    def test_evidence_that_disagrees_within_a_year_is_half_a_year(self):
        table = sites(
            variable=["permafrost_presence", "active_layer_thickness", "permafrost_presence"],
            value=[0.0, 60.0, 1.0],
            year=[1998, 1998, 1999],
        )
        labels = epoch_labels(presence_labels(table), epochs=[(1998, 2002)])
        assert labels["present_share"].tolist() == [0.75]
        assert labels["label_basis"].tolist() == ["active_layer; observation"]

    def test_normals_of_stations_count_in_every_epoch_on_request(self):
        stations = station_absences(sites(variable="air_temperature", value=[4.0], year=None))
        assert epoch_labels(stations, epochs=[(1998, 2002)]).empty
        labels = epoch_labels(stations, epochs=[(1998, 2002), (2003, 2007)], normals=True)
        assert labels["value"].tolist() == [0.0, 0.0]
        assert labels["label_basis"].tolist() == ["station_climate"] * 2
        assert labels["label_rule"].tolist() == ["label without year"] * 2

    def test_other_variables_are_refused(self):
        with pytest.raises(PermagridError, match="see presence_labels"):
            epoch_labels(sites(value=[1.0]), epochs=[(1998, 2002)])


observed = st.fixed_dictionaries(
    {
        "site_id": st.sampled_from(["a", "b"]),
        "variable": st.sampled_from(["ground_temperature", "active_layer_thickness", "permafrost_presence"]),
        "value": st.sampled_from([-3.0, 0.0, 0.2, 1.0, 250.0, np.nan]),
        "limit": st.sampled_from(["exact", "above", "below"]),
        "depth": st.sampled_from([np.nan, 0.4, 3.2, 30.0]),
        "observation_limit": st.sampled_from([np.nan, 0.4, 3.0]),
        "year": st.sampled_from([None, 1999, 2000]),
        "latitude": st.just(66.12),
        "longitude": st.just(66.12),
    }
)
LABELLED = [
    {
        "site_id": "a",
        "limit": "exact",
        "variable": "permafrost_presence",
        "value": 1.0,
        "latitude": 66.0,
        "longitude": 66.0,
    }
]


@given(st.lists(observed, max_size=12), st.floats(0.0, 4.0), st.floats(0.0, 4.0))
@settings(max_examples=30, deadline=None)
def test_looking_deeper_only_ever_takes_absences_away(rows: list[dict[str, object]], one: float, two: float):
    table = site_table(pd.DataFrame(LABELLED + rows))
    shallow, deep = (presence_labels(table, min_absence_depth=depth)["value"] for depth in sorted((one, two)))
    assert set(shallow.dropna()) <= {0.0, 1.0}
    assert len(shallow) == len(deep)
    assert ((shallow == deep) | ((shallow == 0.0) & deep.isna()) | (shallow.isna() & deep.isna())).all()


@given(st.lists(observed, max_size=12), st.randoms())
@settings(max_examples=25, deadline=None)
def test_epoch_labels_do_not_depend_on_the_order_of_rows(rows: list[dict[str, object]], random: Random):
    table = site_table(pd.DataFrame(LABELLED + rows))
    order = list(range(len(table)))
    random.shuffle(order)
    one, two = (
        epoch_labels(presence_labels(part), epochs=[(1998, 2002)], normals=True)
        for part in (table, table.iloc[order])
    )
    columns = ["site_id", "epoch", "value", "present_share", "years", "label_basis"]
    pd.testing.assert_frame_equal(pd.DataFrame(one[columns]), pd.DataFrame(two[columns]))


def test_real_labels_of_eurasia_are_balanced(real_data: Path):
    frame = pd.read_csv(real_data / "esa-cci-insitu" / "inSitu_pe.csv", encoding="utf-8")
    place = frame["Longitude"].astype(str) + "," + frame["Latitude"].astype(str)
    table = site_table(
        pd.DataFrame(
            {
                "site_id": place,
                "latitude": frame["Latitude"],
                "longitude": frame["Longitude"],
                "year": frame["Year"],
                "variable": "permafrost_presence",
                "value": frame["pe"].astype(float),
            }
        )
    )
    eurasia = table[(table["longitude"] > -10.0) | (table["longitude"] < -168.9)]
    labels = presence_labels(eurasia)
    for epoch in [(1996, 2004), (2001, 2009), (2006, 2014)]:
        counts = epoch_labels(labels, epochs=[epoch])["value"].value_counts()
        assert counts[1.0] >= 90
        assert counts[0.0] >= 140
