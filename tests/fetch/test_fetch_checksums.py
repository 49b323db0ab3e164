"""Checksums in the forms in which sources state them."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permagrid.errors import PermagridError
from permagrid.fetch.checksums import (
    Checksum,
    digest_of,
    from_digest,
    from_headers,
    from_multihash,
    from_side_file,
)

MD5 = hashlib.md5(b"a").hexdigest()
SHA = hashlib.sha256(b"a").hexdigest()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (MD5, f"md5:{MD5}"),
        (f"{SHA}  a.tif\n", f"sha256:{SHA}"),
        (f"{SHA} *a.tif\r\n", f"sha256:{SHA}"),
        (f"# sums\n{MD5}  b.tif\n{SHA}  data/a.tif\n", f"sha256:{SHA}"),
        (f"SHA256 (a.tif) = {SHA}", f"sha256:{SHA}"),
        (f"{SHA}  b.tif\n", "None"),
        ("<html>not found</html>", "None"),
        ("", "None"),
    ],
)
def test_side_files_of_all_kinds(text: str, found: str) -> None:
    assert str(from_side_file(text, "a.tif")) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"1220{SHA}", Checksum("sha256", SHA)),
        (f"1220{SHA.upper()}", Checksum("sha256", SHA)),
        (f"d50110{MD5}", Checksum("md5", MD5)),
        (f"1114{hashlib.sha1(b'a').hexdigest()}", Checksum("sha1", hashlib.sha1(b"a").hexdigest())),
        (f"1240{hashlib.sha512(b'a').hexdigest()}", None),
        (f"1220{SHA[:-2]}", None),
        ("", None),
        ("zz", None),
    ],
)
def test_multihashes(text: str, found: Checksum | None) -> None:
    assert from_multihash(text) == found


def test_an_etag_is_no_checksum() -> None:
    assert from_headers({"ETag": f'"{MD5}"'}) is None
    assert from_headers({"Content-MD5": "not base64!"}) is None
    assert from_headers({"Content-MD5": ""}) is None


@given(st.text(max_size=70))
def test_whatever_is_stated_is_a_checksum_or_none(text: str) -> None:
    for found in (from_digest(text), from_multihash(text), from_side_file(text, "a")):
        assert found is None or len(found.digest) == 2 * hashlib.new(found.algorithm).digest_size


def test_the_digest_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PermagridError, match=r"cannot read .*none: No such file"):
        digest_of(tmp_path / "none", "md5")
