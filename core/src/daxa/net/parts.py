"""The bytes of a transfer on disk while they come in: the part, its sidecar, and what watches their pace."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from attrs import define, field

from daxa.exceptions import BadReplyError
from daxa.net.addresses import shown
from daxa.specs import Location

BLOCK: Final = 1024 * 1024
MOST_HELD: Final = 4 * BLOCK
"""Bytes of a transfer that wait at most while those before them are written."""


def write_block(stream: BinaryIO, block: bytes) -> None:
    """Write to disk; the one place where the bytes of a transfer are written."""
    view = memoryview(block)
    while view:  # an unbuffered stream may take less than it is given
        view = view[stream.write(view) :]


class Again(Exception):
    """One try failed; another may not."""

    def __init__(self, cause: str, wait: float | None = None) -> None:
        super().__init__(cause)
        self.wait = wait


@define
class Part:
    """A transfer that is under way, on disk: the bytes, and what they are bytes of."""

    path: Path
    sidecar: Path
    validator: dict[str, Any] = field(factory=dict)

    def size(self, location: Location) -> int:
        """Bytes that are there, if a file at some place can be gone on with from there."""
        try:
            noted = json.loads(self.sidecar.read_text())
            size = self.path.stat().st_size
        except (OSError, ValueError):
            return 0
        self.validator = noted if isinstance(noted, dict) else {}
        return size if self.is_of(location.url) or self._agrees(location) else 0

    def is_of(self, url: str) -> bool:
        """Whether what is there came from an address that can be asked to go on with the very same file."""
        noted = self.validator
        return noted.get("url") == shown(url) and bool(noted.get("etag") or noted.get("modified"))

    def _agrees(self, location: Location) -> bool:
        """Whether another place may hold the same file: entity tag or length do not differ, as far as they are known.

        Where neither is known of the other place, its answer must tell the length.
        """
        etag, total = self.validator.get("etag"), self.validator.get("total")
        if location.etag is not None and location.etag == etag:
            return True
        return total is not None and location.size in (None, total)

    def begin(self, url: str, headers: Mapping[str, str], total: int | None, *, kept: bool = True) -> None:
        """Note what the bytes to come are bytes of; on disk too, if they shall be gone on from."""
        earlier = bool(self.validator)
        etag = headers.get("ETag")
        self.validator = {
            "url": shown(url),
            "etag": etag if etag and not etag.startswith("W/") else None,
            "modified": headers.get("Last-Modified"),
            "total": total,
            "disposition": headers.get("Content-Disposition", ""),
        }
        if kept:
            temporary = self.sidecar.with_name(self.sidecar.name + ".new")
            temporary.write_text(json.dumps(self.validator))
            temporary.replace(self.sidecar)
        elif earlier:
            self.sidecar.unlink(missing_ok=True)

    def drop(self) -> None:
        """Forget it."""
        self.path.unlink(missing_ok=True)
        self.sidecar.unlink(missing_ok=True)


class Pace:
    """Watches that a transfer does not trickle.

    Parameters
    ----------
    slowest : float
        Bytes a second that must come.
    window : float
        Seconds over which they are counted.
    """

    def __init__(self, slowest: float, window: float) -> None:
        self._slowest, self._window = slowest, window
        self._since, self._bytes = time.monotonic(), 0

    def note(self, size: int) -> None:
        """Count bytes that came; too few in a window end the try."""
        self._bytes += size
        passed = time.monotonic() - self._since
        if passed < self._window:
            return
        if self._bytes < self._slowest * passed:
            raise Again(f"it was too slow: {self._bytes / passed:.0f} bytes a second")
        self._since, self._bytes = time.monotonic(), 0


class Writer:
    """The part on disk while blocks come in.

    Parameters
    ----------
    part : Part
        What is written.
    url : str
        Where from.
    headers : Mapping
        Those of the reply.
    have : int
        Bytes that are there from an earlier try, maybe from another place.
    total : int, optional
        Bytes in all, where that is known.
    hashed : bool
        Whether the hash is wanted: of what will be unpacked it is not.
    """

    def __init__(
        self, part: Part, url: str, headers: Mapping[str, str], have: int, total: int | None, *, hashed: bool = True
    ) -> None:
        self._part, self._url, self._headers, self._have, self._total = part, url, headers, have, total
        self._stream: BinaryIO | None = None
        self._digest = hashlib.sha256() if hashed else None
        self._size = self._earlier = have

    def _open(self, *, last: bool) -> BinaryIO:
        if self._stream is None:
            path = self._part.path
            path.parent.mkdir(parents=True, exist_ok=True)
            if self._have:
                self._stream = path.open("ab", buffering=0)
                if not self._part.is_of(self._url):
                    self._part.begin(self._url, self._headers, self._total)
            else:
                path.unlink(missing_ok=True)  # it may be a link to a mounted copy
                self._stream = path.open("wb", buffering=0)
                self._part.begin(self._url, self._headers, self._total, kept=not last)  # it came in one piece
        return self._stream

    def write(self, block: bytes, *, last: bool = False) -> None:
        """Write a block; :meth:`hash` may be called beside it."""
        write_block(self._open(last=last), block)
        self._size += len(block)
        if self._total is not None and self._size > self._total:
            where = shown(self._url)
            raise BadReplyError(
                f"{where} sends more than it announced.",
                expected=f"{self._total} bytes",
                remedy="try again",
                url=where,
            )

    def hash(self, block: bytes) -> None:
        """Hash a block, and before the first what was there from an earlier try."""
        if self._digest is None:
            return
        if self._earlier:
            with self._part.path.open("rb") as stream:
                while self._earlier and (piece := stream.read(min(BLOCK, self._earlier))):
                    self._digest.update(piece)
                    self._earlier -= len(piece)
            self._earlier = 0
        self._digest.update(block)

    def end(self, rest: bytes) -> tuple[str, int]:
        """Write the rest and close; return the hash, empty if it is not wanted, and the bytes there are now."""
        try:
            if rest or self._stream is None:
                self.write(rest, last=self._have + len(rest) == self._total)
            self.hash(rest)
        finally:
            if self._stream is not None:
                self._stream.close()
        return "" if self._digest is None else self._digest.hexdigest(), self._size
