"""Unpacking what archives send, in a scratch directory, without trusting it."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, Final

from daxa.exceptions import BadReplyError, UnsafeArchiveError
from daxa.net.fits import FitsWatch

BLOCK: Final = 1024 * 1024
RATIO: Final = 2000  # no X-ray file shrinks that much; zlib's own limit is about 1030
MOST: Final = 1024**4
FREE: Final = 64 * BLOCK  # below this, a ratio says nothing
DEEPEST: Final = 4  # tars within tars; ESA's have one
LONGEST: Final = 240  # bytes of a name, with room for an ending

GZIP: Final = b"\x1f\x8b"
COMPRESS: Final = b"\x1f\x9d"
_GZIP_FORM: Final = 31  # zlib's window bits for a gzip header and checksum
_BIG: Final = 8 * BLOCK  # from here on a second thread is worth its start


def _check_growth(packed: int, unpacked: int, what: str) -> None:
    if unpacked > MOST or (unpacked > FREE and unpacked > RATIO * max(packed, 1)):
        raise UnsafeArchiveError(
            f"{what} unpacks to far more than it is ({packed} to over {unpacked} bytes).",
            expected="real data",
            remedy="tell the archive's operators",
        )


class Sink:
    """Takes unpacked bytes: looks whether they are a whole FITS file; if they are kept, writes and hashes them.

    Parameters
    ----------
    target : Path, optional
        Where they are kept.
    name : str
        For errors.
    """

    def __init__(self, target: Path | None, name: str) -> None:
        self._stream = None if target is None else target.open("wb")
        self._watch = FitsWatch(name)
        self._digest = hashlib.sha256()
        self.size = 0

    def take(self, block: bytes) -> None:
        """Take the next bytes."""
        self.size += len(block)
        self._watch.feed(block)
        if self._stream is not None:
            self._stream.write(block)
            self._digest.update(block)

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()

    def end(self) -> str:
        """Say that there are no more; return their SHA-256, empty if they were not kept.

        Raises
        ------
        BadReplyError
            If more should have come.
        """
        self._watch.end()
        return "" if self._stream is None else self._digest.hexdigest()


def inflated(source: Path, name: str) -> Iterator[bytes]:
    """Bytes of a gzip file, to its last checksum, some at a time; members that follow each other are one file.

    Raises
    ------
    BadReplyError
        If it is damaged or cut short.
    UnsafeArchiveError
        If it unpacks to far more than it is.
    """
    packed, unpacked = source.stat().st_size, 0
    member, rest, begun = zlib.decompressobj(_GZIP_FORM), b"", False
    with source.open("rb") as reader:
        while block := rest or reader.read(BLOCK):
            rest = b""
            if member.eof:
                block = block.lstrip(b"\0")  # padding
                if not block:
                    continue
                member = zlib.decompressobj(_GZIP_FORM)
            begun, full = True, True
            while not member.eof and (block or full):
                try:
                    out = member.decompress(block, BLOCK)
                except zlib.error as problem:
                    raise _damaged(name, str(problem)) from problem
                unpacked += len(out)
                _check_growth(packed, unpacked, name)
                if out:
                    yield out
                block, full = member.unconsumed_tail, len(out) == BLOCK  # then there may be more without more input
            rest = member.unused_data
    if not begun or not member.eof:
        raise _damaged(name, "it ends before its end mark")


def _damaged(name: str, how: str) -> BadReplyError:
    return BadReplyError(f"{name} is damaged: {how}.", expected="a whole gzip file", remedy="try again")


def gunzip(source: Path, target: Path | None, name: str) -> str:
    """Unpack a gzip file to its last checksum.

    A big file is written and hashed in a thread beside the one that unpacks it.

    Parameters
    ----------
    source : Path
        The file.
    target : Path, optional
        Where it is unpacked to; without it, it is looked at and not kept.
    name : str
        For errors.

    Returns
    -------
    str
        SHA-256 of what is unpacked, empty if it is not kept.

    Raises
    ------
    BadReplyError
        If it is damaged or cut short.
    UnsafeArchiveError
        If it unpacks to far more than it is.
    """
    sink = Sink(target, name)
    try:
        if source.stat().st_size < _BIG:
            for block in inflated(source, name):
                sink.take(block)
        else:
            with ThreadPoolExecutor(1, thread_name_prefix="daxa-unpack") as beside:
                taken: Future[None] | None = None
                for block in inflated(source, name):
                    if taken is not None:
                        taken.result()
                    taken = beside.submit(sink.take, block)
                if taken is not None:
                    taken.result()
    finally:
        sink.close()
    return sink.end()


class _Grown:
    """Takes what is unpacked, until it is far more than could be."""

    def __init__(self, packed: int, name: str, writer: IO[bytes]) -> None:
        self._packed, self._name, self._writer, self._size = packed, name, writer, 0

    def write(self, block: bytes) -> int:
        self._size += len(block)
        self.look()
        return self._writer.write(block)

    def look(self) -> None:
        _check_growth(self._packed, self._size, self._name)


def uncompress(source: Path, target: Path, name: str) -> None:
    """Unpack a file of Unix compress (LZW). It has no end mark; the caller looks at what came out."""
    try:
        import ncompress
    except ImportError as problem:
        from daxa.exceptions import MissingPluginError

        raise MissingPluginError(
            f"{name} is compressed with Unix compress, and nothing here can unpack it.",
            remedy="pip install ncompress",
        ) from problem
    try:
        with source.open("rb") as reader, target.open("wb") as writer:
            grown = _Grown(source.stat().st_size, name, writer)
            try:
                ncompress.decompress(reader, grown)
            finally:
                grown.look()  # it may come back as another error
    except UnsafeArchiveError:
        raise
    except (ValueError, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno:
            raise
        raise BadReplyError(
            f"{name} is damaged: {problem}.", expected="a file of Unix compress", remedy="try again"
        ) from problem


def is_tar(path: Path) -> bool:
    """Whether a file begins as a tar does."""
    with path.open("rb") as stream:
        head = stream.read(512)
    return len(head) == 512 and (head[257:262] == b"ustar" or _old_tar(head))


def _old_tar(head: bytes) -> bool:
    try:
        checksum = int(head[148:156].split(b"\0")[0].strip() or b"-1", 8)
    except ValueError:
        return False
    return checksum == sum(head[:148]) + 8 * 32 + sum(head[156:]) and head[0] != 0


def _twice(name: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"A tar names {name!r} twice.", expected="every file once", remedy="tell the archive's operators"
    )


def _member_name(member: tarfile.TarInfo) -> str:
    """Name of a member without directories, refused if the member is not a plain file of a safe name."""
    path = PurePosixPath(member.name)
    odd = "\\" in member.name or not member.name.isprintable() or len(os.fsencode(path.name)) > LONGEST
    if path.is_absolute() or ".." in path.parts or odd:
        raise UnsafeArchiveError(
            f"A tar names the member {member.name!r}.",
            expected="a path below its directory",
            remedy="tell the archive's operators",
        )
    if not (member.isreg() or member.isdir()) or member.size < 0:
        what = "is of less than no bytes" if member.size < 0 else "is a link or a device"
        raise UnsafeArchiveError(
            f"A tar holds {member.name!r}, which {what}.",
            expected="plain files",
            remedy="tell the archive's operators",
        )
    return path.name


def _is_wanted(path: str, name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path if "/" in one else name, one) for one in patterns)


def _same(reader: IO[bytes], path: Path) -> bool:
    """Whether a file holds the same bytes."""
    with reader, path.open("rb") as stream:
        while block := reader.read(BLOCK):
            if block != stream.read(BLOCK):
                return False
        return not stream.read(1)


def _to_the_end(path: Path) -> None:
    """A tar ends with two blocks of zeros; without them, it was cut short."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(size - 1024, 0))
        if size < 1024 or size % 512 or stream.read().strip(b"\0"):
            raise BadReplyError("A tar is cut short.", expected="its end mark", remedy="try again")


