"""Progress: lines in a terminal, JSON lines in a file, and standard logging."""

import io
import itertools
import json
import logging
import subprocess
import sys

from daxa.context import Context
from daxa.events import (
    DownloadEnded,
    DownloadPlanned,
    ObservationFetched,
    RunEnded,
    RunStarted,
    TaskChanged,
    TasksAdded,
)
from daxa.ids import DataId, TaskKey
from daxa.outcome import Outcome, State
from daxa.report.progress import ProgressLines

EVENTS = [
    DownloadPlanned(mission="xmm_pointed", title="XMM-Newton Pointed", observations=3, present=1),
    DownloadPlanned(mission="chandra", title="Chandra", observations=1),
    ObservationFetched("xmm_pointed", "0404910601"),
    ObservationFetched("chandra", "10027"),
    ObservationFetched("xmm_pointed", "0201903501", cause="gone"),
    DownloadEnded(mission="xmm_pointed", failed=1),
    DownloadEnded(mission="chandra"),
    RunStarted(title="image", total=1),
    TasksAdded(1),
    TaskChanged(TaskKey("image", DataId("m", "1")), State.RUNNING),
    TaskChanged(TaskKey("image", DataId("m", "1")), State.SUCCEEDED),
    TaskChanged(TaskKey("image", DataId("m", "2")), State.FAILED),
    RunEnded(title="image"),
]


def test_the_familiar_lines():
    stream = io.StringIO()
    lines = ProgressLines(stream, always=True)
    for event in EVENTS:
        lines(event)
    text = stream.getvalue()
    assert "Downloading XMM-Newton Pointed data: 100%|" in text and "| 3/3 [" in text
    assert "Downloading Chandra data: 100%|" in text
    assert "Processing: image: 100%|" in text and "| 2/2 [" in text


def test_lines_that_end_in_any_order_leave_one_each():
    """Seen as a terminal shows it: nothing of an earlier place of a line stays behind."""
    from tests.stress.terminal import screen

    names = ["a", "b", "c", "d"]
    for ends in itertools.permutations(names):
        stream = io.StringIO()
        lines = ProgressLines(stream, always=True)
        for name in names:
            lines(DownloadPlanned(mission=name, title=name, observations=3))
            lines(ObservationFetched(name, "1"))
        for name in ends:
            lines(ObservationFetched(name, "2"))
            lines(ObservationFetched(name, "3"))
            lines(DownloadEnded(mission=name))
        seen = [line[:25] for line in screen(stream.getvalue())]
        assert seen == [f"Downloading {name} data: 100%|" for name in ends], ends


def test_nothing_where_there_is_no_terminal():
    stream = io.StringIO()
    lines = ProgressLines(stream)
    for event in EVENTS:
        lines(event)
    assert stream.getvalue() == ""


def test_events_as_json_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("DAXA_EVENTS", str(tmp_path / "events.jsonl"))
    context = Context()
    for event in EVENTS:
        context.events.publish(event)
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == [type(event).__name__ for event in EVENTS]
    assert (
        lines[2]["mission"] == "xmm_pointed" and lines[-2]["task"] == "image of m/2" and lines[-2]["state"] == "failed"
    )


def test_without_the_setting_no_file_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Context().events.publish(EVENTS[0])
    assert list(tmp_path.iterdir()) == []


def test_events_as_logging_quiet_by_default(caplog, capsys):
    failed = Outcome(State.FAILED, cause="exit status 1")
    with caplog.at_level(logging.INFO, logger="daxa.events"):
        for event in [*EVENTS, TaskChanged(TaskKey("image", DataId("m", "3")), State.FAILED, failed)]:
            Context().events.publish(event)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["xmm_pointed 0201903501 could not be fetched: gone", "image of m/3 failed: exit status 1"]
    assert "image of m/1 succeeded" in caplog.text
    assert capsys.readouterr().out == ""


def test_a_failure_prints_nothing_by_itself():
    code = (
        "from daxa.context import Context; from daxa.events import ObservationFetched;"
        " Context().events.publish(ObservationFetched('m', '1', cause='gone'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""
