"""Requests: one session a call, with the limits of hosts, patience, and errors that say what happened."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from attrs import field, frozen

from daxa._installation import version
from daxa.exceptions import (
    AccessDeniedError,
    BadReplyError,
    NetworkError,
    NotAtArchiveError,
    OfflineError,
    first_of,
)
from daxa.net import names as _names
from daxa.net import tap as _tap
from daxa.net.addresses import shown
from daxa.net.asking import Asking
from daxa.net.circuit import Circuit
from daxa.net.copies import Tree, copies_of, list_directory
from daxa.net.listing import Entry, parse_listing
from daxa.net.logins import Login, Logins
from daxa.net.parts import Again, Pace
from daxa.net.transfer import FetchResult, Transfer
from daxa.specs import RemoteFile

if TYPE_CHECKING:
    import aiohttp
    from astropy.table import Table

    from daxa.context import Context

USER_AGENT: Final = "DAXA/{version} (+https://pypi.org/project/daxa-core; IVOA-science)"
AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 522, 524})
BUSY: Final = frozenset({429, 503})
LISTINGS: Final = "listings+"
"""Before an address: its directory pages, which hosts want farther apart than files."""
DEEPEST: Final = 32  # directories below one that is walked; no archive has so many
READ_AHEAD: Final = 1 << 20  # bytes that a connection holds before it makes the server wait


@frozen
class Reply:
    """An answer, whole.

    Parameters
    ----------
    status : int
        HTTP status.
    url : str
        Where it came from, after redirections.
    headers : Mapping
        Its headers.
    body : bytes
        Its bytes.
    """

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Its text."""
        match = re.search(r"charset=([\w-]+)", self.headers.get("Content-Type", ""))
        try:
            return self.body.decode(match[1] if match else "utf-8")
        except (LookupError, UnicodeDecodeError):
            return self.body.decode("latin-1")


@frozen
class Patience:
    """How often and after how long a request is tried again.

    Parameters
    ----------
    attempts : int
        Tries in all.
    first, most : float
        Seconds before the second try, and at the most; each wait is twice the one before, and a little random.
    connect_seconds, read_seconds : float
        How long a connection may take, and how long a server may be silent.
    slowest, window : float
        A transfer that brings fewer bytes a second, over a window of so many seconds, is broken off and gone on with.
    failures, cooling : int, float
        After so many requests in a row that were given up, by whatever session of the context, a host is left alone for
        so many seconds.
    chance : random.Random
        For the randomness of waits.
    """

    attempts: int = 5
    first: float = 0.5
    most: float = 60.0
    connect_seconds: float = 30.0
    read_seconds: float = 60.0
    slowest: float = 1000.0
    window: float = 60.0
    failures: int = 8
    cooling: float = 30.0
    chance: random.Random = field(factory=random.Random)

    def wait(self, attempt: int) -> float:
        """Seconds to wait after a number of tries."""
        return min(self.most, self.first * 2.0 ** (attempt - 1)) * (0.5 + self.chance.random())


