"""Locks that SQLite has on a record stay, whatever else the same process does with the file."""

import gc
import subprocess
import sys
import threading

from daxa.store import connections
from daxa.store.downloads import FILE, DownloadRecord

LOCKED = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:  # where SQLite's shared locks lie: "File Locking And Concurrency", 510 bytes after the first gigabyte
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
    except OSError:
        print("locked")
"""


def is_locked(path):
    return (
        subprocess.run([sys.executable, "-c", LOCKED, str(path)], capture_output=True, text=True).stdout == "locked\n"
    )


def test_opening_a_record_twice_keeps_the_locks_of_the_first(tmp_path):
    first = DownloadRecord.open(tmp_path)
    assert first.files() == [] and is_locked(tmp_path / FILE)
    second = DownloadRecord.open(tmp_path)
    assert is_locked(tmp_path / FILE)
    assert second.files() == []
    second.close()
    assert is_locked(tmp_path / FILE)
    first.close()
    assert not is_locked(tmp_path / FILE)


def test_a_record_collected_as_garbage_while_another_is_opened_stops_nobody(tmp_path, monkeypatch):
    def let_go():
        record = DownloadRecord.open(tmp_path / "first")
        assert record.files() == []
        record.itself = record  # only the collector finds it

    real = connections._identity

    def identity(path):  # it is called while the lock is held
        gc.collect()
        return real(path)

    (tmp_path / "first").mkdir()
    gc.disable()
    try:
        let_go()
        monkeypatch.setattr(connections, "_identity", identity)
        thread = threading.Thread(target=lambda: DownloadRecord.open(tmp_path).close(), daemon=True)
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
    finally:
        gc.enable()