def _damaged_tar(problem: Exception) -> BadReplyError:
    return BadReplyError(f"A tar is damaged: {problem}.", expected="a whole tar", remedy="try again")


def unpack_tar(
    source: Path, directory: Path, members: Sequence[str] = (), *, decompress: bool = True, depth: int = 0
) -> list[Path]:
    """Unpack a tar, and the tars within it, without their directories.

    Parameters
    ----------
    source : Path
        The tar.
    directory : Path
        Empty directory that takes the members.
    members : sequence of str
        Shell patterns of the names wanted, or of the paths where they have a ``/``; empty for all.
    decompress : bool
        Whether gzip members are unpacked too.
    depth : int
        Number of tars it is within.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    BadReplyError
        If it is damaged or cut short.
    UnsafeArchiveError
        If it was made to do harm.
    """
    if depth > DEEPEST:
        raise UnsafeArchiveError(
            "Tars are nested without end.",
            expected=f"at most {DEEPEST} within each other",
            remedy="tell the archive's operators",
        )
    packed, unpacked = source.stat().st_size, 0
    found: list[Path] = []
    try:
        with tarfile.open(source, "r:") as archive:
            for member in archive:
                name = _member_name(member)
                if member.isdir():
                    continue
                unpacked += member.size
                _check_growth(packed, unpacked, source.name)
                inner = name.upper().endswith((".TAR", ".TAR.GZ"))
                if members and not inner and not _is_wanted(member.name, name, members):
                    continue
                target = directory / name
                reader = archive.extractfile(member)
                assert reader is not None
                if target.exists():
                    if depth and _same(reader, target):  # a summary may lie beside the tar as well as in it
                        continue
                    raise _twice(name)
                with reader, target.open("wb") as writer:
                    shutil.copyfileobj(reader, writer, BLOCK)
                found.append(target)
    except UnsafeArchiveError:
        raise
    except (tarfile.TarError, EOFError, ValueError, OverflowError, MemoryError) as problem:  # for absurd lengths
        raise _damaged_tar(problem) from problem
    except OSError as problem:
        if problem.errno != errno.EINVAL:  # that is a place that no file has
            raise
        raise _damaged_tar(problem) from problem
    _to_the_end(source)
    kept: list[Path] = []
    for path in found:
        kept += _opened(path, directory, members, decompress=decompress, depth=depth)
    return kept


def _opened(path: Path, directory: Path, members: Sequence[str], *, decompress: bool, depth: int) -> list[Path]:
    """Open a member further where it is a tar or gzip itself."""
    with path.open("rb") as stream:
        magic = stream.read(2)
    if magic == GZIP and (decompress or path.name.lower().endswith(".tar.gz")):
        target = directory / plain_name(path.name)
        part = directory / f".unpacking{depth}"
        gunzip(path, part, path.name)
        path.unlink()
        if target.exists():
            raise _twice(target.name)
        part.rename(target)
        path = target
    if is_tar(path):
        part = directory / f".nested{depth}"
        path.rename(part)
        try:
            return unpack_tar(part, directory, members, decompress=decompress, depth=depth + 1)
        finally:
            part.unlink()
    return [path]


def plain_name(name: str) -> str:
    """Name after unpacking: ``.gz`` and ``.Z`` are dropped, ``.FTZ`` becomes ``.FIT``."""
    for ending, other in ((".gz", ""), (".GZ", ""), (".Z", ""), (".FTZ", ".FIT"), (".ftz", ".fit"), (".tgz", ".tar")):
        if name.endswith(ending):
            return name[: -len(ending)] + other
    return name
