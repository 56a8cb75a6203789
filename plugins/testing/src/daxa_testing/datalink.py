"""HEASARC's DataLink service: which products there are of rows of a table, several links a row."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from attrs import define, field

from daxa_testing.tap import Column, votable

LONGEST: Final = 4096
"""Characters of an address from which on the server refuses it: many rows are to be asked for by POST."""

_TEXTS: Final = ("id", "access_url", "service_def", "error_message", "semantics", "description", "content_type")
COLUMNS: Final = (*map(Column, _TEXTS), Column("content_length", "long"))

_SEMANTICS: Final = "https://heasarc.gsfc.nasa.gov/xamin/jsp/products.jsp#"


@define
class DataLink:
    """Directories by table and row.

    Attributes
    ----------
    directories : dict of (str, str) to (str, str)
        Mission and address of the directory, by name of the table and Xamin's own key of the row (``__row``).
    """

    directories: dict[tuple[str, str], tuple[str, str]] = field(factory=dict)

    def add(self, table: str, row: str, mission: str, url: str) -> None:
        """Add the directory of a row."""
        self.directories[table.lower(), str(row)] = (mission, url)

    async def answer(self, request: web.Request, table: str) -> web.Response:
        """Answer a request for links of rows of a table."""
        if len(request.path_qs) > LONGEST:
            return web.Response(status=414, text="Request-URI Too Long")
        given = [*request.query.items(), *(await request.post()).items()]
        asked = [str(value) for key, value in given if key.lower() == "id"]
        rows = [link for one in asked for link in self._links(table.lower(), one)]
        return web.Response(text=votable(COLUMNS, rows, binary=False), content_type="application/x-votable+xml")

    def _links(self, table: str, row: str) -> list[dict[str, Any]]:
        """A row's links: another document of links, the directory, and what else somebody linked to it."""
        found = self.directories.get((table, row))
        if found is None:
            return [{"id": row, "error_message": f"NotFoundFault: no products of {row} in {table}"}]
        mission, url = found
        parent, _, last = url.rstrip("/").rpartition("/")
        more = f"https://heasarc.gsfc.nasa.gov/xamin/vo/datalink?id=ivo://nasa.heasarc/{table}?{row}"
        links = [
            (f"{mission}.obs", "application/x-votable+xml;content=datalink", more),
            (f"{mission}.obs", "text/html", f"{parent}//{last}/"),  # it doubles the slash
            ("point.bib", "text/html", f"https://heasarc.gsfc.nasa.gov/cgi-bin/bib?{table}.{row}"),
        ]
        return [
            {"id": row, "access_url": address, "semantics": _SEMANTICS + what, "content_type": kind}
            for what, kind, address in links
        ]


__all__ = ["DataLink"]
