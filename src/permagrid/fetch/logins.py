"""Logins that providers ask for, from environment variables only, and to whom each is sent."""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from permagrid.catalogue import CREDENTIALS, Credential
from permagrid.errors import PermagridError

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Login:
    """A header that only some hosts are sent."""

    variable: str
    """Environment variable from which it comes."""
    header: str
    """Name of the header."""
    value: str = field(repr=False)
    """Its value, which is never shown."""
    hosts: tuple[str, ...]
    """Hosts to which it is sent, each with all below it."""

    def fits(self, url: str) -> bool:
        """Return whether the header may be sent to an address: to its own hosts, and never in clear.

        Examples
        --------
        >>> login = Login("TOKEN", "Authorization", "Bearer x", ("nasa.gov",))
        >>> [login.fits(f"{scheme}.nasa.gov/x") for scheme in ("https://data", "http://data")]
        [True, False]
        >>> login.fits("https://data.nasa.gov.example.org/x")
        False
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        known = any(host == own or host.endswith(f".{own}") for own in self.hosts)
        return known and (parts.scheme == "https" or host in _THIS_MACHINE)


def logins_for(name: str, credential: str, environment: Mapping[str, str] = os.environ) -> list[Login]:
    """Return the logins that are set in the environment.

    Parameters
    ----------
    name
        Data set that asks for the login, for messages.
    credential
        Its name in `permagrid.catalogue.CREDENTIALS`; empty where none is asked for.
    environment
        Variables and their values.

    Raises
    ------
    PermagridError
        If a login is required and not set, or holds what none can.
    """
    if not credential:
        return []
    asked = CREDENTIALS[credential]
    found = [*_token(asked, environment), *_name_and_password(asked, environment)]
    if not found and asked.required:
        raise PermagridError(f"{name} asks for a login: set {asked.words}, from {asked.home}")
    return found


def _token(asked: Credential, environment: Mapping[str, str]) -> Sequence[Login]:
    value = _clean(asked.token, environment)
    if not value:
        return ()
    sent = f"Bearer {value}" if asked.header == "Authorization" else value
    return (Login(asked.token, asked.header, sent, asked.hosts),)


def _name_and_password(asked: Credential, environment: Mapping[str, str]) -> Sequence[Login]:
    if asked.login is None:
        return ()
    user, password = (_clean(variable, environment) for variable in asked.login)
    if not (user and password):
        return ()
    code = base64.b64encode(f"{user}:{password}".encode()).decode()
    return (Login(asked.login[1], "Authorization", f"Basic {code}", asked.login_hosts),)


def _clean(variable: str, environment: Mapping[str, str]) -> str:
    value = environment.get(variable, "").strip()
    # A header with such a character would be refused later, in a message that shows the value.
    if not (value.isascii() and (not value or value.isprintable())):
        raise PermagridError(f"{variable} holds characters that no login has; set it again")
    return value
