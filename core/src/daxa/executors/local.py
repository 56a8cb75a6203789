"""Jobs on this machine, in slots that are started when they are needed and used again.

Commands run in the shim (:mod:`daxa.executors.shim`), calls in a warm worker (:mod:`daxa.executors.worker`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import anyio

from daxa.executors.base import CallError, Capabilities, Launch, LaunchResult, Started
from daxa.outcome import Caveat

SHIM: Final = Path(__file__).with_name("shim.py")
CALLS_PER_WORKER: Final = 200
_LINE: Final = 16 * 1024 * 1024


class _Slot:
    """A control process with a line to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.served = 0

    @classmethod
    async def start(cls, command: Sequence[str], env: dict[str, str] | None = None) -> _Slot:
        return cls(
            await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                limit=_LINE,
                env=env,
            )
        )

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")

    async def hear(self) -> dict[str, Any] | None:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    async def end(self, *, kill: bool = False) -> None:
        """Close its input, which ends it, and wait; or kill it."""
        if kill:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        if self.process.stdin is not None:
            self.process.stdin.close()
        await self.process.wait()
        transport = getattr(self.process, "_transport", None)
        if transport is not None:
            transport.close()


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
        self._shims: list[_Slot] = []
        self._workers: list[_Slot] = []
        self._all: set[_Slot] = set()
        self._places: asyncio.Semaphore | None = None

    async def __aenter__(self) -> LocalExecutor:
        self._places = asyncio.Semaphore(self._limit)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await asyncio.gather(*(slot.end() for slot in self._all))
        self._all.clear()
        self._shims.clear()
        self._workers.clear()

    async def run(self, launch: Launch, started: Callable[[Started], None]) -> LaunchResult:
        """Run a job to its end. If cancelled, end it first."""
        assert self._places is not None, "use `async with LocalExecutor(...)`"
        async with self._places:
            if launch.call is not None:
                return await self._call(launch, started)
            return await self._command(launch, started)

    # --- commands ---------------------------------------------------------------------------------------------------

    async def _command(self, launch: Launch, started: Callable[[Started], None]) -> LaunchResult:
        slot = self._shims.pop() if self._shims else await self._new([sys.executable, "-I", "-S", str(SHIM)])
        slot.send(
            {
                "steps": launch.steps,
                "cwd": str(launch.cwd),
                "env": dict(launch.env),
                "stdout": str(launch.stdout),
                "stderr": str(launch.stderr),
                "time_limit": launch.time_limit,
                "grace": launch.grace,
            }
        )
        begun = False

        async def finish() -> dict[str, Any] | None:
            nonlocal begun
            while (message := await slot.hear()) is not None:
                if "result" in message:
                    found: dict[str, Any] = message["result"]
                    return found
                if not begun:
                    begun = True
                    started(Started(message["started"], self._host))
            return None

        try:
            result = await finish()
        except BaseException:
            with anyio.CancelScope(shield=True):
                slot.send({"cancel": True})
                if await finish() is None:
                    await self._drop(slot)
                else:
                    self._shims.append(slot)
            raise
        if result is None:
            await self._drop(slot)
            return LaunchResult(host=self._host, lost="the slot that ran it is gone")
        self._shims.append(slot)
        return self._result(result)

    # --- calls ------------------------------------------------------------------------------------------------------

    async def _call(self, launch: Launch, started: Callable[[Started], None]) -> LaunchResult:
        assert launch.call is not None
        slot = self._workers.pop() if self._workers else await self._new(_worker_command(), _worker_environment())
        slot.served += 1
        slot.send(
            {
                "target": launch.call.target,
                "arguments": dict(launch.call.arguments),
                "cwd": str(launch.cwd),
                "env": dict(launch.env),
                "stdout": str(launch.stdout),
                "stderr": str(launch.stderr),
            }
        )
        started(Started(slot.process.pid, self._host))
        answer: dict[str, Any] | None = None
        timed_out = False
        try:
            with anyio.move_on_after(launch.time_limit) as scope:
                answer = await slot.hear()
            timed_out = scope.cancelled_caught
        except BaseException:
            await self._drop(slot, kill=True)
            raise
        if answer is None:
            await self._drop(slot, kill=timed_out)
            code = slot.process.returncode
            return LaunchResult(
                host=self._host,
                pid=slot.process.pid,
                timed_out=timed_out,
                signal=-code if code is not None and code < 0 else None,
                exit_status=code if code is not None and code >= 0 else None,
                seconds=launch.time_limit or 0.0 if timed_out else 0.0,
            )
        if answer.get("error") is not None or slot.served >= CALLS_PER_WORKER:
            await self._drop(slot)  # what a failed call leaves in memory is not for the next
        else:
            self._workers.append(slot)
        return self._result({**answer, "pid": slot.process.pid})

    # --- slots ------------------------------------------------------------------------------------------------------

    async def _new(self, command: Sequence[str], env: dict[str, str] | None = None) -> _Slot:
        slot = await _Slot.start(command, env)
        self._all.add(slot)
        return slot

    async def _drop(self, slot: _Slot, *, kill: bool = False) -> None:
        self._all.discard(slot)
        with anyio.CancelScope(shield=True):
            await slot.end(kill=kill)

    def _result(self, answer: dict[str, Any]) -> LaunchResult:
        error = answer.pop("error", None)
        caveats = tuple(Caveat(*one) for one in answer.pop("caveats", ()))
        return LaunchResult(
            host=self._host, error=None if error is None else CallError(**error), caveats=caveats, **answer
        )


def _worker_command() -> list[str]:
    return [sys.executable, "-m", "daxa.executors.worker"]


def _worker_environment() -> dict[str, str]:
    keep = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in keep if name in os.environ}
