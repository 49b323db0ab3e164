"""Searches: pages, boxes on both sides of the antimeridian, clouds, assets, checksums and signatures."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from server import Answer, Seen, Site

from permagrid.catalogue import find_source
from permagrid.errors import PermagridError
from permagrid.fetch import Choice, Web, fetch, make_plan
from permagrid.fetch.stac import Search, assets_of, find_items

HERE = (9.0, 46.0, 10.0, 47.0)


def item(name: str, *, cloud: float | None = 5.0, **assets: Any) -> dict[str, Any]:
    properties = {} if cloud is None else {"eo:cloud_cover": cloud}
    return {"type": "Feature", "id": name, "properties": properties, "assets": assets}


def page(items: list[dict[str, Any]], *links: dict[str, Any]) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": items, "links": links}).encode()


def search(site: Site, web: Web, **more: Any) -> list[str]:
    asked = {"boxes": [HERE], "years": (2001, 2002), "cloud": None, **more}
    found = find_items(web, site.url, Search("landsat-c2-l2", **asked))
    return [str(each["id"]) for each in found]


def test_pages_are_followed_by_get_and_by_post(site: Site, web: Web) -> None:
    second = {"rel": "next", "href": f"{site.url}/search?page=2", "method": "GET"}
    third = {"rel": "next", "href": "/search", "method": "POST", "merge": True, "body": {"token": "3"}}

    def respond(seen: Seen) -> Answer:
        if seen.method == "GET":
            return Answer(200, {}, page([item("c"), item("a")], third))
        token = json.loads(seen.body).get("token")
        return Answer(200, {}, page([item("b")]) if token == "3" else page([item("a")], second))

    site.put("/search", respond=respond)
    assert search(site, web) == ["a", "b", "c"]
    first, _, last = (json.loads(seen.body or b"{}") for seen in site.seen)
    assert first == {
        "collections": ["landsat-c2-l2"],
        "bbox": [9.0, 46.0, 10.0, 47.0],
        "datetime": "2001-01-01T00:00:00Z/2002-12-31T23:59:59Z",
        "limit": 100,
    }
    # The page before was had by GET, so that there is nothing to merge with.
    assert last == {"token": "3"}


def test_pages_that_lead_back_to_themselves_end(site: Site, web: Web) -> None:
    site.put("/search", page([item("a")], {"rel": "next", "href": "/search", "method": "POST"}))
    with pytest.raises(PermagridError, match="its pages lead back to themselves"):
        search(site, web)


def test_pages_without_end_end(site: Site, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("permagrid.fetch.stac.MOST_PAGES", 3)

    def respond(seen: Seen) -> Answer:
        del seen
        count = len(site.seen)
        return Answer(200, {}, page([item(f"i{count}")], {"rel": "next", "href": f"/search?page={count}"}))

    site.put("/search", respond=respond)
    with pytest.raises(PermagridError, match="has more than 3 pages"):
        search(site, web)


@pytest.mark.parametrize("answer", [b"[]", b"{}", b'{"features": 3}', b"<html>"])
def test_an_answer_that_is_no_page(answer: bytes, site: Site, web: Web) -> None:
    site.put("/search", answer)
    with pytest.raises(PermagridError, match="answers with no"):
        search(site, web)


def test_a_next_page_elsewhere_than_on_the_web_is_refused(site: Site, web: Web) -> None:
    site.put("/search", page([item("a")], {"rel": "next", "href": "file:///etc/passwd"}))
    with pytest.raises(PermagridError, match="only http and https"):
        search(site, web)


def test_clouds_are_asked_for_and_looked_at(site: Site, web: Web) -> None:
    site.put("/search", page([item("clear", cloud=3), item("cloudy", cloud=90), item("untold", cloud=None)]))
    assert search(site, web, cloud=20.0) == ["clear", "untold"]
    assert json.loads(site.seen[0].body)["query"] == {"eo:cloud_cover": {"lte": 20.0}}


def test_a_region_across_the_antimeridian_is_searched_in_two_and_an_item_counts_once(
    site: Site, web: Web
) -> None:
    site.put("/search", page([item("a", blue={"href": f"{site.url}/a_blue.tif"})]))
    source = replace(find_source("sentinel-2-l2a"), base=site.url)
    choice = Choice(variables=("blue",), region=(170, 66, -170, 68), years=(2020, 2020))
    plan = make_plan(source, choice, web)
    assert [remote.files for remote in plan.remotes] == [("a/a_blue.tif",)]
    assert [json.loads(seen.body)["bbox"] for seen in site.seen] == [[170, 66, 180, 68], [-180, 66, -170, 68]]


def test_assets_are_chosen_by_key_or_ending() -> None:
    links = {
        "blue": {"href": "https://example.org/x_B2.TIF", "file:size": 10},
        "mtl.txt": {"href": "x_MTL.txt"},
        "data": {"href": "https://example.org/x.hdf"},
        "thumbnail": {"href": "https://example.org/x.png"},
        "odd": {"title": "no link"},
    }
    found = assets_of(item("x", **links), ["blue", "mtl.txt", ".hdf", "odd"], "https://example.org/stac")
    assert [(each.file, each.url, each.size) for each in found] == [
        ("x_B2.TIF", "https://example.org/x_B2.TIF", 10),
        ("x_MTL.txt", "https://example.org/stac/x_MTL.txt", None),
        ("x.hdf", "https://example.org/x.hdf", None),
    ]


@pytest.mark.parametrize(
    ("name", "href", "said"),
    [
        ("../up", "https://example.org/a.tif", "is not fit for a folder"),
        ("a/b", "https://example.org/a.tif", "is not fit for a folder"),
        (".hidden", "https://example.org/a.tif", "is not fit for a folder"),
        ("a\n", "https://example.org/a.tif", "is not fit for a folder"),
        ("a", "https://example.org/", "is not fit for a file"),
        ("a", "https://example.org/x/..", "is not fit for a file"),
        ("a", "s3://bucket/a.tif", "only http and https"),
    ],
)
def test_names_that_would_not_be_safe_on_a_disk_are_refused(name: str, href: str, said: str) -> None:
    with pytest.raises(PermagridError, match=said):
        assets_of(item(name, blue={"href": href}), ["blue"], "https://example.org")


def test_items_are_fetched_signed_and_compared(site: Site, web: Web, tmp_path: Path) -> None:
    content = b"NDVI" * 100
    digest = hashlib.sha256(content).hexdigest()
    asset = {"href": f"{site.url}/ndvi.tif", "file:checksum": f"1220{digest}", "file:size": len(content)}
    site.put(
        "/search",
        page(
            [
                item("MYD13A1.A2001", **{"500m_16_days_NDVI": asset}),
                item("MOD13A1.A2001", **{"500m_16_days_NDVI": asset}),
            ]
        ),
    )
    site.put("/ndvi.tif", login=("Never", "set"))
    site.put("/ndvi.tif?sig=abc", content)

    def sign(seen: Seen) -> Answer:
        assert "href=http" in seen.path
        return Answer(200, {}, json.dumps({"href": f"{site.url}/ndvi.tif?sig=abc"}).encode())

    site.put("/sign", respond=sign)
    modis = find_source("modis/MOD13A1")
    assert modis.stac is not None
    source = replace(modis, base=site.url, stac=replace(modis.stac, signing=f"{site.url}/sign"))
    choice = Choice(variables=("500m_16_days_NDVI",), region=HERE, years=(2001, 2001))
    done = fetch(source, tmp_path, choice, web=web)
    assert done.fetched == ["ndvi.tif"]
    assert (done.folder / done.fetched[0]).read_bytes() == content
    text = (done.folder / "SOURCE.json").read_text()
    assert "sig" not in text
    assert f'"compared_with": "sha256:{digest}"' in text
    assert fetch(source, tmp_path, choice, web=web).kept == done.fetched


def test_a_signature_for_another_host_is_refused(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/search", page([item("MOD11A2.a", LST_Day_1km={"href": f"{site.url}/a.tif"})]))
    site.put("/sign", json.dumps({"href": f"{site.other_url}/a.tif?sig=1"}).encode())
    modis = find_source("modis/MOD11A2")
    assert modis.stac is not None
    source = replace(modis, base=site.url, stac=replace(modis.stac, signing=f"{site.url}/sign"))
    choice = Choice(variables=("LST_Day_1km",), region=HERE, years=(2001, 2001))
    with pytest.raises(PermagridError, match=r"/sign: did not sign http://127"):
        fetch(source, tmp_path, choice, web=web)


def test_a_search_that_finds_nothing_says_so(site: Site, web: Web) -> None:
    site.put("/search", page([item("a")]))
    source = replace(find_source("landsat-c2-l2"), base=site.url)
    with pytest.raises(
        PermagridError, match="has 1 scenes there and then, and no file of them that is wanted"
    ):
        make_plan(source, Choice(region=HERE, years=(2001, 2001)), web)
