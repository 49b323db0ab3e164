"""Bad input to the readers: each mistake gives one sentence that names file, place and reason."""

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import test_readers_made as files

from permagrid.errors import PermagridError
from permagrid.sites.readers import READERS

GOOD = "site_id,latitude,longitude,value\na,70,10,1.5\nb,71,11,2.5\n"


class Bad(NamedTuple):
    """A faulty file, how it is read, and what the message must say."""

    reader: str
    content: bytes
    message: str
    name: str = "bad.csv"
    options: dict[str, object] = {}  # noqa: RUF012 - never changed


def plain(content: str, message: str, **options: object) -> Bad:
    return Bad("table", content.encode(), message, options={"variable": "air_temperature", **options})


BAD = {
    "empty file": plain("", "bad.csv: the file is empty"),
    "only blanks": plain(" \n\n", "the file is empty"),
    "header alone": plain("site_id,value\n", "no rows below the header"),
    "missing column": plain(
        "latitude,longitude,t\n1,2,3\n", r"no column for value.*found: latitude, longitude, t"
    ),
    "mapped column missing": plain(GOOD, "missing column MAGT; found: site_id", columns={"value": "MAGT"}),
    "wrong delimiter": plain("a;b\n1;2\n", "is ';' the delimiter", columns={"value": "b"}),
    "unknown site column": plain(
        GOOD, "unknown column 'vlaue': did you mean 'value'", columns={"vlaue": "x"}
    ),
    "duplicate column": plain("value,latitude,value\n1,2,3\n", "duplicate column names: value"),
    "word for a number": plain(GOOD.replace("2.5", "warm"), r"column 'value', row 3: 'warm' is not a number"),
    "infinite number": plain(GOOD.replace("2.5", "inf"), r"row 3: 'inf' is not a number"),
    "thousands": plain(GOOD.replace("2.5", "1.234.5"), "row 3: '1.234.5' is not a number"),
    "point with decimal comma": plain(GOOD, "row 2: '1.5' is not a number", decimal=","),
    "short line": plain(GOOD + "c,72\n", "row 4 has 2 fields, the header 4"),
    "long line": plain(GOOD + "c,72,1,2,3\n", "row 4 has 5 fields, the header 4"),
    "no value at all": plain("latitude,longitude,value\n1,2,\n", "holds no observation"),
    "unknown unit": plain(GOOD, "unknown unit 'Kelvin'", unit="Kelvin"),
    "unit of another kind": plain(GOOD, r"'cm' \(length\) cannot be turned into 'degC'", unit="cm"),
    "unknown depth unit": plain(GOOD, "unknown unit 'inch'", depth_unit="inch"),
    "unknown variable": plain(GOOD, "unknown variable 'magt'", variable="magt"),
    "unknown crs": plain(GOOD, "unknown coordinate reference system 'EPSG:0'", crs="EPSG:0"),
    "unknown encoding": plain(GOOD, "unknown encoding 'klingon'", encoding="klingon"),
    "other encoding": Bad(
        "table", GOOD.replace("b,", "Å,").encode("latin-1"), "line 3 is not utf-8-sig text"
    ),
    "utf-16": Bad("cci_temperature", GOOD.encode("utf-16-le"), "NUL characters"),
    "unknown kind": Bad("table", b"x", "unknown kind of table '.docx'", name="bad.docx"),
    "broken gzip": Bad("gsod_normals", gzip.compress(b"x" * 999)[:20], "cannot be read", name="bad.csv.gz"),
    "no workbook": Bad(
        "zhao_tibet", b"PK\x03\x04 nonsense", "not a readable Excel workbook", name="bad.xlsx"
    ),
    "no old workbook": Bad(
        "calm_summary", b"\xd0\xcf\x11\xe0 no", "not a readable Excel workbook", name="bad.xls"
    ),
    "broken parquet": Bad("table", b"PAR1 nonsense", "cannot be read", name="bad.parquet"),
    "broken zip": Bad("rihmi_soil", b"PK\x03\x04 nonsense", "not a readable zip file", name="bad.zip"),
    "no permos zip": Bad("permos_temperature", b"PK nonsense", "not a readable zip file", name="bad.zip"),
    "endless header": Bad("calm_pangaea", b"/* DATA\nEvent\n", "does not end"),
    "line of other length": Bad(
        "ghcn_monthly_v3", b"41476243000\n", "row 1: '41476243000' begins a line not 115"
    ),
    "other letter": Bad(
        "jorgenson_plots",
        b"SiteIDYear,SiteID,Date,Year,LocLandmark,LatWGS84,LonWGS84,ElevEllip_m,ElevOrtho_m,"
        b"SoilThawDep_cm,SoilPFrost,SoilObsDep_cm,SoilMethod\n1,1,,2000,x,1,2,3,4,5,Q,6,C\n",
        "column 'SoilPFrost', row 2: 'Q' is none of P, A, U",
    ),
    "no date in a header": Bad(
        "gtnp_active_layer",
        b"offset_x,offset_y,August\n0,0,4\n",
        "column 'August' is no date",
        name="A.timeserie.csv",
    ),
    "no grid": Bad("gtnp_active_layer", b"a,b\n1,2\n", "must begin with offset_x", name="A.timeserie.csv"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=list(BAD))
def test_bad_input_gives_one_clear_sentence(case: Bad, tmp_path: Path) -> None:
    path = tmp_path / case.name
    path.write_bytes(case.content)
    options = dict(case.options)
    if case.reader == "table":
        options.setdefault("variable", "air_temperature")
    with pytest.raises(PermagridError, match=case.message) as caught:
        READERS[case.reader](path, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(files.MADE))
def test_every_reader_names_a_missing_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(PermagridError, match=r"file not found.*absent\.csv"):
        READERS[name](tmp_path / "absent.csv", **files.OPTIONS.get(name, {}))


@pytest.mark.parametrize("name", sorted(set(files.MADE) - {"gtnp_active_layer"}))
def test_every_reader_refuses_a_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(PermagridError, match=r"folder\.csv: cannot be read"):
        READERS[name](folder, **files.OPTIONS.get(name, {}))


COLUMN = {
    "cci_temperature": "Temp",
    "cci_active_layer": "Depth",
    "cci_presence": "pe",
    "calm_pangaea": "ALD [cm]",
    "permos_active_layer": "alt",
    "wang_alaska": "Ts50cm",
    "zhao_thaw_depth": "pf_observed",
    "jorgenson_plots": "SoilPFrost",
    "ncss_pedons": "obs_limit_cm",
}


@pytest.mark.parametrize("name", sorted(COLUMN))
def test_readers_name_the_missing_column(name: str, tmp_path: Path) -> None:
    path = files.MADE[name](tmp_path)
    path.write_bytes(path.read_bytes().replace(COLUMN[name].encode(), b"other name", 1))
    with pytest.raises(PermagridError, match=r"missing column.*; found: .*other name") as caught:
        READERS[name](path)
    assert COLUMN[name] in str(caught.value)


def spoil(builder: Callable[[Path], Path], folder: Path, old: bytes, new: bytes) -> Path:
    path = builder(folder)
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    return path


def test_a_summary_sheet_without_years_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PermagridError, match="no sheet 'south'; found: north"):
        READERS["calm_summary"](files.make_calm_summary(tmp_path), sheet="south")


