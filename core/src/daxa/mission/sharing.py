"""Tars that several observations take their files from: each is fetched once, however many want it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import anyio
import anyio.to_thread
from attrs import define, evolve, field

from daxa.exceptions import DaxaError
from daxa.specs import Location, RemoteFile

if TYPE_CHECKING:
    from daxa.net.client import Net

SHARED: Final = ".shared"
"""Directory of such tars below a mission's raw directory; it lasts as long as a download, or until one succeeds."""

_PACKED: Final = {".tgz": ".tar", ".tar.gz": ".tar"}


@define
class SharedFiles:
    """The shared tars of one download.

    They are unpacked from gzip once, so that each observation reads only what it takes. When something could not be
    fetched they stay for the next try; otherwise they go with the end of the download.

    Parameters
    ----------
    net : Net
        The open network.
    raw : Path
        The mission's raw directory.
    mission : str
        For error messages.
    """

    net: Net
    raw: Path
    mission: str
    _locks: dict[str, anyio.Lock] = field(factory=dict, init=False)
    _here: dict[str, tuple[Path, int]] = field(factory=dict, init=False)
    _failures: dict[str, DaxaError] = field(factory=dict, init=False)
    _unfinished: bool = field(default=False, init=False)

    async def held(self, remote: RemoteFile) -> tuple[RemoteFile, int]:
        """Fetch a shared tar, unless it is here.

        Returns
        -------
        tuple of RemoteFile and int
            The same file at a location on disk, and its bytes as served.

        Raises
        ------
        DaxaError
            If it cannot be fetched; all that share it are told the same.
        """
        url = remote.url
        async with self._locks.setdefault(url, anyio.Lock()):
            if url in self._failures:
                raise self._failures[url]
            if url not in self._here:
                try:
                    self._here[url] = await self._fetched(remote)
                except DaxaError as problem:
                    self._failures[url] = problem
                    raise
        path, size = self._here[url]
        return evolve(remote, locations=(Location(url=path.as_uri(), kind="file"),), shared=False), size

    async def _fetched(self, remote: RemoteFile) -> tuple[Path, int]:
        digest = hashlib.sha256(remote.url.encode()).hexdigest()[:16]
        served = PurePosixPath(unquote(urlsplit(remote.url).path)).name or "file"
        ending = next((one for one in _PACKED if served.lower().endswith(one)), None)
        name = served if ending is None else served[: -len(ending)] + _PACKED[ending]
        path = self.raw / SHARED / digest / name
        if await anyio.to_thread.run_sync(path.is_file):  # left by a download that was cut short: it is whole
            return path, 0
        whole = RemoteFile(
            obs_id=remote.obs_id,
            path=name,
            locations=remote.locations,
            unpack="none" if ending is None else "gzip",
            listed=remote.listed,
        )
        result = await self.net.fetch(whole, path.parent, mission=self.mission)
        return path, result.size

    def keep(self) -> None:
        """Keep what is here beyond the download: an observation that needs it is not complete."""
        self._unfinished = True

    async def close(self) -> None:
        """Remove what nobody needs any more."""
        if self._here and not self._failures and not self._unfinished:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(lambda: shutil.rmtree(self.raw / SHARED, ignore_errors=True))
