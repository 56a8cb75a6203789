"""Progress lines in a terminal: one a mission that downloads, one for the processing.

They go to standard error, and there are none where it is not a terminal.
"""

from __future__ import annotations

import sys
from typing import Any

from daxa.events import (
    DownloadEnded,
    DownloadPlanned,
    Event,
    ObservationFetched,
    RunEnded,
    RunStarted,
    TaskChanged,
    TasksAdded,
)


def progress_lines(_context: Any) -> ProgressLines:
    """Make the subscriber of a context."""
    return ProgressLines()


class ProgressLines:
    """A subscriber that draws progress lines.

    Parameters
    ----------
    stream : file, optional
        Where to draw; by default standard error, looked up when a line begins.
    always : bool
        Whether to draw although it is not a terminal.
    """

    def __init__(self, stream: Any = None, *, always: bool = False) -> None:
        self._stream = stream
        self._always = always
        self._downloads: dict[str, Any] = {}
        self._run: Any = None

    def _line(self, total: int, title: str, done: int = 0) -> Any:
        from tqdm import tqdm

        stream = self._stream if self._stream is not None else sys.stderr
        hidden = not self._always and not getattr(stream, "isatty", lambda: False)()
        return tqdm(total=total, desc=title, initial=done, file=stream, disable=hidden)

    def _close(self, line: Any) -> None:
        """Leave a line as it is at its end, above those that go on: else their old places would stay written too."""
        others = [one for one in self._downloads.values() if not one.disable]
        for one in (line, *others):
            one.clear()
        line.close()
        for one in others:
            one.refresh()

    def __call__(self, event: Event) -> None:
        """Take an event."""
        match event:
            case DownloadPlanned():
                self._downloads[event.mission] = self._line(
                    event.observations, f"Downloading {event.title} data", event.present
                )
            case ObservationFetched() if event.mission in self._downloads:
                self._downloads[event.mission].update()
            case DownloadEnded() if event.mission in self._downloads:
                self._close(self._downloads.pop(event.mission))
            case RunStarted():
                self._run = self._line(event.total, f"Processing: {event.title}")
            case TasksAdded() if self._run is not None:
                self._run.total += event.count
                self._run.refresh()
            case TaskChanged() if self._run is not None and event.state.ended:
                self._run.update()
            case RunEnded() if self._run is not None:
                self._run.close()
                self._run = None
            case _:
                pass
