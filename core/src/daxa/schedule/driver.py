"""The driver: the one task that owns the graph. Workers send it events; there are no locks.

What a round does: take in what happened, decide about ready tasks, admit those there is room for, write all transitions
to the journal, and only then let their consequences begin.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

import anyio
import anyio.abc
import anyio.to_thread
from attrs import Factory, define, field, frozen

from daxa.events import Event, TaskChanged, TasksAdded
from daxa.exceptions import DaxaError
from daxa.ids import TaskKey
from daxa.outcome import FailureKind, Outcome, State
from daxa.schedule.graph import Graph, Member, Transition
from daxa.schedule.resources import Admission

log = logging.getLogger(__name__)

_BATCH: Final = 32  # decisions between two looks at what happened
_AHEAD: Final = 256  # tasks decided about that wait for room ...
_FAR: Final = 10_000  # ... and how far to look for one that can use what lies idle
_LONGEST_PAUSE: Final = 60.0


@frozen
class Run:
    """The task is to be run, with these quantities for its own."""

    resources: Mapping[str, float] = field(factory=lambda: {"cpu": 1.0})


@frozen
class Reuse:
    """What the task makes is there already."""

    outcome: Outcome = field(factory=lambda: Outcome(State.REUSED))


@frozen
class Skip:
    """The task ends without being run."""

    outcome: Outcome


Decision = Run | Reuse | Skip


@frozen
class Attempts:
    """How often a task is tried, by what went wrong.

    Parameters
    ----------
    transient : int
        Attempts in all that may end with a passing fault.
    infrastructure : int
        Attempts in all that may be lost with the worker or its machine; counted apart.
    pause : float
        Seconds before the second attempt after a passing fault; doubled each time, up to a minute.
    """

    transient: int = 3
    infrastructure: int = 5
    pause: float = 1.0

    def wait(self, failures: int) -> float:
        """Seconds between a failed attempt and the next."""
        return float(min(self.pause * 2 ** (failures - 1), _LONGEST_PAUSE))

    def limit(self, kind: FailureKind) -> int:
        """Attempts that may end with a kind of failure."""
        return {FailureKind.TRANSIENT: self.transient, FailureKind.INFRASTRUCTURE: self.infrastructure}.get(kind, 1)


class Runner(Protocol):
    """What the driver asks of those who know what tasks are made of."""

    def decide(self, key: TaskKey) -> Decision:
        """Say what is to be done with a task that is ready. Called in a thread, one call at a time."""

    def children(self, key: TaskKey) -> Sequence[Member] | None:
        """Say what a revealing task that succeeded, or is reused, brought to light. Called like `decide`."""

    async def execute(self, key: TaskKey, attempt: int) -> Outcome:
        """Live the whole life of a task, its products put in their places included."""

    async def journal(self, transitions: Sequence[Transition]) -> None:
        """Write transitions down; on return they are safe."""


@frozen
class _Ended:
    """A worker's last word."""

    key: TaskKey
    outcome: Outcome
    members: Sequence[Member] | None = None


@frozen
class _Again:
    """The pause before another attempt is over."""

    key: TaskKey


@define
class _Tries:
    """What was tried of one task."""

    resources: Mapping[str, float]
    attempt: int = 0
    failed: dict[FailureKind, int] = Factory(dict)


_CANCELLED: Final = Outcome(State.CANCELLED, cause="cancelled while it ran")


def _defect(key: TaskKey, problem: BaseException) -> Outcome:
    """Make an outcome of an exception that should not have come this far."""
    log.error("%s raised", key, exc_info=problem)
    cause = str(problem) if isinstance(problem, DaxaError) else f"{type(problem).__name__}: {problem}"
    return Outcome(State.FAILED, cause=cause, kind=FailureKind.INTERNAL)


