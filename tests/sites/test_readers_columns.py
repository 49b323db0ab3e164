"""The reader of plain tables: kinds of file, column maps, units, reference systems."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
from shapely.geometry import LineString

from permagrid.errors import PermagridError
from permagrid.sites.readers import READERS

read = READERS["table"]

ROWS = "station;north;east;T;z;when\nA;70,5;-150,0;271,15;250;2003-08-01\nB;71,0;-151,0;-999;100;2004\n"
MAP = {
    "site_id": "station",
    "latitude": "north",
    "longitude": "east",
    "value": "T",
    "depth": "z",
    "year": "when",
}


def test_reads_a_foreign_table_by_its_map_and_units(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(ROWS.replace("A;", "Å;").encode("latin-1"))
    sites = read(
        path,
        columns=MAP,
        variable="ground_temperature",
        unit="K",
        depth_unit="cm",
        delimiter=";",
        decimal=",",
        encoding="latin-1",
        missing=[-999],
        source="mine",
        citation="Me (2020)",
        licence="CC0",
    )
    assert sites["value"].tolist() == pytest.approx([-2.0])
    assert sites[["site_id", "original_id", "depth", "year"]].values.tolist() == [["mine:Å", "Å", 2.5, 2003]]
    assert sites[["source", "citation", "licence", "file", "row"]].values.tolist() == [
        ["mine", "Me (2020)", "CC0", "mine.csv", 2]
    ]


def test_takes_columns_of_its_own_names_and_several_variables(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "site_id,latitude,longitude,variable,value,source\n"
        "a,70,10,active_layer_thickness,>2.6,CALM\na,70,10,permafrost_presence,yes,other\n"
    )
    with pytest.raises(PermagridError, match="cannot be turned into"):
        read(path, unit="m")
    sites = read(path)
    assert sites["limit"].tolist() == ["above", "exact"]
    assert sites["value"].tolist() == [2.6, 1.0]
    assert sites["source"].tolist() == ["CALM", "other"]
    assert sites["site_id"].tolist() == ["own:a", "own:a"]


@pytest.mark.parametrize(
    ("variable", "unit", "expected"),
    [
        ("active_layer_thickness", "m", 150.0),
        ("active_layer_thickness", "mm", 0.15),
        ("volumetric_ice_content", "1", 150.0),
        ("ground_temperature", "0.1 degC", 0.15),
    ],
)
def test_converts_units(tmp_path: Path, variable: str, unit: str, expected: float) -> None:
    path = tmp_path / "t.csv"
    path.write_text("latitude,longitude,value\n70,10,1.5\n")
    assert read(path, variable=variable, unit=unit)["value"].tolist() == pytest.approx([expected])


def test_projected_coordinates_become_degrees(tmp_path: Path) -> None:
    path = tmp_path / "polar.csv"
    path.write_text("name,x,y,value\na,0,-1000000,1\nb,,,2\n")
    sites = read(
        path,
        columns={"longitude": "x", "latitude": "y"},
        variable="air_temperature",
        crs="EPSG:3413",
    )
    assert sites["longitude"].iloc[0] == pytest.approx(-45.0)
    assert 80.0 < sites["latitude"].iloc[0] < 82.0
    assert np.isnan(sites["latitude"].iloc[1])
    assert sites["site_id"].tolist() == ["polar:a", "polar:b"]


def test_rows_without_any_name_are_named_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("latitude,longitude,value\n70,10,1.5\n70,10,1.6\n")
    assert read(path, variable="air_temperature")["site_id"].tolist() == ["t:70.0000,10.0000"] * 2


def test_reads_a_named_sheet(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.create_sheet("data")
    sheet.append([])
    sheet.append(["site_id", "latitude", "longitude", "value", "year"])
    sheet.append([12.0, 70.25, -150, -3.5, 2001.0])
    path = tmp_path / "book.xlsx"
    book.save(path)
    sites = read(path, variable="ground_temperature", sheet="data")
    assert sites[["site_id", "value", "year", "row"]].values.tolist() == [["book:12", -3.5, 2001, 3]]
    with pytest.raises(PermagridError, match=r"no sheet 'dta'; found: Sheet, data"):
        read(path, variable="ground_temperature", sheet="dta")


@pytest.mark.parametrize("suffix", ["parquet", "gpkg"])
def test_takes_place_and_reference_system_from_a_geographic_file(tmp_path: Path, suffix: str) -> None:
    points = gpd.points_from_xy([0.0, 100.0], [-1_000_000.0, -2_000_000.0])
    frame = gpd.GeoDataFrame(
        {"site_id": ["a", "b"], "value": [1.0, np.nan]}, geometry=points, crs="EPSG:3413"
    )
    path = tmp_path / f"points.{suffix}"
    if suffix == "gpkg":
        frame.to_file(path, layer="points")
    else:
        frame.to_parquet(path)
    sites = read(path, variable="air_temperature")
    assert sites["site_id"].tolist() == ["points:a"]
    assert sites["longitude"].iloc[0] == pytest.approx(-45.0)


def test_reads_what_it_wrote(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_text("site_id,latitude,longitude,value,depth\na,70,10,>1.5,2\n")
    first = read(source, variable="ground_temperature")
    first.to_parquet(tmp_path / "t.parquet")
    second = read(tmp_path / "t.parquet")
    same = ["site_id", "original_id", "latitude", "longitude", "value", "limit", "depth", "source"]
    pd.testing.assert_frame_equal(pd.DataFrame(second[same]), pd.DataFrame(first[same]))


def test_refuses_lines_and_impostors(tmp_path: Path) -> None:
    lines = gpd.GeoDataFrame({"value": [1.0]}, geometry=[LineString([(0, 0), (1, 1)])], crs="EPSG:4326")
    lines.to_parquet(tmp_path / "lines.parquet")
    with pytest.raises(PermagridError, match="must be points"):
        read(tmp_path / "lines.parquet", variable="air_temperature")
    (tmp_path / "fake.gpkg").write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(PermagridError, match="not a GeoPackage"):
        read(tmp_path / "fake.gpkg", variable="air_temperature")
