"""Readers on the real files: counts and ranges as the description of the data states them."""

from pathlib import Path

import numpy as np
import pytest

from permagrid.sites.readers import READERS
from permagrid.sites.readers.rihmi import STATIONS
from permagrid.sites.readers.stations import station_places


def test_cci_temperature(real_data: Path) -> None:
    sites = READERS["cci_temperature"](real_data / "esa-cci-insitu" / "MAGT_inSitu_v3_2020.csv")
    assert (len(sites), sites["site_id"].nunique()) == (29_373, 396)
    assert (sites["value"].min().round(1), sites["value"].max().round(1)) == (-15.3, 8.6)
    assert sites["depth"].nunique() == 21
    assert (sites["year"].min(), sites["year"].max()) == (1980, 2018)
    assert sites["observation_limit"].max() < 150.0
    deep = sites[(sites["depth"] >= 1.6) & (sites["latitude"] > 45.0)]
    epoch = (deep["year"] - 1980) // 5
    per_epoch = deep.groupby(epoch)["site_id"].nunique().tolist()
    assert per_epoch == [177, 181, 183, 168, 165, 233, 247, 72]


def test_cci_flags_are_found_for_nearly_all_sites(real_data: Path) -> None:
    folder = real_data / "esa-cci-insitu"
    sites = READERS["cci_temperature"](
        folder / "MAGT_inSitu_v3_2020.csv", flags_path=folder / "v2Dat_matchup.csv.gz"
    )
    one = sites.drop_duplicates("site_id")
    assert one["elevation"].notna().sum() == 368
    assert (one["site_flags"] != "").sum() > 300
    assert one["site_flags"].str.split(",").map(lambda words: "infrastructure" in words).sum() > 150


def test_cci_active_layer_and_presence(real_data: Path) -> None:
    folder = real_data / "esa-cci-insitu"
    layer = READERS["cci_active_layer"](folder / "ALT_inSitu_v3_2020.csv")
    assert len(layer) == 2_714
    assert layer["latitude"].isna().sum() == 20
    assert (layer["value"].min(), layer["value"].max()) == (23.0, 1450.0)
    presence = READERS["cci_presence"](folder / "inSitu_pe.csv")
    assert (len(presence), presence["site_id"].nunique()) == (6_300, 503)
    assert presence["value"].sum() == 3_972


def test_calm_pangaea_and_summary_agree(real_data: Path) -> None:
    folder = real_data / "calm-alt"
    pangaea = READERS["calm_pangaea"](folder / "GTN-P_CALM_1990-2024.tab")
    assert pangaea["limit"].value_counts().to_dict() == {"exact": 3_663, "above": 24, "below": 10}
    assert pangaea["site_id"].nunique() == 263
    assert pangaea.loc[pangaea["limit"] == "exact", "value"].median() == 65.0
    assert pangaea["site_flags"].str.contains("early_season").sum() >= 15
    assert pangaea.drop_duplicates("site_id")["elevation"].notna().sum() == 248
    summary = READERS["calm_summary"](folder / "CALM_Summary_table.xls")
    assert (summary["year"].min(), summary["year"].max()) == (1990, 2025)
    both = summary.merge(pangaea, on=["site_id", "year"], suffixes=("", "_pangaea"))
    assert len(both) > 3_690
    assert ((both["value"] - both["value_pangaea"]).abs() > 0.5).sum() <= 12


def test_permos(real_data: Path) -> None:
    folder = real_data / "permos-swiss"
    layer = READERS["permos_active_layer"](folder / "alt_20240529.csv")
    # 427 values, and ten years without one whose remark gives a bound.
    assert len(layer) == 437
    assert layer.loc[layer["limit"] == "exact", "value"].max() == pytest.approx(1351.0)
    # The stated longitude of MUR_0499 (9.82) is that of another borehole.
    assert layer.loc[layer["name"] == "MUR_0499", "longitude"].iloc[0] == pytest.approx(9.9275, abs=0.001)
    daily = READERS["permos_temperature"](folder / "borehole_daily_series.zip")
    assert daily["site_id"].nunique() == 28
    assert daily["latitude"].between(45.9, 46.8).all()
    assert daily["value"].between(-7.0, 5.0).all()


