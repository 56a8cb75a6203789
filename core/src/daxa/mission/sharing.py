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
from daxa.store.claims import Claim, claimed

if TYPE_CHECKING:
    from daxa.net.client import Net

SHARED: Final = ".shared"
"""Directory of such tars below a mission's raw directory; it lasts as long as a download, or until one succeeds."""

_PACKED: Final = {".tgz": ".tar", ".tar.gz": ".tar"}


@define
class SharedFiles:
    """The shared tars of one download.

    They are unpacked from gzip once, so that each observation reads only what it takes. When something could not be
    fetched they stay for the next try, unless they themselves were the reason; otherwise they go with the end of the
    download, or of the last that uses them.

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
    _doubtful: set[Path] = field(factory=set, init=False)
    _use: Claim | None = field(default=None, init=False)

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
        async with self._locks.setdefault("", anyio.Lock()):
            await self._used()
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
        async with claimed(self.raw / SHARED / f"{digest}.claim"):
            if await anyio.to_thread.run_sync(path.is_file):  # another download's, or one's that was cut short: whole
                return path, 0
            return path, await self._fetch(remote, path, ending)

    async def _fetch(self, remote: RemoteFile, path: Path, ending: str | None) -> int:
        whole = RemoteFile(
            obs_id=remote.obs_id,
            path=path.name,
            locations=remote.locations,
            unpack="none" if ending is None else "gzip",
            listed=remote.listed,
        )
        result = await self.net.fetch(whole, path.parent, mission=self.mission)
        return result.size

    async def _used(self) -> None:
        """Tell other processes that the tars are in use."""
        if self._use is None:
            claim = Claim(self.raw / SHARED / "in use", shared=True)
            await claim.wait()  # the last user may be about to remove everything
            self._use = claim

    def keep(self) -> None:
        """Keep what is here beyond the download: an observation that needs it is not complete."""
        self._unfinished = True

    def doubt(self, remote: RemoteFile) -> None:
        """Do not keep a tar beyond the download: it does not hold what it should, and may be another by tomorrow."""
        if remote.url in self._here:
            self._doubtful.add(self._here[remote.url][0].parent)

    async def close(self) -> None:
        """Remove what nobody needs any more."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._close)

    def _close(self) -> None:
        if self._use is None:
            return
        if self._here and self._use.is_alone():
            if not self._failures and not self._unfinished:
                self._doubtful.add(self.raw / SHARED)
            for directory in self._doubtful:
                shutil.rmtree(directory, ignore_errors=True)
        self._use.release()
