"""Fetching a mission's observations: what is missing, side by side, each file with its own result."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio
import anyio.to_thread
from attrs import evolve, field, frozen

from daxa.events import FileFetched, ObservationFetched
from daxa.exceptions import (
    AccessDeniedError,
    BadReplyError,
    DaxaError,
    NetworkError,
    NotAtArchiveError,
    PluginError,
    StorageError,
    UnsafeArchiveError,
)
from daxa.mission.catalogue import steady
from daxa.mission.download import FileResult, FileState, ObservationResult, ObservationState, cause_of
from daxa.mission.proprietary import with_date
from daxa.mission.sharing import SharedFiles
from daxa.net.addresses import shown
from daxa.specs import RemoteFile, Want
from daxa.store.claims import claimed
from daxa.store.downloads import DownloadRecord, FileEntry

if TYPE_CHECKING:
    from daxa.context import Context
    from daxa.net.client import Net
    from daxa.net.transfer import FetchResult

log = logging.getLogger(__name__)

CLAIMS: Final = ".claims"
"""Directory below a mission's raw directory that tells which observations are being fetched, by whatever process."""

OBSERVATIONS_AT_ONCE: Final = 16
FILES_AT_ONCE: Final = 32
"""Bounds of what waits at once; how many requests a host sees is decided by the limits of the host."""


_OF_ONE_NAME: Final = frozenset({errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY})
"""What a disk says of one name: others can still be written."""


class Downloadable(Protocol):
    """What can be downloaded: a mission."""

    def remote_files(self, obs: Mapping[str, Any], want: Want, net: Net) -> AsyncIterator[RemoteFile]:
        """Name the files of an observation."""


def check_path(remote: RemoteFile) -> None:
    """Refuse a destination outside the observation's directory.

    Raises
    ------
    UnsafeArchiveError
        If it is one.
    PluginError
        If it names no place to fetch from.
    """
    if not remote.locations:
        raise PluginError(f"{remote.path!r} of {remote.obs_id} has no location.", remedy="correct the plugin")
    path = PurePosixPath(remote.path)
    if path.is_absolute() or ".." in path.parts or "\\" in remote.path or "\x00" in remote.path:
        raise UnsafeArchiveError(
            f"{remote.path!r} would leave the directory of {remote.obs_id}.",
            expected="a path below it",
            remedy="nothing was written; tell the authors of the plugin",
            url=remote.url,
        )


