"""One file over HTTP: resumed where a server allows it, checked, and named only when it is whole."""

import http.client
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from permagrid.errors import PermagridError
from permagrid.fetch.checksums import Checksum, Headers, digest_of, from_headers
from permagrid.fetch.web import OutOfRangeError, PassingError, Web, shown

_BLOCK = 1 << 18
_RANGE = re.compile(r"^bytes (\d+)-\d+/(\d+|\*)$")

Advance = Callable[[int, int], None]
"""Called with the bytes that are there and those in all."""


@dataclass(frozen=True)
class Wanted:
    """A file to be had."""

    url: str
    """Its address, as it is recorded."""
    checksum: Checksum | None = None
    """Its checksum, where one is stated beforehand."""
    size: int | None = None
    """Its bytes, where they are stated beforehand."""
    sign: Callable[[str], str] | None = None
    """Turns the address into one that is valid for a short time."""


def download(web: Web, wanted: Wanted, path: Path, *, advance: Advance | None = None) -> Checksum | None:
    """Fetch a file to `path`, which appears only when it is whole and right.

    What has come is kept in ``NAME.partial``, and a later call goes on from there if the server confirms
    by ETag or date that the file is the same.

    Parameters
    ----------
    web
        Opens addresses.
    wanted
        What to fetch.
    path
        Where to put it.
    advance
        Shows progress.

    Returns
    -------
    Checksum or None
        The checksum that the file was compared with.

    Raises
    ------
    PermagridError
        If the server refuses, the file stays incomplete, or its checksum is wrong.
    """
    part = _Part(path, wanted.url)

    def once() -> Checksum | None:
        return _once(web, wanted, part, advance or _silent)

    compared = web.persist(once, wanted.url)
    part.finish()
    return compared


def _silent(done: int, total: int) -> None:
    del done, total


class _Part:
    """What has come of a file, and which state of the file it belongs to."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.file = path.with_name(f"{path.name}.partial")
        self._notes = path.with_name(f"{path.name}.partial.json")
        self._url = shown(url)

    def begun(self) -> tuple[int, str, int | None]:
        """Return bytes that are there, what tells that the file is the same, and bytes in all."""
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            have = self.file.stat().st_size
            if notes["url"] == self._url and notes["validator"] and have:
                return have, str(notes["validator"]), notes["size"]
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return 0, "", None

    def length(self) -> int:
        """Return the bytes that are there, of whichever state."""
        return self.file.stat().st_size if self.file.exists() else 0

    def note(self, validator: str, size: int | None) -> None:
        content = {"url": self._url, "validator": validator, "size": size}
        self._notes.write_text(json.dumps(content), encoding="utf-8")

    def drop(self) -> None:
        for file in (self.file, self._notes):
            file.unlink(missing_ok=True)

    def finish(self) -> None:
        self.file.replace(self.path)
        self._notes.unlink(missing_ok=True)


def _once(web: Web, wanted: Wanted, part: _Part, advance: Advance) -> Checksum | None:
    have, validator, known = part.begun()
    url = wanted.sign(wanted.url) if wanted.sign else wanted.url
    headers = {"Range": f"bytes={have}-", "If-Range": validator} if have else {}
    size: int | None = known
    checksum: Checksum | None = None
    try:
        answer = web.open(url, headers=headers)
    except OutOfRangeError:
        if not have:
            raise PermagridError(f"{shown(url)}: refuses to send the whole file (416)") from None
        if have != known:
            part.drop()
            raise PassingError("the part that was there does not fit any more", 0.0) from None
    else:
        with answer:
            size, checksum = _take(answer, wanted, part, have, advance)
    return _checked(wanted, part, size, wanted.checksum or checksum, resumed=bool(have))


def _take(
    answer: http.client.HTTPResponse, wanted: Wanted, part: _Part, have: int, advance: Advance
) -> tuple[int | None, Checksum | None]:
    """Write an answer to the part; return the bytes in all and the checksum that headers state."""
    headers = answer.headers
    _refuse_other(headers, wanted, part.path)
    resumes = answer.status == 206
    size = _place(headers, part, have) if resumes else _length(headers)
    before = part.length()
    if not resumes:
        have = 0
        part.drop()
    part.note(_validator(headers), size)
    with part.file.open("ab" if resumes else "wb") as stream:
        while block := _block(answer):
            stream.write(block)
            have += len(block)
            if size is not None:
                advance(have, size)
    if block is None or (size is not None and have < size):
        whole = "" if size is None else f" of {size}"
        raise PassingError(f"the connection ended early, {have}{whole} bytes came", moved=have > before)
    return size, None if resumes else from_headers(headers)


def _place(headers: Headers, part: _Part, have: int) -> int | None:
    """Return the bytes in all that an answer to a request for a part tells."""
    place = _RANGE.match(headers.get("Content-Range", ""))
    size = None if place is None or place[2] == "*" else int(place[2])
    _, validator, known = part.begun()
    tag = headers.get("ETag", validator)
    # Some servers send a part of a file that has changed since.
    changed = validator.startswith('"') and tag != validator
    if place is None or int(place[1]) != have or changed or (size is not None and known not in (None, size)):
        part.drop()
        raise PassingError("the server sent another part than was asked for", 0.0)
    return size


def _block(answer: http.client.HTTPResponse) -> bytes | None:
    """Return the next bytes; none at the end, and None where the connection broke."""
    try:
        return answer.read(_BLOCK)
    except (OSError, http.client.HTTPException):
        return None


def _checked(
    wanted: Wanted, part: _Part, size: int | None, expected: Checksum | None, *, resumed: bool
) -> Checksum | None:
    have = part.length()
    for stated in (size, wanted.size):
        if stated is not None and have < stated:
            raise PassingError(f"the connection ended early, {have} of {stated} bytes came")
        if stated is not None and have > stated:
            part.drop()
            raise PassingError(f"{have} bytes came, {stated} are stated")
    if expected is not None and (found := digest_of(part.file, expected.algorithm)) != expected.digest:
        part.drop()
        if resumed:
            raise PassingError("the parts do not make up the file that is stated", 0.0)
        raise PermagridError(
            f"{shown(wanted.url)}: the {expected.algorithm} is {found}, {expected.digest} is stated; "
            "the file was not kept"
        )
    return expected


def _refuse_other(headers: Headers, wanted: Wanted, path: Path) -> None:
    """Refuse what is not the file: a page in its place, or a form of it that was not asked for."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml") and path.suffix not in (".html", ".htm"):
        raise PermagridError(
            f"{shown(wanted.url)}: answers with a web page in place of {path.name}; it may ask for a login"
        )
    # Of a gzip file, some servers tell its own compression in this way.
    plain = ("", "identity", *(("gzip", "x-gzip") if path.suffix == ".gz" else ()))
    if headers.get("Content-Encoding", "").lower() not in plain:
        raise PermagridError(f"{shown(wanted.url)}: comes compressed, which was not asked for")


def _length(headers: Headers) -> int | None:
    length = headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _validator(headers: Headers) -> str:
    """Return what `If-Range` may hold: a strong ETag, or the date of the last change."""
    tag = headers.get("ETag", "")
    if tag.startswith('"'):
        return tag
    return headers.get("Last-Modified", "")
