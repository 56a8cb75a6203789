"""Migrations: in order, each once, whole or not at all. The specimen was written by the first schema."""

import sqlite3
from pathlib import Path

import pytest
from attrs import evolve

from daxa.exceptions import ArchiveInUseError, DamagedRecordError, NewerSchemaError
from daxa.ids import DataId, TaskKey
from daxa.outcome import Caveat, FailureKind, State
from daxa.store.db import Database
from daxa.store.records import ArchiveRecord
from daxa.store.schema import ARCHIVE, CATALOGUES, DOWNLOADS, Migration

SPECIMEN = Path(__file__).parent / "specimen" / "archive-1.sql"


def names(database):
    return [row[0] for row in database.read("SELECT name FROM migrations ORDER BY position")]


def add_column(connection):
    connection.execute("ALTER TABLE tasks ADD COLUMN node TEXT")


def break_down(connection):
    connection.execute("ALTER TABLE tasks ADD COLUMN other TEXT")
    raise ValueError("half-way")


LATER = evolve(ARCHIVE, migrations=(*ARCHIVE.migrations, Migration("archive-nodes", add_column)))


@pytest.mark.parametrize("schema", [ARCHIVE, DOWNLOADS, CATALOGUES])
def test_migrations_are_recorded(path, schema):
    for _ in range(2):
        database = Database.open(path, schema, create=True)
        assert names(database) == [one.name for one in schema.migrations]
        database.close()


def test_released_migrations_are_never_renamed():
    assert [one.name for one in ARCHIVE.migrations][:2] == ["archive-lease", "archive-tables"]
    assert [one.name for one in DOWNLOADS.migrations][:1] == ["downloads-tables"]
    assert [one.name for one in CATALOGUES.migrations][:1] == ["catalogues-tables"]


def test_older_record_is_brought_up_to_date_once(record, path, entry):
    record.journal([entry(1)]).result()
    record.close()
    for _ in range(2):
        database = Database.open(path, LATER)
        assert names(database)[-1] == "archive-nodes"
        assert ArchiveRecord(database).tasks() == [entry(1)]
        assert database.read("SELECT node FROM tasks")[0][0] is None
        database.close()
    with pytest.raises(NewerSchemaError, match="archive-nodes"):
        ArchiveRecord.open(path)


def test_failing_migration_changes_nothing(record, path):
    record.close()
    broken = evolve(LATER, migrations=(*LATER.migrations, Migration("archive-broken", break_down)))
    with pytest.raises(ValueError, match="half-way"):
        Database.open(path, broken)
    again = ArchiveRecord.open(path)
    assert names(again.db) == [one.name for one in ARCHIVE.migrations]
    again.close()


def test_no_migration_while_another_process_writes(record, path):
    with record.writing(), pytest.raises(ArchiveInUseError):
        Database.open(path, LATER)
    Database.open(path, LATER).close()


def test_migrations_in_another_order(record, path):
    record.close()
    with pytest.raises(DamagedRecordError, match="another order"):
        Database.open(path, evolve(ARCHIVE, migrations=ARCHIVE.migrations[::-1]))


@pytest.fixture
def specimen(path):
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.executescript(SPECIMEN.read_text())
    connection.execute(f"PRAGMA application_id = {ARCHIVE.application_id}")
    connection.commit()
    connection.close()
    record = ArchiveRecord.open(path)
    yield record
    record.close()


def test_specimen_is_read(specimen):
    """An archive written by the first schema opens with everything in it."""
    good = TaskKey("clean", DataId("xmm_pointed", "0404910601", "M1", "S001"))
    bad = TaskKey("image", DataId("nustar_pointed", "90410111001", "FPMA"), "en0.5_2.0keV")
    assert specimen.meta("version") == "0.0.0"
    assert specimen.missions() == [("xmm_pointed", {"obs": ["0404910601"]}), ("nustar_pointed", {"obs": []})]
    assert specimen.counts() == {State.SUCCEEDED: 1, State.FAILED: 1, State.BLOCKED: 1}
    task = specimen.task(good)
    assert task.fingerprint == "f" * 64
    assert task.params == {"band": [0.5, 2.0], "method": "histogram"}
    assert task.caveats == (Caveat("exposure-disagrees", "945 s against 18279 s"),)
    assert specimen.task(bad).kind is FailureKind.INPUT
    assert specimen.tasks(state="blocked")[0].root == bad
    assert [one.state.value for one in specimen.history(process="clean")] == ["ready", "running", "succeeded"]
    assert [one.path for one in specimen.products_of(good)] == ["processed_data/xmm_pointed/0404910601/events/a.fits"]
    assert specimen.info_of(good.data_id) == {"mode": "PrimeFullWindow"}
    assert specimen.runs()[0].request == {"processes": ["clean"]}
    assert specimen.final() == {"xmm_pointed": {"0404910601": True}}
    assert specimen.observations("xmm_pointed")["ObsID"].tolist() == ["0404910601"]
    with specimen.writing():
        specimen.set_meta({"version": "0.0.1"}).result()
    assert specimen.meta("version") == "0.0.1"
