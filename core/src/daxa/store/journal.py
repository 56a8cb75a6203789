"""How transitions and products are written: few statements, each for many rows."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from daxa.exceptions import UnknownNameError
from daxa.ids import TaskKey
from daxa.outcome import State
from daxa.store.entries import (
    KEY_COLUMNS,
    PRODUCT_COLUMNS,
    TASK_COLUMNS,
    ProductEntry,
    TaskEntry,
    key_values,
    product_values,
    task_values,
)

# The names in these statements are constants of ours; values are always parameters.
# ruff: noqa: S608
_KEY: Final = " AND ".join(f"{name} = ?" for name in KEY_COLUMNS)
_INSERT: Final = (
    f"INSERT INTO tasks ({', '.join(TASK_COLUMNS)}) VALUES ({', '.join('?' * len(TASK_COLUMNS))})"
    f" ON CONFLICT ({', '.join(KEY_COLUMNS)}) DO UPDATE SET "
)


def _taking(names: Sequence[str]) -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in names)


_WHOLE: Final = _INSERT + _taking(TASK_COLUMNS[len(KEY_COLUMNS) :])
_VERDICT: Final = _INSERT + _taking(("state", "cause", "kind", "root", "run_id"))
_PLAN: Final = (
    _INSERT
    + _taking(("state", "cause", "kind", "root", "attempt", "run_id"))
    + " WHERE tasks.state IN ('waiting', 'ready', 'running')"
)
_HISTORY: Final = (
    f"INSERT INTO history (task_id, run_id, attempt, state, at, cause) SELECT id, ?, ?, ?, ?, ? FROM tasks WHERE {_KEY}"
)
_PRODUCT: Final = (
    f"INSERT INTO products (task_id, {', '.join(PRODUCT_COLUMNS)}) VALUES (?, {', '.join('?' * len(PRODUCT_COLUMNS))})"
)

_PLANS: Final = frozenset({State.WAITING, State.READY, State.CANCELLED})
_VERDICTS: Final = frozenset({State.REUSED, State.NO_DATA, State.BLOCKED})


def _statement(entry: TaskEntry) -> str:
    """Choose what a transition may change of the task's row."""
    if entry.started is None:
        if entry.state in _PLANS:
            return _PLAN
        if entry.state in _VERDICTS:
            return _VERDICT
    return _WHOLE


def write_transitions(connection: sqlite3.Connection, entries: Sequence[TaskEntry], at: float) -> None:
    """Bring the tasks' rows up to date, and add to the history.

    A task that has not started leaves what is known of the last time it ran: waiting, ready and cancelled do not touch
    a row that has ended; reused, no data and blocked change the state and its reason only. So a run that is cut short
    takes nothing away from what succeeded before it.

    Parameters
    ----------
    connection : sqlite3.Connection
        The writing connection.
    entries : sequence of TaskEntry
        Tasks after their transitions, in order.
    at : float
        When, in seconds of Unix time.
    """
    for statement, group in groupby(entries, _statement):
        connection.executemany(statement, [task_values(entry) for entry in group])
    connection.executemany(
        _HISTORY,
        [(one.run_id, one.attempt, one.state.value, at, one.cause, *key_values(one.key)) for one in entries],
    )


def write_products(connection: sqlite3.Connection, key: TaskKey, products: Sequence[ProductEntry]) -> None:
    """Put a task's products in place of its earlier ones.

    Raises
    ------
    UnknownNameError
        If no such task is recorded.
    """
    found = connection.execute(f"SELECT id FROM tasks WHERE {_KEY}", key_values(key)).fetchone()
    if found is None:
        raise UnknownNameError(
            f"No task {key} is recorded.",
            expected="a task that was journalled",
            remedy="journal it first",
            value=str(key),
        )
    connection.execute("DELETE FROM products WHERE task_id = ?", (found[0],))
    connection.executemany(_PRODUCT, [(found[0], *product_values(key, product)) for product in products])


def write_interruptions(connection: sqlite3.Connection, cause: str) -> int:
    """Turn every running task into an interrupted one; returns how many there were."""
    now = time.time()
    connection.execute(
        "INSERT INTO history (task_id, run_id, attempt, state, at, cause)"
        " SELECT id, run_id, attempt, 'interrupted', ?, ? FROM tasks WHERE state = 'running'",
        (now, cause),
    )
    return connection.execute(
        "UPDATE tasks SET state = 'interrupted', cause = ?, ended = ? WHERE state = 'running'", (cause, now)
    ).rowcount
