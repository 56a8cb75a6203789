"""Buckets that anybody may list: pages of ListObjectsV2, as the API of Amazon S3 describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from attrs import frozen

from daxa.exceptions import BadReplyError
from daxa.net.addresses import shown
from daxa.net.documents import document_parser

if TYPE_CHECKING:
    from daxa.net.client import Net

KEYS_A_PAGE: Final = 1000
"""What the API sends at the most."""

MOST_PAGES: Final = 100
"""Listings are of observations; one that has no end is not gone on with."""

_FIELDS: Final = ("Key", "Size", "ETag", "LastModified")


@frozen
class StoredObject:
    """An object of a bucket.

    Parameters
    ----------
    key : str
        Its key, as the bucket has it.
    size : int
        Bytes.
    etag : str
        Entity tag, in quotes; the MD5 of what was uploaded in one part.
    modified : str
        Date of last change, ISO.
    """

    key: str
    size: int
    etag: str
    modified: str = ""


@frozen
class BucketPage:
    """A page of a listing: objects, and the token of the next page if there is one."""

    objects: tuple[StoredObject, ...]
    token: str | None = None


class _Reader:
    """Gathers the texts of a page's elements, by their path below the root."""

    def __init__(self) -> None:
        self.root = ""
        self.texts: dict[str, str] = {}
        self.contents: list[dict[str, str]] = []
        self._stack: list[str] = []

    def start(self, name: str, _attrs: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if not self._stack:
            self.root = local
        elif len(self._stack) == 1 and local == "Contents":
            self.contents.append({})
        self._stack.append(local)

    def text(self, data: str) -> None:
        if len(self._stack) == 2:
            self.texts[self._stack[1]] = self.texts.get(self._stack[1], "") + data
        elif len(self._stack) == 3 and self._stack[1] == "Contents" and self._stack[2] in _FIELDS:
            one = self.contents[-1]
            one[self._stack[2]] = one.get(self._stack[2], "") + data

    def end(self, _name: str) -> None:
        self._stack.pop()


def parse_bucket_page(body: bytes, url: str) -> BucketPage:
    """Read a page of a bucket's listing.

    Parameters
    ----------
    body : bytes
        The reply.
    url : str
        Where it comes from.

    Raises
    ------
    BadReplyError
        If it is no such page, or damaged, or says of itself what is not so.
    """
    reader = _Reader()
    parser = document_parser()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(body, True)
        if reader.root != "ListBucketResult":
            raise ValueError(f"its root is {reader.root!r}")
        objects = tuple(
            StoredObject(one["Key"], _size(one["Size"]), one.get("ETag", ""), one.get("LastModified", ""))
            for one in reader.contents
        )
        more = {"true": True, "false": False}[reader.texts.get("IsTruncated", "").strip()]
        token = reader.texts.get("NextContinuationToken", "") if more else None
        if token == "":
            raise ValueError("there is more, and no token for it")
    except (expat.ExpatError, KeyError, LookupError, ValueError) as problem:
        cause = f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)
        raise BadReplyError(
            f"{shown(url)} sent no sound listing of a bucket: {cause}.",
            expected="a ListBucketResult with Key and Size of each object, and IsTruncated",
            remedy="try again later",
            url=shown(url),
        ) from problem
    return BucketPage(objects, token)


def _size(text: str) -> int:
    if not (text.strip().isascii() and text.strip().isdigit()):
        raise ValueError(f"{text[:40]!r} is no size")
    return int(text)


async def list_bucket(net: Net, bucket: str, prefix: str) -> list[StoredObject]:
    """List all objects whose keys begin with a prefix.

    Parameters
    ----------
    net : Net
        What asks.
    bucket : str
        Address of the bucket.
    prefix : str
        The prefix. One that ends in ``/`` means what lies below a directory; another would mean its namesakes too.

    Raises
    ------
    BadReplyError
        If a page is not sound, or there is no end of them.
    """
    found: list[StoredObject] = []
    tokens: set[str] = set()
    query = {"list-type": "2", "prefix": prefix, "max-keys": str(KEYS_A_PAGE)}
    while True:
        reply = await net.get(bucket, params=query)
        page = parse_bucket_page(reply.body, bucket)
        found.extend(page.objects)
        if page.token is None:
            return found
        if page.token in tokens or len(tokens) == MOST_PAGES:
            raise BadReplyError(
                f"{shown(bucket)} lists {prefix!r} without end.",
                expected=f"up to {MOST_PAGES * KEYS_A_PAGE} objects",
                remedy="ask for a directory farther down",
                url=shown(bucket),
            )
        tokens.add(page.token)
        query["continuation-token"] = page.token


__all__ = ["BucketPage", "StoredObject", "list_bucket", "parse_bucket_page"]
