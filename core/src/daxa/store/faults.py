"""What SQLite reports, in the project's own errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from daxa.exceptions import ArchiveInUseError, DamagedRecordError, DaxaError, StorageError

WAIT: Final = 30.0
"""Seconds a connection waits for another process's short transaction."""

_STORAGE: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOLFS,
    }
)
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FOREIGN: Final = ("decode to UTF-8", "no such table", "no such column")
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})


def primary_code(problem: BaseException) -> int | None:
    """Return SQLite's primary result code, or None if the error is not SQLite's."""
    code = getattr(problem, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def damaged(path: Path, what: str) -> DamagedRecordError:
    """Make the error for a record that cannot be read."""
    return DamagedRecordError(
        f"The record {path} cannot be read: {what}.",
        expected="an SQLite file written by DAXA",
        remedy="restore it from a copy, or make it anew; data files beside it are not touched",
        path=str(path),
    )


def translate(problem: BaseException, path: Path) -> BaseException:
    """Return the typed error for what SQLite raised; other errors are returned as they are.

    Parameters
    ----------
    problem : BaseException
        What was raised.
    path : Path
        The file it is about.
    """
    code = primary_code(problem)
    if code in _STORAGE:
        return StorageError(
            f"The record {path} cannot be written or opened: {problem}.",
            expected="a writable directory with free space",
            remedy="free space or correct the permissions, and call again; what was recorded before is intact",
            path=str(path),
        )
    if code in _DAMAGED:
        return damaged(path, str(problem))
    if code in _BUSY:
        return ArchiveInUseError(
            f"Another process has kept the record {path} locked for {WAIT:.0f} s ({problem}).",
            expected="transactions of other processes to be short",
            remedy="find the process that holds the file, end it, and call again",
            path=str(path),
        )
    if isinstance(problem, sqlite3.OperationalError) and any(told in str(problem) for told in _FOREIGN):
        return damaged(path, str(problem))
    return problem


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Tell of rows whose values cannot be understood as of a damaged record.

    Parameters
    ----------
    path : Path
        The file that they were read from.
    """
    try:
        yield
    except DaxaError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError) as problem:
        raise damaged(path, f"a row of it holds what DAXA does not write ({problem})") from problem
