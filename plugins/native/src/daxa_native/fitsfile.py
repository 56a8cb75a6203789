"""The shape of a FITS file: its HDUs, each with header and a view of its bytes.

astropy reads the headers. The tables are mapped as they lie on the disk, because a selection that touches four columns
of thirty should not convert the others, and because a damaged file must be refused with its reason before any use.
"""

from __future__ import annotations

import gzip
import math
import re
import warnings
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from attrs import define, field, frozen

from daxa.api import BadEventListError

BLOCK: Final = 2880
_CARD: Final = 80
_END: Final = b"END" + b" " * 77
_TFORM: Final = re.compile(r"(\d*)([LXBIJKAEDCMPQ])")
_FORMATS: Final = {
    "L": "i1",
    "B": "u1",
    "I": ">i2",
    "J": ">i4",
    "K": ">i8",
    "E": ">f4",
    "D": ">f8",
    "C": ">c8",
    "M": ">c16",
}
_HEADER_BLOCKS_MAX: Final = 20_000


def value(header: fits.Header, keyword: str, default: Any = None) -> Any:
    """Return a keyword's value, or `default` if it is absent, blank or unreadable."""
    try:
        found = header[keyword]
    except (KeyError, fits.VerifyError, ValueError):
        return default
    return default if isinstance(found, fits.card.Undefined) else found


def text(header: fits.Header, keyword: str, default: str = "") -> str:
    """Return a keyword's value as text without blanks at its ends."""
    return str(value(header, keyword, default)).strip()


def number(header: fits.Header, keyword: str) -> float | None:
    """Return a keyword's value if it is a finite number, else None."""
    found = value(header, keyword)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return float(found)


@frozen
class Column:
    """A column of a binary table.

    Parameters
    ----------
    name : str
        As written in the file.
    index : int
        Its number, from 1, for keywords such as ``TCTYPn``.
    code : str
        Letter of its TFORM.
    scale, zero : float
        TSCALn and TZEROn.
    null : int, optional
        TNULLn, for integers.
    low, high : float, optional
        TLMINn and TLMAXn.
    """

    name: str
    index: int
    code: str
    scale: float = 1.0
    zero: float = 0.0
    null: int | None = None
    low: float | None = None
    high: float | None = None

    @property
    def key(self) -> str:
        """Field of the row's dtype."""
        return f"c{self.index}"

    @property
    def integer(self) -> bool:
        """Whether the values, scaling applied, are integers."""
        return self.code in "BIJK" and self.scale == 1 and self.zero == int(self.zero)

    def values(self, rows: np.ndarray) -> np.ndarray:
        """Return the values of some rows in the machine's byte order, scaling applied, shape (rows,) or (rows, n)."""
        raw = rows[self.key]
        if self.integer:
            native = raw.astype(raw.dtype.newbyteorder("="))
            return native if self.zero == 0 else native.astype(np.int64) + int(self.zero)
        if self.scale == 1 and self.zero == 0:
            return raw.astype(raw.dtype.newbyteorder("="))
        return raw.astype(np.float64) * self.scale + self.zero

    def defined(self, rows: np.ndarray) -> np.ndarray | None:
        """Return which rows hold a value; None if all of them do."""
        if self.code in "ED":
            return np.isfinite(rows[self.key])
        return None if self.null is None else rows[self.key] != self.null


@define(eq=False)
class Table:
    """A binary table, its rows as they lie in the file.

    Parameters
    ----------
    header : Header
        Of the table's HDU.
    rows : ndarray
        Structured, one field ``c<n>`` a column, big-endian.
    columns : dict
        Columns by upper-case name.
    """

    header: fits.Header
    rows: np.ndarray
    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> Column | None:
        """Find a column by name, case ignored."""
        return self.columns.get(name.upper())

    def values(self, name: str) -> np.ndarray | None:
        """All values of a column, or None if there is no such column."""
        column = self.column(name)
        return None if column is None else column.values(self.rows)


@define(eq=False)
class Hdu:
    """One header-data unit.

    Parameters
    ----------
    header : Header
        Its header.
    data : ndarray of uint8
        Its bytes, without padding.
    """

    header: fits.Header
    data: np.ndarray

    @property
    def name(self) -> str:
        """EXTNAME, upper case."""
        return text(self.header, "EXTNAME").upper()

    @property
    def block_name(self) -> str:
        """HDUNAME, upper case: the name Chandra's data model uses."""
        return text(self.header, "HDUNAME").upper()

    @property
    def version(self) -> int:
        """EXTVER."""
        found = number(self.header, "EXTVER")
        return 1 if found is None else int(found)

    @property
    def is_table(self) -> bool:
        """Whether it is a binary table."""
        return text(self.header, "XTENSION") == "BINTABLE"

    def table(self) -> Table:
        """Read it as a binary table."""
        width, count = _whole(self.header, "NAXIS1"), _whole(self.header, "NAXIS2")
        names, formats, offsets, offset = [], [], [], 0
        columns: dict[str, Column] = {}
        for index in range(1, _whole(self.header, "TFIELDS") + 1):
            form = _TFORM.match(text(self.header, f"TFORM{index}"))
            if form is None:
                raise ValueError(f"TFORM{index} is {value(self.header, f'TFORM{index}')!r}")
            repeat, code = int(form[1] or 1), form[2]
            size, dtype = _layout(code, repeat)
            names.append(f"c{index}")
            formats.append(dtype)
            offsets.append(offset)
            offset += size
            column = _column(self.header, index, code)
            columns.setdefault(column.name.upper(), column)
        if offset != width:
            raise ValueError(f"its columns take {offset} bytes a row, NAXIS1 says {width}")
        dtype_of_rows = np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": width})
        return Table(self.header, self.data[: width * count].view(dtype_of_rows), columns)


