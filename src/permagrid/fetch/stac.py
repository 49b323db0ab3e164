"""Searches of SpatioTemporal Asset Catalogues: pages followed, items told apart, assets chosen."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from permagrid.errors import PermagridError
from permagrid.fetch.checksums import Checksum, from_multihash
from permagrid.fetch.tiles import Box
from permagrid.fetch.web import Web, check_scheme, shown

MOST_PAGES = 1000
"""Pages of a search that are followed."""

_PAGE = 100
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True)
class Asset:
    """A file of an item."""

    item: str
    """Identifier of the item; fit for a folder."""
    file: str
    """Name of the file; fit for one."""
    url: str
    """Its address."""
    size: int | None = None
    """Its bytes, where the catalogue states them."""
    checksum: Checksum | None = None
    """Its checksum, where the catalogue states one."""


@dataclass(frozen=True)
class Search:
    """What is looked for."""

    collection: str
    """Identifier of the collection."""
    boxes: Sequence[Box]
    """Boxes [degree], none of which crosses the antimeridian."""
    years: tuple[int, int]
    """First and last year."""
    cloud: float | None = None
    """Most cloud [%]."""


def find_items(web: Web, base: str, search: Search) -> list[dict[str, Any]]:
    """Return the items of a search, each once, by identifier.

    Parameters
    ----------
    web
        Opens addresses.
    base
        Address of the catalogue.
    search
        What is looked for.

    Raises
    ------
    PermagridError
        If an answer is no page of items, or there is no end to them.
    """
    found: dict[str, dict[str, Any]] = {}
    for box in search.boxes:
        body: dict[str, Any] = {
            "collections": [search.collection],
            "bbox": list(box),
            "datetime": f"{search.years[0]}-01-01T00:00:00Z/{search.years[1]}-12-31T23:59:59Z",
            "limit": _PAGE,
        }
        if search.cloud is not None:
            body["query"] = {"eo:cloud_cover": {"lte": search.cloud}}
        for item in _pages(web, f"{base}/search", body):
            # Some catalogues do not follow the query.
            if search.cloud is None or _cloud(item) <= search.cloud:
                found[str(item.get("id"))] = item
    return [found[key] for key in sorted(found)]


def assets_of(item: dict[str, Any], wanted: Sequence[str], base: str) -> list[Asset]:
    """Return the assets of an item that are wanted, those it has.

    Parameters
    ----------
    item
        The item.
    wanted
        Keys of assets, or endings of file names that begin with a dot.
    base
        Address from which relative links start.

    Raises
    ------
    PermagridError
        If the item's identifier or a file's name would not be safe on a disk, or a link is not for HTTP.
    """
    name = str(item.get("id"))
    if not _SAFE.fullmatch(name):
        raise PermagridError(f"{shown(base)}: has an item {name!r}, whose name is not fit for a folder")
    links = item.get("assets")
    found = []
    for key, asset in links.items() if isinstance(links, dict) else ():
        href = asset.get("href") if isinstance(asset, dict) else None
        if not isinstance(href, str):
            continue
        url = urljoin(f"{base}/", href)
        file = urlsplit(url).path.rpartition("/")[2]
        if not (key in wanted or any(end.startswith(".") and file.endswith(end) for end in wanted)):
            continue
        check_scheme(url)
        if not _SAFE.fullmatch(file):
            raise PermagridError(f"{shown(url)}: is named {file!r}, which is not fit for a file")
        size = asset.get("file:size")
        checksum = from_multihash(str(asset.get("file:checksum", "")))
        found.append(Asset(name, file, url, size if isinstance(size, int) else None, checksum))
    return found


def _pages(web: Web, url: str, body: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        page = web.json(url, body=body)
        items = page.get("features") if isinstance(page, dict) else None
        if not isinstance(items, list):
            raise PermagridError(f"{shown(url)}: answers with no page of items")
        yield from (item for item in items if isinstance(item, dict))
        links = page.get("links")
        following = [
            link
            for link in (links if isinstance(links, list) else ())
            if isinstance(link, dict) and link.get("rel") == "next" and isinstance(link.get("href"), str)
        ]
        if not following or not items:
            return
        link = following[0]
        url = urljoin(url, link["href"])
        check_scheme(url)
        sent = link.get("body") if str(link.get("method", "GET")).upper() == "POST" else None
        if str(link.get("method", "GET")).upper() == "POST":
            body = {**(body or {}), **(sent or {})} if link.get("merge") or sent is None else dict(sent)
        else:
            body = None
        if (state := f"{url} {body}") in seen:
            raise PermagridError(f"{shown(url)}: its pages lead back to themselves")
        seen.add(state)
    raise PermagridError(
        f"{shown(url)}: has more than {MOST_PAGES} pages; take a smaller region or fewer years"
    )


def _cloud(item: dict[str, Any]) -> float:
    properties = item.get("properties")
    value = properties.get("eo:cloud_cover") if isinstance(properties, dict) else None
    return float(value) if isinstance(value, int | float) else 0.0