class Driver:
    """Runs the tasks of a graph: whatever can be run is run, whatever else fails.

    Parameters
    ----------
    graph : Graph
        The tasks; nobody else may touch it during :meth:`run`.
    runner : Runner
        Knows what tasks are made of.
    capacity : Mapping of str to float
        Quantities that are limited, e.g. ``{"cpu": 4}``. A task that wants more than there is gets all there is.
    publish : callable, optional
        Told of tasks that are added, start or end, once that is journalled.
    attempts : Attempts, optional
        How often tasks are tried.

    Notes
    -----
    The journal gets starts, ends, and returns to ready after a failed attempt (with its outcome). That a task waits or
    is ready follows from the rest, and the record of an earlier run stays as it is until the task is decided about.
    """

    def __init__(
        self,
        graph: Graph,
        runner: Runner,
        *,
        capacity: Mapping[str, float],
        publish: Callable[[Event], None] | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        self._graph = graph
        self._runner = runner
        self._publish = publish
        self._attempts = attempts or Attempts()
        self._admission: Admission[TaskKey] = Admission(capacity)
        self._tries: dict[TaskKey, _Tries] = {}
        self._running: dict[TaskKey, anyio.CancelScope] = {}
        self._pausing: set[TaskKey] = set()
        self._unwritten: list[Transition] = []
        self._told = 0
        self._stopping = self._hard = self._cancelled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: Exception | None = None

    # --- for others -------------------------------------------------------------------------------------------------

    async def run(self) -> dict[State, int]:
        """Run everything that can be run.

        Returns
        -------
        dict of State to int
            Number of tasks in each state that occurs; all have ended.

        Raises
        ------
        DaxaError
            If the journal cannot be written; what runs is ended first.
        """
        self._send, self._events = anyio.create_memory_object_stream[_Ended | _Again | None](math.inf)
        self._thread = anyio.CapacityLimiter(1)
        self._loop = asyncio.get_running_loop()
        try:
            with self._send, self._events:
                # the owner is a task of its own, so that cancellation from outside reaches it through a scope
                async with anyio.create_task_group() as group:
                    group.start_soon(self._own)
        finally:
            self._loop = None
        if self._failure is not None:
            raise self._failure
        return self._graph.counts

    def cancel(self, hard: bool = False) -> None:
        """Admit nothing more. May be called from any thread, and from a signal handler.

        Parameters
        ----------
        hard : bool
            End what runs, too.
        """
        self._stopping = self._cancelled = True
        self._hard = self._hard or hard
        if (loop := self._loop) is not None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._wake)

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled

    def _wake(self) -> None:
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):  # the run is over
            self._send.send_nowait(None)

    # --- the owner --------------------------------------------------------------------------------------------------

    async def _own(self) -> None:
        try:
            async with anyio.create_task_group() as workers:
                try:
                    await self._drive(workers)
                except Exception as problem:  # noqa: BLE001 - raised by run(), when everything has ended
                    self._failure = problem
                finally:
                    workers.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._wind_up()

    async def _drive(self, workers: anyio.abc.TaskGroup) -> None:
        self._note(self._graph.ended())  # a plan may end tasks
        self._told = len(self._graph)
        while True:
            if self._stopping:
                self._stop()
            decided = not self._stopping and await self._decide()
            admitted = [] if self._stopping else self._admit()
            await self._write()
            for key in admitted:
                workers.start_soon(self._work, key)
            if self._take_in_all(workers) or decided:
                continue
            if self._running or (self._pausing and not self._stopping):
                self._take_in(await self._events.receive(), workers)
            elif self._stopping or self._graph.done:
                return
            else:
                self._give_up()

    def _stop(self) -> None:
        """End what has not started, and what runs too if it shall not go on."""
        if self._graph.unfinished > len(self._running):
            self._note(self._graph.cancel())
        if self._hard:
            for scope in self._running.values():
                scope.cancel()

    async def _wind_up(self) -> None:
        """Give every task an end, and the journal all that it lacks."""
        self._stopping = True
        self._stop()
        self._take_in_all(None)
        for key in list(self._running):  # the worker never began
            self._finish(key, _CANCELLED, None)
        try:
            await self._write()
        except Exception as problem:  # noqa: BLE001 - raised by run()
            log.error("the journal cannot be written: %s", problem)
            self._failure = self._failure or problem

    # --- one round --------------------------------------------------------------------------------------------------

    async def _decide(self) -> bool:
        """Decide about some ready tasks; False if there is no need to."""
        keys: list[TaskKey] = []
        while len(keys) < _BATCH and self._looks_ahead(len(self._admission) + len(keys)):
            key = self._graph.pop_ready()
            assert key is not None
            keys.append(key)
        if not keys:
            return False
        asked = [(key, self._graph.reveals(key)) for key in keys]
        for key, answer, members in await anyio.to_thread.run_sync(partial(self._ask, asked), limiter=self._thread):
            try:
                if isinstance(answer, Run):
                    self._admission.enter(key, answer.resources, self._graph.priority(key))
                    self._tries[key] = _Tries(answer.resources)
                else:
                    self._finish(key, answer.outcome, members)
            except Exception as problem:  # noqa: BLE001 - the runner's fault is this task's failure, not the run's
                self._finish(key, _defect(key, problem), None)
        return True

    def _looks_ahead(self, waiting: int) -> bool:
        """Whether to decide about another ready task now: few wait, or it goes first, or something lies idle."""
        key = self._graph.peek_ready()
        if key is None:
            return False
        if waiting < _AHEAD or (waiting < _FAR and self._admission.idle):
            return True
        first = self._admission.first
        return first is not None and self._graph.priority(key) < first

    def _ask(self, asked: Sequence[tuple[TaskKey, bool]]) -> list[tuple[TaskKey, Decision, Sequence[Member] | None]]:
        """Ask the runner what is to be done with tasks. Runs in a thread."""
        answers: list[tuple[TaskKey, Decision, Sequence[Member] | None]] = []
        for key, reveals in asked:
            members = None
            try:
                answer = self._runner.decide(key)
                if reveals and not isinstance(answer, Run) and answer.outcome.state.satisfied:
                    members = self._runner.children(key)
            except Exception as problem:  # noqa: BLE001 - the runner's fault is this task's failure, not the run's
                answer = Skip(_defect(key, problem))
            answers.append((key, answer, members))
        return answers

    def _admit(self) -> list[TaskKey]:
        admitted = self._admission.admit()
        for key in admitted:
            self._tries[key].attempt += 1
            self._running[key] = anyio.CancelScope()
            self._note(self._graph.start(key))
        return admitted

    async def _write(self) -> None:
        """Journal what happened, then tell it."""
        changes, self._unwritten = self._unwritten, []
        if changes:
            try:
                with anyio.CancelScope(shield=True):
                    await self._runner.journal(changes)
            except BaseException:
                self._unwritten = changes + self._unwritten
                raise
        if self._publish is None:
            return
        if len(self._graph) > self._told:
            self._tell(TasksAdded(len(self._graph) - self._told))
            self._told = len(self._graph)
        for change in changes:
            self._tell(TaskChanged(change.task, change.state, change.outcome))

    def _tell(self, event: Event) -> None:
        assert self._publish is not None
        try:
            self._publish(event)
        except Exception:
            log.exception("telling of %s raised", event)

    def _take_in_all(self, workers: anyio.abc.TaskGroup | None) -> bool:
        """Take in all events there are; False if there are none."""
        some = False
        with suppress(anyio.WouldBlock):
            while True:
                self._take_in(self._events.receive_nowait(), workers)
                some = True
        return some

    def _take_in(self, event: _Ended | _Again | None, workers: anyio.abc.TaskGroup | None) -> None:
        if isinstance(event, _Ended):
            if workers is None or not self._retried(event, workers):
                self._finish(event.key, event.outcome, event.members)
        elif isinstance(event, _Again):
            self._pausing.discard(event.key)
            if not self._stopping:
                self._admission.enter(event.key, self._tries[event.key].resources, self._graph.priority(event.key))

    def _retried(self, event: _Ended, workers: anyio.abc.TaskGroup) -> bool:
        """Try a task again, if what went wrong may pass."""
        key, kind = event.key, event.outcome.kind
        if self._stopping or kind is None or not kind.retryable or not event.outcome.state.to_blame:
            return False
        failed = self._tries[key].failed
        failed[kind] = failed.get(kind, 0) + 1
        if failed[kind] >= self._attempts.limit(kind):
            return False
        del self._running[key]
        self._admission.leave(key)
        self._note(self._graph.retry(key, event.outcome))
        self._pausing.add(key)
        workers.start_soon(self._pause, key, self._attempts.wait(failed[kind]))
        return True

    def _finish(self, key: TaskKey, outcome: Outcome, members: Sequence[Member] | None) -> None:
        """End a task; a revealing one with its children, or not at all."""
        if self._running.pop(key, None) is not None:
            self._admission.leave(key)
        self._tries.pop(key, None)
        try:
            if outcome.state.satisfied and self._graph.reveals(key):
                self._note(self._graph.close(key.data_id, members or ()))
            self._note(self._graph.finish(key, outcome))
        except Exception as problem:  # noqa: BLE001 - children that do not fit, an outcome that is none
            self._note(self._graph.finish(key, _defect(key, problem)))

    def _give_up(self) -> None:
        """Nothing runs and nothing can: someone forgot to say what there is."""
        scopes = self._graph.open_scopes()
        for scope in scopes:
            cause = f"nobody said what {scope} holds"
            log.error("%s", cause)
            self._note(self._graph.lose(scope, Outcome(State.FAILED, cause=cause, kind=FailureKind.INTERNAL)))
        if not scopes:
            log.error("tasks wait for nothing: %s", self._graph.counts)
            self._note(self._graph.cancel())

    def _note(self, changes: Sequence[Transition]) -> None:
        """Keep what the journal should know."""
        for change in changes:
            if change.outcome is not None or change.state is State.RUNNING:
                self._unwritten.append(change)

    # --- workers ----------------------------------------------------------------------------------------------------

    async def _work(self, key: TaskKey) -> None:
        """Carry one attempt to its end, and tell the owner, whatever happens."""
        outcome, members = _CANCELLED, None
        attempt = self._tries[key].attempt
        try:
            with self._running[key]:
                ended = await self._runner.execute(key, attempt)
                if ended.state.satisfied and self._graph.reveals(key):
                    children = partial(self._runner.children, key)
                    members = await anyio.to_thread.run_sync(children, limiter=self._thread)
                outcome = ended
        except Exception as problem:  # noqa: BLE001 - the runner's fault is this task's failure, not the run's
            outcome = _defect(key, problem)
        except asyncio.CancelledError as problem:
            if anyio.current_effective_deadline() == -math.inf:
                raise
            outcome = _defect(key, problem)  # nobody cancelled this task: the runner let a cancellation of its own out
        finally:
            self._send.send_nowait(_Ended(key, outcome, members))

    async def _pause(self, key: TaskKey, seconds: float) -> None:
        await anyio.sleep(seconds)
        self._send.send_nowait(_Again(key))
