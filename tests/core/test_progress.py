"""Progress lines: one a mission, one for the processing; none where there is no terminal."""

import io

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
from daxa.outcome import State
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


def test_nothing_where_there_is_no_terminal():
    stream = io.StringIO()
    lines = ProgressLines(stream)
    for event in EVENTS:
        lines(event)
    assert stream.getvalue() == ""
