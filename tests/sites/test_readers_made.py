"""Made-up files with the quirks of each format, and the contract that every reader keeps on them."""

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import rasterio
from affine import Affine

from permagrid.sites.readers import READERS
from permagrid.sites.table import COLUMNS, check_sites

MADE: dict[str, Callable[[Path], Path]] = {}
"""Reader -> function that writes a small file for it into a folder."""

OPTIONS: dict[str, dict[str, object]] = {
    "table": {"variable": "ground_temperature", "columns": {"value": "t"}},
    "raster_cells": {"variable": "excess_ice_content", "n": 5, "values": {1: 25, 5: 15, 9: 5}},
}
"""Keywords without which a reader cannot read its made-up file."""


def made(builder: Callable[[Path], Path]) -> Callable[[Path], Path]:
    MADE[builder.__name__.removeprefix("make_")] = builder
    return builder


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@made
def make_table(folder: Path) -> Path:
    return write(
        folder / "mine.csv", "site_id,latitude,longitude,t,year\na,70.5,-150.2,-3.5,2001\nb,71,,-4,2002\n"
    )


@made
def make_cci_temperature(folder: Path) -> Path:
    rows = [
        "cci_ID;Name;Source;Year;maxDepth;coldSite;Depth;Temp;Latitude;Longitude;MAGT_Permafrost_cci",
        "7;Kap-Nord;RHM;1989;320;TRUE;160;-11,5;78,5;76,25;NA",
        "7;Kap-Nord;RHM;1990;320;TRUE;320;-11,25;78,5;76,25;-1,05e+01",
        "8;Føyka;GTN-P & USGS;2010;33480;FALSE;1000;-2,0;78,1;16,0;NA",
        "9;Leer;RHM;2010;NA;FALSE;200;NA;60,0;90,0;NA",
    ]
    return write(folder / "magt.csv", "\n".join(rows) + "\n", "latin-1")


def make_cci_flags(folder: Path) -> Path:
    header = "cci_ID,Name,Latitude,Longitude,Infrastructure,Urban,Water,Coast,Mountain,ETOPO..m.,"
    rows = [
        header + "low.coord.quality,landscape.mismatch,high.bias",
        "7,Kap-Nordau,78.51,76.25,Y,P,N,Y,N,12,,,",
        "7,Kap-Nordau,78.51,76.25,Y,P,N,Y,N,12,,,",
        "8,Elsewhere,50.0,16.0,Y,Y,Y,Y,Y,900,Y,,",
    ]
    path = folder / "flags.csv.gz"
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    return path


@made
def make_cci_active_layer(folder: Path) -> Path:
    rows = [
        "Source;Code;Name;Method;year;Depth;Latitude;Longitude;ALT_Permafrost_cci;;;",
        "CALM;C90 A;Nord\u00a0Park;1000/T;2001;77;65,25;-126,5;1,38;;;",
        'CALM;C91;"Bay; North Island";100;2002;60;;;;;;',
        "CALM;U31;56 Mile;100;2003;61;69,7;-148,7;0,5;;;",
        "CALM;U31;Creek;T/B/;2003;41;69,8;-144,8;0,4;;;",
        ";;Haugen;T/B102;2017;185;78,2;16,5;;;181;191",
    ]
    return write(folder / "alt.csv", "\r\n".join(rows) + "\r\n", "latin-1")


@made
def make_cci_presence(folder: Path) -> Path:
    rows = [
        "Name,Year,pe,type,Longitude,Latitude,PE_Permafrost_cci",
        "Twin,1999,False,MAGT,94.5,55.25,",
        "Twin,2000,True,ALT,120.0,70.0,100.0",
        "Other,2000,True,ALT,120.0,70.0,100.0",
    ]
    return write(folder / "pe.csv", "\n".join(rows) + "\n")


