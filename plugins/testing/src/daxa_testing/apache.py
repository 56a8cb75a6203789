"""Files and directory pages as Apache serves them: Range, validators, and mod_autoindex."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from aiohttp import web
from attrs import define, field, frozen

BLOCK: Final = 1 << 18
MADE: Final = datetime(2026, 2, 1, 12, 0, 0, tzinfo=UTC)
Page = Callable[["Tree", str], str]
"""What writes the page of a directory, given the tree and a path that ends in ``/``."""

FRONT_END_404: Final = "404 page not found\n"
"""What a front-end says of a file that it cannot find just now: 19 bytes of plain text."""

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)\Z")


@frozen
class StoredFile:
    """A file of the tree.

    Parameters
    ----------
    content : bytes or Path
        Its bytes, or where they are.
    modified : datetime
        Date of last change.
    """

    content: bytes | Path
    modified: datetime = MADE

    @property
    def size(self) -> int:
        """Bytes."""
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)

    @property
    def etag(self) -> str:
        """Entity tag, of size and date as Apache makes it."""
        mark = hashlib.sha256(f"{self.size} {self.modified.timestamp()}".encode()).hexdigest()[:16]
        return f'"{self.size:x}-{mark}"'

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Bytes from `start` up to `stop`, in blocks."""
        if isinstance(self.content, bytes):
            for begin in range(start, stop, BLOCK):
                yield self.content[begin : min(begin + BLOCK, stop)]
            return
        with self.content.open("rb") as stream:
            stream.seek(start)
            while start < stop and (block := stream.read(min(BLOCK, stop - start))):
                start += len(block)
                yield block


@define
class Tree:
    """Files of one host by decoded path, and the directories they make."""

    files: dict[str, StoredFile] = field(factory=dict)
    directories: dict[str, set[str]] = field(factory=lambda: {"/": set()})

    def add(self, path: str, stored: StoredFile) -> None:
        """Add a file, with its directories."""
        self.files[path] = stored
        name = path
        while name != "/":
            parent, _, last = name.rstrip("/").rpartition("/")
            entry = last + ("/" if name.endswith("/") else "")
            self.directories.setdefault(parent + "/", set()).add(entry)
            name = parent + "/"

    def paths(self, prefix: str) -> Iterable[str]:
        """Paths that begin so, sorted."""
        return sorted(path for path in self.files if path.startswith(prefix))


def _rounded(size: int) -> str:
    """A size as mod_autoindex writes it: up to four characters."""
    if size < 1000:
        return str(size)
    number = float(size)
    for unit in "KMGTP":
        number /= 1024
        if number < 9.95:
            return f"{number:.1f}{unit}"
        if number < 1000:
            return f"{number:.0f}{unit}"
    return f"{number:.0f}E"


_KINDS: Final = {
    ".gz": ("compressed", "[   ]"),
    ".Z": ("compressed", "[   ]"),
    ".log": ("text", "[TXT]"),
    ".txt": ("text", "[TXT]"),
    ".html": ("text", "[TXT]"),
}


def index_page(tree: Tree, path: str) -> str:
    """Write the page of a directory as mod_autoindex does with its fancy format."""
    shown = html.escape(path.rstrip("/") or "/")
    parent = quote(path.rstrip("/").rpartition("/")[0] + "/")
    lines = [
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">',
        "<html>",
        " <head>",
        f"  <title>Index of {shown}</title>",
        " </head>",
        " <body>",
        f"<h1>Index of {shown}</h1>",
        '<pre><img src="/icons/blank.gif" alt="Icon "> <a href="?C=N;O=D">Name</a>                    '
        '<a href="?C=M;O=A">Last modified</a>      <a href="?C=S;O=A">Size</a>  '
        '<a href="?C=D;O=A">Description</a><hr><img src="/icons/back.gif" alt="[PARENTDIR]"> '
        f'<a href="{parent}">Parent Directory</a>                             -   ',
    ]
    names = tree.directories[path]
    for name in sorted((one for one in names if one.endswith("/")), key=str.lower):
        lines.append(_line("folder", "[DIR]", name, MADE, "-"))
    for name in sorted((one for one in names if not one.endswith("/")), key=str.lower):
        stored = tree.files[path + name]
        icon, text = next((kind for ending, kind in _KINDS.items() if name.endswith(ending)), ("unknown", "[   ]"))
        lines.append(_line(icon, text, name, stored.modified, _rounded(stored.size)))
    return "\n".join([*lines, "<hr></pre>", "</body></html>", ""])


def _line(icon: str, text: str, name: str, modified: datetime, size: str) -> str:
    short = name if len(name) <= 23 else name[:21] + "..>"
    pad = " " * max(1, 24 - len(short))
    link = f'<a href="{quote(name)}">{html.escape(short)}</a>'
    return f'<img src="/icons/{icon}.gif" alt="{text}"> {link}{pad}{modified:%Y-%m-%d %H:%M}  {size:>4}  '