@frozen(kw_only=True)
class Fetching:
    """One download under way.

    Parameters
    ----------
    mission : Mission
        The mission.
    name : str
        Its internal name.
    directory : Path
        Its raw directory.
    want : Want
        What is wanted.
    service : str
        Address of its services, the key of the record.
    sky : str, optional
        Address of the offline sky, if the run sees one.
    context : Context
        The surroundings.
    record : DownloadRecord
        What was fetched before.
    net : Net
        The open network.
    prefer : tuple of str
        Where to fetch from, best first; others keep their order after them.
    observations_at_once : int
        Bound.
    """

    mission: Downloadable
    name: str
    directory: Path
    want: Want
    service: str
    sky: str | None
    context: Context
    record: DownloadRecord
    net: Net
    prefer: tuple[str, ...] = ()
    observations_at_once: int = OBSERVATIONS_AT_ONCE
    stopped: list[StorageError] = field(factory=list, init=False)
    others: list[bool] = field(factory=list, init=False)
    files_at_once: anyio.Semaphore = field(factory=lambda: anyio.Semaphore(FILES_AT_ONCE), init=False)
    shared: SharedFiles = field(init=False)

    @shared.default
    def _shared(self) -> SharedFiles:
        return SharedFiles(self.net, self.directory, self.name)

    async def run(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, ObservationResult]:
        """Fetch what is missing of some observations.

        Parameters
        ----------
        rows : sequence of Mapping
            Their rows of the catalogue.

        Returns
        -------
        dict of str to ObservationResult
            By ObsID.
        """
        results: dict[str, ObservationResult] = {}
        at_once = anyio.Semaphore(self.observations_at_once)

        async def one(row: Mapping[str, Any]) -> None:
            async with at_once:
                result = await self.observation(row)
            results[result.obs_id] = result

        async with anyio.create_task_group() as group:
            for row in rows:
                group.start_soon(one, row)
        return results

    async def plan(self, rows: Sequence[Mapping[str, Any]]) -> tuple[list[RemoteFile], int, dict[str, str]]:
        """List what is missing of some observations: files, number present, causes by ObsID."""
        missing: list[RemoteFile] = []
        present: list[RemoteFile] = []
        causes: dict[str, str] = {}
        at_once = anyio.Semaphore(self.observations_at_once)

        async def one(row: Mapping[str, Any]) -> None:
            obs_id = str(row["ObsID"])
            async with at_once:
                known = await self._known(obs_id)
                try:
                    async for remote in self._remotes(row):
                        here = await anyio.to_thread.run_sync(self._is_present, remote, known)
                        (present if here else missing).append(remote)
                except Exception as problem:  # noqa: BLE001 - whatever a plugin raises is told, and ends this one only
                    refused = isinstance(problem, AccessDeniedError)
                    causes[obs_id] = with_date(cause_of(problem), row) if refused else cause_of(problem)

        async with anyio.create_task_group() as group:
            for row in rows:
                group.start_soon(one, row)
        order = {str(row["ObsID"]): number for number, row in enumerate(rows)}
        return sorted(missing, key=lambda file: (order[file.obs_id], file.path)), len(present), causes

    # --- one observation --------------------------------------------------------------------------------------------

    async def _remotes(self, row: Mapping[str, Any]) -> AsyncIterator[RemoteFile]:
        remotes = self.mission.remote_files(row, self.want, self.net)
        taken: set[str] = set()
        try:
            async for remote in remotes:
                check_path(remote)
                if remote.unpack in ("none", "gzip", "compress"):
                    if remote.path in taken:  # the same file in another form: two writers would spoil each other's
                        log.info("%s: %s is listed more than once; %s is left out", self.name, remote.path, remote.url)
                        continue
                    taken.add(remote.path)
                yield evolve(remote, locations=self._sorted(remote)) if self.prefer else remote
        finally:
            close = getattr(remotes, "aclose", None)
            if close is not None:
                await close()

    def _sorted(self, remote: RemoteFile) -> Iterable[Any]:
        kinds = list(dict.fromkeys("file" if one.startswith("file:") else one for one in self.prefer))
        return sorted(
            remote.locations,
            key=lambda location: kinds.index(location.kind) if location.kind in kinds else len(kinds),
        )

    async def _known(self, obs_id: str) -> dict[str, list[FileEntry]]:
        """Files fetched before from the same services, by address."""
        entries = await anyio.to_thread.run_sync(self.record.files, obs_id)
        known: dict[str, list[FileEntry]] = {}
        for entry in entries:
            if entry.service == self.service:
                known.setdefault(entry.url, []).append(entry)
        return known

    def _is_present(self, remote: RemoteFile, known: Mapping[str, Sequence[FileEntry]]) -> bool:
        """Whether a file was fetched before, is on disk as it was recorded, and has the size that is listed now."""
        for location in remote.locations:
            entries = known.get(steady(self.sky, location.url), ())
            if entries and all(self.record.intact(entry) for entry in entries):
                served = entries[0].served_size
                return location.size is None or served is None or location.size == served
        return False

    async def observation(self, row: Mapping[str, Any]) -> ObservationResult:
        """Fetch what is missing of one observation, given its row of the catalogue; tells when it has ended."""
        result = await self._observation(row)
        self.context.events.publish(ObservationFetched(self.name, result.obs_id, result.cause))
        return result

    async def _observation(self, row: Mapping[str, Any]) -> ObservationResult:
        obs_id, began = str(row["ObsID"]), time.monotonic()
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(claimed(self.directory / CLAIMS / obs_id, self._tell_of_others))
            except OSError as problem:
                stopped = StorageError(
                    f"{self.directory} cannot be written: {problem.strerror or problem}.",
                    expected="a writable disk with room",
                    remedy="free space or choose another output directory, then download again",
                    path=str(self.directory),
                )
                self.stopped.append(stopped)
                return ObservationResult(mission=self.name, obs_id=obs_id, state="partial", cause=stopped.message)
            return await self._claimed(row, obs_id, began)

    def _tell_of_others(self) -> None:
        """Say once why nothing seems to go on."""
        if not self.others:
            self.others.append(True)
            log.warning(
                "%s: another download is at work in %s; what it is fetching is waited for, and not fetched twice",
                self.name,
                self.directory,
            )

    async def _claimed(self, row: Mapping[str, Any], obs_id: str, began: float) -> ObservationResult:
        """Fetch what is missing, while nobody else does: what another process has fetched meanwhile is found here."""
        known = await self._known(obs_id)
        files: list[FileResult] = []
        failure: Exception | None = None

        async def one(remote: RemoteFile) -> None:
            async with self.files_at_once:
                files.append(await self._file(remote, known))

        async with anyio.create_task_group() as group:
            try:
                async for remote in self._remotes(row):
                    group.start_soon(one, remote)
            except Exception as problem:  # noqa: BLE001 - whatever a plugin raises ends this observation only
                failure = problem
        if failure is not None:
            absent = isinstance(failure, NotAtArchiveError)
            files.append(
                FileResult(
                    mission=self.name,
                    obs_id=obs_id,
                    url=str(getattr(failure, "context", {}).get("url", "")),
                    state="absent" if absent else "failed",
                    cause=cause_of(failure),
                    code=getattr(failure, "code", None),
                    attempts=_attempts(failure) if isinstance(failure, NetworkError) else 0,
                )
            )
        refused = AccessDeniedError.code
        files = [evolve(one, cause=with_date(str(one.cause), row)) if one.code == refused else one for one in files]
        state, cause = _judge(files)
        try:
            await self.record.record_observation(obs_id, self.want, _recorded(state), self.service, cause)
        except StorageError as problem:
            state, cause = "partial", cause or problem.message
            self.stopped.append(problem)
        return ObservationResult(
            mission=self.name,
            obs_id=obs_id,
            state=state,
            cause=cause,
            seconds=time.monotonic() - began,
            files=tuple(sorted(files, key=lambda file: (file.path, file.url))),
        )

    # --- one file ---------------------------------------------------------------------------------------------------

    async def _file(self, remote: RemoteFile, known: Mapping[str, Sequence[FileEntry]]) -> FileResult:
        began = time.monotonic()

        def result(state: FileState, **more: Any) -> FileResult:
            return FileResult(
                mission=self.name,
                obs_id=remote.obs_id,
                path=remote.path,
                state=state,
                seconds=time.monotonic() - began,
                required=remote.required,
                **{"url": remote.url, **more},
            )

        if self.stopped:
            return result("failed", cause=self.stopped[0].message, code=StorageError.code)
        try:
            if bool(known) and await anyio.to_thread.run_sync(self._is_present, remote, known):
                return result("present")
            fetched = await self._fetched(remote)
            await self.record.record_file(*self._entries(remote, fetched))
        except NotAtArchiveError as problem:
            return result("absent", cause=cause_of(problem), code=problem.code, attempts=_attempts(problem))
        except (DaxaError, OSError) as problem:
            if isinstance(problem, StorageError) and problem.context.get("errno") not in _OF_ONE_NAME:
                self.stopped.append(problem)
            code = getattr(problem, "code", None)
            return result("failed", cause=cause_of(problem), code=code, attempts=_attempts(problem))
        except Exception as problem:  # whatever a reply brings about ends this file only
            log.exception("%s: %s could not be fetched", self.name, shown(remote.url))
            return result("failed", cause=cause_of(problem), attempts=_attempts(problem))
        self.context.events.publish(FileFetched(self.name, remote.obs_id, fetched.url, fetched.size))
        return result("fetched", url=fetched.url, size=fetched.size, attempts=fetched.attempts)

    async def _fetched(self, remote: RemoteFile) -> FetchResult:
        directory = self.directory / remote.obs_id
        if not remote.shared:
            return await self.net.fetch(remote, directory, mission=self.name)
        try:
            here, size = await self.shared.held(remote)
        except BaseException:
            self.shared.keep()
            raise
        try:
            fetched = await self.net.fetch(here, directory, mission=self.name)
        except (BadReplyError, NotAtArchiveError, UnsafeArchiveError):
            self.shared.doubt(remote)
            raise
        except BaseException:
            self.shared.keep()
            raise
        return evolve(fetched, url=remote.url, size=size)

    def _entries(self, remote: RemoteFile, fetched: Any) -> list[FileEntry]:
        return [
            FileEntry(
                obs_id=remote.obs_id,
                path=str(one.path),
                url=steady(self.sky, fetched.url),
                part_of=remote.part_of,
                size=one.size,
                sha256=one.sha256,
                served_size=fetched.size,
                etag=fetched.etag,
                attempts=fetched.attempts,
                service=self.service,
            )
            for one in fetched.files
        ]


def _attempts(problem: BaseException) -> int:
    return int(getattr(problem, "context", {}).get("attempts", 1) or 1)


def _recorded(state: ObservationState) -> Any:
    return "complete" if state == "present" else state


def _judge(files: Sequence[FileResult]) -> tuple[ObservationState, str | None]:
    """Say how an observation ended, and why it is not complete."""
    missing = [file for file in files if file.missing]
    here = [file for file in files if file.state in ("fetched", "present")]
    if not files:
        return "absent", "the archive lists no file of what is wanted"
    if not missing:
        return ("complete", None) if here else ("absent", files[0].cause)
    causes = list(dict.fromkeys(str(file.cause) for file in missing))
    more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
    nothing = not here and all(file.state == "absent" for file in missing)
    return ("absent" if nothing else "partial"), f"{causes[0]}{more}"
