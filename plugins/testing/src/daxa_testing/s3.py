"""A bucket that mirrors a host's tree: objects as Amazon S3 serves them, and pages of ListObjectsV2."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

from aiohttp import web
from attrs import define, field

from daxa_testing.apache import StoredFile, Tree, serve

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
PART: Final = 8 * 1024 * 1024
"""Bytes of the parts in which large files were uploaded."""


def etag(content: bytes) -> str:
    """Entity tag of an object: the MD5 of one part, or that of the MD5s of several, with their number."""
    digests = [hashlib.md5(content[start : start + PART]).digest() for start in range(0, len(content), PART)]  # noqa: S324
    if len(digests) <= 1:
        return f'"{hashlib.md5(content).hexdigest()}"'  # noqa: S324
    return f'"{hashlib.md5(b"".join(digests)).hexdigest()}-{len(digests)}"'  # noqa: S324


def _document(name: str, inner: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{NAMESPACE}">{inner}</{name}>'.encode()


def _error(status: int, code: str, message: str) -> web.Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return web.Response(status=status, body=text.encode(), content_type="application/xml")


@define
class Bucket:
    """A mirror of what lies below a path of a tree.

    Parameters
    ----------
    tree : Tree
        What is mirrored; files that are added later are seen.
    root : str
        Path there that the bucket's keys are relative to, ending in ``/``.
    most : int
        Keys a page at the most, whatever is asked for.

    Attributes
    ----------
    lacking : set of str
        Prefixes of keys that were not copied.
    own : dict of str to bytes
        Objects by key that only the bucket has, or has otherwise than the tree.
    slow_down : int
        Number of requests to come that are refused as too many.
    """

    tree: Tree
    root: str
    most: int = 1000
    lacking: set[str] = field(factory=set)
    own: dict[str, bytes] = field(factory=dict)
    slow_down: int = 0

    def _keys(self, prefix: str) -> list[str]:
        copied = (path[len(self.root) :] for path in self.tree.paths(self.root + prefix))
        keys = {key for key in copied if not key.startswith(tuple(self.lacking))}
        return sorted(keys | {key for key in self.own if key.startswith(prefix)})

    def _stored(self, key: str) -> StoredFile | None:
        if key in self.own:
            return StoredFile(self.own[key])
        return None if key.startswith(tuple(self.lacking)) else self.tree.files.get(self.root + key)

    async def answer(self, request: web.Request, key: str) -> web.StreamResponse:
        """Answer a request for an object, or for a page of the listing."""
        if self.slow_down:
            self.slow_down -= 1
            return _error(503, "SlowDown", "Please reduce your request rate.")
        if not key:
            return self._page(request)
        stored = self._stored(key)
        if stored is None:
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        tagged = _Object(stored.content, stored.modified)
        return await serve(Tree({f"/{key}": tagged}, {}), request, f"/{key}")

    def _page(self, request: web.Request) -> web.Response:
        query = request.query
        if query.get("list-type") != "2":
            return _error(400, "InvalidArgument", "This stands in for version 2 of the listing only.")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        most = min(int(query.get("max-keys", 1000)), self.most)
        keys = self._keys(prefix)
        token = query.get("continuation-token")
        if token is not None:
            after = _read_token(token)
            if after is None:
                return _error(400, "InvalidArgument", "The continuation token provided is incorrect")
            keys = [key for key in keys if key > after]
        shown = list(_grouped(keys, prefix, delimiter))
        page, rest = shown[:most], shown[most:]
        inner = [
            f"<Name>{request.host.partition('.')[0]}</Name><Prefix>{escape(prefix)}</Prefix>",
            f"<KeyCount>{len(page)}</KeyCount><MaxKeys>{most}</MaxKeys>",
            f"<IsTruncated>{'true' if rest else 'false'}</IsTruncated>",
        ]
        if rest:
            last = page[-1]
            inner.append(f"<NextContinuationToken>{_token(last)}</NextContinuationToken>")
        inner += [self._element(one) for one in page]
        return web.Response(body=_document("ListBucketResult", "".join(inner)), content_type="application/xml")

    def _element(self, one: str) -> str:
        stored = self._stored(one)
        if stored is None:
            return f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>"
        tag = escape(_Object(stored.content, stored.modified).etag, {'"': "&quot;"})
        return (
            f"<Contents><Key>{escape(one)}</Key><LastModified>{stored.modified:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
            f"<ETag>{tag}</ETag><Size>{stored.size}</Size><StorageClass>INTELLIGENT_TIERING</StorageClass></Contents>"
        )


class _Object(StoredFile):
    """A file as the bucket tags it."""

    @property
    def etag(self) -> str:
        """Entity tag of its content."""
        return etag(self.content if isinstance(self.content, bytes) else self.content.read_bytes())


def _grouped(keys: list[str], prefix: str, delimiter: str) -> Iterator[str]:
    """Keys, and in the place of those that go on beyond a delimiter what they have in common."""
    last = None
    for key in keys:
        head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        common = f"{prefix}{head}{delimiter}"
        if not found:
            yield key
        elif common != last:
            last = common
            yield common


def _token(key: str) -> str:
    """An opaque token, with the characters that must be encoded in an address."""
    return "1+/" + base64.b64encode(key.encode()).decode() + "=="


def _read_token(token: str) -> str | None:
    if not (token.startswith("1+/") and token.endswith("==")):
        return None
    try:
        key = base64.b64decode(token[3:-2], validate=True).decode()
    except ValueError:
        return None
    return key + "\U0010ffff" if key.endswith("/") else key  # all that a common prefix stood for is over


__all__ = ["Bucket", "etag"]
