"""The command ``permagrid fetch``: what it prints, its errors in one line, and what it leaves."""

from pathlib import Path

import pytest
from server import Site
from test_fetch_archives import zipped

from command_line import call
from permagrid.catalogue import SOURCES

ZIP = "/wc2.1_10m_bio.zip"


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.name != ".fetch.lock")


def test_all_sources_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = call(capsys, "fetch", "--list")
    assert outcome.status == 0
    listed = [line.split()[0] for line in outcome.out.splitlines()]
    assert listed == [*SOURCES, "pangaea/NUMBER"]


def test_what_is_known_of_a_source(capsys: pytest.CaptureFixture[str]) -> None:
    lines = call(capsys, "fetch", "modis/MOD13A3", "--list").out.splitlines()
    assert "login: EARTHDATA_TOKEN, or EARTHDATA_USERNAME and EARTHDATA_PASSWORD" in lines
    assert "note: The address was not verified." in lines
    assert any(line.startswith("licence: ") for line in lines)
    bio = call(capsys, "fetch", "worldclim1.4/bio", "--list").out
    assert "variable: bio4 [delta degC] Temperature seasonality (standard deviation)" in bio
    assert "not verified" not in bio


def test_a_fetch_prints_licence_and_citation(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.put(ZIP, zipped({f"wc2.1_10m_bio_{n}.tif": b"x" for n in range(1, 20)}))
    asked = (
        "fetch",
        "worldclim2.1/bio",
        "--variables",
        "bio1, bio12",
        "--out",
        tmp_path,
        "--base-url",
        site.url,
    )
    outcome = call(capsys, *asked)
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == f"{tmp_path / 'worldclim2.1/bio/10m'}: 2 fetched, 0 there already"
    assert lines[1].startswith("licence: free for academic")
    assert lines[2].startswith("cite: Fick")
    assert "0 fetched, 2 there already" in call(capsys, *asked).out
    assert call(capsys, *asked, "-q").out == ""


def test_a_mirror_may_be_named_by_the_environment(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERMAGRID_BASE_URL", site.url)
    site.put("/tabledata_v4/ZonAnn.Ts+dSST.csv", b"Year\n")
    assert call(capsys, "fetch", "gistemp4/zonal", "--out", tmp_path).status == 0
    assert names(tmp_path) == ["SOURCE.json", "ZonAnn.Ts+dSST.csv"]


def test_a_dry_run_shows_the_plan_and_writes_nothing(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.put(ZIP, bytes(1234))
    asked = ("fetch", "worldclim2.1/bio", "--dry-run", "--out", tmp_path / "new", "--base-url", site.url)
    outcome = call(capsys, *asked)
    assert outcome.status == 0
    lines = outcome.out.splitlines()
    assert f"  {site.url}{ZIP} (1.23 kB)" in lines
    assert "    -> wc2.1_10m_bio_1.tif, wc2.1_10m_bio_2.tif, wc2.1_10m_bio_3.tif, " in outcome.out
    assert lines[-1] == "1 download, 1.23 kB"
    assert not (tmp_path / "new").exists()
    assert [seen.method for seen in site.seen] == ["HEAD"]


def test_a_plan_may_be_seen_without_a_server_and_without_a_login(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("permagrid.fetch.web.Web.size", lambda *_: None)
    asked = ("fetch", "chelsa2.1/monthly", "--variables", "tas", "--years", "1980-2010", "--dry-run")
    outcome = call(capsys, *asked)
    assert outcome.status == 0
    assert outcome.out.splitlines()[-2:] == ["  and 312 more", "372 downloads"]
    assert call(capsys, "fetch", "copernicus-dem/90", "--region", -1, 60, 1, 61, "--dry-run").status == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("worldclim2.1/boi",), "unknown source 'worldclim2.1/boi': did you mean 'worldclim2.1/bio'?"),
        (("worldclim2.1/bio", "--resolution", "1m"), "worldclim2.1/bio has no resolution '1m'"),
        (("chelsa2.1/monthly", "--years", "eighties"), "--years eighties: no span of years"),
        (
            ("modis/MOD13A3",),
            "modis/MOD13A3 asks for a login: set EARTHDATA_TOKEN, or EARTHDATA_USERNAME and",
        ),
        (("gistemp4/zonal", "--base-url", "ftp://example.org"), "only http and https addresses are opened"),
        (("hwsd1.2/topsoil",), "hwsd1.2/topsoil can be had by hand only"),
    ],
)
def test_mistakes_are_one_line_and_status_2(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = call(capsys, "fetch", *arguments, "--out", tmp_path)
    assert (outcome.status, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ({"content": b"no zip"}, "is no whole zip archive"),
        ({"content": zipped({"../x.tif": b"x"})}, "leads out of its folder"),
        ({"content": zipped({"other.tif": b"x"})}, "holds no wc2.1_10m_bio_1.tif; it holds other.tif"),
        ({"content": b"<html>", "kind": "text/html"}, "answers with a web page"),
        ({"content": b"x", "headers": {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}}, "the file was not kept"),
        ({"redirect": "file:///etc/passwd"}, "which is no http or https address"),
        ({"login": ("Authorization", "x")}, "asks for a login"),
        ({"failures": [404]}, "there is no such file (404)"),
        ({"failures": [400]}, "answers 400 Bad Request"),
    ],
)
def test_what_a_server_does_wrong_is_one_line_and_leaves_no_file(
    page: dict[str, object], said: str, site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.put(ZIP, **page)
    outcome = call(capsys, "fetch", "worldclim2.1/bio", "--out", tmp_path, "--base-url", site.url)
    assert outcome.status == 2
    (line,) = outcome.err.splitlines()
    assert said in line
    assert names(tmp_path) == []


def test_a_fetch_that_was_cut_off_goes_on(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("permagrid.fetch.web._sleep", lambda _: None)
    content = zipped({f"wc2.1_10m_bio_{n}.tif": bytes([n]) * 500 for n in range(1, 20)})
    page = site.put(ZIP, content, cuts=[800, 0, 0, 0, 0, 0])
    asked = ("fetch", "worldclim2.1/bio", "--out", tmp_path, "--base-url", site.url)
    outcome = call(capsys, *asked)
    assert outcome.status == 2
    assert "ended early, 800 of" in outcome.err
    assert "run it again later" in outcome.err
    assert names(tmp_path) == ["wc2.1_10m_bio.zip.partial", "wc2.1_10m_bio.zip.partial.json"]
    page.cuts = []
    assert call(capsys, *asked).status == 0
    assert site.asked(ZIP)[-1].headers["Range"] == "bytes=800-"
    assert len(names(tmp_path)) == 20


def test_an_interrupt_keeps_the_part(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put("/tabledata_v4/ZonAnn.Ts+dSST.csv", b"Year\n" * 10, cuts=[20])

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("permagrid.fetch.web._sleep", interrupt)
    outcome = call(capsys, "fetch", "gistemp4/zonal", "--out", tmp_path, "--base-url", site.url)
    assert outcome.status == 130
    assert "ZonAnn.Ts+dSST.csv" not in names(tmp_path)
    assert "ZonAnn.Ts+dSST.csv.partial" in names(tmp_path)


def test_neither_a_source_nor_a_list_is_a_usage_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = call(capsys, "fetch")
    assert outcome.status == 2
    assert "name a SOURCE, or ask for --list" in outcome.err
