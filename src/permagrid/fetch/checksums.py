"""Checksums that sources state: side files, multihashes, headers and tables."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from permagrid.errors import PermagridError

_LENGTHS = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_MULTIHASHES = {"11": ("sha1", 20), "12": ("sha256", 32), "13": ("sha512", 64), "d5": ("md5", 16)}
_LINE = re.compile(r"^\\?([0-9a-fA-F]{32,128})(?:[ \t]+[*]?(.+))?$")
_BSD = re.compile(r"^\w[\w-]* ?\((.+)\) ?= ?([0-9a-fA-F]{32,128})$")


class Headers(Protocol):
    """Headers of an answer."""

    def get(self, name: str, default: str, /) -> str:
        """Return a header, or `default`."""


@dataclass(frozen=True)
class Checksum:
    """A digest that a file must have."""

    algorithm: str
    """``md5``, ``sha1``, ``sha256`` or ``sha512``."""
    digest: str
    """In hexadecimal, lower case."""

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"


def from_digest(digest: str) -> Checksum | None:
    """Return a checksum told from the length of its digest; None if it is none.

    Examples
    --------
    >>> str(from_digest("D41D8CD98F00B204E9800998ECF8427E"))
    'md5:d41d8cd98f00b204e9800998ecf8427e'
    """
    text = digest.strip().lower()
    algorithm = _LENGTHS.get(len(text))
    if algorithm is None or not re.fullmatch(r"[0-9a-f]+", text):
        return None
    return Checksum(algorithm, text)


def from_side_file(text: str, name: str) -> Checksum | None:
    """Return the checksum of a file from a side file of one or many lines; None if it has none.

    Examples
    --------
    >>> print(from_side_file("d41d8cd98f00b204e9800998ecf8427e  ./a.tif", "a.tif"))
    md5:d41d8cd98f00b204e9800998ecf8427e
    """
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in lines:
        plain, bsd = _LINE.match(line), _BSD.match(line)
        if bsd:
            digest, named = bsd[2], bsd[1]
        elif plain:
            digest, named = plain[1], plain[2] or (name if len(lines) == 1 else "")
        else:
            continue
        if named.strip().replace("\\", "/").rpartition("/")[2] == name:
            return from_digest(digest)
    return None


def from_multihash(text: str) -> Checksum | None:
    """Return the checksum in a multihash, as STAC's ``file:checksum`` has it; None if it is unknown.

    Examples
    --------
    >>> from_multihash("1220" + "ab" * 32).algorithm
    'sha256'
    """
    code, length, digest = text[:2].lower(), text[2:4], text[4:].lower()
    # The code of md5 takes two bytes.
    if code == "d5":
        length, digest = text[4:6], text[6:].lower()
    known = _MULTIHASHES.get(code)
    if known is None or not re.fullmatch(r"[0-9a-f]+", digest):
        return None
    algorithm, size = known
    whole = length.lower() == f"{size:02x}" and len(digest) == 2 * size
    return Checksum(algorithm, digest) if whole else None


def from_headers(headers: Headers) -> Checksum | None:
    """Return the checksum of a whole answer from its headers; an ETag is none."""
    stated = re.search(r"sha-256=:([A-Za-z0-9+/=]+):", headers.get("Repr-Digest", ""))
    for algorithm, code in (("sha256", stated[1] if stated else ""), ("md5", headers.get("Content-MD5", ""))):
        try:
            digest = base64.b64decode(code, validate=True).hex()
        except (binascii.Error, ValueError):
            continue
        found = from_digest(digest)
        if found is not None and found.algorithm == algorithm:
            return found
    return None


def digest_of(path: Path, algorithm: str) -> str:
    """Return the digest of a file.

    Raises
    ------
    PermagridError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, algorithm).hexdigest()
    except OSError as error:
        raise PermagridError(f"cannot read {path}: {error.strerror or error}") from error
