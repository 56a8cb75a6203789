"""Jobs on this machine, in slots that are started when they are needed and used again.

A slot is one process of :mod:`daxa.executors.shim`. It runs commands itself, and calls in a warm Python process of its
own (:mod:`daxa.executors.worker`); a job costs the head one line written and two read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import anyio

from daxa.exceptions import PluginError
from daxa.executors.base import CallError, Capabilities, Launch, LaunchResult, Started
from daxa.outcome import Caveat

SHIM: Final = (sys.executable, "-I", "-S", str(Path(__file__).with_name("shim.py")))
WORKER: Final = (sys.executable, "-P", "-m", "daxa.executors.worker")
PATIENCE: Final = 10.0
"""Seconds beyond the grace, after which a slot that does not answer to a cancellation is ended."""

_WORKER_VARIABLES: Final = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
)
"""What Python needs to start and to import; a call sees only the environment of its job."""


class _Slot(asyncio.SubprocessProtocol):
    """The line to a shim, and the job that it runs."""

    def __init__(self) -> None:
        self.transport: asyncio.SubprocessTransport
        self.warm = False
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._rest = b""
        self._number = 0
        self._answer: asyncio.Future[dict[str, Any] | None] | None = None
        self._started: Callable[[int], None] = _nobody
        self._group: int | None = None
        self.problem: Exception | None = None

    @classmethod
    async def start(cls) -> _Slot:
        """Start a shim; its input is a pipe that closes with this process."""
        _, slot = await asyncio.get_running_loop().subprocess_exec(
            cls, *SHIM, str(os.getpid()), stderr=asyncio.subprocess.DEVNULL, start_new_session=True
        )
        return slot

    def ask(self, job: bytes, started: Callable[[int], None]) -> asyncio.Future[dict[str, Any] | None]:
        """Hand over a job; the answer is None if the slot is lost on the way."""
        self._number += 1
        self._started, self._group, self.problem = started, None, None
        self._answer = asyncio.get_running_loop().create_future()
        if self.gone.done():
            self._answer.set_result(None)
        else:
            self._write(b'{"id": %d, %b\n' % (self._number, job[1:]))
        return self._answer

    def cancel(self) -> None:
        """Ask for the end of the job; the answer comes all the same."""
        self._write(b'{"cancel": %d}\n' % self._number)

    def close(self) -> None:
        """Close its input, at which it ends what it runs, and itself."""
        pipe = self.transport.get_pipe_transport(0)
        if pipe is not None:
            pipe.close()

    def kill(self) -> None:
        """End it with what it runs, whatever state it is in."""
        with contextlib.suppress(ProcessLookupError):
            self.transport.kill()
        self._end_group()

    def _write(self, line: bytes) -> None:
        pipe = self.transport.get_pipe_transport(0)
        if pipe is not None:
            pipe.write(line)  # type: ignore[attr-defined]

    def _end_group(self) -> None:
        """End the job of a shim that was lost; only a process that still leads its group is the job."""
        if self._group is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getpgid(self._group) == self._group:
                    os.killpg(self._group, signal.SIGKILL)

    # --- what the loop tells ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The shim is started."""
        assert isinstance(transport, asyncio.SubprocessTransport)
        self.transport = transport

    def pipe_data_received(self, _fd: int, data: bytes) -> None:
        """The shim says something."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if message["id"] != self._number:
                continue
            if "started" in message:
                self._tell(message["started"])
            elif self._answer is not None and not self._answer.done():
                self._group = None
                self._answer.set_result(message["result"])

    def _tell(self, pid: int) -> None:
        told, self._group = self._group is not None, pid
        if told:
            return  # a later step
        try:
            self._started(pid)
        except Exception as problem:  # noqa: BLE001 - it is raised where the job was asked for
            self.problem = problem
            self.cancel()

    def connection_lost(self, _problem: Exception | None) -> None:
        """The shim has ended and its lines are closed."""
        self.transport.close()
        self._end_group()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)
        if not self.gone.done():
            self.gone.set_result(None)


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
        self._idle: list[_Slot] = []
        self._all: set[_Slot] = set()
        self._places: asyncio.Semaphore | None = None

    async def __aenter__(self) -> LocalExecutor:
        self._places = asyncio.Semaphore(self._limit)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        slots = list(self._all)
        self._idle.clear()
        self._all.clear()
        for slot in slots:
            slot.close()
        for slot in slots:
            if not await _seen_out(slot.gone, PATIENCE):
                slot.kill()
                await _seen_out(slot.gone, PATIENCE)

    async def run(self, launch: Launch, started: Callable[[Started], None]) -> LaunchResult:
        """Run a job to its end. If cancelled, end it first; cancelled again, it is waited for all the same.

        Parameters
        ----------
        launch : Launch
            The job.
        started : callable
            Called when the first process of the job is started.

        Returns
        -------
        LaunchResult
            How it ended. ``lost`` says that the slot ended before the job did; the job is then ended too.

        Raises
        ------
        PluginError
            If there is nothing to run, or an argument of a call cannot be handed to another process.
        """
        assert self._places is not None, "use `async with LocalExecutor(...)`"
        job = _encoded(launch)
        async with self._places:
            slot = await self._slot(warm=launch.call is not None)
            answer = slot.ask(job, lambda pid: started(Started(pid, self._host)))
            try:
                result = await asyncio.shield(answer)
            except asyncio.CancelledError:
                slot.cancel()
                if not await _seen_out(answer, launch.grace + PATIENCE):
                    slot.kill()
                    await _seen_out(slot.gone, PATIENCE)
                self._give_back(slot)
                raise
            self._give_back(slot)
            if slot.problem is not None:
                raise slot.problem
        return self._result(result)

    # --- slots ------------------------------------------------------------------------------------------------------

    async def _slot(self, *, warm: bool) -> _Slot:
        """Take an idle slot, for a call one that has called before and for a command another; or start one."""
        live = self._idle = [slot for slot in self._idle if not slot.gone.done()]
        if live:
            slot = next((one for one in reversed(live) if one.warm == warm), live[-1])
            live.remove(slot)
        else:
            starting = asyncio.ensure_future(_Slot.start())
            try:
                slot = await asyncio.shield(starting)
            except asyncio.CancelledError:  # it is started all the same, and kept
                await _seen_out(starting)
                if starting.exception() is None:
                    self._all.add(starting.result())
                    self._idle.append(starting.result())
                raise
            self._all.add(slot)
        slot.warm = slot.warm or warm
        return slot

    def _give_back(self, slot: _Slot) -> None:
        if slot.gone.done():
            self._all.discard(slot)
        else:
            self._idle.append(slot)

    def _result(self, answer: dict[str, Any] | None) -> LaunchResult:
        if answer is None:
            return LaunchResult(host=self._host, lost="the slot that ran it ended before it did")
        error = answer.pop("error", None)
        caveats = tuple(Caveat(*one) for one in answer.pop("caveats", ()))
        return LaunchResult(
            host=self._host, error=None if error is None else CallError(**error), caveats=caveats, **answer
        )


async def _seen_out(future: asyncio.Future[Any], seconds: float | None = None) -> bool:
    """Wait for a future whatever cancels the waiting; False if it took longer than it may."""
    loop = asyncio.get_running_loop()
    until = None if seconds is None else loop.time() + seconds
    with anyio.CancelScope(shield=True):
        while not future.done():
            left = None if until is None else until - loop.time()
            if left is not None and left <= 0:
                return False
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((future,), timeout=left)
    return True


def _nobody(_pid: int) -> None:
    """Hear nothing."""


def _encoded(launch: Launch) -> bytes:
    """The job as the shim takes it."""
    job: dict[str, Any] = {
        "cwd": str(launch.cwd),
        "env": dict(launch.env),
        "stdout": str(launch.stdout),
        "stderr": str(launch.stderr),
        "time_limit": launch.time_limit,
        "grace": launch.grace,
    }
    if launch.call is not None:
        job["call"] = {"target": launch.call.target, "arguments": dict(launch.call.arguments)}
        job["worker"] = WORKER
        job["worker_env"] = {name: os.environ[name] for name in _WORKER_VARIABLES if name in os.environ}
    else:
        job["steps"] = launch.steps
        if not launch.steps or not all(launch.steps):
            raise PluginError(
                f"{launch.name} has nothing to run.", expected="argument lists, or a call", remedy="correct the process"
            )
    try:
        return json.dumps(job, default=_portable).encode()
    except (TypeError, ValueError) as problem:
        raise PluginError(
            f"{launch.name}: what is to be run cannot be handed to another process: {problem}.",
            expected="paths, numbers, strings, and lists, tuples and mappings of them",
            remedy="correct the process",
        ) from problem


def _portable(value: object) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} is a {type(value).__name__}")
