"""Limits of hosts: how many requests at once, how far apart, when to wait, and which are left alone for a while.

They belong to a context and hold over all its sessions and event loops.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from urllib.parse import urlsplit

from attrs import define, field, frozen


def origin(url: str) -> str:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


@frozen
class Policy:
    """How a host wants to be treated: requests at once, and seconds between their starts."""

    connections: int = 4
    interval: float = 0.0


@define
class _Host:
    policy: Policy
    allowed: float
    busy: int = 0
    next_start: float = 0.0
    failures: int = 0
    alone_until: float = 0.0
    waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = field(factory=deque)


def _let_go(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


@define
class HostLimits:
    """The limits of all hosts. Thread-safe; waits in the event loop that asks."""

    _hosts: dict[str, _Host] = field(init=False, factory=dict)
    _lock: threading.Lock = field(init=False, factory=threading.Lock)

    def _host(self, url: str) -> _Host:
        return self._hosts.setdefault(origin(url), _Host(Policy(), 4.0))

    def set(self, url: str, connections: int, interval: float = 0.0) -> None:
        """Set the policy of a host, unless it has that one already."""
        with self._lock:
            host = self._hosts.get(origin(url))
            policy = Policy(connections, interval)
            if host is None:
                self._hosts[origin(url)] = _Host(policy, float(connections))
            elif host.policy != policy:
                host.policy, host.allowed = policy, float(connections)

    def set_all(self, services: Iterable[tuple[str, int, float]]) -> None:
        """Set the policies of services' hosts; one with several services gets what the most generous of them allows.

        Parameters
        ----------
        services : iterable of (str, int, float)
            Address, requests at once, and seconds between their starts, of each.
        """
        policies: dict[str, tuple[int, float]] = {}
        for url, connections, interval in services:
            most, apart = policies.get(origin(url), (0, 0.0))
            policies[origin(url)] = (max(most, connections), max(apart, interval))
        for host, (connections, interval) in policies.items():
            self.set(host, connections, interval)

    def policy(self, url: str) -> Policy:
        """Policy of a host."""
        with self._lock:
            return self._host(url).policy

    def allowed(self, url: str) -> int:
        """Requests at once that a host may see now; its policy, or less while it is busy."""
        with self._lock:
            return int(self._host(url).allowed)

    def pause(self, url: str, seconds: float) -> None:
        """Start no request to a host for some time: it asked for that."""
        with self._lock:
            host = self._host(url)
            host.next_start = max(host.next_start, time.monotonic() + seconds)

    def report(self, url: str, *, throttled: bool) -> None:
        """Tell how a request went: the number at once is halved when the host is busy, and grows slowly again."""
        with self._lock:
            host = self._host(url)
            if throttled:
                host.allowed = max(1.0, host.allowed / 2)
            else:
                host.allowed = min(float(host.policy.connections), host.allowed + 0.1)

    def left_alone(self, url: str, most: int, cooling: float) -> int:
        """Whether a host is down, and is not to be asked now.

        Parameters
        ----------
        url : str
            An address at it.
        most : int
            Requests given up in a row after which it is left alone.
        cooling : float
            Seconds that the others wait when this call lets one request find out whether it is up again.

        Returns
        -------
        int
            Requests given up in a row; 0 if it may be asked.
        """
        with self._lock:
            host, now = self._host(url), time.monotonic()
            if host.failures < most:
                return 0
            if now < host.alone_until:
                return host.failures
            host.alone_until = now + cooling  # this one asks; the others wait for its answer
            return 0

    def gave_up(self, url: str, cooling: float) -> None:
        """Tell that a request was given up; if there were too many, the host is left alone for so many seconds."""
        with self._lock:
            host = self._host(url)
            host.failures += 1
            host.alone_until = time.monotonic() + cooling

    def answered(self, url: str) -> None:
        """Tell that a host gave an answer, whatever it was."""
        with self._lock:
            self._host(url).failures = 0

    @contextlib.asynccontextmanager
    async def slot(self, url: str) -> AsyncIterator[None]:
        """Wait for one's turn at a host, and keep it for the length of the block."""
        host = await self._take(url)
        try:
            yield
        finally:
            self._give_back(host)

    async def _take(self, url: str) -> _Host:
        loop = asyncio.get_running_loop()
        while True:
            with self._lock:
                host = self._host(url)
                now = time.monotonic()
                if host.busy < int(host.allowed) and now >= host.next_start:
                    host.busy += 1
                    host.next_start = max(host.next_start, now + host.policy.interval)
                    return host
                waits = host.next_start - now
                future: asyncio.Future[None] | None = None
                if host.busy >= int(host.allowed):
                    future = loop.create_future()
                    host.waiting.append((loop, future))
            if future is None:
                await asyncio.sleep(max(waits, 0.001))
                continue
            try:
                await future
            except BaseException:
                with self._lock, contextlib.suppress(ValueError):
                    host.waiting.remove((loop, future))
                if future.done() and not future.cancelled():
                    self._wake(host)
                raise

    def _give_back(self, host: _Host) -> None:
        with self._lock:
            host.busy -= 1
        self._wake(host)

    def _wake(self, host: _Host) -> None:
        """Let as many go on as there is room for; a waiter whose loop is gone gives its turn to the next."""
        with self._lock:
            free = int(host.allowed) - host.busy
            while free > 0 and host.waiting:
                loop, future = host.waiting.popleft()
                try:
                    loop.call_soon_threadsafe(_let_go, future)
                except RuntimeError:
                    continue
                free -= 1
