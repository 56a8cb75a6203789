"""Who writes to an archive: the lease, how its owner is known to live, and how it is taken and given back."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import Final

from attrs import define, frozen

from daxa.exceptions import ArchiveInUseError

BEAT: Final = 10.0
"""Seconds between two heartbeats."""

PATIENCE: Final = 3 * BEAT
"""Seconds without a heartbeat after which an owner on another machine counts as dead."""

_COLUMNS: Final = "token, host, boot_id, namespace, pid, process_start"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def process_start(pid: int) -> str | None:
    """Return when a process of this machine began, in clock ticks since boot; None if it does not live.

    Without ``/proc`` the answer for a living process is an empty string. Source: proc_pid_stat(5), field 22.
    """
    stat = _read(f"/proc/{pid}/stat")
    if stat:
        fields = stat.rpartition(")")[2].split()  # the name in parentheses may hold anything
        return None if fields[0] in "ZX" else fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return ""
    return None if Path("/proc/self/stat").exists() else ""


def _namespace() -> str:
    """Name of the space that process ids are counted in: two containers on one machine have different ones."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - the link's text, which is no path
    except OSError:
        return ""


@frozen
class Owner:
    """One object that may hold a lease.

    Parameters
    ----------
    token : str
        Its own mark, different for every object.
    host, boot_id, namespace : str
        The machine: name, id of the boot, and the space its process ids are counted in.
    pid : int
        The process.
    process_start : str
        When the process began; tells it from a later one with the same id.
    """

    token: str
    host: str
    boot_id: str
    namespace: str
    pid: int
    process_start: str

    @classmethod
    def me(cls) -> Owner:
        """Make an owner of this process."""
        pid = os.getpid()
        return cls(
            token=uuid.uuid4().hex,
            host=socket.gethostname(),
            boot_id=_read("/proc/sys/kernel/random/boot_id"),
            namespace=_namespace(),
            pid=pid,
            process_start=process_start(pid) or "",
        )


@frozen
class Held:
    """A lease as it stands in the record.

    Parameters
    ----------
    owner : Owner
        Who holds it.
    since, beat : float
        When it was taken and when its owner was last heard of, in seconds of Unix time.
    """

    owner: Owner
    since: float
    beat: float

    def lives(self, me: Owner, now: float) -> bool:
        """Whether the owner is alive, as far as `me` can tell at `now`."""
        owner = self.owner
        if owner.host == me.host and not owner.host.startswith("localhost"):
            if owner.boot_id != me.boot_id:
                return False  # the machine was started anew since
            if owner.namespace == me.namespace:
                return process_start(owner.pid) == owner.process_start
        # Elsewhere, only the heartbeat speaks. Should a clock be wrong and a living owner lose its lease, it notices
        # before its next transaction (see Guard.check), so nothing is ever mixed.
        return now - self.beat <= PATIENCE

    def describe(self) -> str:
        """Say who holds the lease, and since when."""
        since = datetime.fromtimestamp(self.since).astimezone().isoformat(sep=" ", timespec="seconds")
        return f"process {self.owner.pid} on {self.owner.host}, since {since}"


def read_lease(connection: sqlite3.Connection) -> Held | None:
    """Read who holds the lease."""
    row = connection.execute(f"SELECT {_COLUMNS}, since, beat FROM lease").fetchone()  # noqa: S608 - names are ours
    return None if row is None else Held(Owner(*row[:6]), row[6], row[7])


@define
class Guard:
    """Lets only one object at a time write. Used by the writer's thread only, inside its transactions.

    Without a lease a transaction is allowed if nobody else holds one: it is as short as a lease can be.

    Parameters
    ----------
    path : Path
        The record.
    leased : bool
        Whether the record knows leases at all.
    owner : Owner
        The object that would write.
    """

    path: Path
    leased: bool
    owner: Owner
    holds: int = 0
    _next_beat: float = 0.0

    def check(self, connection: sqlite3.Connection) -> None:
        """Refuse a transaction that would come between another owner's.

        Raises
        ------
        ArchiveInUseError
            If someone else holds the lease, or this object has lost its own.
        """
        if not self.leased:
            return
        held = read_lease(connection)
        if held is not None and held.owner.token == self.owner.token:
            return
        if self.holds:
            other = f"to {held.describe()}" if held is not None else "to a process that has ended since"
            raise ArchiveInUseError(
                f"This process has lost the right to write to {self.path} {other}.",
                expected=f"a heartbeat every {BEAT:.0f} s",
                remedy="see why this process stood still, and run again: it goes on where the other stopped",
                path=str(self.path),
            )
        if held is None:
            return
        if held.lives(self.owner, time.time()):
            here = held.owner.pid == self.owner.pid and held.owner.host == self.owner.host
            raise ArchiveInUseError(
                f"{self.path} is being written to by {held.describe()}"
                + (" (another Archive object of this process)." if here else "."),
                expected="one writing process at a time; any number may read",
                remedy="wait for its end, or end it",
                path=str(self.path),
                host=held.owner.host,
                pid=held.owner.pid,
                since=held.since,
            )
        connection.execute("DELETE FROM lease")

    def take(self, connection: sqlite3.Connection) -> None:
        """Take the lease, or hold it once more."""
        if self.leased and not self.holds:
            now = time.time()
            owner = self.owner
            connection.execute(
                f"INSERT OR REPLACE INTO lease (id, {_COLUMNS}, since, beat) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                (owner.token, owner.host, owner.boot_id, owner.namespace, owner.pid, owner.process_start, now, now),
            )
            self._next_beat = time.monotonic() + BEAT
        self.holds += 1

    def give_back(self, connection: sqlite3.Connection) -> None:
        """Hold the lease once less; with the last hold it is free."""
        self.holds -= 1
        if not self.holds and self.leased:
            connection.execute("DELETE FROM lease WHERE token = ?", (self.owner.token,))

    def seconds_to_beat(self) -> float | None:
        """Seconds until the next heartbeat is due; None if no lease is held."""
        return max(0.0, self._next_beat - time.monotonic()) if self.holds and self.leased else None

    def due(self) -> bool:
        """Whether it is time for a heartbeat; says so once, so that one that fails is not tried again at once."""
        due = self.seconds_to_beat() == 0.0
        if due:
            self._next_beat = time.monotonic() + BEAT
        return due

    def beat(self, connection: sqlite3.Connection) -> None:
        """Say that the owner lives."""
        connection.execute("UPDATE lease SET beat = ? WHERE token = ?", (time.time(), self.owner.token))
