"""HEASARC's old interface for scripts, ``w3query.pl``: everything is a success, and errors are found in the text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web
from attrs import define

from daxa_testing.tap import Column, TapService

_TABLE: Final = re.compile(r"name=BATCHRETRIEVALCATALOG_2\.0\s+(\w+)\s*\Z")
_WIDTH: Final = {"double": 25, "float": 15, "long": 20, "int": 11, "short": 6, "boolean": 1}
_USUAL: Final = 1000
"""Rows where nobody says how many."""


@define
class Browse:
    """The interface to the tables of a TAP service.

    Parameters
    ----------
    tables : TapService
        The service.
    """

    tables: TapService

    async def answer(self, request: web.Request) -> web.Response:
        """Answer ``w3query.pl?tablehead=...``."""
        form = [(key, str(value)) for key, value in [*request.query.items(), *(await request.post()).items()]]
        given = {key.lower(): value for key, value in form}
        match = _TABLE.match(given.get("tablehead", ""))
        if match is None or given.get("action") != "Query":
            return _error("BATCH_RETRIEVAL_MSG ERROR: no table or action was given")
        table = self.tables.tables.get(match[1].lower())
        if table is None:
            return _error(f"Table {match[1]} does not seem to exist!")
        table.load()
        known = {column.name: column for column in table.columns}
        names = [value for key, value in form if key == "varon"]
        if given.get("fields", "Standard") in ("Standard", "All") and not names:
            names = list(known)
        unknown = [name for name in names if name not in known]  # since 2026 in lower case alone
        if unknown:
            return _error(f"ERROR: column {unknown[0]} does not exist")
        rows = list(table.rows)
        if given.get("entry"):
            try:
                rows = _near(rows, given["entry"], given.get("radius", "1"))
            except ValueError:
                return _error(f"BATCH_RETRIEVAL_MSG ERROR: {given['entry']} could not be resolved")
        most = int(given.get("resultmax", _USUAL))
        shown = rows[:most] if most else rows
        columns = [known[name] for name in names]
        if given.get("displaymode", "FitsDisplay") == "FitsDisplay":
            return web.Response(body=fits_table(match[1], columns, shown), content_type="application/fits")
        if not shown:
            return web.Response(text="BatchStart\nNO MATCHING ROWS\nBatchEnd\n", content_type="text/plain")
        lines = ["|".join(["", *("" if row.get(one) is None else str(row[one]) for one in names), ""]) for row in shown]
        head = "|".join(["", *names, ""])
        return web.Response(text="\n".join(["BatchStart", head, *lines, "BatchEnd", ""]), content_type="text/plain")


def _error(message: str) -> web.Response:
    page = f"<html><head><title>HEASARC Browse: Error from Browse</title></head><body>{message}</body></html>"
    return web.Response(text=page, content_type="text/html")


def _near(rows: Sequence[Mapping[str, Any]], entry: str, radius: str) -> list[Mapping[str, Any]]:
    """Rows within so many arc minutes of a position in degrees."""
    lon, lat = (math.radians(float(part)) for part in entry.split(","))
    most = math.radians(float(radius.split()[0]) / 60)

    def apart(row: Mapping[str, Any]) -> float:
        there, high = math.radians(row["ra"]), math.radians(row["dec"])
        halves = math.sin((high - lat) / 2) ** 2 + math.cos(lat) * math.cos(high) * math.sin((there - lon) / 2) ** 2
        return 2 * math.asin(min(1.0, math.sqrt(halves)))

    return [row for row in rows if row.get("ra") is not None and row.get("dec") is not None and apart(row) <= most]


def _block(cards: Sequence[tuple[str, Any]]) -> bytes:
    texts = []
    for key, value in cards:
        shown = "T" if value is True else f"'{value:<8}'" if isinstance(value, str) else str(value)
        texts.append((f"{key:<8}= {shown:>20}" if not isinstance(value, str) else f"{key:<8}= {shown}").ljust(80))
    return _padded("".join([*texts, "END".ljust(80)]), " ")


def _padded(text: str, fill: str) -> bytes:
    return text.ljust(-(-len(text) // 2880) * 2880, fill).encode("ascii", "replace")


def fits_table(name: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Write an answer as FITS: an ASCII table, upper-case names and blanks for nulls; an empty image for no rows."""
    primary = _block([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True)])
    if not rows:
        return primary + _block([("XTENSION", "IMAGE"), ("BITPIX", 8), ("NAXIS", 0), ("PCOUNT", 0), ("GCOUNT", 1)])
    widths = [
        _WIDTH.get(one.datatype) or max(1, *(len(str(row.get(one.name) or "")) for row in rows)) for one in columns
    ]
    cards: list[tuple[str, Any]] = [
        ("XTENSION", "TABLE"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", sum(widths) + len(widths)),
        ("NAXIS2", len(rows)), ("PCOUNT", 0), ("GCOUNT", 1), ("TFIELDS", len(columns)), ("EXTNAME", f"heasarc_{name}"),
    ]  # fmt: skip
    start = 1
    for number, (column, width) in enumerate(zip(columns, widths, strict=True), 1):
        form = {"double": f"D{width}.16", "float": f"E{width}.7"}.get(column.datatype, f"I{width}")
        cards += [
            (f"TTYPE{number}", column.name.upper()),
            (f"TBCOL{number}", start),
            (f"TFORM{number}", f"A{width}" if column.datatype in ("char", "boolean") else form),
        ]
        start += width + 1
    body = "".join(_cell(c, row.get(c.name), w) + " " for row in rows for c, w in zip(columns, widths, strict=True))
    return primary + _block(cards) + _padded(body, " ")


def _cell(column: Column, value: Any, width: int) -> str:
    if value is None:
        return " " * width
    if column.datatype in ("double", "float"):
        return f"{float(value):{width}.{16 if column.datatype == 'double' else 7}E}"
    if column.datatype == "boolean":
        return "T" if value else "F"
    return str(value).ljust(width)[:width] if column.datatype == "char" else f"{int(value):{width}d}"


__all__ = ["Browse", "fits_table"]
