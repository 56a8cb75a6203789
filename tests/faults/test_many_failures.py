"""A thousand tasks of which a tenth fail: all end, and the table of failures reads like sentences."""

import pytest
from tests.stress.thousand import thousand_tasks

from daxa.archive.causes import failure_groups, general
from daxa.ids import DataId, TaskKey
from daxa.outcome import FailureKind, State
from daxa.store.records import TaskEntry


@pytest.mark.timeout(280)
def test_a_thousand_tasks_end_and_their_failures_are_few_rows(tmp_path):
    found = thousand_tasks(tmp_path)
    assert found.faults == [], str(found)
    assert found.counts["tasks"] >= 1000 and 50 < found.counts["failed"] < 150
    assert any("clean tasks of stress failed: " in note and "; this blocks " in note for note in found.notes)


def failed(obs_id, cause, *, process="clean", state=State.FAILED, root=None):
    key = TaskKey(process, DataId("stress", obs_id, "A", "S001"))
    return TaskEntry(key=key, state=state, cause=cause, kind=FailureKind.TOOL, root=root)


def test_what_differs_from_task_to_task_does_not_part_one_cause():
    alike = [
        failed("T00001", "no calibration for T00001AS001 at 51234.5 s"),
        failed("T00002", "no calibration for T00002AS001 at 61234.75 s"),
        failed("T00003", "clean ended with status 3"),
        failed("T00004", "clean ended with status 4"),
        failed("T00001", None, process="gather", state=State.BLOCKED, root=failed("T00001", "").key),
        failed("T00005", None, state=State.SUCCEEDED),
        failed("T00006", "it is unscheduled", state=State.NO_DATA),
    ]
    groups = failure_groups(alike)
    assert [group.sentence for group in groups] == [
        "2 of 5 clean tasks of stress failed: no calibration for … at … s; this blocks 1 more task.",
        "1 of 5 clean tasks of stress failed: clean ended with status 3.",
        "1 of 5 clean tasks of stress failed: clean ended with status 4.",
    ]


def test_one_task_keeps_its_exact_words():
    (group,) = failure_groups([failed("T00001", "chip 7 of T00001 at 51234.5 s.")])
    assert group.cause == "chip 7 of T00001 at 51234.5 s."
    assert group.sentence == "The one clean task of stress failed: chip 7 of T00001 at 51234.5 s."
    assert general(group.members[0]) == "chip 7 of … at … s."
