"""A slot: runs one job after the other, each in a session of its own, and leaves nothing behind.

Standard library only, and little of it, so that it starts quickly and runs anywhere: ``python -I -S shim.py HEAD``
with the process id of the head. Jobs come as JSON lines on standard input; what became of them goes as JSON lines to
standard output; the output of the jobs goes to their files and never through here. When standard input closes, or the
head is our parent no more, the head is gone, however it died: what runs is ended, and so is this.

Lines of the head: ``{"id", "steps" | "call", "cwd", "env", "stdout", "stderr", "time_limit", "grace"}`` and
``{"cancel": id}``. Lines to the head: ``{"id", "started": pid}`` for every step and ``{"id", "result": {...}}``.
"""

# ruff: noqa: PTH113, PTH118, PTH123, PTH208
# pathlib would double what this file costs to start

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing is imported by the type checker only: it would double what this file costs
    from collections.abc import Sequence
    from typing import Any

CALLS_PER_WORKER = 200
FAREWELL = 2.0  # seconds a worker whose input was closed may take to end
LOOK = 1.0  # seconds between looks at who our parent is
STEP = 0.02  # seconds between looks at a group that was asked to end
USUAL = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGPIPE,  # Python ignores these two, and what is ignored is inherited
    signal.SIGXFSZ,
    signal.SIGCHLD,
)


class Refused(Exception):
    """A job cannot be started, and why."""

    def __init__(self, code: str, problem: Exception, message: str) -> None:
        super().__init__(message)
        why = getattr(problem, "strerror", None) or str(problem)
        self.told = {"type": type(problem).__name__, "code": code, "message": f"{message}: {why}"}