def table_page(tree: Tree, path: str) -> str:
    """Write the page of a directory as a table, as Apache does where it is told to."""
    shown = html.escape(path.rstrip("/") or "/")
    parent = quote(path.rstrip("/").rpartition("/")[0] + "/")
    rows = [
        '<tr><th valign="top"><img src="/icons/blank.gif" alt="[ICO]"></th><th><a href="?C=N;O=D">Name</a></th>'
        '<th><a href="?C=M;O=A">Last modified</a></th><th><a href="?C=S;O=A">Size</a></th></tr>',
        f'<tr><td valign="top">&nbsp;</td><td><a href="{parent}">Parent Directory</a></td><td>&nbsp;</td>'
        '<td align="right">  - </td></tr>',
    ]
    for name in sorted(tree.directories[path], key=str.lower):
        stored = tree.files.get(path + name)
        modified, size = (MADE, "  - ") if stored is None else (stored.modified, _rounded(stored.size))
        rows.append(
            f'<tr><td valign="top">&nbsp;</td><td><a href="{quote(name)}">{html.escape(name)}</a></td>'
            f'<td align="right">{modified:%Y-%m-%d %H:%M}  </td><td align="right">{size}</td></tr>'
        )
    head = [f"<html><head><title>Index of {shown}</title></head>", "<body>", f"<h1>Index of {shown}</h1>", "<table>"]
    return "\n".join([*head, *rows, "</table>", "</body></html>", ""])


def cut_short(page: Page, share: float = 0.5) -> Page:
    """Make a page lose its end."""

    def short(tree: Tree, path: str) -> str:
        whole = page(tree, path)
        return whole[: int(len(whole) * share)]

    return short


def with_links(page: Page, *hrefs: str) -> Page:
    """Make a page have more links, to whatever an attacker or an editor may write."""

    def more(tree: Tree, path: str) -> str:
        links = "".join(f'<a href="{href}">{html.escape(href)}</a>  2026-02-01 12:00  1.0K\n' for href in hrefs)
        return page(tree, path).replace("</body>", f"<pre>{links}</pre></body>")

    return more


NOT_FOUND: Final = """<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">
<html><head>
<title>404 Not Found</title>
</head><body>
<h1>Not Found</h1>
<p>The requested URL was not found on this server.</p>
</body></html>
"""


def _wanted(request: web.Request, stored: StoredFile) -> tuple[int, int, int]:
    """Status, first byte, and one past the last of a request."""
    match = _RANGE.match(request.headers.get("Range", ""))
    condition = request.headers.get("If-Range")
    if match is None or not any(match.groups()) or (condition is not None and not _same(condition, stored)):
        return 200, 0, stored.size
    first, last = match.groups()
    start = int(first) if first else max(stored.size - int(last), 0)
    stop = min(int(last) + 1 if last and first else stored.size, stored.size)
    return (206, start, stop) if start < stop else (416, 0, 0)


def _same(condition: str, stored: StoredFile) -> bool:
    if condition.startswith('"'):
        return condition == stored.etag
    try:
        return parsedate_to_datetime(condition) == stored.modified.replace(microsecond=0)
    except ValueError:
        return False


async def serve(
    tree: Tree, request: web.Request, path: str, page: Page = index_page, *, encoding: bool = False
) -> web.StreamResponse:
    """Answer a request for a path of the tree.

    Parameters
    ----------
    tree : Tree
        What the host holds.
    request : aiohttp.web.Request
        The request.
    path : str
        What is asked for.
    page : callable
        Writes the pages of directories.
    encoding : bool
        Whether a ``.gz`` is called a plain file, encoded for the way, when the client says that it knows gzip.
    """
    path = unquote(path)
    if path in tree.directories:
        return web.Response(text=page(tree, path), content_type="text/html", charset="utf-8")
    if path + "/" in tree.directories:
        return web.Response(status=301, headers={"Location": request.path + "/"})
    stored = tree.files.get(path)
    if stored is None:
        return web.Response(status=404, text=NOT_FOUND, content_type="text/html", charset="iso-8859-1")
    status, start, stop = _wanted(request, stored)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": stored.etag,
        "Last-Modified": format_datetime(stored.modified, usegmt=True),
        "Content-Type": "text/plain" if path.endswith((".log", ".txt")) else "application/octet-stream",
    }
    if encoding and path.endswith(".gz") and "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
    if status == 416:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{stored.size}"})
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{stored.size}"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = stop - start
    await response.prepare(request)
    if request.method != "HEAD":
        for block in stored.read(start, stop):
            await response.write(block)
    return response
