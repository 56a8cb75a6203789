"""What happens, as typed events, and those who listen.

Publishers know no listener. A listener that raises is logged and does not disturb the work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import Factory, define, frozen

from daxa.ids import TaskKey
from daxa.outcome import Outcome, State

log = logging.getLogger(__name__)
logging.getLogger("daxa").addHandler(logging.NullHandler())  # a library says nothing unless it is asked to


@frozen
class Event:
    """Base of all events."""


@frozen
class DownloadPlanned(Event):
    """A mission is about to be downloaded.

    Parameters
    ----------
    mission, title : str
        Internal and display name.
    observations, present : int
        Observations asked for, and how many of them are complete already.
    """

    mission: str
    title: str
    observations: int
    present: int = 0


@frozen
class FileFetched(Event):
    """One file is whole and under its final name.

    Parameters
    ----------
    mission, obs_id, url : str
        Which file.
    size : int
        Bytes.
    """

    mission: str
    obs_id: str
    url: str
    size: int


@frozen
class ObservationFetched(Event):
    """All that was wanted of an observation is here, or it failed."""

    mission: str
    obs_id: str
    cause: str | None = None


@frozen
class DownloadEnded(Event):
    """A mission's download is over."""

    mission: str
    failed: int = 0


@frozen
class RunStarted(Event):
    """A run of processes begins; `total` counts the tasks known so far."""

    title: str
    total: int


@frozen
class TasksAdded(Event):
    """New data came to light, and tasks with them."""

    count: int


@frozen
class TaskChanged(Event):
    """A task changed its state."""

    task: TaskKey
    state: State
    outcome: Outcome | None = None


@frozen
class RunEnded(Event):
    """A run is over."""

    title: str


Subscriber = Callable[[Event], None]


@define
class Publisher:
    """Hands events to those who subscribed, in order of subscription."""

    _subscribers: list[Subscriber] = Factory(list)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Add a listener; the returned call removes it."""
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    @contextmanager
    def subscribed(self, *subscribers: Subscriber) -> Iterator[None]:
        """Listen for the length of a block."""
        removers = [self.subscribe(subscriber) for subscriber in subscribers]
        try:
            yield
        finally:
            for remove in removers:
                remove()

    def publish(self, event: Event) -> None:
        """Tell everyone."""
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception:
                log.exception("a subscriber of %s raised", type(event).__name__)