class Slot:
    """The line to the head, the running job, and the worker that is kept warm for calls."""

    def __init__(self, head: int) -> None:
        self.head = head
        self.open = True
        self.heard = b""
        self.jobs: list[dict[str, Any]] = []
        self.cancelled: set[int] = set()
        self.worker: Worker | None = None
        self.worn = False
        self.null = os.open(os.devnull, os.O_RDONLY)
        self.woken, wake = os.pipe()
        for end in (self.woken, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        # Handlers, not SIG_IGN, which programs would inherit. The head decides; its end closes our input.
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        self.poll = select.poll()
        self.poll.register(0, select.POLLIN)
        self.poll.register(self.woken, select.POLLIN)

    # --- the line ---------------------------------------------------------------------------------------------------

    def say(self, **message: object) -> None:
        """Tell the head; when it is gone, nobody."""
        try:
            write_all(1, json.dumps(message).encode() + b"\n")
        except OSError:
            self.open = False

    def listen(self, seconds: float = LOOK) -> None:
        """Wait for a line, a child's end, or the time; never longer than the head may stay unseen."""
        for descriptor, _ in self.poll.poll(1000 * min(seconds, LOOK)):
            if descriptor == 0:
                self.hear()
            elif descriptor == self.woken:
                os.read(self.woken, 4096)
            elif self.worker is not None and descriptor == self.worker.answers:
                self.worker.hear(self.poll)
        if os.getppid() != self.head:
            self.open = False

    def hear(self) -> None:
        """Take what the head says."""
        data = os.read(0, 1 << 16)
        if not data:
            self.open = False
            self.poll.unregister(0)
        *lines, self.heard = (self.heard + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "cancel" in message:
                self.cancelled.add(message["cancel"])
            else:
                self.jobs.append(message)

    def serve(self) -> None:
        """Run jobs until the head is gone."""
        while self.open:
            if self.jobs:
                job = self.jobs.pop(0)
                self.say(id=job["id"], result=self.run(job))
                self.cancelled.clear()  # one job at a time: what is cancelled is over
                if self.worn:
                    self.dismiss()
            else:
                self.listen()
        self.dismiss()

    # --- a job ------------------------------------------------------------------------------------------------------

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run a job to its end."""
        began = time.monotonic()
        job["deadline"] = float("inf") if job["time_limit"] is None else began + job["time_limit"]
        result: dict[str, Any] = {"exit_status": None, "signal": None, "cpu_s": 0.0, "max_rss": 0, "pid": 0}
        try:
            enter(job["cwd"])
            if "call" in job:
                self.call(job, result)
            else:
                self.steps(job, result)
        except Refused as refused:
            result.update(exit_status=None, signal=None, error=refused.told)
        os.chdir("/")
        result["seconds"] = time.monotonic() - began
        return result

    def steps(self, job: dict[str, Any], result: dict[str, Any]) -> None:
        """Run programs one after the other, while they end well."""
        mode = os.O_TRUNC
        for step in job["steps"]:
            if self.over(job, result):
                break
            output = open_logs(job, mode)
            try:
                pid = spawn(find(step[0], job["env"]), step, job["env"], self.null, *output)
            finally:
                close(output)
            mode = 0
            self.say(id=job["id"], started=pid)
            self.attend(job, pid, result)
            if result["exit_status"] != 0 or result.get("cancelled") or result.get("timed_out"):
                break

    def call(self, job: dict[str, Any], result: dict[str, Any]) -> None:
        """Let the worker call a function; one that fails, or leaves processes behind, is not used again."""
        if self.over(job, result):
            return
        if self.worker is not None and os.waitpid(self.worker.pid, os.WNOHANG)[0]:  # it has died of itself
            self.worker.close(self.poll)
            self.worker = None
        output = open_logs(job, os.O_TRUNC)
        try:
            worker = self.worker or Worker(job["worker"], job["worker_env"], output, self.poll)
        finally:
            close(output)
        self.worker = worker
        self.say(id=job["id"], started=worker.pid)
        worker.ask({key: job[key] for key in ("call", "cwd", "env", "stdout", "stderr")})
        if self.attend(job, worker.pid, result, worker):
            worker.close(self.poll)
            self.worker = None
            result["cpu_s"] = max(result["cpu_s"] - worker.cpu_s, 0.0)
            if not result.get("cancelled") and not result.get("timed_out"):
                crashed(worker, result)
            return
        answer = worker.take()
        result.update(answer, pid=worker.pid)
        self.worn = "error" in answer or worker.served >= CALLS_PER_WORKER
        if children(worker.pid):
            self.dismiss()
        sweep(result, self.idle)

    def over(self, job: dict[str, Any], result: dict[str, Any]) -> bool:
        """Whether the job must end, which is noted in its result."""
        if job["id"] in self.cancelled or not self.open:
            result["cancelled"] = True
        elif time.monotonic() >= job["deadline"]:
            result["timed_out"] = True
        else:
            return False
        return True

    def attend(self, job: dict[str, Any], pid: int, result: dict[str, Any], worker: Worker | None = None) -> bool:
        """Wait for the end of a process, or bring it about; False if it is a worker that has answered."""
        asked = None
        while True:
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                break
            now = time.monotonic()
            if asked is None:
                if worker is not None and worker.answer is not None:
                    return False
                if self.over(job, result):
                    asked = now
                    send(pid, signal.SIGTERM)
                    continue
                self.listen(job["deadline"] - now)
            else:
                if now >= asked + job["grace"]:
                    send(pid, signal.SIGKILL)
                self.listen(STEP)
        note(result, usage)
        code = os.waitstatus_to_exitcode(status)
        result.update(pid=pid, exit_status=code if code >= 0 else None, signal=-code if code < 0 else None)
        spared = None if worker is not None else self.idle
        while asked is not None and time.monotonic() < asked + job["grace"]:  # the others of its group were asked too
            reap(result, spared)
            if not send(pid, 0):
                break
            self.listen(STEP)
        send(pid, signal.SIGKILL)
        sweep(result, spared)
        return True

    @property
    def idle(self) -> int | None:
        """Process id of the worker, which is no part of what a job leaves behind."""
        return None if self.worker is None else self.worker.pid

    def dismiss(self) -> None:
        """Let the worker go."""
        worker, self.worker, self.worn = self.worker, None, False
        if worker is None:
            return
        worker.close(self.poll)
        until = time.monotonic() + FAREWELL
        while not os.waitpid(worker.pid, os.WNOHANG)[0]:
            if time.monotonic() >= until:
                send(worker.pid, signal.SIGKILL)
            self.listen(STEP)
        send(worker.pid, signal.SIGKILL)
        sweep({"cpu_s": 0.0, "max_rss": 0}, None)


class Worker:
    """A Python process that calls functions, and the lines to and from it."""

    def __init__(self, argv: list[str], env: dict[str, str], output: Sequence[int], poll: select.poll) -> None:
        theirs, self.calls = os.pipe()
        self.answers, answering = os.pipe()
        try:
            self.pid = spawn(argv[0], argv, env, theirs, *output, answering)
        except Refused:
            close((self.calls, self.answers))
            raise
        finally:
            close((theirs, answering))
        poll.register(self.answers, select.POLLIN)
        self.heard = b""
        self.answer: dict[str, Any] | None = None
        self.ready = False
        self.served = 0
        self.cpu_s = 0.0

    def ask(self, message: dict[str, Any]) -> None:
        """Hand it a call; if it has died meanwhile, that is seen soon enough."""
        with contextlib.suppress(BrokenPipeError):
            write_all(self.calls, json.dumps(message).encode() + b"\n")

    def hear(self, poll: select.poll) -> None:
        """Take what it says: that it is there, and then an answer a call."""
        data = os.read(self.answers, 1 << 16)
        if not data:
            poll.unregister(self.answers)
        *lines, self.heard = (self.heard + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "ready" in message:
                self.ready = True
            else:
                self.answer = message

    def take(self) -> dict[str, Any]:
        """Take its answer; what a call used of the processor is kept, to know what the next one uses."""
        answer, self.answer = self.answer, None
        assert answer is not None
        self.served += 1
        self.cpu_s = answer.pop("cpu_total")
        return answer

    def close(self, poll: select.poll) -> None:
        """Close the lines, at which it ends."""
        with contextlib.suppress(KeyError):
            poll.unregister(self.answers)
        close((self.calls, self.answers))


# --- processes ------------------------------------------------------------------------------------------------------


def enter(directory: str) -> None:
    """Make a directory the working directory, which programs inherit."""
    try:
        os.chdir(directory)
    except (OSError, ValueError) as problem:
        raise Refused("storage", problem, f"{directory} cannot be entered") from None


def find(program: str, env: dict[str, str]) -> str:
    """Path of a program, as the job's own PATH and directory have it."""
    if "/" in program:
        return program
    for directory in env.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(directory, program)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise Refused("missing-tool", FileNotFoundError("it is not on the task's PATH"), f"{program} cannot be started")


def spawn(path: str, argv: list[str], env: dict[str, str], *descriptors: int) -> int:
    """Start a program in a session of its own, with these descriptors as 0, 1, 2 ... and all signals as usual."""
    actions = [(os.POSIX_SPAWN_DUP2, given, number) for number, given in enumerate(descriptors)]
    try:
        return os.posix_spawn(path, argv, env, file_actions=actions, setsid=True, setsigmask=[], setsigdef=USUAL)
    except (OSError, ValueError) as problem:
        raise Refused("missing-tool", problem, f"{argv[0]} cannot be started") from None


def open_logs(job: dict[str, Any], mode: int) -> list[int]:
    """Open the files that take the output."""
    opened: list[int] = []
    for name in ("stdout", "stderr"):
        try:
            opened.append(os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND | mode, 0o666))
        except (OSError, ValueError) as problem:
            close(opened)
            raise Refused("storage", problem, f"{job[name]} cannot be written") from None
    return opened


def send(group: int, number: int) -> bool:
    """Send a signal to a process group; False if there is none."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # there is one, of which not every member is ours to end
    return True


def children(pid: int) -> list[int]:
    """Children of a process, where the system tells."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as stream:
                found += [int(word) for word in stream.read().split()]
    return found


def reap(result: dict[str, Any], spared: int | None) -> list[int]:
    """Collect orphans of the job that have ended; the others are returned."""
    left: list[int] = []
    for pid in children(os.getpid()):
        if pid == spared:
            continue
        ended, _, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            note(result, usage)
        else:
            left.append(pid)
    return left


def sweep(result: dict[str, Any], spared: int | None) -> None:
    """End descendants that left their group: as orphans they become our children."""
    if spared is None and childless(result):
        return
    until = time.monotonic() + FAREWELL
    while (left := reap(result, spared)) and time.monotonic() < until:
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)


