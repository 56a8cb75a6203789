"""Directory pages of web servers: Apache's, as preformatted text or as a table, and eRODat's."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from attrs import frozen

from daxa.exceptions import BadReplyError

_SIZE = re.compile(r"(\d{1,18}(?:\.\d+)?)\s*([KMGT]?)\Z")
_TITLE = re.compile(r"(?:index of|directory listing for)\s+([^|]*)", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?")
LONGEST = 235
"""Bytes of a name: disks take 255, and a transfer needs some for its own endings."""
_SCALE = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


@frozen
class Entry:
    """A file or directory of a listing.

    Parameters
    ----------
    name : str
        Name without slash.
    is_dir : bool
        Whether it is a directory.
    size : int, optional
        Bytes; rounded unless `exact`.
    exact : bool
        Whether the size is exact.
    modified : str
        Date as the page has it.
    etag : str, optional
        Entity tag, where the listing tells.
    source : str
        Address of the copy that lists it, where a tree has several.
    """

    name: str
    is_dir: bool
    size: int | None = None
    exact: bool = False
    modified: str = ""
    etag: str | None = None
    source: str = ""


def is_file_name(name: str) -> bool:
    """Whether a name is one of a file or directory that archives publish: it leads nowhere else, and is not hidden."""
    return (
        not name.startswith(".")
        and not set(name) & {"/", "\\", "\x00"}
        and name.isprintable()
        and 0 < len(name.encode(errors="surrogatepass")) <= LONGEST
    )


class _Page(HTMLParser):
    """Gathers links with the text that follows each, the title, and whether the page is whole."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[tuple[str, list[str], str | None]] = []
        self.title = ""
        self.whole = False
        self._in_title = False
        self._in_link = False
        self._row: str | None = None
        self._erodat = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "title":
            self._in_title = True
        elif tag == "tr":
            self._row = given.get("class") or ""
        elif tag == "a" and given.get("href"):
            self.links.append((str(given["href"]), [], self._row))
            self._in_link = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag == "a":
            self._in_link = False
        elif tag == "html":
            self.whole = True

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif self.links and not self._in_link:
            self.links[-1][1].append(data)


def _child(href: str, base: str) -> tuple[str, bool] | None:
    """Name of a child of the page's directory; None for everything else a page may link to."""
    if href.startswith(("?", "#")) or "?" in href:
        return None
    try:
        target, here = urlsplit(urljoin(base, href)), urlsplit(base)
    except ValueError:  # it only looks like an address
        return None
    if (target.scheme, target.netloc) != (here.scheme, here.netloc):
        return None
    prefix = here.path if here.path.endswith("/") else here.path.rpartition("/")[0] + "/"
    if not target.path.startswith(prefix):
        return None
    rest = target.path[len(prefix) :]
    name = unquote(rest.rstrip("/"))
    return (name, rest.endswith("/")) if is_file_name(name) else None


def _is_page_of(title: str, url: str) -> bool:
    """Whether a title names the directory of an address; how much stands before it is a matter of the server."""
    found = _TITLE.search(title)
    named = [part for part in (found[1] if found else "").strip().split("/") if part]
    asked = [part for part in unquote(urlsplit(url).path).split("/") if part]
    if min(len(named), len(asked)) < 2:  # a server that says less than where it is
        return True
    return named[-2:] == [one.strip() for one in asked[-2:]]


def parse_listing(html: str, url: str, source: str = "", asked: str | None = None) -> tuple[Entry, ...]:
    """Read a directory page.

    Parameters
    ----------
    html : str
        The page.
    url : str
        Its address, ending in ``/``.
    source : str
        Address of the copy of a tree that it belongs to.
    asked : str, optional
        Address that was asked for, where a redirection led to `url`.

    Raises
    ------
    BadReplyError
        If it is no directory page, or that of another directory, or its end is missing.
    """
    page = _Page()
    try:
        page.feed(html)
        page.close()
    except AssertionError as problem:  # Python's parser, of a declaration it does not know
        raise BadReplyError(
            f"The directory page {url} is damaged: {problem}.", expected="sound HTML", remedy="try again", url=url
        ) from problem
    title = page.title.lower()
    if "index of" not in title and "directory listing" not in title:
        raise BadReplyError(
            f"{url} is not a directory page; its title is {page.title.strip()!r}.",
            expected="a page titled Index of ...",
            remedy="try again later; the server may be answering with an error page",
            url=url,
        )
    if not _is_page_of(page.title, asked or url):
        raise BadReplyError(
            f"{url} sent the page of another directory; its title is {page.title.strip()!r}.",
            expected="the page of that directory",
            remedy="try again later",
            url=url,
        )
    if not page.whole:
        raise BadReplyError(f"The directory page {url} is cut short.", expected="</html>", remedy="try again", url=url)
    exact = "directory listing" in title
    found: dict[str, Entry] = {}
    for href, texts, row in page.links:
        if exact and row not in ("isfile", "isdir"):
            continue
        child = _child(href, url)
        if child is None or child[0] in found:
            continue
        name, is_dir = child
        words = [word for text in texts for word in text.split("\n")[0:1] if word.strip()]
        text = " ".join(words)
        date = _DATE.search(text)
        size = None
        tail = text[date.end() :].split() if date else text.split()
        for word in reversed(tail):
            match = _SIZE.match(word)
            if match and not is_dir:
                size = int(float(match[1]) * _SCALE[match[2]])
                break
        exactly, modified = exact and size is not None, date[0] if date else ""
        found[name] = Entry(name, is_dir or row == "isdir", size, exactly, modified, source=source)
    return tuple(found.values())
