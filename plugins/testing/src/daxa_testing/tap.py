"""Table services: synchronous TAP over tables in memory, in the manners of HEASARC's Xamin, ESA's XSA and the CXC."""

from __future__ import annotations

import base64
import itertools
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal
from xml.sax.saxutils import escape, quoteattr

from aiohttp import web
from attrs import define, field, frozen

from daxa_testing.adql import QueryError, parse

Manner = Literal["xamin", "xsa", "cxc"]
CAP: Final = 100_000

_PACK: Final = {"int": ">i", "long": ">q", "double": ">d", "float": ">f", "short": ">h"}
_NULL: Final = {
    "int": -2147483648,
    "long": -9223372036854775808,
    "short": -32768,
    "double": float("nan"),
    "float": float("nan"),
}


@frozen
class Column:
    """A column of a table.

    Parameters
    ----------
    name : str
        Lower-case name.
    datatype : {"char", "int", "long", "short", "double", "float", "boolean"}
        VOTable datatype.
    unit, ucd : str
        As the service tells them.
    arraysize : str
        For text: ``*``, or a number for text that is padded with blanks.
    """

    name: str
    datatype: str = "char"
    unit: str = ""
    ucd: str = ""
    arraysize: str = "*"


@define
class Table:
    """A table: columns and rows by column name; None is null.

    Parameters
    ----------
    columns : sequence of Column
        Its columns.
    rows : list of Mapping
        Its rows.
    later : list of callable
        What makes more rows, when the table is first asked.
    """

    columns: Sequence[Column]
    rows: list[Mapping[str, Any]] = field(factory=list)
    later: list[Callable[[], Iterable[Mapping[str, Any]]]] = field(factory=list)

    def load(self) -> None:
        """Make the rows that are not made yet."""
        while self.later:
            self.rows.extend(self.later.pop(0)())


def _field(column: Column) -> str:
    parts = [f"name={quoteattr(column.name)}", f'datatype="{column.datatype}"']
    if column.datatype == "char":
        parts.append(f'arraysize="{column.arraysize}"')
    parts += [f"{key}={quoteattr(value)}" for key, value in (("unit", column.unit), ("ucd", column.ucd)) if value]
    if column.datatype in ("int", "long", "short"):
        return f'<FIELD {" ".join(parts)}><VALUES null="{_NULL[column.datatype]}"/></FIELD>'
    return f"<FIELD {' '.join(parts)}/>"


def _text(column: Column, value: Any) -> str:
    text = "" if value is None else str(value)
    return text.ljust(int(column.arraysize)) if column.arraysize.isdigit() else text


def _cell(column: Column, value: Any) -> bytes:
    if column.datatype == "char":
        data = _text(column, value).encode()
        return data if column.arraysize.isdigit() else struct.pack(">i", len(data)) + data
    if column.datatype == "boolean":
        return b"?" if value is None else b"T" if value else b"F"
    return struct.pack(_PACK[column.datatype], _NULL[column.datatype] if value is None else value)


_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n'
    '<RESOURCE type="results">\n'
)


def votable(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], *, binary: bool) -> str:
    """Write an answer."""
    fields = "\n".join(_field(column) for column in columns)
    if binary:
        stream = b"".join(_cell(column, row.get(column.name)) for row in rows for column in columns)
        data = f'<BINARY><STREAM encoding="base64">{base64.encodebytes(stream).decode()}</STREAM></BINARY>'
    else:
        lines = (
            "<TR>"
            + "".join(f"<TD>{'' if row.get(c.name) is None else escape(_text(c, row[c.name]))}</TD>" for c in columns)
            + "</TR>"
            for row in rows
        )
        data = "<TABLEDATA>\n" + "\n".join(lines) + "\n</TABLEDATA>"
    table = f"<TABLE>\n{fields}\n<DATA>{data}</DATA>\n</TABLE>"
    return f'{_HEAD}<INFO name="QUERY_STATUS" value="OK"/>\n{table}\n</RESOURCE>\n</VOTABLE>\n'


def error_votable(message: str) -> str:
    """Write an error, as every table service does."""
    return f'{_HEAD}<INFO name="QUERY_STATUS" value="ERROR">{escape(message)}</INFO>\n</RESOURCE>\n</VOTABLE>\n'


