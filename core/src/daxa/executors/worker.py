"""A warm Python process: calls functions one after the other, with their output in the job's files.

Started and watched by the slot (:mod:`daxa.executors.shim`), which ends it with everything below it. Calls come as JSON
lines on descriptor 0; answers go as JSON lines to descriptor 3, so that nothing a function prints can be taken for one.
When the input closes, the worker ends. Imports are kept from call to call; directory, environment, output, temporary
directory and the list of warnings seen are those of the call.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any, Final

from daxa.exceptions import DaxaError
from daxa.process.caveats import collect_caveats

ANSWERS: Final = 3
LONGEST_ANSWER: Final = 16 * 1024 * 1024
_UNIT: Final = 1 if sys.platform == "darwin" else 1024


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


def _cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _forget_peak() -> None:
    """Begin to measure the peak of memory anew, where the system can (Linux, proc(5): clear_refs)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Most memory in use at once since then, in bytes."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def _redirect(*streams: tuple[int, str, int]) -> None:
    for number, path, mode in streams:
        stream = os.open(path, mode | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(stream, number)
        os.close(stream)


def _flush() -> None:
    """Nothing that is still in a buffer may come out in the next call's files; C libraries have buffers too."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)


def _enter(job: dict[str, Any]) -> None:
    """Make the surroundings those of the call."""
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    tempfile.tempdir = None  # it is kept once it was asked for, and that directory is gone
    _redirect((1, job["stdout"], os.O_WRONLY), (2, job["stderr"], os.O_WRONLY))


def _leave() -> None:
    """Hold on to nothing of the call's."""
    _flush()
    os.chdir("/")
    _redirect((1, os.devnull, os.O_WRONLY), (2, os.devnull, os.O_WRONLY))


def _run(job: dict[str, Any]) -> bytes:
    """Run one call; the answer says how it ended."""
    _forget_peak()
    began, before = time.monotonic(), _cpu()
    answer: dict[str, Any] = {"exit_status": 0}
    with collect_caveats() as caveats, warnings.catch_warnings():
        try:
            _enter(job)
            answer["value"] = _found(job["call"]["target"])(**job["call"]["arguments"])
            json.dumps(answer, default=_plain)
        except BaseException as problem:  # noqa: BLE001 - whatever it is, it ends this call only
            answer = {"exit_status": 1, "error": _told(problem)}
    _leave()
    answer["caveats"] = [[caveat.code, caveat.message] for caveat in caveats]
    answer["seconds"] = time.monotonic() - began
    answer["cpu_total"] = _cpu()
    answer["cpu_s"] = answer["cpu_total"] - before
    answer["max_rss"] = _peak()
    line = json.dumps(answer, default=_plain).encode()
    if len(line) > LONGEST_ANSWER:
        message = f"the function returned {len(line) >> 20} MB; what is large belongs into a file"
        answer["value"] = None
        answer.update(exit_status=1, error={"type": "ValueError", "code": None, "message": message})
        line = json.dumps(answer).encode()
    return line


def main() -> None:
    """Serve calls until the input closes."""
    answers = os.dup(ANSWERS)
    os.close(ANSWERS)
    calls = os.fdopen(os.dup(0), "rb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    me = os.getpid()
    with os.fdopen(answers, "wb") as stream:
        stream.write(b'{"ready": true}\n')
        stream.flush()
        for line in calls:
            answer = _run(json.loads(line))
            if os.getpid() != me:  # the function forked, and its child came back
                os._exit(0)
            stream.write(answer + b"\n")
            stream.flush()


if __name__ == "__main__":
    main()
