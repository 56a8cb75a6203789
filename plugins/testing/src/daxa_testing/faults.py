"""A server that misbehaves, path by path: it answers late, shortly, wrongly, or not at all.

It writes bytes to the socket itself, so that it can break every rule an honest server library would keep.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from attrs import define, field, frozen

from daxa_testing.serving import served_in_thread

_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)\Z")
_REASONS: Final = {200: "OK", 206: "Partial Content", 301: "Moved Permanently", 302: "Found", 403: "Forbidden",
                   404: "Not Found", 416: "Range Not Satisfiable", 429: "Too Many Requests",
                   500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip


@frozen
class Asked:
    """A request: method, path, headers by lower-case name, and how many there were before it for that path."""

    method: str
    path: str
    headers: dict[str, str]
    before: int


Fault = Callable[["Answer"], Awaitable[None]]


@define
class Answer:
    """What a fault works with: the request, the file, and the socket.

    Parameters
    ----------
    asked : Asked
        The request.
    content : bytes
        What an honest server would serve.
    """

    asked: Asked
    content: bytes
    server: FaultyServer
    _writer: asyncio.StreamWriter

    @property
    def etag(self) -> str:
        """Entity tag of the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:12]}"'

    async def head(self, status: int, **headers: str) -> None:
        """Write status and headers; underscores in names stand for hyphens."""
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Odd')}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await self._writer.drain()

    async def body(self, data: bytes) -> None:
        """Write bytes of the body, and count them."""
        self.server.served[self.asked.path] += len(data)
        self._writer.write(data)
        await self._writer.drain()

    async def refuse(self, status: int, **headers: str) -> None:
        """Answer with a status and nothing else."""
        await self.head(status, Content_Length="0", **headers)

    async def reset(self) -> None:
        """Break the connection off without a farewell."""
        transport: Any = self._writer.transport
        transport.abort()

    def wanted(self) -> tuple[int, int]:
        """Status and first byte that an honest server would answer with."""
        match = _RANGE.match(self.asked.headers.get("range", ""))
        condition = self.asked.headers.get("if-range", self.etag)
        if match is None or condition != self.etag or int(match[1]) >= len(self.content):
            return 200, 0
        return 206, int(match[1])

    async def honest(self, *, delay: float = 0.0, block: int = 1 << 16) -> None:
        """Serve the file as one should; with `delay` seconds between blocks."""
        status, start = self.wanted()
        rest = self.content[start:]
        headers = {"Content_Length": str(len(rest)), "ETag": self.etag, "Accept_Ranges": "bytes"}
        if status == 206:
            headers["Content_Range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        await self.head(status, **headers)
        for begin in range(0, len(rest), block):
            await self.body(rest[begin : begin + block])
            if delay:
                await asyncio.sleep(delay)


# --- faults ---------------------------------------------------------------------------------------------------------


def status(code: int, times: int, **headers: str) -> Fault:
    """Answer with a status a number of times, then honestly."""

    async def fault(answer: Answer) -> None:
        if answer.asked.before < times:
            await answer.refuse(code, **headers)
        else:
            await answer.honest()

    return fault


def cut(share: float, times: int, *, length: bool = True, reset: bool = False) -> Fault:
    """Serve a share of the file and stop, a number of times; with or without having told the length."""

    async def fault(answer: Answer) -> None:
        if answer.asked.before >= times:
            await answer.honest()
            return
        status_code, start = answer.wanted()
        rest = answer.content[start:]
        headers = {"ETag": answer.etag}
        if length:
            headers["Content_Length"] = str(len(rest))
        if status_code == 206:
            headers["Content_Range"] = f"bytes {start}-{len(answer.content) - 1}/{len(answer.content)}"
        await answer.head(status_code, **headers)
        await answer.body(rest[: int(len(rest) * share)])
        if reset:
            await answer.reset()

    return fault


def page(times: int) -> Fault:
    """Answer 200 with a page that says that something is wrong, a number of times."""

    async def fault(answer: Answer) -> None:
        if answer.asked.before >= times:
            await answer.honest()
            return
        text = b"<html><head><title>Oops</title></head><body>Software error</body></html>"
        await answer.head(200, Content_Type="text/html", Content_Length=str(len(text)))
        await answer.body(text)

    return fault


def lying(**headers: str) -> Fault:
    """Serve the whole file with headers of one's own, whatever was asked."""

    async def fault(answer: Answer) -> None:
        await answer.head(200, **{"ETag": answer.etag, "Content_Length": str(len(answer.content)), **headers})
        await answer.body(answer.content)

    return fault


async def no_range(answer: Answer) -> None:
    """Break off the first time; then serve the whole file whatever range is asked."""
    if answer.asked.before == 0:
        await cut(0.5, 1)(answer)
    else:
        await lying()(answer)


async def wrong_range(answer: Answer) -> None:
    """Break off the first time; then answer a range with another one, once."""
    if answer.asked.before == 0:
        await cut(0.5, 1)(answer)
    elif answer.asked.before == 1:
        await answer.head(206, ETag=answer.etag, Content_Length="10", Content_Range=f"bytes 0-9/{len(answer.content)}")
        await answer.body(answer.content[:10])
    else:
        await answer.honest()


async def another_file(answer: Answer) -> None:
    """Break off with one file; from then on there is another of the same length under that address."""
    if answer.asked.before == 0:
        old = bytes(reversed(answer.content))
        await answer.head(200, ETag='"old"', Content_Length=str(len(old)))
        await answer.body(old[: len(old) // 2])
    else:
        await answer.honest()


def careless(old: bytes) -> Fault:
    """Break off with an old file, then go on with the new one at the place asked for, once, whatever If-Range says."""

    async def fault(answer: Answer) -> None:
        match = _RANGE.match(answer.asked.headers.get("range", ""))
        if answer.asked.before == 0:
            await answer.head(200, ETag='"old"', Content_Length=str(len(old)))
            await answer.body(old[: len(old) // 2])
        elif answer.asked.before == 1 and match is not None:
            rest, size = answer.content[int(match[1]) :], len(answer.content)
            span = f"bytes {match[1]}-{size - 1}/{size}"
            await answer.head(206, ETag=answer.etag, Content_Length=str(len(rest)), Content_Range=span)
            await answer.body(rest)
        else:
            await answer.honest()

    return fault


def named(name: str) -> Fault:
    """Serve the file under a name of its own, as a servlet does."""
    return lying(Content_Disposition=f'attachment; filename="{name}"')


async def encoded(answer: Answer) -> None:
    """Say that a compressed file is a plain one, compressed for the way."""
    await lying(Content_Encoding="gzip")(answer)


async def squeezed(answer: Answer) -> None:
    """Compress the file on the way although nobody asked for it, once."""
    if answer.asked.before:
        await answer.honest()
        return
    data = gzip.compress(answer.content)
    await answer.head(200, Content_Encoding="br", Content_Length=str(len(data)))
    await answer.body(data)


async def circle(answer: Answer) -> None:
    """Redirect to itself."""
    await answer.refuse(302, Location=answer.asked.path)


def elsewhere(url: str) -> Fault:
    """Redirect to another host."""

    async def fault(answer: Answer) -> None:
        await answer.refuse(301, Location=url)

    return fault


async def nothing(answer: Answer) -> None:
    """Answer 200 with no bytes."""
    await answer.head(200, Content_Length="0")


def too_long(times: int) -> Fault:
    """Send more than was announced, a number of times: announced in the listing, not in this answer."""

    async def fault(answer: Answer) -> None:
        if answer.asked.before >= times:
            await answer.honest()
            return
        data = answer.content + b"x" * 100
        await answer.head(200, Content_Length=str(len(data)))
        await answer.body(data)

    return fault


def stalled(times: int, seconds: float = 60.0) -> Fault:
    """Send half and then nothing for a long time, a number of times."""

    async def fault(answer: Answer) -> None:
        if answer.asked.before >= times:
            await answer.honest()
            return
        _status, start = answer.wanted()
        rest = answer.content[start:]
        headers = {"ETag": answer.etag, "Content_Length": str(len(rest))}
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(answer.content) - 1}/{len(answer.content)}"
        await answer.head(206 if start else 200, **headers)
        await answer.body(rest[: len(rest) // 2])
        await asyncio.sleep(seconds)

    return fault


def trickle(seconds: float) -> Fault:
    """Send a few bytes at a time, so many seconds apart."""

    async def fault(answer: Answer) -> None:
        await answer.honest(delay=seconds, block=16)

    return fault


@define
class FaultyServer:
    """A server on 127.0.0.1 with a fault for each path.

    Attributes
    ----------
    requests, served : Counter
        Requests and bytes of bodies, by path.
    peak : int
        Most connections at once.
    """

    files: dict[str, bytes] = field(factory=dict)
    faults: dict[str, Fault] = field(factory=dict)
    requests: Counter[str] = field(factory=Counter)
    served: Counter[str] = field(factory=Counter)
    asked: list[Asked] = field(factory=list)
    peak: int = 0
    port: int = 0
    delay: float = 0.0
    _busy: int = 0
    _tasks: set[asyncio.Task[Any]] = field(factory=set)

    def add(self, path: str, content: bytes, fault: Fault | None = None) -> str:
        """Add a file, with its fault; returns its path."""
        self.files[path] = content
        if fault is not None:
            self.faults[path] = fault
        return path

    def url(self, path: str) -> str:
        """Address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        # a small buffer, so that what counts as served is not far ahead of what the client has
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        self._busy += 1
        self.peak = max(self.peak, self._busy)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._busy -= 1
            self._tasks.discard(task)
            with contextlib.suppress(ConnectionError):
                writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:]) if name
        }
        asked = Asked(method, path, headers, self.requests[path])
        self.requests[path] += 1
        self.asked.append(asked)
        answer = Answer(asked, self.files.get(path, b""), self, writer)
        if path not in self.files and path not in self.faults:
            await answer.refuse(404)
        elif path in self.faults:
            await self.faults[path](answer)
        else:
            await answer.honest(delay=self.delay)
        await writer.drain()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[FaultyServer]:
        """Serve for the length of a block."""
        server = await asyncio.start_server(self._handle, "127.0.0.1", self.port)
        self.port = int(server.sockets[0].getsockname()[1])
        try:
            yield self
        finally:
            server.close()
            for task in tuple(self._tasks):
                task.cancel()
            if self._tasks:
                await asyncio.wait(tuple(self._tasks), timeout=5)

    @contextmanager
    def running_in_thread(self) -> Iterator[FaultyServer]:
        """Serve for the length of a block, from a thread of its own."""
        with served_in_thread(self.serve, "daxa-faults"):
            yield self
