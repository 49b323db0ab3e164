"""One file over HTTP: whole or not at all, resumed, checked, and had in spite of passing trouble."""

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server import Answer, Seen, Site, serving

from permagrid.errors import PermagridError
from permagrid.fetch import Web
from permagrid.fetch.checksums import Checksum
from permagrid.fetch.download import Wanted, download
from permagrid.fetch.logins import Login
from permagrid.fetch.web import MissingError

CONTENT = bytes(range(256)) * 40


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def sha256(content: bytes) -> Checksum:
    return Checksum("sha256", hashlib.sha256(content).hexdigest())


def test_a_file_comes_whole_and_nothing_else_stays(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tif", CONTENT)
    shown: list[tuple[int, int]] = []
    download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif", advance=lambda *at: shown.append(at))
    assert (tmp_path / "a.tif").read_bytes() == CONTENT
    assert names(tmp_path) == ["a.tif"]
    assert shown[-1] == (len(CONTENT), len(CONTENT))


def test_a_cut_connection_is_resumed_where_it_broke(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tif", CONTENT, cuts=[3000, 2000])
    download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == CONTENT
    asked = [(seen.headers.get("Range"), seen.headers.get("If-Range")) for seen in site.asked("/a.tif")]
    assert asked == [(None, None), ("bytes=3000-", '"v1"'), ("bytes=5000-", '"v1"')]


def test_a_later_call_goes_on_with_the_part_of_an_earlier_one(site: Site, tmp_path: Path) -> None:
    site.put("/a.tif", CONTENT, cuts=[4096])
    once = Web(attempts=1)
    with pytest.raises(PermagridError, match=r"ended early, 4096 of 10240 bytes came \(tried once\)"):
        download(once, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert names(tmp_path) == ["a.tif.partial", "a.tif.partial.json"]
    download(Web(attempts=1), Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == CONTENT
    assert site.asked("/a.tif")[-1].headers["Range"] == "bytes=4096-"
    assert names(tmp_path) == ["a.tif"]


def test_the_part_of_another_address_is_not_gone_on_with(site: Site, tmp_path: Path) -> None:
    site.put("/a.tif", CONTENT, cuts=[4096])
    site.put("/b.tif", CONTENT[::-1])
    with pytest.raises(PermagridError):
        download(Web(attempts=1), Wanted(f"{site.url}/a.tif"), tmp_path / "x.tif")
    download(Web(attempts=1), Wanted(f"{site.url}/b.tif"), tmp_path / "x.tif")
    assert (tmp_path / "x.tif").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("heeds", [True, False], ids=["heeds If-Range", "sends parts of what is new"])
def test_a_file_that_changed_between_two_parts_is_not_mixed(
    heeds: bool, site: Site, web: Web, tmp_path: Path
) -> None:
    page = site.put("/a.tif", CONTENT, cuts=[5000], heeds_if_range=heeds)
    new = CONTENT[::-1]

    def change(done: int, total: int) -> None:
        del done, total
        page.content, page.etag = new, '"v2"'

    download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif", advance=change)
    assert (tmp_path / "a.tif").read_bytes() == new


@pytest.mark.parametrize(
    "how", [{"ranges": False}, {"etag": ""}, {"etag": 'W/"v1"'}], ids=["no ranges", "no ETag", "weak ETag"]
)
def test_where_parts_cannot_be_joined_safely_it_starts_again(
    how: dict[str, object], site: Site, web: Web, tmp_path: Path
) -> None:
    site.put("/a.tif", CONTENT, cuts=[5000], **how)
    download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == CONTENT


def test_the_date_of_change_confirms_a_part_too(site: Site, web: Web, tmp_path: Path) -> None:
    date = "Tue, 03 Nov 2026 10:00:00 GMT"
    site.put("/a.tif", CONTENT, cuts=[5000], etag="", heeds_if_range=False, headers={"Last-Modified": date})
    download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == CONTENT
    assert site.asked("/a.tif")[1].headers["If-Range"] == date


def test_a_part_that_is_whole_already_only_gets_its_name(site: Site, tmp_path: Path) -> None:
    page = site.put("/a.tif", CONTENT, cuts=[4096])
    with pytest.raises(PermagridError):
        download(Web(attempts=1), Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    (tmp_path / "a.tif.partial").write_bytes(CONTENT)
    page.cuts = []
    download(Web(attempts=1), Wanted(f"{site.url}/a.tif", sha256(CONTENT)), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tif", CONTENT, cuts=[4096])
    with pytest.raises(PermagridError):
        download(Web(attempts=1), Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    (tmp_path / "a.tif.partial").write_bytes(CONTENT + b"more")
    download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == CONTENT


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 2000), max_size=6), ranges=st.booleans())
def test_wherever_it_is_cut_the_same_bytes_come(cuts: list[int], ranges: bool, tmp_path: Path) -> None:
    content = CONTENT[:2000]
    with serving() as site:
        site.put("/a.tif", content, cuts=list(cuts), ranges=ranges)
        patient = Web(attempts=9, pause=lambda _: None)
        download(patient, Wanted(f"{site.url}/a.tif", sha256(content)), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == content
    assert names(tmp_path) == ["a.tif"]


def test_errors_of_the_server_pass(site: Site, web: Web, waits: list[float], tmp_path: Path) -> None:
    site.put("/a.tif", CONTENT, failures=[500, 429], headers={"Retry-After": "7"})
    download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == CONTENT
    assert waits == [7.0, 7.0]


def test_waits_grow_and_end(site: Site, web: Web, waits: list[float], tmp_path: Path) -> None:
    site.put("/a.tif", CONTENT, failures=[503] * 9)
    with pytest.raises(
        PermagridError, match=r"a\.tif: the server answers 503 \(tried 4 times\); run it again"
    ):
        download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert waits == [1.0, 2.0, 4.0]
    assert names(tmp_path) == []


def test_a_body_that_stays_short_is_an_error(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tif", CONTENT, ranges=False, cuts=[1000] * 9)
    with pytest.raises(PermagridError, match="ended early, 1000 of 10240 bytes came"):
        download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert not (tmp_path / "a.tif").exists()


def test_gains_count_attempts_anew(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tif", CONTENT, cuts=[1000] * 9)
    download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == CONTENT


def test_a_file_that_is_not_there_is_asked_for_once(site: Site, web: Web, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"none\.tif: there is no such file \(404\)"):
        download(web, Wanted(f"{site.url}/none.tif"), tmp_path / "none.tif")
    assert len(site.seen) == 1


def test_a_server_that_is_not_there(site: Site, tmp_path: Path) -> None:
    with serving() as gone:
        url = gone.url
    with pytest.raises(PermagridError, match=r"cannot be reached \(Connection refused\) \(tried 2 times\)"):
        download(Web(attempts=2, pause=lambda _: None), Wanted(f"{url}/a.tif"), tmp_path / "a.tif")


def test_a_wrong_checksum_keeps_nothing(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tif", CONTENT)
    with pytest.raises(
        PermagridError, match=r"the sha256 is \w{64}, \w{64} is stated; the file was not kept"
    ):
        download(web, Wanted(f"{site.url}/a.tif", sha256(b"other")), tmp_path / "a.tif")
    assert names(tmp_path) == []


def test_parts_that_do_not_fit_are_fetched_anew_once(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tif", CONTENT, cuts=[4096])
    with pytest.raises(PermagridError):
        download(Web(attempts=1), Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    (tmp_path / "a.tif.partial").write_bytes(b"x" * 4096)
    download(web, Wanted(f"{site.url}/a.tif", sha256(CONTENT)), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == CONTENT


def test_checksums_in_headers_are_heeded(site: Site, web: Web, tmp_path: Path) -> None:
    right = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()
    page = site.put("/a.tif", CONTENT, headers={"Content-MD5": right})
    compared = download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert str(compared) == f"md5:{hashlib.md5(CONTENT).hexdigest()}"
    page.headers = {"Repr-Digest": f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"}
    with pytest.raises(PermagridError, match="the sha256 is"):
        download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "b.tif")
    assert names(tmp_path) == ["a.tif"]


def test_a_size_that_is_stated_beforehand_must_be_met(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tif", CONTENT)
    with pytest.raises(PermagridError, match="10240 bytes came, 10000 are stated"):
        download(web, Wanted(f"{site.url}/a.tif", size=10_000), tmp_path / "a.tif")
    assert names(tmp_path) == []


def test_a_web_page_in_place_of_data_is_refused(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tif", b"<html>Log in</html>", kind="text/html; charset=utf-8")
    with pytest.raises(PermagridError, match=r"a web page in place of a\.tif; it may ask for a login"):
        download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert names(tmp_path) == []


def test_compressed_answers_are_refused_but_for_gzip_files(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tab", CONTENT, headers={"Content-Encoding": "gzip"})
    site.put("/a.nc.gz", CONTENT, headers={"Content-Encoding": "x-gzip"})
    with pytest.raises(PermagridError, match="comes compressed, which was not asked for"):
        download(web, Wanted(f"{site.url}/a.tab"), tmp_path / "a.tab")
    download(web, Wanted(f"{site.url}/a.nc.gz"), tmp_path / "a.nc.gz")
    assert names(tmp_path) == ["a.nc.gz"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int, site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/old.tif", redirect="/new.tif", redirect_status=status)
    site.put("/new.tif", CONTENT)
    download(web, Wanted(f"{site.url}/old.tif"), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == CONTENT


def test_a_login_does_not_follow_to_another_host(site: Site, tmp_path: Path) -> None:
    site.put("/a.tif", redirect=f"{site.other_url}/b.tif")
    site.put("/b.tif", CONTENT)
    own = Web(logins=[Login("TOKEN", "Authorization", "Bearer secret", ("127.0.0.1",))])
    download(own, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert site.asked("/a.tif")[0].headers["Authorization"] == "Bearer secret"
    assert "Authorization" not in site.asked("/b.tif")[0].headers
    assert site.asked("/b.tif")[0].headers["Host"].startswith("localhost")


def test_a_login_is_sent_again_when_a_redirect_comes_back(site: Site, tmp_path: Path) -> None:
    site.put("/a.tif", redirect=f"{site.other_url}/login")
    site.put("/login", redirect=f"{site.url}/b.tif")
    site.put("/b.tif", CONTENT, login=("Authorization", "Bearer secret"))
    own = Web(logins=[Login("TOKEN", "Authorization", "Bearer secret", ("127.0.0.1",))])
    download(own, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert "Authorization" not in site.asked("/login")[0].headers


def test_a_login_by_way_of_another_host_that_gives_a_cookie(site: Site, tmp_path: Path) -> None:
    """As Earthdata does: the data host leads to the login host, and that back to a page with a cookie."""
    site.put("/a.tif", respond=lambda seen: _of_session(seen, site))
    site.put("/oauth", redirect=f"{site.url}/session?code=1", login=("Authorization", "Basic bWU6cHc="))
    site.put(
        "/session?code=1", respond=lambda _: Answer(302, {"Location": "/a.tif", "Set-Cookie": "s=1"}, b"")
    )
    own = Web(logins=[Login("PASSWORD", "Authorization", "Basic bWU6cHc=", ("localhost",))])
    download(own, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == CONTENT
    assert all("Authorization" not in seen.headers for seen in site.seen if seen.path != "/oauth")


def _of_session(seen: Seen, site: Site) -> Answer:
    if seen.headers.get("Cookie") == "s=1":
        return Answer(200, {"Content-Type": "image/tiff"}, CONTENT)
    return Answer(302, {"Location": f"{site.other_url}/oauth"}, b"")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a.tif", "data:,x"])
def test_redirects_to_other_schemes_are_refused(target: str, site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tif", redirect=target)
    with pytest.raises(PermagridError, match="which is no http or https address"):
        download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert names(tmp_path) == []


def test_redirects_without_end_are_refused(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tif", redirect="/b.tif")
    site.put("/b.tif", redirect="/a.tif")
    with pytest.raises(PermagridError, match="leads on more than 10 times"):
        download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")


def test_a_login_that_is_asked_for_or_refused_is_named(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tif", CONTENT, login=("Authorization", "Bearer right"))
    with pytest.raises(PermagridError, match=r"asks for a login that this host is not sent \(401\)"):
        download(web, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    wrong = Web(logins=[Login("MY_TOKEN", "Authorization", "Bearer wrong", ("127.0.0.1",))])
    with pytest.raises(PermagridError, match=r"refuses the login in MY_TOKEN \(401\)") as caught:
        download(wrong, Wanted(f"{site.url}/a.tif"), tmp_path / "a.tif")
    assert "wrong" not in str(caught.value)
    assert names(tmp_path) == []


def test_an_address_may_be_signed_for_a_short_time(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/a.tif?sig=1", CONTENT, cuts=[4096])
    site.put("/a.tif?sig=2", CONTENT)
    count = iter("12")
    wanted = Wanted(f"{site.url}/a.tif", sign=lambda url: f"{url}?sig={next(count)}")
    download(web, wanted, tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == CONTENT
    assert [seen.path for seen in site.seen] == ["/a.tif?sig=1", "/a.tif?sig=2"]
    assert site.seen[1].headers["Range"] == "bytes=4096-"
