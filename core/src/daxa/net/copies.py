"""Copies of one tree of files: the archive's own over HTTPS, its mirror in a bucket, directories that are mounted here.

What is listed comes from the first copy that has it. The archive itself decides what is not there: a mirror may be
late, and a mounted copy holds what somebody fetched.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote, unquote, urlsplit

import anyio.to_thread
from attrs import define, field, frozen

from daxa.exceptions import AccessDeniedError, NetworkError, NotAtArchiveError
from daxa.net.listing import Entry, is_file_name
from daxa.net.s3 import StoredObject, list_bucket
from daxa.specs import Location

if TYPE_CHECKING:
    from daxa.net.client import Net

Kind = Literal["https", "s3", "file"]

HELD: Final = 64
"""Listings of buckets that are kept: those of the observations that are listed at the same time, and some more."""


@frozen
class Copy:
    """A copy of the tree.

    Parameters
    ----------
    url : str
        Address of its root, ending in ``/``.
    kind : {"https", "s3", "file"}
        How it is read.
    is_origin : bool
        Whether it is the archive itself.
    """

    url: str
    kind: Kind
    is_origin: bool = False

    @classmethod
    def at(cls, url: str, kind: Kind, *, is_origin: bool = False) -> Copy:
        """Make one of an address; what begins with ``file:`` is a directory, whatever it stands for."""
        return cls(url.rstrip("/") + "/", "file" if url.startswith("file:") else kind, is_origin)

    def location(self, path: str, entry: Entry) -> Location:
        """Say where a file of the tree is in this copy; size and tag belong to the copy that listed it."""
        told = entry.source == self.url
        return Location(
            url=f"{self.url}{quote(path)}",
            kind=self.kind,
            size=entry.size if told and entry.exact else None,
            etag=entry.etag if told else None,
        )


def copies_of(origin: str, bucket: str, prefer: Sequence[str]) -> tuple[Copy, ...]:
    """Order the copies of a tree.

    Parameters
    ----------
    origin, bucket : str
        Addresses of the archive's own tree and of its mirror.
    prefer : sequence of str
        ``https``, ``s3`` and addresses of mounted directories (``file:///...``), best first. What is not named comes
        after.
    """
    usual = {"https": Copy.at(origin, "https", is_origin=True), "s3": Copy.at(bucket, "s3")}
    named = [Copy.at(one, "file") if one.startswith("file:") else usual.get(one) for one in prefer]
    return tuple(dict.fromkeys(one for one in (*named, *usual.values()) if one is not None))


@define
class Tree:
    """One tree of files, of which there are copies.

    Parameters
    ----------
    net : Net
        What asks.
    copies : tuple of Copy
        Best first.
    """

    net: Net
    copies: tuple[Copy, ...]
    _buckets: OrderedDict[str, list[StoredObject]] = field(init=False, factory=OrderedDict)

    def path_of(self, url: str) -> str | None:
        """Path of an address of the archive's own tree; None for all others."""
        origin = next(one.url for one in self.copies if one.is_origin)
        return unquote(url[len(origin) :]) if url.startswith(origin) else None

    def locations(self, path: str, entry: Entry) -> tuple[Location, ...]:
        """All places of a file that was listed, best first."""
        return tuple(copy.location(path, entry) for copy in self.copies)

    async def listing(self, directory: str, *, listed: bool = False) -> tuple[Entry, ...]:
        """List a directory of the tree.

        Parameters
        ----------
        directory : str
            Its path, which ends in ``/``.
        listed : bool
            Whether its name was read from a listing: then a 404 may be a passing fault, and is tried again.

        Raises
        ------
        NotAtArchiveError, AccessDeniedError
            If the archive says so, or no copy has it.
        NetworkError
            If the archive cannot be asked, and no other copy has it; of the archive's own trouble.
        """
        problem: NetworkError | None = None
        for copy in self.copies:
            try:
                return await self._listed(copy, directory, listed)
            except NetworkError as failure:
                if copy.is_origin and isinstance(failure, NotAtArchiveError | AccessDeniedError):
                    raise
                if problem is None or copy.is_origin:  # why a copy does not have it explains less
                    problem = failure
        assert problem is not None
        raise problem

    async def _listed(self, copy: Copy, directory: str, listed: bool) -> tuple[Entry, ...]:
        match copy.kind:
            case "file":
                return await anyio.to_thread.run_sync(list_directory, f"{copy.url}{quote(directory)}", copy.url)
            case "s3":
                return await self._in_bucket(copy, directory)
            case _:
                return await self.net.page(f"{copy.url}{quote(directory)}", copy.url, listed=listed)

    async def _in_bucket(self, copy: Copy, directory: str) -> tuple[Entry, ...]:
        """Directories below one that was listed are known: a bucket lists all that lies below at once."""
        self.net.refuse_offline(copy.url)
        above = next((one for one in reversed(self._buckets) if directory.startswith(one)), None)
        if above is None:
            objects = await list_bucket(self.net, copy.url, directory)
            self._buckets[directory] = objects
            while len(self._buckets) > HELD:
                self._buckets.popitem(last=False)
        else:
            objects = self._buckets[above]
        entries = entries_of(objects, directory, copy.url)
        if not entries:
            raise NotAtArchiveError(
                f"{copy.url} has nothing below {directory}.", remedy="the mirror does not have it", url=copy.url
            )
        return entries


def entries_of(objects: Iterable[StoredObject], directory: str, source: str) -> tuple[Entry, ...]:
    """What objects make of a directory: files, and directories for what lies deeper. Keys that no path has are passed.

    Parameters
    ----------
    objects : iterable of StoredObject
        Objects below it, and others.
    directory : str
        Path of the directory, ending in ``/``.
    source : str
        Address of the copy.
    """
    found: dict[str, Entry] = {}
    for one in objects:
        if not one.key.startswith(directory):
            continue
        parts = one.key[len(directory) :].split("/")
        if not all(is_file_name(part) for part in parts):
            continue
        if len(parts) > 1:
            found.setdefault(parts[0], Entry(parts[0], True, source=source))
        else:
            found[parts[0]] = Entry(parts[0], False, one.size, True, one.modified, etag=one.etag or None, source=source)
    return tuple(found.values())


def list_directory(url: str, source: str = "") -> tuple[Entry, ...]:
    """List a directory that is mounted here. Reads the disk.

    Parameters
    ----------
    url : str
        Its address, ``file:///...``.
    source : str
        Address of the copy it belongs to.

    Raises
    ------
    NotAtArchiveError
        If there is no such directory.
    NetworkError
        If it cannot be read.
    """
    path = Path(unquote(urlsplit(url).path))
    try:
        with os.scandir(path) as entries:
            found = [_entry(one, source) for one in sorted(entries, key=lambda one: one.name)]
    except (FileNotFoundError, NotADirectoryError):
        raise NotAtArchiveError(
            f"There is no directory {path}.", remedy="the mounted copy does not have it", url=url
        ) from None
    except OSError as problem:
        raise NetworkError(
            f"{path} cannot be listed: {problem.strerror or problem}.", remedy="look at the mounted copy", url=url
        ) from problem
    return tuple(one for one in found if one is not None)


def _entry(one: os.DirEntry[str], source: str) -> Entry | None:
    try:
        if not is_file_name(one.name) or not (one.is_dir() or one.is_file()):
            return None
        is_dir = one.is_dir()
        return Entry(one.name, is_dir, None if is_dir else one.stat().st_size, not is_dir, source=source)
    except OSError:  # a link that leads nowhere
        return None


__all__ = ["Copy", "Tree", "copies_of", "entries_of", "list_directory"]
