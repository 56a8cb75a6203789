"""The tables of the three records, as ordered migrations of which each is applied once.

A migration that was ever released is never changed: what comes later is a new one at the end.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Final

from attrs import frozen

from daxa.exceptions import DamagedRecordError, NewerSchemaError


@frozen
class Migration:
    """One step from an older form of a record to a newer one.

    Parameters
    ----------
    name : str
        Name under which it stands in the table ``migrations``.
    apply : callable
        Makes the change, within a transaction.
    """

    name: str
    apply: Callable[[sqlite3.Connection], None]


@frozen(kw_only=True)
class Schema:
    """The form of a record.

    Parameters
    ----------
    name : str
        What the record is, for messages.
    application_id : int
        SQLite's mark of the file; tells the three records from each other and from other programs' files.
    migrations : sequence of Migration
        In order; only ever appended to.
    leased : bool
        Whether one process at a time writes to it for the length of a call. It needs the table ``lease``.
    """

    name: str
    application_id: int
    migrations: tuple[Migration, ...]
    leased: bool = False

    def pending(self, connection: sqlite3.Connection) -> tuple[Migration, ...]:
        """Return the migrations that a file still needs.

        Raises
        ------
        NewerSchemaError
            If it has some that are not known here.
        DamagedRecordError
            If it is another program's file, or its migrations are out of order.
        """
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return self.migrations
        file = connection.execute("PRAGMA database_list").fetchone()[2]
        (mark,) = connection.execute("PRAGMA application_id").fetchone()
        if mark != self.application_id or "migrations" not in tables:
            raise DamagedRecordError(
                f"{file} is not the record of {self.name}: its mark is {mark:#x}.",
                expected=f"{self.application_id:#x}",
                remedy="check the path; the file is left as it is",
                path=file,
            )
        applied = [row[0] for row in connection.execute("SELECT name FROM migrations ORDER BY position")]
        known = [migration.name for migration in self.migrations]
        newer = [name for name in applied if name not in known]
        if newer:
            raise NewerSchemaError(
                f"{file}, the record of {self.name}, was written by a newer version of DAXA ({', '.join(newer)}).",
                expected=f"nothing after {known[-1]!r}",
                remedy="install that version; the record is left as it is",
                value=newer,
                path=file,
            )
        if applied != known[: len(applied)]:
            raise DamagedRecordError(
                f"{file}, the record of {self.name}, has been changed in another order: {', '.join(applied)}.",
                expected=", ".join(known),
                remedy="restore it from a copy",
                value=applied,
                path=file,
            )
        return self.migrations[len(applied) :]

    def bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        """Apply what is pending. The caller holds the write transaction."""
        pending = self.pending(connection)
        if len(pending) == len(self.migrations):
            connection.execute(f"PRAGMA application_id = {self.application_id}")
            connection.execute(
                "CREATE TABLE migrations (position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
                " applied REAL NOT NULL)"
            )
        for migration in pending:
            migration.apply(connection)
            connection.execute("INSERT INTO migrations (name, applied) VALUES (?, ?)", (migration.name, time.time()))


def _all(connection: sqlite3.Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(statement)


def _archive_lease(connection: sqlite3.Connection) -> None:
    """Who writes."""
    _all(
        connection,
        "CREATE TABLE lease (id INTEGER PRIMARY KEY CHECK (id = 1), token TEXT NOT NULL, host TEXT NOT NULL,"
        " boot_id TEXT NOT NULL, namespace TEXT NOT NULL, pid INTEGER NOT NULL, process_start TEXT NOT NULL,"
        " since REAL NOT NULL, beat REAL NOT NULL)",
    )


def _archive_tables(connection: sqlite3.Connection) -> None:
    """What an archive holds, and what happened to it."""
    # An absent instrument or sub-exposure is '', because SQLite's unique indexes hold NULLs for different.
    _all(
        connection,
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE missions (position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, title TEXT NOT NULL,"
        " state TEXT NOT NULL, processed INTEGER NOT NULL DEFAULT 0, processes TEXT NOT NULL DEFAULT '[]')",
        "CREATE TABLE observations (mission TEXT NOT NULL, obs_id TEXT NOT NULL, position INTEGER NOT NULL,"
        " row TEXT NOT NULL, retired INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (mission, obs_id))",
        "CREATE TABLE data_ids (mission TEXT NOT NULL, obs_id TEXT NOT NULL, inst TEXT NOT NULL, subexp TEXT NOT NULL,"
        " position INTEGER NOT NULL, usable INTEGER NOT NULL, reason TEXT NOT NULL, info TEXT NOT NULL,"
        " PRIMARY KEY (mission, obs_id, inst, subexp))",
        "CREATE TABLE runs (id INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, request TEXT NOT NULL,"
        " host TEXT NOT NULL, pid INTEGER NOT NULL)",
        "CREATE TABLE tasks (id INTEGER PRIMARY KEY, mission TEXT NOT NULL, process TEXT NOT NULL,"
        " obs_id TEXT NOT NULL, inst TEXT NOT NULL, subexp TEXT NOT NULL, variant TEXT NOT NULL,"
        " state TEXT NOT NULL, cause TEXT, kind TEXT,"
        " root TEXT, attempt INTEGER NOT NULL, run_id INTEGER, started REAL, ended REAL, seconds REAL, cpu_s REAL,"
        " max_rss INTEGER, host TEXT, log TEXT, stderr TEXT, params TEXT NOT NULL, fingerprint TEXT,"
        " caveats TEXT NOT NULL, errors TEXT NOT NULL, warnings TEXT NOT NULL, extra TEXT NOT NULL,"
        " UNIQUE (mission, process, obs_id, inst, subexp, variant))",
        # Of two indexes that fit, SQLite takes the one of which it can use more columns; hence the second ones.
        "CREATE INDEX tasks_of_observation ON tasks (obs_id, mission)",
        "CREATE INDEX tasks_in_state ON tasks (state, mission)",
        "CREATE TABLE history (id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL, run_id INTEGER,"
        " attempt INTEGER NOT NULL, state TEXT NOT NULL, at REAL NOT NULL, cause TEXT)",
        "CREATE INDEX history_of_task ON history (task_id)",
        "CREATE TABLE products (id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL, mission TEXT NOT NULL,"
        " process TEXT NOT NULL, obs_id TEXT NOT NULL, inst TEXT NOT NULL, subexp TEXT NOT NULL, variant TEXT NOT NULL,"
        " key TEXT NOT NULL, kind TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,"
        " sha256 TEXT, lo REAL, hi REAL)",
        "CREATE INDEX products_of_task ON products (task_id)",
        "CREATE INDEX products_of_observation ON products (obs_id, mission)",
        "CREATE INDEX products_of_process ON products (mission, process, obs_id)",
        "CREATE TABLE final (mission TEXT NOT NULL, obs_id TEXT NOT NULL, success INTEGER NOT NULL,"
        " PRIMARY KEY (mission, obs_id)) WITHOUT ROWID",
    )


def _downloads_tables(connection: sqlite3.Connection) -> None:
    """What was fetched into a mission's raw directory."""
    _all(
        connection,
        "CREATE TABLE files (obs_id TEXT NOT NULL, path TEXT NOT NULL, url TEXT NOT NULL, part_of TEXT NOT NULL,"
        " size INTEGER NOT NULL, sha256 TEXT NOT NULL, mtime_ns INTEGER NOT NULL, served_size INTEGER, etag TEXT,"
        " attempts INTEGER NOT NULL, fetched_at REAL NOT NULL, service TEXT NOT NULL, PRIMARY KEY (obs_id, path))",
        "CREATE TABLE observations (obs_id TEXT PRIMARY KEY, wanted TEXT NOT NULL, state TEXT NOT NULL, cause TEXT,"
        " checked_at REAL NOT NULL, service TEXT NOT NULL) WITHOUT ROWID",
    )


