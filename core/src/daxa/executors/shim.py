"""A slot: runs one job after the other, each in a session of its own, and leaves nothing behind.

Standard library only, so that it starts quickly and runs anywhere. Jobs come as JSON lines on standard input; what
became of them goes as JSON lines to standard output; the output of the jobs goes to their files. When standard input
closes, the head is gone, however it died: the running job is ended, and so is this.
"""

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import time
from typing import Any

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: descendants that lose their parents become our children


class Slot:
    """Standard input, the running job, and its deadline."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.buffer = b""
        self.waiting: list[dict[str, Any]] = []
        self.open = True
        self.cancelled = False
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the head decides; its end closes our input
        self.woken = woken
        self.selector.register(0, selectors.EVENT_READ)
        self.selector.register(woken, selectors.EVENT_READ)

    def say(self, **message: object) -> None:
        """Tell the head."""
        line = json.dumps(message).encode() + b"\n"
        with contextlib.suppress(OSError):
            os.write(1, line)

    def listen(self, seconds: float | None) -> None:
        """Wait for a line, a child's end, or the time."""
        for key, _ in self.selector.select(seconds):
            if key.fd == self.woken:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.woken, 4096)
                continue
            data = os.read(0, 1 << 16)
            if not data:
                self.open = False
                self.selector.unregister(0)
            self.buffer += data
            *lines, self.buffer = self.buffer.split(b"\n")
            for line in lines:
                message = json.loads(line)
                if "cancel" in message:
                    self.cancelled = True
                else:
                    self.waiting.append(message)

    def serve(self) -> None:
        """Run jobs until the head is gone."""
        while self.open or self.waiting:
            if self.waiting and self.open:
                self.cancelled = False
                job = self.waiting.pop(0)
                self.say(result=self.run(job))
            elif self.open:
                self.listen(None)
            else:
                break

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run a job's steps."""
        began = time.monotonic()
        limit = job.get("time_limit")
        deadline = None if limit is None else began + limit
        result: dict[str, Any] = {
            "exit_status": None,
            "signal": None,
            "timed_out": False,
            "cancelled": False,
            "cpu_s": 0.0,
            "max_rss": 0,
        }
        mode = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        for step in job["steps"]:
            streams = []
            try:
                for name in ("stdout", "stderr"):
                    streams.append(os.open(job[name], mode, 0o644))
                child = subprocess.Popen(
                    step,
                    cwd=job["cwd"],
                    env=job["env"],
                    stdin=subprocess.DEVNULL,
                    stdout=streams[0],
                    stderr=streams[1],
                    start_new_session=True,
                    close_fds=True,
                )
            except OSError as problem:
                result["error"] = {
                    "type": type(problem).__name__,
                    "code": "missing-tool",
                    "message": f"{step[0]} cannot be started: {problem.strerror}",
                }
                break
            finally:
                for stream in streams:
                    os.close(stream)
            mode = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self.say(started=child.pid)
            self.watch(child, job["grace"], deadline, result)
            if result["exit_status"] != 0:
                break
        result["seconds"] = time.monotonic() - began
        return result

    def watch(
        self, child: "subprocess.Popen[bytes]", grace: float, deadline: float | None, result: dict[str, Any]
    ) -> None:
        """Wait for a step's end, or bring it about."""
        asked = None
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            now = time.monotonic()
            if asked is None and (self.cancelled or not self.open or (deadline is not None and now >= deadline)):
                result["cancelled"] = self.cancelled or not self.open
                result["timed_out"] = not result["cancelled"]
                asked = now
                _signal(child.pid, signal.SIGTERM)
            if asked is not None and now >= asked + grace:
                _signal(child.pid, signal.SIGKILL)
                asked = now
            wait = None
            if asked is not None:
                wait = max(asked + grace - now, 0.0)
            elif deadline is not None:
                wait = max(deadline - now, 0.0)
            self.listen(wait)
        child.returncode = 0  # reaped above; Popen must not wait again
        code = os.waitstatus_to_exitcode(status)
        result["exit_status"], result["signal"] = (code, None) if code >= 0 else (None, -code)
        result["pid"] = pid
        result["cpu_s"] += usage.ru_utime + usage.ru_stime
        result["max_rss"] = max(result["max_rss"], usage.ru_maxrss * 1024)
        _clear(child.pid)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _children() -> list[int]:
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children") as stream:  # noqa: PTH123
            return [int(word) for word in stream.read().split()]
    except OSError:
        return []


def _clear(group: int) -> None:
    """End what a step left behind: its group, and descendants that left the group."""
    _signal(group, signal.SIGKILL)
    while left := _children():
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


if __name__ == "__main__":
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    Slot().serve()
