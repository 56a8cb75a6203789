"""The one thread that writes to a record: a queue, and one transaction for all that waits in it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar

from attrs import frozen

from daxa.exceptions import ArchiveNotOpenError, DamagedRecordError, DaxaError, StorageError
from daxa.store.faults import translate
from daxa.store.lease import Guard

log = logging.getLogger(__name__)

T = TypeVar("T")

GROUP: Final = 512
"""Most jobs in one transaction."""

CLOSE_WAIT: Final = 10.0
"""Seconds that closing waits for the queue."""


class Written(Future[T]):
    """What a write will return: ``await`` it, or ask for ``result()``.

    What was submitted is written, also if the one who waits for it is cancelled.
    """

    def __await__(self) -> Generator[Any, None, T]:
        if not self.done():
            loop = asyncio.get_running_loop()
            waiter: asyncio.Future[None] = loop.create_future()

            def wake() -> None:
                if not waiter.done():
                    waiter.set_result(None)

            def settled(_written: Future[T]) -> None:
                with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                    loop.call_soon_threadsafe(wake)

            self.add_done_callback(settled)
            yield from waiter
        return self.result()


@frozen
class _Job:
    function: Callable[[sqlite3.Connection], Any]
    done: Written[Any]
    guarded: bool = True


class _JobFailed(Exception):
    """A job of a group raised: the group is undone and run once more, each job within a savepoint."""


_End = tuple[Any, BaseException | None]


class Writer:
    """Runs functions on the record's writing connection, one after the other, several to a transaction.

    Parameters
    ----------
    path : Path
        The record.
    connect : callable
        Opens the writing connection; called in the writer's thread, before it takes any work.
    guard : Guard
        Decides whether a transaction may be made.
    """

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection], guard: Guard) -> None:
        self._path = path
        self._connect = connect
        self._guard = guard
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._group: list[_Job] = []
        self._closed = False
        self._poison: BaseException | None = None

    # --- called from any thread -------------------------------------------------------------------------------------

    def submit(self, function: Callable[[sqlite3.Connection], T], *, guarded: bool = True) -> Written[T]:
        """Queue a function; it runs within a transaction, and its own changes are undone if it raises.

        Parameters
        ----------
        function : callable
            Takes the connection. It must not begin, commit or roll back, and must touch nothing but the record: it is
            run a second time if another function of its transaction fails.
        guarded : bool
            Whether the lease is looked at first.

        Raises
        ------
        ArchiveNotOpenError
            If the record is closed.
        DaxaError
            What ended the writer, if it has ended.
        """
        done: Written[T] = Written()
        with self._lock:
            if self._closed:
                raise ArchiveNotOpenError(
                    f"The record {self._path} is closed.", expected="an open archive", remedy="open the archive again"
                )
            if self._poison is not None:
                raise self._poison
            self._jobs.put(_Job(function, done, guarded))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"daxa writes {self._path.name}", daemon=True)
                self._thread.start()
        return done

    def close(self, wait: float = CLOSE_WAIT) -> None:
        """Write what is queued, give the lease back, and end. May be called again.

        Parameters
        ----------
        wait : float
            Seconds after which whoever still waits is told that the write did not end.
        """
        with self._lock:
            thread = self._thread
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        if thread is None or thread is threading.current_thread():
            return
        thread.join(wait)
        if thread.is_alive():
            self._fail(
                StorageError(
                    f"Writing to {self._path} did not end within {wait:.0f} s.",
                    remedy="see whether the file system answers; what was recorded before is intact",
                    path=str(self._path),
                )
            )
            connection = self._connection
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    connection.interrupt()
            thread.join(1.0)

    # --- the writer's own thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._connection = self._connect()
            try:
                self._serve(self._connection)
            finally:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.close()
        except BaseException as problem:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._fail(translate(problem, self._path))

    def _fail(self, problem: BaseException) -> None:
        """Poison the queue: everyone who waits is told, and nobody can submit any more."""
        with self._lock:
            self._poison = self._poison or problem
            jobs = list(self._group)
            with contextlib.suppress(queue.Empty):
                while True:
                    job = self._jobs.get_nowait()
                    jobs += [job] if job is not None else []
        for job in jobs:
            _settle(job.done, problem=problem)

    def _serve(self, connection: sqlite3.Connection) -> None:
        more = True
        while more and self._poison is None:
            self._group, more = self._next_group()
            self._transact(connection)
            self._group = []
        if self._guard.holds:
            self._guard.holds = 1
            self._group = [_Job(self._guard.give_back, Written(), guarded=False)]
            self._transact(connection)

    def _next_group(self) -> tuple[list[_Job], bool]:
        """Wait for work or the next heartbeat, then take all there is; False says that it was the last."""
        group: list[_Job] = []
        try:
            job = self._jobs.get(timeout=self._guard.seconds_to_beat())
            while job is not None:
                if job.done.set_running_or_notify_cancel():
                    group.append(job)
                if len(group) == GROUP:
                    return group, True
                job = self._jobs.get_nowait()
        except queue.Empty:
            return group, True
        return group, False

    def _transact(self, connection: sqlite3.Connection) -> None:
        """Run the group within one transaction, and tell each of its jobs how it ended."""
        beat = self._guard.due()
        if not self._group and not beat:
            return
        holds = self._guard.holds
        try:
            try:
                ends = self._attempt(connection, beat, careful=False)
            except _JobFailed:
                self._guard.holds = holds
                _roll_back(connection)
                ends = self._attempt(connection, beat, careful=True)
        except BaseException as problem:
            self._guard.holds = holds
            error = translate(problem, self._path)
            _roll_back(connection)
            for job in self._group:
                _settle(job.done, problem=error)
            if not isinstance(problem, sqlite3.Error) or isinstance(error, DamagedRecordError):
                raise
            if not self._group:
                log.warning("no heartbeat could be written: %s", error)
            return
        for job, (value, failure) in zip(self._group, ends, strict=True):
            _settle(job.done, value, failure)

    def _attempt(self, connection: sqlite3.Connection, beat: bool, *, careful: bool) -> list[_End]:
        """Run all jobs and commit; `careful` gives each its own savepoint, which costs three times as much."""
        connection.execute("BEGIN IMMEDIATE")
        refused = self._refusal(connection)
        if beat and refused is None:
            self._guard.beat(connection)
        one = self._careful if careful else self._bold
        ends = [(None, refused) if refused and job.guarded else one(connection, job) for job in self._group]
        connection.execute("COMMIT")
        return ends

    def _refusal(self, connection: sqlite3.Connection) -> BaseException | None:
        try:
            self._guard.check(connection)
        except DaxaError as problem:
            return problem
        return None

    @staticmethod
    def _bold(connection: sqlite3.Connection, job: _Job) -> _End:
        try:
            return job.function(connection), None
        except BaseException as problem:
            raise _JobFailed from problem

    def _careful(self, connection: sqlite3.Connection, job: _Job) -> _End:
        connection.execute("SAVEPOINT job")
        try:
            value = job.function(connection)
            connection.execute("RELEASE job")
        except BaseException as problem:
            if not connection.in_transaction:
                raise  # SQLite itself has undone the whole transaction, as it does when the disk is full
            connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
            return None, translate(problem, self._path)
        return value, None


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def _settle(done: Written[Any], value: Any = None, problem: BaseException | None = None) -> None:
    """Tell whoever waits; a second time does nothing."""
    with contextlib.suppress(Exception):  # it may be settled or cancelled at this very moment
        if problem is not None:
            done.set_exception(problem)
        else:
            done.set_result(value)
