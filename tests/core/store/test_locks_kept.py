"""Locks that SQLite has on a record stay, whatever else the same process does with the file."""

import subprocess
import sys

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
