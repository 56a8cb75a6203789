"""The parts of the graph: places in the tree of data ids, tasks, and gates between tasks. Plain classes, for size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from daxa.ids import DataId, TaskKey
from daxa.outcome import Outcome, State
from daxa.schedule.declared import Need, Step

_WORDS: Final = {
    State.FAILED: "failed",
    State.TIMED_OUT: "took too long",
    State.CANCELLED: "was cancelled",
    State.INTERRUPTED: "was interrupted",
    State.BLOCKED: "was blocked",
    State.NO_DATA: "has no data",
}


class Reason:
    """Where blame or lack of data comes from; all that suffer from it share it."""

    __slots__ = ("cause", "order", "origin", "state")

    def __init__(self, origin: TaskKey | None, outcome: Outcome) -> None:
        self.origin = origin
        self.cause = outcome.cause
        self.state = outcome.state
        self.order = (origin.sort_key if origin is not None else (), outcome.cause or "")

    def told(self) -> str:
        """The reason as a sentence for those that suffer from it."""
        if self.origin is None:
            return self.cause or "what it needs will never be known"
        return f"{self.origin} {_WORDS[self.state]}" + (f": {self.cause}" if self.cause else "")


def least(one: Reason | None, other: Reason | None) -> Reason | None:
    """The first of two reasons by data id: whoever comes first, the same one is told."""
    if one is None or other is None:
        return one or other
    return other if other.order < one.order else one


class Place:
    """A data id of the tree."""

    __slots__ = ("children", "data_id", "depth", "gates", "inst", "lost", "open", "order", "parent", "pending", "tasks")

    def __init__(self, data_id: DataId, parent: Place | None, deepest: int) -> None:
        self.data_id = data_id
        self.parent = parent
        self.order = data_id.parts
        self.depth = len(self.order) - 1
        self.inst = data_id.inst
        self.children: Sequence[Place] = ()
        self.tasks: dict[Step, list[Task]] = {}
        self.open = self.depth < deepest  # whether its scope is open
        # for each depth below: how many scopes, of this place and of those under it, hide what is there
        self.pending = [int(depth > self.depth) for depth in range(deepest + 1)] if self.open else []
        self.gates: dict[Step, list[Gate]] | None = None  # sealed gathers of its own tasks, by what they gather
        self.lost: list[tuple[Place, Reason]] | None = None  # lost scopes, its own and those under it

    def lineage(self) -> Iterator[Place]:
        """The place itself, its parent ... up to the root."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.parent

    def below(self, depth: int) -> Iterator[Place]:
        """The places of a depth under this one."""
        if depth == self.depth:
            yield self
        else:
            for child in self.children:
                yield from child.below(depth)


class Task:
    """A task: what it waits for, and what is known against it."""

    __slots__ = ("after", "blame", "ended", "key", "lack", "place", "state", "step", "waiting")

    def __init__(self, key: TaskKey, step: Step, place: Place) -> None:
        self.key = key
        self.step = step
        self.place = place
        self.state = State.WAITING
        self.ended = False
        self.waiting = 1  # gates to pass; one more until all its gates are made
        self.blame: Reason | None = None
        self.lack: Reason | None = None
        self.after: list[Gate] | None = None

    def outcome(self) -> Outcome:
        """How the task ended, as far as the graph remembers."""
        if self.state is State.BLOCKED and self.blame is not None:
            return Outcome(self.state, cause=self.blame.told(), root=self.blame.origin)
        reason = self.lack if self.state is State.NO_DATA else self.blame
        if reason is None:
            return Outcome(self.state)
        return Outcome(self.state, cause=reason.cause if reason.origin == self.key else reason.told())


class Gate:
    """One need of one task."""

    __slots__ = ("blame", "good", "lack", "need", "some", "task", "waiting")

    def __init__(self, task: Task, need: Need) -> None:
        self.task = task
        self.need = need
        self.waiting = 1  # tasks that have not ended; one more while it is sealed
        self.some = False
        self.good = False
        self.blame: Reason | None = None
        self.lack: Reason | None = None

    def link(self, place: Place) -> None:
        """Wait for what a place has of the step that is needed: the task of the same variant, else all of them."""
        tasks = place.tasks.get(self.need.step, ())
        variant = self.task.key.variant
        for task in [one for one in tasks if one.key.variant == variant] or tasks:
            self.some = True
            if task.ended:
                self.take(task)
            else:
                self.waiting += 1
                if task.after is None:
                    task.after = [self]
                else:
                    task.after.append(self)

    def take(self, task: Task) -> None:
        """Learn how a task ended."""
        if task.state.satisfied:
            self.good = True
        elif task.state is State.NO_DATA:
            self.lack = least(self.lack, task.lack)
        else:
            self.blame = least(self.blame, task.blame)

    def verdict(self) -> tuple[Reason | None, Reason | None]:
        """Blame and lack of data, once all that is needed has ended."""
        if self.need.optional or (self.need.any and self.good):
            return None, None
        lack = self.lack
        if not self.some:
            cause = f"there is no {self.need.step.name} for {self.task.place.data_id}"
            lack = Reason(None, Outcome(State.NO_DATA, cause=cause))
        return self.blame, lack
