"""Marks that a process leaves in a small shared file while it renames a file or writes rows, so that whoever kills it
can tell afterwards what it was about to do. The file is mapped into memory, and outlives the process.
"""

import mmap
import os
import random
import sqlite3
import struct
import threading
import time
from contextlib import contextmanager

FILE = "DAXA_STRESS_MARKS"
"""Environment variable: the shared file. Without it nothing is marked."""
AIM = "DAXA_STRESS_AIM"
"""Environment variable: ``rename 17 after``, the place at which the process waits to be killed."""

KINDS = ("rename", "row")
_WAIT = 5.0
_FORM = struct.Struct("<4I")  # inside a rename, inside a transaction; renames and transactions begun
_WRITES = ("BEGIN", "COMMIT", "INSERT", "UPDATE", "DELETE", "REPLACE")


class Marks:
    """The shared file, from either side."""

    def __init__(self, path):
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.write(bytes(_FORM.size))
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), _FORM.size)
        self._lock = threading.Lock()

    def read(self):
        """Which kinds are under way, and how many of each were begun."""
        in_rename, in_row, renames, rows = _FORM.unpack_from(self._map)
        return {"rename": in_rename, "row": in_row}, {"rename": renames, "row": rows}

    def enter(self, kind):
        """Begin; returns which one it is."""
        return self._add(kind, 1, 1)

    def leave(self, kind):
        """End."""
        self._add(kind, -1, 0)

    def _add(self, kind, inside, begun):
        place = KINDS.index(kind)
        with self._lock:
            values = list(_FORM.unpack_from(self._map))
            values[place] += inside
            values[place + 2] += begun
            _FORM.pack_into(self._map, 0, *values)
            return values[place + 2]

    def close(self):
        self._map.close()


def _aim():
    kind, number, where = (os.environ.get(AIM) or "none 0 never").split()
    return kind, int(number), where


def install():
    """Mark this process's renames and transactions from now on, if it is asked to."""
    path = os.environ.get(FILE)
    if not path:
        return
    marks = Marks(path)
    aimed_kind, aimed_number, aimed_where = _aim()

    def wait(kind, number, where):
        """Stand still at the place aimed at; whoever kills sees the mark. Other threads go on."""
        if kind == aimed_kind and number >= aimed_number and where == aimed_where:
            time.sleep(_WAIT)

    @contextmanager
    def marked(kind):
        number = marks.enter(kind)
        try:
            wait(kind, number, "before")
            yield
            wait(kind, number, "after")
        finally:
            marks.leave(kind)

    def wrapped(function):
        def rename(*arguments, **options):
            with marked("rename"):
                return function(*arguments, **options)

        return rename

    os.rename, os.replace = wrapped(os.rename), wrapped(os.replace)

    class Marking:
        """From BEGIN to the end of COMMIT it writes rows; outside a transaction, for a statement."""

        _number = 0

        def execute(self, sql, *arguments):
            verb = sql.lstrip()[:8].upper()
            if verb.startswith("BEGIN IM"):
                self._number = marks.enter("row")
            elif verb.startswith("COMMIT"):
                wait("row", self._number, "before")
            try:
                return super().execute(sql, *arguments)
            finally:
                if verb.startswith("COMMIT"):
                    wait("row", self._number, "after")
                if self._number and not self.in_transaction:
                    self._number = 0
                    marks.leave("row")

    connect = sqlite3.connect

    def connected(*arguments, **options):
        kind = options.get("factory", sqlite3.Connection)
        options["factory"] = type(kind.__name__, (Marking, kind), {})
        return connect(*arguments, **options)

    sqlite3.connect = connected


def random_aim(chance: random.Random, begun):
    """Draw a place among those that an undisturbed process came by: an AIM, and its kind."""
    kind = chance.choice([one for one in KINDS if begun[one]])
    where = chance.choice(("before", "after"))
    last = chance.choice((12, begun[kind]))  # half of them in the first moments of an archive
    return f"{kind} {chance.randint(1, min(last, begun[kind]))} {where}", kind