def childless(result: dict[str, Any]) -> bool:
    """Whether there is no child at all, which is known without a look at the others."""
    try:
        ended, _, usage = os.wait4(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    if ended:
        note(result, usage)
    return False


def note(result: dict[str, Any], usage: Any) -> None:
    """Add what a process used to what its job used; the peak is in bytes."""
    result["cpu_s"] += usage.ru_utime + usage.ru_stime
    unit = 1 if sys.platform == "darwin" else 1024
    result["max_rss"] = max(result["max_rss"], usage.ru_maxrss * unit)


def crashed(worker: Worker, result: dict[str, Any]) -> None:
    """Tell of a call that took its worker down: its own fault, unless the worker was not there yet."""
    number, status = result["signal"], result["exit_status"]
    how = f"status {status}" if number is None else signal.Signals(number).name
    if not worker.ready:
        result["lost"] = f"the Python worker could not be started ({how})"
        return
    message = f"the call took its Python process down ({how})"
    result["error"] = {"type": "Crash", "code": None, "message": message}


def close(descriptors: Sequence[int]) -> None:
    """Close descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write to the last byte: a signal may cut a write short."""
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    # descendants that lose their parents become our children (PR_SET_CHILD_SUBREAPER of Linux)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    Slot(int(sys.argv[1])).serve()
