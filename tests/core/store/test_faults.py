"""Full and read-only disks, damaged, foreign and newer files: typed errors, nothing half-written."""

import resource
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from daxa.exceptions import ArchiveNotFoundError, DamagedRecordError, NewerSchemaError, StorageError
from daxa.outcome import State
from daxa.store.connections import connect_reader
from daxa.store.db import Database
from daxa.store.records import ArchiveRecord, TaskEntry
from daxa.store.schema import ARCHIVE, CATALOGUES, DOWNLOADS


def pragma(record, text):
    record.db.write_now(lambda connection: connection.execute(f"PRAGMA {text}").fetchone())


@pytest.fixture
def big(key):
    return [TaskEntry(key=key(number), state=State.FAILED, cause="x" * 3000) for number in range(200)]


def test_full_disk_is_a_storage_error_and_the_next_run_goes_on(record, path, entry, big):
    record.journal([entry(1)]).result()
    pages = record.db.read("PRAGMA page_count")[0][0]
    pragma(record, f"max_page_count = {pages + 20}")
    with pytest.raises(StorageError) as caught:
        record.journal(big).result()
    assert caught.value.code == "storage"
    assert caught.value.remedy
    assert str(path) in str(caught.value)
    assert [one.key.data_id.obs_id for one in record.tasks()] == ["0000000001"]
    pragma(record, "max_page_count = 1000000")
    record.journal(big).result()
    assert len(record.tasks()) == 200
    assert record.db.read("PRAGMA integrity_check")[0][0] == "ok"


def test_full_disk_fails_only_what_did_not_fit(record, entry, big):
    pages = record.db.read("PRAGMA page_count")[0][0]
    pragma(record, f"max_page_count = {pages + 20}")
    futures = [record.journal(big)] + [record.journal([entry(number)]) for number in range(5)]
    ends = [future.exception(10) for future in futures]
    assert isinstance(ends[0], StorageError)
    record.journal([entry(9)]).result()
    written = {one.key.data_id.obs_id for one in record.tasks()}
    for number, end in enumerate(ends[1:]):
        assert (f"{number:010d}" in written) == (end is None)


def test_read_only_record(record, entry):
    record.flush()
    connection = record.db._writer._connection
    connection.execute("PRAGMA query_only = 1")
    with pytest.raises(StorageError):
        record.journal([entry(1)]).result()
    connection.execute("PRAGMA query_only = 0")
    record.journal([entry(1)]).result()
    assert len(record.tasks()) == 1


def run(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def test_file_size_limit(record, path, entry):
    record.journal([entry(1)]).result()
    record.close()
    limit = path.stat().st_size + 60_000
    done = run(
        """
        import sys
        from daxa.exceptions import StorageError
        from daxa.ids import DataId, TaskKey
        from daxa.outcome import State
        from daxa.store.records import ArchiveRecord, TaskEntry
        record = ArchiveRecord.open(sys.argv[1])
        written = 0
        try:
            for number in range(10_000):
                key = TaskKey("other", DataId("xmm_pointed", f"{number:010d}"))
                record.journal([TaskEntry(key=key, state=State.FAILED, cause="x" * 2000)]).result()
                written += 1
        except StorageError as problem:
            print(written, type(problem).__name__)
        record.close()
        """,
        path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 0, done.stderr
    written, name = done.stdout.split()
    assert name == "StorageError"
    again = ArchiveRecord.open(path)
    assert len(again.tasks(process="other")) == int(written) > 0
    again.journal([entry(2)]).result()
    assert again.db.read("PRAGMA integrity_check")[0][0] == "ok"
    again.close()


def test_creation_on_a_full_disk(tmp_path):
    done = run(
        """
        import sys
        from daxa.exceptions import StorageError
        from daxa.store.records import ArchiveRecord
        try:
            ArchiveRecord.create(sys.argv[1])
        except StorageError as problem:
            print(type(problem).__name__)
        """,
        tmp_path / "a" / "record.sqlite",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)),
    )
    assert (done.stdout.strip(), done.returncode) == ("StorageError", 0), done.stderr
    record = ArchiveRecord.create(tmp_path / "a" / "record.sqlite")
    assert record.tasks() == []
    record.close()