@made
def make_calm_pangaea(folder: Path) -> Path:
    rows = [
        "/* DATA DESCRIPTION:",
        "Event(s):\tCALM_X1A (X1 A, One) (URI: https://example.org/x1_f.html) * LATITUDE: 70.5 * LONGITUDE: "
        "-150.1 * ELEVATION: -2.5 m * METHOD/DEVICE: Sampling (PERM) * COMMENT: PI: A B, Method: Probing",
        "\tCALM_X2 * LATITUDE: 47.0 * LONGITUDE: 90.0 * LOCATION: Somewhere * METHOD/DEVICE: Sampling (PERM)",
        "License:\tCC-BY-4.0",
        "*/",
        "Event\tSite\tName\tID\tCountry\tArea\tLatitude\tLongitude\tDate/Time\tALD [cm]\tSample comment"
        "\tComment",
        'CALM_X1A\tX1 A\tOne "grid"\t2\tUSA\tNorth\t70.5\t-150.1\t1999\t41\tmeasurements end of July\t',
        "CALM_X1A\tX1 A\tOne\t2\tUSA\tNorth\t70.5\t-150.1\t2000\t55\t\tvalue after burning not used",
        "CALM_X1A\tX1 A\tOne\t2\tUSA\tNorth\t70.5\t-150.1\t2001\t\tinactive\t",
        "CALM_X2\tX2\tTwo\t\tMongolia\t\t47.0\t90.0\t2000\t>260\ttable was not reached by a probe\t",
        "CALM_X2\tX2\tTwo\t\tMongolia\t\t47.0\t90.0\t2001\t<460\t\t",
    ]
    return write(folder / "calm.tab", "\n".join(rows) + "\n")


@made
def make_calm_summary(folder: Path) -> Path:
    years = [1992, "###", "###", 1995]
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "north"
    for region in ("Tundra", "Steppe"):
        sheet.append([region])
        sheet.append(["Site Code", "Site Name", "Location", "", "Method", "THAW DEPTH (cm)"])
        sheet.append(["", "", "LAT", "LONG", "", *years, "", ""])
        if region == "Tundra":
            sheet.append(["X1 A", "One", 70.5, -150.1, 1000.0, "-", 30.0, "35\u00a0", "98*", "X1A", "One"])
            sheet.append(["X2 ", "Two", 69.5, -151.0, "T/B3", "*", " - ", ">260 ", "<460", "X2", "Two"])
        else:
            sheet.append(["X3", "Three", 51.0, 99.0, "T", 146.0, 1.45, "", "inactive ", "X3A", "Three"])
    path = folder / "summary.xlsx"
    book.save(path)
    return path


BOREHOLES = (
    '"id","name","site_id","e","n","h","lat","lon","depth","inc","comment"\n'
    "9,AAA_0108,2,587196.000,105043.000,2661.000,46.096772,9.99,26.000,0,none\n"
    "10,MBP_0196,14,791314.000,152493.000,2946.000,46.49639,9.93109,18.000,30,none\n"
    "11,NEW_0122,3,,,,,,,,\n"
)


@made
def make_permos_active_layer(folder: Path) -> Path:
    write(folder / "borehole_2024.csv", BOREHOLES)
    rows = [
        '"id","borehole_id","year","alt","date","guess","upper_therm","lower_therm","comment"',
        '1,9,2011,3.89,2011-09-09,true,3.00,4.00,"Guess, gaps exist"',
        '2,9,2012,,,,,1.00,"ALT < 1m"',
        '3,10,2022,13.04,2022-10-01,true,,,"The lowest sensor is warm, ALT>13 m"',
        '4,10,2023,4.9,2023-09-30,false,4.0,5.0,"maybe not yet the max"',
        '5,10,2015,,,,,,"talik, no ALT"',
        '6,11,2023,5.0,2023-09-30,,4.6,5.3,""',
    ]
    return write(folder / "alt_2024.csv", "\n".join(rows) + "\n")


def year_of_days(year: int) -> list[str]:
    return [f"{day:%Y-%m-%d}" for day in pd.date_range(f"{year}-01-01", f"{year}-12-31")]


@made
def make_permos_temperature(folder: Path) -> Path:
    days = year_of_days(2001) + year_of_days(2002)
    cold = [f"{day} 00:00:00,-2.5,{'' if day.startswith('2002-02') else '-1.0'}" for day in days]
    meta = (
        "ID;name;site;depth;inclination;cooE;cooN;cooU;Slope;Aspect\n"
        "1;MB_0196;Muot;18;30;791314;152493;2946;38;315\n"
        "2;OUT_0001;Typo;20;0;790989;1526878;2539;15;315\n"
    )
    path = folder / "series.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("MB_0196.csv", "\n".join(["Time,0.5,10", *cold]) + "\n")
        archive.writestr(
            "OUT_0001.csv", "\n".join(["Time,1", *(f"{day} 00:00:00,0.25" for day in days)]) + "\n"
        )
        archive.writestr("meta.csv", meta)
    return path


