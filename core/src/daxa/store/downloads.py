"""What was fetched into a mission's raw directory, and whether an observation is complete there."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from attrs import astuple, evolve, field, fields, frozen

from daxa.exceptions import StorageError
from daxa.specs import Want
from daxa.store.db import Database
from daxa.store.schema import DOWNLOADS
from daxa.store.writer import Written

FILE: Final = ".downloads.sqlite"
"""Name of the record in the raw directory."""

ObservationState = Literal["complete", "partial", "absent"]

_ALL: Final = "*"


@frozen(kw_only=True)
class FileEntry:
    """A file that was fetched whole and verified.

    Parameters
    ----------
    obs_id : str
        Observation.
    path : str
        Path relative to the observation's directory, with ``/``.
    url : str
        Address it came from.
    part_of : {"raw", "products", "both"}
        Which wish it fulfils.
    size : int
        Bytes on disk.
    sha256 : str
        Checksum of what is on disk.
    mtime_ns : int, optional
        Time of modification on disk; looked up when it is recorded if it is not given.
    served_size : int, optional
        Bytes as served, before unpacking.
    etag : str, optional
        The server's mark of this version.
    attempts : int
        Requests it took.
    fetched_at : float
        When, in seconds of Unix time.
    service : str
        Address of the service it belongs to.
    """

    obs_id: str
    path: str
    url: str
    part_of: str = "both"
    size: int
    sha256: str
    mtime_ns: int | None = None
    served_size: int | None = None
    etag: str | None = None
    attempts: int = 1
    fetched_at: float = field(factory=time.time)
    service: str


_FILE_COLUMNS: Final = tuple(one.name for one in fields(FileEntry))


@frozen(kw_only=True)
class ObservationEntry:
    """How the last attempt on an observation ended.

    Parameters
    ----------
    obs_id : str
        Observation.
    wanted : Mapping of str to tuple of str
        For each part that is complete, ``raw`` or ``products``, the instruments it was fetched for; ``*`` is all.
        Where kinds of products were chosen, these are instrument and kind, ``PN:images``; where a version of the
        processing was, that is in it, ``TM1@020``.
    state : {"complete", "partial", "absent"}
        How the last attempt ended; ``absent``: the archive holds nothing for it.
    cause : str or None
        Why it is not complete.
    checked_at : float
        When, in seconds of Unix time.
    service : str
        Address of the service.
    """

    obs_id: str
    wanted: Mapping[str, tuple[str, ...]]
    state: ObservationState
    cause: str | None
    checked_at: float
    service: str

    def covers(self, want: Want, service: str) -> bool:
        """Whether all that is wanted was fetched from that service before."""
        everything = _of_version(_ALL, want)
        return self.service == service and all(
            everything in self.wanted.get(part, ()) or set(instruments) <= set(self.wanted.get(part, ()))
            for part, instruments in _parts(want).items()
        )


def _of_version(instrument: str, want: Want) -> str:
    return instrument if want.version is None else f"{instrument}@{want.version}"


def _parts(want: Want) -> dict[str, tuple[str, ...]]:
    """The parts of a wish, each with its instruments, and those of products with their kinds where some are chosen."""
    instruments = tuple(_of_version(inst, want) for inst in sorted(want.instruments) or (_ALL,))
    of_kinds = tuple(f"{inst}:{kind}" for inst in instruments for kind in sorted(want.kinds))
    parts = {"raw": instruments, "products": of_kinds or instruments}
    return {part: parts[part] for part in parts if getattr(want, part)}


class DownloadRecord:
    """Files and observations of one ``<mission>_raw`` directory; shared by the processes that download into it.

    Methods that write return at once; ``await`` what they return, or ask it for ``result()``.

    Parameters
    ----------
    db : Database
        An open record of the form ``DOWNLOADS``, in the directory it speaks of.
    """

    def __init__(self, db: Database) -> None:
        self.db = db
        self.directory = db.path.parent

    @classmethod
    def open(cls, directory: Path | str, *, create: bool = True) -> DownloadRecord:
        """Open the record of a raw directory.

        Parameters
        ----------
        directory : Path
            The directory, ``<output>/<mission>_raw``.
        create : bool
            Whether directory and record are made if they are not there.

        Raises
        ------
        ArchiveNotFoundError
            If there is no record, and none is to be made; :meth:`exists` asks without that.
        DamagedRecordError, NewerSchemaError, StorageError
            As :meth:`daxa.store.db.Database.open`.
        """
        return cls(Database.open(Path(directory) / FILE, DOWNLOADS, create=create))

    @staticmethod
    def exists(directory: Path | str) -> bool:
        """Whether a directory has a record."""
        return (Path(directory) / FILE).exists()

    # --- reading ----------------------------------------------------------------------------------------------------

    def complete(self, obs_id: str, want: Want, service: str) -> bool:
        """Whether all that is wanted of an observation was fetched, and is on disk with the same size and time.

        Parameters
        ----------
        obs_id : str
            Observation.
        want : Want
            What is wanted.
        service : str
            Address of the service it would be fetched from.
        """
        entry = self.observation(obs_id)
        if entry is None or not entry.covers(want, service):
            return False
        parts = {"both", *_parts(want)}
        return all(self.intact(file) for file in self.files(obs_id) if file.part_of in parts)

    def intact(self, file: FileEntry) -> bool:
        """Whether a file is on disk as it was recorded, by size and time of modification."""
        try:
            status = (self.directory / file.obs_id / file.path).stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (file.size, file.mtime_ns)

    def intact_files(self, obs_id: str) -> list[str]:
        """Return the paths of an observation's files that are on disk as they were recorded."""
        return [entry.path for entry in self.files(obs_id) if self.intact(entry)]

    def observation(self, obs_id: str) -> ObservationEntry | None:
        """Return how the last attempt on an observation ended; None if there was none."""
        found = self.db.read("SELECT * FROM observations WHERE obs_id = ?", (obs_id,))
        return _observation(found[0]) if found else None

    def observations(self) -> list[ObservationEntry]:
        """Return all observations of the record, by ObsID."""
        return [_observation(row) for row in self.db.read("SELECT * FROM observations ORDER BY obs_id")]

    def files(self, obs_id: str | None = None) -> list[FileEntry]:
        """Return the files of an observation, or all, by ObsID and path."""
        where, params = ("", ()) if obs_id is None else (" WHERE obs_id = ?", (obs_id,))
        sql = f"SELECT {', '.join(_FILE_COLUMNS)} FROM files{where} ORDER BY obs_id, path"  # noqa: S608 - names are ours
        return [FileEntry(**row) for row in self.db.read(sql, params)]

    # --- writing ----------------------------------------------------------------------------------------------------

    def record_file(self, *files: FileEntry) -> Written[None]:
        """Record files that are whole and under their final names.

        Parameters
        ----------
        *files : FileEntry
            The files. An earlier record of the same path is replaced.
        """

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(
                f"INSERT OR REPLACE INTO files ({', '.join(_FILE_COLUMNS)})"  # noqa: S608 - names are ours
                f" VALUES ({', '.join('?' * len(_FILE_COLUMNS))})",
                [astuple(self._dated(file)) for file in files],
            )

        return self.db.submit(write)

    def _dated(self, file: FileEntry) -> FileEntry:
        if file.mtime_ns is not None:
            return file
        path = self.directory / file.obs_id / file.path
        try:
            return evolve(file, mtime_ns=path.stat().st_mtime_ns)
        except OSError as problem:
            raise StorageError(
                f"{path} is not there: {problem.strerror or problem}.",
                expected="the file that was just fetched",
                remedy="download again",
                path=str(path),
            ) from problem

    def record_observation(
        self, obs_id: str, want: Want, state: ObservationState, service: str, cause: str | None = None
    ) -> Written[None]:
        """Record how an attempt on an observation ended.

        Parts that were complete before stay so, unless this attempt was about them and did not complete them.

        Parameters
        ----------
        obs_id : str
            Observation.
        want : Want
            What was wanted.
        state : {"complete", "partial", "absent"}
            How it ended; ``absent``: the archive holds nothing for it.
        service : str
            Address of the service.
        cause : str, optional
            Why it is not complete.
        """
        asked = _parts(want)

        def write(connection: sqlite3.Connection) -> None:
            found = connection.execute(
                "SELECT wanted FROM observations WHERE obs_id = ? AND service = ?", (obs_id, service)
            ).fetchone()
            parts: dict[str, Sequence[str]] = json.loads(found[0]) if found else {}
            for part, instruments in asked.items():
                if state == "complete":
                    parts[part] = sorted({*parts.get(part, ()), *instruments})
                else:
                    parts.pop(part, None)
            connection.execute(
                "INSERT OR REPLACE INTO observations (obs_id, wanted, state, cause, checked_at, service)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (obs_id, json.dumps(parts), state, cause, time.time(), service),
            )

        return self.db.submit(write)

    def forget(self, obs_id: str, paths: Iterable[str] | None = None) -> Written[None]:
        """Drop an observation from the record, or only some of its files. Files on disk are not touched.

        Parameters
        ----------
        obs_id : str
            Observation.
        paths : iterable of str, optional
            Files to drop; by default all, and the observation with them.
        """
        chosen = None if paths is None else [(obs_id, path) for path in paths]

        def write(connection: sqlite3.Connection) -> None:
            if chosen is None:
                connection.execute("DELETE FROM files WHERE obs_id = ?", (obs_id,))
                connection.execute("DELETE FROM observations WHERE obs_id = ?", (obs_id,))
            else:
                connection.executemany("DELETE FROM files WHERE obs_id = ? AND path = ?", chosen)

        return self.db.submit(write)

    def close(self) -> None:
        """Write what is queued and close the record. May be called again."""
        self.db.close()

    def __enter__(self) -> DownloadRecord:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()


def _observation(row: sqlite3.Row) -> ObservationEntry:
    parts = json.loads(row["wanted"])
    return ObservationEntry(
        obs_id=row["obs_id"],
        wanted={part: tuple(instruments) for part, instruments in parts.items()},
        state=row["state"],
        cause=row["cause"],
        checked_at=row["checked_at"],
        service=row["service"],
    )
