"""The record of an archive, in typed functions."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from daxa.ids import TaskKey
from daxa.outcome import State
from daxa.store.conditions import where as condition_of
from daxa.store.db import Database, Hold
from daxa.store.entries import (
    KEY_COLUMNS,
    PRODUCT_COLUMNS,
    TASK_COLUMNS,
    DataIdEntry,
    HistoryEntry,
    ProductEntry,
    RunEntry,
    TaskEntry,
    dump,
    key_of,
    key_values,
    product_of,
    task_of,
)
from daxa.store.facts import ArchiveFacts
from daxa.store.faults import understood
from daxa.store.journal import write_interruptions, write_products, write_transitions
from daxa.store.lease import Held
from daxa.store.schema import ARCHIVE
from daxa.store.writer import Written

# The names in the statements are constants of ours; values are always parameters.
# ruff: noqa: S608

__all__ = [
    "ArchiveRecord",
    "DataIdEntry",
    "HistoryEntry",
    "ProductEntry",
    "RunEntry",
    "TaskEntry",
]

_TASKS: Final = {
    name: f"tasks.{name}" for name in TASK_COLUMNS if name not in ("params", "ingredients", "caveats", "extra")
}
_PRODUCTS: Final = {name: f"products.{name}" for name in PRODUCT_COLUMNS}
_HISTORY: Final = {
    **{name: f"tasks.{name}" for name in KEY_COLUMNS},
    **{name: f"history.{name}" for name in ("run_id", "attempt", "state", "cause")},
}


class ArchiveRecord(ArchiveFacts):
    """Everything an archive knows. Opening and reading change nothing.

    Methods that write return at once; ``await`` what they return, or ask it for ``result()``. A series of writes that
    nobody may come between stands in ``async with record.writing():``.

    Parameters
    ----------
    db : Database
        An open record of the form ``ARCHIVE``.
    """

    @classmethod
    def open(cls, path: Path | str) -> ArchiveRecord:
        """Open the record of an archive that exists; errors as :meth:`daxa.store.db.Database.open`."""
        return cls(Database.open(path, ARCHIVE))

    @classmethod
    def create(cls, path: Path | str) -> ArchiveRecord:
        """Make the record of a new archive, and its directory; one that is there already is opened."""
        return cls(Database.open(path, ARCHIVE, create=True))

    def writing(self) -> Hold:
        """Hold the archive's lease for a ``with`` or ``async with`` block; blocks may be nested.

        Raises
        ------
        ArchiveInUseError
            On entering, if another living process writes.
        """
        return self.db.lease()

    def writer(self) -> Held | None:
        """Return who is writing now, living processes only."""
        return self.db.writing_owner()

    def flush(self) -> None:
        """Wait until everything submitted so far is written."""
        self.db.flush()

    def close(self) -> None:
        """Write what is queued and close the record. May be called again."""
        self.db.close()

    # --- runs and tasks ---------------------------------------------------------------------------------------------

    def begin_run(self, request: Mapping[str, Any]) -> Written[int]:
        """Record that a call begins to work on the archive; the result is its number."""
        text, me = dump(request), self.db.owner

        def write(connection: sqlite3.Connection) -> int:
            sql = "INSERT INTO runs (started, request, host, pid) VALUES (?, ?, ?, ?)"
            number = connection.execute(sql, (time.time(), text, me.host, me.pid)).lastrowid
            assert number is not None
            return number

        return self.db.submit(write)

    def end_run(self, run_id: int) -> Written[None]:
        """Record that a call has ended."""
        return self._many("UPDATE runs SET ended = ? WHERE id = ?", [(time.time(), run_id)])

    def runs(self) -> list[RunEntry]:
        """Return all calls, in order."""
        with understood(self.db.path):
            rows = self.db.read("SELECT id, started, ended, request, host, pid FROM runs ORDER BY id")
            return [RunEntry(**{**dict(row), "request": json.loads(row["request"])}) for row in rows]

    def journal(self, entries: Sequence[TaskEntry]) -> Written[None]:
        """Record transitions, all or none; see :func:`daxa.store.journal.write_transitions` for what they change."""
        at, rows = time.time(), tuple(entries)
        return self.db.submit(lambda connection: write_transitions(connection, rows, at))

    def replace_products(self, key: TaskKey, products: Sequence[ProductEntry]) -> Written[None]:
        """Record a task's products in place of its earlier ones. The task has been journalled before."""
        rows = tuple(products)
        return self.db.submit(lambda connection: write_products(connection, key, rows))

    def interrupt_running(self, cause: str = "the run ended before the task did") -> Written[int]:
        """Turn tasks that an earlier run left running into interrupted ones; the result is how many.

        Only for one who holds the lease: otherwise the tasks may really be running.
        """
        return self.db.submit(lambda connection: write_interruptions(connection, cause))

    def tasks(self, **where: Any) -> list[TaskEntry]:
        """Return tasks, in the order they were first journalled.

        Parameters
        ----------
        **where
            Values by column, such as ``mission=``, ``process=``, ``obs_id=``, ``state=``, ``run_id=``: one value, a
            collection of values, or None for those that have none.

        Raises
        ------
        InvalidParameterError
            If there is no such column.
        """
        with understood(self.db.path):
            condition, params = condition_of(_TASKS, where)
            sql = f"SELECT {', '.join(TASK_COLUMNS)} FROM tasks{condition} ORDER BY id"
            return [task_of(row) for row in self.db.read(sql, params)]

    def task(self, key: TaskKey) -> TaskEntry | None:
        """Return one task; None if it was never journalled."""
        found = self.tasks(**dict(zip(KEY_COLUMNS, key_values(key), strict=True)))
        return found[0] if found else None

    def process_names(self) -> list[str]:
        """Return the names of the processes that have tasks."""
        return [row[0] for row in self.db.read("SELECT DISTINCT process FROM tasks")]

    def counts(self, **where: Any) -> dict[State, int]:
        """Count tasks by state; conditions as for :meth:`tasks`."""
        with understood(self.db.path):
            condition, params = condition_of(_TASKS, where)
            rows = self.db.read(f"SELECT state, count(*) FROM tasks{condition} GROUP BY state", params)
            found = {State(row[0]): row[1] for row in rows}
            return {state: found[state] for state in State if state in found}

    def tallies(self) -> dict[tuple[str, str], dict[State, int]]:
        """Count tasks by mission and process, in the order in which these were first journalled, and by state."""
        with understood(self.db.path):
            sql = "SELECT mission, process, state, count(*), min(id) FROM tasks GROUP BY mission, process, state"
            found: dict[tuple[str, str], dict[State, int]] = {}
            for mission, process, state, count, _ in sorted(self.db.read(sql), key=lambda row: row[4]):
                found.setdefault((mission, process), {})[State(state)] = count
            return found

    def latest_task(self, mission: str, process: str) -> TaskEntry | None:
        """Return the task of a process that was started last; None if none was."""
        with understood(self.db.path):
            sql = (
                f"SELECT {', '.join(TASK_COLUMNS)} FROM tasks WHERE mission = ? AND process = ? AND started IS NOT NULL"
                " ORDER BY started DESC, id DESC LIMIT 1"
            )
            found = [task_of(row) for row in self.db.read(sql, (mission, process))]
            return found[0] if found else None

    def products(self, **where: Any) -> list[ProductEntry]:
        """Return products; conditions as for :meth:`tasks`, and ``key=``, ``kind=``, ``path=``."""
        with understood(self.db.path):
            condition, params = condition_of(_PRODUCTS, where)
            sql = f"SELECT {', '.join(PRODUCT_COLUMNS)} FROM products{condition} ORDER BY id"
            return [product_of(row) for row in self.db.read(sql, params)]

    def products_of(self, key: TaskKey) -> list[ProductEntry]:
        """Return the products of one task."""
        return self.products(**dict(zip(KEY_COLUMNS, key_values(key), strict=True)))

    def history(self, **where: Any) -> list[HistoryEntry]:
        """Return transitions in the order they were written; conditions as for :meth:`tasks`, of the task's key,
        ``run_id``, ``attempt``, ``state`` and ``cause``.
        """
        with understood(self.db.path):
            condition, params = condition_of(_HISTORY, where)
            keys = ", ".join(f"tasks.{name}" for name in KEY_COLUMNS)
            sql = (
                f"SELECT {keys}, history.run_id, history.attempt, history.state, history.at, history.cause"
                f" FROM history JOIN tasks ON tasks.id = history.task_id{condition} ORDER BY history.id"
            )
            return [
                HistoryEntry(
                    task=key_of(row), run_id=row[6], attempt=row[7], state=State(row[8]), at=row[9], cause=row[10]
                )
                for row in self.db.read(sql, params)
            ]
