"""The writing thread, the readers, and how a record is opened and closed."""

import asyncio
import gc
import sqlite3
import threading
import time

import pytest
from blockbuster import blockbuster_ctx

from daxa.exceptions import ArchiveNotFoundError, ArchiveNotOpenError, StorageError
from daxa.ids import DataId, TaskKey
from daxa.outcome import State
from daxa.store.db import READERS, Database
from daxa.store.records import ArchiveRecord, TaskEntry
from daxa.store.schema import DOWNLOADS


def put(value):
    return lambda connection: (
        connection.execute("INSERT INTO observations VALUES (?, '{}', 'complete', NULL, 0, 's')", (value,)).lastrowid
    )


def held(database):
    return sorted(row[0] for row in database.read("SELECT obs_id FROM observations"))


@pytest.fixture
def database(path):
    database = Database.open(path, DOWNLOADS, create=True)
    yield database
    database.close()


def test_what_is_written_is_read(database):
    database.write_now(put("1"))
    assert held(database) == ["1"]


def test_missing_record_is_named(path):
    with pytest.raises(ArchiveNotFoundError, match="record #1"):
        Database.open(path, DOWNLOADS)
    assert not path.parent.exists()


def test_opening_and_reading_write_nothing(path, database):
    database.write_now(put("1"))
    database.close()
    before = path.read_bytes(), path.stat().st_mtime_ns
    threads = threading.active_count()
    again = Database.open(path, DOWNLOADS)
    assert held(again) == ["1"]
    assert threading.active_count() == threads, "no writer before the first write"
    again.close()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_readers_cannot_write(database):
    with pytest.raises(StorageError):
        database.read("DELETE FROM observations")


def test_failing_function_undoes_only_its_own(database):
    gate = threading.Event()
    first = database.submit(lambda _connection: gate.wait(10))  # holds the thread until all the rest is queued

    def fails(connection):
        put("bad")(connection)
        raise ValueError("mine")

    futures = [database.submit(put("1")), database.submit(fails), database.submit(put("2")), database.submit(put("1"))]
    gate.set()
    assert first.result(10) is True
    futures[0].result(10)
    futures[2].result(10)
    with pytest.raises(ValueError, match="mine"):
        futures[1].result(10)
    with pytest.raises(sqlite3.IntegrityError):
        futures[3].result(10)
    assert held(database) == ["1", "2"]


def test_many_threads_write_and_read(database):
    def work(letter):
        for number in range(50):
            database.write_now(put(f"{letter}{number:02d}"))
            assert f"{letter}{number:02d}" in held(database)

    threads = [threading.Thread(target=work, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held(database)) == 200


def test_connections_of_ended_threads_are_closed(database):
    for _ in range(20):
        thread = threading.Thread(target=held, args=(database,))
        thread.start()
        thread.join()
    held(database)
    assert len(database._readers) <= 2


def test_many_threads_hold_few_files_and_all_read(database):
    database.write_now(put("k"))
    gate, barrier, seen = threading.Event(), threading.Barrier(33), []

    def work():
        for _ in range(20):
            seen.append(held(database))
        barrier.wait(10)
        gate.wait(10)
        seen.append(held(database))

    threads = [threading.Thread(target=work) for _ in range(32)]
    with database.snapshot() as read:  # one that is in use is left alone
        for thread in threads:
            thread.start()
        barrier.wait(10)
        assert read("SELECT 1")
        held(database)
        assert len(database._readers) <= READERS
    gate.set()
    for thread in threads:
        thread.join()
    assert seen == [held(database)] * (32 * 21)


def test_snapshot_sees_one_state(database):
    database.write_now(put("1"))
    with database.snapshot() as read:
        before = read("SELECT count(*) FROM observations")[0][0]
        database.write_now(put("2"))
        assert read("SELECT count(*) FROM observations")[0][0] == before
    assert held(database) == ["1", "2"]


def test_close_writes_what_is_queued_and_may_be_called_again(path, database):
    for number in range(2000):
        database.submit(put(f"{number:04d}"))
    database.close()
    database.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name], "no WAL is left behind"
    again = Database.open(path, DOWNLOADS)
    assert len(held(again)) == 2000
    again.close()


