"""One file, from its address to its final name: resumed, verified, unpacked, renamed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import anyio
import anyio.to_thread
from attrs import frozen

from daxa.exceptions import BadReplyError, InvalidNameError, NetworkError, NotAtArchiveError, StorageError
from daxa.net.parts import BLOCK, Again, Pace, Part, Writer
from daxa.net.unpack import COMPRESS, GZIP, check_fits, gunzip, is_tar, plain_name, uncompress, unpack_tar
from daxa.specs import Location, RemoteFile

if TYPE_CHECKING:
    import aiohttp

    from daxa.net.client import Net

_DISK: Final = frozenset({errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG, errno.EIO})
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


def check_path(path: str) -> str:
    """Refuse a relative path that would leave its directory."""
    parts = path.split("/")
    if (
        path.startswith("/")
        or any(part in ("", ".", "..") or part.startswith(".") for part in parts if path)
        or not path.isprintable()
        or "\\" in path
    ):
        raise InvalidNameError(
            f"{path!r} is not a path below a directory.",
            expected="plain names",
            remedy="correct the plugin",
            value=path,
        )
    return path


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
        problem: NetworkError | None = None
        for location in self.remote.locations:
            try:
                files, size = await self._from(location)
            except NetworkError as failure:
                problem = failure
                continue
            except OSError as failure:
                if failure.errno in _DISK:
                    raise self._storage(failure) from failure
                raise
            etag = self.part.validator.get("etag")
            return FetchResult(files, location.url, size, etag, self.attempts, time.monotonic() - began, self.resumed)
        assert problem is not None
        raise problem

    def _storage(self, problem: OSError) -> StorageError:
        return StorageError(
            f"{self.directory / (self.remote.path or '.')} cannot be written: {problem.strerror or problem}.",
            expected="a writable disk with room",
            remedy="free space or choose another output directory, then download again: it goes on where it stopped",
            path=str(self.directory / self.remote.path),
        )

    async def _from(self, location: Location) -> tuple[tuple[FetchedFile, ...], int]:
        if location.url.startswith("file:"):
            return await anyio.to_thread.run_sync(self._mounted, location)
        import aiohttp

        self.net.refuse_offline(location.url)
        patience = self.net.patience
        missing = 0
        cause = ""
        for attempt in range(1, patience.attempts + 1):
            self.attempts += 1
            wait: float | None = None
            try:
                digest, size = await self._receive(location)
                files = await anyio.to_thread.run_sync(partial(self._finish, digest))
                return files, size
            except NotAtArchiveError:
                missing += 1
                if not self.remote.listed or missing > 2:
                    raise
                cause = "status 404"
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
        from daxa.net.client import shown

        raise NetworkError(
            f"{shown(location.url)} could not be fetched in {self.attempts} tries; the last ended with {shown(cause)}.",
            remedy="download again later: it goes on where it stopped",
            url=shown(location.url),
            attempts=self.attempts,
            cause=shown(cause),
        )

    # --- receiving --------------------------------------------------------------------------------------------------

    async def _receive(self, location: Location) -> tuple[str, int]:
        import aiohttp

        url = location.url
        have = await anyio.to_thread.run_sync(self.part.size, url)
        headers = {}
        if have:
            headers = {
                "Range": f"bytes={have}-",
                "If-Range": self.part.validator.get("etag") or self.part.validator["modified"],
            }
        async with self.net.context.hosts.slot(url):
            try:
                request = self.net.session.get(url, headers=headers, max_redirects=10)
                async with request as response:
                    return await self._take(location, response, have)
            except aiohttp.TooManyRedirects as problem:
                raise BadReplyError(f"{url} redirects in circles.", remedy="try again later", url=url) from problem

    async def _take(self, location: Location, response: aiohttp.ClientResponse, have: int) -> tuple[str, int]:
        from daxa.net.client import AGAIN

        if response.status == 416 and have:
            await anyio.to_thread.run_sync(self.part.drop)
            raise Again("the server has no such range", 0.0)
        if response.status not in (200, 206):
            if response.status in AGAIN:
                wait = self.net.note_busy(location.url, response.status, response.headers.get("Retry-After"))
                raise Again(f"status {response.status}", wait)
            raise self.net.refusal(response.status, str(response.url))
        self._check_type(response)
        self.disposition = response.headers.get("Content-Disposition", "")
        total: int | None
        if response.status == 206:
            total = self._check_range(response, have)
        else:
            have = 0
            total = (
                int(response.headers["Content-Length"])
                if response.headers.get("Content-Length", "").isdigit()
                else None
            )
            if location.size is not None and total is not None and total != location.size:
                raise BadReplyError(
                    f"{location.url} announces {total} bytes, its listing {location.size}.",
                    expected="one size",
                    remedy="try again",
                    url=location.url,
                )
        self.resumed = have
        digest, size = await self._write(response, location.url, have, total)
        if total is not None and size != total:
            raise Again(f"{size} of {total} bytes came")
        if size == 0:
            raise BadReplyError(
                f"{location.url} sent nothing.",
                expected="a file",
                remedy="the archive may not have it",
                url=location.url,
            )
        self.net.context.hosts.report(location.url, throttled=False)
        return digest, size

    def _check_type(self, response: aiohttp.ClientResponse) -> None:
        kind = response.headers.get("Content-Type", "").lower()
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        name = urlsplit(str(response.url)).path.lower()
        if kind.startswith("text/html") and not name.endswith(_PAGES):
            raise BadReplyError(
                f"{response.url} sent a page instead of the file.",
                expected="the file",
                remedy="try again later",
                url=str(response.url),
            )
        if encoding not in ("identity", "") and not (encoding == "gzip" and name.endswith((".gz", ".ftz"))):
            raise BadReplyError(
                f"{response.url} was sent encoded as {encoding}.",
                expected="the file as it is",
                remedy="try again later",
                url=str(response.url),
            )

    def _check_range(self, response: aiohttp.ClientResponse, have: int) -> int | None:
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
                f"{response.url} sent the range {given!r}.",
                expected=f"bytes {have}-",
                remedy="try again",
                url=str(response.url),
            )
        return int(total) if total.isdigit() else expected

    async def _write(self, response: aiohttp.ClientResponse, url: str, have: int, total: int | None) -> tuple[str, int]:
        """Write blocks to the part, hashing on the way; a file of one block takes one hop to a thread."""
        writer = Writer(self.part, url, response.headers, have, total)
        failure: BaseException | None = None
        try:
            pending = bytearray()
            pace = Pace(self.net.patience.slowest, self.net.patience.window)
            async for block in response.content.iter_any():
                pace.note(len(block))
                pending += block
                if len(pending) >= BLOCK:
                    full, pending = bytes(pending), bytearray()
                    await anyio.to_thread.run_sync(writer.write, full)
        except BaseException as problem:  # noqa: BLE001 - kept until what came is on disk
            failure = problem
        with anyio.CancelScope(shield=True):
            result = await anyio.to_thread.run_sync(writer.end, bytes(pending))
        if failure is not None:
            raise failure
        return result

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
        return self._finish(""), source.stat().st_size

    def _finish(self, digest: str) -> tuple[FetchedFile, ...]:
        """Verify what came, unpack it in scratch, and give it its name."""
        part = self.part.path
        remote = self.remote
        scratch = part.with_name(f".{part.name}.unpacking")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            placed = self._unpacked(part, scratch, digest)
            files = []
            for source, relative, known in placed:
                check_fits(source, relative)
                target = self.directory / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                files.append(FetchedFile(relative, source.stat().st_size, known or _sha256(source)))
            for source, relative, _known in placed:
                source.replace(self.directory / relative)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        self.part.drop()
        if not files:
            raise NotAtArchiveError(
                f"{remote.url} holds no {' or '.join(remote.members)}.",
                remedy="the archive does not have it",
                url=remote.url,
            )
        return tuple(files)

    def _unpacked(self, part: Path, scratch: Path, digest: str) -> list[tuple[Path, str, str]]:
        remote, name = self.remote, self.remote.path.rpartition("/")[2]
        with part.open("rb") as stream:
            magic = stream.read(64)
        if remote.unpack == "none":
            self._check_magic(magic, name)
            if magic[:2] == GZIP:
                gunzip(part, scratch / "proof", name)
                check_fits(scratch / "proof", name)
            return [(part, remote.path, digest)]
        if remote.unpack in ("gzip", "compress"):
            self._check_magic(magic, name + (".gz" if remote.unpack == "gzip" else ".Z"))
            target = scratch / name
            (gunzip if remote.unpack == "gzip" else uncompress)(part, target, name)
            return [(target, remote.path, "")]
        return self._members(part, scratch, magic)

    def _members(self, part: Path, scratch: Path, magic: bytes) -> list[tuple[Path, str, str]]:
        """Tar, compressed tar, or one bare file."""
        remote = self.remote
        source = part
        inside = scratch / "members"
        inside.mkdir()
        if magic[:2] == GZIP:
            source = scratch / "reply"
            gunzip(part, source, remote.url)
        if is_tar(source):
            paths = unpack_tar(source, inside, remote.members, decompress=remote.decompress_members)
        else:
            with source.open("rb") as stream:
                if stream.read(9) != b"SIMPLE  =":
                    raise NotAtArchiveError(
                        f"The archive sent neither a tar nor a FITS file: {magic[:40]!r}.",
                        remedy="the archive does not have it",
                        url=remote.url,
                    )
            name = plain_name(_disposition_name(self.disposition) or "product.FIT")
            bare = inside / name
            shutil.copyfile(source, bare)
            paths = [bare]
        prefix = f"{remote.path}/" if remote.path else ""
        return [(path, check_path(prefix + path.name), "") for path in sorted(paths)]

    def _check_magic(self, magic: bytes, name: str) -> None:
        lower = name.lower()
        wanted: dict[str, bytes] = {
            ".gz": GZIP,
            ".ftz": GZIP,
            ".z": COMPRESS,
            ".fits": b"SIMPLE  =",
            ".evt": b"SIMPLE  =",
            ".img": b"SIMPLE  =",
        }
        for ending, start in wanted.items():
            if lower.endswith(ending) and not magic.startswith(start):
                raise BadReplyError(
                    f"{self.remote.url} begins with {magic[:12]!r}.",
                    expected=f"{start!r}",
                    remedy="try again later",
                    url=self.remote.url,
                )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _disposition_name(header: str) -> str | None:
    """File name of a Content-Disposition header, if it is a plain one."""
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key.lower() == "filename":
            name = value.strip().strip('"')
            return name if name and not set(name) & {"/", "\\", "\x00"} and not name.startswith(".") else None
    return None
