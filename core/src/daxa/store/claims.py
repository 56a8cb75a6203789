"""Claims: what one process works on, others that share the directory leave alone until it is done.

A claim is a lock of the operating system on a small file, so it ends with its process, however that ends. The file goes
with the claim; one that a killed process left is taken over.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
from attrs import define, field

_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
"""What file systems without locks answer: there nobody can be kept out, and a single process is none the worse."""

FIRST_WAIT: Final = 0.05
LONGEST_WAIT: Final = 2.0
"""Seconds between two looks at a claim that somebody else has."""


@define
class Claim:
    """A claim, held or not.

    Parameters
    ----------
    path : Path
        Its file; the directory is made.
    shared : bool
        Whether others may hold a shared one at the same time.
    """

    path: Path
    shared: bool = False
    _descriptor: int | None = field(init=False, default=None)

    def take(self) -> bool:
        """Take it, unless somebody else has it; say whether it is held now.

        Raises
        ------
        OSError
            If its file cannot be made.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:  # the directory went with its last claim
            return False
        if self._locked(descriptor, fcntl.LOCK_SH if self.shared else fcntl.LOCK_EX) and self._is_there(descriptor):
            self._descriptor = descriptor
            return True
        os.close(descriptor)
        return False

    @staticmethod
    def _locked(descriptor: int, how: int) -> bool:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as problem:
            if problem.errno not in _NO_LOCKS:
                raise
        return True

    def _is_there(self, descriptor: int) -> bool:
        """Whether the file is still the one of that name: whoever had it before has removed it, perhaps."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(descriptor)
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    async def wait(self, told: Callable[[], object] | None = None) -> None:
        """Take it as soon as nobody else has it; `told` is called once if somebody has."""
        seconds = FIRST_WAIT
        while not await anyio.to_thread.run_sync(self.take):
            if told is not None:
                told()
                told = None
            await anyio.sleep(seconds)
            seconds = min(2 * seconds, LONGEST_WAIT)

    def is_alone(self) -> bool:
        """Whether nobody else holds a shared claim; it is the only one's from then on."""
        return self._descriptor is not None and self._locked(self._descriptor, fcntl.LOCK_EX)

    def release(self) -> None:
        """Give it back."""
        if self._descriptor is None:
            return
        if not self.shared:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None


@asynccontextmanager
async def claimed(path: Path, told: Callable[[], object] | None = None) -> AsyncIterator[Claim]:
    """Wait for a claim, and hold it for the length of a block.

    Parameters
    ----------
    path : Path
        Its file.
    told : callable, optional
        Called once if somebody else has it.
    """
    claim = Claim(path)
    try:
        await claim.wait(told)
        yield claim
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(claim.release)


__all__ = ["Claim", "claimed"]
