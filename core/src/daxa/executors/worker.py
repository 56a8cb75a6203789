"""A warm Python process: calls functions one after the other, with their output in the job's files.

Started and watched by a slot (:mod:`daxa.executors.shim`), which ends it with everything below it. Calls come, and
answers go, as JSON lines over a socket whose descriptor is the one argument, so that nothing a function prints can be
taken for an answer. When the socket closes, the worker ends. Imports are kept from call to call; directory,
environment, output, temporary directory and the filters of warnings are those of the call.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import socket
import stat
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any, Final

from daxa.exceptions import DaxaError
from daxa.process.caveats import collect_caveats

LONGEST_ANSWER: Final = 15 * 1024 * 1024
_UNIT: Final = 1 if sys.platform == "darwin" else 1024
_SUBREAPER: Final = 36
"""PR_SET_CHILD_SUBREAPER: what a call leaves behind becomes a child of the worker, where it is seen."""


def _plain(value: Any) -> Any:
    """What JSON cannot hold, in a form that it can."""
    if isinstance(value, Path):
        return str(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _found(target: str) -> Any:
    module, _, name = target.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _told(problem: BaseException) -> dict[str, Any]:
    """An exception as the record keeps it; it is also in the log."""
    traceback.print_exception(problem)
    code, message = (problem.code, problem.message) if isinstance(problem, DaxaError) else (None, str(problem))
    return {
        "type": type(problem).__name__,
        "code": code,
        "message": message or type(problem).__name__,
        "traceback": "".join(traceback.format_exception(problem)),
    }


class _Usage:
    """What one call used, of a process that has done others before."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        with contextlib.suppress(OSError):  # begin to measure the peak anew, where the system can
            Path("/proc/self/clear_refs").write_text("5")
        self.cpu, _, self.below = _used()

    def told(self) -> dict[str, Any]:
        """Seconds by the clock and of the processor, and the peak of memory in bytes, programs it ran included."""
        cpu, peak, below = _used()
        if below > self.below:  # otherwise the largest program was one of an earlier call
            peak = max(peak, below)
        return {
            "seconds": time.monotonic() - self.began,
            "cpu_s": cpu - self.cpu,
            "cpu_total": cpu,
            "max_rss": peak * _UNIT,
        }


def _used() -> tuple[float, int, int]:
    """Seconds of the processor; peak of memory of this process, and of the largest it waited for."""
    own, below = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in (own, below))
    return cpu, own.ru_maxrss, below.ru_maxrss


def _leaves_processes() -> bool:
    """Whether there are processes that a call started and did not wait for; where the system tells."""
    if not hasattr(os, "waitid"):
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _enter(job: dict[str, Any]) -> None:
    """Make the surroundings those of the call."""
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    tempfile.tempdir = None  # it is kept once it was asked for, and that directory is gone
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
        os.dup2(stream, number)
        os.close(stream)


def _leave(job: dict[str, Any]) -> None:
    """Hold on to nothing of the call's; output that is still in a buffer is not for the next call's files."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)  # C libraries have buffers too
    null = os.open(os.devnull, os.O_WRONLY)
    for number, name in ((1, "stdout"), (2, "stderr")):
        with contextlib.suppress(OSError):
            status = os.fstat(number)
            if stat.S_ISREG(status.st_mode) and not status.st_size:
                Path(job[name]).unlink()
        os.dup2(null, number)
    os.close(null)
    os.chdir("/")


def _call(job: dict[str, Any]) -> bytes:
    """Run one call; the answer says how it ended."""
    usage = _Usage()
    answer: dict[str, Any] = {"exit_status": 0}
    with collect_caveats() as caveats, warnings.catch_warnings():
        try:
            _enter(job)
            answer["value"] = _found(job["target"])(**job["arguments"])
            value = len(json.dumps(answer["value"], default=_plain))
            if value > LONGEST_ANSWER:
                raise ValueError(f"the function returned {value >> 20} MB; what is large belongs into a file")
        except BaseException as problem:  # noqa: BLE001 - whatever it is, it ends this call only
            answer = {"exit_status": 1, "error": _told(problem)}
    _leave(job)
    answer["caveats"] = [[caveat.code, caveat.message] for caveat in caveats]
    answer.update(usage.told(), leaves=_leaves_processes())
    return json.dumps(answer, default=_plain).encode()


def main() -> None:
    """Serve calls until the socket closes."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    me = os.getpid()
    line = socket.socket(fileno=int(sys.argv[1]))
    line.set_inheritable(False)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    line.sendall(json.dumps({"ready": me, "cpu_total": _used()[0]}).encode() + b"\n")
    with line.makefile("rb") as calls:
        for call in calls:
            answer = _call(json.loads(call))
            if os.getpid() != me:  # the function forked, and its child came back
                os._exit(0)
            line.sendall(answer + b"\n")


if __name__ == "__main__":
    main()