def test_a_comment_in_a_series_of_permos_is_found(tmp_path: Path) -> None:
    path = files.make_permos_temperature(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("ZZZ_0001.csv", "Time,1\n2001-01-01 00:00:00,-1\n2001-01-02 00:00:00,ice\n")
    with pytest.raises(PermagridError, match=r"ZZZ_0001\.csv: column '1', row 3: 'ice' is not a number"):
        READERS["permos_temperature"](path)


def test_permos_needs_its_boreholes(tmp_path: Path) -> None:
    path = files.make_permos_active_layer(tmp_path)
    (tmp_path / "borehole_2024.csv").unlink()
    with pytest.raises(PermagridError, match=r"no borehole_\*\.csv beside it; set boreholes_path"):
        READERS["permos_active_layer"](path)


def test_gtnp_needs_its_metadata(tmp_path: Path) -> None:
    path = files.make_gtnp_active_layer(tmp_path)
    spoil(lambda folder: folder / "Activelayer_900-Made.metadata.txt", tmp_path, b"Latitude", b"Lat")
    with pytest.raises(PermagridError, match=r"metadata\.txt: no line Latitude"):
        READERS["gtnp_active_layer"](path)
    (tmp_path / "Activelayer_900-Made.metadata.txt").unlink()
    with pytest.raises(PermagridError, match=r"file not found.*metadata\.txt"):
        READERS["gtnp_active_layer"](path)


def test_a_line_that_does_not_fit_the_field_list_is_found(tmp_path: Path) -> None:
    lines = ["24959 1970  1  1   1.0 0   2.0 0", "24959 1970  1  2   1.0 0"]
    path = files.fixed_width_zip(tmp_path / "soil.zip", files.SOIL_FIELDS, lines)
    with pytest.raises(PermagridError, match="line 2 has 24 characters, its list of fields 32"):
        READERS["rihmi_soil"](path)
    letters = files.fixed_width_zip(
        tmp_path / "soil.zip", files.SOIL_FIELDS, [lines[0].replace("1.0", "abc")]
    )
    with pytest.raises(PermagridError, match="holds what is not a number"):
        READERS["rihmi_soil"](letters)
    with pytest.raises(PermagridError, match="names no mean air temperature"):
        READERS["rihmi_air"](path)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("wang_alaska", {"variable": "snow"}, "unknown variable 'snow'"),
        ("jorgenson_plots", {"variable": "ice"}, "unknown variable 'ice'"),
        ("gtnp_active_layer", {"survey": "first"}, "unknown survey 'first'"),
        ("rihmi_soil", {"variable": "air_temperature"}, "unknown variable 'air_temperature'"),
        ("cci_temperature", {"min_depth": 99.0}, "holds no observation"),
        ("permos_temperature", {"min_days": 400}, "holds no observation"),
    ],
)
def test_readers_refuse_options(name: str, options: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(PermagridError, match=message):
        READERS[name](files.MADE[name](tmp_path), **options)