@define
class TapService:
    """A service with its tables."""

    manner: Manner
    tables: dict[str, Table] = field(factory=dict)
    _results: dict[str, str] = field(init=False, factory=dict)
    _numbers: Any = field(init=False, factory=itertools.count)

    def add(self, name: str, table: Table) -> None:
        """Add a table."""
        self.tables[name.lower()] = table

    def _table(self, name: str) -> Table:
        short = name.rpartition(".")[2]
        if name.startswith("tap_schema."):
            return self._schema(short)
        if short not in self.tables:
            raise QueryError(f'relation "{name}" does not exist')
        self.tables[short].load()
        return self.tables[short]

    def _schema(self, name: str) -> Table:
        if name == "tables":
            return Table(
                [Column("table_name"), Column("schema_name")],
                [{"table_name": one, "schema_name": "public"} for one in self.tables],
            )
        if name == "columns":
            names = ("table_name", "column_name", "datatype", "unit", "ucd")
            rows: list[Mapping[str, Any]] = [
                {
                    "table_name": table,
                    "column_name": '"time"' if one.name == "time" else one.name,
                    "datatype": one.datatype,
                    "unit": one.unit,
                    "ucd": one.ucd,
                }
                for table, found in self.tables.items()
                for one in found.columns
            ]
            return Table([Column(one) for one in names], rows)
        raise QueryError(f'relation "tap_schema.{name}" does not exist')

    def ask(self, adql: str, maxrec: int | None = None) -> tuple[list[Column], list[Mapping[str, Any]]]:
        """Answer a query."""
        query = parse(adql)
        table = self._table(query.table)
        known = {column.name: column for column in table.columns}
        for name in [one for one, _ in query.columns or ()] + [one for one, _ in query.order]:
            if name not in known:
                raise QueryError(f'column "{name}" does not exist')
        rows = [row for row in table.rows if query.where(row)]
        if not table.rows:
            query.where(dict.fromkeys(known))  # so that unknown columns are found in an empty table too
        if query.count is not None:
            name = query.count.upper() if self.manner == "xsa" and query.count == "count" else query.count
            return [Column(name, "long")], [{name: len(rows)}]
        for name, descending in reversed(query.order):
            rows.sort(key=lambda row: (row.get(name) is None, row.get(name)), reverse=descending)
        limit = query.top if query.top is not None else CAP if self.manner == "xamin" else None
        rows = rows[:limit][:maxrec]
        columns = list(table.columns)
        if query.columns is not None:
            columns = [
                Column(alias, *(getattr(known[source], one) for one in ("datatype", "unit", "ucd", "arraysize")))
                for source, alias in query.columns
            ]
            rows = [{alias: row.get(source) for source, alias in query.columns} for row in rows]
        return columns, rows

    async def answer(self, request: web.Request, tail: str) -> web.StreamResponse:
        """Answer a request below the service's address."""
        if tail.startswith("/results/") and tail.rpartition("/")[2] in self._results:
            kept = self._results[tail.rpartition("/")[2]]
            kind = "application/x-votable+xml" if "<VOTABLE" in kept else "text/plain"
            return web.Response(text=kept, content_type=kind)
        if tail != "/sync":
            return web.Response(status=404, text="404 page not found\n")
        form = {key.upper(): str(value) for key, value in {**request.query, **(await request.post())}.items()}
        wanted = (form.get("RESPONSEFORMAT") or form.get("FORMAT") or "votable").lower()
        try:
            if (
                form.get("REQUEST", "").lower() != "doquery"
                or not form.get("LANG", "").upper().startswith("ADQL")
                or "QUERY" not in form
            ):
                raise QueryError("REQUEST=doQuery, LANG=ADQL and QUERY are required")
            maxrec = int(form["MAXREC"]) if form.get("MAXREC", "").isdigit() else None
            columns, rows = self.ask(form["QUERY"], maxrec)
            if wanted == "csv" and self.manner == "xamin":
                raise QueryError("Unsupported format: csv")
        except QueryError as problem:
            return web.Response(
                status=400 if self.manner == "xsa" else 200,
                text=error_votable(str(problem)),
                content_type="application/x-votable+xml",
            )
        if wanted == "csv":
            lines = [",".join(column.name for column in columns)]
            lines += [",".join("" if row.get(c.name) is None else f'"{row[c.name]}"' for c in columns) for row in rows]
            return web.Response(text="\n".join([*lines, ""]), content_type="text/csv")
        if wanted == "text" and self.manner == "cxc":
            lines = [f"# {len(rows)} rows", "\t".join(column.name for column in columns)]
            lines += ["\t".join("" if row.get(c.name) is None else str(row[c.name]) for c in columns) for row in rows]
            return self._elsewhere(request, "\n".join([*lines, ""]))
        if wanted == "text":
            lines = ["|".join(column.name for column in columns)]
            lines += ["|".join("" if row.get(c.name) is None else str(row[c.name]) for c in columns) for row in rows]
            lines += [f"Number of rows: {len(rows)}", f"Number of columns: {len(columns)}"]
            return web.Response(text="\n".join([*lines, ""]), content_type="text/plain")
        body = votable(columns, rows, binary=self.manner == "xamin")
        if self.manner == "cxc":
            return self._elsewhere(request, body)
        return web.Response(text=body, content_type="application/x-votable+xml")

    def _elsewhere(self, request: web.Request, body: str) -> web.Response:
        """Keep an answer, and say where it is to be fetched."""
        number = f"{next(self._numbers)}"
        self._results[number] = body
        return web.Response(status=303, headers={"Location": f"{request.path.removesuffix('/sync')}/results/{number}"})
