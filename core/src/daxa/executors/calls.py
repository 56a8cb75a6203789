"""A worker seen from the head: a Python process in a slot of its own, and the line over which it is asked to call."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import anyio

from daxa.executors.base import Launch
from daxa.executors.slots import LINE, PATIENCE, Slot, seen_out

CALLS_PER_WORKER: Final = 200
"""What functions leave in memory does not grow for ever."""
FAREWELL: Final = 2.0
"""Seconds a worker whose line was closed may take to end by itself."""
_KEPT: Final = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
"""What Python needs to start and to import; a call sees only the environment of its job."""


class Worker:
    """A warm Python process that calls one function after the other.

    Attributes
    ----------
    worn : bool
        Whether it is not to be used again: it ended, a call failed or left processes behind, or it served long enough.
    """

    def __init__(self, slot: Slot, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, descriptor: int) -> None:
        self.worn = False
        self._slot = slot
        self._reader, self._writer = reader, writer
        self._pid = self._served = 0
        self._cpu_s = 0.0
        job = {
            "steps": [[sys.executable, "-m", "daxa.executors.worker", str(descriptor)]],
            "cwd": os.curdir,  # the head's, from where its modules may come
            "env": {name: os.environ[name] for name in _KEPT if name in os.environ},
            "stdout": os.devnull,
            "stderr": os.devnull,
            "time_limit": None,
            "keep": [descriptor],
        }
        self._end = asyncio.ensure_future(slot.run(job, lambda _pid: None, FAREWELL))
        self._end.add_done_callback(self._note_end)

    @classmethod
    async def start(cls) -> Worker:
        """Start one; it takes its first call as soon as it is there."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            slot = await Slot.start((theirs.fileno(),))
            with anyio.CancelScope(shield=True):
                reader, writer = await asyncio.open_connection(sock=ours.dup(), limit=LINE)
            return cls(slot, reader, writer, theirs.fileno())

    def _note_end(self, _end: object) -> None:
        self.worn = True

    async def call(self, launch: Launch, message: Mapping[str, Any], started: Callable[[int], None]) -> dict[str, Any]:
        """Call a function. If cancelled, the worker is ended first.

        Parameters
        ----------
        launch : Launch
            A job that is a call.
        message : Mapping
            The call as the worker takes it, its environment apart from the mark.
        started : callable
            Told the process id of the worker.

        Returns
        -------
        dict
            What became of it, as :class:`~daxa.executors.base.LaunchResult` has it.
        """
        self._served += 1
        self._writer.write(json.dumps({**message, "env": self._slot.marked(message["env"])}).encode() + b"\n")
        answer = None
        try:
            if self._pid or await self._ready():
                started(self._pid)
                answer = await self._hear(launch.time_limit)
        except TimeoutError:
            await self._stop(launch.grace)
            return {**self._used(await self._end), "timed_out": True}
        except BaseException:
            await self._stop(launch.grace)
            raise
        if answer is None:
            await self._stop(FAREWELL)
            return self._crashed(await self._end)
        self._cpu_s = answer.pop("cpu_total")
        if answer.pop("leaves") or "error" in answer or self._served >= CALLS_PER_WORKER:
            self.worn = True
        return {**answer, "pid": self._pid}

    async def _hear(self, seconds: float | None = None) -> dict[str, Any] | None:
        """Take what it says; None if it has ended."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(seconds):
                line = await self._reader.readline()
            if line.endswith(b"\n"):
                found: dict[str, Any] = json.loads(line)
                return found
        return None

    async def _ready(self) -> bool:
        """Wait until it is there."""
        greeting = await self._hear()
        if greeting is None:
            return False
        self._pid, self._cpu_s = greeting["ready"], greeting["cpu_total"]
        return True

    async def _stop(self, grace: float) -> None:
        """End it with all that it started."""
        self.worn = True
        self._slot.cancel(grace)
        if not await seen_out(self._end, grace + PATIENCE):
            await self._slot.end(kill=True)
            await seen_out(self._end)

    def _used(self, end: dict[str, Any] | None) -> dict[str, Any]:
        """What the call used that the worker ended in; the processor's time without that of the calls before."""
        if end is None:
            return {"lost": "the slot that ran it is gone", "pid": self._pid}
        known = {name: end[name] for name in ("exit_status", "signal", "max_rss", "seconds")}
        return {**known, "pid": self._pid, "cpu_s": max(end["cpu_s"] - self._cpu_s, 0.0)}

    def _crashed(self, end: dict[str, Any] | None) -> dict[str, Any]:
        """Tell of a call that took its worker down: its own fault, unless the system did, or it was not there yet."""
        found = self._used(end)
        if end is None:
            return found
        number = end["signal"]
        how = f"status {end['exit_status']}" if number is None else signal.Signals(number).name
        if not self._pid:
            found["lost"] = f"the Python process for calls could not be started ({how})"
        elif number == signal.SIGKILL:
            found["lost"] = "its Python process was killed, as the system does when memory runs out"
        else:
            message = f"the call took its Python process down ({how})"
            found["error"] = {"type": "Crash", "code": None, "message": message}
        return found

    async def end(self) -> None:
        """Close its line, at which it ends, and its slot."""
        self._writer.close()
        await seen_out(self._end, FAREWELL)
        await self._slot.end()
        await seen_out(self._end)
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
