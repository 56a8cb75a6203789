"""Seeing what a piece of code does to its surroundings: files it writes, programs it starts, addresses it asks."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_SAID: Final = {
    "os.mkdir": "makes the directory",
    "os.remove": "deletes",
    "os.rename": "renames",
    "os.rmdir": "removes the directory",
    "os.symlink": "links",
    "os.link": "links",
    "os.truncate": "cuts",
    "os.chmod": "changes the permissions of",
    "os.putenv": "sets the variable",
    "os.unsetenv": "unsets the variable",
    "os.system": "runs the shell for",
    "subprocess.Popen": "starts",
    "os.exec": "becomes",
    "os.posix_spawn": "starts",
    "os.fork": "forks",
    "os.chdir": "changes the working directory to",
    "socket.connect": "connects to",
    "socket.getaddrinfo": "looks up",
    "socket.bind": "listens at",
    "tempfile.mkstemp": "makes the file",
    "tempfile.mkdtemp": "makes the directory",
}
"""Events of Python's own audit, with what they mean."""


class _Watch:
    """The audit's hook, which cannot be taken away again, and what it reports to."""

    def __init__(self) -> None:
        self.installed = False
        self.heard: dict[int, list[str]] = {}

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        heard = self.heard.get(threading.get_ident()) if self.heard else None
        if heard is None:
            return
        if event == "open":
            name, _mode, flags = arguments
            if isinstance(flags, int) and flags & _WRITES and "__pycache__" not in os.fsdecode(name or b""):
                heard.append(f"writes {name}")
        elif event in _SAID and "__pycache__" not in str(arguments[:1]):
            said = " ".join(str(one) for one in arguments[:2] if isinstance(one, str | bytes | os.PathLike | tuple))
            heard.append(f"{_SAID[event]} {said}".strip())


_watch = _Watch()


@contextmanager
def watched() -> Iterator[list[str]]:
    """Gather what this thread does to its surroundings in a block: one sentence each, without its subject.

    What only reads is not told, nor is the cache of compiled modules.
    """
    if not _watch.installed:
        _watch.installed = True
        sys.addaudithook(_watch)
    me = threading.get_ident()
    heard: list[str] = []
    _watch.heard[me] = heard
    try:
        yield heard
    finally:
        del _watch.heard[me]


def tree(*roots: Path) -> dict[str, tuple[int, int]]:
    """What lies below directories: path to size and time of last change."""
    found = {}
    for root in roots:
        for path in sorted(root.rglob("*")) if root.exists() else []:
            status = path.lstat()
            found[str(path)] = (status.st_size, status.st_mtime_ns)
    return found
