"""A record on disk: an SQLite file with one writing thread and read-only readers."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, field

from daxa.exceptions import ArchiveNotFoundError, ArchiveNotOpenError, DaxaError, StorageError
from daxa.store.connections import check_file, connect_reader, connect_writer, in_wal_mode
from daxa.store.faults import damaged, translate
from daxa.store.filesystems import network_file_system
from daxa.store.lease import Guard, Held, Owner, read_lease
from daxa.store.schema import Schema
from daxa.store.writer import CLOSE_WAIT, Writer, Written

T = TypeVar("T")

READERS = 8
"""Connections for reading beyond which those that are idle are closed: each holds two files open."""


def _nothing(_connection: sqlite3.Connection) -> None:
    """Change nothing: when this has been written, so has everything before it."""


class Hold:
    """The length of a ``with`` block during which only this object writes. Synchronous and asynchronous."""

    def __init__(self, writer: Writer, guard: Guard) -> None:
        self._writer = writer
        self._guard = guard

    def __enter__(self) -> None:
        self._take().result()

    def __exit__(self, *_failure: object) -> None:
        with suppress(ArchiveNotOpenError):  # closing has given it back
            self._give_back().result()

    async def __aenter__(self) -> None:
        taken = self._take()
        try:
            await taken
        except BaseException:
            taken.add_done_callback(self._undo)
            raise

    async def __aexit__(self, *_failure: object) -> None:
        with suppress(ArchiveNotOpenError):
            await self._give_back()

    def _take(self) -> Written[None]:
        return self._writer.submit(self._guard.take)

    def _give_back(self) -> Written[None]:
        return self._writer.submit(self._guard.give_back, guarded=False)

    def _undo(self, taken: Future[None]) -> None:
        """Give back what was taken although nobody waited for it any more."""
        if not taken.cancelled() and taken.exception() is None:
            with suppress(DaxaError):
                self._give_back()


@define(eq=False)
class _Reader:
    """A thread's own read-only connection. The lock keeps closing away from a read under way."""

    connection: sqlite3.Connection
    lock: threading.RLock = field(factory=threading.RLock)


