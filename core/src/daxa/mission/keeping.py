"""What was downloaded, afterwards: checking it, and deleting it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import anyio.to_thread

from daxa.mission.download import FileCheck
from daxa.mission.downloading import Downloading
from daxa.specs import Want


class Keeping(Downloading):
    """The part of a mission that looks after its downloads."""

    # --- afterwards -------------------------------------------------------------------------------------------------

    async def verify(self) -> list[FileCheck]:
        """Look again at every recorded file of the selected observations: size and checksum.

        What is not as it was is dropped from the record, so that the next :meth:`download` fetches it.

        Returns
        -------
        list of FileCheck
            One a file.
        """
        from daxa.store.downloads import DownloadRecord

        await self._begin(all_observations=True)
        if not await anyio.to_thread.run_sync(DownloadRecord.exists, self._raw):
            return []
        selected = set(self.filtered_obs_ids)
        checks: list[FileCheck] = []
        record = await anyio.to_thread.run_sync(partial(DownloadRecord.open, self._raw, create=False))
        try:
            entries = await anyio.to_thread.run_sync(record.files)
            for entry in entries:
                if entry.obs_id in selected:
                    path = self._raw / entry.obs_id / entry.path
                    state = await anyio.to_thread.run_sync(_looked_at, path, entry.size, entry.sha256)
                    checks.append(FileCheck(entry.obs_id, entry.path, state))
            broken = [one for one in checks if one.state != "intact"]
            service = await anyio.to_thread.run_sync(lambda: self._service)
            for obs_id in dict.fromkeys(one.obs_id for one in broken):
                await record.forget(obs_id, [one.path for one in broken if one.obs_id == obs_id])
                cause = "a file is not as it was fetched"
                await record.record_observation(obs_id, Want(), "partial", service, cause)
            self._downloaded = self._downloaded and not broken
        finally:
            await anyio.to_thread.run_sync(record.close)
        return checks

    async def delete_raw_data(self, force_del: bool = False, all_raw_data: bool = False) -> int:
        """Delete downloads of the selected observations: recorded files only, never anything else.

        Parameters
        ----------
        force_del : bool
            Whether to delete without asking.
        all_raw_data : bool
            Whether those of all observations of the mission.

        Returns
        -------
        int
            Number of files deleted. When the answer is no, nothing has changed.
        """
        from daxa.store.downloads import DownloadRecord

        if not await anyio.to_thread.run_sync(DownloadRecord.exists, self._raw):
            return 0
        chosen = None if all_raw_data else {str(one) for one in self.filtered_obs_ids}
        what = "all observations" if chosen is None else f"{len(chosen)} observations"
        if not force_del and not await anyio.to_thread.run_sync(_agreed, f"{what} of {self.pretty_name}"):
            return 0
        record = await anyio.to_thread.run_sync(partial(DownloadRecord.open, self._raw, create=False))
        deleted = 0
        try:
            entries = await anyio.to_thread.run_sync(record.files)
            known = await anyio.to_thread.run_sync(record.observations)
            held = {one.obs_id for one in entries} | {one.obs_id for one in known}
            obs_ids = held if chosen is None else held & chosen
            for obs_id in sorted(obs_ids):
                paths = [self._raw / obs_id / one.path for one in entries if one.obs_id == obs_id]
                deleted += await anyio.to_thread.run_sync(_deleted, self._raw / obs_id, paths)
                await record.forget(obs_id)
        finally:
            await anyio.to_thread.run_sync(record.close)
        self._locked = False
        self._downloaded, self._downloaded_type = False, None
        return deleted


def _looked_at(path: Path, size: int, sha256: str) -> Literal["intact", "changed", "missing"]:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            length = stream.tell()
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "changed"
    return "intact" if (length, digest) == (size, sha256) else "changed"


def _agreed(what: str) -> bool:
    """Ask a person; no answer is a no."""
    while True:
        try:
            answer = input(f"Delete the downloads of {what}? [y/n] ").strip().lower()
        except EOFError:
            return False
        if answer in ("y", "yes", "n", "no"):
            return answer.startswith("y")


def _deleted(directory: Path, paths: Sequence[Path]) -> int:
    """Delete files, and the directories that are empty then."""
    count = 0
    for path in paths:
        if path.exists() or path.is_symlink():
            path.unlink()
            count += 1
    parents = {parent for path in paths for parent in path.parents if parent.is_relative_to(directory)}
    for one in sorted({directory, *parents}, key=lambda parent: -len(parent.parts)):
        if one.is_dir() and not any(one.iterdir()):
            one.rmdir()
    return count
