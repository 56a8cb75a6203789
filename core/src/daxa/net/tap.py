"""Tables by TAP: the query form, the rules of QUERY_STATUS, and VOTables of any serialisation."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

import anyio.to_thread

from daxa.exceptions import BadReplyError, ServiceError
from daxa.net.documents import document_parser
from daxa.net.streams import SpoiltStream, check_streams

if TYPE_CHECKING:
    from astropy.table import Table

    from daxa.net.client import Net, Reply

AT_ONCE = 2
"""Queries at once that a host's table service gets; its files may be asked for more often."""
_LIMIT = 1024 * 1024 * 1024
_ROOT = re.compile(rb"<(?:[\w.-]+:)?VOTABLE\b")


def _refuse_entities(body: bytes, url: str) -> None:
    """A VOTable needs no entity declarations; a reply that has them is hostile or broken."""
    head = body[:65536]
    if b"<!ENTITY" in head or re.search(rb"<!DOCTYPE[^>]*\[", head):
        raise BadReplyError(
            f"The reply of {url} declares entities.",
            expected="a plain VOTable",
            remedy="tell the service's operators",
            url=url,
        )


def query_status(body: bytes) -> tuple[str | None, str]:
    """Find QUERY_STATUS in a VOTable: in the resource of the results the last counts, then a table's, then the root's.

    Returns
    -------
    (str or None, str)
        Upper-case status, and its message.
    """
    found: list[tuple[int, str, str]] = []
    stack: list[str] = []
    open_info: list[list[Any]] = []

    def start(name: str, attrs: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        stack.append(local)
        if local == "INFO" and attrs.get("name", "").upper() in ("QUERY_STATUS", "ERROR"):
            rank = {"RESOURCE": 0, "TABLE": 1}.get(stack[-2] if len(stack) > 1 else "", 2)
            status = attrs.get("value", "").upper() if attrs["name"].upper() == "QUERY_STATUS" else "ERROR"
            open_info.append([rank, status, attrs.get("value", "") if status == "ERROR" else "", ""])

    def text(data: str) -> None:
        if open_info and stack[-1] == "INFO":
            open_info[-1][3] += data

    def end(_name: str) -> None:
        if stack.pop() == "INFO" and open_info:
            rank, status, value, message = open_info.pop()
            found.append((rank, status, message.strip() or value))

    parser = document_parser()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.Parse(body, True)
    for rank in (0, 1, 2):
        ranked = [one for one in found if one[0] == rank]
        if ranked:
            return ranked[-1][1], ranked[-1][2]
    return None, ""


def _is_votable(body: bytes) -> bool:
    return _ROOT.search(body[:65536].upper()) is not None


def read_votable(body: bytes, url: str, *, columns: Sequence[str] = (), overflow: bool = False) -> Table:
    """Read a reply as a table with lower-case column names and stripped text.

    Parameters
    ----------
    body : bytes
        The reply.
    url : str
        Where it comes from.
    columns : sequence of str
        Columns it must have.
    overflow : bool
        Whether a table that was cut at a limit will do.

    Raises
    ------
    ServiceError
        If the service says the query failed.
    BadReplyError
        If it is no VOTable, is cut short, or lacks a column.
    """
    body = body.lstrip()  # some services write blanks before the declaration
    if not _is_votable(body):
        raise BadReplyError(
            f"The reply of {url} is not a VOTable; it begins {body[:80]!r}.",
            expected="a VOTable",
            remedy="try again later",
            url=url,
        )
    _refuse_entities(body, url)
    try:
        status, message = query_status(body)
    except (expat.ExpatError, LookupError, ValueError) as problem:  # the latter two for encodings nobody knows
        raise BadReplyError(
            f"The VOTable of {url} is damaged: {problem}.", expected="well-formed XML", remedy="try again", url=url
        ) from problem
    if status == "ERROR":
        raise ServiceError(
            f"{url} refused the query: {message or 'no reason given'}.",
            remedy="the query may use a column the service no longer has",
            url=url,
        )
    if status == "OVERFLOW" and not overflow:
        raise BadReplyError(
            f"{url} sent only a part of the table.", expected="all rows", remedy="ask for fewer rows at once", url=url
        )
    try:
        streams = check_streams(body)
    except SpoiltStream as problem:
        raise BadReplyError(
            f"The VOTable of {url} is damaged: {problem}.",
            expected="whole rows, in base64, in the document itself",
            remedy="try again",
            url=url,
        ) from problem
    from astropy.io.votable import parse_single_table

    try:
        # Services deviate from the standard in many small ways, which is passed over without a word. This runs in
        # threads: what would catch warnings here would lose those of others.
        table = parse_single_table(io.BytesIO(streams.body), verify="ignore").to_table(use_names_over_ids=True)
    except Exception as problem:  # astropy raises many kinds for damaged tables
        raise BadReplyError(
            f"The VOTable of {url} cannot be read: {problem}.", expected="a sound VOTable", remedy="try again", url=url
        ) from problem
    names = list(table.colnames)
    for (row, index), text in streams.texts.items():
        if table[names[index]].dtype.kind != "O":
            table[names[index]] = table[names[index]].astype(object)
        table[names[index]][row] = text
    for name in names:
        if name.strip('"').lower() != name:
            table.rename_column(name, name.strip('"').lower())
    missing = [name for name in columns if name.strip('"').lower() not in table.colnames]
    if missing:
        raise BadReplyError(
            f"The table of {url} lacks the column {', '.join(missing)}.",
            expected=f"columns {', '.join(columns)}",
            remedy="the service's interface has changed; update the mission's plugin",
            url=url,
            missing=missing,
        )
    return _stripped(table)


def _stripped(table: Table) -> Table:
    import numpy as np

    for name in table.colnames:
        column = table[name]
        if column.dtype.kind in "OSU":
            texts = np.empty(len(column), dtype=object)
            plain = np.asarray(column, dtype=object)  # walking through a masked column takes twenty times as long
            texts[:] = [
                "" if one is None else (one.decode() if isinstance(one, bytes) else str(one)).strip() for one in plain
            ]
            texts[np.ma.getmaskarray(np.ma.asarray(column))] = ""
            table[name] = texts
    return table


async def tap(net: Net, service: str, adql: str, *, maxrec: int | None = None, columns: Sequence[str] = ()) -> Table:
    """Ask a TAP service, synchronously as the protocol calls it.

    Parameters
    ----------
    net : Net
        What asks.
    service : str
        Base address.
    adql : str
        The query.
    maxrec : int, optional
        Most rows wanted; a table cut there will do.
    columns : sequence of str
        Columns the answer must have.
    """
    form = {"REQUEST": "doQuery", "LANG": "ADQL", "QUERY": adql, "FORMAT": "votable"}
    if maxrec is not None:
        form["MAXREC"] = str(maxrec)
    url = f"{service.rstrip('/')}/sync"
    hosts, queries = net.context.hosts, f"tap+{url}"
    hosts.set(queries, AT_ONCE)
    async with hosts.slot(queries):
        reply = await net.get(url, method="POST", data=form, limit=_LIMIT, answers=_answers)
    read = partial(read_votable, reply.body, url, columns=columns, overflow=maxrec is not None)
    return await anyio.to_thread.run_sync(read)  # a whole catalogue takes a while to read


def _answers(reply: Reply) -> bool:
    """Whether a service has said something: errors come with any status, and the document says more than the number."""
    return _is_votable(reply.body)


async def count(net: Net, service: str, table: str, where: str = "") -> int:
    """Rows of a table."""
    query = f"SELECT COUNT(*) FROM {table}" + (f" WHERE {where}" if where else "")  # noqa: S608 - a plugin's own words
    found = await tap(net, service, query)
    try:
        return int(found[found.colnames[0]][0])
    except (IndexError, TypeError, ValueError) as problem:
        raise BadReplyError(
            f"{service} sent no number of rows of {table}.", expected="one number", remedy="try again", url=service
        ) from problem
