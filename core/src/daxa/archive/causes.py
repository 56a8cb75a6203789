"""Which failures have one cause: the same words, whatever they say of one task's own data. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from daxa.archive import layout
from daxa.ids import TaskKey
from daxa.outcome import State

if TYPE_CHECKING:
    from daxa.store.records import TaskEntry

OWN: Final = "…"
"""Stands for what differs from task to task."""

_FIGURES: Final = re.compile(r"0x[0-9a-fA-F]+|\d+(?:[.:T-]\d+)+|\d{4,}")
"""Measured values, times and addresses. Short whole numbers stay: they are exit statuses, modes, chips."""


def general(entry: TaskEntry) -> str:
    """A failure's cause without what is its own: its identifiers, and figures.

    Parameters
    ----------
    entry : TaskEntry
        A task that failed.
    """
    data_id = entry.key.data_id
    cause = entry.cause or "unknown cause"
    for own in (layout.stem(data_id), data_id.ident, data_id.obs_id):
        if own:
            cause = cause.replace(own, OWN)
    return _FIGURES.sub(OWN, cause)


@frozen
class FailureGroup:
    """Tasks of one process that failed for one reason.

    Parameters
    ----------
    mission, process : str
        Whose tasks they are.
    kind : str
        Kind of failure.
    cause : str
        The reason; ``…`` stands for what differs from task to task.
    members : tuple of TaskEntry
        The tasks that failed.
    of : int
        How many tasks the process has in all, without those that had no data.
    blocked : int
        How many tasks are blocked behind them.
    """

    mission: str
    process: str
    kind: str
    cause: str
    members: tuple[TaskEntry, ...] = field(repr=False)
    of: int
    blocked: int

    @property
    def sentence(self) -> str:
        """The row as a sentence, but for its example."""
        failed = len(self.members)
        tasks = f"{failed} of {self.of} {self.process} tasks" if self.of > 1 else f"The one {self.process} task"
        behind = {0: "", 1: "; this blocks 1 more task"}.get(self.blocked, f"; this blocks {self.blocked} more tasks")
        return f"{tasks} of {self.mission} failed: {self.cause.rstrip('. ')}{behind}."


def failure_groups(entries: Iterable[TaskEntry]) -> list[FailureGroup]:
    """Group failures by process and cause, most frequent first.

    Parameters
    ----------
    entries : iterable of TaskEntry
        All tasks, failed or not.
    """
    groups: dict[tuple[str, str, str, str], list[TaskEntry]] = {}
    blocked: dict[TaskKey, int] = {}
    totals: dict[tuple[str, str], int] = {}
    for entry in entries:
        whose = (entry.key.data_id.mission, entry.key.process)
        totals[whose] = totals.get(whose, 0) + (entry.state is not State.NO_DATA)
        if entry.state in (State.FAILED, State.TIMED_OUT):
            kind = entry.kind.value if entry.kind else entry.state.value
            groups.setdefault((*whose, kind, general(entry)), []).append(entry)
        elif entry.state is State.BLOCKED and entry.root is not None:
            blocked[entry.root] = blocked.get(entry.root, 0) + 1
    found = [
        FailureGroup(
            mission=mission,
            process=process,
            kind=kind,
            cause=_cause(members, cause),
            members=tuple(members),
            of=totals[mission, process],
            blocked=_behind(members, blocked),
        )
        for (mission, process, kind, cause), members in groups.items()
    ]
    return sorted(found, key=lambda one: (-len(one.members), one.mission, one.process, one.cause))


def _cause(members: Sequence[TaskEntry], masked: str) -> str:
    """The exact words where they are the same for all, else what they have in common."""
    exact = {member.cause for member in members}
    return exact.pop() or masked if len(exact) == 1 else masked


def _behind(members: Sequence[TaskEntry], blocked: Mapping[TaskKey, int]) -> int:
    return sum(blocked.get(member.key, 0) for member in members)
