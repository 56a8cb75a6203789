"""What must be as it was when something is over: open files, threads, and processes, wherever they went.

``nothing_leaks`` is for ``with`` and for ``async with``. Child processes are found by their descent; those that left
their parents behind, by a word in the environment that every process gets that is started meanwhile with it.
"""

import asyncio
import os
import threading
import time
import uuid
from collections import Counter

MARK = "LEAKS_MARK"
"""Environment variable with the word; give it to processes whose environment is made from nothing."""

_OF_THE_LOOP = ("AnyIO worker thread", "asyncio_")
"""Threads that end with their event loop."""


def open_files():
    """What is open in this process, and how often."""
    found = Counter()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:  # the one that lists
            continue
        kind, _, name = target.partition(":")
        found[kind if name.startswith("[") else target] += 1  # pipes and sockets are known by their number only
    return found


def threads():
    """Threads of this process, without those of event loops that still run."""
    spared = {one.native_id for one in threading.enumerate() if one.name.startswith(_OF_THE_LOOP)}
    return {int(one) for one in os.listdir("/proc/self/task")} - spared


def _processes():
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield int(name)


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:  # it has ended
        return b""


def _told(pid):
    """Parent, state and start of a process; a number is used again, but not with the same start."""
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return (int(fields[1]), fields[0].decode(), int(fields[19])) if fields else None


def below(pid):
    """Descendants of a process: (process id, start), those that ended and were not waited for among them."""
    told = {one: _told(one) for one in _processes()}
    found, new = set(), {pid}
    while new:
        new = {one for one, about in told.items() if about is not None and about[0] in new} - found
        found |= new
    return {(one, told[one][2]) for one in found}


def carrying(word, variable=MARK):
    """Processes with a word in their environment, this one not among them."""
    sign = f"{variable}={word}".encode()
    return {
        (one, about[2])
        for one in _processes()
        if one != os.getpid()
        and sign in _read(f"/proc/{one}/environ").split(b"\0")
        and (about := _told(one)) is not None
        and about[1] != "Z"
    }


def _named(pid):
    words = _read(f"/proc/{pid}/cmdline").split(b"\0")
    return f"{pid} ({' '.join(word.decode(errors='replace') for word in words)[:200].strip() or 'it has ended'})"


class nothing_leaks:
    """Fails if what is done within leaves open files, threads or processes behind.

    Parameters
    ----------
    seconds : float
        How long they may take to go.

    Attributes
    ----------
    environment : dict
        What processes need in their environment to be found wherever they go.
    """

    def __init__(self, seconds=5.0):
        self.seconds = seconds
        self.word = uuid.uuid4().hex
        self.environment = {MARK: self.word}

    def _look(self):
        return open_files(), threads(), below(os.getpid())

    def left(self):
        """What there is that was not there before, in words."""
        files, running, children = self._look()
        words = [f"{count} x {name}" for name, count in (files - self._before[0]).items()]
        names = {one.native_id: one.name for one in threading.enumerate()}
        words += [f"thread {names.get(one, one)}" for one in running - self._before[1]]
        processes = (children - self._before[2]) | carrying(self.word)
        return words + [f"process {_named(pid)}" for pid, _ in sorted(processes)]

    def __enter__(self):
        self._outside = os.environ.get(MARK)
        os.environ[MARK] = self.word
        self._before = self._look()
        return self

    def __exit__(self, kind, problem, trace):
        try:
            until = time.monotonic() + self.seconds
            while kind is None and self.left() and time.monotonic() < until:
                time.sleep(0.02)
            self._judge(kind)
        finally:
            self._restore()

    async def __aenter__(self):
        return self.__enter__()

    async def __aexit__(self, kind, problem, trace):
        try:
            until = time.monotonic() + self.seconds
            while kind is None and self.left() and time.monotonic() < until:
                await asyncio.sleep(0.02)
            self._judge(kind)
        finally:
            self._restore()

    def _judge(self, kind):
        if kind is None and (left := self.left()):
            raise AssertionError("left behind: " + "; ".join(left))

    def _restore(self):
        if self._outside is None:
            os.environ.pop(MARK, None)
        else:
            os.environ[MARK] = self._outside
