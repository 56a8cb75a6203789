"""One writer, many readers."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from attrs import evolve

from daxa.exceptions import ArchiveInUseError
from daxa.outcome import State
from daxa.store import lease
from daxa.store.lease import Owner
from daxa.store.records import ArchiveRecord


def writer_of(record):
    return record.db.read("SELECT token, host, pid, since, beat FROM lease")


HEAD = """
    import sys, time
    from daxa.store.records import ArchiveRecord
    record = ArchiveRecord.open(sys.argv[1])
    with record.writing():
        record.set_meta({"head": "here"}).result()
        print("writing", flush=True)
        sys.stdin.read()
    record.close()
"""


@pytest.fixture
def head(path):
    """Another process that holds the lease until its standard input ends."""
    processes = []

    def start(code=HEAD, wait=True):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        if wait:
            assert process.stdout.readline() == "writing\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_second_head_is_refused_clearly(record, entry, head):
    other = head()
    with pytest.raises(ArchiveInUseError) as caught, record.writing():
        pass
    message = str(caught.value)
    assert f"process {other.pid} on {socket.gethostname()}" in message
    assert "since" in message
    assert caught.value.context["pid"] == other.pid
    with pytest.raises(ArchiveInUseError):
        record.journal([entry()]).result()
    assert record.meta("head") == "here", "reading goes on"
    assert record.writer().owner.pid == other.pid
    other.communicate("")
    assert other.returncode == 0
    assert record.writer() is None
    with record.writing():
        record.journal([entry()]).result()


def test_dead_owner_loses_the_lease_at_once(record, entry, head):
    other = head()
    other.send_signal(signal.SIGKILL)
    for _ in range(500):  # a killed process that nobody has waited for is a zombie; it counts as dead too
        if lease.process_start(other.pid) is None:
            break
        time.sleep(0.01)
    assert len(writer_of(record)) == 1
    assert record.writer() is None
    with record.writing():
        record.journal([entry()]).result()
    assert writer_of(record) == []


def test_stopped_owner_is_alive(record, head):
    other = head()
    other.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(ArchiveInUseError), record.writing():
            pass
    finally:
        other.send_signal(signal.SIGCONT)


def test_lease_is_given_back_and_nests(record, entry):
    with record.writing():
        with record.writing():
            record.journal([entry(1)]).result()
        assert len(writer_of(record)) == 1
        record.journal([entry(2)]).result()
    assert writer_of(record) == []
    record.journal([entry(3)]).result()
    assert writer_of(record) == [], "a single write is its own lease"


def test_two_objects_of_one_process(record, path, entry):
    other = ArchiveRecord.open(path)
    with record.writing(), pytest.raises(ArchiveInUseError, match="another Archive object of this process"):
        other.journal([entry()]).result()
    other.journal([entry()]).result()
    other.close()


def test_closing_gives_the_lease_back(record, path):
    hold = record.writing()
    hold.__enter__()
    record.close()
    hold.__exit__(None, None, None)
    other = ArchiveRecord.open(path)
    assert writer_of(other) == []
    other.close()


def set_owner(record, owner, beat):
    def write(connection):
        connection.execute(
            "INSERT OR REPLACE INTO lease VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
            (owner.token, owner.host, owner.boot_id, owner.namespace, owner.pid, owner.process_start, beat, beat),
        )

    record.db.write_now(write)


def test_owner_elsewhere_has_three_heartbeats(record, entry):
    elsewhere = evolve(Owner.me(), token="t", host="node17", boot_id="b", pid=1)
    set_owner(record, elsewhere, time.time() - 2 * lease.BEAT)
    with pytest.raises(ArchiveInUseError, match="process 1 on node17"):
        record.journal([entry()]).result()
    set_owner_anew(record, elsewhere, time.time() - 3.1 * lease.BEAT)
    record.journal([entry()]).result()
    assert writer_of(record) == []


def set_owner_anew(record, owner, beat):
    """Write the row although the guard would not allow it."""
    record.db._writer.submit(
        lambda connection: connection.execute("UPDATE lease SET beat = ?", (beat,)), guarded=False
    ).result()


@pytest.mark.parametrize(
    ("change", "alive"),
    [
        ({}, True),
        ({"boot_id": "an earlier boot"}, False),
        ({"process_start": "12"}, False),  # the number was given to another process since
        ({"pid": 2**22 + 1}, False),
        ({"namespace": "pid:[1]"}, True),  # a container: its heartbeat speaks
    ],
)
def test_who_lives_on_this_machine(record, entry, change, alive):
    owner = evolve(Owner.me(), token="other", **change)
    if owner.host.startswith("localhost"):
        pytest.skip("this machine has no name")
    set_owner(record, owner, time.time())
    if alive:
        with pytest.raises(ArchiveInUseError):
            record.journal([entry()]).result()
    else:
        record.journal([entry()]).result()


def test_heartbeat(record, monkeypatch):
    monkeypatch.setattr(lease, "BEAT", 0.05)
    with record.writing():
        first = writer_of(record)[0]["beat"]
        deadline = time.monotonic() + 10
        while writer_of(record)[0]["beat"] < first + 0.1:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_head_that_lost_its_lease_writes_no_more(record, path, entry):
    other = ArchiveRecord.open(path)
    with record.writing():
        record.journal([entry(1)]).result()
        record.db._writer.submit(  # as another machine would, after three missed heartbeats
            lambda connection: connection.execute("DELETE FROM lease"), guarded=False
        ).result()
        with other.writing():
            other.journal([entry(2)]).result()
            with pytest.raises(ArchiveInUseError, match="lost the right to write"):
                record.journal([entry(3)]).result()
        with pytest.raises(ArchiveInUseError, match="lost the right to write"):
            record.journal([entry(3)]).result()
    with record.writing():
        record.journal([entry(4)]).result()
    assert [one.obs_id[-1] for one in record.tasks()] == ["1", "2", "4"]
    other.close()


@pytest.mark.anyio
async def test_cancelled_while_taking_gives_it_back(record):
    gate = threading.Event()
    record.db.submit(lambda _connection: gate.wait(10))

    async def hold():
        async with record.writing():
            await asyncio.sleep(60)

    task = asyncio.create_task(hold())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    for _ in range(3):
        record.flush()
    assert writer_of(record) == []
    assert record.db._guard.holds == 0


@pytest.mark.anyio
async def test_refused_while_entering(record, head):
    head()
    with pytest.raises(ArchiveInUseError):
        async with record.writing():
            pass
    assert record.db._guard.holds == 0


def test_eight_readers_during_writes_are_always_consistent(path, record, head):
    record.close()
    code = """
        import sys
        from daxa.ids import DataId, TaskKey
        from daxa.outcome import State
        from daxa.store.records import ArchiveRecord, TaskEntry
        record = ArchiveRecord.open(sys.argv[1])
        with record.writing():
            print("writing", flush=True)
            for number in range(300):
                # Six tasks always change together.
                keys = [TaskKey(f"p{one}", DataId("m", f"{number // 3:06d}")) for one in range(6)]
                state = (State.READY, State.RUNNING, State.SUCCEEDED)[number % 3]
                record.journal([TaskEntry(key=key, state=state, started=1.0, attempt=1) for key in keys])
                if number % 10 == 0:
                    record.flush()
        record.close()
    """
    process = head(code)
    ends = []

    def look():
        reader = ArchiveRecord.open(path)
        looks = 0
        try:
            while process.poll() is None or looks < 5:
                with reader.db.snapshot() as read:
                    states = read("SELECT obs_id, count(*), count(DISTINCT state) FROM tasks GROUP BY obs_id")
                    tasks = read("SELECT count(*) FROM tasks")[0][0]
                    events = read("SELECT count(*) FROM history WHERE state = 'ready'")[0][0]
                assert all((row[1], row[2]) == (6, 1) for row in states)
                assert tasks == events
                looks += 1
            ends.append(looks)
        finally:
            reader.close()

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 8
    assert process.wait() == 0
    done = ArchiveRecord.open(path)
    assert done.counts() == {State.SUCCEEDED: 600}
    done.close()


def test_process_start():
    assert lease.process_start(os.getpid()) == lease.process_start(os.getpid())
    assert lease.process_start(2**22 + 1) is None
