"""Whether a FITS file is whole: every header can be read, and every data block is there."""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final

from daxa.exceptions import BadReplyError

RECORD: Final = 2880
"""FITS files are made of records of so many bytes."""
MAGIC: Final = b"SIMPLE  ="

_Steps = Generator[int, bytes, None]


def _cut_short(name: str, where: str) -> BadReplyError:
    return BadReplyError(f"{name} is cut short{where}.", expected="a whole FITS file", remedy="try again")


def _structure(name: str) -> _Steps:
    """Go through a file: yields how many bytes are to be read, or, below zero, passed over; is sent what was read.

    What it is sent is shorter than what it asked for at the end of the file only.
    """
    first = True
    while True:
        cards: dict[str, str] = {}
        read = 0
        while True:
            block = yield RECORD
            read += len(block)
            if not block and read == 0 and not first:
                return
            if len(block) < RECORD:
                raise _cut_short(name, " within a header")
            if not first and read == RECORD and not block.strip(b"\0"):
                return  # what follows the last HDU, zeros, belongs to it
            if _read_cards(block, cards):
                break
        first = False
        length = _data_length(cards, name)
        if length:
            yield -length


def _read_cards(block: bytes, cards: dict[str, str]) -> bool:
    """Take in the cards of a record; whether the header ends in it."""
    for start in range(0, RECORD, 80):
        card = block[start : start + 80]
        key = card[:8].decode("latin-1").strip()
        if key == "END":
            return True
        if card[8:10] == b"= ":
            cards.setdefault(key, card[10:].decode("latin-1").partition("/")[0].strip().strip("'").strip())
    return False


def _data_length(cards: Mapping[str, str], name: str) -> int:
    """Bytes of data, in whole records, that a header announces."""
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
    return -(-data // RECORD) * RECORD


class FitsWatch:
    """Looks at a file while its bytes go by; what is no FITS file is passed over.

    Parameters
    ----------
    name : str
        For errors.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._steps = _structure(name)
        self._wanted = next(self._steps)
        self._held = bytearray()
        self._size = 0
        self._is_fits: bool | None = None  # it is too soon to know
        self._over = False

    def feed(self, block: bytes) -> None:
        """Take the next bytes.

        Raises
        ------
        BadReplyError
            If a header makes no sense.
        """
        self._size += len(block)
        if self._is_fits is None:
            if self._held or len(block) < len(MAGIC):  # the usual first block is not copied
                block = bytes(self._held + block)
                self._held = bytearray()
            if len(block) < len(MAGIC):
                self._held += block
                return
            self._is_fits = block.startswith(MAGIC)
        if self._is_fits and not self._over:
            self._go_on(memoryview(block))

    def _go_on(self, view: memoryview) -> None:
        while view and not self._over:
            if self._wanted < 0:
                passed = min(len(view), -self._wanted)
                view, self._wanted = view[passed:], self._wanted + passed
                if not self._wanted:
                    self._wanted = next(self._steps)
                continue
            taken = min(len(view), self._wanted - len(self._held))
            self._held += view[:taken]
            view = view[taken:]
            if len(self._held) == self._wanted:
                self._send()

    def _send(self) -> None:
        held, self._held = bytes(self._held), bytearray()
        try:
            self._wanted = self._steps.send(held)
        except StopIteration:
            self._over = True

    def end(self) -> None:
        """Say that there are no more.

        Raises
        ------
        BadReplyError
            If more should have come.
        """
        if not self._is_fits:
            return
        if self._size % RECORD:
            raise _cut_short(self._name, ": its size is no multiple of 2880")
        if self._wanted < 0:
            raise _cut_short(self._name, " within its last table")
        if not self._over:
            self._send()


def check_fits(path: Path, name: str) -> None:
    """Look whether a FITS file on disk is whole; data are passed over, so that it is quick.

    Raises
    ------
    BadReplyError
        If it is not.
    """
    size, steps = path.stat().st_size, _structure(name)
    with path.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            return
        if size % RECORD:
            raise _cut_short(name, ": its size is no multiple of 2880")
        stream.seek(0)
        wanted = next(steps)
        while True:
            if wanted < 0:
                if stream.tell() - wanted > size:
                    raise _cut_short(name, " within its last table")
                stream.seek(-wanted, os.SEEK_CUR)
                wanted = next(steps)
                continue
            try:
                wanted = steps.send(stream.read(wanted))
            except StopIteration:
                return