def test_closed_record_says_so(database):
    database.write_now(put("1"))
    database.close()
    with pytest.raises(ArchiveNotOpenError):
        database.submit(put("2"))
    with pytest.raises(ArchiveNotOpenError):
        held(database)


def test_close_is_bounded_and_wakes_who_waits(database):
    gate = threading.Event()
    stuck = database.submit(lambda _connection: gate.wait(30))
    waiting = database.submit(put("1"))
    began = time.monotonic()
    database.close(wait=0.2)
    assert time.monotonic() - began < 5
    for future in (stuck, waiting):
        with pytest.raises(StorageError, match="did not end"):
            future.result(1)
    gate.set()


def test_writer_that_cannot_connect_wakes_all_waiters(path, database):
    path.unlink()
    futures = []
    for number in range(20):
        try:
            futures.append(database.submit(put(str(number))))
        except StorageError:
            break
    assert futures
    for future in futures:
        with pytest.raises(StorageError, match="record #1"):
            future.result(10)
    with pytest.raises(StorageError):
        for _ in range(100):
            database.write_now(put("again"))


def test_dying_writer_wakes_all_waiters(database, monkeypatch):
    def break_down(_connection):
        raise SystemError("a defect")

    database.write_now(put("1"))
    monkeypatch.setattr(database._writer, "_refusal", break_down)
    futures = []
    with pytest.raises(SystemError, match="a defect"):
        for number in range(10_000):
            futures.append(database.submit(put(f"x{number}")))
            if number > 50:
                time.sleep(0.001)
    for future in futures:
        with pytest.raises(SystemError):
            future.result(10)
    database.close()


def test_concurrent_creation(path):
    barrier = threading.Barrier(6)
    opened, failures = [], []

    def create():
        barrier.wait()
        try:
            opened.append(Database.open(path, DOWNLOADS, create=True))
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for number, database in enumerate(opened):
        database.write_now(put(str(number)))
    assert len(held(opened[0])) == 6
    for database in opened:
        database.close()


@pytest.mark.anyio
async def test_awaiting_does_not_block_the_loop(path):
    record = await asyncio.to_thread(ArchiveRecord.create, path)
    entry = TaskEntry(key=TaskKey("clean", DataId("m", "1")), state=State.RUNNING)
    with blockbuster_ctx():
        async with record.writing():
            run = await record.begin_run({"processes": ["clean"]})
            await asyncio.gather(*(record.journal([entry]) for _ in range(200)))
            assert await record.db.write(lambda _connection: "value") == "value"
    history = await asyncio.to_thread(record.history, process="clean")
    assert run == 1
    assert len(history) == 200
    await asyncio.to_thread(record.close)


@pytest.mark.anyio
async def test_cancelled_waiter_does_not_undo_the_write(path):
    database = await asyncio.to_thread(Database.open, path, DOWNLOADS, create=True)
    gate = threading.Event()
    database.submit(lambda _connection: gate.wait(10))

    async def write():
        await database.submit(put("1"))

    waiter = asyncio.create_task(write())
    await asyncio.sleep(0.01)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    gate.set()
    await asyncio.to_thread(database.flush)
    assert await asyncio.to_thread(held, database) == ["1"]
    await asyncio.to_thread(database.close)


@pytest.mark.anyio
async def test_awaited_failure_is_raised(path):
    database = await asyncio.to_thread(Database.open, path, DOWNLOADS, create=True)

    def fails(_connection):
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await database.write(fails)
    await asyncio.to_thread(database.close)


def test_nothing_is_left_open(path):
    before = threading.active_count()
    for _ in range(3):
        database = Database.open(path, DOWNLOADS, create=True)
        database.write_now(lambda _connection: None)
        held(database)
        database.close()
    del database
    gc.collect()  # an unclosed connection would be a warning, and warnings are errors here
    assert threading.active_count() == before


def test_closing_ends_a_long_read(database):
    ends, began = [], threading.Event()

    def read():
        began.set()
        try:
            database.read(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)"
                " SELECT max(i) FROM n"
            )
        except BaseException as problem:
            ends.append(problem)

    thread = threading.Thread(target=read)
    thread.start()
    began.wait()
    time.sleep(0.1)
    database.close()
    thread.join(10)
    assert not thread.is_alive()
    assert isinstance(ends[0], ArchiveNotOpenError)
