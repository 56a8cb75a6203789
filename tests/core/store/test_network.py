"""Network file systems are recognised, and get a rollback journal."""

import threading

import pytest

from daxa.outcome import State
from daxa.store.db import Database
from daxa.store.filesystems import network_file_system
from daxa.store.records import ArchiveRecord
from daxa.store.schema import ARCHIVE

MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/local ext4 rw 0 0
scratch@tcp:/lustre /lus\\040tre lustre rw 0 0
host:/x /home/me/far fuse.sshfs rw 0 0
auto /data autofs rw 0 0
server:/data /data nfs rw 0 0
gpfs0 /gpfs gpfs rw 0 0
beegfs_nodev /bee beegfs rw 0 0
//server/share /mnt/share cifs rw 0 0
tmpfs /tmp tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/var/x", None),
        ("/home/me/x", "nfs4"),
        ("/home/local/x", None),
        ("/homer/x", None),
        ("/lus tre/x", "lustre"),
        ("/home/me/far/x/y", "fuse.sshfs"),
        ("/data/x", "nfs"),
        ("/gpfs", "gpfs"),
        ("/bee/x", "beegfs"),
        ("/mnt/share/x", "cifs"),
        ("/tmp/x", None),
    ],
)
def test_longest_mount_point_decides(tmp_path, place, kind):
    from pathlib import Path

    table = tmp_path / "mounts"
    table.write_text(MOUNTS)
    assert network_file_system(Path(place), table) == kind


def test_no_table_of_mounts(tmp_path):
    assert network_file_system(tmp_path, tmp_path / "missing") is None


def test_rollback_journal(path, entry):
    record = ArchiveRecord(Database.open(path, ARCHIVE, create=True, network=True))
    other = ArchiveRecord(Database.open(path, ARCHIVE, network=True))
    with record.writing():
        for number in range(20):
            record.journal([entry(number)]).result()
            assert len(other.tasks()) == number + 1
    assert not path.with_name(path.name + "-wal").exists()
    assert record.db.write_now(lambda one: one.execute("PRAGMA journal_mode").fetchone()[0]) == "truncate"
    record.close()
    other.close()


def test_readers_and_writer_share_a_rollback_journal(path, entry):
    record = ArchiveRecord(Database.open(path, ARCHIVE, create=True, network=True))
    failures, stop = [], threading.Event()

    def look():
        try:
            while not stop.is_set():
                record.counts()
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(30):
        record.journal([entry(number)]).result()
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert record.counts() == {State.SUCCEEDED: 30}
    record.close()


def test_archive_moved_to_a_network_file_system(path, entry):
    local = ArchiveRecord(Database.open(path, ARCHIVE, create=True, network=False))
    local.journal([entry(1)]).result()
    local.close()
    moved = ArchiveRecord(Database.open(path, ARCHIVE, network=True))
    assert len(moved.tasks()) == 1
    moved.journal([entry(2)]).result()
    assert not path.with_name(path.name + "-wal").exists()
    assert len(moved.tasks()) == 2
    moved.close()
