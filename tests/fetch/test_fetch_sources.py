"""Whole fetches of data sets of the catalogue, from a mirror on this machine."""

import gzip
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from server import Site
from test_fetch_archives import zipped

from permagrid.catalogue import Layout, find_source
from permagrid.errors import PermagridError
from permagrid.fetch import Choice, Web, fetch, make_plan

BIO = {f"wc2.1_10m_bio_{number}.tif": f"layer {number}".encode() * 50 for number in range(1, 20)}
ZIP = "/wc2.1_10m_bio.zip"


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def record(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "SOURCE.json").read_text(encoding="utf-8"))
    return content


def test_variables_are_taken_from_an_archive_and_recorded(site: Site, web: Web, tmp_path: Path) -> None:
    site.put(ZIP, zipped(BIO))
    chosen = Choice("10m", ("bio1", "bio12"))
    done = fetch("worldclim2.1/bio", tmp_path, chosen, mirror=f"{site.url}/", web=web)
    folder = tmp_path / "worldclim2.1" / "bio" / "10m"
    assert done.folder == folder
    assert done.fetched == ["wc2.1_10m_bio_1.tif", "wc2.1_10m_bio_12.tif"]
    assert names(folder) == [".fetch.lock", "SOURCE.json", *done.fetched]
    kept = record(folder)
    assert (kept["source"], kept["resolution"], kept["doi"]) == (
        "worldclim2.1/bio",
        "10m",
        "10.1002/joc.5086",
    )
    assert "Fick" in str(kept["citation"])
    entry = kept["files"]["wc2.1_10m_bio_1.tif"]  # type: ignore[index]
    assert entry["url"] == f"{site.url}{ZIP}"
    assert entry["bytes"] == len(BIO["wc2.1_10m_bio_1.tif"])
    assert entry["sha256"] == hashlib.sha256(BIO["wc2.1_10m_bio_1.tif"]).hexdigest()
    assert entry["fetched"].endswith("Z")


def test_what_is_there_is_not_fetched_again(site: Site, web: Web, tmp_path: Path) -> None:
    site.put(ZIP, zipped(BIO))
    for variables in (("bio1",), ("bio1", "bio2")):
        done = fetch("worldclim2.1/bio", tmp_path, Choice("10m", variables), mirror=site.url, web=web)
    assert (done.fetched, done.kept) == (["wc2.1_10m_bio_2.tif"], ["wc2.1_10m_bio_1.tif"])
    before = len(site.seen)
    again = fetch("worldclim2.1/bio", tmp_path, Choice("10m", ("bio1", "bio2")), mirror=site.url, web=web)
    assert (again.fetched, len(again.kept), len(site.seen)) == ([], 2, before)
    assert sorted(record(done.folder)["files"]) == [*again.kept]  # type: ignore[call-overload]


def test_a_file_that_was_cut_short_since_is_fetched_again(site: Site, web: Web, tmp_path: Path) -> None:
    site.put(ZIP, zipped(BIO))
    done = fetch("worldclim2.1/bio", tmp_path, Choice("10m", ("bio1",)), mirror=site.url, web=web)
    file = done.folder / done.fetched[0]
    file.write_bytes(b"cut")
    again = fetch("worldclim2.1/bio", tmp_path, Choice("10m", ("bio1",)), mirror=site.url, web=web)
    assert again.fetched == done.fetched
    assert file.read_bytes() == BIO[done.fetched[0]]


def test_force_fetches_anew_and_archives_may_stay(site: Site, web: Web, tmp_path: Path) -> None:
    page = site.put(ZIP, zipped(BIO))
    choice = Choice("10m", ("bio1",))
    fetch("worldclim2.1/bio", tmp_path, choice, mirror=site.url, web=web, keep_archives=True)
    folder = tmp_path / "worldclim2.1/bio/10m"
    assert "wc2.1_10m_bio.zip" in names(folder)
    page.content, page.etag = zipped({**BIO, "wc2.1_10m_bio_1.tif": b"new"}), '"v2"'
    fetch("worldclim2.1/bio", tmp_path, choice, mirror=site.url, web=web, force=True)
    assert (folder / "wc2.1_10m_bio_1.tif").read_bytes() == b"new"