def _catalogues_tables(connection: sqlite3.Connection) -> None:
    """Catalogues, a column a row."""
    _all(
        connection,
        "CREATE TABLE catalogues (id INTEGER PRIMARY KEY, mission TEXT NOT NULL, service_url TEXT NOT NULL,"
        " fetched_at REAL NOT NULL, source TEXT NOT NULL, etag TEXT, rows INTEGER NOT NULL,"
        " UNIQUE (mission, service_url))",
        "CREATE TABLE catalogue_columns (catalogue_id INTEGER NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL,"
        " dtype TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (catalogue_id, position))",
    )


def _catalogues_names(connection: sqlite3.Connection) -> None:
    """Positions of names, as a name service told them; degrees, ICRS."""
    _all(
        connection,
        "CREATE TABLE names (service_url TEXT NOT NULL, name TEXT NOT NULL, ra REAL NOT NULL, dec REAL NOT NULL,"
        " found_at REAL NOT NULL, PRIMARY KEY (service_url, name)) WITHOUT ROWID",
        "CREATE INDEX names_by_age ON names (found_at)",
    )


def _archive_ingredients(connection: sqlite3.Connection) -> None:
    """Beside a task's fingerprint, what it is the hash of: to say what changed."""
    connection.execute("ALTER TABLE tasks ADD COLUMN ingredients TEXT")


ARCHIVE: Final = Schema(
    name="an archive",
    application_id=0x44415801,
    migrations=(
        Migration("archive-lease", _archive_lease),
        Migration("archive-tables", _archive_tables),
        Migration("archive-ingredients", _archive_ingredients),
    ),
    leased=True,
)
"""Record of an archive."""

DOWNLOADS: Final = Schema(
    name="a mission's downloads",
    application_id=0x44415802,
    migrations=(Migration("downloads-tables", _downloads_tables),),
)
"""Record of a raw directory. Processes that download side by side share it: no lease, only short transactions."""

CATALOGUES: Final = Schema(
    name="the catalogue cache",
    application_id=0x44415803,
    migrations=(
        Migration("catalogues-tables", _catalogues_tables),
        Migration("catalogues-names", _catalogues_names),
    ),
)
"""Cache of catalogues, shared by all of a user's processes."""
