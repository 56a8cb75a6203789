"""A slot seen from the head: the process of the shim, the lines to and from it, and what is done when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread

SHIM: Final = Path(__file__).with_name("shim.py")
PATIENCE: Final = 10.0
"""Seconds beyond the grace, after which a slot that does not answer is ended."""
MARK: Final = "DAXA_SLOT"
"""Environment variable of the jobs of a slot, by which they are found if the slot itself is lost."""
LINE: Final = 16 * 1024 * 1024
_PROC: Final = Path("/proc")


class Slot:
    """A shim that runs one job after the other.

    Attributes
    ----------
    process : asyncio.subprocess.Process
        The shim.
    lost : bool
        Whether it ended without being told to.
    """

    def __init__(self, process: asyncio.subprocess.Process, mark: str) -> None:
        self.process = process
        self.lost = False
        self._mark = mark
        self._number = 0
        self._group: int | None = None

    @classmethod
    async def start(cls, inherited: Sequence[int] = ()) -> Slot:
        """Start a shim; its input is a line that closes with this process.

        Parameters
        ----------
        inherited : sequence of int
            Descriptors to hand on to it.
        """
        with anyio.CancelScope(shield=True):  # a cancellation in the middle would lose a process
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(SHIM), str(os.getpid())),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                limit=LINE,
                pass_fds=inherited,
            )
        return cls(process, uuid.uuid4().hex)

    def marked(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Environment of a job, by which its processes are known."""
        return {**environment, MARK: self._mark}

    async def run(
        self, job: Mapping[str, Any], started: Callable[[int], None], grace: float = 0.0
    ) -> dict[str, Any] | None:
        """Run a job to its end. If cancelled, end it first; cancelled again, it is waited for all the same.

        Parameters
        ----------
        job : Mapping
            The job as the shim takes it, its environment apart from the mark.
        started : callable
            Told the process id of the first step.
        grace : float
            Seconds the job has to end once it is asked to.

        Returns
        -------
        dict or None
            The result as the shim tells it; None if the shim is lost, and the job ended with it.
        """
        self._number += 1
        self._write({**job, "id": self._number, "grace": grace, "env": self.marked(job["env"])})
        answer = asyncio.ensure_future(self._answer(started))
        try:
            result = await asyncio.shield(answer)
        except asyncio.CancelledError:
            self.cancel(grace)
            if not await seen_out(answer, grace + PATIENCE) or answer.exception() or answer.result() is None:
                await self.end(kill=True)
                await seen_out(answer)
            raise
        except BaseException:  # `started` raised, or what was heard makes no sense
            await self.end(kill=True)
            raise
        if result is None:
            await self.end(kill=True)
        return result

    def cancel(self, grace: float) -> None:
        """Ask the job to end; its result comes all the same."""
        self._write({"cancel": self._number, "grace": grace})

    async def _answer(self, started: Callable[[int], None]) -> dict[str, Any] | None:
        assert self.process.stdout is not None
        begun = False
        while (line := await self.process.stdout.readline()).endswith(b"\n"):
            message = json.loads(line)
            if "result" in message:
                self._group = None
                found: dict[str, Any] = message["result"]
                return found
            self._group = message["started"]
            if not begun:
                begun = True
                started(message["started"])
        return None

    def _write(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it is lost, which is heard
            self.process.stdin.write(json.dumps(message).encode() + b"\n")

    async def end(self, *, kill: bool = False) -> None:
        """Close its input, at which it ends what it runs, and itself; or kill it with all its job's processes."""
        self.lost = self.lost or kill
        assert self.process.stdin is not None
        self.process.stdin.close()
        ended = asyncio.ensure_future(self.process.wait())
        if kill or not await seen_out(ended, PATIENCE):
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await seen_out(ended)
            group, self._group = self._group, None
            if group is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
            await seen_out(asyncio.ensure_future(anyio.to_thread.run_sync(_end_marked, self._mark)))
        transport = getattr(self.process, "_transport", None)
        if transport is not None:
            transport.close()


async def seen_out(future: asyncio.Future[Any], seconds: float | None = None) -> bool:
    """Wait for a future whatever cancels the waiting; False if it takes longer than it may."""
    loop = asyncio.get_running_loop()
    until = None if seconds is None else loop.time() + seconds
    with anyio.CancelScope(shield=True):
        while not future.done():
            left = None if until is None else until - loop.time()
            if left is not None and left <= 0:
                return False
            with contextlib.suppress(asyncio.CancelledError):  # raised again by those who wait for the job
                await asyncio.wait((future,), timeout=left)
    return True


def _end_marked(mark: str) -> None:
    """End the processes of a lost slot, wherever they went: nothing else watches them, and they may still write."""
    sign = f"{MARK}={mark}".encode()
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = [
            int(entry.name) for entry in _PROC.glob("[0-9]*") if sign in _environment(entry / "environ").split(b"\0")
        ]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _environment(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended, or is another's
        return b""
