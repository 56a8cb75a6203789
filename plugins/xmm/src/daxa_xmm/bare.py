"""A copy of a calibration index that names files without their directories.

``cifbuild fullpath=yes`` writes where the calibration lay on that day, on that machine. What names files alone is
looked up in the directories of SAS_CCFPATH, wherever these are now: so that archives go on after the calibration, or
they themselves, have moved. It is made anew for every task, so it is read as bytes, and nothing large is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_BLOCK: Final = 2880
_CARD: Final = 80
_INTEGER: Final = re.compile(rb"= +(-?\d{1,18})(?![\d.])")
_TEXT: Final = re.compile(rb"= +'([^']*)'")
_FORM: Final = re.compile(rb"(\d*)([LXBIJKAEDCMPQ])")
_SIZES: Final = {b"L": 1, b"B": 1, b"A": 1, b"I": 2, b"J": 4, b"E": 4, b"K": 8, b"D": 8, b"C": 8, b"P": 8, b"M": 16,
                 b"Q": 16}  # fmt: skip


def bare_index(index: str) -> bytes:
    """Return the contents of a calibration index with file names in place of paths.

    Parameters
    ----------
    index : str
        Path of the index.

    Returns
    -------
    bytes
        As long as the file. What is no such index is returned as it is: the task that reads it says what is wrong.
    """
    content = bytearray(Path(index).read_bytes())
    for start, width, rows, column in _paths(bytes(content)):
        for row in range(rows):
            place = slice(start + row * width + column.start, start + row * width + column.stop)
            path = bytes(content[place]).rstrip(b" \0")
            content[place] = path.rpartition(b"/")[2].ljust(column.stop - column.start, b"\0")
    return bytes(content)


def _paths(content: bytes) -> Iterator[tuple[int, int, int, slice]]:
    """Yield where tables of the index begin, length and number of their rows, and where in a row the path stands."""
    place = 0
    while 0 <= place < len(content):
        cards, data = _header(content, place)
        axes = [max(_number(cards, b"NAXIS%d" % axis), 0) for axis in range(1, min(_number(cards, b"NAXIS"), 999) + 1)]
        size = abs(_number(cards, b"BITPIX")) // 8 if axes else 0
        for length in axes:
            size *= length
        size += max(_number(cards, b"PCOUNT"), 0)
        column = _column(cards, b"FNAME") if cards.get(b"XTENSION", b"").find(b"'BINTABLE'") >= 0 else None
        fits = len(axes) == 2 and data + axes[0] * axes[1] <= len(content)
        if column is not None and fits and column.stop <= axes[0]:
            yield data, axes[0], axes[1], column
        place = data + -(-size // _BLOCK) * _BLOCK if cards else -1


def _header(content: bytes, place: int) -> tuple[dict[bytes, bytes], int]:
    """Read the cards of a header by keyword, and where the data begin; no cards if it does not end."""
    cards: dict[bytes, bytes] = {}
    for start in range(place, len(content) - _CARD + 1, _CARD):
        card = content[start : start + _CARD]
        keyword = card[:8].rstrip()
        if keyword == b"END":
            return cards, place + -(-(start + _CARD - place) // _BLOCK) * _BLOCK
        cards.setdefault(keyword, card[8:])
    return {}, len(content)


def _number(cards: dict[bytes, bytes], keyword: bytes) -> int:
    match = _INTEGER.match(cards.get(keyword, b""))
    return int(match[1]) if match else 0


def _column(cards: dict[bytes, bytes], wanted: bytes) -> slice | None:
    """Where in a row a column of text stands."""
    start = 0
    for number in range(1, _number(cards, b"TFIELDS") + 1):
        name, form = (_TEXT.match(cards.get(b"%s%d" % (word, number), b"")) for word in (b"TTYPE", b"TFORM"))
        parts = _FORM.match(form[1]) if form else None
        if name is None or parts is None:
            return None
        repeat = int(parts[1] or 1)
        size = -(-repeat // 8) if parts[2] == b"X" else repeat * _SIZES[parts[2]]
        if name[1].rstrip() == wanted:
            return slice(start, start + size) if parts[2] == b"A" else None
        start += size
    return None
