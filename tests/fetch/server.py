"""A server on this machine that speaks like those of data centres, and fails like them when told to."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Seen(NamedTuple):
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What a page of one's own sends."""

    status: int
    headers: dict[str, str]
    content: bytes


@dataclass
class Page:
    """What stands at one path, and what goes wrong there."""

    content: bytes = b""
    kind: str = "application/octet-stream"
    etag: str = '"v1"'
    ranges: bool = True
    heeds_if_range: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    failures: list[int] = field(default_factory=list)
    """Status of the next answers, before all is well."""
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the connection ends in the next answers."""
    redirect: str = ""
    redirect_status: int = 302
    login: tuple[str, str] | None = None
    """A header and its value without which the answer is 401."""
    respond: Callable[[Seen], Answer] | None = None
    """Makes the answer, in place of all else."""


class Site:
    """The pages of a server and the requests that it has seen."""

    def __init__(self, port: int) -> None:
        self.pages: dict[str, Page] = {}
        self.seen: list[Seen] = []
        self.port = port

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_url(self) -> str:
        """The same server under another name: another host to a client."""
        return f"http://localhost:{self.port}"

    def put(self, path: str, content: bytes = b"", **more: Any) -> Page:
        """Put a page at a path and return it."""
        self.pages[path] = Page(content, **more)
        return self.pages[path]

    def asked(self, path: str, method: str = "GET") -> list[Seen]:
        """Return the requests for a path."""
        return [seen for seen in self.seen if seen.path == path and seen.method == method]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        """Keep silent."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = Seen(self.command, self.path, dict(self.headers.items()), body)
        self.site.seen.append(seen)
        page = self.site.pages.get(self.path) or self.site.pages.get(self.path.partition("?")[0])
        if page is None:
            self._send(404, {}, b"not here")
        elif page.failures:
            self._send(page.failures.pop(0), page.headers, b"failed")
        elif page.respond is not None:
            self._send(*page.respond(seen))
        elif page.login is not None and seen.headers.get(page.login[0]) != page.login[1]:
            self._send(401, {}, b"who are you")
        elif page.redirect:
            self._send(page.redirect_status, {"Location": page.redirect}, b"")
        else:
            self._send_file(page)

    def _send_file(self, page: Page) -> None:
        content, status = page.content, 200
        headers = {"Content-Type": page.kind, "ETag": page.etag, **page.headers}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", page.etag) == page.etag or not page.heeds_if_range
        if asked and page.ranges and same:
            first = int(asked[1])
            if first >= len(content):
                self._send(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
                return
            status = 206
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            content = content[first:]
        self._send(status, headers, content, cut=page.cuts.pop(0) if page.cuts else None)

    def _send(self, status: int, headers: dict[str, str], content: bytes, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content if cut is None else content[:cut])
        if cut is not None:
            self.close_connection = True


@contextmanager
def serving() -> Iterator[Site]:
    """Run a server while the body runs."""

    class Handler(_Handler):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Handler.site = Site(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield Handler.site
        finally:
            server.shutdown()
            thread.join()
