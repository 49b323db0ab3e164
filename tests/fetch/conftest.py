"""Fixtures of the downloads: a server on this machine, and a client that does not wait."""

from collections.abc import Iterator

import pytest
from server import Site, serving

from permagrid.catalogue import CREDENTIALS
from permagrid.fetch import Web


@pytest.fixture(autouse=True)
def _no_proxy_and_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    for asked in CREDENTIALS.values():
        for name in (asked.token, *(asked.login or ())):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PERMAGRID_BASE_URL", raising=False)


@pytest.fixture
def site() -> Iterator[Site]:
    """Return the pages of a running server."""
    with serving() as served:
        yield served


@pytest.fixture
def waits() -> list[float]:
    """Return the seconds that the client waited."""
    return []


@pytest.fixture
def web(waits: list[float]) -> Web:
    """Return a client that notes its waits in place of waiting."""
    return Web(attempts=4, timeout=5.0, pause=waits.append)
