"""Just enough of FITS: headers as lists of cards, binary tables as tuples, images as packed numbers."""

from __future__ import annotations

import struct

BLOCK = 2880
_CODES = {"D": "d", "E": "f", "J": "i", "I": "h", "B": "B", "L": "c", "K": "q"}
_SIZES = {"D": 8, "E": 4, "J": 4, "I": 2, "B": 1, "L": 1, "K": 8, "A": 1}


class UnreadableError(Exception):
    """A file is not there, or is no FITS file."""


class HDU:
    """One header with its data.

    Parameters
    ----------
    cards : list of str
        Cards of 80 characters, without END.
    data : bytes
        The data without padding.
    """

    __slots__ = ("cards", "data")

    def __init__(self, cards=(), data=b""):
        self.cards = list(cards)
        self.data = data

    def get(self, key, default=None):
        """Value of a keyword."""
        start = f"{key:<8}="
        for place, card in enumerate(self.cards):
            if card.startswith(start):
                return _value(self.cards, place)
        return default

    def set(self, key, value, comment=""):
        """Set a keyword, in its place if it has one."""
        start = f"{key:<8}="
        made = cards_of(key, value, comment)
        for place, card in enumerate(self.cards):
            if card.startswith(start):
                last = place + 1
                while last < len(self.cards) and self.cards[last].startswith("CONTINUE"):
                    last += 1
                self.cards[place:last] = made
                return
        self.cards += made

    def drop(self, *starts):
        """Leave out the keywords that begin so."""
        kept, dropping = [], False
        for card in self.cards:
            dropping = card.startswith(starts) or (dropping and card.startswith("CONTINUE"))
            if not dropping:
                kept.append(card)
        self.cards = kept

    def history(self, text):
        """Add lines of history."""
        self.cards += [f"HISTORY {text[place : place + 72]:<72}" for place in range(0, len(text), 72)]

    @property
    def name(self):
        """EXTNAME."""
        return self.get("EXTNAME", "")

    def columns(self):
        """Names of the columns, and their formats, in order."""
        count = self.get("TFIELDS", 0)
        return [(self.get(f"TTYPE{n}", ""), self.get(f"TFORM{n}", "")) for n in range(1, count + 1)]

    def rows(self):
        """Rows as tuples."""
        form = row_format([form for _, form in self.columns()])
        return struct.iter_unpack(form, self.data) if self.data else iter(())

    def with_rows(self, packed, count):
        """Make the same table with other rows."""
        made = HDU(self.cards, packed)
        made.set("NAXIS2", count, "number of rows in table")
        return made

    def copy(self):
        """Make one that can be changed."""
        return HDU(self.cards, self.data)


def row_format(forms):
    """Format of a row for `struct`."""
    made = ">"
    for form in forms:
        repeat, code = form[:-1], form[-1]
        made += f"{repeat or 1}s" if code == "A" else (repeat or "") + _CODES[code]
    return made


def cards_of(key, value, comment=""):
    """Cards of a keyword; long texts are continued."""
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, int):
        text = f"{value:>20}"
    elif isinstance(value, float):
        text = f"{value:>20.14E}"
    else:
        quoted = str(value).replace("'", "''")
        if len(quoted) > 68:
            return _continued(key, quoted)
        text = f"'{quoted:<8}'"
    card = f"{key:<8}= {text}" + (f" / {comment}" if comment else "")
    return [f"{card[:80]:<80}"]


def _continued(key, quoted):
    pieces = []
    while quoted:
        end = min(66, len(quoted))
        while end < len(quoted) and quoted[:end].count("'") % 2:  # two quotes stay together
            end -= 1
        pieces.append(quoted[:end])
        quoted = quoted[end:]
    lines = [f"{key:<8}= " if number == 0 else "CONTINUE  " for number in range(len(pieces))]
    last = len(pieces) - 1
    return [
        f"{line + chr(39) + piece + ('&' if number < last else '') + chr(39):<80}"
        for number, (line, piece) in enumerate(zip(lines, pieces, strict=True))
    ]


def _value(cards, place):
    text = cards[place][10:].lstrip()
    if not text.startswith("'"):
        word = text.split("/", 1)[0].strip()
        if word in ("T", "F"):
            return word == "T"
        try:
            return int(word)
        except ValueError:
            try:
                return float(word.replace("D", "E"))
            except ValueError:
                return None
    made, place = _quoted(text), place + 1
    while made.endswith("&") and place < len(cards) and cards[place].startswith("CONTINUE"):
        made, place = made[:-1] + _quoted(cards[place][10:].lstrip()), place + 1
    return made


