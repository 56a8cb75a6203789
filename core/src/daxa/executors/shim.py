"""A slot: runs one job after the other, each in a session of its own, and leaves nothing behind.

Standard library only, so that it starts quickly and runs anywhere: ``python -I -S shim.py HEAD`` with the process id of
the head. Jobs come as JSON lines on standard input; what became of them goes as JSON lines to standard output; the
output of the jobs goes to their files, and never through here. When standard input closes, or the head ends, the head
is gone, however it died: the running job is ended, and so is this.

Lines of the head: ``{"id", "steps", "cwd", "env", "stdout", "stderr", "time_limit", "grace", "keep"}`` and
``{"cancel": id, "grace"}``. Lines to the head: ``{"id", "started": pid}`` for every step, ``{"id", "result": {...}}``.
"""

import contextlib
import ctypes
import errno
import json
import os
import selectors
import signal
import stat
import subprocess
import sys
import time
from typing import Any

ORPHANED_GRACE = 2.0  # seconds a job may take to end at most, when there is no head that waits for it
SWEEP = 5.0  # seconds to spend on processes that do not even end when they are killed
LOOK = 1.0  # seconds between looks at logs that have no name yet
STEP = 0.02  # seconds between looks at a group of which not every member is our child

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: descendants that lose their parents become our children
_FULL = (errno.EAGAIN, errno.ENOMEM)


class Log:
    """A file that takes output. It gets its name when something is in it; while there is nothing, the next job has it.

    Most programs write to one of their two streams at most, and to make a file is what costs most of a short job.
    """

    def __init__(self) -> None:
        self.descriptor = -1
        self.path = ""
        self.named = False

    def open(self, path: str) -> int:
        """Take the output of a job; what is there under that name is of an earlier one."""
        self.path = path
        directory = os.path.dirname(path) or os.curdir  # noqa: PTH120
        if os.path.lexists(path):
            if not stat.S_ISREG(os.lstat(path).st_mode):  # a device: it is not ours to remove
                self.close()
                return self._create()
            os.unlink(path)  # noqa: PTH108
        if self.descriptor >= 0 and os.fstat(self.descriptor).st_dev != os.stat(directory).st_dev:  # noqa: PTH116
            self.close()
        if self.descriptor < 0:
            try:
                self.descriptor = os.open(directory, os.O_WRONLY | os.O_APPEND | os.O_TMPFILE, 0o666)
            except (AttributeError, OSError):  # not every system, nor every file system, has it
                return self._create()
        return self.descriptor

    def _create(self) -> int:
        self.descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o666)
        self.named = True
        return self.descriptor

    def look(self) -> None:
        """Give it its name, if something is in it."""
        if not self.named and os.fstat(self.descriptor).st_size:
            with contextlib.suppress(FileNotFoundError):  # whatever came there meanwhile, this is the log
                os.unlink(self.path)  # noqa: PTH108
            # any descriptor for `src_dir_fd` makes the system follow the link in /proc
            os.link(f"/proc/self/fd/{self.descriptor}", self.path, src_dir_fd=self.descriptor)
            self.named = True

    def finish(self) -> None:
        """Let the output rest; a file in which nothing was written is removed, as it tells nothing."""
        if self.descriptor < 0:
            return
        self.look()
        if self.named:
            status = os.fstat(self.descriptor)
            if stat.S_ISREG(status.st_mode) and not status.st_size:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path)  # noqa: PTH108
            self.close()

    def close(self) -> None:
        """Hold on to no file."""
        descriptor, self.descriptor, self.named = self.descriptor, -1, False
        if descriptor >= 0:
            os.close(descriptor)


