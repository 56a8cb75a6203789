"""Connections to a record's file, and a first look at the file itself."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from daxa.exceptions import StorageError
from daxa.store.faults import WAIT, damaged, translate

_MAGIC: Final = b"SQLite format 3\x00"
_WAL_LIMIT: Final = 64 * 2**20


_opening = threading.RLock()  # taken again by a record that is collected as garbage while another is opened
_open: dict[int, tuple[int, int]] = {}
"""This process's connections: device and inode of each. Whoever closes a file loses all locks that the process has on
it ("How To Corrupt An SQLite Database File", section 2.2): while there is a connection, it is opened by no other means.
"""


class _Counted(sqlite3.Connection):
    """A connection that is known as long as it is open."""

    def close(self) -> None:
        """Close it."""
        super().close()
        with _opening:
            _open.pop(id(self), None)


def _connect(path: Path, options: str) -> sqlite3.Connection:
    with _opening:
        connection = sqlite3.connect(
            f"{path.as_uri()}?{options}",
            uri=True,
            timeout=WAIT,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            factory=_Counted,
        )
        with suppress(OSError):
            _open[id(connection)] = _identity(path)
    return connection


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a read-only connection, also on a read-only medium."""
    try:
        return _try_reader(path, "mode=ro")
    except sqlite3.Error as problem:
        # On a read-only medium the WAL's index cannot be made. Where no WAL is left over, none is needed.
        if not isinstance(translate(problem, path), StorageError) or wal_size(path):
            raise
        return _try_reader(path, "mode=ro&immutable=1")


def _try_reader(path: Path, options: str) -> sqlite3.Connection:
    connection = _connect(path, options)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection


def connect_writer(path: Path, *, network: bool, create: bool = False) -> sqlite3.Connection:
    """Open a writing connection.

    Parameters
    ----------
    path : Path
        The file.
    network : bool
        Whether it lies on a network file system.
    create : bool
        Whether the file is made if it is not there.
    """
    connection = _connect(path, "mode=rwc" if create else "mode=rw")
    try:
        _set_journal(connection, "truncate" if network else "wal")
        # In WAL mode a commit without fsync survives the death of the process; after a power cut the last ones may be
        # missing, and their tasks run again. A rollback journal needs the fsync to stay whole.
        connection.execute(f"PRAGMA synchronous = {'FULL' if network else 'NORMAL'}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -16000")
    except BaseException:
        connection.close()
        raise
    return connection


def _set_journal(connection: sqlite3.Connection, mode: str) -> None:
    """Set the journal's mode. SQLite does not wait for other processes here, so we do."""
    deadline = time.monotonic() + WAIT
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode = {mode}")
            return
        except sqlite3.OperationalError as problem:
            busy = problem.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def wal_size(path: Path) -> int:
    """Return the bytes of the write-ahead log beside a record."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except OSError:
        return 0


def check_file(path: Path, *, create: bool) -> bytes:
    """Read the first 100 bytes, and compare what they say with the file's size.

    Source: "Database File Format" of the SQLite documentation, section 1.3.

    Parameters
    ----------
    path : Path
        The file.
    create : bool
        Whether an empty file will do.

    Returns
    -------
    bytes
        The header; nothing for an empty file. Of a file that this process has open, only what every one begins with.

    Raises
    ------
    DamagedRecordError
        If it is not an SQLite file, or has been cut short.
    StorageError
        If it cannot be read.
    """
    try:
        with _opening:
            if _identity(path) in tuple(_open.values()):
                return _MAGIC.ljust(100, b"\0")
            with path.open("rb") as file:
                header = file.read(100)
        size = path.stat().st_size
    except OSError as problem:
        raise StorageError(
            f"The record {path} cannot be opened: {problem.strerror or problem}.",
            expected="a readable file",
            remedy="check its permissions",
            path=str(path),
        ) from problem
    if not header and create:
        return header
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise damaged(path, "it is not an SQLite file" if header else "it is empty")
    page_size = int.from_bytes(header[16:18], "big")
    page_size = 65536 if page_size == 1 else page_size
    pages = int.from_bytes(header[28:32], "big")
    trusted = header[24:28] == header[92:96] and not wal_size(path)
    if trusted and size < pages * page_size:
        raise damaged(path, f"it has {size} bytes of {pages * page_size}")
    return header


def in_wal_mode(header: bytes) -> bool:
    """Whether a file's header asks for a write-ahead log."""
    return header[18:20] == b"\x02\x02"
