"""The offline sky: a real server on 127.0.0.1 that stands in for the archives' hosts.

What it holds is added with the real archives' addresses. Each host of theirs has a port of its own here, so that limits
of hosts stay apart; an address is ``http://127.0.0.1:<port>/<host>/<path>``.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from aiohttp import web
from attrs import define, field, frozen

from daxa_testing.aio import Servlet
from daxa_testing.apache import FRONT_END_404, Page, StoredFile, Tree, index_page, serve
from daxa_testing.browse import Browse
from daxa_testing.datalink import DataLink
from daxa_testing.disturbing import Disturbance
from daxa_testing.erodat import erodat_page, moved
from daxa_testing.footprints import Footprint, Footprints
from daxa_testing.s3 import Bucket
from daxa_testing.serving import served_in_thread
from daxa_testing.sesame import Names
from daxa_testing.tap import Column, Manner, Table, TapService

log = logging.getLogger(__name__)

ENTRY_POINT_GROUP: Final = "daxa.sky"
SESAME: Final = "https://cds.unistra.fr/cgi-bin/nph-sesame/"
FILES: Final = "https://heasarc.gsfc.nasa.gov/FTP/"
MIRROR: Final = "https://nasa-heasarc.s3.amazonaws.com/"
DATALINK: Final = "https://heasarc.gsfc.nasa.gov/xamin/vo/datalink"
BROWSE: Final = "https://heasarc.gsfc.nasa.gov/db-perl/W3Browse/w3query.pl"
FOOTPRINTS: Final = "https://cda.cfa.harvard.edu/fps-dbdal-rest/jax-rs/main/footprints"
AIO: Final = "https://nxsa.esac.esa.int/nxsa-sl/servlet/data-action-aio"

_PAGES: Final = {"erosita.mpe.mpg.de": erodat_page}
"""Hosts whose directory pages are not Apache's."""

_MOVED: Final = {"erosita.mpe.mpg.de": moved}
"""Hosts that redirect from old paths."""

_ENCODING: Final = frozenset({"cxc.cfa.harvard.edu", "cxc.harvard.edu"})
"""Hosts that call a ``.gz`` an encoded file when the client knows gzip."""

_MANNERS: Final[Mapping[str, Manner]] = {
    "heasarc.gsfc.nasa.gov": "xamin",
    "nxsa.esac.esa.int": "xsa",
    "cda.cfa.harvard.edu": "cxc",
}


@frozen
class Request:
    """A request that was answered.

    Parameters
    ----------
    method, url : str
        Of the request; the address as the real archive would have it.
    status : int
        Of the answer.
    range : str
        Its Range header.
    started, ended : float
        Seconds of a monotonic clock.
    """

    method: str
    url: str
    status: int
    range: str
    started: float
    ended: float


