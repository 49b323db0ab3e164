"""Addresses and logins: what is shown, what is refused, and who is sent what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server import Site

from permagrid.errors import PermagridError
from permagrid.fetch import Web
from permagrid.fetch.logins import Login, logins_for
from permagrid.fetch.web import check_scheme, shown


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("https://example.org/a.tif", "https://example.org/a.tif"),
        ("https://me:secret@example.org:8443/a.tif", "https://example.org:8443/a.tif"),
        ("https://example.org/a.tif?sv=2020&sig=secret&se=2026", "https://example.org/a.tif"),
        ("https://example.org/a?format=textfile&token=secret", "https://example.org/a?format=textfile"),
        (
            "https://example.org/m?map=/map/sand.map&SUBSET=long(9,10)&SUBSET=lat(46,47)&key=secret",
            "https://example.org/m?map=/map/sand.map&SUBSET=long(9,10)&SUBSET=lat(46,47)",
        ),
        ("https://example.org/a#secret", "https://example.org/a"),
    ],
)
def test_addresses_are_shown_without_their_secrets(url: str, seen: str) -> None:
    assert shown(url) == seen


@given(key=st.from_regex(r"[a-zA-Z_-]{1,12}", fullmatch=True))
def test_no_unknown_key_of_a_query_shows_its_value(key: str) -> None:
    url = f"https://example.org/a?{key}=SeCrEt&format=zip"
    known = shown(f"https://example.org/a?{key}=x").endswith("=x")
    assert ("SeCrEt" in shown(url)) == known


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.org/a", "s3://bucket/a", "/etc/passwd", ""]
)
def test_only_http_and_https_are_opened(url: str) -> None:
    with pytest.raises(PermagridError, match="only http and https addresses are opened"):
        check_scheme(url)


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(PermagridError, match="must not hold a password") as caught:
        check_scheme("https://me:secret@example.org/a")
    assert "secret" not in str(caught.value)


def test_a_login_fits_its_hosts_and_never_goes_in_clear() -> None:
    login = Login("T", "Authorization", "Bearer x", ("nasa.gov", "127.0.0.1"))
    fits = ["https://nasa.gov/a", "https://data.nasa.gov/a", "http://127.0.0.1:99/a"]
    others = [
        "http://data.nasa.gov/a",
        "https://evilnasa.gov/a",
        "https://nasa.gov.evil.org/a",
        "https://evil.org",
    ]
    assert all(map(login.fits, fits))
    assert not any(map(login.fits, others))
    assert "Bearer" not in repr(login)


def test_earthdata_takes_a_token_or_a_name_with_password() -> None:
    (token,) = logins_for("x", "earthdata", {"EARTHDATA_TOKEN": " abc \n"})
    assert (token.header, token.value) == ("Authorization", "Bearer abc")
    assert token.fits("https://data.lpdaac.earthdatacloud.nasa.gov/a")
    (named,) = logins_for("x", "earthdata", {"EARTHDATA_USERNAME": "me", "EARTHDATA_PASSWORD": "pw"})
    assert named.value == "Basic bWU6cHc="
    assert named.fits("https://urs.earthdata.nasa.gov/oauth/authorize")
    assert not named.fits("https://data.lpdaac.earthdatacloud.nasa.gov/a")


def test_a_missing_login_is_named_in_one_sentence() -> None:
    said = (
        "modis asks for a login: set EARTHDATA_TOKEN, or EARTHDATA_USERNAME and EARTHDATA_PASSWORD, "
        "from https://urs.earthdata.nasa.gov"
    )
    for environment in ({}, {"EARTHDATA_TOKEN": " "}, {"EARTHDATA_USERNAME": "me"}):
        with pytest.raises(PermagridError) as caught:
            logins_for("modis", "earthdata", environment)
        assert str(caught.value) == said


def test_a_key_that_is_not_required_may_lack() -> None:
    assert logins_for("landsat", "planetary computer", {}) == []
    (key,) = logins_for("landsat", "planetary computer", {"PC_SDK_SUBSCRIPTION_KEY": "k"})
    assert (key.header, key.value) == ("Ocp-Apim-Subscription-Key", "k")
    assert logins_for("worldclim", "", {"EARTHDATA_TOKEN": "abc"}) == []


@pytest.mark.parametrize("value", ["a\nb", "a\r\nHost: evil", "smörgås"])
def test_a_login_that_would_break_a_header_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(PermagridError, match="EARTHDATA_TOKEN holds characters that no login has") as caught:
        logins_for("x", "earthdata", {"EARTHDATA_TOKEN": value})
    assert value not in str(caught.value)


def test_short_answers_are_read_whole_and_told_when_they_are_no_json(site: Site, web: Web) -> None:
    site.put("/a", b'{"a": 1}', cuts=[3], failures=[502])
    assert web.json(f"{site.url}/a") == {"a": 1}
    site.put("/b", b"<html>")
    with pytest.raises(PermagridError, match="/b: answers with no JSON"):
        web.json(f"{site.url}/b")


def test_a_long_answer_is_not_read_into_memory(site: Site, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("permagrid.fetch.web.MOST_TEXT", 100)
    site.put("/a", bytes(101))
    with pytest.raises(PermagridError, match="answers with more than 100 bytes"):
        web.read(f"{site.url}/a")


def test_a_post_that_is_led_on_becomes_a_get(site: Site, web: Web) -> None:
    site.put("/search", redirect="/found", redirect_status=303)
    site.put("/found", b"[]")
    assert web.json(f"{site.url}/search", body={"limit": 1}) == []
    (found,) = site.asked("/found")
    assert (found.method, found.body, found.headers.get("Content-Type")) == ("GET", b"", None)


def test_sizes_are_asked_for_once_and_may_stay_unknown(site: Site, web: Web) -> None:
    site.put("/a", bytes(77))
    site.put("/b", failures=[500] * 9)
    assert [web.size(f"{site.url}/{name}") for name in "abc"] == [77, None, None]
    assert len(site.asked("/b", "HEAD")) == 1


def test_cookies_stay_with_their_host(site: Site, web: Web) -> None:
    site.put("/a", redirect="/b", headers={})
    site.put("/b", b"{}", headers={"Set-Cookie": "session=1; Path=/"})
    web.json(f"{site.url}/a")
    web.json(f"{site.url}/b")
    web.json(f"{site.other_url}/b")
    assert [seen.headers.get("Cookie") for seen in site.asked("/b")] == [None, "session=1", None]
