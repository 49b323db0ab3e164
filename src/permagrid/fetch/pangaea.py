"""Tables of PANGAEA: licence and citation at their head, and the files that they list."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from permagrid.errors import PermagridError, did_you_mean
from permagrid.fetch.checksums import Checksum, from_digest

FILES = "https://download.pangaea.de"
"""Where the files of data sets lie."""

_SAFE = re.compile(r"[A-Za-z0-9][^/\\:\0-\x1f]{0,199}")


class Head(NamedTuple):
    """What the head of a table says."""

    citation: str
    licence: str


@dataclass(frozen=True)
class Listed:
    """A file that a table lists."""

    name: str
    """Its name."""
    checksum: Checksum | None
    """Its checksum, where the table states one."""


def head_of(path: Path) -> Head:
    """Return citation and licence from the head of a table; empty where it has none.

    Raises
    ------
    PermagridError
        If the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            lines = [line.rstrip("\n") for line, _ in zip(stream, range(5000), strict=False)]
    except OSError as error:
        raise PermagridError(f"cannot read {path}: {error.strerror or error}") from error
    said = {key: _after(lines, key) for key in ("Citation:", "License:")}
    return Head(said["Citation:"], said["License:"])


def files_of(text: str, wanted: Sequence[str], name: str) -> list[Listed]:
    """Return the files that a table lists and that are wanted; ``all`` names all.

    Parameters
    ----------
    text
        The table.
    wanted
        Names of files.
    name
        The data set, for messages.

    Raises
    ------
    PermagridError
        If the table lists no files, or not these.
    """
    body = text.partition("*/")[2].lstrip("\r\n") if text.startswith("/*") else text
    rows = list(csv.DictReader(io.StringIO(body), delimiter="\t"))
    columns = list(rows[0]) if rows else []
    named = next((column for column in columns if column == "Binary"), "")
    if not named:
        raise PermagridError(f"{name} lists no files, its table is all there is; leave out --variables")
    listed = {
        row[named]: Listed(row[named], from_digest(row.get("Binary (Hash)") or ""))
        for row in rows
        if row.get(named)
    }
    chosen = list(listed) if "all" in wanted else list(wanted)
    for each in chosen:
        if each not in listed:
            raise PermagridError(f"{name} lists no file {each!r}: {did_you_mean(each, [*listed, 'all'])}")
        if not _SAFE.fullmatch(each):
            raise PermagridError(f"{name} lists a file {each!r}, whose name is not fit for a disk")
    return [listed[each] for each in dict.fromkeys(chosen)]


def file_url(base: str, number: str, name: str) -> str:
    """Return the address of a file of a data set.

    Examples
    --------
    >>> file_url(FILES, "940078", "a b.zip")
    'https://download.pangaea.de/dataset/940078/files/a%20b.zip'
    """
    return f"{base}/dataset/{number}/files/{quote(name)}"


def _after(lines: Sequence[str], key: str) -> str:
    found = next((line for line in lines if line.startswith(key)), "")
    return found.removeprefix(key).strip()