def test_an_archive_that_someone_put_there_is_unpacked_without_a_request(
    site: Site, web: Web, tmp_path: Path
) -> None:
    folder = tmp_path / "worldclim2.1/bio/10m"
    folder.mkdir(parents=True)
    (folder / "wc2.1_10m_bio.zip").write_bytes(zipped(BIO))
    done = fetch("worldclim2.1/bio", tmp_path, Choice("10m"), mirror=site.url, web=web)
    assert len(done.fetched) == 19
    assert site.seen == []
    assert (folder / "wc2.1_10m_bio.zip").is_file()


def test_a_bad_archive_is_not_kept(site: Site, web: Web, tmp_path: Path) -> None:
    site.put(ZIP, zipped({"../../out.tif": b"bad", **BIO}))
    with pytest.raises(PermagridError, match="leads out of its folder"):
        fetch("worldclim2.1/bio", tmp_path, Choice("10m"), mirror=site.url, web=web)
    assert [name for name in names(tmp_path) if not name.endswith(".fetch.lock")] == []


def test_old_layouts_of_worldclim(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/bio_2-5m_bil.zip", zipped({"bio1.bil": b"1", "bio1.hdr": b"h"}))
    site.put("/bio10-19_30s_bil.zip", zipped({"bio_12.bil": b"12", "bio_12.hdr": b"h"}))
    one = fetch("worldclim1.4/bio", tmp_path, Choice("2.5m", ("bio1",)), mirror=site.url, web=web)
    two = fetch("worldclim1.4/bio", tmp_path, Choice("30s", ("bio12",)), mirror=site.url, web=web)
    assert (one.fetched, two.fetched) == (["bio1.bil", "bio1.hdr"], ["bio_12.bil", "bio_12.hdr"])


def test_years_of_a_series_come_from_the_archives_that_hold_them(
    site: Site, web: Web, tmp_path: Path
) -> None:
    months = {f"wc2.1_cruts4.09_10m_tmin_{y}-{m:02d}.tif": b"x" for y in (1989, 1990) for m in range(1, 13)}
    for span in ("1980-1989", "1990-1999"):
        held = {name: content for name, content in months.items() if f"_{span[:3]}" in name}
        site.put(f"/cts4.09/wc2.1_cruts4.09_10m_tmin_{span}.zip", zipped(held))
    choice = Choice("10m", ("tmin",), years=(1989, 1990))
    done = fetch("worldclim2.1/monthly", tmp_path, choice, mirror=site.url, web=web)
    assert sorted(done.fetched) == sorted(months)


def test_a_gzip_file_is_unpacked(site: Site, web: Web, tmp_path: Path) -> None:
    path = "/cru_ts_4.09/cruts.2503051245.v4.09/tmp/cru_ts4.09.1901.2024.tmp.dat.nc.gz"
    site.put(path, gzip.compress(b"netcdf"), headers={"Content-Encoding": "x-gzip"})
    done = fetch("cru_ts4.09", tmp_path, Choice(variables=("tmp",)), mirror=site.url, web=web)
    assert names(done.folder) == [".fetch.lock", "SOURCE.json", "cru_ts4.09.1901.2024.tmp.dat.nc"]
    assert (done.folder / done.fetched[0]).read_bytes() == b"netcdf"


def test_tiles_of_the_sea_are_absent_and_no_fault(site: Site, web: Web, tmp_path: Path) -> None:
    tile = "Copernicus_DSM_COG_10_N46_00_E009_00_DEM"
    site.put(f"/{tile}/{tile}.tif", b"dem")
    choice = Choice(region=(8.5, 46.2, 9.5, 46.8))
    done = fetch("copernicus-dem/30", tmp_path, choice, mirror=site.url, web=web)
    assert (done.fetched, done.absent) == ([f"{tile}.tif"], [f"{tile.replace('E009', 'E008')}.tif"])
    with pytest.raises(PermagridError, match="has no file there; none of 1 tiles exists"):
        fetch("copernicus-dem/30", tmp_path, Choice(region=(1, 1, 2, 2)), mirror=site.url, web=web)


def test_one_file_that_lacks_does_not_stop_the_others(site: Site, web: Web, tmp_path: Path) -> None:
    for number in (1, 3):
        site.put(f"/bioclim/bio0{number}/1981-2010/CHELSA_bio0{number}_1981-2010_V.2.1.tif", b"x")
    choice = Choice(variables=("bio1", "bio2", "bio3"))
    with pytest.raises(PermagridError, match=r"CHELSA_bio02_.*there is no such file \(404\); the rest is in"):
        fetch("chelsa2.1/bio", tmp_path, choice, mirror=site.url, web=web)
    folder = tmp_path / "chelsa2.1/bio"
    assert sorted(record(folder)["files"]) == [  # type: ignore[call-overload]
        "CHELSA_bio01_1981-2010_V.2.1.tif",
        "CHELSA_bio03_1981-2010_V.2.1.tif",
    ]


def test_a_box_is_cut_out_anew_where_the_region_changes(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/mapserv", b"tif")
    for region in ((9, 46, 10, 47), (9, 46, 10, 47), (9, 46, 11, 47)):
        choice = Choice("250m", ("sand_0_5cm",), region=region)
        done = fetch("soilgrids2.0/sand", tmp_path, choice, mirror=site.url, web=web)
    asked = [seen.path for seen in site.seen if seen.path.startswith("/mapserv") and ".sha" not in seen.path]
    assert len(asked) == 2
    assert "SUBSET=long(9,11)&SUBSET=lat(46,47)" in asked[-1]
    url = record(done.folder)["files"][done.fetched[0]]["url"]  # type: ignore[index]
    assert url == f"{site.url}{asked[-1]}"


@pytest.mark.parametrize("side", [".sha256", ".md5"])
def test_a_mirror_may_state_checksums_beside_its_files(
    side: str, site: Site, web: Web, tmp_path: Path
) -> None:
    path, content = "/tabledata_v4/ZonAnn.Ts+dSST.csv", b"Year,Glob\n"
    site.put(path, content)
    digest = hashlib.new(side[1:], content).hexdigest()
    stated = site.put(f"{path}{side}", f"{digest}  ZonAnn.Ts+dSST.csv\n".encode())
    done = fetch("gistemp4/zonal", tmp_path, mirror=site.url, web=web)
    entry = record(done.folder)["files"]["ZonAnn.Ts+dSST.csv"]  # type: ignore[index]
    assert entry["compared_with"] == f"{side[1:]}:{digest}"
    stated.content = f"{'0' * len(digest)}  ZonAnn.Ts+dSST.csv\n".encode()
    with pytest.raises(PermagridError, match="the file was not kept"):
        fetch("gistemp4/zonal", tmp_path / "other", mirror=site.url, web=web)
    assert not (tmp_path / "other/gistemp4/zonal/ZonAnn.Ts+dSST.csv").exists()


def test_a_file_that_someone_put_there_is_kept_and_recorded_as_such(
    site: Site, web: Web, tmp_path: Path
) -> None:
    folder = tmp_path / "gistemp4/zonal"
    folder.mkdir(parents=True)
    (folder / "ZonAnn.Ts+dSST.csv").write_bytes(b"mine")
    done = fetch("gistemp4/zonal", tmp_path, mirror=site.url, web=web)
    assert (done.kept, site.seen) == (["ZonAnn.Ts+dSST.csv"], [])
    entry = record(folder)["files"]["ZonAnn.Ts+dSST.csv"]  # type: ignore[index]
    assert (entry["url"], entry["fetched"]) == (None, None)
    assert entry["sha256"] == hashlib.sha256(b"mine").hexdigest()


def test_two_fetches_do_not_work_in_one_folder(site: Site, web: Web, tmp_path: Path) -> None:
    folder = tmp_path / "gistemp4/zonal"
    folder.mkdir(parents=True)
    with (
        FileLock(folder / ".fetch.lock"),
        pytest.raises(PermagridError, match="another fetch is at work here; wait for it"),
    ):
        fetch("gistemp4/zonal", tmp_path, mirror=site.url, web=web)


def test_the_record_of_another_source_is_not_written_over(site: Site, web: Web, tmp_path: Path) -> None:
    folder = tmp_path / "gistemp4/zonal"
    folder.mkdir(parents=True)
    (folder / "SOURCE.json").write_text('{"source": "mine"}')
    with pytest.raises(PermagridError, match="is of 'mine', not of 'gistemp4/zonal'; choose another --out"):
        fetch("gistemp4/zonal", tmp_path, mirror=site.url, web=web)


def test_a_folder_that_cannot_be_made(site: Site, web: Web, tmp_path: Path) -> None:
    (tmp_path / "gistemp4").write_text("in the way")
    with pytest.raises(PermagridError, match="cannot be written to"):
        fetch("gistemp4/zonal", tmp_path, mirror=site.url, web=web)


def test_what_people_only_can_get_is_told_with_its_place(site: Site, web: Web, tmp_path: Path) -> None:
    with pytest.raises(
        PermagridError, match=r"get it at https://doi\.org/10\.3334/ORNLDAAC/1247 and put T_SAND"
    ):
        fetch("hwsd1.2/topsoil", tmp_path, web=web)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("source", "choice", "said"),
    [
        ("worldclim2.1/bio", Choice("9m"), "has no resolution '9m': Allowed: 10m, 5m, 2.5m, 30s"),
        ("chelsa2.1/bio", Choice("30s"), "has no resolution '30s': it has one only"),
        ("worldclim2.1/bio", Choice(variables=("bio20",)), "has no variable 'bio20': did you mean"),
        ("worldclim2.1/bio", Choice(region=(0, 0, 1, 1)), "knows no --region; leave it out"),
        ("worldclim2.1/bio", Choice(years=(1980, 1981)), "knows no --years; leave it out"),
        ("worldclim2.1/bio", Choice(cloud=5.0), "knows no --cloud; leave it out"),
        ("chelsa2.1/monthly", Choice(), "needs --years, within 1980-2018"),
        ("chelsa2.1/monthly", Choice(years=(1970, 1980)), "covers 1980-2018, which does not hold 1970-1980"),
        ("chelsa2.1/monthly", Choice(years=(1990, 1985)), "does not hold 1990-1985"),
        ("copernicus-dem/30", Choice(), "needs --region"),
        ("soilgrids2.0/sand", Choice("250m"), "needs --region"),
        ("soilgrids2.0/sand", Choice("250m", region=(170, 60, -170, 61)), "must not cross 180 degrees"),
        ("landsat-c2-l2", Choice(), "needs --region"),
        ("landsat-c2-l2", Choice(region=(9, 46, 10, 47)), "needs --years, within 1982-2026"),
        ("modis/MOD11A2", Choice(region=(9, 46, 10, 47), years=(2001, 2001), cloud=9.0), "knows no --cloud"),
    ],
)
def test_a_choice_that_does_not_suit(source: str, choice: Choice, said: str, web: Web) -> None:
    with pytest.raises(PermagridError, match=said):
        make_plan(find_source(source), choice, web)


@pytest.mark.parametrize(
    "mirror", ["ftp://example.org", "https://me:pw@example.org", "https://example.org/?a=1"]
)
def test_a_mirror_that_is_none(mirror: str, web: Web) -> None:
    with pytest.raises(PermagridError):
        make_plan(find_source("gistemp4/zonal"), Choice(), web, mirror=mirror)


def test_a_mirror_is_sent_no_login(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", "secret")
    site.put("/a.csv", b"x")
    source = replace(find_source("gistemp4/zonal"), credential="earthdata", layout=Layout("a.csv", "a.csv"))
    fetch(source, tmp_path, mirror=site.url)
    assert all("Authorization" not in seen.headers for seen in site.seen)
    assert site.asked("/a.csv")
