"""Tables of PANGAEA: fetched as text, with licence and citation learned from them, and their files."""

import hashlib
import json
from pathlib import Path

import pytest
from server import Site

from permagrid.catalogue import find_source
from permagrid.errors import PermagridError
from permagrid.fetch import Choice, Web, fetch
from permagrid.fetch.pangaea import head_of

FILE = b"shapes" * 100
HEAD = """/* DATA DESCRIPTION:
Citation:\tAuthor, A; Other, B (2025): A table of thaw depths [dataset]. PANGAEA, https://doi.org/10.1594/PANGAEA.123
Abstract:\tThe text.
License:\tCreative Commons Attribution 4.0 International (CC-BY-4.0)
*/
"""
TABLE = HEAD + "Event\tLatitude\tALT [cm]\nC1\t78.9\t60\n"
LISTING = HEAD + (
    "Binary\tBinary (Size)\tBinary (Hash)\n"
    f"a b.zip\t600 Bytes\t{hashlib.md5(FILE).hexdigest()}\n"
    "readme.txt\t5 Bytes\t\n"
)


def test_a_table_is_fetched_as_text_and_tells_its_terms(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/10.1594/PANGAEA.123?format=textfile", TABLE.encode(), kind="text/tab-separated-values")
    done = fetch("pangaea/123", tmp_path, mirror=site.url, web=web)
    assert (done.folder / "pangaea_123.tab").read_text() == TABLE
    assert done.licence.startswith("Creative Commons Attribution 4.0")
    assert done.citation.startswith("Author, A; Other, B (2025)")
    record = json.loads((done.folder / "SOURCE.json").read_text())
    assert record["citation"] == done.citation
    assert record["files"]["pangaea_123.tab"]["url"].endswith("/10.1594/PANGAEA.123?format=textfile")


def test_calm_is_a_name_for_one_of_them(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/10.1594/PANGAEA.972777?format=textfile", TABLE.encode())
    done = fetch("calm", tmp_path, mirror=site.url, web=web)
    assert done.fetched == ["GTN-P_CALM_1990-2024.tab"]


def test_files_that_a_table_lists_are_fetched_and_compared(site: Site, web: Web, tmp_path: Path) -> None:
    site.put("/10.1594/PANGAEA.123?format=textfile", LISTING.encode())
    page = site.put("/dataset/123/files/a%20b.zip", FILE)
    site.put("/dataset/123/files/readme.txt", b"hello")
    done = fetch("pangaea/123", tmp_path, Choice(variables=("all",)), mirror=site.url, web=web)
    assert done.fetched == ["pangaea_123.tab", "a b.zip", "readme.txt"]
    assert (done.folder / "a b.zip").read_bytes() == FILE
    page.content = FILE[::-1]
    other = Choice(variables=("a b.zip",))
    with pytest.raises(PermagridError, match="the md5 is"):
        fetch("pangaea/123", tmp_path / "other", other, mirror=site.url, web=web)


@pytest.mark.parametrize(
    ("table", "variables", "said"),
    [
        (TABLE, ("a",), "lists no files, its table is all there is; leave out --variables"),
        (LISTING, ("a_b.zip",), r"lists no file 'a_b\.zip': did you mean 'a b\.zip'\?"),
        (LISTING.replace("readme.txt", "../up.txt"), ("all",), "whose name is not fit for a disk"),
        (LISTING.replace("readme.txt", "C:readme.txt"), ("all",), "whose name is not fit for a disk"),
    ],
)
def test_lists_that_do_not_hold_what_is_wanted(
    table: str, variables: tuple[str, ...], said: str, site: Site, web: Web, tmp_path: Path
) -> None:
    site.put("/10.1594/PANGAEA.123?format=textfile", table.encode())
    with pytest.raises(PermagridError, match=said):
        fetch("pangaea/123", tmp_path, Choice(variables=variables), mirror=site.url, web=web)


@pytest.mark.parametrize("name", ["pangaea/972777", "pangaea/10.1594/PANGAEA.972777", "PANGAEA/972777"])
def test_a_data_set_is_named_by_its_number_or_doi(name: str) -> None:
    assert find_source(name).doi == "10.1594/PANGAEA.972777"


def test_what_is_no_number(web: Web, tmp_path: Path) -> None:
    with pytest.raises(PermagridError, match="is no data set of PANGAEA; write pangaea/972777, its number"):
        fetch("pangaea/../../etc", tmp_path, web=web)


def test_the_head_of_the_real_table(real_data: Path) -> None:
    head = head_of(real_data / "calm-alt" / "GTN-P_CALM_1990-2024.tab")
    assert head.licence.startswith("Creative Commons Attribution 4.0 International (CC-BY-4.0)")
    assert "https://doi.org/10.1594/PANGAEA.972777" in head.citation
