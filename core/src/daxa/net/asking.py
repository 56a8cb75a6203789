"""One request: through the proxy of the environment, and logged in where the service wants that.

Redirections of a request that logs in are followed here, one by one: each address is looked at anew, so that another
host does not see the credentials.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from attrs import field, frozen

from daxa.exceptions import AccessDeniedError, BadReplyError
from daxa.net.addresses import shown
from daxa.net.logins import Logins, with_query

if TYPE_CHECKING:
    import aiohttp

REDIRECTIONS: Final = 10
_ELSEWHERE: Final = frozenset({301, 302, 303, 307, 308})


def proxies_of_the_environment() -> Mapping[str, str]:
    """Proxies that the environment names, by scheme of what is asked for."""
    import urllib.request

    return urllib.request.getproxies()


def proxy_of(url: str, proxies: Mapping[str, str]) -> str | None:
    """Proxy for an address, given those there are.

    The session does not look at the environment itself: it would read ``~/.netrc`` too, and show what stands there to
    whatever host it is sent to.
    """
    if not proxies:
        return None
    import urllib.request

    try:
        parts = urlsplit(url)
    except ValueError:  # it only looks like an address; the session says so
        return None
    proxy = proxies.get(parts.scheme)
    return None if proxy is None or urllib.request.proxy_bypass(parts.hostname or "") else proxy


@frozen
class Asking:
    """Sends requests.

    Parameters
    ----------
    session : aiohttp.ClientSession
        The open session.
    logins : Logins
        Credentials.
    proxies : Mapping
        Proxies by scheme; by default as the environment names them now.
    """

    session: aiohttp.ClientSession
    logins: Logins
    proxies: Mapping[str, str] = field(factory=proxies_of_the_environment)

    @asynccontextmanager
    async def request(self, method: str, url: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request, and hold the answer open for the length of a block.

        Parameters
        ----------
        method, url : str
            Method and address; the address is without credentials.
        **options
            ``params``, ``data`` and ``headers``, as the session takes them.

        Raises
        ------
        AccessDeniedError
            If the service does not accept the credentials.
        BadReplyError
            If a request that logs in is redirected in circles, or to what is no address.
        """
        if await self.logins.query(url):
            async with self._logged_in(method, url, options) as response:
                yield response
            return
        async with self.session.request(
            method, url, proxy=proxy_of(url, self.proxies), max_redirects=REDIRECTIONS, **options
        ) as response:
            yield response

    @asynccontextmanager
    async def _logged_in(self, method: str, url: str, options: dict[str, Any]) -> AsyncIterator[aiohttp.ClientResponse]:
        here = url
        for _ in range(REDIRECTIONS + 1):
            query = await self.logins.query(here)
            async with self.session.request(
                method,
                with_query(here, query) if query else here,
                proxy=proxy_of(here, self.proxies),
                allow_redirects=False,
                **options,
            ) as response:
                if response.status not in _ELSEWHERE or "Location" not in response.headers:
                    if query and response.status == 200 and "Content-Type" not in response.headers:
                        raise _refused(url)
                    yield response
                    return
                there = urljoin(here, response.headers["Location"])
            if urlsplit(there).scheme not in ("http", "https"):
                break
            here = self.logins.bare(there)
        raise BadReplyError(
            f"{shown(url)} redirects in circles, or to no address.", remedy="try again later", url=shown(url)
        )


def _refused(url: str) -> AccessDeniedError:
    """ESA's servlet answers credentials that it does not accept with an empty success of no type."""
    return AccessDeniedError(
        f"{shown(url)} does not accept the credentials.",
        expected="user name and password of an account there",
        remedy="correct them: settings, ~/.netrc or credentials=",
        url=shown(url),
    )


__all__ = ["Asking", "proxies_of_the_environment", "proxy_of"]
