import pytest

from daxa.ids import DataId, TaskKey
from daxa.outcome import State
from daxa.store.records import ArchiveRecord, TaskEntry


@pytest.fixture
def path(tmp_path):
    return tmp_path / "an archive" / "record #1?.sqlite"


@pytest.fixture
def record(path):
    record = ArchiveRecord.create(path)
    yield record
    record.close()


@pytest.fixture
def key():
    def make(number=0, process="clean", mission="xmm_pointed", variant=""):
        return TaskKey(process, DataId(mission, f"{number:010d}", "PN", "S003"), variant)

    return make


@pytest.fixture
def entry(key):
    def make(number=0, state=State.SUCCEEDED, process="clean", **columns):
        return TaskEntry(key=key(number, process), state=state, **columns)

    return make
