"""Where a stress run happens: its directory, the environment of its heads, and what they must not leave behind."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.stress import marks
from tests.stress.mission import MIRROR, make_mirror
from tests.stress.processes import FULL, MARK, STARTS

ROOT = Path(__file__).parents[2]
LONGEST = 240
"""Seconds after which a head that should have ended counts as stuck."""


@dataclass
class Surroundings:
    """A directory with a mirror, and heads that reduce it."""

    directory: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def make(cls, directory: Path, observations: int) -> "Surroundings":
        directory.mkdir(parents=True, exist_ok=True)
        make_mirror(directory / "mirror", observations)
        return cls(directory)

    def environment(self, output: Path, aim: str = "", full: str = "") -> dict[str, str]:
        output.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DAXA_")}
        python_path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
        return {
            **kept,
            "PYTHONPATH": python_path,
            "DAXA_CONFIG": str(self.directory / "none.toml"),
            MIRROR: str(self.directory / "mirror"),
            STARTS: str(output / "starts"),
            MARK: self.mark,
            marks.FILE: str(output / "marks"),
            **({marks.AIM: aim} if aim else {}),
            **({FULL: full} if full else {}),
        }

    def start(
        self,
        output: Path,
        *arguments: str,
        module: str = "tests.stress.head",
        aim: str = "",
        full: str = "",
        stdin: int = subprocess.DEVNULL,
    ) -> "subprocess.Popen[str]":
        """Start a head."""
        environment = self.environment(output, aim, full)
        return subprocess.Popen(
            [sys.executable, "-m", module, str(output), *arguments],
            env=environment,
            cwd=ROOT,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, output: Path, *arguments: str, longest: float = LONGEST, **options: str) -> tuple[int, str, str]:
        """Start a head and wait for its end: its status, what it said, and what it complained of."""
        process = self.start(output, *arguments, **options)
        try:
            out, errors = process.communicate(timeout=longest)
        except subprocess.TimeoutExpired:
            process.kill()
            out, errors = process.communicate()
            raise AssertionError(f"a head did not end within {longest} s: {out}{errors}") from None
        return process.returncode, out, errors

    def finish(self, output: Path, *arguments: str, **options: Any) -> str:
        """Start a head and wait for its end, which must be a good one."""
        status, out, errors = self.end(output, *arguments, **options)
        assert status == 0, f"a head ended with {status}: {errors}"
        return out

    def left_behind(self, seconds: float = 5.0) -> list[str]:
        """Processes of these surroundings that are still there after some seconds."""
        deadline = time.monotonic() + seconds
        while (found := marked_processes(self.mark)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found


def marked_processes(mark: str) -> list[str]:
    """Living processes with a mark in their environment, as their command lines."""
    found, sought = [], mark.encode()
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit() or int(directory.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if sought in (directory / "environ").read_bytes():
                state = (directory / "stat").read_text().rpartition(")")[2].split()[0]
                if state not in "ZX":
                    command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found.append(f"{directory.name} {command}".strip())
    return found


def kill(process: subprocess.Popen) -> None:
    """SIGKILL, for the process alone."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.communicate()


@dataclass
class Kill:
    """One kill: when it was, and what the process was about to do."""

    alive: bool
    during: frozenset[str]
    aimed: bool = False


def kill_after(process: subprocess.Popen, seconds: float, shared: marks.Marks) -> Kill:
    """Kill a process after some seconds."""
    time.sleep(seconds)
    alive = process.poll() is None
    kill(process)
    return _seen(alive, shared, False)


def kill_when(process: subprocess.Popen, kind: str, number: int, shared: marks.Marks) -> Kill:
    """Kill a process that is renaming a file, or writing rows, for at least the given time."""
    while process.poll() is None:
        inside, begun = shared.read()
        if inside[kind] and begun[kind] >= number:
            break
        time.sleep(0.0002)
    alive = process.poll() is None
    kill(process)
    return _seen(alive, shared, True)


def _seen(alive: bool, shared: marks.Marks, aimed: bool) -> Kill:
    inside, _begun = shared.read()
    return Kill(alive, frozenset(kind for kind in marks.KINDS if alive and inside[kind]), aimed)


@dataclass
class Held:
    """File descriptors, threads and children of this process."""

    descriptors: int
    threads: int
    children: int

    @classmethod
    def now(cls) -> "Held":
        me = os.getpid()
        children = Path(f"/proc/{me}/task/{me}/children")
        return cls(
            len(os.listdir("/proc/self/fd")),
            threading.active_count(),
            len(children.read_text().split()) if children.exists() else 0,
        )

    def more_than(self, before: "Held") -> list[str]:
        """What there is more of than before."""
        return [
            f"{getattr(self, name) - getattr(before, name)} more {name}"
            for name in ("descriptors", "threads", "children")
            if getattr(self, name) > getattr(before, name)
        ]