def test_wang_alaska(real_data: Path) -> None:
    sites = READERS["wang_alaska"](real_data / "wang2018-alaska" / "PF_AK_v0.1.csv")
    metre = sites[sites["depth"] == 1.0]
    assert len(metre) == 219
    assert (metre["value"].min().round(1), metre["value"].max().round(1)) == (-9.0, 1.9)


def test_zhao(real_data: Path) -> None:
    folder = real_data / "zhao2021-qtp"
    sites = READERS["zhao_tibet"](folder / "Active layer of ground temperature.xlsx")
    assert sites["site_id"].nunique() == 12
    assert sites["latitude"].notna().all()
    assert sites["value"].between(-10.0, 10.0).all()
    thaw = READERS["zhao_thaw_depth"](folder / "thaw_depth_summary.csv")
    assert len(thaw) == 110
    assert (thaw["limit"] == "above").sum() == 41
    assert thaw["latitude"].notna().all()


def test_jorgenson_and_ncss(real_data: Path) -> None:
    plots = READERS["jorgenson_plots"](real_data / "jorgenson-alaska-soils" / "tbl_Site_2024.csv")
    assert plots["value"].value_counts().to_dict() == {1.0: 2_381, 0.0: 705}
    assert (plots["latitude"] < -90.0).any()
    assert plots["elevation"].max() < 2_000.0
    pedons = READERS["ncss_pedons"](real_data / "ncss-pedons" / "raw_ncss_permafrost_domain_pedons.csv")
    assert pedons["value"].value_counts().to_dict() == {0.0: 557, 1.0: 204}
    assert (pedons["latitude"] < 0.0).sum() == 12
    absent = pedons[pedons["value"] == 0.0]
    assert absent["observation_limit"].notna().all()


def test_ghcn(real_data: Path) -> None:
    sites = READERS["ghcn_monthly_v3"](real_data / "ghcnm-v3-sample" / "Texas.dat")
    assert sites["site_id"].nunique() == 100
    assert len(sites) < 7_189
    assert sites["value"].between(10.0, 26.0).all()


def test_gtnp_agrees_with_calm(real_data: Path) -> None:
    sites = READERS["gtnp_active_layer"](real_data / "gtnp-alt-export")
    assert sites["site_id"].nunique() == 25
    calm = READERS["calm_pangaea"](real_data / "calm-alt" / "GTN-P_CALM_1990-2024.tab")
    both = sites.merge(calm[calm["limit"] == "exact"], on=["site_id", "year"], suffixes=("", "_calm"))
    difference = (both["value"] - both["value_calm"]).abs()
    assert len(both) > 550
    assert difference.median() < 0.5
    # The grids that were re-surveyed have lines of half length: their means agree as well.
    halved = both["site_id"].isin(["calm:U7C", "calm:U12B", "calm:U32A", "calm:U18"])
    assert difference[halved].quantile(0.9) < 2.0


def test_rihmi(real_data: Path) -> None:
    folder = real_data / "rihmi-yakutia"
    soil = READERS["rihmi_soil"](folder / "wr373144a3.zip")
    assert soil["site_id"].nunique() == 6
    assert soil["depth"].max() == 3.2
    assert soil["value"].between(-10.0, 6.0).all()
    air = READERS["rihmi_air"](folder / "wr373144a2.zip")
    yakutsk = air[(air["name"] == "Yakutsk") & air["year"].between(1961, 1990)]
    assert yakutsk["value"].mean() == pytest.approx(-10.0, abs=0.5)


def test_known_stations_stand_where_the_inventory_has_them(real_data: Path) -> None:
    places = station_places(real_data / "gsod-stations" / "stations_north25.csv.gz").set_index("original_id")
    for number, (_, latitude, longitude, elevation) in STATIONS.items():
        assert places.loc[number, "latitude"] == pytest.approx(latitude, abs=0.01)
        assert places.loc[number, "longitude"] == pytest.approx(longitude, abs=0.01)
        assert places.loc[number, "elevation"] == pytest.approx(elevation, abs=5.0)


def test_gsod_normals(real_data: Path) -> None:
    sites = READERS["gsod_normals"](real_data / "gsod-stations" / "stations_north25.csv.gz")
    assert len(sites) == 16_721
    assert sites["latitude"].min() >= 25.0
    assert sites["year"].isna().all()
    assert np.isfinite(sites["value"]).all()
