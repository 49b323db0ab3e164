"""Requests by HTTP: redirects, logins that stay with their host, retries, and answers that are no data."""

import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from http.cookiejar import CookieJar
from importlib.metadata import version
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit
from urllib.request import (
    HTTPCookieProcessor,
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from permagrid.errors import PermagridError
from permagrid.fetch.logins import Login

MOST_TEXT = 64_000_000
"""Bytes that an answer which is read into memory may have."""

_Result = TypeVar("_Result")
_MOST_REDIRECTS = 10
_LONGEST_PAUSE = 60.0
_MOVED = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_PLAIN_KEYS = {"format", "map", "service", "version", "request", "coverageid", "subset", "subsettingcrs"}
_PLAIN_KEYS |= {"outputcrs", "download", "limit", "page", "bbox", "datetime", "collections"}
"""Keys of queries whose values are no secret."""


class PassingError(Exception):
    """Something that passes: a later attempt may succeed.

    Parameters
    ----------
    message
        What happened.
    wait
        Seconds to wait, where that is known.
    moved
        Whether something was gained all the same, so that attempts are counted anew.
    """

    def __init__(self, message: str, wait: float | None = None, *, moved: bool = False) -> None:
        super().__init__(message)
        self.wait = wait
        self.moved = moved


class MissingError(PermagridError):
    """There is no such file."""


class OutOfRangeError(Exception):
    """The part of a file that was asked for is not there."""


class Web:
    """Opens addresses.

    Parameters
    ----------
    logins
        Headers for some hosts.
    attempts
        How often something is tried that may pass.
    timeout
        Seconds to wait for a server.
    pause
        Waits some seconds.
    """

    def __init__(
        self,
        *,
        logins: Sequence[Login] = (),
        attempts: int = 5,
        timeout: float = 60.0,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self.logins = tuple(logins)
        self._attempts = attempts
        self._timeout = timeout
        self._pause = pause or _sleep
        # No handler for files or FTP, and none that follows redirects unseen.
        self._opener = OpenerDirector()
        for handler in (
            *(ProxyHandler(), UnknownHandler(), HTTPHandler(), HTTPSHandler()),
            *(HTTPDefaultErrorHandler(), HTTPErrorProcessor(), HTTPCookieProcessor(CookieJar())),
        ):
            self._opener.add_handler(handler)

    def open(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        method: str | None = None,
    ) -> http.client.HTTPResponse:
        """Return the answer to one request, redirects followed.

        Raises
        ------
        PassingError
            If a later attempt may succeed.
        MissingError
            If there is no such file.
        OutOfRangeError
            If the part of the file is not there.
        PermagridError
            If the server refuses, or leads to something that is no ``http`` or ``https``.
        """
        sent = {
            "User-Agent": f"permagrid/{version('permagrid')}",
            "Accept-Encoding": "identity",
            **(headers or {}),
        }
        for _ in range(_MOST_REDIRECTS + 1):
            check_scheme(url)
            own = {login.header: login.value for login in self.logins if login.fits(url)}
            request = Request(url, data=body, headers={**sent, **own}, method=method)
            try:
                answer: http.client.HTTPResponse = self._opener.open(request, timeout=self._timeout)
                return answer
            except HTTPError as error:
                with error:
                    target = error.headers.get("Location")
                    if error.code not in _MOVED or not target:
                        raise self._judged(error, url) from None
                    code = error.code
            except (URLError, OSError, http.client.HTTPException) as error:
                raise _unreachable(error, url) from None
            url = _next(url, target)
            if code == 303 or (code in (301, 302) and body is not None):
                body, method = None, None
                sent.pop("Content-Type", None)
        raise PermagridError(f"{shown(url)}: leads on more than {_MOST_REDIRECTS} times")

    def persist(self, action: Callable[[], _Result], url: str) -> _Result:
        """Return the result of an action, tried again while trouble may pass.

        Raises
        ------
        PermagridError
            If it never passes.
        """
        failed = 0
        while True:
            try:
                return action()
            except PassingError as trouble:
                failed = 1 if trouble.moved else failed + 1
                if failed >= self._attempts:
                    tried = f"tried {failed} times" if failed > 1 else "tried once"
                    raise PermagridError(
                        f"{shown(url)}: {trouble} ({tried}); run it again later"
                    ) from trouble
                usual = float(2 ** (failed - 1))
                self._pause(min(usual if trouble.wait is None else trouble.wait, _LONGEST_PAUSE))

    def read(self, url: str, *, body: bytes | None = None, accept: str = "*/*") -> bytes:
        """Return a short answer whole.

        Raises
        ------
        PermagridError
            As `open`, or if the answer is longer than `MOST_TEXT`.
        """
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"

        def once() -> bytes:
            with self.open(url, headers=headers, body=body) as answer:
                length = answer.headers.get("Content-Length")
                try:
                    content = answer.read(MOST_TEXT + 1)
                except (OSError, http.client.HTTPException) as error:
                    raise _unreachable(error, url) from None
                if len(content) > MOST_TEXT:
                    raise PermagridError(f"{shown(url)}: answers with more than {MOST_TEXT} bytes")
                if length and length.isdigit() and len(content) < int(length):
                    raise PassingError("the connection ended early")
                return content

        return self.persist(once, url)

    def json(self, url: str, *, body: Any = None) -> Any:
        """Return an answer in JSON; `body` is sent as JSON where it is given.

        Raises
        ------
        PermagridError
            As `read`, or if the answer is no JSON.
        """
        sent = None if body is None else json.dumps(body).encode()
        content = self.read(url, body=sent, accept="application/geo+json, application/json")
        try:
            return json.loads(content)
        except ValueError as error:
            raise PermagridError(f"{shown(url)}: answers with no JSON") from error

    def size(self, url: str) -> int | None:
        """Return the bytes of a file, asked once; None if the server does not say."""
        try:
            with self.open(url, method="HEAD") as answer:
                length = answer.headers.get("Content-Length")
                return int(length) if length and length.isdigit() else None
        except (PassingError, OutOfRangeError, PermagridError):
            return None

    def _judged(self, error: HTTPError, url: str) -> Exception:
        place, code = shown(url), error.code
        if code in (404, 410):
            return MissingError(f"{place}: there is no such file ({code})")
        if code == 416:
            return OutOfRangeError(place)
        if code in _PASSING:
            return PassingError(f"the server answers {code}", _wait(error.headers.get("Retry-After")))
        if code in (401, 403):
            sent = [login.variable for login in self.logins if login.fits(url)]
            if sent:
                return PermagridError(f"{place}: refuses the login in {' and '.join(sent)} ({code})")
            return PermagridError(f"{place}: asks for a login that this host is not sent ({code})")
        return PermagridError(f"{place}: answers {code} {error.reason}")


def check_scheme(url: str) -> None:
    """Refuse an address that is no ``http`` or ``https``, or that holds a password.

    Raises
    ------
    PermagridError
        If it is refused.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PermagridError(f"{shown(url)}: only http and https addresses are opened")
    if parts.username or parts.password:
        raise PermagridError(f"{shown(url)}: an address must not hold a password; logins come from variables")


def shown(url: str) -> str:
    """Return an address as it may be printed or kept: without password, signature or key.

    Examples
    --------
    >>> shown("https://me:secret@example.org/dem.tif?sig=abc&format=textfile#x")
    'https://example.org/dem.tif?format=textfile'
    """
    parts = urlsplit(url)
    keys = {key for key, _ in parse_qsl(parts.query, keep_blank_values=True) if key.lower() in _PLAIN_KEYS}
    kept = [part for part in parts.query.split("&") if part.partition("=")[0] in keys]
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, place, parts.path, "&".join(kept), ""))


def _next(url: str, target: str) -> str:
    reached = urljoin(url, target)
    if urlsplit(reached).scheme not in ("http", "https"):
        raise PermagridError(f"{shown(url)}: leads to {shown(reached)}, which is no http or https address")
    if urlsplit(url).scheme == "https" and urlsplit(reached).scheme == "http":
        raise PermagridError(
            f"{shown(url)}: leads from https to http, to {shown(reached)}; that is not followed"
        )
    return reached


def _unreachable(error: Exception, url: str) -> Exception:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return PermagridError(f"{shown(url)}: its certificate is not trusted ({reason.verify_message})")
    if isinstance(reason, TimeoutError):
        return PassingError("the server does not answer in time")
    if isinstance(reason, OSError) and reason.strerror:
        return PassingError(f"cannot be reached ({reason.strerror})")
    if isinstance(reason, str):
        return PassingError(f"cannot be reached ({reason})")
    return PassingError("the connection ended early")


def _wait(said: str | None) -> float | None:
    return float(said) if said and said.isdigit() else None


def _sleep(seconds: float) -> None:
    time.sleep(seconds)
