"""Events as JSON lines in a file, and as standard logging under ``daxa.events``."""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from daxa.events import (
    DownloadEnded,
    Event,
    FileFetched,
    ObservationFetched,
    RunEnded,
    RunStarted,
    Subscriber,
    TaskChanged,
)
from daxa.ids import TaskKey
from daxa.outcome import Outcome

if TYPE_CHECKING:
    from daxa.context import Context

log = logging.getLogger("daxa.events")


def plain(event: Event) -> dict[str, Any]:
    """An event as what JSON can hold: its name, the time, and its fields; tasks are text, outcomes state and cause."""
    made: dict[str, Any] = {"event": type(event).__name__, "at": time.time()}
    for field in attrs.fields(type(event)):
        value = getattr(event, field.name)
        if isinstance(value, TaskKey):
            value = str(value)
        elif isinstance(value, Outcome):
            value = {"state": value.state.value, "cause": value.cause}
        made[field.name] = value
    return made


class JSONLines:
    """A subscriber that appends a line an event to a file.

    Parameters
    ----------
    path : Path
        The file; opened with the first event.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Take an event."""
        line = json.dumps(plain(event), default=str) + "\n"
        with self._lock, self._path.open("a", encoding="utf-8") as stream:
            stream.write(line)


def log_event(event: Event) -> None:
    """Log an event: what failed as a warning, what ended as information, the rest for debugging."""
    match event:
        case ObservationFetched(cause=str()):
            log.warning("%s %s could not be fetched: %s", event.mission, event.obs_id, event.cause)
        case TaskChanged() if event.outcome is not None and event.state.to_blame and event.outcome.cause:
            log.warning("%s %s: %s", event.task, event.state.value, event.outcome.cause)
        case TaskChanged() if event.state.ended:
            log.info("%s %s", event.task, event.state.value)
        case RunStarted() | RunEnded() | DownloadEnded():
            log.info("%s", plain(event))
        case FileFetched():
            log.debug("%s bytes from %s", event.size, event.url)
        case _:
            log.debug("%s", type(event).__name__)


def event_log(_context: Any) -> Subscriber:
    """Make the logging subscriber of a context."""
    return log_event


def json_lines(context: Context) -> Subscriber:
    """Make the subscriber of a context that writes JSON lines, if the setting ``events`` names a file."""
    named = context.config.setting("events").value
    return JSONLines(Path(named).expanduser()) if named else _deaf


def _deaf(_event: Event) -> None:
    """Take no notice."""