class Database:
    """An open record. Made by :meth:`open`.

    Any thread may call any method. Opening and reading change nothing; the writer's thread and its connection come with
    the first write.
    """

    def __init__(self, path: Path, schema: Schema, *, network: bool, owner: Owner | None = None) -> None:
        self.path = path
        self._schema = schema
        self._network = network
        self.owner = owner or Owner.me()
        self._guard = Guard(path, schema.leased, self.owner)
        self._writer = Writer(path, partial(connect_writer, path, network=network), self._guard)
        self._readers: dict[threading.Thread, _Reader] = {}
        self._readers_lock = threading.Lock()
        self._closed = False

    @classmethod
    def open(
        cls,
        path: Path | str,
        schema: Schema,
        *,
        create: bool = False,
        network: bool | None = None,
        owner: Owner | None = None,
    ) -> Database:
        """Open a record.

        A record in an older form is brought up to date; otherwise nothing is written.

        Parameters
        ----------
        path : Path
            The file.
        schema : Schema
            Its form: ``ARCHIVE``, ``DOWNLOADS`` or ``CATALOGUES`` of :mod:`daxa.store.schema`.
        create : bool
            Whether the file, and its directory, are made if they are not there.
        network : bool, optional
            Whether it lies on a network file system, where a rollback journal takes the place of the WAL; by default
            the table of mounts tells.
        owner : Owner, optional
            Who would hold the lease; by default this process.

        Raises
        ------
        ArchiveNotFoundError
            If there is no file, and none is to be made.
        DamagedRecordError
            If it is not such a record, or cannot be read.
        NewerSchemaError
            If a newer version wrote it.
        StorageError
            If the disk is full or read-only.
        ArchiveInUseError
            If it has to be brought up to date while another process writes.
        """
        path = Path(path).absolute()
        database = cls(
            path, schema, network=bool(network_file_system(path)) if network is None else network, owner=owner
        )
        try:
            if database._must_be_prepared(create):
                database._prepare()
        except BaseException as problem:
            database.close()
            error = translate(problem, path)
            if error is problem:
                raise
            raise error from problem
        return database

    # --- reading ----------------------------------------------------------------------------------------------------

    def read(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """Run a query on this thread's read-only connection.

        Parameters
        ----------
        sql : str
            A SELECT.
        params : sequence or dict
            Its values.

        Returns
        -------
        list of sqlite3.Row
            All rows.
        """
        with self._reading() as connection:
            return connection.execute(sql, params).fetchall()

    @contextmanager
    def snapshot(self) -> Iterator[Callable[..., list[sqlite3.Row]]]:
        """Read several times from one and the same state; yields a function like :meth:`read`."""
        with self._reading() as connection:
            connection.execute("BEGIN")
            try:
                yield lambda sql, params=(): connection.execute(sql, params).fetchall()
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            reader = self._locked_reader()
            try:
                yield reader.connection
            finally:
                reader.lock.release()
                if len(self._readers) > READERS:
                    with self._readers_lock:
                        self._make_room()
        except sqlite3.Error as problem:
            if self._closed:
                raise self._not_open() from None
            error = translate(problem, self.path)
            if error is problem:
                raise
            raise error from problem

    def _locked_reader(self) -> _Reader:
        """Lock this thread's reader; one that was closed for another thread's sake meanwhile is made again."""
        while True:
            reader = self._reader()
            reader.lock.acquire()
            if self._closed or self._readers.get(threading.current_thread()) is reader:
                return reader
            reader.lock.release()

    def _reader(self) -> _Reader:
        me = threading.current_thread()
        reader = self._readers.get(me)
        if reader is None:
            with self._readers_lock:
                if self._closed:
                    raise self._not_open()
                for thread in [thread for thread in self._readers if not thread.is_alive()]:
                    self._readers.pop(thread).connection.close()
                self._make_room()
                reader = self._readers[me] = _Reader(connect_reader(self.path))
        return reader

    def _make_room(self) -> None:
        """Close readers that nobody uses just now, so that many threads do not hold many files open."""
        for thread, reader in list(self._readers.items()):
            if len(self._readers) < READERS:
                return
            if reader.lock.acquire(blocking=False):
                try:
                    self._readers.pop(thread).connection.close()
                finally:
                    reader.lock.release()

    def _not_open(self) -> ArchiveNotOpenError:
        return ArchiveNotOpenError(
            f"The record {self.path} is closed.", expected="an open archive", remedy="open the archive again"
        )

    def writing_owner(self) -> Held | None:
        """Return who holds the lease and lives; None if nobody does."""
        if not self._schema.leased:
            return None
        with self._reading() as connection:
            held = read_lease(connection)
        return held if held is not None and held.lives(self.owner, time.time()) else None

    # --- writing ----------------------------------------------------------------------------------------------------

    def submit(self, function: Callable[[sqlite3.Connection], T]) -> Written[T]:
        """Queue a function for the writer's thread; see :meth:`daxa.store.writer.Writer.submit`."""
        return self._writer.submit(function)

    async def write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Submit, and wait without blocking the event loop."""
        return await self.submit(function)

    def write_now(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Submit, and wait."""
        return self.submit(function).result()

    def flush(self) -> None:
        """Wait until everything submitted so far is written."""
        self.submit(_nothing).result()

    def lease(self) -> Hold:
        """Hold the right to write for the length of a ``with`` or ``async with`` block; blocks may be nested.

        Raises
        ------
        ArchiveInUseError
            On entering, if another living process or object holds it.
        """
        return Hold(self._writer, self._guard)

    def close(self, wait: float = CLOSE_WAIT) -> None:
        """Write what is queued, give the lease back, close all connections. May be called again.

        Parameters
        ----------
        wait : float
            Most seconds it takes; whoever still waits for a write then is told that it did not end.
        """
        with self._readers_lock:
            self._closed = True
            readers = list(self._readers.values())
            self._readers.clear()
        for reader in readers:
            if not reader.lock.acquire(timeout=0.2):
                reader.connection.interrupt()
                if not reader.lock.acquire(timeout=wait):
                    continue  # a block of snapshot() that does not end; its connection goes with it
            try:
                reader.connection.close()
            finally:
                reader.lock.release()
        self._writer.close(wait)  # last of all: the last connection clears the WAL away

    def __del__(self) -> None:
        """Close what reads, for whoever only looked and let go; what writes has a thread of its own, and is closed."""
        for reader in list(getattr(self, "_readers", {}).values()):
            reader.connection.close()

    # --- opening ----------------------------------------------------------------------------------------------------

    def _must_be_prepared(self, create: bool) -> bool:
        """Look at the file, and say whether tables must be made or changed."""
        if not self.path.exists():
            if create:
                return True
            raise ArchiveNotFoundError(
                f"There is no record {self.path}.",
                expected=f"the record of {self._schema.name}",
                remedy="check the name and the output directory",
                path=str(self.path),
            )
        header = check_file(self.path, create=create)
        if not header:
            return True
        if self._network and in_wal_mode(header):
            self._leave_wal()
        with self._reading() as connection:
            verdict = connection.execute("PRAGMA quick_check('sqlite_master')").fetchone()[0]
            if verdict != "ok":
                raise damaged(self.path, verdict)
            pending = self._schema.pending(connection)
            if len(pending) == len(self._schema.migrations) and not create:
                raise damaged(self.path, "it holds no tables")
            return bool(pending)

    def _leave_wal(self) -> None:
        """Take a record that was moved here out of WAL mode, before anyone reads it; on a read-only medium it stays."""
        try:
            connect_writer(self.path, network=True).close()
        except sqlite3.Error as problem:
            if not isinstance(translate(problem, self.path), StorageError):
                raise

    def _prepare(self) -> None:
        """Make or change the tables, in one transaction that comes between no one's writing."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise StorageError(
                f"The directory {self.path.parent} cannot be made: {problem.strerror or problem}.",
                expected="a writable directory",
                remedy="choose another output directory",
                path=str(self.path.parent),
            ) from problem
        if not self.path.exists():
            self._make()
        with closing(connect_writer(self.path, network=self._network, create=True)) as connection:
            self._bring_up_to_date(connection)

    def _make(self) -> None:
        """Make the file out of sight, and name it when it is whole: nobody ever finds one without tables."""
        new = self.path.with_name(f".{self.path.name}.{self.owner.token}")
        try:
            with closing(connect_writer(new, network=self._network, create=True)) as connection:
                self._bring_up_to_date(connection)
            try:
                os.link(new, self.path)  # unlike a rename it leaves alone what another process has made meanwhile
            except OSError:
                if not self.path.exists():
                    new.rename(self.path)  # a file system without hard links
        finally:
            for suffix in ("", "-wal", "-shm", "-journal"):
                new.with_name(new.name + suffix).unlink(missing_ok=True)

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if self._schema.pending(connection) != self._schema.migrations:
                self._guard.check(connection)
            self._schema.bring_up_to_date(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