@made
def make_wang_alaska(folder: Path) -> Path:
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    rows = ["Name,Code,Lat,Lon,Year,Month,Snod,Tair,Tsur,Ts25cm,Ts50cm,Ts75cm,Ts100cm,VWC_top"]
    for number, month in enumerate(months):
        deep = "-999.99" if month == "May" else "-2.5"
        rows.append(f"AAA,77001,67.5,-162.25,2012,{month},0.1,{number - 10},-1,-3,-2,{deep},-999.99,2.1")
    return write(folder / "ak.csv", "\n".join(rows) + "\n")


LOCATIONS = (
    "Site Name,Latitude (°N),Longitude (°E),Vegetation,Soil Type\n"
    "QX09 (XDX),35.72,94.13,Alpine meadow,Aridisols\nZNX,35.49,91.96,Alpine desert,Entisols\n"
)


@made
def make_zhao_tibet(folder: Path) -> Path:
    write(folder / "Site_Location_Info_Structured.csv", LOCATIONS)
    book = openpyxl.Workbook()
    for name, columns in (("QX09", ["10cmGT", "120cmGT"]), ("ZNXAL", ["50 cm", "140 cm"])):
        sheet = book.create_sheet(name)
        sheet.append(["Year", "Month", "Day", *columns])
        for day in year_of_days(2011):
            year, month, date = map(int, day.split("-"))
            sheet.append([year, month, date, -6999 if month in {1, 2} else -2.0, 0.5])
    book.remove(book["Sheet"])
    path = folder / "active layer.xlsx"
    book.save(path)
    return path


@made
def make_zhao_thaw_depth(folder: Path) -> Path:
    write(folder / "Site_Location_Info_Structured.csv", LOCATIONS)
    rows = [
        "site,year,date,thaw_depth_cm,pf_observed,temp_C,site_key,Latitude (°N),Longitude (°E)",
        "QX09,2011,2011-09-17,120.0,1,0.03,QX09,35.72,94.13",
        "QX09,2012,2012-09-22,180.0,0,0.35,QX09,35.72,94.13",
        "ZNXAL,2014,2014-11-01,40.0,0,17.9,ZNXAL,,",
    ]
    return write(folder / "thaw.csv", "\n".join(rows) + "\n")


@made
def make_jorgenson_plots(folder: Path) -> Path:
    header = "SiteIDYear,SiteID,Date,Year,LocLandmark,LatWGS84,LonWGS84,ElevEllip_m,ElevOrtho_m,"
    rows = [
        header + "SoilThawDep_cm,SoilPFrost,SoilObsDep_cm,SoilMethod",
        "P1-2001,P1,7/21/01 0:00,2001,Ridge\u0096top,70.2,-150.1,40,0,35,p,99,C",
        "P1-2010,P1,9/1/10 0:00,2010,Ridge,70.2,-150.1,40,12.5,41,P,120,C",
        "P2-2001,P2,,2001,Flats,64.7,147.95,9999,999,999,A,9999,L",
        "P3-2001,P3,8/1/01 0:00,2001,Flats,-143.62,69.7,100,,60,a,150,L",
        "P4-2001,P4,8/1/01 0:00,2001,Bog,,,100,,55,U,0,L",
    ]
    return write(folder / "plots.csv", "\n".join(rows) + "\n", "latin-1")


@made
def make_ncss_pedons(folder: Path) -> Path:
    rows = [
        "candidate_type,pedon_key,usiteid,site_obsdate,lat,lon,pf_depth_cm,obs_limit_cm,n_frozen_layers",
        "presence,1,S1,2011-01-11T00:00:00.0Z,-77.5,161.2,24.0,120.0,2",
        "presence,2,S2,1980-07-01T00:00:00.0Z,76.2,-119.3,0.0,0.0,1",
        "absence,3,S3,1990-07-01T00:00:00.0Z,60.2,-149.3,,105.0,0",
        "absence,4,S4,2005-07-01T00:00:00.0Z,60.3,-149.3,,2.0,3",
    ]
    return write(folder / "pedons.csv", "\n".join(rows) + "\n")


