"""Connections of a context: whoever asks at the same time, in one event loop, shares them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from attrs import define, field

if TYPE_CHECKING:
    import aiohttp


@define
class _Held:
    connector: aiohttp.TCPConnector
    users: int = 0


@define
class Connections:
    """The open connections of a context, by event loop.

    A session of its own would keep idle connections of its own: several missions that download from one host would
    together hold more than its limit, although no more are ever busy. They are closed when their last user leaves.
    """

    _held: dict[asyncio.AbstractEventLoop, _Held] = field(init=False, factory=dict)
    _lock: threading.Lock = field(init=False, factory=threading.Lock)

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[aiohttp.TCPConnector]:
        """Share the connections of the running loop for the length of a block."""
        import aiohttp

        loop = asyncio.get_running_loop()
        with self._lock:
            held = self._held.get(loop)
            if held is None:
                held = self._held[loop] = _Held(aiohttp.TCPConnector(limit=0, limit_per_host=0))
            held.users += 1
        try:
            yield held.connector
        finally:
            with self._lock:
                held.users -= 1
                last = not held.users
                if last:
                    del self._held[loop]
            if last:
                with anyio.CancelScope(shield=True):
                    await held.connector.close()
