"""Streams of VOTables in BINARY or BINARY2: looked at before astropy reads them.

astropy takes a stream from whatever address the document names, takes any encoding for base64, passes over a last row
that is cut short, and gives a table up for one letter that is not ASCII. Here the first three are refused, and texts
with such letters are read beside it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any, Final, NamedTuple

from attrs import define, field, frozen

from daxa.net.documents import document_parser

Texts = dict[tuple[int, int], str]
"""Texts by row and field, both from 0."""

_SIZES: Final = {
    "boolean": 1, "unsignedByte": 1, "short": 2, "int": 4, "long": 8, "char": 1, "unicodeChar": 2, "float": 4,
    "double": 8, "floatComplex": 8, "doubleComplex": 16,
}  # fmt: skip
"""Bytes of one value, by datatype; bits are packed, and not in here."""

_STREAM: Final = re.compile(rb"(<(?:[\w.-]+:)?STREAM\b[^>]*>)([^<]*)(<)")


class SpoiltStream(ValueError):
    """A stream that is not what it should be."""


class _Cell(NamedTuple):
    """A field of a row: bytes of one value, how many (None: a count stands before them), and whether they are text."""

    size: int
    number: int | None
    is_text: bool


@frozen
class Streams:
    """What was found.

    Parameters
    ----------
    body : bytes
        The document, with ``?`` for letters that are not ASCII.
    texts : dict
        Texts of the first table that hold such letters, or zeros, whole.
    """

    body: bytes
    texts: Texts


@define
class _Reader:
    """Finds the streams of a document, with the fields of their tables."""

    streams: list[tuple[str, list[Mapping[str, str]], list[str]]] = field(factory=list)
    _fields: list[Mapping[str, str]] = field(factory=list)
    _form: str = ""
    _open: bool = False

    def start(self, name: str, attrs: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "TABLE":
                self._fields = []
            case "FIELD":
                self._fields.append(attrs)
            case "BINARY" | "BINARY2" | "FITS" as form:
                self._form = form
            case "STREAM":
                if "href" in attrs:
                    raise SpoiltStream(f"its table lies elsewhere, at {attrs['href']!r}")
                if attrs.get("encoding") != "base64":
                    raise SpoiltStream(f"its table is encoded as {attrs.get('encoding')!r}")
                self.streams.append((self._form, self._fields, []))
                self._open = True

    def text(self, data: str) -> None:
        if self._open:
            self.streams[-1][2].append(data)

    def end(self, name: str) -> None:
        if name.rpartition(":")[2] == "STREAM":
            self._open = False


def check_streams(body: bytes) -> Streams:
    """Look at the streams of a VOTable.

    Parameters
    ----------
    body : bytes
        The document.

    Raises
    ------
    SpoiltStream
        If one lies elsewhere, is not base64, or ends within a row.
    xml.parsers.expat.ExpatError
        If the document is damaged, or declares entities.
    """
    reader = _Reader()
    parser = document_parser()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    parser.Parse(body, True)
    texts: Texts = {}
    mended: dict[int, bytes] = {}
    for number, (form, fields, pieces) in enumerate(reader.streams):
        data = _decoded("".join(pieces))
        row = _row(fields) if form != "FITS" else None
        if row is None:
            continue
        plain = bytearray(data)
        found = _walk(data, row, (len(row) + 7) // 8 if form == "BINARY2" else 0, plain)
        if found:
            mended[number] = base64.b64encode(plain)
            if number == 0:
                texts = found
    return Streams(_replaced(body, mended) if mended else body, texts)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as problem:
        raise SpoiltStream("it holds a damaged stream") from problem


def _replaced(body: bytes, mended: Mapping[int, bytes]) -> bytes:
    numbers = count()

    def other(match: re.Match[bytes]) -> bytes:
        stream = mended.get(next(numbers))
        return match[0] if stream is None else match[1] + stream + match[3]

    return _STREAM.sub(other, body)


def _row(fields: Iterable[Mapping[str, Any]]) -> list[_Cell] | None:
    """The cells of a row; None if there are kinds of array among them that are not looked at."""
    cells = []
    for one in fields:
        kind, shape = one.get("datatype", ""), one.get("arraysize") or "1"
        if kind not in _SIZES or not re.fullmatch(r"\d{1,9}\*?|\*", shape):
            return None
        number = None if shape.endswith("*") else int(shape)
        cells.append(_Cell(_SIZES[kind], number, kind == "char"))
    return cells or None


def _walk(data: bytes, row: Sequence[_Cell], nulls: int, plain: bytearray) -> Texts:
    """Go through the rows; texts that astropy would not read are returned, and blanked in `plain`."""
    found: Texts = {}
    steps = _steps(row)
    place, end = 0, len(data)
    for number in count():
        if place == end:
            return found
        begin = place
        place += nulls
        for index, passed, cell in steps:
            place += passed
            if cell is None:
                continue
            length = cell.size * cell.number if cell.number is not None else 0
            if cell.number is None:
                if place + 4 > end:
                    raise SpoiltStream(f"it ends within row {number + 1}")
                length = cell.size * int.from_bytes(data[place : place + 4], "big")
                place += 4
            if cell.is_text:
                raw = data[place : place + length]
                if not raw.isascii() or (cell.number is None and b"\0" in raw):
                    found[number, index] = _text(raw)
                    plain[place : place + len(raw)] = b"?" * len(raw)
            place += length
        if place > end or place == begin:
            raise SpoiltStream(f"it ends within row {number + 1}")
    raise AssertionError("unreachable")


def _steps(row: Sequence[_Cell]) -> list[tuple[int, int, _Cell | None]]:
    """What to do in a row: bytes to pass, and after them a cell to look at; None at its end."""
    steps: list[tuple[int, int, _Cell | None]] = []
    passed = 0
    for index, cell in enumerate(row):
        if cell.is_text or cell.number is None:
            steps.append((index, passed, cell))
            passed = 0
        else:
            passed += cell.size * cell.number
    return [*steps, (-1, passed, None)]


def _text(raw: bytes) -> str:
    """Text up to a zero: UTF-8, or where it is none Latin-1."""
    plain = raw.partition(b"\0")[0]
    decode: Callable[[str], str] = plain.decode
    try:
        return decode("utf-8")
    except UnicodeDecodeError:
        return decode("latin-1")


__all__ = ["SpoiltStream", "Streams", "check_streams"]