def ghcn_line(year: int, january: int = 100, quality: str = " ") -> str:
    rest = "".join(f"{100 * month:>5}  G" for month in range(2, 13))
    return f"41476243000{year}TAVG{january:>5} {quality}G{rest}"


@made
def make_ghcn_monthly_v3(folder: Path) -> Path:
    write(
        folder / "made.inv",
        f"41476243000  {28.7:7.4f} {-100.52:9.4f}  {250.0:5.1f} PIEDRAS                       227S\n",
    )
    lines = [ghcn_line(1951), ghcn_line(1952, -9999), ghcn_line(1953, 9000, "O")]
    return write(folder / "made.dat", "\n".join(lines) + "\n")


@made
def make_gtnp_active_layer(folder: Path) -> Path:
    path = folder / "Activelayer_900-Made-Dataset_1-Sporadic-Mechanical_Probing.timeserie.csv"
    (folder / "Activelayer_901-Sunk-Dataset_2-Average-Ground_Subsidence.timeserie.csv").write_text("x\n")
    write(
        folder / "Activelayer_900-Made.metadata.txt",
        "\nId: 900\r\nName: Made\r\nLongitude: -148.5\r\nLatitude: 69.1\r\nElevation: 460.5\r\n"
        "Ancillary Code : X9 B\r\nDatasets: \r\n\t0: \r\n\t\tName: not this one\r\n",
    )
    dates = ["1999-08-20", "2000-06-20", "2000-08-18", "2001-07-20", "2002-08-20"]
    rows = [
        "offset_x,offset_y," + ",".join(f"{date} 00:00:00" for date in dates),
        "0,0,40,10,50,20,60",
        "0,100,44,12,-999,22,-888",
        "100,0,42,14,46",
        "100,10,42,14,46",
        "101,0,30,64",
        "101,10,30,64",
        "200,0,1,2,3,4,5,6,7,8",
    ]
    return write(path, "\r\n".join(rows) + "\r\n")


SOIL_FIELDS = (
    " 1  1       5  Индекс ВМО\n 2  2       4  Год\n 3  3       2  Месяц\n 4  4       2  День\n"
    " 5  5     5,1  Температура на глубине 20 см\n 6  5.Q     1  Признак качества\n"
    " 7  6     5,1  Температура на глубине 160 см\n 8  6.Q     1  Признак качества\n"
)
AIR_FIELDS = (
    " 1  1       5  Индекс ВМО\n 2  2       4  Год\n 3  3       2  Месяц\n 4  4       2  День\n"
    " 5  5       1  Общий признак качества температур\n"
    " 6  6     5,1  Минимальная температура воздуха\n 7  6.Q     1  Признак качества\n"
    " 8  7     5,1  Средняя температура воздуха\n 9  7.Q     1  Признак качества\n"
)


