"""One file, from its address to its final name: resumed, verified, unpacked, renamed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import anyio
import anyio.to_thread
from attrs import frozen

from daxa.exceptions import (
    AccessDeniedError,
    BadReplyError,
    InvalidNameError,
    NetworkError,
    NotAtArchiveError,
    StorageError,
    UnsafeArchiveError,
)
from daxa.net.addresses import shown
from daxa.net.contents import check_path, contents
from daxa.net.parts import BLOCK, MOST_HELD, Again, Pace, Part, Writer
from daxa.specs import Location, RemoteFile

if TYPE_CHECKING:
    import aiohttp

    from daxa.net.client import Net

_MD5: Final = re.compile(r'"[0-9a-f]{32}"\Z')
"""The entity tag of what was put into a bucket in one part; that of several parts has a ``-`` and their number."""

_PAGES: Final = (".html", ".htm", ".xml", ".txt", ".log")


@frozen
class FetchedFile:
    """A file that is there: path relative to the observation's directory, bytes, and hash."""

    path: str
    size: int
    sha256: str


@frozen
class FetchResult:
    """How a file was fetched.

    Parameters
    ----------
    files : tuple of FetchedFile
        What is there now.
    url : str
        Where it came from.
    size : int
        Bytes as served.
    etag : str, optional
        Entity tag.
    attempts : int
        Tries.
    seconds : float
        Time it took.
    resumed : int
        Bytes that were there from an earlier try.
    """

    files: tuple[FetchedFile, ...]
    url: str
    size: int
    etag: str | None
    attempts: int
    seconds: float
    resumed: int = 0


@frozen
class _Received:
    """What came of one try: what writes the part, the bytes it lacks, and how many there are and should be in all."""

    writer: Writer | None
    rest: bytes
    size: int
    total: int | None


