"""Reduction of the stress mission: an ingest, two steps a sub-exposure, and one that gathers them.

The programs are a shell script that takes some milliseconds, counts its starts, and fails for chosen data.
"""

import os
import re
import zlib
from pathlib import Path

from daxa.api import Child, Command, process

TOOL = Path(__file__).with_name("tool.sh")
STARTS = "DAXA_STRESS_STARTS"
"""Environment variable: the file that gets a line whenever the program starts."""
MARK = "DAXA_STRESS_MARK"
"""Environment variable: a word by which all processes of a head are found."""
FULL = "DAXA_STRESS_FULL"
"""Environment variable: beginnings of the data for which the program's disk is full."""

_ERROR = re.compile(r"^\*\* (\w+): error \((.*?)\), (.*)$", re.MULTILINE)
_FAULTS = ("status", "message", "nothing", "input")


def fault_of(process_name: str, ident: str, percent: int) -> str:
    """How a task fails, or that it does not: always the same for the same task."""
    lot = zlib.crc32(f"{process_name} {ident}".encode())
    return _FAULTS[lot // 100 % len(_FAULTS)] if lot % 100 < percent else "good"


def _tool(job, key, inputs, failing):
    ident = job.data_id.ident
    lot = zlib.crc32(ident.encode())
    fault = fault_of(job.process, ident, failing)
    if ident.startswith(tuple(os.environ.get(FULL, "-").split())):
        fault = "full"
    elif fault == "good" and lot % 23 == 0:
        fault = "leaves"  # it succeeds, and leaves a process in a session of its own behind
    pause = 0.003 + lot % 1000 / 1000 * 0.03
    return Command(
        ["/bin/sh", TOOL, job.process, ident, fault, f"{pause:.3f}", job.output(key), *inputs],
        env={name: os.environ[name] for name in (STARTS, MARK) if name in os.environ},
    )


def _messages(stdout, stderr):
    return [f"{found[1]}: error ({found[2]}), {found[3]}" for found in _ERROR.finditer(stderr)], []


@process(level="obs", produces={"summary": "misc/{name}-summary.txt"})
def ingest(job, failing: int = 10):
    """Read what the observation holds."""
    return _tool(job, "summary", [job.raw / "contents.txt"], failing)


@ingest.reveal
def _sub_exposures(job):
    found = {}
    for part in job.output("summary").read_text().split("\n", 1)[0].split():
        inst, _, subexp = part.partition("/")
        found.setdefault(inst, []).append(Child(name=subexp))
    return [Child(name=inst, children=below) for inst, below in found.items()]


@process(level="exp", needs=[ingest], produces={"calibrated": "events/{name}-calibrated.txt"})
def calibrate(job, failing: int = 10):
    """Calibrate a sub-exposure."""
    return _tool(job, "calibrated", job.inputs("summary"), failing)


@process(level="exp", needs=[calibrate], produces={"cleaned": "events/{name}-cleaned.txt"})
def clean(job, failing: int = 10):
    """Clean a sub-exposure."""
    return _tool(job, "cleaned", job.inputs("calibrated"), failing)


@process(level="obs", needs=[clean], produces={"merged": "events/{name}-merged.txt"})
def gather(job, failing: int = 10):
    """Bring the sub-exposures of an observation together."""
    return _tool(job, "merged", sorted(job.inputs("cleaned")), failing)


for _step in (ingest, calibrate, clean, gather):
    _step.assess(_messages)
