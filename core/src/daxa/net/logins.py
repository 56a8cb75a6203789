"""Credentials of services: where they are found, and which addresses may see them."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import anyio
import anyio.to_thread
from attrs import field, frozen

from daxa.exceptions import DAXAConfigError, InvalidParameterError

if TYPE_CHECKING:
    from daxa.context import Context
    from daxa.specs import ServiceSpec

log = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"


@frozen
class Login:
    """User name and password; neither is in its representation."""

    user: str = field(repr=False)
    password: str = field(repr=False)


def login_of(credentials: Any) -> Login | None:
    """Read the credentials that a user gives.

    Parameters
    ----------
    credentials : (str, str), Mapping, Login or None
        User name and password; a mapping has them as ``user`` and ``password``.

    Raises
    ------
    InvalidParameterError
        If they are something else; it does not repeat them.
    """
    if credentials is None or isinstance(credentials, Login):
        return credentials
    pair: Any = ()
    if isinstance(credentials, Mapping):
        pair = (credentials.get("user", credentials.get("username")), credentials.get("password"))
    elif isinstance(credentials, Sequence) and not isinstance(credentials, str | bytes):
        pair = tuple(credentials)
    if len(pair) != 2 or not all(isinstance(one, str) and one for one in pair):
        raise InvalidParameterError(
            "The credentials are not a user name and a password.",
            expected='a pair of texts, or {"user": ..., "password": ...}',
            remedy="give both; without any, those of settings or ~/.netrc are used",
        )
    return Login(*pair)


def find_login(context: Context, spec: ServiceSpec) -> Login | None:
    """Look the credentials of a service up: settings first, then the netrc file. Reads files.

    Parameters
    ----------
    context : Context
        Configuration. The settings are ``<service>_user`` and ``<service>_password``.
    spec : ServiceSpec
        The service. Its machine in the netrc file is the host of its address; ``default`` there is not meant for it.

    Raises
    ------
    DAXAConfigError
        If there is one of the two only, or the netrc file cannot be read.
    """
    name = spec.name.lower()
    user, password = (context.config.setting(f"{name}_{one}").value for one in ("user", "password"))
    if user and password:
        return Login(str(user), str(password))
    entry = _netrc_entry(urlsplit(context.service_url(spec.name)).hostname or "")
    if user or password:
        if entry is not None and user and entry.user == str(user):
            return entry
        raise DAXAConfigError(
            f"Of the credentials of {spec.name}, only {name}_{'user' if user else 'password'} is set.",
            expected="user and password",
            remedy=f"set DAXA_{name.upper()}_USER and DAXA_{name.upper()}_PASSWORD, or neither",
        )
    return entry


def _netrc_entry(host: str) -> Login | None:
    """Entry of a machine in the file that NETRC names, else in ``~/.netrc``."""
    import netrc

    named = os.environ.get("NETRC")
    path = Path(os.path.expanduser(named or "~/.netrc"))  # noqa: PTH111 - pathlib fails where nobody has a home
    if not named and not path.exists():
        return None
    cause = ""
    try:
        found = netrc.netrc(path).hosts.get(host)
    except netrc.NetrcParseError as problem:
        cause = f"line {problem.lineno} is not understood"  # what stands there may be the password
    except UnicodeDecodeError:
        cause = "it is not text"
    except OSError as problem:
        cause = problem.strerror or type(problem).__name__
    if cause:  # outside of the handler: the errors of the parser quote the file
        raise DAXAConfigError(
            f"The file {path} cannot be read: {cause}.",
            expected="machine, login and password, as curl and ftp read them",
            remedy="correct the file, or name another with NETRC, e.g. /dev/null",
            path=str(path),
        )
    return Login(found[0], found[2]) if found and found[0] and found[2] else None


class Logins:
    """What a session logs in with.

    Credentials are looked up when a service that takes some is first asked. They go to addresses below the service's
    own only, and over https or to this machine only.

    Parameters
    ----------
    context : Context
        Configuration and services.
    given : Login, optional
        Credentials that the user gave for this session.
    """

    def __init__(self, context: Context, given: Login | None = None) -> None:
        self._context = context
        self._given = given
        specs = [spec for spec in context.registry.services.values() if spec.login]
        self._specs = {context.service_url(spec.name).rstrip("/") + "/": spec for spec in specs}
        self._found: dict[str, Login | None] = {}
        self._lock = anyio.Lock()

    async def query(self, url: str) -> dict[str, str]:
        """Parameters that log in at an address; empty where nothing is known, or nothing may be shown.

        Raises
        ------
        DAXAConfigError
            If the credentials cannot be read.
        """
        spec = next((spec for base, spec in self._specs.items() if _below(url, base)), None)
        if spec is None or spec.login is None:
            return {}
        login = await self.login(spec)
        if login is None:
            return {}
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname != LOOPBACK:
            log.warning("credentials of %s are not sent: its address is not https", spec.name)
            return {}
        return {spec.login[0]: login.user, spec.login[1]: login.password}

    async def login(self, spec: ServiceSpec) -> Login | None:
        """Find the credentials of a service, once."""
        async with self._lock:
            if spec.name not in self._found:
                self._found[spec.name] = self._given or await anyio.to_thread.run_sync(find_login, self._context, spec)
            return self._found[spec.name]

    def bare(self, url: object) -> str:
        """An address without what logs in."""
        text = str(url)
        names = {name for spec in self._specs.values() for name in spec.login or ()}
        try:
            parts = urlsplit(text)
        except ValueError:  # it only looks like an address
            return text
        pairs = [one for one in parts.query.split("&") if one.partition("=")[0] not in names]
        query = "&".join(pairs)
        return text if query == parts.query else urlunsplit(parts._replace(query=query))


async def known_login(context: Context, services: Sequence[str], credentials: Any) -> Login | None:
    """Find credentials of the first of some services that takes any.

    Parameters
    ----------
    context : Context
        Configuration and services.
    services : sequence of str
        Their names.
    credentials : optional
        What the user gave; see :func:`login_of`.
    """
    for name in services:
        spec = context.registry.services.get(name)
        if spec is not None and spec.login:
            return await Logins(context, login_of(credentials)).login(spec)
    return None


def with_query(url: str, query: Mapping[str, str]) -> str:
    """An address with further parameters, percent-encoded."""
    parts = urlsplit(url)
    more = urlencode(query, quote_via=quote, safe="")
    return urlunsplit(parts._replace(query=f"{parts.query}&{more}" if parts.query else more))


def _below(url: str, base: str) -> bool:
    """Whether an address is below another; what only looks like one is not."""
    try:
        one, other = urlsplit(url), urlsplit(base)
        same = (one.scheme, one.hostname, one.port) == (other.scheme, other.hostname, other.port)
    except ValueError:
        return False
    return same and one.path.startswith(other.path)


__all__ = ["Login", "Logins", "find_login", "known_login", "login_of", "with_query"]
