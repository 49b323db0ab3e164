"""What each reader makes of the quirks of its format, on made-up files."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import test_readers_made as files

from permagrid.errors import PermagridError
from permagrid.sites.readers import READERS


def read(name: str, folder: Path, **options: object) -> gpd.GeoDataFrame:
    return READERS[name](files.MADE[name](folder), **options)


def test_cci_temperature_reads_decimal_commas_and_drops_a_mistyped_borehole_depth(tmp_path: Path) -> None:
    sites = read("cci_temperature", tmp_path)
    assert sites["value"].tolist() == [-11.5, -11.25, -2.0]
    assert sites["depth"].tolist() == [1.6, 3.2, 10.0]
    assert sites["observation_limit"].tolist()[:2] == [3.2, 3.2]
    assert np.isnan(sites["observation_limit"].iloc[2])
    assert "mistyped" in sites["remark"].iloc[2]
    assert sites["name"].iloc[2] == "Føyka"
    assert sites["row"].tolist() == [2, 3, 4]
    assert sites["source"].iloc[0].endswith("RHM")


def test_cci_temperature_reads_only_the_asked_depths(tmp_path: Path) -> None:
    assert read("cci_temperature", tmp_path, min_depth=3.2)["depth"].tolist() == [3.2, 10.0]
    assert read("cci_temperature", tmp_path, min_depth=1.6, max_depth=3.2)["depth"].tolist() == [1.6, 3.2]


def test_cci_temperature_takes_flags_only_from_the_same_place(tmp_path: Path) -> None:
    sites = read("cci_temperature", tmp_path, flags_path=files.make_cci_flags(tmp_path))
    assert sites["site_flags"].tolist() == ["infrastructure,possible_urban,coast"] * 2 + [""]
    assert sites["elevation"].tolist()[:2] == [12.0, 12.0]
    assert np.isnan(sites["elevation"].iloc[2])


def test_cci_active_layer_keeps_rows_without_place_and_mends_codes(tmp_path: Path) -> None:
    sites = read("cci_active_layer", tmp_path)
    assert sites["site_id"].tolist() == ["calm:C90A", "calm:C91", "calm:U56", "calm:U31", "calm:Haugen"]
    assert sites["name"].iloc[0] == "Nord Park"
    assert sites["latitude"].isna().tolist() == [False, True, False, False, False]
    assert sites["remark"].iloc[-1] == "unnamed columns hold 181 191"


def test_cci_presence_tells_places_apart_not_names(tmp_path: Path) -> None:
    sites = read("cci_presence", tmp_path)
    assert sites["value"].tolist() == [0.0, 1.0, 1.0]
    assert sites["site_id"].nunique() == 2
    assert sites["site_id"].iloc[1] == sites["site_id"].iloc[2]


def test_calm_pangaea_reads_limits_flags_and_the_header(tmp_path: Path) -> None:
    sites = read("calm_pangaea", tmp_path)
    assert sites["value"].tolist() == [41.0, 55.0, 260.0, 460.0]
    assert sites["limit"].tolist() == ["exact", "exact", "above", "below"]
    assert sites["site_flags"].tolist() == ["early_season", "burned", "", ""]
    assert sites["elevation"].tolist()[:2] == [-2.5, -2.5]
    assert sites["method"].tolist() == ["Probing", "Probing", "", ""]
    assert sites["site_id"].iloc[0] == "calm:X1A"
    lines = (tmp_path / "calm.tab").read_text().splitlines()
    assert ">260" in lines[sites["row"].iloc[2] - 1]


def test_calm_summary_counts_hidden_years_and_reads_marks(tmp_path: Path) -> None:
    sites = read("calm_summary", tmp_path)
    found = sites[["original_id", "year", "value", "limit"]].values.tolist()
    assert found == [
        ["X1A", 1993, 30.0, "exact"],
        ["X1A", 1994, 35.0, "exact"],
        ["X1A", 1995, 98.0, "exact"],
        ["X2", 1994, 260.0, "above"],
        ["X2", 1995, 460.0, "below"],
        ["X3", 1992, 146.0, "exact"],
        ["X3", 1993, 145.0, "exact"],
    ]
    assert "*" in sites["remark"].iloc[2]
    assert "metres" in sites["remark"].iloc[-1]
    assert sites["method"].iloc[0] == "1000"
    assert sites["row"].tolist() == [4, 4, 4, 5, 5, 9, 9]


def test_permos_active_layer_places_boreholes_by_swiss_coordinates(tmp_path: Path) -> None:
    sites = read("permos_active_layer", tmp_path)
    assert sites["value"].tolist() == pytest.approx([389.0, 100.0, 1304.0, 490.0, 500.0])
    assert sites["limit"].tolist() == ["exact", "below", "above", "exact", "exact"]
    assert sites["longitude"].iloc[0] == pytest.approx(7.273, abs=0.001)
    assert np.isnan(sites["longitude"].iloc[4])
    assert sites["site_flags"].tolist() == ["", "", "", "early_season", ""]
    assert sites["remark"].iloc[0] == "guess; Guess, gaps exist"


def test_permos_temperature_needs_enough_days_and_flags_slanting_holes(tmp_path: Path) -> None:
    sites = read("permos_temperature", tmp_path)
    slanting = sites[sites["original_id"] == "MBP_0196"]
    assert slanting[["year", "depth"]].values.tolist() == [[2001, 0.5], [2002, 0.5], [2001, 10.0]]
    assert slanting["remark"].str.contains("30 degrees").all()
    assert slanting["n_observations"].eq(365).all()
    assert sites[sites["original_id"] == "OUT_0001"]["latitude"].isna().all()
    assert len(read("permos_temperature", tmp_path, min_days=300)) == len(sites) + 1


def test_wang_alaska_needs_all_twelve_months(tmp_path: Path) -> None:
    ground = read("wang_alaska", tmp_path)
    assert ground[["depth", "value"]].values.tolist() == [[0.25, -3.0], [0.5, -2.0]]
    air = read("wang_alaska", tmp_path, variable="air_temperature")
    assert air["value"].tolist() == [pytest.approx(-4.5)]


def test_zhao_tibet_reads_depths_from_names_and_both_names_of_a_site(tmp_path: Path) -> None:
    sites = read("zhao_tibet", tmp_path)
    assert sites[["original_id", "depth", "value"]].values.tolist() == [
        ["QX09", 1.2, 0.5],
        ["ZNXAL", 1.4, 0.5],
    ]
    assert sites["latitude"].tolist() == [35.72, 35.49]
    with_gaps = read("zhao_tibet", tmp_path, min_days=300)
    assert with_gaps["value"].min() == -2.0


def test_zhao_thaw_depth_is_a_lower_bound_where_all_sensors_thawed(tmp_path: Path) -> None:
    sites = read("zhao_thaw_depth", tmp_path)
    assert sites["limit"].tolist() == ["exact", "above", "above"]
    assert sites["observation_limit"].tolist() == [1.8, 1.8, 0.4]
    assert sites["latitude"].tolist() == [35.72, 35.72, 35.49]


def test_jorgenson_plots_leave_out_unknown_and_keep_the_observation_limit(tmp_path: Path) -> None:
    sites = read("jorgenson_plots", tmp_path)
    assert sites["value"].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert sites["site_id"].tolist()[:2] == ["jorgenson:P1"] * 2
    assert sites["original_id"].tolist()[:2] == ["P1-2001", "P1-2010"]
    assert sites["observation_limit"].tolist()[:2] == [0.99, 1.2]
    assert np.isnan(sites["observation_limit"].iloc[2])
    assert sites["observation_limit"].iloc[3] == 1.5
    assert sites["elevation"].tolist()[:2] == [40.0, 12.5]
    assert np.isnan(sites["elevation"].iloc[2])
    assert sites["latitude"].iloc[3] == -143.62


def test_jorgenson_thaw_depth_is_active_layer_only_over_permafrost(tmp_path: Path) -> None:
    thaw = read("jorgenson_plots", tmp_path, variable="thaw_depth")
    assert thaw["value"].tolist() == [35.0, 41.0, 60.0, 55.0]
    layer = read("jorgenson_plots", tmp_path, variable="active_layer_thickness")
    assert layer["value"].tolist() == [35.0, 41.0]
    assert layer["site_flags"].tolist() == ["early_season", ""]


def test_ncss_pedons_keep_what_absence_means(tmp_path: Path) -> None:
    sites = read("ncss_pedons", tmp_path)
    assert sites["value"].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert np.isnan(sites["observation_limit"].iloc[1])
    assert sites["observation_limit"].iloc[2] == 1.05
    assert sites["site_flags"].tolist() == ["", "", "", "frozen_horizons"]
    assert sites["latitude"].iloc[0] == -77.5
    assert sites["year"].tolist() == [2011, 1980, 1990, 2005]


def test_ghcn_needs_twelve_months_without_quality_flag(tmp_path: Path) -> None:
    sites = read("ghcn_monthly_v3", tmp_path)
    assert sites[["year", "value", "row"]].values.tolist() == [[1951, 6.5, 1]]
    assert sites[["latitude", "longitude", "elevation"]].values.tolist() == [[28.7, -100.52, 250.0]]


def test_gtnp_dates_half_lines_and_skips_lines_it_cannot_date(tmp_path: Path) -> None:
    sites = read("gtnp_active_layer", tmp_path)
    assert sites["year"].tolist() == [1999, 2000, 2001, 2002]
    # 2000: nodes 50, and 46 twice from the half-lines; -999 is a code. 2002: 60, 64, 64; -888 is a code.
    assert sites["value"].tolist() == pytest.approx([42.0, 142 / 3, 25.5, 188 / 3])
    assert sites["n_observations"].tolist() == [4, 3, 4, 3]
    assert sites["site_flags"].tolist() == ["", "", "early_season", ""]
    assert sites["remark"].str.contains("1 lines whose length").all()
    assert sites["site_id"].eq("calm:X9B").all()
    assert sites["name"].eq("Made").all()


def test_gtnp_reads_a_folder_without_subsidence(tmp_path: Path) -> None:
    path = files.make_gtnp_active_layer(tmp_path)
    folder = READERS["gtnp_active_layer"](tmp_path)
    assert folder["value"].tolist() == READERS["gtnp_active_layer"](path)["value"].tolist()
    with pytest.raises(PermagridError, match="subsidence"):
        READERS["gtnp_active_layer"](next(tmp_path.glob("*Subsidence*")))


def test_gtnp_takes_the_deepest_survey_on_demand(tmp_path: Path) -> None:
    path = files.make_gtnp_active_layer(tmp_path)
    text = path.read_text().replace("0,0,40,10,50", "0,0,40,90,50").replace(",44,12,-999", ",44,90,-999")
    path.write_text(text)
    largest = READERS["gtnp_active_layer"](path, survey="max")
    assert "2000-06-20" in largest["remark"].iloc[1]
    assert largest["site_flags"].iloc[1] == "early_season"


def test_rihmi_soil_uses_good_values_and_known_places(tmp_path: Path) -> None:
    sites = read("rihmi_soil", tmp_path)
    assert sites[["original_id", "depth", "n_observations"]].values.tolist() == [
        ["24959", 1.6, 364],
        ["99999", 1.6, 364],
    ]
    assert sites["value"].tolist() == [-3.5, -3.5]
    assert sites["latitude"].isna().tolist() == [False, True]
    assert read("rihmi_soil", tmp_path, quality=[0, 1])["n_observations"].tolist() == [365, 365]
    assert (
        read("rihmi_soil", tmp_path, variable="ground_temperature")["variable"].iloc[0]
        == "ground_temperature"
    )


def test_rihmi_air_reads_blanks_as_missing_and_takes_places_from_a_table(tmp_path: Path) -> None:
    assert read("rihmi_air", tmp_path)[["year", "value"]].values.tolist() == [[1900, -9.5]]
    given = read("rihmi_air", tmp_path, stations_path=files.make_gsod_normals(tmp_path))
    assert given[["name", "latitude"]].values.tolist() == [["YAKUTSK, AERO", 62.0]]


def test_gsod_normals_have_no_year_and_say_that_they_are_gridded(tmp_path: Path) -> None:
    sites = read("gsod_normals", tmp_path)
    assert sites["value"].tolist() == [6.5, 6.5]
    assert sites["year"].isna().all()
    assert sites["remark"].str.contains("gridded").all()
    assert sites["elevation"].isna().tolist() == [False, True]
