"""Unpacking what archives send, in a scratch directory, without trusting it."""

from __future__ import annotations

import gzip
import math
import os
import shutil
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from daxa.exceptions import BadReplyError, UnsafeArchiveError

BLOCK: Final = 1024 * 1024
RATIO: Final = 2000  # no X-ray file shrinks that much; zlib's own limit is about 1030
MOST: Final = 1024**4
FREE: Final = 64 * BLOCK  # below this, a ratio says nothing
DEEPEST: Final = 4  # tars within tars; ESA's have one
LONGEST: Final = 240  # bytes of a name, with room for an ending

GZIP: Final = b"\x1f\x8b"
COMPRESS: Final = b"\x1f\x9d"


def _check_growth(packed: int, unpacked: int, what: str) -> None:
    if unpacked > MOST or (unpacked > FREE and unpacked > RATIO * max(packed, 1)):
        raise UnsafeArchiveError(
            f"{what} unpacks to far more than it is ({packed} to over {unpacked} bytes).",
            expected="real data",
            remedy="tell the archive's operators",
        )


def gunzip(source: Path, target: Path, name: str) -> None:
    """Unpack a gzip file to its last checksum.

    Raises
    ------
    BadReplyError
        If it is damaged or cut short.
    """
    packed, unpacked = source.stat().st_size, 0
    try:
        with gzip.open(source, "rb") as reader, target.open("wb") as writer:
            while block := reader.read(BLOCK):
                unpacked += len(block)
                _check_growth(packed, unpacked, name)
                writer.write(block)
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise BadReplyError(
            f"{name} is damaged: {problem}.", expected="a whole gzip file", remedy="try again"
        ) from problem


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
            ncompress.decompress(reader, writer)
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
    if not (member.isreg() or member.isdir()):
        raise UnsafeArchiveError(
            f"A tar holds {member.name!r}, which is a link or a device.",
            expected="plain files",
            remedy="tell the archive's operators",
        )
    return path.name


def _to_the_end(path: Path) -> None:
    """A tar ends with two blocks of zeros; without them, it was cut short."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(size - 1024, 0))
        if size < 1024 or size % 512 or stream.read().strip(b"\0"):
            raise BadReplyError("A tar is cut short.", expected="its end mark", remedy="try again")


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
        Shell patterns of the names wanted; empty for all.
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
                if members and not inner and not any(fnmatchcase(name, one) for one in members):
                    continue
                target = directory / name
                if target.exists():
                    raise _twice(name)
                reader = archive.extractfile(member)
                assert reader is not None
                with reader, target.open("wb") as writer:
                    shutil.copyfileobj(reader, writer, BLOCK)
                found.append(target)
    except (tarfile.TarError, EOFError) as problem:
        raise BadReplyError(f"A tar is damaged: {problem}.", expected="a whole tar", remedy="try again") from problem
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


def check_fits(path: Path, name: str) -> None:
    """Look whether a FITS file is whole: every header can be read, and every data block is there.

    Raises
    ------
    BadReplyError
        If it is not.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        if stream.read(9) != b"SIMPLE  =":
            return
        if size % 2880:
            raise BadReplyError(
                f"{name} is cut short: its size is no multiple of 2880.",
                expected="a whole FITS file",
                remedy="try again",
            )
        offset = 0
        while offset < size:
            length = _hdu_length(stream, offset, size, name)
            offset += length
        if offset != size:
            raise BadReplyError(
                f"{name} is cut short within its last table.", expected="a whole FITS file", remedy="try again"
            )


def _hdu_length(stream: BinaryIO, offset: int, size: int, name: str) -> int:
    """Bytes of header and data of the HDU at an offset; what follows the last HDU (zeros) belongs to it."""
    stream.seek(offset)
    cards: dict[str, str] = {}
    read = 0
    while True:
        block = stream.read(2880)
        read += len(block)
        if len(block) < 2880:
            raise BadReplyError(
                f"{name} is cut short within a header.", expected="a whole FITS file", remedy="try again"
            )
        for start in range(0, 2880, 80):
            card = block[start : start + 80]
            key = card[:8].decode("latin-1").strip()
            if key == "END":
                break
            if card[8:10] == b"= ":
                cards.setdefault(key, card[10:].decode("latin-1").partition("/")[0].strip().strip("'").strip())
        else:
            if offset and read == 2880 and not block.strip(b"\0"):
                return size - offset
            continue
        break
    return read + _data_length(cards, name)


def _data_length(cards: Mapping[str, str], name: str) -> int:
    """Bytes of data, in whole blocks, that a header announces."""
    try:
        number, bits = int(cards.get("NAXIS", "0")), abs(int(cards.get("BITPIX", "8")))
        groups, extra = int(cards.get("GCOUNT", "1")), int(cards.get("PCOUNT", "0"))
        if not 0 <= number <= 999:
            raise ValueError(number)
        axes = [int(cards.get(f"NAXIS{axis}", "0")) for axis in range(1, number + 1)]
    except ValueError:
        axes, bits, groups, extra = [-1], 8, 1, 0
    if min([groups, extra, *axes]) < 0:
        raise BadReplyError(
            f"{name} has a header that makes no sense.", expected="a sound FITS file", remedy="try again"
        )
    if not axes:
        return 0
    data = bits // 8 * groups * (extra + math.prod(axes if axes[0] or len(axes) == 1 else axes[1:]))
    return -(-data // 2880) * 2880
