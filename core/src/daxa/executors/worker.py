"""A warm Python process: calls functions one after the other, with their output in the job's files.

Calls come as JSON lines on descriptor 0; results go as JSON lines to a descriptor of their own, so that nothing a
function prints can be taken for one. When the input closes, the worker ends.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from daxa.process.caveats import collect_caveats


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _call(job: dict[str, Any]) -> dict[str, Any]:
    """Run one call and say how it ended."""
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(stream, number)
        os.close(stream)
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.monotonic()
    answer: dict[str, Any] = {"exit_status": 0}
    with collect_caveats() as caveats:
        try:
            module, _, name = job["target"].partition(":")
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
            answer["value"] = found(**job["arguments"])
        except BaseException as problem:  # noqa: BLE001 - whatever it is, it ends this call only
            traceback.print_exc()
            answer["exit_status"] = 1
            answer["error"] = {
                "type": type(problem).__name__,
                "code": getattr(problem, "code", None) if hasattr(problem, "remedy") else None,
                "message": getattr(problem, "message", None) or str(problem) or type(problem).__name__,
                "traceback": traceback.format_exc(),
            }
    sys.stdout.flush()
    sys.stderr.flush()
    after = resource.getrusage(resource.RUSAGE_SELF)
    answer["caveats"] = [[caveat.code, caveat.message] for caveat in caveats]
    answer["seconds"] = time.monotonic() - began
    answer["cpu_s"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    answer["max_rss"] = after.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return answer


def main() -> None:
    """Serve calls until the input closes."""
    out = os.dup(1)
    os.set_inheritable(out, False)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    stream = os.fdopen(os.dup(0), "rb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for line in stream:
        os.write(out, json.dumps(_call(json.loads(line)), default=_plain).encode() + b"\n")


if __name__ == "__main__":
    main()
