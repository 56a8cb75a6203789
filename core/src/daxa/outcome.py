"""How a task can end, and why.

A failed task is an outcome, not an exception: the run goes on, and the outcome carries the cause to the record.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from attrs import frozen

from daxa.ids import TaskKey


class State(StrEnum):
    """State of a task."""

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REUSED = "reused"
    NO_DATA = "no_data"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether the task will not change any more."""
        return self not in _OPEN

    @property
    def satisfied(self) -> bool:
        """Whether what the task makes is there."""
        return self in (State.SUCCEEDED, State.REUSED)

    @property
    def to_blame(self) -> bool:
        """Whether tasks that need this one are blocked by it (rather than having no data)."""
        return self in (State.FAILED, State.TIMED_OUT, State.CANCELLED, State.BLOCKED, State.INTERRUPTED)


_OPEN: Final = frozenset({State.WAITING, State.READY, State.RUNNING})
ENDED: Final[tuple[State, ...]] = tuple(state for state in State if state.ended)
"""All final states, in the order they are reported."""


class FailureKind(StrEnum):
    """What went wrong, as far as it decides what to do next."""

    TOOL = "tool"  # the program says so: exit status or messages
    OUTPUT = "output"  # a declared product is missing, damaged or empty
    INPUT = "input"  # the data cannot be used
    TIMEOUT = "timeout"
    TRANSIENT = "transient"  # may go better next time: a busy server, a lock
    NETWORK = "network"  # files could not be fetched, however often the answers allowed to try
    INFRASTRUCTURE = "infrastructure"  # the worker or its machine was lost; the task is not to blame
    ENVIRONMENT = "environment"  # program or calibration missing, disk full
    INTERNAL = "internal"  # a defect in a plugin or in DAXA

    @property
    def retryable(self) -> bool:
        """Whether the same task may succeed if it is simply run again."""
        return self in (FailureKind.TRANSIENT, FailureKind.INFRASTRUCTURE)


@frozen
class Caveat:
    """Something a user of the product should know, although the task succeeded.

    Parameters
    ----------
    code : str
        Stable identifier, e.g. ``exposure-disagrees``.
    message : str
        The fact, with its numbers.
    """

    code: str
    message: str


@frozen
class Outcome:
    """The end of a task.

    Parameters
    ----------
    state : State
        A final state.
    cause : str, optional
        Why it did not succeed, in one sentence.
    kind : FailureKind, optional
        For failed and timed-out tasks.
    caveats : tuple of Caveat
        For tasks that succeeded.
    root : TaskKey, optional
        For blocked tasks, the task to blame.
    """

    state: State
    cause: str | None = None
    kind: FailureKind | None = None
    caveats: tuple[Caveat, ...] = ()
    root: TaskKey | None = None