def test_reading_where_nothing_can_be_written(record, path, entry):
    record.journal([entry(1)]).result()
    record.close()
    done = run(
        """
        import sys
        from daxa.store.records import ArchiveRecord
        record = ArchiveRecord.open(sys.argv[1])
        print(len(record.tasks()))
        record.close()
        """,
        path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    assert done.stdout == "1\n", done.stderr


def test_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be made"):
        ArchiveRecord.create(tmp_path / "file" / "record.sqlite")


def test_record_that_is_a_directory(tmp_path):
    with pytest.raises(StorageError, match="cannot be opened"):
        ArchiveRecord.open(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"not a database", b"garbage" * 10_000, b"SQLite format 3\x00", b"\x00" * 8192]
)
def test_garbage(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(DamagedRecordError) as caught:
        ArchiveRecord.open(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content, "the file is left as it is"


@pytest.fixture
def filled(record, path, entry):
    record.journal([entry(number, cause="c" * 500) for number in range(300)]).result()
    record.close()
    return path


@pytest.mark.parametrize("part", [0.01, 0.3, 0.6, 0.999])
def test_truncated_file(filled, part):
    whole = filled.read_bytes()
    filled.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(DamagedRecordError):
        ArchiveRecord.open(filled)


def test_overwritten_schema(filled):
    content = bytearray(filled.read_bytes())
    content[100:4096] = b"\xff" * 3996
    filled.write_bytes(content)
    with pytest.raises(DamagedRecordError):
        ArchiveRecord.open(filled)


def test_damage_further_in_is_found_on_reading(filled):
    content = bytearray(filled.read_bytes())
    middle = len(content) // 2
    content[middle:] = b"\xa5" * (len(content) - middle)
    filled.write_bytes(content)
    with pytest.raises(DamagedRecordError):
        record = ArchiveRecord.open(filled)
        try:
            record.tasks()
        finally:
            record.close()


def test_other_programs_file(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (a)")
    connection.close()
    before = path.read_bytes()
    for create in (False, True):
        with pytest.raises(DamagedRecordError, match="not the record of an archive"):
            Database.open(path, ARCHIVE, create=create)
    assert path.read_bytes() == before


def test_records_are_not_mistaken_for_each_other(path):
    Database.open(path, DOWNLOADS, create=True).close()
    with pytest.raises(DamagedRecordError):
        Database.open(path, CATALOGUES, create=True)


def test_newer_schema_is_refused(filled):
    with sqlite3.connect(filled) as connection:
        connection.execute("INSERT INTO migrations (name, applied) VALUES ('archive-of-the-future', 0)")
    connection.close()
    before = filled.read_bytes()
    for open_it in (ArchiveRecord.open, ArchiveRecord.create):
        with pytest.raises(NewerSchemaError, match="archive-of-the-future") as caught:
            open_it(filled)
        assert str(filled) in str(caught.value)
    assert filled.read_bytes() == before


def test_creation_cut_short_can_be_repeated(path):
    path.parent.mkdir()
    path.touch()
    with pytest.raises(DamagedRecordError):
        ArchiveRecord.open(path)
    ArchiveRecord.create(path).close()
    ArchiveRecord.open(path).close()


def test_missing_file(path):
    with pytest.raises(ArchiveNotFoundError):
        ArchiveRecord.open(path)
    with pytest.raises(sqlite3.OperationalError):
        connect_reader(path)


@pytest.mark.parametrize(
    ("statement", "look"),
    [
        ("UPDATE tasks SET state = 'banana'", lambda record: record.tasks()),
        ("UPDATE tasks SET state = 'banana'", lambda record: record.counts()),
        ("UPDATE tasks SET state = 'banana'", lambda record: record.tallies()),
        ("UPDATE tasks SET extra = '{'", lambda record: record.tasks()),
        ("UPDATE tasks SET caveats = '[1]'", lambda record: record.tasks()),
        ("UPDATE meta SET value = '{'", lambda record: record.meta("version")),
        ("UPDATE missions SET state = ''", lambda record: record.missions()),
        ("UPDATE runs SET request = '{'", lambda record: record.runs()),
        ("UPDATE history SET state = 'banana'", lambda record: record.history()),
        ("DROP TABLE products", lambda record: record.products()),
        ("ALTER TABLE data_ids RENAME COLUMN info TO other", lambda record: record.data_ids()),
    ],
)
def test_rows_that_nobody_wrote_are_a_damaged_record(record, path, entry, statement, look):
    run = record.begin_run({}).result()
    record.set_meta({"version": "0.0.0"})
    record.add_mission("m", "M", {})
    record.journal([entry(1, run_id=run)]).result()
    look(record)
    record.db.write_now(lambda connection: connection.execute(statement))
    with pytest.raises(DamagedRecordError, match="cannot be read") as caught:
        look(record)
    assert str(path) in str(caught.value) and caught.value.remedy