def _quoted(text):
    end = 1
    while True:
        end = text.find("'", end)
        if end < 0:
            return text[1:].rstrip()
        if text[end + 1 : end + 2] != "'":
            return text[1:end].replace("''", "'").rstrip()
        end += 2


def read(path):
    """Read all of a file.

    Raises
    ------
    UnreadableError
        If it cannot be read, or is no FITS file, or ends early.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as problem:
        raise UnreadableError(str(problem)) from None
    if not content.startswith(b"SIMPLE  ="):
        raise UnreadableError("no FITS file")
    hdus, place = [], 0
    while place < len(content):
        hdu, place = _hdu(content, place)
        hdus.append(hdu)
    return hdus


def _hdu(content, place):
    cards = []
    while True:
        block = content[place : place + BLOCK].decode("latin-1")
        if len(block) < BLOCK:
            raise UnreadableError("it ends in a header")
        place += BLOCK
        found = [block[start : start + 80] for start in range(0, BLOCK, 80)]
        ends = next((number for number, card in enumerate(found) if card.startswith("END     ")), None)
        cards += found[:ends]
        if ends is not None:
            break
    hdu = HDU(cards)
    size = abs(hdu.get("BITPIX", 8)) // 8 if hdu.get("NAXIS", 0) else 0
    for axis in range(1, hdu.get("NAXIS", 0) + 1):
        size *= hdu.get(f"NAXIS{axis}", 0)
    size = (size + hdu.get("PCOUNT", 0)) * hdu.get("GCOUNT", 1)
    if place + size > len(content):
        raise UnreadableError("it ends in its data")
    hdu.data = content[place : place + size]
    return hdu, place + -(-size // BLOCK) * BLOCK


def write(path, hdus):
    """Write a file; OSError if it cannot be."""
    with open(path, "wb") as file:
        write_to(file, hdus)


def write_to(file, hdus):
    """Write into an open file."""
    for hdu in hdus:
        header = "".join(hdu.cards) + f"{'END':<80}"
        file.write(header.encode("latin-1").ljust(-(-len(header) // BLOCK) * BLOCK))
        if hdu.data:
            file.write(hdu.data.ljust(-(-len(hdu.data) // BLOCK) * BLOCK, b"\0"))


def primary(keys=(), image=None, history=()):
    """Make a primary HDU.

    Parameters
    ----------
    keys : iterable of (str, value)
        Keywords.
    image : tuple, optional
        BITPIX, width, height, packed pixels.
    history : iterable of str
        Lines of history.
    """
    made = HDU()
    bitpix, width, height, data = image or (8, 0, 0, b"")
    made.set("SIMPLE", True, "file does conform to FITS standard")
    made.set("BITPIX", bitpix, "number of bits per data pixel")
    made.set("NAXIS", 2 if image else 0, "number of data axes")
    if image:
        made.set("NAXIS1", width)
        made.set("NAXIS2", height)
        made.data = data
    made.set("EXTEND", True, "FITS dataset may contain extensions")
    made.cards += [card for key, value in keys for card in cards_of(key, value)]
    for line in history:
        made.history(line)
    return made


def table(name, columns, rows, keys=()):
    """Make a binary table.

    Parameters
    ----------
    name : str
        EXTNAME.
    columns : iterable of (str, str, str)
        Name, format, unit.
    rows : iterable of tuple, or bytes
        Rows, or all of them packed.
    keys : iterable of (str, value)
        More keywords.
    """
    columns = list(columns)
    form = row_format([one[1] for one in columns])
    data = rows if isinstance(rows, bytes) else b"".join(struct.pack(form, *row) for row in rows)
    width = struct.calcsize(form)
    made = HDU()
    made.set("XTENSION", "BINTABLE", "binary table extension")
    for key, value in (("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", width), ("NAXIS2", len(data) // width)):
        made.set(key, value)
    for key, value in (("PCOUNT", 0), ("GCOUNT", 1), ("TFIELDS", len(columns))):
        made.set(key, value)
    for number, (column, kind, unit) in enumerate(columns, start=1):
        made.cards += cards_of(f"TTYPE{number}", column) + cards_of(f"TFORM{number}", kind)
        if unit:
            made.cards += cards_of(f"TUNIT{number}", unit)
    made.cards += cards_of("EXTNAME", name)
    made.cards += [card for key, value in keys for card in cards_of(key, value)]
    made.data = data
    return made