class Transfer:
    """The fetching of one file.

    Parameters
    ----------
    net : Net
        What asks.
    remote : RemoteFile
        The file.
    directory : Path
        Directory of the observation.
    mission : str
        For error messages.
    """

    def __init__(self, net: Net, remote: RemoteFile, directory: Path, mission: str) -> None:
        self.net = net
        self.remote = remote
        self.directory = directory
        self.mission = mission
        self.attempts = 0
        self.resumed = 0
        self.disposition = ""
        if remote.path:
            check_path(remote.path)
        stem = remote.path or "observation"
        if remote.unpack in ("tar", "auto"):
            digest = hashlib.sha256(remote.url.encode()).hexdigest()[:12]
            stem = f"{stem}/{digest}" if remote.path else digest
        self.part = Part(directory / f"{stem}.part", directory / f"{stem}.part.json")

    async def run(self) -> FetchResult:
        """Fetch it from the first location that has it.

        Raises
        ------
        NetworkError
            With URL, tries and cause.
        StorageError
            If the disk refuses.
        """
        began = time.monotonic()
        problem: NetworkError | UnsafeArchiveError | None = None
        for location in self.remote.locations:
            try:
                files, size = await self._from(location)
            except (NetworkError, UnsafeArchiveError) as failure:
                absent = isinstance(failure, NotAtArchiveError)  # that a mirror lacks it explains nothing
                if problem is None or (isinstance(problem, NotAtArchiveError) and not absent):
                    problem = failure
                continue
            except OSError as failure:
                raise self._storage(failure) from failure
            etag = self.part.validator.get("etag")
            return FetchResult(files, location.url, size, etag, self.attempts, time.monotonic() - began, self.resumed)
        assert problem is not None
        problem.context.setdefault("attempts", self.attempts)
        raise problem

    def _storage(self, problem: OSError) -> StorageError:
        return StorageError(
            f"{self.directory / (self.remote.path or '.')} cannot be written: {problem.strerror or problem}.",
            expected="a writable disk with room",
            remedy="free space or choose another output directory, then download again: it goes on where it stopped",
            path=str(self.directory / self.remote.path),
            errno=problem.errno,
        )

    async def _from(self, location: Location) -> tuple[tuple[FetchedFile, ...], int]:
        if location.url.startswith("file:"):
            return await anyio.to_thread.run_sync(self._mounted, location)
        import aiohttp

        self.net.refuse_offline(location.url)
        self.net.circuit.check(location.url)
        patience = self.net.patience
        missing = 0
        cause = ""
        for attempt in range(1, patience.attempts + 1):
            self.attempts += 1
            wait: float | None = None
            try:
                received = await self._receive(location)
                return await anyio.to_thread.run_sync(self._conclude, location, received, limiter=self.net.unpacking)
            except NotAtArchiveError as problem:
                missing += 1
                if not self.remote.listed or missing > 2:
                    raise
                cause = str(problem)
            except BadReplyError as problem:
                await anyio.to_thread.run_sync(self.part.drop)
                cause = str(problem)
                if attempt == patience.attempts:
                    raise
            except Again as problem:
                cause, wait = str(problem), problem.wait
            except (aiohttp.ClientError, TimeoutError) as problem:
                cause = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
            except ConnectionError as problem:
                cause = f"{type(problem).__name__}: {problem}"
            if attempt < patience.attempts:
                await anyio.sleep(patience.wait(attempt) if wait is None else wait)
        self.net.circuit.failed(location.url)
        raise NetworkError(
            f"{shown(location.url)} could not be fetched in {self.attempts} tries; the last ended with {shown(cause)}.",
            remedy="download again later: it goes on where it stopped",
            url=shown(location.url),
            attempts=self.attempts,
            cause=shown(cause),
        )

    # --- receiving --------------------------------------------------------------------------------------------------

    async def _receive(self, location: Location) -> _Received:
        import aiohttp

        url = location.url
        have = await anyio.to_thread.run_sync(self.part.size, location)
        headers = {}
        if have and have == self.part.validator.get("total"):  # it was whole, and its end was not lived to see
            self.resumed, self.disposition = have, self.part.validator.get("disposition", "")
            return _Received(None, b"", have, have)
        if have:
            same = self.part.is_of(url)
            condition = self.part.validator.get("etag") or self.part.validator["modified"] if same else location.etag
            headers = {"Range": f"bytes={have}-", **({"If-Range": condition} if condition else {})}
        async with self.net.context.hosts.slot(url):
            try:
                async with self.net.asking.request("GET", url, headers=headers) as response:
                    return await self._take(location, response, have)
            except aiohttp.TooManyRedirects:
                where = shown(url)
                raise BadReplyError(f"{where} redirects in circles.", remedy="try again later", url=where) from None

    async def _take(self, location: Location, response: aiohttp.ClientResponse, have: int) -> _Received:
        from daxa.net.client import AGAIN

        where = shown(location.url)
        if response.status not in AGAIN:
            self.net.circuit.answered(location.url)
        if response.status == 416 and have:
            await anyio.to_thread.run_sync(self.part.drop)
            raise Again("the server has no such range", 0.0)
        if response.status not in (200, 206):
            if response.status in AGAIN:
                wait = self.net.note_busy(location.url, response.status, response.headers.get("Retry-After"))
                raise Again(f"status {response.status}", wait)
            refusal = self.net.refusal(response.status, self.net.logins.bare(response.url))
            if location.kind == "s3" and isinstance(refusal, AccessDeniedError):  # so buckets tell of a key they lack
                refusal = NotAtArchiveError(
                    refusal.message, remedy="the mirror does not have it", url=where, status=response.status
                )
            raise refusal
        self._check_type(response)
        self._check_tag(response, location)
        self.disposition = response.headers.get("Content-Disposition", "")
        total: int | None
        if response.status == 206:
            if self.part.is_of(location.url):
                self._check_sameness(response)
            elif _length(response) != self.part.validator.get("total"):
                await anyio.to_thread.run_sync(self.part.drop)
                raise Again("another place has a file of another length", 0.0)
            total = self._check_range(response, have)
        else:
            have = 0
            total = (
                int(response.headers["Content-Length"])
                if response.headers.get("Content-Length", "").isdigit()
                else location.size
            )
            if location.size is not None and total is not None and total != location.size:
                raise BadReplyError(
                    f"{where} announces {total} bytes, its listing {location.size}.",
                    expected="one size",
                    remedy="try again",
                    url=where,
                )
        self.resumed = have
        received = await self._write(response, location.url, have, total)
        self.net.context.hosts.report(location.url, throttled=False)
        return received

    def _check_type(self, response: aiohttp.ClientResponse) -> None:
        kind = response.headers.get("Content-Type", "").lower()
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        name = urlsplit(str(response.url)).path.lower()
        where = shown(self.net.logins.bare(response.url))
        if kind.startswith("text/html") and not name.endswith(_PAGES):
            raise BadReplyError(
                f"{where} sent a page instead of the file.",
                expected="the file",
                remedy="try again later",
                url=where,
            )
        if encoding not in ("identity", "") and not self._is_its_own(encoding, name):
            raise BadReplyError(
                f"{where} was sent encoded as {encoding}.",
                expected="the file as it is",
                remedy="try again later",
                url=where,
            )

    def _is_its_own(self, encoding: str, name: str) -> bool:
        """Whether an encoding is only another word for what the file is: Apache calls ``.gz`` and ``.Z`` so."""
        if encoding in ("gzip", "x-gzip"):  # of a packed reply its first bytes tell
            return self.remote.unpack == "auto" or name.endswith((".gz", ".ftz", ".tgz"))
        return encoding in ("compress", "x-compress") and name.endswith(".z")

    def _check_range(self, response: aiohttp.ClientResponse, have: int) -> int | None:
        where = shown(self.net.logins.bare(response.url))
        given = response.headers.get("Content-Range", "")
        unit, _, rest = given.partition(" ")
        span, _, total = rest.partition("/")
        first = span.partition("-")[0]
        expected = self.part.validator.get("total")
        if (
            unit != "bytes"
            or first != str(have)
            or (total.isdigit() and expected is not None and int(total) != expected)
        ):
            raise BadReplyError(
                f"{where} sent the range {given!r}.", expected=f"bytes {have}-", remedy="try again", url=where
            )
        return int(total) if total.isdigit() else expected

    def _check_sameness(self, response: aiohttp.ClientResponse) -> None:
        """Refuse to go on with another file than the one that was begun at the same address."""
        key, header = ("etag", "ETag") if self.part.validator.get("etag") else ("modified", "Last-Modified")
        if response.headers.get(header) not in (None, self.part.validator.get(key)):
            where = shown(self.net.logins.bare(response.url))
            raise BadReplyError(
                f"{where} goes on with another file.", expected="the one that was begun", remedy="try again", url=where
            )

    def _check_tag(self, response: aiohttp.ClientResponse, location: Location) -> None:
        """Refuse another file than the one that was listed."""
        if location.etag is not None and response.headers.get("ETag", location.etag) != location.etag:
            where = shown(location.url)
            raise BadReplyError(
                f"{where} is not the file that was listed: its tag is {response.headers['ETag']}.",
                expected=location.etag,
                remedy="try again later",
                url=where,
            )

    async def _write(self, response: aiohttp.ClientResponse, url: str, have: int, total: int | None) -> _Received:
        """Write blocks to the part while the next come in; what is left at the end is handed on."""
        hashed = self.remote.unpack == "none"
        writer = Writer(self.part, url, response.headers, have, total, hashed=hashed)
        writing: asyncio.Future[None] | None = None
        pending: list[bytes] = []
        held, size = 0, have
        pace = Pace(self.net.patience.slowest, self.net.patience.window)
        try:
            async for block in response.content.iter_any():
                pace.note(len(block))
                pending.append(block)
                held += len(block)
                if held >= BLOCK and (writing is None or writing.done() or held >= MOST_HELD):
                    if writing is not None:
                        await asyncio.shield(writing)
                    writing = asyncio.ensure_future(_kept(writer, b"".join(pending), hashed))
                    pending, size, held = [], size + held, 0
            if writing is not None:
                await asyncio.shield(writing)
        except BaseException:  # what came is kept: it is gone on from
            with anyio.CancelScope(shield=True):
                if writing is not None:
                    await asyncio.wait((writing,))
                    if writing.exception() is not None:
                        pending = []  # the disk refused
                await anyio.to_thread.run_sync(writer.end, b"".join(pending))
            raise
        return _Received(writer, b"".join(pending), size + held, total)

    # --- what came --------------------------------------------------------------------------------------------------

    def _mounted(self, location: Location) -> tuple[tuple[FetchedFile, ...], int]:
        """Take a file from a mounted copy: linked if it is kept as it is, else read."""
        source = Path(unquote(urlsplit(location.url).path))
        if not source.is_file():
            raise NotAtArchiveError(
                f"{source} is not there.", remedy="the mounted copy does not have it", url=location.url
            )
        self.attempts += 1
        self.part.path.parent.mkdir(parents=True, exist_ok=True)
        self.part.drop()
        try:
            os.link(source, self.part.path)
        except OSError:
            shutil.copyfile(source, self.part.path)
        self.disposition = f'filename="{source.name}"'
        return self._finish(location.url, ""), source.stat().st_size

    def _conclude(self, location: Location, received: _Received) -> tuple[tuple[FetchedFile, ...], int]:
        """Write what is left, and look whether all came: a file of one block takes this one hop to a thread."""
        writer, where = received.writer, shown(location.url)
        digest, size = ("", received.size) if writer is None else writer.end(received.rest)
        if received.total is not None and size != received.total:
            raise Again(f"{size} of {received.total} bytes came")
        if size == 0:
            raise BadReplyError(
                f"{where} sent nothing.", expected="a file", remedy="the archive may not have it", url=where
            )
        if location.kind == "s3" and _MD5.match(location.etag or "") and f'"{_md5(self.part.path)}"' != location.etag:
            raise BadReplyError(
                f"{where} is not what was stored: its MD5 is not {location.etag}.",
                expected="the MD5 that the bucket lists",
                remedy="try again",
                url=where,
            )
        return self._finish(location.url, digest), size

    def _finish(self, url: str, digest: str) -> tuple[FetchedFile, ...]:
        """Verify what came, unpack it in scratch, and give it its name."""
        part = self.part.path
        scratch = part.with_name(f".{part.name}.unpacking")
        if scratch.exists():  # a process was killed
            shutil.rmtree(scratch, ignore_errors=True)
        try:
            files = []
            placed = contents(part, scratch, self.remote, self.disposition)
            for one in placed:
                (self.directory / one.path).parent.mkdir(parents=True, exist_ok=True)
                known = one.sha256 or (digest if one.source == part else "")
                files.append(FetchedFile(one.path, one.source.stat().st_size, known or _sha256(one.source)))
            for one in placed:
                one.source.replace(self.directory / one.path)
        except (BadReplyError, InvalidNameError, NotAtArchiveError, UnsafeArchiveError) as problem:
            self.part.drop()
            raise type(problem)(
                f"{shown(url)}: {problem.message}", expected=problem.expected, remedy=problem.remedy, url=shown(url)
            ) from problem
        finally:
            if scratch.exists():
                shutil.rmtree(scratch, ignore_errors=True)
        self.part.drop()
        return tuple(files)


async def _kept(writer: Writer, block: bytes, hashed: bool) -> None:
    """Write and hash a block, side by side; both have ended when this ends."""
    works = [anyio.to_thread.run_sync(writer.write, block)]
    if hashed:
        works.append(anyio.to_thread.run_sync(writer.hash, block))
    for problem in await asyncio.gather(*works, return_exceptions=True):
        if problem is not None:
            raise problem


def _length(response: aiohttp.ClientResponse) -> int | None:
    """Length of the whole file that a part is sent of."""
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