def fixed_width_zip(path: Path, fields: str, lines: list[str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("wr1.txt", "\r\n".join(lines) + "\r\n")
        archive.writestr("fld1.txt", fields.encode("cp1251"))
        archive.writestr("statlist1.txt", "24959 Якутск\n".encode("cp1251"))
    return path


def stamp(station: str, day: str) -> str:
    year, month, date = map(int, day.split("-"))
    return f"{station} {year:4d} {month:2d} {date:2d}"


@made
def make_rihmi_soil(folder: Path) -> Path:
    lines = []
    for station in ("24959", "99999"):
        for day in year_of_days(1970):
            shallow = "999.9 9" if day < "1970-05" else "  5.0 0"
            lines.append(f"{stamp(station, day)} {shallow}  -3.5 {'1' if day == '1970-07-01' else '0'}")
    return fixed_width_zip(folder / "soil.zip", SOIL_FIELDS, lines)


@made
def make_rihmi_air(folder: Path) -> Path:
    lines = [f"{stamp('24959', day)} 0       9  -9.5 0" for day in year_of_days(1900)]
    lines += [f"{stamp('24959', day)} 9       9       9" for day in year_of_days(1901)]
    return fixed_width_zip(folder / "air.zip", AIR_FIELDS, lines)


@made
def make_gsod_normals(folder: Path) -> Path:
    months = [f"CRU_CL_2_0_tmp_{month:02d}" for month in range(1, 13)]
    values = ",".join(str(month) for month in range(1, 13))
    rows = [
        ",".join(["STNID,NAME,LAT,LON,ELEV(M)", *months]),
        f'249590-99999,"YAKUTSK, AERO",62.0,129.7,101.0,{values}',
        f"999990-12345,ELSEWHERE,50.0,10.0,,{values}",
    ]
    path = folder / "stations.csv.gz"
    path.write_bytes(gzip.compress(("\n".join(rows) + "\n").encode()))
    return path


@made
def make_castagner_excess_ice(folder: Path) -> Path:
    rows = [
        "Site ID,SampleID,From (m),To (m),Depth,Material.simplified,VI num 1,Visible ice 1,EI,"
        "Holocene deposit,Deposit.type",
        "HUS_P (NTGS 8),S1,2.5,3,2.75,Fine,3,Low,0,Alluvial,Glaciofluvial",
        "HUS_P (NTGS 8),S2,3,3.5,3.25,Organics,75,High,0.62,Organics,Moraine",
    ]
    return write(folder / "excess.csv", "\n".join(rows) + "\n")


@made
def make_castagner_visible_ice(folder: Path) -> Path:
    rows = [
        "Borehole.ID,Top.depth,Bottom.depth,Material.simplified,Visible.ice,VRM,Slope,Organic.cover..m.,"
        "Surficial.materials..Rampton.1987.map.,Holocene.deposits,Deposit.type",
        "174-18,1.5,2.4,Fine,Medium to high,Smooth,Undulating,0.1,Hummocky,Organics,Glaciolacustrine",
        "174-18,2.4,4,Till,No visible ice,Smooth,Undulating,0.1,Hummocky,NA,Moraine",
        "174-22,0,1,Coarse,,Rugged,Flat,0,Colluvial,NA,Moraine",
    ]
    return write(folder / "layers.csv", "\n".join(rows) + "\n")


@made
def make_raster_cells(folder: Path) -> Path:
    codes = np.array([[1, 1, 5, 9], [9, 9, 5, 25], [9, 0, 9, 24]], dtype="uint8")
    path = folder / "map.tif"
    place = {"crs": "EPSG:3408", "transform": Affine(12500.0, 0, -3e6, 0, -12500.0, 1e6), "nodata": 0}
    with rasterio.open(
        path, "w", driver="GTiff", height=3, width=4, count=1, dtype="uint8", **place
    ) as raster:
        raster.write(codes, 1)
    return path


def test_every_reader_has_a_made_up_file() -> None:
    assert sorted(MADE) == READERS.names()


@pytest.mark.parametrize("name", sorted(MADE))
def test_reader_keeps_the_contract(name: str, tmp_path: Path) -> None:
    path = MADE[name](tmp_path)
    sites = READERS[name](path, **OPTIONS.get(name, {}))
    check_sites(sites)
    assert [*COLUMNS, "geometry"] == list(sites.columns)[: len(COLUMNS) + 1]
    if not name.startswith("castagner"):
        assert len(sites.columns) == len(COLUMNS) + 1
    assert len(sites) > 0
    assert sites["value"].notna().all()
    assert sites["row"].ge(1).all()
    assert sites["site_id"].str.fullmatch(r"[a-z_]+:.+").all()
    for column in ("original_id", "source", "file"):
        assert (sites[column] != "").all(), column
    assert sites["file"].eq(path.name).all()
    if name != "table":
        assert (sites["citation"] != "").all()
        assert (sites["licence"] != "").all()


@pytest.mark.parametrize("name", sorted(MADE))
def test_reader_gives_the_same_table_twice(name: str, tmp_path: Path) -> None:
    path = MADE[name](tmp_path)
    first, second = (READERS[name](path, **OPTIONS.get(name, {})) for _ in range(2))
    pd.testing.assert_frame_equal(pd.DataFrame(first), pd.DataFrame(second))


@pytest.mark.parametrize("name", sorted(MADE))
def test_reader_takes_its_path_as_text_too(name: str, tmp_path: Path) -> None:
    path = MADE[name](tmp_path)
    assert len(READERS[name](str(path), **OPTIONS.get(name, {}))) > 0