def _layout(code: str, repeat: int) -> tuple[int, Any]:
    """Bytes and dtype of a column."""
    if code == "X":
        size = (repeat + 7) // 8
        return size, ("u1", (size,))
    if code == "A":
        return repeat, f"S{repeat}" if repeat else ("u1", (0,))
    if code in "PQ":
        size = (8 if code == "P" else 16) * repeat
        return size, ("u1", (size,))
    item = np.dtype(_FORMATS[code])
    return item.itemsize * repeat, item if repeat == 1 else (item, (repeat,))


def _column(header: fits.Header, index: int, code: str) -> Column:
    null = value(header, f"TNULL{index}")
    return Column(
        name=text(header, f"TTYPE{index}", f"COL{index}"),
        index=index,
        code=code,
        scale=_or(number(header, f"TSCAL{index}"), 1.0),
        zero=_or(number(header, f"TZERO{index}"), 0.0),
        null=null if isinstance(null, int) and code in "BIJK" else None,
        low=number(header, f"TLMIN{index}"),
        high=number(header, f"TLMAX{index}"),
    )


def _or(found: float | None, default: float) -> float:
    return default if found is None else found


def _whole(header: fits.Header, keyword: str) -> int:
    found = value(header, keyword)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise ValueError(f"{keyword} is {found!r}")
    return found


@define(eq=False)
class FitsFile:
    """A FITS file, whole or refused.

    Parameters
    ----------
    path : Path
        Where it is.
    hdus : list of Hdu
        What it holds.
    content : ndarray of uint8
        The file's bytes as it lies on the disk (compressed, if it is).
    """

    path: Path
    hdus: list[Hdu] = field(factory=list)
    content: np.ndarray = field(factory=lambda: np.empty(0, np.uint8))

    def named(self, *names: str) -> list[Hdu]:
        """Binary tables whose EXTNAME or HDUNAME is one of `names`, case ignored."""
        wanted = {name.upper() for name in names}
        return [hdu for hdu in self.hdus if hdu.is_table and (hdu.name in wanted or hdu.block_name in wanted)]


def read_fits(path: Path) -> FitsFile:
    """Read the headers of a FITS file, gzip-compressed or not, and map its data.

    Raises
    ------
    BadEventListError
        If there is no such file, it is not FITS, or it ends too early.
    """
    try:
        content = np.memmap(path, np.uint8, mode="r") if path.stat().st_size else np.empty(0, np.uint8)
        data = content.view(np.ndarray)
        if bytes(content[:2]) == b"\x1f\x8b":
            data = np.frombuffer(gzip.decompress(content), np.uint8)
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise damaged(path, reason) from error
    found = FitsFile(path, content=content)
    offset = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            while offset < len(data):
                expected = b"XTENSION" if found.hdus else b"SIMPLE  "
                if bytes(data[offset : offset + 8]) != expected:
                    if found.hdus:
                        break  # FITS allows special records after the last HDU
                    raise ValueError("it does not begin like a FITS file")
                header, start = _header(data, offset)
                size = _data_size(header)
                if start + size > len(data):
                    name = text(header, "EXTNAME") or f"HDU {len(found.hdus)}"
                    raise ValueError(f"it is truncated: {name} ends at byte {start + size}, the file at {len(data)}")
                found.hdus.append(Hdu(header, data[start : start + size]))
                offset = start + -(-size // BLOCK) * BLOCK
        if not found.hdus:
            raise ValueError("it is empty")
    except (ValueError, OSError, KeyError, OverflowError, fits.VerifyError) as error:
        raise damaged(path, str(error)) from error
    return found


def damaged(path: Path, reason: str) -> BadEventListError:
    """Make the error for a file that cannot be used."""
    return BadEventListError(
        f"{path} cannot be read as an event list: {reason}.",
        expected="a complete FITS file with a table of events",
        remedy="fetch the file again, or check that it is the right one",
        path=str(path),
        reason=reason,
    )


def _header(data: np.ndarray, offset: int) -> tuple[fits.Header, int]:
    """Read the header that begins at `offset`; also return where it ends."""
    for count in range(1, _HEADER_BLOCKS_MAX):
        block = bytes(data[offset + (count - 1) * BLOCK : offset + count * BLOCK])
        if len(block) < BLOCK:
            break
        if any(block[card : card + _CARD] == _END for card in range(0, BLOCK, _CARD)):
            end = offset + count * BLOCK
            return fits.Header.fromstring(bytes(data[offset:end]).decode("latin-1")), end
    raise ValueError("it is truncated: a header has no END")


def _data_size(header: fits.Header) -> int:
    """Bytes of an HDU's data, without padding."""
    axes = [_whole(header, f"NAXIS{axis}") for axis in range(1, _whole(header, "NAXIS") + 1)]
    if not axes:
        return 0
    bits = value(header, "BITPIX")
    if bits not in (8, 16, 32, 64, -32, -64):
        raise ValueError(f"BITPIX is {bits!r}")
    if axes[0] == 0 and value(header, "GROUPS") is True:
        axes = axes[1:]
    extra = value(header, "PCOUNT", 0)
    groups = value(header, "GCOUNT", 1)
    if not isinstance(extra, int) or not isinstance(groups, int) or extra < 0 or groups < 1:
        raise ValueError(f"PCOUNT is {extra!r}, GCOUNT {groups!r}")
    return abs(bits) // 8 * groups * (extra + math.prod(axes))