@define
class _Host:
    """What one real host holds."""

    name: str
    tree: Tree = field(factory=Tree)
    taps: dict[str, TapService] = field(factory=dict)
    names: dict[str, Names] = field(factory=dict)
    servlets: dict[str, Servlet] = field(factory=dict)
    links: dict[str, DataLink] = field(factory=dict)
    browsing: dict[str, Browse] = field(factory=dict)
    footprints: dict[str, Footprints] = field(factory=dict)
    page: Page | None = None
    bucket: Bucket | None = None

    async def answer(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer a request for a path of the real host."""
        if self.bucket is not None:
            return await self.bucket.answer(request, path.removeprefix("/"))
        for base, tap in self.taps.items():
            if path.startswith(base + "/"):
                return await tap.answer(request, path[len(base) :])
        for base, names in self.names.items():
            if path.startswith(base):
                return await names.answer(request)
        for base, links in self.links.items():
            if path.startswith(base + "/"):
                return await links.answer(request, path[len(base) + 1 :])
        for held in (self.servlets, self.browsing, self.footprints):
            if path in held:
                return await held[path].answer(request)
        target = _MOVED[self.name](path) if self.name in _MOVED else None
        if target is not None:
            return web.Response(status=301, headers={"Location": target})
        page = self.page or _PAGES.get(self.name, index_page)
        return await serve(self.tree, request, path, page, encoding=self.name in _ENCODING)


@define
class Sky:
    """What the offline sky holds.

    Parameters
    ----------
    latency : float
        Seconds by which every answer is late, as if it came from afar.
    disturbance : Disturbance, optional
        Transient faults that a share of the requests meets.
    problems : list of str
        Contributions that were left out, and why.
    """

    latency: float = 0.0
    disturbance: Disturbance | None = None
    problems: list[str] = field(factory=list)
    _hosts: dict[str, _Host] = field(init=False, factory=dict)

    def _host(self, url: str) -> tuple[_Host, str]:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"{url!r} is not the address of an archive")
        return self._hosts.setdefault(parts.netloc, _Host(parts.netloc)), unquote(parts.path) or "/"

    def add_file(self, url: str, content: bytes | Path, *, modified: Any = None) -> None:
        """Add a file, with the directories above it.

        Parameters
        ----------
        url : str
            Address at the real archive.
        content : bytes or Path
            Its bytes, or where they are.
        modified : datetime, optional
            Date of last change, with time zone.
        """
        host, path = self._host(url)
        host.tree.add(path, StoredFile(content) if modified is None else StoredFile(content, modified))

    def set_page(self, url: str, page: Page) -> None:
        """Write the directory pages of the host of an address in another manner."""
        self._host(url)[0].page = page

    def add_table(
        self,
        service_url: str,
        name: str,
        columns: Sequence[Column],
        rows: Sequence[Mapping[str, Any]] | Callable[[], Iterable[Mapping[str, Any]]],
        *,
        manner: Manner | None = None,
    ) -> None:
        """Add a table to a TAP service; rows are added to a table that is there.

        Parameters
        ----------
        service_url : str
            Base address of the service.
        name : str
            Name of the table.
        columns : sequence of Column
            Its columns.
        rows : sequence of Mapping, or callable
            Its rows, or what makes them when the table is first asked.
        manner : {"xamin", "xsa", "cxc"}, optional
            How the service behaves; by default as its host does.
        """
        host, path = self._host(service_url)
        service = host.taps.setdefault(path.rstrip("/"), TapService(manner or _MANNERS.get(host.name, "xamin")))
        known = service.tables.get(name.lower())
        if known is None:
            known = Table(tuple(columns))
            service.add(name, known)
        if callable(rows):
            known.later.append(rows)
        else:
            known.rows.extend(rows)
        present = {column.name for column in known.columns}
        known.columns = (*known.columns, *(column for column in columns if column.name not in present))

    def add_name(self, name: str, ra: float, dec: float, *, service_url: str = SESAME) -> None:
        """Add a name with its position in degrees, ICRS."""
        host, path = self._host(service_url)
        host.names.setdefault(path.rstrip("/"), Names()).add(name, ra, dec)

    def add_aio(self, obs_id: str, level: str, name: str, content: bytes | Path, *, url: str = AIO) -> None:
        """Add a file of an observation to ESA's download servlet; `level` is ``ODF`` or ``PPS``."""
        self.servlet(url).add(obs_id, level, name, content)

    def add_mirror(self, url: str = MIRROR, *, of: str = FILES) -> Bucket:
        """Let a bucket mirror a tree: what is there, and what is added later.

        Parameters
        ----------
        url : str
            Address of the bucket.
        of : str
            Address of the tree's root, ending in ``/``.

        Returns
        -------
        Bucket
            What it lacks, has otherwise, and how it behaves, can be set.
        """
        host, root = self._host(of)
        mirror = self._host(url)[0]
        if mirror.bucket is None:
            mirror.bucket = Bucket(host.tree, root)
        return mirror.bucket

    def servlet(self, url: str = AIO) -> Servlet:
        """ESA's download servlet: who has an account, what is proprietary, and how observations are answered."""
        host, path = self._host(url)
        return host.servlets.setdefault(path, Servlet())

    def add_links(self, table: str, row: str, mission: str, directory: str, *, url: str = DATALINK) -> None:
        """Let HEASARC's DataLink lead from a row of a table (its ``__row``) to a directory."""
        host, path = self._host(url)
        host.links.setdefault(path, DataLink()).add(table, row, mission, directory)

    def add_browse(self, service_url: str, *, url: str = BROWSE) -> None:
        """Serve the tables of a TAP service by HEASARC's old interface for scripts too."""
        host, base = self._host(service_url)
        there, path = self._host(url)
        there.browsing[path] = Browse(host.taps.setdefault(base.rstrip("/"), TapService("xamin")))

    def add_footprint(self, footprint: Footprint, *, url: str = FOOTPRINTS) -> None:
        """Add a footprint to the service of the Chandra X-ray Center."""
        host, path = self._host(url)
        host.footprints.setdefault(path, Footprints()).held.append(footprint)

    @classmethod
    def installed(cls) -> Sky:
        """Gather what installed distributions contribute: entry points of the group ``daxa.sky``."""
        sky = cls()
        sky.add_mirror()
        for point in sorted(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda one: one.value):
            try:
                point.load()(sky)
            except Exception as problem:  # noqa: BLE001 - one broken contribution is reported, the others work
                log.warning("the sky of %s is left out: %s", point.value, problem)
                sky.problems.append(f"{point.value}: {type(problem).__name__}: {problem}")
        return sky

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[RunningSky]:
        """Serve it for the length of a block."""
        running = RunningSky(self)
        try:
            await running.start()
            yield running
        finally:
            await running.stop()

    @contextmanager
    def running_in_thread(self) -> Iterator[RunningSky]:
        """Serve it for the length of a block, from a thread with an event loop of its own."""
        with served_in_thread(self.serve, "daxa-sky") as running:
            yield running


class RunningSky:
    """The sky while it is served.

    Parameters
    ----------
    sky : Sky
        What it holds.
    """

    def __init__(self, sky: Sky) -> None:
        self.sky = sky
        self.requests: list[Request] = []
        self._ports: dict[str, int] = {}
        self._runners: list[web.AppRunner] = []
        self._busy: Counter[str] = Counter()
        self._peaks: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._servers: dict[str, web.Server] = {}

    async def start(self) -> None:
        """Open a port for each host, and one for all hosts the sky does not hold."""
        for host in [*self.sky._hosts.values(), _Host("")]:
            app = web.Application(client_max_size=1 << 26)
            app.router.add_route("*", "/{tail:.*}", self._handler(host))
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            self._runners.append(runner)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self._ports[host.name] = int(runner.addresses[0][1])
            if runner.server is not None:
                self._servers[host.name] = runner.server

    async def stop(self) -> None:
        """Close all ports."""
        for runner in self._runners:
            await runner.cleanup()

    def _handler(self, host: _Host) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            began = time.monotonic()
            self._busy[host.name] += 1
            self._peaks[host.name] = max(self._peaks[host.name], self._busy[host.name])
            self._open[host.name] = max(self._open[host.name], self._connected(host.name))
            status = 0
            try:
                if self.sky.latency:
                    await asyncio.sleep(self.sky.latency)
                prefix = f"/{host.name}/"
                if not host.name or not request.path.startswith(prefix):
                    response: web.StreamResponse = web.Response(status=404, text=FRONT_END_404)
                else:
                    response = await self._answered(host, request, request.path[len(prefix) - 1 :])
                status = response.status
                location = response.headers.get("Location", "")
                if location.startswith("/") and not location.startswith(prefix) and not response.prepared:
                    response.headers["Location"] = prefix + location[1:]
                return response
            finally:
                self._busy[host.name] -= 1
                url = f"https:/{request.path_qs}"
                self.requests.append(
                    Request(request.method, url, status, request.headers.get("Range", ""), began, time.monotonic())
                )

        return handle

    async def _answered(self, host: _Host, request: web.Request, path: str) -> web.StreamResponse:
        """Answer as the host should, or as what disturbs it has it."""
        disturbance = self.sky.disturbance
        wrong = None if disturbance is None else await disturbance.answer(request, host.tree, path)
        return await host.answer(request, path) if wrong is None else wrong

    def _connected(self, host: str) -> int:
        server = self._servers.get(host)
        held = [] if server is None else [one.transport for one in server.connections]
        return sum(one is not None and not one.is_closing() for one in held)

    def connections(self, url: str) -> int:
        """Most connections that were open at once to the host of an address, idle ones too."""
        return self._open[urlsplit(url).netloc]

    @property
    def address(self) -> str:
        """Address that stands for the sky as a whole."""
        return f"http://127.0.0.1:{self._ports['']}"

    def local(self, url: str) -> str:
        """Where an address of a real archive is served here; hosts the sky does not hold answer 404."""
        parts = urlsplit(url)
        port = self._ports.get(parts.netloc, self._ports[""])
        tail = f"?{parts.query}" if parts.query else ""
        return f"http://127.0.0.1:{port}/{parts.netloc}{parts.path or '/'}{tail}"

    def peak(self, url: str) -> int:
        """Most requests at once that the host of an address has seen."""
        return self._peaks[urlsplit(url).netloc]

    def settings(self) -> dict[str, str]:
        """Settings of a context that sees this sky and nothing else: addresses of all registered services."""
        from daxa.config import Config
        from daxa.context import Context

        registry = Context(Config()).registry
        made = {f"url_{name.lower()}": self.local(spec.url) for name, spec in registry.services.items()}
        paced = {f"listing_interval_{name.lower()}": "0" for name in registry.services}  # nobody waits for it here
        return {**made, **paced, "sky": self.address}

    def environment(self, root: Path | None = None) -> dict[str, str]:
        """Variables that make a command see this sky and nothing else.

        Parameters
        ----------
        root : Path, optional
            Directory for cache, configuration and output of the command's own.
        """
        made = {f"DAXA_{name.upper()}": value for name, value in self.settings().items()}
        if root is not None:
            made["DAXA_OUTPUT"] = str(root / "output")
            made["DAXA_CACHE"] = str(root / "cache")
            made["DAXA_CONFIG"] = str(root / "config.toml")
        return made


__all__ = ["Column", "Request", "RunningSky", "Sky"]