class Slot:
    """The line to the head, and the running job."""

    def __init__(self, head: int) -> None:
        self.selector = selectors.DefaultSelector()
        self.heard = b""
        self.jobs: list[dict[str, Any]] = []
        self.cancelled: dict[int, float] = {}
        self.logs = [Log(), Log()]
        self.open = True
        self.woken, wake = os.pipe()
        for end in (self.woken, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        # Handlers, not SIG_IGN, which programs would inherit. The head decides; its end closes our input.
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        self.selector.register(0, selectors.EVENT_READ)
        self.selector.register(self.woken, selectors.EVENT_READ)
        self.head = -1
        with contextlib.suppress(AttributeError, OSError):  # only Linux has it; a fork of the head may hold our input
            self.head = os.pidfd_open(head)
            self.selector.register(self.head, selectors.EVENT_READ)
        if os.getppid() != head:
            self.open = False

    # --- the line ---------------------------------------------------------------------------------------------------

    def say(self, **message: object) -> None:
        """Tell the head; when it is gone, nobody."""
        line = json.dumps(message).encode() + b"\n"
        try:
            while line:
                line = line[os.write(1, line) :]
        except OSError:
            self.open = False

    def listen(self, seconds: float | None = None) -> None:
        """Wait for a line, a child's end, the head's end, or the time."""
        for key, _ in self.selector.select(seconds):
            if key.fd == self.woken:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.woken, 4096)
            elif key.fd == self.head:
                self.open = False
                self.selector.unregister(self.head)
            else:
                self.hear()

    def hear(self) -> None:
        """Take what the head says."""
        data = os.read(0, 1 << 16)
        if not data:
            self.open = False
            self.selector.unregister(0)
        *lines, self.heard = (self.heard + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "cancel" in message:
                self.cancelled[message["cancel"]] = message["grace"]
            else:
                self.jobs.append(message)

    def serve(self) -> None:
        """Run jobs until the head is gone."""
        while self.open:
            if self.jobs:
                job = self.jobs.pop(0)
                self.say(id=job["id"], result=self.run(job))
                self.cancelled.clear()  # one job at a time: what was to be cancelled is over
            else:
                self.listen()

    # --- a job ------------------------------------------------------------------------------------------------------

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run a job to its end, or to the first step that fails."""
        began = time.monotonic()
        job["deadline"] = float("inf") if job["time_limit"] is None else began + job["time_limit"]
        result: dict[str, Any] = {"exit_status": None, "signal": None, "cpu_s": 0.0, "max_rss": 0}
        try:
            logs = [log.open(job[name]) for log, name in zip(self.logs, ("stdout", "stderr"), strict=True)]
            self.steps(job, logs, result)
            for log in self.logs:
                log.finish()
        except OSError as problem:
            tell(result, problem, "storage", f"the log {problem.filename2 or problem.filename} cannot be written")
            for log in self.logs:
                log.close()
        result["seconds"] = time.monotonic() - began
        return result

    def steps(self, job: dict[str, Any], logs: list[int], result: dict[str, Any]) -> None:
        """Run programs one after the other, while they end well."""
        for step in job["steps"]:
            if self.over(job, result):
                break
            child = start(step, job, logs, result)
            if child is None:
                break
            self.say(id=job["id"], started=child)
            self.attend(job, child, result)
            if result["exit_status"] != 0:
                break

    def over(self, job: dict[str, Any], result: dict[str, Any]) -> bool:
        """Whether the job must end, which is noted in its result."""
        if job["id"] in self.cancelled or not self.open:
            result["cancelled"] = True
        elif time.monotonic() >= job["deadline"]:
            result["timed_out"] = True
        else:
            return False
        return True

    def grace(self, job: dict[str, Any]) -> float:
        """Seconds between asking the job to end and ending it."""
        grace: float = self.cancelled.get(job["id"], job["grace"])
        return grace if self.open else min(grace, ORPHANED_GRACE)

    def attend(self, job: dict[str, Any], child: int, result: dict[str, Any]) -> None:
        """Wait for a step's end, or bring it about; end what it leaves behind."""
        asked = None
        while True:
            ended, status, usage = os.wait4(child, os.WNOHANG)
            if ended:
                break
            now = time.monotonic()
            if asked is None and self.over(job, result):
                asked = now
                send(child, signal.SIGTERM)
            if asked is None:
                self.listen(self.rest(job["deadline"] - now))
            elif now < asked + self.grace(job):
                self.listen(asked + self.grace(job) - now)
            else:
                send(child, signal.SIGKILL)
                self.listen(STEP)
        note(result, usage)
        code = os.waitstatus_to_exitcode(status)
        result.update(pid=child, exit_status=code if code >= 0 else None, signal=-code if code < 0 else None)
        # the others of its group were asked too, and may take as long
        while asked is not None and time.monotonic() < asked + self.grace(job):
            reap(result)
            if not send(child, 0):
                break
            self.listen(STEP)
        send(child, signal.SIGKILL)
        self.sweep(result)

    def rest(self, seconds: float) -> float | None:
        """How long to wait at most; logs get their names while the job runs, as people look into them."""
        if not all(log.named for log in self.logs):
            seconds = min(seconds, LOOK)
            with contextlib.suppress(OSError):  # which is met again, and told, at the end
                for log in self.logs:
                    log.look()
        return None if seconds == float("inf") else max(seconds, 0.0)

    def sweep(self, result: dict[str, Any]) -> None:
        """End descendants that left the group: as orphans they become our children, generation after generation."""
        until = time.monotonic() + SWEEP
        while reap(result) and time.monotonic() < until:
            for pid in children():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.listen(STEP)


# --- processes ------------------------------------------------------------------------------------------------------


def start(step: list[str], job: dict[str, Any], logs: list[int], result: dict[str, Any]) -> int | None:
    """Start a program in a session of its own; None if it cannot be started, which is told in the result."""
    keep = job.get("keep", ())
    try:
        process = subprocess.Popen(
            step,
            cwd=job["cwd"],
            env=job["env"],
            stdin=subprocess.DEVNULL,
            stdout=logs[0],
            stderr=logs[1],
            start_new_session=True,
            pass_fds=keep,
        )
    except (OSError, ValueError) as problem:
        if isinstance(problem, OSError) and problem.errno in _FULL:
            result.update(exit_status=None, lost=f"{step[0]} could not be started: {problem.strerror}")
        elif isinstance(problem, OSError) and problem.filename == job["cwd"] and not os.path.isdir(job["cwd"]):  # noqa: PTH112
            tell(result, problem, "storage", f"{job['cwd']} cannot be entered")
        else:
            tell(result, problem, "missing-tool", f"{step[0]} cannot be started")
        return None
    finally:
        for descriptor in keep:
            os.close(descriptor)
    process.returncode = 0  # it is waited for here; Popen must not do so too
    return process.pid


def tell(result: dict[str, Any], problem: Exception, code: str, what: str) -> None:
    """Note why a job could not be run."""
    message = f"{what}: {getattr(problem, 'strerror', None) or problem}"
    error = {"type": type(problem).__name__, "code": code, "message": message}
    result.update(exit_status=None, signal=None, error=error)


def send(group: int, number: int) -> bool:
    """Send a signal to a process group; False if there is none."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # there is one, of which not every member is ours to end
    return True


def reap(result: dict[str, Any]) -> bool:
    """Collect orphans of the job that have ended; whether there are others."""
    try:
        while True:
            ended, _, usage = os.wait4(-1, os.WNOHANG)
            if not ended:
                return True
            note(result, usage)
    except ChildProcessError:
        return False


def children() -> list[int]:
    """List our children, where the system tells."""
    me = os.getpid()
    with contextlib.suppress(OSError), open(f"/proc/{me}/task/{me}/children") as stream:  # noqa: PTH123
        return [int(word) for word in stream.read().split()]
    return []


def note(result: dict[str, Any], usage: Any) -> None:
    """Add what a process used to what its job used; the peak is in bytes."""
    result["cpu_s"] += usage.ru_utime + usage.ru_stime
    result["max_rss"] = max(result["max_rss"], usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


if __name__ == "__main__":
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    Slot(int(sys.argv[1])).serve()
