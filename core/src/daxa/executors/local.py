"""Jobs on this machine, in slots that are started when they are needed and used again.

Commands run in the shim of a slot (:mod:`daxa.executors.shim`), calls in a warm worker
(:mod:`daxa.executors.worker`) that a shim watches.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import anyio

from daxa.exceptions import PluginError
from daxa.executors.base import CallError, Capabilities, Launch, LaunchResult, Started
from daxa.executors.calls import Worker
from daxa.executors.slots import Slot, seen_out
from daxa.outcome import Caveat


class LocalExecutor:
    """Runs jobs on this machine.

    Parameters
    ----------
    slots : int
        Most jobs at once.
    """

    capabilities = Capabilities()

    def __init__(self, slots: int = 1) -> None:
        self._limit = slots
        self._host = socket.gethostname()
        self._slots: list[Slot] = []
        self._workers: list[Worker] = []
        self._places: asyncio.Semaphore | None = None

    async def __aenter__(self) -> LocalExecutor:
        self._places = asyncio.Semaphore(self._limit)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        idle: list[Slot | Worker] = [*self._slots, *self._workers]
        self._slots, self._workers, self._places = [], [], None
        task = asyncio.current_task()
        assert task is not None
        cancelled, ends = task.cancelling(), asyncio.gather(*(one.end() for one in idle))
        await seen_out(ends)
        ends.result()
        if task.cancelling() > cancelled:  # meanwhile, which was not the time for it
            raise asyncio.CancelledError

    async def run(self, launch: Launch, started: Callable[[Started], None]) -> LaunchResult:
        """Run a job to its end. If cancelled, end it first; cancelled again, it is waited for all the same.

        Output goes to the files of the launch; one in which nothing was written is removed.

        Parameters
        ----------
        launch : Launch
            The job.
        started : callable
            Called when the first process of the job is started.

        Returns
        -------
        LaunchResult
            How it ended. ``lost`` says that what ran it ended first, or was killed; the job is then ended too.

        Raises
        ------
        PluginError
            If there is nothing to run, or an argument of a call cannot be handed to another process.
        """
        assert self._places is not None, "use `async with LocalExecutor(...)`"
        job = _job(launch)

        def begun(pid: int) -> None:
            started(Started(pid, self._host))

        async with self._places:
            if launch.call is not None:
                answer = await self._call(launch, job, begun)
            else:
                answer = await self._command(launch, job, begun)
        error = answer.pop("error", None)
        caveats = tuple(Caveat(*one) for one in answer.pop("caveats", ()))
        return LaunchResult(
            host=self._host, error=None if error is None else CallError(**error), caveats=caveats, **answer
        )

    async def _command(self, launch: Launch, job: Mapping[str, Any], begun: Callable[[int], None]) -> dict[str, Any]:
        slot = self._slots.pop() if self._slots else await Slot.start()
        try:
            answer = await slot.run(job, begun, launch.grace)
        finally:
            if not slot.lost:
                self._slots.append(slot)
        return {"lost": "the slot that ran it is gone"} if answer is None else answer

    async def _call(self, launch: Launch, job: Mapping[str, Any], begun: Callable[[int], None]) -> dict[str, Any]:
        while self._workers and self._workers[-1].worn:  # it ended while it was idle
            await self._workers.pop().end()
        worker = self._workers.pop() if self._workers else await Worker.start()
        try:
            return await worker.call(launch, job, begun)
        finally:
            if worker.worn:
                with anyio.CancelScope(shield=True):
                    await worker.end()
            else:
                self._workers.append(worker)


def _job(launch: Launch) -> dict[str, Any]:
    """The job as the shim, or the worker, takes it."""
    job: dict[str, Any] = {
        "cwd": str(launch.cwd),
        "env": dict(launch.env),
        "stdout": str(launch.stdout),
        "stderr": str(launch.stderr),
    }
    if launch.call is None:
        if not launch.steps or not all(launch.steps):
            raise PluginError(
                f"{launch.name} has nothing to run.", expected="argument lists, or a call", remedy="correct the process"
            )
        return {**job, "steps": launch.steps, "time_limit": launch.time_limit}
    try:
        arguments = json.loads(json.dumps(dict(launch.call.arguments), default=_portable))
    except (TypeError, ValueError) as problem:
        raise PluginError(
            f"{launch.name}: what is to be called cannot be handed to another process: {problem}.",
            expected="paths, numbers, strings, and lists, tuples and mappings of them",
            remedy="correct the process",
        ) from problem
    return {**job, "target": launch.call.target, "arguments": arguments}


def _portable(value: object) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} is a {type(value).__name__}")