def retry_after(value: str | None) -> float | None:
    """Read a Retry-After header: seconds, or a date."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


class Net:
    """What missions and downloads ask the network with.

    Made by :func:`open_net`; lives as long as its block.
    """

    def __init__(
        self,
        context: Context,
        session: aiohttp.ClientSession,
        patience: Patience,
        login: Login | None = None,
        prefer: Sequence[str] = (),
    ) -> None:
        self.context = context
        self.patience = patience
        self.logins = Logins(context, login)
        self.asking = Asking(session, self.logins)
        self.circuit = Circuit(context.hosts, patience.failures, patience.cooling)
        self.told: list[tuple[str, str | None]] | None = None  # who answered, with its ETag, if somebody wants to know
        self.heasarc = Tree(self, copies_of(self.url("HEASARC"), self.url("HEASARC_S3"), prefer))
        self.unpacking = anyio.CapacityLimiter(os.cpu_count() or 1)  # more would only hinder each other, and the loop

    @property
    def prefers_copies(self) -> bool:
        """Whether files of HEASARC's tree shall come from its mirror or a mounted copy, before anything else."""
        return self.heasarc.copies[0].kind != "https"

    def url(self, service: str) -> str:
        """Address of a service, as configured."""
        return self.context.service_url(service)

    def refuse_offline(self, url: str) -> None:
        """Stop before a connection is made where the network is switched off."""
        if self.context.config.offline and not url.startswith("file:"):
            raise OfflineError(
                f"{shown(url)} is needed, and the network is switched off.",
                expected="what is asked for in the cache or on disk",
                remedy="unset DAXA_OFFLINE",
                url=shown(url),
            )

    def refusal(self, status: int, url: str) -> NetworkError:
        """Make the error of a status that no patience mends."""
        where = shown(url)
        if status in (401, 403):
            return AccessDeniedError(
                f"{where} refuses access ({status}).",
                expected="public data, or credentials",
                remedy="look at the observation's public date, or give credentials",
                url=where,
                status=status,
            )
        if status in (404, 410):
            return NotAtArchiveError(
                f"{where} is not there ({status}).", remedy="the archive does not have it", url=where, status=status
            )
        return NetworkError(
            f"{where} answered with status {status}.", remedy="try again later", url=where, status=status
        )

    async def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        method: str = "GET",
        limit: int = 64 * 1024 * 1024,
        attempts: int | None = None,
        ok: Sequence[int] = (200,),
        answers: Callable[[Reply], bool] | None = None,
    ) -> Reply:
        """Ask for something that fits into memory.

        Parameters
        ----------
        url : str
            Address.
        params, headers, data : Mapping, optional
            Query, headers, form.
        method : str
            HTTP method; a redirection is followed with GET.
        limit : int
            Most bytes.
        attempts : int, optional
            Tries in all.
        ok : sequence of int
            Statuses that are answers.
        answers : callable, optional
            Whether a reply of another status is an answer too.

        Raises
        ------
        AccessDeniedError, NotAtArchiveError, BadReplyError, OfflineError, NetworkError
            With URL and cause.
        """
        import aiohttp  # late: whoever only names Net in an annotation does not wait for it

        self.refuse_offline(url)
        self.circuit.check(url)
        tries = attempts or self.patience.attempts
        cause = ""
        for attempt in range(1, tries + 1):
            wait: float | None = None
            try:
                async with (
                    self.context.hosts.slot(url),
                    self.asking.request(method, url, params=params, data=data, headers=headers) as response,
                ):
                    if response.status not in AGAIN:
                        self.circuit.answered(url)
                    if response.status in ok or answers is not None:
                        body = await self._body(response, limit)
                        reply = Reply(response.status, self.logins.bare(response.url), response.headers, body)
                        if answers is None or response.status in ok or answers(reply):
                            self._answered(url, reply)
                            return reply
                    if response.status not in AGAIN:
                        raise self.refusal(response.status, self.logins.bare(response.url))
                    cause = f"status {response.status}"
                    wait = self.note_busy(url, response.status, response.headers.get("Retry-After"))
            except aiohttp.TooManyRedirects:
                raise BadReplyError(
                    f"{shown(url)} redirects in circles.", remedy="try again later", url=shown(url)
                ) from None
            except Again as problem:
                cause = str(problem)
            except (aiohttp.ClientError, TimeoutError, OSError) as problem:
                if isinstance(problem, NetworkError):
                    raise
                cause = f"{type(problem).__name__}: {shown(problem)}" if str(problem) else type(problem).__name__
            if attempt < tries:
                await anyio.sleep(self.patience.wait(attempt) if wait is None else wait)
        self.circuit.failed(url)
        raise NetworkError(
            f"{shown(url)} could not be had after {tries} tries; the last ended with {cause}.",
            remedy="try again later; the service may be down",
            url=shown(url),
            attempts=tries,
            cause=cause,
        )

    def _answered(self, url: str, reply: Reply) -> None:
        """Take notice of an answer."""
        self.circuit.answered(url)
        self.context.hosts.report(url, throttled=False)
        if self.told is not None:
            self.told.append((url, reply.headers.get("ETag")))

    def note_busy(self, url: str, status: int, header: str | None) -> float | None:
        """Make the whole host wait when it says it is busy; returns the wait it asks for."""
        if status not in BUSY:
            return None
        wait = retry_after(header)
        self.context.hosts.report(url, throttled=True)
        if wait is not None:
            self.context.hosts.pause(url, min(wait, 600.0))
            return min(wait, 600.0)
        return None

    async def _body(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        blocks, size, pace = [], 0, Pace(self.patience.slowest, self.patience.window)
        async for block in response.content.iter_any():
            pace.note(len(block))
            size += len(block)
            if size > limit:
                raise BadReplyError(
                    f"{shown(response.url)} sends more than {limit} bytes.",
                    expected="a smaller reply",
                    remedy="tell the developers",
                    url=shown(response.url),
                )
            blocks.append(block)
        return b"".join(blocks)

    async def listing(self, url: str, *, listed: bool = False) -> tuple[Entry, ...]:
        """List a directory; one of HEASARC's tree from whichever copy has it.

        Parameters
        ----------
        url : str
            Its address.
        listed : bool
            Whether its name was read from a listing: then a 404 may be a passing fault, and is tried again.

        Raises
        ------
        NotAtArchiveError
            If it does not exist.
        BadReplyError
            If the page is no listing, or cut short.
        """
        address = url if url.endswith("/") else url + "/"
        path = self.heasarc.path_of(address)
        if path is not None:
            return await self.heasarc.listing(path, listed=listed)
        if address.startswith("file:"):
            return await anyio.to_thread.run_sync(list_directory, address)
        return await self.page(address, listed=listed)

    async def page(self, address: str, source: str = "", *, listed: bool = False) -> tuple[Entry, ...]:
        """List a directory by its page, in turn with other listings of the host.

        Parameters
        ----------
        address : str
            Of the directory, ending in ``/``.
        source : str
            Address of the copy of a tree that it belongs to.
        listed : bool
            As for :meth:`listing`.

        Raises
        ------
        NotAtArchiveError, BadReplyError
            As from :meth:`listing`.
        """
        turn = LISTINGS + address
        spaced = self.context.hosts.policy(turn).interval > 0
        for attempt in (1, 2, 3):
            try:
                async with self.context.hosts.slot(turn) if spaced else nullcontext():
                    reply = await self.get(address)
                return parse_listing(reply.text, reply.url, source, address)
            except (BadReplyError, NotAtArchiveError) as problem:
                if attempt == 3 or (isinstance(problem, NotAtArchiveError) and not listed):
                    problem.context.setdefault("attempts", attempt)
                    raise
                await anyio.sleep(self.patience.wait(attempt))
        raise AssertionError("unreachable")

    async def walk(
        self, url: str, *, keep: Callable[[str, bool], bool] = lambda _path, _is_dir: True
    ) -> list[tuple[str, Entry]]:
        """List a directory and those below it, side by side.

        Parameters
        ----------
        url : str
            Directory.
        keep : callable
            ``keep(relative path, is_dir)``; a directory that is not kept is not entered.

        Returns
        -------
        list of (str, Entry)
            Files with their relative paths, sorted.
        """
        base = url if url.endswith("/") else url + "/"
        found: list[tuple[str, Entry]] = []

        async def enter(prefix: str) -> None:
            if prefix.count("/") > DEEPEST:
                raise BadReplyError(
                    f"{shown(base)} has directories within each other without end.",
                    expected=f"at most {DEEPEST}",
                    remedy="tell the archive's operators",
                    url=shown(base),
                )
            async with anyio.create_task_group() as group:
                for entry in await self.listing(base + prefix):
                    path = prefix + entry.name
                    if not keep(path, entry.is_dir):
                        continue
                    if entry.is_dir:
                        group.start_soon(enter, path + "/")
                    else:
                        found.append((path, entry))

        try:
            await enter("")
        except BaseExceptionGroup as group:
            raise first_of(group) from None
        return sorted(found, key=lambda pair: pair[0])

    async def tap(self, service: str, adql: str, *, maxrec: int | None = None, columns: Sequence[str] = ()) -> Table:
        """Ask a TAP service; see :func:`daxa.net.tap.tap`."""
        return await _tap.tap(self, service, adql, maxrec=maxrec, columns=columns)

    async def count(self, service: str, table: str, where: str = "") -> int:
        """Count the rows of a table."""
        return await _tap.count(self, service, table, where)

    async def resolve(self, name: str) -> tuple[float, float]:
        """Position of a named object in degrees, ICRS."""
        return await _names.resolve(self, name)

    async def fetch(self, remote: RemoteFile, directory: Path, *, mission: str = "") -> FetchResult:
        """Fetch a file, verify it, unpack it, and give it its name; see :mod:`daxa.net.transfer`."""
        return await Transfer(self, remote, directory, mission).run()


@asynccontextmanager
async def open_net(
    context: Context,
    *,
    patience: Patience | None = None,
    login: Login | None = None,
    prefer: Sequence[str] = (),
) -> AsyncIterator[Net]:
    """Open a session for the length of a block.

    Parameters
    ----------
    context : Context
        Configuration, services and limits of hosts.
    patience : Patience, optional
        How often requests are tried again.
    login : Login, optional
        Credentials that the user gave, for services that take some.
    prefer : sequence of str
        ``https``, ``s3`` and mounted directories, best first; by default as configured.
    """
    import aiohttp

    _set_limits(context)
    patience = patience or Patience()
    async with (
        context.connections.shared() as connector,
        aiohttp.ClientSession(
            connector=connector,
            connector_owner=False,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=patience.connect_seconds, sock_read=patience.read_seconds
            ),
            auto_decompress=False,
            read_bufsize=READ_AHEAD,
            headers={"Accept-Encoding": "identity", "User-Agent": USER_AGENT.format(version=version())},
        ) as session,
    ):
        yield Net(context, session, patience, login, prefer or context.config.locations)


def _set_limits(context: Context) -> None:
    """Tell the limits of all services; directory pages have an interval of their own."""
    services = [(context.service_url(name), context.service_limits(name)) for name in context.registry.services]
    context.hosts.set_all((url, limits.connections, limits.interval) for url, limits in services)
    context.hosts.set_all((LISTINGS + url, limits.connections, limits.listing_interval) for url, limits in services)


__all__ = ["Net", "Patience", "Reply", "open_net", "shown"]
