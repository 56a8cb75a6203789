"""Writing FITS files: whole or not at all, with checksums, and never over the file that was read."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from astropy.io import fits
from attrs import define, field

from daxa.api import InvalidParameterError, StorageError
from daxa_native.fitsfile import BLOCK

_MASK: Final = 0xFFFFFFFF
_EXCLUDED: Final = b":;<=>?@[\\]^_`"


def write_block(stream: BinaryIO, block: bytes | memoryview) -> None:
    """Write some bytes: the one place where a product's bytes go to the disk."""
    stream.write(block)


@contextmanager
def publish(out_path: str | Path, *, sources: Iterable[str | Path] = ()) -> Iterator[BinaryIO]:
    """Open a temporary file beside the target, which takes its place when the block ends well.

    Parameters
    ----------
    out_path : path-like
        Target; its directory is made if need be.
    sources : iterable of path-like
        Files the target may not be.

    Raises
    ------
    InvalidParameterError
        If the target is a source or a directory.
    StorageError
        If the disk is full, read-only, or refuses a write. Nothing is left behind.
    """
    target = Path(out_path)
    if target.is_dir() or any(target.exists() and target.samefile(source) for source in sources):
        raise InvalidParameterError(
            f"{target} cannot be written.",
            expected="a file that is not the input, nor a directory",
            remedy="choose another name for the product",
            value=str(target),
        )
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
        with temporary.open("xb") as stream:
            yield stream
        temporary.replace(target)
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(
            f"{target} cannot be written: {error.strerror or error}.",
            expected="a writable disk with enough space",
            remedy="free some space or choose another place, and run again",
            path=str(target),
            reason=error.strerror or str(error),
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@define(eq=False)
class Unit:
    """An HDU to be written.

    Parameters
    ----------
    header : Header
        Complete but for the checksums.
    blocks : callable
        Gives the data, piece by piece, as arrays of bytes.
    """

    header: fits.Header
    blocks: Callable[[], Iterable[np.ndarray]] = field(default=lambda: ())


def write_units(stream: BinaryIO, units: Iterable[Unit]) -> None:
    """Write HDUs, each with DATASUM and CHECKSUM."""
    for unit in units:
        header = unit.header
        header.set("CHECKSUM", "0" * 16, "of the HDU")
        header.set("DATASUM", "0", "of the data")
        start = stream.tell()
        write_block(stream, _bytes(header))
        total, size, rest = 0, 0, b""
        for block in unit.blocks():
            content = np.ascontiguousarray(block).reshape(-1).view(np.uint8)
            write_block(stream, content.data)
            size += len(content)
            if rest or len(content) % 4:
                joined = rest + content.tobytes()
                whole = len(joined) // 4 * 4
                rest = joined[whole:]
                content = np.frombuffer(joined[:whole], np.uint8)
            total = _add(total, content)
        fill = b"\0" * (-size % BLOCK)
        write_block(stream, fill)
        tail = rest + fill
        total = _add(total, np.frombuffer(tail[: len(tail) // 4 * 4], np.uint8))
        header["DATASUM"] = str(total)
        header["CHECKSUM"] = "0" * 16
        header["CHECKSUM"] = _encode(_MASK ^ _add(total, np.frombuffer(_bytes(header), np.uint8)))
        end = stream.tell()
        stream.seek(start)
        write_block(stream, _bytes(header))
        stream.seek(end)


def _bytes(header: fits.Header) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)  # a comment that is too long is cut
        return header.tostring(sep="", endcard=True, padding=True).encode("ascii", "replace")


def _add(total: int, content: np.ndarray) -> int:
    """Add big-endian 32-bit words to a ones' complement sum."""
    total += int(content.view(">u4").sum(dtype=np.uint64))
    while total > _MASK:
        total = (total & _MASK) + (total >> 32)
    return total


def _encode(checksum: int) -> str:
    """Write a checksum as the sixteen letters and digits of the FITS convention, which add up to it."""
    letters = bytearray(16)
    for position in range(4):
        byte = checksum >> 8 * (3 - position) & 0xFF
        quarters = [byte // 4 + 48] * 4
        quarters[0] += byte % 4
        while any(quarter in _EXCLUDED for quarter in quarters):
            for pair in (0, 2):
                if quarters[pair] in _EXCLUDED or quarters[pair + 1] in _EXCLUDED:
                    quarters[pair] += 1
                    quarters[pair + 1] -= 1
        for number, quarter in enumerate(quarters):
            letters[4 * number + position] = quarter
    return (letters[-1:] + letters[:-1]).decode("ascii")
